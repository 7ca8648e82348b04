#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The key of an enrolment group: derived, stored, and gone from the host.
set -u
. "$DPS_SOURCE_ROOT/tests/tap.sh"
. "$DPS_SOURCE_ROOT/tests/world.sh"
. "$DPS_SOURCE_ROOT/tests/emulator/em-tokens.sh"
((EUID == 0)) || skip_all "needs root for root-owned directories"

trap world_stop EXIT
on_failure() { tail -n 30 "$world/log/agent" 2>/dev/null; }
export ASAN_OPTIONS=detect_leaks=1:abort_on_error=0

json() { ctl status --json | jq -r ".$1"; }
reason_is() { [[ $(json reason.code) == "$1" ]]; }
warning() { ctl status --json | jq -r '[.warnings[].code] | join(" ")'; }
stop_agent() { local pid; pid=$(agent_pid) || return 0; kill "$pid" && wait_for 10 no_agent; }
generations() { find "$world/state" -name 'gen-*' | sort | tail -n 1; }

first_group=$(openssl rand -base64 64 | tr -d '\n')
second_group=$(openssl rand -base64 64 | tr -d '\n')
# What the vault holds of a group is what an enrolment derives: mixed case is lowered.
registration_id=Edge-Host-0001
id=edge-host-0001

world_enrolments() {
    cat >"$world/emulator/enrolments.json" <<JSON
{ "groups": [ { "enrollmentGroupId": "first", "primaryKey": "$first_group", "hub": "$hub" },
              { "enrollmentGroupId": "second", "primaryKey": "$second_group", "hub": "$hub" } ] }
JSON
}

world_start "$DPS_BUILD_ROOT" --retry-after 0 || exit 1
import=$world/state/import
group_file=$import/group.key
mkdir -m 700 "$import"
other_place=$world/etc/group.key

put_key() { install -m 600 /dev/null "$group_file" && printf '%s\n' "$1" >"$group_file"; }
# configure REGISTRATION-ID LINE: LINE goes under [plugin symmetric-key].
configure() {
    registration_id=$1 world_configure
    sed -i "s|^key-file=.*|$2|" "$world/etc/agent.conf.d/site.conf"
}
# The service behind this closed port answers nobody.
offline() { sed -i 's/^address=127.0.0.1:[0-9]*/address=127.0.0.1:1/' "$world/etc/agent.conf.d/site.conf"; }
# registered BY: the group whose derived key signed the last registration.
registered_by() {
    requests '"PUT"' | tail -n 1 >"$world/last"
    is "$(jq -r .path "$world/last" | grep -c "/registrations/$id/register")" 1 &&
        is "$(jq -r .status "$world/last")" 202
}

