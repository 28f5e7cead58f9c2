//! The store: the one world, its lock, and the only ways to read and to change it.
//!
//! Asterisk is never called while the lock is held: a change is made under it, its effects
//! are delivered afterwards, through the [`Outbox`].

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::{Duration, Instant};

use super::outbox::{Outbox, Ticket};
use super::{NOT_RUNNING, Runtime};
use crate::sync::RwLock;
use presence::Time;
use presence::directory::UserId;
use presence::model::assignment::Choice;
use presence::model::ending::Clock;
use presence::model::status::Statuses;
use presence::views::fields::Query;
use presence::world::{Change, Effect, Work, World};

/// How long a change of status waits until its extensions are written, so that a dialplan
/// usually finds them written, and is never held up for long.
const WRITTEN: Duration = Duration::from_millis(50);

/// The world and its lock.
#[derive(Default)]
pub struct Store {
    /// `None` before the load and after the unload.
    world: RwLock<Option<World>>,
    /// Effects in the order of their changes.
    outbox: Outbox,
    /// Whether changes are accepted.
    listening: AtomicBool,
    /// By how many microseconds the system's clock is corrected.
    clock_offset: AtomicI64,
}

impl Store {
    /// Begins with that world, and accepts changes.
    pub fn open(&self, world: World) {
        *self.world.write() = Some(world);
        self.listening.store(true, Ordering::Release);
    }

    /// Whether changes are accepted.
    pub fn is_listening(&self) -> bool {
        self.listening.load(Ordering::Acquire)
    }

    /// Accepts no change any more: what is stored from here on is the last word. What
    /// sources report later is noticed at the next load.
    pub fn stop_listening(&self) {
        self.listening.store(false, Ordering::Release);
    }

    /// The present, by the clock that the nodes of a cluster agree on; without a cluster, by
    /// the system's.
    pub fn now(&self) -> Time {
        let offset = self.clock_offset.load(Ordering::Relaxed);
        Time::from_micros(Time::now().micros().saturating_add_signed(offset))
    }

    /// Reads the world. `None` while the module is not running.
    pub fn read<T>(&self, look: impl FnOnce(&World) -> T) -> Option<T> {
        self.world.read().as_ref().map(look)
    }

    /// Changes the world; the ticket represents the effects, which are delivered in the
    /// order of the changes. Also whether something waits for the other nodes.
    fn write<T>(
        &self,
        make: impl FnOnce(&mut World, Time) -> (T, Vec<Effect>),
    ) -> Option<(T, Option<Ticket>, bool)> {
        let mut guard = self.world.write();
        let world = guard.as_mut()?;
        let (answer, effects) = make(world, self.now());
        let is_shared = world.shared_waiting() > 0;
        // Under the lock: it gives the effects their order.
        let ticket = (!effects.is_empty()).then(|| self.outbox.put(effects));
        Some((answer, ticket, is_shared))
    }
}

impl Runtime {
    /// Begins with that world.
    pub fn open_store(&self, world: World) {
        self.store.open(world);
    }

    /// Accepts no change any more.
    pub fn stop_listening(&self) {
        self.store.stop_listening();
    }

    /// Whether changes are accepted.
    pub fn is_listening(&self) -> bool {
        self.store.is_listening()
    }

    /// Ends the store.
    pub(super) fn close_store(&self) {
        self.stop_listening();
        // A large world takes its time to go: without the lock.
        let world = self.store.world.write().take();
        drop(world);
    }

    /// Reads the world. `None` while the module is not running.
    pub fn read<T>(&self, look: impl FnOnce(&World) -> T) -> Option<T> {
        self.store.read(look)
    }

    /// Changes the world, and returns when all effects are delivered. `None` while the
    /// module is not running, or stopping.
    pub fn update<T>(&self, make: impl FnOnce(&mut World, Time) -> (T, Vec<Effect>)) -> Option<T> {
        // Looked at under the lock: a change that passes is stored before the persister
        // stops.
        let (answer, work) = self.update_always(|world, now| {
            if !self.is_listening() {
                return (None, Vec::new());
            }
            let (answer, effects) = make(world, now);
            (Some((answer, world.work())), effects)
        })??;
        if work != Work::None {
            self.wake_persister(work == Work::Urgent);
        }
        Some(answer)
    }

    /// As [`Runtime::update`], for the persister, which needs no waking, and for the end of
    /// a run, when changes are not accepted any more.
    pub fn update_always<T>(
        &self,
        make: impl FnOnce(&mut World, Time) -> (T, Vec<Effect>),
    ) -> Option<T> {
        let (answer, ticket, is_shared) = self.store.write(make)?;
        if let Some(ticket) = ticket {
            let outbox = &self.store.outbox;
            outbox.deliver(ticket, |effect| self.deliver(effect));
        }
        // Only now: this server is told first.
        if is_shared {
            self.clustering.wake();
        }
        Some(answer)
    }

    /// The present, see [`Store::now`].
    pub fn now(&self) -> Time {
        self.store.now()
    }

    /// Corrects the clock by so many microseconds.
    pub(super) fn set_clock_offset(&self, offset: i64) {
        self.store.clock_offset.store(offset, Ordering::Relaxed);
    }

