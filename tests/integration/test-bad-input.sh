#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Each bad input of an operator through the real daemon: an error that names the place, the
# right exit status, nothing written, and the identity in force stays in force.
set -u
. "$DPS_SOURCE_ROOT/tests/tap.sh"
. "$DPS_SOURCE_ROOT/tests/world.sh"
((EUID == 0)) || skip_all "needs root for root-owned directories"

trap world_stop EXIT
on_failure() { tail -n 15 "$world/log/agent" 2>/dev/null; }
export ASAN_OPTIONS=detect_leaks=1:abort_on_error=0

json() { ctl status --json | python3 -c "import json,sys; v=json.load(sys.stdin)['$1']; print(v if not isinstance(v, (list, dict)) else json.dumps(v))"; }
store() { (cd "$world/state" && sha256sum gen-* 2>/dev/null); }
puts() { requests '"PUT"' | wc -l; }
config() { ctl --config-dir "$world/etc" config --agent "$build/agent/daemon/dps-agentd" "$@"; }
stop_agent() { ! agent_pid >/dev/null || { kill "$(agent_pid)" && wait_for 10 no_agent; }; }

world_start "$DPS_BUILD_ROOT" --retry-after 0 || exit 1
site=$world/etc/agent.conf.d/site.conf
world_configure
good=$(<"$site")
restore() {
    rm -f "$world/etc/agent.conf.d/"*.conf
    printf '%s\n' "$good" >"$site"
    chmod 644 "$site"
    world_key_file
    ctl reload >/dev/null
}
# line GROUP TEXT: the site's file with TEXT as the first line of GROUP; sets at to its place.
line() {
    local number
    number=$(grep -nF "[$1]" "$site" | cut -d: -f1)
    printf '%s\n' "$good" | awk -v n="$number" -v text="$2" '{print} NR == n {print text}' >"$site"
    at=$site:$((number + 1))
}
# instead KEY TEXT: the line of KEY is TEXT.
instead() {
    awk -v key="$1=" -v text="$2" 'index($0, key) == 1 {print text; next} {print}' <<<"$good" >"$site"
    at=$site:$(grep -nF "$1=" <<<"$good" | head -n 1 | cut -d: -f1)
}
without() { grep -v "^$1=" <<<"$good" >"$site"; at=''; }
says() {
    local word out=$1
    shift
    for word; do [[ $out == *"$word"* ]] || { echo "'$out' does not contain '$word'"; return 1; }; done
}

# refused STATUS CODE WORD...: how config, reload and provision speak of the file as it is,
# to a running agent and to one that starts with it.
refused() {
    local status=$1 code=$2 kept out before
    shift 2
    kept=$(store) before=$(puts)
    out=$(exits "$status" config 2>&1) && says "$out" "$code" "$@" || { echo "config: $out"; return 1; }
    out=$(exits "$status" ctl reload 2>&1) && says "$out" "$code" "$@" || { echo "reload: $out"; return 1; }
    has "$(json reason)" "$code" || return 1
    stop_agent || return 1
    out=$(exits "$status" ctl provision --wait --timeout 20 2>&1) && says "$out" "$code" "$@" ||
        { echo "provision: $out"; return 1; }
    has "$(json reason)" "$code" && untouched "$kept" "$before"
}
untouched() {
    is "$(store)" "$1" "store" && is "$(puts)" "$2" "registrations" &&
        is "$(json state)" "$rest" && is "$(json assignedHub)" "$assigned" || return 1
    [[ -z $assigned ]] || serves
}
serves() {
    local token
    token=$(ctl token) && is "$(curl --silent --output /dev/null --write-out '%{http_code}' --cacert "$ca" \
        --connect-to "$hub:443:127.0.0.1:$port" --header "Authorization: $token" --data '{}' \
        "https://$hub/devices/$registration_id/messages/events?api-version=2020-03-13")" 204
}
# bad NAME CHANGE... -- STATUS CODE WORD...: AT in a WORD stands for file and line.
bad() {
    local name=$1 change=() words=()
    shift
    while [[ $1 != -- ]]; do change+=("$1"); shift; done
    shift
    "${change[@]}" || exit 1
    for word; do words+=("${word//AT/$at}"); done
    check "$name" refused "${words[@]}"
    restore
}

