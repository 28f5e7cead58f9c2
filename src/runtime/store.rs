//! The one door: what is known lives here, every change goes through [`change`], and
//! every reader through [`read`].
//!
//! The lock is never held while Asterisk is called: a change is made under it, its
//! effects are told afterwards, through the [`Outbox`].

use std::borrow::Cow;
use std::collections::HashSet;
use std::ffi::CString;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use parking_lot::{Mutex, RwLock};

use crate::runtime::actions;
use crate::runtime::feed;
use crate::runtime::outbox::Outbox;
use crate::runtime::persister;
use crate::runtime::stats;
pub use asterisk::gate::NOT_RUNNING;
use asterisk::manager::{self, Class};
use asterisk::parking::Space;
use asterisk::{devicestate, log, presencestate, timing};
use presence::Presence;
use presence::State;
use presence::Time;
use presence::actions::Person;
use presence::directory::UserId;
use presence::model::address::{USER_LABEL, below};
use presence::model::assignment::Choice;
use presence::model::device::{DeviceState, Watcher};
use presence::model::ending::Clock;
use presence::model::flags::Flag;
use presence::model::inferred::Inferred;
use presence::model::status::{StatusType, Statuses};
use presence::model::text;
use presence::views::fields::Query;
use presence::world::{Change, Effect, Transition, Work, World};

/// The module stays mapped after an unload, so that a late callback finds this: then
/// it is `None`.
static WORLD: RwLock<Option<World>> = RwLock::new(None);
static OUTBOX: Outbox = Outbox::new();
/// Whether sources are listened to.
static LISTENING: AtomicBool = AtomicBool::new(false);

/// The running world; dropping it empties the door.
#[must_use = "dropping it closes the door"]
pub struct Open(());

/// Opens the door to a world.
pub fn open(world: World) -> Open {
    *WORLD.write() = Some(world);
    LISTENING.store(true, Ordering::Release);
    Open(())
}

/// Stops listening to sources: what is kept from here on is the last word. What they
/// say later is noticed at the next load.
pub fn stop_listening() {
    LISTENING.store(false, Ordering::Release);
}

impl Drop for Open {
    fn drop(&mut self) {
        // A large world takes its time to go: let it do so without the lock.
        let world = WORLD.write().take();
        drop(world);
        *COMPLAINTS.lock() = None;
    }
}

/// Looks at what is known. `None` when the module is not running.
pub fn read<T>(look: impl FnOnce(&World) -> T) -> Option<T> {
    WORLD.read().as_ref().map(look)
}

/// Changes what is known, and returns when everyone was told. `None` when the module
/// is not running, or stopping.
pub fn update<T>(make: impl FnOnce(&mut World, Time) -> (T, Vec<Effect>)) -> Option<T> {
    // Looked at under the lock: what passes here is kept before the keeper stops.
    let (answer, work) = update_always(|world, now| {
        if !LISTENING.load(Ordering::Acquire) {
            return (None, Vec::new());
        }
        let (answer, effects) = make(world, now);
        (Some((answer, world.work())), effects)
    })??;
    if work != Work::None {
        persister::wake(work == Work::Urgent);
    }
    Some(answer)
}

/// As [`change`], for the keeper, who need not be told that there is work, and for the
/// end of a run, when changes are taken no more.
pub fn update_always<T>(make: impl FnOnce(&mut World, Time) -> (T, Vec<Effect>)) -> Option<T> {
    let (answer, ticket) = {
        let mut guard = WORLD.write();
        let (answer, effects) = make(guard.as_mut()?, Time::now());
        // Under the lock: it gives the effects their order.
        (answer, (!effects.is_empty()).then(|| OUTBOX.put(effects)))
    };
    if let Some(ticket) = ticket {
        OUTBOX.deliver(ticket, tell);
    }
    Some(answer)
}

/// A source said something: from Asterisk's topic, or read at a load.
pub fn on_presence_state(address: &[u8], state: State, subtype: &[u8], message: &[u8]) {
    crate::trip("event");
    let Ok(address) = std::str::from_utf8(address) else {
        return;
    };
    // Our own publishes come back, and most other addresses are nobody's source.
    if !LISTENING.load(Ordering::Acquire) || below(address, USER_LABEL).is_some() {
        return;
    }
    let find = |world: &World| Some((world.directory().source(address)?, world.round()));
    let Some((source, round)) = read(find).flatten() else {
        return;
    };
    let subtype = accepted(address, "subtype", subtype);
    let message = accepted(address, "message", message);
    update(|world, now| {
        if world.round() != round {
            // A reload has come in between, and the numbers are others.
            let said = (state, &*subtype, &*message);
            return ((), world.take_heard(address, said, now));
        }
        let heard = Change::Reported {
            source,
            state,
            subtype: &subtype,
            message: &message,
        };
        ((), world.apply(&heard, now))
    });
}

