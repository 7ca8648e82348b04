/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <unistd.h>

/* delay-line MILLISECONDS: two network namespaces without names, joined by a line on
 * which each packet takes this long in either direction; for kernels without netem. Near
 * is 10.54.0.1 and far is 10.54.0.2. The first line it prints is
 *
 *   near FD far FD
 *
 * and `nsenter --net=/proc/PID/fd/FD` runs a program there. Then, for each TCP connection
 * that near opened, a line when near ends it, of what passed at near until then:
 *
 *   STARTED TOOK ROUND-TRIPS RESENT SEGMENTS-UP BYTES-UP SEGMENTS-DOWN BYTES-DOWN
 *
 * STARTED is the time of the SYN in µs since the epoch, TOOK the µs from it to the last
 * new byte from far. ROUND-TRIPS is half the longest chain of crossings, up to that byte,
 * of which each began where the one before had ended: so many TOOK at least, whether they
 * were for an answer or only for an acknowledgement. Bytes are payload. The line ends
 * with whoever started it, and the namespaces with it. */

#define MTU 1500
#define QUEUE 1024u

enum
{
  NEAR,
  FAR,
  N_ENDS
};

typedef struct
{
  gpointer port; /* near's; NULL where this is no TCP segment */
  guint32 after; /* the sequence number that follows */
  guint payload;
  guint carried; /* payload and SYN */
  gboolean syn, ends;
  gboolean fresh; /* carries what was not sent before */
  guint chain;    /* crossings before this one */
} Segment;

typedef struct
{
  gint64 due;
  Segment segment;
  size_t length;
  guint8 bytes[MTU];
} Packet;

typedef struct
{
  int namespace;
  int tun;
  Packet packets[QUEUE]; /* on their way to this end, oldest at head */
  guint head;
  guint count;
} End;

typedef struct
{
  gint64 started;  /* since the epoch */
  gint64 opened;   /* monotonic */
  gint64 answered; /* monotonic, the last new byte from far */
  guint round_trips;
  guint resent;
  guint segments[N_ENDS]; /* by the end that sent them */
  guint64 bytes[N_ENDS];
  gboolean spoken[N_ENDS];
  guint32 next[N_ENDS];
  guint chain[N_ENDS]; /* crossings that led to what an end knows */
} Connection;

static End ends[N_ENDS];
static GHashTable *connections; /* near's port to Connection */

static void
must (gboolean done, const char *what)
{
  if (done)
    return;
  g_printerr ("delay-line: %s: %s\n", what, g_strerror (errno));
  exit (1);
}

/* ---- what passed ---- */

static void
print_connection (const Connection *c)
{
  g_print ("%" G_GINT64_FORMAT " %" G_GINT64_FORMAT " %u %u %u %" G_GUINT64_FORMAT
           " %u %" G_GUINT64_FORMAT "\n",
           c->started,
           c->answered - c->opened,
           c->round_trips,
           c->resent,
           c->segments[NEAR],
           c->bytes[NEAR],
           c->segments[FAR],
           c->bytes[FAR]);
}

static gboolean
is_after (guint32 a, guint32 b)
{
  return (gint32) (a - b) > 0;
}

static Segment
read_segment (guint from, const Packet *packet)
{
  struct iphdr ip;
  struct tcphdr tcp;
  size_t offset, total;

  if (packet->length < sizeof ip)
    return (Segment){ 0 };
  memcpy (&ip, packet->bytes, sizeof ip);
  offset = ip.ihl * 4u;
  total = ntohs (ip.tot_len);
  if (ip.version != 4 || ip.protocol != IPPROTO_TCP || total > packet->length ||
      offset + sizeof tcp > total)
    return (Segment){ 0 };
  memcpy (&tcp, packet->bytes + offset, sizeof tcp);
  offset += tcp.doff * 4u;
  if (offset > total)
    return (Segment){ 0 };
  return (Segment){ .port = GUINT_TO_POINTER (from == NEAR ? tcp.source : tcp.dest),
                    .after = ntohl (tcp.seq) + (guint32) (total - offset) + tcp.syn,
                    .payload = (guint) (total - offset),
                    .carried = (guint) (total - offset) + tcp.syn,
                    .syn = tcp.syn,
                    .ends = tcp.fin || tcp.rst };
}

static Connection *
find_connection (guint from, const Segment *s)
{
  Connection *c = s->port ? g_hash_table_lookup (connections, s->port) : NULL;

  if (c == NULL && s->port != NULL && from == NEAR && s->syn)
    {
      c = g_new0 (Connection, 1);
      c->started = g_get_real_time ();
      c->opened = c->answered = g_get_monotonic_time ();
      g_hash_table_insert (connections, s->port, c);
    }
  return c;
}

static void
note_sent (guint from, Segment *s)
{
  Connection *c = find_connection (from, s);

  if (c == NULL)
    return;
  c->segments[from]++;
  s->chain = c->chain[from];
  s->fresh = s->carried > 0 && (!c->spoken[from] || is_after (s->after, c->next[from]));
  if (s->fresh)
    {
      c->next[from] = s->after;
      c->spoken[from] = TRUE;
      c->bytes[from] += s->payload;
    }
  else if (s->carried > 0)
    c->resent++;
  if (from == NEAR && s->ends)
    {
      print_connection (c);
      g_hash_table_remove (connections, s->port);
    }
}

