/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "core/dps-report.h"
#include "common/dps-log.h"

#include <string.h>
#include <time.h>

typedef enum
{
  STRING,
  BOOLEAN,
  TIME,
  OFFSET,
  VARIANT
} Kind;

static const struct
{
  const char *name;
  Kind kind;
  const char *type; /* of a variant */
} table[] = {
  { "version", STRING, NULL },
  { "state", STRING, NULL },
  { "reason", VARIANT, "(sss)" },
  { "since", TIME, NULL },
  { "next-attempt", TIME, NULL },
  { "endpoint", STRING, NULL },
  { "assigned-hub", STRING, NULL },
  { "device-id", STRING, NULL },
  { "registration-id", STRING, NULL },
  { "attestation", STRING, NULL },
  { "credential-kind", STRING, NULL },
  { "verified", BOOLEAN, NULL },
  { "protection-level", STRING, NULL },
  { "tpm", STRING, NULL },
  { "certificate-not-after", TIME, NULL },
  { "clock-offset", OFFSET, NULL },
  { "plugins", VARIANT, "a(sss)" },
  { "plugin-confinement", VARIANT, "a{sas}" },
  { "network-path", VARIANT, "a{sv}" },
  { "warnings", VARIANT, "a(sss)" },
};
#define N_PROPERTIES G_N_ELEMENTS (table)

/* A clock that moved further than this was set. */
#define CLOCK_SET (10 * G_USEC_PER_SEC)

struct _DpsReport
{
  GObject parent;
  DpsState state;
  gint64 clock_base; /* real time less boot time when the offset was noted */
  GValue values[N_PROPERTIES];
};

G_DEFINE_FINAL_TYPE (DpsReport, dps_report, G_TYPE_OBJECT)

static GParamSpec *specs[N_PROPERTIES + 1];

static GParamSpec *
make_spec (const char *name, Kind kind, const char *type)
{
  GParamFlags flags =
      G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | G_PARAM_EXPLICIT_NOTIFY;

  switch (kind)
    {
    case BOOLEAN:
      return g_param_spec_boolean (name, NULL, NULL, FALSE, flags);
    case TIME:
      return g_param_spec_uint64 (name, NULL, NULL, 0, G_MAXUINT64, 0, flags);
    case OFFSET:
      return g_param_spec_int64 (name, NULL, NULL, G_MININT64, G_MAXINT64, 0, flags);
    case VARIANT:
      return g_param_spec_variant (name, NULL, NULL, G_VARIANT_TYPE (type), NULL, flags);
    case STRING:
    default:
      return g_param_spec_string (name, NULL, NULL, "", flags);
    }
}

static void
dps_report_get_property (GObject *object, guint id, GValue *value, GParamSpec *spec)
{
  g_value_copy (&DPS_REPORT (object)->values[id - 1], value);
}

static void
dps_report_set_property (GObject *object, guint id, const GValue *value, GParamSpec *spec)
{
  DpsReport *self = DPS_REPORT (object);
  GValue *held = &self->values[id - 1];

  if (g_param_values_cmp (spec, held, value) == 0)
    return;
  g_value_copy (value, held);
  g_object_notify_by_pspec (object, spec);
}

static void
dps_report_finalize (GObject *object)
{
  DpsReport *self = DPS_REPORT (object);

  for (gsize i = 0; i < N_PROPERTIES; i++)
    g_value_unset (&self->values[i]);
  G_OBJECT_CLASS (dps_report_parent_class)->finalize (object);
}

static void
dps_report_class_init (DpsReportClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);

  object_class->get_property = dps_report_get_property;
  object_class->set_property = dps_report_set_property;
  object_class->finalize = dps_report_finalize;
  for (gsize i = 0; i < N_PROPERTIES; i++)
    specs[i + 1] = make_spec (table[i].name, table[i].kind, table[i].type);
  g_object_class_install_properties (object_class, N_PROPERTIES + 1, specs);
}

static GVariant *
empty_variant (const char *type)
{
  if (strcmp (type, "(sss)") == 0)
    return g_variant_new ("(sss)", "", "", "");
  return g_variant_new_array (g_variant_type_element (G_VARIANT_TYPE (type)), NULL, 0);
}

static void
dps_report_init (DpsReport *self)
{
  for (gsize i = 0; i < N_PROPERTIES; i++)
    {
      GValue *value = &self->values[i];

      g_value_init (value, G_PARAM_SPEC_VALUE_TYPE (specs[i + 1]));
      if (table[i].kind == STRING)
        g_value_set_static_string (value, "");
      else if (table[i].kind == VARIANT)
        g_value_take_variant (value, g_variant_ref_sink (empty_variant (table[i].type)));
    }
}

DpsReport *
dps_report_new (void)
{
  DpsReport *self = g_object_new (DPS_TYPE_REPORT, NULL);

  g_object_set (self,
                "version",
                PACKAGE_VERSION,
                "state",
                dps_state_name (DPS_STATE_UNCONFIGURED),
                "since",
                (guint64) g_get_real_time (),
                "credential-kind",
                "none",
                "protection-level",
                "none",
                NULL);
  return self;
}

