/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "em-scenario.h"

#include "em-json.h"

#include <string.h>

#define BODY_SIZE_MAX (64 * 1024 * 1024)
#define HEADER_SIZE_MAX (1024 * 1024)
#define DELAY_MAX (60 * 60 * 1000)

enum
{
  HOST_ANY,
  HOST_DPS,
  HOST_HUB,
};

typedef struct
{
  char *name;
  int host;
  char *method;
  char *path;
  gint64 nth;
  gint64 from;
  gint64 times;
  gint64 seen;
  gint64 used;
  EmAnswer answer;
} Rule;

struct _EmScenario
{
  GPtrArray *rules;
};

static const char *const file_members[] = { "rules", NULL };
static const char *const rule_members[] = { "name", "match", "answer", NULL };
static const char *const match_members[] = {
  "host", "method", "path", "nth", "from", "times", NULL,
};
static const char *const answer_members[] = {
  "status",
  "headers",
  "body",
  "json",
  "body-size",
  "framing",
  "chunk-size",
  "delay-ms",
  "reset",
  "close",
  "retry-after",
  "error-code",
  "omit-retry-after",
  "operation-status",
  "hub",
  "error-message",
  "device-id",
  "date",
  "network-401",
  "header-size",
  "challenge",
  "tpm-blob",
  "csr",
  "issued-chain",
  NULL,
};
static const char *const host_words[] = { "any", "dps", "hub", NULL };
static const char *const csr_words[] = { "by-policy", "ignore", "refuse", NULL };
static const char *const framing_words[] = {
  "default", "chunked", "content-length", "close", NULL,
};

static void
rule_free (Rule *rule)
{
  EmAnswer *answer = &rule->answer;

  g_free (rule->name);
  g_free (rule->method);
  g_free (rule->path);
  g_ptr_array_unref (answer->headers);
  g_free (answer->body);
  g_free (answer->retry_after);
  g_free (answer->operation_status);
  g_free (answer->error_message);
  g_free (answer->hub);
  g_free (answer->device_id);
  g_free (answer->date);
  g_free (rule);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Rule, rule_free)

EmScenario *
em_scenario_new (void)
{
  EmScenario *self = g_new0 (EmScenario, 1);

  self->rules = g_ptr_array_new_with_free_func ((GDestroyNotify) rule_free);
  return self;
}

void
em_scenario_free (EmScenario *self)
{
  g_ptr_array_unref (self->rules);
  g_free (self);
}

static gboolean
read_match (JsonObject *match, const char *where, Rule *rule, GError **error)
{
  rule->times = G_MAXINT64;
  if (match == NULL)
    return TRUE;

  if (!em_json_check_members (match, where, match_members, error) ||
      !em_json_get_word (match, where, "host", host_words, &rule->host, error) ||
      !em_json_get_string (match, where, "method", &rule->method, error) ||
      !em_json_get_string (match, where, "path", &rule->path, error) ||
      !em_json_get_int (match, where, "nth", 1, G_MAXINT32, &rule->nth, error) ||
      !em_json_get_int (match, where, "from", 1, G_MAXINT32, &rule->from, error) ||
      !em_json_get_int (match, where, "times", 1, G_MAXINT32, &rule->times, error))
    return FALSE;

  if (rule->nth != 0 && rule->from != 0)
    return em_json_bad (where, "from", "cannot be with nth", error);
  return TRUE;
}

/* The server refuses what would break the framing, so say it while the file is read. */
static gboolean
check_header (const char *where, const char *name, const char *value, GError **error)
{
  if (g_ascii_strcasecmp (name, "Content-Length") == 0 ||
      g_ascii_strcasecmp (name, "Transfer-Encoding") == 0)
    return em_json_bad (where, name, "is set by framing", error);
  if (*name == '\0' || strpbrk (name, " :\t\r\n") != NULL)
    return em_json_bad (where, name, "not a header name", error);
  if (*value == '\0' || strpbrk (value, "\r\n") != NULL)
    return em_json_bad (where, name, "not a header value", error);
  return TRUE;
}

static gboolean
read_headers (JsonObject *answer, const char *where, EmAnswer *out, GError **error)
{
  g_autofree char *place = g_strconcat (where, ".headers", NULL);
  g_autoptr (GList) names = NULL;
  JsonObject *headers = NULL;

  if (!em_json_get_object (answer, where, "headers", &headers, error))
    return FALSE;
  if (headers == NULL)
    return TRUE;

  names = json_object_get_members (headers);
  for (GList *l = names; l != NULL; l = l->next)
    {
      g_autofree char *value = NULL;

      if (!em_json_get_string (headers, place, l->data, &value, error) ||
          !check_header (place, l->data, value, error))
        return FALSE;
      g_ptr_array_add (out->headers, g_strdup (l->data));
      g_ptr_array_add (out->headers, g_steal_pointer (&value));
    }

  return TRUE;
}

