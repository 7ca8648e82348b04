/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

/* TPM 2.0 commands and responses as far as a bystander reads them: headers, handles and
 * the sessions of the authorisation area (TCG TPM 2.0 Library Part 1, §18; Part 3 for
 * which command has which handles). Pure. */

#define TPM_HEADER_SIZE 10u
#define TPM_MESSAGE_MAX 4096u

#define TPM_TAG_NO_SESSIONS 0x8001
#define TPM_TAG_SESSIONS 0x8002

/* TPMA_SESSION */
#define TPM_SESSION_CONTINUE 0x01
#define TPM_SESSION_DECRYPT 0x20
#define TPM_SESSION_ENCRYPT 0x40

/* The first octet of a handle. */
#define TPM_HANDLE_HMAC_SESSION 0x02
#define TPM_HANDLE_POLICY_SESSION 0x03
#define TPM_HANDLE_TRANSIENT 0x80

#define TPM_RH_NULL 0x40000007u
#define TPM_RS_PASSWORD 0x40000009u

/* The commands that this file or its users know more of than the table says. */
#define TPM_START_AUTH_SESSION 0x176u
#define TPM_CLEAR 0x126u
#define TPM_ACTIVATE_CREDENTIAL 0x147u
#define TPM_CREATE 0x153u
#define TPM_IMPORT 0x156u
#define TPM_UNSEAL 0x15eu
#define TPM_CONTEXT_SAVE 0x162u
#define TPM_FLUSH_CONTEXT 0x165u
#define TPM_GET_CAPABILITY 0x17au

typedef struct
{
  guint32 code;
  const char *name; /* "TPM2_CC_…" */
  guint8 handles;   /* of the command, before its authorisation area */
  gboolean makes;   /* a response of success begins with a handle */
  gboolean ends;    /* its last handle is gone after success */
  gboolean nv;      /* may write to the TPM's non-volatile memory */
} TpmCommandKind;

/* NULL for a command that is not in the table; static. */
const TpmCommandKind *tpm_command_kind (guint32 code);
/* By "TPM2_CC_ReadPublic" or "ReadPublic". */
const TpmCommandKind *tpm_command_kind_by_name (const char *name);
/* All of them, ended by one without a name. */
const TpmCommandKind *tpm_command_kinds (void);
/* Its name, or its number where there is none; the caller frees it. */
char *tpm_command_name (guint32 code);

#define TPM_HANDLES_MAX 3
#define TPM_SESSIONS_MAX 3

typedef struct
{
  guint32 handle;
  guint8 attributes;
  gboolean authorises; /* an HMAC, or the password itself, is not empty */
} TpmSession;

typedef struct
{
  guint32 code;
  const TpmCommandKind
      *kind; /* NULL where the command is unknown: then only code is set */
  guint n_handles;
  guint32 handles[TPM_HANDLES_MAX];
  guint n_sessions;
  TpmSession sessions[TPM_SESSIONS_MAX];
  const guint8 *parameters; /* in the message */
  gsize parameters_size;
} TpmCommand;

typedef struct
{
  guint32 code;
  guint32 handle; /* 0 = the command has none, or failed */
} TpmResponse;

/* What a header says of its message's size, with data of TPM_HEADER_SIZE bytes at least:
 * 0 where tag or size cannot be those of a command, or of a response. */
gsize tpm_command_size (const guint8 *data);
gsize tpm_response_size (const guint8 *data);

/* A whole message. FALSE where it contradicts itself: size, handles or authorisation
 * area. */
gboolean tpm_command_parse (const guint8 *data, gsize size, TpmCommand *command);
/* kind: of the command it answers; may be NULL. */
gboolean tpm_response_parse (const guint8 *data,
                             gsize size,
                             const TpmCommandKind *kind,
                             TpmResponse *response);

guint32 tpm_read_u32 (const guint8 *data);
void tpm_write_u32 (guint8 *data, guint32 value);
/* Of upper or lower case; NULL where text is no hex. */
GBytes *tpm_bytes_from_hex (const char *text);
