/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "common/dps-error.h"

/* DpsFailure: what went wrong, as a row of one table and the facts of this one case. The
 * codes are stable: scripts and the journal catalogue rely on them, and a row is never
 * reused. */
typedef enum
{
  DPS_FAILURE_NONE,
  DPS_FAILURE_CONFIG_INVALID,
  DPS_FAILURE_NOT_CONFIGURED,
  DPS_FAILURE_CONFIG_UNSUPPORTED,
  DPS_FAILURE_SECRET_FILE,
  DPS_FAILURE_PAYLOAD_FILE,
  DPS_FAILURE_GROUP_KEY_REMAINS,
  DPS_FAILURE_GROUP_KEY_GONE,
  DPS_FAILURE_GROUP_KEY_FILE,
  DPS_FAILURE_PLUGIN_UNUSABLE,
  DPS_FAILURE_PLUGIN_CRASHED,
  DPS_FAILURE_PLUGIN_TIMED_OUT,
  DPS_FAILURE_PLUGIN_REFUSED,
  DPS_FAILURE_PLUGIN_LATER,
  DPS_FAILURE_NO_REGISTRATION_ID,
  DPS_FAILURE_TPM_NO_DEVICE,
  DPS_FAILURE_TPM_PERMISSION,
  DPS_FAILURE_TPM_RAW_ONLY,
  DPS_FAILURE_TPM_TIMED_OUT,
  DPS_FAILURE_TPM_LOST,
  DPS_FAILURE_TPM_CLEARED,
  DPS_FAILURE_TPM_REPLACED,
  DPS_FAILURE_TPM_OWNER_AUTH,
  DPS_FAILURE_TPM_ENDORSEMENT_AUTH,
  DPS_FAILURE_TPM_SRK_AUTH,
  DPS_FAILURE_TPM_LOCKOUT,
  DPS_FAILURE_TPM_OTHER_EK,
  DPS_FAILURE_TPM_OTHER_SRK,
  DPS_FAILURE_TPM_CHALLENGE_MALFORMED,
  DPS_FAILURE_TPM_CHALLENGE_DAMAGED,
  DPS_FAILURE_TPM_BUSY,
  DPS_FAILURE_TPM_MEMORY,
  DPS_FAILURE_TPM_NV_FULL,
  DPS_FAILURE_TPM_NOT_SUPPORTED,
  DPS_FAILURE_TPM_FAILED,
  DPS_FAILURE_X509_CERTIFICATE,
  DPS_FAILURE_X509_KEY,
  DPS_FAILURE_X509_OTHER_ID,
  DPS_FAILURE_X509_EXPIRED,
  DPS_FAILURE_X509_NOT_YET_VALID,
  DPS_FAILURE_X509_KEY_MISMATCH,
  DPS_FAILURE_X509_CHAIN,
  DPS_FAILURE_X509_COMMON_NAME,
  DPS_FAILURE_X509_USAGE,
  DPS_FAILURE_X509_KEY_FILE,
  DPS_FAILURE_X509_PASSPHRASE,
  DPS_FAILURE_PKCS11_PIN,
  DPS_FAILURE_PKCS11_PIN_LOCKED,
  DPS_FAILURE_PKCS11_NO_TOKEN,
  DPS_FAILURE_PKCS11_NO_KEY,
  DPS_FAILURE_PKCS11_MODULE,
  DPS_FAILURE_X509_TPM_KEY,
  DPS_FAILURE_CERTIFICATE_KEY,
  DPS_FAILURE_X509_FAILED,
  DPS_FAILURE_NAME_UNKNOWN,
  DPS_FAILURE_CONNECTION_REFUSED,
  DPS_FAILURE_UNREACHABLE,
  DPS_FAILURE_CONNECT_TIMEOUT,
  DPS_FAILURE_TLS_NAME,
  DPS_FAILURE_TLS_UNTRUSTED,
  DPS_FAILURE_TLS_TIME,
  DPS_FAILURE_TLS_OTHER,
  DPS_FAILURE_CLOSED,
  DPS_FAILURE_REQUEST_TIMEOUT,
  DPS_FAILURE_ANSWER_TOO_LARGE,
  DPS_FAILURE_ANSWER_MALFORMED,
  DPS_FAILURE_NOT_THE_SERVICE,
  DPS_FAILURE_CLIENT_REFUSED,
  DPS_FAILURE_TLS_SELF_SIGNED,
  DPS_FAILURE_TLS_ISSUER,
  DPS_FAILURE_TLS_VERSION,
  DPS_FAILURE_TLS_WEAK_KEY,
  DPS_FAILURE_TLS_WEAK_SIGNATURE,
  DPS_FAILURE_TLS_USAGE,
  DPS_FAILURE_TLS_CUT,
  DPS_FAILURE_TLS_TIME_IN_SYNC,
  DPS_FAILURE_UNAUTHORISED,
  DPS_FAILURE_BAD_REQUEST,
  DPS_FAILURE_FORBIDDEN,
  DPS_FAILURE_NOT_FOUND,
  DPS_FAILURE_THROTTLED,
  DPS_FAILURE_SERVICE,
  DPS_FAILURE_ALLOCATION_FUNCTION,
  DPS_FAILURE_NO_HUB,
  DPS_FAILURE_HUB_REFUSES_SERVICE,
  DPS_FAILURE_REGISTRATION_FAILED,
  DPS_FAILURE_DISABLED,
  DPS_FAILURE_UNKNOWN_STATUS,
  DPS_FAILURE_REGISTRATION_TIMEOUT,
  DPS_FAILURE_OPERATION_LOST,
  DPS_FAILURE_BAD_ASSIGNMENT,
  DPS_FAILURE_CHALLENGED_AGAIN,
  DPS_FAILURE_CHALLENGE_UNEXPECTED,
  DPS_FAILURE_NO_CHALLENGE,
  DPS_FAILURE_NO_HUB_KEY,
  DPS_FAILURE_ISSUED_CHAIN,
  DPS_FAILURE_NO_ISSUED_CHAIN,
  DPS_FAILURE_HUB_REFUSED,
  DPS_FAILURE_UNVERIFIED,
  DPS_FAILURE_CERTIFICATE_EXPIRES,
  DPS_FAILURE_STORE_WRITE,
  DPS_FAILURE_STORE_READ,
  DPS_FAILURE_STORE_NEWER,
  DPS_FAILURE_STORE_OPEN,
  DPS_FAILURE_STORE_SEALED,
  DPS_FAILURE_STORE_CLONE,
  DPS_FAILURE_STORE_UNPROTECTED,
  DPS_FAILURE_CANCELLED,
  DPS_FAILURE_INTERNAL,
  DPS_N_FAILURES
} DpsFailureKind;

