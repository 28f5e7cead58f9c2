//! What a user does: the phones, the meetings, and what follows from them.

use std::collections::HashMap;

use super::{Touched, World};
use crate::directory::UserId;
use crate::model::activity::Activity;
use crate::model::activity::MeetingStatus;
use crate::model::activity::Telephony;
use crate::model::activity::status_of;
use crate::model::device::{DeviceState, Phones};
use crate::model::state::State;

/// The calls that wait, by the space where they do: whose device waits, and which device
/// has parked it. By name, because they outlive a reload.
#[derive(Default, Debug)]
pub(super) struct Parking(HashMap<Box<str>, Parked>);

#[derive(Debug)]
struct Parked {
    waits: Box<str>,
    parker: Box<str>,
}

/// The device of a channel, whose name ends in a number of its own.
fn device_of(channel: &str) -> &str {
    channel
        .rsplit_once('-')
        .map_or(channel, |(device, _)| device)
}

impl World {
    /// A call was parked.
    pub(super) fn park(&mut self, place: &str, channel: &str, parker: &str, touched: &mut Touched) {
        // Where another channel took the place of the one that waited.
        self.unpark(place, touched);
        let parked = Parked {
            waits: device_of(channel).into(),
            parker: parker.into(),
        };
        self.touch_parked(&parked, touched);
        self.parking.0.insert(place.into(), parked);
    }

    /// Nobody waits in that space any more.
    pub(super) fn unpark(&mut self, place: &str, touched: &mut Touched) {
        if let Some(parked) = self.parking.0.remove(place) {
            self.touch_parked(&parked, touched);
        }
    }

    fn touch_parked(&self, parked: &Parked, touched: &mut Touched) {
        for name in [&parked.waits, &parked.parker] {
            let device = self.directory.device(name);
            for owner in device.map_or(&[][..], |device| self.directory.owners(device)) {
                self.touch(*owner, touched);
            }
        }
    }

    fn telephony(&self, user: UserId) -> Telephony {
        let phones = self.phones(user);
        if self.parking.0.is_empty() {
            return Telephony {
                phones,
                waits: false,
                has_parked: false,
            };
        }
        let names = self.phone_devices(user).map(|device| {
            let name = self.directory.device_name(device);
            let parked = || self.parking.0.values();
            let waits = parked().any(|parked| *parked.waits == *name);
            let has_parked = parked().any(|parked| *parked.parker == *name);
            (device, waits, has_parked)
        });
        let names: Vec<_> = names.collect();
        let others = names.iter().filter(|(_, waits, _)| !waits);
        let others = others.map(|(device, ..)| self.device(*device).unwrap_or_default());
        Telephony {
            phones: Phones::of(others),
            waits: names.iter().any(|(_, waits, _)| *waits),
            has_parked: names.iter().any(|(.., has_parked)| *has_parked),
        }
    }

    fn is_in_meeting(&self, user: UserId) -> bool {
        let inputs = &self.directory.get(user).inputs;
        let meetings = inputs.iter().filter(|it| it.kind.is_meeting());
        let mut states = meetings.filter_map(|input| self.device(input.device()?));
        states.any(DeviceState::is_in_call)
    }

    /// Takes what the user does now, and what is concluded from it.
    pub(super) fn take_activity(&mut self, user: UserId) {
        let telephony = self.telephony(user);
        let meets = self.is_in_meeting(user);
        let state = &self.users[user.index()];
        let reachable = telephony.phones.reachable || telephony.waits;
        let combined = state.outcome.presence.state();
        let own = state.own.as_deref().map(|own| own.presence.state());
        let own = own
            .filter(|state| *state != State::NotSet)
            .unwrap_or(combined);
        let activity = Activity {
            telephony: telephony.status(),
            meeting: match meets {
                true => MeetingStatus::Connected,
                false => MeetingStatus::Disconnected,
            },
            presence: status_of(
                combined,
                reachable,
                telephony.is_in_call() || meets,
                state.takes,
            ),
            user: status_of(own, reachable, false, state.takes),
        };
        let inferred = self.compute_inferred(user, &telephony, meets);
        let state = &mut self.users[user.index()];
        (state.activity, state.inferred) = (activity, inferred);
    }

    /// Takes everyone's activity as it is, without a transition.
    pub(super) fn take_activities(&mut self) {
        for at in 0..self.users.len() {
            self.take_activity(UserId::new(at));
        }
    }
}
