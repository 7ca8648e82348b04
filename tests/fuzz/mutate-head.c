/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "mutations.h"

#include <string.h>

typedef struct
{
  const char *text;
  Effect effect;
} Row;

static void
replace (char **text, const char *with)
{
  g_free (*text);
  *text = g_strdup (with);
}

static void
change_version (Answer *answer, Random *random)
{
  static const Row rows[] = {
    { "HTTP/1.0", UNSURE },
    { "HTTP/1.2", UNSURE },
    { "HTTP/1.9", UNSURE },
    { "HTTP/2", UNSURE },
    { "HTTP/2.0", UNSURE },
    { "HTTP/3", UNSURE },
    { "HTTP/0.9", BREAKS },
    { "HTTP/11", BREAKS },
    { "http/1.1", BREAKS },
    { "HTTP", BREAKS },
    { "HTTQ/1.1", BREAKS },
    { "", BREAKS },
    { "ICY", BREAKS },
    { "HTTP/1.", BREAKS },
    { "HTTP/-1.1", BREAKS },
    { " HTTP/1.1", BREAKS },
    { "\r\nHTTP/1.1", UNSURE },
    { "HTTP/1.1\t", BREAKS },
    { "HTTP/99999999999999999999.1", BREAKS },
  };
  const Row *row = &random_pick (random, rows);

  replace (&answer->version, row->text);
  answer_note (answer, "another version", row->effect);
}

static void
change_code (Answer *answer, Random *random)
{
  static const Row rows[] = {
    { "201", UNSURE },        { "203", UNSURE },
    { "204", UNSURE },        { "205", UNSURE },
    { "206", UNSURE },        { "299", UNSURE },
    { "", BREAKS },           { "0", BREAKS },
    { "20", BREAKS },         { "000", BREAKS },
    { "099", BREAKS },        { "2000", BREAKS },
    { "0200", BREAKS },       { "+200", BREAKS },
    { "-200", BREAKS },       { "2OO", BREAKS },
    { "200x", BREAKS },       { "2e2", BREAKS },
    { "0xc8", BREAKS },       { "abc", BREAKS },
    { " 200", BREAKS },       { "300", BREAKS },
    { "304", BREAKS },        { "400", BREAKS },
    { "401", BREAKS },        { "407", BREAKS },
    { "417", BREAKS },        { "500", BREAKS },
    { "600", BREAKS },        { "999", BREAKS },
    { "100", BREAKS },        { "199", BREAKS },
    { "4294967496", BREAKS }, { "18446744073709551816", BREAKS },
  };
  const Row *row = &random_pick (random, rows);

  replace (&answer->code, row->text);
  answer_note (answer, "another status code", row->effect);
}

static void
change_reason (Answer *answer, Random *random)
{
  static const Row rows[] = { { "", KEEPS },        { "H\xe9 \xff\x80", KEEPS },
                              { "200 200", KEEPS }, { "a\tb", KEEPS },
                              { "\r", UNSURE },     { "x\rHTTP/1.1 500 No", UNSURE } };
  static const gsize sizes[] = { 4000, 17000, 120000 };
  const Row *row = &random_pick (random, rows);

  if (random_once_in (random, 3))
    {
      gsize size = random_pick (random, sizes);

      g_free (answer->reason);
      answer->reason = g_strnfill (size, 'r');
      answer_note (answer, "a long reason", size < 8000 ? KEEPS : BREAKS);
      return;
    }
  replace (&answer->reason, row->text);
  answer_note (answer, "another reason", row->effect);
}

static gboolean
is_framing (const char *line)
{
  return g_str_has_prefix (line, "Transfer-") || g_str_has_prefix (line, "Content-L");
}

static void
drop_header (Answer *answer, Random *random)
{
  const char *line;
  Effect effect;
  gsize at;

  if (answer->headers->len == 0)
    return;
  at = random_below (random, answer->headers->len);
  line = answer->headers->pdata[at];
  /* A page is told from the service's own answer by its type alone, and what is framed by
   * a header needs it. */
  effect =
      g_str_has_prefix (line, "Content-Type: text") || is_framing (line) ? UNSURE : KEEPS;
  g_ptr_array_remove_index (answer->headers, (guint) at);
  answer_note (answer, "a header dropped", effect);
}

static void
add_header (Answer *answer, Random *random, const char *line)
{
  g_ptr_array_insert (answer->headers,
                      (gint) random_below (random, answer->headers->len + 1),
                      g_strdup (line));
}

