#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The real daemon with a plugin that means harm as its attestation plugin: the attempt fails
# with its code, while somebody asks the daemon for its state all the time and is answered.
# test-hostile.sh ANSWERS-PROGRAM VILLAIN PLAIN-HOST NO-LANDLOCK-HOST
set -u
. "$DPS_SOURCE_ROOT/tests/tap.sh"
. "$DPS_SOURCE_ROOT/tests/world.sh"
((EUID == 0)) || skip_all "needs root for root-owned directories"

trap world_stop EXIT
on_failure() { tail -n 15 "$world/log/agent" 2>/dev/null; }
answers=$1 villain=$2 plain_host=$3 no_landlock_host=$4
# The agent's main loop never waits for a plugin: no call takes as long, whatever a plugin does.
limit_ms=2000

reason() { ctl status --json | jq -r '.reason | .code + " " + .text'; }
stop_agent() { ! agent_pid >/dev/null || { kill "$(agent_pid)" && wait_for 10 no_agent; }; }
children() { pgrep -P "$(agent_pid)" >/dev/null; }

world_start "$DPS_BUILD_ROOT" --retry-after 0 || exit 1
world_configure

# act ORDERS: the attestation plugin is the villain with these orders.
act() {
    install -m 644 "$villain" "$world/plugins/symmetric-key.so"
    echo "$1" >"$world/plugins/symmetric-key.orders"
}

# stands SECONDS ORDERS CODE WORD...: one attempt with the plugin, which ends with the code and
# the words; the daemon answers all the while, at least $beside times while the plugin's process is
# there, is the same process after it, and has no child.
beside=0
stands() {
    local seconds=$1 orders=$2 code=$3 word out pid watch answered
    shift 3
    act "$orders"
    ctl reload >/dev/null && pid=$(agent_pid) || { echo "no agent"; return 1; }
    "$answers" "$bus_address" $limit_ms "$pid" >"$world/log/answers" 2>&1 </dev/null &
    watch=$!
    out=$(ctl provision --wait --timeout "$seconds" 2>&1) && { echo "provisioned: $out"; return 1; }
    wait_for 10 eval 'out=$(reason); [[ $out == *"$code"* ]]'
    ctl cancel >/dev/null
    kill "$watch"
    wait "$watch" || { cat "$world/log/answers"; return 1; }
    cat "$world/log/answers" >>"$world/log/all-answers"
    answered=$(sed -En 's/.* beside=([0-9]+) .*/\1/p' "$world/log/answers")
    ((answered >= beside)) || { echo "$answered answers beside the plugin"; return 1; }
    for word in "$code" "$@"; do has "$out" "$word" || return 1; done
    is "$(agent_pid)" "$pid" "the agent's process" || return 1
    wait_for 10 eval '! children' || { echo "a child is left"; return 1; }
}

check "a constructor that crashes" stands 1 load-crashes DPS-E202 "crashed with signal 11 in load"
beside=20 check "a constructor that hangs" stands 6 load-hangs DPS-E203 "no answer in load within 5000 ms"
check "the bus descriptor closed at load" stands 1 load-closes-bus DPS-E202 " in load"
check "the bus descriptor closed in a verb" stands 1 closes-bus DPS-E202 " in describe"
check "a fork bomb" stands 1 forks DPS-E201 "the kernel says EPERM"
beside=50 check "no answer" stands 11 hangs DPS-E203 "no answer in describe within 10000 ms"
check "an answer of other types" stands 1 answers-other-types DPS-E201 "other types than agreed"
check "an answer that is no D-Bus message" stands 1 answers-not-utf8 DPS-E202 "no D-Bus message"
check "the parent killed" stands 1 kills-parent DPS-E201 "the kernel says EPERM"

# What a plugin writes is bounded: 4 KiB of its lines in each attempt, and one that says so.
flood() {
    local before after
    before=$(stat -c %s "$world/log/agent")
    stands 1 floods-log DPS-E204 "gave no endorsement-key" || return 1
    after=$(stat -c %s "$world/log/agent")
    has "$(tail -c $((after - before)) "$world/log/agent")" "wrote more than 4096 bytes" || return 1
    ((after - before < 200000)) || { echo "$((after - before)) bytes of log"; return 1; }
}
check "a flood of log lines" flood

# The host as it is installed, as a sanitizer leaves no memory to bound.
stop_agent
world_service --plugin-host "$plain_host"
check "1 GiB at once" stands 1 allocates DPS-E201 "the kernel says ENOMEM"
check "1 GiB by and by" stands 1 allocates-slowly DPS-E201 "the kernel says ENOMEM"
check "1 GiB without looking" stands 1 allocates-blindly DPS-E202 "crashed with signal"
check "threads without end" stands 1 threads DPS-E201 "the kernel says EAGAIN"
stop_agent
world_service

answered() {
    local calls=0 besides=0 slowest=0 n beside ms line
    while read -r line; do
        n=${line#calls=} beside=${line##*beside=} ms=${line##*slowest=}
        calls=$((calls + ${n%% *})) besides=$((besides + ${beside%% *})) ms=${ms% ms}
        ((slowest >= ms)) || slowest=$ms
    done <"$world/log/all-answers"
    figure "$calls calls answered, $besides beside a hostile plugin, the slowest in $slowest ms"
}
answered

# confined WORD...: the confinement shown for the attestation plugin.
confined() {
    local words
    words=$(ctl plugins --json | jq -r '.plugins[] | select(.name == "symmetric-key") | .confinement | join(" ")')
    is "$words" "$*" && has "$(ctl plugins)" " ${*// /,} "
}
# As the kernel says here, asked without the daemon.
abi=$(python3 -c 'import ctypes; print(ctypes.CDLL(None).syscall(444, None, 0, 1))')
((abi > 0)) && landlock=landlock-$((abi < 7 ? abi : 7)) || landlock=no-landlock

check "dpsctl plugins shows the confinement before a plugin ran" confined "seccomp $landlock"
honest() {
    rm -f "$world/plugins/symmetric-key.orders"
    world_plugins
    ctl provision --wait --timeout 30 && is "$(ctl status --json | jq -r .state)" provisioned
}
check "an honest plugin is served after all of them" honest
check "dpsctl plugins shows the confinement of the plugin that ran" confined "seccomp $landlock"

# A plugin host that reports what the kernel does not say.
reported() {
    stop_agent
    world_service --plugin-host "$no_landlock_host"
    confined "seccomp $landlock" || return 1
    ctl reset --yes && ctl provision --wait --timeout 30 && confined "seccomp no-landlock"
}
check "dpsctl plugins shows what the plugin host reported, not what was expected" reported

clean_log() { ! grep -E 'CRITICAL|AddressSanitizer: [a-z]|runtime error|payload is as follows' "$world/log/agent"; }
check "no critical, no sanitizer report, nothing that a plugin sent" clean_log
finish
