//! Whether a call comes from inside or from outside.

use crate::surfaces::caller::Caller;
use asterisk::application::Channel;
use presence::calls::CallOrigin;
use presence::directory::{Directory, UserId};

/// What was found out of the channel.
pub struct Asked {
    /// By an option, or by an earlier forward of the same call.
    told: Option<CallOrigin>,
    caller: Caller,
    context: String,
    variable: Option<CallOrigin>,
}

impl Asked {
    /// Looks at the channel.
    pub fn new(channel: &Channel<'_>, told: Option<CallOrigin>, variable: Option<&str>) -> Self {
        let variable = variable.and_then(|name| channel.get(name));
        Asked {
            told,
            caller: Caller::of(channel),
            context: channel.context(),
            variable: variable.and_then(|given| CallOrigin::parse(given.trim()).ok()),
        }
    }

    /// The caller's number.
    pub fn number(&self) -> Option<&str> {
        self.caller.number()
    }

    /// Where a call to this user comes from: the first of these that says so is
    /// believed.
    pub fn origin(&self, directory: &Directory, user: UserId) -> CallOrigin {
        let calls = &directory.get(user).rule.calls;
        if let Some(origin) = self.told.or(self.variable) {
            return origin;
        }
        let is_phone = || {
            let device = self.caller.device();
            device.is_some_and(|device| directory.is_phone(device))
        };
        let is_inside = || {
            let mut contexts = calls.internal_contexts.iter();
            !self.caller.is_local() && contexts.any(|context| **context == *self.context)
        };
        let is_ours = || {
            let number = self.caller.known_number(calls);
            number.is_some_and(|number| directory.whose(number, user).is_some())
        };
        match is_phone() || is_inside() || is_ours() {
            true => CallOrigin::Internal,
            false => CallOrigin::External,
        }
    }
}
