#!/bin/bash
# Shows that the source archive is complete: it holds the tracked files and no others, two of them
# are the same bytes, and it builds without a network, without git and without any crate of this
# machine. The built module is then OUT/res_userpresence.so. It is not optimised, which takes a
# quarter of the time.
#
#   tests/dist.sh INCLUDE OUT     INCLUDE has asterisk.h
set -euo pipefail
cd "$(dirname "$0")/.."

include=$(realpath "$1")
mkdir -p "$2"
out=$(realpath "$2")
# Outside of the repository: nothing in it can be found from there.
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM HUP

fail() {
    echo "tests/dist.sh: $*" >&2
    exit 1
}

export COMPRESSION=0
packaging/dist.sh "$work/first" >/dev/null
# Another clone, another time and another mask of permissions.
git clone --quiet . "$work/clone"
(umask 077 && "$work/clone/packaging/dist.sh" "$work/second" >/dev/null)
archive=$(echo "$work"/first/res_userpresence-*.tar.xz)
cmp "$archive" "$work/second/${archive##*/}" || fail "two archives of one commit differ"
rm -rf "$work/clone" "$work/second"

tar -C "$work" -xf "$archive"
source=$work/$(basename "$archive" .tar.xz)
[ "$(cat "$source/.commit")" = "$(git rev-parse --short HEAD)" ] || fail ".commit is wrong"
added=(.cargo/config.toml .commit packaging/rpm/res_userpresence.spec)
diff <({ git ls-tree -r --name-only HEAD && printf '%s\n' "${added[@]}"; } | sort) \
    <(cd "$source" && find . -path ./vendor -prune -o ! -type d -printf '%P\n' | sort) ||
    fail "the files in the archive are not those of the repository"

# No interface: not even loopback.
isolated=(unshare --map-root-user --net)
"${isolated[@]}" true 2>/dev/null || {
    echo 'tests/dist.sh: no network namespace can be made here: only cargo is kept from the network'
    isolated=()
}
# A home without crates: those in the archive have to do.
export CARGO_HOME=$work/home CARGO_NET_OFFLINE=true
unset CARGO_TARGET_DIR
export CARGO_PROFILE_RELEASE_{LTO=off,CODEGEN_UNITS=16,OPT_LEVEL=0,DEBUG=0}
"${isolated[@]}" make -C "$source" --no-print-directory build ASTERISK_INCLUDE="$include"
git -C "$source" rev-parse 2>/dev/null && fail "$source is in a repository of git"
install -m 644 "$source/target/release/res_userpresence.so" "$out"
