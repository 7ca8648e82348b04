#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# test-tpm.sh EMULATOR: a device made of tpm2-tools alone is provisioned by the emulator, over real
# TLS, and each fault is seen as such a device sees it. Speaks TAP.
# Functions are called through "check" and the trap.
# shellcheck disable=SC2317
set -u
here=$(dirname "$(realpath "$0")")
. "$here/../tap.sh"
. "$here/em-tokens.sh"
. "$here/em-tpm-client.sh"
. "$here/em-x509.sh"

emulator=$(realpath "$1")
dir=$(mktemp -d)
dps=contoso-dps.azure-devices-provisioning.net
hub=contoso-hub.azure-devices.net
scope=0ne00ABCDEF
api='api-version=2021-06-01'
later=$(($(date +%s) + 3600))
emulator_pid='' tpm_pid=''

cleanup() {
    stop_emulator
    [[ ! $tpm_pid ]] || kill "$tpm_pid" 2>/dev/null
    wait
    rm -rf "$dir"
}
trap cleanup EXIT

on_failure() { printf '%s\n' "status ${status-}" "body ${body-}" "$(tail -n 3 "$dir/log")"; }

# Waits for a condition, at most ten seconds.
await() {
    local i
    for ((i = 0; i < 500; i++)); do
        "$@" && return 0
        sleep 0.02
    done
    return 1
}

start_tpm() {
    mkdir "$dir/tpm"
    swtpm socket --tpm2 --server "type=unixio,path=$dir/tpm/socket" \
        --ctrl "type=unixio,path=$dir/tpm/socket.ctrl" --tpmstate "dir=$dir/tpm" \
        --flags not-need-init,startup-clear >"$dir/tpm/log" 2>&1 </dev/null &
    tpm_pid=$!
    export TPM2TOOLS_TCTI=swtpm:path=$dir/tpm/socket
    await test -S "$dir/tpm/socket"
}

stop_emulator() {
    [[ $emulator_pid ]] || return 0
    kill "$emulator_pid" 2>/dev/null
    wait "$emulator_pid"
    emulator_pid=
}

# start_emulator [RULES]: with these scenario rules, each of them the text of a JSON object.
start_emulator() {
    stop_emulator
    rm -f "$dir/port" "$dir/log" "$dir/keys"
    printf '{"rules":[%s]}' "${1-}" >"$dir/scenario.json"
    "$emulator" --state-dir "$dir/state" --port-file "$dir/port" --log "$dir/log" --polls 0 \
        --enrolments "$dir/enrolments.json" --scenario "$dir/scenario.json" \
        --reveal-keys "$dir/keys" >"$dir/out" 2>&1 </dev/null &
    emulator_pid=$!
    await test -s "$dir/port" || {
        cat "$dir/out"
        return 1
    }
    port=$(<"$dir/port")
}

# request HOST METHOD TARGET [CURL OPTION...]: sets status and body.
request() {
    local host=$1 method=$2 target=$3
    shift 3
    status=$(curl -s --max-time 20 --cacert "$dir/state/ca.pem" \
        --connect-to "$host:443:127.0.0.1:$port" -X "$method" -o "$dir/body" \
        -H 'Content-Type: application/json' -w '%{http_code}' "$@" "https://$host$target")
    body=$(<"$dir/body")
}

said() { is "$(jq -r "$1" <<<"$body")" "$2" "$1"; }

# put ID TOKEN [MORE JSON]: a registration, without Authorization where the token is empty.
put() {
    request $dps PUT "/$scope/registrations/$1/register?$api" ${2:+-H "Authorization: $2"} \
        -d "{\"registrationId\":\"$1\"${3:+,$3}}"
}

poll() {
    operation=$(jq -r .operationId <<<"$body")
    request $dps GET "/$scope/registrations/$1/operations/$operation?$api" -H "Authorization: $2"
}

