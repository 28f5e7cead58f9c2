//! What runs: version, commit, the Asterisk that the module was built for and runs in, and
//! whether its file is still the build that runs, on every interface.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::harness::api::{api_user, login};
use crate::harness::{Instance, MODULE, wait_until};
use crate::metrics::with_prometheus;

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What the module's file says of itself, between these two texts.
#[track_caller]
fn in_file(file: &Path, begin: &str, end: char) -> String {
    let bytes = fs::read(file).expect("the module");
    let begin = format!("res_userpresence {VERSION}; {begin}");
    let at = bytes
        .windows(begin.len())
        .position(|part| part == begin.as_bytes());
    let at = at.unwrap_or_else(|| panic!("no {begin:?} in {}", file.display()));
    let text = String::from_utf8_lossy(&bytes[at + begin.len()..]).into_owned();
    text.split(end).next().unwrap_or_default().to_owned()
}

/// The version of the running Asterisk, by Asterisk itself.
#[track_caller]
fn running(ast: &Instance) -> String {
    let shown = ast.cli("core show version");
    let version = shown
        .trim()
        .strip_prefix("Asterisk ")
        .and_then(|rest| rest.split_once(" built by "));
    version.unwrap_or_else(|| panic!("{shown}")).0.to_owned()
}

/// The lines about what runs, as Prometheus reads them.
#[track_caller]
fn metrics(ast: &Instance) -> Vec<String> {
    const PREFIX: &str = "asterisk_userpresence_";
    let text = wait_until("the module's metrics", || {
        let text = ast.http("GET", "/metrics", &[], "").body;
        text.contains(PREFIX).then_some(text)
    });
    let names = ["build_info", "other_release", "file_replaced"];
    let lines = text.lines().filter_map(|line| line.strip_prefix(PREFIX));
    let wanted = lines.filter(|line| names.iter().any(|name| line.starts_with(name)));
    wanted.map(str::to_owned).collect()
}

/// What every interface says.
struct Expected<'a> {
    commit: &'a str,
    built_for: &'a str,
    runs_in: &'a str,
    /// What the console says behind the version of Asterisk that runs; empty if it is that
    /// release that the module was built for.
    release: &'a str,
    /// What the console says behind the file.
    file: &'a str,
    /// `None` if it is not known.
    replaced: Option<bool>,
}

#[track_caller]
fn assert_said(ast: &Instance, expected: &Expected<'_>) {
    let Expected {
        commit,
        built_for,
        runs_in,
        release,
        replaced,
        ..
    } = expected;
    let other = !release.is_empty();
    let file = ast.path("modules").join(MODULE).display().to_string();
    assert_eq!(
        ast.cli("userpresence show version").trim_end(),
        format!(
            "  Version: {VERSION}\n   Commit: {commit}\nBuilt for: Asterisk {built_for}\n  \
             Runs in: Asterisk {runs_in}{release}\n     File: {file}{}",
            expected.file
        )
    );

    let yes_no = |is_so: bool| if is_so { "yes" } else { "no" };
    let answer = ast.ami().action(&[("Action", "UserPresenceVersion")]);
    for (name, value) in [
        ("Version", VERSION),
        ("Commit", commit),
        ("BuiltFor", built_for),
        ("RunsIn", runs_in),
        ("OtherRelease", yes_no(other)),
        ("File", &file),
        ("FileReplaced", replaced.map_or("", yes_no)),
    ] {
        assert_eq!(
            answer.get(name).unwrap_or_default(),
            value,
            "{name} in {answer:?}"
        );
    }

    let read = ast.http("GET", "/userpresence/v1/version", &[&login("boss")], "");
    assert_eq!(read.status, 200, "{read:?}");
    let described: Value = json!({
        "version": VERSION,
        "commit": commit,
        "builtFor": built_for,
        "runsIn": runs_in,
        "otherRelease": other,
        "fileReplaced": replaced,
    });
    assert_eq!(read.json(), described);

    let mut lines = vec![
        format!(
            "build_info{{version=\"{VERSION}\",commit=\"{commit}\",built_for=\"{built_for}\",\
             runs_in=\"{runs_in}\"}} 1"
        ),
        format!("other_release {}", u8::from(other)),
    ];
    lines.extend(replaced.map(|replaced| format!("file_replaced {}", u8::from(replaced))));
    assert_eq!(metrics(ast), lines);
}

