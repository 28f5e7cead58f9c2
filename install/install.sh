#!/bin/bash
# Installs the module into this machine's Asterisk, or removes it again.
#
#   install/install.sh install MODULE   look whether it fits, then install
#   install/install.sh uninstall        remove what install has put there
#   install/install.sh headers          print where the installed Asterisk's headers are
#
# All by the environment, and optional:
#   ASTERISK                           Asterisk's program
#   CONFIG_DIR, MODULES_DIR, DATA_DIR  the directories, instead of those that are found
#   DESTDIR                            install below it, for a package: nothing is looked at
#   FORCE=yes                          install although it does not fit
#   PURGE=yes                          uninstall removes userpresence.conf too
set -euo pipefail
cd "$(dirname "$0")/.."

FILE=res_userpresence.so
XML=res_userpresence-en_US.xml
REST=userPresence.json
LIVE=userpresence.conf

# shellcheck source=install/found.sh
. install/found.sh

look() {
    running_version='' file_version='' settings=''
    if [ -n "${DESTDIR-}" ]; then
        find_directories
        return
    fi
    find_program
    ask_running
    ask_file
    find_directories
}

# Says which Asterisk and which directories were found.
say_what_was_found() {
    if [ -n "$running_version" ]; then
        echo "Asterisk $running_version runs ($program)"
    elif [ -n "$program" ]; then
        echo "Asterisk ${file_version:-of unknown version} does not run or does not answer ($program)"
    fi
    echo "  modules        ${at[modules]} (${why[modules]})"
    echo "  configuration  ${at[config]} (${why[config]})"
    echo "  data           ${at[data]} (${why[data]})"
}

# Stops with this message, unless FORCE=yes.
mismatch() {
    if [ "${FORCE-}" = yes ]; then
        printf '%s\n' "$@" 'FORCE=yes: installed all the same' >&2
        return
    fi
    die "$@" 'Nothing was installed. FORCE=yes installs it all the same.'
}

# What to do about a module that does not fit.
way_out() {
    local include
    if [ "${REBUILT-}" != yes ]; then
        echo 'Build it for the installed Asterisk and install it: make rebuild'
    elif include=$(find_headers); then
        echo "It was just built with the headers in $include, so these belong to another Asterisk: install" \
            "those of $1 (Debian: apt install asterisk-dev), then make rebuild again." \
            'make rebuild ASTERISK_INCLUDE=DIR names others.'
    fi
}

# Whether the module fits the installed Asterisk. What starts next decides: the program's file. It
# differs from what runs after an upgrade without a restart.
check() {
    local version=${file_version:-$running_version}
    read_built "$1"
    if [ -z "$program" ]; then
        mismatch 'No Asterisk was found: it is not in PATH, /usr/sbin, /usr/local/sbin or /opt/asterisk/sbin.' \
            'ASTERISK=/path/to/asterisk names it. To install without one, give MODULES_DIR, CONFIG_DIR' \
            'and DATA_DIR too.'
        return
    fi
    if [ -z "$version" ]; then
        mismatch "The version of $program is unknown: '$program -V' gives none." \
            "The module was built for Asterisk $built_version."
        return
    fi
    if [ "$(release_of "$version")" != "$(release_of "$built_version")" ]; then
        mismatch "The module does not fit: it was built for Asterisk $built_version, and $program is" \
            "Asterisk $version." "$(way_out "Asterisk $version")"
        return
    fi
    find_sum
    if [ -z "$installed_sum" ]; then
        echo "The build option sum of $program is unknown: it is compared when the module is loaded" >&2
    elif [ "$installed_sum" != "$built_sum" ]; then
        mismatch "The module does not fit: its build option sum is $built_sum, and that of $sum_from" \
            "is $installed_sum." "$(way_out "the Asterisk in ${at[modules]}")"
        return
    fi
    echo "The module was built for Asterisk $built_version and fits"
}

# put MODE FROM TO: a file is replaced by a rename, so Asterisk never has a part of it, and what it
# has mapped of the old one stays as it is.
put() {
    mkdir -p "$(dirname "$3")"
    install -m "$1" "$2" "$3.new"
    mv -f "$3.new" "$3"
    echo "installed $3"
}

# put_config FROM NAME: the configuration may hold hashes of passwords and secrets, so only Asterisk
# may read it, as the owner of asterisk.conf or, without that file, of the directory. Only root may
# change a file's owner; a package does so when it is installed.
put_config() {
    local to=$DESTDIR${at[config]}/$2 like=$DESTDIR${at[config]}/asterisk.conf
    mkdir -p "$DESTDIR${at[config]}"
    install -m 640 "$1" "$to.new"
    if [ "$(id -u)" = 0 ]; then
        [ -e "$like" ] || like=$DESTDIR${at[config]}
        chown --reference="$like" "$to.new"
    fi
    mv -f "$to.new" "$to"
    echo "installed $to"
}

