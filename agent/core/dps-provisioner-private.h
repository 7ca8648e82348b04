/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/dps-attempt.h"
#include "core/dps-group-import.h"
#include "core/dps-provisioner.h"
#include "core/dps-recheck.h"
#include "core/dps-renewer.h"
#include "core/dps-tpm-watch.h"
#include "dps/dps-pacing.h"

/* What the files of DpsProvisioner share: dps-provisioner.c decides when an attempt
 * begins, dps-provisioner-attempt.c runs it,
 * dps-provisioner-import.c how keys come in, dps-provisioner-store.c how the
 * store is opened, dps-provisioner-loss.c what follows when an identity is dead,
 * dps-provisioner-reset.c how it is forgotten, dps-provisioner-renewal.c when a
 * certificate is renewed, dps-provisioner-enrollment.c when the host is described,
 * dps-provisioner-tpm.c when a wait for a TPM ends. */

typedef enum
{
  WANT_NOTHING,
  WANT_IDENTITY_AT_BOOT,
  WANT_IDENTITY,
  WANT_NEW_IDENTITY
} Want;

struct _DpsProvisioner
{
  GObject parent;
  DpsSettings *settings;
  DpsKeeper *keeper;
  DpsReport *report;
  DpsSigner *signer;
  DpsAttempt *attempt; /* the one in flight, or NULL */
  GCancellable *cancellable;
  GTask *reset; /* waits for the attempt to end */
  guint timer;  /* until the next attempt */
  Want due;     /* what the timer is for */
  DpsRecheck *recheck;
  DpsRenewer *renewer;
  DpsGroupImport *import;
  guint failures;
  guint losses;         /* of identities, since the start */
  gint64 not_before;    /* monotonic: the service asked to be left alone until then */
  DpsPollHistory polls; /* of all attempts: the service's limit knows none */
  Want want;            /* to be begun when what is under way has ended */
  GPtrArray *enrollment_tasks; /* who waits for it; NULL = nobody */
  gboolean describing;         /* and no attempt begins */
  gboolean resetting;
  gboolean preparing;     /* the store, for an attempt */
  gboolean looked;        /* for a group key, since the start */
  gboolean prepared;      /* and that was done */
  GSList *waiting;        /* GTasks of dps_provisioner_ready_async() */
  DpsTpmWatch *tpm_watch; /* for the TPM that is waited for, or NULL */
  gboolean tpm_hurried;   /* that ended a wait, and it is not gone again */
  guint refusal_timer;    /* until what a token has refused is stored */
  DpsClockAsk ask_clock;  /* or NULL */
  gpointer clock_data;
  gboolean busy;
};

/* Has what an attempt needs of the store made and tried; want is done after it. FALSE
 * where that was done just now. */
gboolean dps_provisioner_prepare_first (DpsProvisioner *self, Want want);
/* Reads again a store that could not be read; want is done after it. */
void dps_provisioner_mend_store (DpsProvisioner *self, Want want);
/* The store could not be read, heals by itself, and is tried again. */
gboolean dps_provisioner_store_heals (DpsProvisioner *self);

/* Takes a group key that lies there before anything else; want is done after it. FALSE
 * where there is none to take. */
gboolean dps_provisioner_import_first (DpsProvisioner *self, Want want);
/* DpsGroupImportDone */
void dps_provisioner_on_imported (DpsFailure *failure, gpointer data);

/* The signer's signal of that name: the host registers again, whoever noticed. */
void dps_provisioner_on_identity_lost (DpsSigner *signer,
                                       DpsIdentity *identity,
                                       DpsFailure *failure,
                                       gpointer data);

/* DpsRenewer's due: begins an attempt, unless one is under way or planned. */
void dps_provisioner_on_renewal_due (gpointer data);
/* The certificate in force is due for renewal, or has expired. */
gboolean dps_provisioner_must_renew (DpsProvisioner *self);
/* It is due, and good until the new one is there. */
gboolean dps_provisioner_serves_on (DpsProvisioner *self);
/* What the timer of systemd asks for. */
gboolean dps_provisioner_renew (DpsProvisioner *self, GError **error);

/* What a token has refused is written to the store, when that is free; data is the
 * DpsProvisioner. And it is in force as the store has it. */
void dps_provisioner_store_refusal (gpointer data);
void dps_provisioner_read_refusal (DpsProvisioner *self);

/* Lets the plugin describe the host where somebody waits for that; no attempt is in
 * flight. TRUE while it does. */
gboolean dps_provisioner_describe_first (DpsProvisioner *self);
/* An attempt begins when the description that is under way has ended. */
gboolean dps_provisioner_is_queued (DpsProvisioner *self);
/* TRUE while something has to end before an attempt can begin. */
gboolean dps_provisioner_must_wait (DpsProvisioner *self);

/* Nothing is under way: the state that follows from configuration and store. */
void dps_provisioner_rest (DpsProvisioner *self, const DpsFailure *reason);
/* Plans the next attempt, for want. */
void dps_provisioner_after_failure (DpsProvisioner *self,
                                    const DpsFailure *failure,
                                    Want want);
/* Where failure is a matter of the clock, asks about that, and done is called with what
 * it is then; else at once. Takes failure. */
void dps_provisioner_judge_clock (DpsProvisioner *self,
                                  DpsFailure *failure,
                                  void (*done) (DpsProvisioner *self,
                                                DpsFailure *failure));
/* Does what was asked for while something else was under way. */
void dps_provisioner_settle (DpsProvisioner *self);
/* Runs one attempt for want, after what has to come first, and stores what comes of it.
 */
void dps_provisioner_run_attempt (DpsProvisioner *self, Want want);
/* Begins an attempt for want at once, or when the service allows it. */
void dps_provisioner_begin_attempt (DpsProvisioner *self, Want want);
/* The same, unless there is an identity that will do. */
void dps_provisioner_begin (DpsProvisioner *self, Want want);
void dps_provisioner_end_waits (DpsProvisioner *self);
void dps_provisioner_end_wait (DpsProvisioner *self);
/* Empties the store, and has the plugin of the identity forget. */
void dps_provisioner_begin_reset (DpsProvisioner *self);
/* What is waited for begins now. */
void dps_provisioner_end_wait_early (DpsProvisioner *self);
/* Where failure is for want of a TPM, the wait that was planned ends when there is one;
 * once only for a TPM that is there, whatever a plugin says. */
void dps_provisioner_watch_tpm (DpsProvisioner *self, const DpsFailure *failure);
/* Announces whether anything is under way. */
void dps_provisioner_update_busy (DpsProvisioner *self);
/* Reads the configuration again; an error leaves the one in force where it was. */
gboolean dps_provisioner_refresh (DpsProvisioner *self, GError **error);
