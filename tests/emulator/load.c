/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* load: a fleet of devices in one process, against a running emulator.
 *
 *   load --devices N --enrolments             writes the enrolments file of N devices
 *   load --devices N --port P --ca FILE …     registers them, prints one JSON line
 *
 * Each of the workers registers one device after another: PUT, and polls until assigned,
 * as fast as it is answered. Any other outcome is a failure, whose first is explained. */
#include "config.h"

#include "em-codec.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <curl/curl.h>
#include <json-glib/json-glib.h>

#define ENDPOINT "contoso-dps.azure-devices-provisioning.net"
#define SCOPE "0ne00ABCDEF"
#define API "api-version=2021-06-01"
#define TOKEN_SECONDS 3600
#define REPLY_SECONDS 60L

typedef struct
{
  int devices;
  int workers;
  int registrations;
  int fresh_every;
  int port;
  int pid;
  gboolean hold;
  gboolean close;
  gboolean enrolments;
  char *ca;
} Options;

typedef struct
{
  char *id;
  char *authorization;
} Device;

typedef struct
{
  const Options *options;
  CURLM *multi;
  struct curl_slist *connect_to;
  Device *devices;
  int started;
  int done;
  int failures;
  int waiting; /* workers at the barrier */
  int sockets; /* of the emulator, while all are held */
  long connections;
  GString *explanation;
} Fleet;

typedef struct
{
  Fleet *fleet;
  CURL *easy;
  struct curl_slist *headers;
  const Device *device;
  GString *reply;
  char *operation; /* NULL until the PUT is answered */
} Worker;

/* Half of the devices have enrolments of their own, the others are of one group. */
static gboolean
has_enrolment (int number)
{
  return number % 2 == 0;
}

/* 32 bytes that count up. */
static GBytes *
master_key (guint8 first)
{
  guint8 bytes[32];

  for (guint i = 0; i < sizeof bytes; i++)
    bytes[i] = (guint8) (first + i);
  return g_bytes_new (bytes, sizeof bytes);
}

static GBytes *
own_key (void)
{
  return master_key (0x00);
}

static GBytes *
group_key (void)
{
  return master_key (0x40);
}

static char *
base64 (GBytes *bytes)
{
  gsize len;
  const guchar *data = g_bytes_get_data (bytes, &len);

  return g_base64_encode (data, len);
}

static char *
device_id (int number)
{
  return g_strdup_printf ("%s-%04d", has_enrolment (number) ? "solo" : "member", number);
}

static void
write_enrolments (const Options *options)
{
  g_autoptr (GBytes) own = own_key ();
  g_autoptr (GBytes) group = group_key ();
  g_autofree char *own_text = base64 (own);
  g_autofree char *group_text = base64 (group);

  printf ("{\"individual\":[");
  for (int i = 0; i < options->devices; i += 2)
    {
      g_autofree char *id = device_id (i);

      printf ("%s{\"registrationId\":\"%s\",\"primaryKey\":\"%s\"}",
              i > 0 ? "," : "",
              id,
              own_text);
    }
  printf ("],\"groups\":[{\"enrollmentGroupId\":\"fleet\",\"primaryKey\":\"%s\"}]}\n",
          group_text);
}

static char *
make_token (const char *id, GBytes *key)
{
  gint64 expiry = g_get_real_time () / G_USEC_PER_SEC + TOKEN_SECONDS;
  g_autofree char *resource = g_strdup_printf (SCOPE "%%2Fregistrations%%2F%s", id);
  g_autofree char *text = g_strdup_printf ("%s\n%" G_GINT64_FORMAT, resource, expiry);
  guint8 mac[EM_SHA256_LEN];
  g_autofree char *signature = NULL;
  g_autofree char *escaped = NULL;

  em_hmac_sha256 (key, text, strlen (text), mac);
  signature = g_base64_encode (mac, sizeof mac);
  escaped = g_uri_escape_string (signature, NULL, FALSE);
  return g_strdup_printf ("Authorization: SharedAccessSignature "
                          "sr=%s&sig=%s&se=%" G_GINT64_FORMAT "&skn=registration",
                          resource,
                          escaped,
                          expiry);
}

