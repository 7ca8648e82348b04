# SPDX-License-Identifier: LGPL-2.1-or-later
# What the benches share; sourced, after tests/lib.sh and tests/tap.sh.
#
#   need_release TARGET...      a release build with these, in $release; ends the test without
#   column FILE N               fails unless there are $count samples
#   spread FILE N DIVISOR UNIT  prints median, least and most
#   show WHAT VALUE [AIM [C-SDK]]   a figure
#
# Asks for: count, and work, a directory for what is measured.
release=$source_root/build/bench

# What is installed, and these targets: not the tests, which take longest to compile.
build_release() {
    mkdir -p "$source_root/build" && configure "$release" --buildtype=release || return 1
    # Those of an older tree have not heard of newer targets.
    ninja -C "$release" build.ninja >"$release.log" 2>&1 || { tail -n 40 "$release.log"; return 1; }
    meson introspect "$release" --targets >"$work/targets" || return 1
    local outputs
    mapfile -t outputs < <(python3 -c '
import json, os, sys
for target in json.load(sys.stdin):
    if target["installed"]:
        print(*(os.path.relpath(path, sys.argv[1]) for path in target["filename"]), sep="\n")
' "$release" <"$work/targets")
    ninja -C "$release" "${outputs[@]}" "$@" >"$release.log" 2>&1 ||
        { tail -n 40 "$release.log"; return 1; }
}

# column FILE N: the Nth of its columns has a sample for every repetition, all of them numbers.
column() {
    local lines
    lines=$(awk -v n="$2" '$n ~ /^[0-9]+(\.[0-9]+)?$/ { print $n }' "$1" 2>/dev/null | wc -l)
    ((lines == count)) || { echo "$lines samples of $count in column $2 of ${1##*/}"; return 1; }
}

# spread FILE N DIVISOR UNIT: median of a column, and least and most where they differ.
spread() {
    awk -v n="$2" '{ print $n }' "$1" | sort -n | awk -v divisor="$3" -v unit="$4" '
        { value[NR] = $1 / divisor }
        END {
            middle = (value[int((NR + 1) / 2)] + value[int(NR / 2) + 1]) / 2
            form = divisor == 1 ? "%d" : "%.1f"
            printf form "%s", middle, unit == "" ? "" : " " unit
            if (value[1] != value[NR]) printf " (" form " to " form ")", value[1], value[NR]
        }'
}

# show WHAT VALUE [AIM [C-SDK]]
show() {
    local line
    printf -v line '%-46s %-30s %-14s %s' "$1:" "$2" "${3:+aim $3}" "${4:+C SDK $4}"
    figure "${line%"${line##*[! ]}"}"
}

need_release() {
    (build_release "$@") >"$work/build" 2>&1 ||
        { cat "$work/build"; echo "Bail out! no release build"; exit 1; }
}
