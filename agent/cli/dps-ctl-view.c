/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "cli/dps-ctl-view.h"
#include "cli/dps-ctl-output.h"

#include <stdio.h>
#include <string.h>

#define KEY_WIDTH 18

static void
add_line (GString *out, const char *key, const char *value)
{
  g_autofree char *label = g_strconcat (key, ":", NULL);
  g_autofree char *shown = dps_ctl_escape (value != NULL && *value != '\0' ? value : "-");

  g_string_append_printf (out, "%-*s %s\n", KEY_WIDTH, label, shown);
}

static void
add_time (GString *out, const char *key, guint64 time, guint64 now)
{
  g_autofree char *value = dps_ctl_format_time (time, now);

  add_line (out, key, value);
}

void
dps_ctl_view_reason (DpsDBusAgent1 *agent,
                     const char **code,
                     const char **text,
                     const char **remedy)
{
  GVariant *reason = dps_dbus_agent1_get_reason (agent);

  *code = *text = *remedy = "";
  if (reason != NULL)
    g_variant_get (reason, "(&s&s&s)", code, text, remedy);
}

static void
add_finding (GString *out,
             const char *key,
             const char *code,
             const char *text,
             const char *remedy)
{
  add_line (out, key, code);
  add_line (out, "  Cause", text);
  add_line (out, "  Remedy", remedy);
}

static void
add_reason (GString *out, DpsDBusAgent1 *agent)
{
  const char *code;
  const char *text;
  const char *remedy;

  dps_ctl_view_reason (agent, &code, &text, &remedy);
  if (*code != '\0' || *text != '\0' || *remedy != '\0')
    add_finding (out, "Reason", code, text, remedy);
}

static void
add_warnings (GString *out, GVariant *warnings)
{
  gsize n = warnings != NULL ? g_variant_n_children (warnings) : 0;

  for (gsize i = 0; i < n; i++)
    {
      g_autoptr (GVariant) row = g_variant_get_child_value (warnings, i);
      const char *code;
      const char *text;
      const char *remedy;

      g_variant_get (row, "(&s&s&s)", &code, &text, &remedy);
      add_finding (out, "Warning", code, text, remedy);
    }
}

static const char *
explain_protection (const char *level)
{
  if (g_strcmp0 (level, "tpm2+host") == 0)
    return "tpm2+host: sealed by this machine's TPM; a stolen disk or backup alone opens "
           "nothing";
  if (g_strcmp0 (level, "host") == 0)
    return "host: by file permissions only; a stolen disk or backup reveals the identity";
  if (g_strcmp0 (level, "none") == 0)
    return "none: nothing is stored";
  return level;
}

static const char *
explain_tpm (const char *tpm)
{
  if (g_strcmp0 (tpm, "simulator") == 0)
    return "simulator: for tests; it protects nothing";
  return tpm;
}

static char *
explain_certificate (DpsDBusAgent1 *agent, guint64 now)
{
  guint64 not_after = dps_dbus_agent1_get_certificate_not_after (agent);
  g_autofree char *date = NULL;

  if (not_after == 0)
    return g_strdup ("X.509 certificate");
  date = dps_ctl_format_time (not_after, now);
  return g_strdup_printf ("X.509 certificate until %s", date);
}

static char *
explain_credential (DpsDBusAgent1 *agent, guint64 now)
{
  const char *kind = dps_dbus_agent1_get_credential_kind (agent);
  g_autofree char *what = NULL;

  if (kind == NULL || *kind == '\0' || g_str_equal (kind, "none"))
    return g_strdup ("none");
  what = g_str_equal (kind, "x509") ? explain_certificate (agent, now) : g_strdup (kind);
  return g_strdup_printf ("%s, %s",
                          what,
                          dps_dbus_agent1_get_verified (agent)
                              ? "accepted by the hub when last shown to it"
                              : "not verified with the hub");
}

static void
add_clock (GString *out, gint64 offset)
{
  guint64 size = offset < 0 ? -(guint64) offset : (guint64) offset;
  g_autofree char *span = dps_ctl_format_span (size);
  g_autofree char *text = g_strdup_printf ("this host is %s %s the service",
                                           span,
                                           offset > 0 ? "behind" : "ahead of");

  if (offset != 0)
    add_line (out, "Clock", text);
}

