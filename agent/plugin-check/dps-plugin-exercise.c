/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "abi/dps-plugin.h"

#include <dlfcn.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* dps-plugin-exercise FILE CALLS [setting KEY VALUE | secret NAME FILE]...: loads one
 * plugin into this process, without any confinement, calls its verbs CALLS times each and
 * writes what dps-check-exercise.h reads. It is the part of dps-plugin-check that looks
 * at memory: what a plugin borrows lies here in blocks of its own that are given back
 * after each call, so that AddressSanitizer sees what is freed twice or never, and bytes
 * end where nobody may read on. It links
 * GLib alone, so a plugin that relies on another library of its host's does not load. */

#define CALLS_MAX 1000
#define FILE_MAX DPS_PLUGIN_BLOB_MAX
/* A verb as slow as this is not called again. */
#define SLOW_US (G_USEC_PER_SEC / 2)

typedef struct
{
  GHashTable *settings; /* char * → char * */
  GHashTable *secrets;  /* char * → GBytes * */
} Given;

/* What one call has in hand. */
typedef struct
{
  const Given *given;
  GHashTable *strings; /* lent: char * → char * */
  GHashTable *views;   /* lent: char * → DpsPluginView * */
  gboolean said;
  gboolean empty; /* OK, and nothing was given */
} Call;

static FILE *report;
static GHashTable *asked;

static void
note_asked (const char *what, const char *key)
{
  g_autofree char *line = g_strdup_printf ("%s %s", what, key);

  if (g_hash_table_add (asked, g_strdup (line)))
    fprintf (report, "asks %s\n", line);
}

static const char *
get_setting (const DpsHost *host, const char *key)
{
  Call *call = host->priv;

  if (key == NULL)
    return NULL;
  note_asked ("setting", key);
  return g_hash_table_lookup (call->strings, key);
}

static gboolean
get_secret (const DpsHost *host, const char *key, DpsPluginView *secret)
{
  Call *call = host->priv;
  const DpsPluginView *view = NULL;

  if (key != NULL)
    {
      note_asked ("secret", key);
      view = g_hash_table_lookup (call->views, key);
    }
  *secret = view != NULL ? *view : (DpsPluginView){ NULL, 0 };
  return view != NULL;
}

static gboolean
get_blob (const DpsHost *host, DpsPluginView *blob)
{
  *blob = (DpsPluginView){ NULL, 0 };
  return FALSE;
}

static int
tpm_fd (const DpsHost *host)
{
  return -1;
}

static void
set_error (const DpsHost *host, const char *text)
{
  Call *call = host->priv;

  call->said = text != NULL && *text != '\0';
}

static void
set_cause (const DpsHost *host, const char *cause)
{
  g_autofree char *escaped = cause != NULL ? g_strescape (cause, NULL) : NULL;

  if (escaped != NULL && g_hash_table_add (asked, g_strconcat ("cause ", escaped, NULL)))
    fprintf (report, "cause %s\n", escaped);
}

static void
log_line (const DpsHost *host, DpsPluginLogLevel level, const char *text)
{
}

/* size bytes that end at a page nobody may touch: a plugin of its author's is not
 * compiled with the sanitizer, which then sees no more of reading than the C library
 * does. */
static guint8 *
lend (gsize size)
{
  gsize page = (gsize) sysconf (_SC_PAGESIZE);
  gsize room = (size + page - 1) / page * page;
  guint8 *start = mmap (NULL, room + page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

  if (start == MAP_FAILED ||
      (room > 0 && mprotect (start, room, PROT_READ | PROT_WRITE) < 0))
    g_error ("there is no memory to lend");
  return start + room - size;
}

static void
take_back (const guint8 *bytes, gsize size)
{
  gsize page = (gsize) sysconf (_SC_PAGESIZE);
  gsize room = (size + page - 1) / page * page;

  munmap ((guint8 *) bytes + size - room, room + page);
}

static void
free_view (gpointer data)
{
  DpsPluginView *view = data;

  take_back (view->data, view->size);
  g_free (view);
}

static Call *
call_new (const Given *given)
{
  Call *call = g_new0 (Call, 1);
  GHashTableIter iter;
  gpointer key, value;

  call->given = given;
  call->strings = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  call->views = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, free_view);
  if (given == NULL)
    return call;
  g_hash_table_iter_init (&iter, given->settings);
  while (g_hash_table_iter_next (&iter, &key, &value))
    g_hash_table_insert (call->strings, g_strdup (key), g_strdup (value));
  g_hash_table_iter_init (&iter, given->secrets);
  while (g_hash_table_iter_next (&iter, &key, &value))
    {
      DpsPluginView *view = g_new0 (DpsPluginView, 1);
      gconstpointer bytes = g_bytes_get_data (value, &view->size);

      /* Not a byte more than there is, and no zero behind it. */
      view->data =
          view->size > 0 ? memcpy (lend (view->size), bytes, view->size) : lend (0);
      g_hash_table_insert (call->views, g_strdup (key), view);
    }
  return call;
}