# --- before there is an identity ------------------------------------------------------------

rest=unconfigured assigned=''
bad "nothing but an unknown key, on a new host" line provisioning colour=red -- 1 DPS-E101 "AT: [provisioning] colour"
stop_agent
bad "no endpoint, on a new host" without endpoint -- 6 DPS-E102 "[provisioning] endpoint" site.conf

provisioned() { ctl provision --wait --timeout 60 && serves; }
check "without a fault it is provisioned" provisioned
rest=provisioned assigned=$hub

# --- keys ------------------------------------------------------------------------------------

bad "an unknown key" line provisioning colour=red -- 1 DPS-E101 "AT: [provisioning] colour: there is no such key"
bad "a key that is spelt wrongly" line provisioning id_scope=0ne00ABCDEF -- 1 DPS-E101 "AT: [provisioning] id_scope" "did you mean 'id-scope'"
bad "a key in the wrong group" line network endpoint=a.azure-devices-provisioning.net -- 1 DPS-E101 "AT: [network] endpoint" "[provisioning]"
bad "an unknown group" line "plugin symmetric-key" "[colours]" -- 1 DPS-E101 "AT: [colours]"
misspelt() { sed 's/^\[plugin symm/[plugin sym/' <<<"$good" >"$site"; at=$site:$(grep -nF '[plugin' "$site" | cut -d: -f1); }
bad "a plugin's group that is spelt wrongly" misspelt -- 1 DPS-E101 "AT: [plugin symetric-key]" "did you mean [plugin symmetric-key]?"
twice() { line provisioning "id-scope=0ne00ABCDEF"; at=$site:$(grep -n '^id-scope' "$site" | tail -n 1 | cut -d: -f1); }
bad "a key given twice" twice -- 1 DPS-E101 "AT: [provisioning] id-scope" "line 2"
bad "no endpoint" without endpoint -- 6 DPS-E102 "[provisioning] endpoint" site.conf
bad "no ID scope" without id-scope -- 6 DPS-E102 "[provisioning] id-scope" site.conf
bad "no attestation" without attestation -- 6 DPS-E102 "[provisioning] attestation" site.conf
bad "no registration id" without registration-id -- 6 DPS-E102 "[provisioning] registration-id" site.conf
empty() { rm "$site"; at=''; }
bad "no file at all" empty -- 6 DPS-E102 "[provisioning] endpoint"

# --- values ------------------------------------------------------------------------------------

