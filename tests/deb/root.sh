#!/bin/bash
# Installs Debian's Asterisk 22 with all that it needs into the directory named by the only
# argument: a whole configured Debian, in which packages can be installed and removed. An
# ordinary user needs a range of user ids (/etc/subuid), and the package uidmap.
#
# DEBIAN_MIRROR replaces mmdebstrap's own choice of a mirror.
set -euo pipefail

root=$1
# The Debian release with version 22 of the package asterisk.
suite=forky

[ ! -e "$root" ] || exit 0

mkdir -p "$(dirname "$root")"
# Beside its final place and then renamed: an interrupted run leaves no partial Debian.
part=$(mktemp -d "$root.XXXXXX")
chmod 755 "$part"
inside=()
[ "$(id -u)" = 0 ] || inside=(mmdebstrap --unshare-helper)
trap '"${inside[@]}" rm -rf "$part/root"; rm -rf "$part"' EXIT
trap 'exit 130' INT TERM HUP
[ "$(id -u)" = 0 ] || chmod 777 "$part"

echo "deb: installing Debian's Asterisk 22 into $root (about a minute)"
# The Release file of a mirror that lags behind may have expired. Nothing needs to survive a
# power failure.
mmdebstrap --quiet --variant=apt --include=asterisk \
    --aptopt='Acquire::Check-Valid-Until "false"' --dpkgopt=force-unsafe-io \
    "$suite" "$part/root" ${DEBIAN_MIRROR:+"$DEBIAN_MIRROR"}
mv -T "$part/root" "$root"
