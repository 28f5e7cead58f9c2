//! Publishing to Asterisk when users are added and removed. Only what differs from
//! Asterisk's cache, or from the answer that a hint has received, is published: Asterisk
//! searches its cache for every publish, and newer cores look at every hint, too.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::{Effect, Plan, World};
use crate::directory::UserId;
use crate::model::address::{USER_LABEL, below};
use crate::model::device::{DeviceState, Watcher};
use crate::model::state::Presence;
use crate::model::watched::Watched;

/// The presences and hints that Asterisk holds, read without any lock.
#[derive(Default, Debug)]
pub struct Found {
    /// The addresses of users in Asterisk's cache, with the presence published last.
    pub presences: Vec<(String, Presence)>,
    /// The users that hints watch.
    pub watched: Watched,
    /// The devices that hints spell in a way in which they were not published before.
    pub respelled: Vec<(String, Watcher)>,
}

/// How many users without a hint are published, only so that they appear in Asterisk's list
/// of presence states, as those of `CustomPresence` do. Publishing more of them takes too
/// long.
const MOST_UNWATCHED: usize = 5_000;

impl World {
    /// The answer to Asterisk's core when it asks for a user's presence. The core may keep the
    /// answer, so later changes are published.
    pub fn ask_presence(&self, user: UserId) -> Presence {
        if self.withdrawn {
            return Presence::default();
        }
        // Marked first, so that a change in between is published.
        self.asked.set_presence(user);
        self.outcome(user).presence.clone()
    }

    /// Publishes new users: the named ones, or all users if `new` is `None`, as at a load.
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
            // The cache distinguishes upper and lower case.
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
                // Asterisk has asked since the load, and the answer may have changed.
                None if self.asked.has_presence(id) => true,
                // A hint that asked before the provider was registered has no presence at all;
                // a hint that asked for a user before a reload added them received `not_set`.
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
        let devices = found.watched.devices.iter();
        let devices = devices.filter(|(name, _)| named(name).is_some());
        effects.extend(self.show_devices(devices));
        effects
    }

    /// Shows users to those who watch them as a device: names in any spelling. Names of nobody
    /// are left out.
    pub fn show_devices<'a>(
        &self,
        devices: impl IntoIterator<Item = &'a (String, Watcher)>,
    ) -> Vec<Effect> {
        let shown = devices.into_iter().filter_map(|(name, watcher)| {
            let user = self.directory.user(name)?;
            let name = self.directory.get(user).name.clone();
            Some(Effect::Device(name, *watcher, self.ask(user, *watcher)))
        });
        shown.collect()
    }

    /// Withdraws all users because the module unloads. Hints ask again when they receive this,
    /// while the provider may still be registered: from now on every answer is `not_set` or
    /// `Unknown`, and no change is published.
    pub fn withdraw(&mut self) -> Vec<Effect> {
        let directory = self.directory.clone();
        let users = directory.users();
        let known = users.filter(|(id, _)| self.may_be_published(*id));
        let published = known.map(|(_, user)| unset(&user.name));
        let devices = directory
            .users()
            .flat_map(|(id, _)| self.withdraw_devices(id));
        let effects = published.chain(devices).collect();
        self.withdrawn = true;
        self.hold_publishing(true);
        effects
    }

    /// Withdraws the users that the plan removes or spells differently.
    pub(super) fn withdraw_removed(&self, plan: &Plan) -> Vec<Effect> {
        let keeps_spelling = |name: &str| {
            let user = plan.directory().user(name);
            user.is_some_and(|user| *plan.directory().get(user).name == *name)
        };
        let users = self.directory.users();
        let gone = users.filter(|(_, user)| !keeps_spelling(&user.name));
        gone.flat_map(|(id, user)| {
            let published = self.may_be_published(id).then(|| unset(&user.name));
            let lamp = self.asked.get(id, Watcher::Lamp).then(|| {
                // As the provider answers for an unknown user: a newer core's hint does not ask.
                Effect::Device(user.name.clone(), Watcher::Lamp, DeviceState::Invalid)
            });
            let queue = self.withdraw_device(id, Watcher::Queue);
            let forget = Effect::Forget(user.name.clone());
            let shown = published.into_iter().chain(lamp).chain(queue);
            shown.chain([forget]).collect::<Vec<_>>()
        })
        .collect()
    }

    /// Whether Asterisk may hold a presence of the user that is not `not_set`.
    fn may_be_published(&self, user: UserId) -> bool {
        let is_set = self.outcome(user).presence.is_set() || self.settling.contains_key(&user);
        is_set && self.asked.has_presence(user)
    }

    /// The effects for the watchers of a user whose module unloads.
    fn withdraw_devices(&self, user: UserId) -> impl Iterator<Item = Effect> {
        let watchers = Watcher::ALL.into_iter();
        watchers.flat_map(move |watcher| self.withdraw_device(user, watcher))
    }

    /// The core ignores `Unknown` for a device that was never published, so the present state is
    /// published first; Asterisk passes it on only if the state is new.
    fn withdraw_device(&self, user: UserId, watcher: Watcher) -> impl Iterator<Item = Effect> {
        let asked = self.asked.get(user, watcher);
        let states = [self.device_state_of(user, watcher), DeviceState::Unknown];
        let name = &self.directory.get(user).name;
        let states = states.into_iter().filter(move |_| asked);
        states.map(move |state| Effect::Device(name.clone(), watcher, state))
    }
}

fn unset(name: &Arc<str>) -> Effect {
    Effect::Publish(name.clone(), Presence::default())
}
