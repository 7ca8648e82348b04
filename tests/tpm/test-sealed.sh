#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The store sealed by a TPM, through the real daemon: the bus answers while the TPM does not, what is
# sealed is neither lost nor written without the TPM, and a TPM that appears seals what was there.
set -u
. "$DPS_SOURCE_ROOT/tests/tap.sh"
. "$DPS_SOURCE_ROOT/tests/world.sh"
. "$DPS_SOURCE_ROOT/tests/tpm/tpm.sh"
((EUID == 0)) || skip_all "needs root for root-owned directories"

trap 'tpm_signal CONT; tpm_stop; world_stop' EXIT
on_failure() { tail -n 25 "$world/log/agent" 2>/dev/null; }
export ASAN_OPTIONS=detect_leaks=1:abort_on_error=0

field() { ctl status --json | jq -r ".$1"; }
generations() { (cd "$world/state" && sha256sum gen-* 2>/dev/null); }
calls() { requests '"method"' | wc -l; }
stop() { local pid; if pid=$(agent_pid); then kill "$pid"; fi; wait_for 20 no_agent; }
is_served() { [[ $(field state) == provisioned ]] && ctl token --ttl 60 >/dev/null; }
serves() {
    is_served && is "$(field deviceId)" "$registration_id" && is "$(field protectionLevel)" "$1" "protection level"
}
# store LINE...: the group [store], and where the TPM is.
store() { { printf '[tpm]\ntcti=%s\n[store]\n' "$tpm_tcti"; printf '%s\n' "$@"; } >"$world/etc/agent.conf.d/tpm.conf"; }
# logged TEXT: since the last time the log was emptied.
logged() { has "$(<"$world/log/agent")" "$1"; }

world_start "$DPS_BUILD_ROOT" --retry-after 0 || exit 1
tpm_start || exit 1
world_configure
store

sealed() {
    tpm_counts_reset && ctl provision --wait --timeout 60 && serves tpm2+host &&
        has "$(ls "$world/state")" seal.v1
}
check "with a TPM the identity is sealed by it" sealed
figure "TPM commands to provision and seal the first time: $(tpm_counts) ($(tpm_commands))"
again() { stop && tpm_counts_reset && serves tpm2+host && tpm_leftovers; }
check "a restart unseals it" again
figure "TPM commands to unseal at a start: $(tpm_counts) ($(tpm_commands))"

# --- a TPM that does not respond ---------------------------------------------------------

answers() {
    local before took out
    before=$(calls) kept=$(generations)
    stop && tpm_signal STOP || return 1
    took=$(milliseconds)
    out=$(ctl status) || :
    took=$(($(milliseconds) - took))
    figure "stopped TPM: status answered after $took ms, the name is taken after 2 000" >&3
    ((took < 10000)) || { echo "status took $took ms"; return 1; }
    has "$out" "the store is being opened" && is "$(field state)" idle || return 1
    took=$(milliseconds)
    field state >/dev/null
    took=$(($(milliseconds) - took))
    figure "stopped TPM: the next status answered after $took ms" >&3
    ((took < 1000)) || { echo "status took $took ms"; return 1; }
    took=$(milliseconds)
    out=$(exits 1 ctl token 2>&1) || return 1
    # A key is being made for the unsealing, and that may take a slow TPM long.
    has "$out" "still being opened" || return 1
    took=$(($(milliseconds) - took))
    figure "stopped TPM: a token was refused after $took ms: ${out:0:60}…" >&3
    ((took < 60000)) && is "$(calls)" "$before" requests &&
        is "$(generations)" "$kept" generations
}
goes_on() { tpm_signal CONT && wait_for 60 is_served && serves tpm2+host && is "$(generations)" "$kept"; }
exec 3>&1
kept=''
check "a stopped TPM: the bus answers, a credential is refused with the reason" answers
kept=$(generations)
check "it responds again: all goes on by itself" goes_on

# --- no TPM ------------------------------------------------------------------------------

