/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tpm-keys.h"

#include "tpm/dps-tpm-error.h"

#include <string.h>

static gboolean
set_auth (TpmKeys *self, const char *secret, DpsTpmAuth auth, GError **error)
{
  DpsPluginView view;

  if (!self->host->get_secret (self->host, secret, &view))
    return TRUE;
  return dps_tpm_set_auth (self->tpm, auth, view.data, view.size, error);
}

gboolean
tpm_keys_open (TpmKeys *self,
               const DpsHost *host,
               const TpmSettings *settings,
               GError **error)
{
  *self = (TpmKeys){ .host = host, .settings = *settings };
  self->tpm = dps_tpm_new (host->tpm_fd (host), error);
  if (self->tpm == NULL)
    return FALSE;
  if (set_auth (self, "owner-auth", DPS_TPM_AUTH_OWNER, error) &&
      set_auth (self, "endorsement-auth", DPS_TPM_AUTH_ENDORSEMENT, error) &&
      set_auth (self, "srk-auth", DPS_TPM_AUTH_SRK, error))
    return TRUE;
  tpm_keys_close (self);
  return FALSE;
}

void
tpm_keys_close (TpmKeys *self)
{
  if (self->tpm == NULL)
    return;
  tpm_keys_forget (self);
  g_clear_pointer (&self->tpm, dps_tpm_free);
}

static void
forget (TpmKeys *self, TpmHeldKey *held)
{
  dps_tpm_drop_key (self->tpm, &held->key);
  memset (held, 0, sizeof *held);
}

void
tpm_keys_forget (TpmKeys *self)
{
  forget (self, &self->ek);
  forget (self, &self->srk);
}

void
tpm_keys_say (TpmKeys *self, DpsPluginLogLevel level, const char *format, ...)
{
  g_autofree char *text = NULL;
  va_list args;

  va_start (args, format);
  text = g_strdup_vprintf (format, args);
  va_end (args);
  self->host->log (self->host, level, text);
}

gboolean
tpm_keys_load (TpmKeys *self, TpmHeldKey *held, GError **error)
{
  if (!held->key.transient || held->key.tr != ESYS_TR_NONE)
    return TRUE;
  return dps_tpm_check (Esys_ContextLoad (dps_tpm_get_esys (self->tpm),
                                          &held->context,
                                          &held->key.tr),
                        DPS_TPM_AUTH_NONE,
                        "loading a key that was made before",
                        error);
}

void
tpm_keys_unload (TpmKeys *self, TpmHeldKey *held)
{
  if (held->key.transient)
    dps_tpm_flush (self->tpm, &held->key.tr);
}

/* Takes a key that was just made; unloads it. */
static gboolean
hold (TpmKeys *self, TpmHeldKey *held, const DpsTpmKey *key, GError **error)
{
  TPMS_CONTEXT *context = NULL;
  gboolean saved;

  held->key = *key;
  saved = dps_tpm_check (Esys_ContextSave (dps_tpm_get_esys (self->tpm),
                                           held->key.tr,
                                           &context),
                         DPS_TPM_AUTH_NONE,
                         "saving the context of a key",
                         error);
  if (saved)
    held->context = *context;
  Esys_Free (context);
  tpm_keys_unload (self, held);
  held->found = saved;
  return saved;
}

/* Whether TPM2_PolicySecret of the endorsement hierarchy lets it decrypt for us. */
static gboolean
is_usable_ek (const TPM2B_PUBLIC *public)
{
  const TPM2B_DIGEST *wanted = &dps_tpm_template_ek (FALSE)->publicArea.authPolicy;
  const TPM2B_DIGEST *policy = &public->publicArea.authPolicy;

  return dps_tpm_is_dps_parent (public) && policy->size == wanted->size &&
         memcmp (policy->buffer, wanted->buffer, wanted->size) == 0;
}

/* The key at handle, where it is usable. */
static gboolean
look (TpmKeys *self,
      TPM2_HANDLE handle,
      gboolean (*is_usable) (const TPM2B_PUBLIC *),
      DpsTpmKey *key,
      gboolean *there,
      gboolean *usable,
      GError **error)
{
  if (!dps_tpm_read_key (self->tpm, handle, key, there, error))
    return FALSE;
  *usable = *there && is_usable (&key->public);
  if (*there && !*usable)
    dps_tpm_drop_key (self->tpm, key);
  return TRUE;
}

/* The key in hand does as well; what is lost is time. */
static gboolean
may_go_on_without (TpmKeys *self, const GError *refused)
{
  if (g_error_matches (refused, DPS_TPM_ERROR, DPS_TPM_ERROR_OWNER_AUTH))
    return !dps_tpm_has_auth (self->tpm, DPS_TPM_AUTH_OWNER);
  return g_error_matches (refused, DPS_TPM_ERROR, DPS_TPM_ERROR_NV_FULL) ||
         g_error_matches (refused, DPS_TPM_ERROR, DPS_TPM_ERROR_BUSY);
}

