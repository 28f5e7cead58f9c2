//! Devices: what they are, and what a user is shown as one.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use super::chosen::OwnChange;
use super::{Effect, Touched, World};
use crate::directory::{DeviceId, UserId};
use crate::model::device::{self, DeviceState, Phones, Watcher};
use crate::model::status::StatusType;
use crate::model::time::Time;

/// Of which users Asterisk knows, a bit for each [`Watcher`] who asked, and one for a
/// presence that was asked for or published. Asterisk asks before it shows: for all others
/// nothing has to be published.
#[derive(Default, Debug)]
pub(super) struct Asked(Vec<AtomicU8>);

impl Asked {
    pub(super) fn of(users: usize) -> Self {
        Asked((0..users).map(|_| AtomicU8::new(0)).collect())
    }

    fn bit(watcher: Watcher) -> u8 {
        1 << watcher as u8
    }

    pub(super) fn set(&self, user: UserId, watcher: Watcher) {
        self.note(user, Self::bit(watcher));
    }

    pub(super) fn get(&self, user: UserId, watcher: Watcher) -> bool {
        self.has(user, Self::bit(watcher))
    }

    const PRESENCE: u8 = 1 << 7;

    /// Notes that Asterisk may hold a presence of the user.
    pub(super) fn set_presence(&self, user: UserId) {
        self.note(user, Self::PRESENCE);
    }

    pub(super) fn has_presence(&self, user: UserId) -> bool {
        self.has(user, Self::PRESENCE)
    }

    /// Takes over what is known of a user of an earlier world.
    pub(super) fn carry_over(&self, user: UserId, before: &Asked, old: UserId) {
        self.note(user, before.0[old.index()].load(Ordering::Relaxed));
    }

    fn note(&self, user: UserId, bits: u8) {
        // Readers are many and this is rarely news: they only look.
        if !self.has(user, bits) {
            self.0[user.index()].fetch_or(bits, Ordering::Relaxed);
        }
    }

    fn has(&self, user: UserId, bits: u8) -> bool {
        self.0[user.index()].load(Ordering::Relaxed) & bits == bits
    }
}

impl World {
    /// A device's state; `None` until it was read.
    pub fn device(&self, device: DeviceId) -> Option<DeviceState> {
        self.devices[device.index()]
    }

    /// What the user's phones do.
    pub fn phones(&self, user: UserId) -> Phones {
        let phones = self.phone_devices(user);
        Phones::of(phones.map(|phone| self.device(phone).unwrap_or_default()))
    }

    /// The user's phones, each once: an extension's device may stand there again, as a
    /// source.
    pub(super) fn phone_devices(&self, user: UserId) -> impl Iterator<Item = DeviceId> {
        let inputs = &self.directory.get(user).inputs;
        inputs.iter().enumerate().filter_map(|(at, input)| {
            let phone = input.phone()?;
            let mut before = inputs[..at].iter();
            (!before.any(|other| other.phone() == Some(phone))).then_some(phone)
        })
    }

    /// What a watcher is to see, for whoever asks. From now on it is told of changes.
    pub fn ask(&self, user: UserId, watcher: Watcher) -> DeviceState {
        if self.withdrawn {
            return DeviceState::Unknown;
        }
        // First, so that a change that comes in between is told.
        self.asked.set(user, watcher);
        self.device_state_of(user, watcher)
    }

    /// What a watcher is to see.
    pub fn device_state_of(&self, user: UserId, watcher: Watcher) -> DeviceState {
        self.users[user.index()].device_states[watcher as usize]
    }

    fn compute_device_states(&self, user: UserId) -> [DeviceState; 2] {
        let rule = &self.directory.get(user).rule;
        let state = &self.users[user.index()];
        let phones = self.phones(user);
        // A call that is the reason for dnd is shown as the call it is.
        let of_call = phones.is_calling() && self.won_by_phone(user);
        let presence = match of_call {
            true => crate::State::Available,
            false => state.outcome.presence.state(),
        };
        Watcher::ALL.map(|watcher| {
            let table = match watcher {
                Watcher::Lamp => &rule.lamp_table,
                Watcher::Queue => &rule.queue_table,
            };
            device::shown(watcher, presence, state.dnd_status, phones, table)
        })
    }

