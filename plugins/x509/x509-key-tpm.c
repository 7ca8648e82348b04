/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "x509-key.h"
#include "x509-openssl.h"
#include "x509-signature.h"
#include "x509-tpm-public.h"
#include "x509-tss2-key.h"

#include "tpm/dps-tpm-error.h"
#include "tpm/dps-tpm.h"

#include <string.h>

#define HANDLE_PREFIX "handle:0x"
#define AUTH_MAX 64

typedef struct
{
  X509Key key; /* first */
  DpsTpm *tpm;
  DpsTpmKey held; /* that at the persistent handle; none where wrapped counts */
  X509Tss2Key wrapped;
  TPM2B_AUTH auth;
} TpmKey;

static void
tpm_key_free (X509Key *key)
{
  TpmKey *self = (TpmKey *) key;

  if (self->tpm != NULL)
    dps_tpm_drop_key (self->tpm, &self->held);
  g_clear_pointer (&self->tpm, dps_tpm_free);
  EVP_PKEY_free (key->public);
  explicit_bzero (self, sizeof *self);
  g_free (self);
}

static DpsPluginResult
result_of (const GError *why)
{
  switch (why->code)
    {
    case DPS_TPM_ERROR_OWNER_AUTH:
    case DPS_TPM_ERROR_SRK_AUTH:
      return DPS_PLUGIN_INVALID_ARGUMENT;
    case DPS_TPM_ERROR_NOT_SUPPORTED:
      return DPS_PLUGIN_NOT_SUPPORTED;
    case DPS_TPM_ERROR_BUSY:
    case DPS_TPM_ERROR_MEMORY:
      return DPS_PLUGIN_BUSY;
    default:
      return DPS_PLUGIN_FAILED;
    }
}

/* Consumes why. */
static gboolean
fail (X509Error *error, GError *why)
{
  const char *word = why->code == DPS_TPM_ERROR_FAILED
                         ? X509_CAUSE_TPM_KEY
                         : dps_tpm_error_word ((DpsTpmError) why->code);

  x509_error_set (error, result_of (why), word, "%s", why->message);
  g_error_free (why);
  return FALSE;
}

static gboolean
refuse (X509Error *error, const char *text)
{
  return x509_error_set (error,
                         DPS_PLUGIN_INVALID_ARGUMENT,
                         X509_CAUSE_TPM_KEY,
                         "%s",
                         text);
}

static gboolean
set_auth (DpsTpm *tpm,
          const DpsHost *host,
          const char *secret,
          DpsTpmAuth auth,
          X509Error *error)
{
  GError *why = NULL;
  DpsPluginView view;

  return !host->get_secret (host, secret, &view) ||
         dps_tpm_set_auth (tpm, auth, view.data, view.size, &why) || fail (error, why);
}

/* The passwords of [tpm] are for the parent of a wrapped key. */
static gboolean
open_tpm (TpmKey *self, const DpsHost *host, X509Error *error)
{
  GError *why = NULL;

  if (host->tpm_fd (host) < 0)
    return x509_error_set (error,
                           DPS_PLUGIN_FAILED,
                           dps_tpm_error_word (DPS_TPM_ERROR_NO_DEVICE),
                           "there is no TPM: no descriptor was passed; see tcti= in "
                           "[tpm]");
  self->tpm = dps_tpm_new (host->tpm_fd (host), &why);
  if (self->tpm == NULL)
    return fail (error, why);
  return set_auth (self->tpm, host, "owner-auth", DPS_TPM_AUTH_OWNER, error) &&
         set_auth (self->tpm, host, "srk-auth", DPS_TPM_AUTH_SRK, error);
}

static gboolean
take_auth (TpmKey *self, const DpsPluginView *auth, X509Error *error)
{
  if (auth == NULL)
    return TRUE;
  if (auth->size > AUTH_MAX)
    return x509_error_set (error,
                           DPS_PLUGIN_INVALID_ARGUMENT,
                           X509_CAUSE_PASSPHRASE,
                           "what passphrase-file= in [plugin x509] names has more than "
                           "the %d bytes of a TPM key's password",
                           AUTH_MAX);
  memcpy (self->auth.buffer, auth->data, auth->size);
  self->auth.size = (UINT16) auth->size;
  return TRUE;
}

