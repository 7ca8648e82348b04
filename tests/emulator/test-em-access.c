/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Access with a TPM, at the routes: what a request must have in it before it is
 * challenged, and before its token is looked at. */
#include "config.h"

#include "em-dps.h"

#include <string.h>

#include <glib/gstdio.h>

#define SCOPE "0ne00ABCDEF"
#define TARGET "/" SCOPE "/registrations/dev?api-version=2021-06-01"
#define PATH "/" SCOPE "/registrations/dev/register?api-version=2021-06-01"

/* Both keys up to their moduli. */
#define EK_HEAD                                                                          \
  "\x01\x3a\0\1\0\x0b\0\3\0\xb2\0\x20\x83\x71\x97\x67\x44\x84\xb3\xf8\x1a\x90\xcc\x8d"   \
  "\x46\xa5\xd7\x24\xfd\x52\xd7\x6e\x06\x52\x0b\x64\xf2\xa1\xda\x1b\x33\x14\x69\xaa\0"   \
  "\6\0\x80\0\x43\0\x10\x08\0\0\0\0\0\1\0"
#define SRK_HEAD                                                                         \
  "\x01\x1a\0\1\0\x0b\0\3\4\x72\0\0\0\6\0\x80\0\x43\0\x10\x08\0\0\0\0\0\1\0"

typedef struct
{
  EmDpsOptions options;
  EmEnrolments *enrolments;
  EmRegistry *registry;
  EmLog *reveal;
  EmTpm *tpm;
  char *ek;
  char *srk;
} Fixture;

/* LEN bytes of HEAD and a modulus of one value. */
static char *
encode (const char *head, gsize len, guint8 value)
{
  g_autofree guint8 *bytes = g_malloc (len + EM_TPM_RSA_LEN);

  memcpy (bytes, head, len);
  memset (bytes + len, value, EM_TPM_RSA_LEN);
  return g_base64_encode (bytes, len + EM_TPM_RSA_LEN);
}

static EmEnrolments *
load (const char *ek)
{
  g_autofree char *dir = g_dir_make_tmp ("em-access-XXXXXX", NULL);
  g_autofree char *path = g_build_filename (dir, "enrolments.json", NULL);
  g_autofree char *text =
      g_strdup_printf ("{\"individual\":[{\"registrationId\":\"dev\",\"attestation\":"
                       "\"tpm\",\"endorsementKey\":\"%s\"}]}",
                       ek);
  g_autoptr (GError) error = NULL;
  EmEnrolments *enrolments;

  g_assert_true (g_file_set_contents (path, text, -1, NULL));
  enrolments = em_enrolments_load (path, &error);
  g_assert_no_error (error);
  g_unlink (path);
  g_rmdir (dir);
  return enrolments;
}

static void
fixture_set_up (Fixture *f, gconstpointer data)
{
  f->options.id_scope = (char *) SCOPE;
  f->options.default_hub = (char *) "hub.azure-devices.net";
  f->options.retry_after = (char *) "3";
  f->ek = encode (EK_HEAD, sizeof EK_HEAD - 1, 0xab);
  f->srk = encode (SRK_HEAD, sizeof SRK_HEAD - 1, 0xad);
  f->enrolments = load (f->ek);
  f->registry = em_registry_new ();
  f->reveal = em_log_open (NULL, 0600, NULL);
  f->tpm = em_tpm_new (f->reveal);
}

static void
fixture_tear_down (Fixture *f, gconstpointer data)
{
  em_tpm_free (f->tpm);
  em_log_free (f->reveal);
  em_registry_free (f->registry);
  em_enrolments_free (f->enrolments);
  g_free (f->ek);
  g_free (f->srk);
}

static EmReply *
ask (Fixture *f,
     const char *method,
     const char *target,
     const char *token,
     const char *body)
{
  g_autoptr (GString) text = g_string_new (body);
  EmRequest request = {
    .target = (char *) target,
    .method = method,
    .authorization = token,
    .body = text,
    .body_len = text->len,
  };

  return em_dps_handle (&(EmDps){ .options = &f->options,
                                  .enrolments = f->enrolments,
                                  .registry = f->registry,
                                  .tpm = f->tpm },
                        &request,
                        NULL);
}

/* EK and SRK in place of the words. */
static char *
fill_in (Fixture *f, const char *body)
{
  g_autoptr (GString) text = g_string_new (body);

  g_string_replace (text, "EK", f->ek, 0);
  g_string_replace (text, "SROOT", f->srk, 0);
  return g_string_free (g_steal_pointer (&text), FALSE);
}

#define WITH(tpm) "{\"registrationId\":\"dev\",\"tpm\":" tpm "}"

