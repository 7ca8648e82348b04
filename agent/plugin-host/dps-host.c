/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "plugin-host/dps-host.h"
#include "common/dps-error.h"
#include "common/dps-io.h"
#include "common/dps-memfd.h"
#include "common/dps-name.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#define NAME_MAX_BYTES 64

struct _DpsHostContext
{
  DpsHost host;
  GHashTable *settings; /* char * → char * */
  GHashTable *secrets;  /* char * → DpsPluginView * */
  DpsPluginView blob;
  int tpm;
  char *error;
  char *cause;
};

static const char *
host_get_setting (const DpsHost *host, const char *key)
{
  DpsHostContext *self = host->priv;

  return key != NULL ? g_hash_table_lookup (self->settings, key) : NULL;
}

static gboolean
host_get_secret (const DpsHost *host, const char *key, DpsPluginView *secret)
{
  DpsHostContext *self = host->priv;
  const DpsPluginView *found =
      key != NULL ? g_hash_table_lookup (self->secrets, key) : NULL;

  *secret = found != NULL ? *found : (DpsPluginView){ NULL, 0 };
  return found != NULL;
}

static gboolean
host_get_blob (const DpsHost *host, DpsPluginView *blob)
{
  DpsHostContext *self = host->priv;

  *blob = self->blob;
  return blob->data != NULL;
}

static int
host_tpm_fd (const DpsHost *host)
{
  DpsHostContext *self = host->priv;

  return self->tpm;
}

/* One line of printable UTF-8 of bounded length, whatever was passed. */
static char *
one_line (const char *text)
{
  g_autofree char *cut = g_strndup (text, strnlen (text, DPS_PLUGIN_TEXT_MAX));
  char *valid = g_utf8_make_valid (cut, -1);

  for (char *p = valid; *p != '\0'; p++)
    if (g_ascii_iscntrl (*p))
      *p = ' ';
  return g_strstrip (valid);
}

static void
host_set_error (const DpsHost *host, const char *text)
{
  DpsHostContext *self = host->priv;

  g_free (self->error);
  self->error = text != NULL ? one_line (text) : NULL;
}

static void
host_set_cause (const DpsHost *host, const char *cause)
{
  DpsHostContext *self = host->priv;

  g_free (self->cause);
  self->cause = NULL;
  if (cause != NULL && dps_name_check_plugin (cause, NULL))
    self->cause = g_strdup (cause);
}

/* The agent reads standard error; the number in front is the level, as systemd has it. */
static void
host_log (const DpsHost *host, DpsPluginLogLevel level, const char *text)
{
  g_autofree char *line = text != NULL ? one_line (text) : NULL;
  g_autofree char *full = NULL;

  if (line == NULL)
    return;
  full =
      g_strdup_printf ("<%d>%s\n",
                       CLAMP ((int) level, DPS_PLUGIN_LOG_WARNING, DPS_PLUGIN_LOG_DEBUG),
                       line);
  dps_write_all (STDERR_FILENO, full, strlen (full), NULL);
}

static void
free_view (gpointer data)
{
  dps_host_unmap (data);
  g_free (data);
}

DpsHostContext *
dps_host_context_new (void)
{
  DpsHostContext *self = g_new0 (DpsHostContext, 1);

  self->host = (DpsHost){
    .size = sizeof (DpsHost),
    .priv = self,
    .get_setting = host_get_setting,
    .get_secret = host_get_secret,
    .get_blob = host_get_blob,
    .tpm_fd = host_tpm_fd,
    .set_error = host_set_error,
    .log = host_log,
    .set_cause = host_set_cause,
  };
  self->settings = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  self->secrets = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, free_view);
  self->tpm = -1;
  return self;
}

void
dps_host_context_free (DpsHostContext *self)
{
  g_hash_table_unref (self->settings);
  g_hash_table_unref (self->secrets);
  dps_close_fd (&self->tpm);
  g_free (self->error);
  g_free (self->cause);
  g_free (self);
}

const DpsHost *
dps_host_context_get_host (DpsHostContext *self)
{
  return &self->host;
}

void
dps_host_context_set_blob (DpsHostContext *self, DpsPluginView blob)
{
  self->blob = blob;
}

char *
dps_host_context_take_error (DpsHostContext *self)
{
  return g_steal_pointer (&self->error);
}

char *
dps_host_context_take_cause (DpsHostContext *self)
{
  return g_steal_pointer (&self->cause);
}

