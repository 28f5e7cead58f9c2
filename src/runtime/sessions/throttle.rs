//! What slows down those who guess passwords.
//!
//! Failures are counted for each name from an address, and for the address as a whole. A name
//! waits for its own failures alone until it has failed; only then it waits for those of its
//! address too. So many made-up names slow down each other and lock out nobody else, which
//! matters where a whole office comes from one address.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use presence::model::mask::network;

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

/// What a try is made with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Means<'a> {
    /// A name and its password. Of names that nobody has there may be any number.
    Password {
        /// The name, as it was given.
        name: &'a str,
        /// Whether somebody has it.
        known: bool,
    },
    /// The cookie of a session of another interface, which bears no name.
    Cookie,
}

/// What failures are counted for, besides the address.
#[derive(Clone, PartialEq, Eq, Debug, Hash)]
enum Of {
    Address,
    Name(Box<str>),
    Cookie,
}

type Key = (IpAddr, Of);

#[derive(Clone, Copy, Debug)]
struct Failures {
    count: u32,
    last: Instant,
    /// Tries whose end is not known yet.
    trying: u32,
    /// Whether it is for a name that nobody has.
    made_up: bool,
}

impl Failures {
    fn none(now: Instant, made_up: bool) -> Self {
        Failures {
            count: 0,
            last: now,
            trying: 0,
            made_up,
        }
    }

    fn has_failed(self, now: Instant) -> bool {
        self.count > 0 && now.saturating_duration_since(self.last) <= FORGET
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
pub(super) fn network_of(remote: IpAddr) -> IpAddr {
    match remote {
        IpAddr::V4(_) => remote,
        IpAddr::V6(_) => network(remote, 64),
    }
}

impl Means<'_> {
    fn of(self) -> Of {
        match self {
            Means::Password { name, .. } => {
                // Names that nobody has are of any length.
                let name: String = name.chars().take(64).collect();
                Of::Name(name.to_ascii_lowercase().into_boxed_str())
            }
            Means::Cookie => Of::Cookie,
        }
    }

    fn is_made_up(self) -> bool {
        matches!(self, Means::Password { known: false, .. })
    }
}

impl Throttle {
    /// Begins a try, where it may be one.
    pub fn begin(&mut self, remote: IpAddr, means: Means<'_>, now: Instant) -> Turn {
        let turn = self.turn(remote, means, now);
        if turn == Turn::Now {
            self.own(remote, means, now).trying += 1;
            self.address(remote, now).trying += 1;
        }
        turn
    }

    fn turn(&self, remote: IpAddr, means: Means<'_>, now: Instant) -> Turn {
        let find = |of| self.0.get(&(network_of(remote), of)).copied();
        let own = find(means.of()).unwrap_or(Failures::none(now, false));
        let turn = own.turn(FREE, now);
        let address = find(Of::Address).map_or(Turn::Now, |all| all.turn(FREE_OF_ADDRESS, now));
        match address {
            Turn::Now => turn,
            // Others have failed: that is no reason to refuse this one, but one after the other.
            _ if means != Means::Cookie && !own.has_failed(now) => match own.trying {
                0 => turn,
                _ => turn.max(Turn::Busy),
            },
            address => address.max(turn),
        }
    }

    /// Whether so many tries from there have failed that it is to be slowed down as a whole.
    pub fn is_crowded(&self, remote: IpAddr, now: Instant) -> bool {
        let all = self.0.get(&(network_of(remote), Of::Address));
        all.is_some_and(|all| all.count >= FREE_OF_ADDRESS && all.has_failed(now))
    }

    /// A try was a failure.
    pub fn failed(&mut self, remote: IpAddr, means: Means<'_>, now: Instant) {
        let count = |failures: &mut Failures| {
            if now.saturating_duration_since(failures.last) > FORGET {
                failures.count = 0;
            }
            failures.count = failures.count.saturating_add(1);
            failures.last = now;
            failures.trying = failures.trying.saturating_sub(1);
        };
        count(self.own(remote, means, now));
        count(self.address(remote, now));
    }

    /// The right password came: the try does not count, and the failures of its name are
    /// forgotten.
    pub fn succeeded(&mut self, remote: IpAddr, means: Means<'_>) {
        self.end(remote, means.of(), true);
        self.end(remote, Of::Address, false);
    }

    /// The try counts neither as a failure nor as a success.
    pub fn withdrawn(&mut self, remote: IpAddr, means: Means<'_>) {
        self.end(remote, means.of(), false);
        self.end(remote, Of::Address, false);
    }

