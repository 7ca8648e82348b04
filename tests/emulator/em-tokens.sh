# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# Tokens for the shell, made with openssl alone: source this file.

# em_derive_key GROUP_KEY REGISTRATION_ID: the device key of a group, in base64.
em_derive_key() {
    printf %s "$2" | openssl dgst -sha256 -mac HMAC -macopt "hexkey:$(em_hex "$1")" -binary |
        base64 -w0
}

em_hex() {
    printf %s "$1" | base64 -d | od -An -v -tx1 | tr -d ' \n'
}

# em_token RESOURCE KEY EXPIRY [POLICY]: RESOURCE is signed and sent as it is given.
em_token() {
    local signature
    signature=$(printf '%s\n%s' "$1" "$3" |
        openssl dgst -sha256 -mac HMAC -macopt "hexkey:$(em_hex "$2")" -binary | base64 -w0 |
        sed 's/+/%2B/g; s,/,%2F,g; s/=/%3D/g')
    printf 'SharedAccessSignature sr=%s&sig=%s&se=%s%s' "$1" "$signature" "$3" \
        "${4:+&skn=$4}"
}
