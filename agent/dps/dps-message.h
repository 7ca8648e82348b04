/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

/* The texts that go to the provisioning service and come from it (dps-protocol §2). Pure
 * functions of bytes: no clock, no network. Every answer is bounded (64 KiB, 8 levels, no
 * member twice); members that are not known are ignored. */

#define DPS_OPERATION_ID_MAX 1024
#define DPS_BLOB_TEXT_MAX 8192

/* Request paths with query. Every segment is percent-encoded; the result is the
 * caller's. */
char *dps_message_register_path (const char *scope,
                                 const char *registration_id,
                                 const char *api_version);
char *dps_message_operation_path (const char *scope,
                                  const char *registration_id,
                                  const char *operation_id,
                                  const char *api_version);
char *dps_message_lookup_path (const char *scope,
                               const char *registration_id,
                               const char *api_version);
/* The list of modules at the hub, which serves to prove a credential (§6.5). */
char *dps_message_modules_path (const char *device_id, const char *api_version);

/* What a registration tells the service beside its name; NULL = left out. */
typedef struct
{
  const char *payload;         /* one JSON value, sent as it stands; null = left out */
  GBytes *endorsement_key;     /* marshalled TPM2B_PUBLIC, §5.2 */
  GBytes *storage_root_key;    /* the same */
  GBytes *certificate_request; /* DER PKCS#10, §2.9 */
} DpsRegisterBody;

/* The body of register and lookup (§2.1), the caller's. body may be NULL. NULL and
 * DPS_ERROR_INVALID_ARGUMENT where payload is not one JSON value within the bounds. */
char *dps_message_register_body (const char *registration_id,
                                 const DpsRegisterBody *body,
                                 GError **error);

/* TRUE where content_type is NULL or JSON; else DPS_ERROR_REJECTED naming what came, for
 * it was some proxy or portal that answered (§1.6). */
gboolean dps_message_check_content_type (const char *content_type, GError **error);

/* §2.4. Read without case. */
typedef enum
{
  DPS_STATUS_UNKNOWN, /* a word not known here: this attempt failed, try again later */
  DPS_STATUS_UNASSIGNED,
  DPS_STATUS_ASSIGNING,
  DPS_STATUS_ASSIGNED,
  DPS_STATUS_FAILED,
  DPS_STATUS_DISABLED,
  DPS_STATUS_BLACKLISTED,
  DPS_N_STATUS
} DpsStatus;

/* "assigning" and so on; static. */
const char *dps_status_to_string (DpsStatus status);

/* registrationState (§2.3). NULL or 0 = absent. Texts have no control characters. */
typedef struct
{
  DpsStatus status;
  char *registration_id;
  char *assigned_hub; /* a checked host name */
  char *device_id;    /* checked; not always the registration id */
  char *substatus;
  gint64 error_code;
  char *error_message;      /* at most 1024 bytes of it */
  char *last_updated;       /* as given */
  char *payload;            /* JSON text of the custom allocation, as it came */
  char *authentication_key; /* tpm: base64 of the second blob, not decoded */
  char *connection_profile; /* NULL or anything without case "classic": a usual hub */
  GPtrArray *issued_chain;  /* GBytes of DER certificates, leaf first (§2.9) */
} DpsRegistration;

void dps_registration_free (DpsRegistration *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (DpsRegistration, dps_registration_free)

/* An answer to register or to a poll. */
typedef struct
{
  char *operation_id; /* opaque */
  DpsStatus status;
  DpsRegistration *registration; /* may be NULL unless status is assigned */
} DpsReply;

void dps_reply_free (DpsReply *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (DpsReply, dps_reply_free)

/* Reads a 2xx answer. NULL and DPS_ERROR_REJECTED where it is malformed, has no status,
 * or (register only, as the caller of a poll knows it) is going on without an
 * operationId; DPS_ERROR_INVALID_ARGUMENT where it is well formed and assigned, but
 * without a valid assignedHub and deviceId, which asking again will not mend. */
DpsReply *dps_message_parse_register (const char *data, gsize size, GError **error);
DpsReply *dps_message_parse_poll (const char *data, gsize size, GError **error);

/* Reads a 200 answer to a lookup: the registration unwrapped (§2.5). Errors as above. */
DpsRegistration *dps_message_parse_lookup (const char *data, gsize size, GError **error);

/* The body of an answer with status 400 or above (§2.6), or the TPM challenge (§5.4). */
typedef struct
{
  gint64 code; /* errorCode, 0 = none */
  char *tracking_id;
  char *message;            /* at most 1024 bytes of it */
  char *authentication_key; /* challenge: base64 of the first blob, not decoded */
  char *key_name;           /* challenge: "registration" where it is not given */
} DpsServiceError;

void dps_service_error_free (DpsServiceError *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (DpsServiceError, dps_service_error_free)

/* TRUE where status and self are the challenge of the TPM flow and not a refusal: a 401
 * with a blob and without an errorCode. self may be NULL. */
gboolean dps_service_error_is_challenge (const DpsServiceError *self, guint http_status);

/* NULL and DPS_ERROR_REJECTED where the body is none of these. */
DpsServiceError *dps_message_parse_error (const char *data, gsize size, GError **error);
