/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "common/dps-io.h"
#include "common/dps-secret.h"
#include "plugin-check/dps-check-suite.h"

#include <gio/gio.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* dps-plugin-check: the conformance suite for attestation plugins, for their authors. */

#define SECRET_MAX (16 * 1024)

enum
{
  EXIT_CONFORMS,
  EXIT_FAILS,
  EXIT_USAGE
};

static char **settings;
static char **secrets;
static char **publics;
static char *plugin_host = (char *) DPS_LIBEXEC_DIR "/dps-plugin-host";
static char *exerciser = (char *) DPS_LIBEXEC_DIR "/dps-plugin-exercise";
static gboolean forget;
static gboolean strict;
static gboolean tap;
static gboolean version;

static const GOptionEntry entries[] = {
  { "setting",
    0,
    0,
    G_OPTION_ARG_STRING_ARRAY,
    &settings,
    "As KEY=VALUE in [plugin NAME]; repeatable",
    "KEY=VALUE" },
  { "secret",
    0,
    0,
    G_OPTION_ARG_FILENAME_ARRAY,
    &secrets,
    "As NAME-file=FILE in [plugin NAME]; repeatable",
    "NAME=FILE" },
  { "public",
    0,
    0,
    G_OPTION_ARG_FILENAME_ARRAY,
    &publics,
    "As --secret, of what is none (a certificate); repeatable",
    "NAME=FILE" },
  { "forget",
    0,
    0,
    G_OPTION_ARG_NONE,
    &forget,
    "Call forget too, which may change the machine",
    NULL },
  { "strict", 0, 0, G_OPTION_ARG_NONE, &strict, "Fail where a check is skipped", NULL },
  { "tap", 0, 0, G_OPTION_ARG_NONE, &tap, "Write TAP", NULL },
  { "plugin-host",
    0,
    0,
    G_OPTION_ARG_FILENAME,
    &plugin_host,
    "Another dps-plugin-host",
    "FILE" },
  { "exerciser",
    0,
    0,
    G_OPTION_ARG_FILENAME,
    &exerciser,
    "Another dps-plugin-exercise",
    "FILE" },
  { "version", 0, 0, G_OPTION_ARG_NONE, &version, "Show the version", NULL },
  G_OPTION_ENTRY_NULL,
};

/* The two sides of "NAME=VALUE"; FALSE where it is none. */
static gboolean
split (const char *text, char **name, const char **value, GError **error)
{
  const char *equals = strchr (text, '=');

  if (equals == NULL || equals == text)
    {
      g_set_error (error,
                   G_OPTION_ERROR,
                   G_OPTION_ERROR_BAD_VALUE,
                   "'%s' is not NAME=VALUE",
                   text);
      return FALSE;
    }
  *name = g_strndup (text, (gsize) (equals - text));
  *value = equals + 1;
  return TRUE;
}

static gboolean
take_settings (DpsCheckPlan *plan, GError **error)
{
  for (char **text = settings; text != NULL && *text != NULL; text++)
    {
      const char *value;
      char *name;

      if (!split (*text, &name, &value, error))
        return FALSE;
      g_hash_table_replace (plan->settings, name, g_strdup (value));
    }
  return TRUE;
}

static gboolean
take_secrets (DpsCheckPlan *plan, char **files, gboolean published, GError **error)
{
  for (char **text = files; text != NULL && *text != NULL; text++)
    {
      const char *path;
      char *name;
      DpsSecret *secret;
      dps_autofd fd = -1;

      if (!split (*text, &name, &path, error))
        return FALSE;
      g_hash_table_replace (plan->secret_files, name, g_strdup (path));
      fd = dps_open_at (AT_FDCWD, path, O_RDONLY, 0, error);
      secret = fd >= 0 ? dps_secret_read_fd (fd, SECRET_MAX, error) : NULL;
      if (secret == NULL)
        return g_prefix_error (error, "'%s': ", path), FALSE;
      g_hash_table_replace (plan->secrets, g_strdup (name), secret);
      if (published)
        g_hash_table_add (plan->published, g_strdup (name));
    }
  return TRUE;
}

static gboolean
take_file (DpsCheckPlan *plan, GError **error)
{
  struct stat st;

  if (stat (plan->file, &st) == 0)
    return TRUE;
  g_set_error (error,
               G_OPTION_ERROR,
               G_OPTION_ERROR_BAD_VALUE,
               "'%s': %s",
               plan->file,
               g_strerror (errno));
  return FALSE;
}

static int
check (DpsCheckPlan *plan, GError **error)
{
  DpsCheckReport report = { .tap = tap, .strict = strict };

  if (!take_file (plan, error) || !take_settings (plan, error) ||
      !take_secrets (plan, secrets, FALSE, error) ||
      !take_secrets (plan, publics, TRUE, error))
    return EXIT_USAGE;
  dps_check_suite_run (plan, &report);
  return dps_check_report_end (&report) ? EXIT_CONFORMS : EXIT_FAILS;
}

int
main (int argc, char **argv)
{
  g_autoptr (GOptionContext) context = g_option_context_new ("FILE");
  g_autoptr (GError) error = NULL;
  DpsCheckPlan plan = { NULL };
  int status = EXIT_USAGE;

  g_option_context_set_summary (context,
                                "Checks whether the attestation plugin FILE keeps the "
                                "rules of dps-plugin.h.");
  g_option_context_add_main_entries (context, entries, NULL);
  if (!g_option_context_parse (context, &argc, &argv, &error))
    ;
  else if (version)
    return printf ("dps-plugin-check %s\n", PACKAGE_VERSION) < 0;
  else if (argc != 2)
    g_set_error (&error,
                 G_OPTION_ERROR,
                 G_OPTION_ERROR_FAILED,
                 "one FILE is needed: the plugin");
  else
    {
      dps_secret_init ();
      plan.file = argv[1];
      plan.plugin_host = plugin_host;
      plan.exerciser = exerciser;
      plan.forget = forget;
      plan.settings = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
      plan.secret_files = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
      plan.secrets = g_hash_table_new_full (g_str_hash,
                                            g_str_equal,
                                            g_free,
                                            (GDestroyNotify) dps_secret_unref);
      plan.published = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
      status = check (&plan, &error);
      g_hash_table_unref (plan.settings);
      g_hash_table_unref (plan.secret_files);
      g_hash_table_unref (plan.secrets);
      g_hash_table_unref (plan.published);
    }
  if (error != NULL)
    fprintf (stderr, "dps-plugin-check: %s (see --help)\n", error->message);
  g_strfreev (settings);
  g_strfreev (secrets);
  return status;
}
