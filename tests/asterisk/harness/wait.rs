//! Waiting for something to become true.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// How long a test waits before it gives up. Long on purpose: a slow or busy machine must
/// not fail a test, and a test that passes never waits that long. Valgrind is slower still.
pub const PATIENCE: Duration = Duration::from_secs(match option_env!("USERPRESENCE_VALGRIND") {
    None => 60,
    Some(_) => 600,
});

/// Polls `probe` until it returns a value, and returns the value.
///
/// Panics with `what` after [`PATIENCE`].
#[track_caller]
pub fn wait_until<T>(what: &str, probe: impl FnMut() -> Option<T>) -> T {
    match poll(PATIENCE, probe) {
        Some(value) => value,
        None => panic!("waited {} s in vain for {what}", PATIENCE.as_secs()),
    }
}

/// Polls `probe` until it returns a value or `timeout` is over.
pub fn poll<T>(timeout: Duration, mut probe: impl FnMut() -> Option<T>) -> Option<T> {
    let end = Instant::now() + timeout;
    loop {
        if let Some(value) = probe() {
            return Some(value);
        }
        if Instant::now() >= end {
            return None;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Unix time in milliseconds, by the clock that Asterisk reads too.
pub fn now() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.expect("a clock after 1970").as_millis() as u64
}
