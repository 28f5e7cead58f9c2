//! Joining: all that the store has, against all that is known here.

use std::collections::HashMap;

use super::keys::{SharedKey, SharedPath};
use super::nodes::OtherNode;
use super::registers::{PersonRegister, SettingsRegister};
use super::{Gathered, NodeIdentity, OtherUsers, SharedEntry};
use crate::directory::UserId;
use crate::model::time::Time;
use crate::world::{Effect, World};

/// The registers that the store has.
struct FoundRegisters {
    people: Vec<bool>,
    settings: Vec<bool>,
    sources: Vec<bool>,
}

impl World {
    /// Takes over all that the store has. `live` are the nodes that are registered. What is
    /// missing there and set here is written later.
    ///
    /// # Errors
    /// The store holds users, and none of them is configured here; nothing is taken over.
    pub fn take_whole(
        &mut self,
        entries: &[SharedEntry],
        live: &[NodeIdentity],
        now: Time,
    ) -> Result<Vec<Effect>, OtherUsers> {
        if !self.is_sharing() {
            return Ok(Vec::new());
        }
        self.check_users(entries)?;
        let mut effects = self.with_origin(false, |world| world.join_whole(entries, live, now));
        let replica = self.sharing_mut();
        if replica.is_some_and(|replica| std::mem::take(&mut replica.stale_panels)) {
            effects.extend(self.log_out_stale_panels(now));
        }
        Ok(effects)
    }

    fn check_users(&self, entries: &[SharedEntry]) -> Result<(), OtherUsers> {
        let people = entries.iter().filter(|entry| entry.value.is_some());
        let people = people.filter_map(|entry| match SharedPath::parse(entry.path)? {
            SharedPath::Person(name) => Some(name),
            _ => None,
        });
        let mut users = 0;
        for name in people {
            if self.directory.user(name).is_some() {
                return Ok(());
            }
            users += 1;
        }
        match users {
            0 => Ok(()),
            users => Err(OtherUsers { users }),
        }
    }

    fn join_whole(
        &mut self,
        entries: &[SharedEntry],
        live: &[NodeIdentity],
        now: Time,
    ) -> Vec<Effect> {
        let directory = self.directory.clone();
        let mut taken = Gathered::default();
        let mut found = FoundRegisters {
            people: vec![false; directory.user_count()],
            settings: vec![false; directory.user_count()],
            sources: vec![false; directory.source_count()],
        };
        self.forget_store(live, &mut taken);
        let mut of_this_node = HashMap::new();
        let name = self
            .sharing()
            .map_or("", |replica| replica.name())
            .to_owned();
        for entry in entries {
            let Some(path) = SharedPath::parse(entry.path) else {
                continue;
            };
            if let SharedPath::Heard { node, .. } = path
                && *node == *name
            {
                of_this_node.extend(entry.value.map(|value| (entry.path, value)));
                continue;
            }
            match path
                .key(&directory, &name)
                .filter(|_| entry.value.is_some())
            {
                Some(SharedKey::Person(user)) => found.people[user.index()] = true,
                Some(SharedKey::Settings(user)) => found.settings[user.index()] = true,
                Some(SharedKey::Extension(source)) => found.sources[source.index()] = true,
                _ => {}
            }
            self.take_entry(entry, &mut taken, now);
        }
        self.offer_registers(&found);
        // What other users and devices make has the same time on every node from now on.
        taken
            .heard
            .devices
            .extend(directory.devices().map(|it| it.0));
        for (user, _) in directory.users() {
            if directory.source_of(user).is_some() {
                self.touch(user, &mut taken.touched);
            }
        }
        let effects = self.finish_taking(taken, now);
        self.offer_heard(of_this_node);
        effects
    }

    /// Forgets what is known of the store: revisions, and what other nodes hear.
    fn forget_store(&mut self, live: &[NodeIdentity], taken: &mut Gathered) {
        let Some(replica) = self.sharing_mut() else {
            return;
        };
        for versions in &mut replica.users {
            (versions.person_revision, versions.settings_revision) = (0, 0);
        }
        for versions in &mut replica.sources {
            versions.revision = 0;
        }
        let nodes = std::mem::take(&mut replica.nodes);
        nodes.values().for_each(|node| taken.heard.all_of(node));
        for node in live {
            if !replica.is_own(&node.name) {
                let lives = OtherNode::new(node.boot.clone(), true);
                replica.nodes.insert(node.name.clone(), lives);
            }
        }
        (replica.is_whole, replica.wants_whole) = (true, false);
    }

    /// Gives versions to what was set before anything was shared, so that the later choice stays
    /// when the store is read.
    pub(in crate::world) fn give_versions(&mut self) {
        if !self.is_sharing() {
            return;
        }
        for at in 0..self.directory.user_count() {
            self.give_versions_to_person(UserId::new(at));
            self.give_versions_to_settings(UserId::new(at));
        }
        let directory = self.directory.clone();
        let sources = directory.sources().map(|(source, _)| source);
        for source in sources {
            if self.is_shared_source(source) {
                self.give_versions_to_source(source);
            }
        }
    }

    /// Has registers written that the store misses, or whose parts have no version yet: what was
    /// found in Asterisk while that started.
    fn offer_registers(&mut self, found: &FoundRegisters) {
        for at in 0..found.people.len() {
            let user = UserId::new(at);
            if self.give_versions_to_person(user) {
                self.wait(SharedKey::Person(user));
            } else if !found.people[at] {
                self.compare_person(user, &PersonRegister::default());
            }
            if self.give_versions_to_settings(user) {
                self.wait(SharedKey::Settings(user));
            } else if !found.settings[at] {
                self.compare_settings(user, &SettingsRegister::default());
            }
        }
        let directory = self.directory.clone();
        let sources = directory.sources().map(|(source, _)| source);
        for (source, found) in sources.zip(&found.sources) {
            if !self.is_shared_source(source) {
                continue;
            }
            if self.give_versions_to_source(source) {
                self.wait(SharedKey::Extension(source));
            } else if !found {
                self.compare_extension(source, None);
            }
        }
    }

    /// Has the keys of this node written or deleted that differ in the store.
    fn offer_heard(&mut self, mut there: HashMap<&str, &str>) {
        let directory = self.directory.clone();
        let Some(replica) = self.sharing() else {
            return;
        };
        let devices = directory
            .devices()
            .map(|(device, _)| SharedKey::Device(device));
        let published = replica.published.keys().copied().map(SharedKey::Published);
        let mut keys: Vec<SharedKey> = devices.chain(published).collect();
        keys.extend(
            self.panels
                .keys()
                .map(|user| SharedKey::Panel(user.as_str().into())),
        );
        keys.extend(
            self.parking
                .spaces()
                .map(|space| SharedKey::Parked(space.into())),
        );
        for key in keys {
            let value = self.shared_value(&key);
            let path = key.path(&directory, self.sharing().map_or("", |it| it.name()));
            if there.remove(&*path) != value.as_deref() {
                self.wait(key);
            }
        }
        for path in there.into_keys() {
            self.wait(SharedKey::Old(path.into()));
        }
    }
}
