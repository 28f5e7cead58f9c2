//! The users whom a call has passed, so that no forward goes in a circle.
//!
//! They are kept in a variable that the channels inherit which a call makes. Only a
//! Local channel is believed: a phone that was called has the variable too, but a call
//! that is transferred away from it is a new one.

use std::ffi::CStr;

use asterisk::application::Channel;
use presence::calls::{CallOrigin, DEPTH};

/// With `__`, which stands for: inherited by all.
const VARIABLE: &CStr = c"__USERPRESENCE_PATH";
const NAME: &str = "USERPRESENCE_PATH";

/// Where the call began, and the users whom it has passed.
pub struct Path {
    /// `None` for a call that has passed nobody.
    pub origin: Option<CallOrigin>,
    users: Vec<String>,
    /// The variable as it was found.
    before: Option<String>,
}

impl Path {
    /// The way that the channel has come.
    pub fn of(channel: &Channel<'_>) -> Self {
        let before = channel.get(NAME);
        // No name of a user holds a '&'.
        let known = before.as_deref().filter(|_| channel.is_local());
        let mut parts = known.unwrap_or_default().split('&');
        let origin = parts.next().and_then(|name| CallOrigin::parse(name).ok());
        let users = match origin {
            Some(_) => parts.map(str::to_owned).collect(),
            None => Vec::new(),
        };
        Path {
            origin,
            users,
            before,
        }
    }

    /// Why the call must not go on to this user.
    pub fn forbids(&self, user: &str) -> Option<String> {
        let way = || self.users.join(" -> ");
        if self.users.iter().any(|it| it.eq_ignore_ascii_case(user)) {
            let way = way();
            return Some(format!(
                "the call goes in a circle: {way} -> {user}; the caller is told busy"
            ));
        }
        (self.users.len() >= DEPTH).then(|| {
            let way = way();
            format!(
                "the call was forwarded more than {DEPTH} times: {way} -> {user}; the caller is \
                 told busy"
            )
        })
    }

    /// The call goes on to this user.
    pub fn enter(&self, channel: &Channel<'_>, user: &str, origin: CallOrigin) {
        let mut way = origin.name().to_owned();
        for user in self.users.iter().map(String::as_str).chain([user]) {
            way.push('&');
            way.push_str(user);
        }
        channel.set(VARIABLE, &way);
    }

    /// The call has come back from the user.
    pub fn leave(&self, channel: &Channel<'_>) {
        match &self.before {
            Some(before) => channel.set(VARIABLE, before),
            None => channel.unset(VARIABLE),
        }
    }
}
