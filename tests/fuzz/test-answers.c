/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "answer.h"
#include "core/dps-hub-proof.h"
#include "core/dps-step.h"
#include "net/dps-endpoint.h"
#include "reader.h"
#include "tls-server.h"

#include <malloc.h>
#include <stdio.h>
#include <string.h>

/* Plays mutated answers of the service through the real client over real TLS. An
 * assignment counts as taken where the attempt would go on to commit it: the client has
 * read it, dps_step_decide() calls it one, and its hub is one of the cloud's.
 *
 *   test-answers [--cases N] [--from N] [--only NUMBER] */

#define SUM_OF_SEED_7 "5f5bcaba7edcb9d02dfa3eaa6a343061136e4c6159d0c9f1c89b000ed944dda0"
#define SHOWN_MAX 1500
#define WRONG_MAX 10
/* Of live heap, from when all is warm to the end. */
#define GROWTH_MAX (2u * 1024u * 1024u)

static gint64 n_cases = 10000, seed = 20261123, only = -1;

typedef struct
{
  TlsServer *server;
  DpsHttp *http;
  DpsClient *client;
  const Answer *answer; /* what the server says next */

  GHashTable *outcomes; /* name → how often */
  guint kept, broken, unsure;
  guint wrong;
  gsize largest_body;
} Player;

/* What became of one answer. */
typedef struct
{
  const char *name; /* static */
  char *hub, *device;
  char *message; /* why there was no answer */
  gsize body;
  gint64 wait;
} Outcome;

static void
outcome_clear (Outcome *self)
{
  g_free (self->hub);
  g_free (self->device);
  g_free (self->message);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Outcome, outcome_clear)

static void
say (const char *request, TlsServerAnswer *reply, gpointer data)
{
  static const TlsServerNext nexts[] = { [END_KEEP] = TLS_SERVER_KEEP,
                                         [END_CLOSE] = TLS_SERVER_CLOSE,
                                         [END_CUT] = TLS_SERVER_CUT };
  const Answer *answer = ((Player *) data)->answer;

  g_string_append_len (reply->bytes, answer->bytes->str, (gssize) answer->bytes->len);
  reply->next = nexts[answer->end];
}

static void
open_client (Player *self)
{
  const char *pins[] = { tls_server_pin (self->server), NULL };
  DpsHttpOptions options = { .system_ca_file = "/nonexistent/ca.crt",
                             .ca_pem = tls_server_ca_pem (self->server),
                             .pins = pins,
                             .request_timeout_ms = 20000 };
  g_autoptr (GError) error = NULL;

  self->http = dps_http_new (&options, &error);
  g_assert_no_error (error);
  self->client =
      dps_client_new (self->http, TLS_SERVER_HOST, "0ne00ABCDEF", "edge-1", "2021-06-01");
}

static void
close_client (Player *self)
{
  g_clear_pointer (&self->client, dps_client_free);
  g_clear_pointer (&self->http, dps_http_free);
}

static void
setup (Player *self, gconstpointer data)
{
  self->server = tls_server_new (NULL, say, self);
  self->outcomes = g_hash_table_new (g_str_hash, g_str_equal);
  open_client (self);
}

static void
teardown (Player *self, gconstpointer data)
{
  g_hash_table_unref (self->outcomes);
  close_client (self);
  tls_server_free (self->server);
}

/* As dps-assignment.c does before it makes an identity of it. */
static const char *
take_assignment (const DpsRegistration *registration, Outcome *out)
{
  if (!dps_endpoint_check_hub (registration->assigned_hub, DPS_CLOUD_PUBLIC, NULL, NULL))
    return "DPS-E415";
  out->hub = g_strdup (registration->assigned_hub);
  out->device = g_strdup (registration->device_id);
  return "assigned";
}

static const char *
judge_exchange (const DpsExchange *exchange, gboolean polling, Outcome *out)
{
  g_autoptr (DpsFailure) failure = NULL;
  DpsPollHistory polls = { 0 };

  switch (dps_step_decide (exchange, polling, DPS_CHALLENGE_NONE, &failure))
    {
    case DPS_STEP_POLL:
      out->wait = dps_pacing_next_poll (&polls, exchange->outcome.retry_after, 0, 0);
      return "poll";
    case DPS_STEP_ASSIGNED:
      return take_assignment (exchange->outcome.reply->registration, out);
    case DPS_STEP_FAIL:
    default:
      out->wait = failure->wait;
      return exchange->outcome.challenge ? "challenge"
                                         : dps_failure_row (failure->kind)->code;
    }
}

