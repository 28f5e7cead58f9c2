//! The users of an instance: reading, setting and awaiting their presence.

use serde_json::Value;

use super::instance::Instance;
use super::wait::wait_until;

/// Alice with the extensions 200 and 201 and no other option.
pub const ALICE: &str = "[alice]\ntype = user\nextension = 200\nextension = 201\n";

/// `USER_PRESENCE(arguments)`.
#[track_caller]
pub fn read(ast: &Instance, arguments: &str) -> String {
    ast.getvar(&format!("USER_PRESENCE({arguments})"))
}

/// Sets a user's status.
#[track_caller]
pub fn set(ast: &Instance, user: &str, value: &str) {
    ast.setvar(&format!("USER_PRESENCE({user})"), value);
}

/// Waits until a user's combined state is this.
#[track_caller]
pub fn wait_state(ast: &Instance, user: &str, state: &str) {
    ast.wait_value(&format!("USER_PRESENCE({user})"), state);
}

/// Asserts a user's state, winning source and reason.
#[track_caller]
pub fn assert_verdict(ast: &Instance, user: &str, verdict: &str) {
    let field = |field: &str| read(ast, &format!("{user},{field}"));
    let found = format!("{} {} {}", field("value"), field("source"), field("reason"));
    assert_eq!(found, verdict, "of {user}");
}

/// Waits until a user's state, winning source and reason are these.
#[track_caller]
pub fn wait_verdict(ast: &Instance, user: &str, verdict: &str) {
    let fields = ["value", "source", "reason"];
    wait_until(&format!("{user} to be {verdict}"), || {
        let found = fields.map(|field| read(ast, &format!("{user},{field}")));
        (found.join(" ") == verdict).then_some(())
    });
}

/// The presence of an extension itself: one of its fields.
#[track_caller]
pub fn custom(ast: &Instance, extension: &str, field: &str) -> String {
    ast.getvar(&format!(
        "PRESENCE_STATE(CustomPresence:{extension},{field})"
    ))
}

/// Waits until a field of an extension's own presence has this value: a status is written
/// to the extensions after the call that sets it has returned.
#[track_caller]
pub fn wait_custom(ast: &Instance, extension: &str, field: &str, value: &str) {
    wait_until(
        &format!("{value:?} as {field} of CustomPresence:{extension}"),
        || (custom(ast, extension, field) == value).then_some(()),
    );
}

/// State, subtype and message of an extension's own presence.
pub fn extension(ast: &Instance, name: &str) -> [String; 3] {
    ["value", "subtype", "message"].map(|field| custom(ast, name, field))
}

/// Waits until an extension's own presence has this state, subtype and message.
#[track_caller]
pub fn wait_extension(ast: &Instance, name: &str, expected: [&str; 3]) {
    wait_until(&format!("{expected:?} in CustomPresence:{name}"), || {
        (extension(ast, name) == expected).then_some(())
    });
}

/// The names of all users, in the order in which AMI lists them.
#[track_caller]
pub fn user_names(ast: &Instance) -> Vec<String> {
    let entries = ast.ami().list(&[("Action", "UserPresenceList")]);
    entries
        .iter()
        .filter_map(|entry| entry.get("User").map(str::to_owned))
        .collect()
}

/// Everything that the module knows of a user, as JSON.
#[track_caller]
pub fn json(ast: &Instance, user: &str) -> Value {
    // Getvar is no use here: its answers are too short.
    let get = [("Action", "UserPresenceGet"), ("User", user)];
    let answer = ast.ami().action(&get);
    let text = answer.get("Json").unwrap_or_default();
    serde_json::from_str(text).unwrap_or_else(|why| panic!("{user}: {why}: {answer:?}"))
}

/// The number of a user's last change.
#[track_caller]
pub fn sequence(ast: &Instance, user: &str) -> u64 {
    let number = read(ast, &format!("{user},sequence"));
    number.parse().expect("a number")
}

/// Asserts that a user's sources say what `CustomPresence` says, and that the winner is
/// the one that the method picks among them.
#[track_caller]
pub fn assert_consistent(ast: &Instance, user: &str) {
    let seen = json(ast, user);
    let sources = seen["sources"].as_array().expect("sources");
    for source in sources {
        let address = source["address"].as_str().expect("an address");
        for (field, name) in [
            ("value", "state"),
            ("subtype", "subtype"),
            ("message", "message"),
        ] {
            let custom = ast.getvar(&format!("PRESENCE_STATE({address},{field})"));
            assert_eq!(source[name], custom, "{user}, {address}: {seen:#}");
        }
    }
    let order = [
        "not_set",
        "unavailable",
        "available",
        "chat",
        "away",
        "xa",
        "dnd",
    ];
    let rank = |source: &Value| {
        let place = order
            .iter()
            .position(|state| source["state"] == *state)
            .expect("a state");
        if seen["method"] == "latest" {
            usize::from(place > 0)
        } else {
            place
        }
    };
    let highest = sources.iter().map(rank).max().expect("a source");
    let best = sources.iter().filter(|source| rank(source) == highest);
    let latest = best
        .clone()
        .map(|source| source["since"].as_u64())
        .max()
        .expect("one");
    // Within one millisecond the order does not show.
    let mut winners = best.filter(|source| source["since"].as_u64() == latest);
    let is = |source: &Value| {
        ["state", "subtype", "message", "since"]
            .iter()
            .all(|name| source[*name] == seen[*name])
    };
    assert!(winners.any(is), "{user}: {seen:#}");
}

/// The complaints that contain `text`, each from the beginning of its message.
#[track_caller]
pub fn complaints(ast: &Instance, text: &str) -> Vec<String> {
    let all = ast.complaints();
    // Help may not be installed yet where the module alone is built.
    let of_it = all
        .iter()
        .filter(|line| line.contains(text) && !line.contains(" xmldoc.c: "));
    let message = |line: &String| match line.split_once(".rs: ") {
        Some((_, message)) => message.to_owned(),
        None => line.clone(),
    };
    of_it.map(message).collect()
}
