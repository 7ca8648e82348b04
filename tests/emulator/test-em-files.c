/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "em-enrolments.h"
#include "em-json.h"
#include "em-scenario.h"

#include <string.h>

#include <glib/gstdio.h>

#define KEY "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
#define OTHER "ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8="

/* A published endorsement key. */
#define ENDORSEMENT                                                                      \
  "AToAAQALAAMAsgAgg3GXZ0SEs/gakMyNRqXXJP1S124GUgtk8qHaGzMUaaoABgCAAEMAEAgAAAAAAAEAopqg" \
  "kUBwtpr1sCgVJcEZxsJtpmtOAt9K7SjGFe4hsp6DJ/dd2E5UFzBC+Jp8Fzqf5ukRBkqrAgIuAvHRsruIedk1" \
  "uarJSLhbDpFLHxFd7iDNcYfrvdgVNT2T9zrvkh2y04WuRQg2D5qf0tZF82jeTjR/YJK7uWhaRwWOwZ3b1XD9" \
  "l6wFOrwK/Ic0PEsjneFXQzL0n9uKyuHmHNz+wHppmOiMAabvnXXEin9ou7/iowY/+YhFm3j7atsVvxMI5HEM" \
  "3Mq+W4imUuzPxVX7fZH+oWPKP5ofpWBTf+MdttGby1AjGnv8JE69JriOYoZG2/4qbsfv9M7a7NFrBlaW7Rt3" \
  "6w=="

#define TPM(members)                                                                     \
  "{\"individual\":[{\"registrationId\":\"a\",\"attestation\":\"tpm\"," members "}]}"

/* A file that lives as long as a test. */
typedef struct
{
  char *dir;
  char *path;
} Fixture;

static void
fixture_set_up (Fixture *f, gconstpointer data)
{
  f->dir = g_dir_make_tmp ("em-files-XXXXXX", NULL);
  g_assert_nonnull (f->dir);
  f->path = g_build_filename (f->dir, "file.json", NULL);
}

static void
fixture_tear_down (Fixture *f, gconstpointer data)
{
  g_unlink (f->path);
  g_rmdir (f->dir);
  g_free (f->path);
  g_free (f->dir);
}

static void
write_text (Fixture *f, const char *text)
{
  g_autoptr (GError) error = NULL;

  g_file_set_contents (f->path, text, -1, &error);
  g_assert_no_error (error);
}

static EmEnrolments *
load_enrolments (Fixture *f, const char *text)
{
  g_autoptr (GError) error = NULL;
  EmEnrolments *enrolments;

  write_text (f, text);
  enrolments = em_enrolments_load (f->path, &error);
  g_assert_no_error (error);
  return enrolments;
}

static EmScenario *
load_scenario (Fixture *f, const char *text)
{
  g_autoptr (GError) error = NULL;
  EmScenario *scenario;

  write_text (f, text);
  scenario = em_scenario_load (f->path, &error);
  g_assert_no_error (error);
  return scenario;
}

static void
test_candidates (Fixture *f, gconstpointer data)
{
  g_autoptr (EmEnrolments) enrolments =
      load_enrolments (f,
                       "{\"individual\":[{\"registrationId\":\"Dev\",\"deviceId\":\"d\","
                       "\"primaryKey\":\"" KEY "\",\"status\":\"disabled\"}],"
                       "\"groups\":[{\"enrollmentGroupId\":\"a\",\"primaryKey\":\"" KEY
                       "\",\"secondaryKey\":\"" OTHER "\"},"
                       "{\"enrollmentGroupId\":\"b\",\"primaryKey\":\"" OTHER "\"}]}");
  g_autoptr (GPtrArray) individual = em_enrolments_candidates (enrolments, "dEV");
  g_autoptr (GPtrArray) group = em_enrolments_candidates (enrolments, "Other");
  EmEnrolment *entry = individual->pdata[0];

  g_assert_cmpuint (individual->len, ==, 1);
  g_assert_cmpstr (entry->registration_id, ==, "Dev");
  g_assert_cmpstr (entry->device_id, ==, "d");
  g_assert_cmpint (entry->status, ==, EM_DISABLED);
  g_assert_null (entry->keys[1]);

  g_assert_cmpuint (group->len, ==, 2);
  entry = group->pdata[0];
  g_assert_cmpstr (entry->device_id, ==, "Other");
  g_assert_cmpstr (entry->group_id, ==, "a");
  g_assert_nonnull (entry->keys[1]);
  g_assert_false (g_bytes_equal (entry->keys[0], entry->keys[1]));
}

