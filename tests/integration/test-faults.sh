#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Each fault of network, service and hub through the real daemon: its code, its state, its
# schedule, the requests the service saw, and that the identity in force stays in force.
set -u
. "$DPS_SOURCE_ROOT/tests/tap.sh"
. "$DPS_SOURCE_ROOT/tests/world.sh"
((EUID == 0)) || skip_all "needs root for root-owned directories"
for tool in busctl jq curl openssl; do
    command -v "$tool" >/dev/null || skip_all "needs $tool"
done

soft_tpm=$1
shift
scenario_file=$(mktemp /tmp/dps-faults.XXXXXX)
trap 'world_stop; rm -f "$scenario_file"' EXIT
on_failure() {
    tail -n 15 "$world/log/agent" 2>/dev/null
    requests '"event":"request"' | tail -n 6
}
export ASAN_OPTIONS=detect_leaks=1:abort_on_error=0

# Like check, but the case runs in this shell: it may set what later cases look at. Given a case
# as argument, the script runs that alone, after the two that make the identity.
only=${1-}
try() {
    local name=$1
    shift
    [[ -z $only || $only == "$name" ]] || ((tap_count < 2)) || return 0
    "$@" >"$world/log/case" 2>&1
    case_status=$?
    check "$name" told
}
told() { cat "$world/log/case"; return $case_status; }

agent_iface=org.dpsagent.Agent1
other_hub=contoso-hub-2.azure-devices.net
china_hub=contoso-hub.azure-devices.cn
log=requests.jsonl

bus() { busctl --address="$bus_address" "$@"; }
control() { bus call $agent_iface /org/dpsagent/Agent1 $agent_iface.Control "$@" >/dev/null; }
property() { bus get-property $agent_iface /org/dpsagent/Agent1 $agent_iface "$1" | sed -E 's/^[a-z]+ "?([^"]*)"?$/\1/'; }
generations() { ls "$world/state" | grep '^gen-'; }

# --- what the emulator does -----------------------------------------------------------

reloads() { grep '"event":"reload"' "$world/log/$log" | grep -c '"ok":true'; }
more_reloads() { (($(reloads) > $1)); }

# scenario RULE...: in force when it returns.
scenario() {
    local before rules=''
    before=$(reloads)
    while (($#)); do rules+=$1${2:+,}; shift; done
    printf '{"rules":[%s]}\n' "$rules" >"$scenario_file"
    kill -HUP "$emulator_pid"
    wait_for 10 more_reloads "$before" || { echo "the scenario was not taken"; return 1; }
}
put() { printf '{"match":{"host":"dps","method":"PUT"%s},"answer":{%s}}' "${2:-}" "$1"; }
poll() { printf '{"match":{"host":"dps","path":"/operations/"%s},"answer":{%s}}' "${2:-}" "$1"; }
at_hub() { printf '{"match":{"host":"hub","path":"/modules?"%s},"answer":{%s}}' "${2:-}" "$1"; }

# --- what the agent does: every change of state, as the bus saw it ----------------------

# since TIME: what rests after TIME, in µs; a signal may reach the file late.
now_us() { echo "${EPOCHREALTIME/[.,]/}"; }
changes() {
    jq -c '.payload.data | select(.[0]=="org.dpsagent.Agent1") | .[1] | map_values(.data)
        | select(.State and .Since > '"$1)" "$world/log/changes"
}
has_rest() {
    outcome=$(changes "$1" | jq -c "select(.State|test(\"$at_rest\"))" | head -n 1)
    [[ $outcome ]]
}
at_rest='^(held|backing-off|waiting-.*|idle|provisioned|unconfigured)$'
in_state() { [[ $(property State) == "$1" ]]; }
of() { jq -r "$1" <<<"$outcome"; }

# attempt COMMAND...: what COMMAND begins, up to the first state in which it rests. Sets
# outcome, and seen to what the service saw until then.
attempt() {
    local begin
    begin=$(now_us)
    "${@:-again}" && rests_after "$begin"
}
again() { control Reprovision 'a{sv}' 0; }
rests_after() {
    wait_for 60 has_rest "$1" || { echo "the attempt did not end: $(changes "$1")"; return 1; }
    seen=$(jq -c "select(.event==\"request\" and .time >= $1 and .time <= $(of .Since))" \
        "$world/log/$log")
}
count() { jq -c "select($1)" <<<"$seen" | wc -l; }
puts() { count '.method=="PUT"'; }
polls() { count '.path|test("/operations/")'; }
hub_asks() { count '.path|test("/modules[?]")'; }
# An attempt that failed leaves a wait behind, which may be over in a second: nothing is looked
# at before it is taken back, so that what is looked at is what one attempt left.
calm() {
    control Cancel && wait_for 10 in_state "${1:-provisioned}" && is "$(property NextAttempt)" 0
}

wait_ms() { echo $((($(of .NextAttempt) - $(of .Since)) / 1000)); }
between() { (($1 <= $2 && $2 <= $3)) || { echo "$2 is not from $1 to $3: $4"; return 1; }; }

# schedule back-off|slow|MILLISECONDS: the latter is a Retry-After that outweighs the
# back-off. The time of the move is read a moment after that of the wait.
failures=0
schedule() {
    local ceiling=$((2000 << (failures > 9 ? 9 : failures)))
    failures=$((failures + 1))
    ((ceiling <= 600000)) || ceiling=600000
    case $1 in
    back-off) between -500 "$(wait_ms)" $ceiling "back-off, failure $failures" ;;
    slow) between 299500 "$(wait_ms)" 1800000 "slow schedule" ;;
    *) between $(($1 - 1500)) "$(wait_ms)" $((ceiling > $1 ? ceiling : $1)) "Retry-After" ;;
    esac
}