# A challenge and its answer.
challenged() { put "$1" '' "$member" && is "$status" 401; }
blob_1() { jq -r .authenticationKey <<<"$body"; }
blob_2() { jq -r .registrationState.tpm.authenticationKey <<<"$body"; }
dps_token() { em_tpm_token "$dir" "$scope%2Fregistrations%2F$1" $later registration; }
hub_token() { em_tpm_token "$dir" "$hub%2Fdevices%2F$1" $later; }

# registered ID [MORE JSON]: to the final answer; the second PUT has MORE.
registered() {
    challenged "$1" && em_tpm_activate "$dir" "$(blob_1)" && token=$(dps_token "$1") || return
    put "$1" "$token" "${2-}" && is "$status" 202 && poll "$1" "$token" && is "$status" 200
}

# provisioned ID [MORE JSON]: with the hub's key in the TPM.
provisioned() { registered "$@" && em_tpm_activate "$dir" "$(blob_2)"; }

modules() { request $hub GET "/devices/$1/modules?api-version=2020-03-13" -H "Authorization: $2"; }

# key KIND: the newest one of that kind, as --reveal-keys has it.
key() { jq -r --arg kind "$1" 'select(.kind == $kind).hex' "$dir/keys" | tail -n1; }

nothing_left() {
    is "$(tpm2_getcap handles-transient)$(tpm2_getcap handles-loaded-session)" ""
}

# ---- what a device sees when all is well

the_challenge() {
    challenged tpm-01 || return
    said 'keys_unsorted | join(" ")' "message authenticationKey keyName" &&
        said .message "Authorization required, resend request using supplied key" &&
        said .keyName registration &&
        has "$(curl -s --cacert "$dir/state/ca.pem" --connect-to "$dps:443:127.0.0.1:$port" -D - \
            -X PUT -d "{\"registrationId\":\"tpm-01\",$member}" \
            "https://$dps/$scope/registrations/tpm-01/register?$api" | tr -d '\r')" \
            'Content-Type: application/json; charset=utf-8'
}

its_parts() {
    challenged tpm-01 && em_tpm_split "$dir" "$(blob_1)" &&
        is "$(stat -c %s "$dir"/part-* | tr '\n' ' ')" "54 258 144 258 82 34 "
}

# The TPM's HMAC is the one of the key that the emulator says it made.
the_nonce_key() {
    challenged tpm-01 && em_tpm_activate "$dir" "$(blob_1)" || return
    is "$(od -An -v -tx1 "$dir/inner-key" | tr -d ' \n')" "$(key inner)" &&
        token=$(dps_token tpm-01) &&
        is "$(od -An -v -tx1 "$dir/signature" | tr -d ' \n')" \
            "$(openssl dgst -sha256 -mac HMAC -macopt "hexkey:$(key nonce)" -r "$dir/to-sign" |
                cut -d' ' -f1)"
}

the_assignment() {
    registered tpm-01 "$member" &&
        said '[.status, .registrationState.status, .registrationState.assignedHub, .registrationState.deviceId, .registrationState.payload.site] | join(" ")' \
            "assigned assigned $hub Gateway-1 north" &&
        said '.registrationState | has("symmetricKey")' false &&
        said '.registrationState.tpm | keys | join(" ")' authenticationKey &&
        is "$(jq -rs 'map(select(.path // "" | contains("tpm-01"))) | .[-3:] | map([.method, .status, .sas | tostring] | join(" ")) | join(", ")' "$dir/log")" \
            "PUT 401 absent, PUT 202 ok, GET 200 ok"
}

the_hub_key() {
    provisioned tpm-01 "$member" && token=$(hub_token Gateway-1) || return
    modules Gateway-1 "$token" && is "$status$body" '200[]' || return
    request $hub POST "/devices/Gateway-1/messages/events?api-version=2020-03-13" -d hello \
        -H "Authorization: $token" && is "$status" 204
}

another_key_at_the_hub() {
    local kind
    provisioned tpm-01 || return
    for kind in nonce hub; do
        modules Gateway-1 "$(em_token "$hub%2Fdevices%2FGateway-1" \
            "$(printf '%b' "$(key $kind | sed 's/../\\x&/g')" | base64 -w0)" $later)"
        is "$status" "$([[ $kind == hub ]] && echo 200 || echo 401)" || return
    done
}

