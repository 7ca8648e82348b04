#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# test-clients.sh EMULATOR: the official Node clients, unmodified, against the emulator. Speaks TAP.
#
# The packages come from npm by the exact versions and checksums of clients/package-lock.json,
# once, into the build directory. They run as nobody in namespaces of their own, where the real
# host names are those of the emulator on port 443 and no other network exists.
set -u
here=$(dirname "$(realpath "$0")")
. "$here/../tap.sh"
. "$here/../world.sh"
. "$here/em-tokens.sh"
. "$here/em-x509.sh"

emulator=$(realpath "$1")
modules=$DPS_BUILD_ROOT/official-clients
node_wanted=20
npm_seconds=240

# Why the packages cannot be had here, if so.
unusable() {
    ((EUID == 0)) || { echo "needs root for a network namespace"; return; }
    command -v node >/dev/null || { echo "there is no node"; return; }
    command -v npm >/dev/null || { echo "there is no npm"; return; }
    (($(node -p 'process.versions.node.split(".")[0]') >= node_wanted)) ||
        { echo "node $(node --version) is older than the $node_wanted that the packages ask for"; return; }
    unshare --net --mount true 2>/dev/null || echo "unshare may not make namespaces here"
}

# The lock file names no registry: npm's configuration does.
install_clients() {
    local lock=$here/clients/package-lock.json started=$SECONDS
    cmp -s "$lock" "$modules/installed" && return
    rm -rf "$modules"
    mkdir -p "$modules"
    cp "$here/clients/package.json" "$lock" "$modules/"
    (cd "$modules" && timeout $npm_seconds npm ci --cache "$modules/cache" --ignore-scripts \
        --no-audit --no-fund --no-update-notifier --fetch-retry-mintimeout 1000 \
        --fetch-retry-maxtimeout 5000) >"$modules/npm.log" 2>&1 </dev/null || return
    cp "$lock" "$modules/installed"
    figure "the official clients came from npm in $((SECONDS - started)) s"
}

# Only a registry out of reach is no failure of ours; a wrong checksum, say, is one.
out_of_reach() {
    (($1 == 124)) && { echo "npm did not end within $npm_seconds s"; return; }
    grep -oE -m1 '\b(ENOTFOUND|EAI_AGAIN|ETIMEDOUT|ECONNREFUSED|ECONNRESET|ENETUNREACH|EHOSTUNREACH|ERR_SOCKET_TIMEOUT|E50[0-9])\b' \
        "$modules/npm.log" | sed 's/^/npm cannot reach its registry: /'
}

npm_failed() { tail -n 40 "$modules/npm.log"; return 1; }

if [[ ${2-} != inside ]]; then
    reason=$(unusable)
    [[ ! $reason ]] || skip_all "$reason"
    install_clients
    status=$?
    if ((status)); then
        reason=$(out_of_reach $status)
        [[ ! $reason ]] || skip_all "$reason"
        check "the official clients install" npm_failed
        finish
    fi
    exec unshare --net --mount -- "$0" "$emulator" inside
fi

end() {
    umount "$world/clients" 2>/dev/null
    world_stop
}
trap end EXIT
on_failure() { tail -n 5 "$world/log/requests.jsonl"; cat "$world/out" "$world/errors" 2>/dev/null; }

scope=$id_scope key=''
device_key=AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygpKissLS4vMDEyMzQ1Njc4OTo7PD0+Pw==
group_key=QEFCQ0RFRkdISUpLTE1OT1BRUlNUVVZXWFlaW1xdXl9gYWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXp7fH1+fw==

# A TPM for the client, which makes its own keys in it: $tpm, $ek and $tpm_id.
start_tpm() {
    mkdir "$world/tpm"
    tpm=$world/tpm/socket
    swtpm socket --tpm2 --server "type=unixio,path=$tpm,mode=0666" --tpmstate "dir=$world/tpm" \
        --flags not-need-init,startup-clear >"$world/log/swtpm" 2>&1 </dev/null &
    world_pids+=("$!")
    wait_for 10 test -S "$tpm" && device 0 tpm-identity "$tpm" || return
    ek=$(jq -r .result.endorsementKey "$world/out")
    tpm_id=$(jq -r .result.registrationId "$world/out")
}

