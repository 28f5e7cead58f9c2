//! What several nodes share of their users: see `doc/cluster.md`.
//!
//! ```text
//! change here -> apply -> version, key waits -> take_shared_writes -> the store
//! the store -> take_shared -> join by version -> effects, as of any other change
//! ```
//! A person's choices and the presence of addresses are registers that every node may write:
//! of each part the later version stays. What a node hears, such as device states, it writes
//! below its own name, and every node combines it in the same way.

mod aggregate;
mod doubt;
mod elsewhere;
mod extension;
mod heard;
mod keys;
mod leaving;
mod nodes;
mod person;
mod registers;
mod settings;
mod told;
mod version;
mod whole;
mod writing;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use super::published::Latest;
use super::{Change, Effect, Touched, World};
use crate::directory::{DeviceId, Directory, SourceKind, UserId};
use crate::model::flags::Flag;
use crate::model::status::StatusType;
use crate::model::time::Time;
use crate::world::chosen::OwnChange;
use doubt::MOST_BYTES;
use heard::OwnDevice;
use keys::{SharedKey, SharedPath, Waiting};
use nodes::OtherNode;
use version::NodeBits;
pub(crate) use version::{Version, is_none};

/// A key of the cluster's store with its value, as read from there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SharedEntry<'a> {
    /// The key without the prefix of the cluster.
    pub path: &'a str,
    /// The value; `None` for a deleted key.
    pub value: Option<&'a str>,
    /// The revision of the store in which the key was changed last.
    pub revision: i64,
}

/// A key that this node has to write to the cluster's store.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SharedWrite {
    /// The key without the prefix of the cluster.
    pub path: String,
    /// The value; `None` deletes the key.
    pub value: Option<String>,
    /// The revision that a register must still have; 0 for a key that must be absent.
    pub seen: i64,
    /// Whether the key is a register, which any node may write. Other keys belong to this node
    /// and are written without a comparison.
    pub is_register: bool,
}

/// A node of the cluster, and its present life.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NodeIdentity {
    /// The node's name.
    pub name: Arc<str>,
    /// The number of its life; another one after each start.
    pub boot: Arc<str>,
}

/// The store holds users, and none of them is configured here.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OtherUsers {
    /// The number of users in the store.
    pub users: usize,
}

/// The versions of what a user has chosen.
#[derive(Clone, Default, Debug)]
pub(super) struct UserVersions {
    own: Version,
    timed: Version,
    dnd: Version,
    flags: [Version; Flag::ALL.len()],
    /// The revisions of the user's registers that are known to be joined here.
    person_revision: i64,
    settings_revision: i64,
}

/// The version of a source's base presence; those of its timed statuses are with these.
#[derive(Clone, Default, Debug)]
pub(super) struct SourceVersions {
    base: Version,
    revision: i64,
}

/// The versions of a user's own settings, by the path of each item that was ever changed.
pub(super) type ItemVersions = BTreeMap<Box<str>, Version>;

/// The shared side of a world.
#[derive(Debug)]
pub(super) struct Replica {
    /// This node; `None` while only versions of an earlier time are kept.
    node: Option<NodeIdentity>,
    bits: NodeBits,
    users: Vec<UserVersions>,
    items: HashMap<UserId, ItemVersions>,
    sources: Vec<SourceVersions>,
    /// The devices as they are here; empty while nothing is shared.
    devices: Vec<OwnDevice>,
    /// What phones publish here.
    published: HashMap<DeviceId, Latest>,
    /// The other nodes, by name.
    nodes: BTreeMap<Arc<str>, OtherNode>,
    /// Whether any of them has a parked call.
    parked_elsewhere: bool,
    waiting: Waiting,
    /// Whether the whole store was read.
    is_whole: bool,
    /// Whether rows had versions: other nodes may know them.
    is_restored: bool,
    /// See [`World::wants_whole`].
    wants_whole: bool,
    /// See [`World::hold_versions`].
    versions_held: bool,
    /// Whether the change that is being applied was made here.
    is_origin: bool,
    /// Whether this node is the origin of what every node concludes by itself.
    is_keeper: bool,
    /// Whether users whose panels ended before the load wait to be logged out.
    stale_panels: bool,
    /// See [`World::take_doubtful`].
    doubtful: Option<Box<str>>,
    /// What the store has, while it is taken over.
    joining: Option<Box<whole::Joining>>,
    /// The devices of nodes that have come or gone, until they are combined.
    unsettled: BTreeSet<DeviceId>,
}

