//! A reload: the difference between the running configuration and the one that is
//! read. With any error everything stays as it is.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::actor;
use crate::asterisk::{astdb, device, log, prometheus, realtime, timing};
use crate::configuration::{self, FAMILY};
use crate::door;
use crate::feed;
use crate::keeper;
use crate::module::Labels;
use crate::presence::Presence;
use crate::presence::Time;
use crate::presence::address::{USER_LABEL, below};
use crate::presence::config::{Origin, Problem, parse_row};
use crate::presence::directory::Directory;
use crate::presence::row::{self, Stored};
use crate::presence::text;
use crate::presence::world::{Effect, Plan, Read};
use crate::schedules;
use crate::webhooks;

/// One reload at a time; a second one is told so instead of waiting.
static BUSY: AtomicBool = AtomicBool::new(false);

struct Busy;

impl Busy {
    fn begin() -> Result<Self, String> {
        match BUSY.swap(true, Ordering::Acquire) {
            true => Err("another reload is under way".into()),
            false => Ok(Busy),
        }
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        BUSY.store(false, Ordering::Release);
    }
}

/// Reads everything anew.
///
/// # Errors
/// Says why nothing changed; errors of the configuration were logged.
pub fn everything() -> Result<(), String> {
    let _busy = Busy::begin()?;
    let parsed = configuration::load().map_err(kept)?;
    let from_realtime = door::read(|world| {
        let mut users = world.directory().users();
        users.any(|(_, user)| user.origin == Origin::Realtime)
    });
    if from_realtime == Some(true) && !realtime::available(FAMILY) {
        return Err(kept(format!(
            "realtime family '{FAMILY}' is not mapped in extconfig.conf any more, or its driver \
             is not loaded, and there are users from it"
        )));
    }
    let errors: Vec<&Problem> = parsed.all_errors().collect();
    if !errors.is_empty() {
        return Err(kept(configuration::refusal(&errors)));
    }
    let hooks = parsed.settings.webhooks.clone();
    switch(Directory::new(parsed.settings, parsed.users))?;
    webhooks::reconfigure(&hooks);
    // It looks which sessions hold no more.
    keeper::wake(true);
    prometheus::attach();
    Ok(())
}

/// Reads one user anew from realtime: changed, new, or gone.
///
/// # Errors
/// Says why nothing changed.
pub fn user(name: &str) -> Result<String, String> {
    let _busy = Busy::begin()?;
    let directory = door::read(|world| world.directory().clone());
    let directory = directory.ok_or("the module is not running")?;
    let known = directory.user(name);
    let from_file = known.is_some_and(|user| directory.get(user).origin == Origin::File);
    if from_file {
        return Err(format!(
            "'{name}' stands in userpresence.conf, expected a user from realtime; \
             use module reload res_userpresence.so"
        ));
    }
    // A database may tell capitals apart, where a user's name does not.
    let load = |name: &str| realtime::load_one(FAMILY, name).map_err(|why| why.to_string());
    let spelled = known.map_or(name, |user| &directory.get(user).name);
    let row = match load(spelled)? {
        None if spelled != name => load(name)?,
        row => row,
    };
    let mut specs = directory.specs();
    let place = specs
        .iter()
        .position(|spec| spec.name.eq_ignore_ascii_case(name));
    let done = match (row, place) {
        (None, None) => return Err(format!("realtime has no user '{name}'")),
        (None, Some(place)) => {
            specs.remove(place);
            "is gone"
        }
        (Some(row), place) => {
            let parsed = parse_row(&directory.settings, &row, specs, timing::is_timezone);
            for warning in &parsed.warnings {
                log::warning(warning);
            }
            if let Some(error) = parsed.errors.first() {
                return Err(kept(error.to_string()));
            }
            specs = parsed.users;
            if place.is_some() {
                "is read anew"
            } else {
                "is new"
            }
        }
    };
    switch(Directory::new(directory.settings.clone(), specs))?;
    Ok(format!("User '{name}' {done}."))
}

fn kept(why: String) -> String {
    format!("{why}; the running configuration stays")
}

