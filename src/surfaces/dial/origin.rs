//! Whether a call comes from inside or from outside.

use crate::asterisk::application::Channel;
use crate::presence::directory::{Directory, UserId};
use crate::presence::route::CallOrigin;

/// What was found out of the channel.
pub struct Asked {
    /// By an option, or by an earlier forward of the same call.
    told: Option<CallOrigin>,
    is_local: bool,
    device: Option<String>,
    context: String,
    number: Option<String>,
    variable: Option<CallOrigin>,
}

impl Asked {
    /// Looks at the channel.
    pub fn new(channel: &Channel<'_>, told: Option<CallOrigin>, variable: Option<&str>) -> Self {
        let variable = variable.and_then(|name| channel.get(name));
        Asked {
            told,
            is_local: channel.is_local(),
            device: channel.device(),
            context: channel.context(),
            number: channel.caller(),
            variable: variable.and_then(|given| CallOrigin::parse(given.trim()).ok()),
        }
    }

    /// The caller's number.
    pub fn number(&self) -> Option<&str> {
        self.number.as_deref()
    }

    /// Where a call to this user comes from: the first of these that says so is
    /// believed.
    pub fn origin(&self, directory: &Directory, user: UserId) -> CallOrigin {
        let calls = &directory.get(user).rule.calls;
        if let Some(origin) = self.told.or(self.variable) {
            return origin;
        }
        // A Local channel is in the context that it calls, not where the caller is, and
        // its name is no device's. Its caller id was set in here.
        let is_phone = || {
            let device = self.device.as_deref();
            device.is_some_and(|device| directory.is_phone(device))
        };
        let is_inside = || {
            let mut contexts = calls.internal_contexts.iter();
            contexts.any(|context| **context == *self.context)
        };
        let is_ours = || {
            let number = self.number.as_deref();
            number.is_some_and(|number| directory.whose(number, user).is_some())
        };
        let internal = if self.is_local {
            is_ours()
        } else {
            is_phone() || is_inside() || (calls.trust_caller_id && is_ours())
        };
        match internal {
            true => CallOrigin::Internal,
            false => CallOrigin::External,
        }
    }
}
