#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# TLS sessions of one process through the real daemon: a further attempt resumes, and never
# one under another trust, another registration, after a reset or in another process.
set -u
. "$DPS_SOURCE_ROOT/tests/tap.sh"
. "$DPS_SOURCE_ROOT/tests/world.sh"
((EUID == 0)) || skip_all "needs root for root-owned directories"
for tool in busctl jq openssl; do
    command -v "$tool" >/dev/null || skip_all "needs $tool"
done

scenario_file=$(mktemp /tmp/dps-sessions.XXXXXX)
trap 'world_stop; rm -f "$scenario_file"' EXIT
on_failure() { tail -n 15 "$world/log/agent" 2>/dev/null; cat "$log"; }

agent_iface=org.dpsagent.Agent1
bus() { busctl --address="$bus_address" "$@"; }
control() { bus call $agent_iface /org/dpsagent/Agent1 $agent_iface.Control "$@" >/dev/null; }
property() { bus get-property $agent_iface /org/dpsagent/Agent1 $agent_iface "$1"; }
at_rest() { [[ $(property State) =~ \"(held|backing-off|provisioned)\" ]]; }

# attempt STATE COMMAND...: what COMMAND begins ends in STATE.
attempt() {
    local state=$1
    shift
    : >"$log"
    "$@" && wait_for 60 at_rest && is "$(property State)" "s \"$state\""
}
again() { control Reprovision 'a{sv}' 0; }

# handshakes HOST...: of each, whether the requests of the attempt came over a resumed session.
handshakes() {
    local host
    for host; do
        jq -r --arg host "$host" \
            'select(.event == "request" and (.host | split(":")[0]) == $host) | .resumed' "$log" |
            sort -u
    done | paste -sd ' '
}
# shakes "DPS HUB": true where resumed.
shakes() { is "$(handshakes "$endpoint" "$hub")" "$1" "resumed at DPS and hub"; }

second_id=edge-host-0002
world_enrolments() {
    jq -n --arg key "$device_key" --arg hub "$hub" '{ individual: [ $ARGS.positional[] | {
        registrationId: ., attestation: "symmetricKey", primaryKey: $key, secondaryKey: $key,
        hub: $hub } ] }' --args "$registration_id" "$second_id" >"$world/emulator/enrolments.json"
}
# Assigned at once, as the limit on polls would hold further attempts up.
cat >"$scenario_file" <<'JSON'
{"rules":[{"match":{"host":"dps","method":"PUT","times":1},"answer":{"status":403}},
 {"match":{"host":"dps","method":"PUT"},"answer":{"operation-status":"assigned"}}]}
JSON
world_start "$DPS_BUILD_ROOT" --retry-after 0 --scenario "$scenario_file" || exit 1
log=$world/log/requests.jsonl
cp "$ca" "$world/etc/ca.pem"
ca=$world/etc/ca.pem
world_configure
world_service --idle-seconds 300
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1 -subj /CN=other \
    -keyout /dev/null -out "$world/other.pem" 2>/dev/null

first_fails() {
    attempt held control Provision 'a{sv}' 0 && shakes false && agent_pid >"$world/pid"
}
second() { attempt provisioned again && shakes "true false"; }
third() { attempt provisioned again && shakes "true true" && is "$(agent_pid)" "$(<"$world/pid")"; }
check "the first attempt shakes hands, and is refused by a 403" first_fails
check "the second one resumes; the hub is asked for the first time" second
check "the third one resumes at both" third

# wire MEMBER: of the last attempt's connections, once they are closed.
closed() { is "$(grep -c '"event":"close"' "$log")" 2; }
wire() { jq -s "map(select(.event == \"close\").$1) | add" "$log"; }
resumed_bytes() { wait_for 10 closed && echo "$(wire wireIn) up, $(wire wireOut) down"; }
bytes_of_both() { resumed_bytes >"$world/bytes" || { cat "$world/bytes"; return 1; }; }
check "its connections are closed" bytes_of_both
resumed=$(<"$world/bytes")

more_roots() {
    cat "$world/other.pem" >>"$ca" && control Reload &&
        attempt provisioned again && shakes "false false" && attempt provisioned again && shakes "true true"
}
check "with a root more it is proven anew" more_roots

# Nobody told the agent: the file alone has changed.
distrusted() {
    cp "$world/other.pem" "$ca" && attempt held again && has "$(property Reason)" DPS-E316 && shakes ''
}
check "a server that is not trusted any more is refused in spite of its session" distrusted
trusted_again() {
    cp "$world/emulator/ca.pem" "$ca" && attempt provisioned again && shakes "false false" && bytes_of_both
}
check "once it is trusted again it is proven anew" trusted_again
figure "bytes of an attempt and its proof: full $(<"$world/bytes"); resumed $resumed"

reset() {
    attempt provisioned again && shakes "true true" && control Reset 'a{sv}' 0 &&
        attempt provisioned control Provision 'a{sv}' 0 && shakes "false false"
}
check "a reset forgets the sessions" reset
# The same servers, but another device's registration.
another() {
    sed -i "s/^registration-id=.*/registration-id=$second_id/" "$world/etc/agent.conf.d/site.conf" &&
        attempt provisioned control Reload && shakes "false false"
}
check "another registration begins without sessions" another
new_process() {
    kill "$(agent_pid)" && wait_for 10 no_agent && attempt provisioned again && shakes "false false"
}
check "a new process begins without sessions" new_process
clean_log() {
    ! grep -E 'CRITICAL|AddressSanitizer: [a-z]|runtime error|#[0-9].*/agent/' "$world/log/agent"
}
check "no critical, no sanitizer report" clean_log
finish
