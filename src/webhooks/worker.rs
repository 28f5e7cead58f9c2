//! The thread of one webhook.

use std::collections::{HashSet, VecDeque};
use std::hash::{BuildHasher, RandomState};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};

use super::lost::{self, LostEvents};
use super::{
    EventReader, EventSource, Hook, Known, News, Position, Post, PostOutcome, PostedEvent, Posting,
};
use presence::Time;
use presence::account::{Event, Subscription, uuid_of};
use presence::config::Webhook;

/// The time before an event is tried again: it doubles up to the longest.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// How long to wait for news; there is no reason to wake up.
const LONG: Duration = Duration::from_secs(3600);

/// How long to wait for this node's turn; a change of turns wakes the thread earlier.
const TURN: Duration = Duration::from_secs(5);

pub struct Worker {
    hook: Arc<Hook>,
    source: Arc<dyn EventSource>,
    reader: Box<dyn EventReader>,
    subscription: Subscription,
    /// What is to be posted.
    pending: Option<Pending>,
    /// The users that the receiver knows to be hidden: it gets no event of them.
    hidden: HashSet<Arc<str>>,
    /// The turn in which this node posts; `None` before the first.
    turn: Option<u64>,
    /// The users to post as they are now, before the reader goes on, by the number of their last
    /// change.
    changed: VecDeque<(u64, Arc<str>)>,
    /// The receiver needs nothing more of what had happened then.
    until: Time,
}

/// An event until it is taken.
struct Pending {
    event: Arc<Event>,
    /// The receiver has every event before this number.
    number: u64,
    /// When it happened; `None` for a user as they are now.
    at: Option<Time>,
    /// When it failed first.
    failed: Option<Instant>,
    /// The pause before it is tried again.
    pause: Duration,
}

impl Worker {
    /// A worker that begins with the next event; `is_new`: if this node of a cluster posts now,
    /// else where the receiver is then. `None` while the module is not running.
    pub fn new(hook: Arc<Hook>, source: Arc<dyn EventSource>, is_new: bool) -> Option<Self> {
        let (spec, _) = hook.spec();
        let (reader, hidden) = source.subscribe(&spec.account, hook.stop.clone())?;
        let subscription = Subscription {
            event: Subscription::path(&spec.account),
            id: id(&spec),
        };
        let turn = match source.posting() {
            Posting::Here(turn) => Some(turn).filter(|turn| is_new || *turn == 0),
            Posting::Elsewhere(_) => None,
        };
        let until = source.now();
        let worker = Worker {
            hook,
            source,
            reader,
            subscription,
            pending: None,
            hidden,
            turn,
            changed: VecDeque::new(),
            until,
        };
        worker.note_position();
        Some(worker)
    }

    /// Works until it is stopped.
    pub fn run(&mut self, poster: &mut dyn Post) {
        while !self.hook.stopped() {
            // A panic was logged.
            let done = catch_unwind(AssertUnwindSafe(|| self.step(poster)));
            if done.is_err() {
                poster.reset();
                let (spec, wakes) = self.hook.spec();
                self.failed(&spec, wakes, "an error in the module itself", None);
            }
            self.note_position();
        }
    }

    fn step(&mut self, poster: &mut dyn Post) {
        let (spec, wakes) = self.hook.spec();
        match self.source.posting() {
            Posting::Here(turn) if self.turn != Some(turn) => return self.begin_turn(&spec, turn),
            Posting::Here(_) => {}
            // What is pending stays: nobody else posts if this turn goes on.
            Posting::Elsewhere(_) => {
                self.forget_failure();
                return self.hook.wait(wakes, Some(Instant::now() + TURN));
            }
        }
        match self.pending.take() {
            None => match self.changed.pop_front() {
                Some((number, user)) => {
                    let event = self.source.present(&spec.account, &user);
                    self.accept(event, Some(number));
                }
                None => self.fetch(&spec),
            },
            Some(pending) => {
                // It stays, whatever becomes of this try.
                let pending = self.pending.insert(pending);
                let event = pending.event.clone();
                let known = self.source.known(&spec.account, &event);
                let json = match known {
                    Some(Known::Event) if spec.with_record => {
                        self.source.json_with_record(&event, &self.subscription)
                    }
                    Some(Known::Event) => event.json(&self.subscription),
                    Some(Known::Hidden) => event.hidden_json(&self.subscription),
                    Some(Known::Nothing) => return self.done(),
                    // The module is going, and will tell.
                    None => return self.hook.wait(wakes, None),
                };
                crate::trip("webhook");
                let stop = self.hook.stop.clone();
                let node = self.source.node();
                let posted = PostedEvent {
                    sequence: event.sequence,
                    node: node.as_deref(),
                    json: &json,
                };
                match poster.post(&spec, &posted, &stop) {
                    PostOutcome::Delivered => self.delivered(&spec, &event),
                    PostOutcome::Gone => self.gone(&spec, wakes),
                    PostOutcome::Failed(why, after) => self.failed(&spec, wakes, &why, after),
                    PostOutcome::Stopped => {}
                }
            }
        }
    }

    /// This node begins to post: goes on where the receiver is.
    fn begin_turn(&mut self, spec: &Webhook, turn: u64) {
        let was = self.turn.replace(turn);
        // Without a cluster any more, a node that has posted until now just goes on.
        if turn == 0 && was.is_some() {
            return;
        }
        if let Some(resumed) = self.source.resume(spec) {
            self.pending = None;
            self.reader.skip_to(resumed.sequence);
            self.hidden = resumed.hidden;
            self.changed = resumed.changed;
            self.until = resumed.until;
        }
    }

