#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Servers that are not the service, or not as it should be: the agent tells each apart by its
# own code, and none of them gets a byte of a request.
set -u
. "$DPS_SOURCE_ROOT/tests/tap.sh"
. "$DPS_SOURCE_ROOT/tests/world.sh"
. "$DPS_SOURCE_ROOT/tests/emulator/em-x509.sh"
((EUID == 0)) || skip_all "needs root for root-owned directories"
for tool in busctl openssl socat ss; do
    command -v "$tool" >/dev/null || skip_all "needs $tool"
done

certs='' timedate_pid=''
trap 'stop_server; [[ ! $timedate_pid ]] || kill "$timedate_pid"; world_stop' EXIT
on_failure() {
    tail -n 8 "$world/log/agent" 2>/dev/null
    cat "$certs/server.err" 2>/dev/null
}
export ASAN_OPTIONS=detect_leaks=1:abort_on_error=0

agent_iface=org.dpsagent.Agent1
bus() { busctl --address="$bus_address" "$@"; }
control() { bus call $agent_iface /org/dpsagent/Agent1 $agent_iface.Control "$@" >/dev/null; }
property() { bus get-property $agent_iface /org/dpsagent/Agent1 $agent_iface "$1"; }
state() { property State | cut -d '"' -f 2; }
code() { property Reason | cut -d '"' -f 2; }

# --- servers ------------------------------------------------------------------------------

listens() { server_port=$(ss -Hltnp | sed -nE "s/.*127\.0\.0\.1:([0-9]+) .*pid=$1,.*/\1/p") && [[ $server_port ]]; }
# Each case runs in a shell of its own: the file tells the next one, and the end.
stop_server() { [[ ! -s $certs/pid ]] || kill "$(<"$certs/pid")" 2>/dev/null; }
# serve COMMAND...: what it writes is in $certs/got: with s_server what came as a request.
serve() {
    stop_server
    : >"$certs/got"
    "$@" >"$certs/got" 2>"$certs/server.err" <&8 &
    echo $! >"$certs/pid"
    wait_for 10 listens $!
}
# tls CERTIFICATE [OPTION]...: a server with that leaf, its key, and nothing else of the chain.
tls() {
    serve openssl s_server -accept 127.0.0.1:0 -quiet -naccept 100 -cipher ALL:@SECLEVEL=0 \
        -cert "$certs/$1.pem" -key "$certs/$1.key" "${@:2}"
}
# through COMMAND: a listener that runs COMMAND, a shell's, on each connection.
through() { serve socat TCP-LISTEN:0,bind=127.0.0.1,fork,reuseaddr SYSTEM:"$1"; }

# --- the agent ----------------------------------------------------------------------------

aim() {
    sed -i "s/^address=.*/address=127.0.0.1:$1/" "$world/etc/agent.conf.d/site.conf"
}
at_rest() { [[ $(state) =~ ^(held|backing-off|waiting-.*|provisioned)$ ]]; }
# attempt: Provision reads the configuration again, and waits for no back-off.
attempt() { aim "$server_port" && control Provision 'a{sv}' 0 && wait_for 60 at_rest; }
# refused CODE STATE TEXT: as told, and no byte of a request has come.
refused() {
    attempt || return 1
    is "$(code)" "$1" "code" && is "$(state)" "$2" "state" && has "$(property Reason)" "$3" || return 1
    control Cancel
    is "$(stat -c %s "$certs/got")" 0 "bytes of a request"
}

world_start "$DPS_BUILD_ROOT" || exit 1
certs=$world/certs
mkdir "$certs"
world_configure
make_certificates() {
    local server=(key=p256 eku=serverAuth "san=$endpoint")
    em_ca "$certs" root && em_ca "$certs" stranger && em_intermediate "$certs" middle root &&
        em_leaf "$certs" good root "$endpoint" "${server[@]}" &&
        em_leaf "$certs" expired root "$endpoint" "${server[@]}" from='-30 days' to='-1 day' &&
        em_leaf "$certs" early root "$endpoint" "${server[@]}" from='+1 day' to='+30 days' &&
        em_leaf "$certs" other-name root other.example.net key=p256 eku=serverAuth san=other.example.net &&
        em_leaf "$certs" alone self "$endpoint" "${server[@]}" &&
        em_leaf "$certs" below-middle middle "$endpoint" "${server[@]}" &&
        em_leaf "$certs" strangers stranger "$endpoint" "${server[@]}" &&
        em_leaf "$certs" short root "$endpoint" "${server[@]}" key=rsa1024 &&
        em_leaf "$certs" sha1 root "$endpoint" "${server[@]}" md=sha1 &&
        em_leaf "$certs" clients root "$endpoint" key=p256 eku=clientAuth "san=$endpoint"
}
check "certificates of every kind" make_certificates
# A server whose input has ended ends each connection.
mkfifo "$certs/input" && exec 8<>"$certs/input" || exit 1
cat "$ca" "$certs/root.pem" >"$world/etc/roots.pem"
chmod 644 "$world/etc/roots.pem"
sed -i "s,^ca-file=.*,ca-file=$world/etc/roots.pem," "$world/etc/agent.conf.d/site.conf"

