/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "stand-in.h"

#include <gio/gunixfdlist.h>
#include <unistd.h>

#define AGENT_NAME "org.dpsagent.Agent1"
#define AGENT_PATH "/org/dpsagent/Agent1"

/* Late enough for the caller to look first, and far enough apart that each state is a
 * signal of its own. */
#define STEP_MS 200

void
stand_in_enter (StandIn *self, const char *state)
{
  g_auto (GStrv) part = g_strsplit (state, "|", 5);
  guint n = g_strv_length (part);
  guint64 now = (guint64) g_get_real_time ();
  guint64 next = 0;

  if (n > 4)
    next = now + g_ascii_strtoull (part[4], NULL, 10) * G_USEC_PER_SEC;
  dps_dbus_agent1_set_since (self->agent, now);
  dps_dbus_agent1_set_next_attempt (self->agent, next);
  dps_dbus_agent1_set_reason (self->agent,
                              g_variant_new ("(sss)",
                                             n > 1 ? part[1] : "",
                                             n > 2 ? part[2] : "",
                                             n > 3 ? part[3] : ""));
  dps_dbus_agent1_set_state (self->agent, part[0]);
}

static gboolean
on_step (gpointer data)
{
  StandIn *self = data;

  if (self->script == NULL || *self->script == NULL)
    {
      self->script_id = 0;
      return G_SOURCE_REMOVE;
    }
  stand_in_enter (self, *self->script++);
  return G_SOURCE_CONTINUE;
}

static gboolean
record (StandIn *self,
        GDBusMethodInvocation *invocation,
        const char *method,
        GVariant *options)
{
  g_free (self->method);
  self->method = g_strdup (method);
  g_clear_pointer (&self->options, g_variant_unref);
  if (options != NULL)
    self->options = g_variant_ref (options);
  if (self->error_name == NULL)
    return TRUE;
  g_dbus_method_invocation_return_dbus_error (invocation,
                                              self->error_name,
                                              self->error_message);
  return FALSE;
}

static void
begin_script (StandIn *self)
{
  g_clear_handle_id (&self->script_id, g_source_remove);
  if (self->script != NULL)
    self->script_id = g_timeout_add (STEP_MS, on_step, self);
}

static gboolean
handle_provision (DpsDBusAgent1Control *control,
                  GDBusMethodInvocation *invocation,
                  GVariant *options,
                  StandIn *self)
{
  if (record (self, invocation, "Provision", options))
    {
      dps_dbus_agent1_control_complete_provision (control, invocation);
      begin_script (self);
    }
  return TRUE;
}

static gboolean
handle_reprovision (DpsDBusAgent1Control *control,
                    GDBusMethodInvocation *invocation,
                    GVariant *options,
                    StandIn *self)
{
  if (record (self, invocation, "Reprovision", options))
    {
      dps_dbus_agent1_control_complete_reprovision (control, invocation);
      begin_script (self);
    }
  return TRUE;
}

static gboolean
handle_cancel (DpsDBusAgent1Control *control,
               GDBusMethodInvocation *invocation,
               StandIn *self)
{
  if (record (self, invocation, "Cancel", NULL))
    dps_dbus_agent1_control_complete_cancel (control, invocation);
  return TRUE;
}

static gboolean
handle_reload (DpsDBusAgent1Control *control,
               GDBusMethodInvocation *invocation,
               StandIn *self)
{
  if (record (self, invocation, "Reload", NULL))
    dps_dbus_agent1_control_complete_reload (control, invocation);
  return TRUE;
}

static gboolean
handle_reset (DpsDBusAgent1Control *control,
              GDBusMethodInvocation *invocation,
              GVariant *options,
              StandIn *self)
{
  if (record (self, invocation, "Reset", options))
    dps_dbus_agent1_control_complete_reset (control, invocation);
  return TRUE;
}

static gboolean
handle_import_key (DpsDBusAgent1Control *control,
                   GDBusMethodInvocation *invocation,
                   GUnixFDList *fds,
                   const char *kind,
                   GVariant *handle,
                   StandIn *self)
{
  if (!record (self, invocation, "ImportKey", NULL))
    return TRUE;
  g_free (self->key_kind);
  self->key_kind = g_strdup (kind);
  if (self->key_fd >= 0)
    close (self->key_fd);
  self->key_fd = g_unix_fd_list_get (fds, g_variant_get_handle (handle), NULL);
  dps_dbus_agent1_control_complete_import_key (control, invocation, NULL);
  return TRUE;
}

static gboolean
handle_get_enrollment (DpsDBusAgent1Control *control,
                       GDBusMethodInvocation *invocation,
                       GVariant *options,
                       StandIn *self)
{
  if (record (self, invocation, "GetEnrollment", options))
    dps_dbus_agent1_control_complete_get_enrollment (control,
                                                     invocation,
                                                     g_variant_new_parsed (
                                                         self->enrollment));
  return TRUE;
}

static gboolean
handle_create_sas_token (DpsDBusAgent1Credentials *credentials,
                         GDBusMethodInvocation *invocation,
                         GVariant *options,
                         StandIn *self)
{
  if (record (self, invocation, "CreateSasToken", options))
    dps_dbus_agent1_credentials_complete_create_sas_token (
        credentials,
        invocation,
        "SharedAccessSignature sr=hub.example%2Fdevices%2Fgw-17&sig=c2ln&se=1900000000",
        G_GUINT64_CONSTANT (1900000000000000));
  return TRUE;
}

