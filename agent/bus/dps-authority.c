/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "bus/dps-authority.h"
#include "common/dps-error.h"
#include "common/dps-log.h"

#include <grp.h>
#include <polkit/polkit.h>

#define ADMIN_GROUP "dps-agent-admin"
#define CREDENTIALS_TIMEOUT_MS 5000

struct _DpsAuthority
{
  GDBusConnection *connection;
  gboolean on_system_bus;
};

typedef struct
{
  GDBusMethodInvocation *invocation;
  DpsRight right;
  gboolean may_ask;
  uid_t uid;
} Check;

static void
check_free (Check *check)
{
  g_object_unref (check->invocation);
  g_free (check);
}

DpsAuthority *
dps_authority_new (GDBusConnection *connection, gboolean on_system_bus)
{
  DpsAuthority *self = g_new0 (DpsAuthority, 1);
  self->connection = g_object_ref (connection);
  self->on_system_bus = on_system_bus;
  return self;
}

void
dps_authority_free (DpsAuthority *self)
{
  g_object_unref (self->connection);
  g_free (self);
}

static void
deny (GTask *task, const char *why)
{
  Check *check = g_task_get_task_data (task);
  const char *method = g_dbus_method_invocation_get_method_name (check->invocation);

  dps_message ((TOPIC ("access"), OBJECT (method)),
               "refused to user %u: %s",
               check->uid,
               why);
  g_task_return_new_error (task,
                           DPS_ERROR,
                           DPS_ERROR_ACCESS_DENIED,
                           "%s is not for this caller: %s",
                           method,
                           why);
  g_object_unref (task);
}

static void
allow (GTask *task)
{
  g_task_return_boolean (task, TRUE);
  g_object_unref (task);
}

static void
on_polkit_checked (GObject *source, GAsyncResult *result, gpointer data)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (PolkitAuthorizationResult) authorised =
      polkit_authority_check_authorization_finish (POLKIT_AUTHORITY (source),
                                                   result,
                                                   &error);

  if (authorised != NULL && polkit_authorization_result_get_is_authorized (authorised))
    allow (data);
  else
    deny (data, error ? "polkit does not answer" : "polkit does not authorise it");
}

static void
on_polkit (GObject *source, GAsyncResult *result, gpointer data)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (PolkitAuthority) polkit = polkit_authority_get_finish (result, &error);
  g_autoptr (PolkitSubject) subject = NULL;
  Check *check = g_task_get_task_data (data);
  GDBusMessage *message = g_dbus_method_invocation_get_message (check->invocation);
  gboolean may_ask = (g_dbus_message_get_flags (message) &
                      G_DBUS_MESSAGE_FLAGS_ALLOW_INTERACTIVE_AUTHORIZATION) != 0;

  if (polkit == NULL)
    {
      deny (data,
            "UID 0 or group " ADMIN_GROUP " is needed, and there is no polkit to ask");
      return;
    }
  subject = polkit_system_bus_name_new (
      g_dbus_method_invocation_get_sender (check->invocation));
  polkit_authority_check_authorization (
      polkit,
      subject,
      DPS_POLKIT_ACTION,
      NULL,
      may_ask ? POLKIT_CHECK_AUTHORIZATION_FLAGS_ALLOW_USER_INTERACTION
              : POLKIT_CHECK_AUTHORIZATION_FLAGS_NONE,
      NULL,
      on_polkit_checked,
      data);
}

/* The a{sv} of GetConnectionCredentials; groups is the caller's. */
static DpsCaller
read_credentials (GVariant *reply, GArray *groups)
{
  g_autoptr (GVariant) dict = g_variant_get_child_value (reply, 0);
  g_autoptr (GVariant) ids = NULL;
  DpsCaller caller = { 0 };
  guint32 uid;

  if (!g_variant_lookup (dict, "UnixUserID", "u", &uid))
    return caller;
  caller.known = TRUE;
  caller.uid = uid;
  ids = g_variant_lookup_value (dict, "UnixGroupIDs", G_VARIANT_TYPE ("au"));
  for (gsize i = 0; ids != NULL && i < g_variant_n_children (ids); i++)
    {
      gid_t gid;

      g_variant_get_child (ids, i, "u", &gid);
      g_array_append_val (groups, gid);
    }
  caller.groups = (const gid_t *) groups->data;
  caller.n_groups = groups->len;
  return caller;
}

/* Looked up where it matters only: most calls are root's, and the look-up loads name
 * services. */
static gid_t
admin_group (const DpsCaller *caller, DpsRight right)
{
  struct group *group = NULL;

  if (right == DPS_RIGHT_CONTROL && caller->known && caller->uid != 0)
    group = getgrnam (ADMIN_GROUP);
  return group ? group->gr_gid : (gid_t) -1;
}

static void
on_credentials (GObject *source, GAsyncResult *result, gpointer data)
{
  g_autoptr (GVariant) reply =
      g_dbus_connection_call_finish (G_DBUS_CONNECTION (source), result, NULL);
  g_autoptr (GArray) groups = g_array_new (FALSE, FALSE, sizeof (gid_t));
  Check *check = g_task_get_task_data (data);
  DpsCaller caller = { 0 };

  if (reply != NULL)
    caller = read_credentials (reply, groups);
  check->uid = caller.uid;
  switch (dps_access_decide (&caller, check->right, admin_group (&caller, check->right)))
    {
    case DPS_ACCESS_ALLOW:
      allow (data);
      break;
    case DPS_ACCESS_ASK_POLKIT:
      if (check->may_ask)
        polkit_authority_get_async (NULL, on_polkit, data);
      else
        deny (data, "UID 0 or group " ADMIN_GROUP " is needed");
      break;
    case DPS_ACCESS_DENY:
    default:
      deny (data, caller.known ? "UID 0 is needed" : "the bus does not tell who it is");
      break;
    }
}

void
dps_authority_check_async (DpsAuthority *self,
                           GDBusMethodInvocation *invocation,
                           DpsRight right,
                           GAsyncReadyCallback callback,
                           gpointer data)
{
  GTask *task = g_task_new (NULL, NULL, callback, data);
  Check *check = g_new0 (Check, 1);

  check->invocation = g_object_ref (invocation);
  check->right = right;
  check->may_ask = self->on_system_bus;
  check->uid = (uid_t) -1;
  g_task_set_task_data (task, check, (GDestroyNotify) check_free);
  g_dbus_connection_call (self->connection,
                          "org.freedesktop.DBus",
                          "/org/freedesktop/DBus",
                          "org.freedesktop.DBus",
                          "GetConnectionCredentials",
                          g_variant_new ("(s)",
                                         g_dbus_method_invocation_get_sender (
                                             invocation)),
                          G_VARIANT_TYPE ("(a{sv})"),
                          G_DBUS_CALL_FLAGS_NONE,
                          CREDENTIALS_TIMEOUT_MS,
                          NULL,
                          on_credentials,
                          task);
}

gboolean
dps_authority_check_finish (GAsyncResult *result, uid_t *uid, GError **error)
{
  Check *check = g_task_get_task_data (G_TASK (result));

  *uid = check->uid;
  return g_task_propagate_boolean (G_TASK (result), error);
}
