# SPDX-License-Identifier: LGPL-2.1-or-later
# A private world: the emulator, a bus with the real policy, a configuration, a store and the
# agent activated on that bus. Sourced by tests/demo, tests/integration and tests/bench.
#
#   world_start BUILD [EMULATOR-OPTION]...   BUILD is a build directory
#   world_configure [KEY=VALUE]...           writes site.conf; [provisioning] keys
#   ctl ARGUMENT...                          dpsctl in this world
#   world_stop                               ends what was started, removes the directory
#
# A caller may set emulator_address, where the agent finds the emulator, and near and far, words
# that a program of the agent's and of the emulator's side is started with.
#
# Sets: world (its directory), bus_address, port (of the emulator), registration_id, device_key.
# The directory is below /run because the agent trusts no file below a directory that others
# may write.

id_scope=0ne00ABCDEF
endpoint=contoso-dps.azure-devices-provisioning.net
hub=contoso-hub.azure-devices.net
registration_id=edge-host-0001
world='' world_pids=()
emulator_address=127.0.0.1 near=() far=()
LSAN_OPTIONS=suppressions=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)/lsan.supp:print_suppressions=0
export LSAN_OPTIONS

# wait_for SECONDS COMMAND...: until it succeeds; fails when the time is over.
wait_for() {
    local deadline=$((SECONDS + $1))
    shift
    until "$@"; do
        ((SECONDS < deadline)) || return 1
        sleep 0.02
    done
}

world_start() {
    build=$1
    shift
    world=$(mktemp -d /run/dps-world.XXXXXX)
    chmod 755 "$world"
    mkdir -m 755 "$world"/{etc,etc/agent.conf.d,plugins,services,emulator,log}
    mkdir -m 700 "$world/state"
    device_key=${device_key:-$(openssl rand -base64 64 | tr -d '\n')}
    world_plugins
    world_emulator "$@"
    world_bus
}

world_plugins() {
    install -m 644 "$build"/plugins/symmetric-key/symmetric-key.so "$world/plugins/"
}

world_enrolments() {
    cat >"$world/emulator/enrolments.json" <<JSON
{ "individual": [ { "registrationId": "$registration_id", "attestation": "symmetricKey",
                    "primaryKey": "$device_key", "secondaryKey": "$device_key",
                    "hub": "$hub", "payload": "echo" } ] }
JSON
}

world_emulator() {
    [[ -e $world/emulator/enrolments.json ]] || world_enrolments
    "${far[@]}" "$build/tests/emulator/dps-emulator" --port 0 --port-file "$world/emulator/port" \
        --state-dir "$world/emulator" --id-scope "$id_scope" --endpoint-host "$endpoint" \
        --hub-host "$hub" --enrolments "$world/emulator/enrolments.json" \
        --log "$world/log/requests.jsonl" "$@" >"$world/log/emulator" 2>&1 </dev/null &
    emulator_pid=$!
    world_pids+=("$emulator_pid")
    wait_for 20 test -s "$world/emulator/port" || { cat "$world/log/emulator" >&2; return 1; }
    port=$(<"$world/emulator/port")
    ca=$world/emulator/ca.pem
}

# A bus of the system's type with the real policy, in which root stands for the agent's user.
world_bus() {
    local source_root=${DPS_SOURCE_ROOT:-$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)}
    bus_address=unix:path=$world/bus
    sed 's/user="dps-agent"/user="root"/' "$source_root/dbus/org.dpsagent.Agent1.conf" \
        >"$world/policy.conf"
    cat >"$world/bus.conf" <<XML
