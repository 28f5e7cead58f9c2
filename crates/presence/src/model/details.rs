//! The parts of a user's state, as a set.

use crate::model::words::{self, words};

words! {
    /// A part of a user's state. Readers can subscribe to the changes of some parts.
    #[repr(u8)]
    pub enum Detail: "detail", compared by words::exactly {
        /// `telephonyStatus`.
        Telephony = "telephony",
        /// `presenceStatus`.
        Presence = "presence",
        /// `userStatus`.
        User = "user",
        /// `meetingStatus`.
        Meeting = "meeting",
        /// `dndStatus`.
        Dnd = "dnd",
        /// The flags.
        Flags = "flags",
        /// The state, subtype, message or status type.
        Status = "status",
    }
}

/// A set of details.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Details(u8);

impl Details {
    /// The empty set.
    pub const NONE: Details = Details(0);

    /// The bit after those of all details.
    const VISIBILITY: u8 = Detail::ALL.len() as u8;

    /// The set with `detail` added if `so` is true.
    #[must_use]
    pub const fn with(self, detail: Detail, so: bool) -> Self {
        Details(self.0 | (so as u8) << detail as u8)
    }

    /// Whether the set contains `detail`.
    pub const fn has(self, detail: Detail) -> bool {
        self.0 >> detail as u8 & 1 == 1
    }

    /// The set with a change of visibility to others added if `so` is true. Readers cannot
    /// subscribe to it, because all of them receive it.
    #[must_use]
    pub const fn with_visibility(self, so: bool) -> Self {
        Details(self.0 | (so as u8) << Self::VISIBILITY)
    }

    /// Whether the set contains a change of visibility to others.
    pub const fn has_visibility(self) -> bool {
        self.0 >> Self::VISIBILITY & 1 == 1
    }

    /// Whether both sets have a detail in common.
    pub const fn intersects(self, other: Details) -> bool {
        self.0 & other.0 != 0
    }
}

impl FromIterator<Detail> for Details {
    fn from_iter<I: IntoIterator<Item = Detail>>(all: I) -> Self {
        let all = all.into_iter();
        all.fold(Details::NONE, |set, detail| set.with(detail, true))
    }
}
