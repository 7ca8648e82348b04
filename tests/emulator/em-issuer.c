/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "em-issuer.h"

#include "em-codec.h"
#include "em-pair.h"

#include <string.h>

#include <openssl/core_names.h>
#include <openssl/x509v3.h>

#define ROOT_NAME "issuing-root"
#define CA_NAME "issuing-ca"
#define ROOT_COMMON_NAME "dps-emulator issuing root"
#define CA_COMMON_NAME "dps-emulator issuing CA"
#define CURVE "P-384"
#define HOUR_SECONDS (60 * 60)

G_DEFINE_AUTOPTR_CLEANUP_FUNC (X509_REQ, X509_REQ_free)

struct _EmIssuer
{
  EmPair root;
  EmPair ca;
  EmX509Trust *trust;
};

const char *const em_issue_fault_words[] = {
  [EM_ISSUE_SOUND] = "sound",
  [EM_ISSUE_MISSING] = "missing",
  [EM_ISSUE_EMPTY] = "empty",
  [EM_ISSUE_OTHER_KEY] = "other-key",
  [EM_ISSUE_OTHER_COMMON_NAME] = "other-common-name",
  [EM_ISSUE_EXPIRED] = "expired",
  [EM_ISSUE_NOT_YET_VALID] = "not-yet-valid",
  [EM_ISSUE_NO_LINK] = "no-link",
  [EM_ISSUE_ROOT_FIRST] = "root-first",
  [EM_ISSUE_LEAF_ALONE] = "leaf-alone",
  [EM_ISSUE_TOO_MANY] = "too-many",
  [EM_ISSUE_NOT_BASE64] = "not-base64",
  [EM_ISSUE_NOT_CERTIFICATES] = "not-certificates",
  NULL,
};

static gboolean
is_on_curve (EVP_PKEY *key)
{
  char group[32] = "";

  return EVP_PKEY_is_a (key, "EC") &&
         EVP_PKEY_get_group_name (key, group, sizeof group, NULL) == 1 &&
         OBJ_sn2nid (group) == NID_secp384r1;
}

static const char *
find_fault (X509_REQ *csr, const char *name)
{
  g_autofree char *own = em_x509_common_name (X509_REQ_get_subject_name (csr));
  EVP_PKEY *key = X509_REQ_get0_pubkey (csr);

  if (key == NULL || !is_on_curve (key))
    return "its key is not one on P-384";
  if (X509_REQ_verify (csr, key) != 1)
    return "it is not signed with its key";
  if (g_strcmp0 (own, name) != 0)
    return "its common name is not the registration ID";
  return NULL;
}

X509_REQ *
em_csr_parse (const char *text, const char *name, const char **why_out)
{
  g_autoptr (GBytes) der = em_base64_decode (text);
  g_autoptr (X509_REQ) csr = NULL;
  const guint8 *data, *end;
  gsize len = 0;

  *why_out = "it is not base64";
  if (der == NULL)
    return NULL;

  *why_out = "it is not a request of PKCS#10 in DER";
  data = g_bytes_get_data (der, &len);
  end = data;
  if (len <= EM_CSR_MAX)
    csr = d2i_X509_REQ (NULL, &end, (long) len);
  if (csr != NULL && end == data + len)
    *why_out = find_fault (csr, name);
  ERR_clear_error ();
  return *why_out == NULL ? g_steal_pointer (&csr) : NULL;
}

static gboolean
prepare_root (EmIssuer *self, const char *dir, GError **error)
{
  return em_pair_load (&self->root, dir, ROOT_NAME) ||
         (em_pair_make_ca (&self->root, NULL, ROOT_COMMON_NAME, CURVE, "", error) &&
          em_pair_save (&self->root, dir, ROOT_NAME, error));
}

static gboolean
prepare_ca (EmIssuer *self, const char *dir, GError **error)
{
  if (em_pair_load (&self->ca, dir, CA_NAME) &&
      X509_verify (self->ca.cert, self->root.key) == 1)
    return TRUE;
  return em_pair_make_ca (&self->ca,
                          &self->root,
                          CA_COMMON_NAME,
                          CURVE,
                          ",pathlen:0",
                          error) &&
         em_pair_save (&self->ca, dir, CA_NAME, error);
}

EmIssuer *
em_issuer_open (const char *dir, GError **error)
{
  g_autoptr (EmIssuer) self = g_new0 (EmIssuer, 1);

  if (!prepare_root (self, dir, error) || !prepare_ca (self, dir, error))
    return NULL;

  ERR_clear_error ();
  self->trust = em_x509_trust_new ();
  X509_up_ref (self->root.cert);
  g_ptr_array_add (self->trust->cas, self->root.cert);
  return g_steal_pointer (&self);
}

void
em_issuer_free (EmIssuer *self)
{
  em_pair_clear (&self->root);
  em_pair_clear (&self->ca);
  g_clear_pointer (&self->trust, em_x509_trust_unref);
  g_free (self);
}

