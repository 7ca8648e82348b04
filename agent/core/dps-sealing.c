/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "core/dps-sealing.h"
#include "common/dps-error.h"
#include "common/dps-log.h"
#include "core/dps-tpm-setup.h"
#include "store/dps-host-sealer.h"
#include "store/dps-tpm-sealer.h"
#include "tpm/dps-tpm-error.h"

#include <string.h>

struct _DpsSealing
{
  DpsSealerMaker make;
  char *tcti;
  DpsSecret *owner_auth, *srk_auth; /* each may be NULL */
  DpsSealer *tpm;
  DpsSealer *host;
  gboolean required;
  gboolean may_start_over;
  char *told; /* why there is no TPM, as the journal has it */
};

DpsSealing *
dps_sealing_new (DpsSealerMaker make)
{
  DpsSealing *self = g_new0 (DpsSealing, 1);

  self->make = make;
  self->host = dps_host_sealer_new ();
  return self;
}

void
dps_sealing_free (DpsSealing *self)
{
  g_free (self->tcti);
  g_clear_pointer (&self->owner_auth, dps_secret_unref);
  g_clear_pointer (&self->srk_auth, dps_secret_unref);
  g_clear_object (&self->tpm);
  g_clear_object (&self->host);
  g_free (self->told);
  g_free (self);
}

static DpsSecret *
read_auth (DpsConfig *config, DpsConfigId id)
{
  return config != NULL ? dps_tpm_setup_read_auth (config, id) : NULL;
}

static gboolean
same (const DpsSecret *a, const DpsSecret *b)
{
  return a == b || (a != NULL && b != NULL && dps_secret_equal (a, b));
}

static void
replace (DpsSecret **place, DpsSecret *secret)
{
  g_clear_pointer (place, dps_secret_unref);
  *place = secret ? dps_secret_ref (secret) : NULL;
}

static gboolean
is (DpsConfig *config, DpsConfigId id, const char *value)
{
  return config != NULL && g_strcmp0 (dps_config_get_string (config, id), value) == 0;
}

void
dps_sealing_follow (DpsSealing *self, DpsConfig *config)
{
  g_autoptr (DpsSecret) owner = read_auth (config, DPS_CONFIG_TPM_OWNER_AUTH_FILE);
  g_autoptr (DpsSecret) srk = read_auth (config, DPS_CONFIG_TPM_SRK_AUTH_FILE);
  const char *tcti = dps_config_get_tcti (config);

  self->required = is (config, DPS_CONFIG_REQUIRED_PROTECTION, "tpm2");
  self->may_start_over = is (config, DPS_CONFIG_ATTESTATION, "tpm");
  if (self->tpm != NULL && strcmp (self->tcti, tcti) == 0 &&
      same (self->owner_auth, owner) && same (self->srk_auth, srk))
    return;
  g_free (self->tcti);
  self->tcti = g_strdup (tcti);
  replace (&self->owner_auth, owner);
  replace (&self->srk_auth, srk);
  g_clear_object (&self->tpm);
  self->tpm = self->make (tcti, owner, srk);
}

void
dps_sealing_doubt (DpsSealing *self)
{
  g_clear_object (&self->tpm);
}

DpsSealer *
dps_sealing_get_tpm (DpsSealing *self)
{
  return self->tpm;
}

gboolean
dps_sealing_may_start_over (DpsSealing *self)
{
  return self->may_start_over;
}

/* Once for each reason. That there is none at all is how many hosts are. */
static void
tell (DpsSealing *self, const GError *why)
{
  if (g_strcmp0 (self->told, why->message) == 0)
    return;
  g_free (self->told);
  self->told = g_strdup (why->message);
  if (g_error_matches (why, DPS_TPM_ERROR, DPS_TPM_ERROR_NO_DEVICE))
    dps_info ((TOPIC ("store")), "no TPM seals the store: %s", why->message);
  else
    dps_warning ((TOPIC ("store")),
                 "no TPM seals the store, file permissions alone protect it: %s",
                 why->message);
}

/* So that nothing is written where it is plain that there is no TPM. */
static gboolean
is_there (DpsSealing *self, GError **error)
{
  return !DPS_IS_TPM_SEALER (self->tpm) ||
         dps_tpm_sealer_is_there (DPS_TPM_SEALER (self->tpm), error);
}

gboolean
dps_sealing_choose (DpsSealing *self, DpsStore *store, GError **error)
{
  g_autoptr (GError) local = NULL;
  gboolean sealed = (dps_store_peek_levels (store) &
                     DPS_PROTECTION_BIT (DPS_PROTECTION_TPM2_HOST)) != 0;

  dps_store_set_sealer (store, self->tpm);
  /* What it has unsealed is at hand without it. */
  if ((sealed || is_there (self, &local)) && dps_store_prepare (store, &local))
    {
      g_clear_pointer (&self->told, g_free);
      return TRUE;
    }
  if (local->domain != DPS_TPM_ERROR || self->required || sealed)
    {
      g_propagate_error (error, g_steal_pointer (&local));
      return FALSE;
    }
  tell (self, local);
  dps_store_set_sealer (store, self->host);
  return TRUE;
}
