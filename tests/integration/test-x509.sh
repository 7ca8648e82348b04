#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Registering and the hub proof with a client certificate whose key the plugin x509 keeps.
# test-x509.sh AGENT: one that asks its hub again after a second.
# Functions are called through "check" and the trap.
# shellcheck disable=SC2317
set -u
. "$DPS_SOURCE_ROOT/tests/tap.sh"
. "$DPS_SOURCE_ROOT/tests/world.sh"
. "$DPS_SOURCE_ROOT/tests/emulator/em-x509.sh"
((EUID == 0)) || skip_all "needs root for root-owned directories"

hurried=$1
trap 'world_stop; rm -f "$scenario_file"' EXIT
on_failure() { tail -n 30 "$world/log/agent"; tail -n 4 "$world/log/requests.jsonl"; }
export ASAN_OPTIONS=detect_leaks=1:abort_on_error=0

json() { ctl status --json | jq -r ".$1"; }
code() { json reason.code; }

world_plugins() {
    install -m 644 "$build"/plugins/x509/x509.so "$build"/plugins/symmetric-key/symmetric-key.so "$world/plugins/"
}

# Devices: single is pinned, member of a group below root; stranger is nobody's.
world_enrolments() {
    local dir=$world/emulator
    em_ca "$dir" root && em_intermediate "$dir" line root && em_ca "$dir" other-root &&
        em_leaf "$dir" single self single-01 && em_leaf "$dir" single-new self single-01 key=p384 &&
        em_leaf "$dir" member line Member-01 key=rsa2048 && em_leaf "$dir" member-new line Member-01 key=p384 &&
        em_leaf "$dir" stranger other-root stranger-01 &&
        em_leaf "$dir" expired self single-01 from='-3 days' to='-1 hour' || return
    cat >"$dir/enrolments.json" <<JSON
{ "individual": [ { "registrationId": "single-01", "attestation": "x509", "primaryCertificate": "single.pem",
                    "hub": "$hub" },
                  { "registrationId": "keyed-01", "attestation": "symmetricKey",
                    "primaryKey": "$device_key", "secondaryKey": "$device_key", "hub": "$hub" } ],
  "groups": [ { "enrollmentGroupId": "line-8", "attestation": "x509", "primaryCertificate": "root.pem",
                "hub": "$hub" } ] }
JSON
}

# has_certificate CHAIN...: what certificate= and key= name holds these from now on.
has_certificate() {
    em_chain "$world/emulator" "$@" >"$world/etc/device.pem" &&
        install -m 600 "$world/emulator/$1.key" "$world/etc/device.key"
}

