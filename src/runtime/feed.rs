//! The feed: the events of each account, for its readers, and the journal for readers that
//! come back.
//!
//! A reader keeps the number of the last event that it was given and asks for what came
//! after: no queue is filled for it, and a slow reader holds up nobody.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use super::host::EventClass;
use super::{ProcessState, Runtime};

use crate::sync::{Condvar, Mutex};
use presence::Time;
use presence::account::{Event, Journal, Record, Subscription, Timeline};
use presence::world::Transition;

/// Notes kept for readers that are a little late.
const NOTES: usize = 1000;

/// The events of each account.
pub struct Feed {
    kept: Arc<ProcessState>,
    state: Mutex<FeedState>,
    news: Condvar,
}

struct FeedState {
    /// `None` while the module is not running.
    open: Option<Open>,
    /// Rises when all streams are to end.
    round: u64,
}

struct Open {
    journal: Journal,
    /// When the numbers of each account were given; `None` where nobody asks.
    timelines: Option<HashMap<Arc<str>, Timeline>>,
    notes: VecDeque<Arc<Note>>,
    /// The number of the last note.
    last_note: u64,
    /// Rises with each change of calls.
    calls: u64,
    /// How many readers there are. Without any, no note is kept.
    readers: usize,
}

/// A push message: it changes no presence, has no number of the account's, and is not
/// given to a reader that comes back.
#[derive(Debug)]
pub struct Note {
    /// The account.
    pub account: Arc<str>,
    /// The user.
    pub user: Arc<str>,
    /// A JSON object.
    pub json: String,
}

impl Feed {
    /// A closed feed; lost events are counted there.
    pub fn new(kept: Arc<ProcessState>) -> Self {
        Feed {
            kept,
            state: Mutex::new(FeedState {
                open: None,
                round: 0,
            }),
            news: Condvar::new(),
        }
    }

    /// Opens the feed; `most` events are kept of each account.
    pub fn open(&self, most: u32) {
        self.state.lock().open = Some(Open {
            journal: Journal::new(most as usize),
            timelines: None,
            notes: VecDeque::new(),
            last_note: 0,
            calls: 0,
            readers: 0,
        });
    }

    /// Closes the feed, which ends all readers.
    pub fn close(&self) {
        let mut state = self.state.lock();
        state.round += 1;
        state.open = None;
        self.news.notify_all();
    }

    /// Ends all streams; their readers come back with the number of their last event.
    pub fn end_streams(&self) {
        // Under the lock: a reader that has just looked sleeps before it is woken.
        let mut state = self.state.lock();
        state.round += 1;
        self.news.notify_all();
    }

    /// Has every reader look whether it is to end.
    pub fn wake(&self) {
        // Under the lock, as above.
        let _state = self.state.lock();
        self.news.notify_all();
    }

    /// Takes over a configuration: how many events are kept, the accounts, and those of
    /// them that have other users now.
    pub fn reconfigure(&self, most: u32, accounts: &[Arc<str>], changed: &[Arc<str>]) {
        if let Some(open) = &mut self.state.lock().open {
            open.journal.reconfigure(most as usize, accounts);
            if let Some(timelines) = &mut open.timelines {
                timelines.retain(|account, _| accounts.contains(account));
            }
            for account in changed {
                open.journal.cut(account);
            }
        }
    }

    /// Notes from now on when the numbers of each account are given; `last` are the last ones.
    /// Does nothing if they are noted already.
    pub fn keep_time<'a>(&self, now: Time, last: impl Iterator<Item = (&'a str, u64)>) {
        if let Some(open) = &mut self.state.lock().open {
            open.timelines.get_or_insert_with(|| {
                let all = last.map(|(name, last)| (name.into(), Timeline::new(now, last)));
                all.collect()
            });
        }
    }

    /// A number up to which every event of the account had happened at that time; see
    /// [`Timeline::last_at`].
    pub fn last_at(&self, account: &str, time: Time) -> Option<u64> {
        let state = self.state.lock();
        let timelines = state.open.as_ref()?.timelines.as_ref()?;
        timelines.get(account)?.last_at(time)
    }

    /// Whether the journal has every event of the account after that number; `last` is the last
    /// one that was given.
    pub fn holds_after(&self, account: &str, sequence: u64, last: u64) -> bool {
        let state = self.state.lock();
        let open = state.open.as_ref();
        sequence >= last || open.is_some_and(|open| open.journal.holds_after(account, sequence))
    }

    /// Gives an event to the readers of its account.
    pub fn append(&self, event: Arc<Event>) {
        if let Some(open) = &mut self.state.lock().open {
            if let Some(timelines) = &mut open.timelines {
                let (at, sequence) = (event.at(), event.sequence);
                match timelines.get_mut(&event.account) {
                    Some(timeline) => timeline.note(at, sequence),
                    None => {
                        let new = Timeline::new(at, sequence);
                        timelines.insert(event.account.clone(), new);
                    }
                }
            }
            open.journal.append(event);
        }
        self.news.notify_all();
    }

    /// Gives a note to the user's readers.
    pub fn publish_note(&self, note: Note) {
        let mut state = self.state.lock();
        if let Some(open) = state.open.as_mut().filter(|open| open.readers > 0) {
            open.last_note += 1;
            open.notes.push_back(Arc::new(note));
            if open.notes.len() > NOTES {
                open.notes.pop_front();
            }
        }
        drop(state);
        self.news.notify_all();
    }

    /// Wakes the readers that ask for calls.
    pub fn calls_changed(&self) {
        if let Some(open) = &mut self.state.lock().open {
            open.calls += 1;
        }
        self.news.notify_all();
    }

    /// How many events the journal holds.
    pub fn journal_length(&self) -> usize {
        let state = self.state.lock();
        state.open.as_ref().map_or(0, |open| open.journal.len())
    }

    /// The round of streams that begin now: all of a round end together.
    pub fn round(&self) -> u64 {
        self.state.lock().round
    }
}

