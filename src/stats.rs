//! What happened since the module was loaded, counted where it happens.

use std::sync::atomic::{AtomicU64, Ordering};

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

/// Events that webhooks delivered.
pub static WEBHOOK_POSTS: Counter = Counter::new();
/// How often a webhook gave up, or was told to.
pub static WEBHOOK_FAILURES: Counter = Counter::new();
/// Events that webhooks dropped.
pub static WEBHOOK_LOST: Counter = Counter::new();
