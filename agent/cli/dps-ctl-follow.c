/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "cli/dps-ctl-follow.h"
#include "cli/dps-ctl-connection.h"
#include "cli/dps-ctl-failure.h"
#include "cli/dps-ctl-output.h"
#include "cli/dps-ctl-progress.h"
#include "cli/dps-ctl-view.h"

#include <stdio.h>

/* The agent answers Provision before its state has moved; for so long the state of before
 * is not taken for the outcome. */
#define SETTLE_MS 5000

/* An agent that keeps going away is not called back more often than this, and not forever
 * where it dies over every question. */
#define REREAD_MS 1000
#define LOST_MAX 5

typedef struct
{
  const DpsCtl *ctl;
  const DpsCtlFollow *how;
  DpsDBusAgent1 *agent;
  GMainLoop *loop;
  GCancellable *cancellable;
  DpsCtlProgress progress;
  DpsCtlSeen seen;
  DpsCtlVerdict verdict;
  GError *error; /* why the agent cannot be followed any longer */
  gboolean timed_out;
  gboolean current; /* what the proxy holds is what the agent said last */
  gint64 read_at;   /* monotonic time of the last full read */
  guint lost;       /* reads in a row during which the agent went away */
  guint timeout_id;
  guint settle_id;
  guint tick_id;
  guint reread_id;
} Follower;

gboolean
dps_ctl_follow_check_timeout (const DpsCtl *ctl, gint64 timeout)
{
  if (timeout >= -1 && timeout <= DPS_CTL_TIMEOUT_MAX)
    return TRUE;
  dps_ctl_fail_with (ctl,
                     DPS_CTL_EXIT_USAGE,
                     "",
                     "leave --timeout out to wait without a limit",
                     "--timeout takes 0 to %d seconds",
                     DPS_CTL_TIMEOUT_MAX);
  return FALSE;
}

DpsCtlVerdict
dps_ctl_follow_judge (const DpsCtlFollow *how,
                      const DpsCtlSeen *seen,
                      const char *state,
                      guint64 next_attempt)
{
  gboolean fresh = !how->asked || seen->moved || seen->settled;

  if (g_str_equal (state, "provisioned"))
    return how->again && !fresh ? DPS_CTL_VERDICT_GOES_ON : DPS_CTL_VERDICT_PROVISIONED;
  if (g_str_equal (state, "held"))
    return fresh ? DPS_CTL_VERDICT_HELD : DPS_CTL_VERDICT_GOES_ON;
  if (g_str_equal (state, "unconfigured"))
    return fresh ? DPS_CTL_VERDICT_UNCONFIGURED : DPS_CTL_VERDICT_GOES_ON;
  if (g_str_equal (state, "idle") && how->asked && next_attempt == 0 &&
      (seen->active || seen->settled))
    return DPS_CTL_VERDICT_ENDED;
  return DPS_CTL_VERDICT_GOES_ON;
}

static gboolean on_tick (gpointer data);

/* A countdown on a terminal is the one thing that moves without a signal. */
static void
schedule_tick (Follower *self, guint64 now)
{
  gboolean wanted = self->progress.live && !self->progress.quiet &&
                    dps_dbus_agent1_get_next_attempt (self->agent) > now;

  if (wanted && self->tick_id == 0)
    self->tick_id = g_timeout_add (1000, on_tick, self);
}

static void
show (Follower *self)
{
  guint64 now = (guint64) g_get_real_time ();
  g_autofree char *line = dps_ctl_view_line (self->agent, now);
  /* The countdown alone is no news. */
  g_autofree char *key = dps_ctl_view_line (self->agent, G_MAXUINT64);
  g_autofree char *whole =
      g_strdup_printf ("%" G_GUINT64_FORMAT " %s",
                       dps_dbus_agent1_get_next_attempt (self->agent),
                       key);

  dps_ctl_progress_show (&self->progress, whole, line);
  schedule_tick (self, now);
}

static gboolean
on_tick (gpointer data)
{
  Follower *self = data;

  self->tick_id = 0;
  if (self->current)
    show (self);
  return G_SOURCE_REMOVE;
}

static void
look (Follower *self)
{
  const char *state = dps_dbus_agent1_get_state (self->agent);

  if (!self->current || state == NULL || self->verdict != DPS_CTL_VERDICT_GOES_ON)
    return;
  if (dps_dbus_agent1_get_since (self->agent) != self->how->since_before)
    self->seen.moved = TRUE;
  if (!g_str_equal (state, "idle") && (self->seen.moved || !self->how->asked))
    self->seen.active = TRUE;
  self->verdict = dps_ctl_follow_judge (self->how,
                                        &self->seen,
                                        state,
                                        dps_dbus_agent1_get_next_attempt (self->agent));
  show (self);
  if (self->verdict != DPS_CTL_VERDICT_GOES_ON)
    g_main_loop_quit (self->loop);
}

