/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "core/dps-refusal.h"
#include "common/dps-error.h"

#include <openssl/evp.h>
#include <openssl/rand.h>
#include <string.h>

#define SALT_SIZE 16
#define HASH_SIZE 32
/* One byte says which word it was. */
#define RECORD_SIZE (1 + SALT_SIZE + HASH_SIZE)

/* What the plugin names it by, and what is said from then on. */
static const struct
{
  const char *word, *text;
} words[] = {
  { "pkcs11-pin",
    "the token has refused this PIN before, and it is not tried again; correct the file "
    "that passphrase-file= names" },
  { "x509-passphrase",
    "this password was refused for the private key before, and it is not tried again; "
    "correct the file that passphrase-file= names" },
};

struct _DpsRefusal
{
  gatomicrefcount refs;
  DpsSecret *record; /* word, salt, hash; or NULL */
  void (*changed) (gpointer data);
  gpointer data;
};

DpsRefusal *
dps_refusal_new (void)
{
  DpsRefusal *self = g_new0 (DpsRefusal, 1);

  g_atomic_ref_count_init (&self->refs);
  return self;
}

DpsRefusal *
dps_refusal_ref (DpsRefusal *self)
{
  g_atomic_ref_count_inc (&self->refs);
  return self;
}

void
dps_refusal_unref (DpsRefusal *self)
{
  if (!g_atomic_ref_count_dec (&self->refs))
    return;
  g_clear_pointer (&self->record, dps_secret_unref);
  g_free (self);
}

DpsSecret *
dps_refusal_get (DpsRefusal *self)
{
  return self->record;
}

gboolean
dps_refusal_set (DpsRefusal *self, DpsSecret *stored)
{
  if (stored != NULL && (dps_secret_size (stored) != RECORD_SIZE ||
                         dps_secret_data (stored)[0] >= G_N_ELEMENTS (words)))
    return FALSE;
  if (stored != NULL)
    dps_secret_ref (stored);
  g_clear_pointer (&self->record, dps_secret_unref);
  self->record = stored;
  return TRUE;
}

void
dps_refusal_watch (DpsRefusal *self, void (*changed) (gpointer data), gpointer data)
{
  self->changed = changed;
  self->data = data;
}

/* With its length, so that no two sets of parts give the same bytes. */
static void
add_part (EVP_MD_CTX *context, const void *data, gsize size)
{
  guint64 length = GUINT64_TO_BE ((guint64) size);

  EVP_DigestUpdate (context, &length, sizeof length);
  EVP_DigestUpdate (context, data != NULL ? data : "", size);
}

static void
add_secret (EVP_MD_CTX *context, GHashTable *secrets, const char *name)
{
  DpsSecret *secret = g_hash_table_lookup (secrets, name);
  const guint8 *data = secret != NULL ? dps_secret_data (secret) : NULL;
  gsize size = secret != NULL ? dps_secret_size (secret) : 0;

  /* As the plugin: the line end of the file is no part of it. */
  if (size > 0 && data[size - 1] == '\n')
    size--;
  if (size > 0 && data[size - 1] == '\r')
    size--;
  add_part (context, data, size);
}

static void
hash (const guint8 *salt, GVariant *settings, GHashTable *secrets, guint8 *out)
{
  EVP_MD_CTX *context = EVP_MD_CTX_new ();
  const char *key = "";

  g_variant_lookup (settings, "key", "&s", &key);
  EVP_DigestInit_ex (context, EVP_sha256 (), NULL);
  EVP_DigestUpdate (context, salt, SALT_SIZE);
  add_part (context, key, strlen (key));
  add_secret (context, secrets, "key");
  add_secret (context, secrets, "passphrase");
  EVP_DigestFinal_ex (context, out, NULL);
  EVP_MD_CTX_free (context);
}

static gboolean
may_call (gpointer data, GVariant *settings, GHashTable *secrets, GError **error)
{
  DpsRefusal *self = data;
  const guint8 *record = self->record != NULL ? dps_secret_data (self->record) : NULL;
  guint8 now[HASH_SIZE];

  if (record == NULL)
    return TRUE;
  hash (record + 1, settings, secrets, now);
  if (memcmp (now, record + 1 + SALT_SIZE, HASH_SIZE) != 0)
    return TRUE;
  g_set_error (error,
               DPS_ERROR,
               DPS_ERROR_INVALID_ARGUMENT,
               "[%s] %s",
               words[record[0]].word,
               words[record[0]].text);
  return FALSE;
}

static void
note (DpsRefusal *self, guint8 word, GVariant *settings, GHashTable *secrets)
{
  DpsSecret *made = dps_secret_new_empty (RECORD_SIZE);
  guint8 *record = dps_secret_edit (made);

  record[0] = word;
  RAND_bytes (record + 1, SALT_SIZE);
  hash (record + 1, settings, secrets, record + 1 + SALT_SIZE);
  g_clear_pointer (&self->record, dps_secret_unref);
  self->record = made;
  if (self->changed != NULL)
    self->changed (self->data);
}

/* A call that was not made is no news. Where none is configured, none was refused. */
static void
failed (gpointer data, GVariant *settings, GHashTable *secrets, const GError *error)
{
  if (!g_hash_table_contains (secrets, "passphrase") ||
      !may_call (data, settings, secrets, NULL))
    return;
  for (gsize i = 0; i < G_N_ELEMENTS (words); i++)
    {
      g_autofree char *named = g_strdup_printf ("[%s] ", words[i].word);

      if (strstr (error->message, named) != NULL)
        note (data, (guint8) i, settings, secrets);
    }
}

DpsPluginGuard
dps_refusal_guard (DpsRefusal *self)
{
  return (DpsPluginGuard){ may_call,
                           failed,
                           dps_refusal_ref (self),
                           (GDestroyNotify) dps_refusal_unref };
}
