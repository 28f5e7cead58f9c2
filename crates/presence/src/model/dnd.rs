//! Which calls a user takes, beside the presence: the user's own choice.

/// Which calls a user takes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum DndStatus {
    /// All.
    #[default]
    TakeAllCalls,
    /// None.
    DoNotAcceptAnyCalls,
    /// None from queues.
    DoNotAcceptDepartmentCalls,
}

impl DndStatus {
    /// Every value.
    pub const ALL: [DndStatus; 3] = [
        DndStatus::TakeAllCalls,
        DndStatus::DoNotAcceptAnyCalls,
        DndStatus::DoNotAcceptDepartmentCalls,
    ];

    /// The names, for messages that say what was expected.
    pub const EXPECTED: &'static str =
        "TakeAllCalls, DoNotAcceptAnyCalls or DoNotAcceptDepartmentCalls";

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            DndStatus::TakeAllCalls => "TakeAllCalls",
            DndStatus::DoNotAcceptAnyCalls => "DoNotAcceptAnyCalls",
            DndStatus::DoNotAcceptDepartmentCalls => "DoNotAcceptDepartmentCalls",
        }
    }

    /// The value of that name, without regard to case.
    ///
    /// # Errors
    /// Says what was expected.
    pub fn parse(name: &str) -> Result<Self, String> {
        let mut all = Self::ALL.into_iter();
        let found = all.find(|known| known.name().eq_ignore_ascii_case(name));
        found.ok_or_else(|| {
            format!(
                "unknown dndStatus '{}'{}",
                crate::model::text::quoted(name),
                crate::model::suggest::expected(name, Self::EXPECTED)
            )
        })
    }

    /// Whether a queue may ring the user.
    pub fn takes_queue_calls(self) -> bool {
        self == DndStatus::TakeAllCalls
    }

    /// Whether anybody may.
    pub fn takes_calls(self) -> bool {
        self != DndStatus::DoNotAcceptAnyCalls
    }
}
