#!/bin/bash
# Makes an rpm package of the built MODULE and looks at what it holds and requires; installs it,
# installs it again and removes it below a directory of its own. OUT holds the source archive; the
# package and the module that it has installed are there afterwards.
#
#   tests/rpm.sh OUT MODULE
set -euo pipefail
cd "$(dirname "$0")/.."

out=$(realpath "$1") module=$(realpath "$2")
minor=$(debian/built-for "$module" minor) next=$(debian/built-for "$module" next)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM HUP

fail() {
    echo "tests/rpm.sh: $*" >&2
    exit 1
}

# has TEXT WHAT EXPECTED: each line of EXPECTED is a line of TEXT.
has() {
    local line
    while read -r line; do
        grep -qxF -- "$line" <<<"$1" || fail "$2: no line '$line' in"$'\n'"$1"
    done <<<"$3"
}

archive=$(echo "$out"/res_userpresence-*.tar.xz)
build() {
    packaging/rpm/build.sh "$archive" "$@" built_module="$module"
}

# A package that promises another release than that of the module is not made.
if build "$work/wrong" asterisk_minor="$next" 2>"$work/why"; then
    fail "a package for Asterisk $next holds a module for $minor"
fi
grep -q "is not built for Asterisk $next" "$work/why" || fail "no reason in"$'\n'"$(cat "$work/why")"

package=$(build "$out" asterisk_minor="$minor")
has "$(rpm -qp --requires "$package")" requires "asterisk >= $minor
asterisk < $next
libcurl.so.4()(64bit)
config(asterisk-userpresence) = $(rpm -qp --qf '%{VERSION}-%{RELEASE}' "$package")"
# Older versions of rpm name the directories of documents with the version. Flags: c is configuration, n keeps the administrator's file, d and l are documentation.
has "$(rpm -qp --qf '[%{FILENAMES} %{FILEMODES:perms} %{FILEUSERNAME} %{FILEFLAGS:fflags}\n]' "$package" |
    sed 's/ *$//; s/asterisk-userpresence-[0-9.]*/asterisk-userpresence/')" files "/etc/asterisk/userpresence.conf -rw-r----- asterisk cn
/etc/asterisk/userpresence.conf.sample -rw-r----- asterisk c
/usr/lib64/asterisk/modules/res_userpresence.so -rwxr-xr-x root
/usr/share/asterisk/documentation/thirdparty/res_userpresence-en_US.xml -rw-r--r-- root
/usr/share/asterisk/rest-api/userPresence.json -rw-r--r-- root
/usr/share/licenses/asterisk-userpresence/LICENSE -rw-r--r-- root l"

# The scripts need an Asterisk that runs: the tests in Asterisk call them.
in_root() {
    unshare --map-root-user rpm --root "$work/root" --nodeps --noscripts "$@" 2>"$work/said" ||
        fail "rpm $*: $(cat "$work/said")"
    # The user does not exist below this root, and Debian's rpm points to Debian's own tools.
    if grep -v -e '^rpm: ' -e ' does not exist - using root' -e '^warning: .* saved as ' "$work/said"; then
        fail "rpm $*: unexpected warnings"
    fi
}
mkdir "$work/root"
conf=$work/root/etc/asterisk/userpresence.conf
in_root -i "$package"
cp "$work/root/usr/lib64/asterisk/modules/res_userpresence.so" "$out"
echo '[alice]' >>"$conf"
in_root -U --replacepkgs "$package"
[ "$(tail -n 1 "$conf")" = '[alice]' ] || fail "the administrator's configuration is gone"
in_root -e asterisk-userpresence
[ "$(tail -n 1 "$conf.rpmsave")" = '[alice]' ] || fail "the administrator's configuration was removed"
left=$(find "$work/root" ! -type d -path '*userpresence*' ! -name userpresence.conf.rpmsave)
[ -z "$left" ] || fail "left behind:"$'\n'"$left"
mv "$package" "$out/asterisk-userpresence.rpm"