/// A device changed: from Asterisk's topic.
pub fn on_device_state(name: &[u8], state: DeviceState) {
    crate::trip("device");
    let Ok(name) = std::str::from_utf8(name) else {
        return;
    };
    // Most devices are nobody's, and one change is often told several times.
    let is_news = |world: &World| {
        let device = world.directory().device(name)?;
        (world.device(device) != Some(state)).then_some(())
    };
    if LISTENING.load(Ordering::Acquire) && read(is_news).flatten().is_some() {
        set_device(name, state);
    }
}

/// A device is in that state.
pub fn set_device(name: &str, state: DeviceState) {
    update(|world, now| match world.directory().device(name) {
        Some(device) => ((), world.apply(&Change::Device(device, state), now)),
        None => ((), Vec::new()),
    });
}

/// A call waits in a parking space, or no more: from Asterisk's topic.
pub fn on_parked_call(space: Space<'_>) {
    crate::trip("parking");
    let place = format!("{}@{}", space.number, String::from_utf8_lossy(space.lot));
    let call = space.call.map(|call| {
        let [channel, parker] = [call.channel, call.parker].map(String::from_utf8_lossy);
        (channel, parker)
    });
    let parked = match &call {
        Some((channel, parker)) => Change::Parked {
            place: &place,
            channel,
            parker,
        },
        None => Change::Unparked(&place),
    };
    update(|world, now| ((), world.apply(&parked, now)));
}

/// A source's change whose effects nobody is told, to be timed.
#[cfg(feature = "selftest")]
pub fn discard_change(address: &str, said: &Presence) {
    update_always(|world, now| (world.take_heard(address, said.parts(), now), Vec::new()));
}

/// A text of a source, made fit to be taken; with one warning for each source and kind of
/// trouble.
pub fn accepted<'a>(address: &str, field: &str, bytes: &'a [u8]) -> Cow<'a, str> {
    let (text, wrong) = text::mended(bytes);
    for why in wrong {
        warn_once(why.kind(), address, || {
            let (address, done) = (presence::model::text::quoted(address), why.mended());
            format!("The {field} of '{address}' {why}; {done}")
        });
    }
    text
}