static void
add_network (GString *out, GVariant *path)
{
  const char *address = "";
  const char *tls = "";
  const char *cipher = "";
  guint32 port = 0;
  guint32 connections = 0;
  g_autoptr (GString) text = g_string_new (NULL);

  if (path == NULL || g_variant_n_children (path) == 0)
    return;
  g_variant_lookup (path, "address", "&s", &address);
  g_variant_lookup (path, "tls", "&s", &tls);
  g_variant_lookup (path, "cipher", "&s", &cipher);
  g_string_append (text, *address != '\0' ? address : "no address");
  if (g_variant_lookup (path, "port", "u", &port))
    g_string_append_printf (text, " port %u", port);
  if (*tls != '\0')
    g_string_append_printf (text, ", %s", tls);
  if (*cipher != '\0')
    g_string_append_printf (text, " %s", cipher);
  if (g_variant_lookup (path, "connections", "u", &connections))
    g_string_append_printf (text,
                            ", %u connection%s",
                            connections,
                            connections == 1 ? "" : "s");
  add_line (out, "Network path", text->str);
}

char *
dps_ctl_view_text (DpsDBusAgent1 *agent, guint64 now)
{
  GString *out = g_string_new (NULL);
  g_autofree char *credential = explain_credential (agent, now);
  guint64 next = dps_dbus_agent1_get_next_attempt (agent);

  add_line (out, "State", dps_dbus_agent1_get_state (agent));
  if (g_strcmp0 (dps_dbus_agent1_get_state (agent), "provisioned") != 0 &&
      dps_ctl_view_exit (agent) == DPS_CTL_EXIT_OK)
    add_line (out, "Identity", "in force; what follows is about replacing it");
  add_time (out, "Since", dps_dbus_agent1_get_since (agent), now);
  if (next != 0)
    add_time (out, "Next attempt", next, now);
  add_reason (out, agent);
  add_warnings (out, dps_dbus_agent1_get_warnings (agent));
  add_line (out, "Endpoint", dps_dbus_agent1_get_endpoint (agent));
  add_line (out, "Attestation", dps_dbus_agent1_get_attestation (agent));
  add_line (out, "Registration id", dps_dbus_agent1_get_registration_id (agent));
  add_line (out, "Assigned hub", dps_dbus_agent1_get_assigned_hub (agent));
  add_line (out, "Device id", dps_dbus_agent1_get_device_id (agent));
  add_line (out, "Credential", credential);
  add_line (out,
            "Protection",
            explain_protection (dps_dbus_agent1_get_protection_level (agent)));
  add_line (out, "TPM", explain_tpm (dps_dbus_agent1_get_tpm (agent)));
  add_clock (out, dps_dbus_agent1_get_clock_offset (agent));
  add_network (out, dps_dbus_agent1_get_network_path (agent));
  add_line (out, "Agent version", dps_dbus_agent1_get_version (agent));
  return g_string_free (out, FALSE);
}

static void
build_finding (JsonBuilder *builder,
               const char *code,
               const char *text,
               const char *remedy)
{
  json_builder_begin_object (builder);
  dps_ctl_json_add_string (builder, "code", code);
  dps_ctl_json_add_string (builder, "text", text);
  dps_ctl_json_add_string (builder, "remedy", remedy);
  json_builder_end_object (builder);
}

static void
build_reason (JsonBuilder *builder, DpsDBusAgent1 *agent)
{
  const char *code;
  const char *text;
  const char *remedy;

  dps_ctl_view_reason (agent, &code, &text, &remedy);
  json_builder_set_member_name (builder, "reason");
  build_finding (builder, code, text, remedy);
}

static void
build_warnings (JsonBuilder *builder, DpsDBusAgent1 *agent)
{
  GVariant *warnings = dps_dbus_agent1_get_warnings (agent);
  gsize n = warnings != NULL ? g_variant_n_children (warnings) : 0;

  json_builder_set_member_name (builder, "warnings");
  json_builder_begin_array (builder);
  for (gsize i = 0; i < n; i++)
    {
      g_autoptr (GVariant) row = g_variant_get_child_value (warnings, i);
      const char *code;
      const char *text;
      const char *remedy;

      g_variant_get (row, "(&s&s&s)", &code, &text, &remedy);
      build_finding (builder, code, text, remedy);
    }
  json_builder_end_array (builder);
}

