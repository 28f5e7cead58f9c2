//! The states of devices: what a device source says, what a user's phones do, and what
//! a lamp or a queue is shown of a user.

use std::sync::Arc;

use crate::model::dnd::DndStatus;
use crate::model::state::{Presence, State};
use crate::model::status::StatusType;
use crate::model::words::{self, words};

words! {
    /// A device state, as in Asterisk's `enum ast_device_state` and in its numbering. Names
    /// are compared without regard to underscores: both `not_in_use` and Asterisk's own
    /// `NOT_INUSE` name one.
    #[derive(Default, PartialOrd, Ord)]
    #[repr(u8)]
    pub enum DeviceState: "device state", compared by words::without_underscores {
        /// Nothing is known of it.
        #[default]
        Unknown = "unknown",
        /// Reachable and idle.
        NotInUse = "not_in_use",
        /// In a call.
        InUse = "in_use",
        /// In a call, and takes no other.
        Busy = "busy",
        /// There is no such device.
        Invalid = "invalid",
        /// Not reachable.
        Unavailable = "unavailable",
        /// It rings.
        Ringing = "ringing",
        /// In a call, and it rings.
        RingInUse = "ring_in_use",
        /// In a call that is on hold.
        OnHold = "on_hold",
    }
}

impl DeviceState {
    /// Whether a call could reach it now, or already has.
    pub fn is_reachable(self) -> bool {
        !matches!(
            self,
            DeviceState::Unknown | DeviceState::Invalid | DeviceState::Unavailable
        )
    }

    /// Whether it is in a call, held ones included; ringing is none yet.
    pub fn is_in_call(self) -> bool {
        matches!(
            self,
            DeviceState::InUse | DeviceState::Busy | DeviceState::RingInUse | DeviceState::OnHold
        )
    }
}

/// What each device state means as a presence: section of `type = device_table`.
#[derive(Clone, PartialEq, Eq, Debug, Hash)]
pub struct DeviceTable {
    /// The section's name.
    pub name: Box<str>,
    /// By [`DeviceState`].
    presences: [Presence; 9],
    /// The status types that entries name, by [`DeviceState`].
    statuses: [Option<Arc<StatusType>>; 9],
}

impl DeviceTable {
    /// The name of the table for phones.
    pub const DEVICE: &'static str = "device";
    /// The name of the table for meetings.
    pub const MEETING: &'static str = "meeting";

    /// The table of phones: whoever is in a call is not to be disturbed.
    pub fn device() -> Self {
        let said = |state: DeviceState| match state {
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
            presences: DeviceState::ALL.map(|state| said(state).into()),
            statuses: Default::default(),
        }
    }

    /// The table of meetings and calendars: in one, or not.
    pub fn meeting() -> Self {
        let said = |state: DeviceState| match state {
            DeviceState::InUse | DeviceState::Busy => {
                Presence::new(State::Dnd, DeviceTable::MEETING, "")
            }
            _ => Presence::default(),
        };
        DeviceTable {
            name: Self::MEETING.into(),
            presences: DeviceState::ALL.map(said),
            statuses: Default::default(),
        }
    }

    /// What that state means.
    pub fn get(&self, state: DeviceState) -> &Presence {
        &self.presences[state as usize]
    }

    /// The status type that the entry of that state names; `None` where it names a
    /// presence state.
    pub fn status(&self, state: DeviceState) -> Option<&Arc<StatusType>> {
        self.statuses[state as usize].as_ref()
    }

    /// Makes that state mean something else, by the name of `status` where there is one.
    pub fn set(&mut self, state: DeviceState, presence: Presence, status: Option<Arc<StatusType>>) {
        self.presences[state as usize] = presence;
        self.statuses[state as usize] = status;
    }
}

/// What each presence state is shown as: section of `type = presence_table`.
#[derive(Clone, PartialEq, Eq, Debug, Hash)]
pub struct PresenceTable {
    /// The section's name; empty for the built-in table.
    pub name: Box<str>,
    /// By [`State`].
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
    /// What that state is shown as.
    pub fn get(&self, state: State) -> DeviceState {
        self.shown[state as usize]
    }

    /// Has that state shown as something else.
    pub fn set(&mut self, state: State, shown: DeviceState) {
        self.shown[state as usize] = shown;
    }
}

/// What a user's phones do, taken together.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Phones {
    /// How many the user has.
    pub count: u32,
    /// Whether one of them is reachable.
    pub reachable: bool,
    /// In a call, ringing, on hold; `NotInUse` for none of it.
    pub call: DeviceState,
}

impl Phones {
    /// Takes them together: in use before ringing before on hold; busy only where
    /// every one that is in a call is.
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

    /// Whether a call or a ringing is to be seen.
    pub fn is_calling(&self) -> bool {
        self.call != DeviceState::NotInUse
    }
}

words! {
    /// Who looks at a user as a device.
    pub enum Watcher: "watcher" {
        /// A lamp: `UserPresence:<user>`.
        Lamp = "lamp",
        /// A queue's `state_interface`: `UserPresence:<user>@queue`.
        Queue = "queue",
    }
}

impl Watcher {
    /// What follows the user's name in the address.
    pub const fn suffix(self) -> &'static str {
        match self {
            Watcher::Lamp => "",
            Watcher::Queue => "@queue",
        }
    }

    /// The user and the watcher that a device's name, without its label, names.
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

/// What a watcher is shown.
///
/// - Calls that are not taken, and what the table makes of `dnd`, come first, also where
///   no phone is reachable.
/// - A lamp then shows calls; a queue looks at the table first, so that it sees who is
///   away in a call as away. (With `ringinuse` it looks at no state at all.)
/// - Whoever has phones and none that is reachable is unavailable, whatever the
///   presence: they never look idle.
pub fn shown(
    watcher: Watcher,
    state: State,
    takes: DndStatus,
    phones: Phones,
    table: &PresenceTable,
) -> DeviceState {
    let taken = match watcher {
        Watcher::Lamp => takes.takes_calls(),
        Watcher::Queue => takes.takes_queue_calls(),
    };
    if !taken {
        return DeviceState::Busy;
    }
    let said = table.get(state);
    let idle = said == DeviceState::NotInUse;
    if state == State::Dnd && !idle {
        return said;
    }
    if watcher == Watcher::Lamp && phones.is_calling() {
        return phones.call;
    }
    let nothing_known = phones.count == 0 && state == State::NotSet;
    match (idle, phones.count > 0 && !phones.reachable) {
        (_, true) => DeviceState::Unavailable,
        (false, _) => said,
        (true, _) if nothing_known => DeviceState::Unavailable,
        (true, _) => phones.call,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_asterisks_own_or_with_underscores() {
        for state in DeviceState::ALL {
            assert_eq!(DeviceState::parse(state.name()), Ok(state));
        }
        assert_eq!(DeviceState::parse("NOT_INUSE"), Ok(DeviceState::NotInUse));
        assert_eq!(DeviceState::parse("RINGINUSE"), Ok(DeviceState::RingInUse));
        assert!(DeviceState::parse("asleep").is_err());
    }

    #[test]
    fn phones_are_taken_together() {
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
            let takes = DoNotAcceptDepartmentCalls;
            shown(
                watcher,
                State::Available,
                takes,
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
