//! What slows down those who guess passwords.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use super::address::network;

/// Failures for one name from one address before there is a wait.
const FREE: u32 = 5;
/// As [`FREE`], for all names from one address: each guess costs us a hash.
const FREE_OF_ADDRESS: u32 = 50;
/// The longest wait.
const LONGEST: Duration = Duration::from_secs(60);
/// After this without a failure, those before are forgotten.
const FORGET: Duration = Duration::from_secs(600);
/// How many are remembered.
const MOST: usize = 2000;

/// Counts failures, and the tries whose end is not known yet: whoever tries many at a time
/// has no more of them than one after the other.
#[derive(Default, Debug)]
pub struct Throttle(HashMap<Key, Failures>);

/// Whether one more password may be looked at.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Turn {
    /// It may, and is counted until [`Throttle::failed`] or [`Throttle::succeeded`].
    Now,
    /// Others are being looked at, and what comes of them is waited for.
    Busy,
    /// Not before this time has passed.
    Wait(Duration),
}

/// An address, and a name or none for all names.
type Key = (IpAddr, Option<Box<str>>);

#[derive(Clone, Copy, Debug)]
struct Failures {
    count: u32,
    last: Instant,
    /// Tries whose end is not known yet.
    trying: u32,
}

impl Failures {
    fn none(now: Instant) -> Self {
        Failures {
            count: 0,
            last: now,
            trying: 0,
        }
    }

    fn turn(self, free: u32, now: Instant) -> Turn {
        let until = self.last + self.wait(free);
        match until.checked_duration_since(now) {
            Some(left) if !left.is_zero() => Turn::Wait(left),
            // As if all of them had failed.
            _ if self.trying > 0 && self.count.saturating_add(self.trying) >= free => Turn::Busy,
            _ => Turn::Now,
        }
    }

    fn wait(self, free: u32) -> Duration {
        let Some(over) = self.count.checked_sub(free) else {
            return Duration::ZERO;
        };
        // 1 s, 2 s, 4 s ...
        Duration::from_secs(1 << over.min(10)).min(LONGEST)
    }
}

/// Somebody's own network: who has one address of IPv6 has very many.
fn of(remote: IpAddr) -> IpAddr {
    match remote {
        IpAddr::V4(_) => remote,
        IpAddr::V6(_) => network(remote, 64),
    }
}

fn keys(remote: IpAddr, name: &str) -> [(Key, u32); 2] {
    // Names that nobody has are of any length.
    let name: String = name.chars().take(64).collect();
    let name = name.to_ascii_lowercase().into_boxed_str();
    [
        ((of(remote), Some(name)), FREE),
        ((of(remote), None), FREE_OF_ADDRESS),
    ]
}

impl Throttle {
    /// Begins a try, where it may be one.
    pub fn begin(&mut self, remote: IpAddr, name: &str, now: Instant) -> Turn {
        let turn = self.turn(remote, name, now);
        if turn == Turn::Now {
            for (key, _) in keys(remote, name) {
                self.entry(key, now).trying += 1;
            }
        }
        turn
    }

    fn turn(&self, remote: IpAddr, name: &str, now: Instant) -> Turn {
        let turns = keys(remote, name).into_iter().filter_map(|(key, free)| {
            let failures = self.0.get(&key)?;
            Some(failures.turn(free, now))
        });
        turns.max().unwrap_or(Turn::Now)
    }

    /// A try was a failure.
    pub fn failed(&mut self, remote: IpAddr, name: &str, now: Instant) {
        for (key, _) in keys(remote, name) {
            let failures = self.entry(key, now);
            if now.saturating_duration_since(failures.last) > FORGET {
                failures.count = 0;
            }
            *failures = Failures {
                count: failures.count.saturating_add(1),
                last: now,
                trying: failures.trying.saturating_sub(1),
            };
        }
    }

    /// A try was none of those that count, and the failures for the name are forgotten:
    /// the right password came.
    pub fn succeeded(&mut self, remote: IpAddr, name: &str) {
        for (key, _) in keys(remote, name) {
            let of_name = key.1.is_some();
            let Entry::Occupied(mut found) = self.0.entry(key) else {
                continue;
            };
            let failures = found.get_mut();
            failures.trying = failures.trying.saturating_sub(1);
            if of_name {
                failures.count = 0;
            }
            if failures.count == 0 && failures.trying == 0 {
                found.remove();
            }
        }
    }

    fn entry(&mut self, key: Key, now: Instant) -> &mut Failures {
        if self.0.len() >= MOST && !self.0.contains_key(&key) {
            self.make_room(now);
        }
        self.0.entry(key).or_insert(Failures::none(now))
    }

