# SPDX-License-Identifier: LGPL-2.1-or-later
# A simulated TPM for a test: swtpm, and the relay in front of it. Sourced after tests/world.sh;
# needs $world, a directory, and $build, the build directory.
#
#   tpm_start [RELAY-OPTION]...   both, without any key; sets tpm_dir and tpm_tcti, for tcti=
#   tpm_stop                      ends both
#   tpm_configure                 attestation=tpm, by this TPM and the id that follows from it
#   tpm_enrol                     the emulator knows the host
#   tpm_tool COMMAND [ARG]...     a command of tpm2-tools, beside the counts and the record
#   tpm_agent_tool COMMAND...     the same where the agent's go: counted and recorded
#   tpm_windows <SECRETS          scan-record windows of the record ("NAME HEX" lines)
#   tpm_scan sessions             scan-record sessions of the record
#   tpm_counts [NAME]             commands of that name (ReadPublic) since the last reset, or a
#                                 counter (nv_writes, left_objects…: relay-ledger.h), or total
#   tpm_commands                  "2 ReadPublic, 3 Load …", for a figure
#   tpm_counts_reset              all of them to 0
#   tpm_leftovers                 fails where the TPM has an object or a session loaded or saved
#   tpm_faults [LINE]...          what the relay does to commands from now on (relay-faults.h)
#   tpm_lockout_counter           failed authorisations that dictionary-attack protection counts
#   tpm_set_auth owner|endorsement|lockout PASSWORD
#   tpm_ecc_srk, tpm_rsa_srk [PASSWORD]  makes it, at 0x81000001
#   tpm_counting_srk [PASSWORD]   an RSA one whose wrong passwords and power cuts are counted
#   tpm_use_srk [PASSWORD]        makes a key below it
#   tpm_clear                     new owner seed: all keys of the owner are gone
#   tpm_kill                      SIGKILL, and started again with the same state
#   tpm_signal STOP|CONT          it stands still; it goes on
#   milliseconds                  the time, to take a difference of
#   tpm_replace [DIRECTORY]       another TPM; or the one whose state is there, which moves
#   tpm_ek                        makes the endorsement key at 0x81010001, and $tpm_dir/ek.pub, its
#                                 TPM2B_PUBLIC
#   tpm_registration_id           of that key (dps-protocol §5.3)
#   tpm_enrolment                 of that key, an entry of "individual" in the emulator's file
#   tpm_configure [LINE]...       site.conf of a world: the TPM attests; lines for [tpm]
#   tpm_unplug, tpm_plug          no socket, as without a device; the same TPM again
#   tpm_state_id                  changes with each write to the TPM's non-volatile memory
#
# Process ids are files in $tpm_dir: functions work in subshells, too.

tpm_srk_attributes='fixedtpm|fixedparent|sensitivedataorigin|userwithauth|noda|restricted|decrypt'
tpm_srk=0x81000001 tpm_ek_handle=0x81010001

tpm_start() {
    tpm_dir=$world/tpm
    tpm_tcti=unix:$tpm_dir/relay.socket
    mkdir -m 755 "$tpm_dir"
    mkdir -m 700 "$tpm_dir/state"
    tpm_swtpm && tpm_plug "$@"
}

tpm_swtpm() {
    rm -f "$tpm_dir/socket"
    swtpm socket --tpm2 --server "type=unixio,path=$tpm_dir/socket" \
        --ctrl "type=unixio,path=$tpm_dir/control" --tpmstate "dir=$tpm_dir/state" \
        --flags not-need-init,startup-clear >>"$tpm_dir/log" 2>&1 </dev/null &
    tpm_started swtpm $!
    wait_for 20 socat -u OPEN:/dev/null "UNIX-CONNECT:$tpm_dir/socket" 2>/dev/null || { cat "$tpm_dir/log"; return 1; }
}

tpm_plug() {
    "$build/tests/tpm/relay" --listen "$tpm_dir/relay.socket" --side "$tpm_dir/side.socket" \
        --tpm "$tpm_dir/socket" --counts "$tpm_dir/counts" --record "$tpm_dir/record" \
        --faults "$tpm_dir/faults" "$@" >>"$tpm_dir/log" 2>&1 </dev/null &
    tpm_started relay $!
    wait_for 20 test -S "$tpm_dir/relay.socket" || { cat "$tpm_dir/log"; return 1; }
}

milliseconds() { echo $((${EPOCHREALTIME/./} / 1000)); }

# The shell shall not tell of its end.
tpm_started() { echo "$2" >"$tpm_dir/$1.pid"; disown "$2"; }

# tpm_end NAME [SIGNAL]: returns when it is gone.
tpm_end() {
    local pid
    pid=$(cat "$tpm_dir/$1.pid" 2>/dev/null) || return 0
    kill "-${2:-TERM}" "$pid" 2>/dev/null
    wait_for 20 tpm_ended "$pid" || { echo "$1 does not end"; return 1; }
    rm -f "$tpm_dir/$1.pid"
}
# A child that nobody has waited for is still a process, but has ended.
tpm_ended() { ! grep -qs '^State:[[:space:]]*[^ZX]' "/proc/$1/status"; }

# As an operator enrols the host: what it says of itself is what the emulator gets.
tpm_enrol() {
    ctl enrollment --json | jq --arg hub "$hub" '{ individual: [ { registrationId,
        attestation: "tpm", endorsementKey: .material."endorsement-key", hub: $hub } ] }' \
        >"$world/emulator/enrolments.json"
    : >"$world/log/requests.jsonl"
    kill -HUP "$emulator_pid" && wait_for 10 grep -q '"event":"reload"' "$world/log/requests.jsonl"
}

