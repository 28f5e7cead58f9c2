//! Slots for readers of the feed, of which there are few: each is a thread and a connection.

use std::collections::HashMap;
use std::sync::Arc;

use crate::runtime::sync::Mutex;

/// How many slots each account and caller has taken.
#[derive(Default)]
pub struct ReaderSlots(Mutex<Taken>);

/// Both sums are all that are taken.
#[derive(Default, Debug)]
struct Taken {
    accounts: HashMap<Arc<str>, u32>,
    callers: HashMap<Arc<str>, u32>,
}

/// How many slots there may be, 0 for none.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Limits {
    /// For everyone together.
    pub all: u32,
    /// For one account.
    pub account: u32,
    /// For one caller.
    pub caller: u32,
}

/// Why there is no slot.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Full {
    /// All are taken.
    All,
    /// The account has its share.
    Account,
    /// The caller has its share.
    Caller,
}

/// One reader's slot; dropping it gives it back.
#[must_use = "dropping it gives it back"]
pub struct ReaderSlot {
    of: Arc<ReaderSlots>,
    account: Arc<str>,
    caller: Arc<str>,
}

impl ReaderSlots {
    /// Takes a slot for that caller in that account: one that takes all it gets leaves some
    /// to the others.
    ///
    /// # Errors
    /// Says what is full.
    pub fn take(
        self: &Arc<Self>,
        account: &str,
        caller: &Arc<str>,
        limits: Limits,
    ) -> Result<ReaderSlot, Full> {
        let mut taken = self.0.lock();
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
        Ok(ReaderSlot {
            of: self.clone(),
            account,
            caller: caller.clone(),
        })
    }
}

impl Drop for ReaderSlot {
    fn drop(&mut self) {
        let mut taken = self.of.0.lock();
        let taken = &mut *taken;
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
        slots: &Arc<ReaderSlots>,
        account: &str,
        caller: &str,
        most: u32,
    ) -> (Vec<ReaderSlot>, Full) {
        let limits = Limits {
            all: most,
            account: most.div_ceil(2),
            caller: 20,
        };
        let mut taken = Vec::new();
        loop {
            match slots.take(account, &caller.into(), limits) {
                Ok(place) => taken.push(place),
                Err(full) => return (taken, full),
            }
        }
    }

    #[test]
    fn one_account_has_its_share_and_leaves_the_rest_to_others() {
        let slots = Arc::new(ReaderSlots::default());
        let (first, full) = all_of(&slots, "first", "a", 5);
        assert_eq!((first.len(), full), (3, Full::Account));
        let (second, full) = all_of(&slots, "second", "b", 5);
        assert_eq!((second.len(), full), (2, Full::All));
        drop(first);
        assert_eq!(all_of(&slots, "third", "c", 5).0.len(), 3);
        drop(second);
        let empty = slots.0.lock();
        assert!(empty.accounts.is_empty() && empty.callers.is_empty());
    }

    #[test]
    fn one_caller_has_its_share_and_leaves_the_rest_to_others() {
        let slots = Arc::new(ReaderSlots::default());
        let (first, full) = all_of(&slots, "office", "panel", 100);
        assert_eq!((first.len(), full), (20, Full::Caller));
        // In another account it is the same caller.
        assert_eq!(all_of(&slots, "other", "panel", 100).0.len(), 0);
        let (second, full) = all_of(&slots, "office", "boss", 100);
        assert_eq!((second.len(), full), (20, Full::Caller));
        drop(first);
        assert_eq!(all_of(&slots, "office", "panel", 100).0.len(), 20);
    }

    #[test]
    fn without_slots_there_is_none() {
        let slots = Arc::new(ReaderSlots::default());
        assert_eq!(all_of(&slots, "first", "a", 1).0.len(), 1);
        assert_eq!(all_of(&slots, "first", "a", 0).0.len(), 0);
        let none = Limits {
            caller: 0,
            ..Limits {
                all: 9,
                account: 9,
                caller: 9,
            }
        };
        let refused = slots.take("first", &"a".into(), none).err();
        assert_eq!(refused, Some(Full::Caller));
    }

    #[test]
    fn many_at_a_time_get_no_more_than_there_are() {
        let slots = Arc::new(ReaderSlots::default());
        let got = std::thread::scope(|scope| {
            let take = |caller: usize| {
                let caller = caller.to_string();
                all_of(&slots, &caller, &caller, 20).0
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
