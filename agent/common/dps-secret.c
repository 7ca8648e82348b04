/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "common/dps-secret.h"
#include "common/dps-error.h"
#include "common/dps-io.h"
#include "common/dps-memfd.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>

/* Room for a store payload, a share, a few keys and their working copies. */
#define SECURE_HEAP_SIZE (1024 * 1024)
#define SECURE_HEAP_MIN 32

struct _DpsSecret
{
  gatomicrefcount refs;
  gsize size;
  guint8 *data;
};

gboolean
dps_secret_init (void)
{
  if (CRYPTO_secure_malloc_initialized ())
    return TRUE;
  return CRYPTO_secure_malloc_init (SECURE_HEAP_SIZE, SECURE_HEAP_MIN) == 1;
}

DpsSecret *
dps_secret_new_empty (gsize size)
{
  DpsSecret *self;

  g_return_val_if_fail (size <= DPS_SECRET_MAX, NULL);

  self = g_new0 (DpsSecret, 1);
  g_atomic_ref_count_init (&self->refs);
  self->size = size;
  /* Falls back to the ordinary heap when the secure one is full or was never set up; the
   * wiping at the end is the same. */
  self->data = OPENSSL_secure_zalloc (MAX (size, 1));
  if (self->data == NULL)
    self->data = OPENSSL_zalloc (MAX (size, 1));
  if (self->data == NULL)
    g_error ("out of memory for a secret of %" G_GSIZE_FORMAT " bytes", size);
  return self;
}

DpsSecret *
dps_secret_new (const void *data, gsize size)
{
  DpsSecret *self = dps_secret_new_empty (size);

  if (size > 0)
    memcpy (self->data, data, size);
  return self;
}

static gsize
strip_space (const char **text, gsize length)
{
  while (length > 0 && g_ascii_isspace ((*text)[0]))
    {
      (*text)++;
      length--;
    }
  while (length > 0 && g_ascii_isspace ((*text)[length - 1]))
    length--;
  return length;
}

static gboolean
is_base64 (const char *text, gsize length)
{
  gsize pad = 0;

  if (length == 0 || length % 4 != 0)
    return FALSE;
  while (pad < 2 && text[length - 1 - pad] == '=')
    pad++;
  for (gsize i = 0; i < length - pad; i++)
    if (!g_ascii_isalnum (text[i]) && text[i] != '+' && text[i] != '/')
      return FALSE;
  return TRUE;
}

DpsSecret *
dps_secret_new_from_base64 (const char *text,
                            gsize length,
                            gsize min,
                            gsize max,
                            GError **error)
{
  g_autoptr (DpsSecret) decoded = NULL;
  gsize size;

  length = strip_space (&text, length);
  if (length > DPS_SECRET_MAX || !is_base64 (text, length))
    {
      g_set_error (error,
                   DPS_ERROR,
                   DPS_ERROR_INVALID_ARGUMENT,
                   "not base64 (RFC 4648, standard alphabet, padded, one line)");
      return NULL;
    }

  size = length / 4 * 3;
  decoded = dps_secret_new_empty (size);
  if (EVP_DecodeBlock (decoded->data, (const guint8 *) text, (int) length) < 0)
    {
      g_set_error (error, DPS_ERROR, DPS_ERROR_INVALID_ARGUMENT, "not base64");
      return NULL;
    }
  for (gsize i = 1; i <= 2 && text[length - i] == '='; i++)
    size--;
  if (size < min || size > max)
    {
      g_set_error (error,
                   DPS_ERROR,
                   DPS_ERROR_INVALID_ARGUMENT,
                   "decodes to %" G_GSIZE_FORMAT " bytes, where %" G_GSIZE_FORMAT
                   " to %" G_GSIZE_FORMAT " are allowed",
                   size,
                   min,
                   max);
      return NULL;
    }
  return dps_secret_new (decoded->data, size);
}

DpsSecret *
dps_secret_to_base64 (const DpsSecret *self)
{
  gsize length = (self->size + 2) / 3 * 4;
  /* OpenSSL ends what it writes with a NUL. */
  g_autoptr (DpsSecret) text = dps_secret_new_empty (length + 1);

  EVP_EncodeBlock (text->data, self->data, (int) self->size);
  return dps_secret_new (text->data, length);
}

DpsSecret *
dps_secret_ref (DpsSecret *self)
{
  g_atomic_ref_count_inc (&self->refs);
  return self;
}

void
dps_secret_unref (DpsSecret *self)
{
  if (!g_atomic_ref_count_dec (&self->refs))
    return;
  /* Cleans wherever the block came from. */
  OPENSSL_secure_clear_free (self->data, MAX (self->size, 1));
  g_free (self);
}

const guint8 *
dps_secret_data (const DpsSecret *self)
{
  return self->data;
}

guint8 *
dps_secret_edit (DpsSecret *self)
{
  return self->data;
}

gsize
dps_secret_size (const DpsSecret *self)
{
  return self->size;
}

gboolean
dps_secret_equal (const DpsSecret *a, const DpsSecret *b)
{
  return a->size == b->size && CRYPTO_memcmp (a->data, b->data, a->size) == 0;
}

int
dps_secret_to_memfd (const DpsSecret *self, GError **error)
{
  return dps_memfd_new ("dps-secret", self->data, self->size, error);
}

DpsSecret *
dps_secret_read_fd (int fd, gsize max, GError **error)
{
  g_autoptr (DpsSecret) buffer = NULL;
  struct stat st;
  gsize size = 0;

  g_return_val_if_fail (max < DPS_SECRET_MAX, NULL);

  if (fstat (fd, &st) < 0)
    return dps_set_errno (error, errno, "examining the descriptor"), NULL;
  if (S_ISREG (st.st_mode) && lseek (fd, 0, SEEK_SET) < 0)
    return dps_set_errno (error, errno, "rewinding the descriptor"), NULL;

  /* One byte more than allowed tells a full buffer from one that overflows. */
  buffer = dps_secret_new_empty (max + 1);
  if (!dps_read_all (fd, buffer->data, max + 1, &size, error))
    return NULL;
  if (size > max)
    {
      g_set_error (error,
                   DPS_ERROR,
                   DPS_ERROR_LIMITS_EXCEEDED,
                   "holds more than the %" G_GSIZE_FORMAT " bytes allowed",
                   max);
      return NULL;
    }
  return dps_secret_new (buffer->data, size);
}
