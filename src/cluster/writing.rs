//! What the sender writes of this node's users: up to a hundred keys in one transaction.

use std::time::Instant;

use super::etcd::{Committed, Compare, MOST_BYTES, MOST_OPS, Op, OpResult};
use super::hub::ClusterCounts;
use super::record::{ACKNOWLEDGED, KEEPER};
use super::sender::{ClusterSender, Setback};
use presence::world::{SharedEntry, SharedWrite};

impl ClusterSender<'_> {
    /// Writes what waits, oldest first, until nothing does.
    pub(super) fn write(&mut self) -> Result<(), Setback> {
        while Instant::now() < self.next_beat && !self.hub.is_stopping() {
            if self.hub.with(|state| state.wants_beat) || !self.write_some()? {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Writes up to a hundred keys in one transaction; whether there were any.
    pub(super) fn write_some(&mut self) -> Result<bool, Setback> {
        let registration = self.registration()?;
        let mut writes = self.hub.source.take_writes(MOST_OPS);
        if writes.is_empty() {
            return Ok(false);
        }
        let mut bytes = 0;
        let fit = writes.iter().take_while(|write| {
            bytes += write.path.len() + write.value.as_ref().map_or(0, String::len);
            bytes <= MOST_BYTES
        });
        // One alone always fits: a value is much smaller.
        let fit = fit.count().max(1);
        let later = writes.split_off(fit);
        self.put_back(&later);
        let ops: Vec<Op> = writes.iter().map(|write| self.op(write)).collect();
        let guard = [self.is_mine(registration.lease)];
        let sent = Instant::now();
        let done = match self.commit(&guard, &ops) {
            Ok(done) => done,
            Err(why) => {
                self.hub.with(|state| state.echo.lost());
                self.put_back(&writes);
                return Err(why);
            }
        };
        match done {
            Committed::Guarded { entries } => {
                self.put_back(&writes);
                self.look_at(entries.into_iter().flatten().next())?;
            }
            Committed::Done { revision, results } => {
                self.hub.with(|state| {
                    state.lag.sent(revision, sent);
                    state.echo.written(revision);
                });
                self.written(&writes, revision, &results);
            }
        }
        Ok(true)
    }

    fn put_back(&self, writes: &[SharedWrite]) {
        let paths: Vec<&str> = writes.iter().map(|write| &*write.path).collect();
        self.hub.source.put_back(&paths);
    }

    /// Takes over how each write has ended.
    fn written(&self, writes: &[SharedWrite], revision: i64, results: &[OpResult]) {
        let (mut written, mut others) = (Vec::new(), Vec::new());
        for (write, result) in writes.iter().zip(results) {
            match result {
                OpResult::Written => written.push((write.path.as_str(), revision)),
                OpResult::Differs(found) => others.push(SharedEntry {
                    path: &write.path,
                    value: found.as_ref().and_then(|entry| entry.value.as_deref()),
                    revision: found.as_ref().map_or(revision, |entry| entry.revision),
                }),
            }
        }
        let counts = &self.hub.counts;
        ClusterCounts::add(&counts.written, written.len());
        ClusterCounts::add(&counts.conflicts, others.len());
        if !written.is_empty() {
            self.hub.source.written(&written);
        }
        if !others.is_empty() {
            self.hub.source.take_changes(&others);
        }
    }

    fn op(&self, write: &SharedWrite) -> Op {
        let key = self.hub.key(&write.path);
        let seen = write.is_register.then_some(write.seen);
        match &write.value {
            Some(value) => Op::Put {
                key,
                value: value.clone(),
                lease: 0,
                seen,
            },
            None => Op::Delete { key, seen },
        }
    }

    /// Writes how far the receivers of webhooks are, if this node posts.
    pub(super) fn write_acknowledged(&mut self) -> Result<(), Setback> {
        let registration = self.registration()?;
        let waiting = self
            .hub
            .with(|state| std::mem::take(&mut state.turn.unwritten));
        if waiting.is_empty() {
            return Ok(());
        }
        let ops: Vec<Op> = waiting
            .iter()
            .take(MOST_OPS)
            .map(|(webhook, text)| Op::Put {
                key: self.hub.key(&format!("{ACKNOWLEDGED}{webhook}")),
                value: text.clone(),
                lease: 0,
                seen: None,
            })
            .collect();
        let is_keeper = Compare::Lease {
            key: self.hub.key(KEEPER),
            lease: registration.lease,
        };
        let guard = [self.is_mine(registration.lease), is_keeper];
        let done = self.commit(&guard, &ops);
        if done.is_err() {
            self.hub.with(|state| {
                for (webhook, text) in waiting {
                    state.turn.unwritten.entry(webhook).or_insert(text);
                }
            });
        }
        match done? {
            Committed::Guarded { entries } => self.look_at(entries.into_iter().flatten().next()),
            Committed::Done { .. } => Ok(()),
        }
    }
}