static void
call_free (Call *call)
{
  g_hash_table_unref (call->strings);
  g_hash_table_unref (call->views);
  g_free (call);
}

/* As the host does: FALSE where the size is over max, and then it keeps off. */
static gboolean
clear_bytes (DpsPluginBytes *bytes, gsize max)
{
  static GPtrArray *kept;

  if (bytes->size <= max)
    {
      g_free (bytes->data);
      return TRUE;
    }
  /* In reach, so that it is not called a leak: another check names it. */
  if (kept == NULL)
    kept = g_ptr_array_new ();
  g_ptr_array_add (kept, bytes->data);
  return FALSE;
}

typedef enum
{
  PROBE,
  DESCRIBE,
  ANSWER,
  SIGN,
  N_VERBS
} Verb;

static const char *const verb_names[N_VERBS] = { "probe", "describe", "answer", "sign" };

static gboolean
has_verb (const DpsPluginInfo *info, Verb verb)
{
  return verb == PROBE      ? info->probe != NULL
         : verb == DESCRIBE ? info->describe != NULL
         : verb == ANSWER   ? info->answer != NULL
                            : info->sign != NULL;
}

static DpsPluginResult
run_describe (const DpsPluginInfo *info, const DpsHost *host, gboolean *within)
{
  DpsPluginDescribeOut out = { .size = sizeof out };
  DpsPluginResult result = info->describe (host, &out);

  g_free (out.registration_id);
  g_strfreev (out.material);
  g_free (out.enrollment);
  *within = clear_bytes (&out.key, DPS_PLUGIN_KEY_MAX);
  return result;
}

static void
note_empty (const DpsHost *host, DpsPluginResult result, const DpsPluginBytes *bytes)
{
  Call *call = host->priv;

  call->empty = result == DPS_PLUGIN_OK && (bytes->data == NULL || bytes->size == 0);
}

static DpsPluginResult
run_answer (const DpsPluginInfo *info, const DpsHost *host, guint round, gboolean *within)
{
  gsize size = round % 3 * 40;
  guint8 *bytes = lend (size);
  DpsPluginView challenge = { bytes, size };
  DpsPluginBytes blob = { NULL, 0 };
  DpsPluginResult result;

  memset (bytes, 0xa5, size);
  result = info->answer (host, &challenge, &blob);
  take_back (bytes, size);
  note_empty (host, result, &blob);
  *within = clear_bytes (&blob, DPS_PLUGIN_BLOB_MAX);
  return result;
}

static DpsPluginResult
run_sign (const DpsPluginInfo *info, const DpsHost *host, guint round, gboolean *within)
{
  gsize size = round % 3 * 40;
  guint8 *bytes = lend (size);
  DpsPluginSignIn in = { .size = sizeof in,
                         .slot =
                             round % 2 ? DPS_PLUGIN_SLOT_HUB : DPS_PLUGIN_SLOT_SERVICE,
                         .mechanism = "HMAC-SHA256",
                         .data = { bytes, size } };
  DpsPluginBytes signature = { NULL, 0 };
  DpsPluginResult result;

  memset (bytes, 0xa5, size);
  result = info->sign (host, &in, &signature);
  take_back (bytes, size);
  note_empty (host, result, &signature);
  *within = clear_bytes (&signature, DPS_PLUGIN_SIGNATURE_MAX);
  return result;
}

static DpsPluginResult
run_verb (const DpsPluginInfo *info,
          Verb verb,
          const DpsHost *host,
          guint round,
          gboolean *within)
{
  DpsPluginProbeOut out = { .size = sizeof out };
  DpsPluginResult result;

  switch (verb)
    {
    case PROBE:
      *within = TRUE;
      result = info->probe (host, &out);
      g_free (out.reason);
      return result;
    case DESCRIBE:
      return run_describe (info, host, within);
    case ANSWER:
      return run_answer (info, host, round, within);
    default:
      return run_sign (info, host, round, within);
    }
}

/* Bytes on the heap: by the sanitizer where it is in this process, else by the C library.
 */
static gsize
heap_size (void)
{
  gsize (*sanitizer) (void) =
      (gsize (*) (void)) dlsym (RTLD_DEFAULT, "__sanitizer_get_current_allocated_bytes");

  return sanitizer != NULL ? sanitizer () : mallinfo2 ().uordblks;
}

