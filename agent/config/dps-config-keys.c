/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "config/dps-config-keys.h"

#include <string.h>

static const DpsConfigGroup groups[] = {
  { "provisioning", "What to register, and where." },
  { "network", "How the provisioning service and the hub are reached." },
  { "store", "How the identity is kept on disk." },
  { "tpm", "The TPM, for the store and for attestation." },
  { "plugin symmetric-key", "Attestation with a symmetric key." },
  { "plugin x509", "Attestation with an X.509 certificate." },
  { "plugin tpm", "Attestation with the TPM's endorsement key." },
  { DPS_CONFIG_PLUGIN,
    "One group per attestation plugin from elsewhere, which attestation=NAME chooses."
    " Its keys are the plugin's own, see its manual: at most 32, of a-z, 0-9 and -. Of a"
    " key that ends in -file the agent reads the file (an absolute path, or"
    " credential:NAME; at most 16) and hands its content to the plugin as a secret; every"
    " other value goes to the plugin as it is written here." },
  { DPS_CONFIG_CONSUMER,
    "One group per local service that may use the identity. NAME has 1 to 32 characters "
    "of"
    " a-z, 0-9 and -." },
};

#define NO_CONSUMERS "hand credentials to services other than root's"
#define NO_PROXY "reach the service through a proxy"

