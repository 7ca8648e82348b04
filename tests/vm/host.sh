# SPDX-License-Identifier: LGPL-2.1-or-later
# The host's part of a test on a real Debian system; sourced, with here (this directory) and debs
# (packages built before, or empty) set. Skips the test where there is no machine for it. Sets vm,
# and work, a directory that goes with the shell.

vm=$(cd "$here/../.." && pwd)/../shared/vm
skip() { echo "1..0 # SKIP $*"; exit 0; }
[[ -x $vm/run ]] || skip "there is no ../shared/vm/run beside the source tree"
((EUID == 0)) || skip "needs root"
[[ $debs ]] || command -v dpkg-buildpackage >/dev/null || skip "needs dpkg-buildpackage"

cases=0
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
comment() { sed 's/^/# /'; }
passed() { cases=$((cases + 1)); echo "ok - $1"; }
failed() { cases=$((cases + 1)); echo "not ok - $1"; }
finish() { echo "1..$cases"; exit "$1"; }

build_packages() {
    [[ $debs ]] && return
    debs=$work/debs
    if ! "$here/build-debs" "$debs" >"$work/build.log" 2>&1; then
        comment <"$work/build.log"
        failed "the packages build"
        finish 1
    fi
    passed "the packages build"
    if [[ ! -e $debs/lintian.log ]]; then
        passed "lintian has neither errors nor warnings # SKIP lintian is not installed"
        return
    fi
    comment <"$debs/lintian.log"
    if grep -q '^[EW]:' "$debs/lintian.log"; then
        failed "lintian has neither errors nor warnings"
    else
        passed "lintian has neither errors nor warnings"
    fi
}

# What the packages depend on and the plain image lacks.
guest_packages=libjson-glib-1.0-0,libmicrohttpd12,tpm-udev,libtss2-tcti-device0,libtss2-esys-3.0.2-0,libtss2-mu0
find_image() {
    image=$("$vm/build-image" --include "$guest_packages" 2>"$work/image.log") || {
        comment <"$work/image.log"
        failed "the guest's image is built"
        finish 1
    }
}

# Guest cases are counted here, all else it says is comment.
show_guest() {
    local line
    while IFS= read -r line; do
        case $line in
            'ok - '*) passed "${line#ok - }" ;;
            'not ok - '*) failed "${line#not ok - }" ;;
            *) echo "# $line" ;;
        esac
    done <"$work/guest.log"
}

# After show_guest: whether the guest got to its last line, which is "guest: done".
check_end() {
    if grep -qx 'guest: done' "$work/guest.log"; then
        passed "the guest ran to its end"
    else
        echo "# status $status"
        failed "the guest ran to its end"
    fi
}
