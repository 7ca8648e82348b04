#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# test-refusals.sh [CASE]: that one alone.
#
# A TPM that refuses the agent or does not respond, over the bus: the password of the owner or of the
# storage root key is another, the TPM is locked out, or stands still. Each has its code, and the
# agent's attempt is none that dictionary-attack protection counts, while others' are.
set -u
. "$DPS_SOURCE_ROOT/tests/tap.sh"
. "$DPS_SOURCE_ROOT/tests/world.sh"
. "$DPS_SOURCE_ROOT/tests/tpm/tpm.sh"
((EUID == 0)) || skip_all "needs root for root-owned directories"

trap 'tpm_signal CONT; tpm_stop; world_stop' EXIT
on_failure() { tail -n 25 "$world/log/agent" 2>/dev/null; tpm_commands; }
export ASAN_OPTIONS=detect_leaks=1:abort_on_error=0
build=$DPS_BUILD_ROOT

world_plugins() { install -m 644 "$build"/plugins/tpm/tpm.so "$world/plugins/"; }
world_enrolments() {
    tpm_start && tpm_ek || return 1
    registration_id=$(tpm_registration_id)
    printf '{ "individual": [ %s ] }\n' "$(tpm_enrolment)" >"$world/emulator/enrolments.json"
}

only=${1-}
try() { [[ $only && $only != "$1" ]] || check "$@"; }

field() { ctl status --json | jq -r ".$1"; }
puts() { requests '"PUT"' | wc -l; }
stop() { local pid; if pid=$(agent_pid); then kill "$pid"; fi; wait_for 20 no_agent; }
state_is() { [[ $(field state) == "$1" ]]; }
serves() {
    state_is provisioned && is "$(field deviceId)" "$registration_id" && is "$(field verified)" true &&
        is "$(field protectionLevel)" tpm2+host && ctl token --ttl 60 >/dev/null
}
srk_name() { tpm_tool tpm2_readpublic -c $tpm_srk | awk '$1 == "name:" { print $2 }'; }
# file NAME PASSWORD
file() { install -m 600 /dev/stdin "$world/etc/$1" <<<"$2"; }

# Nothing stored, and a TPM without keys and passwords.
fresh() { ctl reset --yes >/dev/null && stop && tpm_clear && is "$(tpm_lockout_counter)" 0; }

# No attempt is under way; sets seen, and longest, the milliseconds that an answer took at most.
rests() {
    local took
    took=$(milliseconds)
    seen=$(ctl status --json | jq -r '"\(.state) \(.reason.code)"')
    took=$(($(milliseconds) - took))
    ((took <= longest)) || longest=$took
    [[ $seen == @(held|backing-off|provisioned)\ * ]]
}
# refused STATE CODE LINE...: an attempt with these lines in [tpm] ends so, and counts nothing.
refused() {
    local result="$1 $2" before seen longest=0
    shift 2
    before=$(tpm_lockout_counter)
    tpm_configure "$@" && ctl provision && wait_for 30 rests && is "$seen" "$result" &&
        is "$(field credentialKind)" none && is "$(tpm_lockout_counter)" "$before" "lockout counter" && tpm_leftovers
}
# As the remedy says.
mended() { ctl provision --wait --timeout 60 && serves && is "$(tpm_lockout_counter)" 0 "lockout counter"; }

world_start "$build" --retry-after 0 || exit 1
tpm_configure

exec 3>&1

owner() {
    fresh && tpm_set_auth owner right && file owner wrong &&
        refused held DPS-E218 "owner-auth-file=$world/etc/owner" && file owner right && mended
}
try "another owner password: DPS-E218, nothing is counted; with the right one it is provisioned" owner

srk() {
    fresh && tpm_rsa_srk right && file srk wrong &&
        refused held DPS-E220 "srk-auth-file=$world/etc/srk" && file srk right && mended
}
try "another password of the storage root key: DPS-E220, the same" srk

# A key without noda: the TPM counts who tries its password.
counting() {
    local name
    fresh && tpm_counting_srk right && name=$(srk_name) && file srk wrong || return 1
    tpm_configure "srk-auth-file=$world/etc/srk" && mended && is "$(srk_name)" "$name" "the key at the handle" &&
        has "$(<"$world/log/agent")" "so none is tried" || return 1
    ! tpm_use_srk wrong 2>/dev/null && is "$(tpm_lockout_counter)" 1 "after others tried it" &&
        tpm_tool tpm2_dictionarylockout -Q -c
}
try "a wrong password for a storage root key that counts: none is tried; others that try it are counted" counting

# One attempt is allowed, and somebody has made it.
locked_out() {
    fresh && tpm_counting_srk right && ! tpm_use_srk wrong 2>/dev/null &&
        tpm_tool tpm2_dictionarylockout -Q -s -n 1 -t 1000 -l 1000 && refused backing-off DPS-E221 &&
        is "$(tpm_lockout_counter)" 1 || return 1
    tpm_tool tpm2_dictionarylockout -Q -c && wait_for 60 state_is provisioned && serves && is "$(tpm_lockout_counter)" 0
}
try "the TPM is locked out: DPS-E221, the counter stays where it was; then provisioned by itself" locked_out

stands_still() {
    local took before seen longest=0
    ctl provision --wait --timeout 60 && serves || return 1
    before=$(puts) && tpm_signal STOP && took=$(milliseconds) && ctl provision --again && wait_for 40 rests || return 1
    took=$(($(milliseconds) - took))
    figure "TPM stopped within an attempt: $seen after $took ms, status answered within $longest ms meanwhile" >&3
    is "$seen" "backing-off DPS-E214" && ((longest < 5000)) || return 1
    tpm_signal CONT && wait_for 60 state_is provisioned && serves && tpm_leftovers &&
        { (($(puts) >= before + 2)) || { echo "no registration after that"; return 1; }; }
}
try "it stands still for longer than a command may take: DPS-E214, the bus answers; then provisioned by itself" stands_still

clean() {
    stop && ! grep -E 'CRITICAL|assertion|Sanitizer|runtime error' "$world/log/agent" &&
        is "$(tpm_lockout_counter)" 0 && tpm_leftovers
}
check "lockout counter 0, nothing left in the TPM, no critical, no sanitizer report" clean
finish
