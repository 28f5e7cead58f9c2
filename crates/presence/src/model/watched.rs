//! The users that hints and queues of Asterisk watch.

use std::collections::HashSet;

use crate::model::address::{USER_LABEL, below};
use crate::model::device::Watcher;

/// The names of watched users, in lower case: names match without regard to case.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Watched {
    /// The users whose presence is watched.
    pub presences: HashSet<String>,
    /// The users who are watched as a device.
    pub devices: HashSet<(String, Watcher)>,
    /// The devices of users as hints spell them, label included.
    pub spellings: HashSet<String>,
    /// The same for presences.
    pub presence_spellings: HashSet<String>,
}

impl Watched {
    /// Adds the users that a hint names. A hint has a list of devices and, after a comma, a
    /// list of presences; each list is separated by `&`.
    pub fn add_hint(&mut self, text: &str) {
        let (devices, presences) = text.split_once(',').unwrap_or((text, ""));
        for device in devices.split('&') {
            self.add_device(device);
            if below(device, USER_LABEL).is_some() {
                self.spellings.insert(device.to_owned());
            }
        }
        for address in presences.split(['&', ',']) {
            if below(address, USER_LABEL).is_some() {
                self.presence_spellings.insert(address.to_owned());
            }
            if let Some(name) = below(address.trim(), USER_LABEL) {
                self.presences.insert(name.to_ascii_lowercase());
            }
        }
    }

    /// Adds the user that a device address names; other devices are ignored.
    pub fn add_device(&mut self, device: &str) {
        if let Some(name) = below(device.trim(), USER_LABEL) {
            let (name, watcher) = Watcher::split(name);
            self.devices.insert((name.to_ascii_lowercase(), watcher));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hint_names_devices_and_presences() {
        let mut watched = Watched::default();
        for hint in [
            "PJSIP/1&userpresence:Bob&UserPresence:carol@queue,UserPresence:ALICE&UserPresence:b",
            ",UserPresence:dave",
            "UserPresence:erin",
            "PJSIP/2,CustomPresence:1",
            "",
        ] {
            watched.add_hint(hint);
        }
        let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let expected = Watched {
            presences: set(&["alice", "b", "dave"]),
            devices: [
                ("bob".to_owned(), Watcher::Lamp),
                ("carol".to_owned(), Watcher::Queue),
                ("erin".to_owned(), Watcher::Lamp),
            ]
            .into(),
            spellings: set(&[
                "userpresence:Bob",
                "UserPresence:carol@queue",
                "UserPresence:erin",
            ]),
            presence_spellings: set(&["UserPresence:ALICE", "UserPresence:b", "UserPresence:dave"]),
        };
        assert_eq!(watched, expected);
    }
}
