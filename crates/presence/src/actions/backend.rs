//! What actions do outside: the seam between the rules here and Asterisk.

use super::queue::{QueueMembership, QueueStep};
use super::record::ActionRecord;

/// What stood in the place of an assignment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum TargetValue {
    /// Nothing: it has to be away again.
    Absent,
    /// This text.
    Text(String),
    /// It can only be written, so it cannot be undone.
    Unreadable,
}

impl TargetValue {
    /// The text, to compare with: what is absent reads as empty.
    pub fn text(&self) -> Option<&str> {
        match self {
            TargetValue::Absent => Some(""),
            TargetValue::Text(text) => Some(text),
            TargetValue::Unreadable => None,
        }
    }

    /// For people.
    pub fn shown(self) -> String {
        match self {
            TargetValue::Absent => "(nothing)".to_owned(),
            TargetValue::Text(text) => text,
            TargetValue::Unreadable => "(cannot be read)".to_owned(),
        }
    }
}

/// Who carries actions out. Every error is the reason, in words for a log.
pub trait Backend {
    /// What a target such as `DB(DND/200)` holds now.
    ///
    /// # Errors
    /// When there is no such function now.
    fn read(&mut self, target: &str) -> Result<TargetValue, String>;

    /// Sets a target; `None` makes it absent.
    ///
    /// # Errors
    /// When it is refused.
    fn write(&mut self, target: &str, value: Option<&str>) -> Result<(), String>;

    /// As [`Backend::write`], with a value that a row of an earlier run says was there
    /// before. Whoever can write AstDB may have chosen it, so it must do nothing that such
    /// a one could not do without it: a function that Asterisk calls dangerous refuses it.
    ///
    /// # Errors
    /// When it is refused.
    fn put_back(&mut self, target: &str, value: Option<&str>) -> Result<(), String>;

    /// Every queue, each with the member of that interface where it has it.
    ///
    /// # Errors
    /// When there are no queues.
    fn queues(&mut self, interface: &str) -> Result<Vec<QueueMembership>, String>;

    /// Does something with a queue's member of that interface.
    ///
    /// # Errors
    /// When it is refused.
    fn queue(&mut self, queue: &str, interface: &str, step: &QueueStep) -> Result<(), String>;

    /// Keeps the record; what it says may be done once this returns.
    ///
    /// # Errors
    /// When it cannot be kept: nothing is done then.
    fn keep(&mut self, record: &ActionRecord) -> Result<(), String>;

    /// An action failed; the others go on.
    fn failed(&mut self, action: &str, why: &str);
}
