//! What the tests of the interfaces share.

use std::sync::atomic::{AtomicU32, Ordering};

use crate::harness::{Builder, Instance, wait_until};

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
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let mark = format!("mark-{}", COUNT.fetch_add(1, Ordering::Relaxed));
    ast.set_custom("barrier", &format!("away,,{mark}"));
    wait_until("the barrier", || {
        (ast.getvar("USER_PRESENCE(barrier,message)") == mark).then_some(())
    });
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