without_the_keys() { provisioned tpm-01 && modules Gateway-1 "$(hub_token Gateway-1)" && is "$status" 200; }

# The hub's key is another one, and the one before is worth nothing.
a_second_time() {
    local before
    provisioned tpm-01 "$member" && before=$(hub_token Gateway-1) && provisioned tpm-01 "$member" || return
    said .registrationState.substatus initialAssignment || return
    modules Gateway-1 "$before" && is "$status" 401 || return
    modules Gateway-1 "$(hub_token Gateway-1)" && is "$status" 200
}

its_payload() {
    provisioned tpm-echo '"payload":{"hw":"r2"}' && said .registrationState.payload.hw r2
}

# The token of the first of several open challenges is as good as that of the last.
open_challenges() {
    challenged tpm-01 && em_tpm_activate "$dir" "$(blob_1)" && token=$(dps_token tpm-01) || return
    for _ in 1 2 3; do challenged tpm-01 || return; done
    put tpm-01 "$token" "$member" && is "$status" 202 || return
    challenged tpm-01 && put tpm-01 "$token" "$member" && is "$status" 401
}

the_lookup() {
    registered tpm-01 || return
    request $dps POST "/$scope/registrations/tpm-01?$api" -H "Authorization: $token" \
        -d '{"registrationId":"tpm-01"}'
    is "$status" 200 && said .status assigned &&
        said '.tpm.authenticationKey | length > 1000' true || return
    request $dps POST "/$scope/registrations/tpm-01?$api" -d "{\"registrationId\":\"tpm-01\",$member}"
    is "$status" 401 && said .keyName registration
}

# Both PUTs have the CSR. The second blob comes as ever, but the hub takes the certificate alone.
an_issued_certificate() {
    local api='api-version=2025-07-01-preview' with_csr i
    em_csr "$dir" issued tpm-issued && with_csr="$member,\"csr\":\"$(base64 -w0 "$dir/issued.csr")\"" &&
        put tpm-issued '' "$with_csr" && is "$status" 401 && provisioned tpm-issued "$with_csr" || return
    said '.registrationState.issuedCertificateChain | length' 3 || return
    for i in 0 1; do
        jq -r ".registrationState.issuedCertificateChain[$i]" <<<"$body" | base64 -d | openssl x509 -inform DER
    done >"$dir/issued.chain"
    request $hub GET "/devices/tpm-issued/modules?api-version=2020-03-13" \
        --cert "$dir/issued.chain" --key "$dir/issued.key" && is "$status" 200 || return
    modules tpm-issued "$(hub_token tpm-issued)" && is "$status" 401
}

# ---- what the service refuses

# another FILE: a public key that differs in its last byte.
another() {
    { head -c -1 "$1"; tail -c1 "$1" | LC_ALL=C tr '\0-\376\377' '\1-\377\0'; } | base64 -w0
}

refused() { is "$status" "$1" && said .errorCode "$2"; }

another_ek() {
    put tpm-other '' "$member" && refused 400 400004 &&
        said .message "Endorsement key is invalid, or does not match the Enrollment."
}

disabled() {
    put tpm-off '' "$member" && refused 401 401002 || return
    registered tpm-off-state && said .status disabled
}

no_keys() { put tpm-01 '' && refused 401 401002; }

another_srk() {
    local srk
    challenged tpm-01 && em_tpm_activate "$dir" "$(blob_1)" || return
    srk=$(another "$dir/srk.pub")
    put tpm-01 "$(dps_token tpm-01)" \
        "\"tpm\":{\"endorsementKey\":\"$ek\",\"storageRootKey\":\"$srk\"}" &&
        refused 400 400004
}

# sas VERDICT: what the log says of the last token.
sas() { is "$(jq -rs '[.[] | select(.event == "request")][-1].sas' "$dir/log")" "$1"; }

