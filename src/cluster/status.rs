//! What this node knows of the cluster: for its threads, and for the console and metrics.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::clock::Clocks;
use super::echo::Echo;
use super::lag::Lag;
use super::record::NodeRecord;
use super::turn::TurnState;
use presence::Time;
use presence::world::NodeIdentity;

/// How many nodes that have gone are remembered, to be shown.
const MOST_GONE: usize = 20;

/// How this node stands.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub enum Standing {
    /// It has not come to an end with its first try.
    #[default]
    Joining,
    /// It shares its users, through this server.
    Joined(String),
    /// It goes on by itself, for this reason.
    Alone(String),
    /// It may not take part, for this reason.
    Refused(String),
}

impl Standing {
    /// Whether the node shares its users now.
    pub fn is_joined(&self) -> bool {
        matches!(self, Standing::Joined(_))
    }

    /// One word for it.
    pub fn word(&self) -> &'static str {
        match self {
            Standing::Joining => "joining",
            Standing::Joined(_) => "joined",
            Standing::Alone(_) => "alone",
            Standing::Refused(_) => "refused",
        }
    }
}

/// Another node, or this one.
#[derive(Clone, Debug)]
pub struct KnownNode {
    /// What it has written of itself.
    pub record: NodeRecord,
    /// Whether it is registered.
    pub is_here: bool,
    /// Since when it is, or is not.
    pub since: Time,
    /// Until when it counts as registered although it is not: this node was away, so that it
    /// may come back as this one did.
    pub awaited: Option<Instant>,
}

/// The keeper as the store has it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KeeperKey {
    /// The node's name.
    pub name: Arc<str>,
    /// The lease of the key.
    pub lease: i64,
    /// The key's revision.
    pub revision: i64,
}

/// One registration of this node, from its beginning to its end.
#[derive(Default, Debug)]
pub struct Session {
    /// Rises with each session.
    pub number: u64,
    /// Whether it has ended.
    pub over: Arc<std::sync::atomic::AtomicBool>,
}

impl Session {
    /// Whether it has ended.
    pub fn is_over(&self) -> bool {
        self.over.load(std::sync::atomic::Ordering::Acquire)
    }
}

/// Everything that the two threads tell each other, and what is shown.
#[derive(Default, Debug)]
pub struct ClusterState {
    /// How this node stands.
    pub standing: Standing,
    /// Since when.
    pub since: Time,
    /// The nodes by name, this one among them.
    pub nodes: BTreeMap<Arc<str>, KnownNode>,
    /// The keeper's key, if it is there.
    pub keeper: Option<KeeperKey>,
    /// The keeper that was reported last.
    pub reported_keeper: Option<Arc<str>>,
    /// What is noted for the keeper.
    pub turn: TurnState,
    /// The nodes' clocks.
    pub clocks: Clocks,
    /// Times from here and back.
    pub lag: Lag,
    /// What comes back of this node's own writes.
    pub echo: Echo,
    /// The lease of this node; 0 without one.
    pub lease: i64,
    /// When this node's lease was last known to be alive.
    pub alive: Option<Instant>,
    /// When the last change arrived.
    pub heard: Option<Instant>,
    /// The session that runs.
    pub session: Option<Arc<Session>>,
    /// Whether the session's receiver has read everything and follows the changes.
    pub is_ready: bool,
    /// Everything has to be read again.
    pub wants_whole: bool,
    /// The sender has to look at the state.
    pub wants_look: bool,
    /// This node's registration has to be written again at once.
    pub wants_beat: bool,
    /// The number of users below the prefix, if none of them is known here.
    pub other_users: Option<usize>,
    /// What fails in the receiver, while it does.
    pub receiver_fails: Option<String>,
    /// The highest revision that was seen.
    pub revision: i64,
}

impl ClusterState {
    /// The other nodes that count now.
    pub fn others(&self, me: &str) -> usize {
        let others = self.nodes.iter();
        others
            .filter(|(name, node)| &***name != me && node.is_here)
            .count()
    }

    /// The nodes that count now.
    pub fn live(&self) -> Vec<NodeIdentity> {
        let live = self.nodes.iter();
        live.filter(|(_, node)| node.is_here || node.awaited.is_some())
            .map(|(name, node)| NodeIdentity {
                name: name.clone(),
                boot: node.record.boot.as_str().into(),
            })
            .collect()
    }

    /// Whether this node is the keeper, as far as the store says.
    pub fn holds_keeper(&self, me: &str) -> bool {
        let keeper = self.keeper.as_ref();
        keeper.is_some_and(|it| &*it.name == me && it.lease == self.lease && it.lease != 0)
    }

    /// Forgets the oldest of many nodes that have gone.
    pub fn forget_gone(&mut self) {
        let gone = self.nodes.iter();
        let gone = gone.filter(|(_, node)| !node.is_here && node.awaited.is_none());
        let mut gone: Vec<_> = gone.map(|(name, it)| (it.since, name.clone())).collect();
        gone.sort_unstable();
        for (_, name) in gone.iter().rev().skip(MOST_GONE) {
            self.nodes.remove(name);
        }
    }
}

/// A node as it is shown.
#[derive(Clone, Debug)]
pub struct NodeView {
    /// Its name.
    pub name: Arc<str>,
    /// What it has written of itself.
    pub record: NodeRecord,
    /// Whether it is this node.
    pub is_self: bool,
    /// Whether it is registered.
    pub is_here: bool,
    /// Since when it is, or is not.
    pub since: Time,
    /// By how many microseconds its clock is ahead of this node's; `None` where that is not
    /// known.
    pub ahead: Option<i64>,
    /// Whether its configuration differs from this node's.
    pub differs: bool,
}

/// The cluster as it is shown.
#[derive(Clone, Debug)]
pub struct ClusterView {
    /// This node's name.
    pub node: Arc<str>,
    /// What all keys begin with.
    pub prefix: Arc<str>,
    /// How this node stands.
    pub standing: Standing,
    /// Since when.
    pub since: Time,
    /// All nodes, by name.
    pub nodes: Vec<NodeView>,
    /// The node that posts webhooks and cleans up.
    pub keeper: Option<Arc<str>>,
    /// Keys that wait to be written.
    pub waiting: usize,
    /// How long a change took last from here through etcd and back, and the worst of the last
    /// minute.
    pub lag: (Option<Duration>, Option<Duration>),
    /// The highest revision that was seen.
    pub revision: i64,
    /// The correction of this node's clock in microseconds.
    pub offset: i64,
    /// What was counted.
    pub counts: CountsView,
}

/// What was counted since Asterisk was started.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct CountsView {
    /// Transactions.
    pub transactions: u64,
    /// Keys written.
    pub written: u64,
    /// Keys that another node had written first.
    pub conflicts: u64,
    /// Changes of keys that arrived.
    pub received: u64,
    /// Requests that failed.
    pub failures: u64,
}
