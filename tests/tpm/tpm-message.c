/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "tpm-message.h"

#include <string.h>

#define PREFIX "TPM2_CC_"
#define TAG_TPM_1_2 0x00c4 /* a TPM 2.0 answers with it to a tag it does not know */
#define SESSION_SIZE_MIN 9 /* handle, empty nonce, attributes, empty HMAC */

#define KIND(code, name, handles, ...)                                                   \
  {                                                                                      \
    code, PREFIX name, handles, __VA_ARGS__                                              \
  }

/* clang-format off */
static const TpmCommandKind kinds[] = {
  KIND (0x11f, "NV_UndefineSpaceSpecial", 2, .nv = TRUE),
  KIND (0x120, "EvictControl", 2, .nv = TRUE),
  KIND (0x121, "HierarchyControl", 1, .nv = TRUE),
  KIND (0x122, "NV_UndefineSpace", 2, .nv = TRUE),
  KIND (0x124, "ChangeEPS", 1, .nv = TRUE),
  KIND (0x125, "ChangePPS", 1, .nv = TRUE),
  KIND (0x126, "Clear", 1, .nv = TRUE),
  KIND (0x127, "ClearControl", 1, .nv = TRUE),
  KIND (0x128, "ClockSet", 1, .nv = TRUE),
  KIND (0x129, "HierarchyChangeAuth", 1, .nv = TRUE),
  KIND (0x12a, "NV_DefineSpace", 1, .nv = TRUE),
  KIND (0x12b, "PCR_Allocate", 1, .nv = TRUE),
  KIND (0x12c, "PCR_SetAuthPolicy", 1, .nv = TRUE),
  KIND (0x12d, "PP_Commands", 1, .nv = TRUE),
  KIND (0x12e, "SetPrimaryPolicy", 1, .nv = TRUE),
  KIND (0x130, "ClockRateAdjust", 1, 0),
  KIND (0x131, "CreatePrimary", 1, .makes = TRUE),
  KIND (0x132, "NV_GlobalWriteLock", 1, .nv = TRUE),
  KIND (0x133, "GetCommandAuditDigest", 2, .nv = TRUE),
  KIND (0x134, "NV_Increment", 2, .nv = TRUE),
  KIND (0x135, "NV_SetBits", 2, .nv = TRUE),
  KIND (0x136, "NV_Extend", 2, .nv = TRUE),
  KIND (0x137, "NV_Write", 2, .nv = TRUE),
  KIND (0x138, "NV_WriteLock", 2, .nv = TRUE),
  KIND (0x139, "DictionaryAttackLockReset", 1, .nv = TRUE),
  KIND (0x13a, "DictionaryAttackParameters", 1, .nv = TRUE),
  KIND (0x13b, "NV_ChangeAuth", 1, .nv = TRUE),
  KIND (0x13c, "PCR_Event", 1, .nv = TRUE),
  KIND (0x13d, "PCR_Reset", 1, .nv = TRUE),
  KIND (0x13e, "SequenceComplete", 1, .ends = TRUE),
  KIND (0x13f, "SetAlgorithmSet", 1, .nv = TRUE),
  KIND (0x140, "SetCommandCodeAuditStatus", 1, .nv = TRUE),
  KIND (0x142, "IncrementalSelfTest", 0, .nv = TRUE),
  KIND (0x143, "SelfTest", 0, .nv = TRUE),
  KIND (0x144, "Startup", 0, .nv = TRUE),
  KIND (0x145, "Shutdown", 0, .nv = TRUE),
  KIND (0x146, "StirRandom", 0, .nv = TRUE),
  KIND (0x147, "ActivateCredential", 2, 0),
  KIND (0x148, "Certify", 2, 0),
  KIND (0x149, "PolicyNV", 3, 0),
  KIND (0x14a, "CertifyCreation", 2, 0),
  KIND (0x14b, "Duplicate", 2, 0),
  KIND (0x14c, "GetTime", 2, 0),
  KIND (0x14d, "GetSessionAuditDigest", 3, 0),
  KIND (0x14e, "NV_Read", 2, 0),
  KIND (0x14f, "NV_ReadLock", 2, .nv = TRUE),
  KIND (0x150, "ObjectChangeAuth", 2, 0),
  KIND (0x151, "PolicySecret", 2, 0),
  KIND (0x152, "Rewrap", 2, 0),
  KIND (0x153, "Create", 1, 0),
  KIND (0x154, "ECDH_ZGen", 1, 0),
  KIND (0x155, "HMAC", 1, 0),
  KIND (0x156, "Import", 1, 0),
  KIND (0x157, "Load", 1, .makes = TRUE),
  KIND (0x158, "Quote", 1, 0),
  KIND (0x159, "RSA_Decrypt", 1, 0),
  KIND (0x15b, "HMAC_Start", 1, .makes = TRUE),
  KIND (0x15c, "SequenceUpdate", 1, 0),
  KIND (0x15d, "Sign", 1, 0),
  KIND (0x15e, "Unseal", 1, 0),
  KIND (0x160, "PolicySigned", 2, 0),
  KIND (0x161, "ContextLoad", 0, .makes = TRUE),
  KIND (0x162, "ContextSave", 1, 0),
  KIND (0x163, "ECDH_KeyGen", 1, 0),
  KIND (0x164, "EncryptDecrypt", 1, 0),
  KIND (0x165, "FlushContext", 0, 0),
  KIND (0x167, "LoadExternal", 0, .makes = TRUE),
  KIND (0x168, "MakeCredential", 1, 0),
  KIND (0x169, "NV_ReadPublic", 1, 0),
  KIND (0x16a, "PolicyAuthorize", 1, 0),
  KIND (0x16b, "PolicyAuthValue", 1, 0),
  KIND (0x16c, "PolicyCommandCode", 1, 0),
  KIND (0x16d, "PolicyCounterTimer", 1, 0),
  KIND (0x16e, "PolicyCpHash", 1, 0),
  KIND (0x16f, "PolicyLocality", 1, 0),
  KIND (0x170, "PolicyNameHash", 1, 0),
  KIND (0x171, "PolicyOR", 1, 0),
  KIND (0x172, "PolicyTicket", 1, 0),
  KIND (0x173, "ReadPublic", 1, 0),
  KIND (0x174, "RSA_Encrypt", 1, 0),
  KIND (0x176, "StartAuthSession", 2, .makes = TRUE),
  KIND (0x177, "VerifySignature", 1, 0),
  KIND (0x178, "ECC_Parameters", 0, 0),
  KIND (0x17a, "GetCapability", 0, 0),
  KIND (0x17b, "GetRandom", 0, 0),
  KIND (0x17c, "GetTestResult", 0, 0),
  KIND (0x17d, "Hash", 0, 0),
  KIND (0x17e, "PCR_Read", 0, 0),
  KIND (0x17f, "PolicyPCR", 1, 0),
  KIND (0x180, "PolicyRestart", 1, 0),
  KIND (0x181, "ReadClock", 0, 0),
  KIND (0x182, "PCR_Extend", 1, .nv = TRUE),
  KIND (0x183, "PCR_SetAuthValue", 1, 0),
  KIND (0x184, "NV_Certify", 3, 0),
  KIND (0x185, "EventSequenceComplete", 2, .ends = TRUE, .nv = TRUE),
  KIND (0x186, "HashSequenceStart", 0, .makes = TRUE),
  KIND (0x187, "PolicyPhysicalPresence", 1, 0),
  KIND (0x188, "PolicyDuplicationSelect", 1, 0),
  KIND (0x189, "PolicyGetDigest", 1, 0),
  KIND (0x18a, "TestParms", 0, 0),
  KIND (0x18b, "Commit", 1, 0),
  KIND (0x18c, "PolicyPassword", 1, 0),
  KIND (0x18d, "ZGen_2Phase", 1, 0),
  KIND (0x18e, "EC_Ephemeral", 0, 0),
  KIND (0x18f, "PolicyNvWritten", 1, 0),
  KIND (0x190, "PolicyTemplate", 1, 0),
  KIND (0x191, "CreateLoaded", 1, .makes = TRUE),
  KIND (0x192, "PolicyAuthorizeNV", 3, 0),
  KIND (0x193, "EncryptDecrypt2", 1, 0),
  KIND (0x197, "CertifyX509", 2, 0),
  { 0 },
};
/* clang-format on */

