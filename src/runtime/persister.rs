//! The keeper: one thread that does what may wait for a disk.
//!
//! It writes statuses out to the addresses of extensions, keeps rows in AstDB, and
//! watches what time brings: the settle time, the end of timed statuses and
//! of sessions, schedules. What
//! waits for it is bounded by the number of users and addresses, because each is there
//! once with its latest value.

mod rows;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use crate::runtime::functions;
use crate::runtime::panels;
use crate::runtime::schedules;
use crate::runtime::sequences;
use crate::runtime::store;
use asterisk::{astdb, function, stasis::Subscription};
use presence::Time;
use presence::directory::UserId;
use presence::model::address::{CUSTOM_LABEL, below};
use presence::model::assignment::custom_presence;
use presence::world::gone_users::{self, Gone};
use presence::world::stored::FAMILY;
use presence::world::{Change, Write};
use rows::Rows;

/// What the thread is told. Rows may wait a little, so that a storm of changes does
/// not wake it for each.
struct Signal {
    /// There is something to do.
    work: bool,
    /// And it cannot wait.
    urgent: bool,
    /// The thread sleeps until it is woken.
    idle: bool,
    stop: bool,
}

impl Signal {
    const NONE: Signal = Signal {
        work: false,
        urgent: false,
        idle: false,
        stop: false,
    };
}

static SIGNAL: Mutex<Signal> = Mutex::new(Signal::NONE);
static WAKE: Condvar = Condvar::new();

/// How long rows gather before they are handed to AstDB.
const GATHER: Duration = Duration::from_millis(10);

/// Rises with each batch of writes that is through.
static BATCHES: Mutex<u64> = Mutex::new(0);
static BATCH_DONE: Condvar = Condvar::new();

/// Writes taken at a time, so that the lock is never held for long.
const BATCH: usize = 256;

/// Says that there is work; what is not urgent may wait for [`GATHER`].
pub fn wake(urgent: bool) {
    let mut signal = SIGNAL.lock();
    signal.work = true;
    if std::mem::take(&mut signal.idle) || (urgent && !signal.urgent) {
        WAKE.notify_one();
    }
    signal.urgent |= urgent;
}

/// Waits until the user's status is written out, at most until the deadline.
pub fn wait_for_writes(user: UserId, deadline: Instant) {
    let mut batches = BATCHES.lock();
    while store::read(|world| world.writing_for(user)).unwrap_or(false) {
        if BATCH_DONE.wait_until(&mut batches, deadline).timed_out() {
            return;
        }
    }
}

/// Held while rows are on their way to AstDB, which calls nobody back. Only the keeper and
/// a reload take it.
static ON_WAY: Mutex<()> = Mutex::new(());

/// Looks at rows while none is on its way: each is in AstDB or waits in the world.
pub fn settled<T>(look: impl FnOnce() -> T) -> T {
    let _none = ON_WAY.lock();
    look()
}

/// Whether what is stored of those who are gone is to be looked through.
static TIDY: AtomicBool = AtomicBool::new(false);

/// Has what has been kept for long enough dropped.
pub fn tidy() {
    TIDY.store(true, Ordering::Relaxed);
    wake(true);
}

/// Since when rows are nobody's, by the key of the row; `None` where that cannot be read.
pub fn gone_rows() -> Vec<(String, Option<Gone>)> {
    let rows = astdb::tree(FAMILY, gone_users::PREFIX).into_iter();
    let rows = rows.filter_map(|(key, value)| {
        let key = key.strip_prefix(gone_users::PREFIX)?.to_owned();
        Some((key, Gone::parse(&value)))
    });
    rows.collect()
}

fn drop_old_rows() {
    if TIDY.swap(false, Ordering::Relaxed) {
        let gone = gone_rows();
        store::update_always(|world, now| {
            world.drop_old(&gone, now);
            ((), Vec::new())
        });
    }
}

/// The running keeper; dropping it lets it finish its work and stop.
#[must_use = "dropping it stops the keeper"]
pub struct Persister {
    thread: Option<JoinHandle<()>>,
    /// Kept for the keeper's thread, which asks it whether its writes were seen.
    _subscription: std::sync::Arc<Subscription>,
}

impl Persister {
    /// Starts the thread.
    ///
    /// # Errors
    /// When the system gives none.
    pub fn start(subscription: std::sync::Arc<Subscription>) -> std::io::Result<Self> {
        *SIGNAL.lock() = Signal {
            work: true,
            ..Signal::NONE
        };
        TIDY.store(true, Ordering::Relaxed);
        let seen = subscription.clone();
        let thread = std::thread::Builder::new().name("userpresence".into());
        let thread = thread.spawn(move || run(&seen))?;
        Ok(Persister {
            thread: Some(thread),
            _subscription: subscription,
        })
    }
}

