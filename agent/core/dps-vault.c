/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "core/dps-vault.h"
#include "common/dps-error.h"
#include "common/dps-name.h"
#include "core/dps-plugin-runner.h"
#include "dps/dps-certificate.h"

#include <string.h>

#define MAGIC "vault1"
#define MAGIC_SIZE 6
#define FIELD_HEAD 6
/* A payload of the largest answer, and all else. */
#define VAULT_MAX (96u * 1024u)
/* Of RSA 8192, and some. */
#define PKCS8_MAX (8u * 1024u)

typedef enum
{
  TAG_IMPORTED_KEY = 1,
  TAG_IMPORTED_ID = 2,
  TAG_IMPORTED_ORIGIN = 3,
  TAG_USED_FILE = 4,
  TAG_OVERRULED_FILE = 5,
  TAG_MACHINE = 6,
  TAG_REFUSAL = 7,
  TAG_HUB = 10,
  TAG_DEVICE_ID = 11,
  TAG_REGISTRATION_ID = 12,
  TAG_ATTESTATION = 13,
  TAG_CONFIG_DIGEST = 14,
  TAG_PAYLOAD = 15,
  TAG_SHAPE = 16,
  TAG_KEY = 17,
  TAG_VERIFIED = 18,
  TAG_ASSIGNED_AT = 19,
  TAG_BLOB = 20,
  TAG_CHAIN = 21,
} Tag;

DpsIdentity *
dps_identity_new (void)
{
  DpsIdentity *self = g_new0 (DpsIdentity, 1);

  g_atomic_ref_count_init (&self->refs);
  return self;
}

DpsIdentity *
dps_identity_copy (const DpsIdentity *self)
{
  DpsIdentity *copy = dps_identity_new ();

  copy->hub = g_strdup (self->hub);
  copy->device_id = g_strdup (self->device_id);
  copy->registration_id = g_strdup (self->registration_id);
  copy->attestation = g_strdup (self->attestation);
  copy->config_digest = g_strdup (self->config_digest);
  copy->payload = g_strdup (self->payload);
  copy->shape = self->shape;
  copy->key = self->key ? dps_secret_ref (self->key) : NULL;
  copy->blob = self->blob ? dps_secret_ref (self->blob) : NULL;
  copy->chain = g_strdup (self->chain);
  copy->verified = self->verified;
  copy->assigned_at = self->assigned_at;
  return copy;
}

DpsIdentity *
dps_identity_ref (DpsIdentity *self)
{
  g_atomic_ref_count_inc (&self->refs);
  return self;
}

void
dps_identity_unref (DpsIdentity *self)
{
  if (!g_atomic_ref_count_dec (&self->refs))
    return;
  g_free (self->hub);
  g_free (self->device_id);
  g_free (self->registration_id);
  g_free (self->attestation);
  g_free (self->config_digest);
  g_free (self->payload);
  g_clear_pointer (&self->key, dps_secret_unref);
  g_clear_pointer (&self->blob, dps_secret_unref);
  g_free (self->chain);
  g_free (self);
}

DpsImportedKey *
dps_imported_key_new (DpsSecret *text, const char *registration_id, const char *origin)
{
  DpsImportedKey *self = g_new0 (DpsImportedKey, 1);

  g_atomic_ref_count_init (&self->refs);
  self->text = dps_secret_ref (text);
  self->registration_id = g_strdup (registration_id);
  self->origin = g_strdup (origin);
  return self;
}

DpsImportedKey *
dps_imported_key_ref (DpsImportedKey *self)
{
  g_atomic_ref_count_inc (&self->refs);
  return self;
}

void
dps_imported_key_unref (DpsImportedKey *self)
{
  if (!g_atomic_ref_count_dec (&self->refs))
    return;
  dps_secret_unref (self->text);
  g_free (self->registration_id);
  g_free (self->origin);
  g_free (self);
}

DpsVault *
dps_vault_new (void)
{
  return g_new0 (DpsVault, 1);
}

