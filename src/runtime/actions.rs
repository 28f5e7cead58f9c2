//! Carries out actions: one thread of its own, so that none ever runs on a thread of
//! Asterisk's, however long a function or a queue takes.
//!
//! What others call:
//! - [`ActionsWorker::start`] at the load, when everyone was announced; it reads what is kept
//!   of earlier runs. Dropping it finishes what waits, bounded in time, and leaves
//!   what is in force as it is: the next load goes on from there.
//! - [`everyone`] after that at the load, and after each reload: with every user who
//!   has blocks. What is in force for anybody else is undone.
//! - [`changed`] after each transition, outside of every lock.
//! - [`in_force`] and [`now`] for those who show it.
//!
//! None of them waits for an action. A user waits here at most once, with the latest
//! of him, and with what was before the first of his changes that waits.

mod backend;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use crate::runtime::store;
use asterisk::{astdb, log, system};
use backend::Asterisk;
use presence::actions::{Found, InForce, Person, Queue, Record, carry_out, shown_member};
use presence::model::status::Statuses;
use presence::world::stored::FAMILY;

/// Below this key of [`FAMILY`] stands the record of each user.
const KEYS: &str = "action/";

/// How long a stop goes on with what waits.
const LAST: Duration = Duration::from_secs(3);

/// How long after that it waits for the action that runs, before that is given up.
const GIVE_UP: Duration = Duration::from_secs(1);

/// How often it is looked whether Asterisk has loaded all its modules: queues and
/// functions are loaded after us.
const BOOT: Duration = Duration::from_millis(50);

/// Something to do for a user.
struct Order {
    name: Arc<str>,
    /// `None` to undo everything.
    person: Option<Box<Person>>,
    /// What a stop of Asterisk has undone is done again.
    fresh: bool,
    /// When its making began: what began later knows more.
    stamp: u64,
}

struct Waiting {
    /// Which thread it is for, see [`RUN`].
    run: u64,
    /// By lower-case name.
    orders: HashMap<String, Order>,
    queue: VecDeque<String>,
    /// Who is being served.
    busy: Option<Arc<str>>,
    /// The stamp of each user's last order.
    stamps: HashMap<String, u64>,
    stamp: u64,
    /// Whether the thread is there to take orders.
    open: bool,
    stop: Option<Instant>,
}

impl Waiting {
    /// Stamps of long ago say nothing any more: no order takes that long to be made.
    fn forget_stamps(&mut self) {
        const KEPT: u64 = 10_000;
        if self.stamps.len() as u64 > 2 * KEPT {
            let oldest = self.stamp.saturating_sub(KEPT);
            self.stamps.retain(|_, stamp| *stamp > oldest);
        }
    }
}

/// The number of the thread that may act. One that hangs in a function at a stop is
/// given up, and does nothing more when it comes back.
static RUN: AtomicU64 = AtomicU64::new(0);

static WAITING: Mutex<Option<Waiting>> = Mutex::new(None);
static WAKE: Condvar = Condvar::new();

/// What is in force, by lower-case name; with the name as it is in AstDB's key.
type Records = BTreeMap<String, (Arc<str>, Record)>;

static RECORDS: Mutex<Records> = Mutex::new(Records::new());

/// What was in force at the last unload: a row that says the same is our own.
static KNOWN: Mutex<Records> = Mutex::new(Records::new());

/// The running thread; dropping it lets it finish what waits, and stop.
#[must_use = "dropping it stops the thread"]
pub struct ActionsWorker(Option<JoinHandle<()>>);

impl ActionsWorker {
    /// Reads what is in force and starts the thread. It does nothing before Asterisk
    /// is fully booted.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start() -> std::io::Result<Self> {
        let records = read_records(std::mem::take(&mut *KNOWN.lock()));
        *RECORDS.lock() = records;
        let number = RUN.fetch_add(1, Ordering::AcqRel) + 1;
        *WAITING.lock() = Some(Waiting {
            run: number,
            orders: HashMap::new(),
            queue: VecDeque::new(),
            busy: None,
            stamps: HashMap::new(),
            stamp: 0,
            open: true,
            stop: None,
        });
        let thread = std::thread::Builder::new().name("userpresence-do".into());
        Ok(ActionsWorker(Some(thread.spawn(move || run(number))?)))
    }
}

impl Drop for ActionsWorker {
    fn drop(&mut self) {
        if let Some(waiting) = WAITING.lock().as_mut() {
            waiting.open = false;
            waiting.stop = Some(Instant::now() + LAST);
        }
        WAKE.notify_all();
        let end = Instant::now() + LAST + GIVE_UP;
        let mut waiting = WAITING.lock();
        while waiting.is_some() && !WAKE.wait_until(&mut waiting, end).timed_out() {}
        let finished = waiting.take().is_none();
        drop(waiting);
        if finished {
            // A panic in it was logged when it happened.
            let _ = self.0.take().map(JoinHandle::join);
        } else {
            RUN.fetch_add(1, Ordering::AcqRel);
            log::warning("An action does not come to its end, it is given up");
        }
        *KNOWN.lock() = std::mem::take(&mut *RECORDS.lock());
    }
}

