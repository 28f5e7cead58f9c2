#!/bin/bash
# Runs a shell inside a Debian root, with its own processes, network and mounts, as root of the
# Debian. It reads commands from stdin. What it changes is in memory and goes with it; the root
# stays as it is. The second directory is shared with it, as /mnt.
#
#   tests/deb/inside.sh ROOT SHARED
set -euo pipefail

if [ "${1-}" != --inside ]; then
    helper=()
    # As the user ids of the root were given by mmdebstrap.
    [ "$(id -u)" = 0 ] || helper=(mmdebstrap --unshare-helper)
    # An overlay of an ordinary user keeps its notes in attributes that are the user's.
    [ "$(id -u)" = 0 ] || export OVERLAY=userxattr,
    exec "${helper[@]}" unshare --mount --net --uts --ipc --pid --fork --kill-child \
        "$0" --inside "$@"
fi

root=$2 shared=$3
ip link set lo up
hostname deb-test
layers=$shared/layers
mkdir -p "$layers"
mount -t tmpfs tmpfs "$layers"
mkdir "$layers/upper" "$layers/work" "$layers/root"
mount -t overlay -o "${OVERLAY-}lowerdir=$root,upperdir=$layers/upper,workdir=$layers/work" \
    overlay "$layers/root"
cd "$layers/root"
mount -t proc proc proc
mount --rbind /dev dev
mount --bind "$shared" mnt
exec chroot . /usr/bin/env -i PATH=/usr/sbin:/usr/bin LC_ALL=C.UTF-8 HOME=/root \
    DEBIAN_FRONTEND=noninteractive /bin/bash
