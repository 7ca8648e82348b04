/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* dps-emulator: options, signals and the main loop. */
#include "config.h"

#include "em-server.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <glib-unix.h>

#define FILES_WANTED 8192

enum
{
  EXIT_BAD_INPUT = 2,
};

typedef struct
{
  EmServerOptions server;
  char *tls;
  char *retry_after;
  char *log_path;
  char *reveal_path;
  char *port_file;
  char *pid_file;
  int polls;
  gboolean length;
  gboolean version;
} Options;

typedef struct
{
  EmServer *server;
  EmLog *log;
  GMainLoop *loop;
} Program;

static void
options_clear (Options *options)
{
  g_free (options->server.dps.id_scope);
  g_free (options->server.address);
  g_strfreev (options->server.endpoint_hosts);
  g_strfreev (options->server.hub_hosts);
  g_free (options->server.state_dir);
  g_free (options->server.enrolments_path);
  g_free (options->server.scenario_path);
  g_free (options->tls);
  g_free (options->retry_after);
  g_free (options->log_path);
  g_free (options->reveal_path);
  g_free (options->port_file);
  g_free (options->pid_file);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Options, options_clear)

static gboolean
bad_option (const char *what, const char *value, GError **error)
{
  g_set_error (error,
               G_OPTION_ERROR,
               G_OPTION_ERROR_BAD_VALUE,
               "Bad value for %s: %s",
               what,
               value);
  return FALSE;
}

