#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# test-template.sh CHECK EXERCISER
# The tutorial of plugins/template/README.md, command by command, with nothing but what the
# package dps-agent-dev installs: the template builds, is checked, and provisions a device.
set -u
. "$DPS_SOURCE_ROOT/tests/tap.sh"
. "$DPS_SOURCE_ROOT/tests/world.sh"
((EUID == 0)) || skip_all "needs root for root-owned directories"

cleanup() {
    [[ ! -s $work/my-plugin/emulator/pid ]] || kill "$(<"$work/my-plugin/emulator/pid")" 2>/dev/null
    world_stop
    rm -rf "$stage" "$work"
}
trap cleanup EXIT
on_failure() {
    cat "$work/log" "$work/my-plugin/emulator/log"
    tail -n 20 "$world/log/agent"
} 2>/dev/null
export ASAN_OPTIONS=detect_leaks=1:abort_on_error=0
# Not below /tmp: the agent loads no plugin from where others may write.
stage=$(mktemp -d /run/dps-stage.XXXXXX) work=$(mktemp -d)
chmod 755 "$stage"

# The development parts alone; the pkg-config file speaks of where they were put.
stage_dev() {
    local pc
    meson install -C "$DPS_BUILD_ROOT" --no-rebuild --tags devel --destdir "$stage" || return 1
    pc=$(echo "$stage"/usr/lib/*/pkgconfig/dps-agent.pc)
    sed -i "s|^prefix=.*|prefix=$stage/usr|" "$pc"
    (cd "$stage" && find . -type f | sort)
}
package_only() {
    local flags
    is "$(pkg-config --print-requires dps-agent)" glib-2.0 || return 1
    for flags in $(pkg-config --cflags dps-agent); do
        [[ $flags != *"$DPS_SOURCE_ROOT"* && $flags != *"$DPS_BUILD_ROOT"* ]] || { echo "$flags"; return 1; }
    done
    is "$(find "$stage/usr/include" -type f | wc -l)" 1
}

world_start "$DPS_BUILD_ROOT" || exit 1
check "the development parts install" stage_dev
PKG_CONFIG_PATH=$(dirname "$stage"/usr/lib/*/pkgconfig/dps-agent.pc)
export PKG_CONFIG_PATH
check "they are one header that asks for GLib alone" package_only

# What a user has on PATH, in this world. The agent's user and group are root here; that polkit
# asks others for a password is for dpsctl below to say.
unset SUDO_UID
mkdir "$work/bin"
printf '#!/bin/sh\nSUDO_UID=1000 exec "$@"\n' >"$work/bin/sudo"
printf '#!/bin/sh\necho "not here: apt $*"\n' >"$work/bin/apt"
cat >"$work/bin/dpsctl" <<SH
#!/bin/sh
case \$1 in
    status | plugins | wait | config) ;;
    *) [ -n "\${SUDO_UID-}" ] || { echo "dpsctl \$1 needs root" >&2; exit 5; } ;;
esac
exec "$build/agent/cli/dpsctl" --bus-address "$bus_address" "\$@"
SH
printf '#!/bin/sh\nexec "%s" "$@"\n' "$build/tests/emulator/dps-emulator" >"$work/bin/dps-emulator"
printf '#!/bin/sh\nexec "%s" --plugin-host "%s" --exerciser "%s" "$@"\n' \
    "$(realpath "$1")" "$build/agent/plugin-host/dps-plugin-host" "$(realpath "$2")" >"$work/bin/dps-plugin-check"
