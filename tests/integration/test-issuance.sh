#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Certificates that the service issues, through the real daemon: the first one, renewals, what
# keeps the old one in force, and what follows when it has expired.
set -u
. "$DPS_SOURCE_ROOT/tests/tap.sh"
. "$DPS_SOURCE_ROOT/tests/world.sh"
((EUID == 0)) || skip_all "needs root for root-owned directories"
for tool in busctl jq openssl; do
    command -v "$tool" >/dev/null || skip_all "needs $tool"
done
scenario_file=$(mktemp /tmp/dps-issuance.XXXXXX)
trap 'world_stop; rm -f "$scenario_file"' EXIT
on_failure() {
    tail -n 15 "$world/log/agent" 2>/dev/null
    requests '"event":"request"' | tail -n 6
}
export ASAN_OPTIONS=detect_leaks=1:abort_on_error=0

iface=org.dpsagent.Agent1
bus() { busctl --address="$bus_address" "$@"; }
control() { bus call $iface /org/dpsagent/Agent1 $iface.Control "$@" >/dev/null; }
property() { bus get-property $iface /org/dpsagent/Agent1 $iface "$1" | sed -E 's/^[a-z]+ "?([^"]*)"?$/\1/'; }
reason() { bus --json=short get-property $iface /org/dpsagent/Agent1 $iface Reason | jq -r '.data[0]'; }
warnings() { bus --json=short get-property $iface /org/dpsagent/Agent1 $iface Warnings | jq -r '.data[][0]'; }
now_s() { echo "${EPOCHSECONDS}"; }
not_after() { echo $(($(property CertificateNotAfter) / 1000000)); }
puts() { requests '"event":"request"' '"method":"PUT"' | wc -l; }
has_reason() { [[ $(reason) == "$1" ]]; }
in_state() { [[ $(property State) == "$1" ]]; }
warns() { warnings | grep -qx "$1"; }

# --- the emulator's side ----------------------------------------------------------------

reloads() { grep '"event":"reload"' "$world/log/requests.jsonl" | grep -c '"ok":true'; }
more_reloads() { (($(reloads) > $1)); }
enrol() {
    local policy=''
    [[ -z $1 ]] || policy=", \"certificateIssuance\": { \"lifetime\": $1 }"
    cat >"$world/emulator/enrolments.json" <<JSON
{ "individual": [ { "registrationId": "$registration_id", "attestation": "symmetricKey",
                    "primaryKey": "$device_key", "secondaryKey": "$device_key",
                    "hub": "$hub"$policy } ] }
JSON
}
# emulate LIFETIME RULE...: in force when it returns.
emulate() {
    local before rules=''
    before=$(reloads)
    enrol "$1"
    shift
    while (($#)); do rules+=$1${2:+,}; shift; done
    printf '{"rules":[%s]}\n' "$rules" >"$scenario_file"
    kill -HUP "$emulator_pid"
    wait_for 60 more_reloads "$before" || { echo "the scenario was not taken"; return 1; }
}
# at_poll ANSWER [MATCH], at_put ANSWER [MATCH]
at_poll() { printf '{"match":{"host":"dps","path":"/operations/"%s},"answer":{%s}}' "${2:-}" "$1"; }
at_put() { printf '{"match":{"host":"dps","method":"PUT"%s},"answer":{%s}}' "${2:-}" "$1"; }
at_hub() { printf '{"match":{"host":"hub"},"answer":{%s}}' "$1"; }

start_world() {
    device_key=$(openssl rand -base64 64 | tr -d '\n')
    printf '{"rules":[]}\n' >"$scenario_file"
    world_start "$DPS_BUILD_ROOT" --retry-after 0 --polls 0 --scenario "$scenario_file" || return 1
    world_configure certificate-issuance=yes
}
start_world || { echo "Bail out! no world"; exit 1; }

# --- cases ------------------------------------------------------------------------------

test_first() {
    emulate 3600 && ctl provision --wait --timeout 120 >/dev/null || return 1
    local left=$(($(not_after) - $(now_s)))
    is "$(property CredentialKind)" x509 && is "$(property Verified)" true &&
        is "$(puts)" 1 && is "$(requests '"method":"PUT"' 'api-version=2025-07-01-preview' | wc -l)" 1 &&
        ((left > 3000 && left <= 3601)) || { echo "valid for $left s"; return 1; }
}
check "the first certificate is issued, and verified at the hub" test_first

# fault CODE SCENARIO-RULE: an attempt that fails so, with the old identity in force.
fault() {
    local before lifetime=${3-3600}
    before=$(property CertificateNotAfter)
    emulate "$lifetime" "$2" && control Reprovision 'a{sv}' 0 && wait_for 120 has_reason "$1" ||
        { echo "the reason is $(reason)"; control Cancel; return 1; }
    is "$(property CertificateNotAfter)" "$before" && is "$(property CredentialKind)" x509 &&
        is "$(property Verified)" true && is "$(property AssignedHub)" "$hub" || return 1
    control Cancel && wait_for 60 has_reason DPS-E701 && in_state provisioned
}
for kind in other-key other-common-name expired not-yet-valid no-link root-first not-certificates; do
    check "a chain that is wrong ($kind) is refused, the old one stays" \
        fault DPS-E420 "$(at_poll "\"issued-chain\":\"$kind\"")"
done
for kind in too-many not-base64; do
    check "an answer that breaks the protocol ($kind): the old one stays" \
        fault DPS-E312 "$(at_poll "\"issued-chain\":\"$kind\"")"
