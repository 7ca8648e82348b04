/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "x509-key.h"
#include "x509-libp11.h"
#include "x509-mechanism.h"
#include "x509-openssl.h"
#include "x509-pkcs11-uri.h"
#include "x509-signature.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define WHERE "the token that key= in [plugin x509] names"
#define LIBRARIES "/usr/lib/"
#define DEFAULT_MODULE X509_LIBRARY_DIR "/p11-kit-proxy.so"
#define PIN_MAX 255

/* CK_RV (PKCS #11 v2.40 base specification, appendix B). */
#define RV_DEVICE_ERROR 0x30
#define RV_DEVICE_REMOVED 0x32
#define RV_PIN_INCORRECT 0xa0
#define RV_PIN_INVALID 0xa1
#define RV_PIN_LEN_RANGE 0xa2
#define RV_PIN_EXPIRED 0xa3
#define RV_PIN_LOCKED 0xa4
#define RV_TOKEN_NOT_PRESENT 0xe0
#define RV_TOKEN_NOT_RECOGNIZED 0xe1

typedef struct
{
  X509Key key; /* first */
  const X509Libp11 *libp11;
  PKCS11_CTX *context;
  gboolean loaded;
  PKCS11_SLOT *slots;
  unsigned int n_slots;
  EVP_PKEY *private;
} TokenKey;

static void
token_key_free (X509Key *key)
{
  TokenKey *self = (TokenKey *) key;

  EVP_PKEY_free (self->private);
  EVP_PKEY_free (self->key.public);
  if (self->slots != NULL)
    self->libp11->PKCS11_release_all_slots (self->context, self->slots, self->n_slots);
  if (self->loaded)
    self->libp11->PKCS11_CTX_unload (self->context);
  if (self->context != NULL)
    self->libp11->PKCS11_CTX_free (self->context);
  g_free (self);
}

/* The CK_RV of what failed last in this thread, 0 = that was none of the module's.
 * ERR_get_CKR_code() gives the number that OpenSSL knows the library by. */
static unsigned int
last_code (const X509Libp11 *libp11)
{
  unsigned long code = ERR_peek_last_error ();

  return ERR_GET_LIB (code) == libp11->ERR_get_CKR_code ()
             ? (unsigned int) ERR_GET_REASON (code)
             : 0;
}

/* Where the module is: root's, below the directory of libraries, as all that is loaded
 * into this process. */
static gboolean
check_module (const char *path, X509Error *error)
{
  char resolved[PATH_MAX];
  struct stat status;

  if (realpath (path, resolved) == NULL || stat (resolved, &status) < 0)
    return x509_error_set (error,
                           DPS_PLUGIN_NOT_SUPPORTED,
                           X509_CAUSE_MODULE,
                           "there is no PKCS#11 module '%s'; install its package, or "
                           "correct module-path= in key= in [plugin x509]",
                           path);
  if (g_str_has_prefix (resolved, LIBRARIES) && S_ISREG (status.st_mode) &&
      status.st_uid == 0 && (status.st_mode & (S_IWGRP | S_IWOTH)) == 0)
    return TRUE;
  return x509_error_set (error,
                         DPS_PLUGIN_NOT_SUPPORTED,
                         X509_CAUSE_MODULE,
                         "the PKCS#11 module '%s' is no file below " LIBRARIES
                         " that is root's and that only root may write",
                         path);
}

static char *
module_of (const X509Pkcs11Uri *uri)
{
  if (uri->module_path != NULL)
    return g_strdup (uri->module_path);
  if (uri->module_name != NULL)
    return g_strdup_printf (X509_LIBRARY_DIR "/pkcs11/%s.so", uri->module_name);
  return g_strdup (DEFAULT_MODULE);
}

static gboolean
load_module (TokenKey *self, const X509Pkcs11Uri *uri, X509Error *error)
{
  g_autofree char *module = module_of (uri);

  if (!check_module (module, error))
    return FALSE;
  self->context = self->libp11->PKCS11_CTX_new ();
  self->loaded =
      self->context != NULL && self->libp11->PKCS11_CTX_load (self->context, module) == 0;
  return self->loaded ||
         x509_error_set (error,
                         DPS_PLUGIN_NOT_SUPPORTED,
                         X509_CAUSE_MODULE,
                         "the PKCS#11 module '%s' can not be loaded (code 0x%x)",
                         module,
                         last_code (self->libp11));
}

static gboolean
is_or_any (const char *wanted, const char *found)
{
  return wanted == NULL || g_strcmp0 (wanted, found) == 0;
}

