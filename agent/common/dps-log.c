/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "common/dps-log.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define OWN_DOMAIN "dps-agent"
#define FOREIGN_MAX 512 /* bytes */

static gboolean to_journal;
static gboolean show_debug;

static const char *
priority_of (GLogLevelFlags level)
{
  if (level & (G_LOG_LEVEL_ERROR | G_LOG_LEVEL_CRITICAL))
    return "3";
  if (level & G_LOG_LEVEL_WARNING)
    return "4";
  if (level & G_LOG_LEVEL_MESSAGE)
    return "5";
  return level & G_LOG_LEVEL_INFO ? "6" : "7";
}

static const char *
field (const GLogField *fields, gsize n_fields, const char *key)
{
  for (gsize i = 0; i < n_fields; i++)
    if (strcmp (fields[i].key, key) == 0)
      return fields[i].value;
  return NULL;
}

static GLogWriterOutput
write_line (GLogLevelFlags level, const GLogField *fields, gsize n_fields)
{
  gboolean critical = (level & (G_LOG_LEVEL_CRITICAL | G_LOG_LEVEL_ERROR)) != 0;
  const char *message = field (fields, n_fields, "MESSAGE");
  const char *topic = field (fields, n_fields, "DPS_TOPIC");
  const char *object = field (fields, n_fields, "DPS_OBJECT");
  const char *code = field (fields, n_fields, "DPS_CODE");

  /* One call, so that lines of several threads do not mix. */
  fprintf (stderr,
           "%s: %s%s%s%s%s%s%s%s\n",
           g_get_prgname (),
           critical ? "CRITICAL: " : "",
           topic ? topic : "",
           object ? " " : "",
           object ? object : "",
           topic ? ": " : "",
           code ? code : "",
           code ? " " : "",
           message ? message : "");
  return G_LOG_WRITER_HANDLED;
}

/* What a library says may quote what a peer sent: GLib prints all the bytes of a D-Bus
 * message that it can not read. The first line is enough; NULL = it is one. */
static char *
cut_foreign (const char *domain, const char *message)
{
  g_autofree char *line = NULL;
  gsize length;

  if (message == NULL || g_strcmp0 (domain, OWN_DOMAIN) == 0)
    return NULL;
  length = MIN (strcspn (message, "\n"), FOREIGN_MAX);
  if (message[length] == '\0')
    return NULL;
  line = g_strndup (message, length);
  return g_utf8_make_valid (line, -1);
}

static GLogWriterOutput
write_fields (GLogLevelFlags level, const GLogField *fields, gsize n_fields)
{
  if (to_journal &&
      g_log_writer_journald (level, fields, n_fields, NULL) == G_LOG_WRITER_HANDLED)
    return G_LOG_WRITER_HANDLED;
  return write_line (level, fields, n_fields);
}

static GLogWriterOutput
writer (GLogLevelFlags level, const GLogField *fields, gsize n_fields, gpointer data)
{
  g_autofree GLogField *copy = NULL;
  g_autofree char *cut = NULL;

  if ((level & G_LOG_LEVEL_DEBUG) && !show_debug)
    return G_LOG_WRITER_HANDLED;
  cut = cut_foreign (field (fields, n_fields, "GLIB_DOMAIN"),
                     field (fields, n_fields, "MESSAGE"));
  if (cut == NULL)
    return write_fields (level, fields, n_fields);
  copy = g_memdup2 (fields, n_fields * sizeof *fields);
  for (gsize i = 0; i < n_fields; i++)
    if (strcmp (copy[i].key, "MESSAGE") == 0)
      copy[i] = (GLogField){ "MESSAGE", cut, -1 };
  return write_fields (level, copy, n_fields);
}

void
dps_log_init (const char *program, gboolean debug)
{
  g_set_prgname (program);
  show_debug = debug;
  to_journal = g_log_writer_is_journald (STDERR_FILENO);
  g_log_set_writer_func (writer, NULL, NULL);
}

void
dps_log_message_id (const char *code, char id[DPS_LOG_MESSAGE_ID_SIZE])
{
  /* 28 digits drawn once; the last four are those of the code. */
  g_snprintf (id,
              DPS_LOG_MESSAGE_ID_SIZE,
              "b7a4c1f25e0d4d3c8f6a91d27c50%04u",
              (guint) g_ascii_strtoull (code + strcspn (code, "0123456789"), NULL, 10));
}

void
dps_log_full (GLogLevelFlags level, const DpsLogContext *context, const char *format, ...)
{
  g_autofree char *message = NULL;
  char id[DPS_LOG_MESSAGE_ID_SIZE];
  GLogField fields[7] = { { "MESSAGE", NULL, -1 },
                          { "PRIORITY", priority_of (level), -1 },
                          { "GLIB_DOMAIN", OWN_DOMAIN, -1 },
                          { "DPS_TOPIC", context->topic, -1 } };
  gsize n = 4;
  va_list args;

  va_start (args, format);
  message = g_strdup_vprintf (format, args);
  va_end (args);
  fields[0].value = message;
  if (context->object != NULL)
    fields[n++] = (GLogField){ "DPS_OBJECT", context->object, -1 };
  if (context->code != NULL)
    {
      dps_log_message_id (context->code, id);
      fields[n++] = (GLogField){ "DPS_CODE", context->code, -1 };
      fields[n++] = (GLogField){ "MESSAGE_ID", id, -1 };
    }
  g_log_structured_array (level, fields, n);
}