/* The primary keys that "the owner hierarchy" means as a parent: EC as the draft of the
 * key files has it, EC and RSA as TCG's provisioning guidance has them, and RSA with an
 * empty modulus. */
static TPM2B_PUBLIC
template_of (guint i)
{
  TPM2B_PUBLIC template =
      i < 2 ? *dps_tpm_template_ecc_srk () : *dps_tpm_template_rsa_srk ();

  if (i == 0)
    template.publicArea.unique.ecc.x.size = template.publicArea.unique.ecc.y.size = 0;
  else if (i == 3)
    template.publicArea.unique.rsa.size = 0;
  return template;
}
#define N_TEMPLATES 4u

static gboolean
load_below (TpmKey *self, const DpsTpmKey *parent, ESYS_TR *object, GError **error)
{
  return dps_tpm_load (self->tpm,
                       parent,
                       ESYS_TR_NONE,
                       &self->wrapped.private,
                       &self->wrapped.public,
                       object,
                       error);
}

/* What fitted stays known as long as the process lives. */
static gboolean
load_below_owner (TpmKey *self, DpsTpmKey *parent, ESYS_TR *object, GError **error)
{
  static guint fitted;

  for (guint i = 0; i < N_TEMPLATES; i++)
    {
      guint n = (fitted + i) % N_TEMPLATES;
      TPM2B_PUBLIC template = template_of (n);

      g_clear_error (error);
      if (!dps_tpm_create_primary (self->tpm, ESYS_TR_RH_OWNER, &template, parent, error))
        return FALSE;
      if (load_below (self, parent, object, error))
        {
          fitted = n;
          return TRUE;
        }
      dps_tpm_drop_key (self->tpm, parent);
      if (!g_error_matches (*error, DPS_TPM_ERROR, DPS_TPM_ERROR_FAILED))
        return FALSE;
    }
  return FALSE;
}

/* A password for the parent is tried on no key that counts wrong ones. */
static gboolean
load_below_handle (TpmKey *self, DpsTpmKey *parent, ESYS_TR *object, GError **error)
{
  gboolean there;

  if (!dps_tpm_read_key (self->tpm, self->wrapped.parent, parent, &there, error))
    return FALSE;
  if (there && dps_tpm_is_storage_parent (&parent->public) &&
      (dps_tpm_is_unguarded (&parent->public) ||
       !dps_tpm_has_auth (self->tpm, DPS_TPM_AUTH_SRK)))
    return load_below (self, parent, object, error);
  g_set_error (error,
               DPS_TPM_ERROR,
               DPS_TPM_ERROR_FAILED,
               "the parent of the TPM key file, 0x%08x, %s",
               self->wrapped.parent,
               there ? "is no storage key, or counts wrong passwords" : "is not there");
  return FALSE;
}

static gboolean
load (TpmKey *self, DpsTpmKey *parent, ESYS_TR *object, X509Error *error)
{
  GError *why = NULL;
  gboolean loaded = self->wrapped.parent == TPM2_RH_OWNER
                        ? load_below_owner (self, parent, object, &why)
                        : load_below_handle (self, parent, object, &why);

  return loaded || fail (error, why);
}

/* With a password a session that is salted to parent, or to a key of the NULL hierarchy
 * where there is none: the password goes over the wire only as the key of an HMAC. */