const TpmCommandKind *
tpm_command_kinds (void)
{
  return kinds;
}

const TpmCommandKind *
tpm_command_kind (guint32 code)
{
  for (const TpmCommandKind *kind = kinds; kind->name != NULL; kind++)
    if (kind->code == code)
      return kind;
  return NULL;
}

const TpmCommandKind *
tpm_command_kind_by_name (const char *name)
{
  gsize skipped = g_str_has_prefix (name, PREFIX) ? 0 : strlen (PREFIX);

  for (const TpmCommandKind *kind = kinds; kind->name != NULL; kind++)
    if (strcmp (kind->name + skipped, name) == 0)
      return kind;
  return NULL;
}

char *
tpm_command_name (guint32 code)
{
  const TpmCommandKind *kind = tpm_command_kind (code);

  return kind != NULL ? g_strdup (kind->name) : g_strdup_printf ("0x%x", code);
}

static guint16
read_u16 (const guint8 *data)
{
  return (guint16) (data[0] << 8 | data[1]);
}

guint32
tpm_read_u32 (const guint8 *data)
{
  return (guint32) data[0] << 24 | (guint32) data[1] << 16 | (guint32) data[2] << 8 |
         data[3];
}

void
tpm_write_u32 (guint8 *data, guint32 value)
{
  for (guint i = 0; i < 4; i++)
    data[i] = (guint8) (value >> (24 - 8 * i));
}

