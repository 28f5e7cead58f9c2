//! What Asterisk is told of users when they come and when they go: what differs from what
//! it holds, or would be told when it asks, and nothing else. Its cache is searched through
//! for every publish, and newer cores look at every hint, too.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::{Effect, Plan, World};
use crate::directory::UserId;
use crate::model::address::{USER_LABEL, below};
use crate::model::device::Watcher;
use crate::model::state::Presence;
use crate::model::watched::Watched;

/// What was found in Asterisk, without any lock.
#[derive(Default, Debug)]
pub struct Found {
    /// The addresses of users that its cache holds, with what was published last.
    pub presences: Vec<(String, Presence)>,
    /// Who is looked at.
    pub watched: Watched,
}

/// Users whose presence is published for nothing but the list of presences that Asterisk
/// shows. It lists what was published, so those who are set stand there, as those of
/// `CustomPresence` do; of more users than these it would take long.
const MOST_UNWATCHED: usize = 5_000;

impl World {
    /// What a user's presence is, for Asterisk's core, which may keep it: from now on the
    /// core is told where it is something else.
    pub fn ask_presence(&self, user: UserId) -> Presence {
        if self.withdrawn {
            return Presence::default();
        }
        // First, so that a change that comes in between is told.
        self.asked.set_presence(user);
        self.outcome(user).presence.clone()
    }

    /// What is to be told of users who have come: of everyone at a load, else of these.
    pub fn announce(&mut self, found: &Found, new: Option<&[Arc<str>]>) -> Vec<Effect> {
        let directory = self.directory.clone();
        let new: Option<HashSet<UserId>> = new.map(|names| {
            names
                .iter()
                .filter_map(|name| directory.user(name))
                .collect()
        });
        let is_new = |user: &UserId| new.as_ref().is_none_or(|new| new.contains(user));
        let named = |name: &String| directory.user(name).filter(is_new);
        let held = found.presences.iter().filter_map(|(address, presence)| {
            let user = directory.user(below(address, USER_LABEL)?)?;
            // The cache tells capitals apart.
            let canonical = *below(address, USER_LABEL)? == *directory.get(user).name;
            canonical.then_some((user, presence))
        });
        let held: HashMap<UserId, &Presence> = held.collect();
        let watched = found.watched.presences.iter().filter_map(named);
        let watched: HashSet<UserId> = watched.collect();
        let mut effects = Vec::new();
        let mut unwatched = 0;
        for (id, user) in directory.users().filter(|(id, _)| is_new(id)) {
            let present = &self.users[id.index()].outcome.presence;
            let differs = match held.get(&id) {
                Some(held) => {
                    self.asked.set_presence(id);
                    *held != present
                }
                // Asked since the provider is there: it may have been something else.
                None if self.asked.has_presence(id) => true,
                // A hint that asked before anybody answered has no presence at all; one that
                // asked for a user whom a reload has brought was told `not_set`.
                None if watched.contains(&id) => new.is_none() || present.is_set(),
                None if !present.is_set() => false,
                None => {
                    unwatched += 1;
                    unwatched <= MOST_UNWATCHED
                }
            };
            if differs {
                self.asked.set_presence(id);
                effects.push(Effect::Publish(user.name.clone(), present.clone()));
            }
        }
        for (name, watcher) in &found.watched.devices {
            if let Some(id) = named(name) {
                let state = self.ask(id, *watcher);
                let name = directory.get(id).name.clone();
                effects.push(Effect::Device(name, *watcher, state));
            }
        }
        effects
    }

    /// What is to be told when nobody answers for the users any more. Hints ask back when
    /// they are told, and the provider may still be there: from now on it knows nothing,
    /// and what changes is not told.
    pub fn withdraw(&mut self) -> Vec<Effect> {
        let directory = self.directory.clone();
        let users = directory.users();
        let known = users.filter(|(id, _)| self.is_told_of(*id));
        let published = known.map(|(_, user)| unset(&user.name));
        let shown = directory
            .users()
            .flat_map(|(id, _)| self.withdraw_devices(id));
        let effects = published.chain(shown).collect();
        self.withdrawn = true;
        self.hold_publishing(true);
        effects
    }

    /// What is to be told of users who are no more after the plan, or are spelled anew.
    pub(super) fn withdraw_removed(&self, plan: &Plan) -> Vec<Effect> {
        let spelled = |name: &str| {
            let user = plan.directory().user(name);
            user.is_some_and(|user| *plan.directory().get(user).name == *name)
        };
        let users = self.directory.users();
        let gone = users.filter(|(id, user)| self.is_told_of(*id) && !spelled(&user.name));
        gone.map(|(_, user)| unset(&user.name)).collect()
    }

    /// Whether Asterisk may hold a presence of the user that is not `not_set`.
    fn is_told_of(&self, user: UserId) -> bool {
        let is_set = self.outcome(user).presence.is_set() || self.settling.contains_key(&user);
        is_set && self.asked.has_presence(user)
    }

    /// What follows for the watchers of a user who is gone. The core keeps quiet about a
    /// device that is `Unknown` and was never published: so what it shows comes first,
    /// which is told only where it was not.
    pub(super) fn withdraw_devices(&self, user: UserId) -> impl Iterator<Item = Effect> {
        use crate::model::device::DeviceState;
        let watchers = Watcher::ALL.into_iter();
        let asked = watchers.filter(move |watcher| self.asked.get(user, *watcher));
        let name = &self.directory.get(user).name;
        asked.flat_map(move |watcher| {
            [self.device_state_of(user, watcher), DeviceState::Unknown]
                .map(|state| Effect::Device(name.clone(), watcher, state))
        })
    }
}

fn unset(name: &Arc<str>) -> Effect {
    Effect::Publish(name.clone(), Presence::default())
}