EmX509Trust *
em_issuer_get_trust (EmIssuer *self)
{
  return self->trust;
}

static X509_NAME *
stranger_name (void)
{
  X509_NAME *name = X509_NAME_new ();

  X509_NAME_add_entry_by_txt (name,
                              "CN",
                              MBSTRING_UTF8,
                              (const unsigned char *) "somebody-else",
                              -1,
                              -1,
                              0);
  return name;
}

/* Not before, in seconds from now. */
static long
fault_start (EmIssueFault fault, gint64 lifetime)
{
  if (fault == EM_ISSUE_EXPIRED)
    return (long) -lifetime - HOUR_SECONDS;
  return fault == EM_ISSUE_NOT_YET_VALID ? HOUR_SECONDS : 0;
}

static X509 *
make_leaf (EmIssuer *self, X509_REQ *csr, gint64 lifetime, EmIssueFault fault)
{
  g_autoptr (X509) leaf = X509_new ();
  X509_NAME *other = fault == EM_ISSUE_OTHER_COMMON_NAME ? stranger_name () : NULL;
  EVP_PKEY *key =
      fault == EM_ISSUE_OTHER_KEY ? self->root.key : X509_REQ_get0_pubkey (csr);
  long start = fault_start (fault, lifetime);
  gboolean made;

  made = X509_set_version (leaf, X509_VERSION_3) == 1 && em_cert_set_serial (leaf) &&
         X509_gmtime_adj (X509_getm_notBefore (leaf), start) != NULL &&
         X509_gmtime_adj (X509_getm_notAfter (leaf), start + (long) lifetime) != NULL &&
         X509_set_subject_name (leaf,
                                other != NULL ? other
                                              : X509_REQ_get_subject_name (csr)) == 1 &&
         X509_set_pubkey (leaf, key) == 1 &&
         em_cert_add_extension (leaf, leaf, NID_basic_constraints, "critical,CA:FALSE") &&
         em_cert_add_extension (leaf, leaf, NID_key_usage, "critical,digitalSignature") &&
         em_cert_add_extension (leaf, leaf, NID_ext_key_usage, "clientAuth") &&
         em_cert_sign (leaf, &self->ca);
  X509_NAME_free (other);
  if (!made)
    g_error ("OpenSSL cannot issue a certificate");
  return g_steal_pointer (&leaf);
}

static void
add_certificate (JsonArray *array, X509 *certificate)
{
  unsigned char *der = NULL;
  int len = i2d_X509 (certificate, &der);
  g_autofree char *text = len > 0 ? g_base64_encode (der, (gsize) len) : NULL;

  if (text == NULL)
    g_error ("OpenSSL cannot write a certificate");
  OPENSSL_free (der);
  json_array_add_string_element (array, text);
}

/* A CA of the right name, which has signed nothing. */
static void
add_stranger (EmIssuer *self, JsonArray *array)
{
  g_auto (EmPair) stranger = { 0 };

  if (!em_pair_make_ca (&stranger, &self->root, CA_COMMON_NAME, CURVE, "", NULL))
    g_error ("OpenSSL cannot make a CA");
  add_certificate (array, stranger.cert);
}

static void
fill_chain (EmIssuer *self, JsonArray *array, X509 *leaf, EmIssueFault fault)
{
  if (fault == EM_ISSUE_ROOT_FIRST)
    add_certificate (array, self->root.cert);
  add_certificate (array, leaf);
  if (fault == EM_ISSUE_LEAF_ALONE)
    return;
  if (fault == EM_ISSUE_NO_LINK)
    add_stranger (self, array);
  else
    add_certificate (array, self->ca.cert);
  if (fault != EM_ISSUE_ROOT_FIRST)
    add_certificate (array, self->root.cert);
  while (fault == EM_ISSUE_TOO_MANY && json_array_get_length (array) <= EM_CHAIN_MAX)
    add_certificate (array, self->root.cert);
}

JsonArray *
em_issuer_issue (EmIssuer *self, X509_REQ *csr, gint64 lifetime, EmIssueFault fault)
{
  g_autoptr (X509) leaf = NULL;
  JsonArray *array;

  if (fault == EM_ISSUE_MISSING)
    return NULL;

  array = json_array_new ();
  if (fault == EM_ISSUE_NOT_BASE64)
    json_array_add_string_element (array, "-----BEGIN CERTIFICATE-----");
  else if (fault == EM_ISSUE_NOT_CERTIFICATES)
    json_array_add_string_element (array, "bm90IGEgY2VydGlmaWNhdGU=");
  else if (fault != EM_ISSUE_EMPTY)
    {
      leaf = make_leaf (self, csr, lifetime, fault);
      fill_chain (self, array, leaf, fault);
    }
  return array;
}
