/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "dps/dps-sas.h"
#include "common/dps-error.h"

#include <string.h>

#define EXPIRY G_GUINT64_CONSTANT (1893456000)
#define DEVICE_KEY                                                                       \
  "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygpKissLS4vMDEyMzQ1Njc4OTo7PD0+" \
  "Pw=="
#define GROUP_KEY                                                                        \
  "QEFCQ0RFRkdISUpLTE1OT1BRUlNUVVZXWFlaW1xdXl9gYWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXp7fH1+" \
  "fw=="

static DpsSecret *
key_from (const char *base64)
{
  g_autoptr (GError) error = NULL;
  DpsSecret *key = dps_secret_new_from_base64 (base64, strlen (base64), 1, 64, &error);

  g_assert_no_error (error);
  return key;
}

static char *
sign_to_base64 (DpsSecret *key, const char *resource, guint64 expiry)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) to_sign = dps_sas_string_to_sign (resource, expiry);
  g_autoptr (GBytes) signature = dps_sas_sign (key, to_sign, &error);

  g_assert_no_error (error);
  g_assert_cmpuint (g_bytes_get_size (signature), ==, 32);
  return g_base64_encode (g_bytes_get_data (signature, NULL), 32);
}

static char *
token_for (DpsSecret *key, const char *resource, guint64 expiry, const char *skn)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) to_sign = dps_sas_string_to_sign (resource, expiry);
  g_autoptr (GBytes) signature = dps_sas_sign (key, to_sign, &error);

  g_assert_no_error (error);
  return dps_sas_token (resource, signature, expiry, skn);
}

/* dps-protocol §3.3: the signature covers the resource as written, however encoded. */
static void
test_vectors_individual (void)
{
  static const struct
  {
    const char *resource, *signature;
  } rows[] = {
    { "0ne00ABCDEF%2Fregistrations%2Fdev-01%3Aa.b_c",
      "hNyuldMnR+wuTB89+dPhTxDzoGnI9Zq8bBhMivd5f9s=" },
    { "0ne00ABCDEF%2fregistrations%2fdev-01%3aa.b_c",
      "AF+E7qDJe20nwipVMmRkGsn7Xo9SWx+kUGm/kezQg64=" },
    { "0ne00ABCDEF/registrations/dev-01:a.b_c",
      "V91u3DDGIq9yVCZwJ0Mpyb7JTnPegw0Y0dbmAObJseI=" },
    { "0ne00abcdef/registrations/dev-01:a.b_c",
      "gdiHVKeo0SuOA3eWvh4k1bheh0oXXJXX+aNEk1+HBAM=" },
  };
  g_autoptr (DpsSecret) key = key_from (DEVICE_KEY);

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      g_autofree char *signature = sign_to_base64 (key, rows[i].resource, EXPIRY);

      g_assert_cmpstr (signature, ==, rows[i].signature);
    }
}

static void
test_string_to_sign (void)
{
  static const char expected[] =
      "306e653030414243444546253246726567697374726174696f6e73253246"
      "6465762d3031253341612e625f630a31383933343536303030";
  g_autofree char *resource =
      dps_sas_resource_for_registration ("0ne00ABCDEF", "dev-01:a.b_c");
  g_autoptr (GBytes) to_sign = dps_sas_string_to_sign (resource, EXPIRY);
  g_autoptr (GString) hex = g_string_new (NULL);
  gsize size;
  const guint8 *data = g_bytes_get_data (to_sign, &size);

  for (gsize i = 0; i < size; i++)
    g_string_append_printf (hex, "%02x", data[i]);
  g_assert_cmpstr (resource, ==, "0ne00ABCDEF%2Fregistrations%2Fdev-01%3Aa.b_c");
  g_assert_cmpstr (hex->str, ==, expected);
}

static void
test_token_individual (void)
{
  g_autoptr (DpsSecret) key = key_from (DEVICE_KEY);
  g_autofree char *resource =
      dps_sas_resource_for_registration ("0ne00ABCDEF", "dev-01:a.b_c");
  g_autofree char *token = token_for (key, resource, EXPIRY, "registration");

  g_assert_cmpstr (token,
                   ==,
                   "SharedAccessSignature sr=0ne00ABCDEF%2Fregistrations%2Fdev-01%3A"
                   "a.b_c&sig=hNyuldMnR%2BwuTB89%2BdPhTxDzoGnI9Zq8bBhMivd5f9s%3D"
                   "&se=1893456000&skn=registration");
}

