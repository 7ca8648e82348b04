#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# What local services get of a host with a certificate: its chain, signatures, and the key where
# the agent has it. test-consumers.sh SIGN-CLIENT KEY-CLIENT
# Functions are called through "check" and the trap.
# shellcheck disable=SC2317
set -u
. "$DPS_SOURCE_ROOT/tests/tap.sh"
. "$DPS_SOURCE_ROOT/tests/world.sh"
. "$DPS_SOURCE_ROOT/tests/emulator/em-x509.sh"
((EUID == 0)) || skip_all "needs root for root-owned directories"
for tool in busctl jq openssl setpriv; do
    command -v "$tool" >/dev/null || skip_all "needs $tool"
done

sign_client=$1 key_client=$2
trap world_stop EXIT
on_failure() { tail -n 20 "$world/log/agent"; requests '"event":"request"' | tail -n 3; }
export ASAN_OPTIONS=detect_leaks=1:abort_on_error=0

credentials() {
    busctl --address="$bus_address" --json=short call org.dpsagent.Agent1 /org/dpsagent/Agent1 \
        org.dpsagent.Agent1.Credentials "$@"
}
# fails_as ERROR TEXT COMMAND...: gdbus, for busctl does not show the name.
method() {
    "${as[@]}" gdbus call --address "$bus_address" --dest org.dpsagent.Agent1 --object-path /org/dpsagent/Agent1 \
        --method "org.dpsagent.Agent1.Credentials.$1" "${@:2}" 2>&1
}
as=()
fails_as() {
    local error=$1 text=$2 out
    shift 2
    ! out=$(unlimited method "$@") || { echo "no error: $out"; return 1; }
    has "$out" "org.dpsagent.Error.$error" && has "$out" "$text"
}
# unlimited COMMAND...: once more while too much has been asked for.
unlimited() {
    local out status deadline=$((SECONDS + 20))
    until out=$("$@" 2>&1); status=$?; [[ $out != *"asks too often"* ]]; do
        ((SECONDS < deadline)) || break
        sleep 0.1
    done
    printf '%s\n' "$out"
    return $status
}
json() { ctl status --json | jq -r ".$1"; }
records() { grep -c "$1" "$world/log/agent"; }

world_plugins() {
    install -m 644 "$build"/plugins/x509/x509.so "$build"/plugins/symmetric-key/symmetric-key.so "$world/plugins/"
}
world_enrolments() {
    local dir=$world/emulator
    em_ca "$dir" root && em_intermediate "$dir" line root &&
        em_leaf "$dir" p256 line edge-p256 && em_leaf "$dir" p384 line edge-p384 key=p384 &&
        em_leaf "$dir" rsa line edge-rsa key=rsa2048 && em_leaf "$dir" p256-new line edge-p256 || return
    cat >"$dir/enrolments.json" <<JSON
{ "individual": [ { "registrationId": "$registration_id", "attestation": "symmetricKey",
                    "primaryKey": "$device_key", "secondaryKey": "$device_key",
                    "hub": "$hub", "certificateIssuance": { "lifetime": 3600 } } ],
  "groups": [ { "enrollmentGroupId": "line-8", "attestation": "x509", "primaryCertificate": "root.pem",
                "hub": "$hub" } ] }
JSON
}
has_certificate() {
    em_chain "$world/emulator" "$1" line >"$world/etc/device.pem" && chmod 644 "$world/etc/device.pem" &&
        install -m 600 "$world/emulator/$1.key" "$world/etc/device.key"
}
provision() {
    ctl reset --yes >/dev/null && has_certificate "$1" && world_configure || return
    has_certificate "$1" # world_configure has put a symmetric key there
    sed -i -e 's/^attestation=.*/attestation=x509/' -e '/^registration-id=/d' -e '/^\[plugin/,$d' "$world/etc/agent.conf.d/site.conf"
    printf '[plugin x509]\ncertificate=%s\nkey=%s\n' "$world/etc/device.pem" "$world/etc/device.key" \
        >>"$world/etc/agent.conf.d/site.conf"
    ctl reload >/dev/null && ctl provision --wait --timeout 60
}

world_start "$DPS_BUILD_ROOT" --retry-after 0 || exit 1
world_service --debug
world_configure

