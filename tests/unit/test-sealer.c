/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "test-sealer.h"

#include "common/dps-error.h"
#include "store/dps-durable.h"
#include "store/dps-host-share.h"
#include "store/dps-seal-file.h"
#include "tpm/dps-tpm-error.h"

#include <gio/gio.h>
#include <string.h>

static void test_sealer_iface_init (DpsSealerInterface *iface);

G_DEFINE_FINAL_TYPE_WITH_CODE (TestSealer,
                               test_sealer,
                               G_TYPE_OBJECT,
                               G_IMPLEMENT_INTERFACE (DPS_TYPE_SEALER,
                                                      test_sealer_iface_init))

static DpsProtection
test_sealer_get_protection (DpsSealer *sealer)
{
  return DPS_PROTECTION_TPM2_HOST;
}

/* FALSE, with an error, while the TPM does not do what it should. */
static gboolean
use_tpm (DpsSealer *sealer, GError **error)
{
  TestSealer *self = TEST_SEALER (sealer);

  if (self->tpm_fails_with < 0)
    return TRUE;
  g_set_error (error, DPS_TPM_ERROR, self->tpm_fails_with, "what the TPM says");
  return FALSE;
}

static gboolean
test_sealer_seal (DpsSealer *sealer, int dir_fd, guint32 held, GError **error)
{
  g_autoptr (GError) local = NULL;
  guint8 t[32];

  memset (t, 't', sizeof t);
  if (!use_tpm (sealer, error))
    return FALSE;
  if (!dps_host_share_ensure (dir_fd, held != 0, error))
    return FALSE;
  if (held & (DPS_PROTECTION_BIT (DPS_PROTECTION_TPM2_HOST) | DPS_PROTECTION_BIT_UNKNOWN))
    return TRUE;
  if (dps_durable_create (dir_fd, DPS_SEAL_NAME, t, sizeof t, &local) ||
      g_error_matches (local, G_IO_ERROR, G_IO_ERROR_EXISTS))
    return TRUE;
  g_propagate_error (error, g_steal_pointer (&local));
  return FALSE;
}

static DpsSecret *
test_sealer_unseal (DpsSealer *sealer, int dir_fd, guint32 protection, GError **error)
{
  TestSealer *self = TEST_SEALER (sealer);
  g_autoptr (DpsSecret) share = NULL;
  DpsSecret *ikm;

  if (self->gate != NULL)
    g_async_queue_pop (self->gate);
  if (self->fails_with >= 0)
    {
      g_set_error (error, self->fails_in, self->fails_with, "the TPM went away");
      return NULL;
    }
  self->calls++;
  if (self->planted != NULL && self->calls == 1)
    dps_durable_create (dir_fd, self->planted, "foreign", 7, NULL);
  share = dps_host_share_load (dir_fd, error);
  if (share == NULL || protection == DPS_PROTECTION_HOST)
    return g_steal_pointer (&share);
  if (!use_tpm (sealer, error))
    return NULL;
  ikm = dps_secret_new_empty (64);
  memset (dps_secret_edit (ikm), self->calls == self->garbled_call ? 'g' : 't', 32);
  memcpy (dps_secret_edit (ikm) + 32, dps_secret_data (share), 32);
  return ikm;
}

static gboolean
test_sealer_forget (DpsSealer *sealer, int dir_fd, GError **error)
{
  return dps_durable_remove (dir_fd, DPS_HOST_SHARE_NAME, error) &&
         dps_durable_remove (dir_fd, DPS_SEAL_NAME, error);
}

static void
test_sealer_iface_init (DpsSealerInterface *iface)
{
  iface->get_protection = test_sealer_get_protection;
  iface->seal = test_sealer_seal;
  iface->unseal = test_sealer_unseal;
  iface->forget = test_sealer_forget;
}

static void
test_sealer_class_init (TestSealerClass *class)
{
}

static void
test_sealer_init (TestSealer *self)
{
  self->fails_with = -1;
  self->tpm_fails_with = -1;
  self->fails_in = DPS_ERROR;
}

DpsSealer *
test_sealer_new (void)
{
  return g_object_new (TEST_TYPE_SEALER, NULL);
}
