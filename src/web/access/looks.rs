//! How many passwords are looked at at a time: hashes take memory and a processor each.

use std::collections::{BTreeMap, HashSet};
use std::net::IpAddr;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use super::throttle::network_of;

/// Passwords looked at at a time. A hash of the kind `$y$` takes about 16 MB.
const MOST: usize = 3;

/// How long a crowded network pauses after a failure: it keeps no processor busy.
const PAUSE: Duration = Duration::from_millis(25);

/// Turns to look at a password, in the order in which they were asked for. A network with
/// many failures, a crowded one, has one of them at a time, so that it leaves the others to
/// everybody else.
#[derive(Debug)]
pub struct Looks {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    next: u64,
    /// By their order; with the network where it is a crowded one.
    waiting: BTreeMap<u64, Option<IpAddr>>,
    running: usize,
    /// The crowded networks that have their turn.
    crowded: Option<HashSet<IpAddr>>,
}

impl State {
    fn may_begin(&self, network: Option<IpAddr>) -> bool {
        let crowded = self.crowded.as_ref();
        network.is_none_or(|network| !crowded.is_some_and(|those| those.contains(&network)))
    }

    /// Whether it is that one's turn: the first one that may begin.
    fn is_next(&self, ticket: u64) -> bool {
        let mut waiting = self.waiting.iter();
        let first = waiting.find(|(_, network)| self.may_begin(**network));
        self.running < MOST && first.is_some_and(|(first, _)| *first == ticket)
    }
}

/// A password is being looked at until this is dropped.
#[derive(Debug)]
#[must_use = "dropping it ends the turn"]
pub struct Look {
    of: &'static Looks,
    network: Option<IpAddr>,
    /// The password was wrong.
    pub failed: bool,
}

impl Default for Looks {
    fn default() -> Self {
        Looks::new()
    }
}

impl Looks {
    /// None is looked at.
    pub const fn new() -> Self {
        Looks {
            state: Mutex::new(State {
                next: 0,
                waiting: BTreeMap::new(),
                running: 0,
                crowded: None,
            }),
            changed: Condvar::new(),
        }
    }

    /// Waits for a turn; `crowded` is the address where its network is a crowded one. `None`
    /// when it does not come before the deadline.
    pub fn begin(&'static self, crowded: Option<IpAddr>, deadline: Instant) -> Option<Look> {
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
            state.crowded.get_or_insert_default().insert(network);
        }
        // The one after it may begin too.
        self.changed.notify_all();
        Some(Look {
            of: self,
            network,
            failed: false,
        })
    }
}

impl Drop for Look {
    fn drop(&mut self) {
        self.of.state.lock().running -= 1;
        self.of.changed.notify_all();
        if let Some(network) = self.network {
            if self.failed {
                std::thread::sleep(PAUSE);
            }
            let mut state = self.of.state.lock();
            state.crowded.get_or_insert_default().remove(&network);
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
    fn there_are_so_many_at_a_time_and_no_more() {
        static LOOKS: Looks = Looks::new();
        let taken: Vec<_> = (0..MOST).map(|_| LOOKS.begin(None, in_time())).collect();
        assert!(taken.iter().all(Option::is_some));
        assert!(LOOKS.begin(None, soon()).is_none());
        drop(taken);
        assert!(LOOKS.begin(None, soon()).is_some());
        assert!(LOOKS.state.lock().waiting.is_empty());
    }

    #[test]
    fn a_crowded_network_leaves_turns_to_others() {
        static LOOKS: Looks = Looks::new();
        let crowded: IpAddr = "fd00::1".parse().unwrap();
        let same: IpAddr = "fd00::2".parse().unwrap();
        let look = LOOKS.begin(Some(crowded), in_time());
        assert!(look.is_some() && LOOKS.begin(Some(same), soon()).is_none());
        std::thread::scope(|scope| {
            let later = scope.spawn(|| LOOKS.begin(Some(same), in_time()));
            while LOOKS.state.lock().waiting.is_empty() {
                std::thread::yield_now();
            }
            // It waits before them, and is passed by.
            let others: Vec<_> = (1..MOST).map(|_| LOOKS.begin(None, in_time())).collect();
            assert!(others.iter().all(Option::is_some));
            drop(look);
            assert!(later.join().unwrap().is_some());
        });
    }

    #[test]
    fn a_crowded_network_pauses_after_a_failure() {
        static LOOKS: Looks = Looks::new();
        let crowded: IpAddr = "10.0.0.1".parse().unwrap();
        let begin = Instant::now();
        let mut look = LOOKS.begin(Some(crowded), in_time()).unwrap();
        look.failed = true;
        std::thread::scope(|scope| {
            scope.spawn(|| drop(look));
            assert!(LOOKS.begin(Some(crowded), in_time()).is_some());
        });
        assert!(begin.elapsed() >= PAUSE);
    }

    #[test]
    fn many_who_ask_all_have_their_turn() {
        static LOOKS: Looks = Looks::new();
        let (now, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for _ in 0..40 {
                scope.spawn(|| {
                    let look = LOOKS.begin(None, in_time());
                    most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    std::thread::sleep(Duration::from_millis(1));
                    now.fetch_sub(1, Ordering::SeqCst);
                    assert!(look.is_some());
                });
            }
        });
        assert!((1..=MOST).contains(&most.into_inner()));
    }
}