static void
test_tpm_enrolment (Fixture *f, gconstpointer data)
{
  g_autoptr (EmEnrolments) enrolments =
      load_enrolments (f, TPM ("\"endorsementKey\":\"" ENDORSEMENT "\""));
  g_autoptr (GPtrArray) candidates = em_enrolments_candidates (enrolments, "A");
  const EmEnrolment *entry = candidates->pdata[0];

  g_assert_cmpuint (candidates->len, ==, 1);
  g_assert_null (entry->keys[0]);
  g_assert_nonnull (entry->endorsement_key);
  g_assert_cmpuint (entry->endorsement_key->modulus[0], ==, 0xa2);
}

static void
test_bad_enrolments (Fixture *f, gconstpointer data)
{
  static const struct
  {
    const char *text;
    const char *message;
  } files[] = {
    { "[]", "not a JSON object" },
    { "", "empty" },
    { "{\"group\":[]}", "group: unknown member" },
    { "{\"groups\":{}}", "groups: not an array" },
    { "{\"groups\":[1]}", "groups[0]: not an object" },
    { "{\"groups\":[{\"primaryKey\":\"" KEY "\"}]}",
      "groups[0].enrollmentGroupId: missing" },
    { "{\"groups\":[{\"enrollmentGroupId\":\"g\",\"primaryKey\":\"A-_=\"}]}",
      "groups[0].primaryKey: not base64" },
    { "{\"groups\":[{\"enrollmentGroupId\":\"g\",\"primaryKey\":1}]}",
      "groups[0].primaryKey: not a string" },
    { "{\"groups\":[{\"enrollmentGroupId\":\"g\",\"primaryKey\":\"" KEY
      "\",\"status\":\"on\"}]}",
      "groups[0].status: not one of enabled, disabled" },
    { "{\"groups\":[{\"enrollmentGroupId\":\"g\",\"primaryKey\":\"" KEY
      "\",\"deviceId\":\"d\"}]}",
      "groups[0].deviceId: unknown member" },
    { "{\"individual\":[{\"registrationId\":\"a\",\"primaryKey\":\"" KEY
      "\"},{\"registrationId\":\"A\",\"primaryKey\":\"" KEY "\"}]}",
      "individual[1].registrationId: appears twice" },
    { "{\"individual\":[{\"registrationId\":\"a\",\"primaryKey\":\"" KEY
      "\",\"attestation\":\"x509\"}]}",
      "individual[0].primaryKey: only with attestation symmetricKey" },
    { "{\"individual\":[{\"registrationId\":\"a\",\"attestation\":\"x\"}]}",
      "individual[0].attestation: not one of symmetricKey, x509, tpm" },
    { "{\"groups\":[{\"enrollmentGroupId\":\"g\",\"attestation\":\"tpm\"}]}",
      "groups[0].attestation: not one of symmetricKey, x509" },
    { "{\"groups\":[{\"enrollmentGroupId\":\"g\",\"attestation\":\"x509\","
      "\"primaryThumbprint\":\"00\"}]}",
      "groups[0].primaryThumbprint: unknown member" },
    { "{\"groups\":[{\"enrollmentGroupId\":\"g\",\"endorsementKey\":\"" ENDORSEMENT
      "\"}]}",
      "groups[0].endorsementKey: unknown member" },
    { TPM ("\"endorsementKey\":\"" ENDORSEMENT "\",\"primaryKey\":\"" KEY "\""),
      "individual[0].primaryKey: only with attestation symmetricKey" },
    { TPM ("\"deviceId\":\"d\""), "individual[0].endorsementKey: missing" },
    { TPM ("\"endorsementKey\":1"), "individual[0].endorsementKey: not a string" },
    { TPM ("\"endorsementKey\":\"A\""), "individual[0].endorsementKey: not base64" },
    { TPM ("\"endorsementKey\":\"AAIAIw==\""), "endorsementKey: not an RSA key" },
    { "{\"individual\":[{\"registrationId\":\"a\",\"primaryKey\":\"" KEY
      "\",\"endorsementKey\":\"" ENDORSEMENT "\"}]}",
      "individual[0].endorsementKey: only with attestation tpm" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (files); i++)
    {
      g_autoptr (GError) error = NULL;

      write_text (f, files[i].text);
      g_assert_null (em_enrolments_load (f->path, &error));
      g_assert_nonnull (error);
      g_assert_nonnull (strstr (error->message, files[i].message));
      g_assert_true (g_str_has_prefix (error->message, f->path));
    }
}

static void
test_depth (void)
{
  for (guint depth = EM_JSON_DEPTH_MAX; depth <= EM_JSON_DEPTH_MAX + 1; depth++)
    {
      g_autofree char *open = g_strnfill (depth, '[');
      g_autofree char *close = g_strnfill (depth, ']');
      /* Brackets in a string are no nesting, and an escaped quote does not end it. */
      g_autofree char *text = g_strconcat (open, "\"\\\"[[[[\"", close, NULL);
      g_autoptr (JsonNode) node = em_json_parse (text, strlen (text), NULL);

      g_assert_true ((node != NULL) == (depth <= EM_JSON_DEPTH_MAX));
    }
}

static void
test_bad_scenarios (Fixture *f, gconstpointer data)
{
  static const struct
  {
    const char *rule;
    const char *message;
  } files[] = {
    { "{}", "rules[0].answer: missing" },
    { "{\"answer\":{},\"when\":1}", "rules[0].when: unknown member" },
    { "{\"answer\":{\"code\":1}}", "rules[0].answer.code: unknown member" },
    { "{\"answer\":{\"status\":700}}", "rules[0].answer.status: not a whole number" },
    { "{\"answer\":{\"status\":\"429\"}}", "rules[0].answer.status: not a whole number" },
    { "{\"answer\":{\"challenge\":1}}", "rules[0].answer.challenge: not true" },
    { "{\"answer\":{\"tpm-blob\":\"truncated-7\"}}",
      "rules[0].answer.tpm-blob: not one of sound, missing, other-ek" },
    { "{\"answer\":{\"reset\":1}}", "rules[0].answer.reset: not true or false" },
    { "{\"answer\":{\"framing\":\"x\"}}", "rules[0].answer.framing: not one of" },
    { "{\"answer\":{\"body\":\"\",\"json\":1}}", "rules[0].answer.json: cannot be" },
    { "{\"answer\":{\"date\":\"a\\nb\"}}", "rules[0].answer.date: not a header value" },
    { "{\"answer\":{\"headers\":{\"a b\":\"c\"}}}",
      "rules[0].answer.headers.a b: not a header name" },
    { "{\"answer\":{\"headers\":{\"Content-Length\":\"1\"}}}",
      "rules[0].answer.headers.Content-Length: is set by framing" },
    { "{\"answer\":{\"retry-after\":\"1\",\"omit-retry-after\":true}}",
      "rules[0].answer.omit-retry-after: cannot be" },
    { "{\"answer\":{},\"match\":{\"nth\":0}}", "rules[0].match.nth: not a whole" },
    { "{\"answer\":{},\"match\":{\"nth\":1,\"from\":2}}", "rules[0].match.from: cannot" },
    { "{\"answer\":{},\"match\":{\"host\":\"x\"}}", "rules[0].match.host: not one of" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (files); i++)
    {
      g_autoptr (GError) error = NULL;
      g_autofree char *text = g_strdup_printf ("{\"rules\":[%s]}", files[i].rule);

      write_text (f, text);
      g_assert_null (em_scenario_load (f->path, &error));
      g_assert_nonnull (error);
      g_assert_nonnull (strstr (error->message, files[i].message));
    }
}

static const char *
match (EmScenario *scenario, gboolean hub, const char *method, const char *path)
{
  const char *name = NULL;

  em_scenario_match (scenario, hub, method, path, &name);
  return name;
}

static void
test_counts (Fixture *f, gconstpointer data)
{
  g_autoptr (EmScenario) scenario = load_scenario (
      f,
      "{\"rules\":["
      "{\"name\":\"second\",\"match\":{\"method\":\"PUT\",\"nth\":2},\"answer\":{}},"
      "{\"name\":\"twice-from-third\",\"match\":{\"from\":3,\"times\":2},\"answer\":{}},"
      "{\"match\":{\"host\":\"hub\",\"path\":\"/modules\"},\"answer\":{}}]}");

  g_assert_null (match (scenario, FALSE, "PUT", "/a"));
  g_assert_cmpstr (match (scenario, FALSE, "PUT", "/a"), ==, "second");
  g_assert_cmpstr (match (scenario, FALSE, "PUT", "/a"), ==, "twice-from-third");
  g_assert_cmpstr (match (scenario, FALSE, "GET", "/a"), ==, "twice-from-third");
  g_assert_null (match (scenario, FALSE, "GET", "/devices/x/modules"));
  g_assert_null (match (scenario, TRUE, "GET", "/devices/x"));
  g_assert_cmpstr (match (scenario, TRUE, "GET", "/devices/x/modules"), ==, "rule-2");
}

static void
test_padding (void)
{
  static const struct
  {
    const char *body;
    gsize size;
    const char *padded;
  } vectors[] = {
    { "{\"a\":1}", 23, "{\"a\":1,\"padding\":\"xxx\"}" },
    { "{\"a\":1}", 20, "{\"a\":1,\"padding\":\"\"}" },
    { "{\"a\":1}", 9, "{\"a\":1}  " },
    { "{\"a\":1}", 3, "{\"a\":1}" },
    { "[]", 4, "[]  " },
    { "{}", 4, "{}  " },
  };

  for (guint i = 0; i < G_N_ELEMENTS (vectors); i++)
    {
      g_autoptr (EmReply) reply = em_reply_new (200);

      em_reply_set_body (reply, vectors[i].body);
      em_reply_pad_body (reply, vectors[i].size);
      g_assert_cmpstr (reply->body, ==, vectors[i].padded);
      g_assert_cmpuint (reply->body_len, ==, strlen (vectors[i].padded));
    }
}

static void
test_replace (Fixture *f, gconstpointer data)
{
  g_autoptr (EmScenario) scenario =
      load_scenario (f,
                     "{\"rules\":[{\"answer\":{\"status\":429,\"retry-after\":\"soon\","
                     "\"headers\":{\"content-type\":\"text/plain\"}}}]}");
  const char *name = NULL;
  const EmAnswer *answer = em_scenario_match (scenario, FALSE, "PUT", "/", &name);
  g_autoptr (EmReply) reply = em_answer_replace (answer);

  em_answer_bend (answer, reply);
  g_assert_cmpuint (reply->status, ==, 429);
  g_assert_cmpstr (em_reply_get_header (reply, "Retry-After"), ==, "soon");
  g_assert_cmpstr (em_reply_get_header (reply, "Content-Type"), ==, "text/plain");
  g_assert_nonnull (strstr (reply->body, "\"errorCode\":429001"));
}

static void
add (const char *path, void (*test) (Fixture *, gconstpointer))
{
  g_test_add (path, Fixture, NULL, fixture_set_up, test, fixture_tear_down);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);

  add ("/enrolments/candidates/individual-wins", test_candidates);
  add ("/enrolments/load/takes-an-endorsement-key", test_tpm_enrolment);
  add ("/enrolments/load/names-what-is-wrong", test_bad_enrolments);
  add ("/scenario/load/names-what-is-wrong", test_bad_scenarios);
  add ("/scenario/match/counts", test_counts);
  add ("/scenario/answer/replaces", test_replace);
  g_test_add_func ("/json/parse/refuses-deep-nesting", test_depth);
  g_test_add_func ("/reply/padding/keeps-json-valid", test_padding);

  return g_test_run ();
}
