# SPDX-License-Identifier: LGPL-2.1-or-later
# What tests/demo shows with --x509; sourced by it.
. "$here/emulator/em-x509.sh"

world_plugins() { install -m 644 "$build"/plugins/x509/x509.so "$world/plugins/"; }

# A device of an enrolment group: its certificate comes from an intermediate of the enrolled root.
world_enrolments() {
    local dir=$world/emulator policy=''
    [[ ! $with_issue ]] || policy=', "certificateIssuance": { "lifetime": 86400 }'
    em_ca "$dir" factory-root && em_intermediate "$dir" line-8 factory-root &&
        em_leaf "$dir" device line-8 "$registration_id" && em_leaf "$dir" stranger self "$registration_id" || return
    cat >"$dir/enrolments.json" <<JSON
{ "groups": [ { "enrollmentGroupId": "line-8", "attestation": "x509",
                "primaryCertificate": "factory-root.pem", "hub": "$hub"$policy } ] }
JSON
}

enrol_by_x509() {
    local conf=$world/etc/agent.conf.d/site.conf
    step "a certificate of the factory, its key in a file that the agent's user alone may read"
    em_chain "$world/emulator" device line-8 >"$world/etc/device.pem"
    chmod 644 "$world/etc/device.pem"
    install -m 600 "$world/emulator/device.key" "$world/etc/device.key"
    {
        printf '[provisioning]\nendpoint=%s\nid-scope=%s\nattestation=x509\nsplay-seconds=0\n' "$endpoint" "$id_scope"
        [[ ! $with_issue ]] || echo certificate-issuance=yes
        sed -n '/^\[network\]/,/^$/p' "$conf"
        printf '[plugin x509]\ncertificate=%s\nkey=%s\n' "$world/etc/device.pem" "$world/etc/device.key"
    } >"$conf.new"
    mv "$conf.new" "$conf"
    step "what an operator needs to enrol this host; no network, no identity yet"
    show 'dpsctl enrollment'
    ctl enrollment
}

chain() {
    busctl --address="$bus_address" --json=short call org.dpsagent.Agent1 /org/dpsagent/Agent1 \
        org.dpsagent.Agent1.Credentials GetCertificateChain | jq -r '.data[0]'
}
# modules [CURL-OPTION]...: what the hub says to a caller with that certificate.
modules() {
    curl --silent --show-error --output /dev/null --write-out '%{http_code}\n' --cacert "$ca" \
        --connect-to "$hub:443:127.0.0.1:$port" "$@" \
        "https://$hub/devices/$device/modules?api-version=2017-11-08-preview"
}

prove_by_certificate() {
    local factory stranger status=0
    step "the certificate that the hub takes, as services get it"
    show 'busctl call … org.dpsagent.Agent1.Credentials GetCertificateChain'
    chain >"$world/chain.pem"
    openssl x509 -in "$world/chain.pem" -noout -subject -issuer -enddate
    step "the agent has shown it to the hub; what the hub says to others"
    [[ $(ctl status --json | jq -r .verified) == true ]] || die "the hub did not take the identity"
    factory=$(modules --cert "$world/etc/device.pem" --key "$world/etc/device.key")
    stranger=$(modules --cert "$world/emulator/stranger.pem" --key "$world/emulator/stranger.key")
    echo "GET …/modules with the factory's certificate: HTTP $factory; with a stranger's: HTTP $stranger"
    if [[ $with_issue ]]; then
        openssl x509 -in "$world/chain.pem" -noout -issuer | grep -qv line-8 || die "the service issued nothing"
        [[ $factory == 401 && $stranger == 401 ]] || die "the hub's answers are not 401 and 401"
    else
        [[ $factory == 200 && $stranger == 401 ]] || die "the hub's answers are not 200 and 401"
    fi
    step "another user gets no signature"
    setpriv --reuid=65534 --clear-groups busctl --address="$bus_address" call org.dpsagent.Agent1 \
        /org/dpsagent/Agent1 org.dpsagent.Agent1.Credentials Sign say ECDSA-SHA256 32 $(printf '0 %.0s' {1..32}) || status=$?
    ((status != 0)) || die "another user got a signature"
}
