/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "relay-ledger.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct
{
  guint total, nv_writes, errors, injected, clients, left_objects, left_sessions;
} Counts;

struct _Ledger
{
  char *path;
  char *aside; /* what becomes path */
  FILE *record;
  Counts counts;
  GTree *commands; /* name to count */
};

static void
must (gboolean done, const char *what, const char *path)
{
  if (done)
    return;
  g_printerr ("relay: %s '%s': %s\n", what, path, g_strerror (errno));
  exit (1);
}

static int
compare_names (gconstpointer a, gconstpointer b, gpointer data)
{
  return strcmp (a, b);
}

static gboolean
print_command (gpointer name, gpointer count, gpointer data)
{
  FILE *file = data;

  fprintf (file,
           "%s\"%s\": %u",
           ftell (file) > 0 ? ", " : "",
           (char *) name,
           GPOINTER_TO_UINT (count));
  return FALSE;
}

static void
write_counts (Ledger *self)
{
  const Counts *c = &self->counts;
  char *commands = NULL;
  size_t size;
  FILE *file;

  if (self->path == NULL)
    return;
  file = open_memstream (&commands, &size);
  g_tree_foreach (self->commands, print_command, file);
  fclose (file);
  file = fopen (self->aside, "we");
  must (file != NULL, "cannot write", self->aside);
  fprintf (file,
           "{\"total\": %u, \"nv_writes\": %u, \"errors\": %u, \"injected\": %u, "
           "\"clients\": %u, \"left_objects\": %u, \"left_sessions\": %u, "
           "\"commands\": {%s}}\n",
           c->total,
           c->nv_writes,
           c->errors,
           c->injected,
           c->clients,
           c->left_objects,
           c->left_sessions,
           commands);
  free (commands);
  must (fclose (file) == 0 && rename (self->aside, self->path) == 0,
        "cannot replace",
        self->path);
}

static void
write_record (Ledger *self, guint client, char direction, const guint8 *data, gsize size)
{
  if (self->record == NULL)
    return;
  fprintf (self->record,
           "%" G_GINT64_FORMAT " %u %c ",
           g_get_real_time (),
           client,
           direction);
  for (gsize i = 0; i < size; i++)
    fprintf (self->record, "%02x", data[i]);
  fputc ('\n', self->record);
  must (fflush (self->record) == 0, "cannot write", "record");
}

Ledger *
ledger_new (const char *counts, const char *record)
{
  Ledger *self = g_new0 (Ledger, 1);

  self->commands = g_tree_new_full (compare_names, NULL, g_free, NULL);
  if (counts != NULL)
    {
      self->path = g_strdup (counts);
      self->aside = g_strconcat (counts, ".new", NULL);
    }
  if (record != NULL)
    {
      self->record = fopen (record, "ae");
      must (self->record != NULL, "cannot write", record);
    }
  write_counts (self);
  return self;
}

void
ledger_free (Ledger *self)
{
  g_tree_unref (self->commands);
  if (self->record != NULL)
    fclose (self->record);
  g_free (self->path);
  g_free (self->aside);
  g_free (self);
}

void
ledger_reset (Ledger *self)
{
  memset (&self->counts, 0, sizeof self->counts);
  g_tree_remove_all (self->commands);
  write_counts (self);
}

void
ledger_client (Ledger *self)
{
  self->counts.clients++;
  write_counts (self);
}

void
ledger_command (Ledger *self,
                guint client,
                const char *name,
                const guint8 *data,
                gsize size)
{
  guint count = GPOINTER_TO_UINT (g_tree_lookup (self->commands, name));

  g_tree_insert (self->commands, g_strdup (name), GUINT_TO_POINTER (count + 1));
  self->counts.total++;
  write_record (self, client, '>', data, size);
  write_counts (self);
}

void
ledger_response (Ledger *self,
                 guint client,
                 const TpmCommandKind *kind,
                 guint32 code,
                 const guint8 *data,
                 gsize size)
{
  write_record (self, client, '<', data, size);
  if (code != 0)
    self->counts.errors++;
  else if (kind != NULL && kind->nv)
    self->counts.nv_writes++;
  else
    return;
  write_counts (self);
}

void
ledger_injected (Ledger *self, guint client, const guint8 *data, gsize size)
{
  if (size > 0)
    write_record (self, client, '!', data, size);
  self->counts.injected++;
  write_counts (self);
}

void
ledger_garbage (Ledger *self, guint client, const guint8 *data, gsize size)
{
  write_record (self, client, '?', data, size);
}

void
ledger_left (Ledger *self, guint objects, guint sessions)
{
  self->counts.left_objects += objects;
  self->counts.left_sessions += sessions;
  write_counts (self);
}