    fn won_by_phone(&self, user: UserId) -> bool {
        use super::Winner;
        use crate::model::input::ReadFrom;
        let Winner::Input(index) = self.outcome(user).winner else {
            return false;
        };
        let kind = self.directory.get(user).inputs[usize::from(index)].kind;
        kind.is_phone() && kind.read_from() == ReadFrom::Device
    }

    /// Notes what is to be seen of a user now, and tells those who asked where it
    /// differs.
    pub(super) fn update_device_states(&mut self, user: UserId, effects: &mut Vec<Effect>) {
        let shown = self.compute_device_states(user);
        let before = std::mem::replace(&mut self.users[user.index()].device_states, shown);
        for watcher in Watcher::ALL {
            let state = shown[watcher as usize];
            if before[watcher as usize] != state && self.asked.get(user, watcher) {
                let name = self.directory.get(user).name.clone();
                effects.push(Effect::Device(name, watcher, state));
            }
        }
    }

    /// Takes what a device is. Returns the statuses that a registration or its end
    /// sets.
    pub(super) fn report_device(
        &mut self,
        device: DeviceId,
        state: DeviceState,
        now: Time,
        touched: &mut Touched,
    ) -> Vec<(UserId, Arc<StatusType>)> {
        if self.device(device) == Some(state) {
            return Vec::new();
        }
        let directory = self.directory.clone();
        let owners = directory.owners(device);
        // Those for whom it matters whether a phone can be reached.
        let watched = owners.iter().copied().filter(|user| {
            let login = &directory.get(*user).rule.login;
            login.register.is_some() || login.unregister.is_some()
        });
        let watched: Vec<UserId> = watched.collect();
        let reachable = |world: &World| -> Vec<bool> {
            let watched = watched.iter();
            watched.map(|user| world.phones(*user).reachable).collect()
        };
        let (known, before) = (self.device(device).is_some(), reachable(self));
        self.devices[device.index()] = Some(state);
        for (source, reading) in directory.sources_of_device(device) {
            let at = self.stamp(now);
            self.report_source(source, reading.table.get(state).clone(), at);
            self.touch_readers(source, touched);
        }
        for owner in owners {
            self.touch(*owner, touched);
        }
        // What was just found out is no registration.
        if !known {
            return Vec::new();
        }
        let changed = watched.iter().zip(before).zip(reachable(self));
        let set = changed.filter_map(|((user, before), after)| {
            let login = &directory.get(*user).rule.login;
            let status = match (before, after) {
                (false, true) => login.register.clone(),
                (true, false) => login.unregister.clone(),
                _ => None,
            };
            Some((*user, status?))
        });
        set.collect()
    }

    /// Takes what devices are that were not read yet, which is no registration of any.
    pub fn report_initial_devices(
        &mut self,
        found: &[(DeviceId, DeviceState)],
        now: Time,
    ) -> Vec<Effect> {
        let mut touched = Touched::new();
        for (device, state) in found {
            if self.device(*device).is_none() {
                self.report_device(*device, *state, now, &mut touched);
            }
        }
        let mut effects = Vec::new();
        self.recombine(touched, &OwnChange::None, now, &mut effects);
        effects
    }

    /// What the sources that are devices say, by the tables of this directory. A device
    /// that was not read yet leaves its sources as they were stored.
    pub(super) fn read_devices(&mut self, at: Time) {
        let directory = self.directory.clone();
        for (device, _) in directory.devices() {
            for (source, reading) in directory.sources_of_device(device) {
                self.sources[source.index()].known = true;
                if let Some(state) = self.device(device) {
                    self.report_source(source, reading.table.get(state).clone(), at);
                }
            }
        }
    }
}