static gsize
size_in_header (const guint8 *data)
{
  guint32 size = tpm_read_u32 (data + 2);

  return size >= TPM_HEADER_SIZE && size <= TPM_MESSAGE_MAX ? size : 0;
}

gsize
tpm_command_size (const guint8 *data)
{
  guint16 tag = read_u16 (data);

  return tag == TPM_TAG_NO_SESSIONS || tag == TPM_TAG_SESSIONS ? size_in_header (data)
                                                               : 0;
}

gsize
tpm_response_size (const guint8 *data)
{
  if (read_u16 (data) != TAG_TPM_1_2)
    return tpm_command_size (data);
  return size_in_header (data) == TPM_HEADER_SIZE ? TPM_HEADER_SIZE : 0;
}

/* One of TPMS_AUTH_COMMAND at data; its length, 0 where it goes beyond size. */
static gsize
parse_session (const guint8 *data, gsize size, TpmSession *session)
{
  gsize nonce, hmac;

  if (size < SESSION_SIZE_MIN)
    return 0;
  nonce = read_u16 (data + 4);
  if (size < SESSION_SIZE_MIN + nonce)
    return 0;
  hmac = read_u16 (data + 7 + nonce);
  if (size < SESSION_SIZE_MIN + nonce + hmac)
    return 0;
  session->handle = tpm_read_u32 (data);
  session->attributes = data[6 + nonce];
  session->authorises = hmac > 0;
  return SESSION_SIZE_MIN + nonce + hmac;
}

static gboolean
parse_sessions (const guint8 *data, gsize size, TpmCommand *command)
{
  while (size > 0)
    {
      gsize length =
          command->n_sessions < TPM_SESSIONS_MAX
              ? parse_session (data, size, &command->sessions[command->n_sessions])
              : 0;

      if (length == 0)
        return FALSE;
      command->n_sessions++;
      data += length;
      size -= length;
    }
  return command->n_sessions > 0;
}

gboolean
tpm_command_parse (const guint8 *data, gsize size, TpmCommand *command)
{
  gsize at = TPM_HEADER_SIZE, area;

  memset (command, 0, sizeof *command);
  if (size < TPM_HEADER_SIZE || tpm_command_size (data) != size)
    return FALSE;
  command->code = tpm_read_u32 (data + 6);
  command->kind = tpm_command_kind (command->code);
  if (command->kind == NULL)
    return TRUE;
  if (size - at < 4u * command->kind->handles)
    return FALSE;
  for (; command->n_handles < command->kind->handles; at += 4)
    command->handles[command->n_handles++] = tpm_read_u32 (data + at);
  if (read_u16 (data) == TPM_TAG_SESSIONS)
    {
      if (size - at < 4)
        return FALSE;
      area = tpm_read_u32 (data + at);
      at += 4;
      if (area > size - at || !parse_sessions (data + at, area, command))
        return FALSE;
      at += area;
    }
  command->parameters = data + at;
  command->parameters_size = size - at;
  return TRUE;
}

gboolean
tpm_response_parse (const guint8 *data,
                    gsize size,
                    const TpmCommandKind *kind,
                    TpmResponse *response)
{
  memset (response, 0, sizeof *response);
  if (size < TPM_HEADER_SIZE || tpm_response_size (data) != size)
    return FALSE;
  response->code = tpm_read_u32 (data + 6);
  if (response->code != 0)
    return size == TPM_HEADER_SIZE;
  if (kind == NULL || !kind->makes)
    return TRUE;
  if (size < TPM_HEADER_SIZE + 4)
    return FALSE;
  response->handle = tpm_read_u32 (data + TPM_HEADER_SIZE);
  return TRUE;
}

GBytes *
tpm_bytes_from_hex (const char *text)
{
  gsize length = strlen (text);
  g_autofree guint8 *bytes = g_malloc (length / 2 + 1);

  if (length % 2 != 0 || strspn (text, "0123456789abcdefABCDEF") != length)
    return NULL;
  for (gsize i = 0; i < length / 2; i++)
    bytes[i] = (guint8) (g_ascii_xdigit_value (text[2 * i]) << 4 |
                         g_ascii_xdigit_value (text[2 * i + 1]));
  return g_bytes_new_take (g_steal_pointer (&bytes), length / 2);
}
