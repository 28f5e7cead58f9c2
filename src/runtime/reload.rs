//! A reload: the difference between the running configuration and the one that is
//! read. With any error everything stays as it is.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::module::Labels;
use crate::runtime::actions;
use crate::runtime::announced;
use crate::runtime::configuration::{self, FAMILY};
use crate::runtime::feed;
use crate::runtime::functions;
use crate::runtime::persister;
use crate::runtime::schedules;
use crate::runtime::sequences;
use crate::runtime::store;
use crate::webhooks;
use asterisk::{astdb, devicestate, log, prometheus, realtime, timing};
use presence::Presence;
use presence::Time;
use presence::config::{Origin, Problem, parse_row};
use presence::directory::Directory;
use presence::model::address::{USER_LABEL, below};
use presence::model::text::quoted;
use presence::world::gone_users::{self, Gone};
use presence::world::stored::{self, Stored};
use presence::world::{Counts, Plan, Read};

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

/// Why a reload changed nothing.
#[derive(Debug)]
pub struct Refused {
    /// In a sentence.
    pub why: String,
    /// The errors, where there are several.
    pub problems: Vec<String>,
}

impl From<String> for Refused {
    fn from(why: String) -> Self {
        Refused {
            why,
            problems: Vec::new(),
        }
    }
}

/// Reads everything anew. `really`: also where that removes all of many users.
///
/// # Errors
/// Says why nothing changed; errors of the configuration were logged.
pub fn everything(really: bool) -> Result<Counts, Refused> {
    let _busy = Busy::begin()?;
    let parsed = configuration::load().map_err(kept)?;
    realtime_is_there().map_err(kept)?;
    let errors: Vec<&Problem> = parsed.all_errors().collect();
    if !errors.is_empty() {
        let several = errors.len() > 1;
        return Err(Refused {
            why: kept(configuration::refusal(&errors)),
            problems: errors
                .iter()
                .filter(|_| several)
                .map(ToString::to_string)
                .collect(),
        });
    }
    let hooks = parsed.settings.webhooks.clone();
    let counts = switch(Directory::new(parsed.settings, parsed.users), really)?;
    webhooks::reconfigure(&hooks);
    // It looks which sessions hold no more.
    persister::wake(true);
    prometheus::attach();
    match counts.loses_most() {
        true => log::warning(format_args!(
            "Reloaded, and most users are gone: {counts}. What is stored of them is kept for 30 \
             days, or until 'userpresence forget'"
        )),
        false => log::notice(format_args!("Reloaded: {counts}")),
    }
    Ok(counts)
}

/// Users from realtime do not go because their table cannot be reached.
fn realtime_is_there() -> Result<(), String> {
    let from_realtime = store::read(|world| {
        let mut users = world.directory().users();
        users.any(|(_, user)| user.origin == Origin::Realtime)
    });
    match from_realtime == Some(true) && !realtime::available(FAMILY) {
        true => Err(format!(
            "realtime family '{FAMILY}' is not mapped in extconfig.conf any more, or its driver \
             is not loaded, and there are users from it"
        )),
        false => Ok(()),
    }
}

/// What a reload would do, and what it would say.
pub struct Check {
    /// What is said of the configuration, each with how grave it is.
    pub said: Vec<(Grave, String)>,
    /// Who would come and go; `None` where it would be refused.
    pub counts: Option<Counts>,
}

/// How grave something is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Grave {
    /// A reload is refused.
    Error,
    /// It is odd but usable.
    Warning,
    /// It may be wanted.
    Notice,
}

impl Grave {
    /// The word that Asterisk's log has for it.
    pub fn word(self) -> &'static str {
        match self {
            Grave::Error => "ERROR",
            Grave::Warning => "WARNING",
            Grave::Notice => "NOTICE",
        }
    }
}

