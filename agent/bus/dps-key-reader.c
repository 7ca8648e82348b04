/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "bus/dps-key-reader.h"
#include "common/dps-error.h"

#include <gio/gunixfdlist.h>
#include <unistd.h>

#define KEY_TEXT_MAX 1024

static void
read_in_thread (GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
  GError *error = NULL;
  DpsSecret *key = dps_secret_read_fd (GPOINTER_TO_INT (data) - 1, KEY_TEXT_MAX, &error);

  close (GPOINTER_TO_INT (data) - 1);
  if (key == NULL)
    g_task_return_error (task, error);
  else
    g_task_return_pointer (task, key, (GDestroyNotify) dps_secret_unref);
}

static int
take_descriptor (GDBusMethodInvocation *invocation, gsize index, GError **error)
{
  GDBusMessage *message = g_dbus_method_invocation_get_message (invocation);
  GUnixFDList *list = g_dbus_message_get_unix_fd_list (message);
  g_autoptr (GVariant) handle =
      g_variant_get_child_value (g_dbus_method_invocation_get_parameters (invocation),
                                 index);

  if (list == NULL)
    {
      g_set_error (error,
                   DPS_ERROR,
                   DPS_ERROR_INVALID_ARGUMENT,
                   "there is no descriptor");
      return -1;
    }
  return g_unix_fd_list_get (list, g_variant_get_handle (handle), error);
}

void
dps_key_reader_read_async (GDBusMethodInvocation *invocation,
                           gsize index,
                           GAsyncReadyCallback callback,
                           gpointer data)
{
  g_autoptr (GTask) task = g_task_new (NULL, NULL, callback, data);
  GError *error = NULL;
  int fd = take_descriptor (invocation, index, &error);

  if (fd < 0)
    {
      g_task_return_error (task, error);
      return;
    }
  g_task_set_task_data (task, GINT_TO_POINTER (fd + 1), NULL);
  g_task_run_in_thread (task, read_in_thread);
}

DpsSecret *
dps_key_reader_read_finish (GAsyncResult *result, GError **error)
{
  return g_task_propagate_pointer (G_TASK (result), error);
}
