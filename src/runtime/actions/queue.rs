//! The orders that wait for the actions worker: one for each user, with the latest of the
//! user, and with what was before the first of the changes that wait; and the users whose do
//! not disturb is to be compared with FreePBX's.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::sync::{Condvar, Mutex};
use presence::actions::Person;

/// Stamps kept when old ones are dropped: no order takes longer to be made than as many
/// others.
const STAMPS: u64 = 10_000;

/// Something to do for a user.
pub struct ActionOrder {
    /// The user.
    pub name: Arc<str>,
    /// `None` to undo everything.
    pub person: Option<Box<Person>>,
    /// Actions that a stop of Asterisk has undone are carried out again.
    pub fresh: bool,
    /// When its making began: a later one knows more.
    stamp: u64,
}

impl ActionOrder {
    /// To bring a user's actions in line.
    pub fn of(person: Person, fresh: bool, stamp: u64) -> Self {
        ActionOrder {
            name: person.user.clone(),
            person: Some(Box::new(person)),
            fresh,
            stamp,
        }
    }

    /// When its making began.
    #[cfg(test)]
    pub fn stamp(&self) -> u64 {
        self.stamp
    }

    /// To undo a user's actions.
    pub fn undo(user: &str, stamp: u64) -> Self {
        ActionOrder {
            name: user.into(),
            person: None,
            fresh: false,
            stamp,
        }
    }
}

#[derive(Default)]
struct WaitingOrders {
    /// By lower-case name.
    orders: HashMap<String, ActionOrder>,
    queue: VecDeque<String>,
    /// Users whose do not disturb is to be compared, by lower-case name.
    dnd: BTreeMap<String, Arc<str>>,
    /// The user that is being served.
    busy: Option<Arc<str>>,
    /// The stamp of each user's last order.
    stamps: HashMap<String, u64>,
    stamp: u64,
    /// Whether orders are accepted.
    open: bool,
    /// Until when the worker goes on with what waits, once it has to stop.
    stop: Option<Instant>,
    /// Whether the worker has ended, or was given up.
    ended: bool,
}

impl WaitingOrders {
    fn forget_stamps(&mut self) {
        if self.stamps.len() as u64 > 2 * STAMPS {
            let oldest = self.stamp.saturating_sub(STAMPS);
            self.stamps.retain(|_, stamp| *stamp > oldest);
        }
    }

    fn must_stop(&self) -> bool {
        self.ended || self.stop.is_some_and(|stop| Instant::now() >= stop)
    }
}

/// The queue.
#[derive(Default)]
pub struct OrderQueue {
    waiting: Mutex<WaitingOrders>,
    news: Condvar,
}

/// What the worker does next.
pub enum Task {
    /// That order.
    Do(ActionOrder),
    /// Do not disturb of that user is compared with FreePBX's.
    FollowDnd(Arc<str>),
    /// It ends, and leaves the orders of so many users.
    End(usize),
}

impl OrderQueue {
    /// Accepts orders.
    pub fn open(&self) {
        self.waiting.lock().open = true;
    }

    /// The stamp of an order whose making begins now; `None` while none is accepted.
    pub fn stamp(&self) -> Option<u64> {
        let mut waiting = self.waiting.lock();
        if !waiting.open {
            return None;
        }
        waiting.stamp += 1;
        Some(waiting.stamp)
    }

    /// Puts orders in the queue. An order for a user that waits already takes the place of
    /// the earlier one, unless that knows more.
    pub fn put(&self, orders: impl IntoIterator<Item = ActionOrder>) {
        let mut waiting = self.waiting.lock();
        if !waiting.open {
            return;
        }
        waiting.forget_stamps();
        for mut order in orders {
            let key = order.name.to_ascii_lowercase();
            let WaitingOrders {
                orders,
                queue,
                stamps,
                ..
            } = &mut *waiting;
            let last = stamps.entry(key.clone()).or_default();
            if *last > order.stamp {
                if let Some(later) = orders.get_mut(&key) {
                    later.fresh |= order.fresh;
                }
                continue;
            }
            *last = order.stamp;
            match orders.get_mut(&key) {
                Some(earlier) => {
                    if let (Some(earlier), Some(person)) = (&earlier.person, &mut order.person) {
                        person.begin_with(earlier);
                    }
                    order.fresh |= earlier.fresh;
                    *earlier = order;
                }
                None => {
                    orders.insert(key.clone(), order);
                    queue.push_back(key);
                }
            }
        }
        self.news.notify_all();
    }

