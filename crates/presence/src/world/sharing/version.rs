//! The order of changes that are made on different nodes.

use serde::{Deserialize, Serialize};

use crate::model::time::Time;

/// The version of a shared value: the time of the change, and 12 bits of the node. The
/// later version stays, on every node; equal versions are one and the same change.
///
/// The time is that of a hybrid logical clock: [`super::super::World::stamp`] is later than
/// every version that the node has seen.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug, Serialize, Deserialize,
)]
#[serde(transparent)]
pub(crate) struct Version(u64);

/// The number of bits for the node.
const NODE_BITS: u32 = 12;

impl Version {
    /// No version: the value was never changed while it was shared.
    pub(crate) const NONE: Version = Version(0);

    /// The version of a change at a time. It is later than [`Version::NONE`] even at
    /// [`Time::NEVER`].
    pub(super) fn new(at: Time, node: NodeBits) -> Self {
        let most = u64::MAX >> NODE_BITS;
        Version(at.micros().min(most) << NODE_BITS | u64::from(node.0))
    }

    /// The time of the change.
    pub(super) fn time(self) -> Time {
        Time::from_micros(self.0 >> NODE_BITS)
    }

    /// Whether there is a version.
    pub(super) fn is_some(self) -> bool {
        self != Version::NONE
    }
}

/// Whether there is no version, for serialising.
pub(crate) fn is_none(version: &Version) -> bool {
    *version == Version::NONE
}

/// The bits of a version that differ from node to node, and from one life of a node to the next:
/// what was not kept over a crash may be given the same time again. Never 0.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct NodeBits(u16);

impl NodeBits {
    /// The bits of a node: a hash (FNV-1a) of its name and life.
    pub(super) fn of(name: &str, boot: &str) -> Self {
        let bytes = name.bytes().chain(boot.bytes());
        let hash = bytes.fold(0x811c_9dc5_u32, |hash, byte| {
            (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
        });
        let folded = hash ^ (hash >> NODE_BITS) ^ (hash >> (2 * NODE_BITS));
        NodeBits(((folded & ((1 << NODE_BITS) - 1)) as u16).max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_follow_time_and_then_the_node() {
        let (a, b) = (NodeBits::of("berlin", "1"), NodeBits::of("madrid", "1"));
        assert_ne!(a, b);
        assert_ne!(a, NodeBits::of("berlin", "2"));
        let at = Time::from_millis(1_750_000_000_000);
        assert!(Version::new(at.next(), a) > Version::new(at, b));
        assert_ne!(Version::new(at, a), Version::new(at, b));
        assert_eq!(Version::new(at, a).time(), at);
        assert!(Version::new(Time::NEVER, a) > Version::NONE);
    }
}
