# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# A device with a TPM, made of tpm2-tools and openssl alone: source this file.
#
# TPM2TOOLS_TCTI says where the TPM is. Each function leaves no transient object and no session
# in it, keeps its files in the directory given, and fails with what the tool says.

# em_tpm_keys DIRECTORY: the two persistent keys, made where they are not there; ek.pub and srk.pub
# are their TPM2B_PUBLIC.
em_tpm_keys() {
    em_tpm_public 0x81010001 "$1/ek.pub" ||
        tpm2_createek -Q -G rsa -c 0x81010001 || return
    em_tpm_public 0x81000001 "$1/srk.pub" || {
        tpm2_createprimary -Q -C o -g sha256 -G rsa2048:aes128cfb -c "$1/srk.ctx" &&
            tpm2_evictcontrol -Q -C o -c "$1/srk.ctx" 0x81000001
    } || return
    em_tpm_flush
    em_tpm_public 0x81010001 "$1/ek.pub" && em_tpm_public 0x81000001 "$1/srk.pub"
}

em_tpm_public() { tpm2_readpublic -Q -c "$1" -f tss -o "$2" 2>/dev/null; }

em_tpm_flush() { tpm2_flushcontext -t && tpm2_flushcontext -l && tpm2_flushcontext -s; }

# em_tpm_member DIRECTORY: the member tpm of a registration.
em_tpm_member() {
    printf '"tpm":{"endorsementKey":"%s","storageRootKey":"%s"}' \
        "$(base64 -w0 "$1/ek.pub")" "$(base64 -w0 "$1/srk.pub")"
}

# em_tpm_split DIRECTORY BLOB: the blob, in base64, as the files part-1 to part-6.
em_tpm_split() {
    local offset=0 part size total
    rm -f "$1"/part-*
    base64 -d >"$1/blob" <<<"$2" || return
    total=$(stat -c %s "$1/blob")
    for part in 1 2 3 4 5 6; do
        size=$(od -An -tu1 -j $offset -N2 "$1/blob" | awk 'NF == 2 { print $1 * 256 + $2 + 2 }')
        [[ $size ]] && ((offset + size <= total)) || {
            echo "part $part is not whole"
            return 1
        }
        tail -c "+$((offset + 1))" "$1/blob" | head -c "$size" >"$1/part-$part"
        offset=$((offset + size))
    done
}

# em_tpm_activate DIRECTORY BLOB: the key in the blob; it is in key.ctx then.
em_tpm_activate() {
    em_tpm_split "$1" "$2" && em_tpm_inner_key "$1" && em_tpm_import "$1"
}

em_tpm_inner_key() {
    local status=0
    { printf '\xba\xdc\xc0\xde\0\0\0\1'; cat "$1/part-1" "$1/part-2"; } >"$1/credential"
    tpm2_startauthsession --policy-session -S "$1/session" || return
    tpm2_policysecret -Q -S "$1/session" -c e &&
        tpm2_activatecredential -Q -c 0x81000001 -C 0x81010001 -P "session:$1/session" \
            -i "$1/credential" -o "$1/inner-key" || status=$?
    tpm2_flushcontext "$1/session"
    return $status
}

em_tpm_import() {
    tpm2_import -Q -C 0x81000001 -i "$1/part-3" -s "$1/part-4" -u "$1/part-5" \
        -k "$1/inner-key" -r "$1/private" &&
        tpm2_load -Q -C 0x81000001 -u "$1/part-5" -r "$1/private" -c "$1/key.ctx" &&
        tpm2_flushcontext -t
}

# em_tpm_token DIRECTORY RESOURCE EXPIRY [POLICY]: signed with the key that was activated last.
em_tpm_token() {
    local signature
    printf '%s\n%s' "$2" "$3" >"$1/to-sign"
    tpm2_hmac -Q -c "$1/key.ctx" -g sha256 -o "$1/signature" "$1/to-sign" &&
        tpm2_flushcontext -t || return
    signature=$(base64 -w0 "$1/signature" | sed 's/+/%2B/g; s,/,%2F,g; s/=/%3D/g')
    printf 'SharedAccessSignature sr=%s&sig=%s&se=%s%s' "$2" "$signature" "$3" "${4:+&skn=$4}"
}
