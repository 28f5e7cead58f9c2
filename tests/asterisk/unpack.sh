#!/bin/bash
# Unpacks a real Asterisk 22 with its headers, and MariaDB's driver for its res_odbc, into the
# directory named by the only argument. It needs no root rights and installs nothing: Debian's
# packages are only extracted, and the loader that comes with them runs the programs.
#
# DEBIAN_MIRROR replaces mmdebstrap's own choice of a mirror.
set -euo pipefail

root=$1
# The Debian release with version 22 of the package asterisk.
suite=forky

if [ -x "$root/usr/sbin/asterisk" ] && [ -f "$root/usr/include/asterisk.h" ] &&
    compgen -G "$root/usr/lib/*-linux-gnu/odbc/libmaodbc.so" >/dev/null; then
    exit 0
fi

mkdir -p "$(dirname "$root")"
# Unpacked beside its final place and then renamed: an interrupted run leaves no partial
# Asterisk.
part=$(mktemp -d "$root.XXXXXX")
trap 'rm -rf "$part"' EXIT
trap 'exit 130' INT TERM HUP

echo "asterisk: unpacking Debian's Asterisk 22 into $root (about a minute)"
# chrootless and extract: works as an ordinary user and runs no script of a package.
# The Release file of a mirror that lags behind may have expired.
mmdebstrap --quiet --mode=chrootless --variant=extract \
    --aptopt='Acquire::Check-Valid-Until "false"' \
    --include=asterisk,asterisk-dev,odbc-mariadb \
    "$suite" "$part/root" ${DEBIAN_MIRROR:+"$DEBIAN_MIRROR"}

"$part"/root/usr/lib/*-linux-gnu/ld-linux-*.so.? \
    --library-path "$(echo "$part"/root/usr/lib/*-linux-gnu)" \
    "$part/root/usr/sbin/asterisk" -V
rm -rf "$root"
mv -T "$part/root" "$root"