/* Keeps the key at 0x81010001 and goes on with it from there. */
static gboolean
persist_ek (TpmKeys *self, DpsTpmKey *key, gboolean *kept, GError **error)
{
  g_autoptr (GError) refused = NULL;

  *kept = FALSE;
  if (!dps_tpm_persist (self->tpm, key, DPS_TPM_HANDLE_EK, &refused))
    {
      g_autofree char *text = NULL;

      if (!may_go_on_without (self, refused))
        {
          g_propagate_error (error, g_steal_pointer (&refused));
          return FALSE;
        }
      text = g_strdup_printf (
          "the endorsement key can not be kept in the TPM (%s) and is made again each"
          " time; set owner-auth-file= in [tpm] where the owner has a password, make room"
          " where there is none, or set persist-ek=no in [plugin tpm]",
          refused->message);
      tpm_keys_say (self, DPS_PLUGIN_LOG_WARNING, "%s", text);
      return TRUE;
    }
  tpm_keys_say (self,
                DPS_PLUGIN_LOG_INFO,
                "the TPM keeps the endorsement key at 0x81010001");
  dps_tpm_drop_key (self->tpm, key);
  if (!dps_tpm_read_key (self->tpm, DPS_TPM_HANDLE_EK, key, kept, error))
    return FALSE;
  if (*kept)
    return TRUE;
  g_set_error_literal (error,
                       DPS_TPM_ERROR,
                       DPS_TPM_ERROR_LOST,
                       "the endorsement key was gone from its handle at once");
  return FALSE;
}

static gboolean
make_ek (TpmKeys *self, gboolean may_persist, GError **error)
{
  const TPM2B_PUBLIC *template = dps_tpm_template_ek (self->settings.legacy_ek);
  gboolean kept = FALSE;
  DpsTpmKey key = { 0 };

  if (!dps_tpm_create_primary (self->tpm, ESYS_TR_RH_ENDORSEMENT, template, &key, error))
    return FALSE;
  if (may_persist && !persist_ek (self, &key, &kept, error))
    {
      dps_tpm_drop_key (self->tpm, &key);
      return FALSE;
    }
  if (!kept)
    return hold (self, &self->ek, &key, error);
  self->ek.key = key;
  self->ek.found = TRUE;
  return TRUE;
}

static gboolean
find_ek (TpmKeys *self, gboolean may_persist, GError **error)
{
  gboolean there, usable;

  if (self->ek.found)
    return TRUE;
  if (!look (self,
             DPS_TPM_HANDLE_EK,
             is_usable_ek,
             &self->ek.key,
             &there,
             &usable,
             error))
    return FALSE;
  self->ek.found = usable;
  if (usable)
    return TRUE;
  if (there)
    tpm_keys_say (self,
                  DPS_PLUGIN_LOG_MESSAGE,
                  "what is at 0x81010001 is no endorsement key for this protocol and "
                  "stays there");
  return make_ek (self, may_persist && !there, error);
}

gboolean
tpm_keys_find_ek (TpmKeys *self, GError **error)
{
  return find_ek (self, self->settings.persist_ek, error);
}

static gboolean
make_srk (TpmKeys *self, GError **error)
{
  DpsTpmKey key = { 0 };

  if (!dps_tpm_create_primary (self->tpm,
                               ESYS_TR_RH_OWNER,
                               dps_tpm_template_rsa_srk (),
                               &key,
                               error))
    return FALSE;
  self->parent = TPM_PARENT_TEMPLATE;
  return hold (self, &self->srk, &key, error);
}

/* Makes the key again from its public area; *same: it is that key. The two ways in which
 * a template leaves the modulus open are tried. */
static gboolean
recreate (TpmKeys *self,
          const DpsTpmKey *found,
          DpsTpmKey *key,
          gboolean *same,
          GError **error)
{
  static const UINT16 sizes[] = { 0, 256 };
  TPM2B_PUBLIC template = found->public;

  *same = FALSE;
  memset (&template.publicArea.unique, 0, sizeof template.publicArea.unique);
  for (gsize i = 0; i < G_N_ELEMENTS (sizes); i++)
    {
      g_autoptr (GError) refused = NULL;

      template.publicArea.unique.rsa.size = sizes[i];
      if (dps_tpm_create_primary (self->tpm, ESYS_TR_RH_OWNER, &template, key, &refused))
        {
          *same = tpm_name_equal (&key->name, &found->name);
          if (*same)
            return TRUE;
          dps_tpm_drop_key (self->tpm, key);
        }
      /* FAILED: no template for a primary key, so it was none. */
      else if (!g_error_matches (refused, DPS_TPM_ERROR, DPS_TPM_ERROR_FAILED))
        {
          g_propagate_error (error, g_steal_pointer (&refused));
          return FALSE;
        }
    }
  return TRUE;
}