    /// Forgets what is long ago, or else half of all: the older one. Tries that go on stay.
    fn make_room(&mut self, now: Instant) {
        let fresh = |failures: &Failures| {
            failures.trying > 0 || now.saturating_duration_since(failures.last) <= FORGET
        };
        self.0.retain(|_, failures| fresh(failures));
        if self.0.len() >= MOST {
            let mut times: Vec<Instant> = self.0.values().map(|failures| failures.last).collect();
            times.sort_unstable();
            let middle = times[times.len() / 2];
            let mut keep = MOST / 2;
            self.0.retain(|_, failures| {
                let stays = failures.last >= middle && keep > 0;
                keep -= usize::from(stays);
                stays || failures.trying > 0
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    impl Throttle {
        fn wait(&self, remote: IpAddr, name: &str, now: Instant) -> Option<Duration> {
            match self.turn(remote, name, now) {
                Turn::Wait(wait) => Some(wait),
                _ => None,
            }
        }
    }

    fn at(seconds: u64) -> Instant {
        static BEGIN: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
        *BEGIN.get_or_init(Instant::now) + Duration::from_secs(seconds)
    }

    #[test]
    fn five_failures_are_free_and_then_the_wait_grows() {
        let mut throttle = Throttle::default();
        for _ in 0..4 {
            throttle.failed(HERE, "panel", at(0));
            assert_eq!(throttle.wait(HERE, "panel", at(0)), None);
        }
        let mut waits = Vec::new();
        for _ in 0..8 {
            throttle.failed(HERE, "Panel", at(0));
            waits.push(throttle.wait(HERE, "panel", at(0)).unwrap().as_secs());
        }
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60]);
        assert_eq!(throttle.wait(HERE, "panel", at(60)), None);
        assert_eq!(throttle.wait(HERE, "other", at(0)), None);
        let elsewhere = "10.0.0.1".parse().unwrap();
        assert_eq!(throttle.wait(elsewhere, "panel", at(0)), None);
    }

    #[test]
    fn the_right_password_and_time_make_it_good() {
        let mut throttle = Throttle::default();
        (0..6).for_each(|_| throttle.failed(HERE, "panel", at(0)));
        throttle.succeeded(HERE, "panel");
        assert_eq!(throttle.wait(HERE, "panel", at(0)), None);
        (0..6).for_each(|_| throttle.failed(HERE, "panel", at(0)));
        throttle.failed(HERE, "panel", at(2000));
        assert_eq!(throttle.wait(HERE, "panel", at(2000)), None);
    }

    #[test]
    fn many_names_from_one_address_are_slowed_down_too() {
        let mut throttle = Throttle::default();
        for name in 0..60 {
            throttle.failed(HERE, &name.to_string(), at(0));
        }
        assert!(throttle.wait(HERE, "new", at(0)).is_some());
        let net = |host: &str| format!("fd00::1:0:0:{host}").parse::<IpAddr>().unwrap();
        (0..6).for_each(|_| throttle.failed(net("1"), "panel", at(0)));
        assert!(throttle.wait(net("2"), "panel", at(0)).is_some());
    }

    #[test]
    fn tries_at_a_time_are_no_more_than_one_after_the_other() {
        let mut throttle = Throttle::default();
        let began = |throttle: &mut Throttle, now| {
            let turns = (0..100).map(|_| throttle.begin(HERE, "panel", now));
            turns.take_while(|turn| *turn == Turn::Now).count()
        };
        assert_eq!(began(&mut throttle, at(0)), 5);
        assert_eq!(throttle.begin(HERE, "Panel", at(0)), Turn::Busy);
        assert_eq!(throttle.begin(HERE, "other", at(0)), Turn::Now);
        (0..4).for_each(|_| throttle.failed(HERE, "panel", at(0)));
        assert_eq!(throttle.begin(HERE, "panel", at(0)), Turn::Busy);
        throttle.failed(HERE, "panel", at(0));
        let second = Duration::from_secs(1);
        assert_eq!(
            throttle.begin(HERE, "panel", at(0)),
            Turn::Wait(second),
            "the failures count"
        );
        // After the wait there is one, not as many as come.
        assert_eq!(began(&mut throttle, at(1)), 1);
        throttle.succeeded(HERE, "panel");
        assert_eq!(began(&mut throttle, at(1)), 5);
    }

    #[test]
    fn a_success_is_taken_back_and_leaves_nothing() {
        let mut throttle = Throttle::default();
        for _ in 0..100 {
            assert_eq!(throttle.begin(HERE, "panel", at(0)), Turn::Now);
            throttle.succeeded(HERE, "panel");
        }
        assert!(throttle.0.is_empty());
        // What others of the address have failed at stays, and its time too.
        for name in 0..50 {
            throttle.failed(HERE, &name.to_string(), at(0));
        }
        assert_eq!(throttle.begin(HERE, "panel", at(1)), Turn::Now);
        throttle.succeeded(HERE, "panel");
        assert_eq!(throttle.begin(HERE, "panel", at(1)), Turn::Now);
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut throttle = Throttle::default();
        for host in 0..20_000_u32 {
            let remote = std::net::Ipv4Addr::from_bits(host).into();
            throttle.failed(remote, "panel", at(0));
            assert!(throttle.0.len() <= MOST + 1);
        }
    }
}
