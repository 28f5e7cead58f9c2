//! How many passwords are looked at at a time: hashes take memory and a processor each.

use std::collections::{BTreeMap, HashSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::throttle::network_of;
use crate::runtime::sync::{Condvar, Mutex};

/// Passwords looked at at a time. A hash of the kind `$y$` takes about 16 MB.
const MOST: usize = 3;

/// How long a crowded network pauses after a failure: it keeps no processor busy.
const PAUSE: Duration = Duration::from_millis(25);

/// Turns to look at a password, in the order in which they were asked for. A network with
/// many failures, a crowded one, has one of them at a time, so that it leaves the others to
/// everybody else.
#[derive(Default)]
pub struct Looks {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default, Debug)]
struct State {
    next: u64,
    /// By their order; with the network where it is a crowded one.
    waiting: BTreeMap<u64, Option<IpAddr>>,
    running: usize,
    /// The crowded networks that have their turn.
    crowded: HashSet<IpAddr>,
}

impl State {
    fn may_begin(&self, network: Option<IpAddr>) -> bool {
        network.is_none_or(|network| !self.crowded.contains(&network))
    }

    /// Whether it is that one's turn: the first one that may begin.
    fn is_next(&self, ticket: u64) -> bool {
        let mut waiting = self.waiting.iter();
        let first = waiting.find(|(_, network)| self.may_begin(**network));
        self.running < MOST && first.is_some_and(|(first, _)| *first == ticket)
    }
}

/// A password is being looked at until this is dropped.
#[must_use = "dropping it ends the turn"]
pub struct Look {
    of: Arc<Looks>,
    network: Option<IpAddr>,
    /// The password was wrong.
    pub failed: bool,
}

impl Looks {
    /// Waits for a turn; `crowded` is the address where its network is a crowded one. `None`
    /// when it does not come before the deadline.
    pub fn begin(self: &Arc<Self>, crowded: Option<IpAddr>, deadline: Instant) -> Option<Look> {
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
        // The one after it may begin too.
        self.changed.notify_all();
        Some(Look {
            of: self.clone(),
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
    fn there_are_so_many_at_a_time_and_no_more() {
        let looks = Arc::new(Looks::default());
        let taken: Vec<_> = (0..MOST).map(|_| looks.begin(None, in_time())).collect();
        assert!(taken.iter().all(Option::is_some));
        assert!(looks.begin(None, soon()).is_none());
        drop(taken);
        assert!(looks.begin(None, soon()).is_some());
        assert!(looks.state.lock().waiting.is_empty());
    }

    #[test]
    fn a_crowded_network_leaves_turns_to_others() {
        let looks = Arc::new(Looks::default());
        let crowded: IpAddr = "fd00::1".parse().unwrap();
        let same: IpAddr = "fd00::2".parse().unwrap();
        let look = looks.begin(Some(crowded), in_time());
        assert!(look.is_some() && looks.begin(Some(same), soon()).is_none());
        std::thread::scope(|scope| {
            let later = scope.spawn(|| looks.begin(Some(same), in_time()));
            while looks.state.lock().waiting.is_empty() {
                std::thread::yield_now();
            }
            // It waits before them, and is passed by.
            let others: Vec<_> = (1..MOST).map(|_| looks.begin(None, in_time())).collect();
            assert!(others.iter().all(Option::is_some));
            drop(look);
            assert!(later.join().unwrap().is_some());
        });
    }

    #[test]
    fn a_crowded_network_pauses_after_a_failure() {
        let looks = Arc::new(Looks::default());
        let crowded: IpAddr = "10.0.0.1".parse().unwrap();
        let begin = Instant::now();
        let mut look = looks.begin(Some(crowded), in_time()).unwrap();
        look.failed = true;
        std::thread::scope(|scope| {
            scope.spawn(|| drop(look));
            assert!(looks.begin(Some(crowded), in_time()).is_some());
        });
        assert!(begin.elapsed() >= PAUSE);
    }

    #[test]
    fn many_who_ask_all_have_their_turn() {
        let looks = Arc::new(Looks::default());
        let (now, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for _ in 0..40 {
                scope.spawn(|| {
                    let look = looks.begin(None, in_time());
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
