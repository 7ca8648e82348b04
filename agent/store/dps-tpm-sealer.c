/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "store/dps-tpm-sealer.h"

#include "common/dps-error.h"
#include "common/dps-io.h"
#include "store/dps-durable.h"
#include "store/dps-host-share.h"
#include "store/dps-openssl.h"
#include "store/dps-seal-file.h"
#include "tpm/dps-tpm-device.h"
#include "tpm/dps-tpm-error.h"
#include "tpm/dps-tpm-seal.h"
#include "tpm/dps-tpm-visit.h"

#include <gio/gio.h>
#include <string.h>

#define T_SIZE 32u
#define GIVE_UP                                                                          \
  "put the file back from a backup of this host, or give the identity up with 'dpsctl "  \
  "reset --yes' and provision again"

struct _DpsTpmSealer
{
  GObject parent_instance;

  DpsTpmAccess *access;
  GBytes *file; /* the seal.v1 that t was in */
  DpsSecret *t; /* NULL before it was unsealed */
};

static void dps_tpm_sealer_iface_init (DpsSealerInterface *iface);

G_DEFINE_FINAL_TYPE_WITH_CODE (DpsTpmSealer,
                               dps_tpm_sealer,
                               G_TYPE_OBJECT,
                               G_IMPLEMENT_INTERFACE (DPS_TYPE_SEALER,
                                                      dps_tpm_sealer_iface_init))

/* Whether the key, made anew where a clear has taken it from its handle, has that Name.
 */
static gboolean
is_made_again (DpsTpm *tpm,
               gboolean legacy,
               const TPM2B_NAME *name,
               gboolean *same,
               GError **error)
{
  g_autoptr (GError) local = NULL;
  DpsTpmKey key = { 0 };

  *same = FALSE;
  if (!dps_tpm_create_primary (tpm,
                               ESYS_TR_RH_ENDORSEMENT,
                               dps_tpm_template_ek (legacy),
                               &key,
                               &local))
    {
      if (g_error_matches (local, DPS_TPM_ERROR, DPS_TPM_ERROR_ENDORSEMENT_AUTH))
        return TRUE;
      g_propagate_error (error, g_steal_pointer (&local));
      return FALSE;
    }
  *same = dps_tpm_name_equal (&key.name, name);
  dps_tpm_drop_key (tpm, &key);
  return TRUE;
}

/* Whether this TPM has the endorsement key that was seen at sealing: a clear renews the
 * owner's seed alone, but takes the key from its handle. */
static gboolean
find_ek (DpsTpm *tpm, const TPM2B_NAME *name, gboolean *same, GError **error)
{
  DpsTpmKey key = { 0 };
  gboolean found;

  *same = FALSE;
  if (name->size == 0)
    return TRUE;
  if (!dps_tpm_read_key (tpm, DPS_TPM_HANDLE_EK, &key, &found, error))
    return FALSE;
  if (found)
    {
      *same = dps_tpm_name_equal (&key.name, name);
      dps_tpm_drop_key (tpm, &key);
      return TRUE;
    }
  return is_made_again (tpm, FALSE, name, same, error) &&
         (*same || is_made_again (tpm, TRUE, name, same, error));
}

static gboolean
fail_other_primary (DpsTpmVisit *self, const DpsSeal *seal, GError **error)
{
  gboolean same;

  if (!find_ek (self->tpm, &seal->ek_name, &same, error))
    return FALSE;
  if (same)
    g_set_error (error,
                 DPS_TPM_ERROR,
                 DPS_TPM_ERROR_CLEARED,
                 "the TPM was cleared, or its storage root key replaced, since the "
                 "identity was sealed");
  else
    g_set_error (error,
                 DPS_TPM_ERROR,
                 DPS_TPM_ERROR_REPLACED,
                 "the identity was sealed by another TPM than the one that is here%s",
                 seal->ek_name.size == 0 ? ", or this one was cleared since" : "");
  return FALSE;
}

/* The primary that seal names, and no other. */
static gboolean
find_primary (DpsTpmVisit *self, const DpsSeal *seal, GError **error)
{
  gboolean same;

  if (!dps_tpm_visit_find_primary (self,
                                   seal->primary == DPS_SEAL_PRIMARY_SRK,
                                   &seal->primary_name,
                                   &same,
                                   error))
    return FALSE;
  return same || fail_other_primary (self, seal, error);
}

static DpsSecret *
unseal_with (DpsTpmVisit *self, const DpsSeal *seal, GError **error)
{
  g_autoptr (DpsSecret) t =
      dps_tpm_unseal (self->tpm, &self->primary, &seal->public, &seal->private, error);

  if (t != NULL && dps_secret_size (t) != T_SIZE)
    {
      g_set_error (error,
                   DPS_ERROR,
                   DPS_ERROR_FAILED,
                   "'%s' holds %" G_GSIZE_FORMAT " bytes where it has %u: " GIVE_UP,
                   DPS_SEAL_NAME,
                   dps_secret_size (t),
                   T_SIZE);
      return NULL;
    }
  return g_steal_pointer (&t);
}

