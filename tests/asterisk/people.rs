//! What the tests of the interfaces share.

use std::sync::atomic::{AtomicU32, Ordering};

use crate::harness::{Ami, Builder, Instance, Message, wait_until};

/// An Asterisk with this `userpresence.conf`, and a user more for [`caught_up`].
pub fn with(conf: &str) -> Builder {
    let barrier = "[barrier]\ntype = user\naccount = barrier\nextension = barrier\n";
    Instance::builder().userpresence(&format!("{conf}\n{barrier}"))
}

/// Alice with the extensions 200 and 201, and nothing else.
pub const ALICE: &str = "[alice]\ntype = user\nextension = 200\nextension = 201\n";

/// Returns once every event published before was heard: they are heard in their
/// order, so one more is sent and waited for.
#[track_caller]
pub fn caught_up(ast: &Instance) {
    let mark = send_mark(ast);
    wait_until("the barrier", || {
        (ast.getvar("USER_PRESENCE(barrier,message)") == mark).then_some(())
    });
}

/// As [`caught_up`]; returns all that this AMI client was told until then. It is told
/// of presences by Asterisk and of users by us, each in its order.
#[track_caller]
pub fn told(ast: &Instance, ami: &Ami) -> Vec<Message> {
    let mark = send_mark(ast);
    let mut all = Vec::new();
    wait_until("the barrier's events", || {
        all.extend(ami.take_events());
        let came = |name: &str| {
            let mut of_it = all.iter().filter(|event| event.is_event(name));
            of_it.any(|event| {
                let of = [event.get("User"), event.get("Presentity")];
                let barrier = [Some("barrier"), Some("UserPresence:barrier")];
                event.text() == mark && of.iter().any(|of| barrier.contains(of))
            })
        };
        (came("PresenceStateChange") && came("UserPresenceChange")).then_some(())
    });
    all
}

fn send_mark(ast: &Instance) -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let mark = format!("mark-{}", COUNT.fetch_add(1, Ordering::Relaxed));
    ast.set_custom("barrier", &format!("away,,{mark}"));
    mark
}

/// The events `name` whose `header` is `value`.
pub fn of<'a>(events: &'a [Message], name: &str, header: &str, value: &str) -> Vec<&'a Message> {
    let of_it = events.iter().filter(|event| event.is_event(name));
    of_it
        .filter(|event| event.get(header) == Some(value))
        .collect()
}

/// The publishes of a user among the events.
pub fn published<'a>(events: &'a [Message], user: &str) -> Vec<&'a Message> {
    let address = format!("UserPresence:{user}");
    of(events, "PresenceStateChange", "Presentity", &address)
}

/// Sets an extension by a real event, and returns once it was heard.
#[track_caller]
pub fn event(ast: &Instance, extension: &str, value: &str) {
    ast.set_custom(extension, value);
    caught_up(ast);
}

/// `USER_PRESENCE(arguments)`.
#[track_caller]
pub fn read(ast: &Instance, arguments: &str) -> String {
    ast.getvar(&format!("USER_PRESENCE({arguments})"))
}

/// Asserts a user's state, winning source and reason.
#[track_caller]
pub fn expect(ast: &Instance, user: &str, verdict: &str) {
    let field = |field: &str| read(ast, &format!("{user},{field}"));
    let found = format!("{} {} {}", field("value"), field("source"), field("reason"));
    assert_eq!(found, verdict, "of {user}");
}

/// Sets a user's status.
#[track_caller]
pub fn set(ast: &Instance, user: &str, value: &str) {
    ast.setvar(&format!("USER_PRESENCE({user})"), value);
}

/// What an extension's own presence holds.
#[track_caller]
pub fn custom(ast: &Instance, extension: &str, rest: &str) -> String {
    ast.getvar(&format!(
        "PRESENCE_STATE(CustomPresence:{extension},{rest})"
    ))
}

/// Waits until an extension's own presence is this: it is written behind the back of
/// the one who set the status.
#[track_caller]
pub fn wait_custom(ast: &Instance, extension: &str, rest: &str, value: &str) {
    wait_until(
        &format!("{value:?} as {rest} of CustomPresence:{extension}"),
        || (custom(ast, extension, rest) == value).then_some(()),
    );
}

/// The complaints that hold `text`, each from where the message begins.
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
