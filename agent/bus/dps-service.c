/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "bus/dps-service.h"
#include "bus/dps-authority.h"
#include "bus/dps-error-gate.h"
#include "bus/dps-key-reader.h"
#include "bus/dps-options.h"
#include "common/dps-error.h"
#include "common/dps-log.h"
#include "common/dps-secret.h"
#include "core/dps-handout.h"

#include <dps-agent-generated.h>
#include <string.h>

#define TOKEN_TTL_DEFAULT 600
#define HOLD_CALL "call"
#define HOLD_WORK "work"

struct _DpsService
{
  GObject parent;
  GDBusConnection *connection;
  DpsProvisioner *provisioner;
  DpsKeeper *keeper;
  DpsReport *report;
  DpsPresence *presence;
  DpsAuthority *authority;
  DpsDBusAgent1 *agent;
  DpsDBusAgent1Credentials *credentials;
  DpsDBusAgent1Control *control;
  gboolean working;
};

G_DEFINE_FINAL_TYPE (DpsService, dps_service, G_TYPE_OBJECT)

/* One method call, from its arrival to its answer. */
typedef struct
{
  DpsService *service;
  GDBusMethodInvocation *invocation;
  const struct Method *method;
  uid_t uid;
} Call;

/* What a method needs of the store before it runs. */
typedef enum
{
  NEEDS_NOTHING,
  NEEDS_STORE, /* opened, whatever came of it */
  MENDS_STORE  /* and tried again where it could not be read */
} Need;

typedef struct Method
{
  const char *signal; /* of the generated skeleton */
  DpsRight right;
  Need need;
  void (*run) (Call *call); /* answers, and ends the call */
} Method;

static void
call_end (Call *call)
{
  dps_presence_release (call->service->presence, HOLD_CALL);
  g_object_unref (call->invocation);
  g_object_unref (call->service);
  g_free (call);
}

static void
fail (Call *call, GError *error)
{
  dps_error_gate_return (call->invocation, error);
  call_end (call);
}

static void
answer (Call *call, GVariant *value)
{
  g_dbus_method_invocation_return_value (call->invocation, value);
  call_end (call);
}

/* Answers a call whose work has succeeded or failed without a result of its own. */
static void
answer_done (Call *call, gboolean done, GError *error)
{
  if (done)
    answer (call, NULL);
  else
    fail (call, error);
}

static GVariant *
argument (Call *call, gsize index)
{
  return g_variant_get_child_value (g_dbus_method_invocation_get_parameters (
                                        call->invocation),
                                    index);
}

static void
run_not_supported (Call *call)
{
  fail (call,
        g_error_new (DPS_ERROR,
                     DPS_ERROR_NOT_SUPPORTED,
                     "this version of dps-agent does not do %s yet",
                     g_dbus_method_invocation_get_method_name (call->invocation)));
}

/* The options of CreateSasToken, or their defaults; *audience is the caller's. */
static gboolean
read_token_options (Call *call, char **audience, guint32 *ttl, GError **error)
{
  static const DpsOption known[] = { { "audience", "s" }, { "ttl", "u" } };
  g_autoptr (GVariant) options = argument (call, 0);

  if (!dps_options_check (options, known, G_N_ELEMENTS (known), error))
    return FALSE;
  *ttl = TOKEN_TTL_DEFAULT;
  g_variant_lookup (options, "ttl", "u", ttl);
  if (!g_variant_lookup (options, "audience", "s", audience))
    *audience = g_strdup ("device");
  return TRUE;
}

static void
on_token (GObject *source, GAsyncResult *result, gpointer data)
{
  Call *call = data;
  GError *error = NULL;
  g_autofree char *audience = NULL;
  guint64 expires;
  guint32 ttl;
  char *token = dps_handout_token_finish (result, &expires, &error);

  if (token == NULL)
    {
      fail (call, error);
      return;
    }
  read_token_options (call, &audience, &ttl, NULL);
  dps_message ((TOPIC ("audit"), OBJECT (audience)),
               "handed a SAS token to user %u of %s, valid for %u s",
               call->uid,
               g_dbus_method_invocation_get_sender (call->invocation),
               ttl);
  answer (call, g_variant_new ("(st)", token, expires));
  explicit_bzero (token, strlen (token));
  g_free (token);
}

