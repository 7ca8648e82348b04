#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# test-x509.sh EMULATOR: devices made of curl and openssl alone prove themselves to the emulator with
# certificates, in each version of TLS. Speaks TAP.
# Functions are called through "check" and the trap.
# shellcheck disable=SC2317
set -u
here=$(dirname "$(realpath "$0")")
. "$here/../tap.sh"
. "$here/em-tokens.sh"
. "$here/em-x509.sh"

emulator=$(realpath "$1")
dir=$(mktemp -d)
dps=contoso-dps.azure-devices-provisioning.net
hub=contoso-hub.azure-devices.net
scope=0ne00ABCDEF
api='api-version=2021-06-01'
key=AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=
later=$(($(date +%s) + 3600))
emulator_pid='' status='' body=''

cleanup() {
    stop_emulator
    wait
    rm -rf "$dir"
}
trap cleanup EXIT

on_failure() { printf '%s\n' "status $status" "body $body" "$(tail -n 3 "$dir/log")"; }

# Waits for a condition, at most ten seconds.
await() {
    local i
    for ((i = 0; i < 500; i++)); do
        "$@" && return 0
        sleep 0.02
    done
    return 1
}

stop_emulator() {
    [[ $emulator_pid ]] || return 0
    kill "$emulator_pid" 2>/dev/null
    wait "$emulator_pid"
    emulator_pid=
}

# start_emulator RULES [OPTION]...: with these scenario rules, each of them the text of a JSON object.
start_emulator() {
    stop_emulator
    rm -f "$dir/port" "$dir/log"
    printf '{"rules":[%s]}' "$1" >"$dir/scenario.json"
    "$emulator" --state-dir "$dir/state" --port-file "$dir/port" --log "$dir/log" --polls 0 \
        --enrolments "$dir/enrolments.json" --scenario "$dir/scenario.json" "${@:2}" \
        >"$dir/out" 2>&1 </dev/null &
    emulator_pid=$!
    await test -s "$dir/port" || { cat "$dir/out"; return 1; }
    port=$(<"$dir/port")
}

# request CHAIN HOST METHOD TARGET [CURL OPTION...]: sets status and body. CHAIN is names of
# certificates, leaf first, or empty for a client without any.
request() {
    local chain=$1 host=$2 method=$3 target=$4 cert=()
    shift 4
    if [[ $chain ]]; then
        # shellcheck disable=SC2086 # names
        em_chain "$dir" $chain >"$dir/shown"
        cert=(--cert "$dir/shown" --key "$dir/${chain%% *}.key")
    fi
    status=$(curl -s --max-time 20 --cacert "$dir/state/ca.pem" "${cert[@]}" \
        --connect-to "$host:443:127.0.0.1:$port" -X "$method" -o "$dir/body" \
        -H 'Content-Type: application/json' -w '%{http_code}' "$@" "https://$host$target")
    body=$(<"$dir/body")
}

