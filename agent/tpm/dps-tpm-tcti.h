/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <tss2/tss2_tcti.h>

/* DpsTpmTcti: the transport below ESAPI, on a descriptor that is open already (TCG
 * TSS 2.0 TCTI specification): a device of the kernel's resource manager, which is made
 * non-blocking, or a stream socket. A response is taken only where its header is one,
 * says a length of 10 to 4096 bytes, and exactly so many come.
 *
 * A command that is answered by RETRY, NV_RATE, TESTING or YIELDED, which means that it
 * was not begun (TCG TPM 2.0 Part 2, §6.6.3), is sent again after a pause that doubles,
 * for as long as DPS_TPM_DEADLINE. After a time-out, or once the connection is of no use,
 * nothing is sent any more: each further command fails with the same code. */
typedef struct _DpsTpmTcti DpsTpmTcti;

/* A code of its own, beside TSS2_TCTI_RC_IO_ERROR (gone) and _MALFORMED_RESPONSE; those
 * from 0xf800 on are free for an implementation. */
#define DPS_TPM_TCTI_RC_TIMED_OUT (TSS2_TCTI_RC_LAYER | 0xf801u)

/* fd stays the caller's. Cannot fail. */
DpsTpmTcti *dps_tpm_tcti_new (int fd);
void dps_tpm_tcti_free (DpsTpmTcti *self);

/* Borrowed. */
TSS2_TCTI_CONTEXT *dps_tpm_tcti_get_context (DpsTpmTcti *self);

/* The response of the last command as it came, for what ESAPI reads and does not give
 * out. Borrowed, until the next command; size 0 where there is none. */
const guint8 *dps_tpm_tcti_get_response (DpsTpmTcti *self, gsize *size);

/* For tests: other deadlines than DPS_TPM_DEADLINE and DPS_TPM_DEADLINE_KEY, in ms. */
void dps_tpm_tcti_set_deadlines (DpsTpmTcti *self, guint deadline, guint key_deadline);
