/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "em-token.h"

#include "em-codec.h"

#include <string.h>

#include <openssl/crypto.h>

#define SCHEME "SharedAccessSignature "
/* Enough for any date, and far from overflowing gint64. */
#define EXPIRY_DIGITS_MAX 15

/* The members as they came, still encoded. */
typedef struct
{
  char *sr;
  char *sig;
  char *se;
  char *skn;
} Token;

static void
token_clear (Token *token)
{
  g_clear_pointer (&token->sr, g_free);
  g_clear_pointer (&token->sig, g_free);
  g_clear_pointer (&token->se, g_free);
  g_clear_pointer (&token->skn, g_free);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Token, token_clear)

static char **
token_member (Token *token, const char *name)
{
  if (g_str_equal (name, "sr"))
    return &token->sr;
  if (g_str_equal (name, "sig"))
    return &token->sig;
  if (g_str_equal (name, "se"))
    return &token->se;
  if (g_str_equal (name, "skn"))
    return &token->skn;
  return NULL;
}

static gboolean
token_parse (const char *authorization, Token *token)
{
  g_auto (GStrv) pairs = NULL;

  if (g_ascii_strncasecmp (authorization, SCHEME, strlen (SCHEME)) != 0)
    return FALSE;

  pairs = g_strsplit (authorization + strlen (SCHEME), "&", -1);
  for (guint i = 0; pairs[i] != NULL; i++)
    {
      char *equals = strchr (pairs[i], '=');
      char **member;

      if (equals == NULL)
        return FALSE;
      *equals = '\0';
      member = token_member (token, pairs[i]);
      if (member == NULL)
        continue;
      if (*member != NULL)
        return FALSE;
      *member = g_strdup (equals + 1);
    }

  return token->sr != NULL && token->sig != NULL && token->se != NULL;
}

static gboolean
parse_expiry (const char *text, gint64 *expiry)
{
  gsize len = strlen (text);

  if (len == 0 || len > EXPIRY_DIGITS_MAX || strspn (text, "0123456789") != len)
    return FALSE;

  *expiry = g_ascii_strtoll (text, NULL, 10);
  return TRUE;
}

/* A bare plus is a space to whoever decodes a query, so it cannot be part of the base64.
 */
static GBytes *
parse_signature (const char *text)
{
  g_autofree char *decoded = NULL;

  if (strchr (text, '+') != NULL)
    return NULL;
  decoded = em_percent_decode (text);
  if (decoded == NULL)
    return NULL;
  return em_base64_decode (decoded);
}

static gboolean
is_signed_by (const Token *token, GBytes *signature, GBytes *key)
{
  g_autofree char *text = g_strconcat (token->sr, "\n", token->se, NULL);
  guint8 mac[EM_SHA256_LEN];

  if (g_bytes_get_size (signature) != sizeof mac)
    return FALSE;
  if (!em_hmac_sha256 (key, text, strlen (text), mac))
    return FALSE;
  return CRYPTO_memcmp (mac, g_bytes_get_data (signature, NULL), sizeof mac) == 0;
}

static gboolean
is_signed (const Token *token, GBytes *signature, GBytes *const *keys)
{
  for (guint i = 0; keys[i] != NULL; i++)
    if (is_signed_by (token, signature, keys[i]))
      return TRUE;

  return FALSE;
}

static gboolean
policy_allowed (const char *skn, const char *policy)
{
  return skn == NULL || *skn == '\0' || g_strcmp0 (skn, policy) == 0;
}

gboolean
em_token_same_registration (const char *sr, const char *resource)
{
  return g_ascii_strcasecmp (sr, resource) == 0;
}

/* host/devices/id, and a module of the device; only the host is compared without case. */
gboolean
em_token_same_device (const char *sr, const char *resource)
{
  gsize host = strcspn (resource, "/");
  gsize len = strlen (resource);
  const char *rest;

  if (strlen (sr) < len || g_ascii_strncasecmp (sr, resource, host) != 0 ||
      strncmp (sr + host, resource + host, len - host) != 0)
    return FALSE;

  rest = sr + len;
  if (*rest == '\0')
    return TRUE;
  return g_str_has_prefix (rest, "/modules/") && rest[strlen ("/modules/")] != '\0' &&
         strchr (rest + strlen ("/modules/"), '/') == NULL;
}

EmTokenVerdict
em_token_check (const char *authorization,
                const char *resource,
                EmTokenSame same,
                const char *policy,
                GBytes *const *keys,
                gint64 now)
{
  g_auto (Token) token = { 0 };
  g_autoptr (GBytes) signature = NULL;
  g_autofree char *sr = NULL;
  gint64 expiry = 0;

  if (authorization == NULL)
    return EM_TOKEN_ABSENT;
  if (!token_parse (authorization, &token) || !parse_expiry (token.se, &expiry))
    return EM_TOKEN_MALFORMED;

  signature = parse_signature (token.sig);
  sr = em_percent_decode (token.sr);
  if (signature == NULL || sr == NULL)
    return EM_TOKEN_MALFORMED;

  if (!same (sr, resource))
    return EM_TOKEN_WRONG_RESOURCE;
  if (!policy_allowed (token.skn, policy))
    return EM_TOKEN_WRONG_POLICY;
  if (keys[0] == NULL)
    return EM_TOKEN_NO_KEY;
  if (!is_signed (&token, signature, keys))
    return EM_TOKEN_BAD_SIGNATURE;
  if (expiry + EM_TOKEN_SKEW <= now)
    return EM_TOKEN_EXPIRED;

  return EM_TOKEN_OK;
}

const char *
em_token_verdict_name (EmTokenVerdict verdict)
{
  static const char *const names[] = {
    [EM_TOKEN_OK] = "ok",
    [EM_TOKEN_ABSENT] = "absent",
    [EM_TOKEN_MALFORMED] = "malformed",
    [EM_TOKEN_WRONG_RESOURCE] = "wrong-resource",
    [EM_TOKEN_WRONG_POLICY] = "wrong-policy",
    [EM_TOKEN_NO_KEY] = "no-enrolment",
    [EM_TOKEN_BAD_SIGNATURE] = "bad-signature",
    [EM_TOKEN_EXPIRED] = "expired",
  };

  G_STATIC_ASSERT (G_N_ELEMENTS (names) == EM_N_TOKEN_VERDICTS);
  g_return_val_if_fail (verdict < EM_N_TOKEN_VERDICTS, "unknown");
  return names[verdict];
}
