/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "em-request.h"

#include "em-codec.h"

#include <string.h>

GStrv
em_request_segments (const EmRequest *self)
{
  g_autofree char *path = g_strndup (self->target, strcspn (self->target, "?"));
  g_auto (GStrv) segments = NULL;

  if (*path != '/')
    return NULL;

  segments = g_strsplit (path + 1, "/", -1);
  for (guint i = 0; segments[i] != NULL; i++)
    {
      char *decoded = em_percent_decode (segments[i]);

      if (decoded == NULL)
        return NULL;
      g_free (segments[i]);
      segments[i] = decoded;
    }

  return g_steal_pointer (&segments);
}

char *
em_request_query (const EmRequest *self, const char *name)
{
  const char *query = strchr (self->target, '?');
  g_auto (GStrv) pairs = NULL;
  gsize len = strlen (name);

  if (query == NULL)
    return NULL;

  pairs = g_strsplit (query + 1, "&", -1);
  for (guint i = 0; pairs[i] != NULL; i++)
    if (strncmp (pairs[i], name, len) == 0 && pairs[i][len] == '=')
      return em_percent_decode (pairs[i] + len + 1);

  return NULL;
}

char *
em_request_host_name (const EmRequest *self)
{
  const char *host = self->host != NULL ? self->host : "";
  gsize len = *host == '[' ? strcspn (host, "]") + 1 : strcspn (host, ":");

  return g_ascii_strdown (host, (gssize) MIN (len, strlen (host)));
}
