/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tpm-reader.h"

static void
skip (TpmReader *self, gsize size)
{
  self->data += size;
  self->size -= size;
}

gboolean
tpm_reader_take_u8 (TpmReader *self, guint8 *value)
{
  if (self->size < 1)
    return FALSE;
  *value = self->data[0];
  skip (self, 1);
  return TRUE;
}

gboolean
tpm_reader_take_u16 (TpmReader *self, guint16 *value)
{
  if (self->size < 2)
    return FALSE;
  *value = (guint16) (self->data[0] << 8 | self->data[1]);
  skip (self, 2);
  return TRUE;
}

gboolean
tpm_reader_take_2b (TpmReader *self, TpmReader *content)
{
  TpmReader ahead = *self;
  guint16 size;

  if (!tpm_reader_take_u16 (&ahead, &size) || ahead.size < size)
    return FALSE;
  *content = (TpmReader){ ahead.data, size };
  skip (&ahead, size);
  *self = ahead;
  return TRUE;
}
