/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "core/dps-plugin-reply.h"
#include "common/dps-error.h"
#include "common/dps-io.h"
#include "common/dps-memfd.h"
#include "common/dps-name.h"

#include <string.h>

#define TEXT_MAX 1024
#define MATERIAL_ITEMS_MAX 16
#define MATERIAL_KEY_MAX 64
#define MATERIAL_VALUE_MAX (16 * 1024)
#define ENROLLMENT_MAX (16 * 1024)
#define KEY_MIN 16
#define KEY_MAX 64
#define SIGNATURE_MAX 1024

void
dps_plugin_probe_free (DpsPluginProbe *self)
{
  g_free (self->reason);
  g_free (self);
}

void
dps_plugin_description_free (DpsPluginDescription *self)
{
  g_free (self->registration_id);
  g_free (self->kind);
  g_clear_pointer (&self->material, g_hash_table_unref);
  g_free (self->enrollment);
  g_clear_pointer (&self->key, dps_secret_unref);
  g_free (self);
}

static gboolean
rejected (GError **error, const char *what)
{
  g_set_error (error, DPS_ERROR, DPS_ERROR_REJECTED, "%s", what);
  return FALSE;
}

static gboolean
too_large (GError **error, const char *what, gsize size, gsize max)
{
  g_set_error (error,
               DPS_ERROR,
               DPS_ERROR_LIMITS_EXCEEDED,
               "%s of %" G_GSIZE_FORMAT " bytes, at most %" G_GSIZE_FORMAT " are allowed",
               what,
               size,
               max);
  return FALSE;
}

DpsPluginProbe *
dps_plugin_reply_probe (const char *availability, const char *reason, GError **error)
{
  static const char *const names[] = {
    [DPS_PLUGIN_AVAILABLE_NOW] = "now",
    [DPS_PLUGIN_AVAILABLE_LATER] = "later",
    [DPS_PLUGIN_AVAILABLE_NEVER] = "never",
  };
  DpsPluginProbe *probe;

  if (strlen (reason) > TEXT_MAX)
    return too_large (error, "a reason", strlen (reason), TEXT_MAX), NULL;
  if (!dps_name_check_text (reason, TEXT_MAX, "a reason", NULL))
    return rejected (error, "a reason with control characters"), NULL;
  for (gsize i = 0; i < G_N_ELEMENTS (names); i++)
    if (strcmp (availability, names[i]) == 0)
      {
        probe = g_new0 (DpsPluginProbe, 1);
        probe->availability = (DpsPluginAvailability) i;
        probe->reason = g_strdup (reason);
        return probe;
      }
  return rejected (error, "an availability that is none of now, later, never"), NULL;
}

DpsSecret *
dps_plugin_reply_bytes (GUnixFDList *fds,
                        gint32 handle,
                        gsize min,
                        gsize max,
                        const char *what,
                        GError **error)
{
  dps_autofd fd = -1;
  gsize size;

  if (fds == NULL || handle < 0 || handle >= g_unix_fd_list_get_length (fds))
    return rejected (error, "a handle without its descriptor"), NULL;
  fd = g_unix_fd_list_get (fds, handle, error);
  if (fd < 0)
    return NULL;
  if (!dps_memfd_check (fd, max, &size, error))
    return g_prefix_error (error, "%s: ", what), NULL;
  if (size < min)
    {
      g_set_error (error,
                   DPS_ERROR,
                   DPS_ERROR_REJECTED,
                   "%s of %" G_GSIZE_FORMAT " bytes, at least %" G_GSIZE_FORMAT
                   " are needed",
                   what,
                   size,
                   min);
      return NULL;
    }
  return dps_secret_read_fd (fd, max, error);
}

GBytes *
dps_plugin_reply_signature (GVariant *signature, GError **error)
{
  gsize size;
  const void *data = g_variant_get_fixed_array (signature, &size, 1);

  if (size > SIGNATURE_MAX)
    return too_large (error, "a signature", size, SIGNATURE_MAX), NULL;
  if (size == 0)
    return rejected (error, "an empty signature"), NULL;
  return g_bytes_new (data, size);
}