/* What half of the calls left on the heap, in bytes a call. */
static gsize
growth_of (gsize before, gsize after, guint calls)
{
  return calls > 0 && after > before ? (after - before) / calls : 0;
}

static void
exercise (const DpsPluginInfo *info, Verb verb, const Given *given, guint calls)
{
  gsize heap[3] = { 0 };
  DpsPluginResult result = DPS_PLUGIN_OK;
  gboolean said = TRUE, over = FALSE, strange = FALSE;
  guint n = 0;

  /* The first calls may set up what stays. */
  for (guint half = 0; half < 3; half++)
    {
      for (guint i = 0; i < calls / 2; i++)
        {
          Call *call = call_new (given);
          DpsHost host = { .size = sizeof host,
                           .priv = call,
                           .get_setting = get_setting,
                           .get_secret = get_secret,
                           .get_blob = get_blob,
                           .tpm_fd = tpm_fd,
                           .set_error = set_error,
                           .log = log_line,
                           .set_cause = set_cause };
          gint64 start = g_get_monotonic_time ();
          gboolean within;

          result = run_verb (info, verb, &host, n++, &within);
          over |= !within;
          strange |= result < DPS_PLUGIN_OK || result > DPS_PLUGIN_BUSY || call->empty;
          said &= result == DPS_PLUGIN_OK || call->said;
          call_free (call);
          if (g_get_monotonic_time () - start > SLOW_US)
            calls = 0;
        }
      heap[half] = heap_size ();
    }
  fprintf (report,
           "call %s %s %d %s %s %u %" G_GSIZE_FORMAT "\n",
           verb_names[verb],
           given != NULL ? "given" : "bare",
           (int) result,
           said ? "said" : "silent",
           strange ? "beyond" : "within",
           n,
           over ? 0
                : MIN (growth_of (heap[0], heap[1], calls / 2),
                       growth_of (heap[1], heap[2], calls / 2)));
}

static gboolean
take_given (Given *given, int argc, char **argv)
{
  given->settings = g_hash_table_new (g_str_hash, g_str_equal);
  given->secrets = g_hash_table_new (g_str_hash, g_str_equal);
  for (int i = 0; i + 2 < argc; i += 3)
    {
      char *data;
      gsize size;

      if (g_str_equal (argv[i], "setting"))
        g_hash_table_insert (given->settings, argv[i + 1], argv[i + 2]);
      else if (!g_file_get_contents (argv[i + 2], &data, &size, NULL) || size > FILE_MAX)
        return FALSE;
      else
        g_hash_table_insert (given->secrets, argv[i + 1], g_bytes_new_take (data, size));
    }
  return argc % 3 == 0;
}

/* What is written on standard output belongs to this program, not to the plugin. */
static gboolean
open_report (void)
{
  int fd = dup (STDOUT_FILENO);

  report = fd >= 0 ? fdopen (fd, "w") : NULL;
  if (report == NULL || dup2 (STDERR_FILENO, STDOUT_FILENO) < 0)
    return FALSE;
  setvbuf (report, NULL, _IOLBF, BUFSIZ);
  return TRUE;
}

int
main (int argc, char **argv)
{
  static Given given;
  const DpsPluginInfo *info;
  guint calls;
  void *module;

  if (argc < 3 || !open_report () || !take_given (&given, argc - 3, argv + 3))
    {
      fputs ("usage: dps-plugin-exercise FILE CALLS [setting KEY VALUE | secret NAME "
             "FILE]...\n",
             stderr);
      return 2;
    }
  calls = (guint) CLAMP (atoi (argv[2]), 2, CALLS_MAX);
  asked = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  fprintf (report,
           "sanitizer %s\n",
           dlsym (RTLD_DEFAULT, "__asan_init") != NULL ? "yes" : "no");
  module = dlopen (argv[1], RTLD_NOW | RTLD_LOCAL);
  if (module == NULL)
    {
      fprintf (report, "error %s\n", dlerror ());
      return 0;
    }
  info = dlsym (module, "dps_plugin_info");
  if (info == NULL || info->abi != DPS_PLUGIN_ABI || info->size < DPS_PLUGIN_INFO_SIZE_1)
    return 0;
  fputs ("loaded\n", report);
  for (Verb verb = 0; verb < N_VERBS; verb++)
    if (has_verb (info, verb))
      fprintf (report, "verb %s\n", verb_names[verb]);
  for (Verb verb = 0; verb < N_VERBS; verb++)
    if (has_verb (info, verb))
      {
        exercise (info, verb, &given, calls);
        exercise (info, verb, NULL, calls);
      }
  fputs ("end\n", report);
  return 0;
}
