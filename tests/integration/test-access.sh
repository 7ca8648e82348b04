#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Who may do what: UID 0, the group dps-agent-admin, polkit, and everyone else, under the real
# bus policy.
set -u
. "$DPS_SOURCE_ROOT/tests/tap.sh"
. "$DPS_SOURCE_ROOT/tests/world.sh"
((EUID == 0)) || skip_all "needs root for root-owned directories"
for tool in busctl setpriv; do
    command -v "$tool" >/dev/null || skip_all "needs $tool"
done

trap world_stop EXIT
on_failure() { tail -n 20 "$world/log/agent" 2>/dev/null; }
export ASAN_OPTIONS=detect_leaks=1:abort_on_error=0

agent=org.dpsagent.Agent1 path=/org/dpsagent/Agent1
nobody() { setpriv --reuid=65534 --regid=65534 --clear-groups "$@"; }
bus() { busctl --address="$bus_address" "$@"; }
nobody_bus() { nobody busctl --address="$bus_address" "$@" 2>&1; }
nobody_ctl() { nobody "$build/agent/cli/dpsctl" --bus-address "$bus_address" "$@"; }
state() { bus get-property $agent $path $agent State; }
puts() { requests '"PUT"' | wc -l; }
stop_agent() { ! agent_pid >/dev/null || { kill "$(agent_pid)" && wait_for 10 no_agent; }; }

world_start "$DPS_BUILD_ROOT" --retry-after 0 || exit 1
world_configure
# Polkit knows callers by their names on the system bus, so the agent asks it about those alone:
# here the private bus is the system bus.
sed -i "2i export DBUS_SYSTEM_BUS_ADDRESS='$bus_address'
s|--bus-address \"$bus_address\"||" "$world/agent"
provisioned() { ctl provision --wait --timeout 60; }
check "root provisions" provisioned

# --- reading -----------------------------------------------------------------------------------

reads() {
    local name
    for name in Version State Reason Since NextAttempt Endpoint AssignedHub DeviceId RegistrationId \
        Attestation CredentialKind Verified ProtectionLevel Tpm CertificateNotAfter ClockOffset Plugins PluginConfinement NetworkPath Warnings; do
        out=$(nobody_bus get-property $agent $path $agent $name) || { echo "$name: $out"; return 1; }
    done
    out=$(nobody_bus call $agent $path org.freedesktop.DBus.Properties GetAll s $agent) && has "$out" "$hub"
}
check "anyone reads every property" reads
describes() {
    out=$(nobody_bus call $agent $path org.freedesktop.DBus.Introspectable Introspect) && has "$out" CreateSasToken &&
        nobody_bus call $agent $path org.freedesktop.DBus.Peer Ping
}
check "anyone may ask what there is" describes
writes() {
    local name
    for name in State AssignedHub; do
        ! out=$(nobody_bus set-property $agent $path $agent $name s x) || return 1
        ! out=$(bus set-property $agent $path $agent $name s x 2>&1) || return 1
    done
    has "$(state)" provisioned
}
check "nobody writes a property, not even root" writes

# --- the policy of the bus ------------------------------------------------------------------------

refused_by_bus() {
    ! out=$(nobody_bus call "$@") && has "$out" "denied"
}
other_interfaces() {
    refused_by_bus $agent $path org.freedesktop.systemd1.Manager Reload &&
        refused_by_bus $agent $path org.dpsagent.Agent1.Other Anything &&
        refused_by_bus $agent $path org.freedesktop.DBus.ObjectManager GetManagedObjects
}
check "other interfaces of the agent are closed by the bus" other_interfaces
own() {
    stop_agent
    ! out=$(nobody_bus call org.freedesktop.DBus /org/freedesktop/DBus org.freedesktop.DBus RequestName su $agent 4) &&
        has "$out" denied && has "$(state)" provisioned
}
check "another user cannot take the name" own

# --- without polkit -------------------------------------------------------------------------------

# denied METHOD [ARGUMENT]...: by the agent, as an error of its own.
denied() {
    ! out=$(nobody gdbus call --address "$bus_address" --dest $agent --object-path $path --method "$agent.$@" 2>&1) &&
        has "$out" org.dpsagent.Error.AccessDenied
}
no_credentials() {
    denied Credentials.CreateSasToken '{}' && denied Credentials.GetPayload && denied Credentials.OpenKey &&
        denied Credentials.GetCertificateChain && denied Credentials.Sign ES256 '[]'
}
check "credentials are root's" no_credentials
no_control() {
    local before
    before=$(puts)
    denied Control.Provision '{}' && denied Control.Reprovision '{}' && denied Control.Cancel &&
        denied Control.Reset '{}' && denied Control.Reload && exits 4 nobody_ctl reset --yes &&
        exits 4 nobody_ctl import-key "$world/etc/agent.conf.d/site.conf" &&
        is "$(puts)" "$before" && has "$(state)" provisioned
}
check "without polkit control is refused" no_control

# --- with polkit ----------------------------------------------------------------------------------

