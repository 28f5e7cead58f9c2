//! The last events of each account, for readers who come back.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

use super::event::Event;

/// Bounded: of each account the last events, and of all together no more than 100,000,
/// which they share equally.
#[derive(Debug)]
pub struct Journal {
    most: usize,
    logs: HashMap<Arc<str>, Log>,
}

/// An event takes about 1 kB. Where one account is to have more, all have as many.
const MOST_OF_ALL: usize = 100_000;

#[derive(Default, Debug)]
struct Log {
    /// The number of the last event before those.
    before: u64,
    /// Whether that event was told to nobody from here: what a reader knew then may not
    /// be so any more.
    begins: bool,
    /// Whoever comes back has to know that event, or a later one.
    least: u64,
    /// Without a gap.
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

/// What was missed cannot be told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Missed;

impl Journal {
    /// Empty; it keeps that many events of each account.
    pub fn new(most: usize) -> Self {
        Journal {
            most,
            logs: HashMap::new(),
        }
    }

    /// Keeps that many from now on, and of these accounts alone.
    pub fn reconfigure(&mut self, most: usize, accounts: &[Arc<str>]) {
        self.most = most;
        let accounts: HashSet<&Arc<str>> = accounts.iter().collect();
        self.logs.retain(|account, _| accounts.contains(account));
        self.trim_all();
    }

    /// How many events an account may have.
    fn share(&self) -> usize {
        let all = MOST_OF_ALL.max(self.most);
        self.most.min(all / self.logs.len().max(1))
    }

    fn trim_all(&mut self) {
        let share = self.share();
        self.logs.values_mut().for_each(|log| log.trim(share));
    }

    /// Notes an event; those of an account come in their order.
    pub fn append(&mut self, event: Arc<Event>) {
        if !self.logs.contains_key(&event.account) {
            self.logs.insert(event.account.clone(), Log::default());
            self.trim_all();
        }
        let share = self.share();
        let log = self.logs.entry(event.account.clone()).or_default();
        if event.sequence != log.last() + 1 {
            // The first one, or one is missing before it.
            log.events.clear();
            (log.before, log.begins) = (event.sequence - 1, true);
        }
        log.events.push_back(event);
        log.trim(share);
    }

    /// Who comes back with that number, or with an earlier one, has missed something: the
    /// users of the account are others. Who has never left is given all the same.
    pub fn cut(&mut self, account: &str) {
        if let Some(log) = self.logs.get_mut(account) {
            log.least = log.last() + 1;
        }
    }

    /// Up to `most` events after that number; none where there are none yet.
    ///
    /// # Errors
    /// When the journal does not reach back so far.
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

    /// The number of the last event that it holds no more.
    pub fn before(&self, account: &str) -> u64 {
        self.logs.get(account).map_or(0, |log| log.before)
    }

    /// Whether a reader who comes back with that number can go on.
    pub fn reaches(&self, account: &str, sequence: u64) -> bool {
        self.logs.get(account).is_some_and(|log| {
            let first = (log.before + u64::from(log.begins)).max(log.least);
            (first..=log.last()).contains(&sequence)
        })
    }

    /// How many events it holds.
    pub fn len(&self) -> usize {
        self.logs.values().map(|log| log.events.len()).sum()
    }

    /// Whether it holds none.
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
    fn readers_go_on_where_they_were_while_it_reaches_back() {
        let mut journal = Journal::new(3);
        assert_eq!(numbers(&journal, 40), Ok(vec![]));
        assert!(!journal.reaches("main", 40));
        for sequence in 41..=43 {
            journal.append(Arc::new(event("main", sequence)));
        }
        assert_eq!(numbers(&journal, 40), Ok(vec![41, 42, 43]));
        assert_eq!(numbers(&journal, 42), Ok(vec![43]));
        assert_eq!(numbers(&journal, 43), Ok(vec![]));
        // 40 was told by an earlier load.
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
    fn a_cut_and_a_gap_begin_anew() {
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
    fn all_accounts_together_are_bounded_too() {
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
