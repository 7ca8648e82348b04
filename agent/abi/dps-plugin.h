/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* The whole interface between dps-agent and an attestation plugin: this header, no
 * library.
 *
 * A plugin is a shared object, NAME.so, in the agent's plugin directory. It exports one
 * constant, dps_plugin_info:
 *
 *   #include <dps-plugin.h>
 *
 *   DPS_PLUGIN_EXPORT const DpsPluginInfo dps_plugin_info = {
 *     .abi = DPS_PLUGIN_ABI,
 *     .size = sizeof (DpsPluginInfo),
 *     .name = "example",
 *     .probe = example_probe,
 *     .describe = example_describe,
 *   };
 *
 * It is loaded into a confined process of its own (dps-plugin-host), never into the
 * agent. There it can not open sockets, start programs, fork or signal others; it opens
 * files for reading only, and where the kernel has Landlock only below /usr, /etc/ssl and
 * the plugin directory. What its settings name (a key file, a certificate) the agent
 * opens for it and hands over through DpsHost.
 *
 * The host compares abi, size and name before it calls anything. It then calls the verbs
 * one at a time, all from one thread, each under a deadline of the agent's:
 *
 *   loading and constructors 5 s, probe 2 s, describe 10 s, answer 20 s, sign 5 s,
 *   forget 10 s; with a TPM (tpm_fd()) all from describe on 150 s, since it may have
 *   to make a key.
 *
 * A verb may take its time within that; there is no main loop to keep alive. A plugin
 * that overruns is killed. One that needs threads may start them. A process may serve
 * further verbs, with the same settings and secrets, or be killed between two of them:
 * what a verb keeps in memory can save time, and no more.
 *
 * Growth: abi changes only when an old plugin could not work any more. Structures grow at
 * their end, and size says how much of one the other side knows. The host treats verbs
 * beyond a plugin's size as NULL; a plugin reads a member of DpsHost beyond the first
 * version only where host->size covers it.
 *
 * Memory: what the plugin returns it has allocated with g_malloc() and friends
 * (g_strdup(), g_memdup2()); it belongs to the host from the moment the verb returns,
 * with whatever result, and the host frees it with g_free(). Bytes the host wipes before
 * it frees them; a copy that the plugin made it wipes itself (explicit_bzero()). What a
 * plugin gets from the host is borrowed and valid until the verb returns. */

#define DPS_PLUGIN_ABI 1
#define DPS_PLUGIN_EXPORT __attribute__ ((visibility ("default")))

/* Limits, in bytes; strings without their final zero. What is longer is refused and the
 * verb fails with LimitsExceeded. */
#define DPS_PLUGIN_TEXT_MAX 1024           /* reasons, error texts, log lines */
#define DPS_PLUGIN_REGISTRATION_ID_MAX 128 /* as the service has it */
#define DPS_PLUGIN_KEY_MIN 16              /* a symmetric device key */
#define DPS_PLUGIN_KEY_MAX 64
#define DPS_PLUGIN_BLOB_MAX (16 * 1024) /* blobs, challenges, secrets */
#define DPS_PLUGIN_SIGNATURE_MAX 1024
#define DPS_PLUGIN_DATA_MAX (16 * 1024)  /* what sign() is given */
#define DPS_PLUGIN_MATERIAL_ITEMS_MAX 16 /* pairs */
#define DPS_PLUGIN_MATERIAL_KEY_MAX 64
#define DPS_PLUGIN_MATERIAL_VALUE_MAX (16 * 1024)
#define DPS_PLUGIN_ENROLLMENT_MAX (16 * 1024)

/* Limits of the process, libraries included, in bytes but for the third. An allocation
 * over the memory limits fails, and g_malloc() then ends the process; a build of the
 * agent with a sanitizer has only the others. Core files there are none. */
#define DPS_PLUGIN_PROCESS_DATA (128 * 1024 * 1024)          /* RLIMIT_DATA */
#define DPS_PLUGIN_PROCESS_ADDRESS_SPACE (512 * 1024 * 1024) /* RLIMIT_AS */
#define DPS_PLUGIN_PROCESS_DESCRIPTORS 64                    /* RLIMIT_NOFILE */
#define DPS_PLUGIN_PROCESS_FILE_SIZE (1024 * 1024)           /* RLIMIT_FSIZE */