    /// Takes the next event that the receiver is to be told.
    fn fetch(&mut self, spec: &Webhook) {
        // In a cluster the turn may end meanwhile, and another one begin.
        let wait = match self.turn {
            Some(0) | None => LONG,
            Some(_) => TURN,
        };
        match self.reader.next(1, Instant::now() + wait) {
            News::Events(events) => self.accept(events.into_iter().next(), None),
            News::Missed(before) => {
                let had = self.reader.sequence();
                match self.source.resume_after(spec, had) {
                    Some(resumed) => {
                        self.reader.skip_to(resumed.sequence);
                        self.changed = resumed.changed;
                    }
                    None => self.lose(spec, (had + 1, before), &LostEvents::Missed),
                }
            }
            // Told to, or the module is going and will tell.
            News::Over => self.hook.wait(self.hook.spec().1, None),
        }
    }

    /// Has an event posted, unless the receiver knows that the user is hidden. `number`: that of
    /// a user who is posted as they are now.
    fn accept(&mut self, event: Option<Arc<Event>>, number: Option<u64>) {
        let Some(event) = event else {
            return;
        };
        let is_known = event.is_hidden() && self.hidden.contains(&event.user);
        self.pending = Some(Pending {
            number: number.unwrap_or(event.sequence),
            at: number.is_none().then(|| event.at()),
            event,
            failed: None,
            pause: FIRST_PAUSE,
        });
        if is_known {
            self.done();
        }
    }

    /// The receiver needs the pending event no more.
    fn done(&mut self) {
        let at = self.pending.take().and_then(|pending| pending.at);
        self.until = at.unwrap_or(self.until);
    }

    fn delivered(&mut self, spec: &Webhook, event: &Event) {
        let sequence = event.sequence;
        self.done();
        if event.is_hidden() {
            self.hidden.insert(event.user.clone());
        } else {
            self.hidden.remove(&event.user);
        }
        self.source.count_delivered();
        let was_failing = {
            let mut state = self.hook.state.lock();
            let shown = &mut state.shown;
            shown.delivered += 1;
            shown.last = sequence;
            shown.error.clear();
            shown.failing.take().is_some()
        };
        if was_failing {
            log::debug!("Webhook '{}' delivers again, event {sequence}", spec.name);
        }
    }

    /// Notes a failure and waits until it is time to try again.
    fn failed(&mut self, spec: &Webhook, wakes: u64, why: &str, after: Option<Duration>) {
        let Some(pending) = &mut self.pending else {
            // Nothing was lost.
            return self.hook.wait(wakes, Some(Instant::now() + FIRST_PAUSE));
        };
        let now = Instant::now();
        let first = pending.failed.is_none();
        let end = *pending.failed.get_or_insert(now) + spec.retry_for;
        let (sequence, number) = (pending.event.sequence, pending.number);
        let pause = after.map_or_else(
            || jitter(pending.pause),
            |after| after.clamp(FIRST_PAUSE, LONGEST_PAUSE),
        );
        pending.pause = (pending.pause * 2).min(LONGEST_PAUSE);
        self.note(why);
        if self.hook.stopped() {
            return;
        }
        if first {
            log::warn!(
                "Webhook '{}' ({}) could not deliver event {sequence}: {why}; it is tried again \
                 for {} s",
                spec.name,
                spec.url,
                spec.retry_for.as_secs()
            );
        }
        if now >= end {
            self.pending = None;
            self.changed.clear();
            // Where the account has no user any more, it has no event either.
            let to = self
                .source
                .last_sequence(&spec.account)
                .unwrap_or(sequence)
                .max(sequence);
            return self.lose(spec, (number, to), &LostEvents::GivenUp(why));
        }
        self.hook.wait(wakes, Some((now + pause).min(end)));
    }

    /// Stops until the next reload.
    fn gone(&mut self, spec: &Webhook, wakes: u64) {
        let why = "the receiver is gone (HTTP status 410)";
        self.note(why);
        if let Some(pending) = &mut self.pending {
            pending.failed.get_or_insert_with(Instant::now);
            pending.pause = FIRST_PAUSE;
        }
        lost::report_stopped(&*self.source, spec, why);
        self.hook.wait(wakes, None);
    }

    /// Goes on after those events, which are not posted.
    fn lose(&mut self, spec: &Webhook, range: (u64, u64), lost: &LostEvents<'_>) {
        self.reader.skip_to(range.1);
        lost.report(&*self.source, spec, range);
    }

    /// Notes its position, for the thread that stops it, and for other nodes.
    fn note_position(&self) {
        let pending = self.pending.as_ref().map(|pending| pending.number);
        let changed = self.changed.front().map(|(number, _)| *number);
        let next = pending.or(changed);
        self.hook.state.lock().position = Some(Position {
            next: next.unwrap_or(self.reader.sequence() + 1),
            until: self.until,
            turn: self.turn,
        });
    }

    /// Another node posts: what failed here says nothing any more.
    fn forget_failure(&self) {
        let mut state = self.hook.state.lock();
        state.shown.error.clear();
        state.shown.failing = None;
    }

    fn note(&self, why: &str) {
        let mut state = self.hook.state.lock();
        why.clone_into(&mut state.shown.error);
        state.shown.failing.get_or_insert_with(Time::now);
    }
}

/// A quarter less to a quarter more, so that not all come back at once.
fn jitter(pause: Duration) -> Duration {
    let random = RandomState::new().hash_one(0) % 512;
    // 768 to 1279 parts of 1024.
    pause * (768 + random as u32) / 1024
}

/// The id of its subscription: the same as long as name and account are.
fn id(spec: &Webhook) -> String {
    let name = spec.name.to_ascii_lowercase();
    let hash = Sha256::digest(format!("{name}\n{}", spec.account));
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hash[..16]);
    uuid_of(bytes)
}
