//! Places for readers of the feed, of which there are few: each is a thread and a connection.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;

/// Who has how many places.
#[derive(Default, Debug)]
pub struct Places(Mutex<Option<Taken>>);

/// Both sums are all that are taken.
#[derive(Default, Debug)]
struct Taken {
    accounts: HashMap<Arc<str>, u32>,
    callers: HashMap<Arc<str>, u32>,
}

/// How many places there may be, 0 for none.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Limits {
    /// For everyone together.
    pub all: u32,
    /// For one account.
    pub account: u32,
    /// For one caller.
    pub caller: u32,
}

/// Why there is no place.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Full {
    /// All are taken.
    All,
    /// The account has its share.
    Account,
    /// The caller has its share.
    Caller,
}

/// One reader's place; dropping it gives it back.
#[derive(Debug)]
#[must_use = "dropping it gives it back"]
pub struct Place {
    of: &'static Places,
    account: Arc<str>,
    caller: Arc<str>,
}

impl Places {
    /// None is taken.
    pub const fn new() -> Self {
        Places(Mutex::new(None))
    }

    /// Takes a place for that caller in that account: one that takes all it gets leaves some
    /// to the others.
    ///
    /// # Errors
    /// Says what is full.
    pub fn take(
        &'static self,
        account: &str,
        caller: &Arc<str>,
        limits: Limits,
    ) -> Result<Place, Full> {
        let mut taken = self.0.lock();
        let taken = taken.get_or_insert_default();
        let has = |own: Option<&u32>, most| own.is_some_and(|own| *own >= most);
        if taken.accounts.values().sum::<u32>() >= limits.all {
            return Err(Full::All);
        }
        if limits.caller == 0 || has(taken.callers.get(caller), limits.caller) {
            return Err(Full::Caller);
        }
        if has(taken.accounts.get(account), limits.account) {
            return Err(Full::Account);
        }
        let account: Arc<str> = account.into();
        *taken.accounts.entry(account.clone()).or_default() += 1;
        *taken.callers.entry(caller.clone()).or_default() += 1;
        Ok(Place {
            of: self,
            account,
            caller: caller.clone(),
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.of.0.lock();
        let taken = taken.get_or_insert_default();
        give_back(&mut taken.accounts, &self.account);
        give_back(&mut taken.callers, &self.caller);
    }
}

fn give_back(taken: &mut HashMap<Arc<str>, u32>, name: &str) {
    if let Some(own) = taken.get_mut(name) {
        *own -= 1;
        if *own == 0 {
            taken.remove(name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As many places as there are for one account, whose share is half, and one caller.
    fn all_of(
        places: &'static Places,
        account: &str,
        caller: &str,
        most: u32,
    ) -> (Vec<Place>, Full) {
        let limits = Limits {
            all: most,
            account: most.div_ceil(2),
            caller: 20,
        };
        let mut taken = Vec::new();
        loop {
            match places.take(account, &caller.into(), limits) {
                Ok(place) => taken.push(place),
                Err(full) => return (taken, full),
            }
        }
    }

    #[test]
    fn one_account_has_its_share_and_leaves_the_rest_to_others() {
        static PLACES: Places = Places::new();
        let (first, full) = all_of(&PLACES, "first", "a", 5);
        assert_eq!((first.len(), full), (3, Full::Account));
        let (second, full) = all_of(&PLACES, "second", "b", 5);
        assert_eq!((second.len(), full), (2, Full::All));
        drop(first);
        assert_eq!(all_of(&PLACES, "third", "c", 5).0.len(), 3);
        drop(second);
        let empty = PLACES.0.lock();
        let empty = empty.as_ref().unwrap();
        assert!(empty.accounts.is_empty() && empty.callers.is_empty());
    }

    #[test]
    fn one_caller_has_its_share_and_leaves_the_rest_to_others() {
        static PLACES: Places = Places::new();
        let (first, full) = all_of(&PLACES, "office", "panel", 100);
        assert_eq!((first.len(), full), (20, Full::Caller));
        // In another account it is the same caller.
        assert_eq!(all_of(&PLACES, "other", "panel", 100).0.len(), 0);
        let (second, full) = all_of(&PLACES, "office", "boss", 100);
        assert_eq!((second.len(), full), (20, Full::Caller));
        drop(first);
        assert_eq!(all_of(&PLACES, "office", "panel", 100).0.len(), 20);
    }

    #[test]
    fn without_places_there_is_none() {
        static PLACES: Places = Places::new();
        assert_eq!(all_of(&PLACES, "first", "a", 1).0.len(), 1);
        assert_eq!(all_of(&PLACES, "first", "a", 0).0.len(), 0);
        let none = Limits {
            caller: 0,
            ..Limits {
                all: 9,
                account: 9,
                caller: 9,
            }
        };
        assert_eq!(
            PLACES.take("first", &"a".into(), none).unwrap_err(),
            Full::Caller
        );
    }

    #[test]
    fn many_at_a_time_get_no_more_than_there_are() {
        static PLACES: Places = Places::new();
        let got = std::thread::scope(|scope| {
            let take = |caller: usize| {
                let caller = caller.to_string();
                all_of(&PLACES, &caller, &caller, 20).0
            };
            let takers: Vec<_> = (0..8)
                .map(|caller| scope.spawn(move || take(caller)))
                .collect();
            let places = takers.into_iter().map(|taker| taker.join().unwrap());
            places.collect::<Vec<_>>()
        });
        assert_eq!(got.iter().map(Vec::len).sum::<usize>(), 20);
    }
}
