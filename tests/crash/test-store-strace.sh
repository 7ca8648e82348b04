#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# test-store-strace.sh STORE-ACT: a sample of what test-store-crash tries, by strace instead of
# the tracer of its own: each call that changes, syncs or lists something is killed at, and fails.
set -u
. "$DPS_SOURCE_ROOT/tests/tap.sh"
act=$1
strace -qq true 2>/dev/null || skip_all "strace may not trace here"
work=$(mktemp -d /dev/shm/dps-strace.XXXXXX) || skip_all "no directory in memory"
trap 'rm -rf "$work"' EXIT
export ASAN_OPTIONS=detect_leaks=0

fresh() { rm -rf "$work/state" && cp -a "$work/template" "$work/state"; }
load() { "$act" "$work/state" load 2>&1; }
mkdir -m 700 "$work/template"
prepare() { "$act" "$work/template" commit old-1 && "$act" "$work/template" commit old-2; }
check "two generations" prepare

# allowed ACTION STATUS: whether what is served may be after it ended so. Killed: either.
allowed() {
    local new=new seen
    [[ $1 == commit ]] || new='no identity is stored'
    seen=$(load)
    case $2 in
    0) has "$seen" "$new" ;;
    137) [[ $seen == old-2 ]] || has "$seen" "$new" ;;
    *) [[ $seen == old-2 || ($1 == reset && $seen == *"$new"*) ]] ;;
    esac || { echo "$1 ended with $2, and then: $seen"; return 1; }
    "$act" "$work/state" commit next && is "$(load)" next
}
# sample ACTION CALL FAULT: at the first such call, the second, until there is none.
sample() {
    local action=$1 call=$2 fault=$3 number=0 status
    while ((++number < 20)); do
        fresh
        status=0
        strace -A -o "$work/log" -e trace="$call" -e inject="$call:$fault:when=$number" \
            "$act" "$work/state" "$action" new >"$work/out" 2>&1 || status=$?
        grep -q 'INJECTED\|killed by SIGKILL' "$work/log" || break
        rm -f "$work/log"
        allowed "$action" "$status" || { echo "$action, $call $number, $fault"; return 1; }
        echo "$action $call $number $fault" >>"$work/points"
    done
    rm -f "$work/log"
    ((number > 1)) || { echo "$action makes no call of $call"; return 1; }
}
for fault in signal=SIGKILL error=EIO; do
    for call in fsync linkat unlinkat getdents64 fadvise64; do
        check "commit, $call, $fault" sample commit $call $fault
    done
    for call in fsync unlinkat getdents64; do
        check "reset, $call, $fault" sample reset $call $fault
    done
done
figure "store under strace: $(wc -l <"$work/points") points tried"
finish
