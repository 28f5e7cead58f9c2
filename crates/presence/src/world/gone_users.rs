//! When users and sources went from the configuration: what is stored of them is kept for
//! [`KEEP`], so that a mistake in a file loses nothing.
//!
//! Beside a row `user/<name>` or `source/<address>` that nobody of the configuration has,
//! there is a row `gone/user/<name>` or `gone/source/<address>` that says since when.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::model::time::Time;

/// What stands before the key of a row, to make the key of the one that says since when
/// it is nobody's.
pub const PREFIX: &str = "gone/";

/// How long rows are kept.
pub const KEEP: Duration = Duration::from_secs(30 * 86_400);

/// Since when a row is nobody's.
#[derive(Serialize, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct Gone {
    /// Unix time in milliseconds.
    at: u64,
    /// The addresses that the user alone has read, and whose rows are nobody's either.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<String>,
}

impl Gone {
    /// From now on.
    pub fn new(now: Time, sources: Vec<String>) -> Self {
        Gone {
            at: now.millis(),
            sources,
        }
    }

    /// The key of the row that says so of the row `key`.
    pub fn key(key: &str) -> String {
        format!("{PREFIX}{key}")
    }

    /// Since when.
    pub fn at(&self) -> Time {
        Time::from_millis(self.at)
    }

    /// Whether the row has been kept for long enough.
    pub fn is_over(&self, now: Time) -> bool {
        self.at().after(KEEP) < now
    }

    /// As stored; `None` where that cannot be read.
    pub fn parse(value: &str) -> Option<Self> {
        serde_json::from_str(value).ok()
    }

    /// As it is stored.
    pub fn json(&self) -> String {
        // A number and texts always serialise.
        serde_json::to_string(self).unwrap_or_default()
    }
}
