//! The feed: what the readers of an account are told, and the journal for those who come
//! back.
//!
//! A reader keeps the number of the last event that it was given and asks for what came
//! after: no queue is filled for it, and one that is slow holds up nobody.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use parking_lot::{Condvar, Mutex};

use crate::runtime::stats;
use crate::runtime::store;
use asterisk::manager::{self, Class};
use presence::Time;
use presence::account::{Event, Journal, Record, Subscription};
use presence::world::Transition;

/// Open while the module is loaded.
static FEED: Mutex<Option<Feed>> = Mutex::new(None);
static NEWS: Condvar = Condvar::new();
/// Rises when all streams are to end.
static ROUND: AtomicU64 = AtomicU64::new(0);

struct Feed {
    journal: Journal,
    notes: VecDeque<Arc<Note>>,
    /// The number of the last note.
    last_note: u64,
    /// Those who read. Without any, no note is kept.
    readers: usize,
}

/// Notes kept for readers who are a little late.
const NOTES: usize = 1000;

/// Something that a user is told and that changes no presence: a push message. It has no
/// number of the account's, and is not told again to who comes back.
#[derive(Debug)]
pub struct Note {
    /// The account.
    pub account: Arc<str>,
    /// Whose.
    pub user: Arc<str>,
    /// A JSON object.
    pub json: String,
}

/// The open feed; dropping it ends all streams.
#[must_use = "dropping it closes the feed"]
#[derive(Debug)]
pub struct Open(());

/// Opens the feed; `most` events are kept of each account.
pub fn open(most: u32) -> Open {
    let most = most as usize;
    *FEED.lock() = Some(Feed {
        journal: Journal::new(most),
        notes: VecDeque::new(),
        last_note: 0,
        readers: 0,
    });
    Open(())
}

impl Drop for Open {
    fn drop(&mut self) {
        end_streams();
        *FEED.lock() = None;
    }
}

/// Ends all streams; their readers come back with the number of what they had last.
pub fn end_streams() {
    // Under the lock: a reader that has just looked sleeps before it is woken.
    let feed = FEED.lock();
    ROUND.fetch_add(1, Ordering::Release);
    NEWS.notify_all();
    drop(feed);
}

/// Has every reader look whether it is to end.
pub fn wake() {
    // Under the lock, as above.
    let feed = FEED.lock();
    NEWS.notify_all();
    drop(feed);
}

/// Takes over a new configuration: how many events are kept, the accounts that there are,
/// and those that have others for users.
pub fn reconfigure(most: u32, accounts: &[Arc<str>], changed: &[Arc<str>]) {
    if let Some(feed) = FEED.lock().as_mut() {
        feed.journal.reconfigure(most as usize, accounts);
        for account in changed {
            feed.journal.cut(account);
        }
    }
}

/// Tells everyone of a transition. Hold no lock.
pub fn tell(transition: &Arc<Transition>) {
    let event = Event::new(transition, Time::now());
    let subscription = Subscription {
        event: Subscription::path(&transition.account),
        id: "ami".into(),
    };
    manager::event(
        Class::Call,
        c"UserPresenceAccountEvent",
        &[
            ("Account", &transition.account),
            ("Sequence", &transition.sequence.to_string()),
            ("Json", &event.json(&subscription)),
        ],
    );
    if let Some(feed) = FEED.lock().as_mut() {
        feed.journal.append(Arc::new(event));
    }
    NEWS.notify_all();
}

/// An event's JSON with the user's record after it, for those who ask for it. Hold no lock.
pub fn json_with_record(event: &Event, subscription: &Subscription) -> String {
    event.json_with_record(subscription, |transition| {
        store::read(|world| Record::after(world, transition)).flatten()
    })
}

/// Tells the user's own readers of something.
pub fn note(note: Note) {
    if let Some(feed) = FEED.lock().as_mut().filter(|feed| feed.readers > 0) {
        feed.last_note += 1;
        feed.notes.push_back(Arc::new(note));
        if feed.notes.len() > NOTES {
            feed.notes.pop_front();
        }
    }
    NEWS.notify_all();
}

