//! Slots for readers of the feed. Their number is limited, because each reader takes a
//! thread and a connection.

use std::collections::HashMap;
use std::sync::Arc;

use crate::sync::Mutex;

/// The slots in use.
#[derive(Default)]
pub struct ReaderSlots(Mutex<Taken>);

/// The sum of either map is the number of slots in use.
#[derive(Default, Debug)]
struct Taken {
    accounts: HashMap<Arc<str>, u32>,
    callers: HashMap<Arc<str>, u32>,
}

/// The number of slots; 0 means none.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct SlotLimits {
    /// For all readers together.
    pub all: u32,
    /// For one account.
    pub account: u32,
    /// For one caller.
    pub caller: u32,
}

/// Why no slot is free.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SlotsFull {
    /// All slots are in use.
    All,
    /// The account has used its share.
    Account,
    /// The caller has used its share.
    Caller,
}

/// One reader's slot; dropping it frees the slot.
#[must_use = "dropping it frees the slot"]
pub struct ReaderSlot {
    of: Arc<ReaderSlots>,
    account: Arc<str>,
    caller: Arc<str>,
}

impl ReaderSlots {
    /// How many slots are in use.
    pub fn in_use(&self) -> u32 {
        self.0.lock().accounts.values().sum()
    }

    /// Takes a slot for a caller in an account. The limits leave slots for other accounts
    /// and callers.
    ///
    /// # Errors
    /// Returns the limit that is reached.
    pub fn take(
        self: &Arc<Self>,
        account: &str,
        caller: &Arc<str>,
        limits: SlotLimits,
    ) -> Result<ReaderSlot, SlotsFull> {
        let mut taken = self.0.lock();
        let has = |own: Option<&u32>, most| own.is_some_and(|own| *own >= most);
        if taken.accounts.values().sum::<u32>() >= limits.all {
            return Err(SlotsFull::All);
        }
        if limits.caller == 0 || has(taken.callers.get(caller), limits.caller) {
            return Err(SlotsFull::Caller);
        }
        if has(taken.accounts.get(account), limits.account) {
            return Err(SlotsFull::Account);
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
        free(&mut taken.accounts, &self.account);
        free(&mut taken.callers, &self.caller);
    }
}

fn free(taken: &mut HashMap<Arc<str>, u32>, name: &str) {
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

    /// Takes slots until a limit is reached; an account may have half of them, a caller 20.
    fn all_of(
        slots: &Arc<ReaderSlots>,
        account: &str,
        caller: &str,
        most: u32,
    ) -> (Vec<ReaderSlot>, SlotsFull) {
        let limits = SlotLimits {
            all: most,
            account: most.div_ceil(2),
            caller: 20,
        };
        let mut taken = Vec::new();
        loop {
            match slots.take(account, &caller.into(), limits) {
                Ok(slot) => taken.push(slot),
                Err(full) => return (taken, full),
            }
        }
    }

    #[test]
    fn one_account_leaves_slots_for_others() {
        let slots = Arc::new(ReaderSlots::default());
        let (first, full) = all_of(&slots, "first", "a", 5);
        assert_eq!((first.len(), full), (3, SlotsFull::Account));
        let (second, full) = all_of(&slots, "second", "b", 5);
        assert_eq!((second.len(), full), (2, SlotsFull::All));
        drop(first);
        assert_eq!(all_of(&slots, "third", "c", 5).0.len(), 3);
        drop(second);
        let empty = slots.0.lock();
        assert!(empty.accounts.is_empty() && empty.callers.is_empty());
    }

    #[test]
    fn one_caller_leaves_slots_for_others() {
        let slots = Arc::new(ReaderSlots::default());
        let (first, full) = all_of(&slots, "office", "panel", 100);
        assert_eq!((first.len(), full), (20, SlotsFull::Caller));
        // The same caller counts in another account too.
        assert_eq!(all_of(&slots, "other", "panel", 100).0.len(), 0);
        let (second, full) = all_of(&slots, "office", "boss", 100);
        assert_eq!((second.len(), full), (20, SlotsFull::Caller));
        drop(first);
        assert_eq!(all_of(&slots, "office", "panel", 100).0.len(), 20);
    }

    #[test]
    fn a_limit_of_zero_means_none() {
        let slots = Arc::new(ReaderSlots::default());
        assert_eq!(all_of(&slots, "first", "a", 1).0.len(), 1);
        assert_eq!(all_of(&slots, "first", "a", 0).0.len(), 0);
        let none = SlotLimits {
            caller: 0,
            ..SlotLimits {
                all: 9,
                account: 9,
                caller: 9,
            }
        };
        let refused = slots.take("first", &"a".into(), none).err();
        assert_eq!(refused, Some(SlotsFull::Caller));
    }

    #[test]
    fn threads_together_get_no_more_than_the_limit() {
        let slots = Arc::new(ReaderSlots::default());
        let got = std::thread::scope(|scope| {
            let take = |caller: usize| {
                let caller = caller.to_string();
                all_of(&slots, &caller, &caller, 20).0
            };
            let takers: Vec<_> = (0..8)
                .map(|caller| scope.spawn(move || take(caller)))
                .collect();
            let slots = takers.into_iter().map(|taker| taker.join().unwrap());
            slots.collect::<Vec<_>>()
        });
        assert_eq!(got.iter().map(Vec::len).sum::<usize>(), 20);
    }
}
