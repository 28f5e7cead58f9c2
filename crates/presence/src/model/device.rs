//! Device states: their meaning as a presence, the combined state of a user's phones, and
//! the state of a user that a lamp or a queue sees.

use std::sync::Arc;

use crate::model::dnd::DndStatus;
use crate::model::state::{Presence, State};
use crate::model::status::StatusType;
use crate::model::words::{self, words};

words! {
    /// A device state: Asterisk's `enum ast_device_state`, with the same numbers. Names are
    /// compared without regard to underscores: `not_in_use` and Asterisk's own `NOT_INUSE`
    /// name the same state.
    #[derive(Default, PartialOrd, Ord)]
    #[repr(u8)]
    pub enum DeviceState: "device state", compared by words::without_underscores {
        /// The state is not known.
        #[default]
        Unknown = "unknown",
        /// Reachable and idle.
        NotInUse = "not_in_use",
        /// In a call.
        InUse = "in_use",
        /// In a call, and unable to accept another.
        Busy = "busy",
        /// There is no such device.
        Invalid = "invalid",
        /// Not reachable.
        Unavailable = "unavailable",
        /// Ringing.
        Ringing = "ringing",
        /// In a call, and ringing for another.
        RingInUse = "ring_in_use",
        /// In a call that is on hold.
        OnHold = "on_hold",
    }
}

impl DeviceState {
    /// Whether a call can reach the device now or has already reached it.
    pub fn is_reachable(self) -> bool {
        !matches!(
            self,
            DeviceState::Unknown | DeviceState::Invalid | DeviceState::Unavailable
        )
    }

    /// Whether the device is in a call, which may be on hold; a ringing device is not yet in a
    /// call.
    pub fn is_in_call(self) -> bool {
        matches!(
            self,
            DeviceState::InUse | DeviceState::Busy | DeviceState::RingInUse | DeviceState::OnHold
        )
    }
}

/// The presence that each device state means: a section of `type = device_table`.
#[derive(Clone, PartialEq, Eq, Debug, Hash)]
pub struct DeviceTable {
    /// The section's name.
    pub name: Box<str>,
    /// The presences, indexed by [`DeviceState`].
    presences: [Presence; 9],
    /// The status types that entries name, indexed by [`DeviceState`].
    statuses: [Option<Arc<StatusType>>; 9],
}

impl DeviceTable {
    /// The name of the table for phones.
    pub const DEVICE: &'static str = "device";
    /// The name of the table for meetings.
    pub const MEETING: &'static str = "meeting";

    /// The built-in table for phones: a phone in a call means dnd.
    pub fn device() -> Self {
        let meaning = |state: DeviceState| match state {
            DeviceState::Unknown | DeviceState::Invalid => State::NotSet,
            DeviceState::Unavailable => State::Unavailable,
            DeviceState::NotInUse | DeviceState::Ringing => State::Available,
            DeviceState::InUse
            | DeviceState::Busy
            | DeviceState::RingInUse
            | DeviceState::OnHold => State::Dnd,
        };
        DeviceTable {
            name: Self::DEVICE.into(),
            presences: DeviceState::ALL.map(|state| meaning(state).into()),
            statuses: Default::default(),
        }
    }

    /// The built-in table for meetings and calendars: a device in use means dnd.
    pub fn meeting() -> Self {
        let meaning = |state: DeviceState| match state {
            DeviceState::InUse | DeviceState::Busy => {
                Presence::new(State::Dnd, DeviceTable::MEETING, "")
            }
            _ => Presence::default(),
        };
        DeviceTable {
            name: Self::MEETING.into(),
            presences: DeviceState::ALL.map(meaning),
            statuses: Default::default(),
        }
    }

    /// The presence that a device state means.
    pub fn get(&self, state: DeviceState) -> &Presence {
        &self.presences[state as usize]
    }

    /// The status type that the entry of a device state names; `None` if the entry names a
    /// presence state.
    pub fn status(&self, state: DeviceState) -> Option<&Arc<StatusType>> {
        self.statuses[state as usize].as_ref()
    }

    /// Sets the presence that a device state means; `status` is the status type of the entry,
    /// if the entry names one.
    pub fn set(&mut self, state: DeviceState, presence: Presence, status: Option<Arc<StatusType>>) {
        self.presences[state as usize] = presence;
        self.statuses[state as usize] = status;
    }
}