static const char *
judge_lookup (const DpsExchange *exchange, Outcome *out)
{
  const DpsRegistration *registration = exchange->outcome.registration;

  if (registration == NULL)
    return exchange->error != NULL ? "unusable" : "other status";
  return registration->status == DPS_STATUS_ASSIGNED ? take_assignment (registration, out)
                                                     : "looked-up";
}

static const char *
judge_proof (const DpsExchange *exchange)
{
  static const char *const names[] = { [DPS_PROOF_VERIFIED] = "verified",
                                       [DPS_PROOF_REFUSED] = "refused",
                                       [DPS_PROOF_INCONCLUSIVE] = "inconclusive",
                                       [DPS_PROOF_AGAIN] = "again" };
  DpsProofHistory history = { 0 };
  gint64 wait = 0;

  return names[dps_hub_proof_judge (&history,
                                    exchange->error != NULL
                                        ? 0
                                        : exchange->outcome.http_status,
                                    1,
                                    &wait)];
}

static void
ask (Player *self, const Answer *answer, Outcome *out)
{
  g_autoptr (DpsExchange) exchange = g_new0 (DpsExchange, 1);
  DpsRegisterParams params = { 0 };

  self->answer = answer;
  switch (answer->kind->call)
    {
    case CALL_REGISTER:
      dps_client_register (self->client,
                           &params,
                           NULL,
                           &exchange->outcome,
                           &exchange->error);
      out->name = judge_exchange (exchange, FALSE, out);
      break;
    case CALL_POLL:
      dps_client_poll (self->client,
                       "5.a",
                       NULL,
                       NULL,
                       &exchange->outcome,
                       &exchange->error);
      out->name = judge_exchange (exchange, TRUE, out);
      break;
    case CALL_LOOKUP:
      dps_client_lookup (self->client,
                         &params,
                         NULL,
                         &exchange->outcome,
                         &exchange->error);
      out->name = judge_lookup (exchange, out);
      break;
    case CALL_HUB:
    default:
      dps_client_hub_modules (self->http,
                              TLS_SERVER_HOST,
                              "edge-1",
                              NULL,
                              NULL,
                              &exchange->outcome,
                              &exchange->error);
      out->name = judge_proof (exchange);
    }
  out->message = exchange->error != NULL ? g_strdup (exchange->error->message) : NULL;
  if (exchange->outcome.http != NULL)
    out->body = g_bytes_get_size (exchange->outcome.http->body);
}

/* ---- what is right ---- */

/* Whether the bytes, read by the second reader, are this assignment. */
static gboolean
is_assignment (const Answer *answer, const char *hub, const char *device)
{
  g_autoptr (ReaderAnswer) read =
      reader_read_answer (answer->bytes->str, answer->bytes->len, FALSE);
  g_auto (ReaderNames) names = { 0 };
  const char *status;

  if (!read->whole || read->status < 200 || read->status > 299 || read->foreign ||
      !reader_read_json (read->body->str,
                         read->body->len,
                         answer->kind->call != CALL_LOOKUP,
                         &names))
    return FALSE;
  status = names.status != NULL ? names.status : names.inner_status;
  return status != NULL && g_ascii_strcasecmp (status, "assigned") == 0 &&
         names.hub != NULL && names.device != NULL && strcmp (names.hub, hub) == 0 &&
         strcmp (names.device, device) == 0 &&
         reader_check_names (names.hub, names.device);
}

static gboolean
is_proof (const Answer *answer)
{
  g_autoptr (ReaderAnswer) read =
      reader_read_answer (answer->bytes->str, answer->bytes->len, TRUE);

  return read->whole && read->status == 200;
}

/* NULL where the outcome is right. */
static const char *
find_fault (const Answer *answer, const Outcome *out)
{
  gboolean taken = strcmp (out->name, "assigned") == 0;
  gboolean proven = strcmp (out->name, "verified") == 0;

  if (out->body > DPS_HTTP_BODY_MAX)
    return "more was read than the bound";
  if (out->wait < 0 || out->wait > DPS_PACING_RETRY_AFTER_MAX)
    return "a wait out of its bounds";
  if (strcmp (out->name, "DPS-E702") == 0)
    return "a fault of the agent's own, though it came from outside";
  if (taken && answer->effect == BREAKS)
    return "taken, and it must not be";
  if (taken && !is_assignment (answer, out->hub, out->device))
    return "taken, and its bytes are no such assignment";
  if (proven && !is_proof (answer))
    return "a proof, and its bytes are none";
  if (answer->effect != KEEPS)
    return NULL;
  if (strcmp (out->name, answer->kind->outcome) != 0)
    return "valid, and not taken for what it is";
  if (answer_is_assigned (answer) && !is_assignment (answer, answer->hub, answer->device))
    return "the two readings of a valid one differ";
  return NULL;
}

