//! Where a device can be reached: here, or at other nodes.

use crate::directory::DeviceId;
use crate::model::device::DeviceState;
use crate::world::World;

impl World {
    /// Whether the device can be reached at this node itself.
    pub fn is_reachable_here(&self, device: DeviceId) -> bool {
        let state = self.device_here(device);
        state.is_some_and(DeviceState::is_reachable)
    }

    /// The other nodes at which the device can be reached, by name; none if it can be reached
    /// here.
    pub fn nodes_instead(&self, device: DeviceId) -> Vec<String> {
        if !self.is_sharing() || self.is_reachable_here(device) {
            return Vec::new();
        }
        self.nodes_of(device).map(str::to_owned).collect()
    }

    /// The other nodes at which the device can be reached, by name.
    pub fn nodes_of(&self, device: DeviceId) -> impl Iterator<Item = &str> {
        let nodes = self.replica.iter().flat_map(|replica| &replica.nodes);
        let reachable = nodes.filter(move |(_, node)| {
            let state = node.device(device);
            state.is_some_and(|(state, _)| state.is_reachable())
        });
        reachable.map(|(name, _)| &**name)
    }
}
