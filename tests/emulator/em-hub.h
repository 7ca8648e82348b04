/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A minimal IoT Hub: enough for a device to prove that it holds the credential of its
 * assignment. */
#pragma once

#include "em-registry.h"
#include "em-reply.h"
#include "em-request.h"

EmReply *em_hub_handle (EmRegistry *registry, const char *hub, const EmRequest *request);
