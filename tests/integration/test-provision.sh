#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The main job, end to end: D-Bus activation, symmetric key, DPS, hub, store, token.
set -u
. "$DPS_SOURCE_ROOT/tests/tap.sh"
. "$DPS_SOURCE_ROOT/tests/world.sh"
((EUID == 0)) || skip_all "needs root for root-owned directories"

trap world_stop EXIT
on_failure() { tail -n 40 "$world/log/agent" 2>/dev/null; }
export ASAN_OPTIONS=detect_leaks=1:abort_on_error=0

json() { ctl status --json | python3 -c "import json,sys; v=json.load(sys.stdin)['$1']; print(v if not isinstance(v, bool) else str(v).lower())"; }
as_nobody() { setpriv --reuid=65534 --regid=65534 --clear-groups "$build/agent/cli/dpsctl" --bus-address "$bus_address" "$@"; }

world_start "$DPS_BUILD_ROOT" --retry-after 0 || exit 1

unconfigured() {
    is "$(json state)" unconfigured
    out=$(exits 6 ctl provision 2>&1) && has "$out" DPS-E102 && has "$out" endpoint
}
check "without configuration it says what is missing" unconfigured

printf '%s\n' '{ "site": "north", "hw": ["r2", 7] }' >"$world/etc/payload.json"
world_configure "payload-file=$world/etc/payload.json"
not_provisioned() {
    ctl reload && is "$(json state)" idle && out=$(exits 3 ctl token 2>&1) && has "$out" idle
}
check "configured and not provisioned: no token" not_provisioned

check "provision --wait" ctl provision --wait --timeout 60

status_shows() {
    is "$(json state)" provisioned && is "$(json assignedHub)" "$hub" &&
        is "$(json deviceId)" "$registration_id" && is "$(json registrationId)" "$registration_id" &&
        is "$(json verified)" true && is "$(json credentialKind)" sas &&
        is "$(json protectionLevel)" host && is "$(json attestation)" symmetric-key &&
        is "$(json endpoint)" "$endpoint" && is "$(json nextAttempt)" 0
}
check "status shows hub, device, verified" status_shows

