/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "plugin-check/dps-check-rules.h"
#include "plugin-check/dps-check-run.h"
#include "plugin-check/dps-check-trace.h"

#include <string.h>

#define PLANTED_BYTES 48

void
dps_check_note_secrets (DpsCheckRun *self)
{
  GHashTableIter iter;
  gpointer name, secret;

  g_hash_table_iter_init (&iter, self->plan->secrets);
  while (g_hash_table_iter_next (&iter, &name, &secret))
    if (!g_hash_table_contains (self->plan->published, name))
      g_ptr_array_add (self->needles,
                       g_bytes_new (dps_secret_data (secret), dps_secret_size (secret)));
}

/* A secret of each sort that a plugin may take for a bad one: bytes, a line of base64,
 * the same with a fault. */
static DpsSecret *
make_planted (guint sort)
{
  g_autoptr (DpsSecret) bytes = dps_check_make_bytes (PLANTED_BYTES);
  g_autofree char *text = NULL;

  if (sort == 0)
    return g_steal_pointer (&bytes);
  text = g_base64_encode (dps_secret_data (bytes), PLANTED_BYTES);
  if (sort == 2)
    text[20] = '!';
  return dps_secret_new (text, strlen (text));
}

static GHashTable *
make_planted_secrets (DpsCheckRun *self, guint sort)
{
  GHashTable *secrets = g_hash_table_new_full (g_str_hash,
                                               g_str_equal,
                                               NULL,
                                               (GDestroyNotify) dps_secret_unref);

  for (guint i = 0; i < self->exercise->secrets->len; i++)
    {
      DpsSecret *planted = make_planted (sort);

      g_ptr_array_add (self->needles,
                       g_bytes_new (dps_secret_data (planted),
                                    dps_secret_size (planted)));
      g_hash_table_insert (secrets, self->exercise->secrets->pdata[i], planted);
    }
  return secrets;
}

/* Lets every verb meet secrets that nobody has seen before. */
static void
plant (DpsCheckRun *self, guint sort)
{
  g_autoptr (GHashTable) secrets = make_planted_secrets (self, sort);
  g_autoptr (DpsSecret) bytes = dps_check_make_bytes (32);
  g_autoptr (GBytes) data = g_bytes_new_static ("data", 4);
  DpsCheckInput input = {
    self->plan->settings, secrets, "hub", "HMAC-SHA256", bytes, data
  };

  for (DpsCheckVerb verb = 0; verb < DPS_CHECK_N_VERBS; verb++)
    {
      g_autoptr (DpsCheckOutcome) out = NULL;

      if (!self->exercise->has[verb])
        continue;
      out = dps_check_run_call (self, verb, &input);
      if (out != NULL && out->probe != NULL)
        g_ptr_array_add (self->texts, g_strdup (out->probe->reason));
      if (out != NULL && out->description != NULL)
        dps_check_run_note (self, out->description);
    }
}

/* The form of a trace that text has, or NULL. */
static const char *
find_trace_in (const DpsCheckRun *self, const char *text)
{
  const char *form = NULL;

  for (guint n = 0; n < self->needles->len && form == NULL; n++)
    {
      gsize size;
      const guint8 *secret = g_bytes_get_data (self->needles->pdata[n], &size);

      form = dps_check_find_trace (text, secret, size);
    }
  return form;
}

/* The same for any of texts. */
static const char *
find_trace (const DpsCheckRun *self, const GPtrArray *texts, const char **text)
{
  const char *form = NULL;

  for (guint i = 0; i < texts->len && form == NULL; i++)
    {
      *text = texts->pdata[i];
      form = find_trace_in (self, *text);
    }
  return form;
}

const char *
dps_check_run_quote (const DpsCheckRun *self, const char *text)
{
  return find_trace_in (self, text) == NULL
             ? text
             : "(not shown: it has a part of a secret, see below)";
}

void
dps_check_secrets (DpsCheckRun *self)
{
  const char *text, *form;

  for (guint sort = 0; sort < 3 && self->exercise->secrets->len > 0; sort++)
    plant (self, sort);
  form = find_trace (self, self->host.log, &text);
  if (form != NULL)
    dps_check_report_fail (self->report,
                           &dps_check_secrets_rule,
                           "a log line has a part of a secret %s (%u characters, not "
                           "shown)",
                           form,
                           (guint) strlen (text));
  else if ((form = find_trace (self, self->texts, &text)) != NULL)
    dps_check_report_fail (self->report,
                           &dps_check_secrets_rule,
                           "what it says or describes has a part of a secret %s (%u"
                           " characters, not shown)",
                           form,
                           (guint) strlen (text));
  else if (self->needles->len == 0)
    dps_check_report_skip (self->report,
                           &dps_check_secrets_rule,
                           "it asks for no secret and has none");
  else
    dps_check_report_ok (self->report,
                         &dps_check_secrets_rule,
                         "%u secrets, none in %u texts and %u log lines",
                         self->needles->len,
                         self->texts->len,
                         self->host.log->len);
}