void
dps_vault_free (DpsVault *self)
{
  g_clear_pointer (&self->imported_key, dps_imported_key_unref);
  g_free (self->used_file);
  g_free (self->overruled_file);
  g_free (self->machine);
  g_clear_pointer (&self->refusal, dps_secret_unref);
  g_clear_pointer (&self->identity, dps_identity_unref);
  g_free (self);
}

DpsVault *
dps_vault_copy (const DpsVault *self)
{
  DpsVault *copy = dps_vault_new ();

  if (self->imported_key != NULL)
    copy->imported_key = dps_imported_key_ref (self->imported_key);
  copy->used_file = g_strdup (self->used_file);
  copy->overruled_file = g_strdup (self->overruled_file);
  copy->machine = g_strdup (self->machine);
  copy->refusal = self->refusal ? dps_secret_ref (self->refusal) : NULL;
  if (self->identity != NULL)
    copy->identity = dps_identity_ref (self->identity);
  return copy;
}

/* Writes fields, or only counts their bytes while out is NULL. */
typedef struct
{
  guint8 *out;
  gsize at;
} Writer;

static void
put (Writer *writer, const void *data, gsize size)
{
  if (writer->out != NULL && size > 0)
    memcpy (writer->out + writer->at, data, size);
  writer->at += size;
}

static void
put_field (Writer *writer, Tag tag, const void *data, gsize size)
{
  guint16 tag_be = GUINT16_TO_BE ((guint16) tag);
  guint32 size_be = GUINT32_TO_BE ((guint32) size);

  if (data == NULL)
    return;
  put (writer, &tag_be, sizeof tag_be);
  put (writer, &size_be, sizeof size_be);
  put (writer, data, size);
}

static void
put_text (Writer *writer, Tag tag, const char *text)
{
  put_field (writer, tag, text, text ? strlen (text) : 0);
}

static void
put_secret (Writer *writer, Tag tag, const DpsSecret *secret)
{
  if (secret != NULL)
    put_field (writer, tag, dps_secret_data (secret), dps_secret_size (secret));
}

static void
put_number (Writer *writer, Tag tag, guint64 number)
{
  guint64 be = GUINT64_TO_BE (number);

  put_field (writer, tag, &be, sizeof be);
}

static void
write_vault (const DpsVault *self, Writer *writer)
{
  const DpsIdentity *identity = self->identity;

  put (writer, MAGIC, MAGIC_SIZE);
  if (self->imported_key != NULL)
    {
      put_secret (writer, TAG_IMPORTED_KEY, self->imported_key->text);
      put_text (writer, TAG_IMPORTED_ID, self->imported_key->registration_id);
      put_text (writer, TAG_IMPORTED_ORIGIN, self->imported_key->origin);
    }
  put_text (writer, TAG_USED_FILE, self->used_file);
  put_text (writer, TAG_OVERRULED_FILE, self->overruled_file);
  put_text (writer, TAG_MACHINE, self->machine);
  put_secret (writer, TAG_REFUSAL, self->refusal);
  if (identity == NULL)
    return;
  put_text (writer, TAG_HUB, identity->hub);
  put_text (writer, TAG_DEVICE_ID, identity->device_id);
  put_text (writer, TAG_REGISTRATION_ID, identity->registration_id);
  put_text (writer, TAG_ATTESTATION, identity->attestation);
  put_text (writer, TAG_CONFIG_DIGEST, identity->config_digest);
  put_text (writer, TAG_PAYLOAD, identity->payload);
  put_number (writer, TAG_SHAPE, identity->shape);
  put_secret (writer, TAG_KEY, identity->key);
  put_number (writer, TAG_VERIFIED, identity->verified);
  put_number (writer, TAG_ASSIGNED_AT, identity->assigned_at);
  put_secret (writer, TAG_BLOB, identity->blob);
  put_text (writer, TAG_CHAIN, identity->chain);
}

