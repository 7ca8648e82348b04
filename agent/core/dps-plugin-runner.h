/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

#include "common/dps-secret.h"
#include "core/dps-plugin-guard.h"

/* DpsPluginRunner: calls the verbs of one attestation plugin, one after another, each in
 * a confined process of its own that is killed when its deadline passes and reaped before
 * the call ends; or, where it is to linger, in that of the call before. Nothing here
 * waits; everything is called from the main thread and answered in the default main
 * context. A verb's deadline counts from when its turn has come.
 *
 * Errors, all with a message that begins with "plugin NAME: " and says in which verb:
 *   DPS_ERROR_FAILED            it crashed, left, or broke the connection
 *   DPS_ERROR_TIMED_OUT         a deadline passed
 *   DPS_ERROR_REJECTED          another ABI or name, or an answer that is none
 *   DPS_ERROR_LIMITS_EXCEEDED   an answer over the limits
 *   DPS_ERROR_NOT_SUPPORTED     no such plugin, or it has no such verb
 *   DPS_ERROR_ACCESS_DENIED     its file is not trusted
 *   DPS_ERROR_NOT_CONFIGURED, INVALID_ARGUMENT, BUSY   as the plugin says
 *   whatever the TPM's opening fails with (dps_plugin_runner_set_tpm())
 *   G_IO_ERROR_CANCELLED        the caller's cancellable
 * and for each the process has ended when the caller hears of it. */
#define DPS_TYPE_PLUGIN_RUNNER (dps_plugin_runner_get_type ())
G_DECLARE_FINAL_TYPE (DpsPluginRunner, dps_plugin_runner, DPS, PLUGIN_RUNNER, GObject)

/* The largest challenge or blob, in bytes. */
#define DPS_PLUGIN_RUNNER_BLOB_MAX (16 * 1024)

/* How the kernel confined the process that answered, as it says itself. */
typedef struct
{
  gboolean seccomp;
  guint landlock;        /* ABI; 0 = none, its files are not confined */
  gboolean unix_sockets; /* it may open sockets of AF_UNIX */
} DpsPluginConfinement;

typedef enum
{
  DPS_PLUGIN_AVAILABLE_NOW,
  DPS_PLUGIN_AVAILABLE_LATER,
  DPS_PLUGIN_AVAILABLE_NEVER,
} DpsPluginAvailability;

typedef struct
{
  DpsPluginAvailability availability;
  char *reason; /* never NULL; empty = nothing to say */
  DpsPluginConfinement confinement;
} DpsPluginProbe;

typedef struct
{
  char *registration_id; /* checked; NULL = the configuration has to name it */
  char *kind;            /* "symmetric-key", "x509" or "tpm" */
  GHashTable *material;  /* char * → char *, never NULL */
  char *enrollment;      /* for people; NULL = none */
  DpsSecret *key;        /* 16..64 bytes for symmetric-key, else NULL */
  DpsPluginConfinement confinement;
} DpsPluginDescription;

