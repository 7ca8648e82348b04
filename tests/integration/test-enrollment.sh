#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# test-enrollment.sh TELLER
# What the agent tells an operator who is to enrol the host, and when.
set -u
teller=$1
. "$DPS_SOURCE_ROOT/tests/tap.sh"
. "$DPS_SOURCE_ROOT/tests/world.sh"
((EUID == 0)) || skip_all "needs root for root-owned directories"

trap world_stop EXIT
on_failure() { tail -n 30 "$world/log/agent" 2>/dev/null; }
export ASAN_OPTIONS=detect_leaks=1:abort_on_error=0

world_start "$DPS_BUILD_ROOT" --retry-after 0 || exit 1
install -m 644 "$teller" "$world/plugins/"
gate=$world/plugins/gate
site=$world/etc/agent.conf.d/site.conf

state() { ctl status --json | jq -r .state; }
json() { ctl enrollment --json | jq -c "$1"; }
# How often the plugin was asked; log lines are the agent's.
asked() { grep -c "begins to describe" "$world/log/agent"; }
asked_more_than() { (($(asked) > $1)); }
stop_agent() { local pid; pid=$(agent_pid) || return 0; kill "$pid" && wait_for 10 no_agent; }

# configure_teller [LINE]...: attestation by the test's plugin; lines of its group.
configure_teller() {
    world_configure
    sed -i "/^registration-id=/d; s/^attestation=.*/attestation=teller/; /^\[plugin/,\$d" "$site"
    { echo '[plugin teller]' && printf '%s\n' "$@"; } >>"$site"
}

unconfigured() {
    local said
    said=$(exits 6 ctl enrollment 2>&1) && has "$said" "agent.conf.d"
}
check "a host that nobody configured says so" unconfigured

# The enrolment makes the key, so it comes first; and the service may be out of reach.
before_the_key() {
    local said
    world_configure && rm "$world/etc/device.key" &&
        sed -i 's/^address=127.0.0.1:[0-9]*/address=127.0.0.1:1/' "$site" && said=$(ctl enrollment) &&
        has "$said" "Registration id:          $registration_id" &&
        has "$said" "--dps-name contoso-dps --resource-group RESOURCE_GROUP --enrollment-id $registration_id --attestation-type symmetricKey" &&
        is "$(json '[.attestation, .kind, .group, .endpoint, .material, .text]')" \
            "[\"symmetric-key\",\"symmetric-key\",false,\"$endpoint\",{},\"\"]" && is "$(state)" idle
}
check "with a symmetric key: the id and the line, before there is a key, offline" before_the_key
nothing_happened() { is "$(requests '"request"')" "" && is "$(find "$world/state" -name 'gen-*')" ""; }
check "nothing was registered and nothing stored" nothing_happened

of_a_group() {
    ctl import-key --group - <<<"$device_key" >/dev/null && has "$(ctl enrollment)" "group's enrolment" &&
        is "$(json '[.group, .command]')" '[true,""]' && ctl reset --yes >/dev/null &&
        is "$(json .group)" false || return 1
    mkdir -p -m 700 "$world/state/import"
    sed -i "s|^key-file=.*|group-key-file=$world/state/import/group.key|" "$site" && is "$(json .group)" true
}
check "a device of a group needs no enrolment of its own" of_a_group

without_an_id() {
    local said
    world_configure && sed -i '/^registration-id=/d' "$site" && said=$(exits 6 ctl enrollment 2>&1) &&
        has "$said" registration-id
}
check "without a registration id it says what is missing" without_an_id

by_the_plugin() {
    configure_teller id=gw-17 text='ask the vendor'
    is "$(json '[.attestation, .kind, .registrationId, .text, .material.certificate]')" \
        '["teller","x509","gw-17","ask the vendor","as issued"]' &&
        has "$(ctl enrollment)" "ask the vendor" && is "$(json '.material["describe-enrollment"]')" '""'
}
check "another plugin: what it says, without the setting that is the tpm plugin's" by_the_plugin
configured_id() {
    sed -i "s/^attestation=/registration-id=chosen\n&/" "$site" && is "$(json .registrationId)" '"chosen"'
}
check "the configured id wins" configured_id

