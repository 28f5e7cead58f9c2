#!/bin/bash
# Unpacks etcd's server, its command-line client, and the library with which a test gives an
# Asterisk another clock, into the directory named by the only argument, of the same Debian
# release as the private Asterisk. It needs no root rights, installs nothing and leaves nothing
# running: each test starts its own members from here.
#
# DEBIAN_MIRROR replaces mmdebstrap's own choice of a mirror, and ETCD_SUITE the release.
set -euo pipefail

root=$1
suite=${ETCD_SUITE:-forky}

if [ -e "$root/usr/bin/etcdctl" ] &&
    compgen -G "$root/usr/lib/*-linux-gnu/faketime/libfaketimeMT.so.1" >/dev/null; then
    exit 0
fi

mkdir -p "$(dirname "$root")"
# Unpacked beside its final place and then renamed: an interrupted run leaves nothing partial.
part=$(realpath "$(mktemp -d "$root.XXXXXX")")
chmod 755 "$part"
trap 'rm -rf "$part"' EXIT
trap 'exit 130' INT TERM HUP

echo "etcd: unpacking Debian's etcd and libfaketime into $root"
mmdebstrap --quiet --mode=chrootless --variant=extract \
    --aptopt='Acquire::Check-Valid-Until "false"' \
    --include=etcd-server,etcd-client,libfaketime \
    "$suite" "$part/root" ${DEBIAN_MIRROR:+"$DEBIAN_MIRROR"}

# The machine's glibc may be too old for the programs: a script in each one's place runs it
# with the loader that comes with it. A program without a loader needs none.
for name in etcd etcdctl; do
    program=$part/root/usr/bin/$name
    grep -q -a -F /ld-linux "$program" || continue
    mv "$program" "$program.real"
    cat >"$program" <<'SCRIPT'
#!/bin/bash
root=$(cd "$(dirname "$0")/../.." && pwd)
name=$root/usr/bin/$(basename "$0")
for libraries in "$root"/usr/lib/*-linux-gnu "$root"/lib/*-linux-gnu; do
    for loader in "$libraries"/ld-linux-*.so.?; do
        [ -e "$loader" ] || continue
        exec "$loader" --library-path "$libraries" --argv0 "$name" "$name.real" "$@"
    done
done
echo "$name: no dynamic loader in $root" >&2
exit 1
SCRIPT
    chmod 755 "$program"
done
rm -rf "$root"
mv -T "$part/root" "$root"
