//! The version of Asterisk that the headers belong to. The headers themselves do not say it.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use super::fail;

/// The full text of the version, such as `22.10.1+dfsg-1`.
pub fn of_headers(folder: &Path) -> String {
    println!("cargo::rerun-if-env-changed=ASTERISK_VERSION");
    let named = env::var("ASTERISK_VERSION").unwrap_or_default();
    if !named.trim().is_empty() {
        return checked("ASTERISK_VERSION", named.trim());
    }
    let folder = fs::canonicalize(folder).unwrap_or_else(|_| folder.to_owned());
    let found = of_sources(&folder)
        .or_else(|| of_dpkg(&folder))
        .or_else(|| of_changelog(&folder))
        .or_else(|| of_rpm(&folder))
        .or_else(|| of_program(&folder));
    match found {
        Some(version) => checked(&folder.display().to_string(), &version),
        None => fail(&format!(
            "The version of Asterisk that the headers in {} belong to is not known: there is no \
             .version of a source tree beside them, no package has installed them, and there is \
             no sbin/asterisk of the same prefix.\n\
             Name it as `asterisk -V` shows it: ASTERISK_VERSION=22.10.1 make build",
            folder.display()
        )),
    }
}

/// A version becomes a part of a line of text, and of C's and Rust's source.
fn checked(origin: &str, version: &str) -> String {
    let good = |c: char| c.is_ascii_alphanumeric() || ".~+-_/".contains(c);
    if (1..=100).contains(&version.len()) && version.chars().all(good) {
        return version.to_owned();
    }
    fail(&format!(
        "The version of Asterisk from {origin} is '{version}', expected something like 22.10.1, \
         certified-20.7-cert5 or GIT-22-1a2b3c4"
    ))
}

/// Of a source tree, whose headers are in its folder `include`.
fn of_sources(folder: &Path) -> Option<String> {
    let file = folder.parent()?.join(".version");
    let text = fs::read_to_string(&file).ok()?;
    println!("cargo::rerun-if-changed={}", file.display());
    first_line(&text)
}

/// The folder that is `/` for headers in `/usr/include` or the like.
fn root(folder: &Path) -> Option<&Path> {
    folder.parent()?.parent()
}

/// Of the package that has installed the headers, by dpkg's own records of that root.
fn of_dpkg(folder: &Path) -> Option<String> {
    let records = root(folder)?.join("var/lib/dpkg");
    let status = records.join("status");
    if !status.is_file() {
        return None;
    }
    println!("cargo::rerun-if-changed={}", status.display());
    let ask = |arguments: &[&str]| {
        let records = format!("--admindir={}", records.display());
        let arguments = [&[records.as_str()], arguments].concat();
        run(Path::new("dpkg-query"), &arguments)
    };
    let owner = ask(&["--search", "/usr/include/asterisk.h"])?;
    let (package, _) = owner.split_once(": ")?;
    let version = ask(&["--show", "--showformat=${Version}", package])?;
    Some(without_epoch(&version))
}

/// Of Debian's packages where they were only extracted, without records.
fn of_changelog(folder: &Path) -> Option<String> {
    let file = root(folder)?.join("usr/share/doc/asterisk-dev/changelog.Debian.gz");
    if !file.is_file() {
        return None;
    }
    println!("cargo::rerun-if-changed={}", file.display());
    let text = run(Path::new("gzip"), &["-dc", &file.to_string_lossy()])?;
    let (_, rest) = text.split_once(" (")?;
    Some(without_epoch(rest.split_once(')')?.0))
}

fn of_rpm(folder: &Path) -> Option<String> {
    let file = folder.join("asterisk.h");
    run(
        Path::new("rpm"),
        &["-q", "--qf=%{VERSION}", "-f", &file.to_string_lossy()],
    )
}

/// Of the program that was installed with the same prefix.
fn of_program(folder: &Path) -> Option<String> {
    let program: PathBuf = folder.parent()?.join("sbin/asterisk");
    let shown = run(&program, &["-V"])?;
    println!("cargo::rerun-if-changed={}", program.display());
    first_line(shown.strip_prefix("Asterisk ")?)
}

/// What the program writes, if it ends well.
fn run(program: &Path, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    output.status.success().then_some(text)
}

fn first_line(text: &str) -> Option<String> {
    let line = text.lines().next()?.trim();
    (!line.is_empty()).then(|| line.to_owned())
}

/// Debian's versions may begin with an epoch, which Asterisk's own do not have.
fn without_epoch(version: &str) -> String {
    let version = version.trim();
    match version.split_once(':') {
        Some((epoch, rest)) if epoch.bytes().all(|b| b.is_ascii_digit()) => rest.to_owned(),
        _ => version.to_owned(),
    }
}