/* What a verb returns. Anything but OK is an error; say what is wrong and what to do
 * about it with host->set_error(), in one line, without a secret. */
typedef enum
{
  DPS_PLUGIN_OK = 0,
  DPS_PLUGIN_FAILED = 1,           /* anything without a code of its own */
  DPS_PLUGIN_NOT_CONFIGURED = 2,   /* a setting or a secret is missing */
  DPS_PLUGIN_INVALID_ARGUMENT = 3, /* a setting or a secret has a bad value */
  DPS_PLUGIN_NOT_SUPPORTED = 4,    /* this machine or this plugin can not */
  DPS_PLUGIN_REJECTED = 5,         /* the challenge or the device does not fit */
  DPS_PLUGIN_BUSY = 6,             /* may work when tried again */
} DpsPluginResult;

typedef enum
{
  DPS_PLUGIN_USABLE_NOW = 1,
  DPS_PLUGIN_USABLE_LATER = 2, /* something may still appear: a device, a key */
  DPS_PLUGIN_USABLE_NEVER = 3, /* not on this machine, not with these settings */
} DpsPluginUsable;

typedef enum
{
  DPS_PLUGIN_KIND_SYMMETRIC_KEY = 1,
  DPS_PLUGIN_KIND_X509 = 2,
  DPS_PLUGIN_KIND_TPM = 3,
} DpsPluginKind;

/* The identity that is used: toward the provisioning service or toward the hub. */
typedef enum
{
  DPS_PLUGIN_SLOT_SERVICE = 1,
  DPS_PLUGIN_SLOT_HUB = 2,
} DpsPluginSlot;

typedef enum
{
  DPS_PLUGIN_LOG_WARNING = 4, /* an operator should act */
  DPS_PLUGIN_LOG_MESSAGE = 5, /* an operator should know */
  DPS_PLUGIN_LOG_INFO = 6,    /* steps */
  DPS_PLUGIN_LOG_DEBUG = 7,   /* for the plugin's author */
} DpsPluginLogLevel;

/* Bytes that the host lends: read only, valid until the verb returns. */
typedef struct
{
  const guint8 *data;
  gsize size;
} DpsPluginView;

/* Bytes that the plugin gives away: g_malloc()ed, wiped and freed by the host. Starts as
 * { NULL, 0 }. A buffer whose size is over the limit is neither read nor freed. */
typedef struct
{
  guint8 *data;
  gsize size;
} DpsPluginBytes;

typedef struct DpsHost DpsHost;

/* The host's functions. Call them only within a verb, from the thread that runs it. */
struct DpsHost
{
  guint32 size;  /* sizeof (DpsHost) as the host knows it */
  gpointer priv; /* the host's own */

  /* The value of key in the plugin's own configuration group, or NULL. Borrowed. */
  const char *(*get_setting) (const DpsHost *host, const char *key);

  /* The secret that the agent passed under this name: the content of the file that a
   * setting names, or an imported key. FALSE, and *secret empty, where there is none. At
   * most DPS_PLUGIN_BLOB_MAX bytes, as the file has them (white space included), no zero
   * at the end. Borrowed. */
  gboolean (*get_secret) (const DpsHost *host, const char *key, DpsPluginView *secret);

  /* The blob that an earlier answer() returned and that belongs to what is to be signed.
   * FALSE, and *blob empty, outside sign() and where there is none. Borrowed. */
  gboolean (*get_blob) (const DpsHost *host, DpsPluginView *blob);

  /* An open descriptor on which TPM commands are written and responses read, or -1. The
   * host's: do not close it. */
  int (*tpm_fd) (const DpsHost *host);

  /* Says why the verb fails: what, where, what to do. Copied, cut at DPS_PLUGIN_TEXT_MAX
   * bytes; the last call counts. Never pass a secret. */
  void (*set_error) (const DpsHost *host, const char *text);

  /* One line for the agent's log. Copied, cut at DPS_PLUGIN_TEXT_MAX bytes; the agent
   * takes at most 4 KiB from one plugin process. Never pass a secret. */
  void (*log) (const DpsHost *host, DpsPluginLogLevel level, const char *text);

