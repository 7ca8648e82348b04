/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "core/dps-tpm-watch.h"
#include "common/dps-io.h"
#include "tpm/dps-tpm-device.h"

#include <gio/gio.h>

/* Rights come after the node, and listening after the socket, which nobody tells of: it
 * is tried for some seconds after each event. */
#define FIRST_TRY_MS 50
#define TRIES 7

struct _DpsTpmWatch
{
  char *tcti;
  void (*appeared) (gpointer data);
  gpointer data;
  GFileMonitor *monitor;
  guint timer;
  guint wait; /* ms, doubled with each try */
};

gboolean
dps_tpm_watch_is_there (const char *tcti)
{
  dps_autofd fd = dps_tpm_device_open (tcti, NULL);

  return fd >= 0;
}

static gboolean
on_try (gpointer data)
{
  DpsTpmWatch *self = data;

  self->timer = 0;
  if (dps_tpm_watch_is_there (self->tcti))
    {
      g_clear_object (&self->monitor);
      self->appeared (self->data);
      return G_SOURCE_REMOVE;
    }
  self->wait *= 2;
  if (self->wait < FIRST_TRY_MS << TRIES)
    self->timer = g_timeout_add (self->wait, on_try, self);
  return G_SOURCE_REMOVE;
}

static void
on_changed (GFileMonitor *monitor,
            GFile *file,
            GFile *other,
            GFileMonitorEvent event,
            gpointer data)
{
  DpsTpmWatch *self = data;

  /* Commands are written to it all the time, by others too. */
  if (event != G_FILE_MONITOR_EVENT_CREATED &&
      event != G_FILE_MONITOR_EVENT_ATTRIBUTE_CHANGED)
    return;
  g_clear_handle_id (&self->timer, g_source_remove);
  self->wait = FIRST_TRY_MS;
  self->timer = g_timeout_add (self->wait, on_try, self);
}

DpsTpmWatch *
dps_tpm_watch_new (const char *tcti, void (*appeared) (gpointer data), gpointer data)
{
  DpsTpmWatch *self = g_new0 (DpsTpmWatch, 1);
  g_autoptr (GFile) file = g_file_new_for_path (dps_tpm_device_path (tcti));

  self->tcti = g_strdup (tcti);
  self->appeared = appeared;
  self->data = data;
  /* NULL, which no local path is known to give, leaves the wait as it is. */
  self->monitor = g_file_monitor_file (file, G_FILE_MONITOR_NONE, NULL, NULL);
  if (self->monitor != NULL)
    g_signal_connect (self->monitor, "changed", G_CALLBACK (on_changed), self);
  return self;
}

void
dps_tpm_watch_free (DpsTpmWatch *self)
{
  g_clear_handle_id (&self->timer, g_source_remove);
  if (self->monitor != NULL)
    g_signal_handlers_disconnect_by_data (self->monitor, self);
  g_clear_object (&self->monitor);
  g_free (self->tcti);
  g_free (self);
}
