/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tpm-settings.h"

#include <string.h>

#include "tpm/dps-tpm.h"

/* Where owners keep keys: TCG's registry of reserved handles, table 2. */
#define HANDLE_FIRST 0x81000000u
#define HANDLE_LAST 0x817fffffu

static gboolean
read_choice (const DpsHost *host,
             const char *key,
             const char *no,
             const char *yes,
             gboolean *value)
{
  const char *text = host->get_setting (host, key);

  if (text == NULL)
    return TRUE;
  if (strcmp (text, no) != 0 && strcmp (text, yes) != 0)
    return FALSE;
  *value = strcmp (text, yes) == 0;
  return TRUE;
}

/* The words that a boolean has in agent.conf. */
static gboolean
read_boolean (const DpsHost *host, const char *key, gboolean *value)
{
  return read_choice (host, key, "no", "yes", value) ||
         read_choice (host, key, "false", "true", value);
}

static gboolean
read_handle (const DpsHost *host, const char *key, TPM2_HANDLE *handle)
{
  const char *text = host->get_setting (host, key);
  guint64 value;

  if (text == NULL || strcmp (text, "none") == 0)
    return TRUE;
  if (g_ascii_strncasecmp (text, "0x", 2) != 0 ||
      !g_ascii_string_to_unsigned (text + 2, 16, HANDLE_FIRST, HANDLE_LAST, &value, NULL))
    return FALSE;
  *handle = (TPM2_HANDLE) value;
  /* What is there would be replaced. */
  return *handle != DPS_TPM_HANDLE_SRK && *handle != DPS_TPM_HANDLE_EK;
}

const char *
tpm_settings_read (const DpsHost *host, TpmSettings *settings)
{
  *settings = (TpmSettings){ .persist_ek = TRUE };
  if (!read_choice (host, "ek-template", "standard", "legacy", &settings->legacy_ek))
    return "ek-template";
  if (!read_boolean (host, "persist-ek", &settings->persist_ek))
    return "persist-ek";
  if (!read_choice (host, "registration-id-form", "base32", "hex", &settings->hex))
    return "registration-id-form";
  if (!read_handle (host, "persist-handle", &settings->persist_handle))
    return "persist-handle";
  if (!read_boolean (host, "describe-enrollment", &settings->describe_enrollment))
    return "describe-enrollment";
  return NULL;
}
