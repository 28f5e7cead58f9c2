//! Slows down attempts to guess passwords.
//!
//! Failures are counted for each name at an address, and for the address as a whole. A name
//! waits because of its own failures only; once it has failed, it also waits because of the
//! failures of its address. So made-up names slow down each other and lock out no other name,
//! which matters where a whole office shares one address.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use presence::model::mask::network;

/// Failures of one name at one address before there is a wait.
const FREE: u32 = 5;
/// As [`FREE`], for all names at one address: each guess costs this host one hash.
const FREE_OF_ADDRESS: u32 = 50;
/// The longest wait.
const LONGEST: Duration = Duration::from_secs(60);
/// Without a failure for this long, earlier failures are forgotten.
const FORGET: Duration = Duration::from_secs(600);
/// The number of names and addresses that are remembered.
const MOST: usize = 2000;

/// Counts failures, and attempts whose result is not known yet: attempts at the same time
/// are limited like attempts one after the other.
#[derive(Default, Debug)]
pub struct Throttle(HashMap<FailureKey, Failures>);

/// Whether one more password may be checked.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Admission {
    /// It may. The attempt counts until [`Throttle::failed`], [`Throttle::succeeded`] or
    /// [`Throttle::withdrawn`].
    Now,
    /// Other attempts are being checked, and this one has to wait for their results.
    Busy,
    /// Not until this time has passed.
    Wait(Duration),
}

/// The credential of an attempt.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Means<'a> {
    /// A name and a password. There may be any number of names that do not exist.
    Password {
        /// The name, as given.
        name: &'a str,
        /// Whether the name exists.
        known: bool,
    },
    /// The cookie of a session of another interface, which contains no name.
    Cookie,
}

/// What failures are counted for, at one address.
#[derive(Clone, PartialEq, Eq, Debug, Hash)]
enum FailureScope {
    Address,
    Name(Box<str>),
    Cookie,
}

type FailureKey = (IpAddr, FailureScope);

#[derive(Clone, Copy, Debug)]
struct Failures {
    count: u32,
    last: Instant,
    /// Attempts whose result is not known yet.
    trying: u32,
    /// Whether the name does not exist.
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

    fn turn(self, free: u32, now: Instant) -> Admission {
        let until = self.last + self.wait(free);
        match until.checked_duration_since(now) {
            Some(left) if !left.is_zero() => Admission::Wait(left),
            // As if all these attempts had failed.
            _ if self.trying > 0 && self.count.saturating_add(self.trying) >= free => {
                Admission::Busy
            }
            _ => Admission::Now,
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

/// The network that counts as one address: a host with IPv6 has a whole /64.
pub(super) fn network_of(remote: IpAddr) -> IpAddr {
    match remote {
        IpAddr::V4(_) => remote,
        IpAddr::V6(_) => network(remote, 64),
    }
}

impl Means<'_> {
    fn of(self) -> FailureScope {
        match self {
            Means::Password { name, .. } => {
                // Names that do not exist may have any length.
                let name: String = name.chars().take(64).collect();
                FailureScope::Name(name.to_ascii_lowercase().into_boxed_str())
            }
            Means::Cookie => FailureScope::Cookie,
        }
    }

    fn is_made_up(self) -> bool {
        matches!(self, Means::Password { known: false, .. })
    }
}

impl Throttle {
    /// Begins an attempt, if it is allowed.
    pub fn begin(&mut self, remote: IpAddr, means: Means<'_>, now: Instant) -> Admission {
        let turn = self.turn(remote, means, now);
        if turn == Admission::Now {
            self.own(remote, means, now).trying += 1;
            self.address(remote, now).trying += 1;
        }
        turn
    }

    fn turn(&self, remote: IpAddr, means: Means<'_>, now: Instant) -> Admission {
        let find = |of| self.0.get(&(network_of(remote), of)).copied();
        let own = find(means.of()).unwrap_or(Failures::none(now, false));
        let turn = own.turn(FREE, now);
        let address = find(FailureScope::Address)
            .map_or(Admission::Now, |all| all.turn(FREE_OF_ADDRESS, now));
        match address {
            Admission::Now => turn,
            // Failures of other names are no reason to refuse this one, but it is limited to
            // one attempt at a time.
            _ if means != Means::Cookie && !own.has_failed(now) => match own.trying {
                0 => turn,
                _ => turn.max(Admission::Busy),
            },
            address => address.max(turn),
        }
    }

    /// Whether so many attempts from this address failed that the whole address is slowed
    /// down.
    pub fn is_crowded(&self, remote: IpAddr, now: Instant) -> bool {
        let all = self.0.get(&(network_of(remote), FailureScope::Address));
        all.is_some_and(|all| all.count >= FREE_OF_ADDRESS && all.has_failed(now))
    }

    /// The attempt failed.
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

    /// The attempt succeeded: it does not count, and the failures of this name are reset.
    pub fn succeeded(&mut self, remote: IpAddr, means: Means<'_>) {
        self.end(remote, means.of(), true);
        self.end(remote, FailureScope::Address, false);
    }

    /// The attempt counts neither as a failure nor as a success.
    pub fn withdrawn(&mut self, remote: IpAddr, means: Means<'_>) {
        self.end(remote, means.of(), false);
        self.end(remote, FailureScope::Address, false);
    }

    fn end(&mut self, remote: IpAddr, of: FailureScope, forget: bool) {
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
        self.entry((network_of(remote), FailureScope::Address), false, now)
    }

    fn entry(&mut self, key: FailureKey, made_up: bool, now: Instant) -> &mut Failures {
        if self.0.len() >= MOST && !self.0.contains_key(&key) {
            self.make_room(now);
        }
        let none = Failures::none(now, made_up);
        self.0.entry(key).or_insert(none)
    }

    /// Forgets old failures. If that is not enough, forgets the older half: of made-up names
    /// only, as long as there are many of them, so that they do not push out the failures of
    /// real names. Attempts that are being checked stay.
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
mod tests;
