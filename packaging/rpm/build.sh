#!/bin/bash
# Makes the rpm package in OUT from a source archive of `make dist`, and prints its path.
#
#   packaging/rpm/build.sh ARCHIVE OUT [MACRO=VALUE...]
#
# The macros are those at the top of the spec file. On a machine of another distribution rpm's own
# list of packages is empty, so what the build requires is not looked up in it.
set -euo pipefail

archive=$(realpath "$1") out=$(realpath -m "$2")
shift 2

macros=(--define "_topdir $out")
for macro; do
    macros+=(--define "${macro%%=*} ${macro#*=}")
done
rpm --query --quiet glibc || macros+=(--nodeps)

mkdir -p "$out"
rm -rf "$out/RPMS"
rpmbuild -tb --quiet "${macros[@]}" "$archive" >&2
rm -rf "$out"/BUILD "$out"/BUILDROOT
find "$out/RPMS" -name 'asterisk-userpresence-[0-9]*.rpm'
