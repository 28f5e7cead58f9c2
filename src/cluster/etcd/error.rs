//! Why a request failed, as one sentence each.

use std::fmt;

/// Why etcd did not do as asked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum EtcdError {
    /// No server answers. Another try may succeed.
    Unreachable(String),
    /// The servers that answer have no leader: fewer than a majority of the members see each
    /// other. Another try may succeed.
    NoLeader,
    /// Credentials, certificates or the configuration are wrong, or this is no etcd. Only a
    /// person can change that.
    Refused(String),
    /// The release is older than 3.4.
    TooOld(String),
    /// The history from this revision on is not there: it was compacted, or etcd was wiped or
    /// restored. The whole range has to be read again.
    Compacted(i64),
    /// A key was to go with a lease that has ended.
    LeaseEnded,
    /// `stop` was set.
    Stopped,
}

impl fmt::Display for EtcdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable(why) | Self::Refused(why) | Self::TooOld(why) => f.write_str(why),
            Self::NoLeader => f.write_str(
                "etcd has no leader: fewer than a majority of its members are connected",
            ),
            Self::Compacted(revision) => {
                write!(f, "etcd has no history from revision {revision} on")
            }
            Self::LeaseEnded => f.write_str("the lease has ended"),
            Self::Stopped => f.write_str("the module stops"),
        }
    }
}

/// What a failed request asks for next.
#[cfg(all(feature = "asterisk", not(test)))]
#[derive(PartialEq, Eq, Debug)]
pub(super) enum Failure {
    /// Another server may answer.
    Next(EtcdError),
    /// Every server would answer so.
    Final(EtcdError),
    /// The token is missing or has ended.
    Token(String),
}