    fn end(&mut self, remote: IpAddr, of: Of, forget: bool) {
        let Entry::Occupied(mut found) = self.0.entry((network_of(remote), of)) else {
            return;
        };
        let failures = found.get_mut();
        failures.trying = failures.trying.saturating_sub(1);
        if forget {
            failures.count = 0;
        }
        if failures.count == 0 && failures.trying == 0 {
            found.remove();
        }
    }

    fn own(&mut self, remote: IpAddr, means: Means<'_>, now: Instant) -> &mut Failures {
        let key = (network_of(remote), means.of());
        self.entry(key, means.is_made_up(), now)
    }

    fn address(&mut self, remote: IpAddr, now: Instant) -> &mut Failures {
        self.entry((network_of(remote), Of::Address), false, now)
    }

    fn entry(&mut self, key: Key, made_up: bool, now: Instant) -> &mut Failures {
        if self.0.len() >= MOST && !self.0.contains_key(&key) {
            self.make_room(now);
        }
        let none = Failures::none(now, made_up);
        self.0.entry(key).or_insert(none)
    }

    /// Forgets what is long ago, or else the older half: of the names that nobody has, as long
    /// as there are many of them, so that made-up names make nobody forget the failures of
    /// others. Tries that go on stay.
    fn make_room(&mut self, now: Instant) {
        let fresh = |failures: &Failures| {
            failures.trying > 0 || now.saturating_duration_since(failures.last) <= FORGET
        };
        self.0.retain(|_, failures| fresh(failures));
        if self.0.len() < MOST {
            return;
        }
        let made_up = self.0.values().filter(|failures| failures.made_up);
        let only_made_up = made_up.count() >= MOST / 4;
        let may_go = |failures: &Failures| failures.made_up || !only_made_up;
        let candidates = self.0.values().filter(|failures| may_go(failures));
        let mut times: Vec<Instant> = candidates.map(|failures| failures.last).collect();
        times.sort_unstable();
        let middle = times[times.len() / 2];
        let mut keep = times.len() / 2;
        self.0.retain(|_, failures| {
            if !may_go(failures) {
                return true;
            }
            let stays = failures.last >= middle && keep > 0;
            keep -= usize::from(stays);
            stays || failures.trying > 0
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    fn named(name: &str) -> Means<'_> {
        Means::Password { name, known: true }
    }

    fn made_up(name: &str) -> Means<'_> {
        Means::Password { name, known: false }
    }

    impl Throttle {
        fn wait(&self, remote: IpAddr, means: Means<'_>, now: Instant) -> Option<Duration> {
            match self.turn(remote, means, now) {
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
            throttle.failed(HERE, named("panel"), at(0));
            assert_eq!(throttle.wait(HERE, named("panel"), at(0)), None);
        }
        let mut waits = Vec::new();
        for _ in 0..8 {
            throttle.failed(HERE, named("Panel"), at(0));
            waits.push(
                throttle
                    .wait(HERE, named("panel"), at(0))
                    .unwrap()
                    .as_secs(),
            );
        }
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60]);
        assert_eq!(throttle.wait(HERE, named("panel"), at(60)), None);
        assert_eq!(throttle.wait(HERE, named("other"), at(0)), None);
        let elsewhere = "10.0.0.1".parse().unwrap();
        assert_eq!(throttle.wait(elsewhere, named("panel"), at(0)), None);
    }

    #[test]
    fn the_right_password_and_time_make_it_good() {
        let mut throttle = Throttle::default();
        (0..6).for_each(|_| throttle.failed(HERE, named("panel"), at(0)));
        throttle.succeeded(HERE, named("panel"));
        assert_eq!(throttle.wait(HERE, named("panel"), at(0)), None);
        (0..6).for_each(|_| throttle.failed(HERE, named("panel"), at(0)));
        throttle.failed(HERE, named("panel"), at(2000));
        assert_eq!(throttle.wait(HERE, named("panel"), at(2000)), None);
    }

