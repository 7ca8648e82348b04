/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "em-access.h"

#include "em-codec.h"
#include "em-json.h"

#define CODE_BAD_REQUEST 400004
#define CODE_UNAUTHORIZED 401002

static const EmEnrolment no_enrolment;

static gboolean
wants_certificate (const EmAccess *self)
{
  const EmEnrolment *first =
      self->candidates->len > 0 ? self->candidates->pdata[0] : &no_enrolment;

  return first->trust != NULL;
}

static EmReply *
unauthorized (void)
{
  return em_reply_new_error (401, CODE_UNAUTHORIZED, "Unauthorized");
}

static char *
registration_name (const EmAccess *self)
{
  return g_strconcat (self->id_scope, "/registrations/", self->registration_id, NULL);
}

static EmTokenVerdict
check_token (EmAccess *self, GBytes *const *keys)
{
  g_autofree char *resource = registration_name (self);

  self->verdict = em_token_check (self->request->authorization,
                                  resource,
                                  em_token_same_registration,
                                  "registration",
                                  keys,
                                  g_get_real_time () / G_USEC_PER_SEC);
  return self->verdict;
}

/* The group whose derived key signed the token is the one that vouches. */
static EmReply *
check_symmetric_key (EmAccess *self)
{
  if (self->candidates->len == 0)
    check_token (self, no_enrolment.keys);
  for (guint i = 0; i < self->candidates->len; i++)
    {
      EmEnrolment *enrolment = self->candidates->pdata[i];
      EmTokenVerdict verdict = check_token (self, enrolment->keys);

      if (verdict == EM_TOKEN_OK)
        {
          self->enrolment = g_ptr_array_steal_index (self->candidates, i);
          return NULL;
        }
      if (verdict != EM_TOKEN_BAD_SIGNATURE)
        break;
    }

  return unauthorized ();
}

static gboolean
is_shut_out (const EmEnrolment *enrolment)
{
  return enrolment->status == EM_DISABLED && enrolment->disabled_shape == EM_DISABLED_401;
}

/* One of the two keys in the body. */
static EmReply *
read_tpm_key (JsonObject *tpm, const char *member, EmTpmPublic *out)
{
  const char *text = em_json_peek_string (tpm, member);
  g_autoptr (GBytes) bytes = text != NULL ? em_base64_decode (text) : NULL;
  g_autoptr (GError) error = NULL;
  g_autofree char *message = NULL;

  if (bytes != NULL && em_tpm_public_parse (bytes, out, &error))
    return NULL;
  message = g_strdup_printf ("tpm.%s: %s",
                             member,
                             text == NULL    ? "missing"
                             : bytes == NULL ? "not base64"
                                             : error->message);
  return em_reply_new_error (400, CODE_BAD_REQUEST, message);
}

/* A client may leave its keys out once it has a token. */
static EmReply *
read_host (EmAccess *self, JsonObject *body)
{
  JsonNode *node = body != NULL ? json_object_get_member (body, "tpm") : NULL;
  g_autofree EmTpmHost *host = g_new0 (EmTpmHost, 1);
  JsonObject *tpm;
  EmReply *reply;

  if (node == NULL || JSON_NODE_HOLDS_NULL (node))
    return NULL;
  if (!JSON_NODE_HOLDS_OBJECT (node))
    return em_reply_new_error (400, CODE_BAD_REQUEST, "tpm is not an object");

  tpm = json_node_get_object (node);
  reply = read_tpm_key (tpm, "endorsementKey", &host->ek);
  if (reply == NULL)
    reply = read_tpm_key (tpm, "storageRootKey", &host->srk);
  if (reply == NULL)
    self->host = g_steal_pointer (&host);
  return reply;
}

static EmReply *
challenge (EmAccess *self)
{
  g_autofree char *data = registration_name (self);

  return em_tpm_challenge (self->tpm,
                           self->registration_id,
                           self->host,
                           data,
                           self->fault);
}

/* The token is signed with the key of a challenge, and so by the TPM that opened it. */
static EmReply *
check_tpm_token (EmAccess *self, const EmTpmPublic *ek)
{
  g_autoptr (GPtrArray) challenges = em_tpm_find (self->tpm, self->registration_id, ek);

  if (challenges->len == 0)
    check_token (self, no_enrolment.keys);
  for (guint i = 0; i < challenges->len; i++)
    {
      const EmChallenge *answered = challenges->pdata[i];
      GBytes *const keys[] = { answered->key, NULL };
      EmTokenVerdict verdict = check_token (self, keys);

      if (verdict == EM_TOKEN_BAD_SIGNATURE)
        continue;
      if (verdict != EM_TOKEN_OK)
        break;
      if (self->host != NULL &&
          !em_tpm_public_equal (&self->host->srk, &answered->host.srk))
        return em_reply_new_error (400,
                                   CODE_BAD_REQUEST,
                                   "tpm.storageRootKey is not the one challenged");
      g_free (self->host);
      self->host = g_memdup2 (&answered->host, sizeof answered->host);
      return NULL;
    }

  return unauthorized ();
}

