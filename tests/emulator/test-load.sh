#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# test-load.sh EMULATOR LOAD: a fleet against the emulator. Speaks TAP.
#
# What is looked at is the emulator's process from outside: its memory, descriptors and threads.
set -u
# Freed memory must come back to be counted as free. ASan would keep it in quarantine.
unset MALLOC_PERTURB_
export ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}quarantine_size_mb=0:thread_local_quarantine_size_kb=0
here=$(dirname "$(realpath "$0")")
. "$here/../tap.sh"
. "$here/../world.sh"

load=$2
build=$DPS_BUILD_ROOT
devices=100
wave=500
# Registering a device again must cost nothing. Were the smallest block of glibc, 32 bytes, lost
# with each of 10 000 registrations, that would be 312 KiB.
growth_max=256
# A wave takes about 14 MiB; the next one must find them again.
wave_growth_max=1024

world=$(mktemp -d /run/dps-load.XXXXXX)
trap world_stop EXIT
on_failure() { tail -n 5 "$world/log/emulator"; cat "$world/report" "$world/samples" 2>/dev/null; }
mkdir "$world"/{emulator,log}
"$load" --devices $devices --enrolments >"$world/emulator/enrolments.json" || exit

status_of() { awk -v name="$1:" '$1 == name { print $2 }' "/proc/$emulator_pid/status"; }
descriptors() { ls "/proc/$emulator_pid/fd" | wc -l; }
sockets() { readlink "/proc/$emulator_pid"/fd/* 2>/dev/null | grep -c '^socket:'; }
sockets_are() { (($(sockets) == $1)); }
descriptors_are() { (($(descriptors) == $1)); }

# fleet ARGUMENT...: what it reports goes to $world/report.
fleet() {
    timeout 300 "$load" --devices $devices --port "$port" --ca "$ca" --pid "$emulator_pid" "$@" \
        >"$world/report" 2>&1
}
reported() { jq -r ".$1" "$world/report"; }

# all_served REGISTRATIONS CONNECTIONS: and libcurl tried none of them again.
all_served() {
    is "$(jq -r '[.registrations, .failures, .connections] | join(" ")' "$world/report")" "$1 0 $2"
}

# Ten times a thousand, twenty on each connection; $world/samples has the memory and the time.
ten_thousand() {
    local i
    for ((i = 0; i < 10; i++)); do
        fleet --registrations 1000 --fresh-every 20 && all_served 1000 50 || return
        wait_for 30 descriptors_are "$descriptors_before" || {
            echo "$(descriptors) descriptors after $((i + 1))000 registrations, $descriptors_before before"
            return 1
        }
        echo "$(status_of VmRSS) $(reported milliseconds)" >>"$world/samples"
    done
}

grew_at_most() { (($2 - $1 <= $3)) || { echo "from $1 to $2 KiB: more than $3 KiB"; return 1; }; }

a_wave() {
    fleet --workers $wave --registrations $wave --hold && all_served $wave $wave &&
        is "$(reported held)" $wave && is "$(reported sockets)" $wave "the emulator's sockets" &&
        wait_for 30 descriptors_are "$descriptors_before"
}

stop_emulator() {
    kill "$emulator_pid"
    wait "$emulator_pid"
    stopped=$?
    world_pids=()
}
# A leak is a status of its own, by LeakSanitizer; the first line says where it listens.
ended_well() { is $stopped 0 "exit status" && is "$(tail -n +2 "$world/log/emulator")" ""; }

world_emulator --retry-after 0 || { check "the emulator starts" false; finish; }

# Each device registers as often as the emulator remembers operations, so its state is complete.
warm_up() { fleet --registrations 1500 --fresh-every 20 && all_served 1500 75; }
check "$devices devices register, half of them by a group" warm_up
wait_for 30 sockets_are 1
descriptors_before=$(descriptors)
threads_before=$(status_of Threads)
before=$(status_of VmRSS)
check "10 000 registrations one after another are served" ten_thousand
check "… with the descriptors of before" is "$(descriptors)" "$descriptors_before"
check "… the threads of before" is "$(status_of Threads)" "$threads_before"
after=$(status_of VmRSS)
check "… and the memory of before" grew_at_most "$before" "$after" $growth_max
figure "10 000 registrations: $(awk '{ ms += $2 } END { if (ms) printf "%d", 1e6 * NR / ms }' "$world/samples")/s;" \
    "resident $before KiB before, then after each thousand $(awk '{ printf "%s%s", sep, $1; sep = " " }' "$world/samples");" \
    "$descriptors_before descriptors, $threads_before threads"

check "$wave connections at the same time are served" a_wave
first=$(status_of VmRSS)
elapsed=$(reported milliseconds)
check "… and again" a_wave
check "… in the same memory" grew_at_most "$first" "$(status_of VmRSS)" $wave_growth_max
figure "$wave connections: open at once and served in $elapsed ms, resident $first KiB, the second time $(status_of VmRSS) KiB"

stop_emulator
check "it ends without a leak or a word" ended_well

# 160 files, 32 of them kept, leave 128 connections: as many as libmicrohttpd reads events from
# epoll at a time, and 0.9.75 went to sleep where just so many came.
few=128
limited() { prlimit --pid $BASHPID --nofile=$((few + 32)) && exec "$build/tests/emulator/dps-emulator" "$@"; }
start_limited() {
    rm -f "$world/emulator/port"
    limited --port 0 --port-file "$world/emulator/port" --state-dir "$world/emulator" \
        --enrolments "$world/emulator/enrolments.json" --log "$world/log/requests.jsonl" \
        --retry-after 0 --polls 0 >"$world/log/emulator" 2>&1 </dev/null &
    emulator_pid=$!
    world_pids+=("$emulator_pid")
    wait_for 20 test -s "$world/emulator/port" || return
    port=$(<"$world/emulator/port")
}
more_than_it_has() {
    fleet --workers $((2 * few)) --registrations $((2 * few)) --close &&
        is "$(reported registrations)" $((2 * few)) && is "$(reported failures)" 0
}
# raw_connections N: their descriptors are in the array held.
raw_connections() {
    local i descriptor
    held=()
    for ((i = 0; i < $1; i++)); do
        exec {descriptor}<>"/dev/tcp/127.0.0.1/$port" && held+=("$descriptor")
    done
}
let_go() {
    local descriptor
    for descriptor in "${held[@]}"; do exec {descriptor}>&-; done
}
reloaded() { grep -q '"event":"reload","ok":true' "$world/log/requests.jsonl"; }

start_limited || { check "it starts with few files" false; finish; }
check "with few files it serves twice as many connections as it can have, in turn" more_than_it_has
raw_connections $((few + 20))
check "… takes as many as its files allow" wait_for 30 sockets_are $((few + 1))
kill -HUP "$emulator_pid"
check "… can read its files even then" wait_for 30 reloaded
let_go
one_more() { fleet --registrations 1 && all_served 1 1; }
check "… and serves again when they are gone" one_more
stop_emulator
check "… and ends well" ended_well
finish
