/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "em-codec.h"
#include "em-token.h"

#include <string.h>

#define DEVICE_KEY                                                                       \
  "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygpKissLS4vMDEyMzQ1Njc4OTo7PD0+" \
  "Pw=="
#define GROUP_KEY                                                                        \
  "QEFCQ0RFRkdISUpLTE1OT1BRUlNUVVZXWFlaW1xdXl9gYWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXp7fH1+" \
  "fw=="
#define SAS "SharedAccessSignature "
#define RESOURCE "0ne00ABCDEF/registrations/dev-01:a.b_c"
#define R_A "0ne00ABCDEF%2Fregistrations%2Fdev-01%3Aa.b_c"
#define S_A "hNyuldMnR%2BwuTB89%2BdPhTxDzoGnI9Zq8bBhMivd5f9s%3D"
#define SE "1893456000"
#define NOW 1893455000

typedef struct
{
  const char *name;
  const char *token;
  gint64 now;
  EmTokenVerdict verdict;
} Case;

static const Case cases[] = {
  { "a", SAS "sr=" R_A "&sig=" S_A "&se=" SE "&skn=registration", NOW, EM_TOKEN_OK },
  { "b-c-sdk",
    SAS "sr=0ne00ABCDEF%2fregistrations%2fdev-01%3aa.b_c"
        "&sig=AF%2bE7qDJe20nwipVMmRkGsn7Xo9SWx%2bkUGm%2fkezQg64%3d&se=" SE
        "&skn=registration",
    NOW,
    EM_TOKEN_OK },
  { "c-node-order",
    SAS "sr=0ne00ABCDEF/registrations/dev-01:a.b_c"
        "&sig=V91u3DDGIq9yVCZwJ0Mpyb7JTnPegw0Y0dbmAObJseI%3D&skn=registration&se=" SE,
    NOW,
    EM_TOKEN_OK },
  { "c-java-empty-skn",
    SAS "sr=0ne00ABCDEF/registrations/dev-01:a.b_c"
        "&sig=V91u3DDGIq9yVCZwJ0Mpyb7JTnPegw0Y0dbmAObJseI%3D&se=" SE "&skn=",
    NOW,
    EM_TOKEN_OK },
  { "d-rust",
    SAS "sr=0ne00abcdef/registrations/dev-01:a.b_c"
        "&sig=gdiHVKeo0SuOA3eWvh4k1bheh0oXXJXX%2BaNEk1%2BHBAM%3D&se=" SE
        "&skn=registration",
    NOW,
    EM_TOKEN_OK },
  { "raw-equals-in-signature",
    SAS "sr=" R_A "&sig=hNyuldMnR%2BwuTB89%2BdPhTxDzoGnI9Zq8bBhMivd5f9s=&se=" SE,
    NOW,
    EM_TOKEN_OK },
  { "scheme-without-case",
    "sharedaccesssignature sr=" R_A "&sig=" S_A "&se=" SE,
    NOW,
    EM_TOKEN_OK },
  { "unknown-member", SAS "sr=" R_A "&sig=" S_A "&se=" SE "&later=1", NOW, EM_TOKEN_OK },
  { "within-skew", SAS "sr=" R_A "&sig=" S_A "&se=" SE, 1893456059, EM_TOKEN_OK },
  { "expired", SAS "sr=" R_A "&sig=" S_A "&se=" SE, 1893456060, EM_TOKEN_EXPIRED },
  { "absent", NULL, NOW, EM_TOKEN_ABSENT },
  { "empty", "", NOW, EM_TOKEN_MALFORMED },
  { "other-scheme", "Bearer abc", NOW, EM_TOKEN_MALFORMED },
  { "no-sr", SAS "sig=" S_A "&se=" SE, NOW, EM_TOKEN_MALFORMED },
  { "no-sig", SAS "sr=" R_A "&se=" SE, NOW, EM_TOKEN_MALFORMED },
  { "no-se", SAS "sr=" R_A "&sig=" S_A, NOW, EM_TOKEN_MALFORMED },
  { "pair-without-equals",
    SAS "sr=" R_A "&sig=" S_A "&se=" SE "&skn",
    NOW,
    EM_TOKEN_MALFORMED },
  { "two-expiries",
    SAS "sr=" R_A "&sig=" S_A "&se=" SE "&se=" SE,
    NOW,
    EM_TOKEN_MALFORMED },
  { "signed-expiry", SAS "sr=" R_A "&sig=" S_A "&se=+" SE, NOW, EM_TOKEN_MALFORMED },
  { "endless-expiry",
    SAS "sr=" R_A "&sig=" S_A "&se=99999999999999999999",
    NOW,
    EM_TOKEN_MALFORMED },
  { "bare-plus",
    SAS "sr=" R_A "&sig=hNyuldMnR+wuTB89+dPhTxDzoGnI9Zq8bBhMivd5f9s%3D&se=" SE,
    NOW,
    EM_TOKEN_MALFORMED },
  { "broken-escape", SAS "sr=" R_A "%2&sig=" S_A "&se=" SE, NOW, EM_TOKEN_MALFORMED },
  { "signature-not-base64", SAS "sr=" R_A "&sig=abc&se=" SE, NOW, EM_TOKEN_MALFORMED },
  { "signature-too-short",
    SAS "sr=" R_A "&sig=hNyuldMn&se=" SE,
    NOW,
    EM_TOKEN_BAD_SIGNATURE },
  { "altered-expiry",
    SAS "sr=" R_A "&sig=" S_A "&se=1893456001",
    NOW,
    EM_TOKEN_BAD_SIGNATURE },
  { "respelled-sr",
    SAS "sr=" RESOURCE "&sig=" S_A "&se=" SE,
    NOW,
    EM_TOKEN_BAD_SIGNATURE },
  { "altered-signature",
    SAS "sr=" R_A "&sig=hNyuldMnR%2BwuTB89%2BdPhTxDzoGnI9Zq8bBhMivd5f9c%3D&se=" SE,
    NOW,
    EM_TOKEN_BAD_SIGNATURE },
  { "other-registration",
    SAS "sr=0ne00ABCDEF%2Fregistrations%2Fdev-02&sig=" S_A "&se=" SE,
    NOW,
    EM_TOKEN_WRONG_RESOURCE },
  { "other-policy",
    SAS "sr=" R_A "&sig=" S_A "&se=" SE "&skn=iothubowner",
    NOW,
    EM_TOKEN_WRONG_POLICY },
};