static void
show (const Answer *answer)
{
  gsize size = only >= 0 ? answer->bytes->len : MIN (answer->bytes->len, SHOWN_MAX);
  GString *line = g_string_new (NULL);

  for (gsize i = 0; i < size; i++)
    {
      char c = answer->bytes->str[i];

      if (g_ascii_isprint (c) && c != '\\')
        g_string_append_c (line, c);
      else
        g_string_append_printf (line, "\\x%02x", (guchar) c);
      if (c == '\n' || i + 1 == size)
        {
          g_test_message ("  %s", line->str);
          g_string_truncate (line, 0);
        }
    }
  g_string_free (line, TRUE);
  if (size < answer->bytes->len)
    g_test_message ("  … %zu bytes more", answer->bytes->len - size);
}

static void
report (const Answer *answer, const Outcome *out, const char *fault)
{
  g_test_message ("--from %" G_GINT64_FORMAT " --only %" G_GUINT64_FORMAT
                  ": %s: %s; %s (%s) became %s %s %s%s",
                  seed,
                  answer->number,
                  fault != NULL ? fault : "right",
                  answer->kind->name,
                  answer->story->str,
                  answer->effect == KEEPS    ? "keeps"
                  : answer->effect == BREAKS ? "breaks"
                                             : "unsure",
                  out->name,
                  out->hub != NULL ? out->hub : "",
                  out->device != NULL ? out->device : "",
                  out->message != NULL ? out->message : "");
  show (answer);
}

static void
play (Player *self, const Answer *answer)
{
  g_auto (Outcome) out = { 0 };
  const char *fault;
  guint times;

  ask (self, answer, &out);
  /* What the next answer meets is the same in every run. */
  if (answer->end != END_KEEP)
    tls_server_wait_closed (self->server);
  else
    tls_server_wait_sent (self->server, tls_server_requests (self->server));
  times = GPOINTER_TO_UINT (g_hash_table_lookup (self->outcomes, out.name));
  g_hash_table_insert (self->outcomes, (gpointer) out.name, GUINT_TO_POINTER (times + 1));
  self->kept += answer->effect == KEEPS;
  self->broken += answer->effect == BREAKS;
  self->unsure += answer->effect == UNSURE;
  self->largest_body = MAX (self->largest_body, out.body);
  fault = find_fault (answer, &out);
  if (fault != NULL)
    self->wrong++;
  if ((fault != NULL && self->wrong <= WRONG_MAX) || only >= 0)
    report (answer, &out, fault);
}

/* ---- tests ---- */

static guint
times_of (Player *self, const char *outcome)
{
  return GPOINTER_TO_UINT (g_hash_table_lookup (self->outcomes, outcome));
}

/* Nothing mutated: each is taken for what it is, over either framing. */
static void
test_catalogue (Player *self, gconstpointer data)
{
  for (gsize i = 0; i < n_kinds; i++)
    for (int framing = FRAMING_LENGTH; framing <= FRAMING_CHUNKED; framing++)
      {
        g_autoptr (Answer) answer = answer_new (&kinds[i], i);
        Random random;

        random_init (&random, 1, i);
        answer->framing = (Framing) framing;
        answer_write_body (answer);
        answer_write_head (answer);
        answer_write_payload (answer, &random);
        play (self, answer);
        g_assert_cmpuint (self->wrong, ==, 0);
      }
  g_assert_cmpuint (times_of (self, "assigned"), ==, 10);
  g_assert_cmpuint (times_of (self, "verified"), ==, 2);
  g_assert_cmpuint (tls_server_accepted (self->server), ==, 1);
}

extern gsize __sanitizer_get_current_allocated_bytes (void) __attribute__ ((weak));

static gsize
live_heap (void)
{
  return __sanitizer_get_current_allocated_bytes != NULL
             ? __sanitizer_get_current_allocated_bytes ()
             : mallinfo2 ().uordblks;
}

static gsize
resident (void)
{
  g_autofree char *text = NULL;
  unsigned long size, pages = 0;

  if (g_file_get_contents ("/proc/self/statm", &text, NULL, NULL) &&
      sscanf (text, "%lu %lu", &size, &pages) == 2)
    return pages * 4096;
  g_assert_not_reached ();
}

