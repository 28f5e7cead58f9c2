//! The actions worker: one thread of its own, so that no action ever runs on a thread of
//! Asterisk's, however long a function or a queue takes.
//!
//! A user waits at most once for it, with their latest status. No caller waits for an
//! action.

mod backend;
pub(in crate::runtime) mod follow_dnd;
pub(in crate::runtime) mod queue;

use std::collections::{BTreeMap, HashMap};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::Runtime;
use crate::sync::Mutex;
use backend::AsteriskBackend;
use presence::actions::{
    ActionRecord, InForce, Person, QueueMembership, TargetValue, carry_out, describe_member,
};
use presence::model::status::Statuses;
use presence::world::stored::FAMILY;
pub use queue::OrderQueue;
use queue::{ActionOrder, Task};

/// The record of each user is below this key of [`FAMILY`].
const KEYS: &str = "action/";

/// How long a stop goes on with the orders that wait.
const LAST: Duration = Duration::from_secs(3);

/// How long after that it waits for the action that runs, before the worker is given up.
const GIVE_UP: Duration = Duration::from_secs(1);

/// How often the worker looks whether Asterisk has loaded all its modules: queues and
/// functions are loaded after this module.
const BOOT: Duration = Duration::from_millis(50);

/// The actions in force, by lower-case name of the user; with the name as it is in AstDB's
/// key.
pub type Records = BTreeMap<String, (Arc<str>, ActionRecord)>;

/// The orders that wait, and the actions in force.
#[derive(Default)]
pub struct ActionQueue {
    orders: OrderQueue,
    records: Mutex<Records>,
    /// What FreePBX's do not disturb and the status were when they last agreed.
    agreements: follow_dnd::Agreements,
}

/// The running thread; dropping it lets it finish what waits, bounded in time, and stop.
/// Actions in force stay: the next load goes on from there.
#[must_use = "dropping it stops the worker"]
pub struct ActionsWorker {
    runtime: Arc<Runtime>,
    thread: Option<JoinHandle<()>>,
}

impl ActionsWorker {
    /// Reads the actions in force and starts the thread, which does nothing before Asterisk
    /// is fully booted.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn start(runtime: Arc<Runtime>) -> std::io::Result<Self> {
        let known = std::mem::take(&mut *runtime.kept.records.lock());
        let records = runtime.read_records(known);
        *runtime.actions.records.lock() = records;
        runtime.read_agreements();
        runtime.actions.orders.open();
        let thread = std::thread::Builder::new().name("userpresence-do".into());
        let mine = runtime.clone();
        let thread = Some(thread.spawn(move || mine.carry_out_orders())?);
        Ok(ActionsWorker { runtime, thread })
    }
}

impl Drop for ActionsWorker {
    fn drop(&mut self) {
        let actions = &self.runtime.actions;
        let stop = Instant::now() + LAST;
        if actions.orders.stop(stop, stop + GIVE_UP) {
            // A panic in it was logged when it happened.
            let _ = self.thread.take().map(JoinHandle::join);
        } else {
            log::warn!("An action does not come to its end, it is given up");
        }
        *self.runtime.kept.records.lock() = std::mem::take(&mut *actions.records.lock());
    }
}

