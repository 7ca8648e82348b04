#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# test-provision.sh [--cycles COUNT]
#
# A host with a TPM, end to end: attestation, hub, sealed store, tokens. How many commands that
# takes, that nothing is left in the TPM, that no secret is to be seen between it and the agent,
# and what follows when the TPM is cleared, replaced, stopped or late. With --cycles only that
# many registrations with a token each, and what they leave.
set -u
. "$DPS_SOURCE_ROOT/tests/tap.sh"
. "$DPS_SOURCE_ROOT/tests/world.sh"
. "$DPS_SOURCE_ROOT/tests/tpm/tpm.sh"
((EUID == 0)) || skip_all "needs root for root-owned directories"
cycles=3
[[ ${1-} != --cycles ]] || cycles=$2
kills=$((cycles < 50 ? 5 : cycles / 10))

world_keys=$(mktemp -u /run/dps-keys.XXXXXX)
trap 'tpm_signal CONT; tpm_stop; world_stop; rm -f "$world_keys"' EXIT
on_failure() { [[ ! -d $world ]] || { tail -n 25 "$world/log/agent"; tpm_commands; }; }
export ASAN_OPTIONS=detect_leaks=1:abort_on_error=0

json() { ctl status --json | jq -r ".$1"; }
stop() { local pid; if pid=$(agent_pid); then kill "$pid"; fi; wait_for 20 no_agent; }
puts() { requests "\"host\":\"$endpoint" | wc -l; }
at_most() { (($2 <= $1)) || { echo "$2 where $1 is the most: $3"; return 1; }; }
password() { local value; value=$(openssl rand -hex 16); install -m 600 /dev/stdin "$world/etc/$1" <<<"$value"; echo "$value"; }
hex_of() { od -An -tx1 -v | tr -d ' \n'; }

world_plugins() { install -m 644 "$build"/plugins/tpm/tpm.so "$world/plugins/"; }
# Two boards are enrolled, the spare one is put aside.
world_enrolments() {
    local spare
    tpm_start && tpm_ek || return 1
    spare=$(tpm_enrolment)
    spare_id=$(tpm_registration_id)
    tpm_end swtpm KILL && mv "$tpm_dir/state" "$world/spare" && tpm_replace && tpm_ek && tpm_rsa_srk || return 1
    registration_id=$(tpm_registration_id)
    printf '{ "individual": [ %s, %s ] }\n' "$spare" "$(tpm_enrolment)" >"$world/emulator/enrolments.json"
}
# A token that the hub takes.
hub_takes() {
    local token status
    token=$(ctl token --ttl 300) || return 1
    status=$(curl -sS -o /dev/null -w '%{http_code}' --cacert "$ca" --connect-to "$hub:443:127.0.0.1:$port" \
        -H "Authorization: $token" "https://$hub/devices/$1/modules?api-version=2017-11-08-preview") || return 1
    is "$status" 200 "answer of the hub"
}

# serves ID: it is provisioned, and its token works.
serves() {
    is "$(json state)" provisioned && is "$(json deviceId)" "$1" && is "$(json verified)" true &&
        is "$(json protectionLevel)" tpm2+host && is "$(json assignedHub)" "$hub" && hub_takes "$1"
}
is_provisioned() { [[ $(json state) == provisioned && $(json deviceId) == "$1" ]]; }

child() { pgrep -P "$(agent_pid)" -f dps-plugin-host; }
no_child() { ! child >/dev/null; }
# The plugin's process would stay for some seconds.
end_child() { local pid; if pid=$(child); then kill "$pid"; fi; wait_for 60 no_child; }

# spent MOST [WHAT]: commands since the last reset; the figure is on the test's own output.
spent() {
    figure "TPM commands, $2: $(tpm_counts) of $1 ($(tpm_commands))" >&3
    at_most "$1" "$(tpm_counts)" "$(tpm_commands)" && is "$(tpm_counts left_objects) $(tpm_counts left_sessions)" "0 0" left
}
exec 3>&1


# ---- registrations that follow each other ----

cycle() { ctl provision --again --wait --timeout 60 >/dev/null && ctl token >/dev/null; }

