/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "core/dps-plugin-child.h"
#include "common/dps-io.h"
#include "common/dps-log.h"

#include <errno.h>
#include <glib-unix.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/socket.h>

#define SOCKET_FD 3
/* Above what the child's descriptors get, so that no dup2() below hits another's source.
 */
#define SAFE_FD 10

struct _DpsPluginChild
{
  pid_t pid; /* 0 = reaped */
  char *name;
  GIOStream *stream;
  int output;
  guint output_source;
  gsize output_seen;
  GString *line;
  guint watch;
  DpsPluginChildEnded ended;
  gpointer data;
};

char *
dps_plugin_child_parse_line (const char *line, gsize size, GLogLevelFlags *level)
{
  static const GLogLevelFlags levels[] = { G_LOG_LEVEL_WARNING,
                                           G_LOG_LEVEL_MESSAGE,
                                           G_LOG_LEVEL_INFO,
                                           G_LOG_LEVEL_DEBUG };
  g_autofree char *valid = NULL;
  GString *out = g_string_new (NULL);

  *level = G_LOG_LEVEL_INFO;
  if (size >= 3 && line[0] == '<' && line[1] >= '0' && line[1] <= '7' && line[2] == '>')
    {
      *level = levels[MAX (line[1], '4') - '4'];
      line += 3;
      size -= 3;
    }
  valid = g_utf8_make_valid (line, (gssize) size);
  for (const char *p = valid; *p != '\0'; p = g_utf8_next_char (p))
    {
      gunichar c = g_utf8_get_char (p);

      if (g_unichar_iscntrl (c))
        g_string_append_printf (out, "\\x%02x", c);
      else
        g_string_append_unichar (out, c);
    }
  return g_string_free (out, FALSE);
}

static void
log_line (DpsPluginChild *self)
{
  g_autofree char *text = NULL;
  GLogLevelFlags level;

  if (self->line->len == 0)
    return;
  text = dps_plugin_child_parse_line (self->line->str, self->line->len, &level);
  dps_log_at (level, (TOPIC ("plugin"), OBJECT (self->name)), "%s", text);
  g_string_truncate (self->line, 0);
}

static void
close_output (DpsPluginChild *self)
{
  g_clear_handle_id (&self->output_source, g_source_remove);
  dps_close_fd (&self->output);
}

typedef enum
{
  OUTPUT_MORE,
  OUTPUT_LATER,
  OUTPUT_DONE,
} Output;

/* One read. */
static Output
read_output (DpsPluginChild *self)
{
  char buffer[1024];
  gsize room = DPS_PLUGIN_OUTPUT_MAX - self->output_seen;
  gssize n = read (self->output, buffer, MIN (room, sizeof buffer));

  if (n < 0 && errno == EINTR)
    return OUTPUT_MORE;
  if (n <= 0)
    return n < 0 && errno == EAGAIN ? OUTPUT_LATER : OUTPUT_DONE;
  for (gssize i = 0; i < n; i++)
    if (buffer[i] == '\n')
      log_line (self);
    else
      g_string_append_c (self->line, buffer[i]);
  self->output_seen += (gsize) n;
  if (self->output_seen < DPS_PLUGIN_OUTPUT_MAX)
    return OUTPUT_MORE;
  log_line (self);
  dps_info ((TOPIC ("plugin"), OBJECT (self->name)),
            "wrote more than %d bytes, the rest is not read",
            DPS_PLUGIN_OUTPUT_MAX);
  return OUTPUT_DONE;
}

static gboolean
on_output (int fd, GIOCondition condition, gpointer data)
{
  DpsPluginChild *self = data;

  if (read_output (self) != OUTPUT_DONE)
    return G_SOURCE_CONTINUE;
  self->output_source = 0;
  dps_close_fd (&self->output);
  return G_SOURCE_REMOVE;
}

static void
on_ended (GPid pid, int wait_status, gpointer data)
{
  DpsPluginChild *self = data;

  self->pid = 0;
  self->watch = 0;
  while (self->output >= 0 && read_output (self) == OUTPUT_MORE)
    ;
  log_line (self);
  close_output (self);
  self->ended (wait_status, self->data);
}

typedef struct
{
  int null;
  int output;
  int socket;
} ChildFds;

