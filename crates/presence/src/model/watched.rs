//! Who is looked at in Asterisk: the users that hints and queues name.

use std::collections::HashSet;

use crate::model::address::{USER_LABEL, below};
use crate::model::device::Watcher;

/// Names of users, in small letters: they match without regard to case.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Watched {
    /// Those whose presence is looked at.
    pub presences: HashSet<String>,
    /// Those who are looked at as a device.
    pub devices: HashSet<(String, Watcher)>,
}

impl Watched {
    /// Takes what a hint names: devices, and after a comma presences, each list with `&`
    /// between its members.
    pub fn add_hint(&mut self, text: &str) {
        let (devices, presences) = text.split_once(',').unwrap_or((text, ""));
        devices
            .split('&')
            .for_each(|device| self.add_device(device));
        for address in presences.split(['&', ',']) {
            if let Some(name) = below(address.trim(), USER_LABEL) {
                self.presences.insert(name.to_ascii_lowercase());
            }
        }
    }

    /// Takes a device, where it is a user.
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
        };
        assert_eq!(watched, expected);
    }
}
