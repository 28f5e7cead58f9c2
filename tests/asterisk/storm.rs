//! Many changes of every kind from four clients at once: the end is as the rules say, and
//! no change was applied twice.

use std::collections::{HashMap, HashSet};

use serde_json::Value;

use crate::harness::barrier::{all_events, configured, set_extension};
use crate::harness::changes::{assert_changes_in_order, matching, publishes};
use crate::harness::statuses::{TYPES, assert_status};
use crate::harness::users::{complaints, custom, json, read};
use crate::harness::{Ami, Instance, Message, wait_until};

/// Users who share extensions; one who shares none; one with nothing but their own status;
/// one whose own status is one source of several; and one who reads two others.
pub(super) const USERS: &str = "[general]\n\
    [p1]\ntype = user\naccount = one\nextension = 401\nextension = 402\n\
    [p2]\ntype = user\naccount = one\nextension = 402\nextension = 403\n\
    [l1]\ntype = user\naccount = two\nmethod = latest\nextension = 401\nextension = 403\n\
    [l2]\ntype = user\naccount = two\nmethod = latest\nextension = 403\nextension = 404\n\
    default = 404\noutgoing = default\n\
    [solo]\ntype = user\naccount = two\nextension = 405\n\
    [none]\ntype = user\naccount = one\nmethod = none\noutgoing = none\n\
    [own]\ntype = user\naccount = one\noutgoing = none\nextension = 401\n\
    [team]\ntype = user\naccount = two\nsource = UserPresence:l1\nsource = UserPresence:p2\n";

/// The users whose status the clients set, with the extensions to which it is written.
pub(super) const SET: [(&str, &[&str]); 7] = [
    ("p1", &["401", "402"]),
    ("p2", &["402", "403"]),
    ("l1", &["401", "403"]),
    ("l2", &["404"]),
    ("solo", &["405"]),
    ("none", &[]),
    ("own", &[]),
];

pub(super) const EXTENSIONS: [&str; 5] = ["401", "402", "403", "404", "405"];

const CLIENTS: usize = 4;
const EACH: usize = 2500;

/// One change of a client.
pub(super) struct Change {
    /// Unique; empty for a type without a state.
    message: Option<String>,
    status: &'static str,
    target: Target,
    way: usize,
}

enum Target {
    /// One of [`SET`].
    User(usize),
    /// One of [`EXTENSIONS`], set past the module.
    Extension(usize),
}

impl Change {
    pub(super) fn new(client: usize, number: usize) -> Self {
        // Different strides make the clients meet in ever new combinations.
        let step = number * [1, 3, 7, 11][client] + client;
        let states = [
            "dnd",
            "away",
            "available",
            "not_set",
            "chat",
            "unavailable",
            "xa",
        ];
        let types = ["lunch", "meeting", "home-office", "thinking", "away", "dnd"];
        let message = Some(format!("{client}-{number}"));
        let target = match step % 5 {
            0 | 1 => Target::Extension(step / 7 % EXTENSIONS.len()),
            _ => Target::User(step / 2 % SET.len()),
        };
        let status = match (&target, step % 3) {
            (Target::Extension(_), _) => states[step / 5 % 7],
            // Not xa, whose type has no state here.
            (_, 0) => states[step / 5 % 6],
            _ => types[step / 11 % 6],
        };
        let mut change = Change {
            message: message.filter(|_| status != "thinking"),
            status,
            target,
            way: step % 5,
        };
        // See `applied_once`: the result of this one has to be predictable.
        if change.written() == ["405"] && status == "not_set" {
            change.status = "chat";
        }
        change
    }

    /// The extensions to which the change is written.
    fn written(&self) -> &'static [&'static str] {
        match self.target {
            Target::User(at) => SET[at].1,
            Target::Extension(at) => &EXTENSIONS[at..=at],
        }
    }

    pub(super) fn make(&self, ami: &Ami) {
        let message = self.message.as_deref().unwrap_or_default();
        let status = self.status;
        let setvar = |function: String, value: String| {
            let set = [
                ("Action", "Setvar"),
                ("Variable", &function),
                ("Value", &value),
            ];
            ami.action(&set)
        };
        let answer = match (&self.target, self.way) {
            // The console of older releases does not take `not_set`.
            (Target::Extension(at), way) if way == 0 || status == "not_set" => setvar(
                format!("PRESENCE_STATE(CustomPresence:{})", EXTENSIONS[*at]),
                format!("{status},,{message}"),
            ),
            (Target::Extension(at), _) => {
                let address = format!("CustomPresence:{}", EXTENSIONS[*at]);
                let command = format!("presencestate change {address} {status},,{message}");
                ami.action(&[("Action", "Command"), ("Command", &command)])
            }
            (Target::User(at), 2) => setvar(
                format!("USER_PRESENCE({})", SET[*at].0),
                format!("{status},,{message}"),
            ),
            (Target::User(at), way) => ami.action(&[
                ("Action", "UserPresenceSet"),
                ("User", SET[*at].0),
                ("Status", status),
                ("Message", message),
                // Some have an end, far ahead.
                ("Options", ["t(100000)", ""][way % 2]),
            ]),
        };
        assert!(answer.ok(), "{answer:?}");
    }
}

