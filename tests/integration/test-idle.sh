#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Calls spread over the moment at which the idle agent leaves: none may be lost.
# test-idle.sh CALLS-PROGRAM
set -u
. "$DPS_SOURCE_ROOT/tests/tap.sh"
. "$DPS_SOURCE_ROOT/tests/world.sh"
((EUID == 0)) || skip_all "needs root for root-owned directories"

trap world_stop EXIT
on_failure() { tail -n 20 "$world/log/agent" 2>/dev/null; }
idle_ms=20
calls=$1

world_start "$DPS_BUILD_ROOT" || exit 1
world_configure
world_service --idle-seconds 0.020

boundary() {
    local starts
    has "$out" "calls=1000 errors=0" || return 1
    starts=${out##*starts=}
    ((starts > 50)) || { echo "only $starts starts: the calls did not meet the boundary"; return 1; }
}
out=$("$calls" "$bus_address" 1000 $idle_ms 2>&1)
figure "idle boundary: $out"
check "1000 calls over the idle boundary, none lost" boundary
clean_log() { ! grep -E 'CRITICAL|assertion|Sanitizer|runtime error|cannot start' "$world/log/agent"; }
check "no start failed, no critical, no sanitizer report" clean_log
finish