    #[test]
    fn many_names_from_one_address_are_slowed_down_too() {
        let mut throttle = Throttle::default();
        for name in 0..60 {
            throttle.failed(HERE, made_up(&name.to_string()), at(0));
        }
        assert!(throttle.is_crowded(HERE, at(0)));
        // One that has failed itself waits with them, one that has not does not wait.
        assert!(throttle.wait(HERE, made_up("7"), at(0)).is_some());
        assert!(throttle.wait(HERE, Means::Cookie, at(0)).is_some());
        assert_eq!(throttle.wait(HERE, named("new"), at(0)), None);
        assert_eq!(throttle.begin(HERE, named("new"), at(0)), Turn::Now);
        assert_eq!(throttle.begin(HERE, named("new"), at(0)), Turn::Busy);
        throttle.failed(HERE, named("new"), at(0));
        assert!(throttle.wait(HERE, named("new"), at(0)).is_some());
        // After ten minutes all of it is forgotten.
        assert_eq!(throttle.wait(HERE, named("new"), at(601)), None);
        assert!(!throttle.is_crowded(HERE, at(601)));
        let net = |host: &str| format!("fd00::1:0:0:{host}").parse::<IpAddr>().unwrap();
        (0..6).for_each(|_| throttle.failed(net("1"), named("panel"), at(0)));
        assert!(throttle.wait(net("2"), named("panel"), at(0)).is_some());
    }

    #[test]
    fn tries_at_a_time_are_no_more_than_one_after_the_other() {
        let mut throttle = Throttle::default();
        let began = |throttle: &mut Throttle, now| {
            let turns = (0..100).map(|_| throttle.begin(HERE, named("panel"), now));
            turns.take_while(|turn| *turn == Turn::Now).count()
        };
        assert_eq!(began(&mut throttle, at(0)), 5);
        assert_eq!(throttle.begin(HERE, named("Panel"), at(0)), Turn::Busy);
        assert_eq!(throttle.begin(HERE, named("other"), at(0)), Turn::Now);
        (0..4).for_each(|_| throttle.failed(HERE, named("panel"), at(0)));
        assert_eq!(throttle.begin(HERE, named("panel"), at(0)), Turn::Busy);
        throttle.failed(HERE, named("panel"), at(0));
        let second = Duration::from_secs(1);
        assert_eq!(
            throttle.begin(HERE, named("panel"), at(0)),
            Turn::Wait(second),
            "the failures count"
        );
        // After the wait there is one, not as many as come.
        assert_eq!(began(&mut throttle, at(1)), 1);
        throttle.succeeded(HERE, named("panel"));
        assert_eq!(began(&mut throttle, at(1)), 5);
    }

    #[test]
    fn a_success_is_taken_back_and_leaves_nothing() {
        let mut throttle = Throttle::default();
        for _ in 0..100 {
            assert_eq!(throttle.begin(HERE, named("panel"), at(0)), Turn::Now);
            throttle.succeeded(HERE, named("panel"));
        }
        assert!(throttle.0.is_empty());
        // What others of the address have failed at stays, and its time too.
        for name in 0..50 {
            throttle.failed(HERE, made_up(&name.to_string()), at(0));
        }
        assert_eq!(throttle.begin(HERE, named("panel"), at(1)), Turn::Now);
        throttle.succeeded(HERE, named("panel"));
        assert_eq!(throttle.begin(HERE, named("panel"), at(1)), Turn::Now);
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut throttle = Throttle::default();
        for host in 0..20_000_u32 {
            let remote = std::net::Ipv4Addr::from_bits(host).into();
            throttle.failed(remote, named("panel"), at(0));
            assert!(throttle.0.len() <= MOST + 1);
        }
    }

    #[test]
    fn a_cookie_that_is_right_makes_no_wrong_one_good() {
        let mut throttle = Throttle::default();
        (0..5).for_each(|_| throttle.failed(HERE, Means::Cookie, at(0)));
        assert_eq!(throttle.begin(HERE, Means::Cookie, at(1)), Turn::Now);
        throttle.withdrawn(HERE, Means::Cookie);
        throttle.failed(HERE, Means::Cookie, at(1));
        let two = Duration::from_secs(2);
        assert_eq!(throttle.wait(HERE, Means::Cookie, at(1)), Some(two));
        assert_eq!(throttle.wait(HERE, named("cookie"), at(1)), None);
    }

    #[test]
    fn made_up_names_make_nobody_forget_the_failures_of_others() {
        let mut throttle = Throttle::default();
        (0..6).for_each(|_| throttle.failed(HERE, named("panel"), at(0)));
        for name in 0..20_000_u64 {
            throttle.failed(HERE, made_up(&name.to_string()), at(1 + name / 1000));
            assert!(throttle.0.len() <= MOST + 1);
        }
        assert!(throttle.wait(HERE, named("panel"), at(20)).is_some());
    }
}
