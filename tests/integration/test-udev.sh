#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# What udev makes of a TPM with our rule: a made-up device in a /sys of its own, the rules of the
# system beside ours, udevadm as it is. Starting the unit takes a machine: tests/vm/tpm.
set -u
. "$DPS_SOURCE_ROOT/tests/tap.sh"
command -v udevadm >/dev/null || skip_all "needs udevadm"
if [[ ${1-} != inside ]]; then
    unshare --mount true 2>/dev/null || skip_all "needs root and mount namespaces"
    exec unshare --mount --propagation private "$0" inside
fi

rule=$DPS_SOURCE_ROOT/udev/70-dps-agent.rules
unit=dps-agent-provision.service

# device SUBSYSTEM NAME: as the kernel shows it.
device() {
    local path=devices/virtual/$1/$2
    mkdir -p "$sys/$path" "$sys/class/$1"
    ln -s "../../$path" "$sys/class/$1/$2"
    ln -s "../../../../class/$1" "$sys/$path/subsystem"
    printf 'MAJOR=250\nMINOR=65536\nDEVNAME=%s\n' "$2" >"$sys/$path/uevent"
}
make_world() {
    mount -t tmpfs tmpfs /run && mount -t tmpfs tmpfs /dev/char || return 1
    mkdir -p /run/udev/rules.d
    # tpm-udev's own rules tag the device too: without them it is seen that ours do.
    cp "$rule" /run/udev/rules.d/ && : >/run/udev/rules.d/60-tpm-udev.rules
    sys=$(mktemp -d -p /run)
    mount -t tmpfs tmpfs "$sys"
    device tpmrm tpmrm0 && device tpm tpm0 && device misc tpmrm1 && mount --move "$sys" /sys
}
make_world || skip_all "cannot make a /sys of its own"

# event ACTION DEVICE: the properties of the device after it.
event() {
    SYSTEMD_DEVICE_VERIFY_SYSFS=0 udevadm test --action="$1" "/sys/devices/virtual/$2" 2>/run/log
}
property() { sed -n "s/^$2=//p" <<<"$1"; }

wishes() {
    local said
    said=$(event "$1" tpmrm/tpmrm0) && is "$(property "$said" SYSTEMD_WANTS)" "$unit" &&
        has "$(property "$said" CURRENT_TAGS)" ":systemd:"
}
wishes_nothing() {
    local said
    said=$(event add "$1") && is "$(property "$said" ACTION)" add && is "$(property "$said" SYSTEMD_WANTS)" ""
}
read_without_complaint() {
    event add tpmrm/tpmrm0 >/dev/null && has "$(</run/log)" "70-dps-agent.rules" &&
        is "$(grep -E '70-dps-agent.rules:[0-9]' /run/log)" ""
}
no_more_than_that() { is "$(grep -vc '^#' "$rule")" 1 && hasnt "$(grep -v '^#' "$rule")" MODE; }

check "a TPM that appears wants the provisioning unit" wishes add
check "so does one that was there before the rule" wishes change
check "the raw node does not" wishes_nothing tpm/tpm0
check "neither does a device of that name elsewhere" wishes_nothing misc/tpmrm1
check "udev reads the rule without a complaint" read_without_complaint
check "the rule grants nobody anything" no_more_than_that
if udevadm verify --help >/dev/null 2>&1; then
    check "udevadm verify takes the rule" udevadm verify "$rule"
else
    skip "udevadm verify takes the rule" "udevadm is older than 254"
fi
finish
