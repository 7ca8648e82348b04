/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "cli/dps-ctl-failure.h"
#include "cli/dps-ctl-output.h"

#include <gio/gio.h>
#include <stdio.h>
#include <string.h>

#define AGENT_ERROR "org.dpsagent.Error."
#define BUS_ERROR "org.freedesktop.DBus.Error."
#define SYSTEMD_ERROR "org.freedesktop.systemd1."

#define REMEDY_PRIVILEGE                                                                 \
  "run this as root; the verbs that control the agent are also open to members of the "  \
  "group dps-agent-admin"
#define REMEDY_SERVICE                                                                   \
  "is dps-agent installed and able to start? See 'systemctl status dps-agent' and "      \
  "'journalctl -u dps-agent'"
#define REMEDY_BUS                                                                       \
  "is the system bus running? See 'systemctl status dbus'; in a container without one, " \
  "name a bus with --bus-address"
#define REMEDY_UNCONFIGURED                                                              \
  "set endpoint, id-scope and attestation in /etc/dps-agent/agent.conf.d/*.conf, then "  \
  "run 'dpsctl reload'"
#define REMEDY_UNPROVISIONED                                                             \
  "run 'dpsctl provision --wait'; 'dpsctl status' says what stands in the way"
#define REMEDY_BUSY                                                                      \
  "wait for the attempt to end ('dpsctl wait') or end it ('dpsctl cancel'), then try "   \
  "again"

typedef struct
{
  const char *name; /* a whole D-Bus error name, or a prefix ending in '.' */
  DpsCtlExit exit;
  const char *text; /* in place of what the bus says, or NULL */
  const char *remedy;
} Known;

static const Known known[] = {
  { AGENT_ERROR "AccessDenied", DPS_CTL_EXIT_DENIED, NULL, REMEDY_PRIVILEGE },
  { AGENT_ERROR "NotConfigured", DPS_CTL_EXIT_NOT_CONFIGURED, NULL, REMEDY_UNCONFIGURED },
  { AGENT_ERROR "NotProvisioned",
    DPS_CTL_EXIT_NOT_PROVISIONED,
    NULL,
    REMEDY_UNPROVISIONED },
  { AGENT_ERROR "TimedOut", DPS_CTL_EXIT_TIMED_OUT, NULL, "" },
  { AGENT_ERROR "Busy", DPS_CTL_EXIT_FAILED, NULL, REMEDY_BUSY },
  { AGENT_ERROR, DPS_CTL_EXIT_FAILED, NULL, "" },
  { BUS_ERROR "AccessDenied", DPS_CTL_EXIT_DENIED, NULL, REMEDY_PRIVILEGE },
  { BUS_ERROR "AuthFailed", DPS_CTL_EXIT_DENIED, NULL, REMEDY_PRIVILEGE },
  { BUS_ERROR "InteractiveAuthorizationRequired",
    DPS_CTL_EXIT_DENIED,
    NULL,
    REMEDY_PRIVILEGE },
  { BUS_ERROR "ServiceUnknown",
    DPS_CTL_EXIT_FAILED,
    "the agent is not on the bus",
    REMEDY_SERVICE },
  { BUS_ERROR "NameHasNoOwner",
    DPS_CTL_EXIT_FAILED,
    "the agent is not on the bus",
    REMEDY_SERVICE },
  { BUS_ERROR "NoReply",
    DPS_CTL_EXIT_TIMED_OUT,
    "the agent did not answer",
    REMEDY_SERVICE },
  { BUS_ERROR "TimedOut",
    DPS_CTL_EXIT_TIMED_OUT,
    "the agent could not be started in time",
    REMEDY_SERVICE },
  { BUS_ERROR "Timeout",
    DPS_CTL_EXIT_TIMED_OUT,
    "the agent did not answer",
    REMEDY_SERVICE },
  { BUS_ERROR "Disconnected",
    DPS_CTL_EXIT_FAILED,
    "the bus closed the connection",
    REMEDY_BUS },
  { BUS_ERROR "NoServer", DPS_CTL_EXIT_FAILED, NULL, REMEDY_BUS },
  { BUS_ERROR "Spawn.", DPS_CTL_EXIT_FAILED, NULL, REMEDY_SERVICE },
  { BUS_ERROR "UnknownObject",
    DPS_CTL_EXIT_FAILED,
    "what answers under the agent's name does not know its object",
    REMEDY_SERVICE },
  { BUS_ERROR "UnknownMethod",
    DPS_CTL_EXIT_FAILED,
    "the agent does not know this call; it may be of another version than dpsctl",
    REMEDY_SERVICE },
  { SYSTEMD_ERROR, DPS_CTL_EXIT_FAILED, NULL, REMEDY_SERVICE },
  { "", DPS_CTL_EXIT_FAILED, NULL, "" },
};

static const Known *
look_up (const char *name)
{
  for (gsize i = 0; i < G_N_ELEMENTS (known); i++)
    {
      gsize length = strlen (known[i].name);
      gboolean prefix = length == 0 || known[i].name[length - 1] == '.';

      if (prefix ? g_str_has_prefix (name, known[i].name)
                 : g_str_equal (name, known[i].name))
        return &known[i];
    }
  g_assert_not_reached ();
}