static gboolean
authorise (TpmKey *self,
           ESYS_TR object,
           const DpsTpmKey *parent,
           ESYS_TR *session,
           GError **error)
{
  DpsTpmKey salt = { 0 };
  gboolean started;

  *session = ESYS_TR_PASSWORD;
  if (self->auth.size == 0)
    return TRUE;
  if (!dps_tpm_check (Esys_TR_SetAuth (dps_tpm_get_esys (self->tpm), object, &self->auth),
                      DPS_TPM_AUTH_NONE,
                      "setting a password",
                      error))
    return FALSE;
  if (parent->tr == ESYS_TR_NONE || parent->tr == 0)
    {
      if (!dps_tpm_create_primary (self->tpm,
                                   ESYS_TR_RH_NULL,
                                   dps_tpm_template_ecc_srk (),
                                   &salt,
                                   error))
        return FALSE;
      parent = &salt;
    }
  started = dps_tpm_start_session (self->tpm, parent, session, error);
  dps_tpm_drop_key (self->tpm, &salt);
  return started && dps_tpm_use_session (self->tpm, *session, 0, TRUE, error);
}

static TPMT_SIG_SCHEME
scheme_of (const char *mechanism)
{
  TPMT_SIG_SCHEME scheme = { .scheme = TPM2_ALG_ECDSA };

  if (strcmp (mechanism, "RSA-PSS-SHA256") == 0)
    scheme.scheme = TPM2_ALG_RSAPSS;
  else if (strcmp (mechanism, "RSA-PKCS1-SHA256") == 0)
    scheme.scheme = TPM2_ALG_RSASSA;
  scheme.details.any.hashAlg =
      g_str_has_suffix (mechanism, "SHA384") ? TPM2_ALG_SHA384 : TPM2_ALG_SHA256;
  return scheme;
}

static gboolean
check_signed (TpmKey *self, TSS2_RC rc, X509Error *error)
{
  TPM2_RC base = dps_tpm_rc_base (rc);
  gboolean given = self->auth.size > 0;
  GError *why = NULL;

  if (base == TPM2_RC_AUTH_FAIL || base == TPM2_RC_BAD_AUTH)
    return x509_error_set (error,
                           given ? DPS_PLUGIN_INVALID_ARGUMENT
                                 : DPS_PLUGIN_NOT_CONFIGURED,
                           X509_CAUSE_PASSPHRASE,
                           given
                               ? "the TPM refuses the password of the key; correct the "
                                 "file that passphrase-file= in [plugin x509] names"
                               : "the key in the TPM has a password; put it into a file "
                                 "and set passphrase-file= in [plugin x509]");
  return dps_tpm_check (rc, DPS_TPM_AUTH_NONE, "signing", &why) || fail (error, why);
}

static TPMT_SIGNATURE *
sign_loaded (TpmKey *self,
             ESYS_TR object,
             const DpsTpmKey *parent,
             const char *mechanism,
             const TPM2B_DIGEST *digest,
             X509Error *error)
{
  const TPMT_TK_HASHCHECK unchecked = { .tag = TPM2_ST_HASHCHECK,
                                        .hierarchy = TPM2_RH_NULL };
  TPMT_SIG_SCHEME scheme = scheme_of (mechanism);
  TPMT_SIGNATURE *signature = NULL;
  ESYS_TR session;
  GError *why = NULL;
  TSS2_RC rc;

  if (!authorise (self, object, parent, &session, &why))
    return fail (error, why), NULL;
  rc = Esys_Sign (dps_tpm_get_esys (self->tpm),
                  object,
                  session,
                  ESYS_TR_NONE,
                  ESYS_TR_NONE,
                  digest,
                  &scheme,
                  &unchecked,
                  &signature);
  dps_tpm_settle (self->tpm, &session, rc);
  return check_signed (self, rc, error) ? signature : NULL;
}

static TPMT_SIGNATURE *
sign_wrapped (TpmKey *self,
              const char *mechanism,
              const TPM2B_DIGEST *digest,
              X509Error *error)
{
  DpsTpmKey parent = { 0 };
  ESYS_TR object = ESYS_TR_NONE;
  TPMT_SIGNATURE *signature = NULL;

  if (load (self, &parent, &object, error))
    signature = sign_loaded (self, object, &parent, mechanism, digest, error);
  dps_tpm_flush (self->tpm, &object);
  dps_tpm_drop_key (self->tpm, &parent);
  return signature;
}

