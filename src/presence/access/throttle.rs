//! What slows down those who guess passwords.

use std::collections::HashMap;
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

/// Counts failures.
#[derive(Default, Debug)]
pub struct Throttle(HashMap<Key, Failures>);

/// An address, and a name or none for all names.
type Key = (IpAddr, Option<Box<str>>);

#[derive(Clone, Copy, Debug)]
struct Failures {
    count: u32,
    last: Instant,
}

impl Failures {
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
    /// How long to wait before the next try.
    pub fn wait(&self, remote: IpAddr, name: &str, now: Instant) -> Option<Duration> {
        let waits = keys(remote, name).into_iter().filter_map(|(key, free)| {
            let failures = self.0.get(&key)?;
            let until = failures.last + failures.wait(free);
            until
                .checked_duration_since(now)
                .filter(|left| !left.is_zero())
        });
        waits.max()
    }

    /// Notes a failure.
    pub fn failed(&mut self, remote: IpAddr, name: &str, now: Instant) {
        for (key, _) in keys(remote, name) {
            if self.0.len() >= MOST && !self.0.contains_key(&key) {
                self.make_room(now);
            }
            let failures = self.0.entry(key).or_insert(Failures {
                count: 0,
                last: now,
            });
            if now.saturating_duration_since(failures.last) > FORGET {
                failures.count = 0;
            }
            *failures = Failures {
                count: failures.count.saturating_add(1),
                last: now,
            };
        }
    }

    /// Forgets the failures for a name, because the right password came.
    pub fn succeeded(&mut self, remote: IpAddr, name: &str) {
        let [(key, _), _] = keys(remote, name);
        self.0.remove(&key);
    }

    /// Forgets what is long ago, or else half of all: the older one.
    fn make_room(&mut self, now: Instant) {
        let fresh = |failures: &Failures| now.saturating_duration_since(failures.last) <= FORGET;
        self.0.retain(|_, failures| fresh(failures));
        if self.0.len() >= MOST {
            let mut times: Vec<Instant> = self.0.values().map(|failures| failures.last).collect();
            times.sort_unstable();
            let middle = times[times.len() / 2];
            let mut keep = MOST / 2;
            self.0.retain(|_, failures| {
                let stays = failures.last >= middle && keep > 0;
                keep -= usize::from(stays);
                stays
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

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
    fn what_is_remembered_is_bounded() {
        let mut throttle = Throttle::default();
        for host in 0..20_000_u32 {
            let remote = std::net::Ipv4Addr::from_bits(host).into();
            throttle.failed(remote, "panel", at(0));
            assert!(throttle.0.len() <= MOST + 1);
        }
    }
}