#[test]
fn every_interface_says_what_runs() {
    let Some(builder) = with_prometheus(Instance::builder()) else {
        return;
    };
    let ast = builder
        .userpresence(&api_user("boss", "role = admin"))
        .start();
    let file = ast.path("modules").join(MODULE);
    let commit = in_file(&file, "commit ", ';');
    let built_for = in_file(&file, &format!("commit {commit}; built for Asterisk "), ';');
    let runs_in = running(&ast);
    let mut expected = Expected {
        commit: &commit,
        built_for: &built_for,
        runs_in: &runs_in,
        release: "",
        file: ", the build that runs",
        replaced: Some(false),
    };
    assert_said(&ast, &expected);
    assert!(ast.cli("userpresence show version now").contains("Usage:"));

    // The same build in a new file is no other build.
    let bytes = fs::read(&file).expect("the module");
    ast.install_module_bytes(&bytes);
    assert_said(&ast, &expected);

    // Another build: its build id differs in one bit.
    let mut other = bytes.clone();
    let owner = [4u32, 20, 3].map(u32::to_ne_bytes).concat();
    let head = [&owner[..], b"GNU\0"].concat();
    let at = other.windows(head.len()).position(|part| part == head);
    other[at.expect("a build id") + head.len()] ^= 1;
    ast.install_module_bytes(&other);
    expected.file = ", another build than the one that runs: restart Asterisk to run it";
    expected.replaced = Some(true);
    assert_said(&ast, &expected);

    // A file that is no module at all.
    ast.install_module_bytes(b"#!/bin/sh\n");
    assert_said(&ast, &expected);

    fs::remove_file(&file).expect("the module's file");
    expected.file = ", which cannot be read: No such file or directory (os error 2)";
    expected.replaced = None;
    assert_said(&ast, &expected);

    // What was there before a restart runs after it.
    ast.install_module_bytes(&other);
    ast.restart(true);
    expected.file = ", the build that runs";
    expected.replaced = Some(false);
    assert_said(&ast, &expected);
    assert_eq!(ast.complaints(), Vec::<String>::new());
}

/// A module that was built for another minor of Asterisk, and runs all the same because the
/// administrator takes the risk, says so.
#[test]
fn a_module_for_another_release_says_so() {
    let Some(builder) = with_prometheus(Instance::builder()) else {
        return;
    };
    let ast = builder
        .userpresence(&format!(
            "[general]\nallow_other_release = yes\n{}",
            api_user("boss", "role = admin")
        ))
        .start();
    let file = ast.path("modules").join(MODULE);
    let commit = in_file(&file, "commit ", ';');
    let built_for = in_file(&file, &format!("commit {commit}; built for Asterisk "), ';');
    // As long as the real one, so that it can be put in its place.
    let (major, rest) = built_for.split_once('.').expect("a minor");
    let digits = rest.chars().take_while(char::is_ascii_digit).count();
    let changed = format!("{major}.{}{}", "9".repeat(digits), &rest[digits..]);
    let mut bytes = fs::read(&file).expect("the module");
    let mut count = 0;
    for at in 0..bytes.len() - built_for.len() {
        if bytes[at..].starts_with(built_for.as_bytes()) {
            bytes[at..at + changed.len()].copy_from_slice(changed.as_bytes());
            count += 1;
        }
    }
    assert!(count > 0);
    ast.install_module_bytes(&bytes);
    ast.restart(true);
    let runs_in = running(&ast);
    assert_said(
        &ast,
        &Expected {
            commit: &commit,
            built_for: &changed,
            runs_in: &runs_in,
            release: ", another release than it was built for: `make rebuild` in the module's \
                      source directory builds it for this one",
            file: ", the build that runs",
            replaced: Some(false),
        },
    );
}