/// Reads everything and changes nothing.
pub fn check() -> Check {
    let mut said = Vec::new();
    let parsed = match configuration::read() {
        Ok(parsed) => parsed,
        Err(why) => {
            return Check {
                said: vec![(Grave::Error, why)],
                counts: None,
            };
        }
    };
    said.extend(parsed.all_errors().map(|it| (Grave::Error, it.to_string())));
    said.extend(realtime_is_there().err().map(|why| (Grave::Error, why)));
    let warnings = parsed.warnings.iter();
    said.extend(warnings.map(|it| (Grave::Warning, it.to_string())));
    let is_wrong = !said.is_empty() && said[0].0 == Grave::Error;
    let directory = Arc::new(Directory::new(parsed.settings, parsed.users));
    let unknown = functions::unknown(&directory).into_iter();
    said.extend(unknown.map(|it| (Grave::Warning, it)));
    let shared = configuration::shared_extensions(&directory, None);
    said.extend(shared.into_iter().map(|it| (Grave::Notice, it)));
    let running = store::read(|world| world.directory().clone());
    let counts = running.map(|running| Plan::new(&running, directory).counts());
    if let Some(counts) = counts.filter(|counts| !is_wrong && counts.loses_all()) {
        said.insert(0, (Grave::Error, loses_all(counts)));
    }
    let is_wrong = said.iter().any(|(grave, _)| *grave == Grave::Error);
    Check {
        said,
        counts: counts.filter(|_| !is_wrong),
    }
}

fn loses_all(counts: Counts) -> String {
    format!(
        "all of the {} users would go, which looks like a mistake; 'userpresence reload --really' \
         does it all the same",
        counts.before
    )
}

/// Forgets at once what is stored of the user of that name who is gone, or of everybody
/// who is. Says how many users that were.
///
/// # Errors
/// Says that the user is not gone, or unknown.
pub fn forget(name: Option<&str>) -> Result<usize, String> {
    let _busy = Busy::begin()?;
    let known =
        store::read(|world| name.is_some_and(|name| world.directory().user(name).is_some()));
    if known.ok_or(store::NOT_RUNNING)? {
        let name = quoted(name.unwrap_or_default());
        return Err(format!("'{name}' is configured, expected a removed user"));
    }
    let forgotten = persister::settled(|| {
        let mut gone = persister::gone_rows();
        store::update_always(|world, _| {
            // What has not reached AstDB yet.
            let waiting = world.loose_rows().iter();
            let waiting = waiting.filter_map(|(key, value)| {
                let key = key.strip_prefix(gone_users::PREFIX)?.to_owned();
                Some((key, Gone::parse(value.as_ref()?)))
            });
            let waiting: Vec<_> = waiting.collect();
            gone.retain(|(key, _)| !waiting.iter().any(|(other, _)| other == key));
            gone.extend(waiting);
            (world.forget(name, &gone), Vec::new())
        })
    });
    persister::wake(true);
    match (forgotten.ok_or(store::NOT_RUNNING)?, name) {
        (0, Some(name)) => Err(format!(
            "nothing is stored for a removed user '{}'",
            quoted(name)
        )),
        (forgotten, _) => Ok(forgotten),
    }
}

/// Reads one user anew from realtime: changed, new, or gone.
///
/// # Errors
/// Says why nothing changed.
pub fn user(name: &str) -> Result<String, String> {
    let _busy = Busy::begin()?;
    let directory = store::read(|world| world.directory().clone());
    let directory = directory.ok_or(store::NOT_RUNNING)?;
    // A database may tell capitals apart, where a user's name does not.
    let load = |name: &str| realtime::load_one(FAMILY, name).map_err(|why| why.to_string());
    // By the id or an extension only one who is known already, and nobody new has that name.
    let called = directory.find(name).ok();
    let name = match called.filter(|_| directory.user(name).is_none()) {
        Some(user) if load(name)?.is_none() => &directory.get(user).name,
        _ => name,
    };
    let known = directory.user(name);
    let from_file = known.is_some_and(|user| directory.get(user).origin == Origin::File);
    if from_file {
        return Err(format!(
            "'{name}' stands in userpresence.conf, expected a user from realtime; \
             use module reload res_userpresence.so"
        ));
    }
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
    switch(Directory::new(directory.settings.clone(), specs), true)?;
    Ok(format!("User '{name}' {done}."))
}

fn kept(why: String) -> String {
    format!("{why}; the running configuration stays")
}