static void
test_registration (gconstpointer data)
{
  const Case *c = data;
  g_autoptr (GBytes) other = g_bytes_new_static ("other key", 9);
  g_autoptr (GBytes) key = em_base64_decode (DEVICE_KEY);
  GBytes *const keys[] = { other, key, NULL };
  EmTokenVerdict verdict;

  verdict = em_token_check (c->token,
                            RESOURCE,
                            em_token_same_registration,
                            "registration",
                            keys,
                            c->now);
  g_assert_cmpstr (em_token_verdict_name (verdict),
                   ==,
                   em_token_verdict_name (c->verdict));
}

static void
test_without_key (void)
{
  GBytes *const keys[] = { NULL };

  g_assert_cmpint (em_token_check (cases[0].token,
                                   RESOURCE,
                                   em_token_same_registration,
                                   "registration",
                                   keys,
                                   NOW),
                   ==,
                   EM_TOKEN_NO_KEY);
}

static void
test_derived_key (void)
{
  static const struct
  {
    const char *group_key;
    const char *id;
    const char *key;
  } vectors[] = {
    { "8isrFI1sGsIlvvFSSFRiMfCNzv21fjbE/"
      "+ah/lSh3lF8e2YG1Te7w1KpZhJFFXJrqYKi9yegxkqIChbqOS9Egw==",
      "sn-007-888-abc-mac-a1-b2-c3-d4-e5-f6",
      "Jsm0lyGpjaVYVP2g3FnmnmG9dI/9qU24wNoykUmermc=" },
    { GROUP_KEY, "dev-01", "tyCQ0ipfoM5CGhXLsXLA1n6gkOkaIy/q4gqIJiYcOPQ=" },
    { GROUP_KEY, "edge-host-0001", "4RtOOC6Yb//ifHmsV7O/LvIicv+MhLyBSn4qATnI7WQ=" },
    { GROUP_KEY, "DEV-01", "56hmWv+yE5ox3ffOuvR/xaVUJJZGTCJCaacGADlS/Y0=" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (vectors); i++)
    {
      g_autoptr (GBytes) group_key = em_base64_decode (vectors[i].group_key);
      g_autoptr (GBytes) key = em_derive_key (group_key, vectors[i].id);
      g_autofree char *text =
          g_base64_encode (g_bytes_get_data (key, NULL), g_bytes_get_size (key));

      g_assert_cmpstr (text, ==, vectors[i].key);
    }
}

static void
test_group_and_hub (void)
{
  static const struct
  {
    const char *token;
    const char *resource;
    EmTokenSame same;
    const char *policy;
    EmTokenVerdict verdict;
  } vectors[] = {
    { SAS "sr=0ne00ABCDEF%2Fregistrations%2Fdev-01&sig=N%2B7Fvzi6DRGtDmpI1E1TiVkAaM0dGUhq"
          "6b7yfHtr6Nc%3D&se=" SE "&skn=registration",
      "0ne00abcdef/registrations/DEV-01",
      em_token_same_registration,
      "registration",
      EM_TOKEN_OK },
    { SAS "sr=myhub.azure-devices.net%2Fdevices%2Fdev-01&sig=8NzyvvvT0fYprjYkibrslW%2BUSm"
          "g8gWE0IzloTaK9JHk%3D&se=" SE,
      "MyHub.azure-devices.net/devices/dev-01",
      em_token_same_device,
      NULL,
      EM_TOKEN_OK },
    { SAS "sr=myhub.azure-devices.net%2Fdevices%2Fdev-01%2Fmodules%2Fmod1&sig=Z9oZFdd5aVj"
          "tQtrxQz6yFTz6GYM14McXnc4s4%2BV0dJ0%3D&se=" SE,
      "myhub.azure-devices.net/devices/dev-01",
      em_token_same_device,
      NULL,
      EM_TOKEN_OK },
    { SAS "sr=myhub.azure-devices.net%2Fdevices%2Fdev-01&sig=8NzyvvvT0fYprjYkibrslW%2BUSm"
          "g8gWE0IzloTaK9JHk%3D&se=" SE "&skn=device",
      "myhub.azure-devices.net/devices/dev-01",
      em_token_same_device,
      NULL,
      EM_TOKEN_WRONG_POLICY },
  };
  g_autoptr (GBytes) group_key = em_base64_decode (GROUP_KEY);
  g_autoptr (GBytes) key = em_derive_key (group_key, "dev-01");
  GBytes *const keys[] = { key, NULL };

  for (guint i = 0; i < G_N_ELEMENTS (vectors); i++)
    g_assert_cmpint (em_token_check (vectors[i].token,
                                     vectors[i].resource,
                                     vectors[i].same,
                                     vectors[i].policy,
                                     keys,
                                     NOW),
                     ==,
                     vectors[i].verdict);
}

static void
test_same_device (void)
{
  const char *resource = "h.example/devices/Dev";

  g_assert_true (em_token_same_device ("H.Example/devices/Dev", resource));
  g_assert_true (em_token_same_device ("h.example/devices/Dev/modules/m", resource));
  g_assert_false (em_token_same_device ("h.example/devices/dev", resource));
  g_assert_false (em_token_same_device ("h.example/devices/Dev2", resource));
  g_assert_false (em_token_same_device ("h.example/devices/Dev/modules/", resource));
  g_assert_false (em_token_same_device ("h.example/devices/Dev/modules/m/n", resource));
  g_assert_false (em_token_same_device ("h.example/devices", resource));
}

static void
test_codec (void)
{
  static const char *const bad_base64[] = { "", "abc", "a===", "ab c", "ab-_", "====" };
  static const char *const bad_percent[] = { "%", "%2", "%zz", "%00", "a%2gb" };
  g_autofree char *text = em_percent_decode ("a%2Fb%3a+c");

  g_assert_cmpstr (text, ==, "a/b:+c");
  for (guint i = 0; i < G_N_ELEMENTS (bad_base64); i++)
    g_assert_null (em_base64_decode (bad_base64[i]));
  for (guint i = 0; i < G_N_ELEMENTS (bad_percent); i++)
    g_assert_null (em_percent_decode (bad_percent[i]));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autofree char *path = g_strconcat ("/token/check/", cases[i].name, NULL);

      g_test_add_data_func (path, &cases[i], test_registration);
    }
  g_test_add_func ("/token/check/no-key", test_without_key);
  g_test_add_func ("/token/check/group-and-hub", test_group_and_hub);
  g_test_add_func ("/token/derived-key", test_derived_key);
  g_test_add_func ("/token/same-device", test_same_device);
  g_test_add_func ("/codec/refuses-what-is-not-exact", test_codec);

  return g_test_run ();
}
