/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "common/dps-io.h"
#include "tpm/dps-tpm-tcti.h"

#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <tss2/tss2_tpm2_types.h>

/* A peer that answers nonsense, which no real TPM does. */

#define DEADLINE_MS 100
#define KEY_DEADLINE_MS 300

typedef struct
{
  DpsTpmTcti *tcti;
  int fd;
  int peer;
} Fixture;

static void
set_up (Fixture *f, gconstpointer data)
{
  int fds[2];

  g_assert_no_errno (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds));
  f->fd = fds[0];
  f->peer = fds[1];
  f->tcti = dps_tpm_tcti_new (f->fd);
  dps_tpm_tcti_set_deadlines (f->tcti, DEADLINE_MS, KEY_DEADLINE_MS);
}

static void
tear_down (Fixture *f, gconstpointer data)
{
  dps_tpm_tcti_free (f->tcti);
  dps_close_fd (&f->fd);
  dps_close_fd (&f->peer);
}

static TSS2_RC
send_command (Fixture *f, guint32 code)
{
  TSS2_TCTI_CONTEXT *context = dps_tpm_tcti_get_context (f->tcti);
  const guint8 command[] = { 0x80,         0x01, 0, 0, 0, 10, 0, 0, (guint8) (code >> 8),
                             (guint8) code };

  return Tss2_Tcti_Transmit (context, sizeof command, command);
}

static TSS2_RC
receive (Fixture *f, guint8 *response, gsize *size)
{
  return Tss2_Tcti_Receive (dps_tpm_tcti_get_context (f->tcti),
                            size,
                            response,
                            TSS2_TCTI_TIMEOUT_BLOCK);
}

static TSS2_RC
code_of (const guint8 *response)
{
  guint32 code;

  memcpy (&code, response + 6, sizeof code);
  return GUINT32_FROM_BE (code);
}

static TSS2_RC
exchange (Fixture *f, guint32 code)
{
  guint8 response[TPM2_MAX_RESPONSE_SIZE];
  gsize size = sizeof response;
  TSS2_RC rc = send_command (f, code);

  if (rc == TSS2_RC_SUCCESS)
    rc = receive (f, response, &size);
  /* As ESAPI sees it: the transport's code, else the TPM's. */
  return rc == TSS2_RC_SUCCESS ? code_of (response) : rc;
}

/* Commands of 10 bytes that the peer has been sent. */
static guint
take_commands (Fixture *f)
{
  guint8 data[1024];
  gssize n = recv (f->peer, data, sizeof data, MSG_DONTWAIT);

  return n <= 0 ? 0 : (guint) n / 10;
}

