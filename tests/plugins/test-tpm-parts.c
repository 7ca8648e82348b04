/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "em-tpm-blob.h"
#include "tpm-challenge.h"
#include "tpm-enrollment.h"
#include "tpm-key-blob.h"
#include "tpm-registration-id.h"
#include "tpm-settings.h"

#include "tpm/dps-tpm-error.h"

#include <string.h>

/* What the tpm plugin decides without a TPM. */

static GByteArray *parts[EM_TPM_PARTS]; /* of a good challenge */
static GByteArray *good;

static void
make_good (void)
{
  EmTpmPublic ek = { .name = { 1 } }, srk = { .name = { 2 } };
  g_auto (EmTpmSecrets) secrets = { 0 };
  g_autoptr (EmTpmBlob) blob = NULL;
  g_autoptr (GError) error = NULL;

  memset (ek.modulus, 0xc5, sizeof ek.modulus);
  memset (srk.modulus, 0xa7, sizeof srk.modulus);
  em_tpm_secrets_make (&secrets, 32);
  blob = em_tpm_blob_new (&ek, &srk, &secrets, "contoso", &error);
  g_assert_no_error (error);
  good = g_byte_array_new ();
  for (int i = 0; i < EM_TPM_PARTS; i++)
    {
      parts[i] = g_byte_array_new ();
      g_byte_array_append (parts[i], blob->parts[i]->data, blob->parts[i]->len);
      g_byte_array_append (good, parts[i]->data, parts[i]->len);
    }
}

static gsize
size_to (int part)
{
  gsize size = 0;

  for (int i = 0; i < part; i++)
    size += parts[i]->len;
  return size;
}

/* Parses a copy without a byte behind it, so that reading there is seen. */
static gboolean
parse (const guint8 *data, gsize size, TpmChallenge *challenge, GError **error)
{
  g_autofree guint8 *copy = g_memdup2 (data, size);

  return tpm_challenge_parse (copy, size, challenge, error);
}

static void
assert_part (int part, const void *data, gsize size)
{
  g_assert_cmpmem (data, size, parts[part]->data + 2, parts[part]->len - 2);
}

static void
test_parses (void)
{
  g_autoptr (GError) error = NULL;
  TpmChallenge challenge;

  g_assert_true (parse (good->data, good->len, &challenge, &error));
  g_assert_no_error (error);
  assert_part (0, challenge.credential.credential, challenge.credential.size);
  assert_part (1, challenge.secret.secret, challenge.secret.size);
  assert_part (2, challenge.duplicate.buffer, challenge.duplicate.size);
  assert_part (3, challenge.in_seed.secret, challenge.in_seed.size);
  g_assert_cmphex (challenge.public.publicArea.type, ==, TPM2_ALG_KEYEDHASH);
  g_assert_cmphex (challenge.public.publicArea.objectAttributes, ==, 0x00040440);
  g_assert_cmpmem (challenge.public.publicArea.unique.keyedHash.buffer,
                   32,
                   parts[4]->data + parts[4]->len - 32,
                   32);
}

/* Wherever it is cut; only the sixth part may be missing. */
static void
test_cut (void)
{
  TpmChallenge challenge;

  for (gsize size = 0; size < good->len; size++)
    {
      g_autoptr (GError) error = NULL;

      if (size == size_to (5))
        {
          g_assert_true (parse (good->data, size, &challenge, &error));
          continue;
        }
      g_assert_false (parse (good->data, size, &challenge, &error));
      g_assert_error (error, DPS_TPM_ERROR, DPS_TPM_ERROR_CHALLENGE_MALFORMED);
    }
}