done
for kind in missing empty; do
    check "nothing issued ($kind): the old one stays" \
        fault DPS-E421 "$(at_poll "\"issued-chain\":\"$kind\"")"
done
check "a request that is ignored: the old one stays" fault DPS-E421 "$(at_put '"csr":"ignore"')"
check "an enrolment without a policy: the old one stays" fault DPS-E421 "" ""
check "a request that is refused: the old one stays" fault DPS-E402 "$(at_put '"csr":"refuse"')"
check "a hub that refuses the new one: the old one stays" \
    fault DPS-E501 "$(at_hub '"status":401')"

test_timer_idle() {
    local before
    before=$(puts)
    emulate 3600 && control Provision 'a{sv}' 1 origin s timer && in_state provisioned &&
        is "$(puts)" "$before"
}
check "the timer begins nothing that is not due" test_timer_idle

# A renewal is due by the service's clock. Its answers set that clock just before the 80 % of a
# certificate's life, and later past the 90 % after which an old one is warned of, so that no case
# waits for a certificate to grow old.
dated() { printf '"date":"%s"' "$(LC_ALL=C date -u -d "@$1" '+%a, %d %b %Y %H:%M:%S GMT')"; }
renewed() { (($(not_after) > $1)); }
another() { (($(not_after) != $1)); }
# replace: the certificate in force, by one that ends at another second.
replace() {
    local before
    before=$(not_after)
    control Reprovision 'a{sv}' 0 && wait_for 60 another "$before"
}
# grown_old LIFETIME RULE...: a certificate in force that is nearly due; the rules are for its
# renewal. No two in a row live as long: the second may be issued in the second of the first.
grown_old() {
    local date lifetime=$1
    date=$(dated $(($(now_s) + lifetime / 5 * 4)))
    shift
    emulate "$lifetime" "$(at_put "$date" ',"times":1')" "$(at_poll "$date" ',"times":1')" "$@" &&
        replace
}
said() { grep -c "$1" "$world/log/agent"; }

test_renewal() {
    local first begun
    begun=$(puts)
    grown_old 800 || return 1
    first=$(not_after)
    wait_for 120 renewed "$first" || { echo "not renewed"; return 1; }
    is "$(said 'is due for renewal')" 1 && is "$(puts)" $((begun + 2)) &&
        wait_for 60 in_state provisioned && is "$(property Verified)" true
}
check "a certificate is renewed by itself, before it ends" test_renewal

test_serves_on() {
    local first late
    late=$(dated $(($(now_s) + 760)))
    grown_old 810 "$(at_put "$late")" "$(at_poll "\"issued-chain\":\"no-link\",$late")" || return 1
    first=$(not_after)
    wait_for 120 has_reason DPS-E420 || { echo "the reason is $(reason)"; return 1; }
    is "$(property State)" provisioned && is "$(not_after)" "$first" &&
        (($(property NextAttempt) > 0)) && wait_for 60 warns DPS-E503 &&
        emulate 3600 && wait_for 120 renewed "$first" && ! warns DPS-E503
}
check "a renewal that fails: the old one serves on, DPS-E503 warns, the next try is planned" \
    test_serves_on

# The agent knows the service's clock no longer: this one must end by the host's. It is due after
# 16 s, which is how long there is to stop the agent.
test_expired() {
    local first begun
    emulate 20 && replace || return 1
    first=$(not_after)
    begun=$(puts)
    kill "$(agent_pid)" && wait_for 60 no_agent && wait_for 60 past "$first" || return 1
    emulate 3600 && ctl provision --boot >/dev/null && wait_for 120 renewed $((first + 3000)) &&
        wait_for 60 in_state provisioned && is "$(property Verified)" true &&
        is "$(puts)" $((begun + 1))
}
past() { (($(now_s) > $1)); }
check "one that expired while the agent was away is replaced at once" test_expired

finish