/* clang-format off */
static const DpsConfigKey keys[] = {
  [DPS_CONFIG_ENDPOINT] = {
    .group = "provisioning", .key = "endpoint", .type = DPS_CONFIG_TYPE_STRING,
    .text = "Host name of the service endpoint of your DPS instance, as"
            " contoso-dps.azure-devices-provisioning.net; Azure shows it as"
            " serviceOperationsHostName. The name stays the public one where a private"
            " endpoint is used: DNS leads it there. Required." },
  [DPS_CONFIG_ID_SCOPE] = {
    .group = "provisioning", .key = "id-scope", .type = DPS_CONFIG_TYPE_STRING,
    .text = "ID scope of the DPS instance, as 0ne00ABCDEF, in the case Azure shows."
            " Required." },
  [DPS_CONFIG_REGISTRATION_ID] = {
    .group = "provisioning", .key = "registration-id", .type = DPS_CONFIG_TYPE_STRING,
    .text = "Name of this device at the provisioning service: 1 to 128 letters, digits"
            " and - . _ : with neither . nor _ nor : at an end. Without it the"
            " attestation plugin names the device; symmetric-key has no name of its own,"
            " so there it is required." },
  [DPS_CONFIG_ATTESTATION] = {
    .group = "provisioning", .key = "attestation", .type = DPS_CONFIG_TYPE_PLUGIN,
    .values = "symmetric-key|x509|tpm",
    .text = "The plugin that proves who this device is. Required." },
  [DPS_CONFIG_PAYLOAD_FILE] = {
    .group = "provisioning", .key = "payload-file", .type = DPS_CONFIG_TYPE_FILE,
    .text = "A JSON object of at most 64 KiB that is sent with each registration, for"
            " custom allocation." },
  [DPS_CONFIG_API_VERSION] = {
    .group = "provisioning", .key = "api-version", .type = DPS_CONFIG_TYPE_STRING,
    .fallback = "2021-06-01",
    .text = "Version of the device API to ask for, as YYYY-MM-DD or"
            " YYYY-MM-DD-preview. With certificate-issuance=yes the default is"
            " " DPS_CONFIG_API_VERSION_ISSUING ", and an older one is an error." },
  [DPS_CONFIG_CERTIFICATE_ISSUANCE] = {
    .group = "provisioning", .key = "certificate-issuance",
    .type = DPS_CONFIG_TYPE_BOOLEAN, .fallback = "no",
    .text = "Whether to ask the service for a certificate with which this device shows"
            " itself to its hub, whatever it is attested by. Its key is made in the TPM"
            " where that seals the store and has the curve P-384, else it lies in the"
            " store. The agent renews the certificate after 80 % of its lifetime. The"
            " enrolment needs a certificate policy, and the registration id at most 64"
            " characters." },
  [DPS_CONFIG_SPLAY_SECONDS] = {
    .group = "provisioning", .key = "splay-seconds", .type = DPS_CONFIG_TYPE_UINT,
    .fallback = "30", .min = 0, .max = 3600,
    .text = "After boot the first attempt waits up to this many seconds, the same on one"
            " device each time, so that a site does not start all at once." },
  [DPS_CONFIG_REQUIRE_PRIVATE_ADDRESS] = {
    .group = "network", .key = "require-private-address", .type = DPS_CONFIG_TYPE_ENUM,
    .fallback = "auto", .values = "auto|yes|no",
    .lacks = "enforce the class of addresses",
    .text = "Whether a public address of the service may be used: yes never sends a"
            " packet to one, auto uses, records and shows it, no does not look." },
  [DPS_CONFIG_ALLOW_GLOBAL_ENDPOINT] = {
    .group = "network", .key = "allow-global-endpoint", .type = DPS_CONFIG_TYPE_BOOLEAN,
    .fallback = "no",
    .text = "Whether endpoint= may be the global device endpoint. It may move data out of"
            " the region and is not reached through a private endpoint." },
  [DPS_CONFIG_PRIVATE_RANGES] = {
    .group = "network", .key = "private-ranges", .type = DPS_CONFIG_TYPE_STRING,
    .lacks = "enforce the class of addresses",
    .text = "Further address ranges that count as private, separated by semicolons." },
  [DPS_CONFIG_ADDRESS] = {
    .group = "network", .key = "address", .type = DPS_CONFIG_TYPE_ADDRESSES,
    .text = "Addresses to connect to in place of what DNS says, separated by semicolons:"
            " ADDRESS[:PORT] for the endpoint, HOST=ADDRESS[:PORT] for another host such"
            " as the hub. An IPv6 address stands in brackets. Names and certificates are"
            " checked as without it. Remember that a private endpoint may move." },
  [DPS_CONFIG_PROXY] = {
    .group = "network", .key = "proxy", .type = DPS_CONFIG_TYPE_STRING, .lacks = NO_PROXY,
    .text = "HTTP proxy to connect through, as http://HOST:PORT." },
  [DPS_CONFIG_NO_PROXY] = {
    .group = "network", .key = "no-proxy", .type = DPS_CONFIG_TYPE_STRING,
    .lacks = NO_PROXY,
    .text = "Hosts that are reached without the proxy, separated by semicolons." },
  [DPS_CONFIG_CA_FILE] = {
    .group = "network", .key = "ca-file", .type = DPS_CONFIG_TYPE_FILE,
    .text = "PEM file with root certificates to trust in addition to the system's, for"
            " networks that inspect TLS." },
  [DPS_CONFIG_REQUIRED_PROTECTION] = {
    .group = "store", .key = "required-protection", .type = DPS_CONFIG_TYPE_ENUM,
    .fallback = "none", .values = "none|tpm2",
    .text = "The least protection the stored identity must have: none, or tpm2 to refuse"
            " to keep it where no TPM can seal it." },
  [DPS_CONFIG_TPM_TCTI] = {
    .group = "tpm", .key = "tcti", .type = DPS_CONFIG_TYPE_STRING,
    .fallback = "device:/dev/tpmrm0",
    .text = "Where the TPM is: device:PATH, or unix:PATH for a simulator in tests." },
  [DPS_CONFIG_TPM_OWNER_AUTH_FILE] = {
    .group = "tpm", .key = "owner-auth-file", .type = DPS_CONFIG_TYPE_SECRET,
    .text = "Password of the TPM's owner hierarchy, at most 64 bytes; a line end after"
            " it does not count." },
  [DPS_CONFIG_TPM_ENDORSEMENT_AUTH_FILE] = {
    .group = "tpm", .key = "endorsement-auth-file", .type = DPS_CONFIG_TYPE_SECRET,
    .text = "Password of the TPM's endorsement hierarchy, likewise." },
  [DPS_CONFIG_TPM_SRK_AUTH_FILE] = {
    .group = "tpm", .key = "srk-auth-file", .type = DPS_CONFIG_TYPE_SECRET,
    .text = "Password of the TPM's storage root key, likewise. It is tried only where that"
            " key has noda: the TPM counts wrong ones for any other." },
  [DPS_CONFIG_KEY_FILE] = {
    .group = "plugin symmetric-key", .key = "key-file", .type = DPS_CONFIG_TYPE_SECRET,
    .text = "The device's symmetric key in base64, as the enrolment shows it. Not needed"
            " where the key was imported with dpsctl import-key." },
  [DPS_CONFIG_GROUP_KEY_FILE] = {
    .group = "plugin symmetric-key", .key = "group-key-file",
    .type = DPS_CONFIG_TYPE_SECRET,
    .text = "The key of an enrolment group in base64, from which the key of this"
            " registration id is derived; instead of key-file=. A file has to be in"
            " /var/lib/dps-agent/import and the agent's own: the derived key is put into"
            " the store, and the file is removed. A new file there replaces the key. A"
            " credential stays on the host, of which dpsctl status warns. Whoever reads a"
            " group key can be any device of the group." },
  [DPS_CONFIG_X509_CERTIFICATE] = {
    .group = "plugin x509", .key = "certificate", .type = DPS_CONFIG_TYPE_FILE,
    .text = "The device's certificate and every intermediate up to what the service has"
            " enrolled, leaf first, in PEM or DER: at most 8 certificates and 16 KiB. Its"
            " common name is the registration id. What is new in the file counts from the"
            " next attempt on. Required with attestation=x509." },
  [DPS_CONFIG_X509_KEY] = {
    .group = "plugin x509", .key = "key", .type = DPS_CONFIG_TYPE_KEY,
    .text = "The certificate's private key, RSA of 2048 to 4096 bits or EC on P-256 or"
            " P-384: a file in PEM or DER, encrypted or not, or wrapped by this TPM (TSS2"
            " PRIVATE KEY); a pkcs11: URI of a key in a token, without pin-value and"
            " pin-source; or handle:0x81000010, say, of a persistent key in the TPM. A file is root's"
            " or the agent's, and no one else reads it. Required with attestation=x509." },
  [DPS_CONFIG_X509_PASSPHRASE_FILE] = {
    .group = "plugin x509", .key = "passphrase-file", .type = DPS_CONFIG_TYPE_SECRET,
    .text = "Passphrase of an encrypted private key, PIN of its token, or its"
            " authorization in the TPM; a line end after it does not count." },
  [DPS_CONFIG_EK_TEMPLATE] = {
    .group = "plugin tpm", .key = "ek-template", .type = DPS_CONFIG_TYPE_ENUM,
    .fallback = "standard", .values = "standard|legacy",
    .text = "Template from which the endorsement key is made where the TPM keeps none:"
            " standard is TCG's, which the manufacturer's certificate is for; legacy has"
            " an empty unique field, as enrolments made with older tools do." },
  [DPS_CONFIG_PERSIST_EK] = {
    .group = "plugin tpm", .key = "persist-ek", .type = DPS_CONFIG_TYPE_BOOLEAN,
    .fallback = "yes",
    .text = "Whether the endorsement key is kept in the TPM, at 0x81010001, once it was"
            " made." },
  [DPS_CONFIG_PERSIST_HANDLE] = {
    .group = "plugin tpm", .key = "persist-handle", .type = DPS_CONFIG_TYPE_STRING,
    .fallback = "none",
    .text = "Persistent handle, 0x81000000 to 0x817fffff, at which the hub key is kept"
            " as well, replacing what is there, for hosts on which older agents use it"
            " too; none = the store alone has it." },
  [DPS_CONFIG_REGISTRATION_ID_FORM] = {
    .group = "plugin tpm", .key = "registration-id-form", .type = DPS_CONFIG_TYPE_ENUM,
    .fallback = "base32", .values = "base32|hex",
    .text = "How the registration id is written that follows from the SHA-256 of the"
            " endorsement key where registration-id= names none: base32 has 52"
            " characters, hex 64." },
  [DPS_CONFIG_CONSUMER_USER] = {
    .group = DPS_CONFIG_CONSUMER, .key = "user", .type = DPS_CONFIG_TYPE_STRING,
    .lacks = NO_CONSUMERS, .text = "User whose processes are this consumer on the bus." },
  [DPS_CONFIG_CONSUMER_UNIT] = {
    .group = DPS_CONFIG_CONSUMER, .key = "unit", .type = DPS_CONFIG_TYPE_STRING,
    .lacks = NO_CONSUMERS,
    .text = "Unit that gets its credentials by LoadCredential=." },
  [DPS_CONFIG_CONSUMER_GRANTS] = {
    .group = DPS_CONFIG_CONSUMER, .key = "grants", .type = DPS_CONFIG_TYPE_STRING,
    .lacks = NO_CONSUMERS,
    .text = "What the consumer may have, separated by semicolons: info, token, sign,"
            " payload, export. Whoever has sign is the device toward the hub." },
  [DPS_CONFIG_CONSUMER_AUDIENCE] = {
    .group = DPS_CONFIG_CONSUMER, .key = "audience", .type = DPS_CONFIG_TYPE_STRING,
    .lacks = NO_CONSUMERS, .text = "What the consumer's tokens are valid for." },
  [DPS_CONFIG_CONSUMER_MAX_TTL] = {
    .group = DPS_CONFIG_CONSUMER, .key = "max-ttl", .type = DPS_CONFIG_TYPE_UINT,
    .min = 60, .max = 3600, .lacks = NO_CONSUMERS,
    .text = "Longest life of a token for the consumer, in seconds." },
  [DPS_CONFIG_CONSUMER_RATE] = {
    .group = DPS_CONFIG_CONSUMER, .key = "rate", .type = DPS_CONFIG_TYPE_UINT,
    .min = 1, .max = 3600, .lacks = NO_CONSUMERS,
    .text = "Most credentials the consumer gets in one hour." },
};
/* clang-format on */
G_STATIC_ASSERT (G_N_ELEMENTS (keys) == DPS_CONFIG_N_KEYS);

