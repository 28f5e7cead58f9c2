//! `make rebuild`: one command after an upgrade.

use std::fs;

use super::machine::{Machine, Made};
use crate::harness::{MODULE, built_module};

/// Runs `make rebuild` with a `cargo` that notes how it is called and has the build of
/// [`built_module`] ready, and a `sudo` that notes what it runs.
fn rebuild(machine: &Machine, variables: &[&str]) -> Made {
    let dir = machine.ast.path("");
    let dir = dir.display();
    let module = machine.module.display();
    let cargo = format!(
        "#!/bin/sh\necho \"cargo $* for $ASTERISK_INCLUDE\" >>{dir}/calls\n\
         [ \"$1 $2\" != 'build --release' ] || cp {module} {dir}/target/release/lib{MODULE}\n"
    );
    machine.write_program("cargo", cargo.as_bytes());
    let sudo = format!("#!/bin/sh\necho \"sudo $*\" >>{dir}/calls\nexec \"$@\"\n");
    machine.write_program("sudo", sudo.as_bytes());
    fs::create_dir_all(machine.ast.path("target/release")).expect("ours");
    // `make` takes the last one: the module is what the build makes.
    let target = format!("CARGO_TARGET_DIR={dir}/target");
    let made = format!("MODULE={dir}/target/release/{MODULE}");
    let mut all = vec![&*target, &*made];
    all.extend(variables);
    machine.make("rebuild", &all)
}

/// A directory with headers; only their place matters here.
fn headers(machine: &Machine) -> String {
    let include = machine.ast.path("include");
    fs::create_dir_all(&include).expect("ours");
    fs::write(include.join("asterisk.h"), "").expect("ours");
    format!("ASTERISK_INCLUDE={}", include.display())
}

#[test]
fn it_builds_anew_and_installs() {
    let machine = Machine::running();
    let include = headers(&machine);
    // An earlier build, for an earlier Asterisk.
    fs::create_dir_all(machine.ast.path("target/release")).expect("ours");
    let stale = machine.ast.path("target/release").join(MODULE);
    fs::write(&stale, "stale").expect("ours");
    let made = rebuild(&machine, &[&include]);
    assert!(made.succeeded, "{}", made.text);
    made.says("and fits").says("Next: asterisk -rx");
    let calls = fs::read_to_string(machine.ast.path("calls")).expect("the calls");
    let (_, dir) = include.split_once('=').expect("a value");
    let builds = format!("cargo build --release for {dir}");
    let (clean, build) = (calls.find("cargo clean"), calls.find(&builds));
    assert!(clean.is_some() && clean < build, "{calls}");
    let installed = fs::read(machine.ast.path("modules").join(MODULE)).expect("the module");
    assert!(installed == fs::read(built_module()).expect("the build"));
    assert!(machine.ast.load_module(MODULE).ok());
}

/// The headers were not upgraded with Asterisk: building again would not help.
#[test]
fn it_says_so_if_the_headers_are_of_another_asterisk() {
    let machine = Machine::running();
    let include = headers(&machine);
    let before = machine.files();
    machine.build_for_another_release();
    let made = rebuild(&machine, &[&include]);
    assert!(!made.succeeded, "{}", made.text);
    let (_, dir) = include.split_once('=').expect("a value");
    made.says(&format!("just built with the headers in {dir}"));
    assert_eq!(machine.files(), before);
}
