//! The persister: one thread for work that may wait for a disk.
//!
//! It writes statuses to the addresses of extensions, stores rows in AstDB, and acts when a
//! time comes: the settle time, the end of timed statuses and of sessions, schedules. It reads the hints
//! if their spellings matter. Its
//! work is bounded by the number of users and addresses, because each waits at most once,
//! with its latest value.

mod rows;
pub(in crate::runtime) mod wakeup;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::Runtime;
use crate::sync::{Condvar, Mutex};
use presence::Time;
use presence::directory::UserId;
use presence::model::address::{CUSTOM_LABEL, below};
use presence::model::assignment::custom_presence;
use presence::model::text::quoted;
use presence::world::gone_users::{self, Gone};
use presence::world::stored::FAMILY;
use presence::world::{Change, Write};
use rows::Rows;
use wakeup::Wakeup;

/// Writes taken at a time, so that the lock is never held for long.
const BATCH: usize = 256;

/// The clock may be set, so the ends of timed statuses are looked at this often.
const LOOK_AT_LEAST: Duration = Duration::from_secs(30);

/// How often sequence numbers are looked at: they are reserved long before they are used up.
const LOOK_AT_SEQUENCES: Duration = Duration::from_secs(60);

/// The work that waits for the persister.
#[derive(Default)]
pub struct PersisterQueue {
    wakeup: Wakeup,
    /// Rises with each batch of writes that is done.
    batches: Mutex<u64>,
    batch_done: Condvar,
    /// Held while rows are on their way to AstDB, which calls nobody back. Only the
    /// persister and a reload take it.
    on_way: Mutex<()>,
    /// Whether rows of removed users are to be looked through.
    tidy: AtomicBool,
    /// When sequence numbers were looked at.
    looked: Mutex<Option<Instant>>,
    /// Users of panels whose session has ended. There are never more of them than sessions
    /// that have logged a user in.
    panels_gone: Mutex<Vec<String>>,
}

/// The running thread; dropping it lets it finish its work and stop.
#[must_use = "dropping it stops the persister"]
pub struct Persister {
    runtime: Arc<Runtime>,
    thread: Option<JoinHandle<()>>,
}

impl Persister {
    /// Starts the thread.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn start(runtime: Arc<Runtime>) -> std::io::Result<Self> {
        runtime.persister.wakeup.begin();
        runtime.persister.tidy.store(true, Ordering::Relaxed);
        let thread = std::thread::Builder::new().name("userpresence".into());
        let mine = runtime.clone();
        let thread = Some(thread.spawn(move || mine.persist())?);
        Ok(Persister { runtime, thread })
    }
}

