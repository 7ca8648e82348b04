#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# dps-emulator from outside: curl and openssl against a running one. Speaks TAP.
# Functions are called through "ok" and the trap.
# shellcheck disable=SC2317
set -u

emulator=$1
here=$(dirname "$(realpath "$0")")
# shellcheck source=em-tokens.sh
. "$here/em-tokens.sh"

dir=$(mktemp -d)
out=$dir
pid=
count=0
failed=0

dps=contoso-dps.azure-devices-provisioning.net
hub=contoso-hub.azure-devices.net
hub2=contoso-hub-2.azure-devices.net
scope=0ne00ABCDEF
api='api-version=2021-06-01'
device_key=AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygpKissLS4vMDEyMzQ1Njc4OTo7PD0+Pw==
second_key=cHFyc3R1dnd4eXp7fH1+f3BxcnN0dXZ3eHl6e3x9fn8=
group_key=QEFCQ0RFRkdISUpLTE1OT1BRUlNUVVZXWFlaW1xdXl9gYWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXp7fH1+fw==
type='application/json; charset=utf-8'
later=$(($(date +%s) + 3600))

cleanup() {
    stop
    rm -rf "$dir"
}
trap cleanup EXIT

stop() {
    [ -n "$pid" ] || return 0
    kill "$pid" 2>/dev/null
    wait "$pid"
    stopped=$?
    pid=
}

# Waits for a condition, at most ten seconds.
await() {
    local i
    for ((i = 0; i < 500; i++)); do
        "$@" && return 0
        sleep 0.02
    done
    return 1
}

# start OPTION…: a fresh emulator with a fresh log.
start() {
    stop
    rm -f "$dir/port" "$dir/log"
    "$emulator" --state-dir "$dir/state" --port-file "$dir/port" --log "$dir/log" \
        --enrolments "$dir/enrolments.json" --hub-host $hub --hub-host $hub2 "$@" \
        >"$dir/out" 2>"$dir/err" &
    pid=$!
    await test -s "$dir/port" || {
        echo "Bail out! the emulator does not start: $(cat "$dir/err")"
        exit 1
    }
    port=$(cat "$dir/port")
}

# ok NAME COMMAND…
ok() {
    local name=$1
    shift
    count=$((count + 1))
    if "$@"; then
        echo "ok $count - $name"
    else
        failed=$((failed + 1))
        echo "not ok $count - $name"
        printf '# %s\n' "$*" "status $status" "body ${body:0:300}"
    fi
}

is() { [ "$1" = "$2" ]; }
has() { [[ $1 == *"$2"* ]]; }
lacks() { [[ $1 != *"$2"* ]]; }

# request HOST METHOD TARGET [CURL OPTION…]: sets status, body and headers.
request() {
    local host=$1 method=$2 target=$3
    shift 3
    : >"$out/headers"
    : >"$out/body"
    status=$(curl -s --max-time 20 --cacert "$dir/state/ca.pem" --path-as-is \
        --connect-to "$host:443:127.0.0.1:$port" -X "$method" -D "$out/headers" \
        -o "$out/body" -w '%{http_code}' "$@" "https://$host$target")
    curl_status=$?
    headers=$(tr -d '\r' <"$out/headers")
    body=$(cat "$out/body")
}

last_request() { grep '"event":"request"' "$dir/log" | tail -n1; }

json_body() { printf '{"registrationId":"%s"%s}' "$1" "${2:-}"; }

dps_token() { em_token "$scope%2Fregistrations%2F$1" "$2" "${3:-$later}" registration; }

