/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

/* DpsPluginGuard: who is asked before each verb but probe of a runner, at its turn, and
 * told of each that failed. Main thread. */
typedef struct
{
  /* FALSE with error, DPS_ERROR, where the plugin must not be called with these settings
   * (a{ss}) and secrets (char * → DpsSecret *): no process is started then. */
  gboolean (*may_call) (gpointer data,
                        GVariant *settings,
                        GHashTable *secrets,
                        GError **error);
  /* error: the child's, as it came; also where the caller has given up meanwhile. */
  void (*failed) (gpointer data,
                  GVariant *settings,
                  GHashTable *secrets,
                  const GError *error);
  gpointer data; /* referenced by whoever sets the guard, until destroy */
  GDestroyNotify destroy;
} DpsPluginGuard;
