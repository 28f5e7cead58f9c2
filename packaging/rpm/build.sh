#!/bin/bash
# Makes the rpm package in OUT, from the source archive, for the Asterisk whose headers are in
# INCLUDE and whose minor release is MINOR. On a machine of another distribution rpm's own list
# of packages is empty, so what the build requires is not looked up there.
#
#   packaging/rpm/build.sh ARCHIVE OUT INCLUDE MINOR [MACRO=VALUE...]
set -euo pipefail

archive=$(realpath "$1") out=$(realpath -m "$2") include=$(realpath "$3") minor=$4
shift 4

macros=(--define "_topdir $out" --define "asterisk_include $include"
    --define "asterisk_minor $minor")
for macro; do
    macros+=(--define "${macro%%=*} ${macro#*=}")
done
rpm --query --quiet glibc || macros+=(--nodeps)

mkdir -p "$out"
rpmbuild -tb --quiet "${macros[@]}" "$archive"
rm -rf "$out/BUILD" "$out/BUILDROOT"
find "$out/RPMS" -name '*.rpm'