# A certificate to pin, and one below two CAs, of which the root is enrolled: $world/NAME.chain.
make_certificates() {
    em_leaf "$world" pinned self node-x509 && em_ca "$world" root &&
        em_intermediate "$world" line root && em_leaf "$world" below line edge-host-0008 key=rsa2048 &&
        em_chain "$world" pinned >"$world/pinned.chain" &&
        em_chain "$world" below line >"$world/below.chain" && em_chain "$world" below >"$world/below.short"
}

start_emulator() {
    world=$(mktemp -d /run/dps-clients.XXXXXX)
    chmod 755 "$world"
    mkdir "$world"/{emulator,log,clients}
    build=$DPS_BUILD_ROOT
    mount --bind -o ro "$modules" "$world/clients" || return
    install -m 644 "$here/clients/device.js" "$world/"
    start_tpm && make_certificates || return
    cat >"$world/emulator/enrolments.json" <<JSON
{ "individual": [ { "registrationId": "node-01", "deviceId": "Gateway 1", "payload": "echo",
                    "primaryKey": "$device_key" },
                  { "registrationId": "$tpm_id", "deviceId": "Gateway 2", "payload": "echo",
                    "attestation": "tpm", "endorsementKey": "$ek" },
                  { "registrationId": "fault-challenged-twice",
                    "attestation": "tpm", "endorsementKey": "$ek" },
                  { "registrationId": "fault-other-tpm",
                    "attestation": "tpm", "endorsementKey": "$ek" },
                  { "registrationId": "node-x509", "deviceId": "Gateway 3",
                    "attestation": "x509", "primaryCertificate": "$world/pinned.pem" } ],
  "groups": [ { "enrollmentGroupId": "line-7", "primaryKey": "$group_key" },
              { "enrollmentGroupId": "line-8", "attestation": "x509",
                "primaryCertificate": "$world/root.pem" } ] }
JSON
    ip link set lo up || return
    printf '127.0.0.1 localhost %s %s\n' "$endpoint" "$hub" >"$world/hosts"
    mount --bind "$world/hosts" /etc/hosts || return
    world_emulator --port 443 --retry-after 0 --scenario "$here/clients/faults.json"
}

# device STATUS VERB ARGUMENT...: the key is $key; its lines go to $world/out.
device() {
    local wanted=$1 status=0
    shift
    # Neither a proxy nor an option of the caller's Node may come between.
    env -i PATH="$PATH" NODE_EXTRA_CA_CERTS="${ca-}" NODE_PATH="$world/clients/node_modules" \
        timeout 60 setpriv --reuid=65534 --regid=65534 --clear-groups --no-new-privs \
        node "$world/device.js" "$@" <<<"$key" >"$world/out" 2>"$world/errors" || status=$?
    is "$status" "$wanted" "exit status of device.js $*"
}