static void
test_responses (void)
{
  static const struct
  {
    const char *bytes;
    gsize size;
    gboolean closes;
    TSS2_RC rc;
  } rows[] = {
    { "\x80\x01\0\0\0\x0a\0\0\0\0", 10, FALSE, TSS2_RC_SUCCESS },
    { "\x80\x02\0\0\0\x0c\0\0\0\0ab", 12, FALSE, TSS2_RC_SUCCESS },
    { "\x80\x01\0\0\0\x0a\0\0\x01\x01", 10, TRUE, TSS2_RC_SUCCESS },
    { "\x80\x01\0\0\0\x09\0\0\0\0", 10, FALSE, TSS2_TCTI_RC_MALFORMED_RESPONSE },
    { "\x80\x01\0\0\0\0\0\0\0\0", 10, FALSE, TSS2_TCTI_RC_MALFORMED_RESPONSE },
    { "\x80\x01\0\0\x10\x01\0\0\0\0", 10, FALSE, TSS2_TCTI_RC_MALFORMED_RESPONSE },
    { "\x80\x01\xff\xff\xff\xff\0\0\0\0", 10, FALSE, TSS2_TCTI_RC_MALFORMED_RESPONSE },
    { "\x00\xc4\0\0\0\x0a\0\0\0\x1e", 10, FALSE, TSS2_TCTI_RC_MALFORMED_RESPONSE },
    { "\x80\x01\0\0\0\x0a\0\0\0\0x", 11, FALSE, TSS2_TCTI_RC_MALFORMED_RESPONSE },
    { "\x80\x01\0\0\0\x0c\0\0\0\0a", 11, TRUE, TSS2_TCTI_RC_IO_ERROR },
    { "\x80\x01\0\0\0", 5, TRUE, TSS2_TCTI_RC_IO_ERROR },
    { "", 0, TRUE, TSS2_TCTI_RC_IO_ERROR },
    { "\x80\x01\0\0\0\x0c\0\0\0\0a", 11, FALSE, DPS_TPM_TCTI_RC_TIMED_OUT },
    { "\x80", 1, FALSE, DPS_TPM_TCTI_RC_TIMED_OUT },
    { "", 0, FALSE, DPS_TPM_TCTI_RC_TIMED_OUT },
  };

  for (guint i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      guint8 response[TPM2_MAX_RESPONSE_SIZE];
      gsize size = sizeof response;
      gsize kept;
      Fixture f;

      set_up (&f, NULL);
      g_assert_cmphex (send_command (&f, TPM2_CC_GetRandom), ==, TSS2_RC_SUCCESS);
      g_assert_cmpint (send (f.peer, rows[i].bytes, rows[i].size, 0),
                       ==,
                       (gssize) rows[i].size);
      if (rows[i].closes)
        g_assert_no_errno (shutdown (f.peer, SHUT_WR));
      g_assert_cmphex (receive (&f, response, &size), ==, rows[i].rc);
      dps_tpm_tcti_get_response (f.tcti, &kept);
      if (rows[i].rc == TSS2_RC_SUCCESS)
        g_assert_cmpmem (response, size, rows[i].bytes, rows[i].size);
      else
        {
          g_assert_cmpuint (kept, ==, 0);
          /* Nothing more is sent. */
          g_assert_cmpuint (take_commands (&f), ==, 1);
          g_assert_cmphex (exchange (&f, TPM2_CC_GetRandom), ==, rows[i].rc);
          g_assert_cmpuint (take_commands (&f), ==, 0);
        }
      tear_down (&f, NULL);
    }
}

static void
put_response (Fixture *f, guint32 code)
{
  const guint8 response[] = { 0x80,         0x01, 0, 0, 0, 10, 0, 0, (guint8) (code >> 8),
                              (guint8) code };

  g_assert_cmpint (send (f->peer, response, sizeof response, MSG_NOSIGNAL), ==, 10);
}

typedef struct
{
  int fd;
  guint32 code;
  guint refusals; /* then success */
  guint seen;
} Peer;

static gpointer
answer (gpointer data)
{
  Peer *self = data;
  Fixture f = { .peer = self->fd };
  guint8 command[10];

  while (recv (self->fd, command, sizeof command, MSG_WAITALL) == sizeof command)
    put_response (&f, self->seen++ < self->refusals ? self->code : TPM2_RC_SUCCESS);
  return NULL;
}

static TSS2_RC
exchange_with (Peer *peer, guint deadline)
{
  Fixture f;
  GThread *thread;
  TSS2_RC rc;

  set_up (&f, NULL);
  dps_tpm_tcti_set_deadlines (f.tcti, deadline, deadline);
  peer->fd = f.peer;
  thread = g_thread_new ("peer", answer, peer);
  rc = exchange (&f, TPM2_CC_GetRandom);
  g_assert_no_errno (shutdown (f.fd, SHUT_RDWR));
  g_thread_join (thread);
  tear_down (&f, NULL);
  return rc;
}

