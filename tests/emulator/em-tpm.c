/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "em-tpm.h"

#define KEY_LEN 32
#define CODE_BAD_REQUEST 400004

struct _EmTpm
{
  EmLog *reveal;
  EmChallenges *challenges;
};

EmTpm *
em_tpm_new (EmLog *reveal)
{
  EmTpm *self = g_new0 (EmTpm, 1);

  self->reveal = reveal;
  self->challenges = em_challenges_new ();
  return self;
}

void
em_tpm_free (EmTpm *self)
{
  em_challenges_free (self->challenges);
  g_free (self);
}

static gint64
now (void)
{
  return g_get_monotonic_time () / G_USEC_PER_SEC;
}

static void
reveal_key (EmTpm *self, const char *kind, const char *id, const guint8 *key, gsize len)
{
  JsonObject *line = em_log_line ("key", g_get_real_time ());
  g_autoptr (GString) hex = g_string_new (NULL);

  for (gsize i = 0; i < len; i++)
    g_string_append_printf (hex, "%02x", key[i]);
  json_object_set_string_member (line, "kind", kind);
  json_object_set_string_member (line, "registrationId", id);
  json_object_set_string_member (line, "hex", hex->str);
  em_log_write (self->reveal, line);
}

/* The new key; *BLOB is what brings it to the host. */
static GBytes *
make_key (EmTpm *self,
          const char *kind,
          const char *id,
          const EmTpmHost *host,
          const char *data,
          EmTpmFault fault,
          char **blob,
          GError **error)
{
  g_auto (EmTpmSecrets) secrets = { 0 };

  em_tpm_secrets_make (&secrets, KEY_LEN);
  if (!em_tpm_fault_blob (fault, host, &secrets, data, blob, error))
    return NULL;

  reveal_key (self, "inner", id, secrets.inner_key, sizeof secrets.inner_key);
  reveal_key (self, kind, id, secrets.key, secrets.key_len);
  return g_bytes_new (secrets.key, secrets.key_len);
}

GPtrArray *
em_tpm_find (EmTpm *self, const char *registration_id, const EmTpmPublic *ek)
{
  return em_challenges_find (self->challenges, registration_id, ek, now ());
}

static EmReply *
challenge_reply (const char *blob)
{
  g_autoptr (JsonNode) root = json_node_alloc ();
  g_autoptr (JsonObject) object = json_object_new ();

  json_node_init_object (root, object);
  json_object_set_string_member (object,
                                 "message",
                                 "Authorization required, resend request using supplied "
                                 "key");
  if (blob != NULL)
    json_object_set_string_member (object, "authenticationKey", blob);
  json_object_set_string_member (object, "keyName", "registration");
  return em_reply_new_json (401, root);
}

EmReply *
em_tpm_challenge (EmTpm *self,
                  const char *registration_id,
                  const EmTpmHost *host,
                  const char *data,
                  EmTpmFault fault)
{
  g_autofree char *blob = NULL;
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) key =
      make_key (self, "nonce", registration_id, host, data, fault, &blob, &error);

  if (key == NULL)
    return em_reply_new_error (400, CODE_BAD_REQUEST, error->message);
  em_challenges_add (self->challenges, registration_id, host, key, now ());
  return challenge_reply (blob);
}

/* The enrolment's keys are those that the hub takes over. */
void
em_tpm_renew_key (EmTpm *self, EmRecord *record, const char *data, EmTpmFault fault)
{
  EmEnrolment *enrolment = record->enrolment;
  g_autoptr (GError) error = NULL;
  GBytes *key;

  g_clear_pointer (&record->authentication_key, g_free);
  key = make_key (self,
                  "hub",
                  enrolment->registration_id,
                  record->host,
                  data,
                  fault,
                  &record->authentication_key,
                  &error);
  /* The challenge was made for the same two keys. */
  if (key == NULL)
    g_error ("a blob cannot be made twice: %s", error->message);

  g_clear_pointer (&enrolment->keys[0], g_bytes_unref);
  enrolment->keys[0] = key;
}
