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
#define LIFETIME_MAX (3650 * 24 * 60 * 60)

struct _EmEnrolments
{
  char *dir;              /* of the file: what relative names begin from */
  GHashTable *individual; /* registration ID in lower case → EmEnrolment */
  GPtrArray *groups;      /* EmEnrolment with the group's own keys */
};

static const char *const file_members[] = { "individual", "groups", NULL };
static const char *const individual_members[] = {
  "registrationId",
  "deviceId",
  "hub",
  "primaryKey",
  "secondaryKey",
  "status",
  "disabledShape",
  "payload",
  "attestation",
  "endorsementKey",
  "primaryCertificate",
  "secondaryCertificate",
  "primaryThumbprint",
  "secondaryThumbprint",
  "certificateIssuance",
  NULL,
};
static const char *const group_members[] = {
  "enrollmentGroupId",
  "hub",
  "primaryKey",
  "secondaryKey",
  "status",
  "disabledShape",
  "payload",
  "attestation",
  "primaryCertificate",
  "secondaryCertificate",
  "certificateIssuance",
  NULL,
};
static const char *const status_words[] = { "enabled", "disabled", NULL };
static const char *const shape_words[] = { "401", "state", NULL };
static const char *const attestations[] = { "symmetricKey", "x509", "tpm", NULL };
/* A group cannot know an endorsement key for each of its members. */
static const char *const group_attestations[] = { "symmetricKey", "x509", NULL };

enum
{
  ATTESTATION_SYMMETRIC_KEY,
  ATTESTATION_X509,
  ATTESTATION_TPM,
};

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
  g_clear_pointer (&self->trust, em_x509_trust_unref);
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
  g_free (self->dir);
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
  if (!read_key (item, where, "primaryKey", &keys[0], error))
    return FALSE;
  if (keys[0] == NULL)
    return em_json_bad (where, "primaryKey", "missing", error);
  return read_key (item, where, "secondaryKey", &keys[1], error);
}

/* A PEM file of one certificate: the device's own for an individual enrolment, a CA for a
 * group. */
static gboolean
read_certificate (EmEnrolments *self,
                  JsonObject *item,
                  const char *where,
                  const char *member,
                  EmEnrolment *out,
                  GError **error)
{
  g_autofree char *name = NULL;
  g_autofree char *path = NULL;
  X509 *certificate;

  if (!em_json_get_string (item, where, member, &name, error))
    return FALSE;
  if (name == NULL)
    return TRUE;

  path = g_canonicalize_filename (name, self->dir);
  certificate = em_x509_load (path, error);
  if (certificate == NULL)
    {
      g_prefix_error (error, "%s.%s: ", where, member);
      return FALSE;
    }

  if (out->group_id != NULL)
    g_ptr_array_add (out->trust->cas, certificate);
  else
    {
      g_ptr_array_add (out->trust->pins, em_x509_thumbprint (certificate));
      X509_free (certificate);
    }
  return TRUE;
}

static gboolean
read_thumbprint (JsonObject *item,
                 const char *where,
                 const char *member,
                 EmEnrolment *out,
                 GError **error)
{
  g_autofree char *text = NULL;
  GBytes *thumbprint;

  if (!em_json_get_string (item, where, member, &text, error))
    return FALSE;
  if (text == NULL)
    return TRUE;

  thumbprint = em_x509_parse_thumbprint (text);
  if (thumbprint == NULL)
    return em_json_bad (where, member, "not a SHA-256 or SHA-1 in hex", error);
  g_ptr_array_add (out->trust->pins, thumbprint);
  return TRUE;
}

static gboolean
read_trust (EmEnrolments *self,
            JsonObject *item,
            const char *where,
            EmEnrolment *out,
            GError **error)
{
  out->trust = em_x509_trust_new ();
  if (!read_certificate (self, item, where, "primaryCertificate", out, error) ||
      !read_certificate (self, item, where, "secondaryCertificate", out, error) ||
      !read_thumbprint (item, where, "primaryThumbprint", out, error) ||
      !read_thumbprint (item, where, "secondaryThumbprint", out, error))
    return FALSE;
  if (out->trust->pins->len + out->trust->cas->len == 0)
    return em_json_bad (where, "primaryCertificate", "missing", error);
  return TRUE;
}

