#!/bin/bash
# Unpacks a real Asterisk with its headers, and MariaDB's driver for its res_odbc. It needs no
# root rights and installs nothing: Debian's packages are only extracted, and the loader that
# comes with them runs the programs.
#
#   tests/asterisk/unpack.sh RELEASE ROOT
#
# RELEASE is one of those below, ROOT the directory for it. DEBIAN_MIRROR replaces mmdebstrap's
# own choice of a mirror.
set -euo pipefail

release=$1 root=$2
packages=asterisk,asterisk-dev,odbc-mariadb
# Of `suite` alone: the default of a stable suite adds others, and their servers.
also=
case $release in
    # The module for it is linked with the root's libraries, which are older than this machine's.
    16) suite=bullseye packages+=,libc6-dev,libcurl4-openssl-dev ;;
    22) suite=forky ;;
    # The libraries come from `suite`, and from `also` what they lack.
    22.11) suite=sid also=experimental ;;
    *)
        echo "asterisk: there is no release '$release', expected 16, 22 or 22.11" >&2
        exit 2
        ;;
esac

complete() {
    [ -x "$1/usr/sbin/asterisk" ] && [ -f "$1/usr/include/asterisk.h" ] &&
        compgen -G "$1/usr/lib/*-linux-gnu/odbc/libmaodbc.so" >/dev/null &&
        { [ "$release" != 16 ] || compgen -G "$1/usr/lib/*-linux-gnu/libcurl.so" >/dev/null; }
}
if complete "$root"; then
    exit 0
fi

mkdir -p "$(dirname "$root")"
# Unpacked beside its final place and then renamed: an interrupted run leaves no partial
# Asterisk.
part=$(mktemp -d "$root.XXXXXX")
trap 'rm -rf "$part"' EXIT
trap 'exit 130' INT TERM HUP

# Shell commands for the root $1, before apt reads its sources.
export release suite also
hooks=(--setup-hook='sed -i "/ $suite main/!d" "$1/etc/apt/sources.list"')
if [ -n "$also" ]; then
    hooks+=(--setup-hook='sed -i "p; s/ $suite / $also /" "$1/etc/apt/sources.list"'
        --setup-hook='printf "Package: asterisk asterisk-*\nPin: version 1:%s*\nPin-Priority: 990\n" \
            "$release" >"$1/etc/apt/preferences.d/asterisk"')
fi

echo "asterisk: unpacking Debian's Asterisk $release into $root (about a minute)"
# chrootless and extract: works as an ordinary user and runs no script of a package.
# The Release file of a mirror that lags behind may have expired.
mmdebstrap --quiet --mode=chrootless --variant=extract \
    --aptopt='Acquire::Check-Valid-Until "false"' \
    "${hooks[@]}" \
    --include="$packages" \
    "$suite" "$part/root" ${DEBIAN_MIRROR:+"$DEBIAN_MIRROR"}

# shellcheck source=tests/asterisk/root.sh
. "$(dirname "$0")/root.sh"
find_asterisk "$part/root"
# Debian moves on: what was once in a suite is replaced or becomes part of another one.
case $version in
    "$release".*) echo "Asterisk $version" ;;
    *)
        echo "asterisk: Debian's $suite${also:+ and $also} no longer have Asterisk $release, but $version" >&2
        exit 1
        ;;
esac
rm -rf "$root"
mv -T "$part/root" "$root"