/* Strings of a plugin's confinement; NULL where an older agent does not say. */
static char **
dup_confinement (DpsDBusAgent1 *agent, const char *name)
{
  GVariant *all = dps_dbus_agent1_get_plugin_confinement (agent);
  char **words = NULL;

  if (all != NULL)
    g_variant_lookup (all, name, "^as", &words);
  return words;
}

static void
build_confinement (JsonBuilder *builder, DpsDBusAgent1 *agent, const char *name)
{
  g_auto (GStrv) words = dup_confinement (agent, name);

  json_builder_set_member_name (builder, "confinement");
  json_builder_begin_array (builder);
  for (gsize i = 0; words != NULL && words[i] != NULL; i++)
    json_builder_add_string_value (builder, words[i]);
  json_builder_end_array (builder);
}

static void
build_plugins (JsonBuilder *builder, DpsDBusAgent1 *agent)
{
  GVariant *plugins = dps_dbus_agent1_get_plugins (agent);
  gsize n = plugins != NULL ? g_variant_n_children (plugins) : 0;

  json_builder_set_member_name (builder, "plugins");
  json_builder_begin_array (builder);
  for (gsize i = 0; i < n; i++)
    {
      g_autoptr (GVariant) row = g_variant_get_child_value (plugins, i);
      const char *name;
      const char *availability;
      const char *reason;

      g_variant_get (row, "(&s&s&s)", &name, &availability, &reason);
      json_builder_begin_object (builder);
      dps_ctl_json_add_string (builder, "name", name);
      dps_ctl_json_add_string (builder, "availability", availability);
      dps_ctl_json_add_string (builder, "reason", reason);
      build_confinement (builder, agent, name);
      json_builder_end_object (builder);
    }
  json_builder_end_array (builder);
}

static void
build_network (JsonBuilder *builder, DpsDBusAgent1 *agent)
{
  GVariant *path = dps_dbus_agent1_get_network_path (agent);
  gsize n = path != NULL ? g_variant_n_children (path) : 0;

  json_builder_set_member_name (builder, "networkPath");
  json_builder_begin_object (builder);
  for (gsize i = 0; i < n; i++)
    {
      g_autoptr (GVariant) value = NULL;
      const char *member;

      g_variant_get_child (path, i, "{&sv}", &member, &value);
      dps_ctl_json_add_variant (builder, member, value);
    }
  json_builder_end_object (builder);
}

void
dps_ctl_view_print_json (DpsDBusAgent1 *agent)
{
  g_autoptr (JsonBuilder) b = json_builder_new ();

  json_builder_begin_object (b);
  dps_ctl_json_add_string (b, "version", dps_dbus_agent1_get_version (agent));
  dps_ctl_json_add_string (b, "state", dps_dbus_agent1_get_state (agent));
  build_reason (b, agent);
  dps_ctl_json_add_time (b, "since", dps_dbus_agent1_get_since (agent));
  dps_ctl_json_add_time (b, "nextAttempt", dps_dbus_agent1_get_next_attempt (agent));
  dps_ctl_json_add_string (b, "endpoint", dps_dbus_agent1_get_endpoint (agent));
  dps_ctl_json_add_string (b, "assignedHub", dps_dbus_agent1_get_assigned_hub (agent));
  dps_ctl_json_add_string (b, "deviceId", dps_dbus_agent1_get_device_id (agent));
  dps_ctl_json_add_string (b,
                           "registrationId",
                           dps_dbus_agent1_get_registration_id (agent));
  dps_ctl_json_add_string (b, "attestation", dps_dbus_agent1_get_attestation (agent));
  dps_ctl_json_add_string (b,
                           "credentialKind",
                           dps_dbus_agent1_get_credential_kind (agent));
  json_builder_set_member_name (b, "verified");
  json_builder_add_boolean_value (b, dps_dbus_agent1_get_verified (agent));
  dps_ctl_json_add_string (b,
                           "protectionLevel",
                           dps_dbus_agent1_get_protection_level (agent));
  dps_ctl_json_add_string (b, "tpm", dps_dbus_agent1_get_tpm (agent));
  dps_ctl_json_add_time (b,
                         "certificateNotAfter",
                         dps_dbus_agent1_get_certificate_not_after (agent));
  json_builder_set_member_name (b, "clockOffset");
  json_builder_add_int_value (b, dps_dbus_agent1_get_clock_offset (agent));
  build_warnings (b, agent);
  build_plugins (b, agent);
  build_network (b, agent);
  json_builder_end_object (b);
  dps_ctl_print_json (b);
}