bad_tokens() {
    challenged tpm-01 && em_tpm_activate "$dir" "$(blob_1)" || return
    put tpm-01 "$(em_tpm_token "$dir" "$scope%2Fregistrations%2Ftpm-01" $later owner)" &&
        refused 401 401002 && sas wrong-policy || return
    put tpm-01 "$(em_tpm_token "$dir" "$scope%2Fregistrations%2Ftpm-01" 1600000000 registration)" &&
        refused 401 401002 && sas expired || return
    put tpm-01 "$(em_token "$scope%2Fregistrations%2Ftpm-01" AAAAAAAAAAAAAAAAAAAAAAAA $later registration)" &&
        refused 401 401002 && sas bad-signature || return
    put tpm-01 "$(dps_token tpm-echo)" && refused 401 401002 && sas wrong-resource || return
    put tpm-other "$(dps_token tpm-other)" && refused 401 401002 && sas no-enrolment
}

# ---- faults: FAULT is a word of tpm-blob

first_blob() { printf '{"match":{"method":"PUT"},"answer":{"tpm-blob":"%s"}}' "$1"; }
second_blob() { printf '{"match":{"path":"/operations/"},"answer":{"tpm-blob":"%s"}}' "$1"; }

# fails TEXT COMMAND...: with the text in what it says.
fails() {
    local text=$1 output
    shift
    output=$("$@" 2>&1) && { echo "$* succeeded"; return 1; }
    has "$output" "$text"
}

# A TPM of its own says how: an OAEP that does not open, an HMAC that is another, a blob too short.
blob_for_another_ek() { challenged tpm-01 && fails ActivateCredential em_tpm_activate "$dir" "$(blob_1)"; }
not_integral() { challenged tpm-01 && fails 'integrity check failed' em_tpm_activate "$dir" "$(blob_1)"; }
credential_but_no_key() {
    challenged tpm-01 && em_tpm_split "$dir" "$(blob_1)" && em_tpm_inner_key "$dir" &&
        fails 'integrity check failed' em_tpm_import "$dir"
}
# short PART BYTES
short() {
    challenged tpm-01 && fails "part $1 is not whole" em_tpm_split "$dir" "$(blob_1)" &&
        is "$(stat -c %s "$dir/blob")" "$2"
}
no_first_blob() { challenged tpm-01 && said 'has("authenticationKey")' false && said .keyName registration; }
second_challenge() {
    challenged tpm-01 && em_tpm_activate "$dir" "$(blob_1)" && token=$(dps_token tpm-01) || return
    put tpm-01 "$token" "$member" && is "$status" 401 && said .keyName registration && sas ok || return
    em_tpm_activate "$dir" "$(blob_1)" && token=$(dps_token tpm-01) && put tpm-01 "$token" && is "$status" 202
}
no_second_blob() { registered tpm-01 && said '.registrationState.tpm | length' 0; }
damaged_second_blob() { registered tpm-01 && fails 'integrity check failed' em_tpm_activate "$dir" "$(blob_2)"; }
only_the_second() { registered tpm-01 && fails "part 3 is not whole" em_tpm_split "$dir" "$(blob_2)"; }

bent() {
    put tpm-01 '' "$member" && is "$status" 429 && provisioned tpm-01 &&
        said .registrationState.assignedHub other-hub.azure-devices.net &&
        said .registrationState.connectionProfile null
}

# The example scenario, and the way out of it.
the_example() {
    blob_for_another_ek && second_challenge || return
    poll tpm-01 "$token" && said '.registrationState.tpm | length' 0 || return
    provisioned tpm-01 && modules Gateway-1 "$(hub_token Gateway-1)" && is "$status" 200
}

private_keys() { is "$(stat -c %a "$dir/keys")" 600; }
no_secret() {
    local kind
    for kind in inner nonce hub; do
        is "$(key $kind | wc -c)" "$([[ $kind == inner ]] && echo 33 || echo 65)" || return
        hasnt "$(<"$dir/log")" "$(key $kind)" || return
    done
    hasnt "$(<"$dir/log")" sig= && hasnt "$(<"$dir/log")" authenticationKey
}

