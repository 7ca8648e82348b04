/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "common/dps-error.h"
#include "store/dps-store.h"

/* A state directory of its own, and what tests of the store do with it again and again.
 */
typedef struct
{
  char *path;
  int dir_fd;
  DpsSealer *sealer;
  DpsStore *store;
} StoreFixture;

void store_fixture_set_up (StoreFixture *f, gconstpointer data);
void store_fixture_tear_down (StoreFixture *f, gconstpointer data);

void store_fixture_open (StoreFixture *f);
void store_fixture_close (StoreFixture *f);
void store_fixture_reopen (StoreFixture *f);

void store_fixture_commit (StoreFixture *f, const char *text);
void store_fixture_assert_load (StoreFixture *f,
                                const char *text,
                                guint64 generation,
                                gboolean is_newest);
void store_fixture_assert_load_fails (StoreFixture *f, DpsError code, const char *text);
void store_fixture_assert_commit_fails (StoreFixture *f, DpsError code);

/* The sorted names in the directory (or one below it), joined by blanks. */
void store_fixture_assert_names (StoreFixture *f, const char *below, const char *names);

GBytes *store_fixture_read (StoreFixture *f, const char *name);
void store_fixture_write (StoreFixture *f,
                          const char *name,
                          const void *data,
                          gsize size);

/* Warnings logged since the last call. */
guint store_fixture_take_warnings (void);

/* Copies a directory and all below it, with its modes; to must not exist. */
void store_fixture_copy_tree (const char *from, const char *to);

/* Removes a directory and all below it. */
void store_fixture_remove_tree (const char *path);
