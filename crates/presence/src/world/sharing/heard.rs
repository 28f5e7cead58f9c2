//! What the nodes hear: devices, parked calls, panels and what phones publish. Each node writes
//! what it hears, and every node combines all of it.

use super::Replica;
use super::aggregate::{Aggregate, since_of};
use super::keys::SharedKey;
use super::nodes::{Affected, OtherNode};
use super::registers::{DeviceValue, HeardValue, PanelValue, ParkedValue, PublishedValue, json};
use crate::directory::DeviceId;
use crate::model::device::DeviceState;
use crate::model::time::Time;
use crate::world::activity::{Parked, Parking};
use crate::world::published::Latest;
use crate::world::{Touched, World};

/// A device as it is on this node.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct OwnDevice {
    /// The state; `None` until the device is read.
    pub(super) state: Option<DeviceState>,
    pub(super) at: Time,
    /// Whether this node tells the others of the device even while it is not reachable. A device
    /// that was never reachable here is mostly told of by another node, or by none.
    pub(super) is_told: bool,
}

impl OwnDevice {
    pub(super) fn new(state: Option<DeviceState>, at: Time) -> Self {
        let is_told = state.is_some_and(DeviceState::is_reachable);
        OwnDevice { state, at, is_told }
    }

    /// What this node writes of it.
    pub(super) fn told(self) -> Option<(DeviceState, Time)> {
        let state = self.state.filter(|_| self.is_told)?;
        Some((state, self.at))
    }
}

impl Replica {
    fn other_nodes(&self) -> impl Iterator<Item = &OtherNode> {
        self.nodes.values().filter(|node| node.is_live)
    }

    /// The combined state of a device and its time.
    fn aggregate(&self, device: DeviceId) -> (Option<DeviceState>, Time) {
        let own = self.devices[device.index()];
        let nodes = self.nodes.values();
        let told = || {
            let others = nodes.clone().filter_map(|node| node.device(device));
            own.told().into_iter().chain(others)
        };
        let (mut sum, mut any) = (Aggregate::default(), own.state.is_some());
        own.state.into_iter().for_each(|state| sum.add(state));
        for (state, _) in told() {
            sum.add(state);
            any = true;
        }
        let state = any.then_some(sum.state());
        (state, since_of(sum.state(), told()))
    }

    /// Of a device that no node can reach, one node that knows it writes the state.
    fn tell_if_alone(&mut self, device: DeviceId) {
        let own = self.devices[device.index()];
        let is_off = own.state == Some(DeviceState::Unavailable);
        if self.is_whole && is_off && !own.is_told && !self.others_tell_of(device) {
            self.devices[device.index()].is_told = true;
            self.wait(SharedKey::Device(device));
        }
    }

    /// Whether another node tells of the device.
    fn others_tell_of(&self, device: DeviceId) -> bool {
        let mut nodes = self.nodes.values();
        nodes.any(|node| node.devices.contains_key(&device))
    }

    /// What phones publish on all nodes: the latest counts.
    fn latest_published(&self, device: DeviceId) -> Option<&Latest> {
        let own = self
            .published
            .get(&device)
            .map(|latest| (self.name(), latest));
        let others = self.nodes.iter().filter(|(_, node)| node.is_live);
        let others =
            others.filter_map(|(name, node)| Some((&**name, node.published.get(&device)?)));
        let latest = own.into_iter().chain(others);
        let latest = latest.max_by_key(|(name, latest)| (latest.at, *name));
        latest.map(|(_, latest)| latest)
    }

    /// Whether a panel of the user is logged in on another node.
    fn has_panel_elsewhere(&self, user: &str) -> bool {
        self.other_nodes().any(|node| node.panels.contains(user))
    }

    /// The present value of a key of this node; `None` if it has none.
    pub(super) fn heard_value(&self, key: &SharedKey, parking: &Parking) -> Option<String> {
        let boot = self.node.as_ref()?.boot.to_string();
        match key {
            SharedKey::Device(device) => {
                let (state, at) = self.devices.get(device.index())?.told()?;
                let (state, at) = (state.name().to_owned(), at.micros());
                let what = DeviceValue { state, at };
                Some(json(&HeardValue { boot, what }))
            }
            SharedKey::Parked(space) => {
                let parked = parking.get(space)?;
                let what = ParkedValue {
                    device: parked.parked_device.to_string(),
                    parker: parked.parker.to_string(),
                };
                Some(json(&HeardValue { boot, what }))
            }
            SharedKey::Published(device) => {
                let latest = self.published.get(device)?;
                let what = PublishedValue {
                    publication: (*latest.publication).clone(),
                    at: latest.at.micros(),
                };
                Some(json(&HeardValue { boot, what }))
            }
            SharedKey::Panel(_) => {
                let what = PanelValue {};
                Some(json(&HeardValue { boot, what }))
            }
            SharedKey::Person(_)
            | SharedKey::Settings(_)
            | SharedKey::Extension(_)
            | SharedKey::Old(_) => None,
        }
    }
}