static void
note_arrived (guint at, const Segment *s)
{
  Connection *c = find_connection (at == NEAR ? FAR : NEAR, s);

  if (c == NULL)
    return;
  c->chain[at] = MAX (c->chain[at], s->chain + 1);
  if (at != NEAR || !s->fresh)
    return;
  c->answered = g_get_monotonic_time ();
  c->round_trips = c->chain[NEAR] / 2;
}

/* ---- the line ---- */

static void
take (guint from, gint64 delay)
{
  End *to = &ends[from == NEAR ? FAR : NEAR];
  Packet *packet = &to->packets[(to->head + to->count) % QUEUE];
  ssize_t length;

  must (to->count < QUEUE, "the line is full");
  length = read (ends[from].tun, packet->bytes, MTU);
  must (length >= 0, "reading a packet");
  packet->length = (size_t) length;
  packet->due = g_get_monotonic_time () + delay;
  to->count++;
  packet->segment = read_segment (from, packet);
  note_sent (from, &packet->segment);
}

static void
deliver (guint at)
{
  End *end = &ends[at];

  while (end->count > 0 && end->packets[end->head].due <= g_get_monotonic_time ())
    {
      const Packet *packet = &end->packets[end->head];

      note_arrived (at, &packet->segment);
      must (write (end->tun, packet->bytes, packet->length) == (ssize_t) packet->length,
            "writing a packet");
      end->head = (end->head + 1) % QUEUE;
      end->count--;
    }
}

/* Sleeps until there is a packet to take or to deliver. */
static void
await (struct pollfd *readable)
{
  gint64 due = G_MAXINT64, wait;
  struct timespec limit;

  for (guint i = 0; i < N_ENDS; i++)
    {
      readable[i] = (struct pollfd){ .fd = ends[i].tun, .events = POLLIN };
      if (ends[i].count > 0)
        due = MIN (due, ends[i].packets[ends[i].head].due);
    }
  wait = MAX (due == G_MAXINT64 ? G_USEC_PER_SEC : due - g_get_monotonic_time (), 0);
  limit.tv_sec = wait / G_USEC_PER_SEC;
  limit.tv_nsec = wait % G_USEC_PER_SEC * 1000;
  must (ppoll (readable, N_ENDS, &limit, NULL) >= 0, "waiting");
}

/* ---- the ends ---- */

static void
bring_up (int control, struct ifreq *device)
{
  must (ioctl (control, SIOCGIFFLAGS, device) == 0, "asking for a device's flags");
  device->ifr_flags |= IFF_UP | IFF_RUNNING;
  must (ioctl (control, SIOCSIFFLAGS, device) == 0, "bringing a device up");
}

static void
set_address (int control, unsigned long request, const char *name, const char *text)
{
  struct sockaddr_in address = { .sin_family = AF_INET };
  struct ifreq device = { 0 };

  g_strlcpy (device.ifr_name, name, sizeof device.ifr_name);
  inet_pton (AF_INET, text, &address.sin_addr);
  memcpy (&device.ifr_addr, &address, sizeof address);
  must (ioctl (control, request, &device) == 0, text);
}

static void
open_end (End *end, const char *own, const char *peer)
{
  struct ifreq device = { .ifr_name = "line", .ifr_flags = IFF_TUN | IFF_NO_PI };
  struct ifreq loopback = { .ifr_name = "lo" };
  int control;

  must (unshare (CLONE_NEWNET) == 0, "a network namespace");
  end->namespace = open ("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
  end->tun = open ("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);
  must (end->namespace >= 0 && end->tun >= 0, "/dev/net/tun");
  must (ioctl (end->tun, TUNSETIFF, &device) == 0, "a TUN device");
  control = socket (AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  must (control >= 0, "a socket");
  set_address (control, SIOCSIFADDR, "line", own);
  set_address (control, SIOCSIFDSTADDR, "line", peer);
  bring_up (control, &device);
  bring_up (control, &loopback);
  close (control);
}

int
main (int argc, char **argv)
{
  struct pollfd readable[N_ENDS];
  gint64 delay;

  if (argc != 2 || atoi (argv[1]) < 1)
    return 2;
  delay = atoi (argv[1]) * (G_USEC_PER_SEC / 1000);
  /* A busy machine should not lengthen the line; where this is refused it may. */
  sched_setscheduler (0, SCHED_FIFO, &(struct sched_param){ .sched_priority = 1 });
  prctl (PR_SET_PDEATHSIG, SIGTERM);
  prctl (PR_SET_TIMERSLACK, 1ul);
  connections = g_hash_table_new_full (NULL, NULL, NULL, g_free);
  open_end (&ends[NEAR], "10.54.0.1", "10.54.0.2");
  open_end (&ends[FAR], "10.54.0.2", "10.54.0.1");
  g_print ("near %d far %d\n", ends[NEAR].namespace, ends[FAR].namespace);
  for (;;)
    {
      await (readable);
      for (guint i = 0; i < N_ENDS; i++)
        {
          if ((readable[i].revents & POLLIN) != 0)
            take (i, delay);
          deliver (i);
        }
    }
}
