#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A PIN that a token refuses reaches it once: not again by further attempts, nor by an agent
# that starts anew, until another one is configured. The token is a SoftHSM2 behind a module
# that tells of each login, in a mount namespace of this test's own.
set -u
if [[ ${1-} != --inside ]]; then
    if ((EUID != 0)); then
        echo '1..0 # SKIP needs root for a mount namespace'
        exit
    fi
    exec unshare --mount --propagation private "$0" --inside
fi
. "$DPS_SOURCE_ROOT/tests/tap.sh"
. "$DPS_SOURCE_ROOT/tests/world.sh"
trap 'world_stop; [[ ! ${listener-} ]] || kill "$listener"' EXIT
on_failure() { [[ ! -d $world ]] || tail -n 25 "$world/log/agent"; }

pin=73924511 wrong=00000000
json() { ctl status --json | jq -r ".$1"; }
stop() { local pid; if pid=$(agent_pid); then kill "$pid"; fi; wait_for 20 no_agent; }
logins() { wc -c <"$world/logins"; }
has_code() { [[ $(json reason.code) == "$1" ]]; }
holds() { wait_for 20 has_code "$1" || { ctl status; return 1; }; }
put_pin() { install -m 600 /dev/stdin "$world/etc/pin" <<<"$1"; }

world_plugins() { install -m 644 "$build"/plugins/x509/x509.so "$world/plugins/"; }
make_token() {
    mount -t tmpfs -o mode=755 tmpfs /etc/softhsm && mount -t tmpfs -o mode=755 tmpfs /var/lib/softhsm &&
        mount -t tmpfs -o mode=755 tmpfs /usr/lib/softhsm && mkdir /var/lib/softhsm/tokens || return 1
    echo 'directories.tokendir = /var/lib/softhsm/tokens' >/etc/softhsm/softhsm2.conf
    install -m 644 "$build/tests/plugins/login-counter.so" /usr/lib/softhsm/counting.so
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj "/CN=$registration_id" \
        -addext keyUsage=digitalSignature -keyout "$world/key.pem" -out "$world/etc/certificate.pem" 2>/dev/null &&
        softhsm2-util --init-token --free --label gateway --pin $pin --so-pin 84620957 >/dev/null &&
        openssl pkcs8 -topk8 -nocrypt -in "$world/key.pem" -out "$world/key.p8" &&
        softhsm2-util --import "$world/key.p8" --token gateway --label device --id 01 --pin $pin >/dev/null
}
configure() {
    world_configure && sed -i 's/^attestation=.*/attestation=x509/' "$world/etc/agent.conf.d/site.conf" || return 1
    cat >>"$world/etc/agent.conf.d/site.conf" <<CONF

[plugin x509]
certificate=$world/etc/certificate.pem
key=pkcs11:token=gateway;object=device?module-path=/usr/lib/softhsm/counting.so
passphrase-file=$world/etc/pin
CONF
}
prepare() {
    world_start "$DPS_BUILD_ROOT" && make_token || return 1
    : >"$world/logins"
    socat -u UNIX-RECV:/var/lib/softhsm/logins OPEN:"$world/logins",append >/dev/null 2>&1 </dev/null &
    listener=$!
    wait_for 10 test -S /var/lib/softhsm/logins && configure && put_pin $wrong
}
refused_once() {
    ctl provision >/dev/null
    holds DPS-E242 && is "$(logins)" 1 'C_Login after the first attempt'
}
not_again() {
    ctl provision >/dev/null
    ctl provision --wait >/dev/null 2>&1 && return 1
    holds DPS-E242 && is "$(logins)" 1 'C_Login after three attempts'
}
not_after_restart() {
    stop && ctl provision --wait >/dev/null 2>&1 && return 1
    holds DPS-E242 && is "$(logins)" 1 'C_Login after a restart' || return 1
    ctl enrollment >/dev/null 2>&1
    is "$(logins)" 1 'C_Login after a description'
}
other_pin() {
    put_pin $pin
    ctl provision --wait >/dev/null 2>&1
    (($(logins) > 1)) && ! has_code DPS-E242 || { ctl status; return 1; }
}
no_pin_told() { ! grep -rqE "$pin|$wrong" "$world/log"; }

prepare || { echo 'Bail out! no world with a token'; exit 1; }
check 'the token refuses the PIN, once' refused_once
check 'further attempts do not try it' not_again
check 'nor does an agent that starts anew' not_after_restart
figure "C_Login with a wrong PIN over three attempts, a restart and a description: $(logins)"
check 'another PIN is tried, with no further hand' other_pin
check 'no log has a PIN' no_pin_told
finish
