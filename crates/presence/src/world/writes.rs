//! Statuses on their way out to the addresses of extensions.
//!
//! A worker writes them by the provider's own means, and each write comes back as an
//! event of Asterisk's topic. Between the choice and the end of that, what the topic
//! says of the address is older than what we write, so it is noted and not applied;
//! when the worker knows that all events of its write have been seen, the last one
//! noted is the truth. So nothing flaps, and nothing written by somebody else between
//! is lost.

use super::{Effect, World};
use crate::directory::{SourceId, UserId};
use crate::model::state::Presence;
use crate::model::time::Time;

#[derive(Default, Debug)]
pub(super) struct PendingWrite {
    /// To be written; a newer choice replaces it.
    queued: Option<Presence>,
    /// Writes handed to the worker and not yet confirmed.
    in_flight: u32,
    /// The last event meanwhile.
    pub(super) last_reported: Option<Presence>,
}

impl PendingWrite {
    /// What is still to be written to a source that goes.
    pub(super) fn left(
        all: &mut std::collections::HashMap<SourceId, PendingWrite>,
        source: SourceId,
    ) -> Option<Presence> {
        all.remove(&source)?.queued
    }
}

/// A presence to be written to an address.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Write {
    /// Where to.
    pub address: std::sync::Arc<str>,
    /// What.
    pub presence: Presence,
}

/// What waits for the worker.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Work {
    /// Nothing.
    None,
    /// Rows to be kept.
    Rows,
    /// Writes, or a settle time or the end of a status to watch.
    Urgent,
}

impl World {
    pub(super) fn queue_write(&mut self, source: SourceId, presence: &Presence) {
        let pending = self.pending.entry(source).or_default();
        if pending.queued.replace(presence.clone()).is_none() {
            self.queue.push_back(source);
        }
    }

    /// Writes to an address again what it is, where that is still what was `meant`: the
    /// provider lost it.
    pub fn write_present(&mut self, address: &str, meant: impl FnOnce(&Presence) -> bool) {
        let Some(source) = self.directory.source(address) else {
            return;
        };
        let presence = self.source(source).presence.clone();
        if !self.pending.contains_key(&source) && meant(&presence) {
            self.queue_write(source, &presence);
        }
    }

    /// The next write for the worker, in the order of the choices.
    pub fn take_write(&mut self) -> Option<Write> {
        if let Some(write) = self.leftover_writes.pop_front() {
            return Some(write);
        }
        while let Some(source) = self.queue.pop_front() {
            let Some(pending) = self.pending.get_mut(&source) else {
                continue;
            };
            if let Some(presence) = pending.queued.take() {
                pending.in_flight += 1;
                let address = self.directory.get_source(source).address.clone();
                return Some(Write { address, presence });
            }
        }
        None
    }

    /// Whether writes of the user's status wait or are under way.
    pub fn writing_for(&self, user: UserId) -> bool {
        // The number may be of an earlier directory: who waits, waits for no longer
        // than it takes to find out.
        let directory = &self.directory;
        !self.pending.is_empty()
            && directory.try_get(user).is_some_and(|user| {
                directory
                    .written(user)
                    .any(|source| self.pending.contains_key(&source))
            })
    }

    /// What waits for the worker. The first settle time that began has to be watched at
    /// once; later ones end later.
    pub fn work(&self) -> Work {
        if !self.queue.is_empty()
            || !self.leftover_writes.is_empty()
            || self.due.len() == 1
            || self.ends_earlier()
        {
            Work::Urgent
        } else if self.is_dirty() {
            Work::Rows
        } else {
            Work::None
        }
    }

    /// The worker has seen all events of its write to `address`.
    pub fn written(&mut self, address: &str, now: Time) -> Vec<Effect> {
        let Some(source) = self.directory.source(address) else {
            return Vec::new();
        };
        let Some(pending) = self.pending.get_mut(&source) else {
            return Vec::new();
        };
        pending.in_flight = pending.in_flight.saturating_sub(1);
        if pending.in_flight > 0 || pending.queued.is_some() {
            return Vec::new();
        }
        let reported = self
            .pending
            .remove(&source)
            .and_then(|pending| pending.last_reported);
        let Some(reported) = reported else {
            return Vec::new();
        };
        self.report_presence(address, reported.parts(), now)
    }
}
