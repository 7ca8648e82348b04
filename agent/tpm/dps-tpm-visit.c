/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "tpm/dps-tpm-visit.h"

#include "common/dps-io.h"
#include "tpm/dps-tpm-device.h"

#include <string.h>

struct _DpsTpmAccess
{
  gatomicrefcount refs;
  char *tcti;
  DpsSecret *owner_auth;
  DpsSecret *srk_auth;
};

DpsTpmAccess *
dps_tpm_access_new (const char *tcti, DpsSecret *owner_auth, DpsSecret *srk_auth)
{
  DpsTpmAccess *self = g_new0 (DpsTpmAccess, 1);

  g_atomic_ref_count_init (&self->refs);
  self->tcti = g_strdup (tcti);
  self->owner_auth = owner_auth != NULL ? dps_secret_ref (owner_auth) : NULL;
  self->srk_auth = srk_auth != NULL ? dps_secret_ref (srk_auth) : NULL;
  return self;
}

DpsTpmAccess *
dps_tpm_access_ref (DpsTpmAccess *self)
{
  g_atomic_ref_count_inc (&self->refs);
  return self;
}

void
dps_tpm_access_unref (DpsTpmAccess *self)
{
  if (!g_atomic_ref_count_dec (&self->refs))
    return;
  g_free (self->tcti);
  g_clear_pointer (&self->owner_auth, dps_secret_unref);
  g_clear_pointer (&self->srk_auth, dps_secret_unref);
  g_free (self);
}

const char *
dps_tpm_access_get_tcti (DpsTpmAccess *self)
{
  return self->tcti;
}

static gboolean
set_auth (DpsTpm *tpm, DpsTpmAuth auth, const DpsSecret *password, GError **error)
{
  return password == NULL || dps_tpm_set_auth (tpm,
                                               auth,
                                               dps_secret_data (password),
                                               dps_secret_size (password),
                                               error);
}

gboolean
dps_tpm_visit_begin (DpsTpmVisit *self, DpsTpmAccess *access, GError **error)
{
  self->fd = dps_tpm_device_open (access->tcti, error);
  if (self->fd < 0)
    return FALSE;
  self->tpm = dps_tpm_new (self->fd, error);
  return self->tpm != NULL &&
         set_auth (self->tpm, DPS_TPM_AUTH_OWNER, access->owner_auth, error) &&
         set_auth (self->tpm, DPS_TPM_AUTH_SRK, access->srk_auth, error);
}

void
dps_tpm_visit_end (DpsTpmVisit *self)
{
  if (self->tpm != NULL)
    dps_tpm_drop_key (self->tpm, &self->primary);
  g_clear_pointer (&self->tpm, dps_tpm_free);
  dps_close_fd (&self->fd);
}

static gboolean
make_primary (DpsTpmVisit *self, const TPM2B_PUBLIC *template, GError **error)
{
  return dps_tpm_create_primary (self->tpm,
                                 ESYS_TR_RH_OWNER,
                                 template,
                                 &self->primary,
                                 error);
}

/* A storage root key that others put there serves as it is; but one that
 * dictionary-attack protection covers would count each power cut. */
gboolean
dps_tpm_visit_choose_primary (DpsTpmVisit *self, gboolean *persistent, GError **error)
{
  gboolean found;

  if (!dps_tpm_read_key (self->tpm, DPS_TPM_HANDLE_SRK, &self->primary, &found, error))
    return FALSE;
  *persistent = found && dps_tpm_is_storage_parent (&self->primary.public) &&
                dps_tpm_is_unguarded (&self->primary.public);
  if (*persistent)
    return TRUE;
  dps_tpm_drop_key (self->tpm, &self->primary);
  return make_primary (self, dps_tpm_template_ecc_srk (), error);
}

gboolean
dps_tpm_name_equal (const TPM2B_NAME *a, const TPM2B_NAME *b)
{
  return a->size == b->size && memcmp (a->name, b->name, a->size) == 0;
}

/* A handle is empty as well where the key was only taken from it, or where the owner
 * hierarchy is switched off: nothing but a key that can be made, and is another, shows
 * that the seed is another. */
static gboolean
make_again (DpsTpmVisit *self,
            gboolean persistent,
            const TPM2B_NAME *name,
            GError **error)
{
  if (!make_primary (self, dps_tpm_template_ecc_srk (), error))
    return FALSE;
  if (!persistent || dps_tpm_name_equal (&self->primary.name, name))
    return TRUE;
  dps_tpm_drop_key (self->tpm, &self->primary);
  return make_primary (self, dps_tpm_template_rsa_srk (), error);
}

gboolean
dps_tpm_visit_find_primary (DpsTpmVisit *self,
                            gboolean persistent,
                            const TPM2B_NAME *name,
                            gboolean *same,
                            GError **error)
{
  gboolean found = FALSE;

  if (persistent &&
      !dps_tpm_read_key (self->tpm, DPS_TPM_HANDLE_SRK, &self->primary, &found, error))
    return FALSE;
  if (!found && !make_again (self, persistent, name, error))
    return FALSE;
  *same = dps_tpm_name_equal (&self->primary.name, name);
  if (!*same)
    dps_tpm_drop_key (self->tpm, &self->primary);
  return TRUE;
}