    /// Puts users in the queue whose do not disturb is to be compared with FreePBX's.
    pub fn put_dnd(&self, users: impl IntoIterator<Item = Arc<str>>) {
        // Before the lock: what finds the users may take another one.
        let users = users.into_iter();
        let users = users.map(|name| (name.to_ascii_lowercase(), name));
        let users: Vec<_> = users.collect();
        if users.is_empty() {
            return;
        }
        let mut waiting = self.waiting.lock();
        if waiting.open {
            waiting.dnd.extend(users);
            self.news.notify_all();
        }
    }

    /// Adds every user that waits or is being served, by lower-case name.
    pub fn add_names(&self, names: &mut BTreeMap<String, Arc<str>>) {
        let waiting = self.waiting.lock();
        let orders = waiting.orders.values().map(|order| &order.name);
        let all = orders.chain(&waiting.busy);
        names.extend(all.map(|name| (name.to_ascii_lowercase(), name.clone())));
    }

    /// Whether an order of the user waits or is being carried out; `key` is the name in lower
    /// case.
    pub fn holds(&self, key: &str) -> bool {
        let waiting = self.waiting.lock();
        let mut busy = waiting.busy.iter();
        waiting.orders.contains_key(key) || busy.any(|name| name.eq_ignore_ascii_case(key))
    }

    /// Waits for the next order.
    pub fn next(&self) -> Task {
        let mut waiting = self.waiting.lock();
        loop {
            waiting.busy = None;
            let left = waiting.queue.len();
            if waiting.ended || (left > 0 && waiting.must_stop()) {
                return Task::End(left);
            }
            if let Some(key) = waiting.queue.pop_front() {
                if let Some(order) = waiting.orders.remove(&key) {
                    waiting.busy = Some(order.name.clone());
                    return Task::Do(order);
                }
                continue;
            }
            // After all actions: an undo of one may have changed it.
            if waiting.stop.is_none()
                && let Some((_, name)) = waiting.dnd.pop_first()
            {
                return Task::FollowDnd(name);
            }
            if waiting.stop.is_some() {
                return Task::End(0);
            }
            self.news.wait(&mut waiting);
        }
    }

    /// Waits, unless it is time to stop; returns whether it is.
    pub fn pause(&self, time: Duration) -> bool {
        let mut waiting = self.waiting.lock();
        let until = Instant::now() + time;
        while !waiting.must_stop() {
            let until = waiting.stop.map_or(until, |stop| stop.min(until));
            if self.news.wait_until(&mut waiting, until).timed_out() {
                break;
            }
        }
        waiting.must_stop()
    }

    /// Whether the worker has to stop, or has ended.
    pub fn is_stopping(&self) -> bool {
        let waiting = self.waiting.lock();
        waiting.ended || waiting.stop.is_some()
    }

    /// Whether the worker was given up: it may do nothing more.
    pub fn has_ended(&self) -> bool {
        self.waiting.lock().ended
    }

    /// The worker has ended.
    pub fn end(&self) {
        self.waiting.lock().ended = true;
        self.news.notify_all();
    }

    /// Stops the worker: it goes on with what waits until `stop`, and is given up after
    /// `give_up`. Returns whether it has ended by itself.
    pub fn stop(&self, stop: Instant, give_up: Instant) -> bool {
        let mut waiting = self.waiting.lock();
        waiting.open = false;
        waiting.stop = Some(stop);
        self.news.notify_all();
        while !waiting.ended {
            if self.news.wait_until(&mut waiting, give_up).timed_out() {
                break;
            }
        }
        std::mem::replace(&mut waiting.ended, true)
    }
}