impl Replica {
    fn new(directory: &Directory) -> Self {
        Replica {
            node: None,
            bits: NodeBits::of("", ""),
            users: vec![UserVersions::default(); directory.user_count()],
            items: HashMap::new(),
            sources: vec![SourceVersions::default(); directory.source_count()],
            devices: Vec::new(),
            published: HashMap::new(),
            nodes: BTreeMap::new(),
            parked_elsewhere: false,
            waiting: Waiting::default(),
            is_whole: false,
            is_restored: false,
            wants_whole: false,
            versions_held: false,
            is_origin: true,
            is_keeper: true,
            stale_panels: false,
            doubtful: None,
            joining: None,
            unsettled: BTreeSet::new(),
        }
    }

    fn is_active(&self) -> bool {
        self.node.is_some()
    }

    /// The name of this node; empty while nothing is shared.
    fn name(&self) -> &str {
        self.node.as_ref().map_or("", |node| &node.name)
    }

    /// Whether a node is this one.
    fn is_own(&self, name: &str) -> bool {
        self.name() == name
    }

    /// Has a key written, or not any more.
    fn wait_if(&mut self, waits: bool, key: SharedKey) {
        match waits {
            true => self.wait(key),
            false => drop(self.waiting.remove(&key)),
        }
    }

    fn wait(&mut self, key: SharedKey) {
        if self.is_active() {
            self.waiting.add(key);
        }
    }
}

/// Puts back who the origin is, also after a panic: later changes are not that one.
struct OriginGuard<'a> {
    world: &'a mut World,
    before: bool,
}

impl Drop for OriginGuard<'_> {
    fn drop(&mut self) {
        if let Some(replica) = &mut self.world.replica {
            replica.is_origin = self.before;
        }
    }
}

/// What a number of entries changes, before users are combined.
#[derive(Default)]
struct Gathered {
    touched: Touched,
    /// See [`OwnChange::Ended`].
    ended: Vec<(UserId, Option<Arc<StatusType>>)>,
    heard: nodes::Affected,
    effects: Vec<Effect>,
}

impl World {
    /// Whether the world is shared with other nodes.
    pub fn is_sharing(&self) -> bool {
        self.sharing().is_some()
    }

    /// The replica, if the world is shared.
    pub(super) fn sharing(&self) -> Option<&Replica> {
        self.replica
            .as_deref()
            .filter(|replica| replica.is_active())
    }

    fn sharing_mut(&mut self) -> Option<&mut Replica> {
        self.replica
            .as_deref_mut()
            .filter(|replica| replica.is_active())
    }

    /// Whether the whole store has to be read again: a reload has added users, addresses or
    /// devices.
    pub fn wants_whole(&self) -> bool {
        self.sharing().is_some_and(|replica| replica.wants_whole)
    }

    /// Begins to share with other nodes. Everything stays as it is. Nothing is decided between
    /// the nodes before [`World::begin_whole`].
    pub fn begin_sharing(&mut self, node: NodeIdentity, now: Time) {
        if self.replica.is_none() {
            // Later the times of all nodes are one order, which no node may change.
            self.settle_clock(now);
        }
        let mut replica = self
            .replica
            .take()
            .unwrap_or_else(|| Box::new(Replica::new(&self.directory)));
        replica.bits = NodeBits::of(&node.name, &node.boot);
        replica.node = Some(node);
        let directory = &self.directory;
        let devices = directory.devices().map(|(device, _)| {
            let mut sources = directory.sources_of_device(device);
            let source = sources.next().map(|(source, _)| source);
            let at = source.map_or(Time::NEVER, |source| self.source(source).since);
            OwnDevice::new(self.device(device), at)
        });
        replica.devices = devices.collect();
        let published = self.published.iter();
        let published = published.map(|(device, published)| (*device, published.latest()));
        replica.published = published.collect();
        self.replica = Some(replica);
        self.give_versions();
    }

    /// While Asterisk itself starts, a difference between a source and its stored row is no
    /// change of now: the last writes before a crash may be lost. What the other nodes have
    /// decides. Without a cluster this does nothing.
    pub fn hold_versions(&mut self, held: bool) {
        if let Some(replica) = &mut self.replica {
            replica.versions_held = held;
        }
    }

    /// Whether this node is the origin of what every node concludes by itself, such as the end
    /// of a timed status: see [`super::Transition::origin`].
    pub fn set_keeper(&mut self, is_keeper: bool) {
        if let Some(replica) = &mut self.replica {
            replica.is_keeper = is_keeper;
        }
    }

    /// Whether the change that is being applied was made here.
    pub(super) fn is_origin(&self) -> bool {
        let replica = self.replica.as_deref();
        replica.is_none_or(|replica| replica.is_origin)
    }