/* Bytes behind the end are no reason to refuse; more than 4 KiB are. */
static void
test_bound (void)
{
  g_autofree guint8 *data = g_malloc0 (TPM_CHALLENGE_MAX + 1);
  g_autoptr (GError) error = NULL;
  TpmChallenge challenge;

  memcpy (data, good->data, good->len);
  g_assert_true (parse (data, good->len + 1, &challenge, &error));
  g_assert_true (parse (data, TPM_CHALLENGE_MAX, &challenge, &error));
  g_assert_no_error (error);
  g_assert_false (parse (data, TPM_CHALLENGE_MAX + 1, &challenge, &error));
  g_assert_cmpstr (error->message,
                   ==,
                   "the challenge of the service: it has 4097 bytes, where at most 4096 "
                   "are expected");
}

#define NO_PATCH 0, 0, 0

/* One part of the good challenge, cut or grown to a size, or with a patch in it. */
static const struct
{
  const char *name;
  int part;        /* from 1 */
  int grow;        /* bytes that it has more or less, its size ahead put right */
  gsize at;        /* from the size ahead of it on */
  guint16 mask;    /* the bits that change there, in two bytes; 0 = none */
  guint16 value;   /* what these become */
  const char *why; /* the beginning of the text */
} bad[] = {
  { "credential-short",
    1,
    -1,
    NO_PATCH,
    "part 1 (credential) has 51 bytes, where 52 to" },
  { "credential-odd", 1, 1, NO_PATCH, "part 1 (credential) holds 19 bytes, which is no" },
  { "credential-long", 1, 17, NO_PATCH, "part 1 (credential) has 69 bytes, where 52 to" },
  { "credential-sha1", 1, 0, 2, 0xffff, 20, "part 1 (credential) does not begin with" },
  { "credential-past", 1, 0, 2, 0xffff, 53, "part 1 (credential) does not begin with" },
  { "secret-short", 2, -1, NO_PATCH, "part 2 (credential seed) has 255 bytes" },
  { "secret-long", 2, 1, NO_PATCH, "part 2 (credential seed) has 257 bytes" },
  { "secret-of-4096", 2, 256, NO_PATCH, "part 2 (credential seed) has 512 bytes" },
  { "wrapped-short", 3, -64, NO_PATCH, "part 3 (wrapped key) has 78 bytes, where 79 to" },
  { "wrapped-long", 3, 193, NO_PATCH, "part 3 (wrapped key) has 335 bytes, where 79 to" },
  { "wrapped-sha1", 3, 0, 2, 0xffff, 20, "part 3 (wrapped key) does not begin with" },
  { "wrapped-past", 3, 0, 2, 0xffff, 143, "part 3 (wrapped key) does not begin with" },
  { "seed-short", 4, -1, NO_PATCH, "part 4 (import seed) has 255 bytes" },
  { "seed-long", 4, 1, NO_PATCH, "part 4 (import seed) has 257 bytes" },
  { "public-empty", 5, -80, NO_PATCH, "part 5 (public area) has 0 bytes" },
  { "public-short", 5, -1, NO_PATCH, "part 5 (public area) is no public area" },
  { "public-long", 5, 1, NO_PATCH, "part 5 (public area) is no public area, or has" },
  { "public-rsa", 5, 0, 2, 0xffff, 1, "part 5 (public area) is no public area" },
  { "public-symmetric", 5, 0, 2, 0xffff, 0x25, "part 5 (public area) is no public" },
  { "public-sha1-name", 5, 0, 4, 0xffff, 4, "part 5 (public area) is of no key for" },
  { "public-sha1", 5, 0, 46, 0xffff, 4, "part 5 (public area) is of no key for" },
  { "public-xor", 5, 0, 44, 0xffff, 10, "part 5 (public area) is no public area" },
  { "public-no-sign", 5, 0, 6, 4, 0, "part 5 (public area) is of a key that can not" },
  { "public-no-auth", 5, 0, 8, 0x40, 0, "part 5 (public area) is of a key that can not" },
  { "public-restricted", 5, 0, 6, 1, 1, "part 5 (public area) is of a key that can not" },
  { "public-fixed-tpm", 5, 0, 8, 2, 2, "part 5 (public area) is of a key that can not" },
  { "public-fixed-to", 5, 0, 8, 16, 16, "part 5 (public area) is of a key that can not" },
  { "data-past", 6, 0, 0, 0xffff, 8, "it ends within part 6 (data)" },
};

