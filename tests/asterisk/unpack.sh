#!/bin/bash
# Unpacks a real Asterisk 22, with its headers, into the directory named by the
# only argument. Needs no root rights and installs nothing: Debian's packages are
# only extracted, and the programs run through the loader that comes with them.
#
# DEBIAN_MIRROR names another mirror than mmdebstrap's own choice.
set -euo pipefail

root=$1
# The release whose asterisk package is 22.
suite=forky

if [ -x "$root/usr/sbin/asterisk" ] && [ -f "$root/usr/include/asterisk.h" ]; then
    exit 0
fi

mkdir -p "$(dirname "$root")"
# Unpacked beside its place and then renamed: an interrupted run leaves no half
# Asterisk behind.
part=$(mktemp -d "$root.XXXXXX")
trap 'rm -rf "$part"' EXIT
trap 'exit 130' INT TERM HUP

echo "asterisk: unpacking Debian's Asterisk 22 into $root (about a minute)"
# chrootless and extract: as an ordinary user, and no package's script is run.
# The release's file may be older than its term where a mirror lags behind.
mmdebstrap --quiet --mode=chrootless --variant=extract \
    --aptopt='Acquire::Check-Valid-Until "false"' \
    --include=asterisk,asterisk-dev \
    "$suite" "$part/root" ${DEBIAN_MIRROR:+"$DEBIAN_MIRROR"}

"$part"/root/usr/lib/*-linux-gnu/ld-linux-*.so.? \
    --library-path "$(echo "$part"/root/usr/lib/*-linux-gnu)" \
    "$part/root/usr/sbin/asterisk" -V
rm -rf "$root"
mv -T "$part/root" "$root"