/// The next part of a reader's stream.
#[derive(Debug)]
pub enum Next {
    /// The events and notes since; both are empty at the deadline, and where only calls have
    /// changed.
    News(Vec<Arc<Event>>, Vec<Arc<Note>>),
    /// The reader was too slow, or has to begin anew: the events that it has not had are
    /// not there any more, up to the event of that number.
    Missed(u64),
    /// The stream has to end.
    Over,
}

/// A reader of an account's events in their order.
pub struct Reader {
    feed: Arc<Feed>,
    account: Arc<str>,
    /// The number of the last event given.
    pub sequence: u64,
    /// The number of the last note looked at.
    noted: u64,
    /// The number of the last change of calls looked at; `None` for a reader that does not ask
    /// for calls.
    calls: Option<u64>,
    until: Until,
}

/// When a reader has to end.
#[derive(Debug)]
enum Until {
    /// With the streams of its round.
    Round(u64),
    /// When the flag is set.
    Flag(Arc<AtomicBool>),
}

impl Reader {
    /// A reader of that round. It goes on after the event `last` where the journal reaches
    /// back to that, and else after `present`; says whether it does. `None` while the module
    /// is not running.
    pub fn new(
        feed: &Arc<Feed>,
        account: Arc<str>,
        last: Option<u64>,
        present: u64,
        round: u64,
    ) -> Option<(Self, bool)> {
        let mut state = feed.state.lock();
        let open = state.open.as_mut()?;
        let last = last.filter(|last| open.journal.reaches(&account, *last));
        open.readers += 1;
        let reader = Reader {
            feed: feed.clone(),
            account,
            sequence: last.unwrap_or(present),
            noted: open.last_note,
            calls: None,
            until: Until::Round(round),
        };
        Some((reader, last.is_some()))
    }

    /// A reader that stays when the streams end, until that flag is set and [`Feed::wake`]
    /// called.
    pub fn staying(
        feed: &Arc<Feed>,
        account: Arc<str>,
        sequence: u64,
        end: Arc<AtomicBool>,
    ) -> Option<Self> {
        let (mut reader, _) = Reader::new(feed, account, None, sequence, 0)?;
        reader.until = Until::Flag(end);
        Some(reader)
    }

    /// Returns at a change of calls too.
    pub fn with_calls(mut self) -> Self {
        self.calls = Some(0);
        self
    }

    /// Up to `most` events since the last: at once where there are any, else as soon as
    /// there are, at the latest at the deadline. An event is given once.
    pub fn next(&mut self, most: usize, deadline: Instant) -> Next {
        let mut state = self.feed.state.lock();
        loop {
            let over = match &self.until {
                Until::Round(round) => state.round != *round,
                Until::Flag(end) => end.load(Ordering::Acquire),
            };
            let Some(open) = state.open.as_ref().filter(|_| !over) else {
                return Next::Over;
            };
            let Ok(events) = open.journal.after(&self.account, self.sequence, most) else {
                let before = open.journal.before(&self.account);
                if let Until::Round(_) = self.until {
                    let lost = before.saturating_sub(self.sequence);
                    self.feed.kept.stats.events_lost.add(lost);
                }
                return Next::Missed(before);
            };
            let new = usize::try_from(open.last_note - self.noted).unwrap_or(usize::MAX);
            let skip = open.notes.len().saturating_sub(new);
            let notes = open.notes.iter().skip(skip);
            let notes = notes.filter(|note| note.account == self.account);
            let notes: Vec<Arc<Note>> = notes.cloned().collect();
            self.noted = open.last_note;
            let calls = self.calls.map(|_| open.calls);
            let other_calls = std::mem::replace(&mut self.calls, calls) != calls;
            if !events.is_empty() || !notes.is_empty() || other_calls {
                self.sequence = events.last().map_or(self.sequence, |event| event.sequence);
                return Next::News(events, notes);
            }
            if self.feed.news.wait_until(&mut state, deadline).timed_out() {
                return Next::News(Vec::new(), Vec::new());
            }
        }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        if let Some(open) = &mut self.feed.state.lock().open {
            open.readers = open.readers.saturating_sub(1);
            if open.readers == 0 {
                open.notes.clear();
            }
        }
    }
}

impl Runtime {
    /// Gives a transition to listeners of AMI and to the readers of the account. No lock
    /// may be held.
    pub(super) fn append_to_feed(&self, transition: &Arc<Transition>) {
        let event = Event::new(transition, self.now());
        let subscription = Subscription {
            event: Subscription::path(&transition.account),
            id: "ami".into(),
        };
        self.host().send_event(
            EventClass::Call,
            c"UserPresenceAccountEvent",
            &[
                ("Account", &transition.account),
                ("Sequence", &transition.sequence.to_string()),
                ("Json", &event.json(&subscription)),
            ],
        );
        self.feed.append(Arc::new(event));
    }

    /// An event's JSON with the user's record after it, for readers that ask for it. No
    /// lock may be held.
    pub fn json_with_record(&self, event: &Event, subscription: &Subscription) -> String {
        event.json_with_record(subscription, |transition| {
            self.read(|world| Record::after(world, transition))
                .flatten()
        })
    }
}
