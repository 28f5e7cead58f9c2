//! One device state from those of several nodes.

use crate::model::device::DeviceState;
use crate::model::time::Time;

/// Combines device states as Asterisk's `ast_devstate_aggregate` does, so that a device has the
/// same state here as in a cluster of Asterisk's own means.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Aggregate {
    state: DeviceState,
    ringing: bool,
    in_use: bool,
}

impl Default for Aggregate {
    fn default() -> Self {
        Aggregate {
            state: DeviceState::Invalid,
            ringing: false,
            in_use: false,
        }
    }
}

impl Aggregate {
    pub(super) fn add(&mut self, state: DeviceState) {
        self.ringing |= state == DeviceState::Ringing;
        self.in_use |= matches!(
            state,
            DeviceState::InUse | DeviceState::OnHold | DeviceState::Busy
        );
        if self.ringing && self.in_use {
            self.state = DeviceState::RingInUse;
        } else if rank(state) > rank(self.state) {
            self.state = state;
        }
    }

    pub(super) fn state(self) -> DeviceState {
        self.state
    }
}

const fn rank(state: DeviceState) -> u8 {
    match state {
        DeviceState::Invalid => 0,
        DeviceState::Unknown => 1,
        DeviceState::Unavailable => 2,
        DeviceState::NotInUse => 3,
        DeviceState::OnHold => 4,
        DeviceState::Ringing => 5,
        DeviceState::InUse => 6,
        DeviceState::Busy => 7,
        DeviceState::RingInUse => 8,
    }
}

/// When the combined state was set: the latest time among the nodes that have this state, else
/// the latest of all.
pub(super) fn since_of(state: DeviceState, all: impl Iterator<Item = (DeviceState, Time)>) -> Time {
    let (mut of_equals, mut of_all) = (None, Time::NEVER);
    for (other, at) in all {
        of_all = of_all.max(at);
        if other == state {
            of_equals = of_equals.max(Some(at));
        }
    }
    of_equals.unwrap_or(of_all)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(states: &[DeviceState]) -> DeviceState {
        let mut sum = Aggregate::default();
        states.iter().for_each(|state| sum.add(*state));
        sum.state()
    }

    #[test]
    fn states_combine_as_in_asterisk() {
        use DeviceState::*;
        assert_eq!(of(&[]), Invalid);
        assert_eq!(of(&[Unknown, Unavailable]), Unavailable);
        assert_eq!(of(&[Unavailable, NotInUse]), NotInUse);
        assert_eq!(of(&[NotInUse, OnHold]), OnHold);
        assert_eq!(of(&[OnHold, Unavailable]), OnHold);
        assert_eq!(of(&[Ringing, OnHold]), RingInUse);
        assert_eq!(of(&[Ringing, NotInUse, Busy]), RingInUse);
        assert_eq!(of(&[InUse, Busy]), Busy);
    }

    #[test]
    fn the_order_does_not_matter() {
        for first in DeviceState::ALL {
            for second in DeviceState::ALL {
                for third in DeviceState::ALL {
                    let all = [first, second, third];
                    assert_eq!(of(&all), of(&[third, first, second]));
                    assert_eq!(of(&all), of(&[second, third, first]));
                    assert_eq!(of(&all), of(&[third, second, first]));
                }
            }
        }
    }

    #[test]
    fn the_time_is_that_of_the_state() {
        let at = Time::from_millis;
        let all = [
            (DeviceState::NotInUse, at(9)),
            (DeviceState::InUse, at(5)),
            (DeviceState::InUse, at(7)),
        ];
        let since = |state| since_of(state, all.into_iter());
        assert_eq!(since(DeviceState::InUse), at(7));
        assert_eq!(since(DeviceState::RingInUse), at(9));
        let none = std::iter::empty();
        assert_eq!(since_of(DeviceState::Unavailable, none), Time::NEVER);
    }
}
