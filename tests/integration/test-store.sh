#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The store through the real daemon: killed in the midst of a commit it serves the old or the
# new at its next start; what is wrong with the state directory is in the status, nothing is
# lost by it, and all goes on once it is mended.
set -u
. "$DPS_SOURCE_ROOT/tests/tap.sh"
. "$DPS_SOURCE_ROOT/tests/world.sh"
((EUID == 0)) || skip_all "needs root for root-owned directories"
# The read-only mount is nobody else's.
if [[ ! ${DPS_OWN_MOUNTS-} ]] && unshare --mount true 2>/dev/null; then
    DPS_OWN_MOUNTS=1 exec unshare --mount "$0" "$@"
fi

trap world_stop EXIT
on_failure() { tail -n 15 "$world/log/agent" 2>/dev/null; }
export ASAN_OPTIONS=detect_leaks=1:abort_on_error=0

field() { ctl status --json | jq -r ".$1"; }
generations() { (cd "$world/state" && echo gen-*); }
newest() { local all; all=($(generations)); echo "${all[-1]}"; }
puts() { requests '"PUT"' | wc -l; }
stop() { local pid; if pid=$(agent_pid); then kill "$pid"; fi; wait_for 20 no_agent; }
serves() {
    is "$(field state)" provisioned && is "$(field assignedHub)" "$hub" &&
        is "$(field deviceId)" "$registration_id" && ctl token --ttl 60 >/dev/null
}

world_start "$DPS_BUILD_ROOT" --retry-after 0 || exit 1
world_configure
check "provision" ctl provision --wait --timeout 60

# --- killed in the midst of a commit ---------------------------------------------------

# under_strace CALL NUMBER: the daemon is killed as it enters that call for that time.
under_strace() {
    sed -i "s|^exec |ASAN_OPTIONS=detect_leaks=0 exec strace -f -A -o $world/log/strace \
-e trace=$1 -e inject=$1:signal=SIGKILL:when=$2 |" "$world/agent"
}
# killed CALL NUMBER old|new: what is served then.
killed() {
    local before
    stop || return 1
    before=$(newest)
    rm -f "$world/log/strace"
    under_strace "$1" "$2"
    # dpsctl waits on, and that starts the agent again.
    ctl provision --again --wait --timeout 60 || :
    stop && world_service
    has "$(<"$world/log/strace")" 'killed by SIGKILL' || return 1
    serves || return 1
    case $3 in
    old) is "$(newest)" "$before" ;;
    new) [[ $(newest) > $before ]] || { echo "the newest is $(newest), as before"; return 1; } ;;
    esac && ctl provision --again --wait --timeout 60 && serves &&
        is "$(generations | wc -w)" 2 generations
}
if strace -qq true 2>/dev/null; then
    check "killed before the new generation is synced: the old is served" killed fsync 1 old
    check "killed before it is linked: the old is served" killed linkat 1 old
    check "killed before the directory is synced: the new is served" killed fsync 2 new
    check "killed before the oldest is pruned: the new is served" killed unlinkat 1 new
else
    skip "killed in the midst of a commit" "strace may not trace here"
fi

# --- what may be wrong with the directory ------------------------------------------------

# told CODE TEXT...: the status says so, nothing is handed out, nothing registered.
told() {
    local out text before
    before=$(puts)
    out=$(ctl status) || :
    for text; do has "$out" "$text" || return 1; done
    is "$(field state)" held && ! ctl token >/dev/null 2>&1 &&
        out=$(exits 1 ctl provision --wait --timeout 20 2>&1) && has "$out" "$1" &&
        is "$(puts)" "$before" "registrations"
}
# mended: without a restart, without a new registration, the very same files.
mended() {
    local before
    before=$(puts)
    ctl provision --wait --timeout 20 && serves && is "$(puts)" "$before" registrations
}
wrong_owner() {
    stop && chown 65534 "$world/state" && told DPS-E604 "$world/state" "chown it to user 0" || return 1
    chown 0 "$world/state" && mended
}
check "wrong owner: status says it, and it heals" wrong_owner
wrong_mode() {
    stop && chmod 755 "$world/state" && told DPS-E604 "$world/state" "chmod it to 0700" || return 1
    chmod 700 "$world/state" && mended
}
check "wrong mode: status says it, and it heals" wrong_mode
missing() {
    stop && mv "$world/state" "$world/elsewhere" && told DPS-E604 "$world/state" "does not exist" || return 1
    mv "$world/elsewhere" "$world/state" && mended
}
check "no directory: status says it, and it heals" missing
both_bad() {
    local file kept
    stop && cp -a "$world/state" "$world/kept" || return 1
    kept=$(generations)
    for file in "$world"/state/gen-*; do printf 'x' >>"$file"; done
    told DPS-E602 "dpsctl reset --yes" gen- && is "$(generations)" "$kept" || return 1
    for file in "$world"/kept/gen-*; do cat "$file" >"$world/state/${file##*/}"; done
    mended
}
check "both generations bad: status says it, nothing is replaced, and it heals" both_bad

read_only() {
    local kept
    stop && mount --bind "$world/state" "$world/state" && mount -o remount,bind,ro "$world/state" || return 1
    kept=$(generations)
    serves && out=$(ctl status) && has "$out" DPS-E601 && has "$out" read-only || return 1
    ! out=$(ctl provision --again --wait --timeout 60 2>&1) && has "$out" DPS-E601 &&
        has "$out" "$world/state" && serves_still && is "$(generations)" "$kept" || return 1
    mount -o remount,bind,rw "$world/state" && ctl provision --again --wait --timeout 60 && serves &&
        out=$(ctl status) && hasnt "$out" DPS-E601
}
serves_still() { is "$(field assignedHub)" "$hub" && ctl token --ttl 60 >/dev/null; }
if [[ ${DPS_OWN_MOUNTS-} ]]; then
    check "read-only: the identity is served, status says it, and it heals" read_only
    stop
    umount "$world/state"
else
    skip "read-only: the identity is served, status says it, and it heals" "no mount namespace can be had"
fi
finish
