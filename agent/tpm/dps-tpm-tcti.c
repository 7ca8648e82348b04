/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "tpm/dps-tpm-tcti.h"

#include "tpm/dps-tpm.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define TCTI_MAGIC G_GUINT64_CONSTANT (0x4450532d54435449) /* "DPS-TCTI" */
#define TCTI_VERSION 1u
#define HEADER_SIZE 10u
#define CODE_OFFSET 6u
#define PAUSE_FIRST_MS 10u
#define PAUSE_MAX_MS 1000u

struct _DpsTpmTcti
{
  TSS2_TCTI_CONTEXT_COMMON_V1 common; /* first: what ESAPI sees */
  int fd;
  gboolean is_socket;
  guint deadline;
  guint key_deadline;

  TSS2_RC dead; /* why nothing is sent any more, 0 = it is */
  gboolean pending;
  gsize command_size;
  gsize response_size;
  guint8 command[TPM2_MAX_COMMAND_SIZE];
  guint8 response[TPM2_MAX_RESPONSE_SIZE];
};

static guint16
read_u16 (const guint8 *data)
{
  return (guint16) (data[0] << 8 | data[1]);
}

static guint32
read_u32 (const guint8 *data)
{
  return (guint32) read_u16 (data) << 16 | read_u16 (data + 2);
}

static TSS2_RC
die (DpsTpmTcti *self, TSS2_RC why)
{
  self->dead = why;
  return why;
}

/* The kernel has time limits of its own and reports them as ETIME. */
static TSS2_RC
die_of_errno (DpsTpmTcti *self, int code)
{
  return die (self,
              code == ETIME || code == ETIMEDOUT ? DPS_TPM_TCTI_RC_TIMED_OUT
                                                 : TSS2_TCTI_RC_IO_ERROR);
}

static guint
deadline_of (const DpsTpmTcti *self)
{
  switch (read_u32 (self->command + CODE_OFFSET))
    {
    case TPM2_CC_CreatePrimary:
    case TPM2_CC_Create:
    case TPM2_CC_CreateLoaded:
      return self->key_deadline;
    default:
      return self->deadline;
    }
}

static TSS2_RC
wait_for (DpsTpmTcti *self, short events, gint64 until)
{
  for (;;)
    {
      struct pollfd poller = { .fd = self->fd, .events = events };
      gint64 left = until - g_get_monotonic_time ();
      int n = poll (&poller, 1, left > 0 ? (int) (left / 1000 + 1) : 0);

      if (n > 0)
        return TSS2_RC_SUCCESS;
      if (n < 0 && errno != EINTR)
        return die_of_errno (self, errno);
      if (n == 0 && left <= 0)
        return die (self, DPS_TPM_TCTI_RC_TIMED_OUT);
    }
}

static gssize
write_some (DpsTpmTcti *self, gsize done)
{
  const guint8 *data = self->command + done;
  gsize size = self->command_size - done;

  return self->is_socket ? send (self->fd, data, size, MSG_NOSIGNAL | MSG_DONTWAIT)
                         : write (self->fd, data, size);
}

static TSS2_RC
send_command (DpsTpmTcti *self, gint64 until)
{
  gsize done = 0;

  while (done < self->command_size)
    {
      gssize n = write_some (self, done);
      TSS2_RC rc;

      if (n > 0)
        done += (gsize) n;
      else if (n < 0 && errno == EAGAIN)
        {
          rc = wait_for (self, POLLOUT, until);
          if (rc != TSS2_RC_SUCCESS)
            return rc;
        }
      else if (n == 0 || errno != EINTR)
        return die_of_errno (self, n == 0 ? EIO : errno);
    }
  return TSS2_RC_SUCCESS;
}

/* Whether what has come so far can be the begin of a response. */
static gboolean
is_plausible (const DpsTpmTcti *self, gsize *expected)
{
  guint16 tag;

  *expected = HEADER_SIZE;
  if (self->response_size < HEADER_SIZE)
    return TRUE;
  tag = read_u16 (self->response);
  *expected = read_u32 (self->response + 2);
  return (tag == TPM2_ST_NO_SESSIONS || tag == TPM2_ST_SESSIONS) &&
         *expected >= HEADER_SIZE && *expected <= sizeof self->response &&
         self->response_size <= *expected;
}

/* A device gives a response in one piece, so each read offers room for all of it. */
static TSS2_RC
read_response (DpsTpmTcti *self, gint64 until)
{
  gsize expected = HEADER_SIZE;

  self->response_size = 0;
  while (self->response_size < expected)
    {
      TSS2_RC rc = wait_for (self, POLLIN, until);
      gssize n;

      if (rc != TSS2_RC_SUCCESS)
        return rc;
      n = read (self->fd,
                self->response + self->response_size,
                sizeof self->response - self->response_size);
      if (n < 0 && (errno == EINTR || errno == EAGAIN))
        continue;
      if (n <= 0)
        return die_of_errno (self, n == 0 ? EPIPE : errno);
      self->response_size += (gsize) n;
      if (!is_plausible (self, &expected))
        return die (self, TSS2_TCTI_RC_MALFORMED_RESPONSE);
    }
  return TSS2_RC_SUCCESS;
}

