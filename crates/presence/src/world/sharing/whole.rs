//! Joining: all that the store has, against all that is known here. It is a lot, so it is done in
//! parts, each under a lock of its own: [`World::begin_whole`], then [`World::take_whole_part`]
//! with everything, then [`World::settle_whole`] until nothing is left.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::sync::Arc;

use super::keys::{SharedKey, SharedPath};
use super::nodes::{Affected, OtherNode};
use super::registers::{PersonRegister, SettingsRegister};
use super::{Gathered, NodeIdentity, OtherUsers, SharedEntry};
use crate::directory::{DeviceId, Directory, SourceId, UserId};
use crate::model::time::Time;
use crate::world::{Effect, World};

/// A store that is being taken over.
#[derive(Debug)]
pub(super) struct Joining {
    /// The registers that the store has.
    people: Vec<bool>,
    settings: Vec<bool>,
    sources: Vec<bool>,
    /// The other nodes with what they hear, until all of it is read.
    nodes: Option<BTreeMap<Arc<str>, OtherNode>>,
    /// The keys of this node that the store has.
    own: HashMap<String, String>,
    /// How many users, sources and devices are compared.
    compared: usize,
}

impl Joining {
    fn new(directory: &Directory, nodes: BTreeMap<Arc<str>, OtherNode>) -> Self {
        Joining {
            people: vec![false; directory.user_count()],
            settings: vec![false; directory.user_count()],
            sources: vec![false; directory.source_count()],
            nodes: Some(nodes),
            own: HashMap::new(),
            compared: 0,
        }
    }
}

