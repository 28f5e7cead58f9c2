//! The time of removal of users and sources. Their rows are kept for [`KEEP`], so that a
//! mistake in a file loses nothing.
//!
//! Beside each row `user/<name>`, `settings/<name>` or `source/<address>` without a configured
//! owner, a row `gone/user/<name>`, `gone/settings/<name>` or `gone/source/<address>` holds the
//! time of removal.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::model::time::Time;

/// The prefix that turns the key of a row into the key of its removal time.
pub const PREFIX: &str = "gone/";

/// How long orphaned rows are kept: 30 days.
pub const KEEP: Duration = Duration::from_secs(30 * 86_400);

/// The removal time of a row's owner, as stored.
#[derive(Serialize, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct Gone {
    /// Unix time in milliseconds.
    at: u64,
    /// The addresses that only the removed user read: their rows are orphaned too.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<String>,
}

impl Gone {
    /// A removal at `now`.
    pub fn new(now: Time, sources: Vec<String>) -> Self {
        Gone {
            at: now.millis(),
            sources,
        }
    }

    /// The key of the removal time of the row `key`.
    pub fn key(key: &str) -> String {
        format!("{PREFIX}{key}")
    }

    /// The time of removal.
    pub fn at(&self) -> Time {
        Time::from_millis(self.at)
    }

    /// Whether the row has been kept for longer than [`KEEP`].
    pub fn is_over(&self, now: Time) -> bool {
        self.at().after(KEEP) < now
    }

    /// Parses the stored value; `None` if it cannot be read.
    pub fn parse(value: &str) -> Option<Self> {
        serde_json::from_str(value).ok()
    }

    /// The value to be stored.
    pub fn json(&self) -> String {
        // A number and strings always serialise.
        serde_json::to_string(self).unwrap_or_default()
    }
}
