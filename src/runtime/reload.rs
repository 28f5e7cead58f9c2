//! A reload: the difference between the running configuration and the one that is
//! read. With any error everything stays as it is.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::applications::ApplicationEvent;
use super::configuration::{self, FAMILY};
use super::own_settings::ForwardsChanged;
use super::providers::ProviderProbe;
use super::refresh::no_row;
use super::{NOT_RUNNING, Runtime};
use presence::Presence;
use presence::config::{Origin, Parsed, Problem, parse_row};
use presence::directory::Directory;
use presence::model::address::{USER_LABEL, below};
use presence::world::gone_users::{self, Gone};
use presence::world::stored::{self, Stored};
use presence::world::{Counts, Plan, ProviderValues};

/// One reload at a time; a second one is refused instead of waiting.
#[derive(Default)]
pub struct ReloadLock(AtomicBool);

/// A reload that is under way.
pub(super) struct Busy<'a>(&'a ReloadLock);

impl ReloadLock {
    pub(super) fn begin(&self) -> Result<Busy<'_>, String> {
        match self.0.swap(true, Ordering::Acquire) {
            true => Err("another reload is under way".into()),
            false => Ok(Busy(self)),
        }
    }
}

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.0.0.store(false, Ordering::Release);
    }
}

/// Why a reload changed nothing.
#[derive(Debug)]
pub struct ReloadRefused {
    /// In a sentence.
    pub why: String,
    /// The errors, where there are several.
    pub problems: Vec<String>,
}

impl From<String> for ReloadRefused {
    fn from(why: String) -> Self {
        ReloadRefused {
            why,
            problems: Vec::new(),
        }
    }
}

impl Runtime {
    /// Reads everything anew. `really`: also where that removes all of many users.
    ///
    /// # Errors
    /// Says why nothing changed; errors of the configuration were logged.
    pub fn reload(self: &Arc<Self>, really: bool) -> Result<Counts, ReloadRefused> {
        let _busy = self.reload.begin()?;
        self.reload_begun(really)
    }

    /// As [`Runtime::reload`], of a caller that has begun it.
    ///
    /// # Errors
    /// As there.
    pub(super) fn reload_begun(self: &Arc<Self>, really: bool) -> Result<Counts, ReloadRefused> {
        let loaded = self.load_configuration().map_err(kept)?;
        let parsed = loaded.parsed;
        let errors: Vec<&Problem> = parsed.all_errors().collect();
        if !errors.is_empty() {
            let several = errors.len() > 1;
            return Err(ReloadRefused {
                why: kept(configuration::refusal(&errors)),
                problems: errors
                    .iter()
                    .filter(|_| several)
                    .map(ToString::to_string)
                    .collect(),
            });
        }
        if !really {
            self.check_realtime(&parsed).map_err(kept)?;
        }
        let hooks = parsed.settings.webhooks.clone();
        let directory = Directory::new(parsed.settings, parsed.users);
        let counts = self.switch(directory, really, true)?;
        self.read_own_passwords_again();
        self.reconfigure_refresh(loaded.file);
        self.keep_time();
        self.reconfigure_webhooks(&hooks);
        self.reconfigure_cluster();
        // It looks which sessions hold no more.
        self.wake_persister(true);
        self.host().reconfigured();
        match counts.loses_most() {
            true => log::warn!(
                "Reloaded, and most users are gone: {counts}. What is stored of them is kept for 30 \
                 days, or until 'userpresence forget'"
            ),
            false => log::info!("Reloaded: {counts}"),
        }
        Ok(counts)
    }

    /// Users from realtime do not go because their table cannot be reached, or gives nothing.
    pub(super) fn check_realtime(&self, parsed: &Parsed) -> Result<(), String> {
        let from_realtime = self.count_from_realtime();
        if from_realtime == 0 {
            return Ok(());
        }
        if !self.host().realtime_is_mapped(FAMILY) {
            return Err(format!(
                "realtime family '{FAMILY}' is not mapped in extconfig.conf any more, or its driver \
                 is not loaded, and there are users from it"
            ));
        }
        let mut users = parsed.users.iter();
        let has_row = users.any(|user| user.origin == Origin::Realtime);
        match has_row || parsed.all_errors().next().is_some() {
            true => Ok(()),
            false => Err(no_row(from_realtime)),
        }
    }

    fn count_from_realtime(&self) -> usize {
        let count = self.read(|world| {
            let users = world.directory().users();
            let from_realtime = users.filter(|(_, user)| user.origin == Origin::Realtime);
            from_realtime.count()
        });
        count.unwrap_or_default()
    }