/// The device state that each presence state is shown as: a section of
/// `type = presence_table`.
#[derive(Clone, PartialEq, Eq, Debug, Hash)]
pub struct PresenceTable {
    /// The section's name; empty for the built-in table.
    pub name: Box<str>,
    /// The device states, indexed by [`State`].
    shown: [DeviceState; 7],
}

impl Default for PresenceTable {
    fn default() -> Self {
        let shown = |state: State| match state {
            State::Dnd => DeviceState::Busy,
            State::Away | State::Xa | State::Unavailable => DeviceState::Unavailable,
            State::NotSet | State::Available | State::Chat => DeviceState::NotInUse,
        };
        PresenceTable {
            name: "".into(),
            shown: State::ALL.map(shown),
        }
    }
}

impl PresenceTable {
    /// The device state that a presence state is shown as.
    pub fn get(&self, state: State) -> DeviceState {
        self.shown[state as usize]
    }

    /// Sets the device state that a presence state is shown as.
    pub fn set(&mut self, state: State, shown: DeviceState) {
        self.shown[state as usize] = shown;
    }
}

/// The combined state of a user's phones.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Phones {
    /// The number of phones.
    pub count: u32,
    /// Whether at least one phone is reachable.
    pub reachable: bool,
    /// The combined call state: in a call, ringing or on hold; `NotInUse` without any call.
    pub call: DeviceState,
}

impl Phones {
    /// Combines the states of phones: a call precedes ringing, ringing precedes a call on
    /// hold. The result is busy only if every phone in a call is busy.
    pub fn of(states: impl Iterator<Item = DeviceState>) -> Self {
        let mut seen = [false; 9];
        let mut count = 0;
        for state in states {
            seen[state as usize] = true;
            count += 1;
        }
        let any = |state: DeviceState| seen[state as usize];
        let ringing = any(DeviceState::Ringing) || any(DeviceState::RingInUse);
        let in_use = any(DeviceState::InUse) || any(DeviceState::RingInUse);
        let call = match (in_use || any(DeviceState::Busy), ringing) {
            (true, true) => DeviceState::RingInUse,
            (true, false) if in_use => DeviceState::InUse,
            (true, false) => DeviceState::Busy,
            (false, true) => DeviceState::Ringing,
            (false, false) if any(DeviceState::OnHold) => DeviceState::OnHold,
            (false, false) => DeviceState::NotInUse,
        };
        Phones {
            count,
            reachable: DeviceState::ALL
                .into_iter()
                .any(|state| any(state) && state.is_reachable()),
            call,
        }
    }

    /// Whether any phone is in a call or rings.
    pub fn is_calling(&self) -> bool {
        self.call != DeviceState::NotInUse
    }
}

words! {
    /// A subscriber to the device state of a user.
    pub enum Watcher: "watcher" {
        /// A lamp: `UserPresence:<user>`.
        Lamp = "lamp",
        /// A queue's `state_interface`: `UserPresence:<user>@queue`.
        Queue = "queue",
    }
}

impl Watcher {
    /// The suffix of the user's name in the address.
    pub const fn suffix(self) -> &'static str {
        match self {
            Watcher::Lamp => "",
            Watcher::Queue => "@queue",
        }
    }

    /// The user and the watcher in a device's name without its label.
    pub fn split(name: &str) -> (&str, Watcher) {
        let at = name.len().saturating_sub(Watcher::Queue.suffix().len());
        match name.split_at_checked(at) {
            Some((user, suffix)) if suffix.eq_ignore_ascii_case(Watcher::Queue.suffix()) => {
                (user, Watcher::Queue)
            }
            _ => (name, Watcher::Lamp),
        }
    }
}

