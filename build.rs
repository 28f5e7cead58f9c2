//! Links the module: what Asterisk's loader needs beside the Rust code.
//!
//! The headers, the bindings and the C shim are the business of `crates/asterisk`, whose
//! build script tells this one where the shim is. Without the feature `asterisk` this does
//! nothing.

use std::process::{Command, exit};

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let Some(shim) = std::env::var_os("DEP_ASTERISK_SHIM") else {
        return;
    };
    require_libcurl();
    let link = |argument: &str| println!("cargo::rustc-link-arg-cdylib={argument}");
    // Whole, because nothing calls the constructor that registers the module.
    link("-Wl,--whole-archive");
    link(&shim.to_string_lossy());
    link("-Wl,--no-whole-archive");
    // Asterisk's threads may hold destructors of the module's thread locals after an unload.
    link("-Wl,-z,nodelete");
    // Some linkers and some builds of gcc leave the build id out unless asked for it. By it
    // the module finds that the file is newer than the code that runs.
    link("-Wl,--build-id=sha1");
}

/// Where there is none to link, the crate `curl` builds its own, without TLS.
fn require_libcurl() {
    let found = Command::new("pkg-config")
        .args(["--exists", "libcurl"])
        .status();
    if !found.is_ok_and(|status| status.success()) {
        fail(
            "libcurl's headers are missing: pkg-config finds no libcurl.\n\
             apt install pkg-config libcurl4-openssl-dev",
        );
    }
}

/// Fails the build with this message and nothing else: Cargo ends with an error for it,
/// and would repeat all output if the script did so itself.
fn fail(message: &str) -> ! {
    for line in message.lines() {
        println!("cargo::error={line}");
    }
    exit(0)
}