static void
double_header (Answer *answer, Random *random)
{
  const char *line;
  gboolean unsure;

  if (answer->headers->len == 0)
    return;
  line = answer->headers->pdata[random_below (random, answer->headers->len)];
  unsure = is_framing (line) || strlen (line) >= 4000; /* a few of those are too much */
  add_header (answer, random, line);
  answer_note (answer, "a header doubled", unsure ? UNSURE : KEEPS);
}

static void
change_type (Answer *answer, Random *random)
{
  static const Row rows[] = {
    { "Content-Type: text/html", BREAKS },
    { "Content-Type: text/plain", BREAKS },
    { "Content-Type: application/jsonp", BREAKS },
    { "Content-Type: application/json-seq", BREAKS },
    { "Content-Type: application/problem+json", BREAKS },
    { "Content-Type: multipart/x; boundary=application/json", BREAKS },
    { "Content-Type: APPLICATION/JSON", KEEPS },
    { "content-type:application/json", KEEPS },
    { "Content-Type: \t application/json ; charset=\"utf-8\"", KEEPS },
    { "Content-Type: application/json; charset=utf-16", UNSURE },
    { "Content-Type:", UNSURE },
    { "Content-Type: ", UNSURE },
    { "Content-Type: \xff", UNSURE },
  };
  const Row *row = &random_pick (random, rows);

  for (guint i = 0; i < answer->headers->len; i++)
    if (g_ascii_strncasecmp (answer->headers->pdata[i], "content-type", 12) == 0)
      g_ptr_array_remove_index (answer->headers, i--);
  add_header (answer, random, row->text);
  /* Where there is nothing to believe the type changes nothing or, at most, the words. */
  answer_note (answer, row->text, answer_is_assigned (answer) ? row->effect : UNSURE);
}

static void
odd_header (Answer *answer, Random *random)
{
  static const Row rows[] = {
    { "X-Folded: a\r\n b\r\n\tc", KEEPS },
    { "X-Latin: \xe9\xff", KEEPS },
    { "X-Empty:", KEEPS },
    { "X-Colons: a: b: c", KEEPS },
    { "Set-Cookie: a=b; Domain=azure-devices.net", KEEPS },
    { "Retry-After: -5", KEEPS },
    { "Retry-After: 99999999999999999999999", KEEPS },
    { "Retry-After: Fri, 99 Foo 2026 25:61:61 GMT", KEEPS },
    { "Date: never", KEEPS },
    { "Location: //evil.example/", KEEPS },
    { "Connection: close", KEEPS },
    { "Strict-Transport-Security: max-age=99999999999999999999999999", KEEPS },
    { "Alt-Svc: h2=\"evil.example:443\"; ma=99999999", KEEPS },
    { "WWW-Authenticate: Basic realm=\"x\"", KEEPS },
    { "Content-Encoding: gzip", UNSURE },
    { "Content-Encoding: br, deflate", UNSURE },
    { "Content-Encoding: x-unknown", UNSURE },
    { "Content-Range: bytes 0-1/2", UNSURE },
    { "Upgrade: h2c", UNSURE },
    { "Trailer: X-A", KEEPS },
    { ": no name", UNSURE },
    { "no colon", UNSURE },
    { "X A: a space in the name", UNSURE },
    { "Content-Length : 3", UNSURE },
    { "X-Return: a\rb", UNSURE },
    { "X-Feed: a\nX-B: b", UNSURE },
    { "X-Return-Feed: a\r\r\nX-B: b", UNSURE },
    { " folded without a header", UNSURE },
    { "\r", UNSURE },
    { "X-Early-End: a\r\n", UNSURE },
    { "X-Early-End: a\n", UNSURE },
    { "HTTP/1.1 200 OK", UNSURE },
  };
  const Row *row = &random_pick (random, rows);

  add_header (answer, random, row->text);
  answer_note (answer, row->text, row->effect);
}

static void
huge_header (Answer *answer, Random *random)
{
  static const gsize sizes[] = { 4000, 8000, 17000, 70000, 110000, 200000 };
  gsize size = random_pick (random, sizes);
  g_autofree char *filler = g_strnfill (size, 'v');
  g_autofree char *line = g_strdup_printf ("X-Long: %s", filler);

  add_header (answer, random, line);
  answer_note (answer, "a huge header", size <= 8000 ? KEEPS : BREAKS);
}

