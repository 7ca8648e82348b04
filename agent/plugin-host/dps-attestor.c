/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "plugin-host/dps-attestor.h"
#include "common/dps-error.h"
#include "common/dps-io.h"
#include "common/dps-memfd.h"
#include "dbus/dps-attestor1.h"
#include "plugin-host/dps-bounds.h"
#include "plugin-host/dps-host.h"
#include "plugin-host/dps-module.h"

#include <string.h>

struct _DpsAttestor
{
  GObject parent_instance;
  DpsAttestor1 *skeleton;
  DpsHostContext *context;
  char *plugin_dir;
  char *name;
  DpsAttestorConfinement confinement;
  gboolean any_owner;
  gboolean loaded;
  gboolean configured;
  DpsPluginInfo info;
};

G_DEFINE_FINAL_TYPE (DpsAttestor, dps_attestor, G_TYPE_OBJECT)

/* What a plugin's result becomes on the wire. */
static const struct
{
  DpsPluginResult result;
  DpsError code;
  const char *text; /* where the plugin gave none */
} results[] = {
  { DPS_PLUGIN_FAILED, DPS_ERROR_FAILED, "failed" },
  { DPS_PLUGIN_NOT_CONFIGURED, DPS_ERROR_NOT_CONFIGURED, "is not configured" },
  { DPS_PLUGIN_INVALID_ARGUMENT, DPS_ERROR_INVALID_ARGUMENT, "has a bad setting" },
  { DPS_PLUGIN_NOT_SUPPORTED, DPS_ERROR_NOT_SUPPORTED, "does not support this" },
  { DPS_PLUGIN_REJECTED, DPS_ERROR_REJECTED, "rejected this" },
  { DPS_PLUGIN_BUSY, DPS_ERROR_BUSY, "is busy" },
};

/* FALSE with error set for anything but OK. */
static gboolean
check_result (DpsAttestor *self, const char *verb, DpsPluginResult result, GError **error)
{
  g_autofree char *text = dps_host_context_take_error (self->context);
  g_autofree char *cause = dps_host_context_take_cause (self->context);

  if (result == DPS_PLUGIN_OK)
    return TRUE;
  for (gsize i = 0; i < G_N_ELEMENTS (results); i++)
    if (results[i].result == result)
      {
        g_set_error (error,
                     DPS_ERROR,
                     results[i].code,
                     "%s: %s",
                     verb,
                     text != NULL && *text != '\0' ? text : results[i].text);
        if (cause != NULL)
          g_prefix_error (error, "[%s] ", cause);
        return FALSE;
      }
  g_set_error (error,
               DPS_ERROR,
               DPS_ERROR_REJECTED,
               "%s: returned %d, which is no result",
               verb,
               (int) result);
  return FALSE;
}

static gboolean
check_ready (DpsAttestor *self, const char *verb, gboolean has_verb, GError **error)
{
  if (self->configured && has_verb)
    return TRUE;
  g_set_error (error,
               DPS_ERROR,
               self->configured ? DPS_ERROR_NOT_SUPPORTED : DPS_ERROR_INVALID_ARGUMENT,
               self->configured ? "%s: the plugin has no such verb"
                                : "%s: called before Load and Configure",
               verb);
  return FALSE;
}

/* GError of this process → named D-Bus error; always handled. */
static gboolean
fail (GDBusMethodInvocation *invocation, GError *error)
{
  if (error->domain == DPS_ERROR)
    g_dbus_method_invocation_return_gerror (invocation, error);
  else
    g_dbus_method_invocation_return_dbus_error (invocation,
                                                dps_error_name (DPS_ERROR_FAILED),
                                                error->message);
  g_error_free (error);
  return TRUE;
}

/* Puts bytes as a sealed memory file into fds; its handle, or -1 with error. */
static int
append_bytes (GUnixFDList *fds, const DpsPluginBytes *bytes, GError **error)
{
  dps_autofd fd = dps_memfd_new ("dps-plugin", bytes->data, bytes->size, error);

  return fd < 0 ? -1 : g_unix_fd_list_append (fds, fd, error);
}

static gboolean
handle_load (DpsAttestor1 *skeleton,
             GDBusMethodInvocation *invocation,
             const char *name,
             DpsAttestor *self)
{
  GError *error = NULL;
  GVariantDict facts;

  if (self->loaded || strcmp (name, self->name) != 0)
    {
      g_set_error (&error,
                   DPS_ERROR,
                   DPS_ERROR_INVALID_ARGUMENT,
                   "this process is for one plugin, '%s'",
                   self->name);
      return fail (invocation, error);
    }
  if (!dps_module_load (self->plugin_dir,
                        self->name,
                        self->any_owner,
                        &self->info,
                        &error))
    return fail (invocation, error);
  self->loaded = TRUE;
  g_variant_dict_init (&facts, NULL);
  g_variant_dict_insert (&facts, "seccomp", "b", TRUE);
  g_variant_dict_insert (&facts, "landlock", "u", self->confinement.landlock);
  g_variant_dict_insert (&facts, "unix-sockets", "b", self->confinement.unix_sockets);
  dps_attestor1_complete_load (skeleton,
                               invocation,
                               self->info.abi,
                               g_variant_dict_end (&facts));
  return TRUE;
}

