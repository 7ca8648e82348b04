/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/dps-plugin-setup.h"
#include "core/dps-settings.h"
#include "core/dps-vault.h"
#include "dps/dps-tls-identity.h"

#include <gio/gio.h>

/* DpsAttestation: what this host can show to DPS, as its plugin describes it, and what
 * goes with it by configuration. */
typedef struct
{
  DpsSecret *key;        /* symmetric key, which the agent signs with; or NULL, and: */
  DpsPluginSetup *setup; /* the plugin, which answers a challenge and then signs; and */
  DpsTlsIdentity *tls;   /* the certificate for which it signs in TLS; or, of its TPM: */
  GBytes *endorsement_key;          /* of its TPM, marshalled (dps-protocol §5.2) */
  GBytes *storage_root_key;         /* the same */
  char *registration_id;            /* checked; the configured one wins */
  char *payload;                    /* JSON for the service, or NULL */
  DpsPluginConfinement confinement; /* of the plugin's process */
} DpsAttestation;

void dps_attestation_free (DpsAttestation *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (DpsAttestation, dps_attestation_free)

/* The registration id that this host is shown with: derived_for, what its key was derived
 * for, else the configured one, else described, the plugin's; each but config may be
 * NULL. Borrowed from where it comes. NULL with DPS_ERROR_NOT_CONFIGURED where there is
 * none, or the error of dps_name_check_registration_id(). Pure. */
const char *dps_attestation_choose_id (DpsConfig *config,
                                       const char *derived_for,
                                       const char *described,
                                       GError **error);

/* The same for a chain: configured (or NULL), which has to be the common name of its leaf
 * in any case of the letters, else that name. Borrowed from either. NULL with *failure,
 * the caller's. Pure. */
const char *dps_attestation_choose_certificate_id (const char *configured,
                                                   DpsCertificateChain *chain,
                                                   DpsFailure **failure);

/* Reads the files that the configuration in force names, in a worker, and lets the plugin
 * describe this host. imported_key (or NULL) is used instead of key-file=; one that was
 * derived from a group key is shown with the registration id it was derived for. Main
 * thread.
 */
void dps_attestation_run_async (DpsSettings *settings,
                                DpsImportedKey *imported_key,
                                GCancellable *cancellable,
                                GAsyncReadyCallback callback,
                                gpointer data);

/* NULL with *failure, the caller's, where the host cannot be attested now. */
DpsAttestation *dps_attestation_finish (GAsyncResult *result, DpsFailure **failure);