static void
print_figures (Player *self, gint64 started)
{
  g_autoptr (GString) line = g_string_new (NULL);
  g_autoptr (GList) names = g_hash_table_get_keys (self->outcomes);

  names = g_list_sort (g_steal_pointer (&names), (GCompareFunc) strcmp);
  for (GList *l = names; l != NULL; l = l->next)
    g_string_append_printf (line, " %s %u,", (char *) l->data, times_of (self, l->data));
  g_string_truncate (line, line->len - 1);
  g_print ("# FIGURE mutated answers: %" G_GINT64_FORMAT " (seed %" G_GINT64_FORMAT
           ") in %.1f s, %u wrong; valid %u, spoiled %u, by their bytes %u; %u"
           " connections\n",
           n_cases,
           seed,
           (double) (g_get_monotonic_time () - started) / G_USEC_PER_SEC,
           self->wrong,
           self->kept,
           self->broken,
           self->unsure,
           tls_server_accepted (self->server));
  g_print ("# FIGURE they became:%s\n", line->str);
}

static void
test_mutated (Player *self, gconstpointer data)
{
  static const char *const needed[] = { "assigned", "poll",      "verified",  "refused",
                                        "again",    "challenge", "looked-up", "DPS-E309",
                                        "DPS-E311", "DPS-E312",  "DPS-E313",  "DPS-E401",
                                        "DPS-E405", "DPS-E406",  "DPS-E415" };
  gint64 started = g_get_monotonic_time ();
  gint64 first = only >= 0 ? only : 0;
  gint64 end = only >= 0 ? only + 1 : n_cases;
  gsize heap = 0, memory = 0;

  for (gint64 i = first; i < end; i++)
    {
      g_autoptr (Answer) answer = answer_generate ((guint64) seed, (guint64) i);

      play (self, answer);
      if (i == n_cases / 10)
        {
          heap = live_heap ();
          memory = resident ();
        }
    }
  g_assert_cmpuint (self->wrong, ==, 0);
  if (only >= 0)
    return;
  print_figures (self, started);
  for (gsize i = 0; i < G_N_ELEMENTS (needed); i++)
    if (times_of (self, needed[i]) == 0)
      g_error ("no answer became %s", needed[i]);
  g_print ("# FIGURE memory over them: live heap %+" G_GSSIZE_FORMAT
           " KiB, resident %+" G_GSSIZE_FORMAT " KiB; largest body %zu bytes\n",
           (gssize) (live_heap () - heap) / 1024,
           (gssize) (resident () - memory) / 1024,
           self->largest_body);
  g_assert_cmpint ((gssize) (live_heap () - heap), <, GROWTH_MAX);
}

/* Same seed, same bytes, on every machine; but zlib may compress otherwise some day. */
static void
test_same_bytes (void)
{
  g_autoptr (GChecksum) sum = g_checksum_new (G_CHECKSUM_SHA256);

  for (guint64 i = 0; i < 200; i++)
    {
      g_autoptr (Answer) answer = answer_generate (7, i);
      g_autoptr (Answer) again = answer_generate (7, i);

      g_assert_cmpmem (answer->bytes->str,
                       answer->bytes->len,
                       again->bytes->str,
                       again->bytes->len);
      if (strstr (answer->story->str, "gzip") == NULL)
        g_checksum_update (sum,
                           (const guchar *) answer->bytes->str,
                           (gssize) answer->bytes->len);
    }
  g_assert_cmpstr (g_checksum_get_string (sum), ==, SUM_OF_SEED_7);
}

int
main (int argc, char **argv)
{
  const GOptionEntry entries[] = {
    { "cases", 0, 0, G_OPTION_ARG_INT64, &n_cases, "How many (10000)", "N" },
    { "from", 0, 0, G_OPTION_ARG_INT64, &seed, "The seed they are made from", "N" },
    { "only", 0, 0, G_OPTION_ARG_INT64, &only, "Plays one and shows it", "NUMBER" },
    { NULL },
  };
  g_autoptr (GOptionContext) context = g_option_context_new (NULL);
  g_autoptr (GError) error = NULL;

  g_test_init (&argc, &argv, NULL);
  g_option_context_add_main_entries (context, entries, NULL);
  if (!g_option_context_parse (context, &argc, &argv, &error))
    g_error ("%s", error->message);
  g_test_add_func ("/answers/same-seed-same-bytes", test_same_bytes);
  g_test_add ("/answers/valid", Player, NULL, setup, test_catalogue, teardown);
  g_test_add ("/answers/mutated", Player, NULL, setup, test_mutated, teardown);
  return g_test_run ();
}
