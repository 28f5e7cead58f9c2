//! Users and sources that go, come back, or were never there: one test for each way
//! in which something stale once stayed.

use crate::harness::users::{read, wait_state};
use crate::harness::{Instance, MODULE};

const BOB: &str = "[general]\n[bob]\ntype = user\nsource = UserPresence:team\n";
const TEAM: &str = "[team]\ntype = user\nextension = 200\n";

/// A removed user says nothing any more, neither after the reload nor after the next
/// load, where the core's cache still knows it.
#[test]
fn a_user_who_is_gone_is_no_source_any_more() {
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

/// Hints match names without regard to case, so the last word has to be the user's.
#[test]
fn a_hint_follows_a_user_spelled_anew() {
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
    // Hints are told in the topic's order: this one comes after all of the reload's.
    ast.set_custom("mark", "chat");
    ast.wait_hint_presence("2001", "chat");
    assert_eq!(ast.hint("2000").presence, "away");
}

/// An error on one line costs nobody what was stored.
#[test]
fn a_section_that_is_repaired_has_its_status_again() {
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

/// Where no provider answers, a status cannot be written, and what could not be
/// written is not so.
#[test]
fn a_status_that_nobody_took_does_not_stand() {
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
