/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "common/dps-secret.h"

/* DpsVault: what one generation of the store holds, and its form in bytes. The store
 * itself sees only the bytes.
 *
 * Form: the six bytes "vault1", then fields in ascending order of tag, each of u16 tag,
 * u32 length and the bytes (big-endian). Texts are UTF-8 without NUL. A tag that this
 * version does not know, given twice or out of order, or a length beyond the end, is
 * refused. */

/* How the device signs toward its hub (design §6, "Who signs"). */
typedef enum
{
  DPS_SHAPE_KEY = 1,        /* symmetric bytes; the agent signs */
  DPS_SHAPE_PLUGIN = 2,     /* an opaque blob; a plugin child signs */
  DPS_SHAPE_CERTIFICATE = 3 /* a chain, and a key or who has it */
} DpsShape;

typedef struct
{
  gatomicrefcount refs;
  char *hub;             /* assigned hub, host name */
  char *device_id;       /* device id there */
  char *registration_id; /* what it was registered as */
  char *attestation;     /* the plugin */
  char *config_digest;   /* of the configuration it was made with */
  char *payload;         /* JSON text of the custom allocation, or NULL */
  DpsShape shape;
  DpsSecret *key;      /* shape key: the bytes; certificate: PKCS#8 DER, where the agent
                          made the key; else NULL */
  DpsSecret *blob;     /* shape plugin: what its answer returned; certificate: the key
                          that the agent made in the TPM; else NULL. A certificate with
                          neither is the plugin's to sign for, in the slot "hub" */
  char *chain;         /* shape certificate: PEM, leaf first; else NULL */
  gboolean verified;   /* the hub accepted it */
  guint64 assigned_at; /* µs since the epoch */
} DpsIdentity;

DpsIdentity *dps_identity_new (void);
/* Shares the secrets of self, which are never changed in place. */
DpsIdentity *dps_identity_copy (const DpsIdentity *self);
DpsIdentity *dps_identity_ref (DpsIdentity *self);
void dps_identity_unref (DpsIdentity *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (DpsIdentity, dps_identity_unref)

/* A device key that was put into the store, or derived from a group key. Immutable. */
typedef struct
{
  gatomicrefcount refs;
  DpsSecret *text;       /* base64 text */
  char *registration_id; /* what it was derived for, lower case; NULL = not derived */
  char *origin;          /* where the agent found the group key (dps-group-file.h), NULL
                            where the key was handed to it */
} DpsImportedKey;

/* Copies the names, references text. */
DpsImportedKey *dps_imported_key_new (DpsSecret *text,
                                      const char *registration_id,
                                      const char *origin);
DpsImportedKey *dps_imported_key_ref (DpsImportedKey *self);
void dps_imported_key_unref (DpsImportedKey *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (DpsImportedKey, dps_imported_key_unref)

typedef struct
{
  DpsImportedKey *imported_key; /* or NULL */
  char *used_file;       /* origin of the group-key file that was used last, or NULL; a
                            later key does not make it a new one */
  char *overruled_file;  /* of the one that lay there when a key was imported, or NULL */
  DpsSecret *refusal;    /* what a token has refused (dps-refusal.h), or NULL */
  char *machine;         /* the machine that stored it (dps-machine.h), or NULL */
  DpsIdentity *identity; /* or NULL */
} DpsVault;

DpsVault *dps_vault_new (void);
void dps_vault_free (DpsVault *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (DpsVault, dps_vault_free)

/* Shares the parts of self, which are never changed in place. */
DpsVault *dps_vault_copy (const DpsVault *self);

/* The bytes for the store; NULL and DPS_ERROR_LIMITS_EXCEEDED where they are too many. */
DpsSecret *dps_vault_pack (const DpsVault *self, GError **error);

/* DPS_ERROR_FAILED where bytes are not a vault. */
DpsVault *dps_vault_unpack (const DpsSecret *bytes, GError **error);