/// What `parse` makes of it for that user, whose time zone its clock has.
///
/// # Errors
/// Says that there is no such user, or what `parse` has to say.
pub fn choice(
    name: &str,
    parse: impl FnOnce(&Statuses, &Clock<'_>) -> Result<Choice, String>,
) -> Result<Choice, String> {
    let found = read(|world| {
        let directory = world.directory();
        let rule = directory.get(Query::find(world, name)?).rule.clone();
        Ok::<_, String>((directory.settings.statuses().clone(), rule))
    });
    let (statuses, rule) = found.ok_or(NOT_RUNNING)??;
    let local = |at| timing::minute_of_day(&rule.schedule.timezone, at);
    parse(&statuses, &Clock::new(Time::now(), &local))
}

/// Sets a user's status. Returns when Asterisk has been told; the addresses of the
/// extensions are written by the keeper, for whom it waits a moment, so that a
/// dialplan usually finds them written, but never for long.
///
/// # Errors
/// Says that there is no such user, or what `parse` has to say.
pub fn set_status(
    name: &str,
    parse: impl FnOnce(&Statuses, &Clock<'_>) -> Result<Choice, String>,
) -> Result<(), String> {
    let choice = &choice(name, parse)?;
    let user = change_user(name, |user| Change::Chosen { user, choice })?;
    warn_of_unwritable(user);
    persister::wait_for_writes(user, Instant::now() + Duration::from_millis(50));
    Ok(())
}

/// Sets the message of what a user has chosen, and nothing else. Returns as [`choose`]
/// does.
///
/// # Errors
/// Says that there is no such user, or why this status takes no such message.
pub fn set_message(name: &str, message: &str) -> Result<(), String> {
    let user = update(|world, now| {
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
    let user = user.ok_or(NOT_RUNNING)??;
    warn_of_unwritable(user);
    persister::wait_for_writes(user, Instant::now() + Duration::from_millis(50));
    Ok(())
}

/// The name of the user whom people call so.
///
/// # Errors
/// Says that there is no such user.
pub fn name_of(user: &str) -> Result<Arc<str>, String> {
    let name = read(|world| {
        let user = Query::find(world, user)?;
        Ok(world.directory().get(user).name.clone())
    });
    name.unwrap_or_else(|| Err(NOT_RUNNING.into()))
}

/// Makes a change of a user.
///
/// # Errors
/// Says that there is no such user.
pub fn change_user<'a>(
    name: &str,
    make: impl FnOnce(UserId) -> Change<'a>,
) -> Result<UserId, String> {
    let user = update(|world, now| match Query::find(world, name) {
        Ok(user) => (Ok(user), world.apply(&make(user), now)),
        Err(why) => (Err(why), Vec::new()),
    });
    user.ok_or(NOT_RUNNING)?
}

/// Extensions whose provider cannot be written are skipped, with one warning each.
fn warn_of_unwritable(user: UserId) {
    let addresses = read(|world| {
        let directory = world.directory();
        // A reload may have taken the user away meanwhile.
        let user = directory.try_get(user);
        let sources = user.into_iter().flat_map(|user| directory.unwritable(user));
        sources
            .map(|source| directory.get_source(source).address.clone())
            .collect::<Vec<_>>()
    });
    for address in addresses.unwrap_or_default() {
        warn_once("unwritable", &address, || {
            format!("'{address}' is no CustomPresence: it cannot be written and is skipped")
        });
    }
}

/// Tells Asterisk and whoever listens.
fn tell(effect: &Effect) {
    crate::trip("tell");
    match effect {
        Effect::Transition(transition) => {
            stats::CHANGES.add(1);
            if transition.publish {
                publish(&transition.user, &transition.new);
            }
            announce(transition);
            feed::tell(transition);
            actions::changed(|| read(|world| Person::after(world, transition)).flatten());
        }
        Effect::Publish(user, presence) => publish(user, presence),
        Effect::Device(user, watcher, state) => show(user, *watcher, *state),
    }
}

fn show(user: &str, watcher: Watcher, state: DeviceState) {
    let name = format!("{USER_LABEL}:{user}{}", watcher.suffix());
    let name = CString::new(name).unwrap_or_default();
    if let Err(why) = devicestate::publish(&name, state) {
        log::error(format_args!(
            "The device state of '{user}' could not be published: {why}"
        ));
    }
}

/// Everyone for whom something is done when the status changes.
pub fn people() -> Vec<Person> {
    let people = read(|world| {
        let users = world.directory().users();
        users.filter_map(|(id, _)| Person::of(world, id)).collect()
    });
    people.unwrap_or_default()
}

fn publish(user: &str, presence: &Presence) {
    if let Err(why) = presencestate::publish(USER_LABEL, user, presence) {
        log::error(format_args!(
            "The presence of '{user}' could not be published: {why}"
        ));
    }
    stats::PUBLISHES.add(1);
    #[cfg(feature = "selftest")]
    crate::selftest::published();
}

fn announce(transition: &Transition) {
    let Transition { old, new, .. } = transition;
    let millis = |time: Time| match time {
        Time::NEVER => String::new(),
        time => time.millis().to_string(),
    };
    let (since, until) = (millis(transition.since), millis(transition.until));
    let name = |status: &Option<Arc<StatusType>>| {
        let status = status.as_deref();
        status.map_or_else(String::new, |status| status.name.to_string())
    };
    let (old_status, status) = (name(&transition.old_status), name(&transition.status));
    let label = transition
        .status
        .as_deref()
        .map_or("", |status| &status.label);
    let chosen = &transition.chosen;
    let (chosen_since, chosen_until) = (millis(chosen.since), millis(chosen.until));
    let inferred = transition.inferred.as_ref().map_or("", Inferred::label);
    let sequence = transition.sequence.to_string();
    let activity = transition.activity;
    let flags = Flag::ALL.map(|flag| (flag.header(), transition.flags.word(flag)));
    manager::event(
        Class::Call,
        c"UserPresenceChange",
        &[
            ("User", &*transition.user),
            ("Account", &transition.account),
            ("OldState", old.state().name()),
            ("OldSubtype", old.subtype()),
            ("OldMessage", old.message()),
            ("OldStatus", &old_status),
            // The former name of OldStatus, for one release.
            ("OldStatusType", &old_status),
            ("State", new.state().name()),
            ("Subtype", new.subtype()),
            ("Message", new.message()),
            ("Status", &status),
            // The former name of Status, for one release.
            ("StatusType", &status),
            ("Label", label),
            ("Inferred", inferred),
            ("ChosenState", chosen.presence.state().name()),
            ("ChosenStatus", &status),
            ("ChosenSubtype", chosen.presence.subtype()),
            ("ChosenMessage", chosen.presence.message()),
            ("ChosenSince", &chosen_since),
            ("ChosenUntil", &chosen_until),
            ("DndStatus", transition.dnd_status.name()),
            ("TelephonyStatus", activity.telephony.name()),
            ("MeetingStatus", activity.meeting.name()),
            ("PresenceStatus", activity.presence.name()),
            ("UserStatus", activity.user.name()),
            ("Source", &transition.source),
            ("Reason", transition.reason.name()),
            ("Method", transition.method.name()),
            ("Since", &since),
            ("Until", &until),
            ("Sequence", &sequence),
        ]
        .into_iter()
        .chain(flags)
        .collect::<Vec<_>>(),
    );
}

/// What was complained of. Names of unknown users come from outside, so those are
/// bounded; all else is bounded by the configuration.
static COMPLAINTS: Mutex<Option<HashSet<String>>> = Mutex::new(None);
const MOST_COMPLAINTS: usize = 1000;

/// Logs a warning, once for each kind of trouble and name until the module is loaded
/// anew.
pub fn warn_once(kind: &str, name: &str, message: impl FnOnce() -> String) {
    let about = format!("{kind} {name}");
    let first = {
        let mut complaints = COMPLAINTS.lock();
        let complaints = complaints.get_or_insert_default();
        (kind != "no user" || complaints.len() < MOST_COMPLAINTS) && complaints.insert(about)
    };
    if first {
        log::warning(message());
    }
}