/// The rows, as far as they are to be believed: those that this process has written are,
/// and of others what the configuration names. Anybody who can write AstDB can write rows.
fn read_records(known: Records) -> Records {
    let mut records = Records::new();
    let mut left: Vec<String> = Vec::new();
    for (key, value) in astdb::tree(FAMILY, KEYS) {
        let name = key.strip_prefix(KEYS).unwrap_or(&key);
        let Ok(mut record) = serde_json::from_str::<Record>(&value) else {
            log::warning(format_args!(
                "AstDB entry '{FAMILY}/{key}' cannot be read: the actions it tells of are \
                 not undone"
            ));
            continue;
        };
        let lower = name.to_ascii_lowercase();
        match known.get(&lower) {
            Some((_, ours)) if ours.says_the_same(&record) => record = ours.clone(),
            _ => {
                let person = store::read(|world| {
                    let user = world.directory().user(name)?;
                    let statuses = world.directory().settings.statuses();
                    Some(record.keep_named(Person::of(world, user).as_ref(), statuses))
                });
                let gone = person.flatten();
                let gone = gone.unwrap_or_else(|| record.keep_named(None, &Statuses::default()));
                left.extend(gone.into_iter().map(|target| format!("{name}: {target}")));
            }
        }
        if !record.is_empty() {
            records.insert(lower, (name.into(), record));
        } else if let Err(why) = astdb::del(FAMILY, &key) {
            log::warning(format_args!(
                "AstDB entry '{FAMILY}/{key}' cannot be deleted: {why}"
            ));
        }
    }
    if !left.is_empty() {
        const MOST: usize = 10;
        let more = match left.len().checked_sub(MOST) {
            None | Some(0) => String::new(),
            Some(more) => format!(" and {more} more"),
        };
        left.truncate(MOST);
        let left = left.join(", ").replace(char::is_control, "?");
        log::notice(format_args!(
            "What actions of an earlier run have set stays, because no action in the \
             configuration names it now: {left}{more}"
        ));
    }
    records
}

/// A user's status changed: `make` says what of him matters to actions, and is called
/// at once. `None` where there is nothing to do for him.
pub fn changed(make: impl FnOnce() -> Option<Person>) {
    let Some(stamp) = next_stamp() else {
        return;
    };
    if let Some(person) = make() {
        put([Order::of(person, false, stamp)]);
    }
}

/// Every user with blocks, at a load (`fresh`) and after a reload: their actions are
/// brought in line, without a change of theirs. What is in force for all others is
/// undone.
pub fn everyone(fresh: bool, make: impl FnOnce() -> Vec<Person>) {
    let Some(stamp) = next_stamp() else {
        return;
    };
    let people = make();
    let mut gone: BTreeMap<String, Arc<str>> = {
        let records = RECORDS.lock();
        let names = records
            .iter()
            .map(|(key, (name, _))| (key.clone(), name.clone()));
        names.collect()
    };
    // One who waits or is being served may be about to have something in force.
    if let Some(waiting) = WAITING.lock().as_ref() {
        let orders = waiting.orders.values().map(|order| &order.name);
        let names = orders.chain(&waiting.busy);
        gone.extend(names.map(|name| (name.to_ascii_lowercase(), name.clone())));
    }
    for person in &people {
        gone.remove(&person.user.to_ascii_lowercase());
    }
    let gone = gone.into_values().map(|name| Order::undo(&name, stamp));
    put(gone.chain(
        people
            .into_iter()
            .map(|person| Order::of(person, fresh, stamp)),
    ));
}

/// What is in force for each user, or for the one named, by name.
pub fn in_force(user: Option<&str>) -> Vec<(Arc<str>, Vec<InForce>)> {
    let records = RECORDS.lock();
    let wanted = records.values().filter(|(name, record)| {
        !record.is_empty() && user.is_none_or(|user| user.eq_ignore_ascii_case(name))
    });
    wanted
        .map(|(name, record)| (name.clone(), record.in_force()))
        .collect()
}

/// What is there now, for each of these. It asks Asterisk, and may take its time as
/// functions do: hold no lock.
pub fn now(done: &[InForce]) -> Vec<String> {
    let mut queues: HashMap<&str, Option<Vec<Queue>>> = HashMap::new();
    let mut of_queue = |queue: &str, interface| {
        let all = queues.entry(interface);
        let all = all.or_insert_with(|| backend::queues(interface).ok());
        let mut all = all.as_ref()?.iter();
        let queue = all.find(|known| known.name.eq_ignore_ascii_case(queue))?;
        Some(shown_member(queue.member.as_ref()))
    };
    let now = done.iter().map(|done| {
        let now = match &done.queue {
            Some((queue, interface)) => of_queue(queue, interface),
            None => backend::look(&done.target).map(Found::shown).ok(),
        };
        now.unwrap_or_else(|| Found::Unreadable.shown())
    });
    now.collect()
}

