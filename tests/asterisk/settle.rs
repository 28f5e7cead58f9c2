//! The settle time: many changes cause few publishes, and no transition is lost.

use crate::harness::Message;
use crate::harness::barrier::{all_events, configured};
use crate::harness::changes::{matching, publishes};

const USERS: &str = "[general]\nsettle = 500\n[alice]\ntype = user\nextension = 200\n";

/// The header `name` of each: `State` of this module's events, `Status` of the core's.
fn states(events: &[&Message], name: &str) -> Vec<String> {
    let states = events.iter().filter_map(|event| event.get(name));
    states.map(str::to_owned).collect()
}

#[test]
fn many_changes_are_published_twice_and_every_transition_is_an_event() {
    let ast = configured(USERS)
        .hint("2000", ",UserPresence:alice")
        .start();
    let ami = ast.ami();
    let storm = ["dnd", "away", "xa", "chat", "away", "dnd", "available"];
    for state in storm {
        ast.setvar("USER_PRESENCE(alice)", state);
    }
    ast.wait_hint_presence("2000", "available");
    let events = all_events(&ast, &ami);
    assert_eq!(
        states(
            &matching(&events, "UserPresenceChange", "User", "alice"),
            "State"
        ),
        storm
    );
    let seen = states(&publishes(&events, "alice"), "Status");
    // On a slow machine the changes may last longer than the settle time.
    assert!((2..=4).contains(&seen.len()), "{seen:?}");
    assert_eq!(seen[0], "dnd");

    // The function returns at once what hints show later.
    ast.setvar("USER_PRESENCE(alice)", "chat");
    assert_eq!(ast.getvar("USER_PRESENCE(alice)"), "chat");
    ast.wait_hint_presence("2000", "chat");
    assert_eq!(
        states(&publishes(&all_events(&ast, &ami), "alice"), "Status"),
        ["chat"]
    );
}
