# shellcheck shell=bash disable=SC2034
# For install.sh: the Asterisk of this machine, its directories, and what the module was built for.
#
# In: FILE, the module's name; optional: ASTERISK (its program), CONFIG_DIR, MODULES_DIR, DATA_DIR,
#     DESTDIR
# Out: see each function. None of them writes anything.

declare -A at why

die() {
    local line
    for line in "$@"; do
        echo "$line" >&2
    done
    exit 1
}

# --- the program -----------------------------------------------------------

# Sets program to Asterisk's program, or to nothing.
find_program() {
    local place
    program=
    if [ -n "${ASTERISK-}" ]; then
        program=$(command -v "$ASTERISK") || die "ASTERISK=$ASTERISK is not a program"
        return
    fi
    # sudo and cron search no sbin.
    for place in asterisk /usr/sbin/asterisk /usr/local/sbin/asterisk /opt/asterisk/sbin/asterisk; do
        if program=$(command -v "$place"); then
            return
        fi
    done
}

# Runs Asterisk's program with the configuration that CONFIG_DIR names, or with its own.
run_program() {
    local conf=()
    [ -z "${CONFIG_DIR-}" ] || conf=(-C "$CONFIG_DIR/asterisk.conf")
    timeout 20 "$program" "${conf[@]}" "$@" 2>/dev/null </dev/null
}

# rx COMMAND: the answer of the running Asterisk, without colours; fails if none answers.
rx() {
    local answer
    [ -n "$program" ] && answer=$(run_program -rx "$1") || return 1
    # shellcheck disable=SC2001
    sed $'s/\e\\[[0-9;]*[mK]//g' <<<"$answer"
}

# Sets running_version to the version of the Asterisk that answers, or to nothing, and settings to
# what it says of itself.
ask_running() {
    local answer
    running_version='' settings=''
    if answer=$(rx 'core show version'); then
        running_version=$(version_in "$answer")
        settings=$(rx 'core show settings') || settings=
    fi
}

# Sets file_version to the version of the program's file, or to nothing.
ask_file() {
    local answer
    file_version=
    if [ -n "$program" ] && answer=$(run_program -V); then
        file_version=$(version_in "$answer")
    fi
}

# version_in TEXT: the word after "Asterisk".
version_in() {
    sed -n 's/^Asterisk \([^ ]*\).*/\1/p' <<<"$1" | head -n 1
}

# release_of VERSION: what is compared, as the module does it at its load. Modules fit every patch of
# one minor release, every patch of one certified release, and only the very same development version.
release_of() {
    if [[ $1 =~ ^(certified[/-]*)?([0-9]+\.[0-9]+)(-cert)? ]]; then
        [ -z "${BASH_REMATCH[1]}${BASH_REMATCH[3]}" ] || echo -n certified/
        echo "${BASH_REMATCH[2]}"
    else
        echo "$1"
    fi
}

# --- the build option sum --------------------------------------------------

# sums_in FILE...: each build option sum in these files, with how often it is there; the most
# frequent first. Every module holds the one it was built with, and so does the program.
sums_in() {
    LC_ALL=C grep -ahoP '\x00\K[0-9a-f]{32}(?=\x00)' "$@" 2>/dev/null | sort | uniq -c | sort -rn || true
}