DpsSecret *
dps_vault_pack (const DpsVault *self, GError **error)
{
  g_autoptr (DpsSecret) bytes = NULL;
  Writer writer = { NULL, 0 };

  write_vault (self, &writer);
  if (writer.at > VAULT_MAX)
    {
      g_set_error (error,
                   DPS_ERROR,
                   DPS_ERROR_LIMITS_EXCEEDED,
                   "an identity of %" G_GSIZE_FORMAT " bytes does not fit into the store",
                   writer.at);
      return NULL;
    }
  bytes = dps_secret_new_empty (writer.at);
  writer = (Writer){ dps_secret_edit (bytes), 0 };
  write_vault (self, &writer);
  return g_steal_pointer (&bytes);
}

typedef struct
{
  const guint8 *data;
  gsize size;
  gsize at;
  guint last_tag;
} Reader;

typedef struct
{
  Tag tag;
  const guint8 *data;
  gsize size;
} Field;

static gboolean
damaged (const char *what, GError **error)
{
  g_set_error (error, DPS_ERROR, DPS_ERROR_FAILED, "the stored identity has %s", what);
  return FALSE;
}

static gboolean
next_field (Reader *reader, Field *field, GError **error)
{
  guint16 tag;
  guint32 size;

  if (reader->size - reader->at < FIELD_HEAD)
    return damaged ("a cut field", error);
  memcpy (&tag, reader->data + reader->at, sizeof tag);
  memcpy (&size, reader->data + reader->at + sizeof tag, sizeof size);
  reader->at += FIELD_HEAD;
  field->tag = (Tag) GUINT16_FROM_BE (tag);
  field->size = GUINT32_FROM_BE (size);
  if (field->size > reader->size - reader->at)
    return damaged ("a field beyond its end", error);
  if (field->tag <= reader->last_tag)
    return damaged ("fields out of order", error);
  reader->last_tag = field->tag;
  field->data = reader->data + reader->at;
  reader->at += field->size;
  return TRUE;
}

static gboolean
take_text (const Field *field, char **text, GError **error)
{
  if (!g_utf8_validate_len ((const char *) field->data, field->size, NULL))
    return damaged ("a text that is not UTF-8", error);
  *text = g_strndup ((const char *) field->data, field->size);
  return TRUE;
}

static gboolean
take_number (const Field *field, guint64 max, guint64 *number, GError **error)
{
  guint64 be;

  if (field->size != sizeof be)
    return damaged ("a number of the wrong size", error);
  memcpy (&be, field->data, sizeof be);
  *number = GUINT64_FROM_BE (be);
  return *number <= max || damaged ("a number out of range", error);
}

static gboolean
take_imported (DpsVault *self, const Field *field, GError **error)
{
  g_autoptr (DpsSecret) text = NULL;

  if (field->tag == TAG_IMPORTED_KEY)
    {
      text = dps_secret_new (field->data, field->size);
      self->imported_key = dps_imported_key_new (text, NULL, NULL);
      return TRUE;
    }
  if (self->imported_key == NULL)
    return damaged ("the name of a key without the key", error);
  if (field->tag == TAG_IMPORTED_ORIGIN)
    return take_text (field, &self->imported_key->origin, error);
  if (!take_text (field, &self->imported_key->registration_id, error))
    return FALSE;
  return dps_name_check_registration_id (self->imported_key->registration_id, NULL) ||
         damaged ("a registration id that is none", error);
}

/* Whatever signs for it, a chain that cannot be shown is none. */
static gboolean
take_chain (const Field *field, char **chain, GError **error)
{
  g_autoptr (DpsCertificateChain) parsed =
      dps_certificate_chain_new_from_pem ((const char *) field->data, field->size, NULL);

  return parsed != NULL ? take_text (field, chain, error)
                        : damaged ("a certificate chain that is none", error);
}

