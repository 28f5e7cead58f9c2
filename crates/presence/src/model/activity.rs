//! What a person does, by the words of the account presence event.

use serde::Serialize;

use crate::model::device::{DeviceState, Phones};
use crate::model::dnd::DndStatus;
use crate::model::state::State;
use crate::model::words::words;

words! {
    /// What the user's phones do.
    #[derive(Default)]
    pub enum TelephonyStatus: "status" {
        /// Nothing.
        #[default]
        NoCall = "NoCall",
        /// They ring, and there is no other call.
        Ringing = "Ringing",
        /// There is a call.
        CallConnected = "CallConnected",
        /// The only calls are on hold.
        OnHold = "OnHold",
        /// The only call is parked: by the user, or it is the user who waits there.
        ParkedCall = "ParkedCall",
    }
}

words! {
    /// Whether the user is in a meeting.
    #[derive(Default)]
    pub enum MeetingStatus: "status" {
        /// In none.
        #[default]
        Disconnected = "Disconnected",
        /// In one.
        Connected = "Connected",
    }
}

words! {
    /// Whether the user can be spoken with.
    #[derive(Default)]
    pub enum PresenceStatus: "status" {
        /// Not there.
        #[default]
        Offline = "Offline",
        /// There, and occupied.
        Busy = "Busy",
        /// There.
        Available = "Available",
    }
}

/// All four of a user.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Activity {
    /// The phones.
    #[serde(rename = "telephonyStatus")]
    pub telephony: TelephonyStatus,
    /// The meetings.
    #[serde(rename = "meetingStatus")]
    pub meeting: MeetingStatus,
    /// All taken together.
    #[serde(rename = "presenceStatus")]
    pub presence: PresenceStatus,
    /// The same by what the user chose alone.
    #[serde(rename = "userStatus")]
    pub user: PresenceStatus,
}

/// What is known of a user's calls.
#[derive(Clone, Copy, Debug)]
pub struct Telephony {
    /// The phones, but for those whose call waits in a parking lot.
    pub phones: Phones,
    /// Whether one of the user's phones waits in a parking lot.
    pub waits: bool,
    /// Whether a call waits that one of the phones has parked.
    pub has_parked: bool,
}

impl Telephony {
    /// The status. A call comes before ringing, that before what is on hold, and all of
    /// them before what is parked.
    pub fn status(&self) -> TelephonyStatus {
        match self.phones.call {
            DeviceState::InUse | DeviceState::Busy | DeviceState::RingInUse => {
                TelephonyStatus::CallConnected
            }
            DeviceState::Ringing => TelephonyStatus::Ringing,
            DeviceState::OnHold => TelephonyStatus::OnHold,
            _ if self.waits || self.has_parked => TelephonyStatus::ParkedCall,
            _ => TelephonyStatus::NoCall,
        }
    }

    /// Whether the user is in a call. Who has parked one is not: the phone is free.
    pub fn is_in_call(&self) -> bool {
        self.waits || self.phones.call.is_in_call()
    }
}

/// The status of one in that state. `reachable` is whether a phone is, `occupied` whether
/// there is a call or a meeting.
pub fn status_of(
    state: State,
    reachable: bool,
    occupied: bool,
    takes: DndStatus,
) -> PresenceStatus {
    match state {
        State::Unavailable | State::Xa => PresenceStatus::Offline,
        State::NotSet if !reachable => PresenceStatus::Offline,
        State::Dnd | State::Away => PresenceStatus::Busy,
        _ if occupied || !takes.accepts_calls() => PresenceStatus::Busy,
        _ => PresenceStatus::Available,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_come_in_this_order() {
        use DeviceState::*;
        let telephony = |states: &[DeviceState], waits, has_parked| {
            let phones = Phones::of(states.iter().copied());
            Telephony {
                phones,
                waits,
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
    fn the_status_is_the_designs_table() {
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
