//! A user's activity in the words of the account presence event.

use serde::Serialize;

use crate::model::device::{DeviceState, Phones};
use crate::model::dnd::DndStatus;
use crate::model::state::State;
use crate::model::words::words;

words! {
    /// The combined state of the user's phones.
    #[derive(Default)]
    pub enum TelephonyStatus: "status" {
        /// There is no call.
        #[default]
        NoCall = "NoCall",
        /// A phone rings, and there is no other call.
        Ringing = "Ringing",
        /// There is a call.
        CallConnected = "CallConnected",
        /// The only calls are on hold.
        OnHold = "OnHold",
        /// The only call is parked: the user parked it, or the user is the parked party.
        ParkedCall = "ParkedCall",
    }
}

words! {
    /// Whether the user is in a meeting.
    #[derive(Default)]
    pub enum MeetingStatus: "status" {
        /// The user is in no meeting.
        #[default]
        Disconnected = "Disconnected",
        /// The user is in a meeting.
        Connected = "Connected",
    }
}

words! {
    /// Whether the user is available to talk.
    #[derive(Default)]
    pub enum PresenceStatus: "status" {
        /// The user is absent or cannot be reached.
        #[default]
        Offline = "Offline",
        /// The user is present and occupied.
        Busy = "Busy",
        /// The user is present and free.
        Available = "Available",
    }
}

/// The four activity statuses of a user.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Activity {
    /// The status of the phones.
    #[serde(rename = "telephonyStatus")]
    pub telephony: TelephonyStatus,
    /// Whether the user is in a meeting.
    #[serde(rename = "meetingStatus")]
    pub meeting: MeetingStatus,
    /// The availability by all sources, calls and meetings.
    #[serde(rename = "presenceStatus")]
    pub presence: PresenceStatus,
    /// The availability by the user's own choice alone.
    #[serde(rename = "userStatus")]
    pub user: PresenceStatus,
}

/// The state of a user's calls.
#[derive(Clone, Copy, Debug)]
pub struct Telephony {
    /// The combined state of the phones, without those that are parked.
    pub phones: Phones,
    /// Whether one of the user's phones is parked.
    pub is_parked: bool,
    /// Whether a call is parked that one of the user's phones parked.
    pub has_parked: bool,
}

impl Telephony {
    /// The status. A connected call takes precedence over ringing, ringing over a call on hold,
    /// and each of them over a parked call.
    pub fn status(&self) -> TelephonyStatus {
        match self.phones.call {
            DeviceState::InUse | DeviceState::Busy | DeviceState::RingInUse => {
                TelephonyStatus::CallConnected
            }
            DeviceState::Ringing => TelephonyStatus::Ringing,
            DeviceState::OnHold => TelephonyStatus::OnHold,
            _ if self.is_parked || self.has_parked => TelephonyStatus::ParkedCall,
            _ => TelephonyStatus::NoCall,
        }
    }

    /// Whether the user is in a call. A user that parked a call is not: the phone is free.
    pub fn is_in_call(&self) -> bool {
        self.is_parked || self.phones.call.is_in_call()
    }
}

/// The availability of a user in `state`. `reachable` means that a phone is reachable,
/// `occupied` that there is a call or a meeting.
pub fn status_of(
    state: State,
    reachable: bool,
    occupied: bool,
    dnd_status: DndStatus,
) -> PresenceStatus {
    match state {
        State::Unavailable | State::Xa => PresenceStatus::Offline,
        State::NotSet if !reachable => PresenceStatus::Offline,
        State::Dnd | State::Away => PresenceStatus::Busy,
        _ if occupied || !dnd_status.accepts_calls() => PresenceStatus::Busy,
        _ => PresenceStatus::Available,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn telephony_statuses_take_precedence_in_order() {
        use DeviceState::*;
        let telephony = |states: &[DeviceState], is_parked, has_parked| {
            let phones = Phones::of(states.iter().copied());
            Telephony {
                phones,
                is_parked,
                has_parked,
            }
        };
        let status = |states: &[DeviceState]| telephony(states, false, true).status();
        assert_eq!(status(&[InUse, Ringing]), TelephonyStatus::CallConnected);
        assert_eq!(status(&[RingInUse]), TelephonyStatus::CallConnected);
        assert_eq!(status(&[Busy]), TelephonyStatus::CallConnected);
        assert_eq!(status(&[OnHold, Ringing]), TelephonyStatus::Ringing);
        assert_eq!(status(&[OnHold, NotInUse]), TelephonyStatus::OnHold);
        assert_eq!(status(&[NotInUse]), TelephonyStatus::ParkedCall);
        let none = telephony(&[Unavailable], false, false);
        assert_eq!(none.status(), TelephonyStatus::NoCall);
        assert!(!telephony(&[NotInUse], false, true).is_in_call());
        assert!(telephony(&[NotInUse], true, false).is_in_call());
        assert!(telephony(&[OnHold], false, false).is_in_call());
        assert!(!telephony(&[Ringing], false, false).is_in_call());
    }

    #[test]
    fn the_availability_follows_the_table() {
        use DndStatus::*;
        use PresenceStatus::*;
        let of = |state, reachable, occupied| status_of(state, reachable, occupied, TakeAllCalls);
        assert_eq!(of(State::Unavailable, true, true), Offline);
        assert_eq!(of(State::Xa, true, true), Offline);
        assert_eq!(of(State::NotSet, false, true), Offline);
        assert_eq!(of(State::NotSet, true, false), Available);
        assert_eq!(of(State::NotSet, true, true), Busy);
        assert_eq!(of(State::Dnd, true, false), Busy);
        assert_eq!(of(State::Away, false, false), Busy);
        assert_eq!(of(State::Available, false, false), Available);
        assert_eq!(of(State::Chat, true, true), Busy);
        let refuses = status_of(State::Available, true, false, DoNotAcceptAnyCalls);
        assert_eq!(refuses, Busy);
        let department = status_of(State::Available, true, false, DoNotAcceptDepartmentCalls);
        assert_eq!(department, Available);
    }
}