# Assigned at once: else the limit on polls holds attempts up that follow each other.
all_cycles() {
    local i first
    world_start "$DPS_BUILD_ROOT" --scenario "$1" && tpm_configure && ctl provision --wait --timeout 60 >/dev/null || return 1
    tpm_counts_reset
    first=$(tpm_state_id) started=$(milliseconds)
    for ((i = 1; i <= cycles; i++)); do
        cycle || { echo "cycle $i"; return 1; }
    done
    figure "$cycles registrations with a token each: $(tpm_counts) commands, $(tpm_counts nv_writes) that write" \
        "NV, $((($(milliseconds) - started) / cycles)) ms each" >&3
    tpm_leftovers && is "$(tpm_counts left_objects) $(tpm_counts left_sessions)" "0 0" "left by clients" &&
        is "$(tpm_counts nv_writes) $(tpm_counts errors)" "0 0" "writes to NV, errors" &&
        is "$(tpm_state_id)" "$first" "the TPM's state" && is "$(tpm_lockout_counter)" 0 &&
        is "$(tpm_counts)" "$((cycles * 21))" "commands: $(tpm_commands)" && unclean_kills
}

# The TPM loses power while the agent is at it, at another moment each time: with the commands of
# a start, of a token, or none. A TPM takes an unclean end for an attempt at whatever key of
# dictionary-attack protection was used: not of any of the agent's, but at last of another's.
unclean_kills() {
    local i token
    for ((i = 0; i < kills; i++)); do
        ((i % 2)) || stop || return 1
        ctl token >/dev/null 2>&1 &
        token=$!
        sleep "0.0$((i % 10))"
        tpm_kill || return 1
        wait "$token" # it may have failed
        wait_for 60 is_provisioned "$registration_id" && ctl token >/dev/null ||
            { echo "kill $((i + 1)): $(json state), $(json reason.code)"; return 1; }
        is "$(tpm_lockout_counter)" 0 "lockout counter after kill $((i + 1))" || return 1
    done
    figure "$kills unclean ends of the TPM: lockout counter 0, store readable, identity served" >&3
    tpm_leftovers && hasnt "$(ls "$world/state")" quarantine && is "$(json protectionLevel)" tpm2+host &&
        tpm_tool tpm2_evictcontrol -Q -C o -c $tpm_srk && tpm_counting_srk && tpm_use_srk && tpm_kill &&
        is "$(tpm_lockout_counter)" 1 "lockout counter after a key that counts was used"
}
one_world() {
    local status=0 scenario
    scenario=$(mktemp)
    echo '{"rules":[{"match":{"host":"dps","method":"PUT"},"answer":{"operation-status":"assigned"}}]}' >"$scenario"
    all_cycles "$scenario" || { status=1; on_failure; }
    rm "$scenario"
    tpm_stop
    world_stop
    return $status
}

check "$cycles times registered and a token: nothing is left; $kills unclean ends: nothing is lost" one_world
[[ ${1-} != --cycles ]] || finish

# ---- one provisioning ----

world_start "$DPS_BUILD_ROOT" --retry-after 0 --reveal-keys "$world_keys" || exit 1
tpm_configure

# What the record must not hold, and a known value that it does, in the same record.
# plant [PASSWORD]: of the storage root key.
planted=$(openssl rand -hex 32)
plant() {
    local out auth=(${1+-P "$1"})
    printf '%b' "$(sed 's/../\\x&/g' <<<"$planted")" >"$world/planted"
    tpm_tool tpm2_create -Q -C $tpm_srk "${auth[@]}" -i "$world/planted" -u "$world/p.pub" -r "$world/p.priv" &&
        tpm_tool tpm2_load -Q -C $tpm_srk "${auth[@]}" -u "$world/p.pub" -r "$world/p.priv" -c "$world/p.key" &&
        tpm_agent_tool tpm2_unseal -c "$world/p.key" | cmp - "$world/planted" && tpm_tool tpm2_flushcontext -t &&
        out=$(exits 1 tpm_windows <<<"planted $planted") && has "$out" "planted 25 raw 25 "
}
check "a known secret that is unsealed in clear is found" plant