unplugged() {
    local before out
    before=$(calls) kept=$(generations)
    stop && tpm_unplug || return 1
    out=$(ctl status) || :
    has "$out" DPS-E605 && has "$out" "$tpm_dir/relay.socket" || return 1
    is "$(field credentialKind)" none && out=$(exits 1 ctl token 2>&1) && has "$out" DPS-E605 || return 1
    is "$(calls)" "$before" requests && is "$(generations)" "$kept" generations
}
check "without its TPM: held back, nothing lost, and the TPM's own reason" unplugged
kept=$(generations)
plugged() { tpm_plug && wait_for 60 is_served && serves tpm2+host && is "$(generations)" "$kept"; }
check "the TPM is back: all goes on by itself" plugged

host_level() {
    tpm_unplug && ctl reset --yes && ctl provision --wait --timeout 60 && serves host &&
        hasnt "$(ls "$world/state")" seal.v1
}
check "a host without a TPM: file permissions" host_level
rises() {
    local before
    before=$(calls)
    : >"$world/log/agent"
    tpm_plug && ctl reload && serves tpm2+host && logged "protection level is tpm2+host" &&
        is "$(generations | wc -l)" 1 generations && is "$(calls)" "$before" requests
}
check "a TPM appears, Reload: what is stored is sealed, and kept nowhere else" rises
rises_at_start() {
    stop && tpm_unplug && ctl reset --yes && ctl provision --wait --timeout 60 && serves host || return 1
    stop && tpm_plug && serves tpm2+host && is "$(generations | wc -l)" 1 generations
}
check "the same at the next start" rises_at_start

# --- required-protection -----------------------------------------------------------------

required() {
    local before out
    stop && tpm_unplug && ctl reset --yes && stop || return 1
    before=$(calls)
    store required-protection=tpm2
    ctl provision --wait --timeout 5 && return 1
    out=$(ctl status) || :
    has "$out" DPS-E607 && has "$out" "$tpm_dir/relay.socket" && is "$(field credentialKind)" none || return 1
    out=$(exits 1 ctl import-key "$world/etc/device.key" 2>&1) && has "$out" DPS-E607 || return 1
    is "$(calls)" "$before" requests && is "$(ls "$world/state")" lock "in the state directory"
}
check "required-protection=tpm2 and no TPM: nothing is sent, nothing is written" required
fulfilled() { tpm_plug && wait_for 60 is_served && serves tpm2+host; }
check "the TPM appears: provisioned by itself" fulfilled
demanded_later() {
    local out
    store && stop && tpm_unplug && ctl reset --yes && ctl provision --wait --timeout 60 && serves host || return 1
    store required-protection=tpm2
    ctl reload && serves host && out=$(ctl status) && has "$out" DPS-E607 || return 1
    ctl provision --again --wait --timeout 5 && return 1
    ctl token --ttl 60 >/dev/null && is "$(field protectionLevel)" host && tpm_plug && ctl provision --wait --timeout 60 &&
        serves tpm2+host && out=$(ctl status) && hasnt "$out" DPS-E607
}
check "demanded of what is there: served with a word about it, and sealed by the TPM that appears" demanded_later

# --- another TPM -------------------------------------------------------------------------

foreign() {
    local before out
    stop && store || return 1
    before=$(calls) kept=$(generations)
    "$@" || return 1
    out=$(ctl status) || :
    has "$out" DPS-E606 && has "$out" "was cleared or its board replaced" && is "$(field state)" held || return 1
    out=$(exits 1 ctl provision --wait --timeout 20 2>&1) && has "$out" DPS-E606 || return 1
    out=$(exits 1 ctl token 2>&1) && has "$out" DPS-E606 || return 1
    is "$(calls)" "$before" requests && is "$(generations)" "$kept" generations &&
        ctl reset --yes && ctl provision --wait --timeout 60 && serves tpm2+host
}
check "a cleared TPM and a key in files: held, nothing is sent, until the identity is given up" foreign tpm_clear
check "the same with another TPM" foreign tpm_replace
clean_log() { ! grep -E 'CRITICAL|assertion|Sanitizer|runtime error' "$world/log/agent"; }
stop
check "no critical, no sanitizer report" clean_log
finish
