//! Completion of arguments on the console.

use crate::runtime::store;
use asterisk::cli::Completion;
use presence::directory::User;

/// Users, as the first argument.
pub fn user(at: &Completion<'_>) -> Vec<String> {
    users(at, |_| true)
}

/// The users that `wanted` accepts, as the first argument.
pub fn users(at: &Completion<'_>, wanted: impl Fn(&User) -> bool) -> Vec<String> {
    match at.before.is_empty() {
        true => users_like(at.word, wanted),
        false => Vec::new(),
    }
}

/// The users whose name begins with `word`.
pub fn users_like(word: &str, wanted: impl Fn(&User) -> bool) -> Vec<String> {
    // A longer list is of no use on a console, and there may be 100,000 users.
    const MOST: usize = 200;
    let begins = |name: &str| {
        let begin = name.get(..word.len());
        begin.is_some_and(|begin| begin.eq_ignore_ascii_case(word))
    };
    let names = store::read(|world| {
        let users = world.directory().users().map(|(_, user)| user);
        let users = users.filter(|user| begins(&user.name) && wanted(user));
        users.take(MOST).map(|user| user.name.to_string()).collect()
    });
    names.unwrap_or_default()
}

/// Every status type.
pub fn statuses() -> Vec<String> {
    let statuses = store::read(|world| world.directory().settings.statuses().clone());
    let statuses = statuses.iter().flat_map(|statuses| statuses.iter());
    statuses.map(|status| status.name.to_string()).collect()
}

/// Every group.
pub fn groups() -> Vec<String> {
    let groups = store::read(|world| {
        let groups = world.directory().groups();
        groups.map(|(_, name, _)| name.to_owned()).collect()
    });
    groups.unwrap_or_default()
}