static void
run_create_sas_token (Call *call)
{
  g_autofree char *audience = NULL;
  GError *error = NULL;
  guint32 ttl;

  if (!read_token_options (call, &audience, &ttl, &error))
    fail (call, error);
  else
    dps_handout_token_async (call->service->keeper,
                             call->service->report,
                             dps_provisioner_get_signer (call->service->provisioner),
                             audience,
                             ttl,
                             on_token,
                             call);
}

static void
run_get_payload (Call *call)
{
  GError *error = NULL;
  const char *payload =
      dps_handout_payload (call->service->keeper, call->service->report, &error);

  if (payload == NULL)
    fail (call, error);
  else
    answer (call, g_variant_new ("(s)", payload));
}

static void
run_provision (Call *call)
{
  static const DpsOption known[] = { { "origin", "s" } };
  g_autoptr (GVariant) options = argument (call, 0);
  const char *origin = "operator";
  GError *error = NULL;
  gboolean done = dps_options_check (options, known, G_N_ELEMENTS (known), &error);

  if (done)
    {
      g_variant_lookup (options, "origin", "&s", &origin);
      if (strcmp (origin, "boot") != 0 && strcmp (origin, "operator") != 0)
        {
          fail (call,
                g_error_new (DPS_ERROR,
                             DPS_ERROR_INVALID_ARGUMENT,
                             "option 'origin' is 'boot' or 'operator'"));
          return;
        }
      done =
          dps_provisioner_provision (call->service->provisioner,
                                     strcmp (origin, "boot") == 0 ? DPS_ORIGIN_BOOT
                                                                  : DPS_ORIGIN_OPERATOR,
                                     &error);
    }
  answer_done (call, done, error);
}

static void
run_reprovision (Call *call)
{
  g_autoptr (GVariant) options = argument (call, 0);
  GError *error = NULL;
  gboolean done = dps_options_check (options, NULL, 0, &error) &&
                  dps_provisioner_reprovision (call->service->provisioner, &error);

  answer_done (call, done, error);
}

static void
run_cancel (Call *call)
{
  dps_provisioner_cancel (call->service->provisioner);
  answer (call, NULL);
}

static void
on_reset (GObject *source, GAsyncResult *result, gpointer data)
{
  GError *error = NULL;
  gboolean done = dps_provisioner_reset_finish (DPS_PROVISIONER (source), result, &error);

  answer_done (data, done, error);
}

static void
run_reset (Call *call)
{
  g_autoptr (GVariant) options = argument (call, 0);
  GError *error = NULL;

  if (!dps_options_check (options, NULL, 0, &error))
    {
      fail (call, error);
      return;
    }
  dps_message ((TOPIC ("audit")), "user %u resets the identity", call->uid);
  dps_provisioner_reset_async (call->service->provisioner, on_reset, call);
}

static void
run_reload (Call *call)
{
  GError *error = NULL;
  gboolean done = dps_provisioner_reload (call->service->provisioner, &error);

  answer_done (call, done, error);
}

static void
on_key_imported (GObject *source, GAsyncResult *result, gpointer data)
{
  Call *call = data;
  GError *error = NULL;
  gboolean done = dps_keeper_finish (DPS_KEEPER (source), result, &error);

  dps_provisioner_key_imported (call->service->provisioner, done);
  answer_done (call, done, error);
}

static gboolean
is_group_key (Call *call)
{
  g_autoptr (GVariant) kind = argument (call, 0);

  return strcmp (g_variant_get_string (kind, NULL), "group") == 0;
}

static void
on_key_read (GObject *source, GAsyncResult *result, gpointer data)
{
  Call *call = data;
  GError *error = NULL;
  g_autoptr (DpsSecret) text = dps_key_reader_read_finish (result, &error);
  g_autoptr (DpsImportedKey) key = NULL;
  g_autofree char *overruled = NULL;

  if (text != NULL && dps_provisioner_may_import (call->service->provisioner, &error))
    key = is_group_key (call)
              ? dps_provisioner_derive_key (call->service->provisioner, text, &error)
              : dps_imported_key_new (text, NULL, NULL);
  if (key == NULL)
    {
      fail (call, error);
      return;
    }
  overruled = dps_provisioner_find_group_file (call->service->provisioner);
  dps_keeper_put_imported_key_async (call->service->keeper,
                                     key,
                                     overruled,
                                     on_key_imported,
                                     call);
}

