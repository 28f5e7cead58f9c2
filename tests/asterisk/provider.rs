//! The presence provider `UserPresence:<user>` for hints, the dialplan and AMI.

use crate::harness::barrier::{all_events, configured, set_extension};
use crate::harness::changes::{matching, publishes};
use crate::harness::users::{ALICE, complaints, set, wait_custom};
use crate::harness::{Instance, MODULE};

fn state(ast: &Instance, arguments: &str) -> String {
    ast.getvar(&format!("PRESENCE_STATE({arguments})"))
}

#[test]
fn presence_state_returns_all_fields_plain_and_in_base64() {
    let ast = configured(ALICE).start();
    set_extension(&ast, "200", "away,lunch,Back at one – ü");
    for (field, value) in [
        ("value", "away"),
        ("subtype", "lunch"),
        ("message", "Back at one – ü"),
        ("subtype,e", "bHVuY2g="),
        ("message,e", "QmFjayBhdCBvbmUg4oCTIMO8"),
    ] {
        assert_eq!(state(&ast, &format!("UserPresence:alice,{field}")), value);
    }
}

#[test]
fn the_label_and_the_user_ignore_case() {
    let ast = configured("[Alice]\ntype = user\nextension = 200\n")
        .hint("2000", ",UserPresence:aLICE")
        .hint("2001", ",userpresence:Alice")
        .start();
    set_extension(&ast, "200", "dnd");
    for address in [
        "UserPresence:Alice",
        "userPRESENCE:Alice",
        "UserPresence:ALICE",
    ] {
        assert_eq!(state(&ast, &format!("{address},value")), "dnd", "{address}");
    }
    for hint in ["2000", "2001"] {
        ast.wait_hint_presence(hint, "dnd");
    }
    set_extension(&ast, "200", "xa");
    for hint in ["2000", "2001"] {
        ast.wait_hint_presence(hint, "xa");
    }
    // Another spelling gets no stale answer.
    assert_eq!(state(&ast, "UserPresence:ALICE,value"), "xa");
    assert_eq!(complaints(&ast, ""), Vec::<String>::new());
}

/// The event of an extension's state carries the presence of its hint.
#[test]
fn ami_reports_each_change_of_a_hint() {
    let ast = configured(ALICE)
        .hint("2000", "Custom:desk,UserPresence:alice")
        .start();
    let ami = ast.ami();
    for (value, subtype, message) in [("away", "lunch", "Back at one"), ("dnd", "", "")] {
        ast.set_custom("200", &format!("{value},{subtype},{message}"));
        let event = ami.wait_event(value, |event| {
            event.is_event("PresenceStatus") && event.get("Status") == Some(value)
        });
        assert_eq!(event.get("Exten"), Some("2000"));
        assert_eq!(event.get("Subtype"), Some(subtype));
        assert_eq!(event.get("Message"), Some(message));
    }
    ast.wait_hint_presence("2000", "dnd");
}

#[test]
fn ami_queries_one_presence_and_lists_all() {
    let conf = "[alice]\ntype = user\nextension = 200\n[bob]\ntype = user\n";
    let ast = configured(conf).start();
    set_extension(&ast, "200", "away,lunch,Back at one");
    let asked = [
        ("Action", "PresenceState"),
        ("Provider", "UserPresence:alice"),
    ];
    let answer = ast.ami().action(&asked);
    assert_eq!(answer.get("State"), Some("away"));
    assert_eq!(answer.get("Subtype"), Some("lunch"));
    assert_eq!(answer.all("Message").last(), Some("Back at one"));

    let listed = ast.ami().list(&[("Action", "PresenceStateList")]);
    let states = |user: &str| {
        let address = format!("UserPresence:{user}");
        let of_it = listed
            .iter()
            .filter(|item| item.get("Presentity") == Some(&address));
        let all: Vec<_> = of_it.filter_map(|item| item.get("Status")).collect();
        all.join(" ")
    };
    assert_eq!(states("alice"), "away");
    // No presence was set, so nothing was published.
    assert_eq!(states("bob"), "");
}

