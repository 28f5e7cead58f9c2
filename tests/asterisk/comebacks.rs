//! Users and sources that go, return, or were never there: one test for each way in
//! which a stale value once remained.

use crate::harness::users::{read, wait_state};
use crate::harness::{Instance, MODULE};

const BOB: &str = "[general]\n[bob]\ntype = user\nsource = UserPresence:team\n";
const TEAM: &str = "[team]\ntype = user\nextension = 200\n";

/// A removed user is no source: neither after the reload nor after the next load, when
/// the core's cache still holds the user.
#[test]
fn a_removed_user_is_no_source() {
    let both = format!("{BOB}{TEAM}");
    let ast = Instance::builder().userpresence(&both).start();
    ast.set_custom("200", "dnd");
    wait_state(&ast, "bob", "dnd");
    ast.write_config("userpresence.conf", BOB);
    assert!(ast.reload().ok());
    assert_eq!(read(&ast, "bob"), "not_set");
    assert!(ast.unload_module(MODULE).ok());
    assert!(ast.load_module(MODULE).ok());
    assert_eq!(read(&ast, "bob"), "not_set");
    ast.write_config("userpresence.conf", &both);
    assert!(ast.reload().ok());
    assert_eq!(read(&ast, "bob"), "dnd");
}

/// Hints ignore the case of names, so the last published value has to be the user's.
#[test]
fn a_hint_follows_a_user_whose_spelling_changes() {
    let conf = "[general]\n[carol]\ntype = user\nextension = 200\n";
    let ast = Instance::builder()
        .userpresence(conf)
        .hint("2000", ",UserPresence:carol")
        .hint("2001", ",CustomPresence:mark")
        .start();
    ast.set_custom("200", "away");
    ast.wait_hint_presence("2000", "away");
    ast.write_config("userpresence.conf", &conf.replace("carol", "Carol"));
    assert!(ast.reload().ok());
    // Hints follow the topic's order: this event comes after all those of the reload.
    ast.set_custom("mark", "chat");
    ast.wait_hint_presence("2001", "chat");
    assert_eq!(ast.hint("2000").presence, "away");
}

/// A mistake in one line loses no stored status.
#[test]
fn a_repaired_section_has_its_status_again() {
    let good = "[general]\n[alice]\ntype = user\noutgoing = none\nextension = 200\n";
    let ast = Instance::builder().userpresence(good).start();
    ast.setvar("USER_PRESENCE(alice)", "xa,trip,Back on Monday");
    assert!(ast.unload_module(MODULE).ok());
    ast.write_config("userpresence.conf", &format!("{good}metod = latest\n"));
    assert!(ast.load_module(MODULE).ok());
    assert_eq!(read(&ast, "alice"), "");
    ast.write_config("userpresence.conf", good);
    assert!(ast.reload().ok());
    assert_eq!(read(&ast, "alice"), "xa");
    assert_eq!(ast.getvar("USER_PRESENCE(alice,message)"), "Back on Monday");
}

/// Without a provider a status cannot be written to the extension, and a status that
/// could not be written does not count.
#[test]
fn a_status_that_could_not_be_written_does_not_count() {
    let conf = "[general]\n[alice]\ntype = user\nextension = 200\n";
    let ast = Instance::builder().userpresence(conf).start();
    assert!(ast.unload_module("func_presencestate.so").ok());
    ast.setvar("USER_PRESENCE(alice)", "dnd");
    wait_state(&ast, "alice", "not_set");
    let line = ast.wait_log("'CustomPresence:200' cannot be written and is skipped");
    assert!(line.contains("WARNING["), "{line}");
    assert!(ast.load_module("func_presencestate.so").ok());
    ast.setvar("USER_PRESENCE(alice)", "dnd");
    assert_eq!(read(&ast, "alice"), "dnd");
    assert_eq!(
        ast.getvar("PRESENCE_STATE(CustomPresence:200,value)"),
        "dnd"
    );
}
