//! From one directory to the next: what is known stays, what differs follows.
//!
//! Asterisk is asked about new sources before, without any lock; under the lock only
//! known things are moved and combined.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::chosen::{OwnChange, Was};
use super::devices::Asked;
use super::rows::RowKey;
use super::writes::{OnWay, Write};
use super::{Effect, Ending, Layers, SourceState, Touched, UserState, World};
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

/// How the numbers of a new directory relate to those of the running one.
#[derive(Debug)]
pub struct Plan {
    directory: Arc<Directory>,
    users: Vec<Option<UserId>>,
    sources: Vec<Option<SourceId>>,
    devices: Vec<Option<DeviceId>>,
    counts: Counts,
    /// Of the running directory: who and what goes.
    gone_users: Vec<UserId>,
    gone_sources: Vec<SourceId>,
}

/// How many users a reload brings and takes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counts {
    /// How many there were.
    pub before: usize,
    /// How many there will be.
    pub now: usize,
    /// How many come.
    pub come: usize,
    /// How many go.
    pub go: usize,
    /// How many stay and are configured otherwise.
    pub change: usize,
}

impl Counts {
    /// With so many users at least a loss of all or of most is taken note of.
    const MANY: usize = 11;

    /// Whether all of many users go, which nobody wants but by mistake.
    pub fn loses_all(&self) -> bool {
        self.before >= Self::MANY && self.go == self.before
    }

    /// Whether more than half of many go.
    pub fn loses_most(&self) -> bool {
        self.before >= Self::MANY && self.go * 2 > self.before
    }
}

impl std::fmt::Display for Counts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let users = if self.now == 1 { "user" } else { "users" };
        let Counts {
            now,
            come,
            go,
            change,
            ..
        } = self;
        write!(f, "{now} {users}: {come} new, {go} gone, {change} changed")
    }
}

impl Plan {
    /// Compares two directories; takes its time without any lock.
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

    /// The users of the running directory who go.
    pub fn gone_users(&self) -> &[UserId] {
        &self.gone_users
    }

    /// The sources of the running directory that go.
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
            come: self.users.len() - known,
            go: running.user_count() - known,
            change: changed.count(),
        }
    }

    /// Whether a user is configured otherwise than before. `rules` holds which of them were
    /// compared already: many users share one.
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
            || user.reach != before.reach
            || user.origin != before.origin
    }

    /// How many users come and go.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// What will be.
    pub fn directory(&self) -> &Directory {
        &self.directory
    }

    /// The users who are new.
    pub fn new_users(&self) -> impl Iterator<Item = &Arc<str>> {
        let all = self.directory.users().zip(&self.users);
        let new = all.filter(|(_, known)| known.is_none());
        new.map(|((_, user), _)| &user.name)
    }

    /// The sources that are new, and are to be read from their providers.
    pub fn new_sources(&self) -> impl Iterator<Item = (SourceId, &str)> {
        let all = self.directory.sources().zip(&self.sources);
        let new = all.filter(|((_, source), known)| known.is_none() && source.is_provided());
        new.map(|((id, source), _)| (id, &*source.address))
    }

    /// The devices that are new, and are to be read.
    pub fn new_devices(&self) -> impl Iterator<Item = (DeviceId, &str)> {
        let all = self.directory.devices().zip(&self.devices);
        let new = all.filter(|(_, known)| known.is_none());
        new.map(|(device, _)| device)
    }
}

/// What was read for a reload from the providers of what is new.
#[derive(Default, Debug)]
pub struct Read {
    /// What sources said.
    pub sources: Vec<(SourceId, Presence)>,
    /// What devices are.
    pub devices: Vec<(DeviceId, DeviceState)>,
}

/// What was told of a user before.
struct Old {
    was: Was,
    shown: [DeviceState; 2],
}

