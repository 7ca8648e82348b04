/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "dpsctl-fixture.h"

#include <string.h>

#define EK "AToAAQALAAMAsgAgg3GXZ0SEs/gakMyNRqXXJP1S124GUgtk8qHaGzMUaao="
#define AZ                                                                               \
  "az iot dps enrollment create --dps-name contoso --resource-group RESOURCE_GROUP"
#define ENDPOINT "'endpoint': <'contoso.azure-devices-provisioning.net'>"

#define TPM                                                                              \
  "{'attestation': <'tpm'>, 'kind': <'tpm'>, 'registration-id': <'6rek5q'>, " ENDPOINT   \
  ", 'group': <false>, 'material': <{'endorsement-key': '" EK                            \
  "', 'storage-root-key-name': '000b6306', 'other-registration-id': 'f448ae'}>,"         \
  " 'text': <'as the plugin says it'>, 'of-a-later-version': <7>}"

static void
test_tpm_text (Fixture *f, gconstpointer data)
{
  f->agent->enrollment = TPM;
  fixture_run (f, "enrollment", NULL);
  assert_exit (f, 0);
  g_assert_cmpstr (f->agent->method, ==, "GetEnrollment");
  g_assert_cmpuint (g_variant_n_children (f->agent->options), ==, 0);
  g_assert_cmpstr (f->out,
                   ==,
                   "Attestation:              tpm\n"
                   "Registration id:          6rek5q\n"
                   "Endorsement key:          " EK "\n"
                   "Storage root key's name:  000b6306\n"
                   "Id by other template:     f448ae\n"
                   "\n"
                   "To enrol it, with the Azure CLI inside the network:\n" AZ
                   " --enrollment-id 6rek5q --attestation-type tpm --endorsement-key " EK
                   "\n");
  g_assert_cmpstr (f->err, ==, "");
}

static void
test_tpm_json (Fixture *f, gconstpointer data)
{
  g_autoptr (JsonParser) parser = json_parser_new ();
  JsonObject *enrollment;
  JsonObject *material;

  f->agent->enrollment = TPM;
  fixture_run (f, "enrollment", "--json", NULL);
  assert_exit (f, 0);
  enrollment = fixture_parse_json (f, parser);
  g_assert_cmpuint (json_object_get_size (enrollment), ==, 9);
  g_assert_cmpstr (json_object_get_string_member (enrollment, "attestation"), ==, "tpm");
  g_assert_cmpstr (json_object_get_string_member (enrollment, "kind"), ==, "tpm");
  g_assert_cmpstr (json_object_get_string_member (enrollment, "registrationId"),
                   ==,
                   "6rek5q");
  g_assert_cmpstr (json_object_get_string_member (enrollment, "endpoint"),
                   ==,
                   "contoso.azure-devices-provisioning.net");
  g_assert_false (json_object_get_boolean_member (enrollment, "group"));
  g_assert_cmpstr (json_object_get_string_member (enrollment, "text"),
                   ==,
                   "as the plugin says it");
  assert_contains (json_object_get_string_member (enrollment, "command"),
                   "--endorsement-key " EK);
  material = json_object_get_object_member (enrollment, "material");
  g_assert_cmpuint (json_object_get_size (material), ==, 3);
  g_assert_cmpstr (json_object_get_string_member (material, "other-registration-id"),
                   ==,
                   "f448ae");
}

#define X509_MATERIAL                                                                    \
  "'text': <'as the plugin says it'>, 'material': <{'thumbprint': 'AB12', 'issuer': "    \
  "'CN=Line'}>"

