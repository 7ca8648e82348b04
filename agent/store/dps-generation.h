/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "common/dps-secret.h"

/* One generation file, packed and unpacked without touching any file (design §9). All
 * integers are unsigned and big-endian:
 *
 *   offset  bytes  what
 *        0      8  magic, "DPSSTORE"
 *        8      4  format, 1
 *       12      8  length n of the ciphertext, 0..DPS_GENERATION_PAYLOAD_MAX
 *       20     16  UUID of the store
 *       36      8  number of the generation, as in the file's name
 *       44      4  protection id (DpsProtection)
 *       48     32  salt of the key
 *       80     12  nonce
 *       92      n  ciphertext, AES-256-GCM; bytes 0..91 are its associated data
 *     92+n     16  tag
 *    108+n     32  SHA-256 over all before
 *
 *   key = HKDF-SHA-256 (ikm, salt, info = "dps-store-1" || u64 number), 32 bytes (RFC
 * 5869)
 *
 * The checksum needs no key and tells damage by accident (it does not fit) from a change
 * on purpose or another key (it fits, the tag does not).
 *
 * What every later format keeps: magic and format at these offsets, at most
 * DPS_GENERATION_FILE_MAX bytes, and the checksum at the end. So a newer format is told
 * from a flipped bit in the format number. */
#define DPS_GENERATION_FORMAT 1u
#define DPS_GENERATION_HEADER_SIZE 92u
#define DPS_GENERATION_TAG_SIZE 16u
#define DPS_GENERATION_SUM_SIZE 32u
#define DPS_GENERATION_PAYLOAD_MAX (96u * 1024u)
#define DPS_GENERATION_FILE_MAX (1024u * 1024u)

typedef struct
{
  guint8 uuid[16];
  guint64 number;
  guint32 protection;
  guint8 salt[32];
  guint8 nonce[12];
} DpsGenerationHeader;

/* The bytes of the file. salt and nonce are the caller's to choose: random and never used
 * twice, except in test vectors. ikm is what the sealer gives. More than
 * DPS_GENERATION_PAYLOAD_MAX bytes of payload are DPS_ERROR_LIMITS_EXCEEDED. */
GBytes *dps_generation_pack (const DpsGenerationHeader *header,
                             const DpsSecret *ikm,
                             const DpsSecret *payload,
                             GError **error);

/* Reads the header, which is *not authenticated* by this, after checking magic, format,
 * length and checksum. DPS_ERROR_NOT_SUPPORTED for an intact file of a newer format,
 * DPS_ERROR_REJECTED for anything else that is wrong. header is set on success only. */
gboolean dps_generation_peek (GBytes *file, DpsGenerationHeader *header, GError **error);

/* Authenticates the whole file and gives its payload, the caller's. Errors as above, and
 * DPS_ERROR_REJECTED where the tag does not fit; DPS_ERROR_FAILED where OpenSSL cannot
 * work, which says nothing about the file. */
DpsSecret *dps_generation_unpack (GBytes *file,
                                  const DpsSecret *ikm,
                                  DpsGenerationHeader *header,
                                  GError **error);
