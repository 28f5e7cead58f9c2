//! The thread of one webhook.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};

use super::lost::{self, LostEvents};
use super::{EventReader, EventSource, Hook, Known, News, Post, PostOutcome};
use presence::Time;
use presence::account::{Event, Subscription, uuid_of};
use presence::config::Webhook;

/// The time before an event is tried again: it doubles up to the longest.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// How long to wait for news; there is no reason to wake up.
const LONG: Duration = Duration::from_secs(3600);

pub struct Worker {
    hook: Arc<Hook>,
    source: Arc<dyn EventSource>,
    reader: Box<dyn EventReader>,
    subscription: Subscription,
    /// What is to be posted.
    pending: Option<Pending>,
    /// The users that the receiver knows to be hidden: it gets no event of them.
    hidden: HashSet<Arc<str>>,
}

/// An event until it is taken.
struct Pending {
    event: Arc<Event>,
    /// When it failed first.
    failed: Option<Instant>,
    /// The pause before it is tried again.
    pause: Duration,
}

impl Worker {
    /// A worker that begins with the next event. `None` while the module is not running.
    pub fn new(hook: Arc<Hook>, source: Arc<dyn EventSource>) -> Option<Self> {
        let (spec, _) = hook.spec();
        let (reader, hidden) = source.subscribe(&spec.account, hook.stop.clone())?;
        let subscription = Subscription {
            event: Subscription::path(&spec.account),
            id: id(&spec),
        };
        let worker = Worker {
            hook,
            source,
            reader,
            subscription,
            pending: None,
            hidden,
        };
        worker.note_next();
        Some(worker)
    }

    /// Works until it is stopped.
    pub fn run(&mut self, poster: &mut dyn Post) {
        while !self.hook.stopped() {
            // A panic was logged.
            let done = catch_unwind(AssertUnwindSafe(|| self.step(poster)));
            if done.is_err() {
                poster.reset();
                let (spec, reloads) = self.hook.spec();
                self.failed(&spec, reloads, "an error in the module itself", None);
            }
            self.note_next();
        }
    }

    fn step(&mut self, poster: &mut dyn Post) {
        match self.pending.take() {
            None => self.fetch(),
            Some(pending) => {
                // It stays, whatever becomes of this try.
                let pending = self.pending.insert(pending);
                let event = pending.event.clone();
                let (spec, reloads) = self.hook.spec();
                let known = self.source.known(&spec.account, &event);
                let json = match known {
                    Some(Known::Event) if spec.with_record => {
                        self.source.json_with_record(&event, &self.subscription)
                    }
                    Some(Known::Event) => event.json(&self.subscription),
                    Some(Known::Hidden) => event.hidden_json(&self.subscription),
                    Some(Known::Nothing) => return self.pending = None,
                    // The module is going, and will tell.
                    None => return self.hook.wait(reloads, None),
                };
                crate::trip("webhook");
                let stop = self.hook.stop.clone();
                match poster.post(&spec, event.sequence, &json, &stop) {
                    PostOutcome::Delivered => self.delivered(&spec, &event),
                    PostOutcome::Gone => self.gone(&spec, reloads),
                    PostOutcome::Failed(why, after) => self.failed(&spec, reloads, &why, after),
                    PostOutcome::Stopped => {}
                }
            }
        }
    }

    /// Takes the next event that the receiver is to be told.
    fn fetch(&mut self) {
        match self.reader.next(1, Instant::now() + LONG) {
            News::Events(events) => {
                let known = &self.hidden;
                let news = |event: &Arc<Event>| !event.is_hidden() || !known.contains(&event.user);
                let event = events.into_iter().find(news);
                self.pending = event.map(|event| Pending {
                    event,
                    failed: None,
                    pause: FIRST_PAUSE,
                });
            }
            News::Missed(before) => {
                let (spec, _) = self.hook.spec();
                let from = self.reader.sequence() + 1;
                self.lose(&spec, (from, before), &LostEvents::Missed);
            }
            // Told to, or the module is going and will tell.
            News::Over => self.hook.wait(self.hook.spec().1, None),
        }
    }

    fn delivered(&mut self, spec: &Webhook, event: &Event) {
        let sequence = event.sequence;
        self.pending = None;
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
    fn failed(&mut self, spec: &Webhook, reloads: u64, why: &str, after: Option<Duration>) {
        let Some(pending) = &mut self.pending else {
            // Nothing was lost.
            return self.hook.wait(reloads, Some(Instant::now() + FIRST_PAUSE));
        };
        let now = Instant::now();
        let first = pending.failed.is_none();
        let end = *pending.failed.get_or_insert(now) + spec.retry_for;
        let sequence = pending.event.sequence;
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
            // Where the account has no user any more, it has no event either.
            let to = self
                .source
                .last_sequence(&spec.account)
                .unwrap_or(sequence)
                .max(sequence);
            return self.lose(spec, (sequence, to), &LostEvents::GivenUp(why));
        }
        self.hook.wait(reloads, Some((now + pause).min(end)));
    }

    /// Stops until the next reload.
    fn gone(&mut self, spec: &Webhook, reloads: u64) {
        let why = "the receiver is gone (HTTP status 410)";
        self.note(why);
        if let Some(pending) = &mut self.pending {
            pending.failed.get_or_insert_with(Instant::now);
            pending.pause = FIRST_PAUSE;
        }
        lost::report_stopped(&*self.source, spec, why);
        self.hook.wait(reloads, None);
    }

    /// Goes on after those events, which are not posted.
    fn lose(&mut self, spec: &Webhook, range: (u64, u64), lost: &LostEvents<'_>) {
        self.reader.skip_to(range.1);
        lost.report(&*self.source, spec, range);
    }

    /// Notes its position, for the thread that stops it.
    fn note_next(&self) {
        let pending = self.pending.as_ref();
        let next = pending.map_or(self.reader.sequence() + 1, |pending| pending.event.sequence);
        self.hook.state.lock().next = Some(next);
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
