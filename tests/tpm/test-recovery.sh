#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A host that attests itself with its TPM, and whose TPM was cleared, or whose board was replaced by one
# that is enrolled, too: it puts aside what it cannot unseal any more, is attested and provisioned
# again, and nobody lends a hand.
set -u
. "$DPS_SOURCE_ROOT/tests/tap.sh"
. "$DPS_SOURCE_ROOT/tests/world.sh"
. "$DPS_SOURCE_ROOT/tests/tpm/tpm.sh"
((EUID == 0)) || skip_all "needs root for root-owned directories"

trap 'tpm_stop; world_stop' EXIT
on_failure() { tail -n 25 "$world/log/agent" 2>/dev/null; }
export ASAN_OPTIONS=detect_leaks=1:abort_on_error=0
build=$DPS_BUILD_ROOT

# The enrolments are of TPMs that have to be there before the emulator: its part of the world comes later.
world_plugins() { install -m 644 "$build"/plugins/{symmetric-key/symmetric-key,tpm/tpm}.so "$world/plugins/"; }
world_enrolments() {
    tpm_start && make_board first && tpm_replace && make_board second && use_board first &&
        cat >"$world/emulator/enrolments.json" <<JSON
{ "individual": [ $(enrolment first), $(enrolment second) ] }
JSON
}
endorsement_key() { tpm_tool tpm2_createek -Q -G rsa -c "$world/ek.context" -u "$world/$1.ek" -f tss; tpm_tool tpm2_flushcontext -t; }
# It has its seeds once it has made a key, and they are on the disk once it has ended.
make_board() { endorsement_key "$1" && tpm_end swtpm && cp -a "$tpm_dir/state" "$world/$1"; }
# dps-protocol §5.3
id_of() { openssl dgst -sha256 -binary "$world/$1.ek" | base32 | tr 'A-Z' 'a-z' | tr -d '='; }
enrolment() {
    printf '{ "registrationId": "%s", "attestation": "tpm", "endorsementKey": "%s", "deviceId": "host-%s", "hub": "%s" }' \
        "$(id_of "$1")" "$(base64 -w0 "$world/$1.ek")" "$1" "$hub"
}
use_board() { tpm_end swtpm && rm -rf "$tpm_dir/state" && cp -a "$world/$1" "$tpm_dir/state" && tpm_swtpm; }

field() { ctl status --json | jq -r ".$1"; }
registrations() { requests '"PUT"' '"status":202' | wc -l; }
stop() { local pid; if pid=$(agent_pid); then kill "$pid"; fi; wait_for 20 no_agent; }
aside() { (cd "$world/state/quarantine" 2>/dev/null && echo foreign-*); }
is_served() { [[ $(field state) == provisioned ]] && ctl token --ttl 60 >/dev/null; }
# provisioned DEVICE: by itself; nobody asks for more than the status and tokens.
provisioned() {
    wait_for 60 is_served && is "$(field deviceId)" "host-$1" && is "$(field protectionLevel)" tpm2+host &&
        tpm_leftovers
}

world_start "$build" --retry-after 0 || exit 1
{
    printf '[provisioning]\nendpoint=%s\nid-scope=%s\nattestation=tpm\nsplay-seconds=0\n' "$endpoint" "$id_scope"
    printf '[network]\naddress=127.0.0.1:%s;%s=127.0.0.1:%s\nca-file=%s\n' "$port" "$hub" "$port" "$ca"
    printf '[tpm]\ntcti=%s\n' "$tpm_tcti"
} >"$world/etc/agent.conf.d/site.conf"

first() { tpm_counts_reset && ctl provision --wait --timeout 120 && provisioned first; }
check "a host is attested with its TPM, and sealed by it" first
figure "TPM commands of a provisioning, sealed the first time: $(tpm_counts) ($(tpm_commands))"

cleared() {
    local before
    before=$(registrations)
    stop && tpm_clear && provisioned first && is "$(registrations)" $((before + 1)) registrations || return 1
    has "$(aside)" foreign-gen- && has "$(aside)" foreign-seal.v1 &&
        has "$(<"$world/log/agent")" "is attested again"
}
check "its TPM is cleared: provisioned again by itself, the old files are put aside" cleared
replaced() {
    local before
    before=$(registrations)
    stop && use_board second && provisioned second && is "$(registrations)" $((before + 1)) registrations
}
check "its board is replaced by an enrolled one: provisioned as that one" replaced
# What was unsealed before is still in memory: it must not be what seals the new identity.
while_running() {
    local before
    before=$(registrations)
    is_served && tpm_clear && agent_pid >/dev/null && ! ctl token --ttl 60 >/dev/null &&
        provisioned second && is "$(registrations)" $((before + 1)) registrations || return 1
    stop && provisioned second && is "$(registrations)" $((before + 1)) "registrations after a restart"
}
check "the TPM is cleared under a running agent: provisioned once more, and once only" while_running
clean_log() { ! grep -E 'CRITICAL|assertion|Sanitizer|runtime error' "$world/log/agent"; }
stop
check "no critical, no sanitizer report" clean_log
finish
