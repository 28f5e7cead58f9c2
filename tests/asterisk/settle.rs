//! The settle time: a storm of changes becomes few publishes, and loses none of its
//! transitions.

use crate::harness::Message;
use crate::people::{of, published, told, with};

const USERS: &str = "[general]\nsettle = 500\n[alice]\ntype = user\nextension = 200\n";

/// The header `name` of each: `State` of this module's events, `Status` of the core's.
fn states(events: &[&Message], name: &str) -> Vec<String> {
    let states = events.iter().filter_map(|event| event.get(name));
    states.map(str::to_owned).collect()
}

#[test]
fn a_storm_is_published_at_once_and_once_more_and_told_in_full() {
    let ast = with(USERS).hint("2000", ",UserPresence:alice").start();
    let ami = ast.ami();
    let storm = ["dnd", "away", "xa", "chat", "away", "dnd", "available"];
    for state in storm {
        ast.setvar("USER_PRESENCE(alice)", state);
    }
    ast.wait_hint_presence("2000", "available");
    let events = told(&ast, &ami);
    assert_eq!(
        states(&of(&events, "UserPresenceChange", "User", "alice"), "State"),
        storm
    );
    let seen = states(&published(&events, "alice"), "Status");
    // On a slow machine the storm may last longer than the settle time.
    assert!((2..=4).contains(&seen.len()), "{seen:?}");
    assert_eq!(seen[0], "dnd");

    // The function knows at once what hints are told later.
    ast.setvar("USER_PRESENCE(alice)", "chat");
    assert_eq!(ast.getvar("USER_PRESENCE(alice)"), "chat");
    ast.wait_hint_presence("2000", "chat");
    let events = told(&ast, &ami);
    assert_eq!(states(&published(&events, "alice"), "Status"), ["chat"]);
}