/// How many events the journal holds.
pub fn journal_length() -> usize {
    FEED.lock().as_ref().map_or(0, |feed| feed.journal.len())
}

/// The round of streams that begin now: it ends for all at once.
pub fn round() -> u64 {
    ROUND.load(Ordering::Acquire)
}

/// What a reader is given.
#[derive(Debug)]
pub enum Next {
    /// What came since; both may be empty when the time was up.
    News(Vec<Arc<Event>>, Vec<Arc<Note>>),
    /// The reader was too slow, or is to begin anew: what it has missed is not there, up
    /// to the event of that number.
    Missed(u64),
    /// The stream is to end.
    Over,
}

/// One who reads an account's events in their order.
#[derive(Debug)]
pub struct Reader {
    account: Arc<str>,
    /// The number of the last event given.
    pub sequence: u64,
    /// The number of the last note looked at.
    noted: u64,
    until: Until,
}

/// When a reader is to end.
#[derive(Debug)]
enum Until {
    /// With the streams of its round.
    Round(u64),
    /// When it is told so.
    Told(Arc<AtomicBool>),
}

impl Reader {
    /// One of that round, who goes on after the event `last` where the journal reaches back
    /// to it, and else after `present`; says whether it does. `None` when the module is not
    /// running.
    pub fn new(
        account: Arc<str>,
        last: Option<u64>,
        present: u64,
        round: u64,
    ) -> Option<(Self, bool)> {
        let mut feed = FEED.lock();
        let feed = feed.as_mut()?;
        let last = last.filter(|last| feed.journal.reaches(&account, *last));
        feed.readers += 1;
        let reader = Reader {
            account,
            sequence: last.unwrap_or(present),
            noted: feed.last_note,
            until: Until::Round(round),
        };
        Some((reader, last.is_some()))
    }

    /// One who stays when the streams end, until that flag is set and [`wake`] called.
    pub fn staying(account: Arc<str>, sequence: u64, end: Arc<AtomicBool>) -> Option<Self> {
        let (mut reader, _) = Reader::new(account, None, sequence, round())?;
        reader.until = Until::Told(end);
        Some(reader)
    }

    /// Up to `most` events that came since, at once where there are any, else as soon as
    /// there are, at last at the deadline. An event is given once.
    pub fn next(&mut self, most: usize, deadline: Instant) -> Next {
        let mut guard = FEED.lock();
        loop {
            let over = match &self.until {
                Until::Round(round) => ROUND.load(Ordering::Acquire) != *round,
                Until::Told(end) => end.load(Ordering::Acquire),
            };
            let Some(feed) = guard.as_ref().filter(|_| !over) else {
                return Next::Over;
            };
            let Ok(events) = feed.journal.after(&self.account, self.sequence, most) else {
                let before = feed.journal.before(&self.account);
                if let Until::Round(_) = self.until {
                    stats::EVENTS_LOST.add(before.saturating_sub(self.sequence));
                }
                return Next::Missed(before);
            };
            let new = usize::try_from(feed.last_note - self.noted).unwrap_or(usize::MAX);
            let skip = feed.notes.len().saturating_sub(new);
            let notes = feed.notes.iter().skip(skip);
            let notes = notes.filter(|note| note.account == self.account);
            let notes: Vec<Arc<Note>> = notes.cloned().collect();
            self.noted = feed.last_note;
            if !events.is_empty() || !notes.is_empty() {
                self.sequence = events.last().map_or(self.sequence, |event| event.sequence);
                return Next::News(events, notes);
            }
            if NEWS.wait_until(&mut guard, deadline).timed_out() {
                return Next::News(Vec::new(), Vec::new());
            }
        }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        if let Some(feed) = FEED.lock().as_mut() {
            feed.readers = feed.readers.saturating_sub(1);
            if feed.readers == 0 {
                feed.notes.clear();
            }
        }
    }
}
