/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "x509-error.h"

#include <libp11.h>

/* libp11, which is there only where its package is installed: what is used of it, under
 * the library's own names. */
#define X509_LIBP11_FUNCTIONS(X)                                                         \
  X (PKCS11_CTX_new)                                                                     \
  X (PKCS11_CTX_load)                                                                    \
  X (PKCS11_CTX_unload)                                                                  \
  X (PKCS11_CTX_free)                                                                    \
  X (PKCS11_enumerate_slots)                                                             \
  X (PKCS11_release_all_slots)                                                           \
  X (PKCS11_get_slotid_from_slot)                                                        \
  X (PKCS11_login)                                                                       \
  X (PKCS11_enumerate_keys)                                                              \
  X (PKCS11_get_private_key)                                                             \
  X (PKCS11_get_public_key)                                                              \
  X (ERR_get_CKR_code)

#define X509_LIBP11_MEMBER(name) __typeof__ (&name) name;
typedef struct
{
  X509_LIBP11_FUNCTIONS (X509_LIBP11_MEMBER)
} X509Libp11;
#undef X509_LIBP11_MEMBER

/* Loaded at the first call, and never unloaded. Static. NULL with NotSupported and the
 * cause pkcs11-module. */
const X509Libp11 *x509_libp11_get (X509Error *error);