bad "a word for a number" instead splay-seconds splay-seconds=soon -- 1 DPS-E101 "AT: [provisioning] splay-seconds" "0 to 3600"
bad "a number out of range" instead splay-seconds splay-seconds=3601 -- 1 DPS-E101 "AT: [provisioning] splay-seconds" "0 to 3600"
bad "a number for a truth" line network allow-global-endpoint=1 -- 1 DPS-E101 "AT: [network] allow-global-endpoint" "yes or no"
bad "a word that is no choice" line network require-private-address=maybe -- 1 DPS-E101 "AT: [network] require-private-address" "auto, yes, no"
bad "a plugin that none can be called" instead attestation "attestation=my plugin" -- 1 DPS-E101 "AT: [provisioning] attestation" symmetric-key
bad "a placeholder as ID scope" instead id-scope "id-scope=[ID Scope]" -- 1 DPS-E101 "AT: [provisioning] id-scope" placeholder
bad "a placeholder as endpoint" instead endpoint "endpoint=<tenant>.azure-devices-provisioning.net" -- 1 DPS-E101 "AT: [provisioning] endpoint" placeholder
bad "a placeholder as path" instead key-file "key-file=/path/to/key" -- 1 DPS-E101 "AT: [plugin symmetric-key] key-file" placeholder
bad "the endpoint with a scheme" instead endpoint "endpoint=https://contoso-dps.azure-devices-provisioning.net" -- 1 DPS-E101 "AT: [provisioning] endpoint"
bad "the global endpoint" instead endpoint "endpoint=global.azure-devices-provisioning.net" -- 1 DPS-E101 "AT: [provisioning] endpoint" global
bad "an address as endpoint" instead endpoint "endpoint=10.1.2.3" -- 1 DPS-E101 "AT: [provisioning] endpoint"
bad "a registration id with a slash" instead registration-id registration-id=edge/1 -- 1 DPS-E101 "AT: [provisioning] registration-id" "letters, digits"
bad "a registration id with a blank" instead registration-id "registration-id=edge 1" -- 1 DPS-E101 "AT: [provisioning] registration-id" "letters, digits"
bad "a registration id that ends in a dot" instead registration-id registration-id=edge. -- 1 DPS-E101 "AT: [provisioning] registration-id" "begin or end"
bad "a registration id that is too long" instead registration-id "registration-id=$(printf 'a%.0s' {1..129})" -- 1 DPS-E101 "AT: [provisioning] registration-id" "1 to 128"
bad "a line that is too long" instead registration-id "registration-id=$(printf 'a%.0s' {1..5000})" -- 1 DPS-E101 "AT: [provisioning] registration-id" 4096
bad "a value that is not UTF-8" instead id-scope $'id-scope=0ne\xff\xfe' -- 1 DPS-E101 "AT: [provisioning] id-scope" UTF-8
bad "a remark behind a value" instead id-scope "id-scope=0ne00ABCDEF # ours" -- 1 DPS-E101 "AT: [provisioning] id-scope" "a comment stands behind"
bad "what this version does not do" instead address require-private-address=yes -- 1 DPS-E103 "AT: [network] require-private-address"
bad "a relative path" instead key-file key-file=device.key -- 1 DPS-E101 "AT: [plugin symmetric-key] key-file" "absolute path"
bad "an address that is none" instead address address=here -- 1 DPS-E101 "AT: [network] address"

# --- files -------------------------------------------------------------------------------------

mode() { chmod "$1" "$site"; at=''; }
bad "a drop-in anyone may write" mode 666 -- 1 DPS-E101 "$site" 0666 "chmod it to 0644"
bad "a drop-in a group may write" mode 664 -- 1 DPS-E101 "$site" 0664 "chmod it to 0644"
owner() { chown nobody "$site"; at=''; }
bad "a drop-in of another user" owner -- 1 DPS-E101 "$site" 65534 "chown it to root"
chown root "$site"
folder() { chmod 777 "$world/etc/agent.conf.d"; at=''; }
bad "a folder anyone may write" folder -- 1 DPS-E101 agent.conf.d 0777
chmod 755 "$world/etc/agent.conf.d"
restore
large() { head -c 70000 /dev/zero | tr '\0' '#' | fold -w 1000 >"$site"; at=''; }
bad "a file over 64 KiB" large -- 1 DPS-E101 "$site" "64 KiB"
nowhere() { ln -s "$world/etc/none" "$world/etc/agent.conf.d/z.conf"; at=''; }
bad "a link that leads nowhere" nowhere -- 1 DPS-E101 none

# --- the key: found at the attempt, which is held ----------------------------------------------

