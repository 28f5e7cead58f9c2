#!/bin/bash
# Installs the tools that this repository needs and that the machine lacks, as Debian
# packages. Each argument names one purpose:
#   build     compile the module
#   asterisk  unpack a private Asterisk
#   demo      show the module in that Asterisk
#   test      run the tests, with a browser for the board
# With --list first, only prints all packages of these purposes, one per line.
set -euo pipefail

list=no
if [ "${1-}" = --list ]; then
    list=yes
    shift
fi

missing=()

# need CHECK PACKAGE...: adds the packages to the missing ones if the check fails.
need() {
    local check=$1
    shift
    [ "$list" = no ] && eval "$check" >/dev/null 2>&1 || missing+=("$@")
}

# bindgen loads libclang, which needs its own compiler's headers beside it.
libclang() {
    [ -n "${LIBCLANG_PATH:-}" ] || ldconfig -p | grep -q 'libclang\.so ' || {
        compgen -G '/usr/lib/llvm-*/lib/libclang.so' &&
            compgen -G '/usr/lib/llvm-*/lib/clang/*/include/stddef.h'
    }
}

for purpose in "$@"; do
    case $purpose in
        build)
            if [ "$list" = no ] && ! command -v cargo >/dev/null; then
                echo "setup: Rust is missing: no 'cargo' in PATH. Install it from rustup.rs." >&2
                exit 1
            fi
            need 'command -v cc' gcc libc6-dev
            need 'libclang' libclang-dev
            need 'command -v pkg-config' pkg-config
            need 'pkg-config --exists libcurl' libcurl4-openssl-dev
            ;;
        asterisk)
            need 'command -v mmdebstrap' mmdebstrap
            need 'test -e /usr/share/keyrings/debian-archive-keyring.gpg' debian-archive-keyring
            ;;
        demo)
            need 'command -v curl' curl
            need 'command -v sipp' sip-tester
            ;;
        test)
            need 'command -v git' git
            need 'command -v openssl' openssl
            need 'command -v sipp' sip-tester
            need 'command -v baresip' baresip-core
            need 'command -v linphonec' linphone-cli
            need 'command -v ip' iproute2
            need 'command -v sqlite3' sqlite3
            need 'command -v xmllint' libxml2-utils
            need 'command -v chromium && command -v chromedriver' chromium chromium-driver
            need 'command -v firefox-esr || command -v firefox' firefox-esr
            need 'python3 -m pip --version' python3-pip
            need 'python3 -m venv --help && python3 -m ensurepip --version' python3-venv
            need 'command -v curl' curl
            ;;
        *)
            echo "setup: unknown purpose '$purpose'" >&2
            exit 2
            ;;
    esac
done

[ ${#missing[@]} -gt 0 ] || exit 0

if [ "$list" = yes ]; then
    printf '%s\n' "${missing[@]}" | sort -u
    exit 0
fi

echo "setup: this machine lacks: ${missing[*]}"
by_hand="Install the packages by hand, then run make again: apt-get install ${missing[*]}"
if ! command -v apt-get >/dev/null; then
    echo "setup: this machine has no apt-get. The names above are Debian's." >&2
    exit 1
fi
if [ "$(id -u)" = 0 ]; then
    root=()
elif command -v sudo >/dev/null; then
    root=(sudo)
else
    echo "setup: installing needs root rights or sudo. $by_hand" >&2
    exit 1
fi

update() {
    "${root[@]}" apt-get -qq update
}
install() {
    "${root[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get -qq --yes install --no-install-recommends "${missing[@]}" >/dev/null
}
echo "setup: installing the packages"
# A fresh machine may have no package lists, another machine may have outdated ones.
apt-get install --simulate "${missing[@]}" >/dev/null 2>&1 || update
install || { update && install; } || {
    echo "setup: apt-get failed. $by_hand" >&2
    exit 1
}