    /// The result of `parse` for that user, whose time zone its clock has.
    ///
    /// # Errors
    /// There is no such user, or what `parse` returns.
    pub fn choice(
        &self,
        name: &str,
        parse: impl FnOnce(&Statuses, &Clock<'_>) -> Result<Choice, String>,
    ) -> Result<Choice, String> {
        let found = self.read(|world| {
            let directory = world.directory();
            let rule = directory.get(Query::find(world, name)?).rule.clone();
            Ok::<_, String>((directory.settings.statuses().clone(), rule))
        });
        let (statuses, rule) = found.ok_or(NOT_RUNNING)??;
        let timezone = &rule.schedule.timezone;
        let local = |at| self.host().minute_of_day(timezone, at);
        parse(&statuses, &Clock::new(self.now(), &local))
    }

    /// Sets a user's status. Returns when Asterisk has the new presence; the persister
    /// writes the addresses of the extensions, for which this waits a moment.
    ///
    /// # Errors
    /// There is no such user, or what `parse` returns.
    pub fn set_status(
        &self,
        name: &str,
        parse: impl FnOnce(&Statuses, &Clock<'_>) -> Result<Choice, String>,
    ) -> Result<(), String> {
        let choice = &self.choice(name, parse)?;
        let user = self.change_user(name, |user| Change::Chosen { user, choice })?;
        self.wait_until_written(user);
        Ok(())
    }

    /// Sets the message of the status that a user has set, and nothing else. Returns as
    /// [`Runtime::set_status`] does.
    ///
    /// # Errors
    /// There is no such user, or the status accepts no such message.
    pub fn set_message(&self, name: &str, message: &str) -> Result<(), String> {
        let user = self.update(|world, now| {
            let choice = Query::find(world, name)
                .and_then(|user| Ok((user, world.with_message(user, message, now)?)));
            match choice {
                Ok((user, choice)) => {
                    let choice = &choice;
                    (Ok(user), world.apply(&Change::Chosen { user, choice }, now))
                }
                Err(why) => (Err(why), Vec::new()),
            }
        });
        self.wait_until_written(user.ok_or(NOT_RUNNING)??);
        Ok(())
    }

    fn wait_until_written(&self, user: UserId) {
        self.warn_of_unwritable(user);
        self.wait_for_writes(user, Instant::now() + WRITTEN);
    }

    /// Makes a change of a user.
    ///
    /// # Errors
    /// There is no such user.
    pub fn change_user<'a>(
        &self,
        name: &str,
        make: impl FnOnce(UserId) -> Change<'a>,
    ) -> Result<UserId, String> {
        let user = self.update(|world, now| match Query::find(world, name) {
            Ok(user) => (Ok(user), world.apply(&make(user), now)),
            Err(why) => (Err(why), Vec::new()),
        });
        user.ok_or(NOT_RUNNING)?
    }

    /// Extensions whose provider cannot be written are skipped, with one warning each.
    fn warn_of_unwritable(&self, user: UserId) {
        let addresses = self.read(|world| {
            let directory = world.directory();
            // A reload may have removed the user meanwhile.
            let spec = directory.try_get(user);
            let sources = spec
                .into_iter()
                .flat_map(|spec| directory.unwritable(spec, world.default_of(user)));
            let addresses = sources.map(|source| directory.get_source(source).address.clone());
            addresses.collect::<Vec<_>>()
        });
        for address in addresses.unwrap_or_default() {
            self.warn_once("unwritable", &address, || {
                format!("'{address}' is no CustomPresence: it cannot be written and is skipped")
            });
        }
    }
}

// The same on the runtime that runs, for interfaces.

/// The present, see [`Store::now`].
pub fn now() -> Time {
    super::with(Runtime::now).unwrap_or_else(Time::now)
}

/// Reads the world. `None` while the module is not running.
pub fn read<T>(look: impl FnOnce(&World) -> T) -> Option<T> {
    super::with(|runtime| runtime.read(look)).flatten()
}

/// Changes the world, see [`Runtime::update`].
pub fn update<T>(make: impl FnOnce(&mut World, Time) -> (T, Vec<Effect>)) -> Option<T> {
    super::current()?.update(make)
}

/// See [`Runtime::choice`].
///
/// # Errors
/// As there, and [`NOT_RUNNING`].
pub fn choice(
    name: &str,
    parse: impl FnOnce(&Statuses, &Clock<'_>) -> Result<Choice, String>,
) -> Result<Choice, String> {
    super::current().ok_or(NOT_RUNNING)?.choice(name, parse)
}

/// See [`Runtime::set_status`].
///
/// # Errors
/// As there, and [`NOT_RUNNING`].
pub fn set_status(
    name: &str,
    parse: impl FnOnce(&Statuses, &Clock<'_>) -> Result<Choice, String>,
) -> Result<(), String> {
    super::current().ok_or(NOT_RUNNING)?.set_status(name, parse)
}

/// See [`Runtime::set_message`].
///
/// # Errors
/// As there, and [`NOT_RUNNING`].
pub fn set_message(name: &str, message: &str) -> Result<(), String> {
    super::current()
        .ok_or(NOT_RUNNING)?
        .set_message(name, message)
}

/// See [`Runtime::change_user`].
///
/// # Errors
/// As there, and [`NOT_RUNNING`].
pub fn change_user<'a>(
    name: &str,
    make: impl FnOnce(UserId) -> Change<'a>,
) -> Result<UserId, String> {
    super::current().ok_or(NOT_RUNNING)?.change_user(name, make)
}

/// The name of a user, as configured, by any name that finds the user.
///
/// # Errors
/// There is no such user.
pub fn name_of(user: &str) -> Result<Arc<str>, String> {
    let name = read(|world| {
        let user = Query::find(world, user)?;
        Ok(world.directory().get(user).name.clone())
    });
    name.unwrap_or_else(|| Err(NOT_RUNNING.into()))
}

/// Takes over a source's presence and drops the effects, for a test build to time it.
#[cfg(feature = "selftest")]
pub fn discard_change(address: &str, presence: &presence::Presence) {
    super::with(|runtime| {
        runtime.update_always(|world, now| {
            (
                world.report_presence(address, presence.parts(), now),
                Vec::new(),
            )
        })
    });
}
