/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "bus/dps-call.h"
#include "bus/dps-key-reader.h"
#include "bus/dps-options.h"
#include "common/dps-error.h"
#include "common/dps-log.h"
#include "common/dps-secret.h"

#include <string.h>

static gboolean
find_origin (const char *name, DpsOrigin *origin, GError **error)
{
  static const char *const names[] = {
    [DPS_ORIGIN_OPERATOR] = "operator",
    [DPS_ORIGIN_BOOT] = "boot",
    [DPS_ORIGIN_TIMER] = "timer",
  };

  for (gsize i = 0; i < G_N_ELEMENTS (names); i++)
    if (strcmp (names[i], name) == 0)
      {
        *origin = (DpsOrigin) i;
        return TRUE;
      }
  g_set_error (error,
               DPS_ERROR,
               DPS_ERROR_INVALID_ARGUMENT,
               "option 'origin' is 'boot', 'operator' or 'timer'");
  return FALSE;
}

static void
run_provision (DpsCall *call)
{
  static const DpsOption known[] = { { "origin", "s" } };
  g_autoptr (GVariant) options = dps_call_argument (call, 0);
  const char *origin = "operator";
  DpsOrigin found;
  GError *error = NULL;
  gboolean done = dps_options_check (options, known, G_N_ELEMENTS (known), &error);

  if (done)
    {
      g_variant_lookup (options, "origin", "&s", &origin);
      done = find_origin (origin, &found, &error) &&
             dps_provisioner_provision (call->provisioner, found, &error);
    }
  dps_call_answer_done (call, done, error);
}

static void
run_reprovision (DpsCall *call)
{
  g_autoptr (GVariant) options = dps_call_argument (call, 0);
  GError *error = NULL;
  gboolean done = dps_options_check (options, NULL, 0, &error) &&
                  dps_provisioner_reprovision (call->provisioner, &error);

  dps_call_answer_done (call, done, error);
}

static void
run_cancel (DpsCall *call)
{
  dps_provisioner_cancel (call->provisioner);
  dps_call_answer (call, NULL);
}

static void
on_reset (GObject *source, GAsyncResult *result, gpointer data)
{
  GError *error = NULL;
  gboolean done = dps_provisioner_reset_finish (DPS_PROVISIONER (source), result, &error);

  dps_call_answer_done (data, done, error);
}

static void
run_reset (DpsCall *call)
{
  g_autoptr (GVariant) options = dps_call_argument (call, 0);
  GError *error = NULL;

  if (!dps_options_check (options, NULL, 0, &error))
    {
      dps_call_fail (call, error);
      return;
    }
  dps_message ((TOPIC ("audit")), "user %u resets the identity", call->uid);
  dps_provisioner_reset_async (call->provisioner, on_reset, call);
}

static void
run_reload (DpsCall *call)
{
  GError *error = NULL;
  gboolean done = dps_provisioner_reload (call->provisioner, &error);

  dps_call_answer_done (call, done, error);
}

static void
on_key_imported (GObject *source, GAsyncResult *result, gpointer data)
{
  DpsCall *call = data;
  GError *error = NULL;
  gboolean done = dps_keeper_finish (DPS_KEEPER (source), result, &error);

  dps_provisioner_key_imported (call->provisioner, done);
  dps_call_answer_done (call, done, error);
}

static gboolean
is_group_key (DpsCall *call)
{
  g_autoptr (GVariant) kind = dps_call_argument (call, 0);

  return strcmp (g_variant_get_string (kind, NULL), "group") == 0;
}

static void
on_key_read (GObject *source, GAsyncResult *result, gpointer data)
{
  DpsCall *call = data;
  GError *error = NULL;
  g_autoptr (DpsSecret) text = dps_key_reader_read_finish (result, &error);
  g_autoptr (DpsImportedKey) key = NULL;
  g_autofree char *overruled = NULL;

  if (text != NULL && dps_provisioner_may_import (call->provisioner, &error))
    key = is_group_key (call)
              ? dps_provisioner_derive_key (call->provisioner, text, &error)
              : dps_imported_key_new (text, NULL, NULL);
  if (key == NULL)
    {
      dps_call_fail (call, error);
      return;
    }
  overruled = dps_provisioner_find_group_file (call->provisioner);
  dps_keeper_put_imported_key_async (call->keeper, key, overruled, on_key_imported, call);
}

static void
run_import_key (DpsCall *call)
{
  g_autoptr (GVariant) kind = dps_call_argument (call, 0);

  if (strcmp (g_variant_get_string (kind, NULL), "device") == 0 || is_group_key (call))
    dps_key_reader_read_async (call->invocation, 1, on_key_read, call);
  else
    dps_call_fail (call,
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
    dps_call_fail (data, error);
  else
    dps_call_answer (data, g_variant_new ("(@a{sv})", enrollment));
  g_clear_pointer (&enrollment, g_variant_unref);
}

static void
run_get_enrollment (DpsCall *call)
{
  g_autoptr (GVariant) options = dps_call_argument (call, 0);
  GError *error = NULL;

  if (dps_options_check (options, NULL, 0, &error))
    dps_provisioner_get_enrollment_async (call->provisioner, on_enrollment, call);
  else
    dps_call_fail (call, error);
}

const DpsMethod dps_control_methods[] = {
  { "handle-provision", DPS_RIGHT_CONTROL, DPS_MENDS_STORE, run_provision },
  { "handle-reprovision", DPS_RIGHT_CONTROL, DPS_MENDS_STORE, run_reprovision },
  { "handle-cancel", DPS_RIGHT_CONTROL, DPS_NEEDS_NOTHING, run_cancel },
  { "handle-reset", DPS_RIGHT_CONTROL, DPS_NEEDS_STORE, run_reset },
  { "handle-reload", DPS_RIGHT_CONTROL, DPS_MENDS_STORE, run_reload },
  { "handle-import-key", DPS_RIGHT_CONTROL, DPS_MENDS_STORE, run_import_key },
  { "handle-get-enrollment", DPS_RIGHT_CONTROL, DPS_NEEDS_NOTHING, run_get_enrollment },
  { NULL },
};
