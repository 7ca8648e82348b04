# SPDX-License-Identifier: LGPL-2.1-or-later
# Shared by tests/run and tests/demo; sourced, not run.

source_root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

# What Debian 12 calls the things needed to build, and to test.
build_packages=(
    gcc meson ninja-build pkg-config libglib2.0-dev libglib2.0-dev-bin libcurl4-openssl-dev
    libssl-dev libjson-glib-dev libpolkit-gobject-1-dev libseccomp-dev libsystemd-dev
    libmicrohttpd-dev libgnutls28-dev libtss2-dev libp11-dev libp11-kit-dev libdpkg-perl ca-certificates
)
run_packages=(dbus dbus-daemon curl openssl)
# For a simulated TPM (tests/tpm/tpm.sh).
tpm_packages=(swtpm tpm2-tools tpm2-openssl libtss2-tcti-cmd0 socat jq)
# For keys in a PKCS#11 token (tests/plugins/token-fixture.h).
token_packages=(softhsm2 libp11-3 p11-kit-modules)
test_packages=(
    strace clang-format libxml2-utils man-db systemd file binutils iproute2 procps util-linux
    python3-dbusmock python3-gi tpm-udev "${tpm_packages[@]}" "${token_packages[@]}"
)
package_packages=(build-essential debhelper dpkg-dev fakeroot git lintian blhc devscripts faketime
    locales systemd)

# Only for tests/fuzz/run.
fuzz_packages=(clang-14 libclang-rt-14-dev libfuzzer-14-dev)

say() { printf '%s: %s\n' "${0##*/}" "$*" >&2; }
die() { say "$*"; exit 1; }

# become_root ARGUMENT...: starts the calling script again as root where the user is not.
become_root() {
    ((EUID == 0)) && return
    command -v sudo >/dev/null || die "needs root, and there is no sudo: run it as root"
    say "asks for root by sudo: it installs packages and makes root-owned test directories"
    exec sudo -- "$0" "$@"
}

# install PACKAGE...: what dpkg does not know as installed.
install_packages() {
    local package missing=()
    for package; do
        [[ $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) == installed ]] ||
            missing+=("$package")
    done
    ((${#missing[@]})) || return 0
    say "installing ${missing[*]}"
    # A minimal machine has no package lists yet; the first failure says nothing then.
    apt_install "${missing[@]}" 2>/dev/null ||
        { apt-get update -qq && apt_install "${missing[@]}"; } ||
        die "cannot install ${missing[*]}"
}

apt_install() {
    DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "$@" \
        </dev/null >/dev/null
}

# configure DIRECTORY OPTION...: a build directory, made anew where it is not usable.
configure() {
    local directory=$1
    shift
    if [[ -e $directory/build.ninja ]]; then
        return
    fi
    rm -rf "$directory"
    meson setup "$directory" "$source_root" --prefix=/usr --sysconfdir=/etc \
        --localstatedir=/var "$@" >"$directory.log" 2>&1 ||
        { cat "$directory.log" >&2; die "meson setup failed"; }
}

# compile DIRECTORY
compile() {
    say "building (log: $1.log)"
    meson compile -C "$1" >"$1.log" 2>&1 || { tail -n 60 "$1.log" >&2; die "the build failed"; }
}

# give_back DIRECTORY: what root made in the clone of a user who called sudo is that user's.
give_back() {
    [[ ! ${SUDO_UID-} ]] || chown -R "$SUDO_UID:${SUDO_GID:-$SUDO_UID}" "$1"
}
