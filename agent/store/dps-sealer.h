/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "common/dps-secret.h"

#include <glib-object.h>

/* DpsSealer: what ties the store to this machine. It gives the input key material
 * ikm = T || H of design §9: H is host.share, T is sealed by the TPM (seal.v1) and absent
 * at the level "host". The store calls a sealer from one thread at a time, under its
 * lock.
 *
 * Both the numbers, which stand in every generation's header, and their order are for
 * ever: a higher one protects more. */
typedef enum
{
  DPS_PROTECTION_HOST = 1,
  DPS_PROTECTION_TPM2_HOST = 2,
} DpsProtection;

/* A set of levels, one bit for each; bit 0 stands for a level that could not be read. */
#define DPS_PROTECTION_BIT(protection) (1u << (protection))
#define DPS_PROTECTION_BIT_UNKNOWN 1u

/* "host", "tpm2+host"; NULL for a number that is none. Static. */
const char *dps_protection_name (guint32 protection);

#define DPS_TYPE_SEALER (dps_sealer_get_type ())
G_DECLARE_INTERFACE (DpsSealer, dps_sealer, DPS, SEALER, GObject)

struct _DpsSealerInterface
{
  GTypeInterface parent_iface;

  DpsProtection (*get_protection) (DpsSealer *self);
  gboolean (*seal) (DpsSealer *self, int dir_fd, guint32 held, GError **error);
  DpsSecret *(*unseal) (DpsSealer *self, int dir_fd, guint32 protection, GError **error);
  gboolean (*forget) (DpsSealer *self, int dir_fd, GError **error);
};

/* The level new generations are sealed at. */
DpsProtection dps_sealer_get_protection (DpsSealer *self);

/* Sees to it, before a commit, that what new generations are sealed with exists, durably,
 * in the state directory: makes host.share, or draws T and seals it. held is the set of
 * levels of the generations there are; whatever one of them needs is never made anew, its
 * absence is DPS_ERROR_FAILED that says what is lost and what to do. */
gboolean dps_sealer_seal (DpsSealer *self, int dir_fd, guint32 held, GError **error);

/* The ikm of generations sealed at protection, the caller's. A sealer opens those of its
 * own and of lower levels, so that a store can rise; a higher or unknown one is
 * DPS_ERROR_NOT_SUPPORTED, since going on below it would be a silent downgrade. What is
 * wrong with a TPM is DPS_TPM_ERROR, here and in dps_sealer_seal(). Any error is about
 * sealer and machine, never about a generation: the store then moves nothing. */
DpsSecret *dps_sealer_unseal (DpsSealer *self,
                              int dir_fd,
                              guint32 protection,
                              GError **error);

/* Removes the sealer's files, of all levels; absent ones are fine. The caller has removed
 * the generations before, and syncs the directory after. */
gboolean dps_sealer_forget (DpsSealer *self, int dir_fd, GError **error);
