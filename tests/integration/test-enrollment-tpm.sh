#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# What the agent tells of a TPM to the operator who is to enrol it, compared with what the TPM and
# OpenSSL say.
set -u
. "$DPS_SOURCE_ROOT/tests/tap.sh"
. "$DPS_SOURCE_ROOT/tests/world.sh"
. "$DPS_SOURCE_ROOT/tests/tpm/tpm.sh"
((EUID == 0)) || skip_all "needs root for root-owned directories"

trap 'tpm_stop; world_stop' EXIT
on_failure() { tail -n 20 "$world/log/agent" 2>/dev/null; tpm_commands; }
export ASAN_OPTIONS=detect_leaks=1:abort_on_error=0

world_start "$DPS_BUILD_ROOT" --retry-after 0 || exit 1
tpm_start || exit 1
world_configure && tpm_configure
site=$world/etc/agent.conf.d/site.conf

json() { ctl enrollment --json | jq -r "$1"; }
stop_agent() { local pid; pid=$(agent_pid) || return 0; kill "$pid" && wait_for 10 no_agent; }
# What the TPM has at a handle: the marshalled key, its Name.
tpm_key() { tpm_tool tpm2_readpublic -Q -c "$1" -f tpmt -o "$world/key" -n "$world/name"; }
base32_id() { openssl dgst -sha256 -binary "$1" | base32 | tr -d '=\n' | tr A-Z a-z; }
public() { json '.material."endorsement-key"' | base64 -d >"$world/ek"; }

# The service is out of reach from here on.
sed -i 's/^address=127.0.0.1:[0-9]*/address=127.0.0.1:1/' "$site"
ctl enrollment --json >/dev/null
figure "an enrolment's record, TPM empty at first: $(tpm_commands)"

offline() {
    public &&
        is "$(stat -c %s "$world/ek")" 316 && is "$(json .registrationId)" "$(base32_id "$world/ek")" &&
        has "$(json .command)" "--enrollment-id $(base32_id "$world/ek") --attestation-type tpm --endorsement-key $(base64 -w0 "$world/ek")" &&
        is "$(requests '"request"')" '' && is "$(ctl status --json | jq -r .state)" idle
}
check "key and id of an empty TPM, offline and before anything else" offline
# As TCG has it; without noda the plugin would make it again.
put_srk() {
    tpm_tool tpm2_createprimary -Q -C o -c "$world/srk" \
        -a 'fixedtpm|fixedparent|sensitivedataorigin|userwithauth|noda|restricted|decrypt' &&
        tpm_tool tpm2_evictcontrol -Q -C o -c "$world/srk" $tpm_srk
}
from_the_tpm() {
    put_srk && stop_agent && tpm_key 0x81010001 && public && cmp "$world/key" <(tail -c +3 "$world/ek") &&
        tpm_key $tpm_srk && is "$(json '.material."storage-root-key-name"')" "$(xxd -p -c 80 "$world/name")"
}
check "they are the TPM's" from_the_tpm

# The key of the other template, as tpm2-tools make it: 256 zero bytes or none in unique.
other_template() {
    local other
    stop_agent && other=$(json '.material."other-registration-id"') && [[ ${#other} == 52 ]] &&
        [[ $other != "$(json .registrationId)" ]] || return 1
    has "$(ctl enrollment)" "Id by other template:     $other" && tpm_tool tpm2_evictcontrol -Q -C o -c 0x81010001 &&
        echo "ek-template=legacy" | sed "1i [plugin tpm]" >>"$site" && stop_agent &&
        is "$(json .registrationId)" "$other"
}
check "the other template's id is the id under ek-template=legacy" other_template

hex() {
    sed -i '/^\[plugin tpm\]/,$d' "$site" && printf '[plugin tpm]\nregistration-id-form=hex\n' >>"$site" &&
        tpm_tool tpm2_evictcontrol -Q -C o -c 0x81010001 && stop_agent && public &&
        is "$(json .registrationId)" "$(sha256sum <"$world/ek" | cut -d ' ' -f 1)"
}
check "registration-id-form=hex" hex
configured() {
    sed -i "s/^attestation=/registration-id=gateway-17\n&/" "$site" && is "$(json .registrationId)" gateway-17 &&
        sed -i '/^registration-id=/d; /^\[plugin tpm\]/,$d' "$site"
}
check "the configured id wins" configured

# Beside the two reads it costs the making of the other key; an attempt pays nothing of it.
dear() {
    stop_agent && json . >/dev/null && stop_agent && tpm_counts_reset && json . >/dev/null &&
        is "$(tpm_counts ReadPublic)" 2 && is "$(tpm_counts CreatePrimary)" 1 && is "$(tpm_counts nv_writes)" 0
}
check "once both keys are there it makes one key and writes nothing" dear
check "nothing is left in the TPM" tpm_leftovers
figure "an enrolment's record, both keys in place: $(tpm_commands)"

gone() {
    local said
    stop_agent && tpm_unplug && said=$(exits 1 ctl enrollment 2>&1) && has "$said" "DPS-E211" && tpm_plug
}
check "without a TPM it says so, with the code" gone
enrols() {
    sed -i "s/^address=127.0.0.1:1;/address=127.0.0.1:$port;/" "$site"
    stop_agent && tpm_enrol && ctl provision --wait --timeout 60 >/dev/null && is "$(ctl status --json | jq -r .state)" provisioned
}
check "the service takes a host that was enrolled by what it says" enrols
finish