static guint16
get_u16 (const guint8 *at)
{
  return (guint16) (at[0] << 8 | at[1]);
}

static void
put_u16 (guint8 *at, guint16 value)
{
  at[0] = (guint8) (value >> 8);
  at[1] = (guint8) value;
}

static void
test_refuses (void)
{
  for (gsize i = 0; i < G_N_ELEMENTS (bad); i++)
    {
      const GByteArray *part = parts[bad[i].part - 1];
      gsize before = size_to (bad[i].part - 1);
      gsize keep = (gsize) ((int) part->len + MIN (bad[i].grow, 0));
      g_autoptr (GByteArray) bytes = g_byte_array_new ();
      g_autoptr (GError) error = NULL;
      g_autofree char *why =
          g_strdup_printf ("the challenge of the service: %s", bad[i].why);
      TpmChallenge challenge;
      guint8 *at;

      g_byte_array_append (bytes, good->data, (guint) (before + keep));
      if (bad[i].grow > 0)
        g_byte_array_set_size (bytes, (guint) (before + keep) + (guint) bad[i].grow);
      at = bytes->data + before;
      put_u16 (at, (guint16) (get_u16 (at) + bad[i].grow));
      at += bad[i].at;
      put_u16 (at, (guint16) ((get_u16 (at) & ~bad[i].mask) | bad[i].value));
      g_byte_array_append (bytes,
                           good->data + before + part->len,
                           good->len - (guint) (before + part->len));
      if (parse (bytes->data, bytes->len, &challenge, &error) ||
          !g_str_has_prefix (error->message, why))
        {
          g_test_message ("%s: %s", bad[i].name, error ? error->message : "parsed");
          g_test_fail ();
        }
      else
        g_assert_error (error, DPS_TPM_ERROR, DPS_TPM_ERROR_CHALLENGE_MALFORMED);
    }
}

/* The endorsement key that somebody published in azure-iot-sdk-c#271. */
#define PUBLISHED_EK                                                                     \
  "AToAAQALAAMAsgAgg3GXZ0SEs/gakMyNRqXXJP1S124GUgtk8qHaGzMUaaoABgCAAEMAEAgAAAAAAAEAopqg" \
  "kUBwtpr1sCgVJcEZxsJtpmtOAt9K7SjGFe4hsp6DJ/dd2E5UFzBC+Jp8Fzqf5ukRBkqrAgIuAvHRsruIedk1" \
  "uarJSLhbDpFLHxFd7iDNcYfrvdgVNT2T9zrvkh2y04WuRQg2D5qf0tZF82jeTjR/YJK7uWhaRwWOwZ3b1XD9" \
  "l6wFOrwK/Ic0PEsjneFXQzL0n9uKyuHmHNz+wHppmOiMAabvnXXEin9ou7/iowY/+YhFm3j7atsVvxMI5HEM" \
  "3Mq+W4imUuzPxVX7fZH+oWPKP5ofpWBTf+MdttGby1AjGnv8JE69JriOYoZG2/4qbsfv9M7a7NFrBlaW7Rt3" \
  "6w=="

static void
test_registration_id (void)
{
  gsize size;
  g_autofree guint8 *public = g_base64_decode (PUBLISHED_EK, &size);
  g_autofree char *base32 = tpm_registration_id (public, size, FALSE);
  g_autofree char *hex = tpm_registration_id (public, size, TRUE);

  g_assert_cmpuint (size, ==, 316);
  g_assert_cmpstr (base32, ==, "6rek5qncnygnkzflohxz4u6zlfly6ktm4klsc7xrbgvesqyllnfa");
  g_assert_cmpstr (hex,
                   ==,
                   "f448aec1a26e0cd564ab71ef9e53d959578f2a6ce297217ef109aa49430b5b4a");
}