# configure [LINE]...: the lines go under [provisioning].
configure() {
    {
        printf '[provisioning]\nendpoint=%s\nid-scope=%s\nattestation=x509\nsplay-seconds=0\n' \
            "$endpoint" "$id_scope"
        (($# == 0)) || printf '%s\n' "$@"
        printf '\n[network]\naddress=%s:%s;%s=%s:%s\nca-file=%s\n' \
            "$emulator_address" "$port" "$hub" "$emulator_address" "$port" "$ca"
        printf '\n[plugin x509]\ncertificate=%s\nkey=%s\n' "$world/etc/device.pem" "$world/etc/device.key"
    } >"$world/etc/agent.conf.d/site.conf"
    chmod 644 "$world/etc/device.pem"
    ctl reload >/dev/null
}

# begin CHAIN...: with nothing stored, and a log that is empty.
begin() { ctl reset --yes >/dev/null && : >"$world/log/requests.jsonl" && has_certificate "$@" && configure; }
asked() { requests '"event":"request"' "$@" | wc -l; }
fails_with() {
    out=$(ctl provision --wait --timeout 60 2>&1) && { echo "provisioned"; return 1; }
    is "$(code)" "$1"
}

scenario_file=$(mktemp /tmp/dps-x509.XXXXXX)
echo '{"rules":[]}' >"$scenario_file"
world_start "$DPS_BUILD_ROOT" --retry-after 0 --scenario "$scenario_file" || exit 1
world_service --debug

begin single
check "an individual enrolment with a pinned certificate: provision --wait" ctl provision --wait --timeout 60

status_shows() {
    local not_after
    not_after=$(date -d "$(openssl x509 -in "$world/emulator/single.pem" -noout -enddate | cut -d= -f2)" +%s)
    is "$(json state)" provisioned && is "$(json credentialKind)" x509 && is "$(json verified)" true &&
        is "$(json registrationId)" single-01 && is "$(json deviceId)" single-01 &&
        is "$(json attestation)" x509 && is "$(json certificateNotAfter)" "${not_after}000000" &&
        has "$(ctl status)" "X.509 certificate until $(date -u -d "@$not_after" +%Y-%m-%dT%H:%M:%SZ)"
}
check "status shows the certificate, its end and the registration id" status_shows

counts=$(requests '"event":"request"' | jq -rs '
    group_by(.host)[] | "\(.[0].host): \(length) in \(map(.connection) | unique | length) connection"')
figure "requests of a registration with a certificate: ${counts//$'\n'/, }"
on_the_wire() {
    is "$counts" "$endpoint: 3 in 1 connection
$hub: 1 in 1 connection" &&
        is "$(requests '"event":"request"' | jq -rs 'map("\(.method) \(.sas) \(.certificate) \(.resumed)") | unique | .[]')" \
            "GET absent ok false
PUT absent ok false"
}
check "PUT and polls on one connection, one request to the hub; the certificate with each, no token" on_the_wire
signatures() { grep -c 'a handshake needs a signature' "$world/log/agent"; }
check "one signature for the service, one for the hub" is "$(signatures)" 2

no_token() {
    out=$(ctl token 2>&1) && return 1
    has "$out" "is a certificate" && has "$out" "$hub"
}
check "a token is not supported, and it is said why" no_token

restarted() {
    local pid before
    before=$(asked)
    pid=$(agent_pid) && kill "$pid" && wait_for 10 no_agent &&
        mv "$world/etc/device.key" "$world/etc/device.key.away" &&
        is "$(json state)" provisioned && is "$(json credentialKind)" x509 &&
        [[ $(json certificateNotAfter) != 0 ]] && is "$(json registrationId)" single-01 &&
        ctl provision --wait --timeout 60 && is "$(asked)" "$before"
}
check "a restart keeps it without plugin or network" restarted

begin member line
group() {
    ctl provision --wait --timeout 60 && is "$(json registrationId)" Member-01 && is "$(json verified)" true
}
check "a group with an intermediate, an RSA key" group

ends() { is "$(json certificateNotAfter)" "$(date -d "$(openssl x509 -in "$world/emulator/$1.pem" -noout -enddate | cut -d= -f2)" +%s)000000"; }
takes_new() {
    has_certificate member-new line && ends member && ctl provision --again --wait --timeout 60 &&
        is "$(json verified)" true && ends member-new && pid=$(agent_pid) && kill "$pid" &&
        wait_for 10 no_agent && ends member-new
}
check "a new certificate and key of the same name, in the group: shown at once, and stored" takes_new
resumes_nothing() {
    is "$(requests '"event":"request"' '"resumed":true')" ""
}
check "no TLS session of the certificate before is resumed" resumes_nothing

# refused WHY: the emulator's log says why, the device learns the code alone.
refused() {
    fails_with DPS-E401 && has "$(json reason.text)" 401002 && is "$(asked)" 1 &&
        is "$(requests '"event":"request"' | jq -r '"\(.method) \(.status) \(.certificate)"')" "PUT 401 $1"
}
begin member
check "the group without its intermediate: refused" refused no-chain

begin stranger
check "a certificate of nobody's: refused" refused no-chain

begin single-new
check "another certificate than the pinned one: refused" refused other-certificate

begin single
mismatch() { configure registration-id=single-02 && fails_with DPS-E233 && is "$(asked)" 0; }
check "another registration id than configured: nothing is sent" mismatch
other_case() { configure registration-id=SINGLE-01 && ctl provision --wait --timeout 60; }
check "the same in other letters is the same" other_case

begin expired
expired() { fails_with DPS-E234 && is "$(asked)" 0; }
check "an expired certificate: nothing is sent" expired

# Opening this key takes a second or so, for every signature.
slow_key() {
    printf 'secret\n' >"$world/etc/passphrase" && chmod 600 "$world/etc/passphrase" &&
        openssl pkcs8 -topk8 -in "$world/emulator/single.key" -passout "file:$world/etc/passphrase" \
            -v2 aes-256-cbc -iter 300000 -out "$world/etc/device.key" &&
        printf 'passphrase-file=%s\n' "$world/etc/passphrase" >>"$world/etc/agent.conf.d/site.conf" &&
        ctl reload >/dev/null
}
signing() { (($(signatures) > before)); }
terminated() {
    local pid start
    slow_key && before=$(signatures) && ctl provision >/dev/null && wait_for 30 signing || return 1
    pid=$(agent_pid) && start=$(date +%s%N) && kill "$pid" && wait_for 10 no_agent || return 1
    echo $((($(date +%s%N) - start) / 1000000)) >"$world/took"
    is "$(asked)" 0 && ! pgrep -f "dps-plugin-host.*$world" >/dev/null
}
begin single
check "SIGTERM while the plugin signs in the handshake: the agent leaves at once" terminated
figure "SIGTERM in a handshake to the end of the agent: $(cat "$world/took") ms"
# What the hub could not be asked at first is shown to it again, with the certificate of then.
reloads() { requests '"event":"reload"' | wc -l; }
reloaded() { (($(reloads) > before)); }
unproven() {
    before=$(reloads) && kill -HUP "$emulator_pid" && wait_for 10 reloaded || return 1
    ctl provision --wait --timeout 60 && is "$(json verified)" false && is "$(json credentialKind)" x509 &&
        ends member
}
verified() { [[ $(json verified) == true ]]; }
renewed() {
    has_certificate member-new line && pid=$(agent_pid) && kill "$pid" && wait_for 10 no_agent &&
        sed -i "s|\"[^\" ]*/dps-agentd\"|$hurried|" "$world/agent" && ends member && wait_for 20 verified &&
        ends member-new && is "$(asked '"method":"PUT"')" 1 && pid=$(pgrep -f "$hurried.*$world") && kill "$pid" &&
        wait_for 10 no_hurried && world_service --debug && ends member-new && verified
}
no_hurried() { ! pgrep -f "$hurried.*$world" >/dev/null; }
echo '{"rules":[{"name":"fault","match":{"host":"hub","times":1},"answer":{"status":503,"body":""}}]}' >"$scenario_file"
begin member line
check "a hub that cannot be asked: taken, not verified" unproven
check "it is asked again with the certificate that the plugin has by then, which is stored" renewed

clean_log() { ! grep -E 'CRITICAL|assertion|Sanitizer|runtime error' "$world/log/agent"; }
check "no critical, no sanitizer report" clean_log
finish
