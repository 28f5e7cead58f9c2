//! The stream of changes.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use presence::config::Cluster;

use super::{EtcdError, WatchNews};

/// A stream of the changes of all keys that begin with a prefix.
pub struct Watch {}

impl Watch {
    /// Watches every key that begins with `prefix`, from a revision on.
    ///
    /// # Errors
    /// When no server accepts it.
    pub fn open(
        _settings: Arc<Cluster>,
        _prefix: &str,
        _from_revision: i64,
        _stop: Arc<AtomicBool>,
    ) -> Result<Watch, EtcdError> {
        Err(EtcdError::Stopped)
    }

    /// Waits for changes until the deadline.
    ///
    /// # Errors
    /// The watch has ended: with [`EtcdError::Compacted`] if its first revision is too old,
    /// and with [`EtcdError::Unreachable`] if the server sent nothing for `node_timeout`. The
    /// keys below the prefix have to change more often than that.
    pub fn next(&mut self, _deadline: Instant) -> Result<WatchNews, EtcdError> {
        Err(EtcdError::Stopped)
    }
}
