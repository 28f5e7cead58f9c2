//! Tests of the Debian package: it is installed, upgraded, removed and purged in a Debian whose
//! Asterisk runs. `make test-deb` makes the package and that Debian, and runs them.

mod life;
mod machine;
mod refused;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

/// A path from the environment.
fn variable(name: &str) -> PathBuf {
    let value = std::env::var_os(name);
    PathBuf::from(value.unwrap_or_else(|| panic!("{name} is not set: run 'make test-deb'")))
}

/// The package.
fn package() -> PathBuf {
    variable("USERPRESENCE_DEB")
}

/// Runs a program that has to succeed, and returns its output.
#[track_caller]
fn run(command: &mut Command) -> String {
    let output = command.output();
    let output = output.unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8(text).expect("UTF-8");
    assert!(output.status.success(), "{command:?}:\n{text}");
    text
}

/// A directory below target/, removed when it is dropped.
struct Directory(PathBuf);

impl Directory {
    fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("deb-files-{}-{number}", std::process::id());
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        std::fs::create_dir_all(&path).expect("a directory");
        Self(path)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn lintian_finds_no_error() {
    let mut lintian = Command::new("lintian");
    lintian.args([
        "--allow-root",
        "--fail-on",
        "error",
        "--tag-display-limit",
        "0",
    ]);
    let found = run(lintian.arg(package()));
    // What it warns of is for a reader; the one known is overridden.
    println!("{found}");
    assert!(!found.contains("E: "), "{found}");
}

#[test]
fn the_package_asks_for_the_minor_release_and_the_build_options() {
    let field = |name: &str| {
        run(Command::new("dpkg-deb")
            .arg("--field")
            .args([&package(), Path::new(name)]))
    };
    let version = field("Version");
    let (module, asterisk) = version
        .trim()
        .split_once("+asterisk")
        .expect("both versions");
    assert_eq!(module, env!("CARGO_PKG_VERSION"));
    let (major, minor) = asterisk.split_once('.').expect("a minor release");
    let next = minor.parse::<u32>().expect("a number") + 1;

    let depends = field("Depends");
    let depends: Vec<&str> = depends.trim().split(", ").collect();
    for needed in [
        format!("asterisk (>= 1:{asterisk}~)"),
        format!("asterisk (<< 1:{major}.{next}~)"),
    ] {
        assert!(depends.contains(&&*needed), "no {needed} in {depends:?}");
    }
    let sums = depends.iter().filter(|it| it.starts_with("asterisk-abi-"));
    assert_eq!(sums.count(), 1, "{depends:?}");
    for part in ["libc6 ", "libcurl"] {
        let has = depends.iter().any(|depend| depend.starts_with(part));
        assert!(has, "no {part} in {depends:?}");
    }
}
