/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "plugin-check/dps-check-report.h"

/* The checks by name: the rule of dps-plugin.h that each is for, and the remedy. */
extern const DpsCheckRule dps_check_file_rule;
extern const DpsCheckRule dps_check_symbols_rule;
extern const DpsCheckRule dps_check_load_rule;
extern const DpsCheckRule dps_check_alone_rule;
extern const DpsCheckRule dps_check_probe_rule;
extern const DpsCheckRule dps_check_describe_rule;
extern const DpsCheckRule dps_check_confined_rule;
extern const DpsCheckRule dps_check_stable_rule;
extern const DpsCheckRule dps_check_answer_rule;
extern const DpsCheckRule dps_check_sign_rule;
extern const DpsCheckRule dps_check_forget_rule;
extern const DpsCheckRule dps_check_bare_rule;
extern const DpsCheckRule dps_check_cause_rule;
extern const DpsCheckRule dps_check_deadline_rule;
extern const DpsCheckRule dps_check_secrets_rule;
extern const DpsCheckRule dps_check_memory_rule;
