//! Rows of AstDB, kept here until AstDB has them.
//!
//! AstDB refuses every row while another program has its file locked. It commits accepted rows
//! up to a second later, and if that commit fails (a full disk, a reader with a lock), all rows
//! of that second are lost without a message. So each row is looked up after its commit, and
//! stored again if it is missing. The rows that CustomPresence stores for a status written to
//! an extension are looked up in the same way.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use crate::runtime::Runtime;
use crate::runtime::host::HostError;
use presence::Time;
use presence::model::address::{CUSTOM_LABEL, below};
use presence::model::assignment::custom_presence;
use presence::world::stored::FAMILY;
use presence::world::{RowChange, Write};

/// Rows taken at a time, so that the world's lock is never held for long.
const BATCH: usize = 256;

/// How long AstDB is left alone after it refused a row.
const RETRY: Duration = Duration::from_millis(250);

/// The time after which a row is looked up. Asterisk commits once a second.
const COMMITTED: Duration = Duration::from_millis(1500);

/// The time in which CustomPresence publishes a stored presence.
const PUBLISHED: Duration = Duration::from_millis(5);

/// How many entries of earlier values may wait, beside twice the number of rows.
const MOST_STALE: usize = 1000;

/// At a stop AstDB is asked this many times, [`LAST_RETRY`] apart.
const LAST_TRIES: u32 = 20;
const LAST_RETRY: Duration = Duration::from_millis(100);

/// Rows that wait for AstDB, and accepted rows that are not confirmed yet. Both are bounded by
/// the number of rows, because each row is there once, with its latest value.
#[derive(Default)]
pub(super) struct Rows {
    /// When AstDB may be asked again after a refusal.
    again: Option<Time>,
    /// The reason of the refusal, which is logged without a lock.
    refusal: Option<HostError>,
    /// The accepted rows, and when each is due to be looked up.
    put: HashMap<Key, (Option<String>, Instant)>,
    /// The same in the order of time. An entry with another time than the row's last one belongs
    /// to an earlier value.
    order: VecDeque<(Instant, Key)>,
}

/// A row that was put.
#[derive(Clone, PartialEq, Eq, Hash)]
enum Key {
    /// A row of this module, by its key.
    Own(String),
    /// The row of CustomPresence for an address.
    Custom(std::sync::Arc<str>),
}

impl Key {
    fn stored(&self, runtime: &Runtime) -> Option<String> {
        let host = runtime.host();
        match self {
            Key::Own(key) => host.get(FAMILY, key),
            Key::Custom(address) => host.get(CUSTOM_LABEL, below(address, CUSTOM_LABEL)?),
        }
    }
}

impl Rows {
    /// Stores a batch of the rows that wait; returns whether there may be more.
    pub fn store_some(&mut self, runtime: &Runtime) -> bool {
        if self.again.is_some_and(|again| runtime.now() < again) {
            return false;
        }
        self.again = None;
        let on_way = runtime.persister.on_way.lock();
        let rows = runtime.update_always(|world, _| (world.take_rows(BATCH), Vec::new()));
        let rows = rows.unwrap_or_default();
        let kept = self.store(&rows, runtime);
        if kept == rows.len() {
            return !rows.is_empty();
        }
        // The refused row last: if AstDB refuses that row alone, it delays no other.
        let refused = rows[kept..].iter().take(1);
        let refused = rows[kept..].iter().skip(1).chain(refused);
        runtime.update_always(|world, _| (world.put_back(refused), Vec::new()));
        drop(on_way);
        if let Some(why) = self.refusal.take() {
            runtime.warn_once("AstDB", "", || {
                format!("AstDB does not keep presence, it is tried again: {why}")
            });
        }
        self.again = Some(runtime.now().after(RETRY));
        false
    }

    /// Hands rows to AstDB up to the first that it refuses; returns how many it accepted.
    fn store(&mut self, rows: &[RowChange], runtime: &Runtime) -> usize {
        let host = runtime.host();
        let refused = rows.iter().position(|row| {
            let kept = match &row.value {
                Some(value) => host.put(FAMILY, &row.key, value),
                None => host.del(FAMILY, &row.key),
            };
            match kept {
                Ok(()) => self.note(Key::Own(row.key.clone()), row.value.clone()),
                Err(why) => {
                    self.refusal = Some(why);
                    return true;
                }
            }
            false
        });
        refused.unwrap_or(rows.len())
    }

