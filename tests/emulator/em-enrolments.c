/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "em-enrolments.h"

#include "em-codec.h"
#include "em-json.h"

#include <string.h>

/* What the service accepts as a symmetric key. */
#define KEY_LEN_MIN 16
#define KEY_LEN_MAX 64
#define REGISTRATION_ID_MAX 128

struct _EmEnrolments
{
  GHashTable *individual; /* registration ID in lower case → EmEnrolment */
  GPtrArray *groups;      /* EmEnrolment with the group's own keys */
};

static const char *const file_members[] = { "individual", "groups", NULL };
static const char *const individual_members[] = {
  "registrationId", "deviceId", "hub",         "primaryKey",     "secondaryKey", "status",
  "disabledShape",  "payload",  "attestation", "endorsementKey", NULL,
};
static const char *const group_members[] = {
  "enrollmentGroupId", "hub",     "primaryKey",  "secondaryKey", "status",
  "disabledShape",     "payload", "attestation", NULL,
};
static const char *const status_words[] = { "enabled", "disabled", NULL };
static const char *const shape_words[] = { "401", "state", NULL };
/* A group cannot know an endorsement key for each of its members. */
static const char *const group_attestations[] = { "symmetricKey", NULL };
static const char *const attestations[] = { "symmetricKey", "tpm", NULL };
#define ATTESTATION_TPM 1

void
em_enrolment_free (EmEnrolment *self)
{
  g_free (self->registration_id);
  g_free (self->device_id);
  g_free (self->hub);
  g_free (self->group_id);
  for (guint i = 0; i < G_N_ELEMENTS (self->keys); i++)
    g_clear_pointer (&self->keys[i], g_bytes_unref);
  g_free (self->endorsement_key);
  g_clear_pointer (&self->payload, json_node_unref);
  g_free (self);
}

EmEnrolments *
em_enrolments_new (void)
{
  EmEnrolments *self = g_new0 (EmEnrolments, 1);

  self->individual = g_hash_table_new_full (g_str_hash,
                                            g_str_equal,
                                            g_free,
                                            (GDestroyNotify) em_enrolment_free);
  self->groups = g_ptr_array_new_with_free_func ((GDestroyNotify) em_enrolment_free);
  return self;
}

void
em_enrolments_free (EmEnrolments *self)
{
  g_hash_table_unref (self->individual);
  g_ptr_array_unref (self->groups);
  g_free (self);
}

static gboolean
read_key (JsonObject *item,
          const char *where,
          const char *member,
          GBytes **out,
          GError **error)
{
  g_autofree char *text = NULL;
  g_autoptr (GBytes) key = NULL;

  if (!em_json_get_string (item, where, member, &text, error))
    return FALSE;
  if (text == NULL)
    return TRUE;

  key = em_base64_decode (text);
  if (key == NULL)
    return em_json_bad (where, member, "not base64", error);
  if (g_bytes_get_size (key) < KEY_LEN_MIN || g_bytes_get_size (key) > KEY_LEN_MAX)
    return em_json_bad (where, member, "not 16 to 64 bytes long", error);

  *out = g_steal_pointer (&key);
  return TRUE;
}

static gboolean
read_endorsement_key (JsonObject *item,
                      const char *where,
                      EmEnrolment *out,
                      GError **error)
{
  static const char member[] = "endorsementKey";
  g_autofree char *text = NULL;
  g_autoptr (GBytes) key = NULL;
  g_autofree EmTpmPublic *parsed = g_new0 (EmTpmPublic, 1);
  g_autoptr (GError) reason = NULL;

  if (json_object_has_member (item, "primaryKey") ||
      json_object_has_member (item, "secondaryKey"))
    return em_json_bad (where, "primaryKey", "cannot be with attestation tpm", error);
  if (!em_json_get_string (item, where, member, &text, error))
    return FALSE;
  if (text == NULL)
    return em_json_bad (where, member, "missing", error);

  key = em_base64_decode (text);
  if (key == NULL)
    return em_json_bad (where, member, "not base64", error);
  if (!em_tpm_public_parse (key, parsed, &reason))
    return em_json_bad (where, member, reason->message, error);

  out->endorsement_key = g_steal_pointer (&parsed);
  return TRUE;
}

static gboolean
read_keys (JsonObject *item, const char *where, GBytes **keys, GError **error)
{
  if (json_object_has_member (item, "endorsementKey"))
    return em_json_bad (where, "endorsementKey", "only with attestation tpm", error);
  if (!read_key (item, where, "primaryKey", &keys[0], error))
    return FALSE;
  if (keys[0] == NULL)
    return em_json_bad (where, "primaryKey", "missing", error);
  return read_key (item, where, "secondaryKey", &keys[1], error);
}

static void
read_payload (JsonObject *item, EmEnrolment *out)
{
  JsonNode *payload = json_object_get_member (item, "payload");

  if (payload == NULL || JSON_NODE_HOLDS_NULL (payload))
    return;
  if (JSON_NODE_HOLDS_VALUE (payload) &&
      g_strcmp0 (json_node_get_string (payload), "echo") == 0)
    out->echo = TRUE;
  else
    out->payload = json_node_ref (payload);
}