  /* Beyond the first version, so only where host->size covers it
   * (DPS_HOST_HAS_SET_CAUSE).
   *
   * Names, beside set_error(), the kind of failure in one word, [a-z0-9-]{1,32}: where
   * the agent's table of failures has a row for it, the operator gets that row's code and
   * remedy; any other word is ignored. Copied; the last call counts, NULL takes it back.
   * The agent knows the words of agent/tpm/dps-tpm-error.h ("tpm-lockout") and those that
   * plugins/x509/README.md lists ("x509-expired"). */
  void (*set_cause) (const DpsHost *host, const char *cause);
};

#define DPS_HOST_HAS_SET_CAUSE(host)                                                     \
  ((host)->size >= G_STRUCT_OFFSET (DpsHost, set_cause) + sizeof (gpointer))

/* Results. The host hands them over zeroed, with size set; members beyond size are not
 * there. */
typedef struct
{
  guint32 size;
  DpsPluginUsable usable; /* required */
  char *reason;           /* why not now, and what would help; NULL = none */
} DpsPluginProbeOut;

typedef struct
{
  guint32 size;
  DpsPluginKind kind; /* required */

  /* The registration id that follows from the material (a certificate's common name, the
   * hash of an endorsement key), or NULL: the configuration must have one. */
  char *registration_id;

  /* Public material: name, value, name, value, …, NULL; a GStrv, or NULL for none.
   *   x509: "certificate" (PEM, leaf first), "thumbprint" (SHA-256, upper-case hex)
   *   tpm:  "endorsement-key", "storage-root-key" (base64 of the whole TPM2B_PUBLIC) */
  char **material;

  /* What an administrator needs to enrol this machine, for people: UTF-8, lines allowed;
   * NULL = none. */
  char *enrollment;

  /* Symmetric keys only: the device key, decoded, DPS_PLUGIN_KEY_MIN to
   * DPS_PLUGIN_KEY_MAX bytes. From here on the agent signs with it. */
  DpsPluginBytes key;
} DpsPluginDescribeOut;

typedef struct
{
  guint32 size;
  DpsPluginSlot slot;
  const char *mechanism; /* "HMAC-SHA256", "ECDSA-SHA256", "RSA-PSS-SHA256", … */
  DpsPluginView data;    /* what to sign, or its digest, as the mechanism says */
} DpsPluginSignIn;

/* What dps_plugin_info is. */
typedef struct
{
  guint32 abi;      /* DPS_PLUGIN_ABI */
  guint32 size;     /* sizeof (DpsPluginInfo) */
  const char *name; /* [a-z0-9-]{1,32}, that of the file without .so */

  /* Usable here, with these settings? Cheap: reads what is there, changes nothing. NULL =
   * usable now. */
  DpsPluginResult (*probe) (const DpsHost *host, DpsPluginProbeOut *out);

  /* Who this machine is. Required. Gives the same answer each time, as long as settings
   * and hardware stay. */
  DpsPluginResult (*describe) (const DpsHost *host, DpsPluginDescribeOut *out);

  /* Answers the challenge of the service with an opaque blob (1 to DPS_PLUGIN_BLOB_MAX
   * bytes) that the agent stores and passes back through get_blob(). NULL = NotSupported.
   */
  DpsPluginResult (*answer) (const DpsHost *host,
                             const DpsPluginView *challenge,
                             DpsPluginBytes *blob);

  /* Signs: 1 to DPS_PLUGIN_SIGNATURE_MAX bytes. NULL = NotSupported. */
  DpsPluginResult (*sign) (const DpsHost *host,
                           const DpsPluginSignIn *in,
                           DpsPluginBytes *signature);

  /* Undoes what answer() left outside the blob (a persistent handle). Nothing to forget
   * is OK. NULL = NotSupported. */
  DpsPluginResult (*forget) (const DpsHost *host);
} DpsPluginInfo;

/* The part of DpsPluginInfo that every plugin of ABI 1 has: everything up to forget(). */
#define DPS_PLUGIN_INFO_SIZE_1                                                           \
  (G_STRUCT_OFFSET (DpsPluginInfo, forget) + sizeof (gpointer))

G_END_DECLS
