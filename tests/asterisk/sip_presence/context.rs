//! One extension with hints in several contexts: phones do not tell which one they watch.

use super::{SNOM, assert_valid, texts, wait_text};
use crate::harness::barrier::configured;
use crate::harness::users::set;
use crate::harness::{Instance, Subscriber};

const USERS: &str = "[alice]\ntype = user\nextension = 200\n[bob]\ntype = user\nextension = 201\n";

/// A change of the dialplan is seen with the next NOTIFY.
fn change_hint(ast: &Instance, context: &str, hint: &str) {
    let text = format!(
        "[general]\n[default]\nexten = 2000,hint,{}\n[other]\nexten = 2000,hint,{}\n",
        if context == "default" {
            hint
        } else {
            "Custom:desk,UserPresence:alice"
        },
        if context == "other" {
            hint
        } else {
            "Custom:desk,CustomPresence:900"
        },
    );
    ast.write_config("extensions.conf", &text);
    ast.cli("dialplan reload");
}

#[test]
fn another_context_has_another_hint_of_the_same_extension() {
    let ast = configured(USERS)
        .sip(&["2000"])
        .hint("2000", "Custom:desk,UserPresence:alice")
        .dialplan("[other]\nexten = 2000,hint,Custom:desk,CustomPresence:900")
        .start();
    let phone = Subscriber::start_as(&ast, "2000", SNOM);
    set(&ast, "alice", "away,,Back at one");
    let body = wait_text(&phone, "<dm:note>Back at one");
    assert_valid(&ast, &body);
    // Here the hint of another module is watched, with a presence that alice has not.
    change_hint(&ast, "default", "Custom:desk,CustomPresence:901");
    ast.set_custom("901", "dnd,,Other");
    let body = phone.wait_notify("the other hint", |it| !it.body().contains("Back at one"));
    assert_eq!(texts(body.body(), "dm:note"), Vec::<&str>::new());
}

#[test]
fn a_hint_that_becomes_a_user_s_is_known_at_once() {
    let ast = configured(USERS)
        .sip(&["2000"])
        .hint("2000", "Custom:desk,CustomPresence:900")
        .start();
    let phone = Subscriber::start_as(&ast, "2000", SNOM);
    ast.set_custom("900", "away,,Not ours");
    let body = phone.wait_notify("away", |it| it.body().contains("Ready"));
    assert!(!body.body().contains("dm:note"));
    change_hint(&ast, "default", "Custom:desk,UserPresence:bob");
    set(&ast, "bob", "dnd,,Now ours");
    wait_text(&phone, "<dm:note>Now ours");
}
