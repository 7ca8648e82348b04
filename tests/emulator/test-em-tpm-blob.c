/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "em-tpm-blob.h"

#include <string.h>

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>

/* The templates of both keys, up to the modulus. */
#define EK_POLICY "837197674484b3f81a90cc8d46a5d724fd52d76e06520b64f2a1da1b331469aa"
#define EK_HEAD                                                                          \
  "013a0001000b000300b20020" EK_POLICY "0006008000430010080000000000"                    \
  "0100"
#define SRK_HEAD "011a0001000b00030472000000060080004300100800000000000100"

/* The EK that somebody published in azure-iot-sdk-c#271. */
#define PUBLISHED_EK                                                                     \
  "AToAAQALAAMAsgAgg3GXZ0SEs/gakMyNRqXXJP1S124GUgtk8qHaGzMUaaoABgCAAEMAEAgAAAAAAAEAopqg" \
  "kUBwtpr1sCgVJcEZxsJtpmtOAt9K7SjGFe4hsp6DJ/dd2E5UFzBC+Jp8Fzqf5ukRBkqrAgIuAvHRsruIedk1" \
  "uarJSLhbDpFLHxFd7iDNcYfrvdgVNT2T9zrvkh2y04WuRQg2D5qf0tZF82jeTjR/YJK7uWhaRwWOwZ3b1XD9" \
  "l6wFOrwK/Ic0PEsjneFXQzL0n9uKyuHmHNz+wHppmOiMAabvnXXEin9ou7/iowY/+YhFm3j7atsVvxMI5HEM" \
  "3Mq+W4imUuzPxVX7fZH+oWPKP5ofpWBTf+MdttGby1AjGnv8JE69JriOYoZG2/4qbsfv9M7a7NFrBlaW7Rt3" \
  "6w=="

