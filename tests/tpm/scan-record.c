/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "tpm-message.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What secrets a record of the relay (relay-ledger.h) gives away.
 *
 * scan-record windows RECORD SECRETS
 *   SECRETS has a line "NAME HEX" for each secret. Of each, every window of 8 bytes is
 * looked for in what each client sent and got: as bytes, as hex in either case, and as
 * base64 (both alphabets) wherever in a text it may begin. Prints for each secret NAME
 * WINDOWS raw N base64 N hex N and last "found N".
 *
 * scan-record sessions RECORD
 *   Prints for each parameter that is a secret (the responses to ActivateCredential and
 *   Unseal; the first parameter of Import and Create)
 *     COMMAND NUMBER encrypted|clear
 *   with how often, for each password that travels as such "COMMAND NUMBER password", and
 *   last "clear N". Encrypted is what a session carries that is salted to a key and has
 * an algorithm for parameters.
 *
 * Ends with 0 where nothing was found in clear, else 1; 2 where it could not look. */

#define WINDOW 8u
/* 60 of a window's 64 bits make whole characters at each of the three alignments. */
#define BASE64_WINDOW 10u

typedef struct
{
  guint client;
  char direction;
  GBytes *bytes;
} Message;

static void
fail (const char *what, const char *where)
{
  g_printerr ("scan-record: %s: %s\n", where, what);
  exit (2);
}

static char *
read_text (const char *path)
{
  char *text = NULL;
  g_autoptr (GError) error = NULL;

  if (!g_file_get_contents (path, &text, NULL, &error))
    fail (error->message, path);
  return text;
}

static void
clear_message (gpointer data)
{
  g_bytes_unref (((Message *) data)->bytes);
}

static GArray *
read_record (const char *path)
{
  g_autofree char *text = read_text (path);
  g_auto (GStrv) lines = g_strsplit (text, "\n", -1);
  GArray *messages = g_array_new (FALSE, TRUE, sizeof (Message));

  g_array_set_clear_func (messages, clear_message);
  for (guint i = 0; lines[i] != NULL && *lines[i] != '\0'; i++)
    {
      g_auto (GStrv) words = g_strsplit (lines[i], " ", -1);
      Message message = { 0 };

      if (g_strv_length (words) != 4 || strlen (words[2]) != 1 ||
          (message.bytes = tpm_bytes_from_hex (words[3])) == NULL)
        fail ("a line that is no message", path);
      message.client = (guint) g_ascii_strtoull (words[1], NULL, 10);
      message.direction = *words[2];
      g_array_append_val (messages, message);
    }
  if (messages->len == 0)
    fail ("nothing is recorded", path);
  return messages;
}

/* ---- windows ---- */

typedef enum
{
  RAW,
  BASE64,
  HEX,
  N_FORMS
} Form;

static const char *const form_names[] = { "raw", "base64", "hex" };

/* What each client sent, and what it got: a secret may be cut in two by messages. */
static GPtrArray *
join_messages (const GArray *messages)
{
  g_autoptr (GHashTable) streams = g_hash_table_new (NULL, NULL);
  GPtrArray *list = g_ptr_array_new_with_free_func ((GDestroyNotify) g_byte_array_unref);

  for (guint i = 0; i < messages->len; i++)
    {
      const Message *message = &g_array_index (messages, Message, i);
      gboolean up = message->direction == '>' || message->direction == '?';
      gpointer key = GUINT_TO_POINTER (2 * message->client + (up ? 1 : 0));
      GByteArray *stream = g_hash_table_lookup (streams, key);
      gsize size;
      const guint8 *data = g_bytes_get_data (message->bytes, &size);

      if (stream == NULL)
        {
          stream = g_byte_array_new ();
          g_hash_table_insert (streams, key, stream);
          g_ptr_array_add (list, stream);
        }
      g_byte_array_append (stream, data, (guint) size);
    }
  return list;
}

static gboolean
contain (const GPtrArray *streams, const void *needle, gsize size)
{
  for (guint i = 0; i < streams->len; i++)
    {
      const GByteArray *stream = streams->pdata[i];

      if (memmem (stream->data, stream->len, needle, size) != NULL)
        return TRUE;
    }
  return FALSE;
}

