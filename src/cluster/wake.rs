//! Wakes the sender. A change costs one look at a flag while the sender is at work.

use std::sync::atomic::{AtomicBool, Ordering, fence};
use std::time::Instant;

use crate::sync::{Condvar, Mutex};

/// The bell of a thread that sleeps while there is nothing to do.
#[derive(Default)]
pub struct Bell {
    sleeps: AtomicBool,
    rung: Mutex<bool>,
    news: Condvar,
}

impl Bell {
    /// There is work: wakes the thread if it sleeps. Call it after the work is there.
    pub fn ring(&self) {
        // Pairs with the fence of `sleep`: either this sees the flag, or the thread sees the
        // work.
        fence(Ordering::SeqCst);
        if self.sleeps.load(Ordering::Relaxed) && self.sleeps.swap(false, Ordering::Relaxed) {
            *self.rung.lock() = true;
            self.news.notify_one();
        }
    }

    /// Sleeps until it is rung or the time has come, unless there is work already.
    pub fn sleep(&self, until: Instant, has_work: impl FnOnce() -> bool) {
        self.sleeps.store(true, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        if !has_work() {
            let mut rung = self.rung.lock();
            while !*rung && !self.news.wait_until(&mut rung, until).timed_out() {}
        }
        self.sleeps.store(false, Ordering::Relaxed);
        *self.rung.lock() = false;
    }
}
