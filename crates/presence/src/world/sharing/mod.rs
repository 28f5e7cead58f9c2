//! What several servers share of their users: see `doc/cluster.md`.

use std::sync::Arc;

use super::{Effect, World};
use crate::model::time::Time;

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

impl World {
    /// Begins to share with other nodes. Everything stays as it is.
    pub fn begin_sharing(&mut self, _node: NodeIdentity, _now: Time) {}

    /// Stops sharing: what other nodes hear is forgotten.
    pub fn end_sharing(&mut self, _now: Time) -> Vec<Effect> {
        Vec::new()
    }

    /// Whether the world is shared with other nodes.
    pub fn is_sharing(&self) -> bool {
        false
    }

    /// Whether the whole store has to be read again: a reload has added users.
    pub fn wants_whole(&self) -> bool {
        false
    }

    /// Takes over all that the store has. What is missing there and set here is written later.
    ///
    /// # Errors
    /// The store holds users, and none of them is configured here; nothing is taken over.
    pub fn take_whole(
        &mut self,
        _entries: &[SharedEntry],
        _live: &[NodeIdentity],
        _now: Time,
    ) -> Result<Vec<Effect>, OtherUsers> {
        Ok(Vec::new())
    }

    /// Takes over keys that have changed in the store.
    pub fn take_shared(&mut self, _entries: &[SharedEntry], _now: Time) -> Vec<Effect> {
        Vec::new()
    }

    /// A node has registered.
    pub fn node_here(&mut self, _node: NodeIdentity, _now: Time) -> Vec<Effect> {
        Vec::new()
    }

    /// A node has gone: what it heard counts no more.
    pub fn node_gone(&mut self, _name: &str, _now: Time) -> Vec<Effect> {
        Vec::new()
    }

    /// Removes up to `most` keys that have to be written, oldest first, with their present
    /// values.
    pub fn take_shared_writes(&mut self, _most: usize) -> Vec<SharedWrite> {
        Vec::new()
    }

    /// A key was written and has this revision now.
    pub fn shared_written(&mut self, _path: &str, _revision: i64) {}

    /// Puts back keys that could not be written.
    pub fn put_back_shared<'a>(&mut self, _paths: impl Iterator<Item = &'a str>) {}

    /// The number of keys that wait to be written.
    pub fn shared_waiting(&self) -> usize {
        0
    }

    /// The registers of users and addresses that are not configured here.
    pub fn unknown_shared<'a>(&self, paths: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
        let _ = paths;
        Vec::new()
    }
}
