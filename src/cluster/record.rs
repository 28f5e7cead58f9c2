//! The keys that belong to the cluster itself.

use serde::{Deserialize, Serialize};

/// The key that says what the keys beside it are.
pub const CLUSTER: &str = "cluster";
/// The key that names the keeper.
pub const KEEPER: &str = "keeper";
/// The registrations of the nodes.
pub const NODES: &str = "node/";
/// What each node hears.
pub const HEARD: &str = "heard/";
/// How far a webhook's receiver is, in the words of the keeper.
pub const ACKNOWLEDGED: &str = "acknowledged/";
/// What people have chosen.
pub const PEOPLE: &str = "person/";
/// The registers: any node may write them.
pub const REGISTERS: [&str; 3] = [PEOPLE, "settings/", "extension/"];

/// The form of keys and values. A module that knows a lower number only must not touch them.
pub const FORMAT: u32 = 1;

/// The value of [`CLUSTER`].
#[derive(Serialize, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct ClusterRecord {
    /// See [`FORMAT`].
    pub format: u32,
    /// Another one after the store has lost its data.
    pub id: String,
}

/// The value of a key below [`NODES`], which goes with the node's lease.
#[derive(Serialize, Deserialize, Clone, PartialEq, Eq, Default, Debug)]
#[serde(default)]
pub struct NodeRecord {
    /// Another one after each start.
    pub boot: String,
    /// The same for the same server: two servers with one name have two.
    pub instance: String,
    /// The host's name.
    pub host: String,
    /// The module's version.
    pub version: String,
    /// When it was started, in Unix milliseconds.
    pub started: u64,
    /// Its clock when this was written, not corrected, in Unix microseconds.
    pub clock: u64,
    /// The number of its users.
    pub users: u64,
    /// The digest of its configuration.
    pub digest: String,
    /// Whether it is about to leave.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub leaves: bool,
}