static void
give_up (Follower *self, GError *error)
{
  if (self->error == NULL)
    self->error = error;
  else
    g_error_free (error);
  g_main_loop_quit (self->loop);
}

static gboolean on_reread (gpointer data);

static void
schedule_reread (Follower *self)
{
  gint64 wait = REREAD_MS - (g_get_monotonic_time () - self->read_at) / 1000;

  self->current = FALSE;
  if (self->reread_id == 0)
    self->reread_id = g_timeout_add ((guint) CLAMP (wait, 0, REREAD_MS), on_reread, self);
}

static void
on_read (GObject *source, GAsyncResult *result, gpointer data)
{
  GError *error = NULL;
  gboolean done = dps_ctl_read_agent_finish (DPS_DBUS_AGENT1 (source), result, &error);
  Follower *self;

  if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    {
      g_error_free (error);
      return;
    }
  self = data;
  /* This is how the bus says that the one asked has left. */
  if (g_error_matches (error, G_DBUS_ERROR, G_DBUS_ERROR_NO_REPLY) &&
      ++self->lost < LOST_MAX)
    {
      g_error_free (error);
      schedule_reread (self);
      return;
    }
  if (!done)
    {
      give_up (self, error);
      return;
    }
  self->lost = 0;
  self->current = TRUE;
  look (self);
}

static gboolean
on_reread (gpointer data)
{
  Follower *self = data;

  self->reread_id = 0;
  self->read_at = g_get_monotonic_time ();
  dps_ctl_read_agent_async (self->agent, self->cancellable, on_read, self);
  return G_SOURCE_REMOVE;
}

/* The agent left the bus, idle or crashed: what it said no longer counts, and asking
 * again brings it back. */
static void
on_owner (GObject *object, GParamSpec *pspec, gpointer data)
{
  g_autofree char *owner = g_dbus_proxy_get_name_owner (G_DBUS_PROXY (object));

  if (owner == NULL)
    schedule_reread (data);
}

static void
on_changed (GDBusProxy *proxy,
            GVariant *changed,
            const char *const *invalidated,
            gpointer data)
{
  look (data);
}

static void
on_closed (GDBusConnection *connection,
           gboolean remote_peer_vanished,
           GError *error,
           gpointer data)
{
  give_up (data,
           g_error_new_literal (G_IO_ERROR, G_IO_ERROR_CLOSED, "the connection closed"));
}

static gboolean
on_timeout (gpointer data)
{
  Follower *self = data;

  self->timeout_id = 0;
  self->timed_out = TRUE;
  g_main_loop_quit (self->loop);
  return G_SOURCE_REMOVE;
}

static gboolean
on_settled (gpointer data)
{
  Follower *self = data;

  self->settle_id = 0;
  self->seen.settled = TRUE;
  look (self);
  return G_SOURCE_REMOVE;
}

static void
run_loop (Follower *self)
{
  GDBusConnection *connection = g_dbus_proxy_get_connection (G_DBUS_PROXY (self->agent));

  g_signal_connect (self->agent, "g-properties-changed", G_CALLBACK (on_changed), self);
  g_signal_connect (self->agent, "notify::g-name-owner", G_CALLBACK (on_owner), self);
  g_signal_connect (connection, "closed", G_CALLBACK (on_closed), self);
  if (self->how->timeout >= 0)
    self->timeout_id =
        g_timeout_add ((guint) self->how->timeout * 1000, on_timeout, self);
  if (self->how->asked)
    self->settle_id = g_timeout_add (SETTLE_MS, on_settled, self);
  /* The caller has just read the state; after Provision that is history. */
  self->current = !self->how->asked;
  look (self);
  on_reread (self);
  if (self->verdict == DPS_CTL_VERDICT_GOES_ON)
    g_main_loop_run (self->loop);
  g_signal_handlers_disconnect_by_data (self->agent, self);
  g_signal_handlers_disconnect_by_data (connection, self);
  g_cancellable_cancel (self->cancellable);
}

