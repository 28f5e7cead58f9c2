//! The interface between the rules of actions and Asterisk.

use super::queue::{QueueMembership, QueueStep};
use super::record::ActionRecord;

/// The value of a target.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum TargetValue {
    /// The target is absent; an undo makes it absent again.
    Absent,
    /// The value of the target.
    Text(String),
    /// The target can only be written, so an assignment cannot be undone.
    Unreadable,
}

impl TargetValue {
    /// The text for comparison: an absent target reads as empty. `None` if the target is not
    /// readable.
    pub fn text(&self) -> Option<&str> {
        match self {
            TargetValue::Absent => Some(""),
            TargetValue::Text(text) => Some(text),
            TargetValue::Unreadable => None,
        }
    }

    /// The value in readable form.
    pub fn describe(self) -> String {
        match self {
            TargetValue::Absent => "(nothing)".to_owned(),
            TargetValue::Text(text) => text,
            TargetValue::Unreadable => "(cannot be read)".to_owned(),
        }
    }
}

/// Carries out actions in Asterisk. Every error is a reason in words for the log.
pub trait Backend {
    /// The present value of a target such as `DB(DND/200)`.
    ///
    /// # Errors
    /// If the function does not exist.
    fn read(&mut self, target: &str) -> Result<TargetValue, String>;

    /// Sets a target; `None` makes it absent.
    ///
    /// # Errors
    /// If the function fails.
    fn write(&mut self, target: &str, value: Option<&str>) -> Result<(), String>;

    /// Like [`Backend::write`], with the previous value from a record of an earlier run.
    /// Another program may have forged that record in AstDB, and a forged value must give the
    /// program no new power: functions that Asterisk calls dangerous are refused.
    ///
    /// # Errors
    /// If the function is dangerous or fails.
    fn restore(&mut self, target: &str, value: Option<&str>) -> Result<(), String>;

    /// Every queue, each with its member of the given interface, if it has one.
    ///
    /// # Errors
    /// If the queues cannot be read.
    fn queues(&mut self, interface: &str) -> Result<Vec<QueueMembership>, String>;

    /// Carries out a step for the member of a queue with the given interface.
    ///
    /// # Errors
    /// If the step fails.
    fn queue(&mut self, queue: &str, interface: &str, step: &QueueStep) -> Result<(), String>;

    /// Saves the record in AstDB, before the actions in it are carried out.
    ///
    /// # Errors
    /// If the record cannot be saved: then no action is carried out.
    fn save(&mut self, record: &ActionRecord) -> Result<(), String>;

    /// Reports a failed action; the other actions are still carried out.
    fn failed(&mut self, action: &str, why: &str);
}