chmod 755 "$work"/bin/*
plugins=$(pkg-config --variable=plugindir dps-agent)
mkdir -p "$plugins"
rmdir "$world/plugins" 2>/dev/null || rm -rf "$world/plugins"
ln -s "$plugins" "$world/plugins"
sed -i "s|--plugin-dir \"[^\"]*\"|--plugin-dir \"$plugins\"|" "$world/agent"

# Every indented line is a command; only the places differ.
commands() { # FIRST LAST: between these lines of the tutorial
    echo 'set -eux'
    sed -n "/$1/,/$2/s/^    //p" "$DPS_SOURCE_ROOT/plugins/template/README.md" |
        sed -e "s|/usr/share/dps-agent|$stage/usr/share/dps-agent|" -e "s|/etc/dps-agent|$world/etc|g" \
        -e 's|-g dps-agent ||'
}
commands 'Build it' 'Take it back' >"$work/tutorial"
commands 'Take it back' 'Make it yours' >"$work/back"

tutorial() (cd "$work" && PATH=$work/bin:$PATH timeout 120 bash "$work/tutorial" >"$work/log" 2>&1)
check "the tutorial runs to its end" tutorial
checked() { has "$(<"$work/log")" 'this plugin conforms'; }
check "the template conforms" checked
# group-writable, it fails the check "file".
unchecked() {
    chmod g+w "$work/my-plugin/template.so"
    PATH=$work/bin:$PATH exits 2 make -C "$work/my-plugin" check || return 1
    chmod g-w "$work/my-plugin/template.so"
    is "$(find "$work/my-plugin" -name check.seed)" ""
}
check "a check that fails leaves no seed behind" unchecked
# What describe() refuses in "make check" was not looked at.
incomplete() {
    sed "s/--setting serial=check1//" "$work/my-plugin/Makefile" >"$work/my-plugin/GNUmakefile"
    PATH=$work/bin:$PATH exits 2 make -C "$work/my-plugin" check || return 1
    rm "$work/my-plugin/GNUmakefile"
}
check "make check fails where a setting is missing" incomplete
shared_umask() (
    umask 002
    PATH=$work/bin:$PATH exits 0 make -B -C "$work/my-plugin" template.so check
)
check "it conforms under a umask of 002" shared_umask
renamed() {
    cp -r "$work/my-plugin" "$work/mine"
    sed -i -e 's/^NAME = template/NAME = mine/' -e 's/^#define NAME "template"/#define NAME "mine"/' \
        "$work/mine/Makefile" "$work/mine/template.c"
    mv "$work/mine/template.c" "$work/mine/mine.c"
    has "$(PATH=$work/bin:$PATH exits 0 make -C "$work/mine" check 2>&1)" 'registration id mine-check1'
}
check "another name is a matter of one line in each file" renamed
provisioned() {
    local seen
    seen=$(ctl status --json) && has "$seen" '"provisioned"' && has "$seen" template-a1b2c3 &&
        has "$(<"$work/log")" template-a1b2c3
}
check "the device has the name that the plugin gave it" provisioned
links_glib_alone() {
    is "$(objdump -p "$work/my-plugin/template.so" | awk '/NEEDED/ {print $2}' | sort | paste -sd' ')" \
        "libc.so.6 libglib-2.0.so.0"
}
check "the plugin needs GLib and the C library alone" links_glib_alone

# Settings and secrets reach it, and what it says reaches the operator.
says() { # CHANGE TEXT
    sed -i "$1" "$world/etc/agent.conf.d/template.conf"
    ctl reload >/dev/null || return 1
    has "$(exits 1 ctl provision --again --wait --timeout 20 2>&1)" "$2"
}
check "a bad setting is explained by the plugin" says 's/^serial=.*/serial=A-B/' "serial= has to be 1 to 32"
check "a missing setting is explained by the plugin" says '/^serial=/d' "set serial= in [plugin template]"
check "a missing secret is explained by the plugin" says '/^seed-file=/d' "set seed-file= in [plugin template]"
secret_stays() {
    local seed
    seed=$(od -An -v -tx1 "$work/my-plugin/seed" | tr -d ' \n')
    ! grep -qF -e "${seed:0:24}" -e "$(base64 -w 0 "$work/my-plugin/seed" | cut -c 1-24)" "$world/log/agent"
}
check "the seed is in no log" secret_stays
taken_back() {
    (cd "$work/my-plugin" && PATH=$work/bin:$PATH timeout 60 bash "$work/back" >"$work/log" 2>&1) &&
        has "$(<"$work/log")" DPS-E102 && has "$(<"$work/log")" "nothing is configured" &&
        is "$(find "$plugins" "$world/etc" "$work/my-plugin" -name 'template.so' -path "$plugins/*" -o -name '*seed' \
            -o -name enrolments.json -o -name template.conf -o -name emulator-ca.pem)" ""
}
check "what the tutorial did is taken back" taken_back
finish