static void
run_import_key (Call *call)
{
  g_autoptr (GVariant) kind = argument (call, 0);

  if (strcmp (g_variant_get_string (kind, NULL), "device") == 0 || is_group_key (call))
    dps_key_reader_read_async (call->invocation, 1, on_key_read, call);
  else
    fail (call,
          g_error_new (DPS_ERROR,
                       DPS_ERROR_INVALID_ARGUMENT,
                       "the kind of a key is 'device' or 'group'"));
}

static void
on_enrollment (GObject *source, GAsyncResult *result, gpointer data)
{
  GError *error = NULL;
  GVariant *enrollment =
      dps_provisioner_get_enrollment_finish (DPS_PROVISIONER (source), result, &error);

  if (enrollment == NULL)
    fail (data, error);
  else
    answer (data, g_variant_new ("(@a{sv})", enrollment));
  g_clear_pointer (&enrollment, g_variant_unref);
}

static void
run_get_enrollment (Call *call)
{
  g_autoptr (GVariant) options = argument (call, 0);
  GError *error = NULL;

  if (dps_options_check (options, NULL, 0, &error))
    dps_provisioner_get_enrollment_async (call->service->provisioner,
                                          on_enrollment,
                                          call);
  else
    fail (call, error);
}

static const Method credentials_methods[] = {
  { "handle-create-sas-token", DPS_RIGHT_CREDENTIALS, NEEDS_STORE, run_create_sas_token },
  { "handle-get-certificate-chain",
    DPS_RIGHT_CREDENTIALS,
    NEEDS_NOTHING,
    run_not_supported },
  { "handle-sign", DPS_RIGHT_CREDENTIALS, NEEDS_NOTHING, run_not_supported },
  { "handle-get-payload", DPS_RIGHT_CREDENTIALS, NEEDS_STORE, run_get_payload },
  { "handle-open-key", DPS_RIGHT_CREDENTIALS, NEEDS_NOTHING, run_not_supported },
};

static const Method control_methods[] = {
  { "handle-provision", DPS_RIGHT_CONTROL, MENDS_STORE, run_provision },
  { "handle-reprovision", DPS_RIGHT_CONTROL, MENDS_STORE, run_reprovision },
  { "handle-cancel", DPS_RIGHT_CONTROL, NEEDS_NOTHING, run_cancel },
  { "handle-reset", DPS_RIGHT_CONTROL, NEEDS_STORE, run_reset },
  { "handle-reload", DPS_RIGHT_CONTROL, MENDS_STORE, run_reload },
  { "handle-import-key", DPS_RIGHT_CONTROL, MENDS_STORE, run_import_key },
  { "handle-get-enrollment", DPS_RIGHT_CONTROL, NEEDS_NOTHING, run_get_enrollment },
};

static void
on_ready (GObject *source, GAsyncResult *result, gpointer data)
{
  Call *call = data;
  GError *error = NULL;

  if (dps_provisioner_ready_finish (DPS_PROVISIONER (source), result, &error))
    call->method->run (call);
  else
    fail (call, error);
}

static void
run_when_ready (Call *call)
{
  DpsProvisioner *provisioner = call->service->provisioner;
  gboolean mend = call->method->need == MENDS_STORE;

  if (call->method->need == NEEDS_NOTHING || dps_provisioner_is_ready (provisioner, mend))
    call->method->run (call);
  else
    dps_provisioner_ready_async (provisioner, mend, on_ready, call);
}

static void
on_authorised (GObject *source, GAsyncResult *result, gpointer data)
{
  Call *call = data;
  GError *error = NULL;

  if (dps_authority_check_finish (result, &call->uid, &error))
    run_when_ready (call);
  else
    fail (call, error);
}

/* A signal's handler data: which service, which row. */
typedef struct
{
  DpsService *service; /* borrowed: the skeleton dies first */
  const Method *method;
} Route;

/* Connected swapped, so that data and invocation come first whatever the method takes. */
static gboolean
on_call (Route *route, GDBusMethodInvocation *invocation)
{
  Call *call = g_new0 (Call, 1);

  call->service = g_object_ref (route->service);
  call->invocation = g_object_ref (invocation);
  call->method = route->method;
  dps_presence_hold (call->service->presence, HOLD_CALL);
  dps_authority_check_async (call->service->authority,
                             invocation,
                             call->method->right,
                             on_authorised,
                             call);
  return G_DBUS_METHOD_INVOCATION_HANDLED;
}

