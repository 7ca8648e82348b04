/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "em-log.h"

#include "em-json.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

struct _EmLog
{
  GMutex lock;
  FILE *file;
};

EmLog *
em_log_open (const char *path, int mode, GError **error)
{
  EmLog *self;
  FILE *file = NULL;

  if (g_strcmp0 (path, "-") == 0)
    file = stdout;
  else if (path != NULL)
    {
      int fd = open (path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, mode);

      file = fd >= 0 ? fdopen (fd, "a") : NULL;
      if (file == NULL)
        {
          g_set_error (error,
                       G_IO_ERROR,
                       g_io_error_from_errno (errno),
                       "opening log '%s': %s",
                       path,
                       g_strerror (errno));
          return NULL;
        }
    }

  self = g_new0 (EmLog, 1);
  g_mutex_init (&self->lock);
  self->file = file;
  return self;
}

void
em_log_free (EmLog *self)
{
  if (self->file != NULL && self->file != stdout)
    fclose (self->file);
  g_mutex_clear (&self->lock);
  g_free (self);
}

JsonObject *
em_log_line (const char *event, gint64 time)
{
  JsonObject *line = json_object_new ();

  json_object_set_int_member (line, "time", time);
  json_object_set_string_member (line, "event", event);
  return line;
}

void
em_log_write (EmLog *self, JsonObject *line)
{
  g_autoptr (JsonNode) root = json_node_alloc ();
  g_autofree char *text = NULL;

  json_node_init (root, JSON_NODE_OBJECT);
  json_node_take_object (root, line);
  if (self->file == NULL)
    return;

  text = em_json_text (root);
  g_mutex_lock (&self->lock);
  fprintf (self->file, "%s\n", text);
  fflush (self->file);
  g_mutex_unlock (&self->lock);
}
