//! Which calls a user takes, beside the presence: the user's own choice.

use crate::model::words::words;

words! {
    /// Which calls a user takes.
    #[derive(Default)]
    pub enum DndStatus: "dndStatus" {
        /// All.
        #[default]
        TakeAllCalls = "TakeAllCalls",
        /// None.
        DoNotAcceptAnyCalls = "DoNotAcceptAnyCalls",
        /// None from queues.
        DoNotAcceptDepartmentCalls = "DoNotAcceptDepartmentCalls",
    }
}

impl DndStatus {
    /// Whether a queue may ring the user.
    pub fn takes_queue_calls(self) -> bool {
        self == DndStatus::TakeAllCalls
    }

    /// Whether anybody may.
    pub fn takes_calls(self) -> bool {
        self != DndStatus::DoNotAcceptAnyCalls
    }
}
