#!/bin/bash
# Builds the module for the installed Asterisk and installs it: after an upgrade of either.
#
#   install/rebuild.sh MODULE           build, then install
#   install/rebuild.sh MODULE --build   build only
#
# The build runs as the user, the install as root. Under sudo the user is the one who called it,
# because root often has no cargo and the files below target/ are that user's.
set -euo pipefail
cd "$(dirname "$0")/.."

module=$1
make=(make --no-print-directory)

die() {
    echo "$*" >&2
    exit 1
}

build() {
    local home include
    include=$(install/install.sh headers)
    # Packages bring files that are older than the last build, which cargo takes for known: only
    # our own crates are built anew, with everything else kept.
    local command='cargo clean --quiet --release --package res_userpresence --package asterisk &&
        exec make --no-print-directory build'
    if [ "$(id -u)" = 0 ] && [ -n "${SUDO_USER-}" ] && [ "$SUDO_USER" != root ]; then
        home=$(getent passwd "$SUDO_USER" | cut -d: -f6)
        sudo -H -u "$SUDO_USER" env "PATH=$home/.cargo/bin:$PATH" "ASTERISK_INCLUDE=$include" \
            bash -c "$command"
        return
    fi
    if ! command -v cargo >/dev/null; then
        PATH=$HOME/.cargo/bin:$PATH
        command -v cargo >/dev/null ||
            die "$(id -un) has no cargo: run 'make rebuild' as the user who has Rust; it calls sudo to install"
    fi
    ASTERISK_INCLUDE=$include PATH=$PATH bash -c "$command"
}

build
[ "${2-}" != --build ] || exit 0

install=("${make[@]}" install "MODULE=$module" REBUILT=yes)
for name in ASTERISK CONFIG_DIR MODULES_DIR DATA_DIR FORCE ASTERISK_INCLUDE; do
    [ -z "${!name-}" ] || install+=("$name=${!name}")
done
if [ "$(id -u)" = 0 ]; then
    exec "${install[@]}"
elif command -v sudo >/dev/null; then
    exec sudo "${install[@]}"
else
    die "The module is built: $module. To install it, run as root: ${install[*]}"
fi