    /// Reads one user anew from realtime: changed, new, or gone.
    ///
    /// # Errors
    /// Says why nothing changed.
    pub fn reload_user(&self, name: &str) -> Result<String, String> {
        let _busy = self.reload.begin()?;
        let directory = self.read(|world| world.directory().clone());
        let directory = directory.ok_or(NOT_RUNNING)?;
        // A database may tell capitals apart, where a user's name does not.
        let load = |name: &str| self.host().realtime_row(FAMILY, name);
        // An id or an extension finds a known user only; no new user has it as a name.
        let called = directory.find(name).ok();
        let name = match called.filter(|_| directory.user(name).is_none()) {
            Some(user) if load(name)?.is_none() => &directory.get(user).name,
            _ => name,
        };
        let known = directory.user(name);
        let from_file = known.is_some_and(|user| directory.get(user).origin == Origin::File);
        if from_file {
            return Err(format!(
                "'{name}' is defined in userpresence.conf, expected a user from realtime; \
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
                if self.host().realtime_rows(FAMILY)?.is_empty() {
                    return Err(kept(no_row(self.count_from_realtime())));
                }
                specs.remove(place);
                "is gone"
            }
            (Some(mut row), place) => {
                self.fill_row(&mut row);
                let parsed = parse_row(&directory.settings, &row, specs, &|name| {
                    self.host().is_timezone(name)
                });
                for warning in &parsed.warnings {
                    log::warn!("{warning}");
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
        let directory = Directory::new(directory.settings.clone(), specs);
        self.switch(directory, true, false)?;
        Ok(format!("User '{name}' {done}."))
    }

    /// What is stored of the plan's new users and sources.
    fn stored_of(&self, plan: &Plan) -> Stored {
        let new = plan.new_users().count() + plan.new_sources().count();
        if new == 0 {
            return Stored::default();
        }
        // Rows that wait come before what AstDB holds.
        let (waiting, gone) = self.while_rows_rest(|| {
            let waiting = self.read(|world| world.orphaned_rows().clone());
            (waiting.unwrap_or_default(), self.gone_rows())
        });
        let names: HashSet<String> = plan.new_users().map(|it| it.to_ascii_lowercase()).collect();
        let waits = waiting.keys().map(|key| {
            let of = key.strip_prefix(gone_users::PREFIX).unwrap_or(key);
            of.to_owned()
        });
        let gone = gone.into_iter().map(|(key, _)| key);
        let gone = gone.chain(waits).filter(|key| {
            // A name may be spelled with other capitals now; a running user keeps its values.
            let user = key.strip_prefix("user/");
            let user = user.or_else(|| key.strip_prefix("settings/"));
            user.is_some_and(|name| names.contains(&name.to_ascii_lowercase()))
        });
        let users = plan.new_users();
        let users = users.flat_map(|name| [format!("user/{name}"), format!("settings/{name}")]);
        let sources = plan.new_sources();
        let sources = sources.map(|(_, address)| format!("source/{address}"));
        let keys: BTreeSet<String> = gone.chain(users).chain(sources).collect();
        let keys = keys.into_iter().flat_map(|key| [Gone::key(&key), key]);
        let rows = keys.filter_map(|key| {
            let value = match waiting.get(&key) {
                Some(waiting) => waiting.clone(),
                None => self.host().get(stored::FAMILY, &key),
            };
            Some((key, value?))
        });
        Stored::read(rows)
    }

    /// Brings in another directory. `really`: also where all of many users go. `begin_anew`:
    /// streams of the feed end also where no account has other users, because others may read
    /// now.
    pub(super) fn switch(
        &self,
        directory: Directory,
        really: bool,
        begin_anew: bool,
    ) -> Result<Counts, String> {
        let running = self.read(|world| world.directory().clone());
        let running = running.ok_or(NOT_RUNNING)?;
        let plan = Plan::new(&running, Arc::new(directory));
        let counts = plan.counts();
        if counts.loses_all() && !really {
            return Err(kept(loses_all(counts)));
        }
        let mut probe = ProviderProbe::new(self.host(), None);
        let mut ask = |address: &str| {
            let reported = probe.ask(address)?;
            let subtype = self.accepted(address, "subtype", &reported.subtype);
            let message = self.accepted(address, "message", &reported.message);
            Some(Presence::new(reported.state, &subtype, &message))
        };
        // A section that an error left out until now has its rows still.
        let mut stored = self.stored_of(&plan);
        let accounts = plan.directory().accounts().iter();
        let new = accounts.filter(|name| !running.accounts().contains(name));
        self.reserve_sequences(new, &mut stored.accounts);
        let mut read = ProviderValues::default();
        let mut again: Vec<Arc<str>> = Vec::new();
        for (source, address) in plan.new_sources() {
            again.push(address.into());
            if let Some(presence) = ask(address) {
                read.sources.push((source, presence));
            }
        }
        for (source, schedule) in plan.directory().schedules() {
            let reported = self.scheduled(schedule, self.now());
            read.sources.push((*source, reported));
        }
        for (id, name) in plan.new_devices() {
            // A user may be as new as the user that reads it: those are read below.
            if below(name, USER_LABEL).is_some() {
                continue;
            }
            read.devices.push((id, self.host().device(name)));
        }
        let gone = spelled_no_more(&running, plan.directory());
        // What a hint has followed may be another spelling now.
        let is_respelled = |name: &Arc<str>| plan.directory().user(name).is_some();
        if self.spellings.matter() && gone.iter().any(is_respelled) {
            self.note_spellings_for(plan.directory());
        }
        let new_devices = plan.new_devices();
        let new_devices: Vec<String> = new_devices.map(|(_, name)| name.to_owned()).collect();
        let removed = self.update(|world, now| {
            if !Arc::ptr_eq(world.directory(), &running) {
                return (Err("the module was loaded anew meanwhile"), Vec::new());
            }
            // Under the lock: what a phone publishes later finds the new directory.
            read.published = self.publications().all();
            let (told, removed) = world.reconfigure(&plan, &stored, read, now);
            // Removed users first: hints match names without regard to case, so for a
            // user spelled anew the last word has to be the new one.
            let gone = removed.withdrawn.iter().cloned();
            let effects = gone.chain(told).collect();
            (Ok(removed), effects)
        });
        // What was known before goes here, without a lock.
        drop(removed.ok_or(NOT_RUNNING)??);
        for name in gone.iter().filter(|name| !is_respelled(name)) {
            self.spellings.forget(name);
        }
        // A login may have gone, or have another password, also where all streams go on.
        self.sessions.logins_changed();
        if self.applications().any() {
            let gone = running.users().map(|(_, user)| &user.name);
            for name in gone.filter(|name| plan.directory().user(name).is_none()) {
                let event = ApplicationEvent::Removed(name.clone());
                self.applications().put(&event);
            }
        }
        let new: Vec<Arc<str>> = plan.new_users().cloned().collect();
        self.announce(&new);
        // Readers of an account begin anew if its users have changed.
        let others = plan.directory().changed_accounts(&running);
        let now = plan.directory();
        self.feed
            .reconfigure(now.settings.http.journal, now.accounts(), &others);
        if begin_anew || !others.is_empty() {
            self.feed.end_streams();
        }
        // New sources may have changed since they were read, and unknown ones may have
        // got their provider.
        let unknown = self.read(|world| {
            let sources = world.directory().sources();
            let unknown = sources.filter(|(id, s)| s.is_provided() && !world.source(*id).known);
            unknown
                .map(|(_, source)| source.address.clone())
                .collect::<Vec<_>>()
        });
        again.extend(unknown.unwrap_or_default());
        for name in new_devices {
            until_twice_the_same(|| {
                let state = self.host().device(&name);
                self.set_device(&name, state);
                Some(state)
            });
        }
        self.drop_replaced_passwords();
        self.check_functions_later();
        self.reset_schedules();
        // Nothing else tells it that there is a schedule now.
        self.wake_persister(true);
        self.bring_actions_in_line(false);
        for address in again {
            until_twice_the_same(|| {
                let reported = ask(&address)?;
                self.update(|world, now| {
                    ((), world.report_presence(&address, reported.parts(), now))
                });
                Some(reported)
            });
        }
        for notice in configuration::shared_extensions(plan.directory(), Some(&running)) {
            log::info!("{notice}");
        }
        self.clustering.users_changed();
        self.tidy_rows();
        self.forwards_changed(ForwardsChanged::All);
        Ok(counts)
    }
}

pub(super) fn loses_all(counts: Counts) -> String {
    format!(
        "all of the {} users would go, which looks like a mistake; 'userpresence reload --really' \
         does it all the same",
        counts.before
    )
}

/// The users that go, or are spelled differently.
fn spelled_no_more(running: &Directory, next: &Directory) -> Vec<Arc<str>> {
    let names = running.users().map(|(_, user)| &user.name);
    let is_gone = |name: &&Arc<str>| {
        let user = next.user(name);
        user.is_none_or(|user| next.get(user).name != **name)
    };
    names.filter(is_gone).cloned().collect()
}

fn kept(why: String) -> String {
    format!("{why}; the running configuration stays")
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

fn not_running() -> ReloadRefused {
    NOT_RUNNING.to_owned().into()
}

/// See [`Runtime::reload`].
///
/// # Errors
/// As there, and [`NOT_RUNNING`].
pub fn everything(really: bool) -> Result<Counts, ReloadRefused> {
    super::current().ok_or_else(not_running)?.reload(really)
}

/// See [`Runtime::reload_user`].
///
/// # Errors
/// As there, and [`NOT_RUNNING`].
pub fn user(name: &str) -> Result<String, String> {
    super::current().ok_or(NOT_RUNNING)?.reload_user(name)
}
