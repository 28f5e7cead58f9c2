//! The other nodes, their coming and going, and what each of them hears.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::{NodeIdentity, Replica};
use crate::directory::DeviceId;
use crate::model::device::DeviceState;
use crate::model::time::Time;
use crate::world::activity::{Parked, Parking};
use crate::world::chosen::OwnChange;
use crate::world::published::Latest;
use crate::world::{Effect, Touched, World};

/// Another node, with what it hears.
#[derive(Debug)]
pub(super) struct OtherNode {
    pub(super) boot: Arc<str>,
    /// Whether it is registered. The devices of a node that is gone count as unavailable.
    pub(super) is_live: bool,
    pub(super) devices: FxHashMap<DeviceId, (DeviceState, Time)>,
    pub(super) parking: Parking,
    pub(super) panels: HashSet<Box<str>>,
    pub(super) published: HashMap<DeviceId, Latest>,
}

impl OtherNode {
    pub(super) fn new(boot: Arc<str>, is_live: bool) -> Self {
        OtherNode {
            boot,
            is_live,
            devices: FxHashMap::default(),
            parking: Parking::default(),
            panels: HashSet::new(),
            published: HashMap::new(),
        }
    }

    /// What the node hears of a device.
    pub(super) fn device(&self, device: DeviceId) -> Option<(DeviceState, Time)> {
        let (state, at) = *self.devices.get(&device)?;
        match self.is_live {
            true => Some((state, at)),
            false => Some((DeviceState::Unavailable, at)),
        }
    }

    /// The ids have changed. What is not configured any more goes.
    pub(super) fn renumber(&mut self, devices: &HashMap<DeviceId, DeviceId>) {
        let renumbered = self.devices.drain();
        self.devices = renumbered
            .filter_map(|(device, heard)| Some((*devices.get(&device)?, heard)))
            .collect();
        let renumbered = self.published.drain();
        self.published = renumbered
            .filter_map(|(device, latest)| Some((*devices.get(&device)?, latest)))
            .collect();
    }
}

/// What entries change of the heard, before it is combined.
#[derive(Default, Debug)]
pub(super) struct Affected {
    pub(super) devices: BTreeSet<DeviceId>,
    pub(super) published: BTreeSet<DeviceId>,
    /// Parked calls that are there now or are not any more.
    pub(super) parked: Vec<Parked>,
}

impl Affected {
    /// All that a node hears.
    pub(super) fn all_of(&mut self, node: &OtherNode) {
        self.devices.extend(node.devices.keys());
        self.all_but_devices_of(node);
    }

    /// All that a node hears, without the devices, which are many.
    pub(super) fn all_but_devices_of(&mut self, node: &OtherNode) {
        self.published.extend(node.published.keys());
        self.parked.extend(node.parking.all().cloned());
    }
}

impl Replica {
    /// The node that an entry belongs to; `None` if the entry is of an earlier life. The first
    /// entry of another life replaces all that was heard before.
    pub(super) fn node_of(
        &mut self,
        name: &str,
        boot: Option<&str>,
        affected: &mut Affected,
    ) -> Option<&mut OtherNode> {
        let Some(boot) = boot else {
            return self.nodes.get_mut(name);
        };
        let known = self.nodes.get(name);
        match known {
            Some(node) if *node.boot == *boot => {}
            Some(node) if node.is_live => return None,
            Some(node) => {
                affected.all_of(node);
                self.nodes
                    .insert(name.into(), OtherNode::new(boot.into(), false));
            }
            None => {
                self.nodes
                    .insert(name.into(), OtherNode::new(boot.into(), false));
            }
        }
        self.nodes.get_mut(name)
    }

    /// Notes that a node lives with this life, or not any more.
    pub(super) fn set_live(
        &mut self,
        name: &str,
        boot: Option<&Arc<str>>,
        affected: &mut Affected,
    ) {
        match (self.nodes.get_mut(name), boot) {
            (Some(node), Some(boot)) if node.boot == *boot => {
                if !node.is_live {
                    node.is_live = true;
                    affected.all_of(node);
                }
            }
            (Some(node), None) => {
                if node.is_live {
                    node.is_live = false;
                    affected.all_of(node);
                }
            }
            (Some(node), Some(boot)) => {
                affected.all_of(node);
                self.nodes
                    .insert(name.into(), OtherNode::new(boot.clone(), true));
            }
            (None, Some(boot)) => {
                self.nodes
                    .insert(name.into(), OtherNode::new(boot.clone(), true));
            }
            (None, None) => {}
        }
    }
}

impl World {
    /// A node has registered. What it hears counts: see [`World::settle_heard`].
    pub fn node_here(&mut self, node: NodeIdentity, now: Time) -> Vec<Effect> {
        self.change_node(&node.name, Some(&node.boot), now)
    }

    /// A node has gone: what it hears counts no more. What people chose there stays. See
    /// [`World::settle_heard`].
    pub fn node_gone(&mut self, name: &str, now: Time) -> Vec<Effect> {
        self.change_node(name, None, now)
    }

    fn change_node(&mut self, name: &str, boot: Option<&Arc<str>>, now: Time) -> Vec<Effect> {
        let mut affected = Affected::default();
        let Some(replica) = self.sharing_mut() else {
            return Vec::new();
        };
        if !replica.is_own(name) {
            replica.set_live(name, boot, &mut affected);
        }
        replica.unsettled.append(&mut affected.devices);
        self.combine_heard(affected, now)
    }

    /// Combines some of the devices of nodes that have come or gone: there may be many. Returns
    /// the effects; `None` once no device is left.
    pub fn settle_heard(&mut self, most: usize, now: Time) -> Option<Vec<Effect>> {
        let unsettled = &mut self.sharing_mut()?.unsettled;
        if unsettled.is_empty() {
            return None;
        }
        let mut affected = Affected::default();
        let some = std::iter::from_fn(|| unsettled.pop_first());
        affected.devices.extend(some.take(most));
        Some(self.combine_heard(affected, now))
    }

    fn combine_heard(&mut self, affected: Affected, now: Time) -> Vec<Effect> {
        self.made_by_all(|world| {
            let (mut touched, mut effects) = (Touched::new(), Vec::new());
            world.refresh_heard(affected, &mut touched);
            world.recombine(touched, &OwnChange::None, now, &mut effects);
            effects
        })
    }
}