first() {
    local state
    tpm_counts_reset && state=$(tpm_state_id) && ctl provision --wait --timeout 60 && spent 30 "provisioned and sealed for the first time" || return 1
    is "$(tpm_counts nv_writes)" 0 "writes to NV" && is "$(tpm_state_id)" "$state" "the TPM's state" &&
        is "$(puts)" 4 "requests to DPS" && serves "$registration_id"
}
check "provisioned: 4 requests, at most 30 commands, none that writes NV" first

warm_token() { tpm_counts_reset && ctl token >/dev/null && spent 3 "token, plugin at hand"; }
check "a token from a plugin that stays: 3 commands" warm_token
cold_token() { end_child && tpm_counts_reset && ctl token >/dev/null && spent 4 "token, plugin started for it"; }
check "a token from a plugin that is started: at most 4 commands" cold_token

cached() { end_child && tpm_counts_reset && ctl provision --again --wait --timeout 60 >/dev/null && spent 18 "provisioned, the store is open"; }
check "both activations and tokens: at most 18 commands" cached
again() {
    stop && tpm_counts_reset && ctl provision --again --wait --timeout 60 >/dev/null && spent 24 "provisioned by an agent that has to unseal the store" &&
        serves "$registration_id"
}
check "with the unsealing of the store: at most 24" again
check "nothing is left in the TPM" tpm_leftovers

# secrets [SRK-AUTH-FILE]: "NAME HEX" of all that must not be seen. Of the keys the emulator made, T
# of the store.
secrets() {
    local share
    jq -r '"\(.kind)-\(input_line_number) \(.hex)"' "$world_keys" &&
        share=$("$build/tests/tpm/print-share" "$world/state" "unix:$tpm_dir/side.socket" "$@") && echo "share $share"
}
unseen() {
    local out list
    list=$(secrets) && for kind in inner nonce hub share; do has "$list" "$kind" || return 1; done
    out=$(exits 0 tpm_windows <<<"$list") || { echo "$out"; return 1; }
    has "$out" "found 0" && figure "record of the TPM: $(wc -l <"$tpm_dir/record") messages," \
        "$(awk '{ n += $2 } END { print n }' <<<"$(head -n -1 <<<"$out")") windows of $(wc -l <<<"$list") secrets, found 0" >&3
}
check "no window of inner keys, HMAC keys and the sealed share is in the record" unseen
still_planted() { local out; out=$(exits 1 tpm_windows <<<"planted $planted") && has "$out" "raw 25"; }
check "while the planted secret still is" still_planted

# The plant's commands go out of the record by their client.
agent_sessions() {
    awk -v own="$(awk '{ print $2; exit }' "$tpm_dir/record")" '$2 != own' "$tpm_dir/record" >"$world/agent-record"
    "$build/tests/tpm/scan-record" sessions "$world/agent-record"
}
encrypted() {
    local out
    out=$(exits 0 agent_sessions) || { echo "$out"; return 1; }
    is "$out" "TPM2_CC_ActivateCredential 6 encrypted
TPM2_CC_Create 1 encrypted
TPM2_CC_Import 6 encrypted
TPM2_CC_Unseal 2 encrypted
clear 0"
}
check "each secret parameter travels encrypted in a salted session" encrypted

new_record() { tpm_unplug && rm "$tpm_dir/record" && : >"$world_keys" && tpm_plug; }

# ---- a TPM with passwords and a foreign storage key ----

