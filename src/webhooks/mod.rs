//! Webhooks: an account's events, posted one after the other to where the configuration
//! says.
//!
//! Each webhook has a thread of its own, which reads the account's events at its own pace:
//! the journal is the queue, and it is bounded. So a receiver that is slow, or gone, holds
//! up neither Asterisk nor another webhook. An event is posted until it is taken; what
//! comes after it waits. After `retry_for` it is given up with all that waits behind it.

mod lost;
#[cfg(all(test, feature = "loom"))]
mod models;
#[cfg(all(feature = "asterisk", not(test)))]
pub mod post;
mod source;
#[cfg(all(test, not(feature = "loom")))]
mod tests;
mod turn;
mod worker;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::sync::{Condvar, Mutex};

use lost::LostEvents;
use presence::Time;
use presence::config::Webhook;
pub use source::{EventReader, EventSource, Known, News, Subscribed};
pub use turn::{Acknowledged, Posting, Resumed};
use worker::Worker;

/// How long a stop waits for the threads. One that the system's resolver keeps for longer
/// is left to itself: it does nothing more when it comes back.
const STOP: Duration = Duration::from_secs(1);

/// One webhook, as its thread and all others know it.
struct Hook {
    stop: Arc<AtomicBool>,
    state: Mutex<HookState>,
    /// Tells the thread that it has to look at `stop` or `state`, and others that it has
    /// ended.
    news: Condvar,
}

/// How a webhook is doing, for its thread and all others.
struct HookState {
    spec: Arc<Webhook>,
    /// Rises with each reload, and when the node that posts may be another one.
    wakes: u64,
    ended: bool,
    position: Option<Position>,
    shown: Shown,
}

/// How far a webhook is; none before it begins.
#[derive(Clone, Copy, Debug)]
struct Position {
    /// The number of the event that is to be posted next.
    next: u64,
    /// The receiver needs nothing more of what had happened then.
    until: Time,
    /// The turn in which this node posts; `None` before the first.
    turn: Option<u64>,
}

impl Position {
    /// Whether this node posts now, and the worker goes by that.
    fn is_current(&self, source: &dyn EventSource) -> bool {
        matches!(source.posting(), Posting::Here(turn) if self.turn == Some(turn))
    }
}

/// How a webhook is doing.
#[derive(Clone, Default)]
pub struct Shown {
    /// How many events were delivered.
    pub delivered: u64,
    /// The number of the last one; 0 for none.
    pub last: u64,
    /// Since when the next one cannot be delivered.
    pub failing: Option<Time>,
    /// What failed last; empty when nothing has since the last delivery.
    pub error: String,
}

/// How a post ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum PostOutcome {
    /// The receiver has it.
    Delivered,
    /// The receiver wants no more events, ever.
    Gone,
    /// It may be tried again, after the time that the receiver asks for.
    Failed(String, Option<Duration>),
    /// The webhook has to stop.
    Stopped,
}

/// What is posted.
#[derive(Clone, Copy, Debug)]
pub struct PostedEvent<'a> {
    /// The event's number in its account.
    pub sequence: u64,
    /// The node that has given the number; `None` on a server of its own.
    pub node: Option<&'a str>,
    /// The event.
    pub json: &'a str,
}

/// Posts events, and keeps its connection for the next one.
pub trait Post {
    /// Posts an event. It ends soon after `stop` is set.
    fn post(&mut self, spec: &Webhook, event: &PostedEvent<'_>, stop: &AtomicBool) -> PostOutcome;

    /// Begins anew with another connection.
    fn reset(&mut self);
}

/// Makes a poster for a thread.
pub type MakePoster = fn() -> Box<dyn Post>;

/// The webhooks that run.
pub struct Webhooks {
    poster: MakePoster,
    running: Mutex<WebhookList>,
}

#[derive(Default)]
struct WebhookList {
    list: Vec<RunningWebhook>,
    /// Whether they were stopped: no other may start.
    stopped: bool,
    /// How far each was when it was stopped, by name.
    left: Vec<(Arc<str>, Acknowledged)>,
}

struct RunningWebhook {
    hook: Arc<Hook>,
    thread: JoinHandle<()>,
}

impl Webhooks {
    /// No webhook yet; each will have such a poster.
    pub fn new(poster: MakePoster) -> Self {
        Webhooks {
            poster,
            running: Mutex::default(),
        }
    }