const char *const *
dps_report_properties (void)
{
  static const char *names[N_PROPERTIES + 1];

  for (gsize i = 0; i < N_PROPERTIES; i++)
    names[i] = table[i].name;
  return names;
}

DpsState
dps_report_get_state (DpsReport *self)
{
  return self->state;
}

static GVariant *
reason_variant (const DpsFailure *reason)
{
  g_autofree char *text = NULL;

  if (reason == NULL || reason->kind == DPS_FAILURE_NONE)
    return g_variant_new ("(sss)",
                          "",
                          reason && reason->detail ? reason->detail : "",
                          "");
  text = dps_failure_describe (reason);
  return g_variant_new ("(sss)",
                        dps_failure_row (reason->kind)->code,
                        text,
                        dps_failure_row (reason->kind)->remedy);
}

static void
log_move (DpsState from, DpsState to, const DpsFailure *reason)
{
  g_autofree char *text = reason ? dps_failure_describe (reason) : NULL;

  if (reason != NULL && reason->kind != DPS_FAILURE_NONE)
    dps_warning ((TOPIC ("state"),
                  OBJECT (dps_state_name (to)),
                  CODE (dps_failure_row (reason->kind)->code)),
                 "%s; %s",
                 text,
                 dps_failure_row (reason->kind)->remedy);
  else
    dps_info ((TOPIC ("state"), OBJECT (dps_state_name (to))),
              "left %s",
              dps_state_name (from));
}

void
dps_report_move (DpsReport *self,
                 DpsState state,
                 const DpsFailure *reason,
                 guint64 next_attempt)
{
  DpsState from = self->state;
  g_autoptr (GVariant) shown = g_variant_ref_sink (reason_variant (reason));
  g_autoptr (GVariant) before = NULL;

  g_return_if_fail (from == state || dps_state_may_move (from, state));

  self->state = state;
  g_object_get (self, "reason", &before, NULL);
  if (from != state || (reason != NULL && !g_variant_equal (before, shown)))
    log_move (from, state, reason);
  g_object_freeze_notify (G_OBJECT (self));
  if (from != state)
    g_object_set (self, "since", (guint64) g_get_real_time (), NULL);
  g_object_set (self,
                "state",
                dps_state_name (state),
                "reason",
                shown,
                "next-attempt",
                next_attempt,
                NULL);
  g_object_thaw_notify (G_OBJECT (self));
}

void
dps_report_explain (DpsReport *self, const DpsFailure *reason)
{
  if (reason != NULL)
    log_move (self->state, self->state, reason);
  g_object_set (self, "reason", reason_variant (reason), NULL);
}

/* Whether there was one before. */
static gboolean
copy_other_warnings (DpsReport *self, const char *code, GVariantBuilder *builder)
{
  g_autoptr (GVariant) old = NULL;
  gboolean found = FALSE;

  g_object_get (self, "warnings", &old, NULL);
  for (gsize i = 0; i < g_variant_n_children (old); i++)
    {
      g_autoptr (GVariant) row = g_variant_get_child_value (old, i);
      const char *its_code;

      g_variant_get_child (row, 0, "&s", &its_code);
      if (strcmp (its_code, code) == 0)
        found = TRUE;
      else
        g_variant_builder_add_value (builder, row);
    }
  return found;
}

void
dps_report_warn (DpsReport *self, DpsFailureKind kind, const DpsFailure *warning)
{
  GVariantBuilder builder;
  gboolean known;

  g_variant_builder_init (&builder, G_VARIANT_TYPE ("a(sss)"));
  known = copy_other_warnings (self, dps_failure_row (kind)->code, &builder);
  if (warning != NULL)
    g_variant_builder_add_value (&builder, reason_variant (warning));
  if (warning != NULL && !known)
    log_move (self->state, self->state, warning);
  if (warning != NULL || known)
    g_object_set (self, "warnings", g_variant_builder_end (&builder), NULL);
  else
    g_variant_builder_clear (&builder);
}

void
dps_report_set_string (DpsReport *self, const char *property, const char *value)
{
  g_object_set (self, property, value ? value : "", NULL);
}

void
dps_report_set_boolean (DpsReport *self, const char *property, gboolean value)
{
  g_object_set (self, property, value, NULL);
}

/* Moves only when somebody sets the clock, or slowly as it is disciplined. */
static gint64
clock_base (void)
{
  struct timespec boot;

  clock_gettime (CLOCK_BOOTTIME, &boot);
  return g_get_real_time () - boot.tv_sec * G_USEC_PER_SEC - boot.tv_nsec / 1000;
}

void
dps_report_note_clock (DpsReport *self, gint64 offset)
{
  self->clock_base = clock_base ();
  g_object_set (self, "clock-offset", offset, NULL);
}

gint64
dps_report_get_clock_offset (DpsReport *self)
{
  gint64 offset;

  g_object_get (self, "clock-offset", &offset, NULL);
  if (offset != 0 && ABS (clock_base () - self->clock_base) > CLOCK_SET)
    {
      dps_info ((TOPIC ("clock")), "the system clock was set; its offset is forgotten");
      offset = 0;
      g_object_set (self, "clock-offset", offset, NULL);
    }
  return offset;
}
