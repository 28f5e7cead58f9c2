//! The replica across reloads and restarts, and its end.

use std::collections::{BTreeMap, HashMap};

use super::heard::OwnDevice;
use super::keys::SharedKey;
use super::nodes::Affected;
use super::{Replica, SourceVersions, Version};
use crate::directory::{DeviceId, SourceId, UserId};
use crate::model::flags::Flag;
use crate::model::time::Time;
use crate::world::chosen::OwnChange;
use crate::world::stored::RowVersions;
use crate::world::{Effect, Plan, Touched, World};

impl World {
    /// Stops sharing: what other nodes hear is forgotten, and what was chosen there stays. So do
    /// the versions: the world may be shared again later, with another section of the
    /// configuration, and an older value from the store must not return then.
    pub fn end_sharing(&mut self, now: Time) -> Vec<Effect> {
        let mut affected = Affected::default();
        let Some(replica) = self.sharing_mut() else {
            return Vec::new();
        };
        for node in std::mem::take(&mut replica.nodes).values() {
            affected.all_of(node);
        }
        let (mut touched, mut effects) = (Touched::new(), Vec::new());
        self.refresh_heard(affected, &mut touched);
        if let Some(old) = self.replica.take() {
            let mut replica = Replica::new(&self.directory);
            (replica.users, replica.items, replica.sources) = (old.users, old.items, old.sources);
            replica.bits = old.bits;
            replica.is_restored = true;
            self.replica = Some(Box::new(replica));
        }
        self.recombine(touched, &OwnChange::None, now, &mut effects);
        effects
    }

    /// Before a reload's directory takes over: carries the replica over to the new numbers.
    pub(in crate::world) fn renumber_replica(&mut self, before: &mut World, plan: &Plan) {
        let Some(old) = before.replica.take() else {
            return;
        };
        let name = old.name().to_owned();
        let mut replica = Replica::new(&self.directory);
        let [users, sources, devices] = plan.renumbered();
        replica.node = old.node;
        replica.bits = old.bits;
        replica.is_whole = old.is_whole;
        replica.is_restored = old.is_restored;
        replica.is_keeper = old.is_keeper;
        replica.versions_held = old.versions_held;
        replica.stale_panels = old.stale_panels;
        replica.doubtful = old.doubtful;
        replica.nodes = old.nodes;
        replica.parked_elsewhere = old.parked_elsewhere;
        let is_new = |known: &[Option<usize>]| known.iter().any(Option::is_none);
        replica.wants_whole = old.wants_whole
            || old.joining.is_some()
            || is_new(&users)
            || is_new(&sources)
            || is_new(&devices);
        if !old.unsettled.is_empty() {
            replica.unsettled = (0..devices.len()).map(DeviceId::new).collect();
        }
        carry(&mut replica.users, &old.users, &users);
        carry(&mut replica.sources, &old.sources, &sources);
        let [users, sources, devices_by_old] = [&users, &sources, &devices].map(|new| by_old(new));
        let user = |id: UserId| users.get(&id.index()).copied().map(UserId::new);
        let source = |id: SourceId| sources.get(&id.index()).copied().map(SourceId::new);
        let device = |id: DeviceId| devices_by_old.get(&id.index()).copied().map(DeviceId::new);
        let items = old.items.into_iter();
        replica.items = items.filter_map(|(id, it)| Some((user(id)?, it))).collect();
        let mut gone = Vec::new();
        for (at, own) in old.devices.iter().enumerate() {
            let id = DeviceId::new(at);
            if device(id).is_none() && own.told().is_some() {
                gone.push(SharedKey::Device(id).path(&before.directory, &name));
            }
        }
        if replica.is_active() {
            replica.devices = vec![OwnDevice::default(); devices.len()];
            carry(&mut replica.devices, &old.devices, &devices);
        }
        for (id, latest) in old.published {
            match device(id) {
                Some(id) => drop(replica.published.insert(id, latest)),
                None => gone.push(SharedKey::Published(id).path(&before.directory, &name)),
            }
        }
        let all = devices_by_old.iter();
        let all: HashMap<DeviceId, DeviceId> = all
            .map(|(old, new)| (DeviceId::new(*old), DeviceId::new(*new)))
            .collect();
        replica
            .nodes
            .values_mut()
            .for_each(|node| node.renumber(&all));
        let mut waiting = old.waiting;
        let keys = waiting.take_all().into_iter();
        let keys = keys.filter_map(|key| match key {
            SharedKey::Person(id) => Some(SharedKey::Person(user(id)?)),
            SharedKey::Settings(id) => Some(SharedKey::Settings(user(id)?)),
            SharedKey::Extension(id) => Some(SharedKey::Extension(source(id)?)),
            SharedKey::Device(id) => Some(SharedKey::Device(device(id)?)),
            SharedKey::Published(id) => Some(SharedKey::Published(device(id)?)),
            key @ (SharedKey::Parked(_) | SharedKey::Panel(_) | SharedKey::Old(_)) => Some(key),
        });
        keys.for_each(|key| replica.wait(key));
        gone.into_iter()
            .for_each(|path| replica.wait(SharedKey::Old(path.into())));
        self.replica = Some(Box::new(replica));
    }