/* What individual enrolments and groups have in common. */
static gboolean
read_common (JsonObject *item,
             const char *where,
             const char *const *words,
             EmEnrolment *out,
             GError **error)
{
  int status = EM_ENABLED;
  int shape = EM_DISABLED_401;
  int attestation = 0;

  if (!em_json_get_string (item, where, "hub", &out->hub, error) ||
      !em_json_get_word (item, where, "status", status_words, &status, error) ||
      !em_json_get_word (item, where, "disabledShape", shape_words, &shape, error) ||
      !em_json_get_word (item, where, "attestation", words, &attestation, error))
    return FALSE;
  if (attestation == ATTESTATION_TPM ? !read_endorsement_key (item, where, out, error)
                                     : !read_keys (item, where, out->keys, error))
    return FALSE;

  out->status = status;
  out->disabled_shape = shape;
  read_payload (item, out);
  return TRUE;
}

static gboolean
read_required (JsonObject *item,
               const char *where,
               const char *member,
               char **out,
               GError **error)
{
  if (!em_json_get_string (item, where, member, out, error))
    return FALSE;
  if (*out == NULL)
    return em_json_bad (where, member, "missing", error);
  if (**out == '\0' || strlen (*out) > REGISTRATION_ID_MAX)
    return em_json_bad (where, member, "empty or too long", error);
  return TRUE;
}

static gboolean
read_individual (JsonObject *item, const char *where, gpointer data, GError **error)
{
  EmEnrolments *self = data;
  g_autoptr (EmEnrolment) entry = g_new0 (EmEnrolment, 1);
  char *name;

  if (!em_json_check_members (item, where, individual_members, error) ||
      !read_required (item, where, "registrationId", &entry->registration_id, error) ||
      !em_json_get_string (item, where, "deviceId", &entry->device_id, error) ||
      !read_common (item, where, attestations, entry, error))
    return FALSE;

  if (entry->device_id == NULL)
    entry->device_id = g_strdup (entry->registration_id);
  name = g_ascii_strdown (entry->registration_id, -1);
  if (!g_hash_table_replace (self->individual, name, g_steal_pointer (&entry)))
    return em_json_bad (where, "registrationId", "appears twice", error);
  return TRUE;
}

static gboolean
read_group (JsonObject *item, const char *where, gpointer data, GError **error)
{
  EmEnrolments *self = data;
  g_autoptr (EmEnrolment) entry = g_new0 (EmEnrolment, 1);

  if (!em_json_check_members (item, where, group_members, error) ||
      !read_required (item, where, "enrollmentGroupId", &entry->group_id, error) ||
      !read_common (item, where, group_attestations, entry, error))
    return FALSE;

  g_ptr_array_add (self->groups, g_steal_pointer (&entry));
  return TRUE;
}

EmEnrolments *
em_enrolments_load (const char *path, GError **error)
{
  g_autoptr (EmEnrolments) self = em_enrolments_new ();
  g_autoptr (JsonObject) root = em_json_load (path, error);

  if (root == NULL)
    return NULL;

  if (!em_json_check_members (root, "", file_members, error) ||
      !em_json_each (root, "individual", read_individual, self, error) ||
      !em_json_each (root, "groups", read_group, self, error))
    {
      g_prefix_error (error, "%s: ", path);
      return NULL;
    }

  return g_steal_pointer (&self);
}

/* A copy for one registration; a group's keys become the device's. */
static EmEnrolment *
enrolment_view (const EmEnrolment *entry, const char *registration_id)
{
  EmEnrolment *view = g_new0 (EmEnrolment, 1);
  gboolean group = entry->group_id != NULL;

  view->registration_id = g_strdup (group ? registration_id : entry->registration_id);
  view->device_id = g_strdup (group ? registration_id : entry->device_id);
  view->hub = g_strdup (entry->hub);
  view->group_id = g_strdup (entry->group_id);
  view->status = entry->status;
  view->disabled_shape = entry->disabled_shape;
  view->payload = entry->payload != NULL ? json_node_ref (entry->payload) : NULL;
  view->echo = entry->echo;
  for (guint i = 0; entry->keys[i] != NULL; i++)
    view->keys[i] = group ? em_derive_key (entry->keys[i], registration_id)
                          : g_bytes_ref (entry->keys[i]);
  view->endorsement_key = g_memdup2 (entry->endorsement_key, sizeof (EmTpmPublic));
  return view;
}

GPtrArray *
em_enrolments_candidates (EmEnrolments *self, const char *registration_id)
{
  GPtrArray *views = g_ptr_array_new_with_free_func ((GDestroyNotify) em_enrolment_free);
  g_autofree char *name = g_ascii_strdown (registration_id, -1);
  EmEnrolment *entry = g_hash_table_lookup (self->individual, name);

  if (entry != NULL)
    {
      g_ptr_array_add (views, enrolment_view (entry, registration_id));
      return views;
    }

  for (guint i = 0; i < self->groups->len; i++)
    g_ptr_array_add (views, enrolment_view (self->groups->pdata[i], registration_id));
  return views;
}
