//! What the cluster needs of the running module.

use std::sync::Arc;

use presence::Time;
use presence::world::{NodeIdentity, OtherUsers, SharedEntry, SharedWrite};

/// What happened in the cluster, as seen from this node.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ClusterEvent {
    /// This node shares its users.
    Joined {
        /// The server of etcd that it uses.
        server: String,
        /// The number of the other nodes.
        others: usize,
    },
    /// The store cannot be reached: this node goes on by itself.
    Alone {
        /// What failed.
        why: String,
    },
    /// This node may not take part, until a person changes something.
    Refused {
        /// What is wrong.
        why: String,
    },
    /// Another node has registered.
    NodeHere {
        /// Its name.
        node: Arc<str>,
        /// Its host.
        host: Arc<str>,
    },
    /// Another node has gone.
    NodeGone {
        /// Its name.
        node: Arc<str>,
        /// Whether it has said so: its module was unloaded, or its Asterisk stopped.
        has_left: bool,
    },
    /// Another node posts webhooks from now on.
    KeeperChanged {
        /// Its name.
        keeper: Arc<str>,
    },
}

/// What a node tells of itself besides its name.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct NodeFacts {
    /// The number of its users.
    pub users: u64,
    /// The digest of its configuration, as far as all nodes have to agree.
    pub digest: String,
}

/// The running module, as the cluster sees it. No lock may be held at a call.
pub trait SharedState: Send + Sync {
    /// Begins to share: what changes from here on waits to be written.
    fn begin(&self, node: NodeIdentity);

    /// Stops sharing.
    fn end(&self);

    /// Takes over everything that the store has; `live` are the nodes that count.
    ///
    /// # Errors
    /// The store holds users, and none of them is configured here.
    fn take_whole(
        &self,
        entries: &[SharedEntry<'_>],
        live: &[NodeIdentity],
    ) -> Result<(), OtherUsers>;

    /// Takes over keys that have changed.
    fn take_changes(&self, entries: &[SharedEntry<'_>]);

    /// A node has registered.
    fn node_here(&self, node: NodeIdentity);

    /// A node has gone.
    fn node_gone(&self, name: &str);

    /// Whether everything has to be read again, because there are users that were not there
    /// when it was read.
    fn wants_whole(&self) -> bool;

    /// Up to `most` keys that have to be written.
    fn take_writes(&self, most: usize) -> Vec<SharedWrite>;

    /// These were written, and have these revisions now.
    fn written(&self, written: &[(&str, i64)]);

    /// These paths have to be written, or written again.
    fn put_back(&self, paths: &[&str]);

    /// How many keys wait to be written.
    fn waiting(&self) -> usize;

    /// The paths of up to `most` people who are configured.
    fn some_people(&self, most: usize) -> Vec<String>;

    /// Those of the paths that belong to users and addresses that are not configured.
    fn unknown(&self, paths: &[String]) -> Vec<String>;

    /// The clock of this node is to be corrected by so many microseconds.
    fn correct_clock(&self, offset: i64);

    /// The present time, corrected.
    fn now(&self) -> Time;

    /// How far the receiver of each webhook is, by the webhook's name, in words for the next
    /// keeper. Asked on the keeper alone.
    fn acknowledged(&self) -> Vec<(String, String)>;

    /// Another node posts webhooks, or this one begins to, or goes on.
    fn keeper_changed(&self);

    /// What this node tells of itself.
    fn facts(&self) -> NodeFacts;

    /// The name of this host.
    fn host_name(&self) -> String;

    /// What was remembered under that name, also before the last restart.
    fn recall(&self, name: &str) -> Option<String>;

    /// Remembers a text for good.
    fn remember(&self, name: &str, text: &str);

    /// Tells listeners of AMI, and readers of events, what happened.
    fn report(&self, event: &ClusterEvent);
}
