//! Who a caller is, as far as the channel says.

use asterisk::application::Channel;
use presence::calls::Calls;
use presence::directory::{Directory, UserId};

/// What was found out of the channel.
pub struct Caller {
    is_local: bool,
    device: Option<String>,
    number: Option<String>,
}

impl Caller {
    /// Looks at the channel.
    pub fn of(channel: &Channel<'_>) -> Self {
        Caller {
            is_local: channel.is_local(),
            device: channel.device(),
            number: channel.caller(),
        }
    }

    /// Whether the channel is a Local one: in the context that it calls, not where the
    /// caller is.
    pub fn is_local(&self) -> bool {
        self.is_local
    }

    /// The device that calls. The name of a Local channel is no device's.
    pub fn device(&self) -> Option<&str> {
        self.device.as_deref().filter(|_| !self.is_local)
    }

    /// The caller's number.
    pub fn number(&self) -> Option<&str> {
        self.number.as_deref()
    }

    /// The number where it says who calls: that of a Local channel was set in here,
    /// another may be forged.
    pub fn known_number(&self, calls: &Calls) -> Option<&str> {
        let is_believed = self.is_local || calls.trust_caller_id;
        self.number().filter(|_| is_believed)
    }

    /// Our users who the caller may be, of whom a phone may have several, as seen by
    /// `called`.
    pub fn users(&self, directory: &Directory, called: UserId) -> Vec<UserId> {
        let device = self.device();
        let users = device.map_or_else(Vec::new, |device| directory.users_of_phone(device));
        if !users.is_empty() {
            return users;
        }
        let number = self.known_number(&directory.get(called).rule.calls);
        let user = number.and_then(|number| directory.whose(number, called));
        user.into_iter().collect()
    }
}