/* By kind, and by what the agent knows: which line there is, and what goes with it. */
static void
test_commands (Fixture *f, gconstpointer data)
{
  static const struct
  {
    const char *answer;
    const char *part;
    const char *lacks;
  } rows[] = {
    { "{'kind': <'symmetric-key'>, 'registration-id': <'gw-17'>, " ENDPOINT "}",
      AZ " --enrollment-id gw-17 --attestation-type symmetricKey\nThe service makes the",
      "--endorsement-key" },
    { "{'kind': <'symmetric-key'>, 'registration-id': <'gw-17'>, 'group': <true>}",
      "belongs to an enrolment group",
      "az iot" },
    { "{'kind': <'x509'>, 'registration-id': <'gw-17'>, 'text': <'one\\ntwo'>}",
      "one\ntwo\n",
      "The service makes" },
    { "{'kind': <'x509'>, 'registration-id': <'gw-17'>}",
      "--attestation-type x509 --certificate-path CERTIFICATE.pem\n",
      "one" },
    { "{'kind': <'x509'>, 'registration-id': <'gw-17'>, " X509_MATERIAL "}",
      "Issuer:                   CN=Line\nThumbprint, SHA-256:      AB12\n",
      "as the plugin says it" },
    { "{'kind': <'x509'>, 'registration-id': <'gw-17'>, " X509_MATERIAL "}",
      "az iot dps enrollment-group create",
      "The certificate's id" },
    { "{'kind': <'x509'>, 'registration-id': <'gw-17'>,"
      " 'derived-registration-id': <'GW-17'>}",
      "--enrollment-id gw-17",
      "The certificate's id" },
    { "{'kind': <'x509'>, 'registration-id': <'gw-17'>,"
      " 'derived-registration-id': <'gw-18'>}",
      "The certificate's id:     gw-18\nThe service takes",
      "of its group" },
    { "{'kind': <'tpm'>, 'registration-id': <'gw-17'>,"
      " 'derived-registration-id': <'gw-18'>}",
      "--enrollment-id gw-17",
      "gw-18" },
    { "{'kind': <'x509'>, 'registration-id': <'a; rm $HOME'>}",
      "--enrollment-id 'a; rm $HOME' --att",
      "id a;" },
    { "{'kind': <'tpm'>, 'registration-id': <'x'>,"
      " 'endpoint': <'global.azure-devices-provisioning.net'>}",
      "--dps-name DPS_NAME ",
      "global " },
    { "{'kind': <'tpm'>, 'registration-id': <'x'>, 'endpoint': <'dps.example.org'>}",
      "--dps-name DPS_NAME ",
      "--dps-name dps" },
    { "{'kind': <'tpm'>, 'registration-id': <'x'>,"
      " 'endpoint': <'gov.azure-devices-provisioning.us'>}",
      "--dps-name gov ",
      "DPS_NAME" },
    { "{'kind': <'of-a-later-version'>, 'attestation': <'y'>}", "y\n", "az iot" },
    { "@a{sv} {}", "", "az iot" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      f->agent->enrollment = rows[i].answer;
      fixture_run (f, "enrollment", NULL);
      g_test_message ("%s", rows[i].answer);
      assert_exit (f, 0);
      assert_contains (f->out, rows[i].part);
      assert_lacks (f->out, rows[i].lacks);
    }
}

static void
test_escapes (Fixture *f, gconstpointer data)
{
  f->agent->enrollment =
      "{'kind': <'x509'>, 'attestation': <'a\\u001b]0;x'>, 'registration-id':"
      " <'b\\u001b[2J'>, 'text': <'c\\u001bd\\u202e'>}";
  fixture_run (f, "enrollment", NULL);
  assert_exit (f, 0);
  assert_contains (f->out, "a\\u{1b}]0;x");
  assert_contains (f->out, "c\\u{1b}d\\u{202e}");
  assert_lacks (f->out, "\x1b");
}

static void
test_errors (Fixture *f, gconstpointer data)
{
  f->agent->error_name = "org.dpsagent.Error.Busy";
  f->agent->error_message = "an attempt is in flight";
  fixture_run (f, "enrollment", NULL);
  assert_exit (f, 1);
  f->agent->error_name = "org.dpsagent.Error.NotConfigured";
  f->agent->error_message = "DPS-E201 there is no id";
  fixture_run (f, "enrollment", NULL);
  assert_exit (f, 6);
  assert_contains (f->err, "DPS-E201");
}

static void
add_tests (void)
{
  fixture_add ("/cli/enrollment/tpm", NULL, test_tpm_text);
  fixture_add ("/cli/enrollment/json", NULL, test_tpm_json);
  fixture_add ("/cli/enrollment/command-of-each-kind", NULL, test_commands);
  fixture_add ("/cli/enrollment/escapes", NULL, test_escapes);
  fixture_add ("/cli/enrollment/errors", NULL, test_errors);
}

int
main (int argc, char **argv)
{
  return fixture_main (argc, argv, add_tests);
}
