#!/bin/bash
# Unpacks into the directory named by the only argument what builds the module for arm64 and runs
# it on this machine: in `tools` Debian's Rust for both architectures, its cross compiler and qemu;
# in `asterisk` its Asterisk for arm64 with headers. It needs no root rights and installs nothing.
#
# DEBIAN_MIRROR replaces mmdebstrap's own choice of a mirror.
set -euo pipefail

folder=$1
suite=forky

# unpack NAME ARCHITECTURES PACKAGES
unpack() {
    [ ! -d "$folder/$1" ] || return 0
    echo "arm64: unpacking Debian's $1 into $folder/$1 (about a minute)"
    rm -rf "$folder/$1.part"
    # As tests/asterisk/unpack.sh does.
    mmdebstrap --quiet --mode=chrootless --variant=extract --architectures="$2" \
        --aptopt='Acquire::Check-Valid-Until "false"' --include="base-files,$3" \
        "$suite" "$folder/$1.part" ${DEBIAN_MIRROR:+"$DEBIAN_MIRROR"}
    mv -T "$folder/$1.part" "$folder/$1"
}

mkdir -p "$folder"
unpack tools "$(dpkg --print-architecture),arm64" \
    cargo,gcc,gcc-aarch64-linux-gnu,libc6-dev,libclang-dev,libstd-rust-dev:arm64,pkg-config,qemu-user,rustc
unpack asterisk arm64 asterisk,asterisk-dev,libcurl4-openssl-dev