static TSS2_RC
exchange (DpsTpmTcti *self)
{
  gint64 until = g_get_monotonic_time () + (gint64) deadline_of (self) * 1000;
  TSS2_RC rc = send_command (self, until);

  return rc == TSS2_RC_SUCCESS ? read_response (self, until) : rc;
}

static gboolean
wants_resend (const DpsTpmTcti *self)
{
  switch (read_u32 (self->response + CODE_OFFSET))
    {
    case TPM2_RC_RETRY:
    case TPM2_RC_NV_RATE:
    case TPM2_RC_TESTING:
    case TPM2_RC_YIELDED:
      return TRUE;
    default:
      return FALSE;
    }
}

/* As a code of the TPM's that ESAPI neither sends again nor ends its context for, so that
 * what is loaded can still be flushed. */
static TSS2_RC
give_up_on (DpsTpmTcti *self)
{
  const guint32 code = GUINT32_TO_BE (TPM2_RC_NV_RATE);

  memcpy (self->response + CODE_OFFSET, &code, sizeof code);
  return TSS2_RC_SUCCESS;
}

static TSS2_RC
run_command (DpsTpmTcti *self)
{
  gint64 give_up = g_get_monotonic_time () + (gint64) self->deadline * 1000;
  guint pause = PAUSE_FIRST_MS;

  for (;;)
    {
      TSS2_RC rc = exchange (self);

      if (rc != TSS2_RC_SUCCESS || !wants_resend (self))
        return rc;
      if (g_get_monotonic_time () + pause * 1000 > give_up)
        return give_up_on (self);
      g_usleep (pause * 1000);
      pause = MIN (pause * 2, PAUSE_MAX_MS);
    }
}

/* What a stream holds before a command is sent answers none. */
static gboolean
is_quiet (const DpsTpmTcti *self)
{
  struct pollfd poller = { .fd = self->fd, .events = POLLIN };

  return !self->is_socket || poll (&poller, 1, 0) == 0;
}

static TSS2_RC
transmit (TSS2_TCTI_CONTEXT *context, size_t size, const uint8_t *command)
{
  DpsTpmTcti *self = (DpsTpmTcti *) context;

  if (self == NULL || command == NULL)
    return TSS2_TCTI_RC_BAD_REFERENCE;
  if (self->pending)
    return TSS2_TCTI_RC_BAD_SEQUENCE;
  if (size < HEADER_SIZE || size > sizeof self->command)
    return TSS2_TCTI_RC_BAD_VALUE;
  if (self->dead != 0)
    return self->dead;
  if (!is_quiet (self))
    return die (self, TSS2_TCTI_RC_IO_ERROR);
  memcpy (self->command, command, size);
  self->command_size = size;
  self->response_size = 0;
  self->pending = TRUE;
  return TSS2_RC_SUCCESS;
}

/* The deadline is ours, whatever ESAPI says (it says: for ever). */
static TSS2_RC
receive (TSS2_TCTI_CONTEXT *context, size_t *size, uint8_t *response, int32_t timeout)
{
  DpsTpmTcti *self = (DpsTpmTcti *) context;
  TSS2_RC rc;

  if (self == NULL || size == NULL)
    return TSS2_TCTI_RC_BAD_REFERENCE;
  if (!self->pending)
    return TSS2_TCTI_RC_BAD_SEQUENCE;
  if (response == NULL)
    return *size = sizeof self->response, TSS2_RC_SUCCESS;
  self->pending = FALSE;
  rc = run_command (self);
  if (rc != TSS2_RC_SUCCESS)
    return self->response_size = 0, rc;
  if (self->response_size > *size)
    return TSS2_TCTI_RC_INSUFFICIENT_BUFFER;
  memcpy (response, self->response, self->response_size);
  *size = self->response_size;
  return TSS2_RC_SUCCESS;
}

static void
finalize (TSS2_TCTI_CONTEXT *context)
{
}

DpsTpmTcti *
dps_tpm_tcti_new (int fd)
{
  DpsTpmTcti *self = g_new0 (DpsTpmTcti, 1);
  struct stat st;
  int flags;

  self->common.magic = TCTI_MAGIC;
  self->common.version = TCTI_VERSION;
  self->common.transmit = transmit;
  self->common.receive = receive;
  self->common.finalize = finalize;
  self->fd = fd;
  self->is_socket = fstat (fd, &st) == 0 && S_ISSOCK (st.st_mode);
  self->deadline = DPS_TPM_DEADLINE;
  self->key_deadline = DPS_TPM_DEADLINE_KEY;
  /* Else the kernel carries out the command within write(), beyond any deadline. */
  flags = fcntl (fd, F_GETFL);
  if (flags >= 0)
    fcntl (fd, F_SETFL, flags | O_NONBLOCK);
  return self;
}

void
dps_tpm_tcti_free (DpsTpmTcti *self)
{
  g_free (self);
}

TSS2_TCTI_CONTEXT *
dps_tpm_tcti_get_context (DpsTpmTcti *self)
{
  return (TSS2_TCTI_CONTEXT *) self;
}

const guint8 *
dps_tpm_tcti_get_response (DpsTpmTcti *self, gsize *size)
{
  *size = self->response_size;
  return self->response;
}

void
dps_tpm_tcti_set_deadlines (DpsTpmTcti *self, guint deadline, guint key_deadline)
{
  self->deadline = deadline;
  self->key_deadline = key_deadline;
}
