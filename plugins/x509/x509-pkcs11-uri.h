/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "x509-error.h"

/* What a pkcs11: URI says (RFC 7512), decoded. NULL = not said. */
typedef struct
{
  char *token, *manufacturer, *serial, *model; /* the token, UTF-8 */
  char *object;                                /* the key's label, UTF-8 */
  GBytes *id;                                  /* the key's CKA_ID */
  char *slot_id;                               /* decimal, no leading zero */
  char *module_path;                           /* absolute */
  char *module_name;                           /* [A-Za-z0-9._-]{1,64} */
} X509Pkcs11Uri;

/* The attributes token=, manufacturer=, serial=, model=, object=, id=, type=private and
 * slot-id=, each at most once, separated by ";"; then, after "?", one of module-path= and
 * module-name=. Any other is refused, and so is a PIN, which is not repeated in the
 * text. At most 1024 bytes, a value at most 255. *out starts as { NULL } and is to be
 * cleared in any case; on failure InvalidArgument with the cause x509-key. Pure. */
gboolean x509_pkcs11_uri_parse (const char *text, X509Pkcs11Uri *out, X509Error *error);
void x509_pkcs11_uri_clear (X509Pkcs11Uri *self);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (X509Pkcs11Uri, x509_pkcs11_uri_clear)