/// What a reload leaves behind.
#[derive(Default, Debug)]
pub struct Removed {
    /// What those are told who watched users who are no more.
    pub withdrawn: Vec<Effect>,
    /// What was known before: let it go without any lock.
    pub before: World,
}

impl World {
    /// The world of a directory as it was stored, nothing read from providers yet.
    pub fn restore(directory: Arc<Directory>, stored: &Stored, now: Time) -> Self {
        World::restore_beside(directory, stored, |_| false, now)
    }

    /// As [`World::restore`]. `is_silent` says of a source that its provider answers
    /// `not_set`: where it has never said anything else, it is known by that.
    pub fn restore_beside(
        directory: Arc<Directory>,
        stored: &Stored,
        is_silent: impl Fn(&Source) -> bool,
        now: Time,
    ) -> Self {
        let mut world = World::empty(directory.clone());
        world.take_stored(stored);
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
        world.take_activities();
        world
    }

    /// A number above the account's is of another one, which the user was in.
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

    /// Takes what was stored of its sources and users. The row of a user whose name is
    /// now spelled with other capitals moves to the new spelling.
    fn take_stored(&mut self, stored: &Stored) {
        let directory = self.directory.clone();
        for (address, kept) in &stored.sources {
            let source = directory.source(address);
            let Some(source) = source.filter(|source| !directory.is_missing_user(*source)) else {
                continue;
            };
            let state = &mut self.sources[source.index()];
            state.set_layers(kept.restore());
            self.last = self.last.max(state.since);
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
            let takes = row.dnd_status.as_deref().map(DndStatus::parse);
            state.takes = takes.and_then(Result::ok).unwrap_or_default();
            state.flags = Flags::restore(&row.flags);
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

    /// Combines every user without a transition, and lets users who are sources know.
    fn combine_all(&mut self) {
        self.gather_ends();
        let mut all: Vec<(u32, UserId)> = self
            .directory
            .users()
            .map(|(id, u)| (u.depth, id))
            .collect();
        all.sort_unstable();
        for (_, user) in all {
            let outcome = self.combine(user);
            let presence = outcome.presence.clone();
            self.users[user.index()].outcome = outcome;
            self.take_chosen(user);
            self.show(user, &mut Vec::new());
            if let Some(source) = self.directory.source_of(user) {
                let state = &mut self.sources[source.index()];
                state.known = true;
                if state.presence != presence {
                    let since = self.users[user.index()].outcome.since;
                    (state.presence, state.since) = (presence, since);
                }
            }
        }
    }

    /// Takes over the plan's directory. `stored` holds rows of its new sources and
    /// users.
    pub fn reconfigure(
        &mut self,
        plan: &Plan,
        stored: &Stored,
        read: Read,
        now: Time,
    ) -> (Vec<Effect>, Removed) {
        let mut withdrawn = self.withdraw_the_gone(plan);
        let mut ended = self.end_of_the_gone(plan, now);
        self.part(plan, now);
        let mut before = std::mem::replace(self, World::empty(plan.directory.clone()));
        self.last = before.last;
        self.dirty = std::mem::take(&mut before.dirty);
        self.loose = std::mem::take(&mut before.loose);
        self.carry_over(&mut before, plan, stored, now);
        self.take_stored(stored);
        self.check_sequences();
        self.welcome(stored);
        let at = self.stamp(now);
        for (source, presence) in read.sources {
            self.hear(source, presence, at);
        }
        for (device, state) in read.devices {
            self.devices[device.index()] = Some(state);
        }
        self.read_devices(at);
        let old = self.users.iter().map(|state| Old {
            was: state.was(),
            shown: state.shown,
        });
        let old: Vec<Old> = old.collect();
        self.rename_statuses(plan);
        self.combine_all();
        ended.extend(self.differences(plan, old, &before, now));
        let effects = ended;
        let users = self.removed(&before);
        let gone = users.iter().filter_map(|name| before.directory.user(name));
        withdrawn.extend(gone.flat_map(|user| before.unshown(user)));
        (effects, Removed { withdrawn, before })
    }

    /// The timed statuses of users who are no more end now, while it is known what they
    /// return to. Says what follows for others.
    fn end_of_the_gone(&mut self, plan: &Plan, now: Time) -> Vec<Effect> {
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
                    let of_the_gone = |layers: &mut Layers| {
                        layers.timed.retain(|layer| stays(&layer.owner));
                    };
                    if self.relayer(source, &mut touched, of_the_gone) {
                        self.write_again(source);
                    }
                }
            }
        }
        let mut effects = Vec::new();
        self.recombine(touched, &OwnChange::Ended(set), now, &mut effects);
        // A transition of one who goes has its number and is told, but not to hints: those
        // have had the last word.
        for effect in &mut effects {
            if let Effect::Transition(transition) = effect {
                let stays = stays(&transition.user);
                Arc::make_mut(transition).publish &= stays;
            }
        }
        effects.retain(|effect| match effect {
            Effect::Transition(_) => true,
            Effect::Publish(user, _) | Effect::Device(user, ..) => stays(user),
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
                    // The user is gone, and what it said with it.
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
                    // The row moves to the new spelling; the old one goes below.
                    self.users[new].dirty = true;
                    self.dirty.push_back(RowKey::User(name.clone()));
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
        self.parting = std::mem::take(&mut before.parting);
        for source in before.queue.drain(..) {
            match moved(source) {
                Some(source) => self.queue.push_back(source),
                None => self
                    .parting
                    .extend(
                        OnWay::left(&mut before.on_way, source).map(|presence| Write {
                            address: before.directory.get_source(source).address.clone(),
                            presence,
                        }),
                    ),
            }
        }
        let on_way = before.on_way.drain();
        self.on_way = on_way
            .filter_map(|(s, way)| Some((moved(s)?, way)))
            .collect();
    }

    /// Every status type by its name as it is configured now.
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

    /// Transitions for those whose presence differs. A publish for those who are spelled
    /// anew, and for what was still settling. What else those are told who watched for
    /// users who are new: see [`World::announce`].
    fn differences(
        &mut self,
        plan: &Plan,
        old: Vec<Old>,
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
            let Old { mut was, shown } = old;
            let moved = was.presence != present;
            self.take_activity(id);
            let state = &self.users[id.index()];
            if known.is_none() {
                // Found out, which is no transition.
                was.activity = state.activity;
                was.inferred = state.inferred.clone();
                was.status = state.status.clone();
            }
            // A type may be gone, or be called otherwise, by the configuration alone.
            if state.differs(&was) {
                effects.push(self.transition(id, was, Details::NONE, now));
            }
            if !moved && unpublished {
                self.asked.set_heard(id);
                effects.push(Effect::Publish(user.name.clone(), present));
            }
            for watcher in Watcher::ALL {
                let now_shown = self.shown(id, watcher);
                let differs = respelled || shown[watcher as usize] != now_shown;
                if differs && self.asked.get(id, watcher) {
                    effects.push(Effect::Device(user.name.clone(), watcher, now_shown));
                }
            }
        }
        effects
    }

    /// Who is gone. The row of an earlier spelling goes too; others stay, see
    /// [`World::part`].
    fn removed(&mut self, before: &World) -> Vec<Arc<str>> {
        let spelled: HashSet<&str> = self
            .directory
            .users()
            .map(|(_, user)| &*user.name)
            .collect();
        let gone = before.directory.users().map(|(_, user)| &user.name);
        let gone: Vec<Arc<str>> = gone
            .filter(|name| !spelled.contains(&***name))
            .cloned()
            .collect();
        let respelled = gone
            .iter()
            .filter(|name| self.directory.user(name).is_some());
        let rows: Vec<RowKey> = respelled.cloned().map(RowKey::User).collect();
        self.dirty.extend(rows);
        gone
    }
}