#[test]
fn many_mixed_changes_end_as_the_rules_say() {
    let ast = configured(&format!("{TYPES}{USERS}")).start();
    let feed = ast.ami();
    std::thread::scope(|scope| {
        for client in 0..CLIENTS {
            let ami = ast.ami();
            scope.spawn(move || {
                for number in 0..EACH {
                    Change::new(client, number).make(&ami);
                    ami.take_events();
                }
            });
        }
    });

    let mut events = Vec::new();
    wait_until("everything written and heard", || {
        events.extend(all_events(&ast, &feed));
        EXTENSIONS
            .iter()
            .all(|name| said_last(&ast, &events, name))
            .then_some(())
    });
    for (user, _) in SET.iter().chain(&[("team", &[][..])]) {
        by_the_rule(&ast, user);
    }
    applied_once(&events);
    published_once(&events);
    assert_changes_in_order(&events);
    ends_known(&ast, &events);
    assert_eq!(complaints(&ast, "userpresence"), Vec::<String>::new());
}

/// Sets every extension once more, one after the other, so that the winner is known.
fn ends_known(ast: &Instance, events: &[Message]) {
    let status = read(ast, "solo,status");
    for (name, value) in [
        ("401", "dnd,meeting,End of 401"),
        ("402", "away,lunch,End of 402"),
        ("403", "available,home,End of 403"),
        ("404", "chat,,End of 404"),
        ("405", "xa,,End of 405"),
    ] {
        set_extension(ast, name, value);
    }
    assert_status(ast, "p1", ["dnd", "meeting", "End of 401", "meeting"]);
    assert_status(ast, "p2", ["away", "lunch", "End of 402", "lunch"]);
    assert_status(
        ast,
        "l1",
        ["available", "home", "End of 403", "home-office"],
    );
    assert_status(ast, "l2", ["chat", "", "End of 404", "chat"]);
    assert_status(ast, "team", ["away", "lunch", "End of 402", "lunch"]);
    // No type has this presence.
    assert_status(ast, "solo", ["xa", "", "End of 405", &status]);
    // The user's own status is the one of the last event.
    let none = matching(events, "UserPresenceChange", "User", "none");
    assert_eq!(read(ast, "none,message"), none.last().expect("many").text());
    for (user, _) in SET {
        by_the_rule(ast, user);
        for source in json(ast, user)["sources"].as_array().expect("sources") {
            let name = source["extension"].as_str().expect("an extension");
            for (field, key) in [
                ("value", "state"),
                ("subtype", "subtype"),
                ("message", "message"),
            ] {
                assert_eq!(custom(ast, name, field), source[key], "{user}: {source}");
            }
        }
    }
}

/// Whether every user of the extension has the presence that Asterisk published last.
fn said_last(ast: &Instance, events: &[Message], name: &str) -> bool {
    let address = format!("CustomPresence:{name}");
    let said = matching(events, "PresenceStateChange", "Presentity", &address);
    let last = said.last().expect("many changes");
    SET.iter().all(|(user, _)| {
        let seen = json(ast, user);
        let sources = seen["sources"].as_array().expect("sources");
        let of_it = sources.iter().filter(|source| source["extension"] == name);
        of_it.into_iter().all(|source| {
            let headers = [
                ("state", "Status"),
                ("subtype", "Subtype"),
                ("message", "Message"),
            ];
            let mut same = headers.iter();
            same.all(|(field, header)| source[*field] == last.get(header).unwrap_or_default())
        })
    })
}

