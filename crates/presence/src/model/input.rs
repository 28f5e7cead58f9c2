//! The kinds of sources that a user can have, and the differences between the kinds.
//!
//! Every difference between kinds is decided here, in a match over all of them: a new kind
//! compiles only when each of these questions has an answer. Besides this file, a new kind
//! needs the option that configures it, in [`crate::config`].

use crate::model::device::DeviceState;
use crate::model::inferred::Inferred;

/// What stands before the device in the name of a publication: `publish:PJSIP/201`.
pub const PUBLISHED: &str = "publish:";

/// The kind of a source.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum InputKind {
    /// An extension.
    Extension {
        /// The index at which the extension's name begins in the address, in bytes.
        at: u8,
    },
    /// Any other presence address.
    Source,
    /// A phone of the user.
    Device,
    /// A device state that does not belong to a phone, such as `Custom:door`.
    Custom,
    /// A device whose state shows whether the user is in a meeting.
    Meeting,
    /// The time ranges of the user's schedule.
    Schedule,
    /// What a phone of the user publishes of itself (SIP PUBLISH). It is no input of the
    /// configuration: there is one for each device that publishes now.
    Publication,
}

/// The origin of a source's presence.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ReadFrom {
    /// A presence provider.
    Provider,
    /// A device state, translated by a device table.
    Device,
    /// The clock.
    Clock,
    /// A phone's own requests, translated by a publish table.
    Phone,
}

impl InputKind {
    /// The origin of the presence of a source of this kind.
    pub const fn read_from(self) -> ReadFrom {
        match self {
            InputKind::Extension { .. } | InputKind::Source => ReadFrom::Provider,
            InputKind::Device | InputKind::Custom | InputKind::Meeting => ReadFrom::Device,
            InputKind::Schedule => ReadFrom::Clock,
            InputKind::Publication => ReadFrom::Phone,
        }
    }

    /// Whether a person chooses the presence; the system infers every other presence.
    pub const fn is_chosen(self) -> bool {
        match self {
            InputKind::Extension { .. } | InputKind::Source | InputKind::Publication => true,
            InputKind::Device | InputKind::Custom | InputKind::Meeting | InputKind::Schedule => {
                false
            }
        }
    }

    /// Whether a change of the presence triggers actions without `when = combined`.
    pub const fn is_acted_on(self) -> bool {
        match self {
            InputKind::Extension { .. }
            | InputKind::Source
            | InputKind::Schedule
            | InputKind::Publication => true,
            InputKind::Device | InputKind::Custom | InputKind::Meeting => false,
        }
    }

    /// Whether the device of the source, if it has one, is a phone that calls can ring. That
    /// of a publication is one only where it belongs to an extension too.
    pub const fn is_phone(self) -> bool {
        match self {
            InputKind::Extension { .. } | InputKind::Device => true,
            InputKind::Source
            | InputKind::Custom
            | InputKind::Meeting
            | InputKind::Schedule
            | InputKind::Publication => false,
        }
    }

    /// Whether a device in use means a meeting.
    pub const fn is_meeting(self) -> bool {
        match self {
            InputKind::Meeting => true,
            InputKind::Extension { .. }
            | InputKind::Source
            | InputKind::Device
            | InputKind::Custom
            | InputKind::Schedule
            | InputKind::Publication => false,
        }
    }

    /// The subject of a sentence about the source with the given name.
    pub fn subject(self, name: &str) -> String {
        match self {
            InputKind::Extension { .. } | InputKind::Source => name.to_owned(),
            InputKind::Device | InputKind::Custom => format!("Device {name}"),
            InputKind::Meeting => format!("Meeting {name}"),
            InputKind::Schedule => "The schedule".to_owned(),
            InputKind::Publication => {
                let device = name.strip_prefix(PUBLISHED).unwrap_or(name);
                format!("The phone {device}")
            }
        }
    }

    /// The conclusion of the system if the source wins and its device, if it has one, is in
    /// the given state.
    pub const fn conclusion(self, state: DeviceState) -> Option<Inferred> {
        match self {
            InputKind::Schedule => Some(Inferred::Hours),
            InputKind::Meeting => Some(Inferred::Meeting),
            InputKind::Device => Inferred::of_phone(state),
            InputKind::Custom
            | InputKind::Extension { .. }
            | InputKind::Source
            | InputKind::Publication => None,
        }
    }
}