/* What belongs to another attestation would be believed to count. */
static gboolean
check_attestation (JsonObject *item, const char *where, int attestation, GError **error)
{
  static const struct
  {
    const char *member;
    int attestation;
  } owners[] = {
    { "primaryKey", ATTESTATION_SYMMETRIC_KEY },
    { "secondaryKey", ATTESTATION_SYMMETRIC_KEY },
    { "endorsementKey", ATTESTATION_TPM },
    { "primaryCertificate", ATTESTATION_X509 },
    { "secondaryCertificate", ATTESTATION_X509 },
    { "primaryThumbprint", ATTESTATION_X509 },
    { "secondaryThumbprint", ATTESTATION_X509 },
  };

  for (guint i = 0; i < G_N_ELEMENTS (owners); i++)
    if (owners[i].attestation != attestation &&
        json_object_has_member (item, owners[i].member))
      {
        g_autofree char *why = g_strdup_printf ("only with attestation %s",
                                                attestations[owners[i].attestation]);

        return em_json_bad (where, owners[i].member, why, error);
      }

  return TRUE;
}

static gboolean
read_credential (EmEnrolments *self,
                 JsonObject *item,
                 const char *where,
                 int attestation,
                 EmEnrolment *out,
                 GError **error)
{
  if (!check_attestation (item, where, attestation, error))
    return FALSE;
  if (attestation == ATTESTATION_TPM)
    return read_endorsement_key (item, where, out, error);
  if (attestation == ATTESTATION_X509)
    return read_trust (self, item, where, out, error);
  return read_keys (item, where, out->keys, error);
}

/* The policy that the service ties to an enrolment. */
static gboolean
read_issuance (JsonObject *item, const char *where, EmEnrolment *out, GError **error)
{
  static const char *const members[] = { "lifetime", NULL };
  g_autofree char *place = g_strconcat (where, ".certificateIssuance", NULL);
  JsonObject *policy = NULL;

  if (!em_json_get_object (item, where, "certificateIssuance", &policy, error))
    return FALSE;
  if (policy == NULL)
    return TRUE;
  if (!em_json_check_members (policy, place, members, error) ||
      !em_json_get_int (policy,
                        place,
                        "lifetime",
                        1,
                        LIFETIME_MAX,
                        &out->issued_lifetime,
                        error))
    return FALSE;
  if (out->issued_lifetime == 0)
    return em_json_bad (place, "lifetime", "missing", error);
  return TRUE;
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
read_common (EmEnrolments *self,
             JsonObject *item,
             const char *where,
             const char *const *words,
             EmEnrolment *out,
             GError **error)
{
  int status = EM_ENABLED;
  int shape = EM_DISABLED_401;
  int attestation = ATTESTATION_SYMMETRIC_KEY;

  if (!em_json_get_string (item, where, "hub", &out->hub, error) ||
      !em_json_get_word (item, where, "status", status_words, &status, error) ||
      !em_json_get_word (item, where, "disabledShape", shape_words, &shape, error) ||
      !em_json_get_word (item, where, "attestation", words, &attestation, error) ||
      !read_credential (self, item, where, attestation, out, error) ||
      !read_issuance (item, where, out, error))
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
      !read_common (self, item, where, attestations, entry, error))
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
      !read_common (self, item, where, group_attestations, entry, error))
    return FALSE;

  g_ptr_array_add (self->groups, g_steal_pointer (&entry));
  return TRUE;
}

EmEnrolments *
em_enrolments_load (const char *path, GError **error)
{
  g_autoptr (EmEnrolments) self = em_enrolments_new ();
  g_autoptr (JsonObject) root = em_json_load (path, error);
  g_autofree char *absolute = NULL;

  if (root == NULL)
    return NULL;

  absolute = g_canonicalize_filename (path, NULL);
  self->dir = g_path_get_dirname (absolute);
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
  view->trust = entry->trust != NULL ? em_x509_trust_ref (entry->trust) : NULL;
  view->issued_lifetime = entry->issued_lifetime;
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
