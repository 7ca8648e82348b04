/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "core/dps-renewer.h"

#include "dps/dps-certificate.h"

#include <string.h>

/* Timers do not see a clock that is set, nor a host that sleeps. */
#define LOOK_AGAIN (5 * 60 * G_USEC_PER_SEC)

struct _DpsRenewer
{
  DpsKeeper *keeper;
  DpsReport *report;
  void (*due) (gpointer data);
  void (*changed) (gpointer data);
  gpointer data;
  guint timer;
};

DpsRenewer *
dps_renewer_new (DpsKeeper *keeper,
                 DpsReport *report,
                 void (*due) (gpointer data),
                 void (*changed) (gpointer data),
                 gpointer data)
{
  DpsRenewer *self = g_new0 (DpsRenewer, 1);

  self->keeper = g_object_ref (keeper);
  self->report = g_object_ref (report);
  self->due = due;
  self->changed = changed;
  self->data = data;
  return self;
}

void
dps_renewer_free (DpsRenewer *self)
{
  g_clear_handle_id (&self->timer, g_source_remove);
  g_object_unref (self->keeper);
  g_object_unref (self->report);
  g_free (self);
}

/* By the service's clock. */
static gint64
get_now (DpsRenewer *self)
{
  return g_get_real_time () + dps_report_get_clock_offset (self->report);
}

/* FALSE where the identity in force, if any, has no certificate. */
static gboolean
get_validity (DpsRenewer *self, DpsValidity *validity)
{
  DpsIdentity *identity = dps_keeper_get_identity (self->keeper);
  g_autoptr (DpsCertificateChain) chain = NULL;

  if (identity == NULL || identity->shape != DPS_SHAPE_CERTIFICATE)
    return FALSE;
  chain = dps_certificate_chain_new_from_pem (identity->chain,
                                              strlen (identity->chain),
                                              NULL);
  if (chain == NULL)
    return FALSE;
  validity->not_before = dps_certificate_chain_get_not_before (chain);
  validity->not_after = dps_certificate_chain_get_not_after (chain);
  return TRUE;
}

/* One whose key the agent made; another one an operator renews. */
static gboolean
is_issued (DpsRenewer *self)
{
  DpsIdentity *identity = dps_keeper_get_identity (self->keeper);

  return identity != NULL && (identity->key != NULL || identity->blob != NULL);
}

static const char *
get_device (DpsRenewer *self)
{
  return dps_keeper_get_identity (self->keeper)->registration_id;
}

DpsRenewal
dps_renewer_decide (DpsRenewer *self)
{
  DpsValidity validity;

  if (!is_issued (self) || !get_validity (self, &validity))
    return DPS_RENEWAL_LATER;
  return dps_renewal_decide (validity, get_device (self), get_now (self));
}

gint64
dps_renewer_retry (DpsRenewer *self, gint64 backoff, gint64 asked)
{
  DpsValidity validity;

  if (!get_validity (self, &validity))
    return MAX (backoff, asked);
  return dps_renewal_retry (validity, get_now (self), backoff, asked, g_random_int ());
}

static void
warn (DpsRenewer *self, DpsValidity validity, gint64 now)
{
  g_autoptr (GDateTime) end = NULL;
  g_autofree char *text = NULL;
  g_autoptr (DpsFailure) warning = NULL;

  if (now >= dps_renewal_alarm (validity))
    {
      end = g_date_time_new_from_unix_utc (validity.not_after / G_USEC_PER_SEC);
      text = end != NULL ? g_date_time_format (end, "%Y-%m-%dT%H:%M:%SZ") : NULL;
      warning = dps_failure_new (DPS_FAILURE_CERTIFICATE_EXPIRES,
                                 "it is valid until %s",
                                 text != NULL ? text : "a date out of bounds");
    }
  dps_report_warn (self->report, DPS_FAILURE_CERTIFICATE_EXPIRES, warning);
}

static gboolean
on_look (gpointer data)
{
  DpsRenewer *self = data;

  self->timer = 0;
  dps_renewer_plan (self);
  if (dps_renewer_decide (self) != DPS_RENEWAL_LATER)
    self->due (self->data);
  return G_SOURCE_REMOVE;
}

/* The next time at which anything changes, or the clock may have. */
static gint64
next_look (DpsRenewer *self, DpsValidity validity, gint64 now)
{
  const gint64 times[] = { dps_renewal_due (validity, get_device (self)),
                           dps_renewal_alarm (validity),
                           validity.not_after };
  gint64 wait = LOOK_AGAIN;

  for (gsize i = 0; i < G_N_ELEMENTS (times); i++)
    if (times[i] > now)
      wait = MIN (wait, times[i] - now);
  return wait;
}

void
dps_renewer_plan (DpsRenewer *self)
{
  DpsValidity validity;
  gint64 now = get_now (self);

  g_clear_handle_id (&self->timer, g_source_remove);
  if (!get_validity (self, &validity))
    {
      dps_report_warn (self->report, DPS_FAILURE_CERTIFICATE_EXPIRES, NULL);
      return;
    }
  warn (self, validity, now);
  self->timer =
      g_timeout_add ((guint) (next_look (self, validity, now) / 1000 + 1), on_look, self);
  self->changed (self->data);
}

gboolean
dps_renewer_is_active (DpsRenewer *self)
{
  DpsValidity validity;
  gint64 wait;

  if (self->timer == 0 || !is_issued (self) || !get_validity (self, &validity))
    return FALSE;
  wait = dps_renewal_due (validity, get_device (self)) - get_now (self);
  return wait > 0 && wait <= DPS_RENEWER_HORIZON;
}