# Without this the cases below could not see a request.
gets_a_request() {
    aim "$server_port" && control Provision 'a{sv}' 0 || return 1
    wait_for 20 grep -q "^PUT /$id_scope/registrations/" "$certs/got" || { echo "no request came"; return 1; }
    control Cancel
}
sees_a_request() { tls good && gets_a_request; }
check "a server as it should be gets the request" sees_a_request

expired() { tls expired && refused DPS-E307 waiting-for-time "expired"; }
check "expired" expired
early() { tls early && refused DPS-E307 waiting-for-time "not yet valid"; }
check "not yet valid" early
other_name() { tls other-name && refused DPS-E305 backing-off "another name"; }
check "another name" other_name
self_signed() { tls alone && refused DPS-E315 held "by itself"; }
check "self-signed" self_signed
missing() { tls below-middle && refused DPS-E316 held "intermediate"; }
check "a missing intermediate" missing
complete() { tls below-middle -cert_chain "$certs/middle.pem" && gets_a_request; }
check "which is all that was wrong with it" complete
unknown() { tls strangers -cert_chain "$certs/stranger.pem" && refused DPS-E306 held "does not trust"; }
check "an unknown authority" unknown
old() { tls good -tls1_1 && refused DPS-E317 held "TLS 1.2"; }
check "TLS 1.1" old
short() { tls short && refused DPS-E318 held "too short"; }
check "RSA of 1024 bits" short
sha1() { tls sha1 && refused DPS-E319 held "SHA-1"; }
check "signed with SHA-1" sha1
usage() { tls clients && refused DPS-E320 held "for servers"; }
check "a client's certificate" usage

# A hello of TLS 1.2, and nothing after it.
cut_off() {
    {
        printf '\x16\x03\x03\x00\x31\x02\x00\x00\x2d\x03\x03'
        printf '%032d' 0
        printf '\x00\xc0\x2b\x00\x00\x05\xff\x01\x00\x01\x00'
    } >"$certs/hello"
    through "head -c 1 >/dev/null; cat $certs/hello" && refused DPS-E321 backing-off "middle of the TLS handshake"
}
check "a handshake that is cut off" cut_off
early_close() { through "head -c 1 >/dev/null" && refused DPS-E309 backing-off "closed"; }
check "closed at once" early_close

# --- the clock ------------------------------------------------------------------------------

timedate_is_there() { bus status org.freedesktop.timedate1 >/dev/null 2>&1; }
python=/usr/bin/python3
if $python -c 'import dbusmock' 2>/dev/null; then
    DBUS_SYSTEM_BUS_ADDRESS=$bus_address $python -m dbusmock --template timedated >"$world/log/timedate" 2>&1 </dev/null &
    timedate_pid=$!
    wait_for 20 timedate_is_there || { cat "$world/log/timedate"; exit 1; }
    synchronised() {
        bus call org.freedesktop.timedate1 /org/freedesktop/timedate1 org.freedesktop.DBus.Mock \
            UpdateProperties 'sa{sv}' org.freedesktop.timedate1 1 NTPSynchronized b "$1" >/dev/null
    }
    in_sync() { synchronised true && tls expired && refused DPS-E322 held "synchronised"; }
    check "expired, by a clock that is synchronised: nobody waits for the time" in_sync
    early_in_sync() { synchronised true && tls early && refused DPS-E322 held "synchronised"; }
    check "nor where it is not yet valid" early_in_sync
    out_of_sync() { synchronised false && tls expired && refused DPS-E307 waiting-for-time "expired"; }
    check "by one that is not, it does" out_of_sync
else
    skip "a clock that is synchronised" "needs python3-dbusmock"
fi

back() { aim "$port"; stop_server; ctl provision --wait --timeout 60; }
check "after all of them the service itself provisions" back
finish