/* dps-protocol §3.4. */
static void
test_vectors_group (void)
{
  static const struct
  {
    const char *group_key, *registration_id, *device_key;
  } rows[] = {
    { "8isrFI1sGsIlvvFSSFRiMfCNzv21fjbE/+ah/"
      "lSh3lF8e2YG1Te7w1KpZhJFFXJrqYKi9yegxkqIChbqOS9"
      "Egw==",
      "sn-007-888-abc-mac-a1-b2-c3-d4-e5-f6",
      "Jsm0lyGpjaVYVP2g3FnmnmG9dI/9qU24wNoykUmermc=" },
    { GROUP_KEY, "dev-01", "tyCQ0ipfoM5CGhXLsXLA1n6gkOkaIy/q4gqIJiYcOPQ=" },
    { GROUP_KEY, "edge-host-0001", "4RtOOC6Yb//ifHmsV7O/LvIicv+MhLyBSn4qATnI7WQ=" },
    { GROUP_KEY, "DEV-01", "56hmWv+yE5ox3ffOuvR/xaVUJJZGTCJCaacGADlS/Y0=" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (DpsSecret) group = key_from (rows[i].group_key);
      g_autoptr (DpsSecret) expected = key_from (rows[i].device_key);
      g_autoptr (DpsSecret) derived =
          dps_sas_derive_group_key (group, rows[i].registration_id, &error);

      g_assert_no_error (error);
      g_assert_true (dps_secret_equal (derived, expected));
    }
}

static void
test_tokens_derived (void)
{
  g_autoptr (DpsSecret) group = key_from (GROUP_KEY);
  g_autoptr (DpsSecret) key = dps_sas_derive_group_key (group, "dev-01", NULL);
  g_autofree char *registration =
      dps_sas_resource_for_registration ("0ne00ABCDEF", "dev-01");
  g_autofree char *device =
      dps_sas_resource_for_device ("myhub.azure-devices.net", "dev-01", NULL);
  g_autofree char *module =
      dps_sas_resource_for_device ("myhub.azure-devices.net", "dev-01", "mod1");
  g_autofree char *for_dps = token_for (key, registration, EXPIRY, "registration");
  g_autofree char *for_hub = token_for (key, device, EXPIRY, NULL);
  g_autofree char *for_module = token_for (key, module, EXPIRY, NULL);

  g_assert_cmpstr (for_dps,
                   ==,
                   "SharedAccessSignature sr=0ne00ABCDEF%2Fregistrations%2Fdev-01&sig="
                   "N%2B7Fvzi6DRGtDmpI1E1TiVkAaM0dGUhq6b7yfHtr6Nc%3D&se=1893456000"
                   "&skn=registration");
  g_assert_cmpstr (for_hub,
                   ==,
                   "SharedAccessSignature sr=myhub.azure-devices.net%2Fdevices%2Fdev-01"
                   "&sig=8NzyvvvT0fYprjYkibrslW%2BUSmg8gWE0IzloTaK9JHk%3D&se=1893456000");
  g_assert_cmpstr (for_module,
                   ==,
                   "SharedAccessSignature sr=myhub.azure-devices.net%2Fdevices%2Fdev-01"
                   "%2Fmodules%2Fmod1&sig=Z9oZFdd5aVjtQtrxQz6yFTz6GYM14McXnc4s4%2BV0dJ0%"
                   "3D"
                   "&se=1893456000");
}

static void
test_encoding (void)
{
  static const struct
  {
    const char *id, *resource;
  } rows[] = {
    { "AZaz09-._~", "s%2Fregistrations%2FAZaz09-._~" },
    { "a!(b)*c'", "s%2Fregistrations%2Fa%21%28b%29%2Ac%27" },
    { "a b+c%d", "s%2Fregistrations%2Fa%20b%2Bc%25d" },
    { "\xc3\xa9\xff", "s%2Fregistrations%2F%C3%A9%FF" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      g_autofree char *resource = dps_sas_resource_for_registration ("s", rows[i].id);

      g_assert_cmpstr (resource, ==, rows[i].resource);
    }
}

/* The challenge names the policy: it must not be able to add members to the token. */
static void
test_skn_is_encoded (void)
{
  g_autoptr (GBytes) signature = g_bytes_new_static ("x", 1);
  g_autofree char *token = dps_sas_token ("r", signature, 1, "a&sr=b");

  g_assert_cmpstr (token,
                   ==,
                   "SharedAccessSignature sr=r&sig=eA%3D%3D&se=1&skn=a%26sr%3Db");
}

static void
test_empty_key (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (DpsSecret) key = dps_secret_new_empty (0);
  g_autoptr (GBytes) to_sign = dps_sas_string_to_sign ("r", 1);

  g_assert_null (dps_sas_sign (key, to_sign, &error));
  g_assert_error (error, DPS_ERROR, DPS_ERROR_FAILED);
  g_clear_error (&error);
  g_assert_null (dps_sas_derive_group_key (key, "dev-01", &error));
  g_assert_error (error, DPS_ERROR, DPS_ERROR_FAILED);
}

/* The hub token printed in Microsoft's symmetric-key how-to (§3.4): the host keeps its
 * case. */
static void
test_published_hub_token (void)
{
  g_autoptr (DpsSecret) key =
      key_from ("18RQk/hOPJR9EbsJlk2j8WA6vWaj/yi+oaYg7zmxfQNdOyMSu+SJ8O7TSlZhDJCYmn4rzEi"
                "VKIzNiVAWjLxrGA==");
  g_autofree char *resource =
      dps_sas_resource_for_device ("MyExampleHub.azure-devices.net",
                                   "my-symkey-device",
                                   NULL);
  g_autofree char *token = token_for (key, resource, 1663119026, NULL);

  g_assert_cmpstr (token,
                   ==,
                   "SharedAccessSignature sr=MyExampleHub.azure-devices.net%2Fdevices%2F"
                   "my-symkey-device&sig=f%2BwW8XOKeJOtiPc9Iwjc4OpExvPM7NlhM9qxN2a1aAM%3D"
                   "&se=1663119026");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/sas/sign/covers-the-raw-text", test_vectors_individual);
  g_test_add_func ("/sas/string-to-sign/is-byte-exact", test_string_to_sign);
  g_test_add_func ("/sas/token/individual-vector", test_token_individual);
  g_test_add_func ("/sas/derive/group-vectors", test_vectors_group);
  g_test_add_func ("/sas/token/derived-vectors", test_tokens_derived);
  g_test_add_func ("/sas/token/published-hub-sample", test_published_hub_token);
  g_test_add_func ("/sas/resource/encodes-all-but-unreserved", test_encoding);
  g_test_add_func ("/sas/token/encodes-the-policy-name", test_skn_is_encoded);
  g_test_add_func ("/sas/sign/refuses-an-empty-key", test_empty_key);
  return g_test_run ();
}