# Fails if a directory cannot be written to, before anything is.
check_rights() {
    local dir
    for dir; do
        while [ ! -e "$dir" ]; do
            dir=$(dirname "$dir")
        done
        [ -w "$dir" ] || die "$dir cannot be written to by $(id -un). Nothing was installed: sudo make install"
    done
}

is_mapped() {
    grep -qsF " ${at[modules]}/$FILE" /proc/[0-9]*/maps
}

# What to do next.
say_next() {
    local loaded
    if [ -z "$running_version" ]; then
        echo "Next: start Asterisk. With autoload = no, modules.conf needs: load = $FILE"
        return
    fi
    loaded=$(rx "module show like ${FILE%.so}") || loaded=
    if [ -n "$file_version" ] && [ "$(release_of "$file_version")" != "$(release_of "$running_version")" ]; then
        echo "Next: restart Asterisk. It still runs $running_version, and $program is $file_version."
    elif "$was_mapped" || grep -q "^$FILE" <<<"$loaded"; then
        echo 'Next: restart Asterisk. It keeps the build that it has loaded before in memory until then.'
    else
        echo "Next: asterisk -rx 'module load $FILE'"
    fi
}

do_install() {
    local module=$1 sample newer was_mapped=false
    look
    if [ -z "$DESTDIR" ]; then
        [ -z "$program" ] || say_what_was_found
        check "$module"
        check_rights "${at[modules]}" "${at[config]}" "${at[data]}/documentation/thirdparty" "${at[data]}/rest-api"
        # Before the file is replaced: afterwards its name is another one there.
        ! is_mapped || was_mapped=true
    fi
    put 755 "$module" "$DESTDIR${at[modules]}/$FILE"
    put 644 "doc/$XML" "$DESTDIR${at[data]}/documentation/thirdparty/$XML"
    put 644 "doc/rest-api/$REST" "$DESTDIR${at[data]}/rest-api/$REST"
    for sample in configs/samples/*.sample; do
        put_config "$sample" "${sample##*/}"
    done
    # Without an active line; it never replaces a file.
    if [ -e "$DESTDIR${at[config]}/$LIVE" ]; then
        echo "kept $DESTDIR${at[config]}/$LIVE"
    else
        put_config "configs/$LIVE" "$LIVE"
    fi
    if [ -z "$DESTDIR" ]; then
        newer=$(find Cargo.toml Cargo.lock build.rs src crates include -type f -newer "$module" -print -quit)
        [ -z "$newer" ] || echo "The sources are newer than this build of the module ($newer): make rebuild"
        say_next
    fi
}

# take_away FILE: removes it if it is there; what fails is said and counted.
take_away() {
    [ -e "$1" ] || [ -L "$1" ] || return 0
    if rm -f "$1"; then
        echo "removed $1"
        removed=$((removed + 1))
    else
        failed=$((failed + 1))
    fi
}

do_uninstall() {
    local sample loaded failed=0 removed=0 live
    look
    if [ -z "$DESTDIR" ]; then
        say_what_was_found
    fi
    live=$DESTDIR${at[config]}/$LIVE
    take_away "$DESTDIR${at[modules]}/$FILE"
    take_away "$DESTDIR${at[data]}/documentation/thirdparty/$XML"
    take_away "$DESTDIR${at[data]}/rest-api/$REST"
    for sample in configs/samples/*.sample; do
        take_away "$DESTDIR${at[config]}/${sample##*/}"
    done
    if [ "${PURGE-}" = yes ]; then
        take_away "$live"
    elif [ -e "$live" ]; then
        echo "kept $live (PURGE=yes removes it)"
    fi
    [ "$removed" -gt 0 ] || [ "$failed" -gt 0 ] || echo 'Nothing of the module is there.'
    if [ -z "$DESTDIR" ]; then
        if grep -Eqs "^[[:blank:]]*(pre)?(load|require|load-required|preload-require)[[:blank:]]*=>?[[:blank:]]*${FILE%.so}" \
            "${at[config]}/modules.conf"; then
            echo "${at[config]}/modules.conf still names $FILE: remove the line"
        fi
        loaded=$(rx "module show like ${FILE%.so}") || loaded=
        if grep "^$FILE" <<<"$loaded" | grep -qv 'Not Running'; then
            echo "The running Asterisk keeps the module's code until: asterisk -rx 'module unload $FILE'"
        fi
    fi
    [ "$failed" = 0 ] || die "$failed files could not be removed: sudo make uninstall"
}

DESTDIR=${DESTDIR-}
case ${1-} in
    install)
        [ -f "${2-}" ] || die "There is no module ${2-}: make build"
        do_install "$2"
        ;;
    uninstall) do_uninstall ;;
    headers)
        find_program
        find_headers || die "The headers of the installed Asterisk are missing." \
            'Debian: apt install asterisk-dev. Others: make rebuild ASTERISK_INCLUDE=DIR, where DIR holds asterisk.h'
        ;;
    *) die "usage: install.sh install MODULE | uninstall | headers" ;;
esac