start_tpm || { check "swtpm starts" cat "$dir/tpm/log"; finish; }
check "the TPM makes its keys" em_tpm_keys "$dir"
member=$(em_tpm_member "$dir")
ek=$(base64 -w0 "$dir/ek.pub")
cat >"$dir/enrolments.json" <<JSON
{ "individual": [
    { "registrationId": "tpm-01", "attestation": "tpm", "endorsementKey": "$ek",
      "deviceId": "Gateway-1", "payload": { "site": "north" } },
    { "registrationId": "tpm-echo", "attestation": "tpm", "endorsementKey": "$ek", "payload": "echo" },
    { "registrationId": "tpm-issued", "attestation": "tpm", "endorsementKey": "$ek",
      "certificateIssuance": { "lifetime": 60 } },
    { "registrationId": "tpm-other", "attestation": "tpm", "endorsementKey": "$(another "$dir/ek.pub")" },
    { "registrationId": "tpm-off", "attestation": "tpm", "endorsementKey": "$ek", "status": "disabled" },
    { "registrationId": "tpm-off-state", "attestation": "tpm", "endorsementKey": "$ek",
      "status": "disabled", "disabledShape": "state" } ] }
JSON
start_emulator || { check "the emulator starts" false; finish; }
check "a registration without a token is challenged" the_challenge
check "… with a blob of six parts" its_parts
check "… whose key the TPM takes, and signs with" the_nonce_key
check "an answer to it is assigned, with a second blob" the_assignment
check "… whose key the hub knows" the_hub_key
check "… and no other" another_key_at_the_hub
check "the second registration may leave out the keys" without_the_keys
check "each registration replaces the hub's key" a_second_time
check "the device's own payload comes back" its_payload
check "four challenges may be open, and no fifth" open_challenges
check "a lookup wants a token, and has the blob" the_lookup
check "a CSR is answered beside the blob, and counts at the hub" an_issued_certificate
check "another endorsement key is refused" another_ek
check "a disabled enrolment is refused, or shows as a state" disabled
check "a registration with neither keys nor token is refused" no_keys
check "… and one with another storage root key than the challenged" another_srk
check "tokens of another policy, time, key or registration are refused" bad_tokens
check "what it reveals is its owner's to read" private_keys
check "… and none of it is in the log" no_secret

# faulty NAME RULES COMMAND...
faulty() {
    local name=$1 rules=$2
    shift 2
    start_emulator "$rules" || check "the emulator starts" false
    check "$name" "$@"
}
faulty "a blob for another EK does not open" "$(first_blob other-ek)" blob_for_another_ek
faulty "a blob for another SRK does not either" "$(first_blob other-srk)" not_integral
faulty "a changed HMAC of the credential is found" "$(first_blob credential-hmac)" not_integral
faulty "a changed HMAC of the key is found" "$(first_blob duplicate-hmac)" credential_but_no_key
for cut in "1 27" "2 183" "3 384" "4 585" "5 755" "6 813"; do
    # shellcheck disable=SC2086 # a part and what is left
    faulty "a blob may end in part ${cut% *}" "$(first_blob "truncated-${cut% *}")" short $cut
done
faulty "… or before part 6" "$(first_blob no-part-6)" short 6 796
faulty "a challenge may lack its blob" "$(first_blob missing)" no_first_blob
faulty "a good token may be challenged once more" \
    '{"match":{"method":"PUT","nth":2},"answer":{"challenge":true}}' second_challenge
faulty "an assignment may lack its blob" "$(second_blob missing)" no_second_blob
faulty "… or have a damaged one" "$(second_blob credential-hmac)" damaged_second_blob
faulty "… or a short one, after a whole first" "$(second_blob truncated-3)" only_the_second
faulty "the other rules hold for a TPM too" \
    '{"match":{"method":"PUT","times":1},"answer":{"status":429}},{"match":{"path":"/operations/"},"answer":{"hub":"other-hub.azure-devices.net"}}' \
    bent
faulty "the example scenario has some of each" \
    "$(jq -c '.rules[]' "$here/scenarios/wrong-tpm-blobs.json" | paste -sd,)" the_example
check "nothing is left in the TPM" nothing_left
finish