static void
many_headers (Answer *answer, Random *random)
{
  static const gsize counts[] = { 100, 500, 3000, 10000 };
  gsize count = random_pick (random, counts);

  for (gsize i = 0; i < count; i++)
    g_ptr_array_add (answer->headers, g_strdup_printf ("X-%zu: %zu", i, i));
  answer_note (answer, "many headers", count <= 500 ? KEEPS : BREAKS);
}

/* From here on a mutation brings its own framing. */
static gboolean
take_framing (Answer *answer)
{
  if (answer->framing == FRAMING_CLOSE)
    return FALSE;
  answer->framing = FRAMING_CLOSE;
  answer->end = END_CLOSE;
  return TRUE;
}

static void
wrong_length (Answer *answer, Random *random)
{
  gsize size = answer->body->len;
  gboolean longer = random_once_in (random, 2);
  gsize off = 1 + random_below (random, longer ? 100000 : MAX (size, 1));
  g_autofree char *line = NULL;

  if (size == 0 || !take_framing (answer))
    return;
  line = g_strdup_printf ("Content-Length: %zu",
                          longer ? size + off : size - MIN (off, size));
  add_header (answer, random, line);
  answer_note (answer,
               longer ? "a length too large" : "a length too small",
               longer || answer->body->str[size - 1] == '}' ? BREAKS : UNSURE);
}

static void
odd_length (Answer *answer, Random *random)
{
  static const Row rows[] = {
    { "Content-Length: -1", BREAKS },
    { "Content-Length: 99999999999999999999999999", BREAKS },
    { "Content-Length: 9223372036854775807", BREAKS },
    { "Content-Length: 18446744073709551616", BREAKS },
    { "Content-Length: 1e3", BREAKS },
    { "Content-Length: 0x40", BREAKS },
    { "Content-Length:", UNSURE },
    { "Content-Length: x", UNSURE },
    { "Content-Length: +%zu", UNSURE },
    { "Content-Length: %zu, %zu", UNSURE },
    { "Content-Length: %zu %zu", UNSURE },
    { "Content-Length: %zux", UNSURE },
    { "Content-Length: %zu.5", UNSURE },
    { "Content-Length: 000000%zu", KEEPS },
    { "Content-Length: %zu\r\nContent-Length: %zu", UNSURE },
    { "Content-Length: 5\r\nContent-Length: %zu", UNSURE },
    { "Content-Length: %zu\r\nContent-Length: 5", UNSURE },
    { "Content-Length: %zu\r\nContent-Length: 70000", UNSURE },
    { "Content-Length: 0\r\nContent-Length: %zu", UNSURE },
    { "Content-Length: %zu\r\nTransfer-Encoding: identity", UNSURE },
    { "Content-Length: %zu\r\nTransfer-Encoding: chunked", UNSURE },
    { "Content-Length: %zu\r\nTransfer-Encoding: x", UNSURE },
  };
  g_autofree char *size = g_strdup_printf ("%zu", answer->body->len);
  const Row *row = &random_pick (random, rows);
  g_autoptr (GString) line = g_string_new (row->text);

  if (answer->body->len == 0 || !take_framing (answer))
    return;
  g_string_replace (line, "%zu", size, 0);
  add_header (answer, random, line->str);
  answer_note (answer, row->text, row->effect);
}

/* The body in chunks, length and end of each as given. */
static void
chunk_by_hand (Answer *answer, Random *random, const char *coding)
{
  g_autofree char *line = g_strdup_printf ("Transfer-Encoding: %s", coding);

  if (take_framing (answer))
    add_header (answer, random, line);
}