/* What the schedule makes of a failure. */
typedef enum
{
  DPS_HEALS_BY_ITSELF,  /* exponential back-off */
  DPS_HEALS_BY_OPERATOR /* held; slow schedule */
} DpsHealing;

typedef struct
{
  const char *code;   /* "DPS-E301" */
  const char *phase;  /* configuration, attestation, network, service, hub, store */
  const char *cause;  /* a sentence without full stop */
  const char *remedy; /* what to do, without full stop */
  DpsHealing healing;
} DpsFailureRow;

/* Static; kind is below DPS_N_FAILURES. */
const DpsFailureRow *dps_failure_row (DpsFailureKind kind);

typedef struct
{
  gatomicrefcount refs;
  DpsFailureKind kind;
  char *detail; /* what this case adds, or NULL */
  guint http_status;
  guint service_code; /* six digits, 0 = none */
  char *tracking_id;  /* for the service's support, or NULL */
  gint64 wait;        /* µs the service asked to wait; 0 = it did not */
} DpsFailure;

/* detail is a printf format or NULL. The caller owns the reference. */
DpsFailure *dps_failure_new (DpsFailureKind kind, const char *detail, ...)
    G_GNUC_PRINTF (2, 3);
/* The message of error is the detail. */
DpsFailure *dps_failure_new_from_error (DpsFailureKind kind, const GError *error);
DpsFailure *dps_failure_ref (DpsFailure *self);
void dps_failure_unref (DpsFailure *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (DpsFailure, dps_failure_unref)

/* Cause, detail, HTTP status, service code and tracking id in one line; the caller's. */
char *dps_failure_describe (const DpsFailure *self);

/* As a caller on the bus sees it: the code first, what dps_failure_describe() says, and
 * the remedy. A DPS_ERROR of this code; the caller's. */
GError *dps_failure_to_error (const DpsFailure *self, DpsError code);

/* The facts of one exchange with DPS, each 0 or NULL where there is none. */
typedef struct
{
  guint http_status;
  guint service_code;
  gboolean in_state;    /* the code stood in a registrationState with HTTP 200 */
  gboolean polling;     /* the request was a status poll */
  gboolean is_disabled; /* status "disabled" */
  gboolean foreign;     /* an answer that is not JSON of the service */
} DpsAnswerFacts;

/* Which row an answer of the service is; pure (dps-protocol §2.4, §2.7). */
DpsFailureKind dps_failure_diagnose (const DpsAnswerFacts *facts);