static Device *
make_devices (int count)
{
  Device *devices = g_new0 (Device, count);
  g_autoptr (GBytes) own = own_key ();
  g_autoptr (GBytes) group = group_key ();

  for (int i = 0; i < count; i++)
    {
      g_autofree char *id = device_id (i);
      g_autoptr (GBytes) key =
          has_enrolment (i) ? g_bytes_ref (own) : em_derive_key (group, id);

      devices[i].id = g_steal_pointer (&id);
      devices[i].authorization = make_token (devices[i].id, key);
    }
  return devices;
}

static void
free_devices (Device *devices, int count)
{
  for (int i = 0; i < count; i++)
    {
      g_free (devices[i].id);
      g_free (devices[i].authorization);
    }
  g_free (devices);
}

static gsize
on_reply (char *data, gsize size, gsize count, void *user)
{
  Worker *worker = user;

  g_string_append_len (worker->reply, data, (gssize) (size * count));
  return size * count;
}

static void
fail (Worker *worker, const char *what)
{
  Fleet *fleet = worker->fleet;

  if (fleet->failures++ == 0)
    g_string_printf (fleet->explanation,
                     "%s, %s: %s: %.200s",
                     worker->device->id,
                     worker->operation != NULL ? "poll" : "register",
                     what,
                     worker->reply->str);
}

static void
send_request (Worker *worker)
{
  const Device *device = worker->device;
  g_autofree char *url = NULL;
  g_autofree char *body = NULL;

  g_string_truncate (worker->reply, 0);
  if (worker->operation == NULL)
    {
      url = g_strdup_printf ("https://" ENDPOINT "/" SCOPE
                             "/registrations/%s/register?" API,
                             device->id);
      body = g_strdup_printf ("{\"registrationId\":\"%s\"}", device->id);
      curl_easy_setopt (worker->easy, CURLOPT_COPYPOSTFIELDS, body);
      curl_easy_setopt (worker->easy, CURLOPT_CUSTOMREQUEST, "PUT");
    }
  else
    {
      url = g_strdup_printf ("https://" ENDPOINT "/" SCOPE
                             "/registrations/%s/operations/%s?" API,
                             device->id,
                             worker->operation);
      curl_easy_setopt (worker->easy, CURLOPT_HTTPGET, 1L);
      curl_easy_setopt (worker->easy, CURLOPT_CUSTOMREQUEST, NULL);
      curl_easy_setopt (worker->easy,
                        CURLOPT_FORBID_REUSE,
                        worker->fleet->options->close ? 1L : 0L);
    }
  curl_easy_setopt (worker->easy, CURLOPT_URL, url);
  curl_multi_add_handle (worker->fleet->multi, worker->easy);
}

static void
next_device (Worker *worker)
{
  Fleet *fleet = worker->fleet;
  const Options *options = fleet->options;
  int number = fleet->started;

  g_clear_pointer (&worker->operation, g_free);
  if (number == options->registrations)
    return;

  fleet->started++;
  worker->device = &fleet->devices[number % options->devices];
  curl_slist_free_all (worker->headers);
  worker->headers = curl_slist_append (NULL, worker->device->authorization);
  worker->headers = curl_slist_append (worker->headers, "Content-Type: application/json");
  curl_easy_setopt (worker->easy, CURLOPT_HTTPHEADER, worker->headers);
  curl_easy_setopt (worker->easy,
                    CURLOPT_FRESH_CONNECT,
                    options->fresh_every > 0 && number % options->fresh_every == 0 ? 1L
                                                                                   : 0L);
  send_request (worker);
}

/* Descriptors of the emulator that are sockets, the listening one left out. */
static int
count_sockets (int pid)
{
  g_autofree char *path = g_strdup_printf ("/proc/%d/fd", pid);
  DIR *folder = opendir (path);
  struct dirent *entry;
  int count = -1;

  while (folder != NULL && (entry = readdir (folder)) != NULL)
    {
      char target[64] = "";

      if (readlinkat (dirfd (folder), entry->d_name, target, sizeof target - 1) > 0 &&
          g_str_has_prefix (target, "socket:"))
        count++;
    }
  if (folder != NULL)
    closedir (folder);
  return count;
}

