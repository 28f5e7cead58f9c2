//! The conclusions of the system about a user, in words: the interfaces show them beside the
//! user's choice, never as a choice.

use std::sync::Arc;

use serde::ser::{Serialize, SerializeStruct, Serializer};

use crate::model::device::DeviceState;
use crate::model::status::StatusType;
use crate::model::words::words;

words! {
    /// The kind of an [`Inferred`], for programs.
    pub enum InferredKind: "kind" {
        /// One of the phones is in a call.
        Call = "call",
        /// One of the phones rings.
        Ringing = "ringing",
        /// All calls are on hold.
        Hold = "hold",
        /// A meeting or a calendar event is in progress.
        Meeting = "meeting",
        /// No phone is reachable.
        Offline = "offline",
        /// The time is outside the hours of the schedule.
        Hours = "hours",
        /// A status type, see [`Inferred::Status`].
        Status = "status",
    }
}

/// A conclusion from devices, meetings, calendars or hours.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Inferred {
    /// One of the phones is in a call.
    Call,
    /// One of the phones rings.
    Ringing,
    /// All calls are on hold.
    Hold,
    /// A meeting or a calendar event is in progress.
    Meeting,
    /// No phone is reachable.
    Offline,
    /// The time is outside the hours of the schedule.
    Hours,
    /// A status type: one that a device table names, or the type of the combined presence if
    /// no other conclusion fits.
    Status(Arc<StatusType>),
}

impl Inferred {
    /// The kind of the conclusion.
    pub const fn kind(&self) -> InferredKind {
        match self {
            Inferred::Call => InferredKind::Call,
            Inferred::Ringing => InferredKind::Ringing,
            Inferred::Hold => InferredKind::Hold,
            Inferred::Meeting => InferredKind::Meeting,
            Inferred::Offline => InferredKind::Offline,
            Inferred::Hours => InferredKind::Hours,
            Inferred::Status(_) => InferredKind::Status,
        }
    }

    /// The conclusion as a label for people.
    pub fn label(&self) -> &str {
        match self {
            Inferred::Call => "On a call",
            Inferred::Ringing => "Ringing",
            Inferred::Hold => "On hold",
            Inferred::Meeting => "In a meeting",
            Inferred::Offline => "Phone offline",
            Inferred::Hours => "Outside hours",
            Inferred::Status(status) => &status.label,
        }
    }

    /// The conclusion from the state of a phone; `None` if the phone is idle or its state is
    /// unknown.
    pub const fn of_phone(state: DeviceState) -> Option<Self> {
        match state {
            DeviceState::InUse | DeviceState::Busy | DeviceState::RingInUse => Some(Self::Call),
            DeviceState::Ringing => Some(Self::Ringing),
            DeviceState::OnHold => Some(Self::Hold),
            DeviceState::Unavailable => Some(Self::Offline),
            DeviceState::Unknown | DeviceState::NotInUse | DeviceState::Invalid => None,
        }
    }
}

impl Serialize for Inferred {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_struct("Inferred", 2)?;
        object.serialize_field("kind", &self.kind())?;
        object.serialize_field("label", self.label())?;
        object.end()
    }
}