const DpsConfigKey *
dps_config_key (DpsConfigId id)
{
  g_return_val_if_fail (id < DPS_CONFIG_N_KEYS, NULL);

  return &keys[id];
}

const DpsConfigGroup *
dps_config_groups (gsize *n)
{
  *n = G_N_ELEMENTS (groups);
  return groups;
}

gboolean
dps_config_group_is_pattern (const char *group)
{
  return g_str_equal (group, DPS_CONFIG_CONSUMER) ||
         g_str_equal (group, DPS_CONFIG_PLUGIN);
}

const char *
dps_config_find_group (const char *group)
{
  for (gsize i = 0; i < G_N_ELEMENTS (groups); i++)
    if (g_str_equal (groups[i].name, group) && !dps_config_group_is_pattern (group))
      return groups[i].name;
  if (g_str_has_prefix (group, DPS_CONFIG_CONSUMER " "))
    return DPS_CONFIG_CONSUMER;
  return g_str_has_prefix (group, DPS_CONFIG_PLUGIN " ") ? DPS_CONFIG_PLUGIN : NULL;
}

gboolean
dps_config_find_key (const char *group, const char *key, DpsConfigId *id)
{
  for (gsize i = 0; i < G_N_ELEMENTS (keys); i++)
    if (g_str_equal (keys[i].group, group) && g_str_equal (keys[i].key, key))
      {
        *id = (DpsConfigId) i;
        return TRUE;
      }
  return FALSE;
}