not_provisioned() {
    fails_as NotProvisioned 'no identity' GetCertificateChain &&
        fails_as NotProvisioned 'no identity' Sign ECDSA-SHA256 '[]' && fails_as NotProvisioned 'no identity' OpenKey
}
check "a host without an identity has none of it" not_provisioned

# --- signatures -------------------------------------------------------------------------

bytes() { od -An -v -tu1 "$1" | xargs; }
# sign MECHANISM FILE: what is signed goes to $world/signature.
sign() {
    local out
    # shellcheck disable=SC2046
    out=$(unlimited credentials Sign say "$1" "$(stat -c %s "$2")" $(bytes "$2")) || { echo "$out"; return 1; }
    # shellcheck disable=SC2059
    printf "$(jq -r '.data[0][]' <<<"$out" | xargs printf '\\x%02x')" >"$world/signature"
}
verifies() {
    local options=(-pkeyopt "digest:$2")
    case $1 in
        RSA-PSS-*) options+=(-pkeyopt rsa_padding_mode:pss -pkeyopt rsa_pss_saltlen:32) ;;
        RSA-PKCS1-*) options+=(-pkeyopt rsa_padding_mode:pkcs1) ;;
    esac
    openssl x509 -in "$world/etc/device.pem" -noout -pubkey >"$world/public.pem" &&
        openssl pkeyutl -verify -pubin -inkey "$world/public.pem" -in "$world/digest" \
            -sigfile "$world/signature" "${options[@]}"
}
# signs MECHANISM HASH: openssl verifies it; one record, and of the digest nothing.
signs() {
    local before
    before=$(records "signed by $1 for user 0 of :")
    head -c 100 /dev/urandom | openssl dgst "-$2" -binary >"$world/digest"
    sign "$1" "$world/digest" && verifies "$1" "$2" &&
        is "$(records "signed by $1 for user 0 of :")" $((before + 1)) || return 1
    for text in "$(od -An -v -tx1 "$world/digest" | tr -d ' \n')" "$(base64 -w 0 "$world/digest")" \
        "$(base64 -w 0 "$world/signature")"; do
        ! grep -qiF -- "$text" "$world/log/agent" || { echo "$text is in the log"; return 1; }
    done
}
# zeros SIZE: a digest, as gdbus takes it.
zeros() {
    local list
    list=$(head -c "$1" /dev/zero | od -An -v -tu1 | xargs)
    echo "@ay [${list// /, }]"
}
zeros32=$(zeros 32)
chain_is_the_file() {
    is "$(credentials GetCertificateChain | jq -r '.data[0]')" "$(<"$world/etc/device.pem")"
}
# only MECHANISM LENGTH: no digest of another length, and no record of it.
only() {
    local size before
    before=$(records 'signed by')
    for size in 0 1 31 32 33 47 48 49 64; do
        [[ $size != "$2" ]] || continue
        fails_as InvalidArgument "takes a digest of $2 bytes, not of $size" Sign "$1" \
            "$(zeros "$size")" || return 1
    done
    is "$(records 'signed by')" "$before"
}
other_kind() { fails_as InvalidArgument "$2" Sign "$1" "$zeros32"; }
# answers_hub VERSION MECHANISM: a TLS client without the key.
answers_hub() {
    : >"$world/log/requests.jsonl"
    out=$(unlimited "$sign_client" "$bus_address" "$hub" "127.0.0.1:$port" "$ca" "$(json deviceId)" "$1") &&
        has "$out" " 200 " && has "$out" "; $2" &&
        is "$(requests '"host":"'"$hub"'"' | jq -r '"\(.status) \(.certificate) \(.sas)"')" "200 ok absent"
}
no_key() { fails_as NotSupported 'kept by the attestation plugin' OpenKey && is "$(records 'private key of')" 0; }