    /// Whether every node makes such a change by itself.
    pub(super) fn is_made_by_all(&self, change: &Change) -> bool {
        match change {
            Change::Reported { source, .. } => {
                self.directory.get_source(*source).kind == SourceKind::Schedule
            }
            _ => false,
        }
    }

    /// Whether users whose panels are gone are logged out later, when the panels on other nodes
    /// are known.
    pub(super) fn waits_with_stale_panels(&mut self) -> bool {
        match self.sharing_mut() {
            Some(replica) if !replica.is_whole => {
                replica.stale_panels = true;
                true
            }
            _ => false,
        }
    }

    /// Applies a change that every node makes by itself.
    pub(super) fn made_by_all<T>(&mut self, change: impl FnOnce(&mut Self) -> T) -> T {
        let keeper = self.replica.as_ref().is_none_or(|it| it.is_keeper);
        self.with_origin(keeper, change)
    }

    fn with_origin<T>(&mut self, origin: bool, change: impl FnOnce(&mut Self) -> T) -> T {
        let Some(replica) = &mut self.replica else {
            return change(self);
        };
        let before = std::mem::replace(&mut replica.is_origin, origin);
        let world = OriginGuard {
            world: self,
            before,
        };
        change(world.world)
    }

    /// Takes over keys that have changed in the store.
    pub fn take_shared(&mut self, entries: &[SharedEntry], now: Time) -> Vec<Effect> {
        if !self.is_sharing() {
            return Vec::new();
        }
        self.with_origin(false, |world| {
            let mut taken = Gathered::default();
            for entry in entries {
                world.take_entry(entry, &mut taken, now);
            }
            world.finish_taking(taken, now)
        })
    }

    fn take_entry(&mut self, entry: &SharedEntry, taken: &mut Gathered, now: Time) {
        if entry.value.is_some_and(|value| value.len() > MOST_BYTES) {
            if let Some(replica) = self.sharing_mut() {
                replica.doubt(entry.path);
            }
            return;
        }
        let directory = self.directory.clone();
        match SharedPath::parse(entry.path) {
            Some(SharedPath::Person(name)) => {
                if let Some(user) = directory.user(name) {
                    self.take_person(user, entry, taken, now);
                }
            }
            Some(SharedPath::Settings(name)) => {
                if let Some(user) = directory.user(name) {
                    self.take_settings(user, entry, taken, now);
                }
            }
            Some(SharedPath::Extension(address)) => {
                let source = directory.source(address);
                if let Some(source) = source.filter(|source| self.is_shared_source(*source)) {
                    self.take_extension(source, entry, taken, now);
                }
            }
            Some(SharedPath::Heard { node, what }) => {
                let latest = self.latest(now);
                let heard = &mut taken.heard;
                if !self.take_heard(node, what, entry.value, latest, heard)
                    && let Some(replica) = self.sharing_mut()
                {
                    replica.doubt(entry.path);
                }
            }
            None => {}
        }
    }

    /// Combines all users that the entries change.
    fn finish_taking(&mut self, mut taken: Gathered, now: Time) -> Vec<Effect> {
        self.refresh_heard(std::mem::take(&mut taken.heard), &mut taken.touched);
        let mut effects = taken.effects;
        let ended = OwnChange::Ended(taken.ended);
        self.recombine(taken.touched, &ended, now, &mut effects);
        effects
    }

    /// Later stamps are later than the version.
    fn saw(&mut self, version: Version) {
        self.last = self.last.max(version.time());
    }

    /// The version of a change at a time.
    fn version(&self, at: Time) -> Version {
        match self.replica.as_deref() {
            Some(replica) => Version::new(at, replica.bits),
            None => Version::NONE,
        }
    }

    /// The registers of up to `most` users that are configured here.
    pub fn some_people(&self, most: usize) -> Vec<String> {
        let users = self.directory.users().take(most);
        let paths = users.map(|(user, _)| SharedKey::Person(user).path(&self.directory, ""));
        paths.collect()
    }

    /// The registers among `paths` of users and addresses that are not configured here.
    pub fn unknown_shared<'a>(&self, paths: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
        let directory = &self.directory;
        let unknown = paths.filter(|path| match SharedPath::parse(path) {
            Some(SharedPath::Person(name) | SharedPath::Settings(name)) => {
                directory.user(name).is_none()
            }
            Some(SharedPath::Extension(address)) => directory.source(address).is_none(),
            Some(SharedPath::Heard { .. }) | None => false,
        });
        unknown.collect()
    }
}

#[cfg(test)]
mod tests;
