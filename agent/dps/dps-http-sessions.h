/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

/* DpsHttpSessions: the TLS sessions of earlier connections, so that the next one to the
 * same host and port resumes instead of shaking hands in full. In memory only. A resumed
 * handshake shows no certificate and nobody checks one, on either side: so sessions are
 * good for one trust, the roots that were asked when they were made, for the identity
 * that was shown then, and for DPS_HTTP_SESSIONS_AGE.
 * Any thread. */
typedef struct _DpsHttpSessions DpsHttpSessions;

#define DPS_HTTP_SESSIONS_AGE ((gint64) 60 * 60 * G_USEC_PER_SEC)

DpsHttpSessions *dps_http_sessions_new (void);
DpsHttpSessions *dps_http_sessions_ref (DpsHttpSessions *self);
void dps_http_sessions_unref (DpsHttpSessions *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (DpsHttpSessions, dps_http_sessions_unref)

/* Nothing of what was gained until now is used for a connection made from now on. For
 * another configuration or identity, and after a failure. */
void dps_http_sessions_clear (DpsHttpSessions *self);

/* The sessions as libcurl shares them. */
typedef struct _DpsHttpShare DpsHttpShare;

/* Those of this trust (dps_http_roots_describe()) at this time (monotonic, µs); those of
 * another are dropped. Of these, those of this identity (a chain's fingerprint, NULL =
 * none), kept apart from those of the others, of which the last few are remembered. The
 * caller's; NULL where libcurl has no memory. */
DpsHttpShare *dps_http_sessions_get (DpsHttpSessions *self,
                                     const char *trust,
                                     const char *identity,
                                     gint64 now);
void dps_http_share_unref (DpsHttpShare *self);

/* A CURLSH for CURLOPT_SHARE; borrowed, and in use no longer than the share. */
void *dps_http_share_get_handle (DpsHttpShare *self);