static gboolean
is_yes (const char *value)
{
  return g_str_equal (value, "yes") || g_str_equal (value, "true");
}

gboolean
dps_config_is_default (const DpsConfigKey *key, const char *value)
{
  if (key->fallback == NULL)
    return FALSE;
  if (key->type == DPS_CONFIG_TYPE_BOOLEAN)
    return is_yes (key->fallback) == is_yes (value);
  if (key->type == DPS_CONFIG_TYPE_UINT)
    return g_ascii_strtoull (key->fallback, NULL, 10) ==
           g_ascii_strtoull (value, NULL, 10);
  return g_str_equal (key->fallback, value);
}

char *
dps_config_key_describe_values (const DpsConfigKey *key)
{
  switch (key->type)
    {
    case DPS_CONFIG_TYPE_BOOLEAN:
      return g_strdup ("yes or no (true, false)");
    case DPS_CONFIG_TYPE_UINT:
      return g_strdup_printf ("a number from %u to %u", key->min, key->max);
    case DPS_CONFIG_TYPE_ENUM:
      {
        g_auto (GStrv) values = g_strsplit (key->values, "|", -1);
        g_autofree char *list = g_strjoinv (", ", values);

        return g_strdup_printf ("one of %s", list);
      }
    case DPS_CONFIG_TYPE_PLUGIN:
      {
        g_auto (GStrv) values = g_strsplit (key->values, "|", -1);
        g_autofree char *list = g_strjoinv (", ", values);

        return g_strdup_printf ("%s, or the name of an installed plugin", list);
      }
    case DPS_CONFIG_TYPE_ADDRESSES:
      return g_strdup ("a list, separated by semicolons");
    case DPS_CONFIG_TYPE_FILE:
    case DPS_CONFIG_TYPE_SECRET:
      return g_strdup ("an absolute path, or credential:NAME");
    case DPS_CONFIG_TYPE_KEY:
      return g_strdup ("an absolute path, credential:NAME, or a pkcs11: or handle: URI");
    case DPS_CONFIG_TYPE_STRING:
    default:
      return g_strdup ("text");
    }
}

