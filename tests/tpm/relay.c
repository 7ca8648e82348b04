/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "relay-faults.h"
#include "relay-ledger.h"
#include "tpm-message.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* relay --listen PATH --tpm PATH [--side PATH] [--counts FILE] [--record FILE]
 *       [--faults FILE] [--flush-on-close]
 *
 * Many clients of one simulated TPM. A client speaks plain commands and responses on a
 * stream socket, as the agent does with tcti=unix:PATH. Whoever has an object or a
 * session loaded keeps the TPM to itself until it has flushed them or has closed; the
 * others wait.
 *
 * What a client leaves behind when it closes stays in the TPM, so that a leak is seen;
 * with
 * --flush-on-close it is flushed, as the kernel does. Clients of --side are the test's
 * own: always flushed, never counted, recorded or struck by a fault.
 *
 * Files: relay-ledger.h, relay-faults.h. SIGUSR1 sets the counts to 0. When the TPM goes
 * away, the client whose command it had is cut off; the next command looks for it again.
 */

typedef struct
{
  guint number;
  int fd; /* -1 = closed */
  gboolean side;
  guint8 buffer[TPM_MESSAGE_MAX];
  gsize have;
  gboolean settled; /* closed, and what it left is counted */
  gboolean pending; /* buffer is a whole command that the TPM has not begun */
  guint64 turn;
  GArray *loaded; /* handles */
} Client;

static struct
{
  const char *tpm_path;
  gboolean flush;
  int listener, side, signals, tpm;
  GPtrArray *clients; /* of Client, owned */
  guint n_clients;
  guint64 turns;
  Ledger *ledger;
  Faults *faults;

  /* The command that the TPM has. */
  Client *current; /* NULL = none; may be closed by now */
  TpmCommand command;
  guint8 response[TPM_MESSAGE_MAX];
  gsize have;
  gint64 due;    /* monotonic µs: when to send it; 0 = sent */
  gboolean hang; /* nothing will come */
  gboolean lose; /* cut when the response is there */
} relay = { .listener = -1, .side = -1, .tpm = -1 };

static void
must (gboolean done, const char *what)
{
  if (done)
    return;
  g_printerr ("relay: %s: %s\n", what, g_strerror (errno));
  exit (1);
}

/* ---- what is loaded ---- */

#define ONE G_MAXUINT32

static gboolean
is_object (guint32 handle)
{
  return handle >> 24 == TPM_HANDLE_TRANSIENT;
}

static gboolean
is_session (guint32 handle)
{
  return handle >> 24 == TPM_HANDLE_HMAC_SESSION ||
         handle >> 24 == TPM_HANDLE_POLICY_SESSION;
}

/* Those whose bits in mask are handle's. */
static void
forget (guint32 handle, guint32 mask)
{
  for (guint i = 0; i < relay.clients->len; i++)
    {
      GArray *loaded = ((Client *) relay.clients->pdata[i])->loaded;

      for (guint j = loaded->len; j > 0; j--)
        if ((g_array_index (loaded, guint32, j - 1) & mask) == handle)
          g_array_remove_index_fast (loaded, j - 1);
    }
}

/* After success. */
static void
follow (Client *client, const TpmCommand *command, guint32 made)
{
  if (is_object (made) || is_session (made))
    g_array_append_val (client->loaded, made);
  for (guint i = 0; i < command->n_sessions; i++)
    if ((command->sessions[i].attributes & TPM_SESSION_CONTINUE) == 0)
      forget (command->sessions[i].handle, ONE);
  if (command->kind != NULL && command->kind->ends)
    forget (command->handles[command->n_handles - 1], ONE);
  if (command->code == TPM_FLUSH_CONTEXT && command->parameters_size == 4)
    forget (tpm_read_u32 (command->parameters), ONE);
  /* A saved object stays loaded, a saved session does not. */
  if (command->code == TPM_CONTEXT_SAVE && is_session (command->handles[0]))
    forget (command->handles[0], ONE);
  if (command->code == TPM_CLEAR)
    forget ((guint32) TPM_HANDLE_TRANSIENT << 24, 0xff000000);
}

