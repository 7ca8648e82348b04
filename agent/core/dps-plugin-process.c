/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "core/dps-plugin-process.h"

static guint n_processes;

static void
process_free (DpsPluginProcess *self)
{
  n_processes--;
  g_clear_pointer (&self->terms.settings, g_variant_unref);
  g_clear_pointer (&self->terms.secrets, g_hash_table_unref);
  g_clear_object (&self->proxy);
  g_clear_object (&self->connection);
  g_clear_pointer (&self->child, dps_plugin_child_free);
  g_free (self);
}

static void
maybe_gone (DpsPluginProcess *self)
{
  if (!self->ending || !self->closed || !self->reaped)
    return;
  if (self->gone != NULL)
    self->gone (self->data);
  process_free (self);
}

static void
tell_lost (DpsPluginProcess *self)
{
  void (*lost) (gpointer data) = self->lost;

  self->lost = NULL;
  if (lost != NULL)
    lost (self->data);
}

static void
on_ended (int wait_status, gpointer data)
{
  DpsPluginProcess *self = data;

  self->wait_status = wait_status;
  self->reaped = TRUE;
  if (self->ending)
    maybe_gone (self);
  else
    tell_lost (self);
}

DpsPluginProcess *
dps_plugin_process_spawn (const char *host_path,
                          const char *plugin_dir,
                          const char *name,
                          const DpsPluginTerms *terms,
                          GError **error)
{
  DpsPluginProcess *self = g_new0 (DpsPluginProcess, 1);

  n_processes++;
  self->terms = *terms;
  self->terms.settings = g_variant_ref (terms->settings);
  self->terms.secrets = g_hash_table_ref (terms->secrets);
  self->spawned = g_get_monotonic_time ();
  self->child = dps_plugin_child_spawn (host_path,
                                        plugin_dir,
                                        name,
                                        terms->allowed,
                                        on_ended,
                                        self,
                                        error);
  if (self->child == NULL)
    {
      process_free (self);
      return NULL;
    }
  return self;
}

static void
on_closed (GDBusConnection *connection, gboolean vanished, GError *error, gpointer data)
{
  DpsPluginProcess *self = data;

  /* The peer is there, and still the bus library gave up: it could not read what came. */
  self->garbled = !vanished && error != NULL;
  if (!self->ending)
    tell_lost (self);
}

void
dps_plugin_process_connect (DpsPluginProcess *self, GDBusConnection *connection)
{
  self->connection = connection;
  g_signal_connect (connection, "closed", G_CALLBACK (on_closed), self);
}

gboolean
dps_plugin_process_is_usable (DpsPluginProcess *self)
{
  GSocket *socket;

  if (self->reaped || self->ending || g_dbus_connection_is_closed (self->connection))
    return FALSE;
  socket = g_socket_connection_get_socket (
      G_SOCKET_CONNECTION (g_dbus_connection_get_stream (self->connection)));
  return !g_socket_is_closed (socket) && g_socket_condition_check (socket, G_IO_HUP) == 0;
}

static gboolean
same_secrets (GHashTable *a, GHashTable *b)
{
  GHashTableIter iter;
  gpointer name, secret;

  if (g_hash_table_size (a) != g_hash_table_size (b))
    return FALSE;
  g_hash_table_iter_init (&iter, a);
  while (g_hash_table_iter_next (&iter, &name, &secret))
    {
      DpsSecret *other = g_hash_table_lookup (b, name);

      if (other == NULL || !dps_secret_equal (secret, other))
        return FALSE;
    }
  return TRUE;
}

gboolean
dps_plugin_process_serves (DpsPluginProcess *self, const DpsPluginTerms *terms)
{
  return self->terms.allowed == terms->allowed && self->terms.tpm == terms->tpm &&
         g_variant_equal (self->terms.settings, terms->settings) &&
         same_secrets (self->terms.secrets, terms->secrets);
}

void
dps_plugin_process_watch (DpsPluginProcess *self,
                          void (*lost) (gpointer data),
                          gpointer data)
{
  self->lost = lost;
  self->data = data;
}

static void
on_connection_closed (GObject *source, GAsyncResult *result, gpointer data)
{
  DpsPluginProcess *self = data;

  /* Closed already is closed as well. */
  g_dbus_connection_close_finish (G_DBUS_CONNECTION (source), result, NULL);
  g_signal_handlers_disconnect_by_data (source, self);
  self->closed = TRUE;
  maybe_gone (self);
}

GIOStream *
dps_plugin_process_steal_stream (DpsPluginProcess *self)
{
  return dps_plugin_child_steal_stream (self->child);
}

void
dps_plugin_process_kill (DpsPluginProcess *self)
{
  dps_plugin_child_kill (self->child);
}

void
dps_plugin_process_end (DpsPluginProcess *self,
                        void (*gone) (gpointer data),
                        gpointer data)
{
  self->gone = gone;
  self->data = data;
  if (self->ending)
    return;
  self->ending = TRUE;
  dps_plugin_child_kill (self->child);
  if (self->connection != NULL)
    g_dbus_connection_close (self->connection, NULL, on_connection_closed, self);
  else
    self->closed = TRUE;
  maybe_gone (self);
}

guint
dps_plugin_process_count (void)
{
  return n_processes;
}
