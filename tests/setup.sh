#!/bin/bash
# Installs what is missing of the tools that this repository needs: Debian
# packages, and those only where a tool is not there. Arguments, one or more:
#   build     to compile the module
#   asterisk  to unpack a private Asterisk
#   test      to run the tests and the demo
set -euo pipefail

missing=()

# need TEST PACKAGE...: the packages, where the test fails.
need() {
    local found=$1
    shift
    eval "$found" >/dev/null 2>&1 || missing+=("$@")
}

# bindgen loads libclang, which needs the headers of its own compiler beside it.
libclang() {
    [ -n "${LIBCLANG_PATH:-}" ] || ldconfig -p | grep -q 'libclang\.so ' || {
        compgen -G '/usr/lib/llvm-*/lib/libclang.so' &&
            compgen -G '/usr/lib/llvm-*/lib/clang/*/include/stddef.h'
    }
}

for part in "$@"; do
    case $part in
        build)
            if ! command -v cargo >/dev/null; then
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
        test)
            need 'command -v openssl' openssl
            need 'command -v sipp' sip-tester
            need 'command -v sqlite3' sqlite3
            need 'command -v xmllint' libxml2-utils
            need 'command -v chromium && command -v chromedriver' chromium chromium-driver
            need 'python3 -m pip --version' python3-pip
            need 'python3 -m venv --help && python3 -m ensurepip --version' python3-venv
            need 'command -v openssl' openssl
            need 'command -v curl' curl
            ;;
        *)
            echo "setup: unknown part '$part'" >&2
            exit 2
            ;;
    esac
done

[ ${#missing[@]} -gt 0 ] || exit 0

echo "setup: missing here: ${missing[*]}"
by_hand="Install them by hand, then run make again: apt-get install ${missing[*]}"
if ! command -v apt-get >/dev/null; then
    echo "setup: this machine has no apt-get. The list above are Debian's names." >&2
    exit 1
fi
if [ "$(id -u)" = 0 ]; then
    root=()
elif command -v sudo >/dev/null; then
    root=(sudo)
else
    echo "setup: neither root nor sudo. $by_hand" >&2
    exit 1
fi

update() {
    "${root[@]}" apt-get -qq update
}
install() {
    "${root[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get -qq --yes install --no-install-recommends "${missing[@]}" >/dev/null
}
echo "setup: installing them"
# The package lists of a fresh machine may be absent, those of another too old.
apt-get install --simulate "${missing[@]}" >/dev/null 2>&1 || update
install || { update && install; } || {
    echo "setup: apt-get failed. $by_hand" >&2
    exit 1
}