static gboolean
handle_configure (DpsAttestor1 *skeleton,
                  GDBusMethodInvocation *invocation,
                  GUnixFDList *fds,
                  GVariant *settings,
                  GVariant *secrets,
                  GVariant *tpm,
                  DpsAttestor *self)
{
  GError *error = NULL;

  if (!self->loaded || self->configured)
    {
      g_set_error (&error,
                   DPS_ERROR,
                   DPS_ERROR_INVALID_ARGUMENT,
                   "Configure comes once, after Load");
      return fail (invocation, error);
    }
  if (!dps_host_context_configure (self->context, settings, secrets, tpm, fds, &error))
    return fail (invocation, error);
  self->configured = TRUE;
  dps_attestor1_complete_configure (skeleton, invocation, NULL);
  return TRUE;
}

static const char *
usable_name (DpsPluginUsable usable)
{
  static const char *const names[] = { NULL, "now", "later", "never" };

  return (guint) usable < G_N_ELEMENTS (names) ? names[usable] : NULL;
}

static const char *
kind_name (DpsPluginKind kind)
{
  static const char *const names[] = { NULL, "symmetric-key", "x509", "tpm" };

  return (guint) kind < G_N_ELEMENTS (names) ? names[kind] : NULL;
}

static gboolean
handle_probe (DpsAttestor1 *skeleton,
              GDBusMethodInvocation *invocation,
              DpsAttestor *self)
{
  DpsPluginProbeOut out = { .size = sizeof out, .usable = DPS_PLUGIN_USABLE_NOW };
  const char *availability;
  GError *error = NULL;

  if (!check_ready (self, "probe", TRUE, &error))
    return fail (invocation, error);
  if (self->info.probe != NULL)
    {
      DpsPluginResult result;

      out.usable = 0;
      result = self->info.probe (dps_host_context_get_host (self->context), &out);
      if (!check_result (self, "probe", result, &error))
        return fail (invocation, error);
    }
  availability = usable_name (out.usable);
  if (!dps_bounds_check_text (availability,
                              8,
                              TRUE,
                              FALSE,
                              "probe: availability",
                              &error) ||
      !dps_bounds_check_text (out.reason,
                              DPS_PLUGIN_TEXT_MAX,
                              FALSE,
                              FALSE,
                              "probe: a reason",
                              &error))
    return fail (invocation, error);
  dps_attestor1_complete_probe (skeleton,
                                invocation,
                                availability,
                                out.reason != NULL ? out.reason : "");
  g_free (out.reason);
  return TRUE;
}

static gboolean
check_description (const DpsPluginDescribeOut *out, GError **error)
{
  if (kind_name (out->kind) == NULL)
    {
      g_set_error (error, DPS_ERROR, DPS_ERROR_REJECTED, "kind %d", (int) out->kind);
      return FALSE;
    }
  if (!dps_bounds_check_text (out->registration_id,
                              DPS_PLUGIN_REGISTRATION_ID_MAX,
                              FALSE,
                              FALSE,
                              "a registration id",
                              error) ||
      !dps_bounds_check_material (out->material, error) ||
      !dps_bounds_check_text (out->enrollment,
                              DPS_PLUGIN_ENROLLMENT_MAX,
                              FALSE,
                              TRUE,
                              "an enrollment",
                              error))
    return FALSE;
  if (out->kind == DPS_PLUGIN_KIND_SYMMETRIC_KEY)
    return dps_bounds_check_bytes (&out->key,
                                   DPS_PLUGIN_KEY_MIN,
                                   DPS_PLUGIN_KEY_MAX,
                                   "a key",
                                   error);
  return dps_bounds_check_bytes (&out->key, 0, 0, "a key", error);
}

static GVariant *
material_variant (char *const *material)
{
  g_auto (GVariantBuilder) builder = G_VARIANT_BUILDER_INIT (G_VARIANT_TYPE ("a{ss}"));

  for (gsize i = 0; material != NULL && material[i] != NULL; i += 2)
    g_variant_builder_add (&builder, "{ss}", material[i], material[i + 1]);
  return g_variant_builder_end (&builder);
}

