/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "common/dps-log.h"
#include "core/dps-enrollment.h"
#include "core/dps-provisioner-private.h"

/* Answers all who wait for it; error and enrollment stay the caller's. */
static void
answer_all (DpsProvisioner *self, GVariant *enrollment, const GError *error)
{
  g_autoptr (GPtrArray) tasks = g_steal_pointer (&self->enrollment_tasks);

  for (guint i = 0; tasks != NULL && i < tasks->len; i++)
    if (enrollment != NULL)
      g_task_return_pointer (tasks->pdata[i],
                             g_variant_ref (enrollment),
                             (GDestroyNotify) g_variant_unref);
    else
      g_task_return_error (tasks->pdata[i], g_error_copy (error));
}

static void
on_described (GObject *source, GAsyncResult *result, gpointer data)
{
  g_autoptr (DpsProvisioner) self = data;
  g_autoptr (DpsFailure) failure = NULL;
  g_autoptr (GVariant) enrollment = dps_enrollment_run_finish (result, &failure);
  g_autoptr (GError) error = failure ? dps_enrollment_error (failure) : NULL;

  self->describing = FALSE;
  answer_all (self, enrollment, error);
  if (self->keeper != NULL) /* not disposed of meanwhile */
    dps_provisioner_settle (self);
}

gboolean
dps_provisioner_describe_first (DpsProvisioner *self)
{
  g_autoptr (GError) error = NULL;

  if (self->enrollment_tasks == NULL || self->describing)
    return self->describing;
  if (!dps_provisioner_refresh (self, &error))
    {
      answer_all (self, NULL, error);
      return FALSE;
    }
  self->describing = TRUE;
  dps_enrollment_run_async (self->settings,
                            self->keeper,
                            on_described,
                            g_object_ref (self));
  return TRUE;
}

void
dps_provisioner_get_enrollment_async (DpsProvisioner *self,
                                      GAsyncReadyCallback callback,
                                      gpointer data)
{
  if (self->enrollment_tasks == NULL)
    self->enrollment_tasks = g_ptr_array_new_with_free_func (g_object_unref);
  g_ptr_array_add (self->enrollment_tasks, g_task_new (self, NULL, callback, data));
  if (self->attempt == NULL && !dps_provisioner_must_wait (self))
    dps_provisioner_describe_first (self);
  else
    dps_info ((TOPIC ("enrollment")), "to be told when what is under way has ended");
}

GVariant *
dps_provisioner_get_enrollment_finish (DpsProvisioner *self,
                                       GAsyncResult *result,
                                       GError **error)
{
  return g_task_propagate_pointer (G_TASK (result), error);
}
