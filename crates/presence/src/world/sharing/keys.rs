//! The keys of the cluster's store, and those that wait to be written.

use std::collections::VecDeque;

use rustc_hash::FxHashSet;

use crate::directory::{DeviceId, Directory, SourceId, UserId};
use crate::model::address::{self, CUSTOM_LABEL};

/// A key that this node writes.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) enum SharedKey {
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
pub(super) enum SharedPath<'a> {
    Person(&'a str),
    Settings(&'a str),
    Extension(&'a str),
    Heard { node: &'a str, what: Heard<'a> },
}

impl<'a> SharedPath<'a> {
    /// Parses a path; `None` for one that is not shared by the world.
    pub(super) fn parse(path: &'a str) -> Option<Self> {
        let (kind, rest) = path.split_once('/')?;
        Some(match kind {
            "person" => SharedPath::Person(rest),
            "settings" => SharedPath::Settings(rest),
            "extension" => SharedPath::Extension(rest),
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
                SharedPath::Heard { node, what }
            }
            _ => return None,
        })
    }

    /// The key; `None` for one that is not configured here, or that another node writes.
    pub(super) fn key(self, directory: &Directory, own: &str) -> Option<SharedKey> {
        Some(match self {
            SharedPath::Person(name) => SharedKey::Person(directory.user(name)?),
            SharedPath::Settings(name) => SharedKey::Settings(directory.user(name)?),
            SharedPath::Extension(address) => SharedKey::Extension(directory.source(address)?),
            SharedPath::Heard { node, .. } if node != own => return None,
            SharedPath::Heard { what, .. } => match what {
                Heard::Device(name) => SharedKey::Device(directory.device(name)?),
                Heard::Parked(space) => SharedKey::Parked(space.into()),
                Heard::Panel(user) => SharedKey::Panel(user.into()),
                Heard::Published(name) => SharedKey::Published(directory.device(name)?),
            },
        })
    }
}

impl SharedKey {
    /// The key's path.
    pub(super) fn path(&self, directory: &Directory, own: &str) -> String {
        let user = |user: UserId| directory.get(user).name.to_ascii_lowercase();
        let device = |device: DeviceId| directory.device_name(device);
        match self {
            SharedKey::Person(id) => format!("person/{}", user(*id)),
            SharedKey::Settings(id) => format!("settings/{}", user(*id)),
            SharedKey::Extension(source) => {
                let address = &directory.get_source(*source).address;
                // Each node may spell the label differently.
                match address::below(address, CUSTOM_LABEL) {
                    Some(rest) => format!("extension/{CUSTOM_LABEL}:{rest}"),
                    None => format!("extension/{address}"),
                }
            }
            SharedKey::Device(id) => format!("heard/{own}/device/{}", device(*id)),
            SharedKey::Parked(space) => format!("heard/{own}/parked/{space}"),
            SharedKey::Panel(user) => format!("heard/{own}/panel/{user}"),
            SharedKey::Published(id) => format!("heard/{own}/published/{}", device(*id)),
            SharedKey::Old(path) => path.to_string(),
        }
    }

    /// The kind and number of a key that has one.
    fn number(&self) -> Option<(usize, usize)> {
        match self {
            SharedKey::Person(user) => Some((0, user.index())),
            SharedKey::Settings(user) => Some((1, user.index())),
            SharedKey::Extension(source) => Some((2, source.index())),
            SharedKey::Device(device) => Some((3, device.index())),
            SharedKey::Published(device) => Some((4, device.index())),
            SharedKey::Parked(_) | SharedKey::Panel(_) | SharedKey::Old(_) => None,
        }
    }

    /// Whether any node may write the key.
    pub(super) fn is_register(&self) -> bool {
        matches!(
            self,
            SharedKey::Person(_) | SharedKey::Settings(_) | SharedKey::Extension(_)
        )
    }
}

/// The keys that wait to be written, oldest first, each once.
#[derive(Default, Debug)]
pub(super) struct Waiting {
    /// It may hold some that wait no more.
    queue: VecDeque<SharedKey>,
    /// The numbers of those that really wait, by kind; a bit is far cheaper than a hash.
    numbered: [Numbers; 5],
    /// Those without a number.
    named: FxHashSet<SharedKey>,
    count: usize,
}

/// A set of small numbers.
#[derive(Default, Debug)]
struct Numbers(Vec<u64>);

impl Numbers {
    /// Returns whether the number is new.
    fn insert(&mut self, number: usize) -> bool {
        let (at, bit) = (number / 64, 1 << (number % 64));
        if at >= self.0.len() {
            self.0.resize(at + 1, 0);
        }
        let is_new = self.0[at] & bit == 0;
        self.0[at] |= bit;
        is_new
    }

    /// Returns whether the number was there.
    fn remove(&mut self, number: usize) -> bool {
        let (at, bit) = (number / 64, 1 << (number % 64));
        let Some(bits) = self.0.get_mut(at) else {
            return false;
        };
        let was = *bits & bit != 0;
        *bits &= !bit;
        was
    }

    fn contains(&self, number: usize) -> bool {
        let bits = self.0.get(number / 64).copied();
        bits.unwrap_or_default() & 1 << (number % 64) != 0
    }
}

impl Waiting {
    pub(super) fn add(&mut self, key: SharedKey) {
        let is_new = match key.number() {
            Some((kind, number)) => self.numbered[kind].insert(number),
            None => self.named.insert(key.clone()),
        };
        if is_new {
            self.count += 1;
            self.queue.push_back(key);
            // Keys that wait no more leave places behind.
            if self.queue.len() > 64 + 2 * self.count {
                self.tidy();
            }
        }
    }

    /// The key has its value in the store already. Returns whether it waited.
    pub(super) fn remove(&mut self, key: &SharedKey) -> bool {
        let waited = match key.number() {
            Some((kind, number)) => self.numbered[kind].remove(number),
            None => self.named.remove(key),
        };
        self.count -= usize::from(waited);
        waited
    }

    pub(super) fn take(&mut self) -> Option<SharedKey> {
        while let Some(key) = self.queue.pop_front() {
            if self.remove(&key) {
                return Some(key);
            }
        }
        None
    }

    pub(super) fn len(&self) -> usize {
        self.count
    }

    /// Removes all keys, oldest first.
    pub(super) fn take_all(&mut self) -> Vec<SharedKey> {
        std::iter::from_fn(|| self.take()).collect()
    }

    fn tidy(&mut self) {
        let mut seen = FxHashSet::default();
        let (numbered, named) = (&self.numbered, &self.named);
        self.queue.retain(|key| {
            let waits = match key.number() {
                Some((kind, number)) => numbered[kind].contains(number),
                None => named.contains(key),
            };
            waits && seen.insert(key.clone())
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_queue_is_bounded_by_the_number_of_keys() {
        let mut waiting = Waiting::default();
        let keys: Vec<SharedKey> = (0..10)
            .map(|at| SharedKey::Person(UserId::new(at)))
            .collect();
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
        let parsed = SharedPath::parse("heard/berlin/device/PJSIP/201");
        let what = Heard::Device("PJSIP/201");
        assert_eq!(
            parsed,
            Some(SharedPath::Heard {
                node: "berlin",
                what
            })
        );
        let parsed = SharedPath::parse("extension/CustomPresence:a/b");
        assert_eq!(parsed, Some(SharedPath::Extension("CustomPresence:a/b")));
        assert_eq!(SharedPath::parse("node/berlin"), None);
        assert_eq!(SharedPath::parse("keeper"), None);
    }
}