static GError *
complete_describe (DpsAttestor1 *skeleton,
                   GDBusMethodInvocation *invocation,
                   const DpsPluginDescribeOut *out)
{
  g_auto (GVariantBuilder) key = G_VARIANT_BUILDER_INIT (G_VARIANT_TYPE ("ah"));
  g_autoptr (GUnixFDList) fds = g_unix_fd_list_new ();
  GError *error = NULL;
  int handle = 0;

  if (out->key.size > 0)
    {
      handle = append_bytes (fds, &out->key, &error);
      if (handle < 0)
        return error;
      g_variant_builder_add (&key, "h", handle);
    }
  dps_attestor1_complete_describe (skeleton,
                                   invocation,
                                   fds,
                                   out->registration_id ? out->registration_id : "",
                                   kind_name (out->kind),
                                   material_variant (out->material),
                                   out->enrollment ? out->enrollment : "",
                                   g_variant_builder_end (&key));
  return NULL;
}

static gboolean
handle_describe (DpsAttestor1 *skeleton,
                 GDBusMethodInvocation *invocation,
                 GUnixFDList *fds,
                 DpsAttestor *self)
{
  DpsPluginDescribeOut out = { .size = sizeof out };
  GError *error = NULL;
  DpsPluginResult result;

  if (!check_ready (self, "describe", TRUE, &error))
    return fail (invocation, error);
  result = self->info.describe (dps_host_context_get_host (self->context), &out);
  if (check_result (self, "describe", result, &error))
    {
      if (check_description (&out, &error))
        error = complete_describe (skeleton, invocation, &out);
      g_prefix_error (&error, "describe: ");
    }
  dps_bounds_clear_bytes (&out.key, DPS_PLUGIN_KEY_MAX);
  if (error != NULL)
    return fail (invocation, error);
  g_free (out.registration_id);
  g_strfreev (out.material);
  g_free (out.enrollment);
  return TRUE;
}

static GError *
complete_answer (DpsAttestor1 *skeleton,
                 GDBusMethodInvocation *invocation,
                 const DpsPluginBytes *blob)
{
  g_autoptr (GUnixFDList) fds = g_unix_fd_list_new ();
  GError *error = NULL;
  int handle;

  if (!dps_bounds_check_bytes (blob, 1, DPS_PLUGIN_BLOB_MAX, "answer: a blob", &error))
    return error;
  handle = append_bytes (fds, blob, &error);
  if (handle < 0)
    return error;
  dps_attestor1_complete_answer (skeleton,
                                 invocation,
                                 fds,
                                 g_variant_new_handle (handle));
  return NULL;
}

static gboolean
handle_answer (DpsAttestor1 *skeleton,
               GDBusMethodInvocation *invocation,
               GUnixFDList *fds,
               GVariant *handle,
               DpsAttestor *self)
{
  DpsPluginBytes blob = { NULL, 0 };
  DpsPluginView challenge;
  GError *error = NULL;
  DpsPluginResult result;

  if (!check_ready (self, "answer", self->info.answer != NULL, &error) ||
      !dps_host_map (fds,
                     g_variant_get_handle (handle),
                     "a challenge",
                     &challenge,
                     &error))
    return fail (invocation, error);
  result =
      self->info.answer (dps_host_context_get_host (self->context), &challenge, &blob);
  dps_host_unmap (&challenge);
  if (check_result (self, "answer", result, &error))
    error = complete_answer (skeleton, invocation, &blob);
  dps_bounds_clear_bytes (&blob, DPS_PLUGIN_BLOB_MAX);
  return error != NULL ? fail (invocation, error) : TRUE;
}

static gboolean
parse_sign (const char *slot,
            const char *mechanism,
            GVariant *data,
            DpsPluginSignIn *in,
            GError **error)
{
  gsize size;

  in->data.data = g_variant_get_fixed_array (data, &size, 1);
  in->data.size = size;
  in->mechanism = mechanism;
  in->slot = strcmp (slot, "hub") == 0 ? DPS_PLUGIN_SLOT_HUB : DPS_PLUGIN_SLOT_SERVICE;
  if ((strcmp (slot, "hub") == 0 || strcmp (slot, "service") == 0) &&
      *mechanism != '\0' && strlen (mechanism) <= 64 && size <= DPS_PLUGIN_DATA_MAX)
    return TRUE;
  g_set_error (error,
               DPS_ERROR,
               DPS_ERROR_INVALID_ARGUMENT,
               "sign: a slot that is neither service nor hub, a mechanism that is not of "
               "1 to 64 characters, or data over %d bytes",
               DPS_PLUGIN_DATA_MAX);
  return FALSE;
}