static void
make_key (TpmKeyBlob *key)
{
  TpmChallenge challenge;

  memset (key, 0, sizeof *key);
  g_assert_true (tpm_challenge_parse (good->data, good->len, &challenge, NULL));
  key->parent = TPM_PARENT_TEMPLATE;
  key->public = challenge.public;
  key->srk_name = (TPM2B_NAME){ .size = 34, .name = { 0, 11, 1 } };
  key->ek_name = (TPM2B_NAME){ .size = 34, .name = { 0, 11, 2 } };
  key->private.size = 3;
  memcpy (key->private.buffer, "abc", 3);
}

static gboolean
parse_key (const guint8 *data, gsize size, TpmKeyBlob *key, GError **error)
{
  g_autofree guint8 *copy = g_memdup2 (data, size);

  return tpm_key_blob_parse (copy, size, key, error);
}

static void
test_key_round (void)
{
  g_autofree guint8 *data = NULL;
  g_autofree guint8 *again = NULL;
  g_autoptr (GError) error = NULL;
  TpmKeyBlob key, found;
  gsize size, length;

  make_key (&key);
  data = tpm_key_blob_write (&key, &size);
  /* For ever: hosts hold it. */
  g_assert_cmpuint (size, ==, 2 + 36 + 36 + 82 + 5);
  g_assert_cmpmem (data, 5, "\1\2\0\42\0", 5);
  g_assert_cmpmem (data + size - 5, 5, "\0\3abc", 5);
  g_assert_true (parse_key (data, size, &found, &error));
  g_assert_no_error (error);
  g_assert_cmpint (found.parent, ==, TPM_PARENT_TEMPLATE);
  g_assert_true (tpm_name_equal (&found.srk_name, &key.srk_name));
  g_assert_true (tpm_name_equal (&found.ek_name, &key.ek_name));
  g_assert_false (tpm_name_equal (&found.ek_name, &found.srk_name));
  again = tpm_key_blob_write (&found, &length);
  g_assert_cmpmem (again, length, data, size);
}

static void
test_key_refuses (void)
{
  static const struct
  {
    gsize at;
    guint8 value;
    const char *text;
  } rows[] = {
    { 0, 2, "the stored key is of another version; provision again" },
    { 1, 0, "the stored key has a parent of no known kind; provision again" },
    { 1, 4, "the stored key has a parent of no known kind; provision again" },
    { 3, 33, "the stored key names no keys; provision again" },
    { 39, 35, "the stored key names no keys; provision again" },
    { 77, 1, "the stored key has no public area of an HMAC key; provision again" },
    { 157, 2, "the stored key has bytes behind its end; provision again" },
    { 157, 0, "the stored key has no private area; provision again" },
  };
  g_autofree guint8 *data = NULL;
  TpmKeyBlob key, found;
  gsize size;

  make_key (&key);
  data = tpm_key_blob_write (&key, &size);
  for (gsize i = 0; i < size; i++)
    g_assert_false (parse_key (data, i, &found, NULL));
  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      g_autofree guint8 *copy = g_memdup2 (data, size);
      g_autoptr (GError) error = NULL;

      copy[rows[i].at] = rows[i].value;
      g_assert_false (parse_key (copy, size, &found, &error));
      g_assert_error (error, DPS_TPM_ERROR, DPS_TPM_ERROR_FAILED);
      g_assert_cmpstr (error->message, ==, rows[i].text);
    }
}

typedef struct
{
  const char *key, *value;
} Setting;

static const char *
get_setting (const DpsHost *host, const char *key)
{
  const Setting *setting = host->priv;

  return strcmp (setting->key, key) == 0 ? setting->value : NULL;
}