/* The answer to the PUT names an operation; the one to the last poll has the device. */
static void
take_answer (Worker *worker, long status)
{
  Fleet *fleet = worker->fleet;
  g_autoptr (JsonNode) root = json_from_string (worker->reply->str, NULL);
  JsonObject *object =
      root != NULL && JSON_NODE_HOLDS_OBJECT (root) ? json_node_get_object (root) : NULL;
  const char *word =
      object != NULL ? json_object_get_string_member_with_default (object, "status", "")
                     : "";

  if (status == 202 && worker->operation == NULL && g_str_equal (word, "assigning"))
    {
      worker->operation = g_strdup (
          json_object_get_string_member_with_default (object, "operationId", ""));
      fleet->waiting++;
      if (!fleet->options->hold)
        send_request (worker);
      return;
    }
  if (status == 202 && g_str_equal (word, "assigning"))
    {
      send_request (worker);
      return;
    }

  if (status == 200 && g_str_equal (word, "assigned") &&
      strstr (worker->reply->str, worker->device->id) != NULL)
    fleet->done++;
  else
    fail (worker, "an unexpected answer");
  next_device (worker);
}

static void
take_result (Fleet *fleet, const CURLMsg *message)
{
  CURL *easy = message->easy_handle;
  CURLcode result = message->data.result;
  Worker *worker;
  long status = 0, connections = 0;

  curl_easy_getinfo (easy, CURLINFO_PRIVATE, &worker);
  curl_easy_getinfo (easy, CURLINFO_RESPONSE_CODE, &status);
  curl_easy_getinfo (easy, CURLINFO_NUM_CONNECTS, &connections);
  curl_multi_remove_handle (fleet->multi, easy);
  fleet->connections += connections;
  curl_easy_setopt (easy, CURLOPT_FRESH_CONNECT, 0L);

  if (result != CURLE_OK)
    {
      fail (worker, curl_easy_strerror (result));
      next_device (worker);
      return;
    }
  take_answer (worker, status);
}

/* Returns when nothing is under way any more. */
static void
run_fleet (Fleet *fleet)
{
  int running = 1;

  while (running > 0)
    {
      CURLMsg *message;
      int left;

      curl_multi_perform (fleet->multi, &running);
      while ((message = curl_multi_info_read (fleet->multi, &left)) != NULL)
        if (message->msg == CURLMSG_DONE)
          {
            take_result (fleet, message);
            running = 1;
          }
      curl_multi_poll (fleet->multi, NULL, 0, running > 0 ? 100 : 0, NULL);
    }
}

