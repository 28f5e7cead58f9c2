//! Which calls a user accepts: the user's own choice, independent of the presence.

use crate::model::words::words;

words! {
    /// Which calls a user accepts.
    #[derive(Default)]
    pub enum DndStatus: "dndStatus" {
        /// All calls.
        #[default]
        TakeAllCalls = "TakeAllCalls",
        /// No calls.
        DoNotAcceptAnyCalls = "DoNotAcceptAnyCalls",
        /// All calls except those from queues.
        DoNotAcceptDepartmentCalls = "DoNotAcceptDepartmentCalls",
    }
}

impl DndStatus {
    /// Whether a queue may ring the user.
    pub fn accepts_queue_calls(self) -> bool {
        self == DndStatus::TakeAllCalls
    }

    /// Whether calls may ring the user at all.
    pub fn accepts_calls(self) -> bool {
        self != DndStatus::DoNotAcceptAnyCalls
    }
}