static gboolean
contain_hex (const GPtrArray *streams, const guint8 *window)
{
  char lower[2 * WINDOW + 1];
  g_autofree char *upper = NULL;

  for (guint i = 0; i < WINDOW; i++)
    g_snprintf (lower + 2 * i, 3, "%02x", window[i]);
  upper = g_ascii_strup (lower, -1);
  return contain (streams, lower, 2 * WINDOW) || contain (streams, upper, 2 * WINDOW);
}

static gboolean
contain_base64 (const GPtrArray *streams, const guint8 *window)
{
  for (guint before = 0; before < 3; before++)
    {
      guint8 padded[2 + WINDOW] = { 0 };
      g_autofree char *text = NULL;
      char *whole;

      memcpy (padded + before, window, WINDOW);
      text = g_base64_encode (padded, before + WINDOW);
      whole = text + (8 * before + 5) / 6;
      if (contain (streams, whole, BASE64_WINDOW))
        return TRUE;
      whole[BASE64_WINDOW] = '\0';
      g_strdelimit (whole, "+", '-');
      g_strdelimit (whole, "/", '_');
      if (contain (streams, whole, BASE64_WINDOW))
        return TRUE;
    }
  return FALSE;
}

static guint
scan_secret (const GPtrArray *streams, const char *name, GBytes *secret)
{
  gsize size;
  const guint8 *data = g_bytes_get_data (secret, &size);
  guint found[N_FORMS] = { 0 }, sum = 0;

  for (gsize at = 0; at + WINDOW <= size; at++)
    {
      found[RAW] += contain (streams, data + at, WINDOW) ? 1 : 0;
      found[BASE64] += contain_base64 (streams, data + at) ? 1 : 0;
      found[HEX] += contain_hex (streams, data + at) ? 1 : 0;
    }
  printf ("%s %" G_GSIZE_FORMAT, name, size - WINDOW + 1);
  for (guint form = 0; form < N_FORMS; form++)
    {
      printf (" %s %u", form_names[form], found[form]);
      sum += found[form];
    }
  putchar ('\n');
  return sum;
}

static guint
scan_windows (const GArray *messages, const char *path)
{
  g_autoptr (GPtrArray) streams = join_messages (messages);
  g_autofree char *text = read_text (path);
  g_auto (GStrv) lines = g_strsplit (text, "\n", -1);
  guint found = 0;

  if (*lines[0] == '\0')
    fail ("no secret to look for", path);
  for (guint i = 0; lines[i] != NULL && *lines[i] != '\0'; i++)
    {
      g_auto (GStrv) words = g_strsplit (lines[i], " ", -1);
      g_autoptr (GBytes) secret = NULL;

      if (g_strv_length (words) == 2)
        secret = tpm_bytes_from_hex (words[1]);
      if (secret == NULL || g_bytes_get_size (secret) < WINDOW)
        fail ("a line that is no name and secret of 8 bytes", path);
      found += scan_secret (streams, words[0], secret);
    }
  printf ("found %u\n", found);
  return found;
}

/* ---- sessions ---- */

/* Of one TPM, in the order of the record: it does one command at a time. */
typedef struct
{
  GHashTable *salted; /* handles of sessions that can encrypt parameters */
  GTree *counts;      /* "COMMAND clear" to number */
  TpmCommand command;
  guint client;
} Decoder;

static int
compare_names (gconstpointer a, gconstpointer b, gpointer data)
{
  return strcmp (a, b);
}

static void
count (Decoder *d, const char *verdict)
{
  g_autofree char *name = tpm_command_name (d->command.code);
  char *key = g_strdup_printf ("%s %s", name, verdict);
  guint number = GPOINTER_TO_UINT (g_tree_lookup (d->counts, key));

  g_tree_insert (d->counts, key, GUINT_TO_POINTER (number + 1));
}

static gboolean
is_carried (const Decoder *d, guint8 attribute)
{
  for (guint i = 0; i < d->command.n_sessions; i++)
    if ((d->command.sessions[i].attributes & attribute) != 0 &&
        g_hash_table_contains (d->salted,
                               GUINT_TO_POINTER (d->command.sessions[i].handle)))
      return TRUE;
  return FALSE;
}

