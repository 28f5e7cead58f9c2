#!/bin/bash
# Builds the module for arm64 from a source archive of `make dist`, whose crates need no network,
# with what tests/arm64/unpack.sh has unpacked into FOLDER. The module is then MODULE.
#
#   tests/arm64/build.sh FOLDER ARCHIVE MODULE [ARGUMENT OF CARGO BUILD...]
set -euo pipefail

folder=$(realpath "$1") archive=$(realpath "$2") module=$(realpath -m "$3")
shift 3
here=$(dirname "$(realpath "$0")")
tools=$folder/tools sources=$folder/sources
target=aarch64-unknown-linux-gnu

# The same place each time: what was built before is used again.
mkdir -p "$sources" "$folder/built" "$tools"/{asterisk,built,sources}
find "$sources" -mindepth 1 -delete
# The time in the archive is that of its commit. Cargo takes it for the time of a change, so the
# sources get that of now, and the crates, which do not change, always the same.
tar -C "$sources" --strip-components=1 --touch -xf "$archive"
find "$sources/vendor" -exec touch -d @0 {} +

version=$(ASTERISK_EMULATOR=$here/qemu-aarch64 "$here/../asterisk/root.sh" "$folder/asterisk" |
    sed -n 's/^version=//p')
# The tools see the sources, what is built, and Asterisk's root, which is the cross compiler's
# root for headers and libraries too. Mounts and the change of the root are this process's own.
export folder tools version
unshare --map-root-user --mount bash -s -- "$@" <<'END'
set -euo pipefail
for name in sources built asterisk; do
    mount --rbind "$folder/$name" "$tools/$name"
done
for name in dev proc; do
    mount --rbind "/$name" "$tools/$name"
done
exec env -i PATH=/usr/bin HOME=/tmp CARGO_TARGET_DIR=/built \
    CARGO_BUILD_TARGET=aarch64-unknown-linux-gnu \
    CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc \
    CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_LINKER=gcc \
    CFLAGS_aarch64_unknown_linux_gnu=--sysroot=/asterisk \
    ASTERISK_INCLUDE=/asterisk/usr/include \
    CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUSTFLAGS=-Clink-arg=--sysroot=/asterisk \
    BINDGEN_EXTRA_CLANG_ARGS=--sysroot=/asterisk \
    ASTERISK_VERSION="$version" \
    PKG_CONFIG_ALLOW_CROSS=1 PKG_CONFIG_SYSROOT_DIR=/asterisk \
    PKG_CONFIG_LIBDIR=/asterisk/usr/lib/aarch64-linux-gnu/pkgconfig:/asterisk/usr/share/pkgconfig \
    /usr/bin/unshare --root="$tools" --wd=/sources \
    /usr/bin/cargo build --offline --locked "$@"
END
install -D -m 644 "$folder/built/$target/debug/libres_userpresence.so" "$module"
