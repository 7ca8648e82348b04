/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "common/dps-memfd.h"
#include "core/dps-plugin-child.h"
#include "core/dps-plugin-reply.h"
#include "plugin-host/dps-host.h"
#include "target.h"

#include <gio/gio.h>
#include <string.h>
#include <unistd.h>

/* Messages of Attestor1. First byte: m a D-Bus message as it comes over the socket from a
 * plugin's process, or its body as text (GVariant's): d of Describe, p of Probe, s of
 * Sign; c what the agent gives to Configure; l a line of the process's log. */

#define DESCRIBED "(ssa{ss}sah)"
#define PROBED "(ss)"
#define SIGNED "(ay)"
#define CONFIGURED "(a{ss}a{sh}ah)"

/* Handle 0 is a good key, 1 an empty file, 2 one that is not sealed. */
static GUnixFDList *
make_fds (void)
{
  GUnixFDList *fds = g_unix_fd_list_new ();
  int good = dps_memfd_new ("key", "0123456789abcdef", 16, NULL);
  int empty = dps_memfd_new ("empty", "", 0, NULL);
  int pipes[2];

  g_assert_cmpint (pipe (pipes), ==, 0);
  g_unix_fd_list_append (fds, good, NULL);
  g_unix_fd_list_append (fds, empty, NULL);
  g_unix_fd_list_append (fds, pipes[0], NULL);
  close (good);
  close (empty);
  close (pipes[0]);
  close (pipes[1]);
  return fds;
}

static void
try_description (GVariant *body, GUnixFDList *fds)
{
  g_autoptr (DpsPluginDescription) out = NULL;
  g_autoptr (GVariant) material = NULL;
  g_autoptr (GVariant) key = NULL;
  const char *id, *kind, *enrollment;

  g_variant_get (body, "(&s&s@a{ss}&s@ah)", &id, &kind, &material, &enrollment, &key);
  out = dps_plugin_reply_description (id, kind, material, enrollment, key, fds, NULL);
  if (out == NULL)
    return;
  g_assert_cmpstr (out->kind, ==, kind);
  g_assert_cmpuint (g_hash_table_size (out->material),
                    ==,
                    g_variant_n_children (material));
  g_assert_cmpint (out->key != NULL, ==, strcmp (kind, "symmetric-key") == 0);
  if (out->key != NULL)
    g_assert_cmpuint (dps_secret_size (out->key), ==, 16);
  if (out->registration_id != NULL)
    g_assert_cmpuint (strlen (out->registration_id), <=, 128);
}

static void
try_probe (GVariant *body)
{
  const char *availability, *reason;
  DpsPluginProbe *probe;

  g_variant_get (body, "(&s&s)", &availability, &reason);
  probe = dps_plugin_reply_probe (availability, reason, NULL);
  if (probe == NULL)
    return;
  g_assert_cmpstr (probe->reason, ==, reason);
  g_assert_null (strpbrk (probe->reason, "\r\n\x1b"));
  dps_plugin_probe_free (probe);
}

static void
try_signature (GVariant *body)
{
  g_autoptr (GVariant) array = g_variant_get_child_value (body, 0);
  g_autoptr (GBytes) signature = dps_plugin_reply_signature (array, NULL);

  if (signature != NULL)
    g_assert_true (g_bytes_get_size (signature) >= 1 &&
                   g_bytes_get_size (signature) <= 1024);
}

static void
try_configure (GVariant *body, GUnixFDList *fds)
{
  g_autoptr (DpsHostContext) context = dps_host_context_new ();
  g_autoptr (GVariant) settings = g_variant_get_child_value (body, 0);
  g_autoptr (GVariant) secrets = g_variant_get_child_value (body, 1);
  g_autoptr (GVariant) tpm = g_variant_get_child_value (body, 2);

  if (!dps_host_context_configure (context, settings, secrets, tpm, fds, NULL))
    return;
  g_assert_cmpuint (g_variant_n_children (settings), <=, DPS_HOST_SETTINGS_MAX);
  g_assert_cmpuint (g_variant_n_children (secrets), <=, DPS_HOST_SECRETS_MAX);
}

static void
try_body (GVariant *body)
{
  g_autoptr (GUnixFDList) fds = make_fds ();

  if (g_variant_is_of_type (body, G_VARIANT_TYPE (DESCRIBED)))
    try_description (body, fds);
  else if (g_variant_is_of_type (body, G_VARIANT_TYPE (PROBED)))
    try_probe (body);
  else if (g_variant_is_of_type (body, G_VARIANT_TYPE (SIGNED)))
    try_signature (body);
  else if (g_variant_is_of_type (body, G_VARIANT_TYPE (CONFIGURED)))
    try_configure (body, fds);
}

static void
try_text (const char *type, const char *data, gsize size)
{
  g_autoptr (GVariant) body = NULL;

  if (!g_utf8_validate_len (data, size, NULL))
    return;
  body = g_variant_parse (G_VARIANT_TYPE (type), data, data + size, NULL, NULL);
  if (body != NULL)
    try_body (body);
}

static void
try_message (const guint8 *data, gsize size)
{
  g_autofree guint8 *copy = g_memdup2 (data, size);
  g_autoptr (GDBusMessage) message =
      size < 16 ? NULL
                : g_dbus_message_new_from_blob (copy,
                                                size,
                                                G_DBUS_CAPABILITY_FLAGS_UNIX_FD_PASSING,
                                                NULL);

  if (message != NULL && g_dbus_message_get_body (message) != NULL)
    try_body (g_dbus_message_get_body (message));
}

static void
try_line (const char *data, gsize size)
{
  GLogLevelFlags level = 0;
  g_autofree char *line = dps_plugin_child_parse_line (data, size, &level);

  g_assert_true (g_utf8_validate (line, -1, NULL));
  g_assert_cmpuint (level, !=, 0);
  for (const char *p = line; *p != '\0'; p = g_utf8_next_char (p))
    g_assert_false (g_unichar_iscntrl (g_utf8_get_char (p)));
}

int
LLVMFuzzerTestOneInput (const guint8 *bytes, gsize size)
{
  const char *data = (const char *) bytes + 1;

  if (size == 0)
    return 0;
  size--;
  switch (bytes[0])
    {
    case 'm':
      try_message (bytes + 1, size);
      break;
    case 'd':
      try_text (DESCRIBED, data, size);
      break;
    case 'p':
      try_text (PROBED, data, size);
      break;
    case 's':
      try_text (SIGNED, data, size);
      break;
    case 'c':
      try_text (CONFIGURED, data, size);
      break;
    default:
      try_line (data, size);
    }
  return 0;
}
