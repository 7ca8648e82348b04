/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "x509-key.h"
#include "x509-mechanism.h"
#include "x509-openssl.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <string.h>

#define WHERE "the file that key= in [plugin x509] names"

/* What a file has: one private key in DER, and how it is locked. */
typedef struct
{
  char *name;   /* of the PEM block; NULL = the file is DER */
  char *header; /* of the PEM block */
  guint8 *der;
  long size;
} Block;

static void
block_clear (Block *self)
{
  OPENSSL_free (self->name);
  OPENSSL_free (self->header);
  OPENSSL_clear_free (self->der, (size_t) self->size);
  *self = (Block){ NULL };
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Block, block_clear)

static gboolean
fail (X509Error *error, const char *text)
{
  return x509_error_set (error,
                         DPS_PLUGIN_INVALID_ARGUMENT,
                         X509_CAUSE_KEY,
                         WHERE " %s",
                         text);
}

static gboolean
fail_passphrase (X509Error *error, gboolean configured)
{
  return x509_error_set (error,
                         configured ? DPS_PLUGIN_INVALID_ARGUMENT
                                    : DPS_PLUGIN_NOT_CONFIGURED,
                         X509_CAUSE_PASSPHRASE,
                         configured
                             ? "the passphrase that passphrase-file= in [plugin x509] "
                               "names does not open " WHERE
                             : WHERE " is encrypted; put its passphrase into a file and "
                                     "set passphrase-file= in [plugin x509]");
}

/* The first private key: 'openssl ecparam -genkey' puts parameters ahead of it. */
static gboolean
read_pem (const DpsPluginView *file, Block *out, X509Error *error)
{
  g_autoptr (BIO) bio = BIO_new_mem_buf (file->data, (int) file->size);
  g_auto (Block) block = { NULL };

  while (PEM_read_bio_ex (bio,
                          &block.name,
                          &block.header,
                          &block.der,
                          &block.size,
                          PEM_FLAG_SECURE | PEM_FLAG_EAY_COMPATIBLE))
    {
      if (g_str_has_suffix (block.name, "PRIVATE KEY"))
        {
          *out = block;
          block = (Block){ NULL };
          return TRUE;
        }
      block_clear (&block);
    }
  return fail (error,
               "has no whole PEM block with a private key; make it name the key of the "
               "certificate");
}

static gboolean
is_pem (const DpsPluginView *file)
{
  return memmem (file->data, file->size, "-----BEGIN ", 11) != NULL;
}

static gboolean
read_block (const DpsPluginView *file, Block *out, X509Error *error)
{
  if (is_pem (file))
    return read_pem (file, out, error);
  out->der = OPENSSL_memdup (file->data, file->size);
  out->size = (long) file->size;
  return out->der != NULL || fail (error, "is empty; put the private key in it");
}

static int
on_passphrase (char *out, int size, int writing, void *data)
{
  const DpsPluginView *passphrase = data;

  if (passphrase->size > (gsize) size)
    return -1;
  memcpy (out, passphrase->data, passphrase->size);
  return (int) passphrase->size;
}

/* Proc-Type and DEK-Info, as older tools lock PKCS#1 and SEC1. */
static gboolean
unlock_header (Block *block, const DpsPluginView *passphrase, X509Error *error)
{
  EVP_CIPHER_INFO cipher;

  if (!PEM_get_EVP_CIPHER_INFO (block->header, &cipher))
    return fail (error,
                 "is encrypted in a way that is not supported; convert it with 'openssl "
                 "pkcs8 -topk8'");
  if (passphrase == NULL)
    return fail_passphrase (error, FALSE);
  return PEM_do_header (&cipher,
                        block->der,
                        &block->size,
                        on_passphrase,
                        (void *) passphrase) ||
         fail_passphrase (error, TRUE);
}

/* A wrong passphrase gives a wrong padding, and once in 256 times no DER. */
static gboolean
is_wrong_passphrase (void)
{
  unsigned long code = ERR_peek_last_error ();

  return ERR_GET_LIB (code) == ERR_LIB_PKCS12 &&
         (ERR_GET_REASON (code) == PKCS12_R_PKCS12_CIPHERFINAL_ERROR ||
          ERR_GET_REASON (code) == PKCS12_R_DECODE_ERROR);
}

static EVP_PKEY *
unlock_pkcs8 (X509_SIG *locked, const DpsPluginView *passphrase, X509Error *error)
{
  g_autoptr (PKCS8_PRIV_KEY_INFO) info = NULL;
  EVP_PKEY *key;

  if (passphrase == NULL)
    return fail_passphrase (error, FALSE), NULL;
  info = PKCS8_decrypt (locked, (const char *) passphrase->data, (int) passphrase->size);
  if (info == NULL && is_wrong_passphrase ())
    return fail_passphrase (error, TRUE), NULL;
  if (info == NULL)
    return fail (error,
                 "is encrypted in a way that is not supported; convert it with 'openssl "
                 "pkcs8 -topk8 -v2 aes-256-cbc'"),
           NULL;
  key = EVP_PKCS82PKEY (info);
  if (key == NULL)
    fail (error, "has no private key of a kind that is known");
  return key;
}

static EVP_PKEY *
parse_plain (const Block *block, gboolean was_locked, X509Error *error)
{
  const guint8 *p = block->der;
  g_autoptr (EVP_PKEY) key = d2i_AutoPrivateKey (NULL, &p, block->size);

  if (key != NULL && p == block->der + block->size)
    return g_steal_pointer (&key);
  if (was_locked)
    fail_passphrase (error, TRUE);
  else
    fail (error, "is no private key in PKCS#8, PKCS#1 or SEC1, or is damaged");
  return NULL;
}

static EVP_PKEY *
parse (Block *block, const DpsPluginView *passphrase, X509Error *error)
{
  const guint8 *p = block->der;
  gboolean has_header = block->header != NULL && *block->header != '\0';
  g_autoptr (X509_SIG) locked = NULL;

  if (has_header && !unlock_header (block, passphrase, error))
    return NULL;
  if (block->name == NULL || strcmp (block->name, PEM_STRING_PKCS8) == 0)
    locked = d2i_X509_SIG (NULL, &p, block->size);
  if (locked != NULL && p == block->der + block->size)
    return unlock_pkcs8 (locked, passphrase, error);
  return parse_plain (block, has_header, error);
}

static void
file_key_free (X509Key *self)
{
  EVP_PKEY_free (self->public);
  g_free (self);
}

static GBytes *
file_key_sign (X509Key *self,
               const char *mechanism,
               const guint8 *digest,
               gsize size,
               X509Error *error)
{
  return x509_mechanism_sign (self->public, mechanism, digest, size, error);
}

X509Key *
x509_key_open_file (const DpsHost *host,
                    const DpsPluginView *pem_or_der,
                    const DpsPluginView *passphrase,
                    X509Error *error)
{
  g_auto (Block) block = { NULL };
  g_autoptr (EVP_PKEY) pkey = NULL;
  X509Key *self;

  if (!read_block (pem_or_der, &block, error))
    return NULL;
  pkey = parse (&block, passphrase, error);
  if (pkey == NULL || !x509_mechanism_check_key (pkey, WHERE, error))
    return NULL;
  ERR_clear_error ();
  self = g_new0 (X509Key, 1);
  self->free = file_key_free;
  self->sign = file_key_sign;
  self->public = g_steal_pointer (&pkey);
  return self;
}