# No key at 0x81010001, an ECC key of somebody else's at 0x81000001.
passwords() {
    local owner endorsement out list
    stop && tpm_clear && tpm_ecc_srk && owner=$(password owner) && endorsement=$(password endorsement) &&
        tpm_set_auth owner "$owner" && tpm_set_auth endorsement "$endorsement" || return 1
    new_record || return 1
    tpm_configure "owner-auth-file=$world/etc/owner" "endorsement-auth-file=$world/etc/endorsement"
    ctl status >/dev/null
    wait_for 60 is_provisioned "$registration_id" && serves "$registration_id" && tpm_leftovers || return 1
    figure "TPM commands, endorsement key made and kept, foreign storage key: $(tpm_counts) ($(tpm_commands)), $(tpm_counts nv_writes) write NV" >&3
    is "$(tpm_tool tpm2_readpublic -c $tpm_srk | awk '/^type:/ { getline; print $2; exit }')" ecc "foreign key" &&
        list=$(secrets) && out=$(exits 0 tpm_windows <<<"$list
owner $(hex_of <<<"$owner")
endorsement $(hex_of <<<"$endorsement")") && has "$out" "endorsement 26 raw 0 base64 0 hex 0" || return 1
    tpm_scan sessions && is "$(tpm_lockout_counter)" 0
}
check "cleared, with an ECC storage key and passwords: attested again by itself, no password to be seen" passwords

wrong_password() {
    local out
    stop && echo wrong >"$world/etc/endorsement" || return 1
    out=$(exits 1 ctl provision --again --wait --timeout 20 2>&1)
    has "$out" DPS-E219 && is "$(tpm_lockout_counter)" 0 && tpm_leftovers
}
check "a wrong password is named, and dictionary-attack protection counts nothing" wrong_password

# The agent's sealing and the plugin's sessions use it.
srk_password() {
    local srk hex out list
    stop && tpm_clear && srk=$(password srk) && tpm_rsa_srk "$srk" && new_record && plant "$srk" || return 1
    hex=$(printf %s "$srk" | hex_of)
    tpm_configure "owner-auth-file=$world/etc/owner" "endorsement-auth-file=$world/etc/endorsement" \
        "srk-auth-file=$world/etc/srk"
    ctl status >/dev/null
    wait_for 60 is_provisioned "$registration_id" && serves "$registration_id" && tpm_leftovers || return 1
    # The session that carries it: a key without a password would need none.
    end_child && tpm_counts_reset && ctl token >/dev/null && is "$(tpm_counts StartAuthSession)" 1 || return 1
    list=$(secrets "$world/etc/srk") && out=$(exits 0 tpm_windows <<<"$list
srk $hex") && has "$out" "srk 25 raw 0 base64 0 hex 0" && still_planted && agent_sessions || return 1
    tpm_agent_tool tpm2_create -Q -C $tpm_srk -P "$srk" -p "$srk" -G hmac -u "$world/p.pub" -r "$world/p.priv" &&
        out=$(exits 1 tpm_windows <<<"srk $hex") && has "$out" "srk 25 raw 25 " &&
        is "$(tpm_lockout_counter)" 0
}
check "a storage root key with a password: not to be seen, but in a client that shows it" srk_password

# ---- what happens to boards ----

cleared() {
    stop && tpm_clear && ctl status >/dev/null
    wait_for 60 is_provisioned "$registration_id" && serves "$registration_id" && tpm_leftovers && stop && tpm_configure
}
check "cleared: attested again without a hand, though the configuration names the passwords of before" cleared

swapped() {
    stop && tpm_replace "$world/spare" && ctl status >/dev/null
    wait_for 60 is_provisioned "$spare_id" && serves "$spare_id" && tpm_leftovers
}
check "another board that is enrolled: attested again without a hand, under its own id" swapped

stopped() {
    local took
    end_child && tpm_signal STOP && ctl provision --again || return 1
    took=$(milliseconds)
    is "$(json state)" attesting || return 1
    took=$(($(milliseconds) - took))
    figure "TPM stopped within an attempt: status answered after $took ms" >&3
    ((took < 5000)) && tpm_signal CONT && ctl provision --wait --timeout 60 >/dev/null && serves "$spare_id"
}
check "a TPM that stops within an attempt: D-Bus answers; it goes on when the TPM does" stopped

late() {
    stop && tpm_unplug && ctl reset --yes && ctl provision || return 1
    wait_for 20 waits_for_tpm && tpm_plug && wait_for 120 is_provisioned "$spare_id" && serves "$spare_id" && tpm_leftovers
}
waits_for_tpm() { [[ $(json reason.code) == DPS-E211 ]]; }
check "a TPM that comes late: provisioned by itself" late

clean() { stop && ! grep -E 'CRITICAL|assertion|Sanitizer|runtime error' "$world/log/agent" && is "$(tpm_lockout_counter)" 0; }
check "lockout counter 0, no critical, no sanitizer report" clean
finish
