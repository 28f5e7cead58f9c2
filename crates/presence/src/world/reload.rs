//! Replacing the directory: known state is carried over, and differences become effects.
//!
//! New sources are read from Asterisk beforehand, without any lock. Under the lock, state is
//! only moved and combined.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::chosen::{OwnChange, UserBefore};
use super::devices::Asked;
use super::rows::RowKey;
use super::writes::{PendingWrite, Write};
use super::{Effect, Ending, Latest, Layers, SourceState, Touched, UserState, World};
use crate::config::Rule;
use crate::directory::{DeviceId, Directory, Input, Source, SourceId, User, UserId};
use crate::model::details::Details;
use crate::model::device::{DeviceState, Watcher};
use crate::model::dnd::DndStatus;
use crate::model::flags::Flags;
use crate::model::state::Presence;
use crate::model::status::StatusType;
use crate::model::time::Time;
use crate::world::stored::Stored;

/// A comparison of a new directory with the running one, by user, source and device.
#[derive(Debug)]
pub struct Plan {
    directory: Arc<Directory>,
    users: Vec<Option<UserId>>,
    sources: Vec<Option<SourceId>>,
    devices: Vec<Option<DeviceId>>,
    counts: Counts,
    /// The removed users of the running directory; `gone_sources` holds the removed sources.
    gone_users: Vec<UserId>,
    gone_sources: Vec<SourceId>,
}

/// How many users a reload adds, removes and changes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counts {
    /// The number of users before the reload.
    pub before: usize,
    /// The number of users after the reload.
    pub now: usize,
    /// The number of added users.
    pub added: usize,
    /// The number of removed users.
    pub removed: usize,
    /// The number of users that stay and whose configuration changes.
    pub changed: usize,
}

impl Counts {
    /// The least number of users for which the loss of all or most of them is reported.
    const MANY: usize = 11;

    /// Whether all of many users are removed, which is probably a mistake.
    pub fn loses_all(&self) -> bool {
        self.before >= Self::MANY && self.removed == self.before
    }

    /// Whether more than half of many users are removed.
    pub fn loses_most(&self) -> bool {
        self.before >= Self::MANY && self.removed * 2 > self.before
    }
}

impl std::fmt::Display for Counts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let users = if self.now == 1 { "user" } else { "users" };
        let Counts {
            now,
            added,
            removed,
            changed,
            ..
        } = self;
        write!(
            f,
            "{now} {users}: {added} new, {removed} removed, {changed} changed"
        )
    }
}

impl Plan {
    /// Compares two directories. This may take long and needs no lock.
    pub fn new(running: &Directory, directory: Arc<Directory>) -> Self {
        let users = directory
            .users()
            .map(|(_, user)| running.user(&user.name))
            .collect();
        let sources = directory.sources();
        let sources = sources
            .map(|(_, source)| running.source(&source.address))
            .collect();
        let devices = directory.devices();
        let devices = devices.map(|(_, name)| running.device(name)).collect();
        let mut plan = Plan {
            directory,
            users,
            sources,
            devices,
            counts: Counts::default(),
            gone_users: Vec::new(),
            gone_sources: Vec::new(),
        };
        plan.counts = plan.count(running);
        let goes = |known: &[bool]| -> Vec<usize> {
            let all = known.iter().enumerate();
            all.filter(|(_, stays)| !**stays)
                .map(|(at, _)| at)
                .collect()
        };
        let mut users = vec![false; running.user_count()];
        let known = plan.users.iter().flatten();
        known.for_each(|user| users[user.index()] = true);
        plan.gone_users = goes(&users).into_iter().map(UserId::new).collect();
        let mut sources = vec![false; running.source_count()];
        let known = plan.sources.iter().flatten();
        known.for_each(|source| sources[source.index()] = true);
        plan.gone_sources = goes(&sources).into_iter().map(SourceId::new).collect();
        plan
    }

    /// The users of the running directory that are removed.
    pub fn gone_users(&self) -> &[UserId] {
        &self.gone_users
    }

    /// The sources of the running directory that are removed.
    pub fn gone_sources(&self) -> &[SourceId] {
        &self.gone_sources
    }

    fn count(&self, running: &Directory) -> Counts {
        let known = self.users.iter().flatten().count();
        let mut rules = HashMap::new();
        let users = self.directory.users().zip(&self.users);
        let changed = users.filter(|((_, user), known)| {
            known.is_some_and(|known| self.differs(user, running.get(known), running, &mut rules))
        });
        Counts {
            before: running.user_count(),
            now: self.users.len(),
            added: self.users.len() - known,
            removed: running.user_count() - known,
            changed: changed.count(),
        }
    }