    /// Starts them: each with the next event.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn start(
        &self,
        specs: &[Arc<Webhook>],
        source: &Arc<dyn EventSource>,
    ) -> std::io::Result<()> {
        let mut running = self.running.lock();
        for spec in specs {
            let one = RunningWebhook::start(spec.clone(), source.clone(), self.poster, false);
            running.list.push(one?);
        }
        Ok(())
    }

    /// Stops all of them.
    pub fn stop(&self, source: &dyn EventSource) {
        let mut running = self.running.lock();
        running.stopped = true;
        let all = std::mem::take(&mut running.list);
        drop(running);
        let hooks: Vec<_> = all.iter().map(|one| one.hook.clone()).collect();
        // In a cluster the next keeper posts what is left, or this node after its next start.
        let is_alone = source.posting() == Posting::Here(0);
        stop(all, source, is_alone);
        let left = hooks.iter().filter_map(|hook| hook.acknowledged(source));
        let left = left.collect();
        self.running.lock().left = left;
    }

    /// The node that posts may be another one: each webhook looks.
    pub fn posting_changed(&self) {
        for one in &self.running.lock().list {
            one.hook.wake();
        }
    }

    /// How far the receiver of each webhook is, by name, for the next node that posts. Empty
    /// while another node does.
    pub fn acknowledged(&self, source: &dyn EventSource) -> Vec<(Arc<str>, Acknowledged)> {
        let hooks: Vec<_> = {
            let running = self.running.lock();
            if running.stopped {
                return running.left.clone();
            }
            running.list.iter().map(|one| one.hook.clone()).collect()
        };
        let all = hooks.iter().filter_map(|hook| hook.acknowledged(source));
        all.collect()
    }

    /// Takes over a new configuration. A webhook of the same name and account goes on where
    /// it is; one that its receiver had ended tries again; a new one begins with the next
    /// event.
    pub fn reconfigure(&self, specs: &[Arc<Webhook>], source: &Arc<dyn EventSource>) {
        let (mut gone, mut failed) = (Vec::new(), Vec::new());
        {
            let mut running = self.running.lock();
            if running.stopped {
                return;
            }
            let running = &mut running.list;
            let old = std::mem::take(running);
            for one in old {
                let known = one.hook.state.lock().spec.clone();
                let same = |spec: &&Arc<Webhook>| {
                    spec.name.eq_ignore_ascii_case(&known.name) && spec.account == known.account
                };
                match specs.iter().find(same) {
                    Some(spec) => {
                        one.hook.reload(spec.clone());
                        running.push(one);
                    }
                    None => gone.push(one),
                }
            }
            for spec in specs {
                let is_running = running.iter().any(|one| {
                    let state = one.hook.state.lock();
                    state.spec.name == spec.name
                });
                if is_running {
                    continue;
                }
                match RunningWebhook::start(spec.clone(), source.clone(), self.poster, true) {
                    Ok(one) => running.push(one),
                    Err(why) => failed.push((spec, why)),
                }
            }
        }
        stop(gone, &**source, true);
        for (spec, why) in failed {
            log::error!(
                "Webhook '{}' gets no thread, its events are not posted: {why}",
                spec.name
            );
        }
    }

    /// Every webhook and how it is doing, by name.
    pub fn show(&self) -> Vec<(Arc<Webhook>, Shown)> {
        let running = self.running.lock();
        let all = running.list.iter().map(|one| {
            let state = one.hook.state.lock();
            (state.spec.clone(), state.shown.clone())
        });
        let mut all: Vec<_> = all.collect();
        all.sort_by(|(one, _), (other, _)| one.name.cmp(&other.name));
        all
    }
}

