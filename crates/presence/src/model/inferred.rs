//! What the system has concluded of a person, in words: it is shown beside what the
//! person chose, and never as a choice.

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
        /// The only calls are on hold.
        Hold = "hold",
        /// A meeting or an event of a calendar is going on.
        Meeting = "meeting",
        /// No phone can be reached.
        Offline = "offline",
        /// It is outside of the hours of the schedule.
        Hours = "hours",
        /// A status type.
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
    /// The only calls are on hold.
    Hold,
    /// A meeting or an event of a calendar is going on.
    Meeting,
    /// No phone can be reached.
    Offline,
    /// It is outside of the hours of the schedule.
    Hours,
    /// A status type: one that a device table names, or the one that means the combined
    /// presence where no other word fits.
    Status(Arc<StatusType>),
}

impl Inferred {
    /// Its kind.
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

    /// The words for people.
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

    /// What the state of a phone means; `None` where it is idle or nothing is known.
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