static EmReply *
check_tpm (EmAccess *self, JsonObject *body)
{
  const EmEnrolment *enrolment = self->candidates->pdata[0];
  const EmTpmPublic *ek = enrolment->endorsement_key;
  EmReply *reply = read_host (self, body);

  if (reply != NULL)
    return reply;
  if (self->host != NULL && !em_tpm_public_equal (&self->host->ek, ek))
    return em_reply_new_error (400,
                               CODE_BAD_REQUEST,
                               "Endorsement key is invalid, or does not match the "
                               "Enrollment.");
  if (is_shut_out (enrolment))
    return unauthorized ();
  if (self->request->authorization == NULL && self->host != NULL)
    return challenge (self);

  reply = check_tpm_token (self, ek);
  if (reply == NULL && self->challenge)
    return challenge (self);
  if (reply == NULL)
    self->enrolment = g_ptr_array_steal_index (self->candidates, 0);
  return reply;
}

/* The nearest signer's, enabled or not; among those equally far the first. */
static guint
nearest_group (GPtrArray *groups, GPtrArray *chain)
{
  guint nearest = 0;
  guint best = G_MAXUINT;

  for (guint i = 0; i < groups->len; i++)
    {
      const EmEnrolment *group = groups->pdata[i];
      guint distance = em_x509_distance (group->trust, chain);

      if (distance > 0 && distance < best)
        {
          best = distance;
          nearest = i;
        }
    }

  return nearest;
}

static EmReply *
check_certificate (EmAccess *self)
{
  GPtrArray *chain = self->request->chain;
  guint i = chain != NULL ? nearest_group (self->candidates, chain) : 0;
  const EmEnrolment *enrolment = self->candidates->pdata[i];

  self->certificate = self->request->authorization != NULL
                          ? EM_X509_TOKEN
                          : em_x509_check (enrolment->trust,
                                           chain,
                                           self->registration_id,
                                           g_get_real_time () / G_USEC_PER_SEC);
  if (self->certificate != EM_X509_OK)
    return em_reply_new_error (401, CODE_UNAUTHORIZED, "Invalid certificate");

  self->enrolment = g_ptr_array_steal_index (self->candidates, i);
  return NULL;
}

/* Of the groups, only those of one attestation can vouch: a device without a token is
 * taken to have a certificate, if any group wants one. */
static void
choose_groups (EmAccess *self)
{
  g_autoptr (GPtrArray) all = g_steal_pointer (&self->candidates);
  g_autoptr (GPtrArray) others =
      g_ptr_array_new_with_free_func ((GDestroyNotify) em_enrolment_free);

  self->candidates = g_ptr_array_new_with_free_func ((GDestroyNotify) em_enrolment_free);
  while (all->len > 0)
    {
      EmEnrolment *group = g_ptr_array_steal_index (all, 0);

      g_ptr_array_add (group->trust != NULL ? self->candidates : others, group);
    }
  if (self->candidates->len == 0 || self->request->authorization != NULL)
    {
      g_ptr_array_unref (self->candidates);
      self->candidates = g_steal_pointer (&others);
    }
}

static gboolean
is_individual (GPtrArray *candidates)
{
  const EmEnrolment *first = candidates->len > 0 ? candidates->pdata[0] : NULL;

  return first != NULL && first->group_id == NULL;
}

void
em_access_look_up (EmAccess *self, EmEnrolments *enrolments, const char *registration_id)
{
  self->registration_id = registration_id;
  self->candidates = em_enrolments_candidates (enrolments, registration_id);
  if (!is_individual (self->candidates))
    choose_groups (self);
}

void
em_access_clear (EmAccess *self)
{
  g_clear_pointer (&self->candidates, g_ptr_array_unref);
  g_clear_pointer (&self->enrolment, em_enrolment_free);
  g_clear_pointer (&self->host, g_free);
}

static const EmTpmPublic *
endorsement_key (const EmAccess *self)
{
  const EmEnrolment *first =
      self->candidates->len > 0 ? self->candidates->pdata[0] : &no_enrolment;

  return first->endorsement_key;
}

gboolean
em_access_needs_body (const EmAccess *self)
{
  return endorsement_key (self) != NULL;
}

EmReply *
em_access_check (EmAccess *self, JsonObject *body)
{
  EmReply *reply;

  if (endorsement_key (self) != NULL)
    return check_tpm (self, body);

  reply =
      wants_certificate (self) ? check_certificate (self) : check_symmetric_key (self);
  if (reply == NULL && is_shut_out (self->enrolment))
    return unauthorized ();
  return reply;
}