static void
keep (DpsTpmSealer *self, GBytes *file, DpsSecret *t)
{
  g_clear_pointer (&self->file, g_bytes_unref);
  g_clear_pointer (&self->t, dps_secret_unref);
  self->file = g_bytes_ref (file);
  self->t = dps_secret_ref (t);
}

static gboolean
open_seal (DpsTpmSealer *self, GBytes *file, GError **error)
{
  g_auto (DpsTpmVisit) visit = DPS_TPM_VISIT_INIT;
  g_autoptr (DpsSecret) t = NULL;
  DpsSeal seal;

  if (self->file != NULL && g_bytes_equal (self->file, file))
    return TRUE;
  if (!dps_seal_unpack (file, &seal, error) ||
      !dps_tpm_visit_begin (&visit, self->access, error) ||
      !find_primary (&visit, &seal, error))
    return FALSE;
  t = unseal_with (&visit, &seal, error);
  if (t == NULL)
    return FALSE;
  keep (self, file, t);
  return TRUE;
}

static GBytes *
read_seal (int dir_fd, GError **error)
{
  return dps_read_file_at (dir_fd, DPS_SEAL_NAME, DPS_SEAL_FILE_MAX, error);
}

static gboolean
note_ek (DpsTpmVisit *self, DpsSeal *seal, GError **error)
{
  DpsTpmKey ek = { 0 };
  gboolean found;

  if (!dps_tpm_read_key (self->tpm, DPS_TPM_HANDLE_EK, &ek, &found, error))
    return FALSE;
  if (found)
    seal->ek_name = ek.name;
  dps_tpm_drop_key (self->tpm, &ek);
  return TRUE;
}

/* Writes seal.v1, and opens what came back from the disk before anything relies on it. */
static gboolean
write_and_check (DpsTpmSealer *self,
                 DpsTpmVisit *visit,
                 const DpsSeal *seal,
                 int dir_fd,
                 GError **error)
{
  g_autoptr (GBytes) file = dps_seal_pack (seal, error);
  g_autoptr (GBytes) seen = NULL;
  g_autoptr (DpsSecret) t = NULL;
  DpsSeal back;

  if (file == NULL || !dps_durable_replace (dir_fd,
                                            DPS_SEAL_NAME,
                                            g_bytes_get_data (file, NULL),
                                            g_bytes_get_size (file),
                                            error))
    return FALSE;
  seen = read_seal (dir_fd, error);
  if (seen == NULL || !dps_seal_unpack (seen, &back, error))
    return FALSE;
  t = unseal_with (visit, &back, error);
  if (t == NULL)
    return FALSE;
  keep (self, seen, t);
  return TRUE;
}

static gboolean
make_seal (DpsTpmSealer *self, int dir_fd, GError **error)
{
  g_auto (DpsTpmVisit) visit = DPS_TPM_VISIT_INIT;
  g_autoptr (DpsSecret) t = dps_secret_new_empty (T_SIZE);
  DpsSeal seal = { 0 };
  gboolean persistent;

  if (!dps_openssl_random (dps_secret_edit (t), T_SIZE, error) ||
      !dps_tpm_visit_begin (&visit, self->access, error) ||
      !dps_tpm_visit_choose_primary (&visit, &persistent, error) ||
      !note_ek (&visit, &seal, error))
    return FALSE;
  seal.primary = persistent ? DPS_SEAL_PRIMARY_SRK : DPS_SEAL_PRIMARY_ECC;
  seal.primary_name = visit.primary.name;
  return dps_tpm_seal (visit.tpm,
                       &visit.primary,
                       t,
                       &seal.public,
                       &seal.private,
                       error) &&
         write_and_check (self, &visit, &seal, dir_fd, error);
}

/* Whether a seal that nothing relies on may give way: what it says is of no use, now and
 * later. A TPM that is away may come back with what opens it. */
static gboolean
is_useless (const GError *error)
{
  return g_error_matches (error, DPS_ERROR, DPS_ERROR_REJECTED) ||
         g_error_matches (error, DPS_ERROR, DPS_ERROR_FAILED) ||
         g_error_matches (error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND) ||
         g_error_matches (error, DPS_TPM_ERROR, DPS_TPM_ERROR_CLEARED) ||
         g_error_matches (error, DPS_TPM_ERROR, DPS_TPM_ERROR_REPLACED);
}

/* What is wrong with the file itself, in words for whoever has to do something. */
static void
explain (GError **error)
{
  if (g_error_matches (*error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND))
    {
      g_clear_error (error);
      g_set_error (error,
                   DPS_ERROR,
                   DPS_ERROR_FAILED,
                   "'%s' is missing, which the stored identity cannot be opened "
                   "without: " GIVE_UP,
                   DPS_SEAL_NAME);
    }
  else if (g_error_matches (*error, DPS_ERROR, DPS_ERROR_REJECTED))
    {
      g_autofree char *what = g_strdup ((*error)->message);

      g_clear_error (error);
      g_set_error (error, DPS_ERROR, DPS_ERROR_FAILED, "%s: " GIVE_UP, what);
    }
}

