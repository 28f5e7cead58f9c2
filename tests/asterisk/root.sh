#!/bin/bash
# Finds what an Asterisk consists of below a directory, its root: one that unpack.sh made, the
# DESTDIR or prefix that a source tree was installed into, or / for the one of this machine.
#
#   tests/asterisk/root.sh ROOT     prints it, one KEY=VALUE per line
#   . tests/asterisk/root.sh        defines find_asterisk, which sets the variables
#
#   version    as `asterisk -V` says it, without the name
#   loader     the dynamic loader to run the program with: the root's own, because the C library
#              of this machine may be too old for it; this machine's if the root has none
#   libraries  the directories with the root's libraries, separated by colons
#   program    the program asterisk
#   modules    the directory of the modules
#   data       the directory with documentation, sounds and descriptions of the REST interface
#   include    the directory with asterisk.h, empty if there is none
#   sysroot    the root, if it has what a module is linked with and so should be, else empty

# first SUFFIX PATH...: the first path that exists with this suffix.
first() {
    local suffix=$1 path
    shift
    for path; do
        if [ -e "$path$suffix" ]; then
            echo "$path"
            return
        fi
    done
}

# configured NAME: a directory of the root's own asterisk.conf.
configured() {
    local file path
    file=$(first "" "$root"{,/usr/local}/etc/asterisk/asterisk.conf)
    [ -n "$file" ] || return 0
    path=$(sed -n "s/^[[:blank:]]*$1[[:blank:]]*=>*[[:blank:]]*//p" "$file" | head -n 1)
    # A prefix that is itself the root, for example /opt/asterisk, is written out in the file.
    [ -z "$path" ] || printf '%s\n' "$root$path" "$path"
}

# find_asterisk ROOT
find_asterisk() {
    local root prefixes machine path folders=()
    root=$(realpath -e "$1") || return
    [ "$root" != / ] || root=
    prefixes=("$root/usr" "$root/usr/local" "$root")
    machine=$(uname -m)-linux-gnu

    program=$(first "" "${prefixes[@]/%//sbin/asterisk}")
    if [ -z "$program" ]; then
        echo "there is no Asterisk in ${root:-/}: no sbin/asterisk in it or in its usr or usr/local" >&2
        return 1
    fi
    for path in "${prefixes[@]/%//lib/$machine}" "${prefixes[@]/%//lib64}" "${prefixes[@]/%//lib}"; do
        [ ! -d "$path" ] || folders+=("$path")
    done
    libraries=$(IFS=: && echo "${folders[*]}")
    # Not through a link of the root, which may be absolute and lead to this machine's.
    loader=$(first "" {"$root","$root/usr"}{"/lib/$machine",/lib64,/lib}/ld-linux{-x86-64.so.2,-aarch64.so.1} \
        /lib64/ld-linux-x86-64.so.2 /lib/ld-linux-aarch64.so.1)
    mapfile -t folders < <(configured astmoddir)
    modules=$(first /pbx_config.so "${folders[@]}" "${prefixes[@]/%//lib/$machine/asterisk/modules}" \
        "${prefixes[@]/%//lib64/asterisk/modules}" "${prefixes[@]/%//lib/asterisk/modules}")
    mapfile -t folders < <(configured astdatadir)
    data=$(first /documentation/core-en_US.xml "${folders[@]}" \
        "${prefixes[@]/%//share/asterisk}" "$root/var/lib/asterisk" "${prefixes[@]/%//var/lib/asterisk}")
    include=$(first /asterisk.h "${prefixes[@]/%//include}")
    sysroot=
    if [ -n "$root" ] && [ -e "$root/usr/include/features.h" ] &&
        [ -n "$(first "" "$root"{,/usr}/{"lib/$machine",lib64}/libcurl.so)" ]; then
        sysroot=$root
    fi
    for path in loader modules data; do
        if [ -z "${!path}" ]; then
            echo "the Asterisk in ${root:-/} is not complete: its $path cannot be found" >&2
            return 1
        fi
    done
    version=$("$loader" --library-path "$libraries" "$program" -V) || return
    version=${version#Asterisk }
}

# Executed, not sourced.
if [ "${BASH_SOURCE[0]}" = "$0" ]; then
    set -euo pipefail
    find_asterisk "$1"
    for key in version loader libraries program modules data include sysroot; do
        echo "$key=${!key}"
    done
fi