/// What is stored of the plan's new users and sources.
fn stored_of(plan: &Plan) -> Stored {
    let new = plan.new_users().count() + plan.new_sources().count();
    if new == 0 {
        return Stored::default();
    }
    // Rows that wait come before what AstDB holds.
    let (waiting, gone) = persister::settled(|| {
        let waiting = store::read(|world| world.loose_rows().clone());
        (waiting.unwrap_or_default(), persister::gone_rows())
    });
    let names: HashSet<String> = plan.new_users().map(|it| it.to_ascii_lowercase()).collect();
    let waits = waiting.keys().map(|key| {
        let of = key.strip_prefix(gone_users::PREFIX).unwrap_or(key);
        of.to_owned()
    });
    let gone = gone.into_iter().map(|(key, _)| key);
    let gone = gone.chain(waits).filter(|key| {
        // A name may be spelled with other capitals now. Whoever is here keeps what is known.
        let user = key.strip_prefix("user/");
        user.is_some_and(|name| names.contains(&name.to_ascii_lowercase()))
    });
    let users = plan.new_users().map(|name| format!("user/{name}"));
    let sources = plan.new_sources();
    let sources = sources.map(|(_, address)| format!("source/{address}"));
    let keys: BTreeSet<String> = gone.chain(users).chain(sources).collect();
    let keys = keys.into_iter().flat_map(|key| [Gone::key(&key), key]);
    let rows = keys.filter_map(|key| {
        let value = match waiting.get(&key) {
            Some(waiting) => waiting.clone(),
            None => astdb::get(stored::FAMILY, &key),
        };
        Some((key, value?))
    });
    Stored::read(rows)
}

/// Brings in another directory. `really`: also where all of many users go.
fn switch(directory: Directory, really: bool) -> Result<Counts, String> {
    let running = store::read(|world| world.directory().clone());
    let running = running.ok_or(store::NOT_RUNNING)?;
    let plan = Plan::new(&running, Arc::new(directory));
    let counts = plan.counts();
    if counts.loses_all() && !really {
        return Err(kept(loses_all(counts)));
    }
    let mut labels = Labels::default();
    let mut ask = |address: &str| {
        let said = labels.read(address)?;
        let subtype = store::accepted(address, "subtype", &said.subtype);
        let message = store::accepted(address, "message", &said.message);
        Some(Presence::new(said.state, &subtype, &message))
    };
    // A section that an error left out until now has its rows still.
    let mut stored = stored_of(&plan);
    let accounts = plan.directory().accounts().iter();
    let new = accounts.filter(|name| !running.accounts().contains(name));
    sequences::reserve(new, &mut stored.accounts);
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
        read.devices.push((id, devicestate::read(name)));
    }
    let new_devices = plan.new_devices();
    let new_devices: Vec<String> = new_devices.map(|(_, name)| name.to_owned()).collect();
    let removed = store::update(|world, now| {
        if !Arc::ptr_eq(world.directory(), &running) {
            return (Err("the module was loaded anew meanwhile"), Vec::new());
        }
        let (told, removed) = world.reconfigure(&plan, &stored, read, now);
        // Those who are gone first: hints match names without regard to case, so for a
        // user spelled anew the last word has to be the new one.
        let gone = removed.withdrawn.iter().cloned();
        let effects = gone.chain(told).collect();
        (Ok(removed), effects)
    });
    // What was known before goes here, without a lock.
    drop(removed.ok_or(store::NOT_RUNNING)??);
    let new: Vec<Arc<str>> = plan.new_users().cloned().collect();
    announced::announce(&new);
    // Whoever reads an account begins anew where its people are others now.
    let others = plan.directory().changed_accounts(&running);
    let now = plan.directory();
    feed::reconfigure(now.settings.http.journal, now.accounts(), &others);
    feed::end_streams();
    // New sources may have changed since they were read, and unknown ones may have
    // got their provider.
    let unknown = store::read(|world| {
        let sources = world.directory().sources();
        let unknown = sources.filter(|(id, s)| s.is_provided() && !world.source(*id).known);
        unknown
            .map(|(_, source)| source.address.clone())
            .collect::<Vec<_>>()
    });
    again.extend(unknown.unwrap_or_default());
    for name in new_devices {
        until_twice_the_same(|| {
            let state = devicestate::read(&name);
            store::set_device(&name, state);
            Some(state)
        });
    }
    functions::look_again();
    schedules::forget();
    // Nothing else tells it that there is a schedule now.
    persister::wake(true);
    actions::everyone(false, store::people);
    for address in again {
        until_twice_the_same(|| {
            let said = ask(&address)?;
            store::update(|world, now| ((), world.take_heard(&address, said.parts(), now)));
            Some(said)
        });
    }
    for notice in configuration::shared_extensions(plan.directory(), Some(&running)) {
        log::notice(notice);
    }
    persister::tidy();
    Ok(counts)
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
