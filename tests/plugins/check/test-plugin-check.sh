#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# test-plugin-check.sh CHECK EXERCISER: dps-plugin-check passes the plugins of this tree, and of
# each bad one it names the one thing that is wrong.
set -u
. "$DPS_SOURCE_ROOT/tests/tap.sh"
checker=$(realpath "$1") exerciser=$(realpath "$2")
host=$DPS_BUILD_ROOT/agent/plugin-host/dps-plugin-host
bad=$DPS_BUILD_ROOT/tests/plugins/check
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
chmod 755 "$work"
openssl rand -base64 32 >"$work/key"
head -c 32 /dev/urandom >"$work/seed"
chmod 644 "$work"/*

# plugin_check ARGUMENT...: with the parts of this build; "-x FILE" first for another exerciser.
plugin_check() {
    local program=$exerciser
    [[ ${1-} != -x ]] || { program=$2; shift 2; }
    "$checker" --plugin-host "$host" --exerciser "$program" "$@"
}
conforms() {
    local out
    echo "${*: -1}" >>"$work/looked-at"
    out=$(exits 0 plugin_check "$@" 2>&1) && has "$out" ' 0 failed, 0 skipped: this plugin conforms'
}
# look_at PLUGIN [OPTION...]: in TAP, with all that a bad plugin asks for.
look_at() { exits 1 plugin_check --tap --setting serial=1 --secret key="$work/key" "${@:2}" "$1" 2>&1; }
# fails CHECK WORD PLUGIN [OPTION...]: this check alone, with the rule, and WORD in what it saw.
fails() {
    local out
    echo "$3" >>"$work/looked-at"
    out=$(cat "$work/${3##*/}.tap" 2>/dev/null || look_at "${@:3}") || { echo "$out"; return 1; }
    is "$(sed -n 's/^not ok [0-9]* - //p' <<<"$out" | paste -sd' ')" "$1" "$out" &&
        has "$(grep -A1 "^not ok" <<<"$out")" "$2" && has "$out" '# the rule: ' &&
        has "$out" '# what to do: ' && echo "$1" >>"$work/failed"
}

# What takes long by waiting, beside the others.
for plugin in slow-describe slow-sign; do
    look_at "$bad/$plugin.so" >"$work/$plugin.so.tap" &
done

check "the template conforms" conforms --setting serial=a1 --secret seed="$work/seed" \
    "$DPS_BUILD_ROOT/plugins/template/template.so"
check "symmetric-key conforms" conforms --secret key="$work/key" \
    "$DPS_BUILD_ROOT/plugins/symmetric-key/symmetric-key.so"
# Encrypted: in a plain key is the public half, which the certificate has as well.
openssl rand -hex 16 >"$work/passphrase"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -passout "file:$work/passphrase" -days 2 \
    -subj /CN=gw-1 -keyout "$work/device.key" -out "$work/device.crt" 2>/dev/null
x509=$DPS_BUILD_ROOT/plugins/x509/x509.so
x509_key=(--secret key="$work/device.key" --secret passphrase="$work/passphrase")
check "x509 conforms" conforms --public certificate="$work/device.crt" "${x509_key[@]}" "$x509"
check "a certificate that is called a secret fails secrets" fails secrets "as it is" "$x509" \
    --secret certificate="$work/device.crt" "${x509_key[@]}"
for plugin in good signs; do
    check "the model of the bad ones conforms: $plugin" \
        conforms --setting serial=1 --secret key="$work/key" "$bad/$plugin.so"
done

while read -r plugin name word; do
    check "$plugin fails $name" fails "$name" "$word" "$bad/$plugin.so"