    /// Whether a user's configuration differs. `rules` caches the comparisons of rules, because
    /// many users share one.
    fn differs(
        &self,
        user: &User,
        before: &User,
        running: &Directory,
        rules: &mut HashMap<[*const Rule; 2], bool>,
    ) -> bool {
        let same = |(input, before): (&Input, &Input)| {
            let device = |of: &Directory, input: &Input| {
                input
                    .device()
                    .map(|device| of.device_name(device).to_owned())
            };
            input.kind == before.kind
                && self.sources[input.source.index()] == Some(before.source)
                && device(&self.directory, input) == device(running, before)
        };
        let pair = [Arc::as_ptr(&user.rule), Arc::as_ptr(&before.rule)];
        let other_rule = *rules
            .entry(pair)
            .or_insert_with(|| user.rule != before.rule);
        other_rule
            || user.name != before.name
            || user.id != before.id
            || self.directory.account(user.account) != running.account(before.account)
            || user.inputs.len() != before.inputs.len()
            || !user.inputs.iter().zip(&before.inputs).all(same)
            || user.default != before.default
            || user.member != before.member
            || user.groups != before.groups
            || user.contact != before.contact
            || user.reach != before.reach
            || user.password != before.password
            || !self.directory.publishes_as(user, running, before)
            || user.origin != before.origin
    }

    /// How many users are added, removed and changed.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// The new directory.
    pub fn directory(&self) -> &Directory {
        &self.directory
    }

    /// For each new number of a user, a source and a device, the number in the running directory.
    pub(super) fn renumbered(&self) -> [Vec<Option<usize>>; 3] {
        let users = self.users.iter().map(|id| id.map(UserId::index));
        let sources = self.sources.iter().map(|id| id.map(SourceId::index));
        let devices = self.devices.iter().map(|id| id.map(DeviceId::index));
        [users.collect(), sources.collect(), devices.collect()]
    }

    /// The names of the added users.
    pub fn new_users(&self) -> impl Iterator<Item = &Arc<str>> {
        let all = self.directory.users().zip(&self.users);
        let new = all.filter(|(_, known)| known.is_none());
        new.map(|((_, user), _)| &user.name)
    }

    /// The added sources, which have to be read from their providers.
    pub fn new_sources(&self) -> impl Iterator<Item = (SourceId, &str)> {
        let all = self.directory.sources().zip(&self.sources);
        let new = all.filter(|((_, source), known)| known.is_none() && source.is_provided());
        new.map(|((id, source), _)| (id, &*source.address))
    }

    /// The added devices, which have to be read.
    pub fn new_devices(&self) -> impl Iterator<Item = (DeviceId, &str)> {
        let all = self.directory.devices().zip(&self.devices);
        let new = all.filter(|(_, known)| known.is_none());
        new.map(|(device, _)| device)
    }
}

/// The values of new sources and devices, read from their providers before a reload.
#[derive(Default, Debug)]
pub struct ProviderValues {
    /// The presence of each source.
    pub sources: Vec<(SourceId, Presence)>,
    /// The state of each device.
    pub devices: Vec<(DeviceId, DeviceState)>,
    /// What phones publish now, by the names of their devices.
    pub published: Vec<(String, Latest)>,
}

/// The state of a user before a reload.
struct Previous {
    was: UserBefore,
    device_states: [DeviceState; 2],
}

/// The rest of a reload, for the caller to handle without a lock.
#[derive(Default, Debug)]
pub struct Removed {
    /// The effects for the watchers of removed users.
    pub withdrawn: Vec<Effect>,
    /// The replaced world. Dropping it may take long, so drop it without any lock.
    pub before: World,
}

impl World {
    /// Restores a world from its stored rows. Providers are not read yet.
    pub fn restore(directory: Arc<Directory>, stored: &Stored, now: Time) -> Self {
        World::restore_beside(directory, stored, |_| false, now)
    }

    /// The same as [`World::restore`]. `is_silent` returns whether the provider of a source
    /// answers `not_set`; such a source is known even if no row is stored for it.
    pub fn restore_beside(
        directory: Arc<Directory>,
        stored: &Stored,
        is_silent: impl Fn(&Source) -> bool,
        now: Time,
    ) -> Self {
        let mut world = World::empty(directory.clone());
        world.load_stored(stored);
        world.note_absent(stored, now);
        for (id, source) in directory.sources() {
            let state = &mut world.sources[id.index()];
            state.known |= !state.known && is_silent(source);
        }
        for (at, account) in directory.accounts().iter().enumerate() {
            world.accounts[at] = stored.last_number(account, now);
        }
        world.check_sequences();
        world.read_devices(now);
        world.combine_all();
        world.update_activities();
        world
    }