one_connection() {
    local dps
    dps=$(requests '"host":"'"$endpoint" | python3 -c '
import json, sys
rows = [json.loads(line) for line in sys.stdin]
print(len({r["connection"] for r in rows}), len(rows), rows[0]["method"], sorted({r["status"] for r in rows}))')
    is "$dps" "1 3 PUT [200, 202]"
}
check "one connection, one handshake, three requests to DPS" one_connection

telemetry() {
    curl --silent --output /dev/null --write-out '%{http_code}' --cacert "$ca" \
        --connect-to "$hub:443:127.0.0.1:$port" --header "Authorization: $1" --data '{}' \
        "https://$hub/devices/$2/messages/events?api-version=2020-03-13"
}
token_works() {
    local token
    token=$(ctl token --ttl 60) || return 1
    is "$(telemetry "$token" "$registration_id")" 204 &&
        is "$(telemetry "${token/sig=??/sig=AA}" "$registration_id")" 401
}
check "the token is taken by the hub, a forged one is not" token_works

token_options() {
    out=$(ctl token --audience module:mod1) && has "$out" '%2Fmodules%2Fmod1' &&
        out=$(exits 1 ctl token --ttl 3601 2>&1) && has "$out" 3600 &&
        out=$(exits 1 ctl token --audience other 2>&1) && has "$out" audience &&
        out=$(exits 1 ctl token --audience module:a/b 2>&1) && has "$out" "device id"
}
check "token options are checked" token_options

payload() {
    out=$(gdbus call --address "$bus_address" --dest org.dpsagent.Agent1 --object-path /org/dpsagent/Agent1 \
        --method org.dpsagent.Agent1.Credentials.GetPayload) &&
        is "$out" "('{\"site\":\"north\",\"hw\":[\"r2\",7]}',)"
}
check "the payload goes in, and what the service makes of it comes out" payload

denied() {
    exits 4 as_nobody token && exits 4 as_nobody provision && exits 4 as_nobody reset --yes &&
        exits 4 as_nobody import-key "$world/etc/agent.conf.d/site.conf" &&
        exits 4 as_nobody reload && exits 4 as_nobody cancel && is "$(json state)" provisioned
}
check "another user is refused token, provision, reset, import, reload, cancel" denied
others_read() { out=$(as_nobody status) && has "$out" "$hub"; }
check "another user may read the status" others_read

unknown_option() {
    ! out=$(gdbus call --address "$bus_address" --dest org.dpsagent.Agent1 --object-path /org/dpsagent/Agent1 \
        --method org.dpsagent.Agent1.Control.Provision '{"colour": <"red">}' 2>&1) &&
        has "$out" InvalidArgument && has "$out" colour
}
check "an unknown option is an error" unknown_option
not_supported() {
    local method
    for method in GetCertificateChain OpenKey 'Sign ECDSA-SHA256 []'; do
        # shellcheck disable=SC2086
        ! out=$(gdbus call --address "$bus_address" --dest org.dpsagent.Agent1 --object-path /org/dpsagent/Agent1 \
            --method org.dpsagent.Agent1.Credentials.$method 2>&1) && has "$out" NotSupported || return 1
    done
}
check "a symmetric key is no certificate: no chain, signature or key of one" not_supported

no_new_registration() {
    local before
    before=$(requests '"PUT"' | wc -l)
    ctl provision --wait --timeout 20 && is "$(requests '"PUT"' | wc -l)" "$before"
}
check "provision does nothing where an identity is in force" no_new_registration
again() {
    local before
    before=$(requests '"PUT"' | wc -l)
    ctl provision --again --wait --timeout 60 && is "$(requests '"PUT"' | wc -l)" $((before + 1))
}
check "provision --again registers again" again

hex() { od -An -v -tx1 "$1" | tr -d ' \n'; }
secrets() {
    local decoded file found=0
    printf '%s' "$device_key" | base64 -d >"$world/etc/device.raw"
    decoded=$(hex "$world/etc/device.raw")
    [[ ${#decoded} == 128 && $(hex "$world/etc/device.raw") == *"$decoded"* ]] || { echo "no key to look for"; return 1; }
    ! grep -rqF "$device_key" "$world/state" "$world/log" || { echo "key in the store or a log"; return 1; }
    ! grep -rq SharedAccessSignature "$world/log" || { echo "token in a log"; return 1; }
    for file in "$world"/state/*; do
        found=$((found + 1))
        [[ $(hex "$file") != *"$decoded"* ]] || { echo "key in $file"; return 1; }
    done
    ((found >= 3)) || { echo "only $found files looked at"; return 1; }
}
check "no key in the store, no key or token in a log" secrets
modes() {
    is "$(find "$world/state" -type f ! -perm 600 | wc -l)" 0 && is "$(stat -c %a "$world/state")" 700
}
check "the store's files are 0600" modes

reset() {
    ctl reset --yes && is "$(json state)" idle && is "$(json assignedHub)" '' &&
        is "$(find "$world/state" -name 'gen-*' | wc -l)" 0 && exits 3 ctl token
}
check "reset forgets" reset

import_key() {
    sed -i '/key-file/d' "$world/etc/agent.conf.d/site.conf"
    ctl reload || return 1
    exits 1 ctl provision --wait --timeout 20 && out=$(exits 3 ctl status) && has "$out" DPS-E204 || return 1
    is "$(json state)" held || return 1
    out=$(echo 'no base64!' | exits 1 ctl import-key - 2>&1) && has "$out" base64 || return 1
    printf '%s\n' "$device_key" | ctl import-key - && ctl wait --timeout 60 && is "$(json state)" provisioned
}
check "an imported key serves without key-file=, and ends the wait for one" import_key

survives() {
    local pid
    pid=$(agent_pid) && kill -KILL "$pid" && wait_for 10 no_agent &&
        is "$(json state)" provisioned && is "$(json deviceId)" "$registration_id" && token_works
}
check "a killed agent comes back with its identity" survives
races() {
    local n
    # A reset and a call behind it on one connection: the second waits for the first.
    for n in 1 2 3; do
        /usr/bin/python3 - "$bus_address" <<'PY' || return 1
import sys
from gi.repository import Gio, GLib
flags = Gio.DBusConnectionFlags.AUTHENTICATION_CLIENT | Gio.DBusConnectionFlags.MESSAGE_BUS_CONNECTION
bus = Gio.DBusConnection.new_for_address_sync(sys.argv[1], flags, None, None)
loop, left = GLib.MainLoop(), ["Reset", "Provision"]
def done(source, result, name):
    source.call_finish(result)
    left.remove(name)
    if not left:
        loop.quit()
for name in list(left):
    bus.call("org.dpsagent.Agent1", "/org/dpsagent/Agent1", "org.dpsagent.Agent1.Control", name,
             GLib.Variant("(a{sv})", ({},)), None, 0, 30000, None, done, name)
loop.run()
PY
        ctl wait --timeout 30 || return 1
    done
    # A Provision behind a Cancel of an attempt in flight is not lost.
    ctl provision --again && ctl cancel && ctl provision --again && ctl wait --timeout 30 &&
        is "$(json state)" provisioned
}
world_key_file
sed -i 's|^attestation=.*|&|; /^\[plugin symmetric-key\]/a key-file='"$world/etc/device.key" "$world/etc/agent.conf.d/site.conf"
check "reset, provision and cancel one behind the other lose nothing" races
leaves() {
    world_service --idle-seconds 0.2
    kill "$(agent_pid)" && wait_for 10 no_agent && ctl status >/dev/null && wait_for 20 no_agent &&
        is "$(json state)" provisioned
}
check "the agent leaves when idle and comes back when called" leaves
clean_log() { ! grep -E 'CRITICAL|assertion|Sanitizer|runtime error' "$world/log/agent"; }
check "no critical, no sanitizer report" clean_log
finish