impl Runtime {
    /// The rows, as far as they are to be believed: those that this process has written are,
    /// and of others the parts that the configuration names. Every program that can write AstDB
    /// can write rows.
    fn read_records(&self, known: Records) -> Records {
        let mut records = Records::new();
        let mut left: Vec<String> = Vec::new();
        for (key, value) in self.host().tree(FAMILY, KEYS) {
            let name = key.strip_prefix(KEYS).unwrap_or(&key);
            let Some(mut record) = ActionRecord::parse(&value) else {
                log::warn!(
                    "AstDB entry '{FAMILY}/{key}' cannot be read: its actions are \
                     not undone"
                );
                continue;
            };
            if record.unreadable() > 0 {
                log::warn!(
                    "{} actions in AstDB entry '{FAMILY}/{key}' cannot be read: they are not undone, \
                     and stay there",
                    record.unreadable()
                );
            }
            let lower = name.to_ascii_lowercase();
            match known.get(&lower) {
                Some((_, ours)) if ours.same_row(&record) => record = ours.clone(),
                _ => {
                    let person = self.read(|world| {
                        let user = world.directory().user(name)?;
                        let statuses = world.directory().settings.statuses();
                        Some(record.keep_named(Person::of(world, user).as_ref(), statuses))
                    });
                    let gone = person.flatten();
                    let gone =
                        gone.unwrap_or_else(|| record.keep_named(None, &Statuses::default()));
                    left.extend(gone.into_iter().map(|target| format!("{name}: {target}")));
                }
            }
            if record.text().is_some() {
                records.insert(lower, (name.into(), record));
            } else if let Err(why) = self.host().del(FAMILY, &key) {
                log::warn!("AstDB entry '{FAMILY}/{key}' cannot be deleted: {why}");
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
            log::info!(
                "What actions of an earlier run have set stays, because no action in the \
                 configuration names it now: {left}{more}"
            );
        }
        records
    }

    /// A user's status changed: `make` returns what matters to actions, and is called at
    /// once; `None` where the user has none. No lock may be held.
    pub fn status_changed(&self, make: impl FnOnce() -> Option<Person>) {
        let Some(stamp) = self.actions.orders.stamp() else {
            return;
        };
        if let Some(person) = make() {
            self.actions
                .orders
                .put([ActionOrder::of(person, false, stamp)]);
        }
    }

    /// A user's own settings changed: their actions are brought in line. Actions in force are
    /// undone if the user has none any more. No lock may be held.
    pub(super) fn own_actions_changed(&self, user: &Arc<str>) {
        let Some(stamp) = self.actions.orders.stamp() else {
            return;
        };
        let person = self.read(|world| Person::of(world, world.directory().user(user)?));
        let order = match person.flatten() {
            Some(person) => ActionOrder::of(person, false, stamp),
            None => {
                let key = user.to_ascii_lowercase();
                let in_force = self.actions.records.lock().contains_key(&key);
                if !in_force && !self.actions.orders.holds(&key) {
                    return;
                }
                ActionOrder::undo(user, stamp)
            }
        };
        self.actions.orders.put([order]);
    }

    /// Brings the actions of every user in line, at a load (`fresh`) and after a reload,
    /// without a change of theirs. Actions in force for users without any are undone.
    pub fn bring_actions_in_line(&self, fresh: bool) {
        let Some(stamp) = self.actions.orders.stamp() else {
            return;
        };
        let people = self.people();
        let mut gone: BTreeMap<String, Arc<str>> = {
            let records = self.actions.records.lock();
            let names = records
                .iter()
                .map(|(key, (name, _))| (key.clone(), name.clone()));
            names.collect()
        };
        // A user that waits or is being served may be about to have an action in force.
        self.actions.orders.add_names(&mut gone);
        for person in &people {
            gone.remove(&person.user.to_ascii_lowercase());
        }
        let gone = gone
            .into_values()
            .map(|name| ActionOrder::undo(&name, stamp));
        let people = people.into_iter();
        let people = people.map(|person| ActionOrder::of(person, fresh, stamp));
        self.actions.orders.put(gone.chain(people));
        self.follow_dnd_of_all();
    }

    /// The actions in force for each user, or for the named one, by name.
    pub fn actions_in_force(&self, user: Option<&str>) -> Vec<(Arc<str>, Vec<InForce>)> {
        let records = self.actions.records.lock();
        let wanted = records.values().filter(|(name, record)| {
            !record.is_empty() && user.is_none_or(|user| user.eq_ignore_ascii_case(name))
        });
        wanted
            .map(|(name, record)| (name.clone(), record.in_force()))
            .collect()
    }

    /// The present value of each target. It asks Asterisk, and may take as long as
    /// functions do: no lock may be held.
    pub fn present_values(&self, done: &[InForce]) -> Vec<String> {
        let mut queues: HashMap<&str, Option<Vec<QueueMembership>>> = HashMap::new();
        let mut of_queue = |queue: &str, interface| {
            let all = queues.entry(interface);
            let all = all.or_insert_with(|| self.queues_of(interface).ok());
            let mut all = all.as_ref()?.iter();
            let queue = all.find(|known| known.name.eq_ignore_ascii_case(queue))?;
            Some(describe_member(queue.member.as_ref()))
        };
        let now = done.iter().map(|done| {
            let now = match &done.queue {
                Some((queue, interface)) => of_queue(queue, interface),
                None => self
                    .value_of_target(&done.target)
                    .map(TargetValue::describe)
                    .ok(),
            };
            now.unwrap_or_else(|| TargetValue::Unreadable.describe())
        });
        now.collect()
    }

    /// The thread.
    fn carry_out_orders(&self) {
        let orders = &self.actions.orders;
        // Also where a panic ends it.
        let _end = End(orders);
        while !self.host().fully_booted() {
            if orders.is_stopping() {
                return;
            }
            orders.pause(BOOT);
        }
        // A panic was logged; phones have them read then.
        let _ = catch_unwind(AssertUnwindSafe(|| self.read_hints_at_boot()));
        loop {
            match orders.next() {
                // A panic was logged; the users after this one have theirs done.
                Task::Do(order) => {
                    let _ = catch_unwind(AssertUnwindSafe(|| self.act(&order)));
                }
                Task::FollowDnd(name) => {
                    let _ = catch_unwind(AssertUnwindSafe(|| self.follow_dnd(&name)));
                }
                Task::End(left) => {
                    if left > 0 && !orders.has_ended() {
                        log::warn!("The actions of {left} users are left for the next load");
                    }
                    return;
                }
            }
        }
    }

    fn act(&self, order: &ActionOrder) {
        crate::trip("action");
        let key = order.name.to_ascii_lowercase();
        let known = self.actions.records.lock().get(&key).cloned();
        let (row, mut record) =
            known.unwrap_or_else(|| (order.name.clone(), ActionRecord::default()));
        let person = order.person.as_deref();
        let mut backend = AsteriskBackend {
            runtime: self,
            user: &order.name,
            status: person.map_or(
                "none, the user is gone or has no actions any more",
                |person| person.chosen.new.name(),
            ),
            row: &row,
            key: &key,
        };
        carry_out(&mut record, person, order.fresh, &mut backend);
    }
}

/// Notes at its end that the thread has ended.
struct End<'a>(&'a OrderQueue);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.end();
    }
}
