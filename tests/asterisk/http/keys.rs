//! The folder of the secret and the passwords that people choose, where Asterisk cannot write
//! below `astkeydir`.

use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

use serde_json::json;

use super::{builder, session};
use crate::harness::api::{HASH, JSON, basic, sign_in};
use crate::harness::{Instance, MODULE};

const ALICE: &str = "[general]\n[alice]\ntype = user\naccount = main\npassword = ";
const FILES: [&str; 3] = [
    "userpresence.ended",
    "userpresence.passwords",
    "userpresence.secret",
];

/// An Asterisk with an `astkeydir` of its own, which has not loaded the module.
fn start() -> Instance {
    let ast = builder(&format!("{ALICE}{HASH}\n")).not_loaded().start();
    let path = ast.config_path("asterisk.conf");
    let text = fs::read_to_string(&path).expect("asterisk.conf");
    let own = text.replace("/lib\nastcachedir", "/own\nastcachedir");
    assert_ne!(text, own);
    fs::write(&path, own).expect("written");
    ast.restart(false);
    ast
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<_> = entries
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

fn change(ast: &Instance, old: &str, new: &str) -> u16 {
    let body = json!({"old": old, "new": new}).to_string();
    let url = "/userpresence/v1/session/password";
    ast.http("PUT", url, &[&basic("alice", old), JSON], &body)
        .status
}

fn load_again(ast: &Instance) {
    assert!(ast.unload_module(MODULE).ok() && ast.load_module(MODULE).ok());
}

#[test]
fn files_are_beside_astdb_where_the_folder_for_keys_cannot_be_written() {
    let ast = start();
    // Not even root can make a folder where a file is.
    fs::write(ast.path("own"), "").expect("a file");
    assert!(ast.load_module(MODULE).ok());
    ast.wait_log("/own/keys' cannot be written (");
    let kept = sign_in(&ast, "alice", &[]);
    let ended = sign_in(&ast, "alice", &[]);
    assert_eq!(
        ast.http("DELETE", "/userpresence/v1/session", &[&ended], "")
            .status,
        204
    );
    load_again(&ast);
    assert_eq!(session(&ast, &kept).status, 200);
    assert_eq!(session(&ast, &ended).status, 401);
    assert_eq!(change(&ast, "secret", "another one"), 204);
    assert_eq!(names(&ast.path("lib/keys")), FILES);
    assert_eq!(ast.complaints(), Vec::<String>::new());
    assert_eq!(ast.log().matches("cannot be written (").count(), 2);

    // Once it can be written, what people have chosen goes there with them.
    fs::remove_file(ast.path("own")).expect("removed");
    load_again(&ast);
    let own = ast.path("own/keys");
    assert_eq!(
        (names(&own), names(&ast.path("lib/keys")).len()),
        (FILES.map(str::to_owned).to_vec(), 0)
    );
    assert_eq!(session(&ast, &basic("alice", "secret")).status, 401);
    assert_eq!(session(&ast, &basic("alice", "another one")).status, 200);
    assert_eq!(session(&ast, &ended).status, 401);
    // An administrator who removes the file resets the passwords: no copy comes back.
    fs::remove_file(own.join("userpresence.passwords")).expect("removed");
    load_again(&ast);
    assert_eq!(session(&ast, &basic("alice", "secret")).status, 200);
}

#[test]
fn of_two_files_the_later_one_is_read() {
    let ast = start();
    assert!(ast.load_module(MODULE).ok());
    assert_eq!(change(&ast, "secret", "another one"), 204);
    assert!(ast.unload_module(MODULE).ok());
    let (own, other) = (ast.path("own/keys"), ast.path("lib/keys"));
    let passwords = |folder: &Path| folder.join("userpresence.passwords");
    fs::create_dir_all(&other).expect("a folder");
    let earlier = SystemTime::now() - Duration::from_secs(3600);
    let set = |folder: &Path, to| {
        let file = fs::File::options().write(true).open(passwords(folder));
        file.and_then(|file| file.set_modified(to)).expect("a time");
    };
    // The earlier one stays where it is.
    fs::write(passwords(&other), "").expect("written");
    set(&other, earlier);
    assert!(ast.load_module(MODULE).ok());
    assert_eq!(session(&ast, &basic("alice", "another one")).status, 200);
    assert_eq!(fs::read_to_string(passwords(&other)).expect("a text"), "");
    // One that cannot be taken over is the one that counts: nobody logs in with a password
    // that was replaced.
    assert!(ast.unload_module(MODULE).ok());
    fs::write(passwords(&other), b"alice \xff\n").expect("written");
    assert!(ast.load_module(MODULE).ok());
    ast.wait_log("cannot be taken over into");
    for password in ["secret", "another one"] {
        assert_eq!(session(&ast, &basic("alice", password)).status, 401);
    }
    assert!(passwords(&own).exists());
}