    /// Resets sequence numbers above the account's last one: the user had them in another
    /// account.
    fn check_sequences(&mut self) {
        let directory = self.directory.clone();
        for (id, user) in directory.users() {
            let last = self.accounts[user.account.index()];
            let own = &mut self.users[id.index()].sequence;
            if *own > last {
                *own = 0;
            }
        }
    }

    /// Loads the stored rows of sources and users. The row of a user whose name changed only in
    /// case moves to the new spelling.
    fn load_stored(&mut self, stored: &Stored) {
        let directory = self.directory.clone();
        self.kept.extend(stored.kept.clone());
        for (address, kept) in &stored.sources {
            let source = directory.source(address);
            let Some(source) = source.filter(|source| !directory.is_missing_user(*source)) else {
                continue;
            };
            let (layers, version) = kept.restore();
            let state = &mut self.sources[source.index()];
            state.set_layers(layers);
            self.last = self.last.max(state.since);
            self.restore_base_version(source, version);
        }
        for (name, row) in &stored.users {
            let Some(user) = directory.user(name) else {
                continue;
            };
            let canonical = &*directory.get(user).name;
            if canonical != name {
                self.dirty.push_back(RowKey::User(name.as_str().into()));
                if stored.users.contains_key(canonical) {
                    continue;
                }
                self.mark_user(user);
            }
            let statuses = directory.settings.statuses();
            let own = row.own.as_ref().map(|own| Box::new(own.restore(statuses)));
            let since = own.as_ref().map_or(Time::NEVER, |own| own.chosen);
            self.last = self.last.max(since);
            let state = &mut self.users[user.index()];
            state.sequence = row.sequence;
            state.panel = row.panel;
            state.own = own;
            let status = row.status.as_ref().and_then(|name| statuses.find(name));
            state.status = status.cloned();
            let dnd_status = row.dnd_status.as_deref().map(DndStatus::parse);
            state.dnd_status = dnd_status.and_then(Result::ok).unwrap_or_default();
            state.flags = Flags::restore(&row.flags);
            self.restore_user_versions(user, &row.versions);
        }
        for (name, versions) in &stored.settings_versions {
            if let Some(user) = directory.user(name) {
                self.restore_item_versions(user, versions);
            }
        }
        for (name, settings) in &stored.settings {
            let Some(user) = directory.user(name) else {
                continue;
            };
            let canonical = &*directory.get(user).name;
            if canonical != name {
                self.dirty.push_back(RowKey::Settings(name.as_str().into()));
                if stored.settings.contains_key(canonical) {
                    continue;
                }
                self.mark_settings(user);
            }
            self.users[user.index()].settings = Some(Box::new(settings.clone()));
        }
    }

    fn empty(directory: Arc<Directory>) -> Self {
        static ROUND: AtomicU64 = AtomicU64::new(0);
        World {
            round: ROUND.fetch_add(1, Ordering::Relaxed) + 1,
            sources: vec![SourceState::default(); directory.source_count()],
            users: vec![UserState::default(); directory.user_count()],
            accounts: vec![0; directory.accounts().len()],
            devices: vec![None; directory.device_count()],
            asked: Asked::of(directory.user_count()),
            directory,
            ..World::default()
        }
    }

    /// Combines every user without a transition, and updates the sources that are users.
    fn combine_all(&mut self) {
        self.gather_ends();
        let mut all: Vec<(u32, UserId)> = self
            .directory
            .users()
            .map(|(id, u)| (u.depth, id))
            .collect();
        all.sort_unstable();
        let shared = self.is_sharing();
        for (_, user) in all {
            let outcome = self.combine(user);
            let presence = outcome.presence.clone();
            self.users[user.index()].outcome = outcome;
            self.update_chosen(user);
            self.update_visibility(user);
            self.update_device_states(user, &mut Vec::new());
            if let Some(source) = self.directory.source_of(user) {
                let state = &mut self.sources[source.index()];
                state.known = true;
                if state.presence != presence || shared {
                    let since = self.users[user.index()].outcome.since;
                    (state.presence, state.since) = (presence, since);
                }
            }
        }
    }

    /// Switches to the plan's directory. `stored` holds the rows of added sources and users,
    /// `read` the values from their providers.
    pub fn reconfigure(
        &mut self,
        plan: &Plan,
        stored: &Stored,
        read: ProviderValues,
        now: Time,
    ) -> (Vec<Effect>, Removed) {
        self.made_by_all(|world| world.switch_to(plan, stored, read, now))
    }

