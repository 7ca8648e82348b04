/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "common/dps-secret.h"
#include "core/dps-plugin-guard.h"

/* DpsRefusal: the PIN or password that a token or TPM has refused, so that it is never
 * tried there again: such devices count, and lock. What is known of it is a salted hash
 * of key= and of the PIN, which the store seals; another PIN, or another key=, is another
 * thing. Main thread. */
typedef struct _DpsRefusal DpsRefusal;

DpsRefusal *dps_refusal_new (void);
DpsRefusal *dps_refusal_ref (DpsRefusal *self);
void dps_refusal_unref (DpsRefusal *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (DpsRefusal, dps_refusal_unref)

/* What is to be stored, NULL = nothing; borrowed until it changes. */
DpsSecret *dps_refusal_get (DpsRefusal *self);

/* As it was stored; references. NULL = forget. FALSE where it has another form, and then
 * nothing changes. */
gboolean dps_refusal_set (DpsRefusal *self, DpsSecret *stored);

/* changed is called when a refusal was noted, and has to be stored. NULL = nobody. */
void dps_refusal_watch (DpsRefusal *self, void (*changed) (gpointer data), gpointer data);

/* A guard for the runner of the plugin x509, which reads key= and the secrets "key" and
 * "passphrase". Has a reference of its own. */
DpsPluginGuard dps_refusal_guard (DpsRefusal *self);