impl RunningWebhook {
    /// `is_new`: a reload has added it, so that it begins with the next event where this node
    /// posts, whatever is known of an earlier webhook of that name.
    fn start(
        spec: Arc<Webhook>,
        source: Arc<dyn EventSource>,
        poster: MakePoster,
        is_new: bool,
    ) -> std::io::Result<Self> {
        let hook = Arc::new(Hook {
            stop: Arc::default(),
            state: Mutex::new(HookState {
                spec,
                wakes: 0,
                ended: false,
                position: None,
                shown: Shown::default(),
            }),
            news: Condvar::new(),
        });
        let mine = hook.clone();
        // Here and not in the thread: events from now on are posted.
        let worker = Worker::new(mine.clone(), source, is_new);
        let thread = std::thread::Builder::new().name("userpresence-wh".into());
        let thread = thread.spawn(move || {
            let _ended = Ended(mine);
            if let Some(mut worker) = worker {
                worker.run(&mut *poster());
            }
        })?;
        Ok(RunningWebhook { hook, thread })
    }
}

/// Says at its end that a thread has ended, also by a panic.
struct Ended(Arc<Hook>);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.end();
    }
}

impl Hook {
    fn stopped(&self) -> bool {
        self.stop.load(Ordering::Acquire)
    }

    fn request_stop(&self) {
        // Under the lock: a thread that has just looked waits before it is woken.
        let _state = self.state.lock();
        self.stop.store(true, Ordering::Release);
        self.news.notify_all();
    }

    /// The thread has ended.
    fn end(&self) {
        self.state.lock().ended = true;
        self.news.notify_all();
    }

    fn spec(&self) -> (Arc<Webhook>, u64) {
        let state = self.state.lock();
        (state.spec.clone(), state.wakes)
    }

    /// How far the receiver is; `None` while this node does not post, and on a server of its own.
    fn acknowledged(&self, source: &dyn EventSource) -> Option<(Arc<str>, Acknowledged)> {
        let (spec, _) = self.spec();
        // In this order: what is numbered after that had not happened at that time.
        let now = source.now();
        let last = source.last_sequence(&spec.account)?;
        let position = self.state.lock().position?;
        if !position.is_current(source) {
            return None;
        }
        let until = match position.next > last {
            true => now,
            false => position.until,
        };
        let far = source.acknowledged(&spec, until, position.next.saturating_sub(1))?;
        Some((spec.name.clone(), far))
    }

    fn reload(&self, spec: Arc<Webhook>) {
        let mut state = self.state.lock();
        state.spec = spec;
        state.wakes += 1;
        self.news.notify_all();
    }

    /// The thread looks again which node posts.
    fn wake(&self) {
        self.state.lock().wakes += 1;
        self.news.notify_all();
    }

    /// Waits until the deadline, a stop, or a wake after the one of that number.
    fn wait(&self, wakes: u64, deadline: Option<Instant>) {
        let mut state = self.state.lock();
        while !self.stopped() && state.wakes == wakes {
            match deadline {
                None => self.news.wait(&mut state),
                Some(deadline) => {
                    if self.news.wait_until(&mut state, deadline).timed_out() {
                        return;
                    }
                }
            }
        }
    }
}

/// Stops those, all at a time; `tells`: what they have not posted is reported.
fn stop(all: Vec<RunningWebhook>, source: &dyn EventSource, tells: bool) {
    for one in &all {
        one.hook.request_stop();
    }
    source.wake();
    let deadline = Instant::now() + STOP;
    for one in all {
        let mut state = one.hook.state.lock();
        while !state.ended && !one.hook.news.wait_until(&mut state, deadline).timed_out() {}
        let (ended, position, spec) = (state.ended, state.position, state.spec.clone());
        drop(state);
        if ended {
            // A panic in it was logged when it happened.
            let _ = one.thread.join();
        }
        // Here and not in the thread, which may never come back. Where the account has no
        // user any more, nothing of it is to be posted.
        let position = position.filter(|position| tells && position.is_current(source));
        let next = position.map(|position| position.next);
        let range = next.zip(source.last_sequence(&spec.account));
        if let Some(range) = range.filter(|(next, last)| next <= last) {
            LostEvents::Stopped.report(source, &spec, range);
        }
    }
}