static void
test_resent (void)
{
  static const guint32 codes[] = { TPM2_RC_RETRY,
                                   TPM2_RC_NV_RATE,
                                   TPM2_RC_TESTING,
                                   TPM2_RC_YIELDED };

  for (guint i = 0; i < G_N_ELEMENTS (codes); i++)
    {
      Peer some = { .code = codes[i], .refusals = 3 };
      Peer endless = { .code = codes[i], .refusals = G_MAXUINT };

      g_assert_cmphex (exchange_with (&some, 5000), ==, TSS2_RC_SUCCESS);
      g_assert_cmpuint (some.seen, ==, 4);
      g_assert_cmphex (exchange_with (&endless, 100), ==, TPM2_RC_NV_RATE);
      g_assert_cmpuint (endless.seen, >=, 2);
      /* The pauses grow: 10, 20, 40 ms fit into 100 ms, and no more. */
      g_assert_cmpuint (endless.seen, <=, 4);
    }
}

static void
test_not_resent (void)
{
  Peer peer = { .code = TPM2_RC_LOCKOUT, .refusals = G_MAXUINT };

  g_assert_cmphex (exchange_with (&peer, 5000), ==, TPM2_RC_LOCKOUT);
  g_assert_cmpuint (peer.seen, ==, 1);
}

static void
test_junk_before (Fixture *f, gconstpointer data)
{
  put_response (f, TPM2_RC_SUCCESS);
  g_assert_cmphex (exchange (f, TPM2_CC_GetRandom), ==, TSS2_TCTI_RC_IO_ERROR);
  g_assert_cmpuint (take_commands (f), ==, 0);
}

static void
test_key_deadline (void)
{
  static const struct
  {
    guint32 code;
    gint64 ms;
  } rows[] = {
    { TPM2_CC_CreatePrimary, KEY_DEADLINE_MS }, { TPM2_CC_Create, KEY_DEADLINE_MS },
    { TPM2_CC_CreateLoaded, KEY_DEADLINE_MS },  { TPM2_CC_Load, DEADLINE_MS },
    { TPM2_CC_EvictControl, DEADLINE_MS },
  };

  for (guint i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      gint64 begin = g_get_monotonic_time ();
      gint64 took;
      Fixture f;

      set_up (&f, NULL);
      g_assert_cmphex (exchange (&f, rows[i].code), ==, DPS_TPM_TCTI_RC_TIMED_OUT);
      took = (g_get_monotonic_time () - begin) / 1000;
      g_assert_cmpint (took, >=, rows[i].ms);
      g_assert_cmpint (took, <, 5 * rows[i].ms);
      tear_down (&f, NULL);
    }
}

static void
test_misuse (Fixture *f, gconstpointer data)
{
  guint8 response[TPM2_MAX_RESPONSE_SIZE];
  gsize size = sizeof response;

  g_assert_cmphex (receive (f, response, &size), ==, TSS2_TCTI_RC_BAD_SEQUENCE);
  g_assert_cmphex (send_command (f, TPM2_CC_GetRandom), ==, TSS2_RC_SUCCESS);
  g_assert_cmphex (send_command (f, TPM2_CC_GetRandom), ==, TSS2_TCTI_RC_BAD_SEQUENCE);
  g_assert_cmphex (receive (f, NULL, &size), ==, TSS2_RC_SUCCESS);
  g_assert_cmpuint (size, ==, TPM2_MAX_RESPONSE_SIZE);
  put_response (f, TPM2_RC_SUCCESS);
  size = 9;
  g_assert_cmphex (receive (f, response, &size), ==, TSS2_TCTI_RC_INSUFFICIENT_BUFFER);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/tpm/tcti/responses", test_responses);
  g_test_add_func ("/tpm/tcti/resends-what-was-not-begun", test_resent);
  g_test_add_func ("/tpm/tcti/resends-nothing-else", test_not_resent);
  g_test_add ("/tpm/tcti/junk-before-a-command",
              Fixture,
              NULL,
              set_up,
              test_junk_before,
              tear_down);
  g_test_add_func ("/tpm/tcti/longer-deadline-for-keys", test_key_deadline);
  g_test_add ("/tpm/tcti/misuse", Fixture, NULL, set_up, test_misuse, tear_down);
  return g_test_run ();
}
