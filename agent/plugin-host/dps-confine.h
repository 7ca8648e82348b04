/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

/* The confinement of the child (design §6). Each step is for good and holds for every
 * thread made later, so all of them come before GDBus starts its thread and before any
 * byte of a plugin is loaded. */

/* Closes every descriptor but 0, 1, 2 and keep. */
gboolean dps_confine_descriptors (int keep, GError **error);

/* Dies with the parent, gains no privileges, can not be traced or dumped, is bounded in
 * descriptors, file sizes and, with limit_memory, data and address space, as
 * dps-plugin.h says, and is the first to go where memory runs out. */
gboolean dps_confine_process (gboolean limit_memory, GError **error);

/* Landlock: files below /usr, /lib*, /etc/ssl and plugin_dir may be read, nothing else
 * may be opened; no TCP, no signals to other processes, no abstract sockets, as far as
 * abi (dps_landlock_abi()) goes. 0 = there is none: no error. allow_unix leaves abstract
 * sockets, and adds what the tokens' libraries read: /etc/pkcs11, /etc/opensc,
 * /etc/softhsm and /var/lib/softhsm. */
gboolean dps_confine_files (const char *plugin_dir,
                            gboolean allow_unix,
                            guint abi,
                            GError **error);

/* The system call filter. What design §6 names answers EPERM, what is not listed answers
 * ENOSYS. allow_unix leaves sockets of AF_UNIX, for token daemons. */
gboolean dps_confine_calls (gboolean allow_unix, GError **error);
