/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "stand-in.h"

#include <json-glib/json-glib.h>
#include <stdarg.h>

/* A private bus with a stand-in of the agent, and runs of dpsctl on it. */
typedef struct
{
  char *scratch; /* a directory that must be empty again at the end */
  GTestDBus *bus;
  const char *address;
  StandIn *agent;
  /* Of the last run. */
  int exit;
  char *out;
  char *err;
} Fixture;

/* Data of a test whose bus can start a stand-in by itself, which is provisioned. */
#define ACTIVATABLE "activatable"

/* The dpsctl under test: the one argument of the test program. */
extern const char *dpsctl_path;

int fixture_main (int argc, char **argv, void (*add_tests) (void));
void fixture_add (const char *path,
                  gconstpointer data,
                  void (*test) (Fixture *f, gconstpointer data));

/* All of dpsctl's command line behind the bus address; the caller's. */
char **fixture_collect (Fixture *f, va_list args);

/* Runs dpsctl to its end while the stand-in serves. */
void fixture_run (Fixture *f, ...) G_GNUC_NULL_TERMINATED;
void fixture_run_with (Fixture *f, const char *input, char **argv);
void fixture_communicate (Fixture *f, GSubprocess *child, const char *input);

/* A GAsyncReadyCallback that keeps the result in the GAsyncResult * it is given. */
void fixture_on_result (GObject *source, GAsyncResult *result, gpointer data);

/* The output is one JSON object on one line; borrowed from the parser. */
JsonObject *fixture_parse_json (Fixture *f, JsonParser *parser);

void assert_exit (Fixture *f, int expected);
void assert_contains (const char *text, const char *part);
void assert_lacks (const char *text, const char *part);
