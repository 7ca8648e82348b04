/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "cli/dps-ctl.h"
#include "cli/dps-ctl-failure.h"
#include "cli/dps-ctl-output.h"

#include <stdio.h>

const DpsCtlVerb *const dps_ctl_verbs[] = {
  &dps_ctl_provision,
  &dps_ctl_cancel,
  &dps_ctl_status,
  &dps_ctl_wait,
  &dps_ctl_token,
  &dps_ctl_import_key,
  &dps_ctl_enrollment,
  &dps_ctl_plugins,
  &dps_ctl_config,
  &dps_ctl_reload,
  &dps_ctl_reset,
  &dps_ctl_help_verb,
  NULL,
};

const DpsCtlVerb *
dps_ctl_verb_find (const char *name)
{
  for (gsize i = 0; dps_ctl_verbs[i] != NULL; i++)
    if (g_str_equal (dps_ctl_verbs[i]->name, name))
      return dps_ctl_verbs[i];
  return NULL;
}

static gboolean want_json;
static gboolean want_help;
static gboolean want_version;
static char *bus_address;
static char *config_dir;

static const GOptionEntry global_options[] = {
  { "json", 0, 0, G_OPTION_ARG_NONE, &want_json, "Print one JSON object", NULL },
  { "bus-address",
    0,
    0,
    G_OPTION_ARG_STRING,
    &bus_address,
    "Look for the agent on this bus, not on the system bus",
    "ADDRESS" },
  { "config-dir",
    0,
    0,
    G_OPTION_ARG_FILENAME,
    &config_dir,
    "For config: read this directory",
    "DIR" },
  { "help", 'h', 0, G_OPTION_ARG_NONE, &want_help, "Show help", NULL },
  { "version", 0, 0, G_OPTION_ARG_NONE, &want_version, "Show the version", NULL },
  { NULL },
};

static GOptionContext *
make_context (const DpsCtlVerb *verb)
{
  g_autofree char *usage = verb == NULL
                               ? g_strdup ("VERB")
                               : g_strjoin (" ", verb->name, verb->arguments, NULL);
  GOptionContext *context = g_option_context_new (g_strchomp (usage));

  g_option_context_set_help_enabled (context, FALSE);
  /* Before the verb, options end at the verb: what follows is the verb's to parse. */
  g_option_context_set_strict_posix (context, verb == NULL);
  if (verb != NULL && verb->options != NULL)
    g_option_context_add_main_entries (context, verb->options, NULL);
  g_option_context_add_main_entries (context, global_options, NULL);
  return context;
}

char *
dps_ctl_help (const DpsCtlVerb *verb)
{
  g_autoptr (GOptionContext) context = make_context (verb);
  g_autoptr (GString) text = g_string_new (NULL);

  if (verb != NULL)
    g_string_append_printf (text, "%s.\n\n%s", verb->summary, verb->details);
  else
    {
      g_string_append (text,
                       "Control dps-agent, which gives this host its IoT Hub identity."
                       "\n\nVerbs:\n");
      for (gsize i = 0; dps_ctl_verbs[i] != NULL; i++)
        g_string_append_printf (text,
                                "  %-12s %s\n",
                                dps_ctl_verbs[i]->name,
                                dps_ctl_verbs[i]->summary);
      g_string_append (text,
                       "\nExit codes: 0 ok, 1 failed, 2 usage, 3 not provisioned, 4 "
                       "denied, 5 timed out,\n6 not configured. Each verb has help of "
                       "its own: dpsctl VERB --help.");
    }
  g_option_context_set_summary (context, text->str);
  return g_option_context_get_help (context, TRUE, NULL);
}

/* Whether JSON is asked for must be known even where the options cannot be parsed. */
static gboolean
has_json (char **argv)
{
  for (gsize i = 1; argv[i] != NULL && !g_str_equal (argv[i], "--"); i++)
    if (g_str_equal (argv[i], "--json"))
      return TRUE;
  return FALSE;
}

static DpsCtlExit
fail_usage (const DpsCtl *ctl, const DpsCtlVerb *verb, const char *problem)
{
  g_autofree char *remedy = verb != NULL
                                ? g_strdup_printf ("see 'dpsctl %s --help'", verb->name)
                                : g_strdup ("see 'dpsctl help'");

  return dps_ctl_fail_with (ctl, DPS_CTL_EXIT_USAGE, "", remedy, "%s", problem);
}