impl Drop for Persister {
    fn drop(&mut self) {
        store::stop_listening();
        SIGNAL.lock().stop = true;
        WAKE.notify_one();
        // A panic in it was logged when it happened.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

fn run(subscription: &Subscription) {
    let mut rows = Rows::default();
    let mut next = None;
    loop {
        let stop = sleep(next);
        // A panic was logged; the work after it goes on.
        let done = catch_unwind(AssertUnwindSafe(|| work(subscription, &mut rows)));
        next = done.unwrap_or(None);
        if stop {
            rows.finish(subscription, |rows| write_out(subscription, rows));
            return;
        }
    }
}

/// Does all that waits, and says when to look again.
fn work(subscription: &Subscription, rows: &mut Rows) -> Option<Time> {
    crate::trip("keeper");
    keep_numbers_ahead();
    loop {
        log_out();
        drop_old_rows();
        // First what time brings: nobody wakes us for what is to be written out, kept
        // and published because of it.
        let now = Time::now();
        let times = [
            ends(),
            schedules::hear(now),
            settle(),
            functions::check(),
            panels::over(now),
        ];
        let more = write_out(subscription, rows);
        let more_rows = rows.keep_some();
        let lost = rows.confirm_some(subscription);
        if !more && !more_rows && !lost {
            return times.into_iter().chain([rows.next()]).flatten().min();
        }
    }
}

/// Reserves more sequence numbers long before they are used up: to look once a minute is
/// more than enough.
fn keep_numbers_ahead() {
    static LOOKED: Mutex<Option<Instant>> = Mutex::new(None);
    const EACH: Duration = Duration::from_secs(60);
    let mut looked = LOOKED.lock();
    if looked.is_some_and(|looked| looked.elapsed() < EACH) {
        return;
    }
    *looked = Some(Instant::now());
    drop(looked);
    let numbers = store::read(|world| {
        let numbers = world.account_sequences();
        let numbers = numbers.map(|(account, last)| (account.to_owned(), last));
        numbers.collect::<Vec<_>>()
    });
    let numbers = numbers.iter().flatten();
    sequences::keep_ahead(numbers.map(|(account, last)| (account.as_str(), *last)));
}

/// Sleeps until there is work or until `next`; says whether to stop.
fn sleep(next: Option<Time>) -> bool {
    let gathered = Instant::now() + GATHER;
    let left =
        next.map(|next| Duration::from_micros(next.micros().saturating_sub(Time::now().micros())));
    let due = left.map(|left| Instant::now() + left);
    let mut signal = SIGNAL.lock();
    while !signal.urgent && !signal.stop {
        let now = Instant::now();
        if due.is_some_and(|due| due <= now) || (signal.work && gathered <= now) {
            break;
        }
        let until = match signal.work {
            true => Some(due.map_or(gathered, |due| due.min(gathered))),
            false => due,
        };
        signal.idle = !signal.work;
        match until {
            Some(until) => drop(WAKE.wait_until(&mut signal, until)),
            None => WAKE.wait(&mut signal),
        }
        signal.idle = false;
    }
    (signal.work, signal.urgent) = (false, false);
    signal.stop
}

/// Panels whose session has ended: whoever notices can do no more than note it.
static GONE: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// Notes that a panel of this user's is gone. There are never more of them than sessions
/// that have logged somebody in.
pub fn panel_gone(user: &str) {
    GONE.lock().push(user.to_owned());
    wake(true);
}

fn log_out() {
    let gone = std::mem::take(&mut *GONE.lock());
    for user in gone {
        store::update_always(|world, now| ((), world.apply(&Change::LoggedOut(&user), now)));
    }
}

/// Ends timed statuses. The clock may be set, so it is looked at now and then.
fn ends() -> Option<Time> {
    const AT_LEAST: Duration = Duration::from_secs(30);
    let next = store::update_always(|world, now| {
        let (effects, next) = world.ended(now);
        (next.map(|next| next.min(now.after(AT_LEAST))), effects)
    });
    next.flatten()
}

fn settle() -> Option<Time> {
    store::update_always(|world, now| {
        let (effects, next) = world.settled(now);
        (next, effects)
    })
    .flatten()
}

/// Writes statuses by the providers' own means, and confirms them once all events
/// that they caused were seen. Says whether there may be more.
fn write_out(subscription: &Subscription, rows: &mut Rows) -> bool {
    let writes = store::update_always(|world, _| {
        let writes = std::iter::from_fn(|| world.take_write()).take(BATCH);
        (writes.collect::<Vec<_>>(), Vec::new())
    });
    let writes = writes.unwrap_or_default();
    if writes.is_empty() {
        return false;
    }
    let (written, failed): (Vec<&Write>, _) = writes.iter().partition(|write| write_one(write));
    subscription.catch_up();
    for write in &writes {
        store::update_always(|world, now| ((), world.written(&write.address, now)));
    }
    written.into_iter().for_each(|write| rows.written(write));
    for write in failed {
        // Its provider is not there: what we noted of it is not so.
        store::update_always(
            |world, now| match world.directory().source(&write.address) {
                Some(source) => ((), world.apply(&Change::Lost(source), now)),
                None => ((), Vec::new()),
            },
        );
    }
    *BATCHES.lock() += 1;
    BATCH_DONE.notify_all();
    true
}

/// Says whether it could be written.
fn write_one(write: &Write) -> bool {
    debug_assert!(below(&write.address, CUSTOM_LABEL).is_some());
    let function = format!("PRESENCE_STATE({})", write.address);
    let written = function::set(&function, &custom_presence(&write.presence));
    if let Err(why) = &written {
        store::warn_once("write", &write.address, || {
            let address = presence::model::text::quoted(&write.address);
            format!("'{address}' cannot be written and is skipped: {why}")
        });
    }
    written.is_ok()
}