static void
odd_chunks (Answer *answer, Random *random)
{
  static const Row rows[] = {
    /* %zx is the size, @ the body. */
    { "%zx;a=b\r\n@\r\n0\r\n\r\n", KEEPS },
    { "%zx ; a=\"b\"\r\n@\r\n0;x\r\n\r\n", UNSURE },
    { "%zx\r\n@\r\n0\r\nX-Trailer: x\r\nDate: y\r\n\r\n", KEEPS },
    { "%zx\r\n@\r\n0000\r\n\r\n", KEEPS },
    { "00000000%zx\r\n@\r\n0\r\n\r\n", KEEPS },
    { "%zx\r\n@\r\n", BREAKS },
    { "%zx\r\n@", BREAKS },
    { "%zx\r\n@\r\n0", BREAKS },
    { "%zx\r\n@\r\n0\r\n", UNSURE },
    { "%zx\r\n@\r\n0\r\nX: y", UNSURE },
    { "%zx\n@\n0\n\n", UNSURE },
    { "%zx\r@\r0\r\r", BREAKS },
    { "%zx\r\n@0\r\n\r\n", UNSURE },
    { "%zx\r\n@XX0\r\n\r\n", UNSURE },
    { "-%zx\r\n@\r\n0\r\n\r\n", BREAKS },
    { "+%zx\r\n@\r\n0\r\n\r\n", UNSURE },
    { "0x%zx\r\n@\r\n0\r\n\r\n", BREAKS },
    { " %zx\r\n@\r\n0\r\n\r\n", UNSURE },
    { "\r\n%zx\r\n@\r\n0\r\n\r\n", UNSURE },
    { "zz\r\n@\r\n0\r\n\r\n", BREAKS },
    { "\r\n@\r\n0\r\n\r\n", BREAKS },
    { "1\r\n@\r\n0\r\n\r\n", BREAKS },
    { "7fffffffffffffff\r\n@\r\n0\r\n\r\n", BREAKS },
    { "ffffffffffffffff\r\n@\r\n0\r\n\r\n", BREAKS },
    { "10000000000000000%zx\r\n@\r\n0\r\n\r\n", BREAKS },
    { "@", BREAKS },
    { "0\r\n\r\n%zx\r\n@\r\n0\r\n\r\n", BREAKS },
  };
  const Row *row = &random_pick (random, rows);
  g_autofree char *size = g_strdup_printf ("%zx", answer->body->len);
  g_autoptr (GString) frame = g_string_new (row->text);
  char *body;

  if (answer->body->len < 2 || answer->framing == FRAMING_CLOSE)
    return;
  chunk_by_hand (answer, random, "chunked");
  g_string_replace (frame, "%zx", size, 0);
  body = strchr (frame->str, '@');
  g_string_prepend_len (answer->body, frame->str, body - frame->str);
  g_string_append (answer->body, body + 1);
  answer_note (answer, row->text, row->effect);
}

static void
long_chunk_parts (Answer *answer, Random *random)
{
  static const gsize sizes[] = { 100, 4000, 20000, 100000 };
  gsize size = random_pick (random, sizes);
  gboolean trailer = random_once_in (random, 2);
  g_autofree char *filler = g_strnfill (size, 't');

  if (answer->body->len == 0 || answer->framing == FRAMING_CLOSE)
    return;
  {
    g_autofree char *begin = g_strdup_printf (trailer ? "%zx%s\r\n" : "%zx;x=%s\r\n",
                                              answer->body->len,
                                              trailer ? "" : filler);
    g_autofree char *end =
        g_strdup_printf (trailer ? "\r\n0\r\nX-T: %s\r\n\r\n" : "\r\n0\r\n%s\r\n",
                         trailer ? filler : "");

    chunk_by_hand (answer, random, "chunked");
    g_string_prepend (answer->body, begin);
    g_string_append (answer->body, end);
  }
  answer_note (answer,
               trailer ? "a long trailer" : "a long extension",
               size <= 4000 ? KEEPS : UNSURE);
}

static void
odd_coding (Answer *answer, Random *random)
{
  static const char *const codings[] = {
    "CHUNKED",  "gzip, chunked", "chunked, chunked", "chunked, gzip", "identity", "x",
    "chunkedx", "\"chunked\"",   ",chunked",         "chunked;q=1",   ""
  };
  const char *coding = random_pick (random, codings);

  if (answer->framing == FRAMING_CLOSE || answer->body->len == 0)
    return;
  chunk_by_hand (answer, random, coding);
  if (random_once_in (random, 2))
    {
      g_autofree char *begin = g_strdup_printf ("%zx\r\n", answer->body->len);

      g_string_prepend (answer->body, begin);
      g_string_append (answer->body, "\r\n0\r\n\r\n");
    }
  answer_note (answer, "another transfer coding", UNSURE);
}

static void
until_close (Answer *answer, Random *random)
{
  if (take_framing (answer))
    answer_note (answer, "a body until the end", KEEPS);
}

static const Mutation table[] = {
  change_version, change_code,      change_reason, drop_header,
  double_header,  change_type,      odd_header,    odd_header,
  huge_header,    many_headers,     wrong_length,  odd_length,
  odd_chunks,     long_chunk_parts, odd_coding,    until_close,
};
const Mutations head_mutations = { table, G_N_ELEMENTS (table) };
