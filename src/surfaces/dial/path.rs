//! The users that a call has passed, so that forwards do not loop.
//!
//! They are kept in a channel variable that outgoing channels inherit. The variable counts
//! on Local channels only: a phone that was called has it too, but a call that is
//! transferred away from that phone is a new call.

use std::ffi::CStr;

use asterisk::application::Channel;
use presence::calls::{CallOrigin, DEPTH};

/// With `__`: every channel that this one creates inherits the variable.
const VARIABLE: &CStr = c"__USERPRESENCE_PATH";
const NAME: &str = "USERPRESENCE_PATH";

/// Where the call began, and the users that it has passed.
pub struct Path {
    /// `None` for a call that has passed no user.
    pub origin: Option<CallOrigin>,
    users: Vec<String>,
    /// The value of the variable before this call.
    before: Option<String>,
}

impl Path {
    /// The path of the channel's call so far.
    pub fn of(channel: &Channel<'_>) -> Self {
        let before = channel.get(NAME);
        // A user's name contains no '&'.
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

    /// Why the call must not continue to this user; `None` if it may.
    pub fn forbids(&self, user: &str) -> Option<String> {
        let path = || self.users.join(" -> ");
        if self.users.iter().any(|it| it.eq_ignore_ascii_case(user)) {
            let path = path();
            return Some(format!(
                "the call loops: {path} -> {user}; the caller hears busy"
            ));
        }
        (self.users.len() >= DEPTH).then(|| {
            let path = path();
            format!(
                "the call was forwarded more than {DEPTH} times: {path} -> {user}; the caller \
                 hears busy"
            )
        })
    }

    /// The call continues to this user.
    pub fn enter(&self, channel: &Channel<'_>, user: &str, origin: CallOrigin) {
        let mut path = origin.name().to_owned();
        for user in self.users.iter().map(String::as_str).chain([user]) {
            path.push('&');
            path.push_str(user);
        }
        channel.set(VARIABLE, &path);
    }

    /// The call returns from the user.
    pub fn leave(&self, channel: &Channel<'_>) {
        match &self.before {
            Some(before) => channel.set(VARIABLE, before),
            None => channel.unset(VARIABLE),
        }
    }
}