static void
worker_init (Worker *worker, Fleet *fleet)
{
  const Options *options = fleet->options;
  CURL *easy = curl_easy_init ();

  worker->fleet = fleet;
  worker->easy = easy;
  worker->reply = g_string_new (NULL);
  curl_easy_setopt (easy, CURLOPT_PRIVATE, worker);
  curl_easy_setopt (easy, CURLOPT_CAINFO, options->ca);
  curl_easy_setopt (easy, CURLOPT_CONNECT_TO, fleet->connect_to);
  curl_easy_setopt (easy, CURLOPT_PROXY, "");
  curl_easy_setopt (easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt (easy, CURLOPT_TIMEOUT, REPLY_SECONDS);
  curl_easy_setopt (easy, CURLOPT_WRITEFUNCTION, on_reply);
  curl_easy_setopt (easy, CURLOPT_WRITEDATA, worker);
}

static void
worker_clear (Worker *worker)
{
  curl_easy_cleanup (worker->easy);
  curl_slist_free_all (worker->headers);
  g_string_free (worker->reply, TRUE);
  g_free (worker->operation);
}

static void
print_report (const Fleet *fleet, gint64 elapsed)
{
  g_autofree char *explanation = g_strescape (fleet->explanation->str, NULL);

  printf ("{\"registrations\":%d,\"failures\":%d,\"connections\":%ld,\"held\":%d,"
          "\"sockets\":%d,\"milliseconds\":%" G_GINT64_FORMAT
          ",\"explanation\":\"%s\"}\n",
          fleet->done,
          fleet->failures,
          fleet->connections,
          fleet->options->hold ? fleet->waiting : 0,
          fleet->sockets,
          elapsed / 1000,
          explanation);
}

static void
run_load (Fleet *fleet)
{
  const Options *options = fleet->options;
  Worker *workers = g_new0 (Worker, options->workers);
  g_autofree char *target = g_strdup_printf (ENDPOINT ":443:127.0.0.1:%d", options->port);
  gint64 begun = g_get_monotonic_time ();

  fleet->multi = curl_multi_init ();
  fleet->connect_to = curl_slist_append (NULL, target);
  curl_multi_setopt (fleet->multi, CURLMOPT_MAXCONNECTS, (long) options->workers);

  for (int i = 0; i < options->workers; i++)
    {
      worker_init (&workers[i], fleet);
      next_device (&workers[i]);
    }
  run_fleet (fleet);
  if (options->hold)
    {
      fleet->sockets = count_sockets (options->pid);
      for (int i = 0; i < options->workers; i++)
        if (workers[i].operation != NULL)
          send_request (&workers[i]);
      run_fleet (fleet);
    }
  print_report (fleet, g_get_monotonic_time () - begun);

  for (int i = 0; i < options->workers; i++)
    worker_clear (&workers[i]);
  g_free (workers);
  curl_slist_free_all (fleet->connect_to);
  curl_multi_cleanup (fleet->multi);
}

static gboolean
parse (Options *o, int *argc, char ***argv, GError **error)
{
  const GOptionEntry entries[] = {
    { "devices", 0, 0, G_OPTION_ARG_INT, &o->devices, "How many there are", "N" },
    { "enrolments",
      0,
      0,
      G_OPTION_ARG_NONE,
      &o->enrolments,
      "Write their enrolments",
      NULL },
    { "workers", 0, 0, G_OPTION_ARG_INT, &o->workers, "At the same time", "N" },
    { "registrations", 0, 0, G_OPTION_ARG_INT, &o->registrations, "In all", "N" },
    { "fresh-every",
      0,
      0,
      G_OPTION_ARG_INT,
      &o->fresh_every,
      "Connect anew for each Nth",
      "N" },
    { "hold",
      0,
      0,
      G_OPTION_ARG_NONE,
      &o->hold,
      "Poll once every worker has registered",
      NULL },
    { "close", 0, 0, G_OPTION_ARG_NONE, &o->close, "Close with each poll", NULL },
    { "port", 0, 0, G_OPTION_ARG_INT, &o->port, "The emulator's port", "P" },
    { "pid",
      0,
      0,
      G_OPTION_ARG_INT,
      &o->pid,
      "The emulator's process, for --hold",
      "PID" },
    { "ca", 0, 0, G_OPTION_ARG_FILENAME, &o->ca, "The emulator's CA", "FILE" },
    { NULL },
  };
  g_autoptr (GOptionContext) context = g_option_context_new (NULL);

  g_option_context_add_main_entries (context, entries, NULL);
  if (!g_option_context_parse (context, argc, argv, error))
    return FALSE;
  if (o->devices < 1 || o->workers < 1 || o->registrations < o->workers ||
      (!o->enrolments && o->ca == NULL))
    {
      g_set_error_literal (error,
                           G_OPTION_ERROR,
                           G_OPTION_ERROR_BAD_VALUE,
                           "bad numbers, or no --ca");
      return FALSE;
    }
  return TRUE;
}

int
main (int argc, char **argv)
{
  Options options = { .devices = 1, .workers = 1, .registrations = 1 };
  Fleet fleet = { .options = &options };
  g_autoptr (GError) error = NULL;

  if (!parse (&options, &argc, &argv, &error))
    {
      fprintf (stderr, "load: %s\n", error->message);
      return 2;
    }
  if (options.enrolments)
    {
      write_enrolments (&options);
      g_free (options.ca);
      return EXIT_SUCCESS;
    }

  curl_global_init (CURL_GLOBAL_DEFAULT);
  fleet.explanation = g_string_new (NULL);
  fleet.devices = make_devices (options.devices);
  run_load (&fleet);
  free_devices (fleet.devices, options.devices);
  g_string_free (fleet.explanation, TRUE);
  g_free (options.ca);
  curl_global_cleanup ();
  return fleet.failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
