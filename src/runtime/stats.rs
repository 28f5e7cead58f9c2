//! What has happened since Asterisk was started, counted where it happens: the counts
//! outlive an unload.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// A number that rises. It orders nothing else.
#[derive(Default, Debug)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Counts so many more.
    pub fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    /// The count.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// One answer of so many is timed: to read the clock takes as long as to answer.
const TIMED_OF: u32 = 256;

/// All counts.
#[derive(Default, Debug)]
pub struct Stats {
    /// Transitions of users.
    pub changes: Counter,
    /// Presences published.
    pub publishes: Counter,
    /// Actions that failed.
    pub action_failures: Counter,
    /// Events that a reader or a webhook did not get.
    pub events_lost: Counter,
    /// Events that webhooks delivered.
    pub webhook_posts: Counter,
    /// How often a webhook dropped events, or was stopped by its receiver.
    pub webhook_failures: Counter,
    calls: AtomicU32,
    timed: Counter,
    nanoseconds: Counter,
}

impl Stats {
    /// Answers, and times one answer of 256.
    pub fn answer<T>(&self, give: impl FnOnce() -> T) -> T {
        // Two threads may count one call: that is cheaper than to keep them apart.
        let call = self.calls.load(Ordering::Relaxed);
        self.calls.store(call.wrapping_add(1), Ordering::Relaxed);
        if call % TIMED_OF != 0 {
            return give();
        }
        let begin = Instant::now();
        let answer = give();
        let time = begin.elapsed().as_nanos();
        self.nanoseconds
            .add(u64::try_from(time).unwrap_or(u64::MAX));
        self.timed.add(1);
        answer
    }

    /// How many answers were timed, and how long they took together.
    pub fn answers(&self) -> (u64, Duration) {
        (
            self.timed.get(),
            Duration::from_nanos(self.nanoseconds.get()),
        )
    }
}