/// Asserts that the user's presence follows from the sources by the rule.
#[track_caller]
pub(super) fn by_the_rule(ast: &Instance, user: &str) {
    let seen = json(ast, user);
    let mut sources = seen["sources"].as_array().expect("sources").clone();
    if seen["method"] == "none" {
        sources.clear();
    }
    if seen["own_takes_part"] == true && seen["own"].is_object() {
        sources.push(seen["own"].clone());
    }
    let order = [
        "not_set",
        "available",
        "unavailable",
        "chat",
        "away",
        "xa",
        "dnd",
    ];
    let key = |source: &Value| {
        let rank = order.iter().position(|state| source["state"] == *state);
        let rank = rank.unwrap_or_else(|| panic!("{source}"));
        let rank = match seen["method"] == "priority" {
            true => rank,
            false => usize::from(rank > 0),
        };
        (rank, source["since"].as_u64())
    };
    let best = sources.iter().map(key).max().expect("a source");
    let is = |source: &Value| {
        let fields = ["state", "subtype", "message", "since", "until"];
        fields.iter().all(|name| source[*name] == seen[*name])
    };
    // Within one millisecond the order is unknown.
    let mut winners = sources.iter().filter(|source| key(source) == best);
    assert!(winners.any(is), "{user}: {seen:#}");
}

/// Every change reached its target at most once, and nothing else.
///
/// Stock CustomPresence stores a presence and then publishes it, but for `not_set` it
/// publishes the value stored by then. That may be another writer's, which then appears
/// twice, and the `not_set` never.
#[track_caller]
fn applied_once(events: &[Message]) {
    let changes = (0..CLIENTS).flat_map(|client| {
        (0..EACH).filter_map(move |number| {
            let change = Change::new(client, number);
            Some((change.message.clone()?, change))
        })
    });
    let changes: HashMap<String, Change> = changes.collect();
    for name in EXTENSIONS {
        let address = format!("CustomPresence:{name}");
        let (mut seen, mut twice) = (HashSet::new(), 0);
        for event in matching(events, "PresenceStateChange", "Presentity", &address) {
            let change = changes
                .get(event.text())
                .unwrap_or_else(|| panic!("{event:?}"));
            assert!(change.written().contains(&name), "an echo: {event:?}");
            twice += usize::from(!seen.insert(event.text()));
        }
        let missing = changes.iter().filter(|(message, change)| {
            change.written().contains(&name) && !seen.contains(message.as_str())
        });
        let (unset, lost): (Vec<_>, Vec<_>) =
            missing.partition(|(_, change)| change.status == "not_set");
        assert!(
            twice <= unset.len(),
            "{name}: {twice} are there twice, {} are missing",
            unset.len()
        );
        // Of the statuses of users only the newest waits to be written; every presence of a
        // phone is published.
        for (message, change) in lost {
            assert!(
                matches!(change.target, Target::User(_)),
                "{name}: {message} is lost"
            );
        }
    }

    // Without another source each choice is a transition of its own.
    let presences = |user: &str| {
        let changes = matching(events, "UserPresenceChange", "User", user);
        let changes = changes
            .into_iter()
            .filter(|event| presence(event, "Old") != presence(event, ""));
        changes
            .map(|event| event.text().to_owned())
            .collect::<Vec<_>>()
    };
    let none = presences("none");
    let is_of_none =
        |change: &Change| matches!(change.target, Target::User(at) if SET[at].0 == "none");
    let set = changes.iter().filter(|(_, change)| is_of_none(change));
    let set: HashSet<&String> = set.map(|(message, _)| message).collect();
    let all: HashSet<&String> = none.iter().collect();
    assert_eq!((none.len(), all), (set.len(), set));
    let solo = presences("solo");
    let all: HashSet<&String> = solo.iter().collect();
    assert_eq!(solo.len(), all.len(), "one message appears twice");
}

/// State, subtype and message of an event; with `Old`, the previous ones.
fn presence<'a>(event: &'a Message, old: &str) -> [&'a str; 3] {
    let state = match event.is_event("PresenceStateChange") {
        true => "Status",
        false => "State",
    };
    [state, "Subtype", "Message"].map(|name| event.get(&format!("{old}{name}")).unwrap_or_default())
}

/// Asterisk publishes each transition of a user once, in order.
#[track_caller]
fn published_once(events: &[Message]) {
    for (user, _) in SET.iter().chain(&[("team", &[][..])]) {
        let changes = matching(events, "UserPresenceChange", "User", user).into_iter();
        let changes = changes.filter(|event| presence(event, "Old") != presence(event, ""));
        let changes: Vec<_> = changes.map(|event| presence(event, "")).collect();
        let published = publishes(events, user).into_iter();
        let published: Vec<_> = published.map(|event| presence(event, "")).collect();
        assert_eq!(published.len(), changes.len(), "{user}");
        assert_eq!(published, changes, "{user}");
        assert!(changes.len() > EACH / 10, "{user}: {}", changes.len());
    }
}
