//! The store as the threads use it: etcd, or a fake in unit tests.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use presence::config::Cluster;

use super::etcd::{Committed, Compare, Entry, EtcdError, Op, WatchNews};

/// A connection to the store. Each call blocks, and ends soon after the connection's flag is
/// set.
pub trait Link {
    /// The server's release.
    ///
    /// # Errors
    /// The server does not answer, refuses, or is too old.
    fn version(&mut self) -> Result<String, EtcdError>;

    /// Hands over every key that begins with `prefix`; the revision that was read.
    ///
    /// # Errors
    /// The store does not answer.
    fn range(&mut self, prefix: &str, each: &mut dyn FnMut(Entry)) -> Result<i64, EtcdError>;

    /// As [`Link::range`], of an earlier revision.
    ///
    /// # Errors
    /// The store does not answer, or the revision was compacted.
    fn range_at(
        &mut self,
        prefix: &str,
        revision: i64,
        each: &mut dyn FnMut(Entry),
    ) -> Result<(), EtcdError>;

    /// Carries out the operations in one transaction if the guard holds.
    ///
    /// # Errors
    /// The store does not answer; it may have carried them out.
    fn commit(&mut self, guard: &[Compare], ops: &[Op]) -> Result<Committed, EtcdError>;

    /// A new lease.
    ///
    /// # Errors
    /// The store does not answer.
    fn grant(&mut self, ttl: Duration) -> Result<i64, EtcdError>;

    /// Renews a lease; `false` for one that has ended.
    ///
    /// # Errors
    /// The store does not answer.
    fn keep_alive(&mut self, lease: i64) -> Result<bool, EtcdError>;

    /// Ends a lease.
    ///
    /// # Errors
    /// The store does not answer.
    fn revoke(&mut self, lease: i64) -> Result<(), EtcdError>;

    /// The server that answered last.
    fn server(&self) -> String;
}

/// The changes of the store, in their order.
pub trait ChangeStream {
    /// Waits for changes until the deadline.
    ///
    /// # Errors
    /// The stream has ended.
    fn next(&mut self, deadline: Instant) -> Result<WatchNews, EtcdError>;
}

/// Makes connections. They end soon after `stop` is set.
pub trait Connector: Send + Sync {
    /// A connection for requests.
    fn link(&self, settings: &Arc<Cluster>, stop: &Arc<AtomicBool>) -> Box<dyn Link>;

    /// The changes of all keys that begin with `prefix`, from a revision on.
    ///
    /// # Errors
    /// The store does not answer, or the revision was compacted.
    fn watch(
        &self,
        settings: &Arc<Cluster>,
        prefix: &str,
        from: i64,
        stop: &Arc<AtomicBool>,
    ) -> Result<Box<dyn ChangeStream>, EtcdError>;
}

/// Connects to etcd.
#[cfg(all(feature = "asterisk", not(test)))]
pub struct ToEtcd;

#[cfg(all(feature = "asterisk", not(test)))]
mod to_etcd {
    use super::*;
    use crate::cluster::etcd::{Etcd, Watch};

    impl Connector for ToEtcd {
        fn link(&self, settings: &Arc<Cluster>, stop: &Arc<AtomicBool>) -> Box<dyn Link> {
            Box::new(Etcd::new(settings.clone(), stop.clone()))
        }

        fn watch(
            &self,
            settings: &Arc<Cluster>,
            prefix: &str,
            from: i64,
            stop: &Arc<AtomicBool>,
        ) -> Result<Box<dyn ChangeStream>, EtcdError> {
            let watch = Watch::open(settings.clone(), prefix, from, stop.clone())?;
            Ok(Box::new(watch))
        }
    }

    impl Link for Etcd {
        fn version(&mut self) -> Result<String, EtcdError> {
            Etcd::version(self)
        }

        fn range(&mut self, prefix: &str, each: &mut dyn FnMut(Entry)) -> Result<i64, EtcdError> {
            Etcd::range(self, prefix, 0, each)
        }

        fn range_at(
            &mut self,
            prefix: &str,
            revision: i64,
            each: &mut dyn FnMut(Entry),
        ) -> Result<(), EtcdError> {
            Etcd::range(self, prefix, revision, each).map(drop)
        }

        fn commit(&mut self, guard: &[Compare], ops: &[Op]) -> Result<Committed, EtcdError> {
            Etcd::commit(self, guard, ops)
        }

        fn grant(&mut self, ttl: Duration) -> Result<i64, EtcdError> {
            Etcd::grant(self, ttl)
        }

        fn keep_alive(&mut self, lease: i64) -> Result<bool, EtcdError> {
            Etcd::keep_alive(self, lease)
        }

        fn revoke(&mut self, lease: i64) -> Result<(), EtcdError> {
            Etcd::revoke(self, lease)
        }

        fn server(&self) -> String {
            Etcd::server(self).to_owned()
        }
    }

    impl ChangeStream for Watch {
        fn next(&mut self, deadline: Instant) -> Result<WatchNews, EtcdError> {
            Watch::next(self, deadline)
        }
    }
}
