/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* usage FILE PROGRAM ARGUMENT...: runs it, and appends to FILE one line: CPU time of it
 * and of the children it waited for in µs, wall time in µs, exit status. The kernel
 * counts these in its own clock here; /proc/PID/stat knows only ticks of 10 ms. Peak
 * memory is not asked for: a process inherits over exec() the peak of the one it was. */

static long long
microseconds (struct timeval time)
{
  return time.tv_sec * 1000000LL + time.tv_usec;
}

static long long
now (void)
{
  struct timespec time;

  clock_gettime (CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1000000LL + time.tv_nsec / 1000;
}

static int
fail (const char *what)
{
  fprintf (stderr, "usage: %s: %s\n", what, strerror (errno));
  return 125;
}

int
main (int argc, char **argv)
{
  long long start = now ();
  struct rusage used;
  int status;
  FILE *file;
  pid_t pid;

  if (argc < 3)
    return 125;
  pid = fork ();
  if (pid < 0)
    return fail ("fork");
  if (pid == 0)
    {
      execvp (argv[2], argv + 2);
      _exit (fail (argv[2]));
    }
  if (wait4 (pid, &status, 0, &used) < 0)
    return fail ("wait");
  file = fopen (argv[1], "ae");
  if (file == NULL)
    return fail (argv[1]);
  status = WIFEXITED (status) ? WEXITSTATUS (status) : 128 + WTERMSIG (status);
  fprintf (file,
           "%lld %lld %d\n",
           microseconds (used.ru_utime) + microseconds (used.ru_stime),
           now () - start,
           status);
  if (fclose (file) != 0)
    return fail (argv[1]);
  return status;
}