    /// Notes that CustomPresence has got a presence to store. It reports no failure.
    pub fn written(&mut self, write: &Write) {
        let value = custom_presence(&write.presence);
        self.note(Key::Custom(write.address.clone()), Some(value));
    }

    fn note(&mut self, key: Key, value: Option<String>) {
        // While AstDB refuses everything, no entry leaves at the front.
        if self.order.len() > 2 * self.put.len() + MOST_STALE {
            let Rows { put, order, .. } = self;
            order.retain(|(due, key)| put.get(key).is_some_and(|(_, last)| last == due));
        }
        let due = Instant::now() + COMMITTED;
        self.order.push_back((due, key.clone()));
        self.put.insert(key, (value, due));
    }

    /// Looks up a batch of the rows that are due; a lost row waits again. Returns whether there
    /// may be more.
    pub fn confirm_some(&mut self, runtime: &Runtime) -> bool {
        let now = Instant::now();
        // While AstDB refuses everything, a look-up is useless.
        match self.order.front() {
            Some((due, _)) if *due <= now && self.again.is_none() => {}
            _ => return false,
        }
        let lost = self.confirm_batch(Some(now), runtime);
        lost || self.order.front().is_some_and(|(due, _)| *due <= now)
    }

    /// Looks up a batch of the rows due by then, or of all rows. Returns whether a row is lost;
    /// a lost row waits again.
    fn confirm_batch(&mut self, by: Option<Instant>, runtime: &Runtime) -> bool {
        let mut lost = Vec::new();
        for _ in 0..BATCH {
            match self.order.front() {
                Some((due, _)) if by.is_none_or(|by| *due <= by) => {
                    lost.extend(self.look_up(runtime))
                }
                _ => break,
            }
        }
        if lost.iter().any(|(key, _)| matches!(key, Key::Custom(_))) {
            // CustomPresence stores first and publishes then: a presence that another program has
            // just stored arrives before this decides whether the value is still wanted.
            std::thread::sleep(PUBLISHED);
            runtime.host().catch_up();
        }
        let is_lost = !lost.is_empty();
        runtime.update_always(|world, _| {
            for (key, wanted) in lost {
                match key {
                    Key::Own(key) => {
                        let row = RowChange { key, value: wanted };
                        world.put_back(std::iter::once(&row));
                    }
                    Key::Custom(address) => world.write_present(&address, |presence| {
                        wanted.as_deref() == Some(&custom_presence(presence))
                    }),
                }
            }
            ((), Vec::new())
        });
        is_lost
    }

    /// Looks up the first row; returns it and its wanted value if it is lost.
    fn look_up(&mut self, runtime: &Runtime) -> Option<(Key, Option<String>)> {
        let (due, key) = self.order.pop_front()?;
        if self.put.get(&key).is_none_or(|(_, last)| *last != due) {
            return None;
        }
        let wanted = self.put.remove(&key).and_then(|(value, _)| value);
        (key.stored(runtime) != wanted).then_some((key, wanted))
    }

    /// When the next row is due.
    pub fn next(&self, now: Time) -> Option<Time> {
        let due = self.order.front().map(|(due, _)| {
            let left = due.saturating_duration_since(Instant::now());
            now.after(left)
        });
        // After a refusal all rows wait.
        self.again.or(due)
    }

    /// Tries refused rows for a little longer, then gives them up. Returns whether AstDB has
    /// accepted everything; its commit is not waited for.
    pub fn finish(&mut self, runtime: &Runtime) -> bool {
        for _ in 0..LAST_TRIES {
            if self.again.take().is_none() && !self.confirm_all(runtime) {
                return true;
            }
            std::thread::sleep(LAST_RETRY);
            while runtime.write_out(self) || self.store_some(runtime) {}
        }
        log::warn!("AstDB does not keep presence: what was set last is lost with this stop");
        false
    }

    /// Looks everything up at once; returns whether a row is lost.
    fn confirm_all(&mut self, runtime: &Runtime) -> bool {
        let mut lost = false;
        while !self.order.is_empty() {
            lost |= self.confirm_batch(None, runtime);
        }
        lost
    }
}