static gboolean
read_body (JsonObject *answer, const char *where, EmAnswer *out, GError **error)
{
  if (!em_json_get_string (answer, where, "body", &out->body, error) ||
      !em_json_get_int (answer,
                        where,
                        "body-size",
                        1,
                        BODY_SIZE_MAX,
                        &out->body_size,
                        error))
    return FALSE;

  if (!json_object_has_member (answer, "json"))
    return TRUE;
  if (out->body != NULL)
    return em_json_bad (where, "json", "cannot be with body", error);
  out->body = em_json_text (json_object_get_member (answer, "json"));
  return TRUE;
}

static gboolean
read_delivery (JsonObject *answer, const char *where, EmAnswer *out, GError **error)
{
  return em_json_get_word (answer,
                           where,
                           "framing",
                           framing_words,
                           &out->framing,
                           error) &&
         em_json_get_int (answer,
                          where,
                          "chunk-size",
                          1,
                          BODY_SIZE_MAX,
                          &out->chunk_size,
                          error) &&
         em_json_get_int (answer,
                          where,
                          "delay-ms",
                          0,
                          DELAY_MAX,
                          &out->delay_ms,
                          error) &&
         em_json_get_boolean (answer, where, "reset", &out->reset, error) &&
         em_json_get_boolean (answer, where, "close", &out->close, error) &&
         em_json_get_int (answer,
                          where,
                          "header-size",
                          1,
                          HEADER_SIZE_MAX,
                          &out->header_size,
                          error);
}

static gboolean
read_meaning (JsonObject *answer, const char *where, EmAnswer *out, GError **error)
{
  return em_json_get_int (answer, where, "status", 200, 599, &out->status, error) &&
         em_json_get_boolean (answer, where, "network-401", &out->network_401, error) &&
         em_json_get_string (answer,
                             where,
                             "operation-status",
                             &out->operation_status,
                             error) &&
         em_json_get_int (answer,
                          where,
                          "error-code",
                          1,
                          G_MAXINT32,
                          &out->error_code,
                          error) &&
         em_json_get_string (answer,
                             where,
                             "error-message",
                             &out->error_message,
                             error) &&
         em_json_get_string (answer, where, "hub", &out->hub, error) &&
         em_json_get_string (answer, where, "device-id", &out->device_id, error) &&
         em_json_get_boolean (answer, where, "challenge", &out->challenge, error) &&
         em_json_get_word (answer,
                           where,
                           "tpm-blob",
                           em_tpm_fault_words,
                           &out->tpm_blob,
                           error) &&
         em_json_get_word (answer, where, "csr", csr_words, &out->csr, error) &&
         em_json_get_word (answer,
                           where,
                           "issued-chain",
                           em_issue_fault_words,
                           &out->issued_chain,
                           error);
}

static gboolean
read_times (JsonObject *answer, const char *where, EmAnswer *out, GError **error)
{
  if (!em_json_get_string (answer, where, "date", &out->date, error) ||
      !em_json_get_string (answer, where, "retry-after", &out->retry_after, error) ||
      !em_json_get_boolean (answer,
                            where,
                            "omit-retry-after",
                            &out->omit_retry_after,
                            error))
    return FALSE;

  if (out->date != NULL && !check_header (where, "date", out->date, error))
    return FALSE;
  if (out->retry_after != NULL &&
      !check_header (where, "retry-after", out->retry_after, error))
    return FALSE;
  if (out->retry_after != NULL && out->omit_retry_after)
    return em_json_bad (where, "omit-retry-after", "cannot be with retry-after", error);
  return TRUE;
}

static gboolean
read_rule (JsonObject *item, const char *where, gpointer data, GError **error)
{
  EmScenario *self = data;
  g_autoptr (Rule) rule = g_new0 (Rule, 1);
  g_autofree char *match_place = g_strconcat (where, ".match", NULL);
  g_autofree char *answer_place = g_strconcat (where, ".answer", NULL);
  JsonObject *match = NULL;
  JsonObject *answer = NULL;

  rule->answer.headers = g_ptr_array_new_with_free_func (g_free);
  rule->name = g_strdup_printf ("rule-%u", self->rules->len);

  if (!em_json_check_members (item, where, rule_members, error) ||
      !em_json_get_string (item, where, "name", &rule->name, error) ||
      !em_json_get_object (item, where, "match", &match, error) ||
      !em_json_get_object (item, where, "answer", &answer, error) ||
      !read_match (match, match_place, rule, error))
    return FALSE;

  if (answer == NULL)
    return em_json_bad (where, "answer", "missing", error);
  if (!em_json_check_members (answer, answer_place, answer_members, error) ||
      !read_meaning (answer, answer_place, &rule->answer, error) ||
      !read_headers (answer, answer_place, &rule->answer, error) ||
      !read_body (answer, answer_place, &rule->answer, error) ||
      !read_delivery (answer, answer_place, &rule->answer, error) ||
      !read_times (answer, answer_place, &rule->answer, error))
    return FALSE;

  g_ptr_array_add (self->rules, g_steal_pointer (&rule));
  return TRUE;
}