    /// What a reload reads from providers for the first time is no change of now.
    pub(in crate::world) fn without_versions(&mut self, read: impl FnOnce(&mut Self)) {
        let held = self.replica.as_ref().is_some_and(|it| it.versions_held);
        self.hold_versions(true);
        read(self);
        self.hold_versions(held);
    }

    /// The versions of what a user has chosen, for the user's row.
    pub(in crate::world) fn row_versions(&self, user: UserId) -> RowVersions {
        let Some(replica) = &self.replica else {
            return RowVersions::default();
        };
        let versions = &replica.users[user.index()];
        let flags = Flag::ALL.into_iter().filter_map(|flag| {
            let version = versions.flags[flag as usize];
            version.is_some().then(|| (flag.name().to_owned(), version))
        });
        RowVersions {
            own: versions.own,
            timed: versions.timed,
            dnd: versions.dnd,
            flags: flags.collect(),
        }
    }

    /// Takes over the versions of a user's row.
    pub(in crate::world) fn restore_user_versions(&mut self, user: UserId, row: &RowVersions) {
        if *row == RowVersions::default() {
            return;
        }
        let mut all = row.flags.values().chain([&row.own, &row.timed, &row.dnd]);
        let latest = all.by_ref().max().copied().unwrap_or_default();
        self.saw(latest);
        let versions = &mut self.replica_or_new().users[user.index()];
        (versions.own, versions.timed, versions.dnd) = (row.own, row.timed, row.dnd);
        for flag in Flag::ALL {
            let version = row.flags.get(flag.name()).copied();
            versions.flags[flag as usize] = version.unwrap_or_default();
        }
    }

    /// Takes over the version of a source's row.
    pub(in crate::world) fn restore_base_version(&mut self, source: SourceId, version: Version) {
        if version.is_some() {
            self.saw(version);
            self.replica_or_new().sources[source.index()].base = version;
        }
    }

    /// Takes over the versions of the row of a user's own settings.
    pub(in crate::world) fn restore_item_versions(
        &mut self,
        user: UserId,
        versions: &BTreeMap<String, Version>,
    ) {
        if let Some(latest) = versions.values().max() {
            self.saw(*latest);
            let all = versions.iter();
            let all = all.map(|(path, version)| (path.as_str().into(), *version));
            self.replica_or_new().items.insert(user, all.collect());
        }
    }

    /// The versions of rows are kept even if nothing is shared yet.
    fn replica_or_new(&mut self) -> &mut Replica {
        let directory = &self.directory;
        let replica = self
            .replica
            .get_or_insert_with(|| Box::new(Replica::new(directory)));
        replica.is_restored = true;
        replica
    }

    /// Forgets the versions that are as wrong as the clock was, so that they are given anew by
    /// the times that are moved. Returns whether no other node knows any version or time.
    pub(in crate::world) fn forget_early_versions(&mut self) -> bool {
        let Some(replica) = self.replica.as_deref_mut() else {
            return true;
        };
        if replica.is_whole || replica.is_restored {
            return false;
        }
        for versions in &mut replica.users {
            (versions.own, versions.timed) = (Version::NONE, Version::NONE);
        }
        replica.sources.fill(SourceVersions::default());
        for source in &mut self.sources {
            source.forget_versions();
        }
        true
    }
}

/// Copies what has an old number to the new one.
fn carry<T: Clone>(new: &mut [T], old: &[T], numbers: &[Option<usize>]) {
    for (new, number) in new.iter_mut().zip(numbers) {
        if let Some(old) = number.and_then(|number| old.get(number)) {
            *new = old.clone();
        }
    }
}

fn by_old(numbers: &[Option<usize>]) -> HashMap<usize, usize> {
    let numbers = numbers.iter().enumerate();
    numbers
        .filter_map(|(new, old)| Some(((*old)?, new)))
        .collect()
}
