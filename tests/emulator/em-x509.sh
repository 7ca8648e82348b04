# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# Certificates for the shell, made with openssl alone: source this file.
#
# em_certificate DIRECTORY NAME ISSUER CN [WORD=VALUE]...
#     makes NAME.pem and NAME.key (PKCS#8) in DIRECTORY, signed by ISSUER of the same directory,
#     or by itself where ISSUER is "self". A NAME.key that is there is used again. Words:
#       key=p256|p384|p521|rsa2048|rsa1024   p256
#       from=WHEN to=WHEN                    as for "date -d": "-1 day" and "+30 days"
#       eku=USAGE[,USAGE...]|none            clientAuth; none leaves the extension out
#       ca=no|yes[,pathlen:N]                no
#       san=HOST                             none
#       md=sha1|sha256|sha384                sha256
# em_ca DIRECTORY NAME [WORD=VALUE]...                     a root
# em_intermediate DIRECTORY NAME ISSUER [WORD=VALUE]...    a CA below another
# em_leaf DIRECTORY NAME ISSUER CN [WORD=VALUE]...         a device's; ISSUER may be "self"
# em_chain DIRECTORY NAME...                               their certificates, in this order
# em_csr DIRECTORY NAME CN [KEY]                           NAME.csr (DER) and NAME.key, of p384
# em_thumbprint FILE [sha256|sha1]                         in lower-case hex
#
# Each fails with what openssl says.

em_ca() { em_certificate "$1" "$2" self "$2" eku=none ca=yes "${@:3}"; }
em_intermediate() { em_certificate "$1" "$2" "$3" "$2" eku=none ca=yes "${@:4}"; }
em_leaf() { em_certificate "$@"; }
em_chain() {
    (cd "$1" && shift && cat "${@/%/.pem}")
}

em_thumbprint() { openssl x509 -in "$1" -outform DER | openssl dgst "-${2:-sha256}" -r | cut -d' ' -f1; }

em_key() {
    local algorithm=(-algorithm EC -pkeyopt ec_param_enc:named_curve -pkeyopt)
    case $2 in
        p256) algorithm+=(ec_paramgen_curve:P-256) ;;
        p384) algorithm+=(ec_paramgen_curve:P-384) ;;
        p521) algorithm+=(ec_paramgen_curve:P-521) ;;
        rsa*) algorithm=(-algorithm RSA -pkeyopt "rsa_keygen_bits:${2#rsa}") ;;
        *) echo "no kind of key: $2"; return 1 ;;
    esac
    (umask 077 && openssl genpkey -quiet "${algorithm[@]}" -out "$1" 2>&1)
}

em_csr() {
    [[ -e $1/$2.key ]] || em_key "$1/$2.key" "${4:-p384}" || return
    openssl req -new -key "$1/$2.key" -subj "/CN=$3" -sha384 -outform DER -out "$1/$2.csr" 2>&1
}

em_certificate() {
    local dir=$1 name=$2 issuer=$3 cn=$4 word work signer status=0
    local key=p256 from='-1 day' to='+30 days' eku=clientAuth ca=no san='' md=sha256
    shift 4
    for word; do
        case $word in
            key=* | from=* | to=* | eku=* | ca=* | san=* | md=*) local "${word%%=*}"="${word#*=}" ;;
            *) echo "em_certificate: no such word: $word"; return 1 ;;
        esac
    done
    [[ -e $dir/$name.key ]] || em_key "$dir/$name.key" "$key" || return
    signer=(-cert "$dir/$issuer.pem" -keyfile "$dir/$issuer.key")
    [[ $issuer != self ]] || signer=(-selfsign -keyfile "$dir/$name.key")
    work=$(mktemp -d) && : >"$work/index" || return
    em_certificate_config "$work" "$eku" "$ca" "$san" >"$work/config"
    openssl req -new -config "$work/config" -key "$dir/$name.key" -subj "/CN=$cn" \
        -out "$work/csr" 2>"$work/errors" &&
        openssl ca -batch -notext -config "$work/config" -in "$work/csr" "${signer[@]}" \
            -md "$md" -extensions extensions -out "$dir/$name.pem" \
            -startdate "$(date -u -d "$from" +%Y%m%d%H%M%SZ)" \
            -enddate "$(date -u -d "$to" +%Y%m%d%H%M%SZ)" 2>>"$work/errors" || {
        status=1
        cat "$work/errors"
    }
    rm -rf "$work"
    return $status
}

em_certificate_config() {
    cat <<CONFIG
[req]
distinguished_name = nothing
[nothing]
[ca]
default_ca = this
[this]
database = $1/index
new_certs_dir = $1
rand_serial = yes
policy = policy
unique_subject = no
[policy]
commonName = supplied
[extensions]
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
CONFIG
    case $3 in
        no) printf '%s\n' "basicConstraints = critical,CA:FALSE" "keyUsage = critical,digitalSignature" ;;
        *) printf '%s\n' "basicConstraints = critical,CA:TRUE${3#yes}" "keyUsage = critical,keyCertSign,cRLSign" ;;
    esac
    [[ $2 == none ]] || echo "extendedKeyUsage = $2"
    [[ ! $4 ]] || echo "subjectAltName = DNS:$4"
}
