#!/bin/bash
# valgrind.sh FOLDER ROOT MODULE TEST...: runs these tests with Asterisk under valgrind's
# memcheck, and fails if a report names the module.
#
# Valgrind has to know the C library of the Asterisk in ROOT, so it and the debug information
# come from the same release of Debian, unpacked below FOLDER.
# DEBIAN_MIRROR replaces mmdebstrap's own choice of a mirror.
set -euo pipefail

folder=$(realpath -m "$1")
root=$(realpath "$2")
module=$(realpath "$3")
shift 3
# The Debian release of the Asterisk in ROOT.
suite=forky

if [ ! -x "$folder/root/usr/bin/valgrind.bin" ]; then
    echo "valgrind: unpacking valgrind and libc6-dbg into $folder"
    rm -rf "$folder/root"
    mkdir -p "$folder"
    mmdebstrap --quiet --mode=chrootless --variant=extract \
        --aptopt='Acquire::Check-Valid-Until "false"' \
        --include=libc6-dbg,valgrind \
        "$suite" "$folder/root" ${DEBIAN_MIRROR:+"$DEBIAN_MIRROR"}
fi

# Valgrind looks for the loader's symbols beside the loader.
libraries=$(echo "$root"/usr/lib/*-linux-gnu)
mkdir -p "$libraries/.debug"
for file in "$libraries"/ld-linux-*.so.? "$libraries/libc.so.6"; do
    id=$(readelf -n "$file" | awk '/Build ID/ { print $3 }')
    cp -f "$folder/root/usr/lib/debug/.build-id/${id:0:2}/${id:2}.debug" "$libraries/.debug/"
done

rm -f "$folder"/*.txt
USERPRESENCE_VALGRIND=$folder USERPRESENCE_MODULE=$module \
    USERPRESENCE_SELFTEST_MODULE=$module \
    cargo test --no-default-features --features in-asterisk --test asterisk -- \
    --test-threads=1 "$@"

reports=("$folder"/*.txt)
if [ ! -s "${reports[0]}" ] || ! grep -q 'ERROR SUMMARY' "${reports[@]}"; then
    echo "valgrind: no complete report in $folder: no test has stopped its Asterisk"
    exit 1
fi
# A report is a list of paragraphs; one that names the module is about it.
if awk -v RS='==[0-9]+== *\n' '/res_userpresence/ && /Invalid|uninitialised|lost|overlap|Mismatched/' \
    "${reports[@]}" | grep .; then
    echo "valgrind: the reports in $folder name the module"
    exit 1
fi
grep -h 'ERROR SUMMARY' "${reports[@]}" | sed 's/^==[0-9]*==/valgrind:/'
echo 'valgrind: nothing in the module'