static gboolean
load_seal (DpsTpmSealer *self, int dir_fd, GError **error)
{
  g_autoptr (GBytes) file = read_seal (dir_fd, error);

  return file != NULL && open_seal (self, file, error);
}

static DpsProtection
tpm_get_protection (DpsSealer *sealer)
{
  return DPS_PROTECTION_TPM2_HOST;
}

static gboolean
tpm_seal (DpsSealer *sealer, int dir_fd, guint32 held, GError **error)
{
  DpsTpmSealer *self = DPS_TPM_SEALER (sealer);
  const guint32 needing =
      DPS_PROTECTION_BIT (DPS_PROTECTION_TPM2_HOST) | DPS_PROTECTION_BIT_UNKNOWN;
  g_autoptr (GError) local = NULL;

  if (!dps_host_share_ensure (dir_fd, held != 0, error))
    return FALSE;
  if (load_seal (self, dir_fd, &local))
    return TRUE;
  if ((held & needing) == 0 && is_useless (local))
    return make_seal (self, dir_fd, error);
  explain (&local);
  g_propagate_error (error, g_steal_pointer (&local));
  return FALSE;
}

static DpsSecret *
join (const DpsSecret *t, const DpsSecret *share)
{
  DpsSecret *ikm = dps_secret_new_empty (dps_secret_size (t) + dps_secret_size (share));

  memcpy (dps_secret_edit (ikm), dps_secret_data (t), dps_secret_size (t));
  memcpy (dps_secret_edit (ikm) + dps_secret_size (t),
          dps_secret_data (share),
          dps_secret_size (share));
  return ikm;
}

static DpsSecret *
tpm_unseal (DpsSealer *sealer, int dir_fd, guint32 protection, GError **error)
{
  DpsTpmSealer *self = DPS_TPM_SEALER (sealer);
  g_autoptr (GError) local = NULL;
  g_autoptr (DpsSecret) share = NULL;

  if (dps_protection_name (protection) == NULL)
    {
      g_set_error (error,
                   DPS_ERROR,
                   DPS_ERROR_NOT_SUPPORTED,
                   "the stored identity is protected at level %u, which this agent does "
                   "not know; use the version that stored it",
                   protection);
      return NULL;
    }
  share = dps_host_share_load (dir_fd, error);
  if (share == NULL || protection == DPS_PROTECTION_HOST)
    return g_steal_pointer (&share);
  if (load_seal (self, dir_fd, &local))
    return join (self->t, share);
  explain (&local);
  g_propagate_error (error, g_steal_pointer (&local));
  return NULL;
}

static gboolean
tpm_forget (DpsSealer *sealer, int dir_fd, GError **error)
{
  DpsTpmSealer *self = DPS_TPM_SEALER (sealer);

  g_clear_pointer (&self->file, g_bytes_unref);
  g_clear_pointer (&self->t, dps_secret_unref);
  return dps_durable_remove (dir_fd, DPS_HOST_SHARE_NAME, error) &&
         dps_durable_remove (dir_fd, DPS_SEAL_NAME, error);
}

static void
dps_tpm_sealer_iface_init (DpsSealerInterface *iface)
{
  iface->get_protection = tpm_get_protection;
  iface->seal = tpm_seal;
  iface->unseal = tpm_unseal;
  iface->forget = tpm_forget;
}

static void
dps_tpm_sealer_finalize (GObject *object)
{
  DpsTpmSealer *self = DPS_TPM_SEALER (object);

  g_clear_pointer (&self->access, dps_tpm_access_unref);
  g_clear_pointer (&self->file, g_bytes_unref);
  g_clear_pointer (&self->t, dps_secret_unref);
  G_OBJECT_CLASS (dps_tpm_sealer_parent_class)->finalize (object);
}

static void
dps_tpm_sealer_class_init (DpsTpmSealerClass *class)
{
  G_OBJECT_CLASS (class)->finalize = dps_tpm_sealer_finalize;
}

static void
dps_tpm_sealer_init (DpsTpmSealer *self)
{
}

DpsSealer *
dps_tpm_sealer_new (const char *tcti, DpsSecret *owner_auth, DpsSecret *srk_auth)
{
  DpsTpmSealer *self = g_object_new (DPS_TYPE_TPM_SEALER, NULL);

  self->access = dps_tpm_access_new (tcti, owner_auth, srk_auth);
  return DPS_SEALER (self);
}

gboolean
dps_tpm_sealer_is_there (DpsTpmSealer *self, GError **error)
{
  dps_autofd fd = dps_tpm_device_open (dps_tpm_access_get_tcti (self->access), error);

  return fd >= 0;
}
