/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "mutations.h"

#include <gio/gio.h>
#include <string.h>

/* ---- the body's text ---- */

static void
to_utf16 (Answer *answer, Random *random)
{
  gboolean big = random_once_in (random, 2);
  g_autoptr (GString) wide = g_string_new (NULL);

  if (random_once_in (random, 2))
    g_string_append_len (wide, big ? "\xfe\xff" : "\xff\xfe", 2);
  for (gsize i = 0; i < answer->body->len; i++)
    {
      g_string_append_c (wide, big ? '\0' : answer->body->str[i]);
      g_string_append_c (wide, big ? answer->body->str[i] : '\0');
    }
  g_string_truncate (answer->body, 0);
  g_string_append_len (answer->body, wide->str, (gssize) wide->len);
  answer_note (answer, "UTF-16", BREAKS);
}

static void
byte_order_mark (Answer *answer, Random *random)
{
  g_string_prepend (answer->body, "\xef\xbb\xbf");
  answer_note (answer, "a byte order mark", BREAKS);
}

static void
surround (Answer *answer, Random *random)
{
  g_string_prepend (answer->body, " \r\n\t");
  g_string_append (answer->body, "\n \n");
  answer_note (answer, "white space around", answer->body->len <= 65536 ? KEEPS : BREAKS);
}

static void
trail (Answer *answer, Random *random)
{
  static const char *const tails[] = {
    "x", "{}", ",", "]", "}", "null", "\f", "\xff", "#"
  };

  if (random_once_in (random, 4))
    g_string_append_c (answer->body, '\0');
  else
    g_string_append (answer->body, random_pick (random, tails));
  answer_note (answer, "something behind the JSON", BREAKS);
}

static gboolean
ends_in_space (const Answer *answer)
{
  return answer->body->len > 0 &&
         g_ascii_isspace (answer->body->str[answer->body->len - 1]);
}

/* What cuts no more than white space off spoils nothing. */
static void
truncate_body (Answer *answer, Random *random)
{
  if (answer->body->len == 0)
    return;
  g_string_truncate (answer->body, random_below (random, answer->body->len));
  answer_note (answer, "a cut body", ends_in_space (answer) ? UNSURE : BREAKS);
}

static void
twice (Answer *answer, Random *random)
{
  g_autofree char *copy = g_strndup (answer->body->str, answer->body->len);

  g_string_append_len (answer->body, copy, (gssize) answer->body->len);
  answer_note (answer, "the body twice", BREAKS);
}

/* Up to the bound, one beyond it, and far beyond. */
static void
pad (Answer *answer, Random *random)
{
  static const gsize sizes[] = { 65536, 65536, 65537, 70000, 131072, 300000 };
  gsize size = random_pick (random, sizes);

  if (answer->body->len >= size)
    return;
  while (answer->body->len < size)
    g_string_append_c (answer->body, ' ');
  answer_note (answer, "a padded body", size == 65536 ? KEEPS : BREAKS);
}

static void
compress (Answer *answer, Random *random)
{
  g_autoptr (GZlibCompressor) zip =
      g_zlib_compressor_new (G_ZLIB_COMPRESSOR_FORMAT_GZIP, 6);
  g_autoptr (GOutputStream) memory = g_memory_output_stream_new_resizable ();
  g_autoptr (GOutputStream) stream =
      g_converter_output_stream_new (memory, G_CONVERTER (zip));
  GMemoryOutputStream *out = G_MEMORY_OUTPUT_STREAM (memory);

  g_output_stream_write_all (stream,
                             answer->body->str,
                             answer->body->len,
                             NULL,
                             NULL,
                             NULL);
  g_output_stream_close (stream, NULL, NULL);
  g_string_truncate (answer->body, 0);
  g_string_append_len (answer->body,
                       g_memory_output_stream_get_data (out),
                       (gssize) g_memory_output_stream_get_data_size (out));
  g_ptr_array_add (answer->headers, g_strdup ("Content-Encoding: gzip"));
  answer_note (answer, "gzip, not asked for", BREAKS);
}

static const Mutation body_table[] = {
  to_utf16, byte_order_mark, surround, trail, truncate_body, twice, pad, compress,
};
const Mutations body_mutations = { body_table, G_N_ELEMENTS (body_table) };

/* ---- all bytes ---- */

static void
flip (Answer *answer, Random *random)
{
  gsize flips = 1 + random_below (random, 4);

  for (gsize i = 0; i < flips && answer->bytes->len > 0; i++)
    answer->bytes->str[random_below (random, answer->bytes->len)] ^=
        (char) (1 << random_below (random, 8));
  answer_note (answer, "flipped bits", UNSURE);
}

