/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

/* The one table of configuration keys (design §5). The loader, the man page
 * dps-agent.conf(5), the example file and `dpsctl config` all come from it. */

typedef enum
{
  DPS_CONFIG_ENDPOINT,
  DPS_CONFIG_ID_SCOPE,
  DPS_CONFIG_REGISTRATION_ID,
  DPS_CONFIG_ATTESTATION,
  DPS_CONFIG_PAYLOAD_FILE,
  DPS_CONFIG_API_VERSION,
  DPS_CONFIG_CERTIFICATE_ISSUANCE,
  DPS_CONFIG_SPLAY_SECONDS,
  DPS_CONFIG_REQUIRE_PRIVATE_ADDRESS,
  DPS_CONFIG_ALLOW_GLOBAL_ENDPOINT,
  DPS_CONFIG_PRIVATE_RANGES,
  DPS_CONFIG_ADDRESS,
  DPS_CONFIG_PROXY,
  DPS_CONFIG_NO_PROXY,
  DPS_CONFIG_CA_FILE,
  DPS_CONFIG_REQUIRED_PROTECTION,
  DPS_CONFIG_TPM_TCTI,
  DPS_CONFIG_TPM_OWNER_AUTH_FILE,
  DPS_CONFIG_TPM_ENDORSEMENT_AUTH_FILE,
  DPS_CONFIG_TPM_SRK_AUTH_FILE,
  DPS_CONFIG_KEY_FILE,
  DPS_CONFIG_GROUP_KEY_FILE,
  DPS_CONFIG_X509_CERTIFICATE,
  DPS_CONFIG_X509_KEY,
  DPS_CONFIG_X509_PASSPHRASE_FILE,
  DPS_CONFIG_EK_TEMPLATE,
  DPS_CONFIG_PERSIST_EK,
  DPS_CONFIG_PERSIST_HANDLE,
  DPS_CONFIG_REGISTRATION_ID_FORM,
  DPS_CONFIG_CONSUMER_USER,
  DPS_CONFIG_CONSUMER_UNIT,
  DPS_CONFIG_CONSUMER_GRANTS,
  DPS_CONFIG_CONSUMER_AUDIENCE,
  DPS_CONFIG_CONSUMER_MAX_TTL,
  DPS_CONFIG_CONSUMER_RATE,
  DPS_CONFIG_N_KEYS
} DpsConfigId;

typedef enum
{
  DPS_CONFIG_TYPE_STRING,
  DPS_CONFIG_TYPE_BOOLEAN,   /* yes, no, true, false */
  DPS_CONFIG_TYPE_UINT,      /* decimal, min to max */
  DPS_CONFIG_TYPE_ENUM,      /* one of values */
  DPS_CONFIG_TYPE_PLUGIN,    /* one of values, or another plugin's name */
  DPS_CONFIG_TYPE_ADDRESSES, /* ;-separated, dps-config-address.h */
  DPS_CONFIG_TYPE_FILE,      /* absolute path or credential:NAME */
  DPS_CONFIG_TYPE_SECRET,    /* the same, and its content is a secret */
  DPS_CONFIG_TYPE_KEY,       /* the same, or the URI of a key in a token or TPM */
} DpsConfigType;

typedef struct
{
  const char *group; /* "consumer" stands for every [consumer NAME] */
  const char *key;
  DpsConfigType type;
  const char *fallback; /* the default in its written form; NULL = none */
  guint min, max;       /* of DPS_CONFIG_TYPE_UINT */
  const char *values;   /* of DPS_CONFIG_TYPE_ENUM and _PLUGIN: "a|b|c" */
  const char *lacks;    /* NULL = supported, else completes "this version does not …" */
  const char *text;     /* one plain paragraph for man page and example */
} DpsConfigKey;

typedef struct
{
  const char *name; /* a pattern such as "consumer" stands for every [consumer NAME] */
  const char *text;
} DpsConfigGroup;

/* The oldest device API that issues certificates (dps-protocol §2.9), and the default
 * where one is to be issued. */
#define DPS_CONFIG_API_VERSION_ISSUING "2025-07-01-preview"

#define DPS_CONFIG_CONSUMER "consumer"
#define DPS_CONFIG_PLUGIN "plugin" /* every [plugin NAME] that has no row of its own */

/* Whether group, as in the table, is one of these two and stands for "group NAME". */
gboolean dps_config_group_is_pattern (const char *group);

/* Static; never NULL for a valid id. */
const DpsConfigKey *dps_config_key (DpsConfigId id);

/* All groups in the order of the table, *n of them; static. */
const DpsConfigGroup *dps_config_groups (gsize *n);

/* The pattern for a group of its kind ("consumer" for "consumer NAME"), else the name
 * itself; NULL where there is no such group. Static. */
const char *dps_config_find_group (const char *group);

/* FALSE where group (as from dps_config_find_group()) has no such key. */
gboolean dps_config_find_key (const char *group, const char *key, DpsConfigId *id);

/* TRUE where value means the same as the key's default. */
gboolean dps_config_is_default (const DpsConfigKey *key, const char *value);

/* What a reader should know of the values: "yes or no", "0 to 3600", "one of a, b"; the
 * caller's. */
char *dps_config_key_describe_values (const DpsConfigKey *key);

/* What an unknown group or key may have meant, for the end of a message: "; did you mean
 * …?" with the nearest name, or the group where that key lives, or where to read on. The
 * caller's. */
char *dps_config_suggest_group (const char *group);
char *dps_config_suggest_key (const char *group, const char *key);

/* The plugin whose name plugin is likely a slip of, among those with a group in the table
 * and further, which may be NULL; NULL where none is near. Borrowed. */
const char *dps_config_find_near_plugin (const char *plugin, const char *further);