/* Levenshtein's distance, in one row; names longer than any of ours are simply far. */
static guint
distance (const char *a, const char *b)
{
  guint row[40];
  gsize size = strlen (b);

  if (size + 1 > G_N_ELEMENTS (row) || strlen (a) > G_N_ELEMENTS (row))
    return G_MAXUINT;
  for (gsize j = 0; j <= size; j++)
    row[j] = (guint) j;
  for (gsize i = 1; a[i - 1] != '\0'; i++)
    {
      guint diagonal = row[0];

      row[0] = (guint) i;
      for (gsize j = 1; j <= size; j++)
        {
          guint replace = diagonal + (a[i - 1] != b[j - 1]);

          diagonal = row[j];
          row[j] = MIN (replace, MIN (row[j], row[j - 1]) + 1);
        }
    }
  return row[size];
}

/* Further off than a third of its length a name is another word, not a slip. */
static gboolean
is_near (const char *typed, const char *name, guint *best)
{
  guint d = distance (typed, name);

  if (d >= *best || d > strlen (name) / 3)
    return FALSE;
  *best = d;
  return TRUE;
}

char *
dps_config_suggest_group (const char *group)
{
  const char *nearest = NULL;
  guint best = G_MAXUINT;

  for (gsize i = 0; i < G_N_ELEMENTS (groups); i++)
    if (is_near (group, groups[i].name, &best))
      nearest = groups[i].name;
  if (nearest == NULL)
    return g_strdup ("; see dps-agent.conf(5)");
  if (dps_config_group_is_pattern (nearest))
    return g_strdup_printf ("; did you mean [%s NAME]?", nearest);
  return g_strdup_printf ("; did you mean [%s]?", nearest);
}

const char *
dps_config_find_near_plugin (const char *plugin, const char *further)
{
  const char *nearest = NULL;
  guint best = G_MAXUINT;

  for (gsize i = 0; i < G_N_ELEMENTS (groups); i++)
    if (g_str_has_prefix (groups[i].name, DPS_CONFIG_PLUGIN " ") &&
        is_near (plugin, groups[i].name + strlen (DPS_CONFIG_PLUGIN " "), &best))
      nearest = groups[i].name + strlen (DPS_CONFIG_PLUGIN " ");
  if (further != NULL && is_near (plugin, further, &best))
    nearest = further;
  return nearest;
}

char *
dps_config_suggest_key (const char *group, const char *key)
{
  const char *nearest = NULL;
  guint best = G_MAXUINT;

  for (gsize i = 0; i < G_N_ELEMENTS (keys); i++)
    if (g_str_equal (keys[i].key, key))
      return g_strdup_printf ("; this key belongs in group [%s]",
                              g_str_equal (keys[i].group, DPS_CONFIG_CONSUMER)
                                  ? "consumer NAME"
                                  : keys[i].group);
  for (gsize i = 0; i < G_N_ELEMENTS (keys); i++)
    if (g_str_equal (keys[i].group, group) && is_near (key, keys[i].key, &best))
      nearest = keys[i].key;
  if (nearest == NULL)
    return g_strdup ("; see dps-agent.conf(5)");
  return g_strdup_printf ("; did you mean '%s'?", nearest);
}