static guint
count_loaded (const Client *client, gboolean (*passes) (guint32 handle))
{
  guint count = 0;

  for (guint i = 0; i < client->loaded->len; i++)
    count += passes (g_array_index (client->loaded, guint32, i)) ? 1 : 0;
  return count;
}

/* ---- clients ---- */

static void
free_client (gpointer data)
{
  Client *client = data;

  g_assert (client->fd < 0);
  g_array_unref (client->loaded);
  g_free (client);
}

/* What it has loaded is dealt with when the TPM is free: settle (). */
static void
cut (Client *client)
{
  if (client->fd < 0)
    return;
  close (client->fd);
  client->fd = -1;
  client->pending = FALSE;
  if (relay.current == client && (relay.hang || relay.due != 0))
    relay.current = NULL;
}

static void
accept_client (int listener)
{
  int fd = accept4 (listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
  Client *client;

  if (fd < 0)
    return;
  client = g_new0 (Client, 1);
  client->fd = fd;
  client->number = ++relay.n_clients;
  client->side = listener == relay.side;
  client->loaded = g_array_new (FALSE, FALSE, sizeof (guint32));
  g_ptr_array_add (relay.clients, client);
  if (!client->side)
    ledger_client (relay.ledger);
}

static void
reject (Client *client, const char *what)
{
  g_printerr ("relay: client %u: %s\n", client->number, what);
  if (!client->side)
    ledger_garbage (relay.ledger, client->number, client->buffer, client->have);
  cut (client);
}

/* One command at a time, and nothing behind it. */
static void
read_client (Client *client)
{
  gsize wanted = TPM_HEADER_SIZE;
  ssize_t got;

  if (client->have >= TPM_HEADER_SIZE)
    wanted = tpm_command_size (client->buffer);
  got = read (client->fd, client->buffer + client->have, wanted - client->have);
  if (got < 0 && (errno == EAGAIN || errno == EINTR))
    return;
  if (got <= 0)
    {
      if (client->have > 0)
        reject (client, "closed within a command");
      cut (client);
      return;
    }
  client->have += (gsize) got;
  if (client->have < TPM_HEADER_SIZE)
    return;
  wanted = tpm_command_size (client->buffer);
  if (wanted == 0)
    reject (client, "what it sent is no command");
  else if (client->have == wanted)
    {
      client->pending = TRUE;
      client->turn = ++relay.turns;
    }
}

static void
answer (Client *client, const guint8 *data, gsize size)
{
  if (client->fd >= 0 &&
      send (client->fd, data, size, MSG_NOSIGNAL | MSG_DONTWAIT) != (ssize_t) size)
    cut (client);
}

/* ---- the TPM ---- */

static int
open_socket (const char *path, struct sockaddr_un *address)
{
  int fd = socket (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

  must (fd >= 0, "socket");
  if (strlen (path) >= sizeof address->sun_path)
    {
      errno = ENAMETOOLONG;
      must (FALSE, path);
    }
  memset (address, 0, sizeof *address);
  address->sun_family = AF_UNIX;
  strcpy (address->sun_path, path);
  return fd;
}

/* Whoever sees path can connect to it. */
static int
listen_at (const char *path)
{
  g_autofree char *aside = g_strconcat (path, ".new", NULL);
  struct sockaddr_un address;
  int fd = open_socket (aside, &address);

  unlink (aside);
  must (bind (fd, (struct sockaddr *) &address, sizeof address) == 0 &&
            listen (fd, 64) == 0 && rename (aside, path) == 0,
        path);
  return fd;
}

static int
connect_to (const char *path)
{
  struct sockaddr_un address;
  int fd = open_socket (path, &address);

  if (connect (fd, (struct sockaddr *) &address, sizeof address) == 0)
    return fd;
  close (fd);
  return -1;
}

static void
lose_tpm (void)
{
  Client *client = relay.current;

  if (relay.tpm >= 0)
    close (relay.tpm);
  relay.tpm = -1;
  relay.current = NULL;
  forget (0, 0);
  if (client != NULL)
    cut (client);
}

static void
send_command (const guint8 *data, gsize size)
{
  relay.due = 0;
  relay.have = 0;
  if (relay.tpm < 0)
    relay.tpm = connect_to (relay.tpm_path);
  if (relay.tpm < 0 || send (relay.tpm, data, size, MSG_NOSIGNAL) != (ssize_t) size)
    lose_tpm ();
}

static void
send_flush (Client *client)
{
  guint8 data[TPM_HEADER_SIZE + 4] = { 0x80, 0x01, 0, 0, 0, sizeof data };

  tpm_write_u32 (data + 6, TPM_FLUSH_CONTEXT);
  tpm_write_u32 (data + TPM_HEADER_SIZE, g_array_index (client->loaded, guint32, 0));
  /* Whatever the TPM says to it, it is not asked twice. */
  forget (g_array_index (client->loaded, guint32, 0), ONE);
  memset (&relay.command, 0, sizeof relay.command);
  relay.current = client;
  relay.hang = relay.lose = FALSE;
  send_command (data, sizeof data);
}

static void
inject (Client *client, const guint8 *data, gsize size)
{
  ledger_injected (relay.ledger, client->number, data, size);
  client->have = 0;
  if (size > 0)
    answer (client, data, size);
  else
    cut (client);
}

/* TRUE where the command does not go on to the TPM now. */
static gboolean
strike (Client *client, const Fault *fault)
{
  guint8 data[TPM_HEADER_SIZE] = { 0x80, 0x01, 0, 0, 0, sizeof data };

  switch (fault->action)
    {
    case FAULT_RC:
      tpm_write_u32 (data + 6, fault->number);
      inject (client, data, sizeof data);
      return TRUE;
    case FAULT_BYTES:
      inject (client,
              g_bytes_get_data (fault->bytes, NULL),
              g_bytes_get_size (fault->bytes));
      return TRUE;
    case FAULT_CUT:
      inject (client, NULL, 0);
      return TRUE;
    default:
      ledger_injected (relay.ledger, client->number, NULL, 0);
      relay.hang = fault->action == FAULT_HANG;
      relay.lose = fault->action == FAULT_LOSE;
      if (fault->action == FAULT_DELAY)
        relay.due = g_get_monotonic_time () + (gint64) fault->number * 1000;
      relay.current = client;
      return relay.hang || relay.due != 0;
    }
}

static void
begin (Client *client)
{
  g_autofree char *name = NULL;
  const Fault *fault;

  client->pending = FALSE;
  if (!tpm_command_parse (client->buffer, client->have, &relay.command))
    {
      reject (client, "its command contradicts itself");
      return;
    }
  relay.hang = relay.lose = FALSE;
  relay.due = 0;
  if (!client->side)
    {
      name = tpm_command_name (relay.command.code);
      ledger_command (relay.ledger, client->number, name, client->buffer, client->have);
      fault = faults_next (relay.faults, name);
      if (fault != NULL && strike (client, fault))
        return;
    }
  relay.current = client;
  send_command (client->buffer, client->have);
}

static void
finish (void)
{
  Client *client = relay.current;
  TpmResponse response;

  relay.current = NULL;
  client->have = 0;
  if (!tpm_response_parse (relay.response, relay.have, relay.command.kind, &response))
    {
      g_printerr ("relay: the TPM's response contradicts itself\n");
      cut (client);
      return;
    }
  if (relay.command.code == 0)
    return;
  if (response.code == 0)
    follow (client, &relay.command, response.handle);
  if (!client->side)
    ledger_response (relay.ledger,
                     client->number,
                     relay.command.kind,
                     response.code,
                     relay.response,
                     relay.have);
  if (relay.lose)
    cut (client);
  answer (client, relay.response, relay.have);
}

static void
read_tpm (void)
{
  gsize wanted = TPM_HEADER_SIZE;
  ssize_t got;

  if (relay.have >= TPM_HEADER_SIZE)
    wanted = tpm_response_size (relay.response);
  got = read (relay.tpm, relay.response + relay.have, wanted - relay.have);
  if (got < 0 && errno == EINTR)
    return;
  if (got <= 0 || relay.current == NULL || relay.due != 0 || relay.hang)
    {
      lose_tpm ();
      return;
    }
  relay.have += (gsize) got;
  if (relay.have < TPM_HEADER_SIZE)
    return;
  wanted = tpm_response_size (relay.response);
  if (wanted == 0)
    {
      g_printerr ("relay: what the TPM sent is no response\n");
      lose_tpm ();
    }
  else if (relay.have == wanted)
    finish ();
}

/* ---- whose turn it is ---- */

/* A closed client's objects and sessions: flushed, or counted and left. TRUE where the
 * TPM has something to do. */
static gboolean
settle (Client *client)
{
  if (!client->settled && !client->side && client->loaded->len > 0)
    ledger_left (relay.ledger,
                 count_loaded (client, is_object),
                 count_loaded (client, is_session));
  client->settled = TRUE;
  if (client->loaded->len > 0 && (relay.flush || client->side))
    {
      send_flush (client);
      return TRUE;
    }
  g_ptr_array_remove (relay.clients, client);
  return FALSE;
}

static Client *
next_client (void)
{
  Client *next = NULL;

  for (guint i = 0; i < relay.clients->len; i++)
    {
      Client *client = relay.clients->pdata[i];

      if (client->loaded->len > 0)
        return client->pending ? client : NULL;
      if (client->pending && (next == NULL || client->turn < next->turn))
        next = client;
    }
  return next;
}

static void
schedule (void)
{
  Client *client;

  for (guint i = relay.clients->len; i > 0 && relay.current == NULL; i--)
    if (((Client *) relay.clients->pdata[i - 1])->fd < 0)
      settle (relay.clients->pdata[i - 1]);
  while (relay.current == NULL && (client = next_client ()) != NULL)
    {
      begin (client);
      if (client->fd < 0)
        return;
    }
}

/* ---- the loop ---- */

static void
add_poll (GArray *polls, int fd, short events)
{
  struct pollfd entry = { .fd = fd, .events = events };

  g_array_append_val (polls, entry);
}

static int
wait_ms (void)
{
  gint64 left;

  for (guint i = 0; relay.current == NULL && i < relay.clients->len; i++)
    if (((Client *) relay.clients->pdata[i])->fd < 0)
      return 0;
  if (relay.current == NULL || relay.due == 0)
    return -1;
  left = relay.due - g_get_monotonic_time ();
  return left > 0 ? (int) (left / 1000) + 1 : 0;
}

static gboolean
on_signal (void)
{
  struct signalfd_siginfo info;

  must (read (relay.signals, &info, sizeof info) == sizeof info, "signalfd");
  if (info.ssi_signo != SIGUSR1)
    return FALSE;
  ledger_reset (relay.ledger);
  return TRUE;
}

static void
on_client (Client *client, short events)
{
  if (client->pending || client == relay.current)
    {
      if ((events & (POLLHUP | POLLERR)) != 0)
        cut (client);
    }
  else if (events != 0)
    read_client (client);
}

static gboolean
turn (void)
{
  g_autoptr (GArray) polls = g_array_new (FALSE, FALSE, sizeof (struct pollfd));
  g_autoptr (GPtrArray) seen = g_ptr_array_new ();
  struct pollfd *p;
  enum
  {
    SIGNALS,
    LISTENER,
    SIDE,
    TPM,
    CLIENTS
  };

  schedule ();
  add_poll (polls, relay.signals, POLLIN);
  add_poll (polls, relay.listener, POLLIN);
  add_poll (polls, relay.side, POLLIN);
  add_poll (polls, relay.tpm, POLLIN);
  for (guint i = 0; i < relay.clients->len; i++)
    {
      Client *client = relay.clients->pdata[i];
      gboolean waits = client->pending || client == relay.current;

      add_poll (polls, client->fd, waits ? 0 : POLLIN);
      g_ptr_array_add (seen, client);
    }
  p = (struct pollfd *) polls->data;
  if (poll (p, polls->len, wait_ms ()) < 0)
    {
      must (errno == EINTR, "poll");
      return TRUE;
    }
  if (relay.current != NULL && relay.due != 0 && g_get_monotonic_time () >= relay.due)
    send_command (relay.current->buffer, relay.current->have);
  if (p[TPM].revents != 0 && p[TPM].fd == relay.tpm)
    read_tpm ();
  for (guint i = 0; i < seen->len; i++)
    {
      Client *client = seen->pdata[i];

      if (client->fd >= 0 && p[CLIENTS + i].revents != 0)
        on_client (client, p[CLIENTS + i].revents);
    }
  if (p[LISTENER].revents != 0)
    accept_client (relay.listener);
  if (p[SIDE].revents != 0)
    accept_client (relay.side);
  return p[SIGNALS].revents == 0 || on_signal ();
}

static int
open_signals (void)
{
  sigset_t set;

  sigemptyset (&set);
  sigaddset (&set, SIGUSR1);
  sigaddset (&set, SIGTERM);
  sigaddset (&set, SIGINT);
  sigprocmask (SIG_BLOCK, &set, NULL);
  return signalfd (-1, &set, SFD_CLOEXEC);
}

int
main (int argc, char **argv)
{
  g_autofree char *listen_path = NULL;
  g_autofree char *side = NULL;
  g_autofree char *tpm = NULL;
  g_autofree char *counts = NULL;
  g_autofree char *record = NULL;
  g_autofree char *faults = NULL;
  const GOptionEntry entries[] = {
    { "listen", 0, 0, G_OPTION_ARG_FILENAME, &listen_path, "for the agent", "PATH" },
    { "side", 0, 0, G_OPTION_ARG_FILENAME, &side, "for the test's own commands", "PATH" },
    { "tpm", 0, 0, G_OPTION_ARG_FILENAME, &tpm, "the TPM's socket", "PATH" },
    { "counts", 0, 0, G_OPTION_ARG_FILENAME, &counts, "of commands, as JSON", "FILE" },
    { "record", 0, 0, G_OPTION_ARG_FILENAME, &record, "all messages", "FILE" },
    { "faults", 0, 0, G_OPTION_ARG_FILENAME, &faults, "what to do to commands", "FILE" },
    { "flush-on-close", 0, 0, G_OPTION_ARG_NONE, &relay.flush, "as the kernel", NULL },
    { NULL },
  };
  g_autoptr (GOptionContext) context = g_option_context_new (NULL);
  g_autoptr (GError) error = NULL;

  g_option_context_add_main_entries (context, entries, NULL);
  if (!g_option_context_parse (context, &argc, &argv, &error) || argc != 1 ||
      listen_path == NULL || tpm == NULL)
    {
      g_printerr ("relay: %s\n",
                  error != NULL ? error->message : "needs --listen and --tpm (--help)");
      return 2;
    }
  relay.tpm_path = tpm;
  relay.clients = g_ptr_array_new_with_free_func (free_client);
  relay.ledger = ledger_new (counts, record);
  relay.faults = faults_new (faults);
  relay.signals = open_signals ();
  relay.side = side != NULL ? listen_at (side) : -1;
  relay.listener = listen_at (listen_path);
  while (turn ())
    ;
  for (guint i = 0; i < relay.clients->len; i++)
    {
      Client *client = relay.clients->pdata[i];

      if (client->fd >= 0)
        close (client->fd);
      client->fd = -1;
    }
  g_ptr_array_unref (relay.clients);
  ledger_free (relay.ledger);
  faults_free (relay.faults);
  unlink (listen_path);
  if (side != NULL)
    unlink (side);
  return 0;
}
