/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "store/dps-host-sealer.h"

#include "common/dps-error.h"
#include "store/dps-durable.h"
#include "store/dps-host-share.h"
#include "store/dps-seal-file.h"

struct _DpsHostSealer
{
  GObject parent_instance;
};

static void dps_host_sealer_iface_init (DpsSealerInterface *iface);

G_DEFINE_FINAL_TYPE_WITH_CODE (DpsHostSealer,
                               dps_host_sealer,
                               G_TYPE_OBJECT,
                               G_IMPLEMENT_INTERFACE (DPS_TYPE_SEALER,
                                                      dps_host_sealer_iface_init))

static DpsProtection
host_get_protection (DpsSealer *sealer)
{
  return DPS_PROTECTION_HOST;
}

static gboolean
host_seal (DpsSealer *sealer, int dir_fd, guint32 held, GError **error)
{
  return dps_host_share_ensure (dir_fd, held != 0, error);
}

static DpsSecret *
host_unseal (DpsSealer *sealer, int dir_fd, guint32 protection, GError **error)
{
  const char *name = dps_protection_name (protection);

  if (protection != DPS_PROTECTION_HOST)
    {
      g_set_error (
          error,
          DPS_ERROR,
          DPS_ERROR_NOT_SUPPORTED,
          "the stored identity is protected at level '%s' (%u), which needs what "
          "is not available now; make the TPM usable again, or give the identity "
          "up with 'dpsctl reset --yes' and provision again",
          name != NULL ? name : "unknown",
          protection);
      return NULL;
    }
  return dps_host_share_load (dir_fd, error);
}

static gboolean
host_forget (DpsSealer *sealer, int dir_fd, GError **error)
{
  /* The seal of a TPM is worth nothing without the share, so it goes along. */
  return dps_durable_remove (dir_fd, DPS_HOST_SHARE_NAME, error) &&
         dps_durable_remove (dir_fd, DPS_SEAL_NAME, error);
}

static void
dps_host_sealer_iface_init (DpsSealerInterface *iface)
{
  iface->get_protection = host_get_protection;
  iface->seal = host_seal;
  iface->unseal = host_unseal;
  iface->forget = host_forget;
}

static void
dps_host_sealer_class_init (DpsHostSealerClass *class)
{
}

static void
dps_host_sealer_init (DpsHostSealer *self)
{
}

DpsSealer *
dps_host_sealer_new (void)
{
  return g_object_new (DPS_TYPE_HOST_SEALER, NULL);
}
