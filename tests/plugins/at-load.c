/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <dps-plugin.h>

#include <signal.h>
#include <unistd.h>

/* A plugin that misbehaves before any of its verbs can be called: AT_LOAD is what its
 * constructor does, ABI what it claims. Built several times (see meson.build). */

enum
{
  NOTHING,
  CRASH,
  HANG,
  LEAVE
};

static void at_load (void) __attribute__ ((constructor));

static void
at_load (void)
{
  if (AT_LOAD == CRASH)
    raise (SIGSEGV);
  else if (AT_LOAD == LEAVE)
    _exit (3);
  else if (AT_LOAD == HANG)
    for (;;)
      pause ();
}

/* Would end the process if it were called in spite of another ABI. */
static DpsPluginResult
describe (const DpsHost *host, DpsPluginDescribeOut *out)
{
  _exit (66);
}

DPS_PLUGIN_EXPORT const DpsPluginInfo EXPORTED = {
  .abi = ABI,
  .size = SIZE,
  .name = NAME,
  .describe = describe,
};
