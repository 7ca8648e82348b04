#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# scan-record: it finds a secret that travels in clear, in each form, and what is encrypted it
# does not.
set -u
. "$DPS_SOURCE_ROOT/tests/tap.sh"
. "$DPS_SOURCE_ROOT/tests/world.sh"
. "$DPS_SOURCE_ROOT/tests/tpm/tpm.sh"
build=$DPS_BUILD_ROOT
world=$(mktemp -d)
trap 'tpm_stop; rm -rf "$world"' EXIT
on_failure() { cat "$tpm_dir/log"; tpm_scan sessions; }

tpm_start || { echo "Bail out! no TPM"; exit 1; }
tpm_ecc_srk || { echo "Bail out! no storage key"; exit 1; }
secret=$(openssl rand -hex 32)

# seal [OPTION]... <DATA
seal() { tpm_agent_tool tpm2_create -Q -C $tpm_srk "$@" -i - -u "$world/public" -r "$world/private"; }
load() { tpm_tool tpm2_load -Q -C $tpm_srk -u "$world/public" -r "$world/private" -c "$world/key"; }
unseal() { tpm_agent_tool tpm2_unseal -c "$world/key" "$@"; }
new_record() { tpm_unplug && rm -f "$tpm_dir/record" && tpm_plug --flush-on-close; }
begin_session() {
    tpm_agent_tool tpm2_startauthsession -Q --hmac-session "$@" -S "$world/session" &&
        tpm_agent_tool tpm2_sessionconfig -Q "$world/session" --enable-encrypt --enable-decrypt
}

# found FORM COUNT: of a secret of 32 bytes, which has 25 windows.
found() {
    local out
    out=$(exits 1 tpm_windows <<<"known $secret") || { echo "$out"; return 1; }
    has "$out" " $1 $2" && has "$out" "known 25 raw"
}

raw() {
    new_record && xxd_r "$secret" | seal && load && unseal >/dev/null && found raw 25 || return 1
    local out
    out=$(exits 1 tpm_scan sessions) || return 1
    is "$(grep -c '^TPM2_CC_\(Create\|Unseal\) [1-9][0-9]* clear$' <<<"$out")" 2 && hasnt "$out" encrypted
}
xxd_r() { printf '%b' "$(sed 's/../\\x&/g' <<<"$1")"; }
check "sealed and unsealed in clear: every window is found" raw

hexadecimal() {
    new_record && printf '%s' "x$secret" | seal && found hex 25 &&
        new_record && printf '%s' "x${secret^^}" | seal && found hex 25
}
check "as hex, in either case" hexadecimal

base64_text() {
    local before
    for before in '' a ab; do
        new_record && { printf '%s' "$before"; xxd_r "$secret"; } | openssl base64 -A | seal &&
            found base64 25 || { echo "after ${#before} bytes"; return 1; }
    done
    new_record && xxd_r "$secret" | openssl base64 -A | tr '+/' '-_' | seal && found base64 25
}
check "as base64, at each alignment and in either alphabet" base64_text

unsalted() {
    local out
    new_record && begin_session && xxd_r "$secret" | tpm_tool tpm2_create -Q -C $tpm_srk -i - -u "$world/public" -r "$world/private" &&
        load && unseal -p "session:$world/session" >/dev/null || return 1
    out=$(exits 1 tpm_scan sessions) || return 1
    has "$out" "TPM2_CC_Unseal 1 clear"
}
check "a session that is not salted hides nothing" unsalted

encrypted() {
    local out
    new_record && begin_session -c $tpm_srk &&
        load && unseal -p "session:$world/session" >"$world/unsealed" || return 1
    out=$(exits 0 tpm_windows <<<"known $secret") && has "$out" "known 25 raw 0 base64 0 hex 0" && has "$out" "found 0" || return 1
    out=$(exits 0 tpm_scan sessions) && has "$out" "TPM2_CC_Unseal 1 encrypted" && has "$out" "clear 0" &&
        is "$(od -An -tx1 -v "$world/unsealed" | tr -d ' \n')" "$secret"
}
check "in a salted, encrypting session nothing is found, and it is said to be encrypted" encrypted

# DictionaryAttackLockReset by hand: tpm2-tools send no password as such.
password() {
    local out
    new_record && xxd_r "80020000003b000001394000000a00000029400000090000000020$secret" |
        socat -t 10 - "UNIX-CONNECT:$tpm_dir/relay.socket" >"$world/response" || return 1
    is "$(od -An -tx1 "$world/response")" " 80 01 00 00 00 0a 00 00 09 8e" "TPM2_RC_AUTH_FAIL" || return 1
    out=$(exits 1 tpm_scan sessions) && has "$out" "TPM2_CC_DictionaryAttackLockReset 1 password" && found raw 25
}
check "a password that travels as such" password

refuses() {
    local out
    out=$(exits 2 tpm_windows <<<"" 2>&1) && out=$(exits 2 tpm_windows <<<"short 0011" 2>&1) &&
        printf '1 2 3\n' >"$world/bad" && out=$(exits 2 "$build/tests/tpm/scan-record" sessions "$world/bad" 2>&1) &&
        : >"$world/bad" && out=$(exits 2 "$build/tests/tpm/scan-record" sessions "$world/bad" 2>&1)
}
check "nothing to look for or to look through is an error" refuses
finish