# register ID KEY [MORE JSON] [CURL OPTION…]
register() {
    local id=$1 key=$2 more=${3:-}
    shift $(($# < 3 ? $# : 3))
    request $dps PUT "/$scope/registrations/$id/register?$api" \
        -H "Authorization: $(dps_token "$id" "$key")" \
        -H "Content-Type: $type" -d "$(json_body "$id" "$more")" "$@"
    operation=$(sed -n 's/.*"operationId":"\([^"]*\)".*/\1/p' "$out/body")
}

poll() {
    local id=$1 key=$2
    shift 2
    request $dps GET "/$scope/registrations/$id/operations/$operation?$api" \
        -H "Authorization: $(dps_token "$id" "$key")" "$@"
}

# provision ID KEY [MORE JSON]: to the final answer.
provision() {
    register "$@"
    poll "$1" "$2"
    poll "$1" "$2"
}

modules() {
    request "$1" GET "/devices/$2/modules?api-version=2020-03-13" ${3:+-H "Authorization: $3"}
}

hub_token() { em_token "$1%2Fdevices%2F$2" "$3" "${4:-$later}"; }

# refused NAME AUTHORIZATION VERDICT: register dev-01 with it and see the 401 and the log.
refused() {
    request $dps PUT "/$scope/registrations/dev-01/register?$api" ${2:+-H "Authorization: $2"} \
        -H 'Content-Type: application/json' -d "$(json_body dev-01)"
    ok "401 for a token that is $1" is "$status" 401
    ok "… with the service's error body" has "$body" '"errorCode":401002'
    ok "… logged as $3" has "$(last_request)" "\"sas\":\"$3\""
}

cat >"$dir/enrolments.json" <<EOF
{
  "individual": [
    { "registrationId": "dev-01", "deviceId": "Renamed-01", "primaryKey": "$device_key",
      "secondaryKey": "$second_key", "payload": { "site": "north" } },
    { "registrationId": "dev-01:a.b_c", "primaryKey": "$device_key", "payload": "echo" },
    { "registrationId": "off-401", "primaryKey": "$device_key", "status": "disabled" },
    { "registrationId": "off-state", "primaryKey": "$device_key", "status": "disabled",
      "disabledShape": "state" },
    { "registrationId": "edge-off", "primaryKey": "$device_key", "status": "disabled" }
  ],
  "groups": [
    { "enrollmentGroupId": "first", "primaryKey": "$second_key" },
    { "enrollmentGroupId": "edge", "primaryKey": "$group_key", "hub": "$hub2" }
  ]
}
EOF

start
ok "says where it listens" is "$(cat "$dir/out")" "listening on 127.0.0.1:$port"
ok "keeps its key private" is "$(stat -c %a "$dir/state/server.key")" 600
verified() {
    openssl verify -CAfile "$dir/state/ca.pem" -verify_hostname "$1" "$dir/state/server.pem"
}
for name in $dps $hub $hub2 localhost testhost; do
    ok "has a certificate for $name" has "$(verified "$name" 2>&1)" 'server.pem: OK'
done
ok "… and for no other" lacks "$(verified other.example 2>&1)" 'server.pem: OK'

modules $hub Renamed-01 "$(hub_token $hub Renamed-01 $device_key)"
ok "the hub does not know a device before its assignment" is "$status" 404

register dev-01 $device_key
ok "an individual registration is accepted" is "$status" 202
ok "… with Retry-After" has "$headers" 'Retry-After: 3'
ok "… with Location" has "$headers" "Location: https://$dps/$scope/registrations/dev-01/register"
ok "… with a request ID" has "$headers" 'x-ms-request-id: '
ok "… with its length" has "$headers" 'Content-Length: '
ok "… with an operation ID of the usual form" grep -qE \
    '^\{"operationId":"5\.[0-9a-f]{16}\.[0-9a-f-]{36}","status":"assigning"\}$' "$dir/body"
poll dev-01 $device_key -d '{}'
ok "a poll with a body is answered assigning" is "$status" 202
ok "… with all that clients look for" has "$body" \
    "{\"operationId\":\"$operation\",\"status\":\"assigning\",\"registrationState\":{\"registrationId\":\"dev-01\",\"status\":\"assigning\"}}"
poll dev-01 $second_key
ok "then assigned, for the secondary key as well" is "$status" 200
for member in '"status":"assigned"' "\"assignedHub\":\"$hub\"" '"deviceId":"Renamed-01"' \
    '"substatus":"initialAssignment"' '"symmetricKey":{}' '"payload":{"site":"north"}' '"etag":"'; do
    ok "… with $member" has "$body" "$member"
done
ok "… with times of seven digits" grep -qE \
    '"createdDateTimeUtc":"[-0-9]{10}T[:0-9]{8}\.[0-9]{7}Z"' "$dir/body"

request $dps POST "/$scope/registrations/dev-01?$api" -d "$(json_body dev-01)" \
    -H "Authorization: $(dps_token dev-01 $device_key)"
ok "the lookup gives the bare state" has "$body" '{"registrationId":"dev-01","status":"assigned"'
request $dps POST "/$scope/registrations/edge-9?$api" -d "$(json_body edge-9)" \
    -H "Authorization: $(dps_token edge-9 "$(em_derive_key $group_key edge-9)")"
ok "the lookup of what never registered is 404" is "$status" 404
request $dps POST "/$scope/registrations/dev-01?$api" -d "$(json_body dev-01 ',"csr":"AA=="')" \
    -H "Authorization: $(dps_token dev-01 $device_key)"
ok "a lookup with a csr is 400" is "$status" 400

edge_key=$(em_derive_key $group_key edge-host-0001)
ok "the shell derives keys as the protocol does" is "$edge_key" 4RtOOC6Yb//ifHmsV7O/LvIicv+MhLyBSn4qATnI7WQ=
provision edge-host-0001 "$edge_key"
ok "a registration by the second group is assigned" has "$body" "\"assignedHub\":\"$hub2\""
ok "… under its registration ID" has "$body" '"deviceId":"edge-host-0001"'
ok "… naming the group" has "$body" '"symmetricKey":{"enrollmentGroupId":"edge"}'

register off-401 $device_key
ok "a disabled enrolment is refused" is "$status" 401
provision off-state $device_key
ok "… or shown as a state" has "$body" '"status":"disabled","registrationState":{"registrationId":"off-state","status":"disabled"'
register edge-off "$(em_derive_key $group_key edge-off)"
ok "a disabled individual enrolment wins over a group" is "$status" 401

request $dps PUT "/0ne00abcdef/registrations/DEV-01%3aa.b_c/register?$api&forceRegistration=true" \
    -H "Authorization: $(em_token "0ne00abcdef/registrations/dev-01:a.b_c" $device_key "$later")" \
    -d "$(json_body 'Dev-01:a.b_c' ',"payload":{"hw":"r2"}')"
ok "escapes, case, a raw sr and no skn are accepted" is "$status" 202
operation=$(sed -n 's/.*"operationId":"\([^"]*\)".*/\1/p' "$dir/body")
for _ in 1 2; do
    request $dps GET "/$scope/registrations/dev-01:a.b_c/operations/$operation?$api" \
        -H "Authorization: $(dps_token 'dev-01%3Aa.b_c' $device_key)"
done
ok "the device's own payload comes back" has "$body" '"payload":{"hw":"r2"}'

good=$(dps_token dev-01 $device_key)
refused absent "" absent
refused "of another scheme" "Bearer abc" malformed
refused "signed with another key" "$(dps_token dev-01 $group_key)" bad-signature
refused "changed after signing" "${good/\%2Fregistrations//registrations}" bad-signature
refused expired "$(dps_token dev-01 $device_key $(($(date +%s) - 120)))" expired
refused "for another registration" "$(dps_token dev-02 $device_key)" wrong-resource
refused "for another policy" "${good/skn=registration/skn=owner}" wrong-policy
refused "without expiry" "${good/&se=*/}" malformed
ok "the log never holds a signature" lacks "$(cat "$dir/log")" "sig="
ok "… nor a scheme" lacks "$(cat "$dir/log")" SharedAccess
register nobody $device_key
ok "an unknown device is refused" is "$status" 401
poll dev-01 $group_key
ok "a poll with a bad token is refused" is "$status" 401
operation=5.0000000000000000.00000000-0000-0000-0000-000000000000
poll dev-01 $device_key
ok "an unknown operation is 404" is "$status" 404

auth=(-H "Authorization: $good")
put=/$scope/registrations/dev-01/register
request $dps PUT "$put?api-version=1999-01-01" "${auth[@]}" -d "$(json_body dev-01)"
ok "an unknown api-version is 400" is "$status" 400
ok "… with its code in a header" has "$headers" 'x-ms-error-code: 400004'
request $dps PUT "$put" "${auth[@]}" -d "$(json_body dev-01)"
ok "a missing api-version is 400" is "$status" 400
request $dps PUT "$put?$api" "${auth[@]}" -d "$(json_body dev-02)"
ok "another registrationId in the body is 400" is "$status" 400
request $dps PUT "$put?$api" "${auth[@]}" -d '{"registrationId":{}}'
ok "… and one that is no string" is "$status" 400
request $dps PUT "$put?$api" "${auth[@]}" -d '{"registrationId"'
ok "broken JSON is 400" is "$status" 400
request $dps PUT "$put?$api" "${auth[@]}" -d "$(printf '[%.0s' {1..60000})"
ok "bottomless JSON is 400" is "$status" 400
request $dps PUT "/$scope/registrations/dev%zz/register?$api" "${auth[@]}" -d '{}'
ok "a broken escape is 400" is "$status" 400
request $dps PUT "/0ne00FFFFFF/registrations/dev-01/register?$api" "${auth[@]}" -d "$(json_body dev-01)"
ok "another scope is 404" is "$status" 404
request $dps GET "/nothing/here?$api"
ok "another path is 404" is "$status" 404
request $dps DELETE "$put?$api" "${auth[@]}"
ok "another method is 405" is "$status" 405
head -c 65537 /dev/zero | tr '\0' ' ' >"$dir/large"
request $dps PUT "$put?$api" "${auth[@]}" --data-binary "@$dir/large"
ok "a body above 64 KiB is 413" is "$status" 413
truncate -s 65000 "$dir/large"
json_body dev-01 >>"$dir/large"
request $dps PUT "$put?$api" "${auth[@]}" --data-binary "@$dir/large"
ok "a body below it is read to the end" is "$status" 202

modules $hub Renamed-01 "$(hub_token $hub Renamed-01 $device_key)"
ok "the hub lists the modules of an assigned device" is "$status$body" '200[]'
modules $hub Renamed-01 "$(hub_token ${hub^^} Renamed-01 $second_key)"
ok "… for a host without case, and the second key" is "$status" 200
modules $hub2 edge-host-0001 "$(hub_token $hub2 edge-host-0001 "$edge_key")"
ok "… on the hub of the enrolment" is "$status" 200
modules $hub edge-host-0001 "$(hub_token $hub edge-host-0001 "$edge_key")"
ok "… and not on another" is "$status" 404
modules $hub Renamed-01 "$(hub_token $hub Renamed-01 $group_key)"
ok "the hub refuses another key" is "$status" 401
ok "… with its own error body" has "$body" IotHubUnauthorizedAccess
modules $hub Renamed-01 "$(hub_token $hub Renamed-01 $device_key 1600000000)"
ok "… an expired token" is "$status" 401
modules $hub Renamed-01 "$(hub_token $hub2 Renamed-01 $device_key)"
ok "… a token for another hub" is "$status" 401
modules $hub Renamed-01
ok "… and no token" is "$status" 401
request $hub POST "/devices/Renamed-01/messages/events?api-version=2020-03-13" -d hello \
    -H "Authorization: $(hub_token $hub Renamed-01 $device_key)"
ok "the hub takes a message" is "$status" 204
messages=/devices/Renamed-01/messages
auth=(-H "Authorization: $(hub_token $hub Renamed-01 $device_key)")
request $hub GET "$messages/devicebound?api-version=2021-04-12" "${auth[@]}"
ok "… and has none for the device" is "$status$body" 204
request $hub GET "$messages/devicebound?api-version=2021-04-12" \
    -H "Authorization: $(hub_token $hub Renamed-01 $group_key)"
ok "… nor for another key" is "$status" 401
request $hub DELETE "$messages/devicebound?api-version=2021-04-12" "${auth[@]}"
ok "… nor with another method" is "$status" 405
request $hub GET "$messages/elsewhere?api-version=2021-04-12" "${auth[@]}"
ok "… nor at another path" is "$status" 404
truncate -s 262144 "$dir/large"
request $hub POST "$messages/events?api-version=2021-04-12" "${auth[@]}" --data-binary "@$dir/large"
ok "a message of 256 KiB is taken" is "$status" 204
echo >>"$dir/large"
request $hub POST "$messages/events?api-version=2021-04-12" "${auth[@]}" --data-binary "@$dir/large"
ok "a larger one is 413" is "$status" 413

curl -s --cacert "$dir/state/ca.pem" --connect-to "$dps:443:127.0.0.1:$port" -A tester/1 \
    "https://$dps/a?b=c" "https://$dps/d" >/dev/null
line=$(grep '"path":"/a?b=c"' "$dir/log")
for member in '"event":"request"' '"tls":"TLS1.3"' '"resumed":false' '"method":"GET"' \
    "\"host\":\"$dps\"" "\"sni\":\"$dps\"" '"status":404' '"requestBody":0' '"fault":null' \
    '"userAgent":"tester/1"' '"sas":"absent"'; do
    ok "the log has $member" has "$line" "$member"
done
ok "… times in microseconds" grep -qE '"time":[0-9]{16},' <<<"$line"
ok "… sizes" grep -qE '"requestHeader":[1-9][0-9]+,.*"responseBody":[1-9][0-9]+' <<<"$line"
connection=$(sed -n 's/.*\("connection":[0-9]*\),.*/\1/p' <<<"$line")
ok "two requests share a connection" is "$(grep -c "\"event\":\"request\".*$connection," "$dir/log")" 2
closed() { grep -q "\"event\":\"close\",\"handshake\":true,$connection,.*\"sni\":\"$dps\",\"requests\":2" "$dir/log"; }
ok "a closed connection is logged" await closed

curl -s --connect-to "$dps:443:127.0.0.1:$port" --capath /nonexistent "https://$dps/" 2>/dev/null
exec 3<>"/dev/tcp/127.0.0.1/$port"
exec 3>&-
no_handshake() { grep -q '"event":"close","handshake":false,.*"tls":null' "$dir/log"; }
ok "a connection without handshake is told apart" await no_handshake

register late-01 $device_key
ok "an enrolment that is not there yet is refused" is "$status" 401
sed -i 's/"dev-01:a.b_c"/"late-01"/' "$dir/enrolments.json"
kill -HUP "$pid"
ok "SIGHUP is logged" await grep -q '"event":"reload","ok":true' "$dir/log"
register late-01 $device_key
ok "… and the new enrolment counts" is "$status" 202
modules $hub Renamed-01 "$(hub_token $hub Renamed-01 $device_key)"
ok "… and the hub kept its devices" is "$status" 200
cp "$dir/enrolments.json" "$dir/kept.json"
echo '{"individual":[{"registrationId":"x"}]}' >"$dir/enrolments.json"
kill -HUP "$pid"
ok "a bad file is refused" await grep -q '"event":"reload","ok":false' "$dir/log"
ok "… by name" has "$(cat "$dir/err")" 'individual[0].primaryKey: missing'
register late-01 $device_key
ok "… and the old one stays" is "$status" 202
mv "$dir/kept.json" "$dir/enrolments.json"

for ((i = 0; i < 11; i++)); do
    register late-01 $device_key
    first=${first:-$operation}
done
operation=$first
poll late-01 $device_key
ok "the eleventh operation pushes the first out" is "$status" 404

# resumed VERSION: connects twice with openssl, the second time with the first session.
resumed() {
    local more
    for more in -sess_out -sess_in; do
        printf 'GET /resume HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n' $dps |
            openssl s_client "-tls$1" -connect "127.0.0.1:$port" -servername $dps \
                -CAfile "$dir/state/ca.pem" $more "$dir/session" -ign_eof \
                >"$dir/s_client" 2>&1
    done
    grep -q '^Reused' "$dir/s_client"
}
for version in 1_2 1_3; do
    ok "TLS $version resumes" resumed $version
    ok "… and the log knows" has "$(grep '"path":"/resume"' "$dir/log" | tail -n1)" '"resumed":true'
done

sums() { (cd "$dir/state" && sha256sum "$@"); }
certs=$(sums ca.pem server.pem)
ca=$(sums ca.pem)
start --tls 1.2 --no-tickets --chunked --polls 0 --retry-after none --strict-content-type
ok "the certificates are kept" is "$(sums ca.pem server.pem)" "$certs"
request $dps GET / --tls-max 1.2
ok "--tls 1.2 serves TLS 1.2" has "$(last_request)" '"tls":"TLS1.2"'
request $dps GET / --tlsv1.3
ok "… and nothing else" is "$status" 000
resumed 1_2
ok "--no-tickets resumes nothing" lacks "$(cat "$dir/log")" '"resumed":true'
register dev-01 $device_key
ok "--chunked sends chunks" has "$headers" 'Transfer-Encoding: chunked'
ok "--retry-after none leaves it out" lacks "$headers" Retry-After
poll dev-01 $device_key
ok "--polls 0 assigns at the first poll" has "$body" '"status":"assigned"'
type=text/plain
register dev-01 $device_key
type=application/json
ok "--strict-content-type wants JSON" is "$status" 415

start --tls 1.3 --endpoint-host other.example --id-scope 0ne00FFFFFF
request other.example GET / --tlsv1.3
ok "a new name is covered by a new certificate" is "$status" 404
ok "… of the same CA" is "$(sums ca.pem)" "$ca"
request other.example GET / --tls-max 1.2
ok "--tls 1.3 refuses TLS 1.2" is "$status" 000

start --scenario "$here/scenarios/throttled.json"
for expected in 429 429 202; do
    register dev-01 $device_key
    ok "throttled: $expected" is "$status" $expected
done
ok "the log names the fault" is "$(grep -c '"fault":"throttled-twice"' "$dir/log")" 2
poll dev-01 $device_key
poll dev-01 $device_key
ok "throttled: an empty 503" is "$status$body" 503
poll dev-01 $device_key
ok "… which cost no poll" has "$body" '"status":"assigned"'

start --scenario "$here/scenarios/bad-network.json"
register dev-01 $device_key
ok "a connection is reset" is "$status,$curl_status" 000,56
ok "… and logged so" has "$(last_request)" '"status":0'
before=$(date +%s%N)
mkdir "$dir/slow"
(out=$dir/slow && register dev-01 $device_key) &
slow=$!
await grep -q '"fault":"slow"' "$dir/log"
modules $hub Renamed-01
ok "others are served while one waits" test $(($(date +%s%N) - before)) -lt 1400000000
wait $slow
ok "the delay is kept" test $(($(date +%s%N) - before)) -ge 1500000000
ok "… and the answer is whole" grep -q '"status":"assigning"}$' "$dir/slow/body"
register dev-01 $device_key
poll dev-01 $device_key
ok "a proxy's page is sent" is "$status,$body" '502,<html><body>Bad gateway</body></html>'
ok "… without framing" lacks "$headers" 'Content-Length'
ok "… nor chunks" lacks "$headers" 'Transfer-Encoding'
ok "… as HTML, once" is "$(grep -ci '^content-type: ' <<<"$headers")" 1

start --scenario "$here/scenarios/public-access-disabled.json"
register dev-01 $device_key
ok "closed public access is a 401 for a good token" is "$status" 401

start --scenario "$here/scenarios/allocation-failed.json" --polls 0
register dev-01 $device_key
poll dev-01 $device_key
ok "a failed allocation is told in the state" has "$body" '"errorCode":400207,"errorMessage":"Custom'
register dev-01 $device_key
poll dev-01 $device_key
ok "another hub and device are assigned" has "$body" "\"assignedHub\":\"$hub2\",\"deviceId\":\"edge-host-renamed\""
modules $hub2 edge-host-renamed "$(hub_token $hub2 edge-host-renamed $device_key)"
ok "… and that hub knows the device" is "$status" 200

start --scenario "$here/scenarios/strange-answers.json" --polls 0
register dev-01 $device_key
ok "Retry-After may be a date" has "$headers" 'Retry-After: Fri, 31 Dec 2027 23:59:59 GMT'
register dev-01 $device_key
ok "… or be missing" lacks "$headers" Retry-After
ok "the date may be wrong" is "$(grep -i '^date:' <<<"$headers")" 'Date: Thu, 01 Jan 1970 00:00:00 GMT'
poll dev-01 $device_key
ok "a body may be large" is "$(stat -c %s "$dir/body")" 1048576
ok "… and still be JSON" grep -qE '^\{"operationId.*"padding":"x+"\}$' "$dir/body"
ok "a header may be large" is "$(grep '^x-padding: ' <<<"$headers" | wc -c)" 30012
poll dev-01 $device_key
ok "a status may be unknown" has "$body" '"status":"thinking"'
ok "… and the connection closed" has "$headers" 'Connection: close'
poll dev-01 $device_key
ok "any JSON may come" is "$status$body" '200[1,2,3]'

before=$(date +%s%N)
cat >"$dir/slow.json" <<<'{"rules":[{"answer":{"delay-ms":600000}}]}'
start --scenario "$dir/slow.json"
curl -sk "https://127.0.0.1:$port/" >/dev/null &
await grep -q '"fault":"rule-0"' "$dir/log"
stop
ok "it ends cleanly, even with answers pending" is "$stopped" 0
ok "… and says nothing more" is "$(wc -l <"$dir/out"),$(wc -c <"$dir/err")" 1,0

# rejects NAME MESSAGE OPTION…
rejects() {
    local name=$1 message=$2
    shift 2
    timeout 20 "$emulator" --state-dir "$dir/state" "$@" >/dev/null 2>"$dir/err"
    ok "exit 2 for $name" is $? 2
    ok "… naming it" has "$(cat "$dir/err")" "$message"
}
echo '{"groups":[{"enrollmentGroupId":"g","primaryKey":"AAAA"}]}' >"$dir/bad.json"
rejects "a short key" 'groups[0].primaryKey: not 16' --enrolments "$dir/bad.json"
echo '{"rules":[{"answer":{}},{"answer":{"stauts":1}}]}' >"$dir/bad.json"
rejects "an unknown member" 'rules[1].answer.stauts: unknown' --scenario "$dir/bad.json"
rejects "a missing file" missing.json --enrolments "$dir/missing.json"
rejects "an unknown TLS version" --tls --tls 1.1

for option in $("$emulator" --help | grep -o -- ' --[a-z-]*' | grep -v help); do
    ok "the man page has $option" has "$(sed 's/\\-/-/g' "$here/dps-emulator.1")" "$option"
done

echo "1..$count"
exit $((failed > 0))
