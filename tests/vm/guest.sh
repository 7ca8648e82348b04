# SPDX-License-Identifier: LGPL-2.1-or-later
# The guest's part of a test on a real Debian system; sourced, as root, with work set. Prints
# "ok - …" and "not ok - …"; the host counts them.

name=org.dpsagent.Agent1

# check NAME COMMAND...: one case; what the command said is shown where it failed.
check() {
    local what=$1
    shift
    if "$@" >"$work/said" 2>&1; then
        echo "ok - $what"
    else
        echo "status $? of: $*"
        cat "$work/said"
        echo "not ok - $what"
    fi
}

# wait_until SECONDS COMMAND...
wait_until() {
    local end=$((SECONDS + $1))
    shift
    until "$@"; do
        ((SECONDS < end)) || return 1
        sleep 0.1
    done
}

not() { ! "$@"; }
gives() { local wanted=$1; shift; "$@"; [[ $? == "$wanted" ]]; }
property() { busctl get-property $name /org/dpsagent/Agent1 $name "$1"; }
has() { local value; value=$(property "$1") && echo "$1: $value" && [[ $value == "$2" ]]; }
unit_is() { [[ $(systemctl show -P "$2" "$1") == "$3" ]]; }
main_pid() { systemctl show -P MainPID dps-agent.service; }
has_mode() { [[ $(stat -c '%U:%G %a' "$1") == "$2" ]]; }
status_has() { grep -Ex "$1" "/proc/$(main_pid)/status"; }
# What the agent's file system allows: to root, and to the agent's own user.
inside() { nsenter --target "$(main_pid)" --mount -- "$@"; }
as_agent() {
    nsenter --target "$(main_pid)" --mount --setuid "$(id -u dps-agent)" \
        --setgid "$(id -g dps-agent)" -- "$@"
}

# A token ends in the shell's hands only: it is compared, never shown.
token_works() {
    local token
    token=$(dpsctl token) && [[ $token == 'SharedAccessSignature sr=contoso-hub'* ]]
}