tpm_unplug() { tpm_end relay; }

tpm_stop() {
    [[ ${tpm_dir-} ]] || return 0
    tpm_end relay
    tpm_end swtpm KILL
}

tpm_tool() { tpm_tool_at side "$@"; }
tpm_agent_tool() { tpm_tool_at relay "$@"; }
tpm_tool_at() {
    local TPM2TOOLS_TCTI="cmd:socat - UNIX-CONNECT:$tpm_dir/$1.socket" TSS2_LOG=all+none
    export TPM2TOOLS_TCTI TSS2_LOG
    shift
    timeout 60 "$@"
}

tpm_windows() { "$build/tests/tpm/scan-record" windows "$tpm_dir/record" /dev/stdin; }
tpm_scan() { "$build/tests/tpm/scan-record" "$1" "$tpm_dir/record"; }

tpm_counts() {
    jq -r --arg name "${1:-total}" 'if has($name) then .[$name] else .commands["TPM2_CC_" + $name] // 0 end' \
        "$tpm_dir/counts"
}

tpm_commands() {
    jq -r '.commands | to_entries | map("\(.value) \(.key[8:])") | join(", ")' "$tpm_dir/counts"
}

tpm_counts_reset() {
    kill -USR1 "$(<"$tpm_dir/relay.pid")" && wait_for 10 tpm_counts_are_zero
}
tpm_counts_are_zero() { [[ $(tpm_counts) == 0 && $(tpm_counts clients) == 0 ]]; }

tpm_leftovers() {
    local what list
    for what in transient loaded-session saved-session; do
        list=$(tpm_tool tpm2_getcap "handles-$what") || { echo "no answer: $list"; return 1; }
        [[ -z $list ]] || { printf 'left in the TPM, %s:\n%s\n' "$what" "$list"; return 1; }
    done
}

tpm_faults() {
    printf '%s\n' "$@" >"$tpm_dir/faults.new" && mv "$tpm_dir/faults.new" "$tpm_dir/faults"
}

tpm_lockout_counter() {
    local value
    value=$(tpm_tool tpm2_getcap properties-variable | awk '$1 == "TPM2_PT_LOCKOUT_COUNTER:" { print $2 }')
    [[ $value ]] && echo $((value))
}

tpm_set_auth() { tpm_tool tpm2_changeauth -Q -c "$1" "$2"; }

# tpm_primary ALGORITHM ATTRIBUTES [PASSWORD]
tpm_primary() {
    tpm_tool tpm2_createprimary -Q -C o -g sha256 -G "$1" -a "$2" ${3+-p "$3"} -c "$tpm_dir/srk.context" &&
        tpm_tool tpm2_evictcontrol -Q -C o -c "$tpm_dir/srk.context" $tpm_srk
}
tpm_ecc_srk() { tpm_primary ecc "$tpm_srk_attributes" "$@"; }
tpm_rsa_srk() { tpm_primary rsa "$tpm_srk_attributes" "$@"; }
tpm_counting_srk() { tpm_primary rsa "${tpm_srk_attributes/noda|/}" "$@"; }

tpm_use_srk() {
    tpm_tool tpm2_create -Q -C $tpm_srk ${1+-P "$1"} -G hmac -u "$tpm_dir/used.pub" -r "$tpm_dir/used.priv"
}

tpm_signal() { [[ ! ${tpm_dir-} ]] || kill "-$1" "$(<"$tpm_dir/swtpm.pid")"; } 2>/dev/null

tpm_clear() { tpm_tool tpm2_clear -Q -c p; }

tpm_kill() { tpm_end swtpm KILL && tpm_swtpm; }

tpm_replace() {
    tpm_end swtpm KILL
    rm -rf "$tpm_dir/state"
    if (($#)); then mv "$1" "$tpm_dir/state"; else mkdir -m 700 "$tpm_dir/state"; fi
    tpm_swtpm
}

tpm_ek() {
    tpm_tool tpm2_createek -Q -G rsa -c $tpm_ek_handle &&
        tpm_tool tpm2_readpublic -Q -c $tpm_ek_handle -f tss -o "$tpm_dir/ek.pub"
}

tpm_registration_id() {
    openssl dgst -sha256 -binary "$tpm_dir/ek.pub" | base32 | tr -d '=\n' | tr '[:upper:]' '[:lower:]'
}

tpm_enrolment() {
    printf '{ "registrationId": "%s", "attestation": "tpm", "endorsementKey": "%s", "hub": "%s" }' \
        "$(tpm_registration_id)" "$(base64 -w0 "$tpm_dir/ek.pub")" "$hub"
}

tpm_configure() {
    [[ -e $world/plugins/tpm.so ]] || install -m 644 "$build"/plugins/tpm/tpm.so "$world/plugins/"
    {
        printf '[provisioning]\nendpoint=%s\nid-scope=%s\nattestation=tpm\nsplay-seconds=0\n' \
            "$endpoint" "$id_scope"
        printf '\n[network]\naddress=%s:%s;%s=%s:%s\nca-file=%s\n' \
            "$emulator_address" "$port" "$hub" "$emulator_address" "$port" "$ca"
        printf '\n[tpm]\ntcti=%s\n' "$tpm_tcti"
        (($# == 0)) || printf '%s\n' "$@"
    } >"$world/etc/agent.conf.d/site.conf"
}

# swtpm writes the whole file anew each time.
tpm_state_id() { stat -c '%i %y' "$tpm_dir/state/tpm2-00.permall"; }
