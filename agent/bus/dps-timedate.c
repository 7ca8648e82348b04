/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "bus/dps-timedate.h"

#define NAME "org.freedesktop.timedate1"
#define TIMEOUT_MS 5000

typedef struct
{
  void (*known) (gboolean synchronised, gpointer data);
  gpointer data;
} Question;

static void
on_answer (GObject *source, GAsyncResult *result, gpointer data)
{
  g_autofree Question *question = data;
  g_autoptr (GVariant) reply =
      g_dbus_connection_call_finish (G_DBUS_CONNECTION (source), result, NULL);
  g_autoptr (GVariant) value = NULL;
  gboolean synchronised = FALSE;

  if (reply != NULL)
    g_variant_get (reply, "(v)", &value);
  if (value != NULL && g_variant_is_of_type (value, G_VARIANT_TYPE_BOOLEAN))
    synchronised = g_variant_get_boolean (value);
  question->known (synchronised, question->data);
}

void
dps_timedate_ask (GDBusConnection *connection,
                  void (*known) (gboolean synchronised, gpointer data),
                  gpointer data)
{
  Question *question = g_new0 (Question, 1);

  question->known = known;
  question->data = data;
  g_dbus_connection_call (connection,
                          NAME,
                          "/org/freedesktop/timedate1",
                          "org.freedesktop.DBus.Properties",
                          "Get",
                          g_variant_new ("(ss)", NAME, "NTPSynchronized"),
                          G_VARIANT_TYPE ("(v)"),
                          G_DBUS_CALL_FLAGS_NONE,
                          TIMEOUT_MS,
                          NULL,
                          on_answer,
                          question);
}
