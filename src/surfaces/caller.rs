//! The caller, as far as the channel identifies one.

use asterisk::application::Channel;
use presence::calls::Calls;
use presence::directory::{Directory, UserId};

/// What the channel shows about its caller.
pub struct ChannelCaller {
    is_local: bool,
    device: Option<String>,
    number: Option<String>,
}

impl ChannelCaller {
    /// Reads the channel.
    pub fn of(channel: &Channel<'_>) -> Self {
        ChannelCaller {
            is_local: channel.is_local(),
            device: channel.device(),
            number: channel.caller(),
        }
    }

    /// Whether the channel is a Local one. The context of a Local channel is the one that
    /// it calls, not the caller's.
    pub fn is_local(&self) -> bool {
        self.is_local
    }

    /// The calling device. The name of a Local channel contains no device.
    pub fn device(&self) -> Option<&str> {
        self.device.as_deref().filter(|_| !self.is_local)
    }

    /// The caller's number.
    pub fn number(&self) -> Option<&str> {
        self.number.as_deref()
    }

    /// The number where it identifies the caller: the number of a Local channel was set
    /// inside this Asterisk; any other may be forged and counts only with
    /// `trust_caller_id`.
    pub fn known_number(&self, calls: &Calls) -> Option<&str> {
        let is_trusted = self.is_local || calls.trust_caller_id;
        self.number().filter(|_| is_trusted)
    }

    /// The users that the caller may be, from the point of view of `called`. Several users
    /// may share a phone.
    pub fn users(&self, directory: &Directory, called: UserId) -> Vec<UserId> {
        let device = self.device();
        let users = device.map_or_else(Vec::new, |device| directory.users_of_phone(device));
        if !users.is_empty() {
            return users;
        }
        let number = self.known_number(&directory.get(called).rule.calls);
        let user = number.and_then(|number| directory.owner_of_extension(number, called));
        user.into_iter().collect()
    }
}
