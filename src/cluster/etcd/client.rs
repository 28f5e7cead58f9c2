//! Requests with one answer.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use presence::config::Cluster;

use super::{Committed, Compare, Entry, EtcdError, Op};

/// A connection to one of the servers.
pub struct Etcd {
    settings: Arc<Cluster>,
    stop: Arc<AtomicBool>,
}

impl Etcd {
    /// A client that is not connected yet.
    pub fn new(settings: Arc<Cluster>, stop: Arc<AtomicBool>) -> Self {
        Etcd { settings, stop }
    }

    /// The server's release.
    ///
    /// # Errors
    /// [`EtcdError::TooOld`] for one before 3.4.
    pub fn version(&mut self) -> Result<String, EtcdError> {
        Err(EtcdError::Stopped)
    }

    /// Hands over every key that begins with `prefix`, as of one revision, and returns that
    /// revision. 0 means the present one.
    ///
    /// # Errors
    /// [`EtcdError::Compacted`] if the revision is too old, also in the middle of the keys.
    pub fn range(
        &mut self,
        _prefix: &str,
        _revision: i64,
        _each: &mut dyn FnMut(Entry),
    ) -> Result<i64, EtcdError> {
        Err(EtcdError::Stopped)
    }

    /// Carries out the operations in one transaction, if every comparison of the guard holds.
    ///
    /// # Errors
    /// After [`EtcdError::Unreachable`] the commit may have happened or not.
    pub fn commit(&mut self, _guard: &[Compare], _ops: &[Op]) -> Result<Committed, EtcdError> {
        Err(EtcdError::Stopped)
    }

    /// A new lease that ends unless [`Etcd::keep_alive`] renews it.
    ///
    /// # Errors
    /// When etcd does not grant it.
    pub fn grant(&mut self, _ttl: Duration) -> Result<i64, EtcdError> {
        Err(EtcdError::Stopped)
    }

    /// Renews a lease. `false`: it had ended already.
    ///
    /// # Errors
    /// When etcd does not answer so.
    pub fn keep_alive(&mut self, _lease: i64) -> Result<bool, EtcdError> {
        Err(EtcdError::Stopped)
    }

    /// Ends a lease and deletes its keys. It may have ended already.
    ///
    /// # Errors
    /// When etcd does not answer.
    pub fn revoke(&mut self, _lease: i64) -> Result<(), EtcdError> {
        Err(EtcdError::Stopped)
    }

    /// The server that answered last, or the one to be tried next.
    pub fn server(&self) -> &str {
        ""
    }
}
