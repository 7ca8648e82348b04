/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

/* The head of an answer, line by line as libcurl hands it over, held to what RFC 9112
 * says of the lines that decide where the answer ends: libcurl itself lets a lot pass.
 * Pure. */
typedef struct
{
  gboolean begun;    /* the status line was there */
  gboolean complete; /* and the empty line that ends it, of an answer that is final */
  gboolean interim;  /* status 1xx */
  gboolean chunked;
  char length[20]; /* digits of the Content-Length, "" = none */
} DpsHttpHead;

/* Takes the next line of size bytes, its end included; from all zero on. FALSE for what
 * is no HTTP/1 status line where one has to be, for a Content-Length that is no number or
 * not the one given before, and for a Transfer-Encoding other than chunked. */
gboolean dps_http_head_take (DpsHttpHead *self, const char *line, gsize size);