said() { is "$(jq -r "$1" <<<"$body")" "$2" "$1"; }
# logged FILTER VALUE: of the newest request.
logged() { is "$(jq -rs "map(select(.event == \"request\"))[-1] | $1" "$dir/log")" "$2" "$1"; }

# put CHAIN ID [MORE JSON] [CURL OPTION]...
put() {
    request "$1" $dps PUT "/$scope/registrations/$2/register?$api" \
        -d "{\"registrationId\":\"$2\"${3:+,$3}}" "${@:4}"
}
poll() {
    operation=$(jq -r .operationId <<<"$body")
    request "$1" $dps GET "/$scope/registrations/$2/operations/$operation?$api"
}
registered() { put "$@" && is "$status" 202 && poll "$1" "$2" && is "$status" 200 && said .status assigned; }
modules() { request "$1" $hub GET "/devices/$2/modules?api-version=2020-03-13" "${@:3}"; }

# refused VERDICT: the client learns nothing of why, the log does.
refused() {
    is "$status" 401 && said .errorCode 401002 && said .message "Invalid certificate" &&
        logged .certificate "$1"
}

make_certificates() {
    em_ca "$dir" root && em_ca "$dir" other-root && em_intermediate "$dir" line root key=p384 &&
        em_intermediate "$dir" cell line && em_intermediate "$dir" stranger other-root &&
        em_intermediate "$dir" off line && em_intermediate "$dir" old-line root to='-1 hour' &&
        em_leaf "$dir" single self single-01 && em_leaf "$dir" single-b line single-01 key=p384 &&
        em_leaf "$dir" single-c self single-01 key=rsa2048 &&
        em_leaf "$dir" single-old self single-old to='-1 hour' &&
        em_leaf "$dir" single-new self single-new from='+1 hour' &&
        em_leaf "$dir" single-cn self another && em_leaf "$dir" single-eku self single-eku eku=serverAuth &&
        em_leaf "$dir" single-off self single-off && em_leaf "$dir" single-02 self single-02 &&
        em_leaf "$dir" member cell member-01 key=rsa2048 && em_leaf "$dir" plain cell member-01 eku=none &&
        em_leaf "$dir" direct line member-01 && em_leaf "$dir" twin cell single-01 &&
        em_leaf "$dir" foreign stranger member-01 && em_leaf "$dir" shut off member-01 &&
        em_leaf "$dir" late cell member-01 to='-1 minute' && em_leaf "$dir" early cell member-01 from='+1 hour' &&
        em_leaf "$dir" server cell member-01 eku=serverAuth && em_leaf "$dir" below-old old-line member-01 &&
        em_leaf "$dir" below-leaf direct member-01
}

write_enrolments() {
    cat >"$dir/enrolments.json" <<JSON
{ "individual": [
    { "registrationId": "single-01", "attestation": "x509", "primaryCertificate": "single.pem",
      "secondaryThumbprint": "$(em_thumbprint "$dir/single-b.pem" sha1)", "deviceId": "Gateway-1" },
    { "registrationId": "single-old", "attestation": "x509", "primaryCertificate": "$dir/single-old.pem" },
    { "registrationId": "single-new", "attestation": "x509", "primaryCertificate": "single-new.pem" },
    { "registrationId": "single-cn", "attestation": "x509", "primaryCertificate": "single-cn.pem" },
    { "registrationId": "single-eku", "attestation": "x509",
      "primaryThumbprint": "$(em_thumbprint "$dir/single-eku.pem" | tr a-f A-F)" },
    { "registrationId": "single-off", "attestation": "x509", "primaryCertificate": "single-off.pem",
      "status": "disabled" },
    { "registrationId": "keyed-01", "primaryKey": "$key" },
    { "registrationId": "issued-01", "primaryKey": "$key", "deviceId": "Gateway-2",
      "certificateIssuance": { "lifetime": 300 } },
    { "registrationId": "single-02", "attestation": "x509", "primaryCertificate": "single-02.pem",
      "certificateIssuance": { "lifetime": 86400 } } ],
  "groups": [
    { "enrollmentGroupId": "plant", "attestation": "x509", "primaryCertificate": "other-root.pem",
      "secondaryCertificate": "root.pem" },
    { "enrollmentGroupId": "cell", "attestation": "x509", "primaryCertificate": "cell.pem", "payload": "echo",
      "certificateIssuance": { "lifetime": 600 } },
    { "enrollmentGroupId": "off", "attestation": "x509", "primaryCertificate": "off.pem", "status": "disabled" },
    { "enrollmentGroupId": "keys", "primaryKey": "$key" } ] }
JSON
}

# ---- who is let in

a_pinned_certificate() {
    registered single single-01 && said '.registrationState | [.assignedHub, .deviceId, (.x509 | length)] | map(tostring) | join(" ")' \
        "$hub Gateway-1 0" && said '.registrationState | has("symmetricKey")' false || return
    is "$(jq -rs 'map(select(.event == "request"))[-2:] | map([.method, .status, .sas, .certificate, .certificates, .tls | tostring] | join(" ")) | join(", ")' "$dir/log")" \
        "PUT 202 absent ok 1 TLS$tls, GET 200 absent ok 1 TLS$tls" &&
        logged .thumbprint "$(em_thumbprint "$dir/single.pem")"
}
its_secondary() { registered "single-b line" single-01 && logged .certificates 2; }
at_the_hub() {
    registered single single-01 && modules single Gateway-1 && is "$status$body" '200[]' && logged .certificate ok &&
        request single $hub POST "/devices/Gateway-1/messages/events?api-version=2020-03-13" -d hello &&
        is "$status" 204
}
not_at_the_hub() {
    registered single single-01 || return
    modules '' Gateway-1 && is "$status" 401 && logged .certificate absent || return
    modules single-c Gateway-1 && is "$status" 401 && logged .certificate other-certificate || return
    modules single Gateway-1 -H "Authorization: $(em_token "$hub%2Fdevices%2FGateway-1" $key $later)" &&
        is "$status" 401 && logged .certificate token-sent
}
a_group() {
    registered "member cell line" member-01 '"payload":{"hw":"r2"}' &&
        said '.registrationState | [.deviceId, .x509.enrollmentGroupId, .payload.hw] | join(" ")' "member-01 cell r2"
}
# The CA that is enrolled need not be sent, and whatever lies above it may.
a_short_chain() { registered member member-01 && registered "member cell line root" member-01; }
a_farther_ca() {
    registered "direct line" member-01 && said .registrationState.x509.enrollmentGroupId plant
}
any_case() { registered member MEMBER-01 && registered single Single-01; }
no_usage() { registered plain member-01; }
a_group_at_the_hub() {
    registered member member-01 && modules "member cell" member-01 && is "$status" 200 &&
        modules direct member-01 && is "$status" 401 && logged .certificate no-chain
}
moved_to_the_hub_of_keys() {
    local token
    token=$(em_token "$scope%2Fregistrations%2Fkeyed-01" $key $later registration)
    put '' keyed-01 '' -H "Authorization: $token" && is "$status" 202 && logged .certificate null &&
        put single keyed-01 '' -H "Authorization: $token" && is "$status" 202 || return
    token=$(em_token "$scope%2Fregistrations%2Fmember-09" "$(em_derive_key $key member-09)" $later registration)
    put '' member-09 '' -H "Authorization: $token" && is "$status" 202 && logged '.sas' ok
}

# ---- who is not

no_certificate() {
    put '' single-01 && refused absent && logged .certificates 0 || return
    put '' member-01 && refused absent
}
a_poll_without() {
    put single single-01 && is "$status" 202 && poll '' single-01 && refused absent
}
a_poll_with_another() { put single single-01 && is "$status" 202 && poll twin single-01 && refused other-certificate; }
another_certificate() {
    put single-c single-01 && refused other-certificate || return
    put "twin cell" single-01 && refused other-certificate
}
a_token_with_it() {
    put single single-01 '' \
        -H "Authorization: $(em_token "$scope%2Fregistrations%2Fsingle-01" $key $later registration)" &&
        refused token-sent
}
a_missing_intermediate() { put direct member-01 && refused no-chain; }
another_ca() { put "foreign stranger other-root" member-01 && is "$status" 202 && put foreign member-01 && refused no-chain; }
a_jumbled_chain() { put "direct root line" member-01 && refused no-chain; }
not_a_ca() { put "below-leaf direct line" member-01 && refused no-chain; }
an_expired_ca() { put "below-old old-line" member-01 && refused expired; }
dates() {
    put single-old single-old && refused expired && put single-new single-new && refused not-yet-valid || return
    put late member-01 && refused expired && put early member-01 && refused not-yet-valid
}
common_names() { put single-cn single-cn && refused other-common-name && put member member-02 && refused other-common-name; }
usages() { put single-eku single-eku && refused wrong-usage && put server member-01 && refused wrong-usage; }
disabled() {
    put single-off single-off && is "$status" 401 && said .message Unauthorized || return
    put "shut off line" member-01 && is "$status" 401 && said .message Unauthorized
}
too_many() { put "member cell line root line root line root" member-01 && is "$status" 202 &&
    put "member cell line root line root line root line" member-01 && refused unreadable; }

# ---- a resumed session is the one of the certificate it began with

# talk ID [S_CLIENT OPTION]...: a registration.
talk() {
    local text="{\"registrationId\":\"$1\"}"
    printf '%s\r\n' "PUT /$scope/registrations/$1/register?$api HTTP/1.1" "Host: $dps" "Connection: close" \
        "Content-Length: ${#text}" "" "$text" |
        timeout 20 openssl s_client -quiet -connect "127.0.0.1:$port" -servername $dps \
            -CAfile "$dir/state/ca.pem" "${@:2}" >"$dir/talk" 2>&1
}
resumed() {
    talk single-01 -cert "$dir/single.pem" -key "$dir/single.key" -sess_out "$dir/session" &&
        logged '[.resumed, .status, .certificate] | map(tostring) | join(" ")' "false 202 ok" || return
    talk single-01 -sess_in "$dir/session" &&
        logged '[.resumed, .status, .certificate, .thumbprint] | map(tostring) | join(" ")' \
            "true 202 ok $(em_thumbprint "$dir/single.pem")"
}
resumed_without() {
    talk single-01 -sess_out "$dir/session" && talk single-01 -sess_in "$dir/session" &&
        logged '[.resumed, .status, .certificate, .certificates] | map(tostring) | join(" ")' "true 401 absent 0"
}

# ---- certificates that are issued

csr() { printf '"csr":"%s"' "$(base64 -w0 "$dir/$1.csr")"; }
dps_token() { em_token "$scope%2Fregistrations%2F$1" $key $later registration; }

# with_key ID [MORE JSON]: a registration with a token, to its end.
with_key() {
    local api='api-version=2025-07-01-preview' token
    token=$(dps_token "$1")
    put '' "$1" "${2-}" -H "Authorization: $token" || return
    [[ $status == 202 ]] || return 0
    operation=$(jq -r .operationId <<<"$body")
    request '' $dps GET "/$scope/registrations/$1/operations/$operation?$api" -H "Authorization: $token"
}
# keep_chain NAME: what was issued, as NAME.pem, NAME-ca.pem and NAME-root.pem
keep_chain() {
    local i=0 suffix
    for suffix in '' -ca -root; do
        jq -r ".registrationState.issuedCertificateChain[$i]" <<<"$body" | base64 -d |
            openssl x509 -inform DER -out "$dir/$1$suffix.pem" || return
        i=$((i + 1))
    done
}
# issued NAME ID
issued() {
    is "$status" 200 && said .status assigned &&
        said '.registrationState.issuedCertificateChain | length' 3 && keep_chain "$1"
}
subject() { openssl x509 -in "$1" -noout -subject -nameopt RFC2253 | sed 's/^subject=//'; }

an_issued_certificate() {
    local text
    em_csr "$dir" new-01 issued-01 && with_key issued-01 "$(csr new-01)" && issued new-01 || return
    is "$(openssl x509 -in "$dir/new-01.pem" -noout -pubkey)" "$(openssl pkey -in "$dir/new-01.key" -pubout)" &&
        is "$(subject "$dir/new-01.pem")" CN=issued-01 &&
        has "$(openssl verify -x509_strict -purpose sslclient -CAfile "$dir/new-01-root.pem" \
            -untrusted "$dir/new-01-ca.pem" "$dir/new-01.pem")" OK &&
        is "$(em_thumbprint "$dir/new-01-root.pem")" "$(em_thumbprint "$dir/state/issuing-root.pem")" || return
    text=$(openssl x509 -in "$dir/new-01.pem" -noout -text)
    has "$text" 'Signature Algorithm: ecdsa-with-SHA384' && has "$text" 'TLS Web Client Authentication' &&
        is "$(($(date -d "$(openssl x509 -in "$dir/new-01.pem" -noout -enddate | cut -d= -f2)" +%s) - \
            $(date -d "$(openssl x509 -in "$dir/new-01.pem" -noout -startdate | cut -d= -f2)" +%s)))" 300
}
# The token of the key it was registered with is worth nothing at the hub then.
it_alone_at_the_hub() {
    em_csr "$dir" new-02 issued-01 && with_key issued-01 "$(csr new-02)" && issued new-02 || return
    modules "new-02 new-02-ca" Gateway-2 && is "$status$body" '200[]' && logged .certificate ok || return
    modules new-02 Gateway-2 && is "$status" 401 && logged .certificate no-chain || return
    modules '' Gateway-2 -H "Authorization: $(em_token "$hub%2Fdevices%2FGateway-2" $key $later)" &&
        is "$status" 401 && logged .certificate token-sent || return
    with_key issued-01 && said '.registrationState | has("issuedCertificateChain")' false &&
        modules '' Gateway-2 -H "Authorization: $(em_token "$hub%2Fdevices%2FGateway-2" $key $later)" &&
        is "$status" 200
}
# The one before serves until its own end.
a_renewal() {
    em_csr "$dir" first issued-01 && with_key issued-01 "$(csr first)" && issued first &&
        em_csr "$dir" second issued-01 && with_key issued-01 "$(csr second)" && issued second || return
    [[ $(em_thumbprint "$dir/first.pem") != $(em_thumbprint "$dir/second.pem") ]] || return
    modules "second second-ca" Gateway-2 && is "$status" 200 && modules "first first-ca" Gateway-2 && is "$status" 200
}
with_a_certificate() {
    local api='api-version=2026-04-01'
    em_csr "$dir" new-03 single-02 && registered single-02 single-02 "$(csr new-03)" && issued new-03 &&
        modules "new-03 new-03-ca" single-02 && is "$status" 200 &&
        modules single-02 single-02 && is "$status" 401 && logged .certificate no-chain || return
    em_csr "$dir" new-04 member-01 && registered member member-01 "$(csr new-04)" && issued new-04 &&
        modules "new-04 new-04-ca" member-01 && is "$status" 200
}
# By an earlier api-version it is a member like any other, and a policy must provide for it.
ignored_csr() {
    em_csr "$dir" new-05 single-02 && registered single-02 single-02 "$(csr new-05)" &&
        said '.registrationState | has("issuedCertificateChain")' false || return
    em_csr "$dir" new-06 keyed-01 && with_key keyed-01 "$(csr new-06)" && said .status assigned &&
        said '.registrationState | has("issuedCertificateChain")' false
}
in_a_lookup() {
    em_csr "$dir" new-07 issued-01 && with_key issued-01 "$(csr new-07)" && issued new-07 || return
    request '' $dps POST "/$scope/registrations/issued-01?api-version=2025-07-01-preview" \
        -H "Authorization: $(dps_token issued-01)" -d '{"registrationId":"issued-01"}' &&
        is "$status" 200 && said .status assigned && said 'has("issuedCertificateChain")' false || return
    request '' $dps POST "/$scope/registrations/issued-01?api-version=2025-07-01-preview" \
        -H "Authorization: $(dps_token issued-01)" -d "{\"registrationId\":\"issued-01\",$(csr new-07)}" &&
        is "$status" 400 && said .errorCode 400004
}
# bad_csr CSR TEXT
bad_csr() { with_key issued-01 "\"csr\":$1" && is "$status" 400 && said .errorCode 400004 && said .message "csr: $2"; }
bad_csrs() {
    local kind n
    for kind in p256 p521 rsa2048; do
        em_csr "$dir" "bad-$kind" issued-01 $kind &&
            bad_csr "\"$(base64 -w0 "$dir/bad-$kind.csr")\"" "its key is not one on P-384" || return
    done
    em_csr "$dir" bad-cn ISSUED-01 &&
        bad_csr "\"$(base64 -w0 "$dir/bad-cn.csr")\"" "its common name is not the registration ID" || return
    n=$(stat -c %s "$dir/new-01.csr")
    { head -c $((n - 1)) "$dir/new-01.csr"; tail -c1 "$dir/new-01.csr" | LC_ALL=C tr '\0-\376\377' '\1-\377\0'; } >"$dir/bad-sig.csr"
    bad_csr "\"$(base64 -w0 "$dir/bad-sig.csr")\"" "it is not signed with its key" || return
    bad_csr '"-----BEGIN"' "it is not base64" && bad_csr 7 "it is not a string" &&
        bad_csr "\"$(base64 -w0 "$dir/single.pem")\"" "it is not a request of PKCS#10 in DER" &&
        bad_csr "\"$({ cat "$dir/new-01.csr"; echo; } | base64 -w0)\"" "it is not a request of PKCS#10 in DER"
}
same_ca_again() {
    local before
    before=$(em_thumbprint "$dir/state/issuing-root.pem")
    is "$(stat -c %a "$dir/state/issuing-ca.key" "$dir/state/issuing-root.key" | tr '\n' ' ')" "600 600 " &&
        start_emulator '' && is "$(em_thumbprint "$dir/state/issuing-root.pem")" "$before" &&
        an_issued_certificate
}

# ---- faults

fault() { printf '{"match":{"path":"/operations/"},"answer":{"issued-chain":"%s"}}' "$1"; }
# with_fault FAULT COMMAND...: on the answer of a registration that asked for a certificate
with_fault() {
    start_emulator "$(fault "$1")" && em_csr "$dir" faulty issued-01 &&
        with_key issued-01 "$(csr faulty)" && is "$status" 200 && said .status assigned && "${@:2}"
}
links() {
    openssl verify -CAfile "$dir/faulty-root.pem" -untrusted "$dir/faulty-ca.pem" "$dir/faulty.pem" 2>&1
}
another_key() {
    issued faulty && has "$(links)" OK &&
        [[ $(openssl x509 -in "$dir/faulty.pem" -noout -pubkey) != "$(openssl pkey -in "$dir/faulty.key" -pubout)" ]]
}
another_name() { issued faulty && has "$(links)" OK && is "$(subject "$dir/faulty.pem")" CN=somebody-else; }
past() { issued faulty && has "$(links)" 'certificate has expired'; }
future() { issued faulty && has "$(links)" 'not yet valid'; }
broken() { issued faulty && has "$(links)" 'unable to get local issuer'; }
short_of() { said '.registrationState.issuedCertificateChain | length' "$1"; }
not_there() { said '.registrationState | has("issuedCertificateChain")' false; }
root_first() { issued faulty && is "$(subject "$dir/faulty.pem")" "CN=dps-emulator issuing root"; }
no_base64() { short_of 1 && said '.registrationState.issuedCertificateChain[0]' "-----BEGIN CERTIFICATE-----"; }
no_certificate_in_it() { short_of 1 && is "$(jq -r '.registrationState.issuedCertificateChain[0]' <<<"$body" | base64 -d)" "not a certificate"; }

# The example scenario: refusals by name of the version, then as without a policy.
the_example() {
    local wanted
    start_emulator "$(jq -c '.rules[]' "$here/scenarios/refused-csr.json" | paste -sd,)" &&
        em_csr "$dir" faulty issued-01 || return
    for wanted in "429 429001" "403 403000" "400 400004"; do
        with_key issued-01 "$(csr faulty)" && is "$status $(jq .errorCode <<<"$body")" "$wanted" || return
    done
    with_key issued-01 "$(csr faulty)" && said .status assigned && not_there || return
    with_key issued-01 "$(csr faulty)" && short_of 3
}

# wrong_file MEMBERS TEXT: an individual enrolment with these is refused, and why.
wrong_file() {
    local output
    printf '{"individual":[{"registrationId":"a","attestation":"x509"%s}]}' "$1" >"$dir/wrong.json"
    output=$(cd "$dir" && timeout 20 "$emulator" --state-dir state --enrolments wrong.json 2>&1)
    is "$?" 2 && has "$output" "$2"
}
wrong_files() {
    em_chain "$dir" member cell >"$dir/two" && wrong_file '' 'primaryCertificate: missing' &&
        wrong_file ',"primaryCertificate":"nowhere.pem"' 'individual[0].primaryCertificate' &&
        wrong_file ',"primaryCertificate":"single.key"' 'holds no PEM certificate' &&
        wrong_file ',"primaryCertificate":"two"' 'holds more than one certificate' &&
        wrong_file ',"primaryThumbprint":"00"' 'primaryThumbprint: not a SHA-256 or SHA-1' &&
        wrong_file ',"primaryKey":"AAECAwQFBgcICQoLDA0ODw=="' 'primaryKey: only with attestation symmetricKey' &&
        wrong_file ',"primaryCertificate":"single.pem","certificateIssuance":{}' 'certificateIssuance.lifetime: missing' &&
        wrong_file ',"primaryCertificate":"single.pem","certificateIssuance":{"lifetime":0}' 'certificateIssuance.lifetime'
}

make_certificates >"$dir/making" || { check "openssl makes certificates" cat "$dir/making"; finish; }
write_enrolments
for tls in 1.2 1.3; do
    start_emulator '' --tls $tls || { check "the emulator starts" false; finish; }
    check "TLS $tls: a pinned self-signed certificate registers" a_pinned_certificate
    check "… and the secondary one, by its SHA-1" its_secondary
    check "… and is known to the hub" at_the_hub
    check "… which takes no other, and no token" not_at_the_hub
    check "a member of a group registers with its chain" a_group
    check "… which may stop below the enrolled CA, or go beyond it" a_short_chain
    check "… and may be enrolled by a root" a_farther_ca
    check "case does not matter in the common name" any_case
    check "extended key usages need not be there" no_usage
    check "the hub wants the chain to the group's CA" a_group_at_the_hub
    check "devices with keys show a certificate or none" moved_to_the_hub_of_keys
    check "without a certificate there is a handshake, and a 401" no_certificate
    check "… and for a poll" a_poll_without
    check "… also for one with another certificate" a_poll_with_another
    check "another certificate of the same name is refused, signed by an enrolled CA or not" another_certificate
    check "a token beside the certificate is refused" a_token_with_it
    check "a missing intermediate is refused" a_missing_intermediate
    check "… and the chain of another CA" another_ca
    check "… and one out of order" a_jumbled_chain
    check "… and one with a device for a CA" not_a_ca
    check "… and one with an expired CA" an_expired_ca
    check "a certificate that is expired or not yet valid is refused" dates
    check "… and one of another name" common_names
    check "… and one for servers" usages
    check "a disabled enrolment is refused, also where a group farther up is not" disabled
    check "eight certificates are read, nine are not" too_many
    check "a resumed session has its certificate" resumed
    check "… or none" resumed_without
done
start_emulator '' || check "the emulator starts" false
check "a CSR is answered with a chain of three" an_issued_certificate
check "… which is all the hub takes, until a registration without" it_alone_at_the_hub
check "a renewal has another, and both serve" a_renewal
check "certificates bring CSRs as well, pinned and of a group" with_a_certificate
check "a CSR by an older api-version, or without a policy, is ignored" ignored_csr
check "a lookup neither takes a CSR nor tells what was issued" in_a_lookup
check "a CSR with a wrong key, name, signature or form is refused" bad_csrs
check "the issuing CA stays, and its keys are private" same_ca_again
check "what is issued may be missing" with_fault missing not_there
check "… or empty" with_fault empty short_of 0
check "… or for another key" with_fault other-key another_key
check "… or another name" with_fault other-common-name another_name
check "… or expired" with_fault expired past
check "… or not yet valid" with_fault not-yet-valid future
check "… or not link up" with_fault no-link broken
check "… or have the root first" with_fault root-first root_first
check "… or the leaf alone" with_fault leaf-alone short_of 1
check "… or nine certificates" with_fault too-many short_of 9
check "… or be no base64" with_fault not-base64 no_base64
check "… or no certificates" with_fault not-certificates no_certificate_in_it
check "the example scenario refuses and ignores a CSR" the_example
check "a file that says nonsense about certificates is refused" wrong_files
finish
