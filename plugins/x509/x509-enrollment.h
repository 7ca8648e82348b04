/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "x509-chain.h"

/* What an enrolment of this chain needs, for people, with line ends; after
 * x509_chain_check(). Pure; the caller's. */
char *x509_enrollment_text (const X509Chain *chain);