static gboolean
map_optional_blob (GVariant *blob, GUnixFDList *fds, DpsPluginView *view, GError **error)
{
  gint32 handle;

  *view = (DpsPluginView){ NULL, 0 };
  if (g_variant_n_children (blob) == 0)
    return TRUE;
  g_variant_get_child (blob, 0, "h", &handle);
  return dps_host_map (fds, handle, "a blob", view, error);
}

static gboolean
handle_sign (DpsAttestor1 *skeleton,
             GDBusMethodInvocation *invocation,
             GUnixFDList *fds,
             const char *slot,
             const char *mechanism,
             GVariant *blob,
             GVariant *data,
             DpsAttestor *self)
{
  DpsPluginSignIn in = { .size = sizeof in };
  DpsPluginBytes signature = { NULL, 0 };
  DpsPluginView view;
  GError *error = NULL;
  DpsPluginResult result;

  if (!check_ready (self, "sign", self->info.sign != NULL, &error) ||
      !parse_sign (slot, mechanism, data, &in, &error) ||
      !map_optional_blob (blob, fds, &view, &error))
    return fail (invocation, error);
  dps_host_context_set_blob (self->context, view);
  result = self->info.sign (dps_host_context_get_host (self->context), &in, &signature);
  dps_host_context_set_blob (self->context, (DpsPluginView){ NULL, 0 });
  dps_host_unmap (&view);
  if (check_result (self, "sign", result, &error) &&
      dps_bounds_check_bytes (&signature,
                              1,
                              DPS_PLUGIN_SIGNATURE_MAX,
                              "sign: a signature",
                              &error))
    dps_attestor1_complete_sign (skeleton,
                                 invocation,
                                 NULL,
                                 g_variant_new_fixed_array (G_VARIANT_TYPE_BYTE,
                                                            signature.data,
                                                            signature.size,
                                                            1));
  dps_bounds_clear_bytes (&signature, DPS_PLUGIN_SIGNATURE_MAX);
  return error != NULL ? fail (invocation, error) : TRUE;
}

static gboolean
handle_forget (DpsAttestor1 *skeleton,
               GDBusMethodInvocation *invocation,
               DpsAttestor *self)
{
  GError *error = NULL;

  if (!check_ready (self, "forget", self->info.forget != NULL, &error))
    return fail (invocation, error);
  if (!check_result (self,
                     "forget",
                     self->info.forget (dps_host_context_get_host (self->context)),
                     &error))
    return fail (invocation, error);
  dps_attestor1_complete_forget (skeleton, invocation);
  return TRUE;
}

static void
dps_attestor_finalize (GObject *object)
{
  DpsAttestor *self = DPS_ATTESTOR (object);

  g_clear_object (&self->skeleton);
  dps_host_context_free (self->context);
  g_free (self->plugin_dir);
  g_free (self->name);
  G_OBJECT_CLASS (dps_attestor_parent_class)->finalize (object);
}

static void
dps_attestor_class_init (DpsAttestorClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = dps_attestor_finalize;
}

static void
dps_attestor_init (DpsAttestor *self)
{
  static const struct
  {
    const char *signal;
    GCallback handler;
  } handlers[] = {
    { "handle-load", G_CALLBACK (handle_load) },
    { "handle-configure", G_CALLBACK (handle_configure) },
    { "handle-probe", G_CALLBACK (handle_probe) },
    { "handle-describe", G_CALLBACK (handle_describe) },
    { "handle-answer", G_CALLBACK (handle_answer) },
    { "handle-sign", G_CALLBACK (handle_sign) },
    { "handle-forget", G_CALLBACK (handle_forget) },
  };

  self->context = dps_host_context_new ();
  self->skeleton = dps_attestor1_skeleton_new ();
  for (gsize i = 0; i < G_N_ELEMENTS (handlers); i++)
    g_signal_connect (self->skeleton, handlers[i].signal, handlers[i].handler, self);
}

DpsAttestor *
dps_attestor_new (const char *plugin_dir,
                  const char *name,
                  const DpsAttestorConfinement *confinement,
                  gboolean any_owner)
{
  DpsAttestor *self = g_object_new (DPS_TYPE_ATTESTOR, NULL);

  self->plugin_dir = g_strdup (plugin_dir);
  self->name = g_strdup (name);
  self->confinement = *confinement;
  self->any_owner = any_owner;
  return self;
}

gboolean
dps_attestor_export (DpsAttestor *self, GDBusConnection *connection, GError **error)
{
  return g_dbus_interface_skeleton_export (G_DBUS_INTERFACE_SKELETON (self->skeleton),
                                           connection,
                                           DPS_ATTESTOR_PATH,
                                           error);
}
