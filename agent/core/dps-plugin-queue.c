/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "core/dps-plugin-queue.h"
#include "common/dps-log.h"
#include "core/dps-plugin-call.h"

struct _DpsPluginQueue
{
  const char *name;
  guint linger;  /* ms */
  GQueue calls;  /* GTask *, that wait for their turn */
  GTask *active; /* the one that is served */
  DpsPluginProcess *kept;
  guint timer;              /* until kept leaves */
  DpsPluginProcess *ending; /* was kept; nothing is spawned beside it */
  DpsPluginGuard guard;     /* all NULL = none */
};

static void serve_next (DpsPluginQueue *self);

static void
on_gone (gpointer data)
{
  DpsPluginQueue *self = data;

  self->ending = NULL;
  serve_next (self);
}

static void
end_kept (DpsPluginQueue *self)
{
  g_clear_handle_id (&self->timer, g_source_remove);
  if (self->kept == NULL)
    return;
  self->ending = g_steal_pointer (&self->kept);
  dps_plugin_process_end (self->ending, on_gone, self);
}

static gboolean
on_linger_over (gpointer data)
{
  DpsPluginQueue *self = data;

  self->timer = 0;
  end_kept (self);
  return G_SOURCE_REMOVE;
}

static void
on_lost (gpointer data)
{
  DpsPluginQueue *self = data;

  dps_info ((TOPIC ("plugin"), OBJECT (self->name)), "left between two calls");
  end_kept (self);
}

static void
keep (DpsPluginQueue *self, DpsPluginProcess *process)
{
  self->kept = process;
  dps_plugin_process_watch (process, on_lost, self);
  if (self->linger == 0)
    end_kept (self);
  else
    self->timer = g_timeout_add (self->linger, on_linger_over, self);
}

static gboolean
is_guarded (DpsPluginQueue *self, const DpsPluginCall *call)
{
  return self->guard.may_call != NULL && call->verb != DPS_PLUGIN_PHASE_PROBE;
}

/* The call has ended, and its caller is told next. */
static void
on_call_done (GTask *task)
{
  DpsPluginCall *call = g_task_get_task_data (task);
  DpsPluginQueue *self = call->queue;

  if (call->error != NULL && is_guarded (self, call))
    self->guard.failed (self->guard.data,
                        call->terms.settings,
                        call->terms.secrets,
                        call->error);
  if (call->process != NULL)
    keep (self, g_steal_pointer (&call->process));
  if (self->active == task)
    self->active = NULL;
  serve_next (self);
}

static void
stop_waiting (DpsPluginCall *call)
{
  if (call->waiting != NULL)
    g_source_destroy (call->waiting);
  g_clear_pointer (&call->waiting, g_source_unref);
}

static void
serve_next (DpsPluginQueue *self)
{
  DpsPluginCall *call;
  GError *error = NULL;

  if (self->active != NULL || self->ending != NULL || g_queue_is_empty (&self->calls))
    return;
  /* Its source is about to end it, and then comes here again. */
  if (g_cancellable_is_cancelled (
          g_task_get_cancellable (g_queue_peek_head (&self->calls))))
    return;
  call = g_task_get_task_data (g_queue_peek_head (&self->calls));
  if (self->kept != NULL && !(dps_plugin_process_is_usable (self->kept) &&
                              dps_plugin_process_serves (self->kept, &call->terms)))
    {
      end_kept (self);
      return;
    }
  stop_waiting (call);
  g_clear_handle_id (&self->timer, g_source_remove);
  if (self->kept != NULL)
    dps_plugin_process_watch (self->kept, NULL, NULL);
  call->process = g_steal_pointer (&self->kept);
  self->active = g_queue_pop_head (&self->calls);
  if (is_guarded (self, call) && !self->guard.may_call (self->guard.data,
                                                        call->terms.settings,
                                                        call->terms.secrets,
                                                        &error))
    dps_plugin_call_end (self->active, error);
  else
    dps_plugin_call_start (self->active);
}

static gboolean
on_cancelled (GCancellable *cancellable, gpointer data)
{
  GTask *task = data;
  DpsPluginCall *call = g_task_get_task_data (task);

  g_queue_remove (&call->queue->calls, task);
  stop_waiting (call);
  dps_plugin_call_end (task,
                       g_error_new_literal (G_IO_ERROR, G_IO_ERROR_CANCELLED, "queued"));
  return G_SOURCE_REMOVE;
}

void
dps_plugin_queue_push (DpsPluginQueue *self, GTask *task)
{
  DpsPluginCall *call = g_task_get_task_data (task);

  call->queue = self;
  call->keep = self->linger > 0;
  call->done = on_call_done;
  if (g_task_get_cancellable (task) != NULL)
    {
      call->waiting = g_cancellable_source_new (g_task_get_cancellable (task));
      g_source_set_callback (call->waiting, G_SOURCE_FUNC (on_cancelled), task, NULL);
      g_source_attach (call->waiting, NULL);
    }
  g_queue_push_tail (&self->calls, task);
  serve_next (self);
}

void
dps_plugin_queue_set_linger (DpsPluginQueue *self, guint ms)
{
  self->linger = ms;
  if (ms == 0)
    end_kept (self);
}

void
dps_plugin_queue_set_guard (DpsPluginQueue *self, const DpsPluginGuard *guard)
{
  self->guard = *guard;
}

DpsPluginQueue *
dps_plugin_queue_new (const char *name)
{
  DpsPluginQueue *self = g_new0 (DpsPluginQueue, 1);

  self->name = name;
  g_queue_init (&self->calls);
  return self;
}

void
dps_plugin_queue_free (DpsPluginQueue *self)
{
  g_return_if_fail (self->active == NULL && g_queue_is_empty (&self->calls));

  end_kept (self);
  if (self->ending != NULL)
    dps_plugin_process_end (self->ending, NULL, NULL);
  if (self->guard.destroy != NULL)
    self->guard.destroy (self->guard.data);
  g_free (self);
}