# said FILTER VALUE: what jq's FILTER makes of the lines.
said() { is "$(jq -rs "$1" "$world/out")" "$2" "$1"; }
# logged ID FILTER VALUE: likewise of the emulator's requests whose path has ID.
logged() {
    is "$(jq -rs --arg id "/$1/" "map(select(.path // \"\" | contains(\$id))) | $2" \
        "$world/log/requests.jsonl")" "$3" "$2"
}

# provision STATUS VERB ID [PAYLOAD]
provision() { device "$1" "$2" "$endpoint" "$scope" "${@:3}"; }
telemetry() { device "$1" telemetry "$hub" "${@:2}"; }

an_individual_device() {
    key=$device_key
    provision 0 provision node-01 '{"site":"north"}' &&
        said '.[-1].result | [.status, .assignedHub, .deviceId, .payload.site] | join(" ")' \
            "assigned $hub Gateway 1 north" &&
        logged node-01 'map(.sas) | unique | join(" ")' ok
}

a_member_of_a_group() {
    key=$group_key
    provision 0 member edge-host-0001 &&
        said '.[-1].result | [.status, .deviceId, .symmetricKey.enrollmentGroupId] | join(" ")' \
            "assigned edge-host-0001 line-7" &&
        logged edge-host-0001 'map(.sas) | join(" ")' "ok ok ok"
}

# dps-protocol: the path is raw, a poll has the body {}, a GUID goes with each request.
its_registration() {
    logged node-01 'map([.method, (.path | sub("[0-9]\\.[-0-9a-f.]+"; "ID")), .requestBody | tostring] | join(" ")) | join("\n")' \
"PUT /$scope/registrations/node-01/register?api-version=2019-03-31 55
GET /$scope/registrations/node-01/operations/ID?api-version=2019-03-31 2
GET /$scope/registrations/node-01/operations/ID?api-version=2019-03-31 2" &&
        logged node-01 '.[0].userAgent' azure-iot-provisioning-device/1.9.1 &&
        key=$device_key provision 0 provision node-01 &&
        said '.[0].request.headers | [.accept, ."content-type", (."request-id" | test("^[-0-9a-f]{36}$"))] | join(" ")' \
            'application/json application/json; charset=utf-8 true'
}

# A raw sr, skn before se, an hour that one token serves.
its_token() {
    key=$device_key
    provision 0 provision node-01 &&
        said '.[0].request.token | [.scheme, .order, .sr, .skn] | join(" ")' \
            "SharedAccessSignature sr sig skn se $scope/registrations/node-01 registration" &&
        said '.[0].request.token.seconds | . > 3590 and . <= 3601' true
}

telemetry_arrives() {
    key=$device_key
    telemetry 0 "Gateway 1" &&
        said '.[-1].result | [.one, .batch, .received | tostring] | join(" ")' \
            "MessageEnqueued MessageEnqueued 204" &&
        logged Gateway%201 'map([.method, .path, .status, .sas | tostring] | join(" ")) | join("\n")' \
"POST /devices/Gateway%201/messages/events?api-version=2021-04-12 204 ok
POST /devices/Gateway%201/messages/events?api-version=2021-04-12 204 ok
GET /devices/Gateway%201/messages/devicebound?api-version=2021-04-12 204 ok"
}

its_message() {
    said '.[0].request.headers | [."iothub-to", ."iothub-messageid", ."iothub-contenttype", ."iothub-app-site"] | join(" ")' \
        "/devices/Gateway%201/messages/events one application/json north" &&
        said '.[1].request.headers."content-type"' application/vnd.microsoft.iothub.json &&
        said '.[0].request.headers."user-agent" | test("^azure-iot-device/1\\.18\\.4 \\(node v")' true &&
        said '.[0].request.token | [.order, .sr] | join(" ")' "sr sig se $hub%2Fdevices%2FGateway%201"
}

a_member_at_the_hub() {
    key=$(em_derive_key "$group_key" edge-host-0001)
    telemetry 0 edge-host-0001 && said '.[-1].result.one' MessageEnqueued
}

# The second PUT has its keys again, and one token serves for the rest.
a_tpm() {
    device 0 tpm-provision "$tpm" "$endpoint" "$scope" &&
        said '.[-1].result.registrationState | [.status, .assignedHub, .deviceId] | join(" ")' \
            "assigned $hub Gateway 2" &&
        logged "$tpm_id" 'map([.method, .status, .sas, .requestBody | tostring] | join(" ")) | join("\n")' \
"PUT 401 absent 925
PUT 202 ok 925
GET 202 ok 2
GET 200 ok 2" &&
        said '.[1].request.token | [.order, .sr, .skn] | join(" ")' \
            "sr sig se skn $scope%2Fregistrations%2F$tpm_id registration"
}

a_tpm_at_the_hub() {
    device 0 tpm-telemetry "$tpm" "$hub" "Gateway 2" &&
        said '.[-1].result | [.one, .batch, .received | tostring] | join(" ")' \
            "MessageEnqueued MessageEnqueued 204" &&
        logged Gateway%202 'map(.sas) | unique | join(" ")' ok
}

# The key of the assignment before is the one it replaces.
a_tpm_again() { a_tpm_at_the_hub && device 0 tpm-provision "$tpm" "$endpoint" "$scope" && a_tpm_at_the_hub; }

# tpm_fault ID REQUESTS: it fails, and what the emulator saw of it.
tpm_fault() {
    device 1 tpm-provision "$tpm" "$endpoint" "$scope" "fault-$1" &&
        logged "fault-$1" 'map([.method, .status, .sas | tostring] | join(" ")) | join(", ")' "$2"
}
a_tpm_challenged_twice() {
    tpm_fault challenged-twice "PUT 401 absent, PUT 401 ok" && refused UnauthorizedError 401
}
a_blob_for_another_tpm() {
    tpm_fault other-tpm "PUT 401 absent" && said 'map(keys[0]) | unique | join(" ")' request &&
        has "$(<"$world/errors")" TypeError
}

# x509 STATUS VERB NAME[.chain] ARGUMENT...
x509() {
    local name=$3
    key=$(<"$world/${name%%.*}.key")
    [[ $name == *.* ]] || name+=.chain
    device "$1" "x509-$2" "$world/$name" "${@:4}"
}

a_certificate() {
    x509 0 provision pinned "$endpoint" "$scope" node-x509 &&
        said '.[-1].result | [.status, .assignedHub, .deviceId] | join(" ")' "assigned $hub Gateway 3" &&
        logged node-x509 'map([.method, .status, .sas, .certificate, .certificates | tostring] | join(" ")) | join("\n")' \
"PUT 202 absent ok 1
GET 202 absent ok 1
GET 200 absent ok 1"
}
a_certificate_at_the_hub() {
    x509 0 telemetry pinned "$hub" "Gateway 3" &&
        said '.[-1].result | [.one, .batch, .received | tostring] | join(" ")' \
            "MessageEnqueued MessageEnqueued 204" &&
        logged Gateway%203 'map([.sas, .certificate] | join(" ")) | unique | join(", ")' "absent ok"
}
a_chain() {
    x509 0 provision below "$endpoint" "$scope" edge-host-0008 &&
        said '.[-1].result | [.status, .deviceId, .x509.enrollmentGroupId] | join(" ")' \
            "assigned edge-host-0008 line-8" &&
        logged edge-host-0008 'map([.certificate, .certificates | tostring] | join(" ")) | unique | join(", ")' "ok 2" &&
        x509 0 telemetry below "$hub" edge-host-0008 && said '.[-1].result.one' MessageEnqueued
}
a_short_chain() {
    x509 1 provision below.short "$endpoint" "$scope" edge-host-0008 &&
        said '.[-1].error | [.name, .status, (.body | fromjson | .errorCode, .message) | tostring] | join(" ")' \
            "UnauthorizedError 401 401002 Invalid certificate" &&
        logged edge-host-0008 '.[-1].certificate' no-chain
}

a_wrong_key() {
    key=$group_key
    provision 1 provision node-01 &&
        said '.[-1].error | [.name, .status, (.body | fromjson.errorCode) | tostring] | join(" ")' \
            "UnauthorizedError 401 401002" &&
        logged node-01 '.[-1] | [.status, .sas | tostring] | join(" ")' "401 bad-signature"
}

a_wrong_key_at_the_hub() {
    key=$group_key
    telemetry 1 "Gateway 1" &&
        said '.[-1].error | [.name, .status | tostring] | join(" ")' "UnauthorizedError 401" &&
        logged Gateway%201 '.[-1] | [.status, .sas | tostring] | join(" ")' "401 bad-signature"
}

# refused ERROR [STATUS]
refused() { said '.[-1].error | [.name, .status // "" | tostring] | join(" ")' "$1 ${2-}"; }

an_unknown_device() {
    key=$device_key
    telemetry 1 stranger && refused DeviceNotFoundError 404
}

too_large() {
    key=$device_key
    telemetry 1 "Gateway 1" 262145 && refused MessageTooLargeError 413
}

# fault STATUS ID: a member of the group meets the fault of that name.
fault() {
    key=$group_key
    provision "$1" member "fault-$2"
}

# The client waits 2 s of its own accord before the poll.
without_retry_after() {
    fault 0 no-retry-after &&
        logged fault-no-retry-after '(.[1].time - .[0].time) >= 1990000' true
}
dated() { fault 0 dated && logged fault-dated 'map(.status | tostring) | join(" ")' "202 202 200"; }
throttled() { fault 1 throttled && refused ThrottlingError 429 && logged fault-throttled length 1; }
down() { fault 1 down && refused ServiceUnavailableError 503 && logged fault-down length 2; }
reset() { fault 1 reset && said '.[-1].error.message | test("ECONNRESET|hang up")' true; }
failed() { fault 1 failed && refused ProvisioningRegistrationFailedError 200; }
unknown() { fault 1 unknown && refused SyntaxError 200; }
nameless() {
    fault 0 nameless &&
        logged fault-nameless 'map(.method) | join(" ")' "PUT PUT PUT PUT GET GET"
}
numeric_hub() { fault 0 numeric-hub && said '.[-1].result.assignedHub' 7; }
split() {
    fault 1 split && said 'map(keys[0]) | unique | join(" ")' request &&
        has "$(<"$world/errors")" ERR_UNESCAPED_CHARACTERS
}

no_secret() {
    local log
    log=$(<"$world/log/requests.jsonl")
    hasnt "$log" sig= && hasnt "$log" "${device_key:0:20}" && hasnt "$log" "${group_key:0:20}"
}

if ! start_emulator; then
    check "the emulator starts on port 443" false
    finish
fi
check "an individual enrolment provisions" an_individual_device
check "a member of a group provisions with its derived key" a_member_of_a_group
check "what goes out is what the protocol reference says" its_registration
check "… and its token too" its_token
check "the assignment serves to send telemetry, and to look for messages" telemetry_arrives
check "… with properties and token as the client makes them" its_message
check "… for the member of the group as well" a_member_at_the_hub
check "the TPM client answers its challenge and is assigned" a_tpm
check "… and sends telemetry with the key that came with it" a_tpm_at_the_hub
check "… a second time as well" a_tpm_again
check "a second challenge ends its registration" a_tpm_challenged_twice
check "a blob for another TPM ends its process" a_blob_for_another_tpm
check "the X.509 client is assigned by its pinned certificate" a_certificate
check "… and sends telemetry with it" a_certificate_at_the_hub
check "… or by a chain to the root of a group" a_chain
check "… but not without the CA between" a_short_chain
check "a wrong key is refused by the provisioning service" a_wrong_key
check "… and by the hub" a_wrong_key_at_the_hub
check "the hub refuses a device it does not know" an_unknown_device
check "… and a message above 256 KiB" too_large
check "without Retry-After it polls after 2 s" without_retry_after
check "a date in Retry-After does not hold it up" dated
check "a 429 ends its registration" throttled
check "a 503 to a poll ends it" down
check "a reset connection ends it" reset
check "a failed operation is reported as that" failed
check "an unknown status is an error" unknown
check "without an operation ID it registers again" nameless
check "a number for a hub passes" numeric_hub
check "a line break in the operation ID ends its process" split
check "the log holds neither key nor signature" no_secret
figure "registration by the official client: $(jq -rs '[.[] | select(.event == "close" and .requests == 3)] | "\(length) with 3 requests on one connection, \(.[0].wireIn) bytes up, \(.[0].wireOut) down"' "$world/log/requests.jsonl")"
finish
