//! Where a test build can be made to panic, and what it measures; nothing in others.
//!
//! The console commands of a test build set it: see `src/selftest.rs`.

#[cfg(all(feature = "selftest", not(test)))]
mod armed {
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::time::Instant;

    use parking_lot::Mutex;

    /// The point that panics next.
    static ARMED: Mutex<Option<String>> = Mutex::new(None);
    /// Whether there is one, for a look without a lock.
    static IS_ARMED: AtomicBool = AtomicBool::new(false);
    /// When the last presence was published, while it is measured.
    static PUBLISHED: Mutex<Option<Instant>> = Mutex::new(None);

    /// Has the next thread that comes to that point panic.
    pub fn arm(point: &str) {
        *ARMED.lock() = Some(point.to_owned());
        IS_ARMED.store(true, Ordering::Release);
    }

    /// Panics once at the armed point.
    pub fn trip(point: &str) {
        if IS_ARMED.load(Ordering::Relaxed) {
            let hit = ARMED.lock().take_if(|armed| armed == point).is_some();
            if hit {
                IS_ARMED.store(false, Ordering::Release);
                panic!("forced by a test in {point}");
            }
        }
    }

    /// Notes the time of a publish.
    pub fn published() {
        *PUBLISHED.lock() = Some(Instant::now());
    }

    /// When the last presence was published since this was asked last.
    pub fn take_published() -> Option<Instant> {
        PUBLISHED.lock().take()
    }
}

#[cfg(all(feature = "selftest", not(test)))]
pub use armed::{arm, published, take_published};

/// A point at which a test build can be made to panic.
pub fn trip(_point: &str) {
    #[cfg(all(feature = "selftest", not(test)))]
    armed::trip(_point);
}

/// A presence was published.
#[cfg(not(all(feature = "selftest", not(test))))]
pub fn published() {}
