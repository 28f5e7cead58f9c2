//! The keys that this node writes.

use super::keys::{SharedKey, SharedPath};
use super::{SharedWrite, World};

impl World {
    pub(super) fn wait(&mut self, key: SharedKey) {
        if let Some(replica) = self.sharing_mut() {
            replica.wait(key);
        }
    }

    /// The present value of a key; `None` if it has none.
    pub(super) fn shared_value(&self, key: &SharedKey) -> Option<String> {
        match key {
            SharedKey::Person(user) => self.person_register(*user),
            SharedKey::Settings(user) => self.settings_register(*user),
            SharedKey::Extension(source) => self.extension_register(*source),
            // It may have got a value again in the meantime.
            SharedKey::Old(path) => self.shared_value(&self.key_of(path)?),
            SharedKey::Panel(user) if !self.panels.contains_key(&**user) => None,
            key => self.sharing()?.heard_value(key, &self.parking),
        }
    }

    /// Removes up to `most` keys that have to be written, oldest first, with their present
    /// values.
    pub fn take_shared_writes(&mut self, most: usize) -> Vec<SharedWrite> {
        let mut writes = Vec::new();
        while writes.len() < most {
            let Some(key) = self.sharing_mut().and_then(|it| it.waiting.take()) else {
                break;
            };
            let value = self.shared_value(&key);
            let is_register = key.is_register();
            let Some(replica) = self.sharing() else {
                break;
            };
            if value.is_none() && is_register {
                continue;
            }
            let seen = match &key {
                SharedKey::Person(user) => replica.users[user.index()].person_revision,
                SharedKey::Settings(user) => replica.users[user.index()].settings_revision,
                SharedKey::Extension(source) => replica.sources[source.index()].revision,
                _ => 0,
            };
            writes.push(SharedWrite {
                path: key.path(&self.directory, replica.name()),
                value,
                seen,
                is_register,
            });
        }
        writes
    }

    /// A key was written and has this revision now.
    pub fn shared_written(&mut self, path: &str, revision: i64) {
        let Some(key) = self.key_of(path) else {
            return;
        };
        let Some(replica) = self.sharing_mut() else {
            return;
        };
        let known = match key {
            SharedKey::Person(user) => &mut replica.users[user.index()].person_revision,
            SharedKey::Settings(user) => &mut replica.users[user.index()].settings_revision,
            SharedKey::Extension(source) => &mut replica.sources[source.index()].revision,
            _ => return,
        };
        *known = revision.max(*known);
    }

    /// Puts back keys that could not be written. They are written later with the values that
    /// they have then.
    pub fn put_back_shared<'a>(&mut self, paths: impl Iterator<Item = &'a str>) {
        for path in paths {
            let old = || match (SharedPath::parse(path)?, self.sharing()?) {
                (SharedPath::Heard { node, .. }, replica) if replica.is_own(node) => {
                    Some(SharedKey::Old(path.into()))
                }
                _ => None,
            };
            if let Some(key) = self.key_of(path).or_else(old) {
                self.wait(key);
            }
        }
    }

    fn key_of(&self, path: &str) -> Option<SharedKey> {
        let name = self.sharing()?.name();
        SharedPath::parse(path)?.key(&self.directory, name)
    }

    /// The number of keys that wait to be written.
    pub fn shared_waiting(&self) -> usize {
        self.sharing().map_or(0, |replica| replica.waiting.len())
    }
}
