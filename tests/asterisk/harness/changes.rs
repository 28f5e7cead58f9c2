//! AMI events of presences and users: picking them out and checking them.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};

use super::ami::Ami;
use super::instance::Instance;
use super::message::Message;
use super::wait::wait_until;

/// The events `name` whose `header` is `value`.
pub fn matching<'a>(
    events: &'a [Message],
    name: &str,
    header: &str,
    value: &str,
) -> Vec<&'a Message> {
    let of_it = events.iter().filter(|event| event.is_event(name));
    of_it
        .filter(|event| event.get(header) == Some(value))
        .collect()
}

/// The events that publish a user's presence.
pub fn publishes<'a>(events: &'a [Message], user: &str) -> Vec<&'a Message> {
    let address = format!("UserPresence:{user}");
    matching(events, "PresenceStateChange", "Presentity", &address)
}

/// The states published of users so far, as (user, state) in their order. Uses up the
/// events of `ami`.
#[track_caller]
pub fn published_states(ast: &Instance, ami: &Ami) -> Vec<(String, String)> {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let mark = format!("mark-{}", COUNT.fetch_add(1, Ordering::Relaxed));
    ast.set_custom(&mark, "away");
    let mark = format!("CustomPresence:{mark}");
    wait_until("the mark among the events", || {
        let events = ami.events();
        events
            .iter()
            .any(|event| event.get("Presentity") == Some(&mark))
            .then_some(())
    });
    let mut states = Vec::new();
    for event in ami.take_events() {
        let user = event
            .get("Presentity")
            .and_then(|it| it.strip_prefix("UserPresence:"));
        if let (Some(user), true) = (user, event.is_event("PresenceStateChange")) {
            states.push((
                user.to_owned(),
                event.get("Status").unwrap_or_default().to_owned(),
            ));
        }
    }
    states
}

/// The form of [`published_states`] for an expected list.
pub fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    let pairs = expected.iter();
    pairs
        .map(|(user, state)| ((*user).to_owned(), (*state).to_owned()))
        .collect()
}

/// Asserts headers of an event; an absent one counts as empty.
#[track_caller]
pub fn assert_headers(event: &Message, headers: &[(&str, &str)]) {
    for (name, value) in headers {
        assert_eq!(
            event.get(name).unwrap_or_default(),
            *value,
            "{name}: {event:?}"
        );
    }
}

/// Does [`assert_numbered`], and asserts that each change changes the presence or the status.
#[track_caller]
pub fn assert_changes_in_order(events: &[Message]) {
    assert_numbered(events);
    let changes = events.iter();
    for event in changes.filter(|event| event.is_event("UserPresenceChange")) {
        // The status may change alone: a user chooses one, and another source still wins.
        assert_ne!(change(event, "Old"), change(event, ""), "{event:?}");
    }
}

fn change<'a>(event: &'a Message, prefix: &str) -> [&'a str; 4] {
    ["State", "Subtype", "Message", "Status"].map(|name| event.header(&format!("{prefix}{name}")))
}

/// Asserts that the changes of users among the events number those of each account without
/// a gap, and that each begins where the user's previous one ended.
#[track_caller]
pub fn assert_numbered(events: &[Message]) {
    let mut numbers: HashMap<&str, u64> = HashMap::new();
    let mut last: HashMap<&str, &Message> = HashMap::new();
    let changes = events.iter();
    for event in changes.filter(|event| event.is_event("UserPresenceChange")) {
        let number = event.header("Sequence").parse().expect("a number");
        if let Some(before) = numbers.insert(event.header("Account"), number) {
            assert_eq!(number, before + 1, "{event:?}");
        }
        if let Some(before) = last.insert(event.header("User"), event) {
            assert_eq!(
                change(event, "Old"),
                change(before, ""),
                "{before:?} {event:?}"
            );
        }
    }
}