static gboolean
is_wanted_token (TokenKey *self, PKCS11_SLOT *slot, const X509Pkcs11Uri *uri)
{
  const PKCS11_TOKEN *token = slot->token;
  g_autofree char *slot_id = NULL;

  if (token == NULL || !token->initialized)
    return FALSE;
  slot_id = g_strdup_printf ("%lu", self->libp11->PKCS11_get_slotid_from_slot (slot));
  return is_or_any (uri->slot_id, slot_id) && is_or_any (uri->token, token->label) &&
         is_or_any (uri->manufacturer, token->manufacturer) &&
         is_or_any (uri->model, token->model) && is_or_any (uri->serial, token->serialnr);
}

static PKCS11_TOKEN *
find_token (TokenKey *self, const X509Pkcs11Uri *uri, X509Error *error)
{
  PKCS11_TOKEN *found = NULL;
  guint n = 0;

  if (self->libp11->PKCS11_enumerate_slots (self->context, &self->slots, &self->n_slots) <
      0)
    self->n_slots = 0;
  for (guint i = 0; i < self->n_slots; i++)
    if (is_wanted_token (self, &self->slots[i], uri))
      {
        found = self->slots[i].token;
        n++;
      }
  if (n == 1)
    return found;
  if (n == 0)
    x509_error_set (error,
                    DPS_PLUGIN_BUSY,
                    X509_CAUSE_NO_TOKEN,
                    WHERE " is not there; plug it in, or correct key=");
  else
    x509_error_set (error,
                    DPS_PLUGIN_INVALID_ARGUMENT,
                    X509_CAUSE_NO_TOKEN,
                    "what key= in [plugin x509] says fits %u tokens; add serial=",
                    n);
  return NULL;
}

static gboolean
refuse_pin (X509Error *error, DpsPluginResult result, const char *text)
{
  return x509_error_set (error, result, X509_CAUSE_PIN, WHERE " %s", text);
}

static gboolean
refuse_locked (X509Error *error)
{
  return x509_error_set (error,
                         DPS_PLUGIN_REJECTED,
                         X509_CAUSE_PIN_LOCKED,
                         WHERE
                         " is locked after wrong PINs; unlock it with its own tools");
}

/* What the module said to something that is not about a PIN. */
static gboolean
refuse_code (TokenKey *self, const char *cause, const char *step, X509Error *error)
{
  unsigned int code = last_code (self->libp11);
  gboolean gone = code == RV_DEVICE_ERROR || code == RV_DEVICE_REMOVED ||
                  code == RV_TOKEN_NOT_PRESENT || code == RV_TOKEN_NOT_RECOGNIZED;

  return x509_error_set (error,
                         gone ? DPS_PLUGIN_BUSY : DPS_PLUGIN_FAILED,
                         gone ? X509_CAUSE_NO_TOKEN : cause,
                         WHERE ": %s failed (code 0x%x)",
                         step,
                         code);
}

static gboolean
refuse_login (TokenKey *self, X509Error *error)
{
  switch (last_code (self->libp11))
    {
    case RV_PIN_INCORRECT:
    case RV_PIN_INVALID:
    case RV_PIN_LEN_RANGE:
      return refuse_pin (error,
                         DPS_PLUGIN_INVALID_ARGUMENT,
                         "refuses the PIN; correct the file that passphrase-file= names");
    case RV_PIN_EXPIRED:
      return refuse_pin (error,
                         DPS_PLUGIN_INVALID_ARGUMENT,
                         "wants a new PIN; set it with its own tools");
    case RV_PIN_LOCKED:
      return refuse_locked (error);
    default:
      return refuse_code (self, X509_CAUSE_FAILED, "the login", error);
    }
}

/* One C_Login at most: each wrong one counts. */
static gboolean
log_in (TokenKey *self, PKCS11_TOKEN *token, const DpsPluginView *pin, X509Error *error)
{
  char text[PIN_MAX + 1] = { 0 };
  int result;

  if (!token->loginRequired)
    return TRUE;
  if (token->userPinLocked)
    return refuse_locked (error);
  if (!token->userPinSet)
    return refuse_pin (error,
                       DPS_PLUGIN_NOT_CONFIGURED,
                       "has no user PIN yet; set it with its own tools");
  if (pin == NULL || pin->size == 0)
    return refuse_pin (error,
                       DPS_PLUGIN_NOT_CONFIGURED,
                       "wants a PIN; put it into a file and set passphrase-file=");
  if (pin->size > PIN_MAX || memchr (pin->data, '\0', pin->size) != NULL)
    return refuse_pin (error,
                       DPS_PLUGIN_INVALID_ARGUMENT,
                       "gets a PIN that is none; correct the file that passphrase-file= "
                       "names");
  memcpy (text, pin->data, pin->size);
  result = self->libp11->PKCS11_login (token->slot, 0, text);
  explicit_bzero (text, sizeof text);
  return result == 0 || refuse_login (self, error);
}