static void
connect_handlers (StandIn *self)
{
  g_signal_connect (self->control,
                    "handle-provision",
                    G_CALLBACK (handle_provision),
                    self);
  g_signal_connect (self->control,
                    "handle-reprovision",
                    G_CALLBACK (handle_reprovision),
                    self);
  g_signal_connect (self->control, "handle-cancel", G_CALLBACK (handle_cancel), self);
  g_signal_connect (self->control, "handle-reload", G_CALLBACK (handle_reload), self);
  g_signal_connect (self->control, "handle-reset", G_CALLBACK (handle_reset), self);
  g_signal_connect (self->control,
                    "handle-import-key",
                    G_CALLBACK (handle_import_key),
                    self);
  g_signal_connect (self->control,
                    "handle-get-enrollment",
                    G_CALLBACK (handle_get_enrollment),
                    self);
  g_signal_connect (self->credentials,
                    "handle-create-sas-token",
                    G_CALLBACK (handle_create_sas_token),
                    self);
}

static void
set_properties (StandIn *self)
{
  DpsDBusAgent1 *agent = self->agent;

  dps_dbus_agent1_set_version (agent, "0.1.0");
  dps_dbus_agent1_set_endpoint (agent, "contoso.azure-devices-provisioning.net");
  dps_dbus_agent1_set_assigned_hub (agent, "hub.example");
  dps_dbus_agent1_set_device_id (agent, "gw-17");
  dps_dbus_agent1_set_registration_id (agent, "reg-17");
  dps_dbus_agent1_set_attestation (agent, "symmetric-key");
  dps_dbus_agent1_set_credential_kind (agent, "sas");
  dps_dbus_agent1_set_protection_level (agent, "host");
  dps_dbus_agent1_set_tpm (agent, "simulator");
  dps_dbus_agent1_set_plugins (agent,
                               g_variant_new_parsed (
                                   "[('symmetric-key', 'usable', ''), "
                                   "('tpm', 'unknown', 'not configured')]"));
  dps_dbus_agent1_set_plugin_confinement (
      agent,
      g_variant_new_parsed ("{'symmetric-key': ['seccomp', 'landlock-4'], "
                            "'tpm': ['seccomp', 'no-landlock', 'unix-sockets']}"));
  dps_dbus_agent1_set_network_path (
      agent,
      g_variant_new_parsed ("{'endpoint': <'contoso.azure-devices-provisioning.net'>, "
                            "'address': <'10.1.2.3'>, 'port': <uint32 443>, "
                            "'tls': <'TLSv1.3'>, 'connections': <uint32 1>}"));
  stand_in_enter (self, "idle");
}

static void
on_acquired (GDBusConnection *connection, const char *name, gpointer data)
{
  *(gboolean *) data = TRUE;
}

static void
own_name (StandIn *self)
{
  gboolean acquired = FALSE;

  self->owner_id = g_bus_own_name_on_connection (self->connection,
                                                 AGENT_NAME,
                                                 G_BUS_NAME_OWNER_FLAGS_NONE,
                                                 on_acquired,
                                                 NULL,
                                                 &acquired,
                                                 NULL);
  while (!acquired)
    g_main_context_iteration (NULL, TRUE);
}

StandIn *
stand_in_new (const char *address)
{
  StandIn *self = g_new0 (StandIn, 1);
  g_autoptr (GError) error = NULL;

  self->key_fd = -1;
  self->connection = g_dbus_connection_new_for_address_sync (
      address,
      G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_CLIENT |
          G_DBUS_CONNECTION_FLAGS_MESSAGE_BUS_CONNECTION,
      NULL,
      NULL,
      &error);
  g_assert_no_error (error);
  self->agent = dps_dbus_agent1_skeleton_new ();
  self->control = dps_dbus_agent1_control_skeleton_new ();
  self->credentials = dps_dbus_agent1_credentials_skeleton_new ();
  set_properties (self);
  connect_handlers (self);
  GDBusInterfaceSkeleton *faces[] = { G_DBUS_INTERFACE_SKELETON (self->agent),
                                      G_DBUS_INTERFACE_SKELETON (self->control),
                                      G_DBUS_INTERFACE_SKELETON (self->credentials) };
  for (gsize i = 0; i < G_N_ELEMENTS (faces); i++)
    g_assert_true (
        g_dbus_interface_skeleton_export (faces[i], self->connection, AGENT_PATH, NULL));
  own_name (self);
  return self;
}

void
stand_in_leave (StandIn *self)
{
  g_clear_handle_id (&self->owner_id, g_bus_unown_name);
}

void
stand_in_free (StandIn *self)
{
  g_clear_handle_id (&self->script_id, g_source_remove);
  stand_in_leave (self);
  g_clear_object (&self->agent);
  g_clear_object (&self->control);
  g_clear_object (&self->credentials);
  g_dbus_connection_close_sync (self->connection, NULL, NULL);
  g_clear_object (&self->connection);
  g_clear_pointer (&self->options, g_variant_unref);
  g_free (self->method);
  g_free (self->key_kind);
  if (self->key_fd >= 0)
    close (self->key_fd);
  g_free (self);
}
