//! The keeper: one thread that does what may wait for a disk.
//!
//! It writes statuses out to the addresses of extensions, keeps rows in AstDB, and
//! watches what time brings: the settle time, the end of timed statuses and of sessions, schedules. What waits for it is bounded by the number of users and
//! addresses, because each stands there once with its latest value.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use crate::asterisk::{astdb, function, log, stasis::Subscription};
use crate::door;
use crate::panels;
use crate::presence::address::{CUSTOM_LABEL, below};
use crate::presence::assignment::custom_presence;
use crate::presence::directory::UserId;
use crate::presence::row::{CLEAN, FAMILY};
use crate::presence::world::{Change, RowChange, Write};
use crate::presence::{Time, assignment};
use crate::schedules;

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

/// Rows and writes taken at a time, so that the lock is never held for long.
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
    while door::read(|world| world.writing_for(user)).unwrap_or(false) {
        if BATCH_DONE.wait_until(&mut batches, deadline).timed_out() {
            return;
        }
    }
}

/// The running keeper; dropping it lets it finish its work and stop.
#[must_use = "dropping it stops the keeper"]
pub struct Keeper {
    /// Says at its end whether everything was kept.
    thread: Option<JoinHandle<bool>>,
    /// Kept for the keeper's thread, which asks it whether its writes were seen.
    _subscription: std::sync::Arc<Subscription>,
}

impl Keeper {
    /// Starts the thread.
    ///
    /// # Errors
    /// When the system gives none.
    pub fn start(subscription: std::sync::Arc<Subscription>) -> std::io::Result<Self> {
        *SIGNAL.lock() = Signal {
            work: true,
            ..Signal::NONE
        };
        let seen = subscription.clone();
        let thread = std::thread::Builder::new().name("userpresence".into());
        let thread = thread.spawn(move || run(&seen))?;
        Ok(Keeper {
            thread: Some(thread),
            _subscription: subscription,
        })
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        door::stop_hearing();
        SIGNAL.lock().stop = true;
        WAKE.notify_one();
        // A panic in it was logged when it happened.
        let kept = self.thread.take().map(JoinHandle::join);
        if let Some(Ok(true)) = kept {
            // From here on nothing changes any more: the next load may go on counting.
            keep(&[mark("1")]);
        }
    }
}

/// The row that says whether the last stop was a clean one.
fn mark(clean: &str) -> RowChange {
    RowChange {
        key: CLEAN.into(),
        value: Some(clean.into()),
    }
}

/// How AstDB takes what it is given. It refuses everything while somebody else has
/// its file locked, a backup for example.
struct Rows {
    /// Whether it is noted that this run has not stopped cleanly yet.
    marked: bool,
    /// When it refused something: not to be asked before this again.
    again: Option<Time>,
}

/// How long AstDB is left alone after it refused a row.
const RETRY: Duration = Duration::from_secs(1);

/// At a stop it is asked this many times, [`LAST_RETRY`] apart.
const LAST_TRIES: u32 = 20;
const LAST_RETRY: Duration = Duration::from_millis(100);

impl Rows {
    /// Keeps what waits, up to [`BATCH`] rows; says whether there may be more.
    fn keep_some(&mut self) -> bool {
        if self.again.is_some_and(|again| Time::now() < again) {
            return false;
        }
        self.again = None;
        if !self.marked {
            self.marked = keep(&[mark("0")]) == 1;
        }
        let rows = match self.marked {
            true => door::serve(|world, _| (world.take_rows(BATCH), Vec::new())),
            false => None,
        };
        let rows = rows.unwrap_or_default();
        let kept = keep(&rows);
        if kept == rows.len() && self.marked {
            return !rows.is_empty();
        }
        // The refused one last: if it is that row alone, it holds up no other.
        let refused = rows[kept..].iter().take(1);
        let refused = rows[kept..].iter().skip(1).chain(refused);
        door::serve(|world, _| (world.put_back(refused), Vec::new()));
        self.again = Some(Time::now().after(RETRY));
        false
    }
}

/// Says whether everything was kept.
fn run(subscription: &Subscription) -> bool {
    let mut rows = Rows {
        marked: false,
        again: None,
    };
    let mut next = None;
    loop {
        let stop = sleep(next);
        // A panic was logged; the work after it goes on.
        let done = catch_unwind(AssertUnwindSafe(|| work(subscription, &mut rows)));
        let whole = done.is_ok();
        next = done.unwrap_or(None);
        if stop {
            return last_rows(&mut rows) && whole;
        }
    }
}

/// Does all that waits, and says when to look again.
fn work(subscription: &Subscription, rows: &mut Rows) -> Option<Time> {
    crate::trip("keeper");
    loop {
        log_out();
        // First what time brings: nobody wakes us for what is to be written out, kept
        // and published because of it.
        let now = Time::now();
        let times = [ends(), schedules::hear(now), settle(), panels::over(now)];
        let more = write_out(subscription);
        let more_rows = rows.keep_some();
        if !more && !more_rows {
            return times.into_iter().chain([rows.again]).flatten().min();
        }
    }
}

/// What AstDB has refused is tried for a little longer, then given up.
fn last_rows(rows: &mut Rows) -> bool {
    for _ in 0..LAST_TRIES {
        if rows.again.take().is_none() {
            return true;
        }
        std::thread::sleep(LAST_RETRY);
        while rows.keep_some() {}
    }
    log::warning("AstDB does not keep presence: what was set last is lost with this stop");
    false
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
        door::serve(|world, now| ((), world.apply(&Change::LoggedOut(&user), now)));
    }
}

/// Ends timed statuses. The clock may be set, so it is looked at now and then.
fn ends() -> Option<Time> {
    const AT_LEAST: Duration = Duration::from_secs(30);
    let next = door::serve(|world, now| {
        let (effects, next) = world.ended(now);
        (next.map(|next| next.min(now.after(AT_LEAST))), effects)
    });
    next.flatten()
}

fn settle() -> Option<Time> {
    door::serve(|world, now| {
        let (effects, next) = world.settled(now);
        (next, effects)
    })
    .flatten()
}

/// Writes statuses by the providers' own means, and confirms them once all events
/// that they caused were seen. Says whether there may be more.
fn write_out(subscription: &Subscription) -> bool {
    let writes = door::serve(|world, _| {
        let writes = std::iter::from_fn(|| world.take_write()).take(BATCH);
        (writes.collect::<Vec<_>>(), Vec::new())
    });
    let writes = writes.unwrap_or_default();
    if writes.is_empty() {
        return false;
    }
    let failed: Vec<&Write> = writes.iter().filter(|write| !write_one(write)).collect();
    subscription.catch_up();
    for write in &writes {
        door::serve(|world, now| ((), world.written(&write.address, now)));
    }
    for write in failed {
        // Its provider is not there: what we noted of it is not so.
        door::serve(
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
        door::complain_once("write", &write.address, || {
            let address = assignment::shown(&write.address);
            format!("'{address}' cannot be written and is skipped: {why}")
        });
    }
    written.is_ok()
}

/// Hands rows to AstDB up to the first that it refuses; says how many it took.
fn keep(rows: &[RowChange]) -> usize {
    let refused = rows.iter().position(|row| {
        let kept = match &row.value {
            Some(value) => astdb::put(FAMILY, &row.key, value),
            None => astdb::del(FAMILY, &row.key),
        };
        if let Err(why) = &kept {
            door::complain_once("AstDB", "", || {
                format!("AstDB does not keep presence, it is tried again: {why}")
            });
        }
        kept.is_err()
    });
    refused.unwrap_or(rows.len())
}
