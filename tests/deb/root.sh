#!/bin/bash
# Installs Debian's Asterisk 22 with all that it needs into DIR/debian: a whole configured Debian,
# in which packages can be installed and removed. An ordinary user needs a range of user ids
# (/etc/subuid) and the package uidmap: the files then belong to these ids.
#
#   tests/deb/root.sh DIR           unless it is there
#   tests/deb/root.sh --remove DIR
#
# DEBIAN_MIRROR replaces mmdebstrap's own choice of a mirror.
set -euo pipefail

# The Debian release with version 22 of the package asterisk.
suite=forky

remove() {
    [ -e "$1" ] || return 0
    if [ "$(id -u)" != 0 ]; then
        chmod 777 "$1"
        mmdebstrap --unshare-helper rm -rf "$1/debian"
    fi
    rm -rf "$1"
}

if [ "$1" = --remove ]; then
    remove "$2"
    exit
fi
dir=$1
[ ! -e "$dir" ] || exit 0

mkdir -p "$(dirname "$dir")"
# Beside its final place and then renamed: an interrupted run leaves no partial Debian.
part=$(mktemp -d "$dir.XXXXXX")
trap 'remove "$part"' EXIT
trap 'exit 130' INT TERM HUP
# For the user ids of the Debian.
chmod 777 "$part"

echo "deb: installing Debian's Asterisk 22 into $dir (about a minute)"
# The Release file of a mirror that lags behind may have expired. Nothing needs to survive a
# power failure.
mmdebstrap --quiet --variant=apt --include=asterisk \
    --aptopt='Acquire::Check-Valid-Until "false"' --dpkgopt=force-unsafe-io \
    "$suite" "$part/debian" ${DEBIAN_MIRROR:+"$DEBIAN_MIRROR"}
chmod 755 "$part"
mv -T "$part" "$dir"
