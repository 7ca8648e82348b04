/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "cli/dps-ctl-connection.h"
#include "cli/dps-ctl-failure.h"
#include "cli/dps-ctl-output.h"

#include <errno.h>
#include <fcntl.h>
#include <gio/gunixfdlist.h>
#include <glib-unix.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

/* The most the agent takes (dbus/, ImportKey). */
#define KEY_MAX 1024u

/* The key on its way from the file to the sealed memory file; wiped when it goes. */
typedef struct
{
  char bytes[KEY_MAX + 1];
  gsize size;
} KeyBuffer;

static void
wipe (KeyBuffer *buffer)
{
  explicit_bzero (buffer, sizeof *buffer);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (KeyBuffer, wipe)

static gboolean group;

static const GOptionEntry options[] = {
  { "group",
    0,
    0,
    G_OPTION_ARG_NONE,
    &group,
    "The key of an enrolment group: the device key is derived from it, and it is not "
    "kept",
    NULL },
  { NULL },
};

static gboolean
set_errno (GError **error, const char *what)
{
  int saved = errno;

  g_set_error (error,
               G_FILE_ERROR,
               g_file_error_from_errno (saved),
               "%s: %s",
               what,
               g_strerror (saved));
  return FALSE;
}

/* To the end, or one byte beyond what is allowed. */
static gboolean
read_key (int fd, KeyBuffer *key, GError **error)
{
  while (key->size < sizeof key->bytes)
    {
      gssize n = read (fd, key->bytes + key->size, sizeof key->bytes - key->size);

      if (n < 0 && errno == EINTR)
        continue;
      if (n < 0)
        return set_errno (error, "cannot read the key");
      if (n == 0)
        return TRUE;
      key->size += (gsize) n;
    }
  return TRUE;
}

/* A key typed at a terminal would stand on it. */
static gboolean
read_source (const char *path, KeyBuffer *key, GError **error)
{
  gboolean standard = g_str_equal (path, "-");
  int fd = standard ? STDIN_FILENO : open (path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
  gboolean done = FALSE;

  if (fd < 0)
    return set_errno (error, "cannot open the key file");
  if (isatty (fd))
    g_set_error_literal (error,
                         G_FILE_ERROR,
                         G_FILE_ERROR_INVAL,
                         "the key is not read from a terminal, where it would be shown");
  else
    done = read_key (fd, key, error);
  if (!standard)
    close (fd);
  return done;
}

static gboolean
check_key (const KeyBuffer *key, GError **error)
{
  if (key->size > 0 && key->size <= KEY_MAX)
    return TRUE;
  g_set_error (error,
               G_FILE_ERROR,
               G_FILE_ERROR_INVAL,
               key->size == 0 ? "the key is empty"
                              : "the key is larger than the %u bytes allowed",
               KEY_MAX);
  return FALSE;
}

static gboolean
write_key (int fd, const KeyBuffer *key, GError **error)
{
  for (gsize done = 0; done < key->size;)
    {
      gssize n = write (fd, key->bytes + done, key->size - done);

      if (n < 0 && errno == EINTR)
        continue;
      if (n <= 0)
        return set_errno (error, "cannot hold the key in memory");
      done += (gsize) n;
    }
  return TRUE;
}

/* A memory file nobody can change any more, at its start. -1 on failure. */
static int
seal_key (const KeyBuffer *key, GError **error)
{
  int fd = memfd_create ("dpsctl-key", MFD_CLOEXEC | MFD_ALLOW_SEALING);

  if (fd < 0)
    return set_errno (error, "cannot make a memory file"), -1;
  if (!write_key (fd, key, error))
    {
      close (fd);
      return -1;
    }
  if (lseek (fd, 0, SEEK_SET) < 0 ||
      fcntl (fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) <
          0)
    {
      set_errno (error, "cannot seal the memory file");
      close (fd);
      return -1;
    }
  return fd;
}

static int
prepare (const char *path, GError **error)
{
  g_auto (KeyBuffer) key = { 0 };

  if (!read_source (path, &key, error) || !check_key (&key, error))
    return -1;
  return seal_key (&key, error);
}

static void
print_done (const DpsCtl *ctl, const char *path)
{
  g_autofree char *shown = dps_ctl_escape (path);
  g_autoptr (GString) text = g_string_new (NULL);

  g_string_append_printf (text,
                          "the %s is in the store; use it with 'dpsctl provision "
                          "--wait', or 'dpsctl provision --again' where an identity "
                          "exists",
                          group ? "device key derived from the group key" : "key");
  /* The file is the caller's, and the agent has not seen it. */
  if (group && !g_str_equal (path, "-"))
    g_string_append_printf (text,
                            "\nthe file '%s' still holds the group key, and whoever "
                            "reads it can be any device of the group; remove it",
                            shown);
  dps_ctl_print_done (ctl->json, text->str);
}

static DpsCtlExit
hand_over (const DpsCtl *ctl, GUnixFDList *fds, int handle, const char *path)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (DpsDBusAgent1Control) control = dps_ctl_connect_control (ctl, &error);

  if (control == NULL ||
      !dps_dbus_agent1_control_call_import_key_sync (control,
                                                     group ? "group" : "device",
                                                     g_variant_new_handle (handle),
                                                     dps_ctl_call_flags (),
                                                     DPS_CTL_ACT_TIMEOUT,
                                                     fds,
                                                     NULL,
                                                     NULL,
                                                     &error))
    return dps_ctl_fail (ctl, error);
  print_done (ctl, path);
  return DPS_CTL_EXIT_OK;
}

static DpsCtlExit
run (const DpsCtl *ctl, char **arguments)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GUnixFDList) fds = NULL;
  int fd;

  /* No core dump while the key is in this process's own memory. */
  prctl (PR_SET_DUMPABLE, 0);
  fd = prepare (arguments[0], &error);
  prctl (PR_SET_DUMPABLE, 1);
  if (fd < 0)
    return dps_ctl_fail_with (ctl,
                              DPS_CTL_EXIT_FAILED,
                              "",
                              "name a file, or pipe the key in, with the base64 text of "
                              "the key and nothing else",
                              "%s",
                              error->message);
  fds = g_unix_fd_list_new_from_array (&fd, 1);
  return hand_over (ctl, fds, 0, arguments[0]);
}

const DpsCtlVerb dps_ctl_import_key = {
  .name = "import-key",
  .arguments = "FILE|-",
  .summary = "Put a symmetric key into the agent's store",
  .details =
      "Reads the base64 text of the key from FILE, or from standard input for -, and "
      "hands it\n"
      "to the agent in a sealed memory file. It is then used instead of key-file=. The\n"
      "identity in force is not touched. Of a group key only what is derived from it "
      "for\n"
      "the configured registration id is stored.\n\n"
      "Example:\n"
      "  ssh vault.example show-key gateway-17 | dpsctl import-key -",
  .options = options,
  .min_arguments = 1,
  .max_arguments = 1,
  .run = run,
};