telemetry() {
    curl --silent --output /dev/null --write-out '%{http_code}' --cacert "$ca" \
        --connect-to "$1:443:127.0.0.1:$port" --header "Authorization: $token" --data '{}' \
        "https://$1/devices/$2/messages/events?api-version=2020-03-13"
}
# serves HUB DEVICE: this identity is announced, and its token works.
serves() {
    is "$(property AssignedHub)" "$1" && is "$(property DeviceId)" "$2" || return 1
    token=$(bus call $agent_iface /org/dpsagent/Agent1 $agent_iface.Credentials CreateSasToken 'a{sv}' 0) || return 1
    token=${token#*\"} token=${token%%\"*}
    is "$(telemetry "$1" "$2")" 204 "telemetry of $2"
}

# fails CODE STATE SCHEDULE PUTS POLLS: the attempt, and that nothing else changed.
fails() {
    local kept
    kept=$(generations)
    attempt && calm || return 1
    is "$(of '.Reason[0]')" "$1" && is "$(of .State)" "$2" && schedule "$3" &&
        is "$(puts)" "$4" "PUTs" && is "$(polls)" "$5" "polls" &&
        is "$(generations)" "$kept" "generations" && serves "$hub" "$registration_id"
}
# faulty CODE STATE SCHEDULE PUTS POLLS RULE...
faulty() {
    local wanted=("${@:1:5}")
    shift 5
    scenario "$@" && fails "${wanted[@]}"
}
# Throws the count of failures away, so that the next back-off is at most 2 s.
rest='' # the state without an attempt, where it is not provisioned
fresh() {
    kill "$(agent_pid)" && wait_for 10 no_agent && failures=0 && is "$(property State)" "${rest:-provisioned}"
}
fresh_faulty() { fresh && faulty "$@"; }

# succeeds RULE...: one attempt ends provisioned with one PUT and one generation more.
succeeds() {
    local newest
    newest=$(generations | tail -n 1)
    scenario "$@" && attempt && is "$(of .State)" provisioned && is "$(puts)" 1 "PUTs" &&
        [[ $(generations | tail -n 1) != "$newest" ]] || return 1
    failures=0 rest=''
}

# --- the world ----------------------------------------------------------------------------

# A header as large as in any later scenario makes room for it.
echo '{"rules":[{"match":{"path":"/never"},"answer":{"header-size":20000}}]}' >"$scenario_file"
world_start "$DPS_BUILD_ROOT" --retry-after 0 --hub-host $other_hub --hub-host $china_hub \
    --scenario "$scenario_file" || exit 1
world_configure
sed -i "s/^address=.*/&;$other_hub=127.0.0.1:$port;$china_hub=127.0.0.1:$port/" "$world/etc/agent.conf.d/site.conf"
stdbuf -oL busctl --address="$bus_address" monitor --json=short \
    --match "type='signal',interface='org.freedesktop.DBus.Properties'" \
    >"$world/log/changes" 2>"$world/log/monitor" </dev/null &
world_pids+=($!)
wait_for 20 grep -q Monitoring "$world/log/monitor" || exit 1

# --- without an identity -----------------------------------------------------------------

nothing_yet() {
    scenario "$(put '"status":403')" && attempt control Provision 'a{sv}' 0 || return 1
    is "$(of '.Reason[0]')" DPS-E403 && is "$(of .State)" held && schedule slow &&
        is "$(generations)" '' && out=$(exits 3 ctl token 2>&1) && has "$out" held && calm idle
}
try "a first registration that fails leaves nothing behind" nothing_yet
first() { scenario && attempt control Provision 'a{sv}' 0 && is "$(of .State)" provisioned && failures=0 && serves "$hub" "$registration_id"; }
try "without faults it is provisioned" first

# --- answers to the registration ------------------------------------------------------------

throttle='"status":429,"error-code":429001,"error-message":"Throttled"'
date_in() { LC_ALL=C date -u -d "+$1 seconds" '+%a, %d %b %Y %H:%M:%S GMT'; }
try "429 with Retry-After in seconds" fresh_faulty DPS-E405 backing-off 120000 1 0 "$(put "$throttle,\"retry-after\":\"120\"")"
try "429 with a date as Retry-After" fresh_faulty DPS-E405 backing-off 200000 1 0 "$(put "$throttle,\"retry-after\":\"$(date_in 200)\",\"date\":\"$(date_in 0)\"")"
try "429 with an absurd Retry-After" fresh_faulty DPS-E405 backing-off 300000 1 0 "$(put "$throttle,\"retry-after\":\"99999999999999999999\"")"
try "429 without Retry-After" fresh_faulty DPS-E405 backing-off back-off 1 0 "$(put "$throttle,\"omit-retry-after\":true")"
try "500" faulty DPS-E406 backing-off back-off 1 0 "$(put '"status":500')"
try "503 with Retry-After" fresh_faulty DPS-E406 backing-off 60000 1 0 "$(put '"status":503,"retry-after":"60","body":""')"
try "502 with a page of a proxy" fresh_faulty DPS-E406 backing-off back-off 1 0 "$(put '"status":502,"headers":{"Content-Type":"text/html"},"body":"<html>"')"
try "401 of the network rule, one PUT" faulty DPS-E401 held slow 1 0 "$(put '"network-401":true')"
try "400" faulty DPS-E402 held slow 1 0 "$(put '"status":400')"
try "403" faulty DPS-E403 held slow 1 0 "$(put '"status":403')"
try "404" faulty DPS-E404 held slow 1 0 "$(put '"status":404')"
try "200 with a page of a portal" faulty DPS-E313 backing-off back-off 1 0 "$(put '"status":200,"headers":{"Content-Type":"text/html"},"body":"<html>sign in</html>"')"
try "a redirection is not followed" faulty DPS-E313 backing-off back-off 1 0 "$(put '"status":302,"headers":{"Content-Type":"text/html","Location":"https://contoso-dps.azure-devices-provisioning.net/x"},"body":"<html>"')"
try "an empty body" faulty DPS-E312 backing-off back-off 1 0 "$(put '"status":200,"body":""')"
try "no JSON" faulty DPS-E312 backing-off back-off 1 0 "$(put '"status":200,"body":"{\"operationId\":"')"
try "JSON that is no answer" faulty DPS-E312 backing-off back-off 1 0 "$(put '"status":200,"json":[1,2,3]')"
try "a body over 64 KiB" faulty DPS-E311 backing-off back-off 1 0 "$(put '"body-size":70000')"
try "headers over 16 KiB" faulty DPS-E311 backing-off back-off 1 0 "$(put '"header-size":20000')"
try "reset after the registration" faulty DPS-E309 backing-off back-off 1 0 "$(put '"reset":true')"
try "a status that is not known" faulty DPS-E412 backing-off back-off 1 0 "$(put '"operation-status":"thinking"')"
# --- the fate of the operation ---------------------------------------------------------------

ended() { printf '"operation-status":"failed","error-code":%s,"error-message":"as it is"' "$1"; }
try "failed 400207" faulty DPS-E407 backing-off back-off 1 1 "$(poll "$(ended 400207)")"
try "failed 400208" faulty DPS-E408 held slow 1 1 "$(poll "$(ended 400208)")"
try "failed 400209" faulty DPS-E409 held slow 1 1 "$(poll "$(ended 400209)")"
try "failed 401002" faulty DPS-E409 held slow 1 1 "$(poll "$(ended 401002)")"
try "failed without a code that is known" faulty DPS-E410 backing-off back-off 1 1 "$(poll "$(ended 400999)")"
enrolment() {
    sed -i "s/\"attestation\"/$1 &/" "$world/emulator/enrolments.json" && scenario
}
disabled_401() { enrolment '"status":"disabled","disabledShape":"401",' && fails DPS-E401 held slow 1 0; }
try "disabled, as a 401" disabled_401
disabled_state() { sed -i 's/"401"/"state"/' "$world/emulator/enrolments.json" && scenario && fails DPS-E411 held slow 1 2; }
try "disabled, as a state" disabled_state
world_enrolments
wrong_key() {
    local right=$device_key
    device_key=$(openssl rand -base64 64 | tr -d '\n') && world_key_file && device_key=$right
    scenario && fails DPS-E401 held slow 1 0 && is "$(jq -r 'select(.method=="PUT").sas' <<<"$seen")" bad-signature
    local status=$?
    world_key_file
    return $status
}
try "a wrong key" wrong_key
lost_operation() {
    fresh && scenario "$(poll '"status":404' ',"times":1')" || return 1
    local begin
    begin=$(now_us)
    attempt && is "$(of '.Reason[0]')" DPS-E414 && is "$(of .State)" backing-off &&
        schedule back-off && is "$(puts) $(polls)" "1 1" || return 1
    wait_for 30 in_state provisioned || return 1
    begin=$(of .Since) && rests_after "$begin" && is "$(of .State)" provisioned &&
        is "$(puts)" 1 "a new registration" && failures=0 && serves "$hub" "$registration_id"
}
try "a lost operation is registered anew, by itself" lost_operation

# --- polls ------------------------------------------------------------------------------------

# libcurl by itself asks once more on a new connection where a kept one is reset.
reset_poll() { succeeds "$(poll '"reset":true' ',"times":2')" && is "$(polls)" 3 "polls"; }
try "reset on a poll: one PUT, the poll goes on" reset_poll
failing_polls() { succeeds "$(poll '"status":500' ',"times":2')" && is "$(polls)" 4 "polls"; }
try "500 on two polls: one PUT" failing_polls
# Longer than any wait of our own between polls.
throttled_poll() {
    succeeds "$(poll '"status":429,"retry-after":"4"' ',"times":1')" && is "$(polls)" 3 || return 1
    local times
    mapfile -t times < <(jq 'select(.path|test("/operations/"))|.time' <<<"$seen")
    ((times[1] - times[0] >= 4000000))
}
try "429 on a poll: the wait is kept, one PUT" throttled_poll
unknown_poll() { succeeds "$(poll '"operation-status":"thinking"' ',"times":1')" && is "$(polls)" 3; }
try "a status that is not known on a poll" unknown_poll
page_poll() { succeeds "$(poll '"status":200,"headers":{"Content-Type":"text/html"},"body":"<html>"' ',"times":1')" && is "$(polls)" 3; }
try "a page on a poll" page_poll
at_once() { succeeds "$(put '"operation-status":"assigned"')" && is "$(polls)" 0; }
try "assigned at once: no poll" at_once
unpaced() {
    local times
    succeeds "$(put '"omit-retry-after":true')" "$(poll '"omit-retry-after":true')" || return 1
    mapfile -t times < <(jq 'select(.host|test("-dps"))|.time' <<<"$seen")
    is ${#times[@]} 3 "requests" && between 250 $(((times[1] - times[0]) / 1000)) 1250 "first poll" &&
        between 500 $(((times[2] - times[1]) / 1000)) 2500 "second poll"
}
fresh_unpaced() { fresh && unpaced; }
try "without Retry-After it polls after 0.25 s and 0.5 s" fresh_unpaced
try "and so in the next attempt of the same process" unpaced

# --- the service's clock --------------------------------------------------------------------

dated() { printf '"date":"%s"' "$(date_in "$1")"; }
# clock SECONDS WANTED: the service is SECONDS ahead; the offset and the next token's expiry follow.
clock() {
    local expiry
    succeeds "$(put "$(dated "$1")")" "$(poll "$(dated "$1")")" &&
        between $(($2 - 30)) $(($(property ClockOffset) / 1000000)) $(($2 + 30)) "clock offset" || return 1
    expiry=$(ctl token --ttl 300) && [[ $expiry =~ se=([0-9]+) ]] &&
        between $(($2 + 240)) $((BASH_REMATCH[1] - EPOCHSECONDS)) $(($2 + 330)) "life of a token"
}
try "a service two hours ahead dates the tokens" clock 7200 7200
try "four minutes are no clock's fault" clock 240 0
# The token may be refused for its date alone, so it is worth a second one, and no third.
redated() {
    local kept
    kept=$(generations)
    scenario "$(put "\"status\":401,$(dated 7200)" ',"times":5')" && attempt && is "$(of '.Reason[0]')" DPS-E401 &&
        is "$(of .State)" held && schedule slow && is "$(puts)" 2 "PUTs" && is "$(generations)" "$kept" && calm
}
try "a 401 of another clock is asked once more, with its date" redated
try "and back again, by our clock" clock 0 0

chunked() { succeeds "$(printf '{"match":{"host":"any"},"answer":{"framing":"chunked","chunk-size":7}}')" && serves "$hub" "$registration_id"; }
try "chunked answers" chunked
until_close() { succeeds "$(printf '{"match":{"host":"any"},"answer":{"framing":"close"}}')"; }
try "answers that end with the connection" until_close

# --- what is assigned -------------------------------------------------------------------------

other_device() {
    succeeds "$(poll '"operation-status":"assigned","hub":"'$other_hub'","device-id":"edge-renamed"')" &&
        serves $other_hub edge-renamed && is "$(property RegistrationId)" "$registration_id" &&
        is "$(property Verified)" true
}
try "hub and device id are those of the answer" other_device
other_cloud() {
    succeeds "$(poll '"operation-status":"assigned","hub":"'$china_hub'"')" && serves $china_hub "$registration_id" &&
        is "$(property Verified)" true && has "$(<"$world/log/agent")" "$china_hub" &&
        has "$(grep -i warn "$world/log/agent")$(grep -F "$china_hub" "$world/log/agent")" cloud
}
try "a hub of another cloud is taken, with a warning" other_cloud
back() { succeeds && serves "$hub" "$registration_id"; }
try "and back again" back
# An assignment moves the device, so the old identity's token is not asked for here.
bad_assignment() {
    local kept answer
    kept=$(generations)
    answer=$($1 '"operation-status":"assigned","hub":"'"$2"'"')
    scenario "$answer" && attempt &&
        is "$(of '.Reason[0]')" DPS-E415 && is "$(of .State)" held && schedule slow &&
        is "$(puts) $(polls) $(hub_asks)" "1 $3 0" && is "$(generations)" "$kept" &&
        is "$(property AssignedHub)" "$hub" && calm
}
try "a hub that is none of the cloud's is not spoken to" bad_assignment put hub.example.com 0
try "a hub that is no host name" bad_assignment put no_hub 0
try "a poll that assigns to such a hub is the last" bad_assignment poll no_hub 1
try "and back again" back

# --- the hub ------------------------------------------------------------------------------------

hub_fault() {
    succeeds "$(at_hub '"status":500')" && is "$(hub_asks)" 1 && is "$(property Verified)" false &&
        is "$(of '.Reason[0]')" DPS-E502 && serves "$hub" "$registration_id"
}
try "a hub with a fault: the identity is taken, unverified" hub_fault
hub_throttles() { succeeds "$(at_hub '"status":429')" && is "$(hub_asks)" 1 && is "$(property Verified)" false; }
try "a hub that throttles: taken, unverified" hub_throttles
try "and back again, verified" back
# A hub that refuses is asked five times in 27 s; here only until the first wait.
requests_more() { (($(requests "$2" | wc -l) > $1)); }
# libcurl looks once a second whether a request is cancelled; the rest is for dpsctl to start.
cancel_within() {
    local start took
    start=$(now_us)
    ctl cancel >/dev/null && rests_after "$start" || return 1
    took=$((($(of .Since) - start) / 1000))
    slowest=$((took > slowest ? took : slowest))
    ((took <= 1400)) || { echo "cancelling took $took ms"; return 1; }
    is "$(of .State)" provisioned && is "$(of '.Reason[0]')" DPS-E701 && is "$(property NextAttempt)" 0
}
slowest=0
# cancelled [N*]PATTERN RULE...: once the service has seen N requests with PATTERN.
cancelled() {
    local kept before pattern=${1#*[*]} n=1
    [[ $1 != *[*]* ]] || n=${1%%[*]*}
    shift
    kept=$(generations)
    scenario "$@" && before=$(requests "$pattern" | wc -l) && again &&
        wait_for 20 requests_more $((before + n - 1)) "$pattern" && cancel_within &&
        is "$(generations)" "$kept" && serves "$hub" "$registration_id"
}
five_cancels() { local i; for i in 1 2 3 4 5; do cancelled '"PUT"' "$(put '"delay-ms":20000')" || return 1; done; }
try "cancel ends a slow answer at libcurl's next look, five times" five_cancels
try "cancel ends a slow poll" cancelled /operations/ "$(poll '"delay-ms":20000')"
try "cancel ends the wait for a poll" cancelled '"PUT"' "$(put '"retry-after":"60"')"
try "cancel ends a slow answer of the hub" cancelled '/modules?' "$(at_hub '"delay-ms":20000')"
try "cancel ends the wait for a hub that refuses" cancelled '2*/modules?' "$(at_hub '"status":401')"
figure "cancel: slowest $slowest ms until the attempt had ended"
hub_refuses() {
    faulty DPS-E501 held slow 1 2 "$(at_hub '"status":401')" && is "$(hub_asks)" 5 "tries"
}
try "a hub that refuses five times: held, the old identity stays" hub_refuses

# --- a TPM's challenge ------------------------------------------------------------------------

# The plugin takes the challenge for the key, and the service's is the device's, so that the
# emulator's checks of tokens hold. It answers polls as for any key: the second one comes by rule.
soft_tpm() {
    install -m 644 "$soft_tpm" "$world/plugins/"
    printf 1 >"$world/etc/life" && chmod 600 "$world/etc/life"
    printf '[provisioning]\nattestation=soft-tpm\n[plugin soft-tpm]\nlife-file=%s\n%s\n' "$world/etc/life" "${1-}" \
        >"$world/etc/agent.conf.d/tpm.conf"
}
symmetric() { rm -f "$world/etc/agent.conf.d/tpm.conf"; }
challenge() { put "\"status\":401,\"json\":{\"message\":\"m\",\"authenticationKey\":\"$device_key\",\"keyName\":\"registration\"}" ",\"times\":${1-1}"; }
hub_key() {
    poll "\"status\":200,\"json\":{\"operationId\":\"o\",\"status\":\"assigned\",\"registrationState\":{\"registrationId\":\"$registration_id\",\"assignedHub\":\"$hub\",\"deviceId\":\"$registration_id\",\"status\":\"assigned\",\"tpm\":{\"authenticationKey\":\"${1-$device_key}\"}}}"
}
# tpm_faulty CODE STATE SCHEDULE PUTS POLLS RULE...: with the symmetric identity in force.
tpm_faulty() { soft_tpm && fresh_faulty "$@"; }
try "a challenge to a symmetric key" faulty DPS-E417 held slow 1 0 "$(challenge)"
try "a second challenge is not answered" tpm_faulty DPS-E416 held slow 2 0 "$(challenge 5)"
try "a registration taken without a challenge" faulty DPS-E418 held slow 1 0 "$(put '"status":202,"json":{"operationId":"o","status":"assigning"}')"
try "an assignment at once without a challenge" faulty DPS-E418 held slow 1 0 "$(hub_key | sed 's/,"path":"[^"]*"//')"
try "an assignment without the hub's key" tpm_faulty DPS-E419 backing-off back-off 2 2 "$(challenge)"
try "a 401 without a challenge" tpm_faulty DPS-E401 held slow 1 0 "$(put '"status":401')"
try "a challenge that is not base64" tpm_faulty DPS-E224 backing-off back-off 1 0 \
    "$(put '"status":401,"json":{"authenticationKey":"AA?="}')"
bad_public() { soft_tpm endorsement-key=AARla2VrAA== && fresh_faulty DPS-E204 held slow 0 0; }
try "a public area of the plugin's that is none" bad_public
other_key=$(openssl rand -base64 64 | tr -d '\n')
try "a hub key that the hub does not know" tpm_faulty DPS-E501 held slow 2 1 "$(challenge)" "$(hub_key "$other_key")"

children() { pgrep -P "$(agent_pid)" -f dps-plugin-host; }
tpm_made='' lost_once=''
processes() { grep -c 'soft-tpm: a process begins' "$world/log/agent"; }
tpm_identity() {
    local newest child before
    newest=$(generations | tail -n 1)
    before=$(processes)
    soft_tpm && fresh && scenario "$(challenge)" "$(hub_key)" && attempt && is "$(of .State)" provisioned || return 1
    failures=0 tpm_made=1 rest=''
    is "$(puts) $(polls) $(hub_asks)" "2 1 1" "PUTs, polls, at the hub" &&
        is "$(jq -r 'select(.method=="PUT").sas' <<<"$seen" | xargs)" "absent ok" "tokens of the PUTs" &&
        has "$(bus get-property $agent_iface /org/dpsagent/Agent1 $agent_iface NetworkPath)" '"connections" u 1' &&
        [[ $(generations | tail -n 1) != "$newest" ]] && is "$(property Verified)" true &&
        child=$(children) && serves "$hub" "$registration_id" && is "$(children)" "$child" "the plugin's process" &&
        is $(($(processes) - before)) 1 "processes of the plugin"
}
try "a challenge answered, twice: the identity is the plugin's, and its process is kept" tpm_identity
# The clock of the first answer dates the token; that of a plain 401 is worth another one, by the same challenge.
tpm_redated() {
    scenario "$(challenge)" "$(put "\"status\":401,$(dated 7200)" ',"times":1')" "$(hub_key)" && attempt &&
        is "$(of .State)" provisioned && is "$(puts) $(polls)" "3 1" "PUTs, polls" &&
        is "$(jq -r 'select(.method=="PUT").sas' <<<"$seen" | xargs)" "absent unchecked ok" "tokens of the PUTs"
}
try "a TPM's token is signed again by the service's clock, for the same challenge" tpm_redated
tpm_served() { scenario && fresh && is "$(children)" '' && serves "$hub" "$registration_id"; }
try "after a start the identity is served, without a registration" tpm_served
# The process that is kept holds nobody up, and does not outlive the agent.
tpm_leaves() {
    local child begin out
    [[ $tpm_made ]] || tpm_identity || return 1
    scenario && world_service --idle-seconds 1 && fresh && serves "$hub" "$registration_id" && child=$(children) || return 1
    begin=$SECONDS
    wait_for 30 no_agent || return 1
    [[ ! -e /proc/$child ]] || { echo "$child outlives the agent"; return 1; }
    world_service
    ((SECONDS - begin < 9)) || { echo "the agent stayed $((SECONDS - begin)) s"; return 1; }
    out=$(tail -n 5 "$world/log/agent")
    hasnt "$out" "LeakSanitizer" && hasnt "$out" "between two calls" && serves "$hub" "$registration_id"
}
try "the agent leaves while its plugin's process is kept, and takes it along" tpm_leaves
# refused CODE: why there is no token.
no_token() {
    out=$(bus call $agent_iface /org/dpsagent/Agent1 $agent_iface.Credentials CreateSasToken 'a{sv}' 0 2>&1) && return 1
    has "$out" "Call failed: $1 "
}
without_plugin() {
    fresh && rm "$world/plugins/soft-tpm.so" && no_token DPS-E201 && is "$(property State)" provisioned && soft_tpm &&
        serves "$hub" "$registration_id"
}
try "without its plugin there is no token, and with it there is" without_plugin
without_secret() {
    fresh && rm "$world/etc/life" && no_token DPS-E104 && soft_tpm && serves "$hub" "$registration_id"
}
try "without a file of its plugin's there is no token, and with it there is" without_secret
lost() { printf '%s' "$1" >"$world/etc/life" && control Reload && no_token DPS-E216; }
tpm_cleared() {
    local newest begin
    [[ $tpm_made ]] || tpm_identity || return 1
    newest=$(generations | tail -n 1)
    begin=$(now_us)
    scenario "$(challenge)" "$(hub_key)" && lost 2 && rests_after "$begin" &&
        is "$(of '.Reason[0]') $(of .State)" "DPS-E216 backing-off" && schedule back-off &&
        rests_after "$(of .Since)" && is "$(of .State)" provisioned && is "$(puts)" 2 "PUTs" || return 1
    failures=0 lost_once=1
    [[ $(generations | tail -n 1) != "$newest" ]] && serves "$hub" "$registration_id"
}
try "a TPM that was cleared: the host registers again by itself" tpm_cleared
cleared_again() {
    local begin
    [[ $lost_once ]] || tpm_cleared || return 1
    begin=$(now_us)
    lost 3 && rests_after "$begin" && is "$(of .State)" backing-off && schedule slow && is "$(puts)" 0 "PUTs" && calm
}
try "and not at the pace of who asks for tokens" cleared_again
# forgets [SETTING]: what a reset has the plugin do.
forgotten() { grep -c 'plugin soft-tpm: forgets' "$world/log/agent"; }
forgets() {
    local before
    [[ $tpm_made ]] || tpm_identity || return 1
    tpm_made='' before=$(forgotten)
    soft_tpm "${1-}" && fresh && control Reset 'a{sv}' 0 && rest=idle && is "$(property State)" idle &&
        is "$(generations)" '' && is "$(forgotten)" $((before + 1))
}
tpm_reset() { forgets && hasnt "$(tail -n 3 "$world/log/agent")" "may still be there"; }
try "a reset has the plugin forget, once" tpm_reset
tpm_reset_fails() {
    forgets trouble=tpm-busy &&
        has "$(tail -n 3 "$world/log/agent")" "what it left outside the store may still be there: the TPM was busy for too long: plugin soft-tpm: forget: the handle stays"
}
try "and is done where that fails" tpm_reset_fails
tpm_to_symmetric() { symmetric && fresh && succeeds && serves "$hub" "$registration_id"; }
try "and back to the symmetric key" tpm_to_symmetric

# --- TLS and the network ------------------------------------------------------------------------

# second_emulator OPTION...: another one with the same authority; sets port and its pid.
first_port=$port
second_emulator() {
    rm -f "$world/emulator/port"
    "$build/tests/emulator/dps-emulator" --port 0 --port-file "$world/emulator/port" \
        --state-dir "$world/emulator" --id-scope "$id_scope" --hub-host "$hub" \
        --enrolments "$world/emulator/enrolments.json" --retry-after 0 \
        --log "$world/log/second.jsonl" "$@" >"$world/log/second" 2>&1 </dev/null &
    second_pid=$!
    world_pids+=("$second_pid")
    wait_for 20 test -s "$world/emulator/port" && port=$(<"$world/emulator/port") && log=second.jsonl
}
stop_second() {
    kill "$second_pid" && wait "$second_pid" 2>/dev/null
    log=requests.jsonl
}
# through PORT [LINE]...: the configuration with everything at PORT.
through() {
    port=$1
    shift
    world_configure "$@" && control Reload
}
tls() {
    local path
    second_emulator --endpoint-host "$endpoint" --tls "$1" && through "$port" && attempt &&
        is "$(of .State)" provisioned && is "$(puts)" 1 || return 1
    failures=0
    path=$(bus get-property $agent_iface /org/dpsagent/Agent1 $agent_iface NetworkPath)
    has "$path" "\"TLSv$1\"" && serves "$hub" "$registration_id" && stop_second
}
try "TLS 1.2 alone" tls 1.2
try "TLS 1.3 alone" tls 1.3
refused() {
    local kept
    kept=$(generations)
    attempt && calm && is "$(of '.Reason[0]')" DPS-E302 && is "$(of .State)" backing-off && schedule back-off &&
        is "$(generations)" "$kept" && is "$(property AssignedHub)" "$hub" && through "$first_port"
}
try "nobody listens" refused
# The endpoint's address leads to the first emulator, whose certificate is for others.
wrong_name() {
    local right=$endpoint begin
    begin=$(now_us)
    endpoint=fabrikam-dps.azure-devices-provisioning.net
    through "$first_port" && rests_after "$begin" && calm && is "$(of '.Reason[0]')" DPS-E305 &&
        is "$(of .State)" backing-off && schedule back-off && is "$(puts)" 0
    local status=$?
    endpoint=$right
    through "$first_port" && return $status
}
try "a certificate for another name" wrong_name
wrong_authority() {
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1 -subj /CN=other \
        -keyout /dev/null -out "$world/etc/other.pem" 2>/dev/null
    local right=$ca
    ca=$world/etc/other.pem
    through "$first_port"
    ca=$right
    fails DPS-E316 held slow 0 0 && through "$first_port"
}
try "a certificate of another authority" wrong_authority
recovers() { succeeds && serves "$hub" "$registration_id"; }
try "after all that it registers as ever" recovers

# OpenSSL forgets the random generators of threads that live when the program ends, a few
# objects a thread; anything that grew with the attempts would be more.
clean_log() {
    ! grep -E 'CRITICAL|AddressSanitizer: [a-z]|runtime error|#[0-9].*/agent/' "$world/log/agent" || return 1
    local count
    for count in $(sed -n 's/^SUMMARY.* in \([0-9]*\) alloc.*/\1/p' "$world/log/agent"); do
        between 0 "$count" 80 "leaked objects of OpenSSL" || return 1
    done
}
try "no critical, no sanitizer report" clean_log
finish
