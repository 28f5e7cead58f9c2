//! The keys of the cluster's store, and those that wait to be written.

use std::collections::VecDeque;

use rustc_hash::FxHashSet;

use crate::directory::{DeviceId, Directory, SourceId, UserId};
use crate::model::address::{self, CUSTOM_LABEL};

/// A key that this node writes.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) enum Key {
    /// What a user has chosen.
    Person(UserId),
    /// A user's own settings.
    Settings(UserId),
    /// The presence of an address.
    Extension(SourceId),
    /// A device here.
    Device(DeviceId),
    /// A call that is parked here, by its space.
    Parked(Box<str>),
    /// A user with a panel here, by the name in lower case.
    Panel(Box<str>),
    /// What a phone publishes here.
    Published(DeviceId),
    /// A key of this node that has no value any more, by its path.
    Old(Box<str>),
}

/// The part of a path that names what another node hears.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Heard<'a> {
    Device(&'a str),
    Parked(&'a str),
    Panel(&'a str),
    Published(&'a str),
}

/// A path of the store.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Path<'a> {
    Person(&'a str),
    Settings(&'a str),
    Extension(&'a str),
    Heard { node: &'a str, what: Heard<'a> },
}

impl<'a> Path<'a> {
    /// Parses a path; `None` for one that is not shared by the world.
    pub(super) fn parse(path: &'a str) -> Option<Self> {
        let (kind, rest) = path.split_once('/')?;
        Some(match kind {
            "person" => Path::Person(rest),
            "settings" => Path::Settings(rest),
            "extension" => Path::Extension(rest),
            "heard" => {
                let (node, rest) = rest.split_once('/')?;
                let (kind, name) = rest.split_once('/')?;
                let what = match kind {
                    "device" => Heard::Device(name),
                    "parked" => Heard::Parked(name),
                    "panel" => Heard::Panel(name),
                    "published" => Heard::Published(name),
                    _ => return None,
                };
                Path::Heard { node, what }
            }
            _ => return None,
        })
    }

    /// The key; `None` for one that is not configured here, or that another node writes.
    pub(super) fn key(self, directory: &Directory, own: &str) -> Option<Key> {
        Some(match self {
            Path::Person(name) => Key::Person(directory.user(name)?),
            Path::Settings(name) => Key::Settings(directory.user(name)?),
            Path::Extension(address) => Key::Extension(directory.source(address)?),
            Path::Heard { node, .. } if node != own => return None,
            Path::Heard { what, .. } => match what {
                Heard::Device(name) => Key::Device(directory.device(name)?),
                Heard::Parked(space) => Key::Parked(space.into()),
                Heard::Panel(user) => Key::Panel(user.into()),
                Heard::Published(name) => Key::Published(directory.device(name)?),
            },
        })
    }
}

impl Key {
    /// The key's path.
    pub(super) fn path(&self, directory: &Directory, own: &str) -> String {
        let user = |user: UserId| directory.get(user).name.to_ascii_lowercase();
        let device = |device: DeviceId| directory.device_name(device);
        match self {
            Key::Person(id) => format!("person/{}", user(*id)),
            Key::Settings(id) => format!("settings/{}", user(*id)),
            Key::Extension(source) => {
                let address = &directory.get_source(*source).address;
                // Each node may spell the label differently.
                match address::below(address, CUSTOM_LABEL) {
                    Some(rest) => format!("extension/{CUSTOM_LABEL}:{rest}"),
                    None => format!("extension/{address}"),
                }
            }
            Key::Device(id) => format!("heard/{own}/device/{}", device(*id)),
            Key::Parked(space) => format!("heard/{own}/parked/{space}"),
            Key::Panel(user) => format!("heard/{own}/panel/{user}"),
            Key::Published(id) => format!("heard/{own}/published/{}", device(*id)),
            Key::Old(path) => path.to_string(),
        }
    }

    /// Whether any node may write the key.
    pub(super) fn is_register(&self) -> bool {
        matches!(self, Key::Person(_) | Key::Settings(_) | Key::Extension(_))
    }
}

/// The keys that wait to be written, oldest first, each once.
#[derive(Default, Debug)]
pub(super) struct Waiting {
    queue: VecDeque<Key>,
    /// The keys that really wait: the queue may hold some that wait no more.
    keys: FxHashSet<Key>,
}

impl Waiting {
    pub(super) fn add(&mut self, key: Key) {
        if self.keys.insert(key.clone()) {
            self.queue.push_back(key);
            // Keys that wait no more leave places behind.
            if self.queue.len() > 64 + 2 * self.keys.len() {
                self.tidy();
            }
        }
    }

    /// The key has its value in the store already.
    pub(super) fn remove(&mut self, key: &Key) {
        self.keys.remove(key);
    }

    pub(super) fn take(&mut self) -> Option<Key> {
        while let Some(key) = self.queue.pop_front() {
            if self.keys.remove(&key) {
                return Some(key);
            }
        }
        None
    }

    pub(super) fn len(&self) -> usize {
        self.keys.len()
    }

    /// Removes all keys, oldest first.
    pub(super) fn take_all(&mut self) -> Vec<Key> {
        std::iter::from_fn(|| self.take()).collect()
    }

    fn tidy(&mut self) {
        let mut seen = FxHashSet::default();
        let keys = &self.keys;
        self.queue
            .retain(|key| keys.contains(key) && seen.insert(key.clone()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_queue_is_bounded_by_the_number_of_keys() {
        let mut waiting = Waiting::default();
        let keys: Vec<Key> = (0..10).map(|at| Key::Person(UserId::new(at))).collect();
        for _ in 0..1000 {
            for key in &keys {
                waiting.add(key.clone());
                waiting.add(key.clone());
            }
            for key in &keys[1..] {
                waiting.remove(key);
            }
        }
        assert_eq!(waiting.len(), 1);
        assert!(waiting.queue.len() < 100);
        waiting.add(keys[3].clone());
        assert_eq!(waiting.take_all(), [keys[0].clone(), keys[3].clone()]);
    }

    #[test]
    fn a_name_may_have_slashes() {
        let parsed = Path::parse("heard/berlin/device/PJSIP/201");
        let what = Heard::Device("PJSIP/201");
        assert_eq!(
            parsed,
            Some(Path::Heard {
                node: "berlin",
                what
            })
        );
        let parsed = Path::parse("extension/CustomPresence:a/b");
        assert_eq!(parsed, Some(Path::Extension("CustomPresence:a/b")));
        assert_eq!(Path::parse("node/berlin"), None);
        assert_eq!(Path::parse("keeper"), None);
    }
}
