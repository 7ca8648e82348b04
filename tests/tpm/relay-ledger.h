/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "tpm-message.h"

/* What the relay has seen, as two files for the test to read.
 *
 * Counts, a JSON object that is replaced at each change, before the response is sent:
 *
 *   {"total": 3, "nv_writes": 0, "errors": 0, "injected": 0, "clients": 1,
 *    "left_objects": 0, "left_sessions": 0, "commands": {"TPM2_CC_ReadPublic": 3}}
 *
 * total and commands are those that clients sent, faults included. nv_writes are those
 * that may write to non-volatile memory and succeeded. errors are responses with a code.
 * left_… were loaded when their client closed its connection.
 *
 * Record, one line for each message, in order:
 *
 *   MICROSECONDS CLIENT DIRECTION HEX
 *
 * time since the epoch, number of the connection, "<" from the TPM, ">" to it, "!" made
 * by the relay in the TPM's place, "?" bytes that are no command. */
typedef struct _Ledger Ledger;

/* Either may be NULL. */
Ledger *ledger_new (const char *counts, const char *record);
void ledger_free (Ledger *self);

/* All counts are 0 again; the record goes on. */
void ledger_reset (Ledger *self);

void ledger_client (Ledger *self);
void ledger_command (Ledger *self,
                     guint client,
                     const char *name,
                     const guint8 *data,
                     gsize size);
/* kind: of the command; may be NULL. */
void ledger_response (Ledger *self,
                      guint client,
                      const TpmCommandKind *kind,
                      guint32 code,
                      const guint8 *data,
                      gsize size);
void ledger_injected (Ledger *self, guint client, const guint8 *data, gsize size);
void ledger_garbage (Ledger *self, guint client, const guint8 *data, gsize size);
void ledger_left (Ledger *self, guint objects, guint sessions);