static void
insert (Answer *answer, Random *random)
{
  static const char *const pieces[] = { "\r", "\n",   "\r\n", "\r\n\r\n", " ",
                                        ":",  "\"",   "{",    "}",        ",",
                                        "\\", "\xff", "\t",   "0",        "%s",
                                        "-1", ";",    "/*",   "\x80",     "\x1b" };
  const char *piece = random_pick (random, pieces);
  gsize at = random_below (random, answer->bytes->len + 1);

  if (random_once_in (random, 10))
    g_string_insert_c (answer->bytes, (gssize) at, '\0');
  else
    g_string_insert (answer->bytes, (gssize) at, piece);
  answer_note (answer, "inserted bytes", UNSURE);
}

static void
erase (Answer *answer, Random *random)
{
  gsize at = random_below (random, answer->bytes->len);
  gsize size = 1 + random_below (random, MIN (answer->bytes->len - at, 16));

  g_string_erase (answer->bytes, (gssize) at, (gssize) size);
  answer_note (answer, "erased bytes", UNSURE);
}

static void
repeat (Answer *answer, Random *random)
{
  gsize at = random_below (random, answer->bytes->len);
  gsize size = 1 + random_below (random, MIN (answer->bytes->len - at, 64));
  g_autofree char *copy = g_memdup2 (answer->bytes->str + at, size);

  g_string_insert_len (answer->bytes,
                       (gssize) random_below (random, answer->bytes->len + 1),
                       copy,
                       (gssize) size);
  answer_note (answer, "repeated bytes", UNSURE);
}

/* The beginning of this one, the end of another. */
static void
splice (Answer *answer, Random *random)
{
  g_autoptr (Answer) other =
      answer_new (&kinds[random_below (random, n_kinds)], answer->number);
  gsize at;

  answer_write_body (other);
  answer_write_head (other);
  answer_write_payload (other, random);
  g_string_truncate (answer->bytes, random_below (random, answer->bytes->len));
  at = random_below (random, other->bytes->len);
  g_string_append_len (answer->bytes,
                       other->bytes->str + at,
                       (gssize) (other->bytes->len - at));
  answer_note (answer, "spliced with another", UNSURE);
}

static void
end_early (Answer *answer, Random *random)
{
  gsize cut = 1 + random_below (random, answer->bytes->len);
  gboolean all_of_it = answer->framing == FRAMING_CLOSE || cut <= 5;

  g_string_truncate (answer->bytes, answer->bytes->len - cut);
  answer->end = random_once_in (random, 2) ? END_CLOSE : END_CUT;
  answer_note (answer, "an early end", all_of_it ? UNSURE : BREAKS);
}

static void
no_close_notify (Answer *answer, Random *random)
{
  answer->end = END_CUT;
  answer_note (answer,
               "no close_notify",
               answer->framing == FRAMING_CLOSE ? UNSURE : KEEPS);
}

/* A whole answer that nobody asked for, for whoever takes it for the next one. */
static void
append_answer (Answer *answer, Random *random)
{
  g_autoptr (Answer) other = answer_new (&kinds[0], G_GUINT64_CONSTANT (666666666666));

  if (answer->framing == FRAMING_CLOSE)
    return;
  answer_write_body (other);
  answer_write_head (other);
  answer_write_payload (other, random);
  g_string_append_len (answer->bytes, other->bytes->str, (gssize) other->bytes->len);
  answer_note (answer, "another answer behind it", KEEPS);
}

static void
append_garbage (Answer *answer, Random *random)
{
  if (answer->framing == FRAMING_CLOSE)
    return;
  g_string_append (answer->bytes, "\r\n\r\ngarbage");
  answer_note (answer, "garbage behind it", KEEPS);
}

static void
interim (Answer *answer, Random *random)
{
  static const char *const heads[] = { "HTTP/1.1 100 Continue\r\n\r\n",
                                       "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n",
                                       "HTTP/1.1 102 Processing\r\n\r\n" };
  static const gsize counts[] = { 1, 2, 5, 2000 };
  gsize count = random_pick (random, counts);
  const char *head = random_pick (random, heads);
  g_autoptr (GString) all = g_string_new (NULL);

  for (gsize i = 0; i < count; i++)
    g_string_append (all, head);
  g_string_prepend (answer->bytes, all->str);
  answer_note (answer, "interim answers", count <= 5 ? KEEPS : BREAKS);
}

static void
switch_protocols (Answer *answer, Random *random)
{
  g_string_prepend (answer->bytes,
                    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                    "Connection: Upgrade\r\n\r\n");
  answer_note (answer, "a switch of protocols", UNSURE);
}

static const Mutation wire_table[] = {
  flip,      insert,          erase,         repeat,         splice,  flip,
  end_early, no_close_notify, append_answer, append_garbage, interim, switch_protocols,
};
const Mutations wire_mutations = { wire_table, G_N_ELEMENTS (wire_table) };