/* Takes the parent at 0x81000001, found; *taken: it, or the same made again. */
static gboolean
take_srk (TpmKeys *self, DpsTpmKey *found, gboolean *taken, GError **error)
{
  DpsTpmKey key = { 0 };
  gboolean made;

  if ((found->public.publicArea.objectAttributes & TPMA_OBJECT_NODA) != 0)
    {
      self->srk.key = *found;
      self->srk.found = *taken = TRUE;
      self->parent = TPM_PARENT_PERSISTENT;
      return TRUE;
    }
  if (dps_tpm_has_auth (self->tpm, DPS_TPM_AUTH_SRK))
    tpm_keys_say (self,
                  DPS_PLUGIN_LOG_MESSAGE,
                  "the storage root key at 0x81000001 counts wrong passwords, so none is "
                  "tried:"
                  " srk-auth-file= does not count");
  made = recreate (self, found, &key, taken, error);
  dps_tpm_drop_key (self->tpm, found);
  if (!made || !*taken)
    return made;
  self->parent = TPM_PARENT_RECREATED;
  return hold (self, &self->srk, &key, error);
}

/* What is at 0x81000001, if it can be the parent, and has this Name (NULL = any). */
static gboolean
find_srk_at_handle (TpmKeys *self,
                    const TPM2B_NAME *name,
                    gboolean *taken,
                    GError **error)
{
  gboolean there, usable;
  DpsTpmKey found = { 0 };

  *taken = FALSE;
  if (!look (self,
             DPS_TPM_HANDLE_SRK,
             dps_tpm_is_dps_parent,
             &found,
             &there,
             &usable,
             error))
    return FALSE;
  if (!usable)
    return TRUE;
  if (name != NULL && !tpm_name_equal (name, &found.name))
    {
      dps_tpm_drop_key (self->tpm, &found);
      return TRUE;
    }
  return take_srk (self, &found, taken, error);
}

gboolean
tpm_keys_find_srk (TpmKeys *self, GError **error)
{
  gboolean taken;

  if (self->srk.found)
    return TRUE;
  if (!find_srk_at_handle (self, NULL, &taken, error))
    return FALSE;
  return taken || make_srk (self, error);
}

gboolean
tpm_keys_make_other_ek (TpmKeys *self,
                        TPM2B_PUBLIC *public,
                        TPM2B_NAME *name,
                        GError **error)
{
  const gboolean legacy[] = { !self->settings.legacy_ek, self->settings.legacy_ek };

  name->size = 0;
  for (gsize i = 0; i < G_N_ELEMENTS (legacy) && name->size == 0; i++)
    {
      DpsTpmKey key = { 0 };

      if (!dps_tpm_create_primary (self->tpm,
                                   ESYS_TR_RH_ENDORSEMENT,
                                   dps_tpm_template_ek (legacy[i]),
                                   &key,
                                   error))
        return FALSE;
      if (!tpm_name_equal (&key.name, &self->ek.key.name))
        {
          *public = key.public;
          *name = key.name;
        }
      dps_tpm_drop_key (self->tpm, &key);
    }
  return TRUE;
}

/* Whether the endorsement key with this Name is here, by whichever template. */
static gboolean
has_ek (TpmKeys *self, const TPM2B_NAME *name, gboolean *has, GError **error)
{
  TPM2B_PUBLIC public;
  TPM2B_NAME other;

  if (!find_ek (self, FALSE, error))
    return FALSE;
  *has = tpm_name_equal (&self->ek.key.name, name);
  if (*has)
    return TRUE;
  if (!tpm_keys_make_other_ek (self, &public, &other, error))
    return FALSE;
  *has = tpm_name_equal (&other, name);
  return TRUE;
}

gboolean
tpm_keys_find_parent (TpmKeys *self, const TpmKeyBlob *blob, GError **error)
{
  gboolean taken, same;

  if (self->srk.found && tpm_name_equal (&self->srk.key.name, &blob->srk_name))
    return TRUE;
  forget (self, &self->srk);
  if (!find_srk_at_handle (self, &blob->srk_name, &taken, error))
    return FALSE;
  if (taken)
    return TRUE;
  if (!make_srk (self, error))
    return FALSE;
  if (tpm_name_equal (&self->srk.key.name, &blob->srk_name))
    return TRUE;
  if (!has_ek (self, &blob->ek_name, &same, error))
    return FALSE;
  g_set_error (error,
               DPS_TPM_ERROR,
               same ? DPS_TPM_ERROR_CLEARED : DPS_TPM_ERROR_REPLACED,
               same
                   ? "the storage root key that the stored key is wrapped by is gone: the"
                     " TPM was cleared"
                   : "neither the storage root key nor the endorsement key is the one "
                     "that"
                     " the stored key goes with: this is another TPM");
  return FALSE;
}
