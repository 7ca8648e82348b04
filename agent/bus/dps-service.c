/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "bus/dps-service.h"
#include "bus/dps-authority.h"
#include "bus/dps-call.h"

#include <dps-agent-generated.h>

#define HOLD_WORK "work"

struct _DpsService
{
  GObject parent;
  GDBusConnection *connection;
  DpsProvisioner *provisioner;
  DpsKeeper *keeper;
  DpsReport *report;
  DpsPresence *presence;
  DpsRate *rate;
  DpsAuthority *authority;
  DpsDBusAgent1 *agent;
  DpsDBusAgent1Credentials *credentials;
  DpsDBusAgent1Control *control;
  gboolean working;
};

G_DEFINE_FINAL_TYPE (DpsService, dps_service, G_TYPE_OBJECT)

static void
on_ready (GObject *source, GAsyncResult *result, gpointer data)
{
  DpsCall *call = data;
  GError *error = NULL;

  if (dps_provisioner_ready_finish (DPS_PROVISIONER (source), result, &error))
    call->method->run (call);
  else
    dps_call_fail (call, error);
}

static void
run_when_ready (DpsCall *call)
{
  DpsProvisioner *provisioner = call->provisioner;
  gboolean mend = call->method->need == DPS_MENDS_STORE;

  if (call->method->need == DPS_NEEDS_NOTHING ||
      dps_provisioner_is_ready (provisioner, mend))
    call->method->run (call);
  else
    dps_provisioner_ready_async (provisioner, mend, on_ready, call);
}

static void
on_authorised (GObject *source, GAsyncResult *result, gpointer data)
{
  DpsCall *call = data;
  GError *error = NULL;

  if (dps_authority_check_finish (result, &call->uid, &error))
    run_when_ready (call);
  else
    dps_call_fail (call, error);
}

/* A signal's handler data: which service, which row. */
typedef struct
{
  DpsService *service; /* borrowed: the skeleton dies first */
  const DpsMethod *method;
} Route;

/* Connected swapped, so that data and invocation come first whatever the method takes. */
static gboolean
on_call (Route *route, GDBusMethodInvocation *invocation)
{
  DpsService *self = route->service;
  DpsCall *call = g_new0 (DpsCall, 1);

  call->service = g_object_ref (G_OBJECT (self));
  call->provisioner = self->provisioner;
  call->keeper = self->keeper;
  call->report = self->report;
  call->presence = self->presence;
  call->rate = self->rate;
  call->invocation = g_object_ref (invocation);
  call->method = route->method;
  dps_presence_hold (self->presence, DPS_HOLD_CALL);
  dps_authority_check_async (self->authority,
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
connect_methods (DpsService *self, gpointer skeleton, const DpsMethod *methods)
{
  for (gsize i = 0; methods[i].signal != NULL; i++)
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
  g_clear_pointer (&self->rate, dps_rate_free);
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
  self->rate = dps_rate_new ();
  self->agent = dps_dbus_agent1_skeleton_new ();
  self->credentials = dps_dbus_agent1_credentials_skeleton_new ();
  self->control = dps_dbus_agent1_control_skeleton_new ();
  connect_methods (self, self->credentials, dps_credentials_methods);
  connect_methods (self, self->control, dps_control_methods);
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