# Which group's device key signed what the agent hands out.
device_token_key() {
    local token expires group
    token=$(ctl token --ttl 60) || return 1
    expires=${token##*se=}
    for group in first second; do
        local -n key=${group}_group
        [[ $token == "$(em_token "$hub%2Fdevices%2F$id" "$(em_derive_key "$key" "$id")" "$expires")" ]] &&
            echo "$group"
    done
}

refused_config() {
    configure "$registration_id" "key-file=$world/etc/device.key"$'\\\n'"group-key-file=$group_file"
    out=$(exits 1 ctl provision 2>&1) && has "$out" DPS-E101 && has "$out" "key-file (" &&
        has "$out" "group-key-file (" && has "$out" "exclude each other" || return 1
    configure "$registration_id" "group-key-file=$other_place"
    out=$(exits 1 ctl provision 2>&1) && has "$out" DPS-E101 && has "$out" "$import/NAME" &&
        has "$out" "any device of the group"
}
check "both key files, and a group key elsewhere, are refused with what to do" refused_config

wrong_owner() {
    configure "$registration_id" "group-key-file=$group_file"
    put_key "$first_group" && chmod 644 "$group_file"
    exits 1 ctl provision --wait --timeout 30 && is "$(json reason.code)" DPS-E108 &&
        has "$(json reason.text)" "chmod it to 0600" && is "$(warning)" DPS-E106 &&
        [[ -e $group_file ]] || return 1
    chmod 600 "$group_file" && chown 65534 "$group_file"
    exits 1 ctl provision --wait --timeout 30 && has "$(json reason.text)" "owner is user 65534" &&
        [[ -e $group_file ]] && is "$(find "$world/state" -name 'gen-*' | wc -l)" 0
}
check "a group key that others may read or own is not used" wrong_owner
not_base64() {
    put_key 'this is no key'
    exits 1 ctl provision --wait --timeout 30 && is "$(json reason.code)" DPS-E108 &&
        has "$(json reason.text)" "not base64" && hasnt "$(json reason.text)" 'no key;' && [[ -e $group_file ]]
}
check "a group key that is none stays, and is said to be none" not_base64
remedy() {
    has "$(json reason.remedy)" "import-key --group" && ctl import-key --group - <<<"$first_group" &&
        ctl provision --wait --timeout 60 && is "$(json deviceId)" "$id" && is "$(device_token_key)" first &&
        [[ -e $group_file ]] && is "$(warning)" DPS-E106 || return 1
    # It is known for what it is after a restart, and another one in its place is not.
    stop_agent && ctl provision --again --wait --timeout 60 && is "$(device_token_key)" first || return 1
    rm "$group_file" && put_key "$second_group" && ctl provision --wait --timeout 60 &&
        is "$(device_token_key)" second && [[ ! -e $group_file ]]
}
check "the remedy works: a group's key imported later overrules it" remedy
ctl reset --yes >/dev/null
: >"$world/log/requests.jsonl"

offline_boot() {
    stop_agent
    configure "$registration_id" "group-key-file=$group_file" && offline
    put_key "$first_group"
    ctl provision --boot && wait_for 20 test ! -e "$group_file" &&
        wait_for 20 reason_is DPS-E302 && is "$(warning)" '' &&
        is "$(requests '"PUT"' | wc -l)" 0 && is "$(json protectionLevel)" host
}
check "without a network the group key leaves the host all the same" offline_boot
splays() { [[ $(json reason.text) == *splay-seconds* ]]; }
offline_splay() {
    stop_agent && ctl reset --yes || return 1
    sed -i 's/^splay-seconds=.*/splay-seconds=3600/' "$world/etc/agent.conf.d/site.conf"
    put_key "$first_group"
    ctl provision --boot && wait_for 20 test ! -e "$group_file" &&
        wait_for 20 splays
}
check "nor does it wait for the splay" offline_splay

provisioned() {
    stop_agent && ctl reset --yes || return 1
    configure "$registration_id" "group-key-file=$group_file"
    put_key "$first_group"
    ctl provision --wait --timeout 60 && is "$(json state)" provisioned && is "$(json verified)" true &&
        [[ ! -e $group_file ]] && is "$(warning)" '' && registered_by first &&
        is "$(json registrationId)" "$id" && is "$(json deviceId)" "$id"
}
check "a group key makes a device, and its file is gone" provisioned
restarted() {
    stop_agent && is "$(json state)" provisioned && is "$(json reason.code)" '' &&
        ctl provision --again --wait --timeout 60 && is "$(json verified)" true &&
        is "$(json reason.code)" ''
}
check "a restart, and another registration, need no group key" restarted

# While it looks for a group key it is attesting, and Reload is refused.
at_rest() { [[ $(json state) == provisioned ]]; }
puts_are() { is "$(requests '"PUT"' | wc -l)" "$1"; }
bad_again() {
    stop_agent && : >"$world/log/requests.jsonl"
    put_key 'garbage here'
    ctl provision --boot && wait_for 20 reason_is DPS-E108 && is "$(json state)" provisioned || return 1
    out=$(ctl provision --wait --timeout 30) && has "$out" DPS-E108 && is "$(json state)" provisioned || return 1
    wait_for 20 at_rest && ctl reload && wait_for 20 at_rest && is "$(json reason.code)" DPS-E108 || return 1
    rm "$group_file"
    ctl provision && wait_for 20 at_rest && ctl reload && wait_for 20 at_rest && is "$(json reason.code)" '' && puts_are 0
}
check "a bad group key beside a good identity: said, and nothing registers" bad_again
bad_other() {
    put_key 'garbage here'
    configure edge-host-0002 "group-key-file=$group_file"
    exits 1 ctl provision --wait --timeout 30 && is "$(json reason.code)" DPS-E108 || return 1
    configure "$registration_id" "group-key-file=$group_file"
    rm "$group_file"
    ctl reload && wait_for 20 reason_is '' && is "$(json state)" provisioned && puts_are 0
}
check "… nor after another registration id was tried with it" bad_other

gone() {
    configure edge-host-0002 "group-key-file=$group_file"
    exits 1 ctl provision --wait --timeout 30 && is "$(json reason.code)" DPS-E107 &&
        has "$(json reason.text)" "'$id'" && has "$(json reason.text)" "'edge-host-0002'" &&
        has "$(json reason.remedy)" "import-key --group" &&
        is "$(json deviceId)" "$id" && ctl token --ttl 60 | grep -q "devices%2F$id"
}
check "another registration id without the group key: what to do, and the old identity serves" gone
given_again() {
    id=edge-host-0002
    put_key "$first_group"
    ctl provision --wait --timeout 60 && is "$(json deviceId)" "$id" && registered_by first &&
        [[ ! -e $group_file ]]
}
check "the group key given again makes the other device" given_again
id=edge-host-0001

rotated() {
    local before
    configure "$registration_id" "group-key-file=$group_file"
    put_key "$first_group" && ctl provision --wait --timeout 60 && is "$(json deviceId)" "$id" || return 1
    before=$(ctl token --ttl 60) || return 1
    put_key "$second_group"
    # The new key cannot be shown yet: the identity made with the old one serves.
    offline
    exits 5 ctl provision --wait --timeout 2 2>/dev/null
    [[ ! -e $group_file ]] && ctl token --ttl 60 >/dev/null && is "$(json deviceId)" "$id" || return 1
    configure "$registration_id" "group-key-file=$group_file"
    ctl provision --wait --timeout 60 && registered_by second && is "$(json verified)" true &&
        is "$(device_token_key)" second || return 1
    ctl provision && is "$(json state)" provisioned
}
check "a new group key: the old identity serves until the new one is proven" rotated

# --- a crash between commit and removal ---------------------------------------------------

# traced OPTION...: the agent runs under strace, from its next start on; no leak check there.
traced() {
    stop_agent
    cp "$world/agent" "$world/agent.plain"
    sed -i "s#^exec #exec env ASAN_OPTIONS=detect_leaks=0 strace -f -qq -o $world/log/strace $* #" "$world/agent"
}
removal="-e trace=unlinkat -P $import"
untraced() { stop_agent; cp "$world/agent.plain" "$world/agent"; }

crashed() {
    ctl reset --yes || return 1
    traced "$removal" -e inject=unlinkat:retval=0:signal=KILL
    put_key "$first_group"
    ctl status >/dev/null 2>&1
    wait_for 20 no_agent && grep -q 'unlinkat.*group.key' "$world/log/strace" && [[ -e $group_file ]] &&
        [[ -e $(generations) ]] || { cat "$world/log/strace"; return 1; }
    untraced
    # What was left is not used for another device.
    configure edge-host-0002 "group-key-file=$group_file"
    exits 1 ctl provision --wait --timeout 30 && is "$(json reason.code)" DPS-E107 &&
        [[ ! -e $group_file ]] && is "$(warning)" ''
}
finished() {
    configure "$registration_id" "group-key-file=$group_file"
    ctl provision --wait --timeout 60 && is "$(json deviceId)" "$id" && is "$(device_token_key)" first
}
stays() {
    traced "$removal" -e inject=unlinkat:error=EROFS
    put_key "$second_group"
    out=$(ctl provision --wait --timeout 60) && is "$(json state)" provisioned && is "$(device_token_key)" second &&
        [[ -e $group_file ]] && is "$(warning)" DPS-E106 &&
        has "$(json 'warnings[0].text')" "$group_file" && has "$(json 'warnings[0].text')" "Read-only" &&
        has "$(json 'warnings[0].remedy')" "remove the named file" || return 1
    out=$(ctl status) && has "$out" "Warning:           DPS-E106" && has "$out" "$group_file" || return 1
    before=$(grep -c DPS-E106 "$world/log/agent")
    ctl provision --again --wait --timeout 60 && is "$(warning)" DPS-E106 || return 1
}
stuck_is_old() {
    out=$(ctl import-key --group - <<<"$first_group") && ctl provision --wait --timeout 60 &&
        is "$(device_token_key)" first && [[ -e $group_file ]] && is "$(warning)" DPS-E106 || return 1
    stop_agent && ctl provision --again --wait --timeout 60 && is "$(device_token_key)" first && [[ -e $group_file ]]
}
# terminated COMMAND...: brings the agent to take the key in, which SIGTERM finds at the removal.
terminated() {
    local started pid
    ctl reset --yes
    traced "$removal" -e inject=unlinkat:delay_enter=2000000
    : >"$world/log/agent"
    "$@" & started=$!
    wait_for 20 grep -q "is in the store" "$world/log/agent" || return 1
    [[ -e $group_file ]] && pid=$(agent_pid) && kill "$pid" && wait_for 20 no_agent && [[ ! -e $group_file ]] || return 1
    wait "$started"
    untraced
    has "$(cat "$world/log/agent")" "the group key's file was removed"
}
terminate_start() { put_key "$first_group"; ctl status >/dev/null 2>&1; }
terminate_later() { ctl status >/dev/null 2>&1; put_key "$first_group"; ctl provision; }
busy_store() {
    local import_pid
    ctl reset --yes
    traced -e trace=fsync,fdatasync -e inject=fsync,fdatasync:delay_enter=500000
    rm -f "$group_file"
    ctl status >/dev/null 2>&1
    ctl import-key --group - <<<"$first_group" & import_pid=$!
    wait_for 10 grep -q sync "$world/log/strace" || return 1
    put_key "$second_group"
    ctl provision --wait --timeout 60 && is "$(device_token_key)" second && [[ ! -e $group_file ]] &&
        wait "$import_pid" && ! grep -q DPS-E6 "$world/log/agent" || return 1
    untraced
}
stuck_is_said() {
    ctl import-key --group - <<<"$first_group" && configure edge-host-0002 "group-key-file=$group_file"
    exits 1 ctl provision --wait --timeout 30 && is "$(json reason.code)" DPS-E107 &&
        has "$(json reason.text)" "could not be removed" || return 1
    configure "$registration_id" ''
    ctl reload && is "$(warning)" DPS-E106 && has "$(json 'warnings[0].text')" "$group_file" || return 1
    sed -i 's/^attestation=.*/attestation=template/' "$world/etc/agent.conf.d/site.conf"
    ctl reload && is "$(warning)" DPS-E106 || return 1
    stop_agent
    echo nonsense >>"$world/etc/agent.conf.d/site.conf"
    is "$(warning)" DPS-E106 || return 1
    configure "$registration_id" "group-key-file=$group_file"
}
removed_at_last() {
    untraced
    ctl status >/dev/null && [[ ! -e $group_file ]] && is "$(warning)" '' && is "$(json state)" provisioned
}
if strace -o /dev/null -e trace=unlinkat -e inject=unlinkat:retval=0:signal=KILL true 2>/dev/null; then
    check "killed between commit and removal: the next start removes, and derives for no other device" crashed
    check "… and the committed key serves" finished
    check "a file that cannot be removed: the identity goes on, and status warns" stays
    check "… it does not count again after another key was imported" stuck_is_old
    check "… and is said to be there, whatever the configuration says" stuck_is_said
    check "… and is removed once that is possible" removed_at_last
    check "SIGTERM at the start waits for the removal" terminated terminate_start
    check "… and so does a later one" terminated terminate_later
    check "provision while another key is being stored waits for that" busy_store
else
    skip "a crash and a failure of the removal" "strace cannot trace here"
fi

# --- other keys, other plugins ------------------------------------------------------------

key_file() {
    configure "$registration_id" "group-key-file=$group_file"
    put_key "$first_group" && ctl provision --wait --timeout 60 && [[ ! -e $group_file ]] || return 1
    configure "$registration_id" "key-file=$world/nowhere"
    exits 1 ctl provision --again --wait --timeout 30 && is "$(json reason.code)" DPS-E104 &&
        has "$(json reason.text)" "$world/nowhere"
}
check "key-file= in the place of group-key-file= is what counts" key_file
others() {
    install -m 644 "$build/plugins/template/template.so" "$world/plugins/"
    head -c 32 /dev/urandom >"$world/etc/seed" && chmod 600 "$world/etc/seed"
    configure template-a1 ''
    sed -i 's/^attestation=.*/attestation=template/' "$world/etc/agent.conf.d/site.conf"
    printf '\n[plugin template]\nserial=a1\nseed-file=%s\n' "$world/etc/seed" >>"$world/etc/agent.conf.d/site.conf"
    : >"$world/log/requests.jsonl"
    exits 1 ctl provision --wait --timeout 30 && is "$(json registrationId)" template-a1 &&
        is "$(requests '"PUT"' | jq -r .path | sed 's/?.*//' | sort -u)" "/$id_scope/registrations/template-a1/register" || return 1
    out=$(exits 6 ctl import-key --group - <<<"$first_group" 2>&1) && has "$out" attestation=
}
check "a plugin from elsewhere gets no derived key and no other registration id" others

# --- dpsctl import-key --group, and a credential ------------------------------------------

imported() {
    ctl reset --yes && configure "$registration_id" '' || return 1
    printf '%s\n' "$first_group" >"$other_place" && chmod 600 "$other_place"
    out=$(ctl import-key --group "$other_place") && has "$out" "'$other_place' still holds the group key" &&
        has "$out" "remove it" && ctl provision --wait --timeout 60 &&
        is "$(json deviceId)" "$id" && is "$(device_token_key)" first || return 1
    out=$(ctl import-key --group - <<<"$second_group") && hasnt "$out" "still holds" &&
        ctl provision --wait --timeout 60 && is "$(device_token_key)" second || return 1
    out=$(exits 1 ctl import-key --group - <<<'no key' 2>&1) && has "$out" base64
}
check "import-key --group derives at once, and the next provision shows the new key" imported
import_needs_id() {
    ctl reset --yes && configure edge-host-0001 '' && sed -i '/^registration-id/d' "$world/etc/agent.conf.d/site.conf" || return 1
    stop_agent
    out=$(exits 6 ctl import-key --group "$other_place" 2>&1) && has "$out" registration-id &&
        is "$(find "$world/state" -name 'gen-*' | wc -l)" 0
}
check "… and says that it needs the registration id" import_needs_id
rm -f "$other_place"

credential() {
    stop_agent
    configure "$registration_id" "group-key-file=credential:group"
    mkdir -m 700 "$world/credentials"
    printf '%s\n' "$first_group" >"$world/credentials/group" && chmod 400 "$world/credentials/group"
    cp "$world/agent" "$world/agent.plain"
    sed -i "s#^exec #CREDENTIALS_DIRECTORY=$world/credentials exec #" "$world/agent"
    : >"$world/log/agent"
    ctl provision --wait --timeout 60 && is "$(json deviceId)" "$id" && is "$(device_token_key)" first &&
        is "$(warning)" DPS-E106 && has "$(json 'warnings[0].text')" "credential:group" &&
        ctl provision --again --wait --timeout 60 && is "$(warning)" DPS-E106 || return 1
    out=$(ctl status) && has "$out" "the group key remains on the host" || return 1
    is "$(grep -c DPS-E106 "$world/log/agent")" 1 "one warning in the journal for one start"
}
check "a credential serves, and status says once for all that the group key remains" credential
credential_rotated() {
    stop_agent
    chmod 600 "$world/credentials/group"
    printf '%s\n' "$second_group" >"$world/credentials/group" && chmod 400 "$world/credentials/group"
    ctl provision --wait --timeout 60 && is "$(device_token_key)" second || return 1
    stop_agent
    rm "$world/credentials/group"
    ctl provision --again --wait --timeout 60 && is "$(warning)" '' && is "$(device_token_key)" second
}
check "another credential makes another key; the key stays when the credential is taken away" credential_rotated

# --- nothing of the group key is left -----------------------------------------------------

hex() { od -An -v -tx1 "$1" | tr -d ' \n'; }
# windows KEY: what to look for in the hex of a file, 8 bytes each: the raw bytes, their hex, the
# base64 text.
windows() {
    local raw text at
    raw=$(em_hex "$1") text=$(printf %s "$1" | od -An -v -tx1 | tr -d ' \n')
    for ((at = 0; at + 16 <= ${#raw}; at += 16)); do
        printf '%s\n' "${raw:at:16}"
        printf %s "${raw:at:16}" | od -An -v -tx1 | tr -d ' \n'
        echo
    done
    for ((at = 0; at + 16 <= ${#text}; at += 16)); do printf '%s\n' "${text:at:16}"; done
}
hygiene() {
    local pid file seen=0 found
    ctl status >"$world/log/status" && ctl status --json >>"$world/log/status" && pid=$(agent_pid) || return 1
    cat "/proc/$pid/cmdline" >"$world/log/cmdline" && cat "/proc/$pid/environ" >"$world/log/environ" || return 1
    { windows "$first_group"; windows "$second_group"; } | sort -u >"$world/windows"
    (($(wc -l <"$world/windows") == 54)) || { echo "too little to look for"; return 1; }
    # The search finds what is there.
    printf '%s' "$first_group" >"$world/probe" && hex "$world/probe" | grep -qFf "$world/windows" || return 1
    printf '%s' "$second_group" | base64 -d >"$world/probe" && hex "$world/probe" | grep -qFf "$world/windows" || return 1
    while IFS= read -r file; do
        seen=$((seen + 1))
        ! found=$(hex "$file" | grep -oFf "$world/windows") || { echo "$file holds $found"; return 1; }
    done < <(find "$world/state" "$world/log" -type f)
    ((seen >= 9)) || { echo "only $seen files looked at"; return 1; }
}
check "the group keys are nowhere in store, log, status, arguments and environment" hygiene
clean_log() { ! grep -E 'CRITICAL|assertion|Sanitizer|runtime error' "$world/log/agent"; }
check "no critical, no sanitizer report" clean_log
figure "group keys: $tap_count cases in $SECONDS s"
finish
