/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/dps-keeper.h"
#include "core/dps-settings.h"
#include "core/dps-report.h"
#include "core/dps-signer.h"

#include <gio/gio.h>

/* DpsProvisioner: decides when this host registers, and keeps the one attempt there may
 * be. It serves the identity in the keeper all along. Main thread only; nothing here
 * blocks.
 *
 * Signals: "busy" (property, boolean) is TRUE while an attempt or a wait of its own is
 * under way, so that whoever owns the process stays; "assignment-changed" (hub, device)
 * after an identity with another hub or device is on disk, or with two empty texts after
 * a reset. */
#define DPS_TYPE_PROVISIONER (dps_provisioner_get_type ())
G_DECLARE_FINAL_TYPE (DpsProvisioner, dps_provisioner, DPS, PROVISIONER, GObject)

typedef enum
{
  DPS_ORIGIN_OPERATOR, /* begins at once */
  DPS_ORIGIN_BOOT,     /* spread over splay-seconds */
  DPS_ORIGIN_TIMER     /* begins nothing but a renewal that is due */
} DpsOrigin;

/* All three are referenced. */
DpsProvisioner *dps_provisioner_new (DpsSettings *settings,
                                     DpsKeeper *keeper,
                                     DpsReport *report);

/* Whoever can tell whether the clock of this host is right; calls known once, on the main
 * loop. */
typedef void (*DpsClockAsk) (gpointer data,
                             void (*known) (gboolean synchronised, gpointer user),
                             gpointer user);

/* Who is asked when a server's certificate is not valid by the clock; nobody at first,
 * and the clock is held to be wrong then. data outlives self. */
void dps_provisioner_set_clock (DpsProvisioner *self, DpsClockAsk ask, gpointer data);

/* What signs with the identity in force; borrowed. */
DpsSigner *dps_provisioner_get_signer (DpsProvisioner *self);

/* Reads the configuration, and has the keeper read the store; the status follows. */
void dps_provisioner_start (DpsProvisioner *self);

/* Whether what is to be done has to wait: the store is being opened, or could not be and
 * is worth another try, for which mend asks. */
gboolean dps_provisioner_is_ready (DpsProvisioner *self, gboolean mend);

/* Comes back once the store was opened, whether or not it can be read then. With mend,
 * one that could not be read is read again, by the configuration as it is now: an
 * operator who has just mended it need not know of Reload. DPS_ERROR_BUSY after some
 * seconds: a TPM may never respond, and the caller has a deadline of its own. */
void dps_provisioner_ready_async (DpsProvisioner *self,
                                  gboolean mend,
                                  GAsyncReadyCallback callback,
                                  gpointer data);
gboolean dps_provisioner_ready_finish (DpsProvisioner *self,
                                       GAsyncResult *result,
                                       GError **error);

/* The store is being opened. */
gboolean dps_provisioner_is_opening (DpsProvisioner *self);

/* A group key is being taken in. Its file should be gone before anything else happens, so
 * after the start the owner waits for this to end. */
gboolean dps_provisioner_is_importing (DpsProvisioner *self);

/* Does nothing where an identity of the present configuration is in force whose
 * certificate, if it is one that the service issued, is not due for renewal; joins an
 * attempt in flight, otherwise starts one. DPS_ERROR_NOT_CONFIGURED or what the
 * configuration's error was, where there is none to work with. */
gboolean dps_provisioner_provision (DpsProvisioner *self,
                                    DpsOrigin origin,
                                    GError **error);

/* Registers again; the identity in force serves until the new one is on disk. */
gboolean dps_provisioner_reprovision (DpsProvisioner *self, GError **error);

/* Ends an attempt or a wait. */
void dps_provisioner_cancel (DpsProvisioner *self);

/* Reads the configuration again; on an error the one in force stays. DPS_ERROR_BUSY while
 * an attempt is in flight. */
gboolean dps_provisioner_reload (DpsProvisioner *self, GError **error);

/* Cancels, then forgets identity and imported key. */
void dps_provisioner_reset_async (DpsProvisioner *self,
                                  GAsyncReadyCallback callback,
                                  gpointer data);
gboolean dps_provisioner_reset_finish (DpsProvisioner *self,
                                       GAsyncResult *result,
                                       GError **error);

/* What an operator needs to enrol this host, as dps-enrollment.h has it; the caller's. An
 * attempt in flight is waited for, and the next one waits for this; callers at one time
 * get one answer. */
void dps_provisioner_get_enrollment_async (DpsProvisioner *self,
                                           GAsyncReadyCallback callback,
                                           gpointer data);
GVariant *dps_provisioner_get_enrollment_finish (DpsProvisioner *self,
                                                 GAsyncResult *result,
                                                 GError **error);

/* A key may be put into the keeper: no attempt and no reset is under way
 * (DPS_ERROR_BUSY), and the store can be read. */
gboolean dps_provisioner_may_import (DpsProvisioner *self, GError **error);

/* The origin of the group key that the configuration names, where it is there: a key that
 * is handed to the agent overrules it. The caller's, or NULL. */
char *dps_provisioner_find_group_file (DpsProvisioner *self);

/* The device key that comes from the group key in text (base64), for the registration id
 * of the configuration, which is read again; the caller's. DPS_ERROR_NOT_CONFIGURED where
 * it names none or another attestation than symmetric-key, DPS_ERROR_INVALID_ARGUMENT
 * where text is no key. */
DpsImportedKey *dps_provisioner_derive_key (DpsProvisioner *self,
                                            const DpsSecret *text,
                                            GError **error);

/* A key was put into the keeper, or that was tried; where it was done a wait for it ends.
 */
void dps_provisioner_key_imported (DpsProvisioner *self, gboolean done);
