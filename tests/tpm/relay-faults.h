/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

/* What the relay does to a command instead of passing it on. A file of lines
 *
 *   COMMAND NTH ACTION [ARGUMENT] [TIMES]
 *
 * COMMAND is a name (ReadPublic) or *, NTH counts the commands of that name from 1 on
 * since the file was read; it and the TIMES - 1 (default 0) that follow are struck. #
 * begins a comment. The file is read again when another one is in its place (write it
 * aside and rename it), which starts the counting anew; no file = no faults.
 *
 *   rc CODE      the response is this code (0x922)
 *   bytes HEX    the response is these bytes
 *   delay MS     the TPM takes that long to begin
 *   hang         the TPM never responds
 *   cut          the connection is closed, and the TPM has not seen the command
 *   lose         the connection is closed, and the TPM has obeyed the command */

typedef enum
{
  FAULT_NONE,
  FAULT_RC,
  FAULT_BYTES,
  FAULT_DELAY,
  FAULT_HANG,
  FAULT_CUT,
  FAULT_LOSE,
} FaultAction;

typedef struct
{
  char *command; /* "TPM2_CC_…", or "*" */
  guint nth;
  guint times;
  guint seen;
  FaultAction action;
  guint32 number; /* code or ms */
  GBytes *bytes;
} Fault;

typedef struct _Faults Faults;

/* path: may be NULL or not exist (yet). */
Faults *faults_new (const char *path);
void faults_free (Faults *self);

/* The fault that strikes this command, which is counted; NULL = none. Borrowed until the
 * next call. A file that cannot be understood ends the program: the test is wrong. */
const Fault *faults_next (Faults *self, const char *command);
