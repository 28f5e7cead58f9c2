//! The parts of what is known of a user, as a set.

use crate::model::words::{self, words};

words! {
    /// A part of what is known of a user that a reader can ask for.
    #[repr(u8)]
    pub enum Detail: "detail", compared by words::exactly {
        /// `telephonyStatus`
        Telephony = "telephony",
        /// `presenceStatus`
        Presence = "presence",
        /// `userStatus`
        User = "user",
        /// `meetingStatus`
        Meeting = "meeting",
        /// `dndStatus`
        Dnd = "dnd",
        /// One of the flags.
        Flags = "flags",
        /// State, subtype, message or status type.
        Status = "status",
    }
}

/// A set of them.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Details(u8);

impl Details {
    /// None.
    pub const NONE: Details = Details(0);

    /// The bit after those of every [`Detail`].
    const VISIBILITY: u8 = Detail::ALL.len() as u8;

    /// With one more, where that is so.
    #[must_use]
    pub const fn with(self, detail: Detail, so: bool) -> Self {
        Details(self.0 | (so as u8) << detail as u8)
    }

    /// Whether it is one of them.
    pub const fn has(self, detail: Detail) -> bool {
        self.0 >> detail as u8 & 1 == 1
    }

    /// With a change of whether others may see the user, where that is so. It cannot be asked
    /// for: readers learn of it in any case.
    #[must_use]
    pub const fn with_visibility(self, so: bool) -> Self {
        Details(self.0 | (so as u8) << Self::VISIBILITY)
    }

    /// Whether it has changed whether others may see the user.
    pub const fn has_visibility(self) -> bool {
        self.0 >> Self::VISIBILITY & 1 == 1
    }

    /// Whether one of them is in the other set too.
    pub const fn meets(self, other: Details) -> bool {
        self.0 & other.0 != 0
    }
}

impl FromIterator<Detail> for Details {
    fn from_iter<I: IntoIterator<Item = Detail>>(all: I) -> Self {
        let all = all.into_iter();
        all.fold(Details::NONE, |set, detail| set.with(detail, true))
    }
}