    fn switch_to(
        &mut self,
        plan: &Plan,
        stored: &Stored,
        read: ProviderValues,
        now: Time,
    ) -> (Vec<Effect>, Removed) {
        let withdrawn = self.withdraw_removed(plan);
        let mut ended = self.end_removed(plan, now);
        self.orphan_rows(plan, now);
        let mut before = std::mem::replace(self, World::empty(plan.directory.clone()));
        self.last = before.last;
        self.dirty = std::mem::take(&mut before.dirty);
        self.orphaned = std::mem::take(&mut before.orphaned);
        self.kept = std::mem::take(&mut before.kept);
        self.carry_over(&mut before, plan, stored, now);
        self.renumber_replica(&mut before, plan);
        self.load_stored(stored);
        self.check_sequences();
        self.clear_returned(stored);
        let at = self.stamp(now);
        self.without_versions(|world| {
            for (source, presence) in read.sources {
                world.report_source(source, presence, at);
            }
        });
        for (device, state) in read.devices {
            if !self.note_device(device, state, at) {
                self.devices[device.index()] = Some(state);
            }
        }
        self.read_devices(at);
        self.publish_again(&read.published, &before);
        let old = self.users.iter().map(|state| Previous {
            was: state.before_change(),
            device_states: state.device_states,
        });
        let old: Vec<Previous> = old.collect();
        self.rename_statuses(plan);
        self.combine_all();
        ended.extend(self.differences(plan, old, &before, now));
        let effects = ended;
        self.drop_rows_of_spellings(&before);
        (effects, Removed { withdrawn, before })
    }

    /// Ends the timed statuses of removed users, while the statuses below them are still known.
    /// Returns the effects for the other users.
    fn end_removed(&mut self, plan: &Plan, now: Time) -> Vec<Effect> {
        let directory = self.directory.clone();
        let stays = |name: &str| plan.directory.user(name).is_some();
        let (mut touched, mut set) = (Touched::new(), Vec::new());
        for (until, ending) in self.ends.clone() {
            match ending {
                Ending::Own(user) if !stays(&directory.get(user).name) => {
                    self.ends.remove(&(until, ending));
                    set.extend(self.end_own(user, &mut touched));
                }
                Ending::Own(_) => {}
                Ending::Source(source) => {
                    let of_removed = |layers: &mut Layers| {
                        layers.end_those(|layer| !stays(&layer.owner));
                    };
                    if self.change_layers(source, &mut touched, of_removed) {
                        self.write_again(source);
                    }
                }
            }
        }
        let mut effects = Vec::new();
        self.recombine(touched, &OwnChange::Ended(set), now, &mut effects);
        // A removed user's transition gets its number and reaches the event feed, but not the
        // hints, which were withdrawn already.
        for effect in &mut effects {
            if let Effect::Transition(transition) = effect {
                let stays = stays(&transition.user);
                Arc::make_mut(transition).publish &= stays;
            }
        }
        effects.retain(|effect| match effect {
            Effect::Transition(_) => true,
            Effect::Publish(user, _)
            | Effect::Device(user, ..)
            | Effect::Forget(user)
            | Effect::Settings(user) => stays(user),
        });
        effects
    }