static int
run_spawn (const char *host_path, char *const *argv, const ChildFds *fds, pid_t *pid)
{
  /* Nothing of the agent's environment: no credentials directory, no bus address. The
   * TPM's library would write to standard error by itself. */
  static const char *const environment[] = { "PATH=/usr/bin:/bin",
                                             "LANG=C.UTF-8",
                                             "TSS2_LOG=all+none",
                                             NULL };
  static const char *const sanitized_environment[] = {
    "PATH=/usr/bin:/bin",
    "LANG=C.UTF-8",
    "TSS2_LOG=all+none",
    "ASAN_OPTIONS=detect_leaks=0:handle_segv=0:handle_abort=0",
    "UBSAN_OPTIONS=halt_on_error=1",
    NULL
  };
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  sigset_t none, all;
  int r;

  sigemptyset (&none);
  sigfillset (&all);
  posix_spawn_file_actions_init (&actions);
  posix_spawnattr_init (&attributes);
  posix_spawn_file_actions_adddup2 (&actions, fds->null, STDIN_FILENO);
  posix_spawn_file_actions_adddup2 (&actions, fds->output, STDOUT_FILENO);
  posix_spawn_file_actions_adddup2 (&actions, fds->output, STDERR_FILENO);
  posix_spawn_file_actions_adddup2 (&actions, fds->socket, SOCKET_FD);
  posix_spawn_file_actions_addclosefrom_np (&actions, SOCKET_FD + 1);
  posix_spawnattr_setflags (&attributes,
                            POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK |
                                POSIX_SPAWN_SETSIGDEF);
  posix_spawnattr_setpgroup (&attributes, 0);
  posix_spawnattr_setsigmask (&attributes, &none);
  posix_spawnattr_setsigdefault (&attributes, &all);
  r = posix_spawn (pid,
                   host_path,
                   &actions,
                   &attributes,
                   argv,
                   (char *const *) (DPS_SANITIZED ? sanitized_environment : environment));
  posix_spawnattr_destroy (&attributes);
  posix_spawn_file_actions_destroy (&actions);
  return r;
}

/* Moves fd out of the way of the child's own numbers. */
static gboolean
move_up (int *fd, GError **error)
{
  int moved = fcntl (*fd, F_DUPFD_CLOEXEC, SAFE_FD);

  if (moved < 0)
    return dps_set_errno (error, errno, "duplicating a descriptor");
  dps_close_fd (fd);
  *fd = moved;
  return TRUE;
}

static GIOStream *
new_stream (int *fd, GError **error)
{
  g_autoptr (GSocket) socket = g_socket_new_from_fd (*fd, error);

  if (socket == NULL)
    return NULL;
  dps_steal_fd (fd);
  return G_IO_STREAM (g_socket_connection_factory_create_connection (socket));
}

static gboolean
spawn (DpsPluginChild *self,
       const char *host_path,
       const char *plugin_dir,
       DpsPluginAllowed allowed,
       GError **error)
{
  const char *argv[10] = { host_path, "--fd", "3" };
  gsize n = 3;
  dps_autofd null = open ("/dev/null", O_RDONLY | O_CLOEXEC);
  dps_autofd ours = -1, theirs = -1, output = -1;
  int sockets[2], pipes[2], r;

  if (plugin_dir != NULL)
    {
      argv[n++] = "--plugin-dir";
      argv[n++] = plugin_dir;
    }
  if (allowed & DPS_PLUGIN_ALLOW_UNIX)
    argv[n++] = "--allow-unix";
  if (allowed & DPS_PLUGIN_ALLOW_ANY_OWNER)
    argv[n++] = "--any-owner";
  argv[n++] = "--";
  argv[n++] = self->name;
  if (null < 0 || socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) < 0)
    return dps_set_errno (error, errno, "making a socket pair");
  ours = sockets[0];
  theirs = sockets[1];
  if (pipe2 (pipes, O_CLOEXEC) < 0)
    return dps_set_errno (error, errno, "making a pipe");
  self->output = pipes[0];
  output = pipes[1];
  if (!move_up (&null, error) || !move_up (&theirs, error) || !move_up (&output, error) ||
      !g_unix_set_fd_nonblocking (self->output, TRUE, error))
    return FALSE;
  self->stream = new_stream (&ours, error);
  if (self->stream == NULL)
    return FALSE;
  r = run_spawn (host_path,
                 (char *const *) argv,
                 &(ChildFds){ null, output, theirs },
                 &self->pid);
  if (r != 0)
    {
      self->pid = 0;
      return dps_set_errno (error, r, "starting '%s'", host_path);
    }
  return TRUE;
}

DpsPluginChild *
dps_plugin_child_spawn (const char *host_path,
                        const char *plugin_dir,
                        const char *name,
                        DpsPluginAllowed allowed,
                        DpsPluginChildEnded ended,
                        gpointer data,
                        GError **error)
{
  DpsPluginChild *self = g_new0 (DpsPluginChild, 1);

  self->name = g_strdup (name);
  self->output = -1;
  self->line = g_string_new (NULL);
  self->ended = ended;
  self->data = data;
  if (!spawn (self, host_path, plugin_dir, allowed, error))
    {
      dps_plugin_child_free (self);
      return NULL;
    }
  self->watch = g_child_watch_add (self->pid, on_ended, self);
  self->output_source =
      g_unix_fd_add (self->output, G_IO_IN | G_IO_HUP | G_IO_ERR, on_output, self);
  return self;
}

GIOStream *
dps_plugin_child_steal_stream (DpsPluginChild *self)
{
  return g_steal_pointer (&self->stream);
}

void
dps_plugin_child_kill (DpsPluginChild *self)
{
  if (self->pid == 0)
    return;
  kill (-self->pid, SIGKILL);
  kill (self->pid, SIGKILL);
}

void
dps_plugin_child_free (DpsPluginChild *self)
{
  g_return_if_fail (self->pid == 0);

  close_output (self);
  g_clear_object (&self->stream);
  g_string_free (self->line, TRUE);
  g_free (self->name);
  g_free (self);
}
