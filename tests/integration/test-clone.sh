#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A disk that was copied to another machine, without a TPM: the agent there makes no call, hands
# nothing out, says why, and goes on once the identity was given up. The machine is /etc/machine-id
# in a mount namespace of this test's.
set -u
. "$DPS_SOURCE_ROOT/tests/tap.sh"
. "$DPS_SOURCE_ROOT/tests/world.sh"
((EUID == 0)) || skip_all "needs root for root-owned directories"
[[ -e /etc/machine-id ]] || skip_all "there is no /etc/machine-id to put another over"
if [[ ! ${DPS_OWN_MOUNTS-} ]]; then
    unshare --mount true 2>/dev/null || skip_all "no mount namespace can be had"
    DPS_OWN_MOUNTS=1 exec unshare --mount "$0" "$@"
fi

trap 'umount /etc/machine-id 2>/dev/null; world_stop' EXIT
on_failure() { tail -n 15 "$world/log/agent" 2>/dev/null; }
export ASAN_OPTIONS=detect_leaks=1:abort_on_error=0

field() { ctl status --json | jq -r ".$1"; }
calls() { requests '"method"' | wc -l; }
stop() { local pid; if pid=$(agent_pid); then kill "$pid"; fi; wait_for 20 no_agent; }
# machine HEX-DIGIT: from the agent's next start on this is that machine.
machine() {
    stop || return 1
    umount /etc/machine-id 2>/dev/null
    printf '%032d\n' 0 | tr 0 "$1" >"$world/machine-id"
    mount --bind "$world/machine-id" /etc/machine-id
}
serves() {
    is "$(field state)" provisioned && is "$(field deviceId)" "$registration_id" &&
        ctl token --ttl 60 >/dev/null
}

world_start "$DPS_BUILD_ROOT" --retry-after 0 || exit 1
world_configure
first_machine() { machine a && ctl provision --wait --timeout 60 && serves; }
check "provision" first_machine

silent() {
    local before out
    before=$(calls) kept=$(cd "$world/state" && sha256sum gen-*)
    ((before > 0)) || { echo "the emulator noted nothing"; return 1; }
    machine b || return 1
    is "$(field state)" held && is "$(field credentialKind)" none && is "$(field deviceId)" "" || return 1
    out=$(exits 1 ctl provision --wait --timeout 20 2>&1) && has "$out" DPS-E606 || return 1
    out=$(exits 1 ctl provision --again --wait --timeout 20 2>&1) && has "$out" DPS-E606 || return 1
    out=$(exits 1 ctl token 2>&1) && has "$out" DPS-E606 || return 1
    ctl reload || :
    out=$(ctl status) || :
    has "$out" DPS-E606 && has "$out" /etc/machine-id && has "$out" "dpsctl reset --yes" || return 1
    is "$(calls)" "$before" "requests" && is "$(cd "$world/state" && sha256sum gen-*)" "$kept" generations
}
check "a copy on another machine: no request, no credential, nothing changed, and why" silent

back_home() {
    local before
    before=$(calls)
    machine a && serves && is "$(calls)" "$before" requests
}
check "the first machine is served as before" back_home

given_up() {
    machine b && ctl reset --yes && ctl provision --wait --timeout 60 && serves || return 1
    stop && serves
}
check "given up, the other machine gets an identity of its own" given_up

no_id() {
    stop || return 1
    umount /etc/machine-id
    : >"$world/empty" && mount --bind "$world/empty" /etc/machine-id || return 1
    : >"$world/log/agent"
    serves && is "$(grep -c 'is not recognised' "$world/log/agent")" 1 "lines in the log"
}
check "a machine without an id: no guard, which the journal says once" no_id
stop
finish