static void
test_refusals (Fixture *f, gconstpointer data)
{
  static const struct
  {
    const char *body;
    guint status;
    const char *said;
  } requests[] = {
    { WITH ("{\"endorsementKey\":\"EK\",\"storageRootKey\":\"SROOT\"}"),
      401,
      "{\"message\":\"Authorization required, resend request using supplied key\","
      "\"authenticationKey\":\"" },
    { WITH ("null"), 401, "\"errorCode\":401002" },
    { "{\"registrationId\":\"dev\"}", 401, "\"errorCode\":401002" },
    { WITH ("\"EK\""), 400, "tpm is not an object" },
    { WITH ("[]"), 400, "tpm is not an object" },
    { WITH ("{}"), 400, "tpm.endorsementKey: missing" },
    { WITH ("{\"endorsementKey\":1,\"storageRootKey\":\"SROOT\"}"),
      400,
      "tpm.endorsementKey: missing" },
    { WITH ("{\"endorsementKey\":{},\"storageRootKey\":\"SROOT\"}"),
      400,
      "tpm.endorsementKey: missing" },
    { WITH ("{\"endorsementKey\":\"\",\"storageRootKey\":\"SROOT\"}"),
      400,
      "tpm.endorsementKey: not base64" },
    { WITH ("{\"endorsementKey\":\"EK\\n\",\"storageRootKey\":\"SROOT\"}"),
      400,
      "tpm.endorsementKey: not base64" },
    { WITH ("{\"endorsementKey\":\"AAAA\",\"storageRootKey\":\"SROOT\"}"),
      400,
      "tpm.endorsementKey: its size is not" },
    { WITH ("{\"endorsementKey\":\"SROOT\",\"storageRootKey\":\"SROOT\"}"),
      400,
      "Endorsement key is invalid, or does not match the Enrollment." },
    { WITH ("{\"endorsementKey\":\"EK\"}"), 400, "tpm.storageRootKey: missing" },
    { WITH ("{\"endorsementKey\":\"EK\",\"storageRootKey\":\"AAIAIw==\"}"),
      400,
      "tpm.storageRootKey: not an RSA key" },
    { "{\"registrationId\":\"other\",\"tpm\":{}}", 400, "is not the one of the path" },
    { "{\"registrationId\":{},\"tpm\":{}}", 400, "is not the one of the path" },
    { "{", 400, "not a JSON object" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (requests); i++)
    for (guint lookup = 0; lookup < 2; lookup++)
      {
        g_autofree char *body = fill_in (f, requests[i].body);
        g_autoptr (EmReply) reply =
            ask (f, lookup ? "POST" : "PUT", lookup ? TARGET : PATH, NULL, body);

        g_assert_cmpuint (reply->status, ==, requests[i].status);
        g_assert_nonnull (strstr (reply->body, requests[i].said));
        g_assert_cmpstr (reply->sas, ==, "absent");
      }
}

/* It passes as a key, but nothing can be encrypted to it. */
static void
test_no_modulus (Fixture *f, gconstpointer data)
{
  g_autofree char *body = NULL;
  g_autoptr (EmReply) reply = NULL;

  g_free (f->srk);
  f->srk = encode (SRK_HEAD, sizeof SRK_HEAD - 1, 0xaa);
  body = fill_in (f, WITH ("{\"endorsementKey\":\"EK\",\"storageRootKey\":\"SROOT\"}"));
  reply = ask (f, "PUT", PATH, NULL, body);
  g_assert_cmpuint (reply->status, ==, 400);
  g_assert_nonnull (strstr (reply->body, "storage root key: its modulus"));
}

/* No number of challenges makes it remember more than a few. */
static void
test_bounded (Fixture *f, gconstpointer data)
{
  g_autofree char *body =
      fill_in (f, WITH ("{\"endorsementKey\":\"EK\",\"storageRootKey\":\"SROOT\"}"));
  g_autoptr (GPtrArray) candidates = em_enrolments_candidates (f->enrolments, "dev");
  const EmEnrolment *enrolment = candidates->pdata[0];

  for (guint i = 1; i <= 20; i++)
    {
      g_autoptr (EmReply) reply = ask (f, "PUT", PATH, NULL, body);
      g_autoptr (GPtrArray) open =
          em_tpm_find (f->tpm, "dev", enrolment->endorsement_key);

      g_assert_cmpuint (reply->status, ==, 401);
      g_assert_cmpuint (open->len, ==, MIN (i, EM_CHALLENGES_EACH));
    }
  g_assert_null (em_registry_find (f->registry, "dev"));
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

  add ("/access/tpm/refuses-what-it-cannot-read", test_refusals);
  add ("/access/tpm/refuses-what-is-no-modulus", test_no_modulus);
  add ("/access/tpm/remembers-few-challenges", test_bounded);

  return g_test_run ();
}
