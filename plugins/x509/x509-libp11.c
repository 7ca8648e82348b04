/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "x509-libp11.h"

#include <dlfcn.h>

#define LIBRARY "libp11.so.3"

static const char *const names[] = {
#define NAME(name) #name,
  X509_LIBP11_FUNCTIONS (NAME)
#undef NAME
};

/* The members are function pointers alone, in the order of the names. */
static union
{
  X509Libp11 functions;
  gpointer symbols[G_N_ELEMENTS (names)];
} libp11;
G_STATIC_ASSERT (sizeof (X509Libp11) == sizeof (gpointer) * G_N_ELEMENTS (names));

static gboolean
refuse (X509Error *error)
{
  const char *why = dlerror ();

  return x509_error_set (error,
                         DPS_PLUGIN_NOT_SUPPORTED,
                         X509_CAUSE_MODULE,
                         "a pkcs11: key needs " LIBRARY
                         ": %s; install the package libp11-3",
                         why != NULL ? why : "it is another version");
}

const X509Libp11 *
x509_libp11_get (X509Error *error)
{
  static gpointer library;

  if (library != NULL)
    return &libp11.functions;
  library = dlopen (LIBRARY, RTLD_NOW | RTLD_LOCAL);
  if (library == NULL)
    return refuse (error), NULL;
  for (gsize i = 0; i < G_N_ELEMENTS (names); i++)
    {
      libp11.symbols[i] = dlsym (library, names[i]);
      if (libp11.symbols[i] == NULL)
        {
          refuse (error);
          dlclose (g_steal_pointer (&library));
          return NULL;
        }
    }
  return &libp11.functions;
}
