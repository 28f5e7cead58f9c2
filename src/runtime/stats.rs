//! What happened since Asterisk was started, counted where it happens.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// A number that rises. It gives no order to anything else.
#[derive(Debug)]
pub struct Counter(AtomicU64);

impl Counter {
    const fn new() -> Self {
        Counter(AtomicU64::new(0))
    }

    /// So many more.
    pub fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    /// How many.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Transitions of users.
pub static CHANGES: Counter = Counter::new();
/// Presences that Asterisk was told.
pub static PUBLISHES: Counter = Counter::new();
/// Actions that could not be carried out.
pub static ACTION_FAILURES: Counter = Counter::new();
/// Events that a reader or a webhook was not given.
pub static EVENTS_LOST: Counter = Counter::new();
/// Events that webhooks delivered.
pub static WEBHOOK_POSTS: Counter = Counter::new();
/// How often a webhook dropped events, or was stopped by its receiver.
pub static WEBHOOK_FAILURES: Counter = Counter::new();

static CALLS: AtomicU32 = AtomicU32::new(0);
static TIMED: Counter = Counter::new();
static NANOSECONDS: Counter = Counter::new();

/// Answers, and times one answer of 256: to look at the clock takes as long as to answer.
pub fn answer<T>(give: impl FnOnce() -> T) -> T {
    // Two threads may count one call: that is cheaper than to keep them apart.
    let call = CALLS.load(Ordering::Relaxed);
    CALLS.store(call.wrapping_add(1), Ordering::Relaxed);
    if call % 256 != 0 {
        return give();
    }
    let begin = Instant::now();
    let answer = give();
    let time = begin.elapsed().as_nanos();
    NANOSECONDS.add(u64::try_from(time).unwrap_or(u64::MAX));
    TIMED.add(1);
    answer
}

/// How many answers were timed, and how long they took together.
pub fn answers() -> (u64, Duration) {
    (TIMED.get(), Duration::from_nanos(NANOSECONDS.get()))
}
