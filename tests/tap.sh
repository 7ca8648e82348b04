# SPDX-License-Identifier: LGPL-2.1-or-later
# TAP for shell tests; sourced.
#
#   check NAME COMMAND...     one case: ok where the command succeeds; its output is shown if not
#   skip NAME REASON          one case that cannot be had here
#   skip_all REASON           nothing of this test can be had here; ends it
#   figure TEXT               a figure that tests/run prints
#   finish                    the plan; the exit status

tap_count=0 tap_failed=0

check() {
    local name=$1 output
    shift
    tap_count=$((tap_count + 1))
    if output=$("$@" 2>&1); then
        echo "ok $tap_count - $name"
    else
        tap_failed=$((tap_failed + 1))
        echo "not ok $tap_count - $name"
        printf '%s\n' "$output" | sed 's/^/#   /'
        if declare -F on_failure >/dev/null; then on_failure | sed 's/^/#   /'; fi
    fi
}

skip() {
    tap_count=$((tap_count + 1))
    echo "ok $tap_count - $1 # SKIP $2"
}

skip_all() {
    echo "1..0 # SKIP $1"
    exit 0
}

figure() { echo "# FIGURE $*"; }

finish() {
    echo "1..$tap_count"
    exit $((tap_failed > 0))
}

# Assertions for use inside a case: they say what was found.
is() { [[ $1 == "$2" ]] || { echo "found '$1' where '$2' was expected${3:+: $3}"; return 1; }; }
has() { [[ $1 == *"$2"* ]] || { echo "'$1' does not contain '$2'"; return 1; }; }
hasnt() { [[ $1 != *"$2"* ]] || { echo "'$1' contains '$2'"; return 1; }; }
# exits STATUS COMMAND...: prints the output, fails where the status is another.
exits() {
    local wanted=$1 status=0
    shift
    "$@" || status=$?
    is "$status" "$wanted" "exit status of $*"
}