/// The device state of a user that a watcher sees.
///
/// - Refused calls and the table's state for `dnd` come first, even if no phone is reachable.
/// - A lamp then shows calls. A queue uses the table first, so that a user who is away stays
///   unavailable for the queue during a call. (With `ringinuse` a queue ignores the state.)
/// - A user with phones of which none is reachable is unavailable, whatever the presence: such
///   a user never looks idle.
pub fn shown(
    watcher: Watcher,
    state: State,
    dnd_status: DndStatus,
    phones: Phones,
    table: &PresenceTable,
) -> DeviceState {
    let accepts = match watcher {
        Watcher::Lamp => dnd_status.accepts_calls(),
        Watcher::Queue => dnd_status.accepts_queue_calls(),
    };
    if !accepts {
        return DeviceState::Busy;
    }
    let from_table = table.get(state);
    let idle = from_table == DeviceState::NotInUse;
    if state == State::Dnd && !idle {
        return from_table;
    }
    if watcher == Watcher::Lamp && phones.is_calling() {
        return phones.call;
    }
    let nothing_known = phones.count == 0 && state == State::NotSet;
    match (idle, phones.count > 0 && !phones.reachable) {
        (_, true) => DeviceState::Unavailable,
        (false, _) => from_table,
        (true, _) if nothing_known => DeviceState::Unavailable,
        (true, _) => phones.call,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_may_have_underscores_or_be_those_of_asterisk() {
        for state in DeviceState::ALL {
            assert_eq!(DeviceState::parse(state.name()), Ok(state));
        }
        assert_eq!(DeviceState::parse("NOT_INUSE"), Ok(DeviceState::NotInUse));
        assert_eq!(DeviceState::parse("RINGINUSE"), Ok(DeviceState::RingInUse));
        assert!(DeviceState::parse("asleep").is_err());
    }

    #[test]
    fn states_of_phones_are_combined() {
        use DeviceState::*;
        let of = |states: &[DeviceState]| Phones::of(states.iter().copied());
        assert_eq!(of(&[]).call, NotInUse);
        assert!(!of(&[Unavailable, Unknown, Invalid]).reachable);
        assert!(of(&[Unavailable, Ringing]).reachable);
        assert_eq!(of(&[InUse, Ringing]).call, RingInUse);
        assert_eq!(of(&[OnHold, InUse]).call, InUse);
        assert_eq!(of(&[OnHold, NotInUse]).call, OnHold);
        assert_eq!(of(&[OnHold, Ringing]).call, Ringing);
        assert_eq!(of(&[Busy, NotInUse]).call, Busy);
        assert_eq!(of(&[Busy, InUse]).call, InUse);
    }

    #[test]
    fn a_lamp_shows_dnd_then_calls_then_presence() {
        use DeviceState::*;
        use DndStatus::*;
        let table = PresenceTable::default();
        let phones = |states: &[DeviceState]| Phones::of(states.iter().copied());
        let lamp = |state, states: &[DeviceState]| {
            shown(Watcher::Lamp, state, TakeAllCalls, phones(states), &table)
        };
        let queue = |state, states: &[DeviceState]| {
            shown(Watcher::Queue, state, TakeAllCalls, phones(states), &table)
        };
        assert_eq!(lamp(State::Dnd, &[Unavailable]), Busy);
        assert_eq!(lamp(State::Dnd, &[InUse]), Busy);
        assert_eq!(lamp(State::Away, &[InUse]), InUse);
        assert_eq!(queue(State::Away, &[InUse]), Unavailable);
        assert_eq!(lamp(State::Available, &[NotInUse]), NotInUse);
        assert_eq!(lamp(State::Available, &[Unavailable]), Unavailable);
        assert_eq!(lamp(State::NotSet, &[Invalid]), Unavailable);
        assert_eq!(lamp(State::NotSet, &[NotInUse]), NotInUse);
        assert_eq!(lamp(State::Available, &[]), NotInUse);
        assert_eq!(lamp(State::NotSet, &[]), Unavailable);
        assert_eq!(queue(State::Available, &[OnHold, Ringing]), Ringing);
        assert_eq!(lamp(State::Unavailable, &[Ringing]), Ringing);
        let department = |watcher| {
            let dnd_status = DoNotAcceptDepartmentCalls;
            shown(
                watcher,
                State::Available,
                dnd_status,
                phones(&[NotInUse]),
                &table,
            )
        };
        assert_eq!(department(Watcher::Lamp), NotInUse);
        assert_eq!(department(Watcher::Queue), Busy);
    }

    #[test]
    fn the_suffix_names_the_queue() {
        assert_eq!(Watcher::split("alice@queue"), ("alice", Watcher::Queue));
        assert_eq!(Watcher::split("alice@QUEUE"), ("alice", Watcher::Queue));
        assert_eq!(Watcher::split("alice"), ("alice", Watcher::Lamp));
        assert_eq!(Watcher::split(""), ("", Watcher::Lamp));
        assert_eq!(Watcher::split("ü"), ("ü", Watcher::Lamp));
    }
}
