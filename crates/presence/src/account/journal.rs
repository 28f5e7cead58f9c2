//! The last events of each account, for readers that reconnect.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

use super::event::Event;

/// The last events of each account. All accounts together have at most 100,000 events, or as
/// many as one account may have, shared equally.
#[derive(Debug)]
pub struct Journal {
    most: usize,
    logs: HashMap<Arc<str>, Log>,
}

/// The most events of all accounts together, unless one account may have more. An event takes
/// about 1 kB.
const MOST_OF_ALL: usize = 100_000;

#[derive(Default, Debug)]
struct Log {
    /// The sequence number of the last event before `events`.
    before: u64,
    /// Whether the event `before` is not from this run of the journal. A reader that knows only
    /// that event may be out of date.
    begins: bool,
    /// The least sequence number with which a reader can resume.
    least: u64,
    /// The events, in order and without a gap.
    events: VecDeque<Arc<Event>>,
}

impl Log {
    fn last(&self) -> u64 {
        self.before + self.events.len() as u64
    }

    fn trim(&mut self, most: usize) {
        while self.events.len() > most {
            self.events.pop_front();
            (self.before, self.begins) = (self.before + 1, false);
        }
    }
}

/// The error for a reader that has missed events which the journal no longer holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Missed;

impl Journal {
    /// An empty journal that keeps up to `most` events of each account.
    pub fn new(most: usize) -> Self {
        Journal {
            most,
            logs: HashMap::new(),
        }
    }

    /// Changes how many events of each account are kept, and drops all other accounts.
    pub fn reconfigure(&mut self, most: usize, accounts: &[Arc<str>]) {
        self.most = most;
        let accounts: HashSet<&Arc<str>> = accounts.iter().collect();
        self.logs.retain(|account, _| accounts.contains(account));
        self.trim_all();
    }

    /// The most events that an account may have now.
    fn share(&self) -> usize {
        let all = MOST_OF_ALL.max(self.most);
        self.most.min(all / self.logs.len().max(1))
    }

    fn trim_all(&mut self) {
        let share = self.share();
        self.logs.values_mut().for_each(|log| log.trim(share));
    }

    /// Appends an event. The events of an account must arrive in order.
    pub fn append(&mut self, event: Arc<Event>) {
        if !self.logs.contains_key(&event.account) {
            self.logs.insert(event.account.clone(), Log::default());
            self.trim_all();
        }
        let share = self.share();
        let log = self.logs.entry(event.account.clone()).or_default();
        if event.sequence != log.last() + 1 {
            // The first event of the account, or the first after a gap.
            log.events.clear();
            (log.before, log.begins) = (event.sequence - 1, true);
        }
        log.events.push_back(event);
        log.trim(share);
    }

    /// Ends resuming with the account's last sequence number or an earlier one, because the
    /// account's users have changed. Connected readers still receive all events.
    pub fn cut(&mut self, account: &str) {
        if let Some(log) = self.logs.get_mut(account) {
            log.least = log.last() + 1;
        }
    }

    /// Returns up to `most` events after the sequence number; none for an unknown account.
    ///
    /// # Errors
    /// [`Missed`] if the journal no longer holds the next event.
    pub fn after(
        &self,
        account: &str,
        sequence: u64,
        most: usize,
    ) -> Result<Vec<Arc<Event>>, Missed> {
        let Some(log) = self.logs.get(account) else {
            return Ok(Vec::new());
        };
        if sequence < log.before {
            return Err(Missed);
        }
        let skip = usize::try_from(sequence - log.before).unwrap_or(usize::MAX);
        Ok(log.events.iter().skip(skip).take(most).cloned().collect())
    }

    /// Whether the journal has every event of the account after that sequence number.
    pub fn holds_after(&self, account: &str, sequence: u64) -> bool {
        let log = self.logs.get(account);
        log.is_some_and(|log| sequence >= log.before)
    }

    /// The sequence number of the account's last event that the journal does not hold; 0 for an
    /// unknown account.
    pub fn before(&self, account: &str) -> u64 {
        self.logs.get(account).map_or(0, |log| log.before)
    }

    /// Whether a reader that last received this sequence number can resume without a gap.
    pub fn reaches(&self, account: &str, sequence: u64) -> bool {
        self.logs.get(account).is_some_and(|log| {
            let first = (log.before + u64::from(log.begins)).max(log.least);
            (first..=log.last()).contains(&sequence)
        })
    }

    /// The number of events in the journal.
    pub fn len(&self) -> usize {
        self.logs.values().map(|log| log.events.len()).sum()
    }

    /// Whether the journal is empty.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::event::testing::event;

    fn numbers(journal: &Journal, after: u64) -> Result<Vec<u64>, Missed> {
        let events = journal.after("main", after, 10)?;
        Ok(events.iter().map(|event| event.sequence).collect())
    }

    #[test]
    fn readers_resume_while_the_journal_reaches_back() {
        let mut journal = Journal::new(3);
        assert_eq!(numbers(&journal, 40), Ok(vec![]));
        assert!(!journal.reaches("main", 40));
        for sequence in 41..=43 {
            journal.append(Arc::new(event("main", sequence)));
        }
        assert_eq!(numbers(&journal, 40), Ok(vec![41, 42, 43]));
        assert_eq!(numbers(&journal, 42), Ok(vec![43]));
        assert_eq!(numbers(&journal, 43), Ok(vec![]));
        // Event 40 is from an earlier load.
        assert!(!journal.reaches("main", 40));
        assert!(journal.reaches("main", 41) && journal.reaches("main", 43));
        assert!(!journal.reaches("main", 44));
        journal.append(Arc::new(event("main", 44)));
        assert_eq!(numbers(&journal, 40), Err(Missed));
        assert!(journal.reaches("main", 41));
        assert!(!journal.reaches("other", 41));
        assert_eq!(journal.len(), 3);
    }

    #[test]
    fn a_cut_and_a_gap_prevent_resuming() {
        let mut journal = Journal::new(10);
        for sequence in 1..=3 {
            journal.append(Arc::new(event("main", sequence)));
        }
        journal.cut("main");
        assert!(!journal.reaches("main", 3));
        assert_eq!(numbers(&journal, 1), Ok(vec![2, 3]));
        assert_eq!(numbers(&journal, 3), Ok(vec![]));
        journal.append(Arc::new(event("main", 4)));
        assert_eq!(numbers(&journal, 3), Ok(vec![4]));
        assert!(!journal.reaches("main", 3) && journal.reaches("main", 4));
        journal.append(Arc::new(event("main", 9)));
        assert_eq!(numbers(&journal, 4), Err(Missed));
        assert_eq!(numbers(&journal, 8), Ok(vec![9]));
    }

    #[test]
    fn all_accounts_together_are_bounded() {
        let mut journal = Journal::new(MOST_OF_ALL);
        for sequence in 1..=MOST_OF_ALL as u64 {
            journal.append(Arc::new(event("main", sequence)));
        }
        assert_eq!(journal.len(), MOST_OF_ALL);
        for account in 1..=4 {
            journal.append(Arc::new(event(&account.to_string(), 1)));
            assert!(journal.len() <= MOST_OF_ALL);
        }
        assert_eq!(journal.len(), MOST_OF_ALL / 5 + 4);
        let last = MOST_OF_ALL as u64;
        assert!(journal.reaches("main", last) && !journal.reaches("main", last / 2));
        journal.reconfigure(10, &["main".into()]);
        assert_eq!(journal.len(), 10);
        assert!(!journal.reaches("4", 1));
    }
}