polkit_is_there() { bus status org.freedesktop.PolicyKit1 >/dev/null 2>&1; }
polkit_is_gone() { ! polkit_is_there; }
python=/usr/bin/python3
polkit_start() {
    DBUS_SYSTEM_BUS_ADDRESS=$bus_address $python -m dbusmock --template polkitd >"$world/log/polkit" 2>&1 </dev/null &
    polkit=$!
    world_pids+=($polkit)
    wait_for 20 polkit_is_there || { cat "$world/log/polkit"; return 1; }
}
polkit_stop() { kill $polkit && wait_for 10 polkit_is_gone; }
mock() { bus call org.freedesktop.PolicyKit1 /org/freedesktop/PolicyKit1/Authority org.freedesktop.DBus.Mock "$@"; }
asked() { grep -c CheckAuthorization "$world/log/polkit"; }

if $python -c 'import dbusmock' 2>/dev/null; then
    check_in_shell() { local name=$1; shift; "$@" >"$world/log/case" 2>&1; status=$?; check "$name" told; }
    told() { cat "$world/log/case"; return $status; }

    check_in_shell "polkit appears" polkit_start
    not_authorised() {
        local before
        before=$(asked)
        denied Control.Reload && has "$out" "does not authorise" && is "$(asked)" $((before + 1)) && exits 4 nobody_ctl reload
    }
    check "what polkit does not allow is refused" not_authorised
    other_action() { mock SetAllowed as 1 org.dpsagent.other && denied Control.Reload; }
    check "another action does not count" other_action
    allowed() {
        local before
        before=$(puts)
        mock SetAllowed as 1 org.dpsagent.control && nobody_ctl reload && nobody_ctl cancel &&
            nobody_ctl provision --again --wait --timeout 60 && is "$(puts)" $((before + 1)) &&
            has "$(grep CheckAuthorization "$world/log/polkit" | tail -n 1)" org.dpsagent.control
    }
    check "what polkit allows works" allowed
    still_no_credentials() {
        local before
        before=$(asked)
        no_credentials && is "$(asked)" "$before" "times polkit was asked"
    }
    check "polkit is not asked about credentials" still_no_credentials
    root_without_asking() {
        local before
        before=$(asked)
        ctl reload && is "$(asked)" "$before" "times polkit was asked"
    }
    check "polkit is not asked about root" root_without_asking
    # The answer of polkit is waited for, and a caller that left does not matter.
    slow() {
        mock SimulateHang b true && ! out=$(nobody timeout 1 busctl --address="$bus_address" --timeout=1 \
            call $agent $path $agent.Control Reload 2>&1) || return 1
        has "$(state)" provisioned && mock ReleaseHangingCalls && mock SimulateHang b false && nobody_ctl reload
    }
    check "a polkit that hangs holds nobody else up" slow
    check_in_shell "polkit goes" polkit_stop
    gone() { denied Control.Reload && has "$out" polkit && exits 4 nobody_ctl reload && ctl reload; }
    check "a polkit that is gone allows nothing" gone
    check_in_shell "polkit comes back" polkit_start
    back() { mock SetAllowed as 1 org.dpsagent.control && nobody_ctl reload; }
    check "a polkit that is back is asked again" back
    # Without polkit from here on.
    polkit_stop
else
    skip "polkit" "needs python3-dbusmock"
fi

# --- the group --------------------------------------------------------------------------------------

# The agent looks the group up when it starts, so it starts with an /etc/group of its own.
admin_gid=59999
grouped() {
    { cat /etc/group; echo "dps-agent-admin:x:$admin_gid:"; } >"$world/group"
    chmod 644 "$world/group"
    stop_agent
    mv "$world/agent" "$world/agent.real"
    printf '#!/bin/sh\nexec unshare -m sh -c "mount --bind %s /etc/group && exec %s"\n' \
        "$world/group" "$world/agent.real" >"$world/agent"
    chmod 755 "$world/agent"
    has "$(state)" provisioned
}
member() { setpriv --reuid=65534 --regid=65534 --groups=$admin_gid "$build/agent/cli/dpsctl" --bus-address "$bus_address" "$@"; }
if getent group dps-agent-admin >/dev/null; then
    skip "the group dps-agent-admin" "this host has it already"
elif ! unshare -m mount --bind /etc/group /etc/group 2>/dev/null; then
    skip "the group dps-agent-admin" "no mount namespace can be had here"
else
    grouped
    controls() { member reload && member cancel && exits 4 nobody_ctl reload; }
    check "a member of dps-agent-admin controls the agent" controls
    member_token() { out=$(exits 4 member token 2>&1) && hasnt "$out" SharedAccessSignature; }
    check "a member has no credentials for that" member_token
    primary() {
        setpriv --reuid=65534 --regid=$admin_gid --clear-groups "$build/agent/cli/dpsctl" --bus-address "$bus_address" reload
    }
    check "the primary group counts as well" primary
fi

audit() { has "$(<"$world/log/agent")" "refused to user 65534"; }
check "refusals are in the log" audit
clean_log() { ! grep -E 'CRITICAL|AddressSanitizer: [a-z]|runtime error|#[0-9].*/agent/' "$world/log/agent"; }
check "no critical, no sanitizer report" clean_log
finish
