#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# tests/tpm/tpm.sh: that each of its functions does to the TPM what it says.
set -u
. "$DPS_SOURCE_ROOT/tests/tap.sh"
. "$DPS_SOURCE_ROOT/tests/world.sh"
. "$DPS_SOURCE_ROOT/tests/tpm/tpm.sh"
build=$DPS_BUILD_ROOT
world=$(mktemp -d)
trap 'tpm_stop; rm -rf "$world"' EXIT
on_failure() { cat "$tpm_dir/log" "$tpm_dir/counts"; }
persistent() { tpm_tool tpm2_getcap handles-persistent; }
srk_type() { tpm_tool tpm2_readpublic -c $tpm_srk | awk '/^type:/ { getline; print $2; exit }'; }

tpm_start || { echo "Bail out! no TPM"; exit 1; }

srks() {
    is "$(persistent)" '' && tpm_ecc_srk && is "$(persistent)" "- 0x81000001" && is "$(srk_type)" ecc &&
        tpm_clear && is "$(persistent)" '' && tpm_rsa_srk && is "$(srk_type)" rsa
}
check "storage keys are made, and cleared" srks

nothing_counted() { is "$(tpm_counts) $(tpm_counts clients)" "0 0" && [[ ! -s $tpm_dir/record ]]; }
check "what the test itself does is not counted or recorded" nothing_counted

leaks() {
    local out
    tpm_leftovers && tpm_agent_tool tpm2_createprimary -Q -C o -G ecc -c "$world/context" || return 1
    out=$(tpm_leftovers) && { echo "a loaded key is not seen"; return 1; }
    has "$out" 0x80000000 && is "$(tpm_counts left_objects)" 1 &&
        is "$(tpm_counts CreatePrimary)" 1 && has "$(tpm_commands)" "1 CreatePrimary"
}
check "a key left loaded is seen, and who left it is counted" leaks

sessions() {
    local out
    tpm_kill && tpm_leftovers && tpm_agent_tool tpm2_startauthsession -Q --policy-session -S "$world/session" || return 1
    out=$(tpm_leftovers) && { echo "a session is not seen"; return 1; }
    has "$out" session && tpm_kill && tpm_leftovers
}
check "a session left is seen, and gone when the TPM has been killed" sessions

reset() { tpm_counts_reset && is "$(tpm_counts)" 0 && is "$(tpm_counts CreatePrimary)" 0; }
check "counts begin again" reset

struck() {
    tpm_faults "GetRandom 1 rc 0x101"
    local out
    out=$(tpm_agent_tool tpm2_getrandom --hex 4 2>&1) && { echo "not struck: $out"; return 1; }
    is "$(tpm_counts injected)" 1 && tpm_faults && tpm_agent_tool tpm2_getrandom -Q --hex 4
}
check "faults strike, and end" struck

lockout() {
    is "$(tpm_lockout_counter)" 0 && tpm_set_auth owner secret || return 1
    tpm_tool tpm2_createprimary -Q -C o -G ecc -c "$world/c" 2>/dev/null && { echo "no password was needed"; return 1; }
    # Owner and endorsement are free of dictionary-attack protection; lockout's password counts.
    tpm_set_auth lockout other || return 1
    tpm_tool tpm2_dictionarylockout -Q -c -p wrong 2>/dev/null
    is "$(tpm_tool tpm2_getcap properties-variable | awk '/ownerAuthSet/ { print $2 }')" 1 && tpm_ecc_key_fails
}
# A key that dictionary-attack protection does cover.
tpm_ecc_key_fails() {
    tpm_tool tpm2_createprimary -Q -C n -G ecc -c "$world/p" &&
        tpm_tool tpm2_create -Q -C "$world/p" -p right -i - -u "$world/u" -r "$world/r" <<<secret || return 1
    tpm_tool tpm2_load -Q -C "$world/p" -u "$world/u" -r "$world/r" -c "$world/k" || return 1
    tpm_tool tpm2_unseal -Q -c "$world/k" -p wrong >/dev/null 2>&1 && { echo "opened"; return 1; }
    is "$(tpm_lockout_counter)" 1
}
check "passwords are set, and a failure is counted" lockout

counting() {
    tpm_clear && tpm_counting_srk right && is "$(srk_type)" rsa && tpm_use_srk right && is "$(tpm_lockout_counter)" 0 || return 1
    tpm_use_srk wrong 2>/dev/null && { echo "used without its password"; return 1; }
    is "$(tpm_lockout_counter)" 1 "after a wrong password" && tpm_kill && is "$(tpm_lockout_counter)" 2 "unclean end after use" &&
        tpm_kill && is "$(tpm_lockout_counter)" 2 "unclean end without use" || return 1
    tpm_clear && tpm_rsa_srk right && tpm_use_srk right && tpm_kill && is "$(tpm_lockout_counter)" 0 || return 1
    tpm_use_srk wrong 2>/dev/null && { echo "used without its password"; return 1; }
    is "$(tpm_lockout_counter)" 0 "noda"
}
check "a storage key that counts: wrong passwords, and unclean ends after its use; others count none" counting

still() {
    tpm_signal STOP && wait_for 10 tpm_is_still && tpm_signal CONT && tpm_tool tpm2_getrandom -Q --hex 4
}
tpm_is_still() { grep -q '^State:[[:space:]]*T' "/proc/$(<"$tpm_dir/swtpm.pid")/status"; }
check "it stands still, and goes on" still

same_or_another() {
    local before
    tpm_clear && tpm_ecc_srk && before=$(tpm_tool tpm2_readpublic -c $tpm_srk) || return 1
    tpm_kill && is "$(tpm_tool tpm2_readpublic -c $tpm_srk)" "$before" &&
        tpm_unplug && [[ ! -e $tpm_dir/relay.socket ]] && tpm_plug &&
        is "$(tpm_tool tpm2_readpublic -c $tpm_srk)" "$before" &&
        tpm_replace && is "$(persistent)" '' && tpm_ecc_srk &&
        { [[ $(tpm_tool tpm2_readpublic -c $tpm_srk) != "$before" ]] || { echo "the same key"; return 1; }; }
}
check "killed and unplugged it is the same TPM, replaced it is another" same_or_another

writes() {
    local before
    before=$(tpm_state_id)
    tpm_tool tpm2_readpublic -Q -c $tpm_srk && is "$(tpm_state_id)" "$before" && tpm_set_auth owner x || return 1
    [[ $(tpm_state_id) != "$before" ]] || { echo "the write is not seen"; return 1; }
}
check "a write to non-volatile memory is seen in the TPM's state" writes
finish
