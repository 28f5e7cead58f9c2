//! How the persister is woken: urgent work at once, other work after a moment in which more
//! of it gathers.

use std::time::{Duration, Instant};

use crate::runtime::sync::{Condvar, Mutex};

/// How long rows gather before they are handed to AstDB, so that a storm of changes does not
/// wake the thread for each.
const GATHER: Duration = Duration::from_millis(10);

#[derive(Clone, Copy, Default, Debug)]
struct Signal {
    /// There is work.
    work: bool,
    /// And it cannot wait.
    urgent: bool,
    /// The thread sleeps without a time at which it looks again.
    idle: bool,
    stop: bool,
}

/// The signal between the threads that make work and the one that does it.
#[derive(Default)]
pub struct Wakeup {
    signal: Mutex<Signal>,
    news: Condvar,
}

impl Wakeup {
    /// Begins a run, with work to do.
    pub fn begin(&self) {
        *self.signal.lock() = Signal {
            work: true,
            ..Signal::default()
        };
    }

    /// There is work; work that is not urgent may wait for [`GATHER`].
    pub fn wake(&self, urgent: bool) {
        let mut signal = self.signal.lock();
        signal.work = true;
        if std::mem::take(&mut signal.idle) || (urgent && !signal.urgent) {
            self.news.notify_one();
        }
        signal.urgent |= urgent;
    }

    /// The thread has to stop after the work that there is.
    pub fn stop(&self) {
        self.signal.lock().stop = true;
        self.news.notify_one();
    }

    /// Sleeps until there is work, or until `due`; returns whether to stop.
    pub fn sleep(&self, due: Option<Instant>) -> bool {
        let gathered = Instant::now() + GATHER;
        let mut signal = self.signal.lock();
        while !signal.urgent && !signal.stop {
            let now = Instant::now();
            if due.is_some_and(|due| due <= now) || (signal.work && is_over(gathered, now)) {
                break;
            }
            let until = match signal.work {
                true => Some(due.map_or(gathered, |due| due.min(gathered))),
                false => due,
            };
            signal.idle = !signal.work;
            match until {
                Some(until) => drop(self.news.wait_until(&mut signal, until)),
                None => self.news.wait(&mut signal),
            }
            signal.idle = false;
        }
        (signal.work, signal.urgent) = (false, false);
        signal.stop
    }
}

/// Whether the moment is over. A model of threads has no clock: there, every moment is.
fn is_over(end: Instant, now: Instant) -> bool {
    cfg!(all(test, feature = "loom")) || end <= now
}