EmScenario *
em_scenario_load (const char *path, GError **error)
{
  g_autoptr (EmScenario) self = em_scenario_new ();
  g_autoptr (JsonObject) root = em_json_load (path, error);

  if (root == NULL)
    return NULL;

  if (!em_json_check_members (root, "", file_members, error) ||
      !em_json_each (root, "rules", read_rule, self, error))
    {
      g_prefix_error (error, "%s: ", path);
      return NULL;
    }

  return g_steal_pointer (&self);
}

gsize
em_scenario_header_max (EmScenario *self)
{
  gsize max = 0;

  for (guint i = 0; i < self->rules->len; i++)
    {
      Rule *rule = self->rules->pdata[i];

      max = MAX (max, (gsize) rule->answer.header_size);
    }
  return max;
}

static gboolean
rule_matches (const Rule *rule, gboolean hub, const char *method, const char *path)
{
  if (rule->host != HOST_ANY && (rule->host == HOST_HUB) != hub)
    return FALSE;
  if (rule->method != NULL && g_strcmp0 (rule->method, method) != 0)
    return FALSE;
  return rule->path == NULL || strstr (path, rule->path) != NULL;
}

static gboolean
rule_applies (const Rule *rule)
{
  if (rule->nth != 0 && rule->seen != rule->nth)
    return FALSE;
  return rule->seen >= rule->from && rule->used < rule->times;
}

const EmAnswer *
em_scenario_match (EmScenario *self,
                   gboolean hub,
                   const char *method,
                   const char *path,
                   const char **name)
{
  const EmAnswer *answer = NULL;

  for (guint i = 0; i < self->rules->len; i++)
    {
      Rule *rule = self->rules->pdata[i];

      if (!rule_matches (rule, hub, method, path))
        continue;
      rule->seen++;
      if (answer != NULL || !rule_applies (rule))
        continue;
      rule->used++;
      *name = rule->name;
      answer = &rule->answer;
    }

  return answer;
}

EmReply *
em_answer_replace (const EmAnswer *self)
{
  const char *message =
      self->error_message != NULL ? self->error_message : "Scripted error";
  EmReply *reply;
  int code = (int) self->error_code;

  /* A service without public access answers as if the credential were wrong. */
  if (self->network_401)
    return em_reply_new_error (401, code != 0 ? code : 401002, "Unauthorized");
  if (self->status == 0)
    return NULL;
  if (self->status >= 400 && self->body == NULL)
    return em_reply_new_error (self->status,
                               code != 0 ? code : (int) self->status * 1000 + 1,
                               message);

  reply = em_reply_new (self->status);
  em_reply_set_header (reply, "Content-Type", "application/json; charset=utf-8");
  return reply;
}

static void
bend_headers (const EmAnswer *self, EmReply *reply)
{
  if (self->retry_after != NULL || self->omit_retry_after)
    em_reply_set_header (reply, "Retry-After", self->retry_after);
  if (self->date != NULL)
    em_reply_set_header (reply, "Date", self->date);
  if (self->header_size > 0)
    {
      g_autofree char *value = g_strnfill (self->header_size, 'x');

      em_reply_set_header (reply, "x-padding", value);
    }
  for (guint i = 0; i < self->headers->len; i += 2)
    em_reply_set_header (reply, self->headers->pdata[i], self->headers->pdata[i + 1]);
}

void
em_answer_bend (const EmAnswer *self, EmReply *reply)
{
  bend_headers (self, reply);
  if (self->body != NULL)
    em_reply_set_body (reply, self->body);
  if (self->body_size > 0)
    em_reply_pad_body (reply, self->body_size);
  if (self->framing != EM_FRAMING_DEFAULT)
    reply->framing = self->framing;
  if (self->chunk_size > 0)
    reply->chunk_size = self->chunk_size;
  reply->delay_ms = (guint) self->delay_ms;
  reply->reset = self->reset;
  reply->close = self->close;
}