static GBytes *
tpm_key_sign (X509Key *key,
              const char *mechanism,
              const guint8 *digest,
              gsize size,
              X509Error *error)
{
  TpmKey *self = (TpmKey *) key;
  TPM2B_DIGEST in = { .size = (UINT16) size };
  const DpsTpmKey none = { 0 };
  g_autoptr (GBytes) out = NULL;
  TPMT_SIGNATURE *signature;

  memcpy (in.buffer, digest, size);
  signature = self->held.tr != 0
                  ? sign_loaded (self, self->held.tr, &none, mechanism, &in, error)
                  : sign_wrapped (self, mechanism, &in, error);
  if (signature == NULL)
    return NULL;
  out = x509_tpm_signature_convert (signature);
  Esys_Free (signature);
  if (out == NULL)
    {
      refuse (error, "the TPM gave a signature of another kind than was asked for");
      return NULL;
    }
  return x509_signature_check (key->public,
                               mechanism,
                               digest,
                               size,
                               g_bytes_get_data (out, NULL),
                               g_bytes_get_size (out),
                               error)
             ? g_steal_pointer (&out)
             : NULL;
}

static X509Key *
tpm_key_new (void)
{
  X509Key *key = (X509Key *) g_new0 (TpmKey, 1);

  key->free = tpm_key_free;
  key->sign = tpm_key_sign;
  return key;
}

static gboolean
parse_handle (const char *uri, TPM2_HANDLE *handle, X509Error *error)
{
  const char *digits = uri + strlen (HANDLE_PREFIX);

  if (!g_str_has_prefix (uri, HANDLE_PREFIX "81") || strlen (digits) != 8 ||
      strspn (digits, "0123456789abcdefABCDEF") != 8)
    return refuse (error,
                   "key= in [plugin x509] has a handle that is none; write handle:0x81 "
                   "and six hexadecimal digits, as 'tpm2_getcap handles-persistent' "
                   "prints it");
  *handle = (TPM2_HANDLE) g_ascii_strtoull (digits, NULL, 16);
  return TRUE;
}

static gboolean
read_handle (TpmKey *self, TPM2_HANDLE handle, X509Error *error)
{
  gboolean there = FALSE;
  GError *why = NULL;

  if (!dps_tpm_read_key (self->tpm, handle, &self->held, &there, &why))
    return fail (error, why);
  if (!there)
    return refuse (error,
                   "the TPM has no key at the handle that key= in [plugin x509] "
                   "names; correct it, or make the key there");
  self->key.public = x509_tpm_public_convert (&self->held.public,
                                              "the handle that key= in [plugin x509] "
                                              "names",
                                              error);
  return self->key.public != NULL;
}

X509Key *
x509_key_open_tpm_handle (const DpsHost *host,
                          const char *uri,
                          const DpsPluginView *auth,
                          X509Error *error)
{
  g_autoptr (X509Key) key = tpm_key_new ();
  TpmKey *self = (TpmKey *) key;
  TPM2_HANDLE handle;

  if (!parse_handle (uri, &handle, error) || !take_auth (self, auth, error) ||
      !open_tpm (self, host, error) || !read_handle (self, handle, error))
    return NULL;
  return g_steal_pointer (&key);
}

/* Sends no command: the key is loaded when it signs. */
X509Key *
x509_key_open_tpm_wrapped (const DpsHost *host,
                           const DpsPluginView *pem,
                           const DpsPluginView *auth,
                           X509Error *error)
{
  g_autoptr (X509Key) key = tpm_key_new ();
  TpmKey *self = (TpmKey *) key;

  if (!x509_tss2_key_parse (pem, &self->wrapped, error))
    return NULL;
  key->public = x509_tpm_public_convert (&self->wrapped.public,
                                         "the TPM key file that key= in [plugin x509] "
                                         "names",
                                         error);
  if (key->public == NULL || !take_auth (self, auth, error) ||
      !open_tpm (self, host, error))
    return NULL;
  return g_steal_pointer (&key);
}
