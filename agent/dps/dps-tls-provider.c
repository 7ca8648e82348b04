/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "dps/dps-tls-provider.h"
#include "dps/dps-tls-signature.h"
#include "common/dps-error.h"

#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/provider.h>

#define NAME "dps"
#define PROPERTIES "provider=" NAME
#define RSA_NAMES "RSA:rsaEncryption:1.2.840.113549.1.1.1"
#define EC_NAMES "EC:id-ecPublicKey:1.2.840.10045.2.1"

/* A pointer to a DpsTlsRemoteKey; no other import makes a key that signs. */
#define PARAM_REMOTE "dps-remote-key"

G_DEFINE_AUTOPTR_CLEANUP_FUNC (EVP_PKEY_CTX, EVP_PKEY_CTX_free)

/* What OpenSSL calls key data: it makes it empty and fills it later. */
typedef struct
{
  DpsTlsRemoteKey *remote;
} KeyData;

DpsTlsRemoteKey *
dps_tls_provider_get_remote (void *key_data)
{
  return ((KeyData *) key_data)->remote;
}

/* ---- key management ---- */

static void *
key_new (void *provider)
{
  return g_new0 (KeyData, 1);
}

static void
key_free (void *key_data)
{
  KeyData *self = key_data;

  if (self == NULL)
    return;
  dps_tls_remote_key_unref (self->remote);
  g_free (self);
}

static int
key_has (const void *key_data, int selection)
{
  const KeyData *self = key_data;

  if (self == NULL || self->remote == NULL)
    return 0;
  return (selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY) == 0 ||
         dps_tls_remote_key_can_sign (self->remote);
}

static int
key_match (const void *a, const void *b, int selection)
{
  if (!key_has (a, 0) || !key_has (b, 0))
    return 0;
  return EVP_PKEY_eq (dps_tls_remote_key_get_public (((const KeyData *) a)->remote),
                      dps_tls_remote_key_get_public (((const KeyData *) b)->remote)) == 1;
}

/* All that can be asked for is in the public half. */
static int
key_get_params (void *key_data, OSSL_PARAM params[])
{
  KeyData *self = key_data;

  return self->remote != NULL &&
         EVP_PKEY_get_params (dps_tls_remote_key_get_public (self->remote), params);
}

static const OSSL_PARAM rsa_types[] = {
  OSSL_PARAM_int (OSSL_PKEY_PARAM_BITS, NULL),
  OSSL_PARAM_int (OSSL_PKEY_PARAM_SECURITY_BITS, NULL),
  OSSL_PARAM_int (OSSL_PKEY_PARAM_MAX_SIZE, NULL),
  OSSL_PARAM_BN (OSSL_PKEY_PARAM_RSA_N, NULL, 0),
  OSSL_PARAM_BN (OSSL_PKEY_PARAM_RSA_E, NULL, 0),
  OSSL_PARAM_END,
};

static const OSSL_PARAM ec_types[] = {
  OSSL_PARAM_int (OSSL_PKEY_PARAM_BITS, NULL),
  OSSL_PARAM_int (OSSL_PKEY_PARAM_SECURITY_BITS, NULL),
  OSSL_PARAM_int (OSSL_PKEY_PARAM_MAX_SIZE, NULL),
  OSSL_PARAM_utf8_string (OSSL_PKEY_PARAM_GROUP_NAME, NULL, 0),
  OSSL_PARAM_octet_string (OSSL_PKEY_PARAM_PUB_KEY, NULL, 0),
  OSSL_PARAM_octet_string (OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY, NULL, 0),
  OSSL_PARAM_END,
};

static const OSSL_PARAM *
rsa_gettable (void *provider)
{
  return rsa_types;
}

static const OSSL_PARAM *
ec_gettable (void *provider)
{
  return ec_types;
}

static const OSSL_PARAM *
rsa_types_of (int selection)
{
  return rsa_types;
}

static const OSSL_PARAM *
ec_types_of (int selection)
{
  return ec_types;
}

/* Refused where a private part is asked for too: else libcrypto would take what it got
 * for the whole key, and try to sign with it elsewhere. */
static int
key_export (void *key_data, int selection, OSSL_CALLBACK *callback, void *data)
{
  KeyData *self = key_data;

  if (self->remote == NULL || (selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY) != 0)
    return 0;
  return EVP_PKEY_export (dps_tls_remote_key_get_public (self->remote),
                          selection,
                          callback,
                          data);
}

/* The public half of a foreign key, to compare with. */
static int
import_public (KeyData *self, const char *type, const OSSL_PARAM params[])
{
  g_autoptr (EVP_PKEY_CTX) context = EVP_PKEY_CTX_new_from_name (NULL, type, NULL);
  EVP_PKEY *key = NULL;

  if (context == NULL || EVP_PKEY_fromdata_init (context) != 1 ||
      EVP_PKEY_fromdata (context, &key, EVP_PKEY_PUBLIC_KEY, (OSSL_PARAM *) params) != 1)
    return 0;
  self->remote = dps_tls_remote_key_new (key, NULL, NULL, NULL);
  EVP_PKEY_free (key);
  return 1;
}

