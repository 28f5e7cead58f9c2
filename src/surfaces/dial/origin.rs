//! Whether a call is internal or external.

use crate::surfaces::caller::ChannelCaller;
use asterisk::application::Channel;
use presence::calls::CallOrigin;
use presence::directory::{Directory, UserId};

/// What the channel shows about the origin of its call.
pub struct OriginFacts {
    /// Given by an option, or by an earlier forward of the same call.
    given: Option<CallOrigin>,
    caller: ChannelCaller,
    context: String,
    variable: Option<CallOrigin>,
}

impl OriginFacts {
    /// Reads the channel; `variable` is the name of the user's `origin_variable`.
    pub fn new(channel: &Channel<'_>, given: Option<CallOrigin>, variable: Option<&str>) -> Self {
        let variable = variable.and_then(|name| channel.get(name));
        OriginFacts {
            given,
            caller: ChannelCaller::of(channel),
            context: channel.context(),
            variable: variable.and_then(|value| CallOrigin::parse(value.trim()).ok()),
        }
    }

    /// The caller's number.
    pub fn number(&self) -> Option<&str> {
        self.caller.number()
    }

    /// The origin of a call to this user. The first of these decides: an option or earlier
    /// forward, the variable, the caller's device, context or number.
    pub fn origin(&self, directory: &Directory, user: UserId) -> CallOrigin {
        let calls = &directory.get(user).rule.calls;
        if let Some(origin) = self.given.or(self.variable) {
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
        let is_users_number = || {
            let number = self.caller.known_number(calls);
            number.is_some_and(|number| directory.owner_of_extension(number, user).is_some())
        };
        match is_phone() || is_inside() || is_users_number() {
            true => CallOrigin::Internal,
            false => CallOrigin::External,
        }
    }
}