impl World {
    /// Whether all users in the store are others than those that are configured here.
    ///
    /// # Errors
    /// The store holds users, and none of them is configured here.
    pub fn check_whole(&self, entries: &[SharedEntry]) -> Result<(), OtherUsers> {
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

    /// Begins to take over all that the store has. `live` are the nodes that are registered.
    pub fn begin_whole(&mut self, live: &[NodeIdentity]) {
        let directory = self.directory.clone();
        let Some(replica) = self.sharing_mut() else {
            return;
        };
        for versions in &mut replica.users {
            (versions.person_revision, versions.settings_revision) = (0, 0);
        }
        for versions in &mut replica.sources {
            versions.revision = 0;
        }
        let others = live.iter().filter(|node| !replica.is_own(&node.name));
        let others = others.map(|node| {
            let lives = OtherNode::new(node.boot.clone(), true);
            (node.name.clone(), lives)
        });
        let nodes = others.collect();
        replica.joining = Some(Box::new(Joining::new(&directory, nodes)));
        replica.unsettled.clear();
        replica.wants_whole = false;
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

    /// Takes over some of what the store has.
    pub fn take_whole_part(&mut self, entries: &[SharedEntry], now: Time) -> Vec<Effect> {
        let joining = self.sharing_mut().and_then(|it| it.joining.take());
        // A reload has come in between: everything is read again.
        let Some(mut joining) = joining else {
            return Vec::new();
        };
        let effects = self.with_origin(false, |world| {
            let mut taken = Gathered::default();
            for entry in entries {
                world.join_entry(entry, &mut joining, &mut taken, now);
            }
            world.finish_taking(taken, now)
        });
        if let Some(replica) = self.sharing_mut() {
            replica.joining = Some(joining);
        }
        effects
    }

    fn join_entry(
        &mut self,
        entry: &SharedEntry,
        joining: &mut Joining,
        taken: &mut Gathered,
        now: Time,
    ) {
        let (Some(path), Some(replica)) = (SharedPath::parse(entry.path), self.sharing()) else {
            return;
        };
        if let SharedPath::Heard { node, .. } = path {
            if replica.is_own(node) {
                let value = entry.value.map(str::to_owned);
                joining.own.extend(value.map(|it| (entry.path.into(), it)));
                return;
            }
            // It counts when all of it is read: nobody sees half of it.
            let mut unseen = Gathered::default();
            self.swap_nodes(&mut joining.nodes);
            self.take_entry(entry, &mut unseen, now);
            self.swap_nodes(&mut joining.nodes);
            return;
        }
        let key = path.key(&self.directory, replica.name());
        match key.filter(|_| entry.value.is_some()) {
            Some(SharedKey::Person(user)) => joining.people[user.index()] = true,
            Some(SharedKey::Settings(user)) => joining.settings[user.index()] = true,
            Some(SharedKey::Extension(source)) => joining.sources[source.index()] = true,
            _ => {}
        }
        self.take_entry(entry, taken, now);
    }

    fn swap_nodes(&mut self, nodes: &mut Option<BTreeMap<Arc<str>, OtherNode>>) {
        if let (Some(replica), Some(nodes)) = (self.sharing_mut(), nodes) {
            std::mem::swap(&mut replica.nodes, nodes);
        }
    }

    /// After all parts: has some of what the store misses written, and combines what the nodes
    /// hear. Returns the effects; `None` once nothing is left.
    pub fn settle_whole(&mut self, most: usize, now: Time) -> Option<Vec<Effect>> {
        let mut joining = self.sharing_mut()?.joining.take()?;
        let directory = self.directory.clone();
        let counts = [
            directory.user_count(),
            directory.source_count(),
            directory.devices().count(),
        ];
        let from = joining.compared;
        let to = from.saturating_add(most);
        let [users, sources, devices] = counts.map(|count| from.min(count)..to.min(count));
        let mut effects = self.with_origin(false, |world| {
            let mut taken = Gathered::default();
            if let Some(nodes) = joining.nodes.take() {
                world.put_nodes(nodes, &mut taken.heard);
            }
            world.offer_people(users.clone(), &joining);
            world.offer_sources(sources, &joining);
            // What other users and devices make has the same time on every node from now on.
            taken
                .heard
                .devices
                .extend(devices.clone().map(DeviceId::new));
            for user in users.map(UserId::new) {
                if directory.source_of(user).is_some() {
                    world.touch(user, &mut taken.touched);
                }
            }
            let effects = world.finish_taking(taken, now);
            let devices = devices.map(|at| SharedKey::Device(DeviceId::new(at)));
            world.offer_heard(devices.collect(), &mut joining.own);
            effects
        });
        joining.compared = to;
        if counts.iter().any(|count| *count > to) {
            self.sharing_mut()?.joining = Some(joining);
            return Some(effects);
        }
        self.offer_rest(joining.own);
        let replica = self.sharing_mut()?;
        if std::mem::take(&mut replica.stale_panels) {
            effects.extend(self.log_out_stale_panels(now));
        }
        Some(effects)
    }

    /// From here on the other nodes are these. Devices are combined one after the other.
    fn put_nodes(&mut self, nodes: BTreeMap<Arc<str>, OtherNode>, affected: &mut Affected) {
        if let Some(replica) = self.sharing_mut() {
            let before = std::mem::replace(&mut replica.nodes, nodes);
            let all = before.values().chain(replica.nodes.values());
            all.for_each(|node| affected.all_but_devices_of(node));
            replica.is_whole = true;
        }
    }

    /// Has registers of users written that the store misses, or whose parts have no version yet.
    fn offer_people(&mut self, users: Range<usize>, joining: &Joining) {
        for at in users {
            let user = UserId::new(at);
            if self.give_versions_to_person(user) {
                self.wait(SharedKey::Person(user));
            } else if !joining.people[at] {
                self.compare_person(user, &PersonRegister::default());
            }
            if self.give_versions_to_settings(user) {
                self.wait(SharedKey::Settings(user));
            } else if !joining.settings[at] {
                self.compare_settings(user, &SettingsRegister::default());
            }
        }
    }

    /// As [`Self::offer_people`], of addresses.
    fn offer_sources(&mut self, sources: Range<usize>, joining: &Joining) {
        for at in sources {
            let source = SourceId::new(at);
            if !self.is_shared_source(source) {
                continue;
            }
            if self.give_versions_to_source(source) {
                self.wait(SharedKey::Extension(source));
            } else if !joining.sources[at] {
                self.compare_extension(source, None);
            }
        }
    }

    /// Has those keys of this node written or deleted that differ in the store.
    fn offer_heard(&mut self, keys: Vec<SharedKey>, there: &mut HashMap<String, String>) {
        for key in keys {
            let name = self.sharing().map_or("", |it| it.name());
            let path = key.path(&self.directory, name);
            if there.remove(&path) != self.shared_value(&key) {
                self.wait(key);
            }
        }
    }

    /// As [`Self::offer_heard`], of everything but devices.
    fn offer_rest(&mut self, mut there: HashMap<String, String>) {
        let Some(replica) = self.sharing() else {
            return;
        };
        let published = replica.published.keys().copied();
        let mut keys: Vec<SharedKey> = published.map(SharedKey::Published).collect();
        let panels = self.panels.keys();
        keys.extend(panels.map(|user| SharedKey::Panel(user.as_str().into())));
        let spaces = self.parking.spaces();
        keys.extend(spaces.map(|space| SharedKey::Parked(space.into())));
        self.offer_heard(keys, &mut there);
        for path in there.into_keys() {
            self.wait(SharedKey::Old(path.into()));
        }
    }
}