done <<'END'
leaks memory 100 bytes
frees-borrowed memory double-free
reads-empty memory bad_answer
reads-beyond memory bad_answer
reads-beyond-secret memory bad_describe
opens-socket confined the modem does not answer" in the confined process
logs-secret secrets a log line
tells-secret secrets in hex
shows-secret secrets as it is
crashes-on-empty answer an empty challenge
unstable stable the registration id
not-utf8 probe UTF-8
answers-too-much answer 16385 bytes
no-describe load describe
slow deadlines within 2000 ms
silent unconfigured describe
needs-serial unconfigured without the setting 'serial'
bad-id describe letters
bad-cause cause No Key
uses-the-hosts libraries undefined symbol: g_
exports-more symbols further_export
exports-reserved symbols _further_export
tells-in-probe secrets as it is
crashes-on-sign sign nothing to sign
signs-too-much sign 1025 bytes
answer-tells-secret secrets in hex
sign-logs-secret secrets a log line
END
wait
check "slow-describe fails deadlines" fails deadlines "within 10000 ms" "$bad/slow-describe.so"
check "slow-sign fails deadlines" fails deadlines "within 5000 ms" "$bad/slow-sign.so"
# discreet PLUGIN TEXT: what it says of a secret is on no line, in any form.
discreet() {
    local out hex
    hex=$(head -c 12 "$work/key" | od -An -v -tx1 | tr -d ' \n')
    out=$(exits 1 plugin_check --setting serial=1 --secret key="$work/key" "$bad/$1.so" 2>&1) &&
        has "$out" "(not shown: it has a part of a secret" && hasnt "${out,,}" "$hex" &&
        hasnt "$out" "$(head -c 12 "$work/key")"
}
check "an error text with a secret is not shown" discreet tells-secret
check "a reason with a secret is not shown" discreet tells-in-probe
check "wrong-abi fails load" fails load "ABI 7" "$DPS_BUILD_ROOT/tests/plugins/wrong-abi.so"

mkdir "$work/real"
cp "$bad/good.so" "$work/real/"
ln -s real "$work/link"
check "a directory that is a link is no fault" conforms --setting serial=1 --secret key="$work/key" "$work/link/good.so"

# forgets STATUS PLUGIN TEXT: with --forget; without, no line speaks of it.
forgets() {
    local given=(--setting serial=1 --secret key="$work/key" "$bad/$2.so")
    has "$(exits "$1" plugin_check --forget "${given[@]}" 2>&1)" "$3" &&
        hasnt "$(exits 0 plugin_check "${given[@]}" 2>&1 | sed 's|/[^ ]*||')" " forget "
}
check "--forget calls forget" forgets 0 forgets "forget        OK twice"
check "a forget that wants something to forget fails" forgets 1 nothing-to-forget "FAIL  forget        plugin nothing-to-forget: forget: there is nothing"
check "nothing-to-forget fails forget" fails forget "there is nothing" "$bad/nothing-to-forget.so" --forget
check "a plugin without forget conforms" forgets 0 good "forget        it has none"

cp "$bad/good.so" "$work/Good.so"
check "a name that no plugin can have fails file" fails file "plugin name" "$work/Good.so"
printf '#!/bin/sh\n' >"$work/script.so"
check "what is no shared object fails file" fails file "no ELF" "$work/script.so"
mkdir "$work/folder.so"
check "a directory fails file" fails file "no regular file" "$work/folder.so"
truncate -s 65M "$work/large.so"
check "a file that is too large fails file with its size" fails file "has 68157440 bytes" "$work/large.so"