#[test]
fn a_load_publishes_users_who_have_a_presence() {
    let conf = "[alice]\ntype = user\nextension = 200\n[bob]\ntype = user\n";
    let ast = configured(conf)
        .not_loaded()
        .hint("2000", ",UserPresence:alice")
        .start();
    assert_eq!(state(&ast, "UserPresence:alice,value"), "");
    ast.set_custom("200", "away,lunch");
    let ami = ast.ami();
    assert!(ast.load_module(MODULE).ok());
    ast.wait_hint_presence("2000", "away");
    let events = all_events(&ast, &ami);
    let of = publishes(&events, "alice");
    assert_eq!(of.len(), 1, "{of:#?}");
    assert_eq!(of[0].get("Status"), Some("away"));
    assert_eq!(publishes(&events, "bob").len(), 0);
}

#[test]
fn each_changed_result_is_published_once_and_an_unchanged_one_never() {
    let conf = "[alice]\ntype = user\nextension = 200\nextension = 201\nextension = 202\n";
    let ast = configured(conf).start();
    let ami = ast.ami();
    let changes = [
        ("200", "available", true),
        ("201", "available", false),
        ("201", "available", false),
        ("200", "away,lunch", true),
        ("200", "away,lunch,Back at one", true),
        ("200", "away,lunch,Back at one", false),
        ("201", "chat", false),
        ("202", "dnd", true),
        ("200", "not_set", false),
        ("202", "not_set", true),
    ];
    for (extension, value, changes) in changes {
        ast.set_custom(extension, value);
        let count = publishes(&all_events(&ast, &ami), "alice").len();
        assert_eq!(count, usize::from(changes), "{extension} {value}");
    }
    // The same presence from another source is no change.
    ast.set_custom("200", "chat");
    assert_eq!(publishes(&all_events(&ast, &ami), "alice").len(), 0);
}

#[test]
fn one_status_written_to_three_extensions_is_published_once() {
    let conf = "[alice]\ntype = user\nextension = 200\nextension = 201\nextension = 202\n";
    let ast = configured(conf).start();
    set_extension(&ast, "201", "chat");
    let ami = ast.ami();
    set(&ast, "alice", "away,lunch,Back at one");
    for extension in ["200", "201", "202"] {
        wait_custom(&ast, extension, "value", "away");
    }
    let events = all_events(&ast, &ami);
    assert_eq!(publishes(&events, "alice").len(), 1);
    assert_eq!(
        matching(&events, "UserPresenceChange", "User", "alice").len(),
        1
    );
    for extension in ["200", "201", "202"] {
        let address = format!("CustomPresence:{extension}");
        assert_eq!(
            matching(&events, "PresenceStateChange", "Presentity", &address).len(),
            1
        );
    }

    // The same status again is written out, but alice's presence does not change.
    set(&ast, "alice", "away,lunch,Back at one");
    assert_eq!(publishes(&all_events(&ast, &ami), "alice").len(), 0);
}

#[test]
fn many_changes_are_published_one_by_one_in_order() {
    let ast = configured(ALICE).start();
    let ami = ast.ami();
    let messages: Vec<_> = (0..200).map(|number| format!("number {number}")).collect();
    for message in &messages {
        ast.set_custom("200", &format!("away,,{message}"));
    }
    let events = all_events(&ast, &ami);
    let events = publishes(&events, "alice");
    let told: Vec<_> = events
        .iter()
        .filter_map(|event| event.get("Message"))
        .collect();
    assert_eq!(told, messages);
}

#[test]
fn an_unknown_user_is_not_set_with_one_warning_for_each_name() {
    let ast = configured(ALICE)
        .hint("2000", ",UserPresence:nobody")
        .start();
    ast.wait_hint_presence("2000", "not_set");
    for _ in 0..3 {
        assert_eq!(state(&ast, "UserPresence:nobody,value"), "not_set");
        assert_eq!(state(&ast, "UserPresence:someone,value"), "not_set");
    }
    let warned = complaints(&ast, "");
    let expected =
        |name: &str| format!("There is no user '{name}': UserPresence:{name} is not_set");
    assert_eq!(warned, [expected("nobody"), expected("someone")]);
}
