/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "relay-faults.h"
#include "tpm-message.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct _Faults
{
  char *path;
  struct stat read; /* of what was read last */
  GArray *list;
};

static const struct
{
  const char *name;
  FaultAction action;
  gboolean argument;
} actions[] = {
  { "rc", FAULT_RC, TRUE },       { "bytes", FAULT_BYTES, TRUE },
  { "delay", FAULT_DELAY, TRUE }, { "hang", FAULT_HANG, FALSE },
  { "cut", FAULT_CUT, FALSE },    { "lose", FAULT_LOSE, FALSE },
};

static void
clear_fault (gpointer data)
{
  Fault *fault = data;

  g_clear_pointer (&fault->command, g_free);
  g_clear_pointer (&fault->bytes, g_bytes_unref);
}

Faults *
faults_new (const char *path)
{
  Faults *self = g_new0 (Faults, 1);

  self->path = g_strdup (path);
  self->list = g_array_new (FALSE, TRUE, sizeof (Fault));
  g_array_set_clear_func (self->list, clear_fault);
  return self;
}

void
faults_free (Faults *self)
{
  g_array_unref (self->list);
  g_free (self->path);
  g_free (self);
}

static gboolean
parse_number (const char *word, int base, guint64 max, guint32 *value)
{
  guint64 number;

  if (word == NULL)
    return FALSE;
  if (base == 16 && g_str_has_prefix (word, "0x"))
    word += 2;
  if (!g_ascii_string_to_unsigned (word, (guint) base, 0, max, &number, NULL))
    return FALSE;
  *value = (guint32) number;
  return TRUE;
}

static gboolean
parse_argument (Fault *fault, const char *word)
{
  switch (fault->action)
    {
    case FAULT_RC:
      return parse_number (word, 16, G_MAXUINT32, &fault->number);
    case FAULT_DELAY:
      return parse_number (word, 10, G_MAXINT32, &fault->number);
    case FAULT_BYTES:
      fault->bytes = word != NULL ? tpm_bytes_from_hex (word) : NULL;
      return fault->bytes != NULL;
    default:
      return FALSE;
    }
}

/* words: COMMAND NTH ACTION [ARGUMENT] [TIMES] */
static gboolean
parse_fault (char **words, Fault *fault)
{
  guint at = 3;
  const TpmCommandKind *kind;

  if (g_strv_length (words) < at)
    return FALSE;
  kind = tpm_command_kind_by_name (words[0]);
  if (kind == NULL && strcmp (words[0], "*") != 0)
    return FALSE;
  fault->command = g_strdup (kind != NULL ? kind->name : words[0]);
  fault->times = 1;
  if (!parse_number (words[1], 10, G_MAXUINT32, &fault->nth))
    return FALSE;
  for (guint i = 0; i < G_N_ELEMENTS (actions); i++)
    if (strcmp (words[2], actions[i].name) == 0)
      {
        fault->action = actions[i].action;
        if (actions[i].argument && !parse_argument (fault, words[at++]))
          return FALSE;
      }
  if (fault->action == FAULT_NONE)
    return FALSE;
  return words[at] == NULL || (parse_number (words[at], 10, G_MAXUINT32, &fault->times) &&
                               words[at + 1] == NULL);
}

static void
parse_line (Faults *self, char *line)
{
  g_auto (GStrv) all = NULL;
  g_autoptr (GPtrArray) words = g_ptr_array_new ();
  Fault fault = { 0 };

  line[strcspn (line, "#")] = '\0';
  all = g_strsplit_set (line, " \t", -1);
  for (guint i = 0; all[i] != NULL; i++)
    if (*all[i] != '\0')
      g_ptr_array_add (words, all[i]);
  if (words->len == 0)
    return;
  g_ptr_array_add (words, NULL);
  if (!parse_fault ((char **) words->pdata, &fault))
    {
      g_printerr ("relay: %s: '%s' is no fault\n", self->path, line);
      exit (1);
    }
  g_array_append_val (self->list, fault);
}

static void
read_again (Faults *self)
{
  struct stat now;
  g_autofree char *text = NULL;
  g_auto (GStrv) lines = NULL;

  if (self->path == NULL)
    return;
  if (stat (self->path, &now) != 0)
    memset (&now, 0, sizeof now);
  if (now.st_ino == self->read.st_ino &&
      now.st_mtim.tv_sec == self->read.st_mtim.tv_sec &&
      now.st_mtim.tv_nsec == self->read.st_mtim.tv_nsec)
    return;
  self->read = now;
  g_array_set_size (self->list, 0);
  if (!g_file_get_contents (self->path, &text, NULL, NULL))
    return;
  lines = g_strsplit (text, "\n", -1);
  for (guint i = 0; lines[i] != NULL; i++)
    parse_line (self, lines[i]);
}

const Fault *
faults_next (Faults *self, const char *command)
{
  const Fault *found = NULL;

  read_again (self);
  for (guint i = 0; i < self->list->len; i++)
    {
      Fault *fault = &g_array_index (self->list, Fault, i);

      if (strcmp (fault->command, "*") != 0 && strcmp (fault->command, command) != 0)
        continue;
      fault->seen++;
      if (found == NULL && fault->seen >= fault->nth &&
          fault->seen - fault->nth < fault->times)
        found = fault;
    }
  return found;
}