<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <listen>$bus_address</listen>
  <auth>EXTERNAL</auth>
  <servicedir>$world/services</servicedir>
  <policy context="default">
    <allow user="*"/>
    <deny own="*"/>
    <deny send_type="method_call"/>
    <allow send_type="signal"/>
    <allow send_requested_reply="true" send_type="method_return"/>
    <allow send_requested_reply="true" send_type="error"/>
    <allow receive_type="method_call"/>
    <allow receive_type="method_return"/>
    <allow receive_type="error"/>
    <allow receive_type="signal"/>
    <allow send_destination="org.freedesktop.DBus"/>
  </policy>
  <policy user="root">
    <allow own="org.freedesktop.PolicyKit1"/>
    <allow send_destination="org.freedesktop.PolicyKit1"/>
    <allow own="org.freedesktop.timedate1"/>
    <allow send_destination="org.freedesktop.timedate1"/>
    <allow send_destination="org.dpsagent.Agent1" send_interface="org.freedesktop.DBus.Properties"/>
  </policy>
  <include>$world/policy.conf</include>
</busconfig>
XML
    world_service
    dbus-daemon --config-file="$world/bus.conf" --nofork --nopidfile --nosyslog \
        >"$world/log/bus" 2>&1 </dev/null &
    world_pids+=($!)
    wait_for 20 test -S "$world/bus" || { cat "$world/log/bus" >&2; return 1; }
}

# world_service [AGENT-OPTION]...: how the bus starts the agent; takes effect at the next start.
world_service() {
    cat >"$world/agent" <<SH
#!/bin/sh
exec ${near[*]} "$build/agent/daemon/dps-agentd" --bus-address "$bus_address" --config-dir "$world/etc" \\
    --state-dir "$world/state" --runtime-dir "$world/run" --plugin-dir "$world/plugins" \\
    --plugin-host "$build/agent/plugin-host/dps-plugin-host" $* 2>>"$world/log/agent"
SH
    chmod 755 "$world/agent"
    printf '[D-BUS Service]\nName=org.dpsagent.Agent1\nExec=%s\nUser=root\n' "$world/agent" \
        >"$world/services/org.dpsagent.Agent1.service"
}

world_key_file() {
    printf '%s\n' "$device_key" >"$world/etc/device.key"
    chmod 600 "$world/etc/device.key"
}

# world_configure [LINE]...: the lines go under [provisioning].
world_configure() {
    world_key_file
    {
        printf '[provisioning]\nendpoint=%s\nid-scope=%s\nregistration-id=%s\n' \
            "$endpoint" "$id_scope" "$registration_id"
        printf 'attestation=symmetric-key\nsplay-seconds=0\n'
        (($# == 0)) || printf '%s\n' "$@"
        printf '\n[network]\naddress=%s:%s;%s=%s:%s\nca-file=%s\n' \
            "$emulator_address" "$port" "$hub" "$emulator_address" "$port" "$ca"
        printf '\n[plugin symmetric-key]\nkey-file=%s\n' "$world/etc/device.key"
    } >"$world/etc/agent.conf.d/site.conf"
}

ctl() { "$build/agent/cli/dpsctl" --bus-address "$bus_address" "$@"; }

# The agent's process, where there is one.
agent_pid() {
    local pid
    for pid in $(pgrep -f "dps-agentd .*--config-dir $world/etc" 2>/dev/null); do
        [[ $(readlink "/proc/$pid/exe") == */dps-agentd ]] && echo "$pid" && return
    done
    return 1
}

world_stop() {
    local pid
    [[ $world ]] || return 0
    # A process that is gone already is no reason to leave the others (callers may have set -e).
    pid=$(agent_pid) && kill "$pid" 2>/dev/null || :
    for pid in "${world_pids[@]}"; do
        kill "$pid" 2>/dev/null || :
        wait "$pid" 2>/dev/null || :
    done
    wait_for 10 no_agent || kill -KILL "$(agent_pid)" 2>/dev/null || :
    rm -rf "$world"
    world='' world_pids=()
}

no_agent() { ! agent_pid >/dev/null; }

# requests FILTER...: lines of the emulator's log that contain every FILTER.
requests() {
    local lines filter
    lines=$(cat "$world/log/requests.jsonl" 2>/dev/null)
    for filter; do lines=$(grep -F -- "$filter" <<<"$lines"); done
    [[ -z $lines ]] || printf '%s\n' "$lines"
}
