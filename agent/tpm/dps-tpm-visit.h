/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "common/dps-secret.h"
#include "tpm/dps-tpm.h"

/* Where a TPM is, and the passwords for it. Immutable, counted, for any thread. */
typedef struct _DpsTpmAccess DpsTpmAccess;

/* tcti as in dps-tpm-device.h, which need not be there now. The passwords of the owner
 * hierarchy and of the storage root key may be NULL; a reference is taken. */
DpsTpmAccess *dps_tpm_access_new (const char *tcti,
                                  DpsSecret *owner_auth,
                                  DpsSecret *srk_auth);
DpsTpmAccess *dps_tpm_access_ref (DpsTpmAccess *self);
void dps_tpm_access_unref (DpsTpmAccess *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (DpsTpmAccess, dps_tpm_access_unref)

const char *dps_tpm_access_get_tcti (DpsTpmAccess *self);

/* DpsTpmVisit: one operation's use of the TPM: opened, used with a storage primary, and
 * closed with nothing left in it. On the stack, all of it blocks:
 *
 *     g_auto (DpsTpmVisit) visit = DPS_TPM_VISIT_INIT;
 *
 * Errors are DPS_TPM_ERROR. */
typedef struct
{
  int fd;
  DpsTpm *tpm;
  DpsTpmKey primary;
} DpsTpmVisit;

#define DPS_TPM_VISIT_INIT                                                               \
  {                                                                                      \
    .fd = -1                                                                             \
  }

gboolean dps_tpm_visit_begin (DpsTpmVisit *self, DpsTpmAccess *access, GError **error);
void dps_tpm_visit_end (DpsTpmVisit *self);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (DpsTpmVisit, dps_tpm_visit_end)

/* A primary to wrap under: the storage root key at 0x81000001, of any storage type, where
 * there is one that dictionary-attack protection does not cover, and then *persistent;
 * else a transient one from dps_tpm_template_ecc_srk(). */
gboolean dps_tpm_visit_choose_primary (DpsTpmVisit *self,
                                       gboolean *persistent,
                                       GError **error);

/* The primary of that Name, found at its handle or made again; *same is FALSE where the
 * TPM has it no more: it was cleared, or is another. */
gboolean dps_tpm_visit_find_primary (DpsTpmVisit *self,
                                     gboolean persistent,
                                     const TPM2B_NAME *name,
                                     gboolean *same,
                                     GError **error);

gboolean dps_tpm_name_equal (const TPM2B_NAME *a, const TPM2B_NAME *b);
