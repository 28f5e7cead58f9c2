//! A user's activity: phones, meetings, and the availability that follows from them.

use std::collections::HashMap;

use super::{Touched, World};
use crate::directory::UserId;
use crate::model::activity::Activity;
use crate::model::activity::MeetingStatus;
use crate::model::activity::Telephony;
use crate::model::activity::status_of;
use crate::model::device::{DeviceState, Phones};
use crate::model::state::State;

/// The parked calls by their parking space, as in `701@default`. Devices are kept by name,
/// because parked calls outlive a reload.
#[derive(Default, Debug)]
pub(super) struct Parking(HashMap<Box<str>, Parked>);

/// A parked call.
#[derive(Clone, Debug)]
pub(super) struct Parked {
    pub(super) parked_device: Box<str>,
    pub(super) parker: Box<str>,
}

impl Parking {
    pub(super) fn get(&self, space: &str) -> Option<&Parked> {
        self.0.get(space)
    }

    pub(super) fn put(&mut self, space: &str, parked: Parked) {
        self.0.insert(space.into(), parked);
    }

    pub(super) fn remove(&mut self, space: &str) -> Option<Parked> {
        self.0.remove(space)
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Parked> {
        self.0.values()
    }

    pub(super) fn spaces(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(|space| &**space)
    }
}

/// The device of a channel: the channel's name without the unique number at its end.
fn device_of(channel: &str) -> &str {
    channel
        .rsplit_once('-')
        .map_or(channel, |(device, _)| device)
}

impl World {
    /// Records a parked call.
    pub(super) fn park(&mut self, space: &str, channel: &str, parker: &str, touched: &mut Touched) {
        // Another channel may have replaced the one that was parked there.
        self.unpark(space, touched);
        let parked = Parked {
            parked_device: device_of(channel).into(),
            parker: parker.into(),
        };
        self.touch_parked(&parked, touched);
        self.parking.put(space, parked);
        self.note_parked(space);
    }

    /// Frees a parking space.
    pub(super) fn unpark(&mut self, space: &str, touched: &mut Touched) {
        if let Some(parked) = self.parking.remove(space) {
            self.touch_parked(&parked, touched);
            self.note_parked(space);
        }
    }

    pub(super) fn touch_parked(&self, parked: &Parked, touched: &mut Touched) {
        for name in [&parked.parked_device, &parked.parker] {
            let device = self.directory.device(name);
            for owner in device.map_or(&[][..], |device| self.directory.owners(device)) {
                self.touch(*owner, touched);
            }
        }
    }

    fn telephony(&self, user: UserId) -> Telephony {
        let phones = self.phones(user);
        if !self.any_parked() {
            return Telephony {
                phones,
                is_parked: false,
                has_parked: false,
            };
        }
        let names = self.phone_devices(user).map(|device| {
            let name = self.directory.device_name(device);
            let parked = || self.all_parked();
            let is_parked = parked().any(|parked| *parked.parked_device == *name);
            let has_parked = parked().any(|parked| *parked.parker == *name);
            (device, is_parked, has_parked)
        });
        let names: Vec<_> = names.collect();
        let others = names.iter().filter(|(_, is_parked, _)| !is_parked);
        let others = others.map(|(device, ..)| self.device(*device).unwrap_or_default());
        Telephony {
            phones: Phones::of(others),
            is_parked: names.iter().any(|(_, is_parked, _)| *is_parked),
            has_parked: names.iter().any(|(.., has_parked)| *has_parked),
        }
    }

    fn is_in_meeting(&self, user: UserId) -> bool {
        let inputs = &self.directory.get(user).inputs;
        let meetings = inputs.iter().filter(|it| it.kind.is_meeting());
        let mut states = meetings.filter_map(|input| self.device(input.device()?));
        states.any(DeviceState::is_in_call)
    }

    /// Updates the user's activity and the conclusion from it.
    pub(super) fn update_activity(&mut self, user: UserId) {
        let telephony = self.telephony(user);
        let in_meeting = self.is_in_meeting(user);
        let state = &self.users[user.index()];
        let reachable = telephony.phones.reachable || telephony.is_parked;
        let combined = state.outcome.presence.state();
        let own = state.own.as_deref().map(|own| own.presence.state());
        let own = own
            .filter(|state| *state != State::NotSet)
            .unwrap_or(combined);
        let activity = Activity {
            telephony: telephony.status(),
            meeting: match in_meeting {
                true => MeetingStatus::Connected,
                false => MeetingStatus::Disconnected,
            },
            presence: status_of(
                combined,
                reachable,
                telephony.is_in_call() || in_meeting,
                state.dnd_status,
            ),
            user: status_of(own, reachable, false, state.dnd_status),
        };
        let inferred = self.compute_inferred(user, &telephony, in_meeting);
        let state = &mut self.users[user.index()];
        (state.activity, state.inferred) = (activity, inferred);
    }

    /// Updates the activity of all users without a transition.
    pub(super) fn update_activities(&mut self) {
        for at in 0..self.users.len() {
            self.update_activity(UserId::new(at));
        }
    }
}