# As an author has it: a plugin and an exerciser without a sanitizer in them.
plain() {
    local flags
    flags=$(pkg-config --cflags --libs glib-2.0) || return 1
    # shellcheck disable=SC2086 # the flags are words
    cc -g -I"$DPS_SOURCE_ROOT/agent" "$DPS_SOURCE_ROOT/agent/plugin-check/dps-plugin-exercise.c" \
        -o "$work/exercise" $flags -D_GNU_SOURCE && plain_plugin leaks LEAKS && plain_plugin signs NOTHING
}
# plain_plugin NAME BAD
plain_plugin() {
    mkdir -p "$work/plain"
    # shellcheck disable=SC2046
    cc -g -shared -fPIC -fvisibility=hidden -DBAD="$2" -DNAME="\"$1\"" -I"$DPS_SOURCE_ROOT/agent/abi" \
        "$DPS_SOURCE_ROOT/tests/plugins/check/bad.c" -o "$work/plain/$1.so" \
        $(pkg-config --cflags gio-2.0) $(pkg-config --libs glib-2.0)
}
preloaded() {
    local out
    out=$(exits 1 plugin_check -x "$work/exercise" --secret key="$work/key" "$work/plain/leaks.so" 2>&1) &&
        has "$out" 'FAIL  memory' && has "$out" 'bad_describe' && has "$out" '1 failed'
}
check "a plugin without a sanitizer compiles" plain
check "its leak is found and its place is named" preloaded

# A host that answers for a verb that the plugin has not: it loads another of that name.
cat >"$work/host" <<END
#!/bin/bash
plain=$work/plain bad=$bad
exec "$host" "\${@/#\$plain/\$bad}"
END
chmod 755 "$work/host"
check "an answer for a verb that is not there fails sign" \
    fails sign "it has none, and still" "$work/plain/signs.so" --plugin-host "$work/host"

every_rule() {
    local rules
    rules=$(grep -A1 '^const DpsCheckRule ' "$DPS_SOURCE_ROOT/agent/plugin-check/dps-check-rules.c" |
        sed -n 's/^  "\([a-z]*\)",$/\1/p' | sort)
    is "$(wc -w <<<"$rules")" "$(grep -c '^extern' "$DPS_SOURCE_ROOT/agent/plugin-check/dps-check-rules.h")" &&
        is "$(sort -u "$work/failed" | xargs)" "$(xargs <<<"$rules")" "the rules that a bad plugin breaks"
}
check "every rule has a bad plugin that breaks it, and it alone" every_rule

unprivileged() {
    local out
    cp "$bad/good.so" "$work/good.so"
    chown -R 65534:65534 "$work"
    out=$(setpriv --reuid=65534 --regid=65534 --clear-groups "$checker" --plugin-host "$host" \
        --exerciser "$exerciser" --secret key="$work/key" --setting serial=1 "$work/good.so" 2>&1) &&
        has "$out" 'this plugin conforms' || { echo "$out"; return 1; }
}
if ((EUID == 0)); then
    check "it needs no root, and no plugin that is root's" unprivileged
else
    skip "it needs no root, and no plugin that is root's" "this is not root"
fi

incomplete() {
    local out
    out=$(exits 0 plugin_check "$DPS_BUILD_ROOT/plugins/symmetric-key/symmetric-key.so" 2>&1) &&
        has "$out" 'skip  describe' && has "$out" '--secret' && has "$out" 'what could be looked at conforms'
}
check "without what a plugin needs it says what to give" incomplete
strict() {
    has "$(exits 1 plugin_check --strict "$DPS_BUILD_ROOT/plugins/symmetric-key/symmetric-key.so" 2>&1)" \
        'what was skipped was not looked at'
}
check "with --strict that fails" strict
usage() { has "$(exits 2 plugin_check "$@" 2>&1)" "see --help"; }
not_there() { has "$(exits 2 plugin_check "$work/none.so" 2>&1)" "none.so': No such file"; }
check "a file that is not there is a usage error" not_there
check "no file is a usage error" usage
check "a secret that is not there is a usage error" usage --secret key="$work/none" "$bad/good.so"
check "a setting without a value is a usage error" usage --setting serial "$bad/good.so"
figure "plugin-check: $SECONDS s for $(sort -u "$work/looked-at" | wc -l) plugins," \
    "$(wc -l <"$work/failed") of them bad: each of $(sort -u "$work/failed" | wc -l) rules is broken by one at least"
finish