impl Order {
    fn of(person: Person, fresh: bool, stamp: u64) -> Self {
        Order {
            name: person.user.clone(),
            person: Some(Box::new(person)),
            fresh,
            stamp,
        }
    }

    fn undo(user: &str, stamp: u64) -> Self {
        Order {
            name: user.into(),
            person: None,
            fresh: false,
            stamp,
        }
    }
}

/// Says when the making of an order begins; `None` when the thread takes none.
fn next_stamp() -> Option<u64> {
    let mut waiting = WAITING.lock();
    let waiting = waiting.as_mut().filter(|waiting| waiting.open)?;
    waiting.stamp += 1;
    Some(waiting.stamp)
}

fn put(orders: impl IntoIterator<Item = Order>) {
    let mut guard = WAITING.lock();
    let Some(waiting) = guard.as_mut().filter(|waiting| waiting.open) else {
        return;
    };
    waiting.forget_stamps();
    for mut order in orders {
        let key = order.name.to_ascii_lowercase();
        let last = waiting.stamps.entry(key.clone()).or_default();
        if *last > order.stamp {
            if let Some(later) = waiting.orders.get_mut(&key) {
                later.fresh |= order.fresh;
            }
            continue;
        }
        *last = order.stamp;
        match waiting.orders.get_mut(&key) {
            Some(earlier) => {
                if let (Some(earlier), Some(person)) = (&earlier.person, &mut order.person) {
                    person.begin_with(earlier);
                }
                order.fresh |= earlier.fresh;
                *earlier = order;
            }
            None => {
                waiting.orders.insert(key.clone(), order);
                waiting.queue.push_back(key);
            }
        }
    }
    WAKE.notify_all();
}

fn run(number: u64) {
    // Also where a panic ends it.
    let _end = End(number);
    while !system::fully_booted() {
        let mut waiting = WAITING.lock();
        if waiting
            .as_ref()
            .is_none_or(|waiting| waiting.stop.is_some() || waiting.run != number)
        {
            return;
        }
        WAKE.wait_for(&mut waiting, BOOT);
    }
    while let Some(order) = next(number) {
        // A panic was logged; the users after this one have theirs done.
        let _ = catch_unwind(AssertUnwindSafe(|| act(&order, number)));
    }
}

/// Says that the thread is at its end.
struct End(u64);

impl Drop for End {
    fn drop(&mut self) {
        let mut waiting = WAITING.lock();
        if waiting
            .as_ref()
            .is_some_and(|waiting| waiting.run == self.0)
        {
            *waiting = None;
        }
        drop(waiting);
        WAKE.notify_all();
    }
}

/// The next order; `None` when it is time to stop.
fn next(number: u64) -> Option<Order> {
    let mut guard = WAITING.lock();
    loop {
        let waiting = guard.as_mut().filter(|waiting| waiting.run == number)?;
        waiting.busy = None;
        if let Some(stop) = waiting.stop {
            let left = waiting.queue.len();
            if left > 0 && Instant::now() >= stop {
                log::warning(format_args!(
                    "The actions of {left} users are left for the next load"
                ));
                return None;
            }
        }
        if let Some(key) = waiting.queue.pop_front() {
            if let Some(order) = waiting.orders.remove(&key) {
                waiting.busy = Some(order.name.clone());
                return Some(order);
            }
            continue;
        }
        if waiting.stop.is_some() {
            return None;
        }
        WAKE.wait(&mut guard);
    }
}

/// Waits, unless it is time to stop; says whether it is.
fn pause(time: Duration) -> bool {
    let mut guard = WAITING.lock();
    let stopping = |guard: &Option<Waiting>| {
        let waiting = guard.as_ref();
        waiting.is_none_or(|waiting| waiting.stop.is_some_and(|stop| Instant::now() >= stop))
    };
    let until = Instant::now() + time;
    while !stopping(&guard) {
        let stop = guard.as_ref().and_then(|waiting| waiting.stop);
        let until = stop.map_or(until, |stop| stop.min(until));
        if WAKE.wait_until(&mut guard, until).timed_out() {
            break;
        }
    }
    stopping(&guard)
}

fn act(order: &Order, run: u64) {
    crate::trip("action");
    let key = order.name.to_ascii_lowercase();
    let known = RECORDS.lock().get(&key).cloned();
    let (row, mut record) = known.unwrap_or_else(|| (order.name.clone(), Record::default()));
    let person = order.person.as_deref();
    let mut asterisk = Asterisk {
        user: &order.name,
        status: person.map_or(
            "none, the user is gone or has no actions any more",
            |person| person.chosen.new.name(),
        ),
        row: &row,
        key: &key,
        run,
    };
    carry_out(&mut record, person, order.fresh, &mut asterisk);
}