static gboolean
choose_tls (Options *options, GError **error)
{
  static const struct
  {
    const char *word;
    const char *priorities;
  } versions[] = {
    { "both", "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2" },
    { "1.2", "NORMAL:-VERS-ALL:+VERS-TLS1.2" },
    { "1.3", "NORMAL:-VERS-ALL:+VERS-TLS1.3" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (versions); i++)
    if (options->tls == NULL || g_str_equal (options->tls, versions[i].word))
      {
        options->server.priorities = versions[i].priorities;
        return TRUE;
      }

  return bad_option ("--tls", options->tls, error);
}

static gboolean
choose_retry_after (Options *options, GError **error)
{
  if (options->retry_after == NULL)
    options->retry_after = g_strdup ("3");
  if (*options->retry_after == '\0' || strpbrk (options->retry_after, "\r\n") != NULL)
    return bad_option ("--retry-after", options->retry_after, error);

  if (!g_str_equal (options->retry_after, "none"))
    options->server.dps.retry_after = options->retry_after;
  return TRUE;
}

static void
default_string (char **value, const char *fallback)
{
  if (*value == NULL)
    *value = g_strdup (fallback);
}

static void
default_list (GStrv *value, const char *fallback)
{
  const char *list[] = { fallback, NULL };

  if (*value == NULL)
    *value = g_strdupv ((char **) list);
}

static gboolean
complete_options (Options *options, GError **error)
{
  EmServerOptions *server = &options->server;

  default_string (&server->address, "127.0.0.1");
  default_string (&server->dps.id_scope, "0ne00ABCDEF");
  default_list (&server->endpoint_hosts, "contoso-dps.azure-devices-provisioning.net");
  default_list (&server->hub_hosts, "contoso-hub.azure-devices.net");
  server->dps.default_hub = server->hub_hosts[0];

  if (server->port < 0 || server->port > G_MAXUINT16)
    return bad_option ("--port", "not from 0 to 65535", error);
  if (options->polls < 0)
    return bad_option ("--polls", "less than 0", error);
  server->dps.polls = (guint) options->polls;
  if (server->state_dir == NULL && !options->version)
    return bad_option ("--state-dir", "missing", error);
  if (server->chunked && options->length)
    return bad_option ("--chunked", "--content-length says otherwise", error);
  return choose_tls (options, error) && choose_retry_after (options, error);
}

static gboolean
parse_options (Options *o, int *argc, char ***argv, GError **error)
{
  const GOptionEntry entries[] = {
    { "listen",
      0,
      0,
      G_OPTION_ARG_STRING,
      &o->server.address,
      "IP address to listen on (127.0.0.1)",
      "ADDRESS" },
    { "port",
      0,
      0,
      G_OPTION_ARG_INT,
      &o->server.port,
      "Port to listen on; 0 takes any (0)",
      "N" },
    { "port-file",
      0,
      0,
      G_OPTION_ARG_FILENAME,
      &o->port_file,
      "Write the port to FILE once it listens",
      "FILE" },
    { "pid-file",
      0,
      0,
      G_OPTION_ARG_FILENAME,
      &o->pid_file,
      "Write the process ID to FILE once it listens",
      "FILE" },
    { "state-dir",
      0,
      0,
      G_OPTION_ARG_FILENAME,
      &o->server.state_dir,
      "Where ca.pem, server.pem and their keys are kept (required)",
      "DIR" },
    { "endpoint-host",
      0,
      0,
      G_OPTION_ARG_STRING_ARRAY,
      &o->server.endpoint_hosts,
      "Name of the service endpoint; repeatable",
      "NAME" },
    { "hub-host",
      0,
      0,
      G_OPTION_ARG_STRING_ARRAY,
      &o->server.hub_hosts,
      "Name of a hub; repeatable, the first one is the default",
      "NAME" },
    { "id-scope",
      0,
      0,
      G_OPTION_ARG_STRING,
      &o->server.dps.id_scope,
      "ID scope (0ne00ABCDEF)",
      "SCOPE" },
    { "enrolments",
      0,
      0,
      G_OPTION_ARG_FILENAME,
      &o->server.enrolments_path,
      "Who may register; read again on SIGHUP",
      "FILE" },
    { "scenario",
      0,
      0,
      G_OPTION_ARG_FILENAME,
      &o->server.scenario_path,
      "Faults to make; read again on SIGHUP",
      "FILE" },
    { "log",
      0,
      0,
      G_OPTION_ARG_FILENAME,
      &o->log_path,
      "Request log, JSON lines; - is the standard output",
      "FILE" },
    { "reveal-keys",
      0,
      0,
      G_OPTION_ARG_FILENAME,
      &o->reveal_path,
      "For tests: write every key made for a TPM to FILE, in clear",
      "FILE" },
    { "tls",
      0,
      0,
      G_OPTION_ARG_STRING,
      &o->tls,
      "TLS version: 1.2, 1.3 or both (both)",
      "VERSION" },
    { "no-tickets",
      0,
      0,
      G_OPTION_ARG_NONE,
      &o->server.no_tickets,
      "Give no TLS session tickets",
      NULL },
    { "chunked",
      0,
      0,
      G_OPTION_ARG_NONE,
      &o->server.chunked,
      "Send answers in chunks",
      NULL },
    { "content-length",
      0,
      0,
      G_OPTION_ARG_NONE,
      &o->length,
      "Send answers with their length (the default)",
      NULL },
    { "retry-after",
      0,
      0,
      G_OPTION_ARG_STRING,
      &o->retry_after,
      "Retry-After of a 202, or none (3)",
      "VALUE" },
    { "polls",
      0,
      0,
      G_OPTION_ARG_INT,
      &o->polls,
      "Polls answered \"assigning\" before the result (1)",
      "N" },
    { "strict-content-type",
      0,
      0,
      G_OPTION_ARG_NONE,
      &o->server.dps.strict_content_type,
      "Refuse a body that is not application/json",
      NULL },
    { "version", 0, 0, G_OPTION_ARG_NONE, &o->version, "Show the version", NULL },
    { NULL },
  };
  g_autoptr (GOptionContext) context =
      g_option_context_new ("- a provisioning service and a hub to rehearse with");

  g_option_context_add_main_entries (context, entries, NULL);
  if (!g_option_context_parse (context, argc, argv, error))
    return FALSE;
  if (*argc > 1)
    return bad_option ("the command line", (*argv)[1], error);
  return complete_options (o, error);
}

static gboolean
on_stop (gpointer data)
{
  Program *program = data;

  g_main_loop_quit (program->loop);
  return G_SOURCE_CONTINUE;
}

static gboolean
on_reload (gpointer data)
{
  Program *program = data;
  g_autoptr (GError) error = NULL;
  JsonObject *line = em_log_line ("reload", g_get_real_time ());
  gboolean loaded = em_server_load (program->server, &error);

  if (!loaded)
    fprintf (stderr, "dps-emulator: not reloaded: %s\n", error->message);
  json_object_set_boolean_member (line, "ok", loaded);
  em_log_write (program->log, line);
  return G_SOURCE_CONTINUE;
}

static gboolean
write_number (const char *path, guint number, GError **error)
{
  g_autofree char *text = g_strdup_printf ("%u\n", number);

  return path == NULL || g_file_set_contents (path, text, -1, error);
}

static gboolean
announce (const Options *options, guint port, GError **error)
{
  gboolean ipv6 = strchr (options->server.address, ':') != NULL;

  if (!write_number (options->pid_file, (guint) getpid (), error) ||
      !write_number (options->port_file, port, error))
    return FALSE;

  printf (ipv6 ? "listening on [%s]:%u\n" : "listening on %s:%u\n",
          options->server.address,
          port);
  fflush (stdout);
  return TRUE;
}

/* A fleet wants more files than a shell gives. */
static void
raise_file_limit (void)
{
  struct rlimit limit;

  if (getrlimit (RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= FILES_WANTED)
    return;
  limit.rlim_cur = MIN (limit.rlim_max, (rlim_t) FILES_WANTED);
  setrlimit (RLIMIT_NOFILE, &limit);
}

static gboolean
serve (const Options *options, Program *program, GError **error)
{
  if (!em_server_start (program->server, error) ||
      !announce (options, em_server_get_port (program->server), error))
    return FALSE;

  g_main_loop_run (program->loop);
  return TRUE;
}

static int
run (const Options *options, GError **error)
{
  g_autoptr (EmLog) log = em_log_open (options->log_path, 0666, error);
  g_autoptr (EmLog) reveal =
      log != NULL ? em_log_open (options->reveal_path, 0600, error) : NULL;
  g_autoptr (EmServer) server = NULL;
  g_autoptr (GMainLoop) loop = g_main_loop_new (NULL, FALSE);
  Program program = { .log = log, .loop = loop };

  if (reveal == NULL)
    return EXIT_FAILURE;

  server = em_server_new (&options->server, log, reveal);
  program.server = server;
  if (!em_server_load (server, error))
    return EXIT_BAD_INPUT;

  /* Before the port is known to anyone: whoever reads it may send a signal at once. */
  g_unix_signal_add (SIGTERM, on_stop, &program);
  g_unix_signal_add (SIGINT, on_stop, &program);
  g_unix_signal_add (SIGHUP, on_reload, &program);
  return serve (options, &program, error) ? EXIT_SUCCESS : EXIT_FAILURE;
}

int
main (int argc, char **argv)
{
  g_auto (Options) options = { .polls = 1 };
  g_autoptr (GError) error = NULL;
  int status = EXIT_BAD_INPUT;

  if (parse_options (&options, &argc, &argv, &error))
    {
      if (options.version)
        {
          printf ("dps-emulator %s\n", PACKAGE_VERSION);
          return EXIT_SUCCESS;
        }
      raise_file_limit ();
      status = run (&options, &error);
    }

  if (error != NULL)
    fprintf (stderr, "dps-emulator: %s\n", error->message);
  return status;
}
