/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tpm-key-blob.h"
#include "tpm-challenge.h"
#include "tpm-reader.h"

#include "tpm/dps-tpm-error.h"

#include <string.h>
#include <tss2/tss2_mu.h>

#define VERSION 1
#define NAME_SIZE (2 + 32) /* SHA-256 and its number */

static void
put_2b (GByteArray *bytes, const BYTE *data, UINT16 size)
{
  const guint8 ahead[] = { (guint8) (size >> 8), (guint8) size };

  g_byte_array_append (bytes, ahead, sizeof ahead);
  g_byte_array_append (bytes, data, size);
}

guint8 *
tpm_key_blob_write (const TpmKeyBlob *self, gsize *size)
{
  GByteArray *bytes = g_byte_array_new ();
  const guint8 head[] = { VERSION, (guint8) self->parent };
  guint8 public[sizeof (TPM2B_PUBLIC)];
  size_t length = 0;

  g_byte_array_append (bytes, head, sizeof head);
  put_2b (bytes, self->srk_name.name, self->srk_name.size);
  put_2b (bytes, self->ek_name.name, self->ek_name.size);
  if (Tss2_MU_TPM2B_PUBLIC_Marshal (&self->public, public, sizeof public, &length) !=
      TSS2_RC_SUCCESS)
    g_assert_not_reached ();
  g_byte_array_append (bytes, public, (guint) length);
  put_2b (bytes, self->private.buffer, self->private.size);
  *size = bytes->len;
  return g_byte_array_free (bytes, FALSE);
}

static gboolean
take_name (TpmReader *reader, TPM2B_NAME *name)
{
  TpmReader content;

  if (!tpm_reader_take_2b (reader, &content) || content.size != NAME_SIZE)
    return FALSE;
  name->size = NAME_SIZE;
  memcpy (name->name, content.data, NAME_SIZE);
  return TRUE;
}

static gboolean
take_public (TpmReader *reader, TPM2B_PUBLIC *public)
{
  const guint8 *begin = reader->data;
  TpmReader content;

  return tpm_reader_take_2b (reader, &content) &&
         tpm_challenge_read_public (begin, 2 + content.size, public) == NULL;
}

static gboolean
take_private (TpmReader *reader, TPM2B_PRIVATE *private)
{
  TpmReader content;

  if (!tpm_reader_take_2b (reader, &content) || content.size == 0 ||
      content.size > sizeof private->buffer)
    return FALSE;
  private->size = (UINT16) content.size;
  memcpy (private->buffer, content.data, content.size);
  return TRUE;
}

/* NULL, or what is wrong. */
static const char *
parse (TpmReader *reader, TpmKeyBlob *self)
{
  guint8 version, parent;

  if (!tpm_reader_take_u8 (reader, &version) || version != VERSION)
    return "is of another version";
  if (!tpm_reader_take_u8 (reader, &parent) || parent < TPM_PARENT_PERSISTENT ||
      parent > TPM_PARENT_RECREATED)
    return "has a parent of no known kind";
  self->parent = (TpmParent) parent;
  if (!take_name (reader, &self->srk_name) || !take_name (reader, &self->ek_name))
    return "names no keys";
  if (!take_public (reader, &self->public))
    return "has no public area of an HMAC key";
  if (!take_private (reader, &self->private))
    return "has no private area";
  return reader->size == 0 ? NULL : "has bytes behind its end";
}

gboolean
tpm_key_blob_parse (const guint8 *data, gsize size, TpmKeyBlob *self, GError **error)
{
  TpmReader reader = { data, size };
  const char *wrong = parse (&reader, self);

  if (wrong == NULL)
    return TRUE;
  g_set_error (error,
               DPS_TPM_ERROR,
               DPS_TPM_ERROR_FAILED,
               "the stored key %s; provision again",
               wrong);
  return FALSE;
}

gboolean
tpm_name_equal (const TPM2B_NAME *a, const TPM2B_NAME *b)
{
  return a->size == b->size && memcmp (a->name, b->name, a->size) == 0;
}