/// What AstDB holds of the plan's new users and sources.
fn stored_of(plan: &Plan) -> Stored {
    let users = plan.new_users().map(|name| format!("user/{name}"));
    let sources = plan.new_sources();
    let sources = sources.map(|(_, address)| format!("source/{address}"));
    let rows = users.chain(sources).filter_map(|key| {
        let value = astdb::get(row::FAMILY, &key)?;
        Some((key, value))
    });
    Stored::read(rows)
}

fn switch(directory: Directory) -> Result<(), String> {
    let running = door::read(|world| world.directory().clone());
    let running = running.ok_or("the module is not running")?;
    let plan = Plan::new(&running, Arc::new(directory));
    let mut labels = Labels::default();
    let mut ask = |address: &str| {
        let said = labels.read(address)?;
        let text = |bytes| text::from_bytes(bytes).unwrap_or_default();
        Some(Presence::new(
            said.state,
            text(&said.subtype),
            text(&said.message),
        ))
    };
    // A section that an error left out until now has its rows still.
    let stored = stored_of(&plan);
    let mut read = Read::default();
    let mut again: Vec<Arc<str>> = Vec::new();
    for (source, address) in plan.new_sources() {
        again.push(address.into());
        if let Some(presence) = ask(address) {
            read.sources.push((source, presence));
        }
    }
    for (source, schedule) in plan.directory().schedules() {
        let said = schedules::presence(schedule, Time::now());
        read.sources.push((*source, said));
    }
    for (id, name) in plan.new_devices() {
        // A user may be as new as who reads it: those are read below.
        if below(name, USER_LABEL).is_some() {
            continue;
        }
        read.devices.push((id, device::read(name)));
    }
    let new_devices = plan.new_devices();
    let new_devices: Vec<String> = new_devices.map(|(_, name)| name.to_owned()).collect();
    let removed = door::change(|world, now| {
        if !Arc::ptr_eq(world.directory(), &running) {
            return (Err("the module was loaded anew meanwhile"), Vec::new());
        }
        let (told, removed) = world.reconfigure(&plan, &stored, read, now);
        // Those who are gone first: hints match names without regard to case, so for a
        // user spelled anew the last word has to be the new one.
        let gone = removed.users.iter().cloned();
        let gone = gone.map(|user| Effect::Publish(user, Presence::default()));
        let gone = gone.chain(removed.unshown.iter().cloned());
        let effects = gone.chain(told).collect();
        (Ok(removed), effects)
    });
    // What was known before goes here, without a lock.
    drop(removed.ok_or("the module is not running")??);
    // Whoever reads an account begins anew where its people are others now.
    let others = plan.directory().changed_accounts(&running);
    let now = plan.directory();
    feed::reconfigure(now.settings.http.journal, now.accounts(), &others);
    feed::end_streams();
    // New sources may have changed since they were read, and unknown ones may have
    // got their provider.
    let unknown = door::read(|world| {
        let sources = world.directory().sources();
        let unknown = sources.filter(|(id, s)| s.is_provided() && !world.source(*id).known);
        unknown
            .map(|(_, source)| source.address.clone())
            .collect::<Vec<_>>()
    });
    again.extend(unknown.unwrap_or_default());
    for name in new_devices {
        until_twice_the_same(|| {
            let state = device::read(&name);
            door::take_device(&name, state);
            Some(state)
        });
    }
    schedules::forget();
    // Nothing else tells it that there is a schedule now.
    keeper::wake(true);
    actor::everyone(false, door::people);
    for address in again {
        until_twice_the_same(|| {
            let said = ask(&address)?;
            door::change(|world, now| ((), world.take_heard(&address, said.parts(), now)));
            Some(said)
        });
    }
    Ok(())
}

/// What is read may be older than an event that came in before it is taken: so it is
/// read again until nothing has changed in between.
fn until_twice_the_same<T: PartialEq>(mut take: impl FnMut() -> Option<T>) {
    const MOST: usize = 5;
    let mut last = take();
    for _ in 1..MOST {
        let now = take();
        if now.is_none() || now == last {
            return;
        }
        last = now;
    }
}