static int
import (KeyData *self, const char *type, const OSSL_PARAM params[])
{
  const OSSL_PARAM *own = OSSL_PARAM_locate_const (params, PARAM_REMOTE);

  if (self == NULL || self->remote != NULL)
    return 0;
  if (own == NULL)
    return import_public (self, type, params);
  if (own->data_type != OSSL_PARAM_OCTET_PTR || own->data == NULL)
    return 0;
  self->remote = dps_tls_remote_key_ref (*(DpsTlsRemoteKey **) own->data);
  return 1;
}

static int
rsa_import (void *key_data, int selection, const OSSL_PARAM params[])
{
  return import (key_data, "RSA", params);
}

static int
ec_import (void *key_data, int selection, const OSSL_PARAM params[])
{
  return import (key_data, "EC", params);
}

static const char *
ec_operation_name (int operation)
{
  return operation == OSSL_OP_SIGNATURE ? "ECDSA" : "EC";
}

#define FUNCTION(id, function)                                                           \
  {                                                                                      \
    OSSL_FUNC_KEYMGMT_##id, (void (*) (void)) function                                   \
  }
#define COMMON                                                                           \
  FUNCTION (NEW, key_new), FUNCTION (FREE, key_free), FUNCTION (HAS, key_has),           \
      FUNCTION (MATCH, key_match), FUNCTION (GET_PARAMS, key_get_params),                \
      FUNCTION (EXPORT, key_export)

static const OSSL_DISPATCH rsa_functions[] = {
  COMMON,
  FUNCTION (GETTABLE_PARAMS, rsa_gettable),
  FUNCTION (EXPORT_TYPES, rsa_types_of),
  FUNCTION (IMPORT, rsa_import),
  FUNCTION (IMPORT_TYPES, rsa_types_of),
  { 0, NULL },
};

static const OSSL_DISPATCH ec_functions[] = {
  COMMON,
  FUNCTION (GETTABLE_PARAMS, ec_gettable),
  FUNCTION (EXPORT_TYPES, ec_types_of),
  FUNCTION (IMPORT, ec_import),
  FUNCTION (IMPORT_TYPES, ec_types_of),
  FUNCTION (QUERY_OPERATION_NAME, ec_operation_name),
  { 0, NULL },
};

/* ---- the provider ---- */

static const OSSL_ALGORITHM managers[] = {
  { RSA_NAMES, PROPERTIES, rsa_functions, "RSA keys that others hold" },
  { EC_NAMES, PROPERTIES, ec_functions, "EC keys that others hold" },
  { NULL, NULL, NULL, NULL },
};

static const OSSL_ALGORITHM signatures[] = {
  { RSA_NAMES, PROPERTIES, dps_tls_signature_functions, "RSA by others" },
  { "ECDSA", PROPERTIES, dps_tls_signature_functions, "ECDSA by others" },
  { NULL, NULL, NULL, NULL },
};

static const OSSL_ALGORITHM *
query (void *provider, int operation, int *no_cache)
{
  *no_cache = 0;
  if (operation == OSSL_OP_KEYMGMT)
    return managers;
  return operation == OSSL_OP_SIGNATURE ? signatures : NULL;
}

static const OSSL_DISPATCH provider_functions[] = {
  { OSSL_FUNC_PROVIDER_QUERY_OPERATION, (void (*) (void)) query },
  { 0, NULL },
};

static int
init (const OSSL_CORE_HANDLE *handle,
      const OSSL_DISPATCH *in,
      const OSSL_DISPATCH **out,
      void **provider)
{
  *out = provider_functions;
  *provider = (void *) handle;
  return 1;
}

/* Made once and kept as long as the process: keys may be anywhere. */
static OSSL_LIB_CTX *
get_library (void)
{
  static gsize once = 0;
  static OSSL_LIB_CTX *library = NULL;

  if (g_once_init_enter (&once))
    {
      library = OSSL_LIB_CTX_new ();
      if (library != NULL && (OSSL_PROVIDER_add_builtin (library, NAME, init) != 1 ||
                              OSSL_PROVIDER_load (library, NAME) == NULL))
        g_clear_pointer (&library, OSSL_LIB_CTX_free);
      g_once_init_leave (&once, 1);
    }
  return library;
}

EVP_PKEY *
dps_tls_provider_wrap (DpsTlsRemoteKey *remote, GError **error)
{
  const char *type = dps_tls_remote_key_is_rsa (remote) ? "RSA" : "EC";
  OSSL_LIB_CTX *library = get_library ();
  void *pointer = remote;
  OSSL_PARAM params[] = {
    OSSL_PARAM_construct_octet_ptr (PARAM_REMOTE, &pointer, sizeof remote),
    OSSL_PARAM_construct_end (),
  };
  g_autoptr (EVP_PKEY_CTX) context =
      library != NULL ? EVP_PKEY_CTX_new_from_name (library, type, PROPERTIES) : NULL;
  EVP_PKEY *key = NULL;

  if (context != NULL && EVP_PKEY_fromdata_init (context) == 1 &&
      EVP_PKEY_fromdata (context, &key, EVP_PKEY_KEYPAIR, params) == 1)
    return key;
  ERR_clear_error ();
  g_set_error (error,
               DPS_ERROR,
               DPS_ERROR_FAILED,
               "OpenSSL does not take the built-in provider of TLS keys");
  return NULL;
}