void dps_plugin_probe_free (DpsPluginProbe *self);
void dps_plugin_description_free (DpsPluginDescription *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (DpsPluginProbe, dps_plugin_probe_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (DpsPluginDescription, dps_plugin_description_free)

/* host_path: dps-plugin-host, absolute. plugin_dir: NULL = the one compiled in. */
DpsPluginRunner *dps_plugin_runner_new (const char *host_path,
                                        const char *plugin_dir,
                                        const char *name);

const char *dps_plugin_runner_get_name (DpsPluginRunner *self);

/* For tests: ms in which a plugin has to be ready, and ms for its verb, instead of those
 * of the table; 0 = the table's. */
void dps_plugin_runner_set_deadlines (DpsPluginRunner *self, guint start, guint verb);

/* For checking a plugin that is not installed, never in the agent: its file and the
 * directories above it may belong to anybody. */
void dps_plugin_runner_set_any_owner (DpsPluginRunner *self, gboolean any_owner);

/* Opens the TPM for one process, the caller's and close-on-exec; -1 with error. In the
 * main thread, so it must not wait. */
typedef int (*DpsPluginTpmOpen) (gpointer data, GError **error);

/* Processes get a TPM from open, each its own, which ends with the process; what open
 * fails with is passed on with its domain and code, before there is a process. destroy
 * (may be NULL) is for data, when the runner has no use for it any more. open NULL = no
 * TPM. Only while no call is under way. */
void dps_plugin_runner_set_tpm (DpsPluginRunner *self,
                                DpsPluginTpmOpen open,
                                gpointer data,
                                GDestroyNotify destroy);

/* A process stays for ms after a verb that succeeded and serves the next verb of this
 * runner where settings, secrets and what it is allowed are the same; another takes its
 * place otherwise, and after any error. 0, as at first: a process for each verb. The one
 * that stays ends with the runner; it is reaped by the main loop. */
void dps_plugin_runner_set_linger (DpsPluginRunner *self, guint ms);

/* Copies guard; its data is destroyed with the runner. At most once. */
void dps_plugin_runner_set_guard (DpsPluginRunner *self, const DpsPluginGuard *guard);

/* Processes of all runners that have not ended or are not reaped. Whoever leaves the
 * main loop for good lets it go on until there is none. */
guint dps_plugin_runner_count_processes (void);

/* The one exception from the confinement: children may open sockets of AF_UNIX, for a
 * token daemon. */
void dps_plugin_runner_set_allow_unix (DpsPluginRunner *self, gboolean allow_unix);

/* From spawning to the reply of Load, of the last call that got so far, in µs. */
gint64 dps_plugin_runner_get_start_time (DpsPluginRunner *self);

/* settings: char * → char *, the plugin's group; secrets: char * → DpsSecret *; either
 * may be NULL. Both are copied from before these return. */
void dps_plugin_runner_probe_async (DpsPluginRunner *self,
                                    GHashTable *settings,
                                    GHashTable *secrets,
                                    GCancellable *cancellable,
                                    GAsyncReadyCallback callback,
                                    gpointer data);
DpsPluginProbe *dps_plugin_runner_probe_finish (DpsPluginRunner *self,
                                                GAsyncResult *result,
                                                GError **error);

void dps_plugin_runner_describe_async (DpsPluginRunner *self,
                                       GHashTable *settings,
                                       GHashTable *secrets,
                                       GCancellable *cancellable,
                                       GAsyncReadyCallback callback,
                                       gpointer data);
DpsPluginDescription *dps_plugin_runner_describe_finish (DpsPluginRunner *self,
                                                         GAsyncResult *result,
                                                         GError **error);

/* challenge: what the service sent, at most 16 KiB. The result is the blob to store. */
void dps_plugin_runner_answer_async (DpsPluginRunner *self,
                                     GHashTable *settings,
                                     GHashTable *secrets,
                                     DpsSecret *challenge,
                                     GCancellable *cancellable,
                                     GAsyncReadyCallback callback,
                                     gpointer data);
DpsSecret *dps_plugin_runner_answer_finish (DpsPluginRunner *self,
                                            GAsyncResult *result,
                                            GError **error);

/* slot: "service" or "hub"; blob: of an earlier answer, or NULL; data: at most 16 KiB.
 * The result is a signature of 1 to 1024 bytes. */
void dps_plugin_runner_sign_async (DpsPluginRunner *self,
                                   GHashTable *settings,
                                   GHashTable *secrets,
                                   const char *slot,
                                   const char *mechanism,
                                   DpsSecret *blob,
                                   GBytes *data_to_sign,
                                   GCancellable *cancellable,
                                   GAsyncReadyCallback callback,
                                   gpointer data);
GBytes *dps_plugin_runner_sign_finish (DpsPluginRunner *self,
                                       GAsyncResult *result,
                                       GError **error);

/* Has the plugin undo what an answer left outside the blob; nothing to forget is TRUE. */
void dps_plugin_runner_forget_async (DpsPluginRunner *self,
                                     GHashTable *settings,
                                     GHashTable *secrets,
                                     GCancellable *cancellable,
                                     GAsyncReadyCallback callback,
                                     gpointer data);
gboolean dps_plugin_runner_forget_finish (DpsPluginRunner *self,
                                          GAsyncResult *result,
                                          GError **error);