for row in "rsa RSA-PKCS1-SHA256 sha256" "rsa RSA-PSS-SHA256 sha256" "p384 ECDSA-SHA256 sha256" \
    "p384 ECDSA-SHA384 sha384" "p256 ECDSA-SHA384 sha384" "p256 ECDSA-SHA256 sha256"; do
    read -r kind mechanism hash <<<"$row"
    if [[ ${last-} != "$kind" ]]; then
        check "$kind: a certificate whose key the plugin keeps" provision "$kind"
        check "$kind: the chain is that of the file" chain_is_the_file
        check "$kind: the key is not to be had" no_key
        last=$kind
    fi
    check "$kind: $mechanism, verified by openssl, one record" signs "$mechanism" "$hash"
    check "$kind: $mechanism signs no digest of another length" only "$mechanism" $((${hash#sha} / 8))
    case $row in
        *PKCS1* | p384*256* | p256*384*) continue ;;
        *384*) wrong=RSA-PSS-SHA256 ;;
        p256*) wrong=RSA-PKCS1-SHA256 ;;
        *) wrong=ECDSA-SHA256 ;;
    esac
    check "$kind: $wrong is for other keys" other_kind "$wrong" 'for another kind of key'
    check "$kind: a TLS 1.3 client that never sees the key is let in by the hub" answers_hub 1.3 "$mechanism"
    check "$kind: the same with TLS 1.2" answers_hub 1.2 "${mechanism%%-*}-"
done
unknown() { other_kind HMAC-SHA256 'no such mechanism' && other_kind '' 'no such mechanism'; }
check "mechanisms that there are not" unknown

# --- who, and how often -------------------------------------------------------------------

others() {
    local before
    as=(setpriv --reuid=65534 --regid=65534 --clear-groups)
    before=$(records 'signed by')
    fails_as AccessDenied '' GetCertificateChain && fails_as AccessDenied '' Sign ECDSA-SHA256 "$zeros32" &&
        fails_as AccessDenied '' OpenKey && is "$(records 'signed by')" "$before"
}
check "another user is refused all three" others

limit() {
    local given refused ms
    out=$("$sign_client" "$bus_address" flood ECDSA-SHA256 60 2>&1) && read -r given refused ms <<<"$out" || return 1
    is $((given + refused)) 60 "$out" && ((refused > 0 && given <= 20 + 5 * ms / 1000 + 1)) || { echo "$out"; return 1; }
    echo "$given of 60 in $ms ms" >"$world/limited"
    signs ECDSA-SHA256 sha256
}
check "who asks too often is refused, and signed for again a little later" limit
figure "signatures given at once: $(cat "$world/limited")"

# The plugin has another certificate and its key by now, the identity in force is the old one.
other_key() {
    local before
    before=$(records 'signed by')
    has_certificate p256-new && ctl reload >/dev/null && pid=$(agent_pid) && kill "$pid" && wait_for 10 no_agent &&
        fails_as Failed DPS-E236 Sign ECDSA-SHA256 "$zeros32" && is "$(records 'signed by')" "$before"
}
check "a signature that the chain does not verify is not handed out" other_key

# --- a key that the agent has ---------------------------------------------------------------

issued() {
    ctl reset --yes >/dev/null && world_configure certificate-issuance=yes && ctl reload >/dev/null &&
        ctl provision --wait --timeout 60 && is "$(json credentialKind)" x509 &&
        credentials GetCertificateChain | jq -r '.data[0]' >"$world/etc/device.pem"
}
check "an issued certificate" issued
check "its key is in a sealed file, which nothing changes" is "$("$key_client" "$bus_address" 2>&1)" "write grow shrink seal key"
warned() { is "$(records 'handed the private key of the certificate to user 0 of :')" 1; }
check "one record says so" warned
check "it signs" signs ECDSA-SHA384 sha384
check "a TLS client that never sees it is let in by the hub" answers_hub 1.3 ECDSA-SHA384

symmetric() {
    ctl reset --yes >/dev/null && world_configure && ctl reload >/dev/null && ctl provision --wait --timeout 60 &&
        fails_as NotSupported 'is a symmetric key' GetCertificateChain &&
        fails_as NotSupported 'is a symmetric key' Sign ECDSA-SHA256 "$zeros32" &&
        fails_as NotSupported 'is a symmetric key' OpenKey
}
check "a symmetric key has none of it" symmetric

clean_log() { ! grep -E 'CRITICAL|assertion|Sanitizer|runtime error' "$world/log/agent"; }
check "no critical, no sanitizer report" clean_log
finish
