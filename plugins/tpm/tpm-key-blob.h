/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <tss2/tss2_tpm2_types.h>

/* An identity as the agent stores it: an HMAC key that only one storage root key of one
 * TPM unwraps, with the Names of that key and of the endorsement key, by which a cleared
 * TPM and another TPM are told apart later. Nothing in it is a secret. Pure.
 *
 * The bytes: version (1), parent, Name of the parent, Name of the endorsement key, public
 * area, wrapped private area; each of the last four with its size in two bytes ahead. */

/* Where the parent was found; the numbers stand in the blob. */
typedef enum
{
  TPM_PARENT_PERSISTENT = 1, /* at 0x81000001, used there */
  TPM_PARENT_TEMPLATE = 2,   /* made from TCG's RSA template */
  TPM_PARENT_RECREATED = 3,  /* that of 0x81000001, made again from its public area */
} TpmParent;

typedef struct
{
  TpmParent parent;
  TPM2B_NAME srk_name;
  TPM2B_NAME ek_name;
  TPM2B_PUBLIC public;
  TPM2B_PRIVATE private;
} TpmKeyBlob;

/* g_malloc()ed, the caller's. */
guint8 *tpm_key_blob_write (const TpmKeyBlob *self, gsize *size);

/* To the last byte. DPS_TPM_ERROR_FAILED says what is wrong; *self is then undefined. */
gboolean tpm_key_blob_parse (const guint8 *data,
                             gsize size,
                             TpmKeyBlob *self,
                             GError **error);

gboolean tpm_name_equal (const TPM2B_NAME *a, const TPM2B_NAME *b);