static const char *
read_setting (const char *key, const char *value, TpmSettings *settings)
{
  Setting setting = { key, value };
  DpsHost host = { .size = sizeof host, .priv = &setting, .get_setting = get_setting };

  return tpm_settings_read (&host, settings);
}

static void
test_settings (void)
{
  TpmSettings found;

  g_assert_null (read_setting ("none", NULL, &found));
  g_assert_false (found.legacy_ek || found.hex || found.describe_enrollment);
  g_assert_true (found.persist_ek);
  g_assert_cmphex (found.persist_handle, ==, 0);
  g_assert_null (read_setting ("ek-template", "legacy", &found));
  g_assert_true (found.legacy_ek);
  g_assert_null (read_setting ("registration-id-form", "hex", &found));
  g_assert_true (found.hex);
  g_assert_null (read_setting ("persist-ek", "no", &found));
  g_assert_false (found.persist_ek);
  g_assert_null (read_setting ("persist-ek", "false", &found));
  g_assert_false (found.persist_ek);
  g_assert_null (read_setting ("describe-enrollment", "yes", &found));
  g_assert_true (found.describe_enrollment);
  g_assert_null (read_setting ("persist-handle", "none", &found));
  g_assert_cmphex (found.persist_handle, ==, 0);
  g_assert_null (read_setting ("persist-handle", "0x81000100", &found));
  g_assert_cmphex (found.persist_handle, ==, 0x81000100);
  g_assert_null (read_setting ("persist-handle", "0x817FFFFF", &found));
  g_assert_cmphex (found.persist_handle, ==, 0x817fffff);
}

static void
test_bad_settings (void)
{
  static const Setting rows[] = {
    { "ek-template", "tcg" },           { "ek-template", "" },
    { "persist-ek", "maybe" },          { "registration-id-form", "base64" },
    { "persist-handle", "" },           { "persist-handle", "81000100" },
    { "persist-handle", "0x" },         { "persist-handle", "0x80ffffff" },
    { "persist-handle", "0x81800000" }, { "persist-handle", "0x81000001" },
    { "persist-handle", "0x81010001" }, { "describe-enrollment", "2" },
  };
  TpmSettings found;

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    g_assert_cmpstr (read_setting (rows[i].key, rows[i].value, &found), ==, rows[i].key);
}

static void
test_enrollment (void)
{
  TpmEnrollment enrollment = { "abc", "AToA", "000b01", NULL };
  g_autofree char *text = tpm_enrollment_text (&enrollment);
  g_autofree char *other = NULL;

  g_assert_cmpstr (text,
                   ==,
                   "individual enrollment, TPM\n"
                   "registration id: abc\n"
                   "endorsement key: AToA\n"
                   "storage root key, Name: 000b01 (the service does not compare it)");
  enrollment.other_registration_id = "def";
  other = tpm_enrollment_text (&enrollment);
  g_assert_true (g_str_has_prefix (other, text));
  g_assert_cmpstr (other + strlen (text),
                   ==,
                   "\nregistration id of the other endorsement key template: def"
                   " (see ek-template=, if the enrolment has this one)");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  make_good ();
  g_test_add_func ("/tpm/challenge/parses", test_parses);
  g_test_add_func ("/tpm/challenge/cut", test_cut);
  g_test_add_func ("/tpm/challenge/bound", test_bound);
  g_test_add_func ("/tpm/challenge/refuses", test_refuses);
  g_test_add_func ("/tpm/registration-id/vectors", test_registration_id);
  g_test_add_func ("/tpm/key-blob/round-trip", test_key_round);
  g_test_add_func ("/tpm/key-blob/refuses", test_key_refuses);
  g_test_add_func ("/tpm/settings/reads", test_settings);
  g_test_add_func ("/tpm/settings/refuses", test_bad_settings);
  g_test_add_func ("/tpm/enrollment/text", test_enrollment);
  return g_test_run ();
}
