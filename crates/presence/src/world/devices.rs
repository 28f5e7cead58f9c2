//! Device states: those of devices, and those that users show to lamps and queues.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use super::chosen::OwnChange;
use super::{Effect, Touched, World};
use crate::directory::{DeviceId, UserId};
use crate::model::device::{self, DeviceState, Phones, Watcher};
use crate::model::own_settings::UserSetting;
use crate::model::status::StatusType;
use crate::model::time::Time;

/// The users that Asterisk knows: one bit for each [`Watcher`] that asked, and one for a
/// presence that was asked for or published. Asterisk asks before it shows a user, so for
/// all others nothing has to be published.
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

    /// Copies the bits of a user from an earlier world.
    pub(super) fn carry_over(&self, user: UserId, before: &Asked, old: UserId) {
        self.note(user, before.0[old.index()].load(Ordering::Relaxed));
    }

    fn note(&self, user: UserId, bits: u8) {
        // Most calls set a bit that is already set, and a load is cheaper than a write.
        if !self.has(user, bits) {
            self.0[user.index()].fetch_or(bits, Ordering::Relaxed);
        }
    }

    fn has(&self, user: UserId, bits: u8) -> bool {
        self.0[user.index()].load(Ordering::Relaxed) & bits == bits
    }
}

impl World {
    /// A device's state; `None` until the device is read.
    pub fn device(&self, device: DeviceId) -> Option<DeviceState> {
        self.devices[device.index()]
    }

    /// The combined state of the user's phones.
    pub fn phones(&self, user: UserId) -> Phones {
        let phones = self.phone_devices(user);
        Phones::of(phones.map(|phone| self.device(phone).unwrap_or_default()))
    }

    /// The user's phones without duplicates: an extension's device may also be configured as
    /// a source.
    pub(super) fn phone_devices(&self, user: UserId) -> impl Iterator<Item = DeviceId> {
        let inputs = &self.directory.get(user).inputs;
        inputs.iter().enumerate().filter_map(|(at, input)| {
            let phone = input.phone()?;
            let mut before = inputs[..at].iter();
            (!before.any(|other| other.phone() == Some(phone))).then_some(phone)
        })
    }

    /// The device state for a watcher that asks. From now on changes are published to the
    /// watcher. After [`World::withdraw`] the answer is `Unknown`.
    pub fn ask(&self, user: UserId, watcher: Watcher) -> DeviceState {
        if self.withdrawn {
            return DeviceState::Unknown;
        }
        // Marked first, so that a change in between is published.
        self.asked.set(user, watcher);
        self.device_state_of(user, watcher)
    }

    /// The device state of the user for a watcher.
    pub fn device_state_of(&self, user: UserId, watcher: Watcher) -> DeviceState {
        self.users[user.index()].device_states[watcher as usize]
    }

    fn compute_device_states(&self, user: UserId) -> [DeviceState; 2] {
        let rule = &self.directory.get(user).rule;
        let state = &self.users[user.index()];
        let phones = self.phones(user);
        // A call that causes dnd is shown as a call.
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

    /// Updates the device states of a user, and publishes each one that differs if its watcher
    /// has asked.
    pub(super) fn update_device_states(&mut self, user: UserId, effects: &mut Vec<Effect>) {
        let states = self.compute_device_states(user);
        let before = std::mem::replace(&mut self.users[user.index()].device_states, states);
        for watcher in Watcher::ALL {
            let state = states[watcher as usize];
            if before[watcher as usize] != state && self.asked.get(user, watcher) {
                let name = self.directory.get(user).name.clone();
                effects.push(Effect::Device(name, watcher, state));
            }
        }
    }

    /// Applies a device's state. Returns the statuses that a registration, or the end of one,
    /// sets.
    pub(super) fn report_device(
        &mut self,
        device: DeviceId,
        state: DeviceState,
        now: Time,
        touched: &mut Touched,
    ) -> Vec<(UserId, Arc<StatusType>)> {
        if self.device_here(device) == Some(state) {
            return Vec::new();
        }
        let directory = self.directory.clone();
        let owners = directory.owners(device);
        // The owners that have a status for registration or its end.
        let watched = owners.iter().copied().filter(|user| {
            let mut items =
                [UserSetting::RegisterStatus, UserSetting::UnregisterStatus].into_iter();
            items.any(|item| self.login_status(*user, item).is_some())
        });
        let watched: Vec<UserId> = watched.collect();
        let reachable = |world: &World| -> Vec<bool> {
            let watched = watched.iter();
            watched.map(|user| world.phones(*user).reachable).collect()
        };
        let (known, before) = (self.device_here(device).is_some(), reachable(self));
        match self.note_device(device, state, now) {
            true => self.refresh_device(device, touched),
            false => self.put_device(device, state, now, touched),
        }
        // The first state of a device is no registration.
        if !known {
            return Vec::new();
        }
        let changed = watched.iter().zip(before).zip(reachable(self));
        let set = changed.filter_map(|((user, before), after)| {
            let item = match (before, after) {
                (false, true) => UserSetting::RegisterStatus,
                (true, false) => UserSetting::UnregisterStatus,
                _ => return None,
            };
            Some((*user, self.login_status(*user, item)?.clone()))
        });
        set.collect()
    }

    fn put_device(
        &mut self,
        device: DeviceId,
        state: DeviceState,
        now: Time,
        touched: &mut Touched,
    ) {
        let directory = self.directory.clone();
        self.devices[device.index()] = Some(state);
        for (source, reading) in directory.sources_of_device(device) {
            let at = self.stamp(now);
            self.report_source(source, reading.table.get(state).clone(), at);
            self.touch_readers(source, touched);
        }
        for owner in directory.owners(device) {
            self.touch(*owner, touched);
        }
        if self.published.contains_key(&device) {
            self.touch_publishers(device, touched);
        }
    }

    /// Applies the states of devices that were not read before. None of them counts as a
    /// registration.
    pub fn report_initial_devices(
        &mut self,
        found: &[(DeviceId, DeviceState)],
        now: Time,
    ) -> Vec<Effect> {
        let mut touched = Touched::new();
        for (device, state) in found {
            if self.device_here(*device).is_none() {
                self.report_device(*device, *state, now, &mut touched);
            }
        }
        let mut effects = Vec::new();
        self.recombine(touched, &OwnChange::None, now, &mut effects);
        effects
    }

    /// Derives the presence of device sources by the tables of this directory. A device that
    /// was not read leaves its sources as they were stored.
    pub(super) fn read_devices(&mut self, at: Time) {
        let directory = self.directory.clone();
        for (device, _) in directory.devices() {
            for (source, reading) in directory.sources_of_device(device) {
                self.sources[source.index()].known = true;
                if self.is_sharing() {
                    self.refresh_device(device, &mut Touched::new());
                } else if let Some(state) = self.device(device) {
                    self.report_source(source, reading.table.get(state).clone(), at);
                }
            }
        }
    }
}