gboolean
dps_host_map (GUnixFDList *fds,
              gint32 handle,
              const char *what,
              DpsPluginView *view,
              GError **error)
{
  dps_autofd fd = -1;
  gsize size;
  void *data;

  *view = (DpsPluginView){ NULL, 0 };
  if (fds == NULL || handle < 0 || handle >= g_unix_fd_list_get_length (fds))
    {
      g_set_error (error, DPS_ERROR, DPS_ERROR_INVALID_ARGUMENT, "%s is missing", what);
      return FALSE;
    }
  fd = g_unix_fd_list_get (fds, handle, error);
  if (fd < 0)
    return FALSE;
  if (!dps_memfd_check (fd, DPS_PLUGIN_BLOB_MAX, &size, error))
    return g_prefix_error (error, "%s: ", what), FALSE;
  /* Nothing can be mapped of an empty file; a view that is there is not NULL. */
  if (size == 0)
    {
      view->data = (const guint8 *) "";
      return TRUE;
    }
  data = mmap (NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
  if (data == MAP_FAILED)
    return dps_set_errno (error, errno, "mapping %s", what);
  madvise (data, size, MADV_DONTDUMP);
  *view = (DpsPluginView){ data, size };
  return TRUE;
}

void
dps_host_unmap (DpsPluginView *view)
{
  if (view->size > 0)
    munmap ((void *) view->data, view->size);
  *view = (DpsPluginView){ NULL, 0 };
}

static gboolean
check_count (GVariant *array, gsize max, const char *what, GError **error)
{
  if (g_variant_n_children (array) <= max)
    return TRUE;
  g_set_error (error,
               DPS_ERROR,
               DPS_ERROR_LIMITS_EXCEEDED,
               "more than %" G_GSIZE_FORMAT " %s",
               max,
               what);
  return FALSE;
}

static gboolean
check_pair (const char *key, const char *value, GError **error)
{
  if (strlen (key) <= NAME_MAX_BYTES && strlen (value) <= DPS_PLUGIN_BLOB_MAX)
    return TRUE;
  g_set_error (error,
               DPS_ERROR,
               DPS_ERROR_LIMITS_EXCEEDED,
               "a name over %d bytes or a value over %d",
               NAME_MAX_BYTES,
               DPS_PLUGIN_BLOB_MAX);
  return FALSE;
}

static gboolean
take_settings (DpsHostContext *self, GVariant *settings, GError **error)
{
  GVariantIter iter;
  const char *key, *value;

  if (!check_count (settings, DPS_HOST_SETTINGS_MAX, "settings", error))
    return FALSE;
  g_variant_iter_init (&iter, settings);
  while (g_variant_iter_next (&iter, "{&s&s}", &key, &value))
    {
      if (!check_pair (key, value, error))
        return FALSE;
      g_hash_table_replace (self->settings, g_strdup (key), g_strdup (value));
    }
  return TRUE;
}

static gboolean
take_secrets (DpsHostContext *self, GVariant *secrets, GUnixFDList *fds, GError **error)
{
  GVariantIter iter;
  const char *key;
  gint32 handle;

  if (!check_count (secrets, DPS_HOST_SECRETS_MAX, "secrets", error))
    return FALSE;
  g_variant_iter_init (&iter, secrets);
  while (g_variant_iter_next (&iter, "{&sh}", &key, &handle))
    {
      DpsPluginView view;

      if (!check_pair (key, "", error) || !dps_host_map (fds, handle, key, &view, error))
        return FALSE;
      g_hash_table_replace (self->secrets,
                            g_strdup (key),
                            g_memdup2 (&view, sizeof view));
    }
  return TRUE;
}

static gboolean
take_tpm (DpsHostContext *self, GVariant *tpm, GUnixFDList *fds, GError **error)
{
  struct stat st;
  gint32 handle;

  if (!check_count (tpm, 1, "TPM", error))
    return FALSE;
  if (g_variant_n_children (tpm) == 0)
    return TRUE;
  g_variant_get_child (tpm, 0, "h", &handle);
  if (fds == NULL || handle < 0 || handle >= g_unix_fd_list_get_length (fds))
    return dps_set_errno (error, EBADF, "the TPM");
  self->tpm = g_unix_fd_list_get (fds, handle, error);
  if (self->tpm < 0)
    return FALSE;
  if (fstat (self->tpm, &st) < 0 || !(S_ISCHR (st.st_mode) || S_ISSOCK (st.st_mode)))
    return dps_set_errno (error, ENODEV, "the TPM is no device and no socket");
  return TRUE;
}

gboolean
dps_host_context_configure (DpsHostContext *self,
                            GVariant *settings,
                            GVariant *secrets,
                            GVariant *tpm,
                            GUnixFDList *fds,
                            GError **error)
{
  return take_settings (self, settings, error) &&
         take_secrets (self, secrets, fds, error) && take_tpm (self, tpm, fds, error);
}