/* GDBus reports what it finds out by itself as errors of GIO; they get the names the
 * reference library of D-Bus has for the same. */
static char *
name_of (const GError *error)
{
  if (g_dbus_error_is_remote_error (error))
    return g_dbus_error_get_remote_error (error);
  if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT))
    return g_strdup (BUS_ERROR "NoReply");
  if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CLOSED))
    return g_strdup (BUS_ERROR "Disconnected");
  return g_strdup (BUS_ERROR "NoServer");
}

static gboolean
is_code (const char *word, gsize length)
{
  if (length < 6 || length > 32 || !g_str_has_prefix (word, "DPS-E"))
    return FALSE;
  for (gsize i = 0; i < length; i++)
    if (!g_ascii_isupper (word[i]) && !g_ascii_isdigit (word[i]) && word[i] != '-')
      return FALSE;
  return TRUE;
}

/* Where a failure has a code it is the first word of the message (dbus/, the contract).
 */
static char *
split_code (const char *message, const char **rest)
{
  gsize length = strcspn (message, " :");

  if (!is_code (message, length))
    {
      *rest = message;
      return g_strdup ("");
    }
  *rest = message + length + strspn (message + length, " :");
  return g_strndup (message, length);
}

DpsCtlFailure *
dps_ctl_failure_from_error (const GError *error)
{
  DpsCtlFailure *self = g_new0 (DpsCtlFailure, 1);
  g_autoptr (GError) plain = g_error_copy (error);
  const Known *row;
  const char *rest;

  self->name = name_of (error);
  g_dbus_error_strip_remote_error (plain);
  row = look_up (self->name);
  self->exit = row->exit;
  self->remedy = row->remedy;
  self->code = split_code (row->text != NULL ? row->text : plain->message, &rest);
  self->message = g_strdup (*rest != '\0' ? rest : self->name);
  return self;
}

void
dps_ctl_failure_free (DpsCtlFailure *self)
{
  g_free (self->name);
  g_free (self->code);
  g_free (self->message);
  g_free (self);
}

static void
print_json (const char *name, const char *code, const char *message, const char *remedy)
{
  g_autoptr (JsonBuilder) builder = json_builder_new ();

  json_builder_begin_object (builder);
  json_builder_set_member_name (builder, "error");
  json_builder_begin_object (builder);
  dps_ctl_json_add_string (builder, "name", name);
  dps_ctl_json_add_string (builder, "code", code);
  dps_ctl_json_add_string (builder, "message", message);
  dps_ctl_json_add_string (builder, "remedy", remedy);
  json_builder_end_object (builder);
  json_builder_end_object (builder);
  dps_ctl_print_json (builder);
}

static void
tell (const DpsCtl *ctl,
      const char *name,
      const char *code,
      const char *message,
      const char *remedy)
{
  g_autofree char *shown = dps_ctl_escape (message);
  g_autofree char *advice = dps_ctl_escape (remedy);

  if (ctl->json)
    print_json (name, code, message, remedy);
  fprintf (stderr, "dpsctl: %s%s%s\n", code, *code != '\0' ? ": " : "", shown);
  if (*advice != '\0')
    fprintf (stderr, "dpsctl: what to do: %s\n", advice);
}

DpsCtlExit
dps_ctl_fail (const DpsCtl *ctl, const GError *error)
{
  g_autoptr (DpsCtlFailure) failure = dps_ctl_failure_from_error (error);

  tell (ctl, failure->name, failure->code, failure->message, failure->remedy);
  return failure->exit;
}

/* The name under which the agent would have reported the same. */
static const char *
name_of_exit (DpsCtlExit exit)
{
  switch (exit)
    {
    case DPS_CTL_EXIT_USAGE:
      return AGENT_ERROR "InvalidArgument";
    case DPS_CTL_EXIT_NOT_PROVISIONED:
      return AGENT_ERROR "NotProvisioned";
    case DPS_CTL_EXIT_DENIED:
      return AGENT_ERROR "AccessDenied";
    case DPS_CTL_EXIT_TIMED_OUT:
      return AGENT_ERROR "TimedOut";
    case DPS_CTL_EXIT_NOT_CONFIGURED:
      return AGENT_ERROR "NotConfigured";
    case DPS_CTL_EXIT_OK:
    case DPS_CTL_EXIT_FAILED:
    default:
      return AGENT_ERROR "Failed";
    }
}

DpsCtlExit
dps_ctl_fail_with (const DpsCtl *ctl,
                   DpsCtlExit exit,
                   const char *code,
                   const char *remedy,
                   const char *format,
                   ...)
{
  g_autofree char *message = NULL;
  va_list args;

  va_start (args, format);
  message = g_strdup_vprintf (format, args);
  va_end (args);
  tell (ctl, name_of_exit (exit), code, message, remedy);
  return exit;
}