static gboolean
is_wanted_key (const PKCS11_KEY *key, const X509Pkcs11Uri *uri)
{
  gsize size = 0;
  const guint8 *id = uri->id != NULL ? g_bytes_get_data (uri->id, &size) : NULL;

  return is_or_any (uri->object, key->label) &&
         (id == NULL || (key->id_len == size && memcmp (key->id, id, size) == 0));
}

static PKCS11_KEY *
find_key (TokenKey *self, PKCS11_TOKEN *token, const X509Pkcs11Uri *uri, X509Error *error)
{
  PKCS11_KEY *keys = NULL, *found = NULL;
  unsigned int n_keys = 0;
  guint n = 0;

  if (self->libp11->PKCS11_enumerate_keys (token, &keys, &n_keys) < 0)
    return refuse_code (self, X509_CAUSE_NO_KEY, "listing the keys", error), NULL;
  for (guint i = 0; i < n_keys; i++)
    if (is_wanted_key (&keys[i], uri))
      {
        found = &keys[i];
        n++;
      }
  if (n == 1)
    return found;
  if (n == 0)
    x509_error_set (error,
                    DPS_PLUGIN_INVALID_ARGUMENT,
                    X509_CAUSE_NO_KEY,
                    WHERE " has no private key with the id= and object= that key= says");
  else
    x509_error_set (error,
                    DPS_PLUGIN_INVALID_ARGUMENT,
                    X509_CAUSE_NO_KEY,
                    "what key= in [plugin x509] says fits %u keys of the token; add id=",
                    n);
  return NULL;
}

/* The public half as a key of OpenSSL's own, which asks the token for nothing. */
static EVP_PKEY *
copy_public (EVP_PKEY *of)
{
  guint8 *der = NULL;
  const guint8 *p;
  int size = of != NULL ? i2d_PUBKEY (of, &der) : -1;
  EVP_PKEY *copy = NULL;

  if (size > 0)
    {
      p = der;
      copy = d2i_PUBKEY (NULL, &p, size);
    }
  OPENSSL_free (der);
  return copy;
}

static gboolean
take_key (TokenKey *self, PKCS11_KEY *found, X509Error *error)
{
  g_autoptr (EVP_PKEY) public = self->libp11->PKCS11_get_public_key (found);

  self->private = self->libp11->PKCS11_get_private_key (found);
  self->key.public = copy_public (public);
  if (self->private == NULL || self->key.public == NULL)
    return x509_error_set (error,
                           DPS_PLUGIN_INVALID_ARGUMENT,
                           X509_CAUSE_NO_KEY,
                           WHERE " does not show the public half of the key; store it "
                                 "beside the key, with the same id");
  return x509_mechanism_check_key (self->key.public, WHERE, error);
}

static GBytes *
token_key_sign (X509Key *key,
                const char *mechanism,
                const guint8 *digest,
                gsize size,
                X509Error *error)
{
  TokenKey *self = (TokenKey *) key;
  g_autoptr (GBytes) signature =
      x509_mechanism_sign (self->private, mechanism, digest, size, error);

  if (signature != NULL && x509_signature_check (key->public,
                                                 mechanism,
                                                 digest,
                                                 size,
                                                 g_bytes_get_data (signature, NULL),
                                                 g_bytes_get_size (signature),
                                                 error))
    return g_steal_pointer (&signature);
  return NULL;
}

static gboolean
open_key (TokenKey *self,
          const X509Pkcs11Uri *uri,
          const DpsPluginView *pin,
          X509Error *error)
{
  PKCS11_TOKEN *token;
  PKCS11_KEY *found;

  self->libp11 = x509_libp11_get (error);
  if (self->libp11 == NULL || !load_module (self, uri, error))
    return FALSE;
  token = find_token (self, uri, error);
  if (token == NULL || !log_in (self, token, pin, error))
    return FALSE;
  found = find_key (self, token, uri, error);
  return found != NULL && take_key (self, found, error);
}

X509Key *
x509_key_open_pkcs11 (const DpsHost *host,
                      const char *uri,
                      const DpsPluginView *pin,
                      X509Error *error)
{
  g_auto (X509Pkcs11Uri) parsed = { NULL };
  g_autoptr (X509Key) key = (X509Key *) g_new0 (TokenKey, 1);

  key->free = token_key_free;
  key->sign = token_key_sign;
  if (!x509_pkcs11_uri_parse (uri, &parsed, error) ||
      !open_key ((TokenKey *) key, &parsed, pin, error))
    return NULL;
  ERR_clear_error ();
  return g_steal_pointer (&key);
}