char *
dps_plugin_reply_take_cause (GError *error)
{
  const char *start = strstr (error->message, ": [");
  const char *end = start != NULL ? strstr (start, "] ") : NULL;
  g_autofree char *word = NULL;
  char *message;

  if (end == NULL || !g_str_has_prefix (error->message, "plugin ") ||
      start != strchr (error->message, ':'))
    return NULL;
  word = g_strndup (start + strlen (": ["), (gsize) (end - start) - strlen (": ["));
  if (!dps_name_check_plugin (word, NULL))
    return NULL;
  message = g_strdup_printf ("%.*s%s",
                             (int) (start - error->message) + (int) strlen (": "),
                             error->message,
                             end + strlen ("] "));
  g_free (error->message);
  error->message = message;
  return g_steal_pointer (&word);
}

static GHashTable *
parse_material (GVariant *material, GError **error)
{
  g_autoptr (GHashTable) table =
      g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  GVariantIter iter;
  const char *key, *value;

  if (g_variant_n_children (material) > MATERIAL_ITEMS_MAX)
    return too_large (error,
                      "material",
                      g_variant_n_children (material),
                      MATERIAL_ITEMS_MAX),
           NULL;
  g_variant_iter_init (&iter, material);
  while (g_variant_iter_next (&iter, "{&s&s}", &key, &value))
    {
      if (strlen (value) > MATERIAL_VALUE_MAX)
        return too_large (error, "material", strlen (value), MATERIAL_VALUE_MAX), NULL;
      if (*key == '\0' || !dps_name_check_text (key, MATERIAL_KEY_MAX, "material", NULL))
        return rejected (error, "material without a proper name"), NULL;
      if (!g_hash_table_insert (table, g_strdup (key), g_strdup (value)))
        return rejected (error, "material with a name given twice"), NULL;
    }
  return g_steal_pointer (&table);
}

static gboolean
parse_key (DpsPluginDescription *self, GVariant *key, GUnixFDList *fds, GError **error)
{
  gsize n = g_variant_n_children (key);
  gint32 handle;

  if (strcmp (self->kind, "symmetric-key") != 0)
    return n == 0 ? TRUE : rejected (error, "a key, where the kind has none");
  if (n != 1)
    return rejected (error, "kind symmetric-key without one key");
  g_variant_get_child (key, 0, "h", &handle);
  self->key = dps_plugin_reply_bytes (fds, handle, KEY_MIN, KEY_MAX, "a key", error);
  return self->key != NULL;
}

static gboolean
check_texts (const char *registration_id,
             const char *kind,
             const char *enrollment,
             GError **error)
{
  static const char *const kinds[] = { "symmetric-key", "x509", "tpm", NULL };
  g_autoptr (GError) wrong = NULL;

  if (!g_strv_contains (kinds, kind))
    return rejected (error, "a kind that is none of symmetric-key, x509, tpm");
  if (strlen (enrollment) > ENROLLMENT_MAX)
    return too_large (error, "an enrollment", strlen (enrollment), ENROLLMENT_MAX);
  if (*registration_id != '\0' &&
      !dps_name_check_registration_id (registration_id, &wrong))
    return rejected (error, wrong->message);
  return TRUE;
}

DpsPluginDescription *
dps_plugin_reply_description (const char *registration_id,
                              const char *kind,
                              GVariant *material,
                              const char *enrollment,
                              GVariant *key,
                              GUnixFDList *fds,
                              GError **error)
{
  g_autoptr (DpsPluginDescription) self = NULL;

  if (!check_texts (registration_id, kind, enrollment, error))
    return NULL;
  self = g_new0 (DpsPluginDescription, 1);
  self->kind = g_strdup (kind);
  self->registration_id = *registration_id ? g_strdup (registration_id) : NULL;
  self->enrollment = *enrollment ? g_strdup (enrollment) : NULL;
  self->material = parse_material (material, error);
  if (self->material == NULL || !parse_key (self, key, fds, error))
    return NULL;
  return g_steal_pointer (&self);
}