# Sets installed_sum to the build option sum of the installed Asterisk, or to nothing, and sum_from
# to where it was read.
find_sum() {
    local file modules=() include
    installed_sum='' sum_from=''
    for file in "${at[modules]}"/*.so; do
        # Not the one that an earlier install left there.
        # shellcheck disable=SC2153
        [ "${file##*/}" = "$FILE" ] || [ ! -f "$file" ] || modules+=("$file")
    done
    if [ ${#modules[@]} -gt 0 ]; then
        installed_sum=$(sums_in "${modules[@]}" | awk 'NR == 1 { print $2 }')
        sum_from="the modules in ${at[modules]}"
    fi
    if [ -z "$installed_sum" ] && [ -n "$program" ]; then
        installed_sum=$(sums_in "$program" | awk 'NR == 1 { print $2 }')
        sum_from=$program
    fi
    if [ -z "$installed_sum" ] && include=$(find_headers); then
        installed_sum=$(sed -n 's/^#define AST_BUILDOPT_SUM "\(.*\)"/\1/p' \
            "$include/asterisk/buildopts.h" 2>/dev/null) || true
        sum_from=$include/asterisk/buildopts.h
    fi
}

# Prints the directory with the headers of the installed Asterisk; fails if there are none.
find_headers() {
    local place prefix
    prefix=$(dirname "$(dirname "${program:-/usr/sbin/asterisk}")")
    for place in ${ASTERISK_INCLUDE:+"$ASTERISK_INCLUDE"} "$prefix/include" /usr/include \
        /usr/local/include; do
        if [ -f "$place/asterisk.h" ]; then
            echo "$place"
            return
        fi
    done
    return 1
}

# --- what was built --------------------------------------------------------

# read_built MODULE: sets built_version and built_sum to what the module's file says.
read_built() {
    local line
    line=$(LC_ALL=C grep -aoP 'res_userpresence [^;\x00]*; commit [^;\x00]*; built for Asterisk [^;\x00]*; build option sum [0-9a-f]{32}' \
        "$1" | head -n 1) || true
    built_version=$(sed -n 's/.*; built for Asterisk \(.*\); build option sum .*/\1/p' <<<"$line")
    built_sum=${line##* }
    [ -n "$built_version" ] || die "$1 does not say for which Asterisk it was built, so it is an older build." \
        "Build it anew: make rebuild"
}

# --- directories -----------------------------------------------------------

# set_in_running LABEL: the directory of that name in what the running Asterisk says of itself.
set_in_running() {
    sed -n "s/^ *$1: *\(\/.*[^ ]\) *\$/\1/p" <<<"$settings" | head -n 1
}

# set_in_file NAME: the value in section [directories] of asterisk.conf. The section that ends in
# (!) is a template, which Asterisk does not read; `;` begins a comment, `;--` one of several lines.
set_in_file() {
    [ -r "$asterisk_conf" ] || return 0
    awk -v wanted="$1" '
        {
            line = ""
            text = $0
            while (text != "") {
                if (deep) {
                    at = index(text, "--;")
                    if (!at) { text = ""; break }
                    deep = 0; text = substr(text, at + 3)
                } else {
                    at = index(text, ";")
                    if (!at) { line = line text; text = ""; break }
                    line = line substr(text, 1, at - 1)
                    rest = substr(text, at)
                    if (rest ~ /^;--([^-]|$)/) { deep = 1; text = substr(rest, 4) } else text = ""
                }
            }
        }
        line ~ /^[ \t]*\[/ {
            inside = line ~ /^[ \t]*\[directories\][ \t]*(\(\+\))?[ \t]*$/
            next
        }
        inside && (at = index(line, "=")) {
            name = substr(line, 1, at - 1)
            value = substr(line, at + 1)
            sub(/^>/, "", value)
            gsub(/^[ \t]+|[ \t]+$/, "", name)
            gsub(/^[ \t]+|[ \t\r]+$/, "", value)
            if (tolower(name) == wanted && value != "") found = value
        }
        END { if (found != "") print found }
    ' "$asterisk_conf"
}

# compiled_in PATTERN: the paths in the program that match it: its own default directories.
compiled_in() {
    [ -n "$program" ] || return 0
    LC_ALL=C grep -aoP "\\x00\\K/[^\\x00 %]*$1(?=\\x00)" "$program" 2>/dev/null | awk '!seen[$0]++' || true
}

# first_directory WITH DIR...: the first of these directories that holds WITH.
first_directory() {
    local with=$1 dir
    shift
    for dir; do
        if [ -e "$dir/$with" ]; then
            echo "$dir"
            return
        fi
    done
}

# take NAME GIVEN RUNNING FILE COMPILED USUAL: sets at[NAME] to the first value that is not empty,
# and why[NAME] to where it comes from.
take() {
    local value=$6
    why[$1]='the usual place'
    if [ -n "$2" ]; then
        value=$2 why[$1]=given
    elif [ -n "$3" ]; then
        value=$3 why[$1]='the running Asterisk says so'
    elif [ -n "$4" ]; then
        value=$4 why[$1]="$asterisk_conf says so"
    elif [ -n "$5" ]; then
        value=$5 why[$1]="compiled into $program"
    fi
    at[$1]=${value%/}
}

# Sets at and why for config, modules and data.
find_directories() {
    local multiarch conf dirs
    multiarch=$(cc -print-multiarch 2>/dev/null) || multiarch=
    if [ -n "${DESTDIR-}" ]; then
        # A package: what this machine runs and how that is configured does not matter.
        program='' settings=''
        asterisk_conf=$DESTDIR${CONFIG_DIR:-/etc/asterisk}/asterisk.conf
    else
        conf=$(sed -n 's/^ *Configuration file: *//p' <<<"$settings")
        [ -z "${CONFIG_DIR-}" ] || conf=$CONFIG_DIR/asterisk.conf
        [ -n "$conf" ] || conf=$(compiled_in '/asterisk\.conf' | head -n 1)
        asterisk_conf=${conf:-/etc/asterisk/asterisk.conf}
    fi
    take config "${CONFIG_DIR-}" "$(set_in_running 'Configuration directory')" \
        "$(set_in_file astetcdir)" "$(dirname "$(compiled_in '/asterisk\.conf' | head -n 1)" | grep '^/')" \
        /etc/asterisk
    take modules "${MODULES_DIR-}" "$(set_in_running 'Module directory')" \
        "$(set_in_file astmoddir)" "$(compiled_in /modules | head -n 1)" \
        "$(first_directory . ${multiarch:+"/usr/lib/$multiarch/asterisk/modules"} \
            /usr/lib64/asterisk/modules /usr/lib/asterisk/modules /usr/local/lib/asterisk/modules)"
    : "${at[modules]:=/usr/lib/asterisk/modules}"
    mapfile -t dirs < <(compiled_in /asterisk)
    take data "${DATA_DIR-}" "$(set_in_running 'Data directory')" "$(set_in_file astdatadir)" \
        "$(first_directory documentation "${dirs[@]}")" \
        "$(first_directory documentation /usr/share/asterisk /var/lib/asterisk)"
    : "${at[data]:=/var/lib/asterisk}"
}