# held CODE WORD...: a registration asked for now fails without a request.
held() {
    local code=$1 kept before out
    shift
    kept=$(store) before=$(puts)
    out=$(exits 1 ctl provision --again --wait --timeout 20 2>&1) || { echo "$out"; return 1; }
    is "$(json state)" held && says "$(json reason)" "$code" "$@" && says "$out" "$code" "$@" &&
        is "$(store)" "$kept" && is "$(puts)" "$before" && is "$(json assignedHub)" "$hub" && serves &&
        ctl cancel >/dev/null && is "$(json state)" provisioned
}
key=$world/etc/device.key
key_mode() { chmod "$1" "$key" && held DPS-E104 "$site:" "[plugin symmetric-key] key-file" "$key" "$1" "chmod it to 0600"; }
check "a key file that all may read" key_mode 0644
check "a key file that a group may write" key_mode 0660
restore
key_owner() { chown nobody "$key" && held DPS-E104 "[plugin symmetric-key] key-file" "$key" 65534; }
check "a key file of another user" key_owner
chown root "$key"
key_absent() { rm "$key" && held DPS-E104 "$site:" "[plugin symmetric-key] key-file" "$key"; }
check "a key file that is not there" key_absent
restore
key_empty() { : >"$key" && held DPS-E104 "[plugin symmetric-key] key-file" "$key" empty; }
check "an empty key file" key_empty
key_large() { head -c 20000 /dev/zero | tr '\0' A >"$key" && held DPS-E104 "[plugin symmetric-key] key-file" "16 KiB"; }
check "a key file that is too large" key_large
plugin_not_there() {
    instead attestation attestation=acme && ctl reload && held DPS-E "there is no 'acme.so' in '$world/plugins'" &&
        has "$(json plugins)" "it is not in $world/plugins"
}
check "a plugin that is not installed" plugin_not_there
restore

unread_group() { # only the agent knows what is installed; config, of a directory, warns
    printf '%s\n[plugin acme]\nserial=1\n' "$good" >"$site"
    at=$site:$(grep -nF '[plugin acme]' "$site" | cut -d: -f1)
    says "$(exits 1 ctl reload 2>&1)" DPS-E101 "$at: [plugin acme]" "in '$world/plugins'" &&
        says "$(exits 0 config 2>&1)" "$at: [plugin acme]: nothing reads this group" || return 1
    : >"$world/plugins/acme.so"
    exits 0 ctl reload
}
check "a group of a plugin that is not installed" unread_group
rm -f "$world/plugins/acme.so"
restore

key_text() { printf '%s\n' "$1" >"$key" && held DPS-E204 "$2" && hasnt "$(<"$world/log/agent")$(json reason)" "$1"; }
check "a key that is no base64" key_text 'no-base64-at-all!' base64
check "a key that is too short" key_text "$(printf 'a-bit-short' | base64)" "16 to 64"
check "a key of two lines" key_text "$(printf '%s\n%s' "${device_key:0:40}" "${device_key:40}")" base64
restore
payload() { line provisioning "payload-file=$world/etc/payload" && printf '%s' "$1" >"$world/etc/payload" && ctl reload && held DPS-E105 "$at" "[provisioning] payload-file" "$world/etc/payload"; }
check "a payload that is no JSON" payload '{"a":'
check "a payload that is no object" payload '[1]'
restore
authority() { line network "ca-file=$world/etc/none.pem" && sed -i '/^ca-file=.*ca.pem/d' "$site" && ctl reload && held DPS-E1 none.pem; }
check "an authority that is not there" authority
restore

# --- import-key ----------------------------------------------------------------------------------

import() {
    local kept out
    kept=$(store)
    out=$(printf '%s' "$1" | exits 1 ctl import-key - 2>&1) && has "$out" "$2" && is "$(store)" "$kept" && serves
}
check "import of what is no base64" import 'not base64!' base64
check "import of a key that is too short" import "$(printf short | base64)" "16 to 64"
check "import of nothing" import '' ''
check "import of too much" import "$(head -c 4000 /dev/zero | base64 -w0)" ''

# --- two mistakes mended in one go ----------------------------------------------------------------

# The agent starts with a broken file; the mended one names another device: one registration.
mended() {
    local before
    instead id-scope id-scope=
    stop_agent && is "$(json state)" provisioned && has "$(json reason)" DPS-E102 || return 1
    registration_id=edge-host-0002
    world_enrolments
    kill -HUP "$emulator_pid"
    before=$(puts)
    world_configure && ctl provision --wait --timeout 30 && is "$(json state)" provisioned &&
        is "$(json deviceId)" edge-host-0002 && is "$(puts)" $((before + 1)) "registrations" && serves
}
check "a broken file mended to another device is one registration" mended

clean_log() { ! grep -E 'CRITICAL|AddressSanitizer: [a-z]|runtime error|#[0-9].*/agent/' "$world/log/agent"; }
check "no critical, no sanitizer report" clean_log
finish