impl World {
    /// The state of a device on this node, without the others; `None` until the device is read.
    pub fn device_here(&self, device: DeviceId) -> Option<DeviceState> {
        match self.sharing() {
            Some(replica) => replica.devices[device.index()].state,
            None => self.device(device),
        }
    }

    /// A device has a state on this node. Returns whether the others have to be combined with it:
    /// whether anything is shared.
    pub(in crate::world) fn note_device(
        &mut self,
        device: DeviceId,
        state: DeviceState,
        now: Time,
    ) -> bool {
        if !self.is_sharing() {
            return false;
        }
        let at = self.stamp(now);
        // What was known before a restart has its time still.
        let directory = self.directory.clone();
        let mut sources = directory.sources_of_device(device);
        let known = sources.next().and_then(|(source, reading)| {
            let source = self.source(source);
            (source.presence == *reading.table.get(state)).then_some(source.since)
        });
        if let Some(replica) = self.sharing_mut() {
            let own = &mut replica.devices[device.index()];
            let known = known.filter(|_| own.state.is_none());
            let told = own.told();
            (own.state, own.at) = (Some(state), known.unwrap_or(at));
            own.is_told = match state {
                DeviceState::Unknown | DeviceState::Invalid => false,
                DeviceState::Unavailable => own.is_told,
                _ => true,
            };
            if told != own.told() {
                replica.wait(SharedKey::Device(device));
            }
        }
        true
    }

    /// Combines what all nodes hear of a device.
    pub(in crate::world) fn refresh_device(&mut self, device: DeviceId, touched: &mut Touched) {
        let Some(replica) = self.sharing_mut() else {
            return;
        };
        replica.tell_if_alone(device);
        let (state, since) = replica.aggregate(device);
        let before = std::mem::replace(&mut self.devices[device.index()], state);
        let directory = self.directory.clone();
        for (source, reading) in directory.sources_of_device(device) {
            let presence = state.map(|state| reading.table.get(state));
            if presence.is_some_and(|presence| self.derive_source(source, presence, since)) {
                self.touch_readers(source, touched);
            }
        }
        if before != state {
            for owner in directory.owners(device) {
                self.touch(*owner, touched);
            }
            if self.published.contains_key(&device) {
                self.touch_publishers(device, touched);
            }
        }
    }

    /// A parking space has changed here.
    pub(in crate::world) fn note_parked(&mut self, space: &str) {
        if let Some(replica) = self.sharing_mut() {
            replica.wait(SharedKey::Parked(space.into()));
        }
    }

    /// Whether a call is parked on any node.
    pub(in crate::world) fn any_parked(&self) -> bool {
        let replica = self.replica.as_deref();
        replica.is_some_and(|replica| replica.parked_elsewhere)
            || self.parking.all().next().is_some()
    }

    /// The calls that are parked on any node.
    pub(in crate::world) fn all_parked(&self) -> impl Iterator<Item = &Parked> {
        let others = self.sharing().into_iter().flat_map(Replica::other_nodes);
        let others = others.flat_map(|node| node.parking.all());
        self.parking.all().chain(others)
    }

    /// The first panel of a user has logged in here, or the last has logged out. Returns whether
    /// it is the first or last on all nodes.
    pub(in crate::world) fn note_panels(&mut self, user: &str) -> bool {
        let Some(replica) = self.sharing_mut() else {
            return true;
        };
        replica.wait(SharedKey::Panel(user.into()));
        !replica.has_panel_elsewhere(user)
    }

    /// The number of other nodes on which a panel of the user is logged in.
    pub(in crate::world) fn panels_elsewhere(&self, user: &str) -> u32 {
        let others = self.sharing().into_iter().flat_map(Replica::other_nodes);
        others.filter(|node| node.panels.contains(user)).count() as u32
    }

    /// A phone publishes something else here. Returns what counts on all nodes.
    pub(in crate::world) fn note_published(
        &mut self,
        device: DeviceId,
        latest: Option<&Latest>,
    ) -> Option<Latest> {
        let Some(replica) = self.sharing_mut() else {
            return latest.cloned();
        };
        let known = replica.published.get(&device).map(|it| &*it.publication);
        if known != latest.map(|it| &*it.publication) {
            match latest {
                Some(latest) => replica.published.insert(device, latest.clone()),
                None => replica.published.remove(&device),
            };
            replica.wait(SharedKey::Published(device));
        }
        replica.latest_published(device).cloned()
    }

    /// Combines what the nodes hear, where it has changed.
    pub(super) fn refresh_heard(&mut self, affected: Affected, touched: &mut Touched) {
        for device in affected.devices {
            self.refresh_device(device, touched);
        }
        for device in affected.published {
            let replica = self.sharing();
            let latest = replica.and_then(|replica| replica.latest_published(device));
            let latest = latest.cloned();
            self.put_published(device, latest.as_ref(), touched);
        }
        if let Some(replica) = self.sharing_mut() {
            let any = |node: &OtherNode| node.parking.all().next().is_some();
            let parked = replica.other_nodes().any(any);
            replica.parked_elsewhere = parked;
        }
        for parked in &affected.parked {
            self.touch_parked(parked, touched);
        }
    }
}