    fn carry_over(&mut self, before: &mut World, plan: &Plan, stored: &Stored, now: Time) {
        let mut moved = vec![None; before.sources.len()];
        for (new, old) in plan.sources.iter().enumerate() {
            if let Some(old) = old {
                self.sources[new] = std::mem::take(&mut before.sources[old.index()]);
                moved[old.index()] = Some(SourceId::new(new));
                let source = SourceId::new(new);
                if plan.directory.is_missing_user(source) {
                    // The user behind the source is removed, and their presence with them.
                    self.sources[new] = SourceState::default();
                    self.mark_source(source);
                }
            }
        }
        for (new, old) in plan.users.iter().enumerate() {
            if let Some(old) = old {
                self.users[new] = std::mem::take(&mut before.users[old.index()]);
                let account = |of: &Directory, user| of.account(of.get(user).account).clone();
                let now_in = account(&plan.directory, UserId::new(new));
                if now_in != account(&before.directory, *old) {
                    self.users[new].sequence = 0;
                }
                let id = UserId::new(new);
                self.asked.carry_over(id, &before.asked, *old);
                let name = &plan.directory.get(UserId::new(new)).name;
                if *name != before.directory.get(*old).name {
                    // The row moves to the new spelling; `removed` deletes the old one.
                    self.users[new].dirty = true;
                    self.dirty.push_back(RowKey::User(name.clone()));
                    if self.users[new].settings.is_some() {
                        self.users[new].settings_dirty = true;
                        self.dirty.push_back(RowKey::Settings(name.clone()));
                    }
                }
            }
        }
        for (new, old) in plan.devices.iter().enumerate() {
            if let Some(old) = old {
                self.devices[new] = before.devices[old.index()];
            }
        }
        self.panels = std::mem::take(&mut before.panels);
        self.parking = std::mem::take(&mut before.parking);
        for (at, account) in plan.directory.accounts().iter().enumerate() {
            match before.directory.account_named(account) {
                Some(old) => self.accounts[at] = before.accounts[old.index()],
                None => self.accounts[at] = stored.last_number(account, now),
            }
        }
        let moved = |source: SourceId| moved[source.index()];
        self.leftover_writes = std::mem::take(&mut before.leftover_writes);
        for source in before.queue.drain(..) {
            match moved(source) {
                Some(source) => self.queue.push_back(source),
                None => self.leftover_writes.extend(
                    PendingWrite::left(&mut before.pending, source).map(|presence| Write {
                        address: before.directory.get_source(source).address.clone(),
                        presence,
                    }),
                ),
            }
        }
        let pending = before.pending.drain();
        self.pending = pending
            .filter_map(|(s, way)| Some((moved(s)?, way)))
            .collect();
    }

    /// Replaces every status type by the one that is now configured under its name.
    fn rename_statuses(&mut self, plan: &Plan) {
        let statuses = plan.directory.settings.statuses();
        let renew = |status: &mut Option<Arc<StatusType>>| {
            if let Some(known) = status {
                *status = statuses.find(&known.name).cloned();
            }
        };
        for state in &mut self.users {
            renew(&mut state.status);
            let Some(own) = state.own.as_deref_mut() else {
                continue;
            };
            renew(&mut own.status);
            if let Some(before) = own.before.as_deref_mut() {
                renew(&mut before.status);
                if let Some(own) = before.own.as_deref_mut() {
                    renew(&mut own.status);
                }
            }
        }
    }

    /// Returns transitions for users whose presence differs, and publishes users whose
    /// spelling changed or whose presence was still settling. [`World::announce`] publishes
    /// added users to their watchers.
    fn differences(
        &mut self,
        plan: &Plan,
        old: Vec<Previous>,
        before: &World,
        now: Time,
    ) -> Vec<Effect> {
        let mut effects = Vec::new();
        let directory = self.directory.clone();
        for (((id, user), old), known) in directory.users().zip(old).zip(&plan.users) {
            let present = self.outcome(id).presence.clone();
            let respelled =
                known.is_some_and(|known| before.directory.get(known).name != user.name);
            let unpublished = respelled && present.is_set()
                || known.is_some_and(|known| before.is_unpublished(known, &present));
            let Previous {
                mut was,
                device_states,
            } = old;
            let moved = was.presence != present;
            self.update_activity(id);
            let state = &self.users[id.index()];
            if known.is_none() {
                // An added user's activity is discovered: that is no transition.
                was.activity = state.activity;
                was.inferred = state.inferred.clone();
                was.status = state.status.clone();
                was.visibility = state.visibility;
            }
            // The configuration alone may remove or relabel a status type.
            if state.differs(&was) {
                effects.push(self.transition(id, was, Details::NONE, now));
            }
            if !moved && unpublished {
                self.asked.set_presence(id);
                effects.push(Effect::Publish(user.name.clone(), present));
            }
            for watcher in Watcher::ALL {
                let state_now = self.device_state_of(id, watcher);
                let differs = respelled || device_states[watcher as usize] != state_now;
                if differs && self.asked.get(id, watcher) {
                    effects.push(Effect::Device(user.name.clone(), watcher, state_now));
                }
            }
        }
        effects
    }

    /// Deletes the rows of earlier spellings; those of removed users stay, see
    /// [`World::orphan_rows`].
    fn drop_rows_of_spellings(&mut self, before: &World) {
        let respelled = before.directory.users().filter(|(_, before)| {
            let user = self.directory.user(&before.name);
            user.is_some_and(|user| self.directory.get(user).name != before.name)
        });
        let rows = respelled.flat_map(|(_, user)| {
            let settings = RowKey::Settings(user.name.clone());
            [RowKey::User(user.name.clone()), settings]
        });
        let rows: Vec<RowKey> = rows.collect();
        self.dirty.extend(rows);
    }
}