void
dps_ctl_view_print (const DpsCtl *ctl, DpsDBusAgent1 *agent)
{
  g_autofree char *text = NULL;

  if (ctl->json)
    {
      dps_ctl_view_print_json (agent);
      return;
    }
  text = dps_ctl_view_text (agent, (guint64) g_get_real_time ());
  fputs (text, stdout);
}

static char *
confinement_text (DpsDBusAgent1 *agent, const char *name)
{
  g_auto (GStrv) words = dup_confinement (agent, name);
  g_autofree char *joined = words != NULL ? g_strjoinv (",", words) : g_strdup ("");

  return dps_ctl_escape (*joined != '\0' ? joined : "-");
}

static void
print_plugin_rows (DpsDBusAgent1 *agent)
{
  GVariant *plugins = dps_dbus_agent1_get_plugins (agent);
  gsize n = plugins != NULL ? g_variant_n_children (plugins) : 0;

  if (n == 0)
    puts ("no attestation plugins found");
  for (gsize i = 0; i < n; i++)
    {
      g_autoptr (GVariant) row = g_variant_get_child_value (plugins, i);
      g_autofree char *name = NULL;
      g_autofree char *availability = NULL;
      g_autofree char *reason = NULL;
      g_autofree char *confinement = NULL;
      const char *cell[3];

      g_variant_get (row, "(&s&s&s)", &cell[0], &cell[1], &cell[2]);
      name = dps_ctl_escape (cell[0]);
      availability = dps_ctl_escape (cell[1]);
      reason = dps_ctl_escape (cell[2]);
      confinement = confinement_text (agent, cell[0]);
      printf ("%-16s %-8s %-20s %s\n",
              name,
              availability,
              confinement,
              *reason != '\0' ? reason : "-");
    }
}

void
dps_ctl_view_print_plugins (const DpsCtl *ctl, DpsDBusAgent1 *agent)
{
  g_autoptr (JsonBuilder) builder = NULL;

  if (!ctl->json)
    {
      print_plugin_rows (agent);
      return;
    }
  builder = json_builder_new ();
  json_builder_begin_object (builder);
  build_plugins (builder, agent);
  json_builder_end_object (builder);
  dps_ctl_print_json (builder);
}

char *
dps_ctl_view_line (DpsDBusAgent1 *agent, guint64 now)
{
  g_autoptr (GString) line = g_string_new (dps_dbus_agent1_get_state (agent));
  guint64 next = dps_dbus_agent1_get_next_attempt (agent);
  const char *code;
  const char *text;
  const char *remedy;

  dps_ctl_view_reason (agent, &code, &text, &remedy);
  if (*code != '\0' || *text != '\0')
    g_string_append_printf (line,
                            ": %s%s%s",
                            code,
                            *code != '\0' && *text != '\0' ? " " : "",
                            text);
  if (next > now)
    {
      g_autofree char *span = dps_ctl_format_span (next - now);

      g_string_append_printf (line, "; next attempt in %s", span);
    }
  return dps_ctl_escape (line->str);
}

DpsCtlExit
dps_ctl_view_exit (DpsDBusAgent1 *agent)
{
  const char *state = dps_dbus_agent1_get_state (agent);
  const char *device = dps_dbus_agent1_get_device_id (agent);

  /* An identity serves whatever else is going on, also while its renewal is held. */
  if (g_strcmp0 (state, "provisioned") == 0 || (device != NULL && *device != '\0'))
    return DPS_CTL_EXIT_OK;
  if (g_strcmp0 (state, "unconfigured") == 0)
    return DPS_CTL_EXIT_NOT_CONFIGURED;
  return DPS_CTL_EXIT_NOT_PROVISIONED;
}
