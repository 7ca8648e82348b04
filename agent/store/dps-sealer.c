/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "store/dps-sealer.h"

G_DEFINE_INTERFACE (DpsSealer, dps_sealer, G_TYPE_OBJECT)

static void
dps_sealer_default_init (DpsSealerInterface *iface)
{
}

const char *
dps_protection_name (guint32 protection)
{
  switch (protection)
    {
    case DPS_PROTECTION_HOST:
      return "host";
    case DPS_PROTECTION_TPM2_HOST:
      return "tpm2+host";
    default:
      return NULL;
    }
}

DpsProtection
dps_sealer_get_protection (DpsSealer *self)
{
  return DPS_SEALER_GET_IFACE (self)->get_protection (self);
}

gboolean
dps_sealer_seal (DpsSealer *self, int dir_fd, guint32 held, GError **error)
{
  return DPS_SEALER_GET_IFACE (self)->seal (self, dir_fd, held, error);
}

DpsSecret *
dps_sealer_unseal (DpsSealer *self, int dir_fd, guint32 protection, GError **error)
{
  return DPS_SEALER_GET_IFACE (self)->unseal (self, dir_fd, protection, error);
}

gboolean
dps_sealer_forget (DpsSealer *self, int dir_fd, GError **error)
{
  return DPS_SEALER_GET_IFACE (self)->forget (self, dir_fd, error);
}