impl Drop for Persister {
    fn drop(&mut self) {
        self.runtime.stop_listening();
        self.runtime.persister.wakeup.stop();
        // A panic in it was logged when it happened.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

impl Runtime {
    /// Wakes the persister; work that is not urgent may gather for a moment.
    pub fn wake_persister(&self, urgent: bool) {
        self.persister.wakeup.wake(urgent);
    }

    /// Waits until the user's status is written out, at most until the deadline.
    pub(super) fn wait_for_writes(&self, user: UserId, deadline: Instant) {
        let queue = &self.persister;
        let mut batches = queue.batches.lock();
        while self.read(|world| world.writing_for(user)).unwrap_or(false) {
            let woken = queue.batch_done.wait_until(&mut batches, deadline);
            if woken.timed_out() {
                return;
            }
        }
    }

    /// Looks at rows while none is on its way: each is in AstDB or waits in the world.
    pub(super) fn while_rows_rest<T>(&self, look: impl FnOnce() -> T) -> T {
        let _none = self.persister.on_way.lock();
        look()
    }

    /// Has rows dropped that were kept of removed users for long enough.
    pub(super) fn tidy_rows(&self) {
        self.persister.tidy.store(true, Ordering::Relaxed);
        self.wake_persister(true);
    }

    /// A panel of this user's has ended: the persister logs the user out.
    pub fn panel_gone(&self, user: &str) {
        self.persister.panels_gone.lock().push(user.to_owned());
        self.wake_persister(true);
    }

    /// Rows of removed users: the key, and since when; `None` where that cannot be read.
    pub(super) fn gone_rows(&self) -> Vec<(String, Option<Gone>)> {
        let rows = self.host().tree(FAMILY, gone_users::PREFIX).into_iter();
        let rows = rows.filter_map(|(key, value)| {
            let key = key.strip_prefix(gone_users::PREFIX)?.to_owned();
            Some((key, Gone::parse(&value)))
        });
        rows.collect()
    }

    /// The thread.
    fn persist(&self) {
        let mut rows = Rows::default();
        let mut next = None;
        loop {
            let stop = self.persister.wakeup.sleep(next.map(|next| self.due(next)));
            // A panic was logged; the work after it goes on.
            let done = catch_unwind(AssertUnwindSafe(|| self.work(&mut rows)));
            next = done.unwrap_or(None);
            if stop {
                rows.finish(self);
                return;
            }
        }
    }

    /// Does all work that waits; returns when to look again.
    fn work(&self, rows: &mut Rows) -> Option<Time> {
        crate::trip("keeper");
        self.keep_sequence_numbers();
        loop {
            self.log_out_gone_panels();
            self.drop_old_rows();
            // First what time brings: the rows and writes that follow from it are not
            // announced by a wake-up.
            let now = self.now();
            let times = [
                self.end_timed_statuses(),
                self.evaluate_schedules(now),
                self.settle(),
                self.check_functions(),
                self.end_sessions(),
                self.follow_spellings(),
            ];
            let more = self.write_out(rows);
            let more_rows = rows.store_some(self);
            let lost = rows.confirm_some(self);
            if !more && !more_rows && !lost {
                return times.into_iter().chain([rows.next(now)]).flatten().min();
            }
        }
    }

    /// The instant of a time that lies ahead, or now.
    fn due(&self, time: Time) -> Instant {
        let left = time.micros().saturating_sub(self.now().micros());
        Instant::now() + Duration::from_micros(left)
    }

    fn keep_sequence_numbers(&self) {
        let mut looked = self.persister.looked.lock();
        if looked.is_some_and(|looked| looked.elapsed() < LOOK_AT_SEQUENCES) {
            return;
        }
        *looked = Some(Instant::now());
        drop(looked);
        let numbers = self.read(|world| {
            let numbers = world.account_sequences();
            let numbers = numbers.map(|(account, last)| (account.to_owned(), last));
            numbers.collect::<Vec<_>>()
        });
        let numbers = numbers.iter().flatten();
        self.keep_sequences_ahead(numbers.map(|(account, last)| (account.as_str(), *last)));
    }

    fn log_out_gone_panels(&self) {
        let gone = std::mem::take(&mut *self.persister.panels_gone.lock());
        for user in gone {
            self.update_always(|world, now| ((), world.apply(&Change::LoggedOut(&user), now)));
        }
    }

    fn drop_old_rows(&self) {
        if self.persister.tidy.swap(false, Ordering::Relaxed) {
            let gone = self.gone_rows();
            self.update_always(|world, now| {
                world.drop_old(&gone, now);
                ((), Vec::new())
            });
        }
    }

    fn end_timed_statuses(&self) -> Option<Time> {
        let next = self.update_always(|world, now| {
            let (effects, next) = world.end_due_statuses(now);
            (next.map(|next| next.min(now.after(LOOK_AT_LEAST))), effects)
        });
        next.flatten()
    }

    fn settle(&self) -> Option<Time> {
        let next = self.update_always(|world, now| {
            let (effects, next) = world.publish_settled(now);
            (next, effects)
        });
        next.flatten()
    }

    /// Writes statuses by the providers' own means, and confirms them once all events that
    /// they caused were received. Returns whether there may be more.
    fn write_out(&self, rows: &mut Rows) -> bool {
        let writes = self.update_always(|world, _| {
            let writes = std::iter::from_fn(|| world.take_write()).take(BATCH);
            (writes.collect::<Vec<_>>(), Vec::new())
        });
        let writes = writes.unwrap_or_default();
        if writes.is_empty() {
            return false;
        }
        let (written, failed): (Vec<&Write>, _) =
            writes.iter().partition(|write| self.write_one(write));
        self.host().catch_up();
        for write in &writes {
            self.update_always(|world, now| ((), world.confirm_write(&write.address, now)));
        }
        written.into_iter().for_each(|write| rows.written(write));
        for write in failed {
            // Its provider is not there: the world's note of it is wrong.
            self.update_always(
                |world, now| match world.directory().source(&write.address) {
                    Some(source) => ((), world.apply(&Change::Lost(source), now)),
                    None => ((), Vec::new()),
                },
            );
        }
        *self.persister.batches.lock() += 1;
        self.persister.batch_done.notify_all();
        true
    }

    /// Returns whether it could be written.
    fn write_one(&self, write: &Write) -> bool {
        debug_assert!(below(&write.address, CUSTOM_LABEL).is_some());
        let function = format!("PRESENCE_STATE({})", write.address);
        let value = custom_presence(&write.presence);
        let written = self.host().set_function(&function, &value);
        if let Err(why) = &written {
            self.warn_once("write", &write.address, || {
                let address = quoted(&write.address);
                format!("'{address}' cannot be written and is skipped: {why}")
            });
        }
        written.is_ok()
    }
}

/// Wakes the persister, see [`Runtime::wake_persister`].
pub fn wake(urgent: bool) {
    super::with(|runtime| runtime.wake_persister(urgent));
}

/// A panel has ended, see [`Runtime::panel_gone`].
pub fn panel_gone(user: &str) {
    super::with(|runtime| runtime.panel_gone(user));
}