# A certificate says itself who it is for.
of_a_certificate() {
    local print said
    install -m 644 "$DPS_BUILD_ROOT/plugins/x509/x509.so" "$world/plugins/" || return 1
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=gw-18 \
        -keyout "$world/etc/gw.key" -out "$world/etc/gw.crt" 2>/dev/null
    world_configure
    sed -i "/^registration-id=/d; s/^attestation=.*/attestation=x509/; /^\[plugin/,\$d" "$site"
    printf '[plugin x509]\ncertificate=%s\nkey=%s\n' "$world/etc/gw.crt" "$world/etc/gw.key" >>"$site"
    print=$(openssl x509 -in "$world/etc/gw.crt" -noout -fingerprint -sha256 | tr -d :) print=${print##*=}
    said=$(ctl enrollment) && has "$said" "$print" && has "$said" "--enrollment-id gw-18 --attestation-type x509" &&
        has "$said" "az iot dps enrollment-group create" && hasnt "$said" "The certificate's id" &&
        is "$(json '[.registrationId, .kind, .material.thumbprint]')" "[\"gw-18\",\"x509\",\"$print\"]" &&
        is "$(json .material.certificate | jq -r .)" "$(cat "$world/etc/gw.crt")"
}
check "a certificate: names, thumbprints, and both ways to enrol it" of_a_certificate
of_another() {
    sed -i "s/^attestation=/registration-id=gw-17\n&/" "$site" &&
        has "$(ctl enrollment)" "The certificate's id:     gw-18" && is "$(json .derivedRegistrationId)" '"gw-18"'
}
check "a certificate for another id than the configured one is named" of_another
too_open() {
    local said
    chmod 644 "$world/etc/gw.key"
    said=$(exits 1 ctl enrollment 2>&1) && has "$said" DPS-E240 &&
        has "$said" "chown root:dps-agent '$world/etc/gw.key' && chmod 0640 '$world/etc/gw.key'"
}
check "a key file that is too open is named with the command that mends it" too_open
no_id_at_all() {
    local said
    configure_teller text=x && said=$(exits 6 ctl enrollment 2>&1) && has "$said" DPS-E206
}
check "a plugin that names no id needs a configured one" no_id_at_all
failing() {
    local said
    configure_teller broken=yes && said=$(exits 1 ctl enrollment 2>&1) && has "$said" DPS-E2 &&
        has "$said" "the element does not answer"
}
check "a plugin that fails is named with code and remedy" failing

denied() {
    local status=0 said
    said=$(setpriv --reuid=65534 --clear-groups "$build/agent/cli/dpsctl" --bus-address "$bus_address" \
        enrollment 2>&1) || status=$?
    is "$status" 4 "$said"
}
check "others may not ask" denied
unknown_option() {
    local said
    said=$(busctl --address="$bus_address" call org.dpsagent.Agent1 /org/dpsagent/Agent1 \
        org.dpsagent.Agent1.Control GetEnrollment 'a{sv}' 1 no-such b true 2>&1)
    has "$said" "no-such"
}
check "an unknown option is refused" unknown_option

# The attempt has the plugin; whoever asks for the enrolment meanwhile waits for its end.
both_wait() { (($(grep -c "to be told when" "$world/log/agent") == 2)); }
waits_for_an_attempt() {
    stop_agent
    configure_teller id=gw-17 "gate=$gate"
    rm -f "$gate"
    local before asking first second
    before=$(asked)
    ctl provision && wait_for 20 asked_more_than "$before" && is "$(state)" attesting || return 1
    ctl enrollment --json >"$world/first" &
    first=$!
    ctl enrollment --json >"$world/second" &
    second=$!
    wait_for 20 both_wait && asking=$(asked) && touch "$gate"
    wait "$first" && wait "$second" && is "$(jq -r .registrationId "$world/first")" gw-17 &&
        cmp "$world/first" "$world/second" && is "$asking" $((before + 1)) "asked during the attempt"
}
check "an attempt in flight is not disturbed: callers wait for its end" waits_for_an_attempt

held() { [[ $(state) == held || $(state) == backing-off ]]; }
describe_for_long() {
    local before
    stop_agent
    rm -f "$gate"
    before=$(asked)
    ctl enrollment --json >"$world/first" &
    asking=$!
    wait_for 20 asked_more_than "$before"
}
described() { touch "$gate" && wait "$asking" && is "$(jq -r .registrationId "$world/first")" gw-17; }

holds_an_attempt_back() {
    local begun
    describe_for_long && begun=$(asked) && ctl provision && is "$(state)" attesting && ctl provision &&
        is "$(state)" attesting && is "$(asked)" "$begun" && described && wait_for 20 asked_more_than "$begun"
}
check "an attempt that is asked for meanwhile is told at once, and begins behind it" holds_an_attempt_back
# Longer than dpsctl gives an agent that was asked to begin.
is_followed() {
    local status=0
    describe_for_long && { timeout 60 "$build/agent/cli/dpsctl" --bus-address "$bus_address" provision --wait \
        --timeout 8 >"$world/waited" 2>&1 || status=$?; }
    is "$status" 5 "$(<"$world/waited")" && is "$(state)" attesting && described
}
check "dpsctl waits for it as for any other" is_followed
is_cancelled() {
    local begun
    wait_for 20 held && describe_for_long && begun=$(asked) && ctl provision && is "$(state)" attesting &&
        ctl cancel >/dev/null && is "$(ctl status --json | jq -r '.state + " " + .reason.code')" "idle DPS-E701" &&
        described && is "$(asked)" "$begun" && is "$(state)" idle
}
check "Cancel ends it, and not the description" is_cancelled
goes_on() { ctl provision && wait_for 20 held; }
check "and the next one begins" goes_on

while_backing_off() {
    wait_for 20 held && is "$(json .registrationId)" '"gw-17"' && held
}
check "between attempts it answers, and the wait for the next goes on" while_backing_off

still_provisions() {
    world_configure && ctl provision --again --wait --timeout 60 >/dev/null && is "$(state)" provisioned &&
        is "$(json .registrationId)" "\"$registration_id\"" && is "$(state)" provisioned
}
check "a provisioned host answers too, and stays what it is" still_provisions
no_key_in_it() { hasnt "$(ctl enrollment --json; ctl enrollment)" "${device_key:0:12}"; }
check "the key is not in it" no_key_in_it
finish
