//! A client of etcd, the store that several Asterisks share their users through.
//!
//! It speaks etcd's JSON gateway (`/v3/…`) with libcurl, blocks its thread, and looks at least
//! every 100 ms whether to stop. Keys and values are UTF-8 text here and base64 on the wire.
//! What it needs of etcd: a release from 3.4 on with its JSON gateway switched on.
//!
//! Every request carries the header that makes a member without a leader answer so at once,
//! and goes to the next server if one cannot answer. A request whose answer was lost may have
//! been carried out all the same, so a caller compares what it finds with what it wrote.

#[cfg(all(feature = "asterisk", not(test)))]
mod answer;
#[cfg(all(feature = "asterisk", not(test)))]
mod client;
mod error;
#[cfg(all(feature = "asterisk", not(test)))]
mod http;
#[cfg(all(feature = "asterisk", not(test)))]
mod watch;
#[cfg(all(feature = "asterisk", not(test)))]
mod wire;

#[cfg(all(feature = "asterisk", not(test)))]
use std::time::Duration;

#[cfg(all(feature = "asterisk", not(test)))]
pub use client::Etcd;
pub use error::EtcdError;
#[cfg(all(feature = "asterisk", not(test)))]
pub use watch::Watch;

/// The most operations that one [`Etcd::commit`] may have: etcd accepts 128, and each
/// comparison of an operation counts as one more.
pub const MOST_OPS: usize = 100;

/// The most bytes that the keys and values of one [`Etcd::commit`] may have together: etcd
/// accepts requests of 1.5 MiB.
pub const MOST_BYTES: usize = 1024 * 1024;

/// A key with its value.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entry {
    /// The whole key, with the prefix.
    pub key: String,
    /// The value; `None` if the key was deleted.
    pub value: Option<String>,
    /// The revision that wrote or deleted it (`mod_revision`).
    pub revision: i64,
    /// The revision that created it; 0 if it was deleted.
    pub created: i64,
    /// The lease that it goes with; 0 without one.
    pub lease: i64,
}

/// A condition of a whole commit.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Compare {
    /// The key does not exist.
    Absent {
        /// The whole key.
        key: String,
    },
    /// The key was last written by this revision; 0: it does not exist.
    Revision {
        /// The whole key.
        key: String,
        /// The `mod_revision`.
        revision: i64,
    },
    /// The key exists since this revision, however often it was written since.
    Created {
        /// The whole key.
        key: String,
        /// The `create_revision`.
        revision: i64,
    },
    /// The key has this value.
    Value {
        /// The whole key.
        key: String,
        /// The value.
        value: String,
    },
    /// The key goes with this lease.
    Lease {
        /// The whole key.
        key: String,
        /// The lease.
        lease: i64,
    },
}

impl Compare {
    /// The key that is looked at.
    pub fn key(&self) -> &str {
        match self {
            Self::Absent { key }
            | Self::Revision { key, .. }
            | Self::Created { key, .. }
            | Self::Value { key, .. }
            | Self::Lease { key, .. } => key,
        }
    }
}

/// One operation of a commit. Two operations of one commit never write the same key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Op {
    /// Writes a key.
    Put {
        /// The whole key.
        key: String,
        /// The value.
        value: String,
        /// The lease that the key goes with; 0: it stays.
        lease: i64,
        /// Only if the key was last written by this revision; 0: only if it does not exist.
        seen: Option<i64>,
    },
    /// Deletes a key.
    Delete {
        /// The whole key.
        key: String,
        /// Only if the key was last written by this revision.
        seen: Option<i64>,
    },
    /// Deletes every key that begins so.
    DeleteAll {
        /// The beginning of the keys; never empty.
        prefix: String,
    },
}

/// How one operation of a commit ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum OpResult {
    /// It was carried out, with the commit's revision.
    Written,
    /// Its own comparison failed: this is the key's entry, if it exists.
    Differs(Option<Entry>),
}

/// How a commit ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Committed {
    /// The guard held.
    Done {
        /// The revision of everything that this commit wrote.
        revision: i64,
        /// One result for each operation, in their order.
        results: Vec<OpResult>,
    },
    /// A comparison of the guard failed, and nothing was written.
    Guarded {
        /// The entry of each key of the guard, in their order, if it exists.
        entries: Vec<Option<Entry>>,
    },
}

/// What a watch saw.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct WatchNews {
    /// The changes, in the order of their revisions. Empty at the deadline.
    pub events: Vec<Entry>,
    /// Every change of the prefix up to here was handed over: a new watch starts at the next
    /// revision.
    pub revision: i64,
}

/// The time that reading a page and beginning a watch may take: a lease outlives two servers
/// that do not answer.
#[cfg(all(feature = "asterisk", not(test)))]
fn reading_time(node_timeout: Duration) -> Duration {
    node_timeout / 3
}

/// The time that any other request may take. A member passes it on to the leader, and waits
/// for an answer in vain if that dies: the members have another leader after one or two
/// seconds.
#[cfg(all(feature = "asterisk", not(test)))]
fn writing_time(node_timeout: Duration) -> Duration {
    (node_timeout / 5).clamp(Duration::from_secs(1), Duration::from_secs(5))
}

/// The time that a connect may take.
#[cfg(all(feature = "asterisk", not(test)))]
fn connecting_time(node_timeout: Duration) -> Duration {
    (node_timeout / 6).clamp(Duration::from_millis(500), Duration::from_secs(3))
}