static void
free_route (gpointer data, GClosure *closure)
{
  g_free (data);
}

static void
connect_methods (DpsService *self, gpointer skeleton, const Method *methods, gsize n)
{
  for (gsize i = 0; i < n; i++)
    {
      Route *route = g_new0 (Route, 1);

      route->service = self;
      route->method = &methods[i];
      g_signal_connect_data (skeleton,
                             methods[i].signal,
                             G_CALLBACK (on_call),
                             route,
                             free_route,
                             G_CONNECT_SWAPPED);
    }
}

static void
on_busy (DpsProvisioner *provisioner, GParamSpec *spec, DpsService *self)
{
  gboolean working;

  g_object_get (provisioner, "busy", &working, NULL);
  if (working == self->working)
    return;
  self->working = working;
  if (working)
    dps_presence_hold (self->presence, HOLD_WORK);
  else
    dps_presence_release (self->presence, HOLD_WORK);
}

static void
on_assignment (DpsProvisioner *provisioner,
               const char *hub,
               const char *device,
               DpsService *self)
{
  dps_dbus_agent1_emit_assignment_changed (self->agent, hub, device);
}

static void
dps_service_dispose (GObject *object)
{
  DpsService *self = DPS_SERVICE (object);

  if (self->provisioner != NULL)
    g_signal_handlers_disconnect_by_data (self->provisioner, self);
  g_clear_object (&self->agent);
  g_clear_object (&self->credentials);
  g_clear_object (&self->control);
  g_clear_pointer (&self->authority, dps_authority_free);
  g_clear_object (&self->provisioner);
  g_clear_object (&self->keeper);
  g_clear_object (&self->report);
  g_clear_object (&self->presence);
  g_clear_object (&self->connection);
  G_OBJECT_CLASS (dps_service_parent_class)->dispose (object);
}

static void
dps_service_class_init (DpsServiceClass *klass)
{
  G_OBJECT_CLASS (klass)->dispose = dps_service_dispose;
}

static void
dps_service_init (DpsService *self)
{
  self->agent = dps_dbus_agent1_skeleton_new ();
  self->credentials = dps_dbus_agent1_credentials_skeleton_new ();
  self->control = dps_dbus_agent1_control_skeleton_new ();
  connect_methods (self,
                   self->credentials,
                   credentials_methods,
                   G_N_ELEMENTS (credentials_methods));
  connect_methods (self, self->control, control_methods, G_N_ELEMENTS (control_methods));
}

DpsService *
dps_service_new (GDBusConnection *connection,
                 gboolean on_system_bus,
                 DpsProvisioner *provisioner,
                 DpsKeeper *keeper,
                 DpsReport *report,
                 DpsPresence *presence)
{
  DpsService *self = g_object_new (DPS_TYPE_SERVICE, NULL);
  const char *const *properties = dps_report_properties ();

  self->connection = g_object_ref (connection);
  self->provisioner = g_object_ref (provisioner);
  self->keeper = g_object_ref (keeper);
  self->report = g_object_ref (report);
  self->presence = g_object_ref (presence);
  self->authority = dps_authority_new (connection, on_system_bus);
  for (gsize i = 0; properties[i] != NULL; i++)
    g_object_bind_property (report,
                            properties[i],
                            self->agent,
                            properties[i],
                            G_BINDING_SYNC_CREATE);
  g_signal_connect (provisioner, "notify::busy", G_CALLBACK (on_busy), self);
  g_signal_connect (provisioner, "assignment-changed", G_CALLBACK (on_assignment), self);
  on_busy (provisioner, NULL, self);
  return self;
}

gboolean
dps_service_export (DpsService *self, GError **error)
{
  gpointer interfaces[] = { self->agent, self->credentials, self->control };

  for (gsize i = 0; i < G_N_ELEMENTS (interfaces); i++)
    if (!g_dbus_interface_skeleton_export (interfaces[i],
                                           self->connection,
                                           DPS_SERVICE_PATH,
                                           error))
      return FALSE;
  return TRUE;
}
