//! Compiles `include/module.c`, by which Asterisk's loader knows the module, and links the
//! module.
//!
//! `crates/asterisk` finds Asterisk's headers and compiles its own C code; its build script
//! passes on where both are. Without the feature `asterisk` this script does nothing.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    #[cfg(feature = "asterisk")]
    module::build();
}

#[cfg(feature = "asterisk")]
mod module {
    use std::ffi::OsString;
    use std::path::PathBuf;
    use std::process::{Command, exit};

    pub fn build() {
        let shim = variable("DEP_ASTERISK_SHIM");
        require_libcurl();
        let module = compile();
        let link = |argument: &str| println!("cargo::rustc-link-arg-cdylib={argument}");
        // Whole: nothing refers to the constructor by which the module registers itself.
        link("-Wl,--whole-archive");
        link(&module.to_string_lossy());
        link(&shim.to_string_lossy());
        link("-Wl,--no-whole-archive");
        // Asterisk's threads may run destructors of the module's thread locals after an unload.
        link("-Wl,-z,nodelete");
        // Some linkers and some builds of gcc add no build id by default. The module compares
        // it with that of its file, to notice that the file is newer than the running code.
        link("-Wl,--build-id=sha1");
    }

    /// Compiles what the loader reads, and returns the archive.
    fn compile() -> PathBuf {
        println!("cargo::rerun-if-changed=include/module.c");
        // The loader expects the name of the file without its ending.
        let name = env!("CARGO_PKG_NAME");
        cc::Build::new()
            .define("AST_MODULE", &*format!("\"{name}\""))
            .define("AST_MODULE_SELF_SYM", &*format!("__internal_{name}_self"))
            .define("_GNU_SOURCE", None)
            .file("include/module.c")
            .include(variable("DEP_ASTERISK_INCLUDE"))
            .flag("-std=gnu99")
            .flag_if_supported("-fblocks")
            // Asterisk's own headers do not pass them.
            .extra_warnings(false)
            .cargo_metadata(false)
            .compile("module");
        PathBuf::from(variable("OUT_DIR")).join("libmodule.a")
    }

    /// Without libcurl's headers the crate `curl` would build its own libcurl, without TLS.
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

    fn variable(name: &str) -> OsString {
        std::env::var_os(name).unwrap_or_else(|| fail(&format!("{name} is not set")))
    }

    /// Fails the build with this message. Cargo ends with an error because of it; if the
    /// script itself failed, Cargo would repeat all of its output.
    fn fail(message: &str) -> ! {
        for line in message.lines() {
            println!("cargo::error={line}");
        }
        exit(0)
    }
}