static void
clear (Follower *self)
{
  g_clear_handle_id (&self->timeout_id, g_source_remove);
  g_clear_handle_id (&self->settle_id, g_source_remove);
  g_clear_handle_id (&self->tick_id, g_source_remove);
  g_clear_handle_id (&self->reread_id, g_source_remove);
  dps_ctl_progress_clear (&self->progress);
  g_clear_error (&self->error);
  g_clear_object (&self->cancellable);
  g_clear_pointer (&self->loop, g_main_loop_unref);
}

/* A state that works may have its reason too (dbus/, Reason). */
static void
tell_note (Follower *self)
{
  g_autofree char *note = NULL;
  g_autofree char *shown = NULL;
  const char *code;
  const char *text;
  const char *remedy;

  dps_ctl_view_reason (self->agent, &code, &text, &remedy);
  if (*code == '\0' && *text == '\0')
    return;
  note =
      g_strjoin (" ", code, text, *remedy != '\0' ? "- what to do:" : "", remedy, NULL);
  shown = dps_ctl_escape (g_strstrip (note));
  printf ("note: %s\n", shown);
}

static DpsCtlExit
tell_provisioned (Follower *self)
{
  g_autofree char *device = NULL;
  g_autofree char *hub = NULL;
  const char *id = dps_dbus_agent1_get_device_id (self->agent);
  const char *host = dps_dbus_agent1_get_assigned_hub (self->agent);

  if (self->ctl->json)
    {
      dps_ctl_view_print_json (self->agent);
      return DPS_CTL_EXIT_OK;
    }
  device = dps_ctl_escape (id != NULL ? id : "");
  hub = dps_ctl_escape (host != NULL ? host : "");
  printf ("this host is device '%s' of %s\n", device, hub);
  tell_note (self);
  return DPS_CTL_EXIT_OK;
}

static DpsCtlExit
tell_timeout (Follower *self)
{
  const char *state = dps_dbus_agent1_get_state (self->agent);
  g_autofree char *line =
      state != NULL && self->current
          ? dps_ctl_view_line (self->agent, (guint64) g_get_real_time ())
          : g_strdup ("no answer from the agent");

  return dps_ctl_fail_with (self->ctl,
                            DPS_CTL_EXIT_TIMED_OUT,
                            "",
                            "the agent goes on by itself; look again with 'dpsctl "
                            "status' or 'dpsctl wait'",
                            "not provisioned within %" G_GINT64_FORMAT " s (%s)",
                            self->how->timeout,
                            line);
}

static DpsCtlExit
tell_held (Follower *self)
{
  const char *code;
  const char *text;
  const char *remedy;

  dps_ctl_view_reason (self->agent, &code, &text, &remedy);
  return dps_ctl_fail_with (self->ctl,
                            DPS_CTL_EXIT_FAILED,
                            code,
                            remedy,
                            "provisioning is held: %s",
                            *text != '\0' ? text : "the agent gives no reason");
}

static DpsCtlExit
tell (Follower *self)
{
  switch (self->verdict)
    {
    case DPS_CTL_VERDICT_PROVISIONED:
      return tell_provisioned (self);
    case DPS_CTL_VERDICT_HELD:
      return tell_held (self);
    case DPS_CTL_VERDICT_UNCONFIGURED:
      return dps_ctl_fail_with (self->ctl,
                                DPS_CTL_EXIT_NOT_CONFIGURED,
                                "",
                                "set endpoint, id-scope and attestation in "
                                "/etc/dps-agent/agent.conf.d/*.conf, then run 'dpsctl "
                                "reload'",
                                "the agent is not configured");
    case DPS_CTL_VERDICT_ENDED:
      return dps_ctl_fail_with (self->ctl,
                                DPS_CTL_EXIT_NOT_PROVISIONED,
                                "",
                                "begin another with 'dpsctl provision --wait'",
                                "the attempt has ended without an identity: cancelled");
    case DPS_CTL_VERDICT_GOES_ON:
    default:
      break;
    }
  return self->timed_out ? tell_timeout (self) : dps_ctl_fail (self->ctl, self->error);
}

DpsCtlExit
dps_ctl_follow (const DpsCtl *ctl, DpsDBusAgent1 *agent, const DpsCtlFollow *how)
{
  Follower self = { .ctl = ctl, .how = how, .agent = agent };
  DpsCtlExit exit;

  self.loop = g_main_loop_new (NULL, FALSE);
  self.cancellable = g_cancellable_new ();
  dps_ctl_progress_init (&self.progress, ctl->json);
  run_loop (&self);
  dps_ctl_progress_clear (&self.progress);
  exit = tell (&self);
  clear (&self);
  return exit;
}
