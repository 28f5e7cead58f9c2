//! Limits how many passwords are checked at the same time: each hash takes memory and a
//! processor.

use std::collections::{BTreeMap, HashSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::throttle::network_of;
use crate::runtime::sync::{Condvar, Mutex};

/// The number of passwords checked at the same time. A hash of the kind `$y$` takes about
/// 16 MB.
const MOST: usize = 3;

/// How long a crowded network pauses after a failure, so that it does not keep a processor
/// busy.
const PAUSE: Duration = Duration::from_millis(25);

/// Turns to check a password, in the order of the requests. A crowded network, one with many
/// failures, has one turn at a time and leaves the others to other networks.
#[derive(Default)]
pub struct PasswordChecks {
    state: Mutex<CheckQueue>,
    changed: Condvar,
}

#[derive(Default, Debug)]
struct CheckQueue {
    next: u64,
    /// By ticket; with the network if it is crowded.
    waiting: BTreeMap<u64, Option<IpAddr>>,
    running: usize,
    /// The crowded networks that are having a turn.
    crowded: HashSet<IpAddr>,
}

impl CheckQueue {
    fn may_begin(&self, network: Option<IpAddr>) -> bool {
        network.is_none_or(|network| !self.crowded.contains(&network))
    }

    /// Whether this ticket is the first one that may begin.
    fn is_next(&self, ticket: u64) -> bool {
        let mut waiting = self.waiting.iter();
        let first = waiting.find(|(_, network)| self.may_begin(**network));
        self.running < MOST && first.is_some_and(|(first, _)| *first == ticket)
    }
}

/// A turn to check one password, which ends when this is dropped.
#[must_use = "dropping it ends the turn"]
pub struct PasswordCheck {
    of: Arc<PasswordChecks>,
    network: Option<IpAddr>,
    /// The password was wrong.
    pub failed: bool,
}

impl PasswordChecks {
    /// Waits for a turn; `crowded` is the address if its network is crowded. `None` if the
    /// deadline passes first.
    pub fn begin(
        self: &Arc<Self>,
        crowded: Option<IpAddr>,
        deadline: Instant,
    ) -> Option<PasswordCheck> {
        let network = crowded.map(network_of);
        let mut state = self.state.lock();
        let ticket = state.next;
        state.next += 1;
        state.waiting.insert(ticket, network);
        while !state.is_next(ticket) {
            if self.changed.wait_until(&mut state, deadline).timed_out() && !state.is_next(ticket) {
                state.waiting.remove(&ticket);
                return None;
            }
        }
        state.waiting.remove(&ticket);
        state.running += 1;
        if let Some(network) = network {
            state.crowded.insert(network);
        }
        // The next ticket may begin too.
        self.changed.notify_all();
        Some(PasswordCheck {
            of: self.clone(),
            network,
            failed: false,
        })
    }
}

impl Drop for PasswordCheck {
    fn drop(&mut self) {
        self.of.state.lock().running -= 1;
        self.of.changed.notify_all();
        if let Some(network) = self.network {
            if self.failed {
                std::thread::sleep(PAUSE);
            }
            let mut state = self.of.state.lock();
            state.crowded.remove(&network);
            self.of.changed.notify_all();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    fn soon() -> Instant {
        Instant::now() + Duration::from_millis(20)
    }

    fn in_time() -> Instant {
        Instant::now() + Duration::from_secs(60)
    }

    #[test]
    fn the_number_of_turns_is_limited() {
        let checks = Arc::new(PasswordChecks::default());
        let taken: Vec<_> = (0..MOST).map(|_| checks.begin(None, in_time())).collect();
        assert!(taken.iter().all(Option::is_some));
        assert!(checks.begin(None, soon()).is_none());
        drop(taken);
        assert!(checks.begin(None, soon()).is_some());
        assert!(checks.state.lock().waiting.is_empty());
    }

    #[test]
    fn a_crowded_network_leaves_turns_to_others() {
        let checks = Arc::new(PasswordChecks::default());
        let crowded: IpAddr = "fd00::1".parse().unwrap();
        let same: IpAddr = "fd00::2".parse().unwrap();
        let check = checks.begin(Some(crowded), in_time());
        assert!(check.is_some() && checks.begin(Some(same), soon()).is_none());
        std::thread::scope(|scope| {
            let later = scope.spawn(|| checks.begin(Some(same), in_time()));
            while checks.state.lock().waiting.is_empty() {
                std::thread::yield_now();
            }
            // The crowded network was first in the queue, and the others pass it.
            let others: Vec<_> = (1..MOST).map(|_| checks.begin(None, in_time())).collect();
            assert!(others.iter().all(Option::is_some));
            drop(check);
            assert!(later.join().unwrap().is_some());
        });
    }

    #[test]
    fn a_crowded_network_pauses_after_a_failure() {
        let checks = Arc::new(PasswordChecks::default());
        let crowded: IpAddr = "10.0.0.1".parse().unwrap();
        let begin = Instant::now();
        let mut check = checks.begin(Some(crowded), in_time()).unwrap();
        check.failed = true;
        std::thread::scope(|scope| {
            scope.spawn(|| drop(check));
            assert!(checks.begin(Some(crowded), in_time()).is_some());
        });
        assert!(begin.elapsed() >= PAUSE);
    }

    #[test]
    fn every_request_gets_a_turn() {
        let checks = Arc::new(PasswordChecks::default());
        let (now, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for _ in 0..40 {
                scope.spawn(|| {
                    let check = checks.begin(None, in_time());
                    most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    std::thread::sleep(Duration::from_millis(1));
                    now.fetch_sub(1, Ordering::SeqCst);
                    assert!(check.is_some());
                });
            }
        });
        assert!((1..=MOST).contains(&most.into_inner()));
    }
}
