//! Compiles `include/module.c`, by which Asterisk's loader knows the module, links the module,
//! compresses the files of the board, and finds the commit of the sources.
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
    use std::fs;
    use std::path::{Path, PathBuf};
    use std::process::{Command, exit};

    use super::{board, commit};

    pub fn build() {
        board::build(&PathBuf::from(variable("OUT_DIR")));
        let commit = commit::find().unwrap_or_else(|why| fail(&why));
        println!("cargo::rustc-env=USERPRESENCE_COMMIT={commit}");
        let of_headers = |name| variable(name).to_string_lossy().into_owned();
        println!(
            "cargo::rustc-env=USERPRESENCE_LABEL={} {}; commit {commit}; built for Asterisk {}; \
             build option sum {}",
            env!("CARGO_PKG_NAME"),
            env!("CARGO_PKG_VERSION"),
            of_headers("DEP_ASTERISK_VERSION"),
            of_headers("DEP_ASTERISK_SUM"),
        );
        let shim = variable("DEP_ASTERISK_SHIM");
        require_libcurl();
        let sysroot = std::env::var_os("DEP_ASTERISK_SYSROOT");
        let sysroot = sysroot.map(|folder| format!("--sysroot={}", folder.to_string_lossy()));
        let module = compile(sysroot.as_deref());
        let link = |argument: &str| println!("cargo::rustc-link-arg-cdylib={argument}");
        if let Some(argument) = &sysroot {
            link(argument);
            search_libraries(Path::new(argument.trim_start_matches("--sysroot=")));
        }
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
    fn compile(sysroot: Option<&str>) -> PathBuf {
        println!("cargo::rerun-if-changed=include/module.c");
        // The loader expects the name of the file without its ending.
        let name = env!("CARGO_PKG_NAME");
        let mut build = cc::Build::new();
        if let Some(sysroot) = sysroot {
            build.flag(sysroot);
        }
        build
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

    /// Has the linker look into the root first. The build script of `curl` names the folder of
    /// this machine's libraries, where the linker would find this machine's C library too.
    fn search_libraries(root: &Path) {
        let multiarch = fs::read_dir(root.join("usr/lib")).into_iter().flatten();
        let folders = multiarch.flatten().map(|entry| entry.path());
        let folders = folders.chain([root.join("usr/lib64"), root.join("usr/lib")]);
        for folder in folders.filter(|folder| folder.join("libc.so").is_file()) {
            println!("cargo::rustc-link-search=native={}", folder.display());
        }
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

/// The files of the board, as they are and compressed: browsers take both, and a page of a
/// hundred people opens with a third of the bytes.
#[cfg(feature = "asterisk")]
mod board {
    use std::collections::BTreeMap;
    use std::fmt::Write as _;
    use std::fs;
    use std::io::Write as _;
    use std::path::Path;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    const FOLDER: &str = "src/web/site/board";
    /// The table of texts, of which each browser gets one language.
    const STRINGS: &str = "strings.json";
    /// The columns of the table.
    const LANGUAGES: [&str; 6] = ["en", "de", "fr", "es", "pt", "it"];

    /// Writes `board.rs`, a list of the files, into that directory.
    pub fn build(out: &Path) {
        println!("cargo::rerun-if-changed={FOLDER}");
        let folder = fs::read_dir(FOLDER).expect("the board's folder");
        let mut files: Vec<(String, String)> = folder
            .map(|entry| {
                let path = entry.expect("a file of the board").path();
                println!("cargo::rerun-if-changed={}", path.display());
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                let text = fs::read_to_string(&path).expect("a file of the board is UTF-8");
                (name.into_owned(), text)
            })
            .collect();
        files.sort();
        let strings = files.iter().position(|(name, _)| name == STRINGS);
        let (_, table) = files.remove(strings.expect("the table of texts"));
        files.extend(languages(&table));

        let mut list = String::from("&[\n");
        for (name, text) in &files {
            let (plain, packed) = (out.join(name), out.join(format!("{name}.gz")));
            fs::write(&plain, text).expect("the output directory");
            fs::write(&packed, gzip(text)).expect("the output directory");
            let address = if name == "index.html" { "" } else { name };
            let kind = kind(name);
            let _ = writeln!(
                list,
                "BoardFile {{ name: {address:?}, kind: {kind:?}, text: include_str!({plain:?}), \
                 gzip: include_bytes!({packed:?}) }},"
            );
        }
        list.push(']');
        fs::write(out.join("board.rs"), list).expect("the output directory");
    }

    /// The texts of each language as a JSON object.
    fn languages(table: &str) -> impl Iterator<Item = (String, String)> {
        let table: BTreeMap<String, [String; LANGUAGES.len()]> =
            serde_json::from_str(table).expect("the table of texts");
        LANGUAGES.iter().enumerate().map(move |(column, language)| {
            let texts = table.iter().map(|(key, texts)| (key, &texts[column]));
            let texts: BTreeMap<_, _> = texts.collect();
            let json = serde_json::to_string(&texts).expect("texts always serialise");
            (format!("strings-{language}.json"), json)
        })
    }

    fn gzip(text: &str) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(text.as_bytes()).expect("memory");
        encoder.finish().expect("memory")
    }

    fn kind(name: &str) -> &'static str {
        match name.rsplit('.').next() {
            Some("html") => "text/html; charset=utf-8",
            Some("css") => "text/css; charset=utf-8",
            Some("js") => "text/javascript; charset=utf-8",
            Some("json") => "application/json",
            Some("svg") => "image/svg+xml",
            Some("webmanifest") => "application/manifest+json",
            _ => panic!("{name}: a file of an unknown kind"),
        }
    }
}

/// The commit that the module is built from, as `userpresence show version` shows it.
#[cfg(feature = "asterisk")]
mod commit {
    use std::fs;
    use std::path::Path;
    use std::process::Command;

    /// Written by `make dist`, beside this file.
    const FILE: &str = ".commit";
    /// What the module is built from.
    const SOURCES: [&str; 6] = [
        "build.rs",
        "Cargo.lock",
        "Cargo.toml",
        "crates",
        "include",
        "src",
    ];

    /// The commit by `SOURCE_COMMIT`, by the file of a source archive, or by git; `unknown`
    /// without any of them.
    ///
    /// # Errors
    /// What was given as a commit does not look like one.
    pub fn find() -> Result<String, String> {
        println!("cargo::rerun-if-env-changed=SOURCE_COMMIT");
        let given = std::env::var("SOURCE_COMMIT").unwrap_or_default();
        if !given.is_empty() {
            return checked("SOURCE_COMMIT", &given);
        }
        if let Ok(text) = fs::read_to_string(FILE) {
            println!("cargo::rerun-if-changed={FILE}");
            return checked(FILE, text.trim());
        }
        let is_clone = Path::new(".git").exists();
        let commit = is_clone.then(by_git).flatten();
        Ok(commit.unwrap_or_else(|| "unknown".to_owned()))
    }

    fn checked(origin: &str, commit: &str) -> Result<String, String> {
        let good = |c: char| c.is_ascii_alphanumeric() || "._+-".contains(c);
        if (1..=64).contains(&commit.len()) && commit.chars().all(good) {
            return Ok(commit.to_owned());
        }
        Err(format!(
            "{origin} is '{commit}', expected a commit: 1 to 64 letters, digits and . _ + -"
        ))
    }

    /// The short hash, with `-dirty` if the sources differ from that commit.
    fn by_git() -> Option<String> {
        // Each of them changes with a commit or a checkout. Cargo would run this script at every
        // build if one of them did not exist.
        let reference = git(&["rev-parse", "--symbolic-full-name", "HEAD"])?;
        for name in ["HEAD", "logs/HEAD", &reference] {
            let path = git(&["rev-parse", "--git-path", name])?;
            if Path::new(&path).exists() {
                println!("cargo::rerun-if-changed={path}");
            }
        }
        for path in SOURCES {
            println!("cargo::rerun-if-changed={path}");
        }
        let hash = git(&["rev-parse", "--short=10", "HEAD"])?;
        let changes = [&["diff", "--name-only", "HEAD", "--"], &SOURCES[..]].concat();
        let dirty = !git(&changes)?.is_empty();
        Some(if dirty { format!("{hash}-dirty") } else { hash })
    }

    /// What git answers; `None` without git, or if it fails.
    fn git(arguments: &[&str]) -> Option<String> {
        let folder = std::env::current_dir().ok()?;
        // The owner of the clone may be another one than of the build.
        let trusted = format!("safe.directory={}", folder.display());
        let output = Command::new("git")
            .args(["--no-optional-locks", "-c", &trusted])
            .args(arguments)
            .output()
            .ok()?;
        let text = String::from_utf8(output.stdout).ok()?;
        output.status.success().then(|| text.trim().to_owned())
    }
}