static void
print_version (const DpsCtl *ctl)
{
  g_autoptr (JsonBuilder) builder = NULL;

  if (!ctl->json)
    {
      puts ("dpsctl " PACKAGE_VERSION);
      return;
    }
  builder = json_builder_new ();
  json_builder_begin_object (builder);
  dps_ctl_json_add_string (builder, "version", PACKAGE_VERSION);
  json_builder_end_object (builder);
  dps_ctl_print_json (builder);
}

/* Options of a verb and the global ones behind it; leaves the arguments. */
static gboolean
parse_verb (const DpsCtl *ctl, const DpsCtlVerb *verb, char ***rest)
{
  g_autoptr (GOptionContext) context = make_context (verb);
  g_autoptr (GError) error = NULL;
  guint n;

  if (!g_option_context_parse_strv (context, rest, &error))
    {
      fail_usage (ctl, verb, error->message);
      return FALSE;
    }
  /* "--" in front of the arguments is left in place by GOption. */
  if ((*rest)[1] != NULL && g_str_equal ((*rest)[1], "--"))
    {
      g_free ((*rest)[1]);
      for (gsize i = 1; (*rest)[i] != NULL; i++)
        (*rest)[i] = (*rest)[i + 1];
    }
  n = g_strv_length (*rest) - 1;
  if (want_help || (n >= verb->min_arguments && n <= verb->max_arguments))
    return TRUE;
  fail_usage (ctl,
              verb,
              n > verb->max_arguments ? "too many arguments" : "an argument is missing");
  return FALSE;
}

static DpsCtlExit
run_verb (DpsCtl *ctl, const DpsCtlVerb *verb, char ***rest)
{
  char *name[] = { (char *) verb->name, NULL };

  if (!parse_verb (ctl, verb, rest))
    return DPS_CTL_EXIT_USAGE;
  ctl->json = want_json;
  ctl->bus_address = bus_address;
  ctl->config_dir = config_dir;
  if (want_version)
    {
      print_version (ctl);
      return DPS_CTL_EXIT_OK;
    }
  if (want_help)
    return dps_ctl_help_verb.run (ctl, name);
  return verb->run (ctl, *rest + 1);
}

static DpsCtlExit
run (DpsCtl *ctl, char ***rest)
{
  g_autoptr (GOptionContext) context = make_context (NULL);
  g_autoptr (GError) error = NULL;
  const DpsCtlVerb *verb;
  char *none[] = { NULL };

  if (!g_option_context_parse_strv (context, rest, &error))
    return fail_usage (ctl, NULL, error->message);
  ctl->json = want_json || ctl->json;
  if ((*rest)[1] == NULL && want_version)
    {
      print_version (ctl);
      return DPS_CTL_EXIT_OK;
    }
  if ((*rest)[1] == NULL && want_help)
    return dps_ctl_help_verb.run (ctl, none);
  if ((*rest)[1] == NULL)
    return fail_usage (ctl, NULL, "a verb is missing");
  verb = dps_ctl_verb_find ((*rest)[1]);
  if (verb == NULL)
    {
      g_autofree char *problem = g_strdup_printf ("there is no verb '%s'", (*rest)[1]);

      return fail_usage (ctl, NULL, problem);
    }
  /* The verb takes the place of the program's name, which GOption skips. */
  g_free ((*rest)[0]);
  for (gsize i = 0; (*rest)[i] != NULL; i++)
    (*rest)[i] = (*rest)[i + 1];
  return run_verb (ctl, verb, rest);
}

int
main (int argc, char **argv)
{
  g_auto (GStrv) rest = g_strdupv (argv);
  DpsCtl ctl = { .json = has_json (argv) };
  DpsCtlExit exit;

  g_set_prgname ("dpsctl");
  exit = run (&ctl, &rest);
  /* A token or a status that could not be written must not look like a success. */
  if (fflush (stdout) != 0 || ferror (stdout))
    {
      fputs ("dpsctl: cannot write to standard output\n", stderr);
      return exit != DPS_CTL_EXIT_OK ? (int) exit : DPS_CTL_EXIT_FAILED;
    }
  return (int) exit;
}
