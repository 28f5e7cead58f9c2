#!/bin/bash
# Makes the source archive res_userpresence-VERSION.tar.xz in the directory named by the only
# argument: the tracked files of the last commit, its hash in `.commit`, rpm's spec file, and the
# sources of all crates in `vendor`, so that the archive builds without a network.
#
# The same commit gives the same bytes: names are sorted, and the time is that of the commit.
# COMPRESSION is xz's level, 6 if it is not set.
set -euo pipefail
cd "$(dirname "$0")/.."

out=$1
# The targets whose crates are complete. They differ in processors only, so any other Linux
# needs the same crates.
targets=(x86_64-unknown-linux-gnu aarch64-unknown-linux-gnu riscv64gc-unknown-linux-gnu)

fail() {
    echo "dist: $*" >&2
    exit 1
}

# Not another repository, in which an unpacked archive may be.
commit=$([ "$(git rev-parse --show-toplevel)" = "$(pwd -P)" ] && git rev-parse --short HEAD) 2>/dev/null ||
    fail "a source archive is made from a clone of the repository, and this is none"
[ -z "$(git status --porcelain)" ] ||
    echo "dist: the archive holds commit $commit: changes that are not committed are not in it" >&2

mkdir -p "$out"
part=$(mktemp -d "$out/part.XXXXXX")
trap 'rm -rf "$part"' EXIT
trap 'exit 130' INT TERM HUP

git archive HEAD | tar -x -C "$part"
id=$(cargo pkgid --quiet --manifest-path "$part/Cargo.toml" --package res_userpresence)
name=res_userpresence-${id##*[#@]}
mkdir "$part/$name"
find "$part" -mindepth 1 -maxdepth 1 ! -name "$name" -exec mv -t "$part/$name" {} +
root=$part/$name

echo "$commit" >"$root/.commit"
# rpmbuild -ta looks for it.
sed "s/@VERSION@/${id##*[#@]}/" "$root/packaging/rpm/res_userpresence.spec.in" \
    >"$root/packaging/rpm/res_userpresence.spec"
(cd "$root" && cargo vendor --quiet --locked --versioned-dirs vendor >/dev/null)
mkdir "$root/.cargo"
cat >"$root/.cargo/config.toml" <<'END'
[source.crates-io]
replace-with = "vendored-sources"

[source.vendored-sources]
directory = "vendor"
END

# The crates of these targets, as the names of their directories.
needed=$(cd "$root" && cargo tree --quiet --offline --workspace --all-features --edges all \
    "${targets[@]/#/--target=}" --prefix none --format '{p}' |
    sed -n 's/^\([^ ]*\) v\([^ ]*\).*/\1-\2/p' | sort -u)
# Cargo demands that each crate of Cargo.lock is there, also one that only another system
# needs. Of such a crate the manifest and an empty library remain.
for crate in "$root"/vendor/*; do
    checksum=$crate/.cargo-checksum.json
    if grep -qxF "${crate##*/}" <<<"$needed"; then
        # Tests hold compiled programs and other people's documents; libcurl is the
        # system's.
        rm -rf "$crate"/{tests,test-data,test-macros,benches,examples} "$crate"/src/deflate/test-data
        case ${crate##*/} in
            curl-sys-*) rm -rf "$crate/curl" ;;
            libz-sys-*) rm -rf "$crate/src/zlib-ng" ;;
        esac
    else
        find "$crate" -mindepth 1 ! -path "$crate/Cargo.toml" ! -path "$checksum" -delete
        mkdir "$crate/src"
        : >"$crate/src/lib.rs"
    fi
    # Without the list of files, which are no longer all there.
    sed -i 's/"files":{[^}]*}/"files":{}/' "$checksum"
done

binaries=$(find "$root" -type f -size +0 -not -path "$root/doc/images/*" \
    -exec grep -IL '' {} + || true)
[ -z "$binaries" ] || fail "an archive of sources would hold binary files:"$'\n'"$binaries"

# One setting of xz on every machine: the number of threads shows in the bytes.
tar -C "$part" --sort=name --mtime="@$(git log -1 --format=%ct)" \
    --owner=0 --group=0 --numeric-owner --mode='u=rwX,go=rX' --format=gnu -cf - "$name" |
    xz "-${COMPRESSION:-6}" --threads=2 >"$part/archive"
mv "$part/archive" "$out/$name.tar.xz"
echo "dist: $out/$name.tar.xz, commit $commit, $(stat -c %s "$out/$name.tar.xz") bytes"