/* tpmKey is a key, and symmetric behind nonceCaller, encryptedSalt and sessionType is an
 * algorithm (Part 3, §11.1). */
static gboolean
starts_salted (const TpmCommand *command)
{
  const guint8 *p = command->parameters;
  gsize size = command->parameters_size, at = 0;

  if (command->handles[0] == TPM_RH_NULL)
    return FALSE;
  for (guint i = 0; i < 2; i++)
    {
      if (size - at < 2 || size - at - 2 < (gsize) (p[at] << 8 | p[at + 1]))
        return FALSE;
      at += 2u + (gsize) (p[at] << 8 | p[at + 1]);
    }
  return size - at >= 3 && (p[at + 1] << 8 | p[at + 2]) != 0x0010;
}

static void
on_command (Decoder *d)
{
  for (guint i = 0; i < d->command.n_sessions; i++)
    if (d->command.sessions[i].handle == TPM_RS_PASSWORD &&
        d->command.sessions[i].authorises)
      count (d, "password");
  if (d->command.code == TPM_IMPORT || d->command.code == TPM_CREATE)
    count (d, is_carried (d, TPM_SESSION_DECRYPT) ? "encrypted" : "clear");
}

static void
on_response (Decoder *d, const TpmResponse *response)
{
  if (response->code != 0)
    return;
  if (d->command.code == TPM_ACTIVATE_CREDENTIAL || d->command.code == TPM_UNSEAL)
    count (d, is_carried (d, TPM_SESSION_ENCRYPT) ? "encrypted" : "clear");
  if (d->command.code != TPM_START_AUTH_SESSION)
    return;
  /* Numbers of sessions are used again. */
  g_hash_table_remove (d->salted, GUINT_TO_POINTER (response->handle));
  if (starts_salted (&d->command))
    g_hash_table_add (d->salted, GUINT_TO_POINTER (response->handle));
}

static gboolean
print_count (gpointer key, gpointer value, gpointer data)
{
  guint *clear = data;
  g_auto (GStrv) words = g_strsplit (key, " ", 2);

  printf ("%s %u %s\n", words[0], GPOINTER_TO_UINT (value), words[1]);
  if (strcmp (words[1], "encrypted") != 0)
    *clear += GPOINTER_TO_UINT (value);
  return FALSE;
}

static guint
scan_sessions (const GArray *messages, const char *path)
{
  Decoder d = { 0 };
  guint clear = 0;

  d.salted = g_hash_table_new (NULL, NULL);
  d.counts = g_tree_new_full (compare_names, NULL, g_free, NULL);
  for (guint i = 0; i < messages->len; i++)
    {
      const Message *message = &g_array_index (messages, Message, i);
      TpmResponse response;
      gsize size;
      const guint8 *data = g_bytes_get_data (message->bytes, &size);

      if (message->direction == '>')
        {
          if (!tpm_command_parse (data, size, &d.command))
            fail ("a command that contradicts itself", path);
          d.client = message->client;
          on_command (&d);
        }
      else if (message->direction == '<')
        {
          if (message->client != d.client ||
              !tpm_response_parse (data, size, d.command.kind, &response))
            fail ("a response that fits no command", path);
          on_response (&d, &response);
        }
    }
  g_tree_foreach (d.counts, print_count, &clear);
  printf ("clear %u\n", clear);
  g_tree_unref (d.counts);
  g_hash_table_unref (d.salted);
  return clear;
}

int
main (int argc, char **argv)
{
  g_autoptr (GArray) messages = NULL;
  guint found;

  if (argc == 4 && strcmp (argv[1], "windows") == 0)
    {
      messages = read_record (argv[2]);
      found = scan_windows (messages, argv[3]);
    }
  else if (argc == 3 && strcmp (argv[1], "sessions") == 0)
    {
      messages = read_record (argv[2]);
      found = scan_sessions (messages, argv[2]);
    }
  else
    {
      g_printerr ("scan-record windows RECORD SECRETS | scan-record sessions RECORD\n");
      return 2;
    }
  return found > 0 ? 1 : 0;
}