G_DEFINE_AUTOPTR_CLEANUP_FUNC (EVP_PKEY, EVP_PKEY_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (EVP_PKEY_CTX, EVP_PKEY_CTX_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (BIGNUM, BN_free)

static GByteArray *
from_hex (const char *hex)
{
  GByteArray *out = g_byte_array_new ();

  for (const char *p = hex; *p != '\0'; p += 2)
    {
      guint8 byte =
          (guint8) (g_ascii_xdigit_value (p[0]) * 16 + g_ascii_xdigit_value (p[1]));

      g_byte_array_append (out, &byte, 1);
    }
  return out;
}

static void
assert_bytes (gconstpointer data, gsize len, const char *hex)
{
  g_autoptr (GByteArray) wanted = from_hex (hex);

  g_assert_cmpmem (data, len, wanted->data, wanted->len);
}

#define assert_array(array, hex) assert_bytes ((array)->data, (array)->len, hex)

/* HEAD, and 256 bytes of one value. */
static GBytes *
make_public (const char *head, guint8 value)
{
  GByteArray *out = from_hex (head);
  guint8 modulus[EM_TPM_RSA_LEN];

  memset (modulus, value, sizeof modulus);
  g_byte_array_append (out, modulus, sizeof modulus);
  return g_byte_array_free_to_bytes (out);
}

static void
count_up (guint8 *out, gsize len, guint8 first)
{
  for (gsize i = 0; i < len; i++)
    out[i] = (guint8) (first + i);
}

/* The random inputs of the vectors in the protocol reference. */
static void
fixed_secrets (EmTpmSecrets *out)
{
  count_up (out->inner_key, sizeof out->inner_key, 0x10);
  count_up (out->credential_seed, sizeof out->credential_seed, 0x20);
  count_up (out->duplication_seed, sizeof out->duplication_seed, 0x40);
  count_up (out->seed_value, sizeof out->seed_value, 0x60);
  count_up (out->key, 32, 0x80);
  out->key_len = 32;
}

#define PUBLIC_AREA                                                                      \
  "00500008000b000404400020bef56b8c1cc84e11edd717528d2cd99356bd2bbf8f015209c3f84aeeaba8" \
  "e8a20005000b0020ade5c3f609729b72dcd7252435dfa94b03158fc6f20481b183d183086cb39619"
#define OBJECT_NAME "000b90c4c921812d4ab4f6f5522aa9a6527bd74ad99d00596494fb1d868a8d63aa00"
#define INNER_INTEGRITY                                                                  \
  "0020396aa4b4c1280248110ae634f870b43ff7220be6c2c9257e730e8fc05c1d7304"
#define ENC_SENSITIVE                                                                    \
  "ed830993aa58104402764eba7dfb0b28e1930dd266cde556ec8b30ac88d8b45078bdc646bd8f7dc1a2f5" \
  "ae3a2920b86578699791bfd8372ddab9d0866aa1ff681949f22e32e62a6f8a0f371abf58c10976971998" \
  "650320c2069c37340f7a934a340c9a30e50eab0e42a70fc2"
#define DUP                                                                              \
  "69323b72f82cde724ddfc5bbb8aef50a1e0db19f82cfe486a3dc8d35380e704cf275faa1263ffaecfd4b" \
  "f69c3b62d0a03f44333d83d0d82cf0b850e1350facf0957654e5ce5a3dbec0a3d8d7a575607b35b77164" \
  "713cd7f569b0ab8f29d055fe2329b9ff85fcecf74e4616c9"
#define DUP_HMAC "1961eb2692ff04fc2103b106a6dd17d514383a12b4c2e5948a2a2ecf5b534fae"
#define SRK_NAME "000b630639023bb7217fae85e7e999f76a39a35e1aecd0ecceac744965325d1531d1"
#define ENC_ID "b854ffefced611dfe52a40baa8682e2e87e9"
#define ID_HMAC "d124d85a7826fc7b3346dcf6c508bc559659a5d97335c59eaa6edd44e62e5295"

static void
test_object (void)
{
  g_auto (EmTpmSecrets) secrets = { 0 };
  g_auto (EmTpmObject) object = { 0 };

  fixed_secrets (&secrets);
  em_tpm_object_init (&object, &secrets);
  assert_array (object.public_area, PUBLIC_AREA);
  assert_array (object.sensitive,
                "004800080000"
                "0020606162636465666768696a6b6c6d6e6f707172737475767778797a7b7c7d7e7f"
                "0020808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f");
  assert_bytes (object.name, sizeof object.name, OBJECT_NAME);
}

static void
test_duplicate (void)
{
  g_auto (EmTpmSecrets) secrets = { 0 };
  g_auto (EmTpmObject) object = { 0 };
  g_auto (EmTpmWrapped) wrapped = { 0 };
  g_autoptr (GByteArray) integrity = NULL;
  g_autoptr (GByteArray) inner = NULL;

  fixed_secrets (&secrets);
  em_tpm_object_init (&object, &secrets);
  integrity = em_tpm_inner_integrity (&object);
  assert_array (integrity, INNER_INTEGRITY);
  inner = em_tpm_inner_wrap (&object, secrets.inner_key);
  assert_array (inner, ENC_SENSITIVE);

  em_tpm_wrap (&wrapped, secrets.duplication_seed, object.name, inner);
  assert_bytes (wrapped.cipher_key, 16, "19434fe0f5676b6c7ebdf9cb0ca48c73");
  assert_array (wrapped.encrypted, DUP);
  assert_bytes (wrapped.hmac_key,
                32,
                "01927eb72a10a617a5f9166fc789e6a5acbac94d27180042441cada7147483e2");
  assert_bytes (wrapped.hmac, 32, DUP_HMAC);
  assert_array (wrapped.part, "008e0020" DUP_HMAC DUP);
}

static void
test_credential (void)
{
  g_auto (EmTpmSecrets) secrets = { 0 };
  g_auto (EmTpmWrapped) wrapped = { 0 };
  g_autoptr (GByteArray) inner = from_hex ("0010101112131415161718191a1b1c1d1e1f");
  g_autoptr (GByteArray) name = from_hex (SRK_NAME);

  fixed_secrets (&secrets);
  em_tpm_wrap (&wrapped, secrets.credential_seed, name->data, inner);
  assert_bytes (wrapped.cipher_key, 16, "a8884c69747c5fe1fd69c88c20f9c25e");
  assert_array (wrapped.encrypted, ENC_ID);
  assert_bytes (wrapped.hmac_key,
                32,
                "a59f83ebb69b4d9e96423384c6688d561897e006de455f849a5f147faf8c7cdb");
  assert_bytes (wrapped.hmac, 32, ID_HMAC);
  assert_array (wrapped.part, "00340020" ID_HMAC ENC_ID);
}

static void
test_names (void)
{
  g_autoptr (GBytes) srk = make_public (SRK_HEAD, 0xaa);
  g_autoptr (GBytes) other = make_public (SRK_HEAD, 0xab);
  EmTpmPublic key, second;
  g_autoptr (GError) error = NULL;

  g_assert_cmpuint (g_bytes_get_size (srk), ==, 284);
  em_tpm_public_parse (srk, &key, &error);
  g_assert_no_error (error);
  assert_bytes (key.name, sizeof key.name, SRK_NAME);
  g_assert_cmpuint (key.modulus[0], ==, 0xaa);
  g_assert_cmpuint (key.modulus[255], ==, 0xaa);

  g_assert_true (em_tpm_public_parse (other, &second, NULL));
  g_assert_true (em_tpm_public_equal (&key, &key));
  g_assert_false (em_tpm_public_equal (&key, &second));
}

static void
test_real_key (void)
{
  gsize len;
  guint8 *data = g_base64_decode (PUBLISHED_EK, &len);
  g_autoptr (GBytes) bytes = g_bytes_new_take (data, len);
  g_autoptr (GError) error = NULL;
  EmTpmPublic key;

  g_assert_cmpuint (len, ==, 316);
  em_tpm_public_parse (bytes, &key, &error);
  g_assert_no_error (error);
  g_assert_cmpmem (key.modulus, sizeof key.modulus, data + 60, 256);
}

/* Keys as a TPM could have them, and we do not take: bytes written over those of a good
 * EK. */
static void
test_refusals (void)
{
  static const struct
  {
    gsize offset;
    const char *hex;
    const char *message;
  } keys[] = {
    { 0, "013b", "its size is not" },
    { 0, "0139", "its size is not" },
    { 2, "0023", "not an RSA key" },            /* ECC */
    { 4, "000c", "its Name is not made with" }, /* SHA-384 */
    { 6, "000400b2", "not a restricted" },      /* a signing key */
    { 6, "000600b2", "not a restricted" },      /* unrestricted */
    { 10, "0030", "its policy is not" },        /* SHA-384 */
    { 44, "0010", "its symmetric cipher is not AES" },
    { 46, "0100", "its symmetric cipher has not 128 bits" },
    { 48, "0042", "its symmetric cipher has not the mode" },
    { 50, "0014", "it has a signing" },
    { 52, "0c00", "it has not 2048 bits" },
    { 54, "00000003", "its exponent is not" },
    { 58, "0000", "its modulus has not 256" },
    { 58, "0101", "its modulus has not 256" },
    { 60, "7f", "its modulus has not 2048" },
    { 54, "00010001", NULL },
  };

  for (guint i = 0; i < G_N_ELEMENTS (keys); i++)
    {
      g_autoptr (GBytes) good = make_public (EK_HEAD, 0xab);
      g_autoptr (GByteArray) array = g_bytes_unref_to_array (g_bytes_ref (good));
      g_autoptr (GByteArray) change = from_hex (keys[i].hex);
      g_autoptr (GBytes) bytes = NULL;
      g_autoptr (GError) error = NULL;
      EmTpmPublic key;

      memcpy (array->data + keys[i].offset, change->data, change->len);
      bytes = g_bytes_new (array->data, array->len);
      g_assert_true (em_tpm_public_parse (good, &key, NULL));
      g_assert_true (em_tpm_public_parse (bytes, &key, &error) ==
                     (keys[i].message == NULL));
      if (keys[i].message == NULL)
        continue;
      g_assert_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA);
      g_assert_nonnull (strstr (error->message, keys[i].message));
    }
}

/* Cut anywhere, with a size that says so, and with a byte too many. */
static void
test_lengths (void)
{
  g_autoptr (GBytes) good = make_public (EK_HEAD, 0xab);
  gsize len;
  const guint8 *data = g_bytes_get_data (good, &len);
  EmTpmPublic key;

  for (gsize n = 0; n <= len + 1; n++)
    {
      guint8 *copy = g_malloc0 (n + 1);
      g_autoptr (GBytes) bytes = NULL;

      memcpy (copy, data, MIN (n, len));
      if (n >= 2)
        {
          copy[0] = (guint8) ((n - 2) >> 8);
          copy[1] = (guint8) (n - 2);
        }
      bytes = g_bytes_new_take (copy, n);
      g_assert_true (em_tpm_public_parse (bytes, &key, NULL) == (n == len));
    }
}

static void
assert_seed (EVP_PKEY *key,
             const GByteArray *part,
             const char *label,
             const guint8 seed[EM_TPM_DIGEST_LEN])
{
  g_autoptr (EVP_PKEY_CTX) context = EVP_PKEY_CTX_new_from_pkey (NULL, key, NULL);
  guint8 plain[EM_TPM_RSA_LEN];
  gsize len = sizeof plain;

  g_assert_cmpuint (part->len, ==, 2 + EM_TPM_RSA_LEN);
  assert_bytes (part->data, 2, "0100");
  g_assert_cmpint (EVP_PKEY_decrypt_init (context), ==, 1);
  EVP_PKEY_CTX_set_rsa_padding (context, RSA_PKCS1_OAEP_PADDING);
  EVP_PKEY_CTX_set_rsa_oaep_md (context, EVP_sha256 ());
  EVP_PKEY_CTX_set0_rsa_oaep_label (context,
                                    OPENSSL_memdup (label, strlen (label) + 1),
                                    (int) strlen (label) + 1);
  g_assert_cmpint (EVP_PKEY_decrypt (context, plain, &len, part->data + 2, part->len - 2),
                   ==,
                   1);
  g_assert_cmpmem (plain, len, seed, EM_TPM_DIGEST_LEN);
}

/* A key that OpenSSL made, as the public area of HEAD would show it. */
static EVP_PKEY *
make_key (EmTpmPublic *out)
{
  EVP_PKEY *key = EVP_PKEY_Q_keygen (NULL, NULL, "RSA", (size_t) 2048);
  g_autoptr (BIGNUM) modulus = NULL;

  g_assert_nonnull (key);
  g_assert_cmpint (EVP_PKEY_get_bn_param (key, OSSL_PKEY_PARAM_RSA_N, &modulus), ==, 1);
  BN_bn2binpad (modulus, out->modulus, sizeof out->modulus);
  memset (out->name, 0x55, sizeof out->name);
  return key;
}

static void
test_blob (void)
{
  EmTpmPublic ek, srk;
  g_autoptr (EVP_PKEY) ek_pair = make_key (&ek);
  g_autoptr (EVP_PKEY) srk_pair = make_key (&srk);
  g_autoptr (GByteArray) srk_name = from_hex (SRK_NAME);
  g_auto (EmTpmSecrets) secrets = { 0 };
  g_autoptr (EmTpmBlob) blob = NULL;
  g_autoptr (GBytes) joined = NULL;
  g_autoptr (GError) error = NULL;

  memcpy (srk.name, srk_name->data, srk_name->len);
  fixed_secrets (&secrets);
  blob = em_tpm_blob_new (&ek, &srk, &secrets, "contoso", &error);
  g_assert_no_error (error);

  assert_array (blob->parts[0], "00340020" ID_HMAC ENC_ID);
  assert_seed (ek_pair, blob->parts[1], "IDENTITY", secrets.credential_seed);
  assert_array (blob->parts[2], "008e0020" DUP_HMAC DUP);
  assert_seed (srk_pair, blob->parts[3], "DUPLICATE", secrets.duplication_seed);
  assert_array (blob->parts[4], PUBLIC_AREA);
  assert_array (blob->parts[5], "00078ecc5e8d619fbe");

  joined = em_tpm_blob_join (blob);
  g_assert_cmpuint (g_bytes_get_size (joined), ==, 796 + 2 + 7);
}

/* A modulus no RSA key has: OpenSSL says so, and we say of which key. */
static void
test_bad_modulus (void)
{
  EmTpmPublic good, bad = { 0 };
  g_autoptr (EVP_PKEY) pair = make_key (&good);
  g_auto (EmTpmSecrets) secrets = { 0 };
  g_autoptr (GError) error = NULL;

  memset (bad.modulus, 0xaa, sizeof bad.modulus);
  em_tpm_secrets_make (&secrets, 32);
  g_assert_null (em_tpm_blob_new (&bad, &good, &secrets, "", &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA);
  g_assert_true (g_str_has_prefix (error->message, "endorsement key: "));
  g_clear_error (&error);
  g_assert_null (em_tpm_blob_new (&good, &bad, &secrets, "", &error));
  g_assert_true (g_str_has_prefix (error->message, "storage root key: "));
}

static void
test_fresh (void)
{
  static const guint8 zero[EM_TPM_KEY_LEN_MAX];
  g_auto (EmTpmSecrets) one = { 0 };
  g_auto (EmTpmSecrets) other = { 0 };

  em_tpm_secrets_make (&one, 32);
  em_tpm_secrets_make (&other, 32);
  g_assert_cmpuint (one.key_len, ==, 32);
  g_assert_cmpmem (one.key + 32, 32, zero, 32);
#define assert_differ(member)                                                            \
  g_assert_cmpint (memcmp (one.member, other.member, sizeof one.member), !=, 0)
  assert_differ (inner_key);
  assert_differ (credential_seed);
  assert_differ (duplication_seed);
  assert_differ (seed_value);
  assert_differ (key);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);

  g_test_add_func ("/tpm-wrap/vectors/hmac-key-object", test_object);
  g_test_add_func ("/tpm-wrap/vectors/duplicate", test_duplicate);
  g_test_add_func ("/tpm-wrap/vectors/credential", test_credential);
  g_test_add_func ("/tpm-public/names-an-srk", test_names);
  g_test_add_func ("/tpm-public/takes-a-published-ek", test_real_key);
  g_test_add_func ("/tpm-public/refuses-other-keys", test_refusals);
  g_test_add_func ("/tpm-public/refuses-other-lengths", test_lengths);
  g_test_add_func ("/tpm-blob/is-for-its-keys", test_blob);
  g_test_add_func ("/tpm-blob/refuses-what-is-no-modulus", test_bad_modulus);
  g_test_add_func ("/tpm-blob/is-fresh", test_fresh);

  return g_test_run ();
}
