/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/dps-keeper.h"
#include "core/dps-plugin-runner.h"
#include "core/dps-report.h"
#include "core/dps-settings.h"

/* Brings the report in line with what the agent holds: the identity in force, the
 * configuration in force, and what is known of the plugins. The state is not touched
 * here. */
void dps_summary_show_identity (DpsReport *report, DpsKeeper *keeper);
/* The same for one that has just come into force, with a line in the journal; TRUE where
 * its hub or device is another than before. */
gboolean dps_summary_announce_identity (DpsReport *report, DpsKeeper *keeper);
void dps_summary_show_config (DpsReport *report,
                              DpsSettings *settings,
                              DpsKeeper *keeper);

/* Whether there is something at the place of the TPM. */
void dps_summary_show_tpm (DpsReport *report, DpsSettings *settings);

/* failure is how the last attempt ended; NULL = there was none. */
void dps_summary_show_plugins (DpsReport *report,
                               DpsSettings *settings,
                               const DpsFailure *failure);
/* After the plugin has served an attempt, confined as it says. */
void dps_summary_show_plugin_usable (DpsReport *report,
                                     DpsSettings *settings,
                                     const DpsPluginConfinement *confinement);