static gboolean
take_field (DpsVault *self, DpsIdentity *identity, const Field *field, GError **error)
{
  guint64 number = 0;

  switch (field->tag)
    {
    case TAG_IMPORTED_KEY:
    case TAG_IMPORTED_ID:
    case TAG_IMPORTED_ORIGIN:
      return take_imported (self, field, error);
    case TAG_USED_FILE:
      return take_text (field, &self->used_file, error);
    case TAG_OVERRULED_FILE:
      return take_text (field, &self->overruled_file, error);
    case TAG_MACHINE:
      return take_text (field, &self->machine, error);
    case TAG_REFUSAL:
      self->refusal = dps_secret_new (field->data, field->size);
      return TRUE;
    case TAG_HUB:
      return take_text (field, &identity->hub, error);
    case TAG_DEVICE_ID:
      return take_text (field, &identity->device_id, error);
    case TAG_REGISTRATION_ID:
      return take_text (field, &identity->registration_id, error);
    case TAG_ATTESTATION:
      return take_text (field, &identity->attestation, error);
    case TAG_CONFIG_DIGEST:
      return take_text (field, &identity->config_digest, error);
    case TAG_PAYLOAD:
      return take_text (field, &identity->payload, error);
    case TAG_SHAPE:
      if (!take_number (field, DPS_SHAPE_CERTIFICATE, &number, error))
        return FALSE;
      identity->shape = (DpsShape) number;
      return TRUE;
    case TAG_KEY:
      identity->key = dps_secret_new (field->data, field->size);
      return TRUE;
    case TAG_VERIFIED:
      if (!take_number (field, 1, &number, error))
        return FALSE;
      identity->verified = number == 1;
      return TRUE;
    case TAG_ASSIGNED_AT:
      return take_number (field, G_MAXINT64, &identity->assigned_at, error);
    case TAG_BLOB:
      if (field->size < 1 || field->size > DPS_PLUGIN_RUNNER_BLOB_MAX)
        return damaged ("a blob of the wrong size", error);
      identity->blob = dps_secret_new (field->data, field->size);
      return TRUE;
    case TAG_CHAIN:
      return take_chain (field, &identity->chain, error);
    default:
      return damaged ("a field this version does not know", error);
    }
}

/* Exactly what its shape signs with. */
static gboolean
has_its_secret (const DpsIdentity *identity)
{
  gboolean key = identity->key != NULL, blob = identity->blob != NULL;

  switch (identity->shape)
    {
    case DPS_SHAPE_KEY:
      return key && !blob && identity->chain == NULL;
    case DPS_SHAPE_PLUGIN:
      return blob && !key && identity->chain == NULL;
    case DPS_SHAPE_CERTIFICATE:
      return identity->chain != NULL && !(key && blob) &&
             (!key || (dps_secret_size (identity->key) > 0 &&
                       dps_secret_size (identity->key) <= PKCS8_MAX));
    default:
      return FALSE;
    }
}

static gboolean
check_identity (const DpsIdentity *identity, GError **error)
{
  if (identity->hub == NULL || !dps_name_check_host (identity->hub, NULL) ||
      identity->device_id == NULL ||
      !dps_name_check_device_id (identity->device_id, NULL) ||
      identity->registration_id == NULL || identity->attestation == NULL ||
      identity->config_digest == NULL)
    return damaged ("no valid hub, device or registration", error);
  if (!has_its_secret (identity))
    return damaged ("a kind of credential this version does not know", error);
  return TRUE;
}

DpsVault *
dps_vault_unpack (const DpsSecret *bytes, GError **error)
{
  g_autoptr (DpsVault) self = dps_vault_new ();
  g_autoptr (DpsIdentity) identity = dps_identity_new ();
  Reader reader = { dps_secret_data (bytes), dps_secret_size (bytes), MAGIC_SIZE, 0 };
  Field field;

  if (reader.size < MAGIC_SIZE || memcmp (reader.data, MAGIC, MAGIC_SIZE) != 0)
    return damaged ("another form than this version's", error), NULL;
  while (reader.at < reader.size)
    if (!next_field (&reader, &field, error) ||
        !take_field (self, identity, &field, error))
      return NULL;
  if (reader.last_tag >= TAG_HUB)
    {
      if (!check_identity (identity, error))
        return NULL;
      self->identity = g_steal_pointer (&identity);
    }
  return g_steal_pointer (&self);
}
