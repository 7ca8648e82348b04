/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

/* Bytes in a TPM's order, read from the front; nothing is read behind their end. */
typedef struct
{
  const guint8 *data;
  gsize size; /* what is left */
} TpmReader;

/* Each FALSE, with nothing read, where fewer bytes are left. */
gboolean tpm_reader_take_u8 (TpmReader *self, guint8 *value);
gboolean tpm_reader_take_u16 (TpmReader *self, guint16 *value);

/* A size of two bytes and as many bytes (a TPM2B), to *content; it points into the
 * reader's. */
gboolean tpm_reader_take_2b (TpmReader *self, TpmReader *content);
