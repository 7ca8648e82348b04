/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "bus/dps-presence.h"
#include "common/dps-error.h"
#include "common/dps-log.h"

#include <systemd/sd-daemon.h>

#define BUS "org.freedesktop.DBus"
#define BUS_PATH "/org/freedesktop/DBus"
#define BUS_TIMEOUT_MS 25000
#define REQUEST_NAME_DO_NOT_QUEUE 4u
#define REQUEST_NAME_PRIMARY_OWNER 1
#define REQUEST_NAME_ALREADY_OWNER 4

typedef enum
{
  PRESENT,
  RELEASING, /* ReleaseName is on its way */
  DRAINING,  /* the name is gone; serving what had come before */
  LEFT
} Phase;

struct _DpsPresence
{
  GObject parent;
  GDBusConnection *connection;
  char *name;
  guint idle_ms;
  void (*left) (gpointer data);
  gpointer left_data;
  Phase phase;
  gboolean must_leave;
  GHashTable *holds; /* reason → count */
  guint n_holds;
  guint timer;
  guint filter;
  gint heard; /* atomic: messages came since the timer was set */
};

G_DEFINE_FINAL_TYPE (DpsPresence, dps_presence, G_TYPE_OBJECT)

static void consider (DpsPresence *self);

static void
dps_presence_finalize (GObject *object)
{
  DpsPresence *self = DPS_PRESENCE (object);

  g_clear_handle_id (&self->timer, g_source_remove);
  if (self->filter != 0)
    g_dbus_connection_remove_filter (self->connection, self->filter);
  g_hash_table_unref (self->holds);
  g_object_unref (self->connection);
  g_free (self->name);
  G_OBJECT_CLASS (dps_presence_parent_class)->finalize (object);
}

static void
dps_presence_class_init (DpsPresenceClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = dps_presence_finalize;
}

static void
dps_presence_init (DpsPresence *self)
{
  self->holds = g_hash_table_new (g_str_hash, g_str_equal);
}

/* Runs in GDBus's own thread; property reads never reach a handler of ours. */
static GDBusMessage *
on_message (GDBusConnection *connection,
            GDBusMessage *message,
            gboolean incoming,
            gpointer data)
{
  if (incoming &&
      g_dbus_message_get_message_type (message) == G_DBUS_MESSAGE_TYPE_METHOD_CALL)
    g_atomic_int_set (&DPS_PRESENCE (data)->heard, 1);
  return message;
}

DpsPresence *
dps_presence_new (GDBusConnection *connection,
                  const char *name,
                  guint idle_ms,
                  void (*left) (gpointer data),
                  gpointer data)
{
  DpsPresence *self = g_object_new (DPS_TYPE_PRESENCE, NULL);

  self->connection = g_object_ref (connection);
  self->name = g_strdup (name);
  self->idle_ms = idle_ms;
  self->left = left;
  self->left_data = data;
  self->filter = g_dbus_connection_add_filter (connection, on_message, self, NULL);
  return self;
}

static guint32
read_code (GVariant *reply)
{
  guint32 code = 0;

  g_variant_get (reply, "(u)", &code);
  return code;
}

gboolean
dps_presence_enter (DpsPresence *self, GError **error)
{
  g_autoptr (GVariant) reply =
      g_dbus_connection_call_sync (self->connection,
                                   BUS,
                                   BUS_PATH,
                                   BUS,
                                   "RequestName",
                                   g_variant_new ("(su)",
                                                  self->name,
                                                  REQUEST_NAME_DO_NOT_QUEUE),
                                   G_VARIANT_TYPE ("(u)"),
                                   G_DBUS_CALL_FLAGS_NONE,
                                   BUS_TIMEOUT_MS,
                                   NULL,
                                   error);

  if (reply == NULL)
    {
      g_prefix_error (error, "asking the bus for the name %s: ", self->name);
      return FALSE;
    }
  if (read_code (reply) != REQUEST_NAME_PRIMARY_OWNER &&
      read_code (reply) != REQUEST_NAME_ALREADY_OWNER)
    {
      g_set_error (error,
                   DPS_ERROR,
                   DPS_ERROR_BUSY,
                   "the name %s has another owner on this bus",
                   self->name);
      return FALSE;
    }
  self->phase = PRESENT;
  consider (self);
  return TRUE;
}

