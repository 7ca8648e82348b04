/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "store/dps-sealer.h"

/* A sealer of the higher level, as the interface wants one: T stands in the clear in
 * seal.v1, and it can be made to fail as a TPM does. */
#define TEST_TYPE_SEALER (test_sealer_get_type ())
G_DECLARE_FINAL_TYPE (TestSealer, test_sealer, TEST, SEALER, GObject)

struct _TestSealer
{
  GObject parent_instance;
  gint fails_with; /* a code of fails_in, -1 = works */
  GQuark fails_in; /* DPS_ERROR from the start */
  guint calls;
  guint garbled_call;  /* the call of unseal that gives another T, 0 = none */
  const char *planted; /* a file that appears at the first call, NULL = none */
  int tpm_fails_with;  /* a code of DPS_TPM_ERROR for what needs the TPM, -1 = works */
  GAsyncQueue *gate;   /* each call of unseal waits for an item of it, NULL = none does */
};

DpsSealer *test_sealer_new (void);
