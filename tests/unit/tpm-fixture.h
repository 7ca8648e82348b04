/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "tpm/dps-tpm.h"

#include <sys/types.h>

/* A raw swtpm (no resource manager, one connection at a time) in a directory of its own,
 * and in front of it a forwarder that counts. */
typedef struct
{
  char *dir;
  char *tcti; /* "unix:…", of the forwarder */
  pid_t pid;  /* of swtpm */
  guint port; /* the number of the start; each has sockets of its own */
  struct TpmForwarder *forwarder;
} TpmFixture;

void tpm_fixture_set_up (TpmFixture *f, gconstpointer data);
/* Asserts that the TPM holds no transient object and no session. */
void tpm_fixture_tear_down (TpmFixture *f, gconstpointer data);

/* Ends swtpm as a power cut does, and starts it again on its state. */
void tpm_fixture_restart (TpmFixture *f);
/* Another TPM at the same place. */
void tpm_fixture_replace (TpmFixture *f);
/* New owner seed, as firmware's "clear TPM" does; endorsement keys stay. */
void tpm_fixture_clear (TpmFixture *f);

/* A connection, the caller's. */
int tpm_fixture_connect (TpmFixture *f);
/* The same with a DpsTpm on it, for test code that has no other use of the descriptor. */
DpsTpm *tpm_fixture_open (TpmFixture *f, int *fd);
void tpm_fixture_close (DpsTpm *tpm, int *fd);

/* Puts a key there, made from template in hierarchy. */
void tpm_fixture_persist (TpmFixture *f,
                          ESYS_TR hierarchy,
                          const TPM2B_PUBLIC *template,
                          TPM2_HANDLE handle);

/* Commands forwarded since the last call. */
guint tpm_fixture_take_count (TpmFixture *f);
/* Whether the bytes have gone over a connection, one way or the other, since then. */
gboolean tpm_fixture_saw (TpmFixture *f, const char *data, gsize size);
/* SIGKILL for swtpm when the n-th command from now arrives, before (or after, with
 * answered) it has carried it out; its response is not passed on. 0 = not. */
void tpm_fixture_kill_at (TpmFixture *f, guint n, gboolean answered);
/* Whether that has happened since the last start. */
gboolean tpm_fixture_was_killed (TpmFixture *f);

/* Dictionary-attack counter. */
guint32 tpm_fixture_failures (TpmFixture *f);
void tpm_fixture_assert_empty (TpmFixture *f);
/* The same through a connection that is open: swtpm serves only one. */
void tpm_fixture_assert_empty_through (DpsTpm *tpm);
/* NULL = leave as it is. */
void tpm_fixture_set_passwords (TpmFixture *f,
                                const char *owner,
                                const char *endorsement);