static void
finish (DpsPresence *self)
{
  self->phase = LEFT;
  self->left (self->left_data);
}

/* Comes after every call that had been queued: those are dispatched at a higher priority.
 */
static gboolean
on_drained (gpointer data)
{
  DpsPresence *self = data;

  if (self->phase != DRAINING)
    return G_SOURCE_REMOVE;
  if (self->n_holds == 0 || self->must_leave)
    finish (self);
  else if (!dps_presence_enter (self, NULL))
    /* The last calls began something long, and the name went to the next process: stay
     * nameless until it is done (dps_presence_release() looks again). */
    self->phase = DRAINING;
  return G_SOURCE_REMOVE;
}

static void
on_name_released (GObject *source, GAsyncResult *result, gpointer data)
{
  g_autoptr (DpsPresence) self = data;
  g_autoptr (GVariant) reply =
      g_dbus_connection_call_finish (G_DBUS_CONNECTION (source), result, NULL);

  self->phase = DRAINING;
  g_idle_add_full (G_PRIORITY_LOW, on_drained, g_object_ref (self), g_object_unref);
}

static void
release_name (DpsPresence *self)
{
  self->phase = RELEASING;
  sd_notify (FALSE, "STOPPING=1");
  g_dbus_connection_call (self->connection,
                          BUS,
                          BUS_PATH,
                          BUS,
                          "ReleaseName",
                          g_variant_new ("(s)", self->name),
                          G_VARIANT_TYPE ("(u)"),
                          G_DBUS_CALL_FLAGS_NONE,
                          BUS_TIMEOUT_MS,
                          NULL,
                          on_name_released,
                          g_object_ref (self));
}

static gboolean
on_idle (gpointer data)
{
  DpsPresence *self = data;

  if (g_atomic_int_compare_and_exchange (&self->heard, 1, 0))
    return G_SOURCE_CONTINUE;
  self->timer = 0;
  dps_debug ((TOPIC ("bus")), "nothing to do, leaving");
  release_name (self);
  return G_SOURCE_REMOVE;
}

/* Sets or clears the idle timer by what holds now. */
static void
consider (DpsPresence *self)
{
  g_clear_handle_id (&self->timer, g_source_remove);
  if (self->phase != PRESENT)
    return;
  if (self->must_leave)
    release_name (self);
  else if (self->n_holds == 0 && self->idle_ms > 0)
    {
      g_atomic_int_set (&self->heard, 0);
      self->timer = g_timeout_add (self->idle_ms, on_idle, self);
    }
}

void
dps_presence_hold (DpsPresence *self, const char *reason)
{
  guint count = GPOINTER_TO_UINT (g_hash_table_lookup (self->holds, reason));

  g_hash_table_insert (self->holds, (gpointer) reason, GUINT_TO_POINTER (count + 1));
  self->n_holds++;
  if (self->n_holds == 1)
    consider (self);
}

void
dps_presence_release (DpsPresence *self, const char *reason)
{
  guint count = GPOINTER_TO_UINT (g_hash_table_lookup (self->holds, reason));

  g_return_if_fail (count > 0);

  g_hash_table_insert (self->holds, (gpointer) reason, GUINT_TO_POINTER (count - 1));
  self->n_holds--;
  if (self->n_holds > 0)
    return;
  if (self->phase == DRAINING)
    g_idle_add_full (G_PRIORITY_LOW, on_drained, g_object_ref (self), g_object_unref);
  else
    consider (self);
}

void
dps_presence_leave (DpsPresence *self)
{
  self->must_leave = TRUE;
  consider (self);
}
