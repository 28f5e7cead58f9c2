//! Statuses that are written to the addresses of extensions.
//!
//! A worker writes each status through the provider, and each write returns as an event of
//! Asterisk's topic. From the choice until then, events for the address are older than the
//! pending write, so they are recorded and not applied. When the worker has seen all events
//! of its write, the last recorded event is applied. So the presence does not flap, and a
//! write of another program in between is not lost.
//!
//! A write that takes over another node's choice is different: a report that comes meanwhile is
//! a choice made here that is later, and it stays.

use std::collections::VecDeque;
use std::time::Duration;

use super::{Effect, World};
use crate::directory::{SourceId, UserId};
use crate::model::state::Presence;
use crate::model::time::Time;

/// A choice of this node and a write of another node's are at the same moment within this time.
const BOTH: Duration = Duration::from_secs(2);

/// How many writes are noted before those of earlier moments are forgotten.
const MOST_NOTED: usize = 1000;

#[derive(Default, Debug)]
pub(super) struct PendingWrite {
    /// The presence that waits for the worker; a newer choice replaces it.
    queued: Option<Presence>,
    /// The writes that the worker has taken and not yet confirmed, oldest first.
    in_flight: VecDeque<Presence>,
    /// The last presence that the topic reported meanwhile.
    pub(super) last_reported: Option<Presence>,
    /// What the address had before, while all of these writes take over choices of other nodes.
    taken_over: Option<Presence>,
}

impl PendingWrite {
    /// Whether a report is a choice made here that is later than the writes.
    pub(super) fn is_overtaken_by(&self, reported: &Presence) -> bool {
        let mut written = self.in_flight.iter().chain(&self.queued);
        let before = self.taken_over.as_ref();
        before.is_some_and(|before| before != reported) && written.all(|it| it != reported)
    }

    /// Removes the pending write of a removed source, and returns the presence to write.
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
    /// The address.
    pub address: std::sync::Arc<str>,
    /// The presence.
    pub presence: Presence,
}

/// The kind of work that waits for the worker.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Work {
    /// No work.
    None,
    /// Rows to be written to AstDB.
    Rows,
    /// Writes to extensions, or a settle time or the end of a timed status to watch.
    Urgent,
}

impl World {
    pub(super) fn queue_write(&mut self, source: SourceId, presence: &Presence) {
        let pending = self.pending.entry(source).or_default();
        pending.taken_over = None;
        if pending.queued.replace(presence.clone()).is_none() {
            self.queue.push_back(source);
        }
    }

    /// As [`World::queue_write`], of the choice of another node; `before`: what the address has.
    pub(super) fn queue_taken_over(&mut self, source: SourceId, before: Presence) {
        let pending = self.pending.get(&source);
        let taken_over = pending.map_or(Some(before), |pending| pending.taken_over.clone());
        self.write_again(source);
        if let Some(pending) = self.pending.get_mut(&source) {
            pending.taken_over = taken_over;
        }
    }

    /// Notes that a write of another node's choice is done.
    fn note_taken_over(&mut self, source: SourceId, now: Time) {
        if self.taken_over.len() >= MOST_NOTED {
            self.taken_over.retain(|_, at| now < at.after(BOTH));
        }
        self.taken_over.insert(source, now);
    }

    /// A choice was made here. If another node's was written at the same moment, Asterisk may
    /// have kept that one, although it reports this one last: this one is written again.
    pub(super) fn write_if_both(&mut self, source: SourceId, now: Time) {
        let at = self.taken_over.remove(&source);
        if at.is_some_and(|at| now < at.after(BOTH)) {
            self.write_again(source);
        }
    }

    /// A choice made here is later than the pending writes, which take over those of other
    /// nodes. One that is being written may come to Asterisk after it.
    pub(super) fn overtake_writes(&mut self, source: SourceId, reported: &Presence) {
        let pending = self.pending.get(&source);
        match pending.is_some_and(|pending| !pending.in_flight.is_empty()) {
            true => self.queue_write(source, reported),
            false => drop(self.pending.remove(&source)),
        }
    }

    /// Writes the present presence of an address again, because the provider lost it, if
    /// `meant` accepts the presence and no other write is pending.
    pub fn write_present(&mut self, address: &str, meant: impl FnOnce(&Presence) -> bool) {
        let Some(source) = self.directory.source(address) else {
            return;
        };
        let presence = self.source(source).presence.clone();
        if !self.pending.contains_key(&source) && meant(&presence) {
            self.queue_write(source, &presence);
        }
    }

    /// Removes the next write for the worker, in the order of the choices.
    pub fn take_write(&mut self) -> Option<Write> {
        if let Some(write) = self.leftover_writes.pop_front() {
            return Some(write);
        }
        while let Some(source) = self.queue.pop_front() {
            let Some(pending) = self.pending.get_mut(&source) else {
                continue;
            };
            if let Some(presence) = pending.queued.take() {
                pending.in_flight.push_back(presence.clone());
                let address = self.directory.get_source(source).address.clone();
                return Some(Write { address, presence });
            }
        }
        None
    }

    /// Whether a write of the user's status is pending.
    pub fn writing_for(&self, user: UserId) -> bool {
        // The id may belong to an earlier directory: then the caller waits a little longer
        // than needed.
        let directory = &self.directory;
        !self.pending.is_empty()
            && directory.try_get(user).is_some_and(|spec| {
                directory
                    .written(spec, self.default_of(user))
                    .any(|source| self.pending.contains_key(&source))
            })
    }

    /// The most urgent work for the worker. Only the first settle time has to be watched at
    /// once, because later ones end later.
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

    /// Confirms a write: the worker has seen all of its events. Returns the effects of the last
    /// event that was recorded meanwhile.
    pub fn confirm_write(&mut self, address: &str, now: Time) -> Vec<Effect> {
        let Some(source) = self.directory.source(address) else {
            return Vec::new();
        };
        let Some(pending) = self.pending.get_mut(&source) else {
            return Vec::new();
        };
        let written = pending.in_flight.pop_front();
        if let (Some(before), Some(written)) = (&mut pending.taken_over, written) {
            *before = written;
        }
        if !pending.in_flight.is_empty() || pending.queued.is_some() {
            return Vec::new();
        }
        let is_taken_over = pending.taken_over.is_some();
        let reported = self
            .pending
            .remove(&source)
            .and_then(|pending| pending.last_reported);
        if is_taken_over {
            self.note_taken_over(source, now);
        }
        let Some(reported) = reported else {
            return Vec::new();
        };
        self.report_presence(address, reported.parts(), now)
    }
}
