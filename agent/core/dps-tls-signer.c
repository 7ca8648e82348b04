/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "core/dps-tls-signer.h"
#include "common/dps-log.h"
#include "core/dps-credential.h"
#include "core/dps-plugin-sign.h"

#include <string.h>

/* Who signs: a plugin for the service, or an identity. */
typedef struct
{
  gatomicrefcount refs;
  DpsPluginSetup *setup; /* NULL = identity signs, by way of signer */
  DpsSigner *signer;
  DpsIdentity *identity;
  GCancellable *cancellable; /* or NULL */
} Bridge;

/* One signature; the worker and the main loop have a reference each. */
typedef struct
{
  gatomicrefcount refs;
  Bridge *bridge;
  char *mechanism;
  GBytes *digest;
  GMutex lock; /* of what follows */
  GCond changed;
  gboolean done;
  GBytes *signature;
  GError *error;
} Call;

/* Not g_main_context_invoke(), which may do it in a worker while the loop is between two
 * iterations. */
static void
run_on_main_loop (GSourceFunc function, gpointer data)
{
  g_autoptr (GSource) source = g_idle_source_new ();

  g_source_set_priority (source, G_PRIORITY_DEFAULT);
  g_source_set_callback (source, function, data, NULL);
  g_source_attach (source, NULL);
}

static gboolean
bridge_free (gpointer data)
{
  Bridge *bridge = data;

  g_clear_pointer (&bridge->setup, dps_plugin_setup_unref);
  g_clear_pointer (&bridge->identity, dps_identity_unref);
  g_clear_object (&bridge->signer);
  g_clear_object (&bridge->cancellable);
  g_free (bridge);
  return G_SOURCE_REMOVE;
}

/* TLS may let go of its key in any thread; a plugin's process ends in the main one. */
static void
bridge_unref (gpointer data)
{
  Bridge *bridge = data;

  if (!g_atomic_ref_count_dec (&bridge->refs))
    return;
  if (g_main_context_is_owner (g_main_context_default ()))
    bridge_free (bridge);
  else
    run_on_main_loop (bridge_free, bridge);
}

static Bridge *
bridge_new (GCancellable *cancellable)
{
  Bridge *bridge = g_new0 (Bridge, 1);

  g_atomic_ref_count_init (&bridge->refs);
  bridge->cancellable = cancellable != NULL ? g_object_ref (cancellable) : NULL;
  return bridge;
}

static Call *
call_new (Bridge *bridge, const char *mechanism, const guint8 *digest, gsize size)
{
  Call *call = g_new0 (Call, 1);

  g_atomic_ref_count_init (&call->refs);
  g_atomic_ref_count_inc (&bridge->refs);
  call->bridge = bridge;
  call->mechanism = g_strdup (mechanism);
  call->digest = g_bytes_new (digest, size);
  g_mutex_init (&call->lock);
  g_cond_init (&call->changed);
  return call;
}

static Call *
call_ref (Call *call)
{
  g_atomic_ref_count_inc (&call->refs);
  return call;
}

static void
call_unref (Call *call)
{
  if (!g_atomic_ref_count_dec (&call->refs))
    return;
  bridge_unref (call->bridge);
  g_free (call->mechanism);
  g_bytes_unref (call->digest);
  g_clear_pointer (&call->signature, g_bytes_unref);
  g_clear_error (&call->error);
  g_mutex_clear (&call->lock);
  g_cond_clear (&call->changed);
  g_free (call);
}

/* --- on the main loop ------------------------------------------------------------------
 */

static void
on_signed (GObject *source, GAsyncResult *result, gpointer data)
{
  Call *call = data;
  GError *error = NULL;
  GBytes *signature = call->bridge->setup != NULL
                          ? dps_plugin_sign_finish (result, &error)
                          : dps_credential_sign_finish (result, &error);

  g_mutex_lock (&call->lock);
  call->signature = signature;
  call->error = error;
  call->done = TRUE;
  g_cond_signal (&call->changed);
  g_mutex_unlock (&call->lock);
  call_unref (call);
}

static gboolean
begin (gpointer data)
{
  Call *call = data;
  Bridge *bridge = call->bridge;

  dps_debug ((TOPIC ("tls")), "a handshake needs a signature by %s", call->mechanism);
  if (bridge->setup != NULL)
    dps_plugin_sign_async (bridge->setup,
                           DPS_PLUGIN_SLOT_SERVICE,
                           call->mechanism,
                           NULL,
                           call->digest,
                           bridge->cancellable,
                           on_signed,
                           call);
  else
    dps_credential_sign_async (bridge->signer,
                               bridge->identity,
                               call->mechanism,
                               call->digest,
                               bridge->cancellable,
                               on_signed,
                               call);
  return G_SOURCE_REMOVE;
}

/* --- in the worker ---------------------------------------------------------------------
 */

/* Comes in the thread that cancels, the main one: it has to find the lock free. */
static void
on_cancelled (GCancellable *cancellable, Call *call)
{
  g_mutex_lock (&call->lock);
  g_cond_signal (&call->changed);
  g_mutex_unlock (&call->lock);
}

static void
wait_for (Call *call)
{
  GCancellable *cancellable = call->bridge->cancellable;
  gulong handler = 0;

  if (cancellable != NULL)
    handler = g_cancellable_connect (cancellable, G_CALLBACK (on_cancelled), call, NULL);
  g_mutex_lock (&call->lock);
  while (!call->done && !g_cancellable_is_cancelled (cancellable))
    g_cond_wait (&call->changed, &call->lock);
  g_mutex_unlock (&call->lock);
  g_cancellable_disconnect (cancellable, handler);
}

static GBytes *
sign (gpointer data,
      const char *mechanism,
      const guint8 *digest,
      gsize size,
      GError **error)
{
  Bridge *bridge = data;
  Call *call;
  GBytes *signature;

  g_return_val_if_fail (!g_main_context_is_owner (g_main_context_default ()), NULL);

  call = call_new (bridge, mechanism, digest, size);
  run_on_main_loop (begin, call_ref (call));
  wait_for (call);
  g_mutex_lock (&call->lock);
  signature = g_steal_pointer (&call->signature);
  if (call->error != NULL)
    g_propagate_error (error, g_steal_pointer (&call->error));
  else if (signature == NULL)
    g_set_error_literal (error,
                         G_IO_ERROR,
                         G_IO_ERROR_CANCELLED,
                         "the signature is not waited for any more");
  g_mutex_unlock (&call->lock);
  call_unref (call);
  return signature;
}

DpsTlsIdentity *
dps_tls_signer_new (DpsPluginSetup *setup,
                    DpsCertificateChain *chain,
                    GCancellable *cancellable,
                    GError **error)
{
  Bridge *bridge = bridge_new (cancellable);

  bridge->setup = dps_plugin_setup_ref (setup);
  return dps_tls_identity_new (chain, sign, bridge, bridge_unref, error);
}

DpsTlsIdentity *
dps_tls_signer_new_for_identity (DpsSigner *signer,
                                 DpsIdentity *identity,
                                 GCancellable *cancellable,
                                 GError **error)
{
  g_autoptr (DpsCertificateChain) chain =
      dps_certificate_chain_new_from_pem (identity->chain,
                                          strlen (identity->chain),
                                          error);
  Bridge *bridge;

  if (chain == NULL)
    return NULL;
  bridge = bridge_new (cancellable);
  bridge->signer = signer != NULL ? g_object_ref (signer) : NULL;
  bridge->identity = dps_identity_ref (identity);
  return dps_tls_identity_new (chain, sign, bridge, bridge_unref, error);
}
