//! The kinds of sources that a user can have, and how the kinds differ.
//!
//! Every difference between kinds is decided here, in a match over all of them: a new kind
//! compiles only when each of these questions has an answer. Besides this file, a new kind
//! needs the option that configures it, in [`crate::config`].

use crate::model::device::DeviceState;
use crate::model::inferred::Inferred;

/// The kind of a source.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum InputKind {
    /// An extension.
    Extension {
        /// Where the extension's name begins in the address, in bytes.
        at: u8,
    },
    /// Any other presence address.
    Source,
    /// A phone of the user.
    Device,
    /// A device state that is no phone's, such as `Custom:door`.
    Custom,
    /// A device state that tells whether the user is in a meeting.
    Meeting,
    /// The time ranges.
    Schedule,
}

/// What the presence of a source is read from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ReadFrom {
    /// A presence provider.
    Provider,
    /// A device state, by a device table.
    Device,
    /// The clock.
    Clock,
}

impl InputKind {
    /// What the presence is read from.
    pub const fn read_from(self) -> ReadFrom {
        match self {
            InputKind::Extension { .. } | InputKind::Source => ReadFrom::Provider,
            InputKind::Device | InputKind::Custom | InputKind::Meeting => ReadFrom::Device,
            InputKind::Schedule => ReadFrom::Clock,
        }
    }

    /// Whether a person chose the presence; every other presence is inferred by the system.
    pub const fn is_chosen(self) -> bool {
        match self {
            InputKind::Extension { .. } | InputKind::Source => true,
            InputKind::Device | InputKind::Custom | InputKind::Meeting | InputKind::Schedule => {
                false
            }
        }
    }

    /// Whether actions act on the presence without `when = combined`.
    pub const fn is_acted_on(self) -> bool {
        match self {
            InputKind::Extension { .. } | InputKind::Source | InputKind::Schedule => true,
            InputKind::Device | InputKind::Custom | InputKind::Meeting => false,
        }
    }

    /// Whether the device of the source, where it has one, is a phone that calls reach.
    pub const fn is_phone(self) -> bool {
        match self {
            InputKind::Extension { .. } | InputKind::Device => true,
            InputKind::Source | InputKind::Custom | InputKind::Meeting | InputKind::Schedule => {
                false
            }
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
            | InputKind::Schedule => false,
        }
    }

    /// The subject of a sentence about the source with that name.
    pub fn subject(self, name: &str) -> String {
        match self {
            InputKind::Extension { .. } | InputKind::Source => name.to_owned(),
            InputKind::Device | InputKind::Custom => format!("Device {name}"),
            InputKind::Meeting => format!("Meeting {name}"),
            InputKind::Schedule => "The schedule".to_owned(),
        }
    }

    /// What the system concludes where the source wins and its device, if it reads one, is
    /// in that state.
    pub const fn conclusion(self, state: DeviceState) -> Option<Inferred> {
        match self {
            InputKind::Schedule => Some(Inferred::Hours),
            InputKind::Meeting => Some(Inferred::Meeting),
            InputKind::Device => Inferred::of_phone(state),
            InputKind::Custom | InputKind::Extension { .. } | InputKind::Source => None,
        }
    }
}
