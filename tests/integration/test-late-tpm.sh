#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# test-late-tpm.sh PLUGIN: an attempt that failed for want of a TPM is begun again as soon as there
# is one, whatever the wait that was planned; and once only. PLUGIN names the cause.
set -u
. "$DPS_SOURCE_ROOT/tests/tap.sh"
. "$DPS_SOURCE_ROOT/tests/world.sh"
plugin=$(realpath "$1")
((EUID == 0)) || skip_all "needs root"
trap world_stop EXIT
world_start "$DPS_BUILD_ROOT" --retry-after 0 || bail_out "no world"
install -m 644 "$plugin" "$world/plugins/"
device=$world/tpmrm0

# configure CAUSE [LINE]...: the plugin's, and no TPM.
configure() {
    rm -f "$device"
    world_configure
    sed -i 's/^attestation=.*/attestation=late/' "$world/etc/agent.conf.d/site.conf"
    {
        printf '\n[tpm]\ntcti=device:%s\n' "$device"
        printf '\n[plugin late]\ndevice=%s\nkey-file=%s\n' "$device" "$world/etc/device.key"
        printf 'cause=%s\n' "$1"
        printf '%s\n' "${@:2}"
    } >>"$world/etc/agent.conf.d/site.conf"
}
status() { ctl status --json | jq -r "$1"; }
is_now() { [[ $(status .state) == "$1" ]]; }
asked() { grep -c ': asked' "$world/log/agent"; }

# fails_with CODE STATE AVAILABILITY: and a wait is planned.
fails_with() {
    local code
    is "$(status .tpm)" none || return 1
    ctl provision >"$world/log/out" 2>&1 || return 1
    wait_for 20 is_now "$2" || { ctl status; return 1; }
    code=$(status .reason.code)
    is "$code" "$1" && is "$(status '.plugins[] | select(.name == "late").availability')" "$3" && hasnt "$(status .reason.text)" "[tpm-"
}
provisions() {
    wait_for 20 is_now provisioned || { ctl status; tail -5 "$world/log/agent"; return 1; }
}
appears() {
    local begin=$EPOCHREALTIME end
    touch "$device"
    provisions || return 1
    is "$(status .tpm)" "$device" || return 1
    end=$EPOCHREALTIME
    echo "$(((${end/./} - ${begin/./}) / 1000))" >>"$world/took"
}

configure tpm-no-device
check "without a TPM the agent waits for the plugin" fails_with DPS-E211 waiting-for-plugin later
check "and provisions when the device appears" appears

ctl reset --yes >/dev/null 2>&1
configure tpm-raw-only
ctl reload >/dev/null 2>&1
check "without its resource manager it is held" fails_with DPS-E213 held never
minutes_away() { (($(status .nextAttempt) / 1000000 - $(date +%s) > 120)); }
check "for minutes" minutes_away
check "and still provisions when the device appears" appears

ctl reset --yes >/dev/null 2>&1
configure tpm-permission stubborn=yes
ctl reload >/dev/null 2>&1
# Each attempt by hand is followed by one at the most, and the others by none.
once() {
    local before
    fails_with DPS-E212 held never || return 1
    before=$(asked)
    touch "$device"
    twice() { (($(asked) == before + 1)); }
    wait_for 20 twice || return 1
    for _ in 1 2 3; do
        exits 1 ctl provision --wait --timeout 30 >/dev/null 2>&1 || return 1
    done
    is "$(asked)" $((before + 4))
}
check "a TPM that is there and is still called missing ends a wait once" once
figure "a TPM that appears: provisioned $(paste -sd" " "$world/took") ms later, the hub's proof included"
finish
