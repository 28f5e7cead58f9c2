//! On which server of a cluster a block acts.
//!
//! A block with `where = origin` acts on the server on which the user came into the status, and
//! for as long as they are in it. The record has the names of those blocks: so it is known later,
//! after a restart too, on which server their actions are in force.

use std::sync::Arc;

use super::record::ActionRecord;
use super::{ActionBlock, ActsAt, Person, StatusChange, StatusKind, StatusValue};

/// Where a user came into their present status.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Entered {
    /// On this server.
    #[default]
    Here,
    /// On another one.
    Elsewhere,
    /// They have been in it: what is in force here stays.
    Before,
}

impl StatusValue {
    /// Whether both are the same status, whatever the message.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.presence.state() == other.presence.state()
            && self.kind.eq_ignore_ascii_case(&other.kind)
    }
}

impl StatusChange {
    /// Notes that the change was made on a server of a cluster; `is_origin`: on this one.
    pub(crate) fn made(&mut self, is_origin: bool) {
        let stays = self.old.as_ref().is_none_or(|old| old.is_same(&self.new));
        self.entered = match (stays, is_origin) {
            (true, _) => Entered::Before,
            (false, true) => Entered::Here,
            (false, false) => Entered::Elsewhere,
        };
    }
}

impl ActionBlock {
    /// Whether the block acts in the person's present status. `here` are the blocks that act on
    /// this server of those that act on one alone.
    pub(super) fn acts(&self, here: &[Arc<str>]) -> bool {
        self.acts_at == ActsAt::Everywhere || here.contains(&self.name)
    }
}

/// The blocks that act on one server alone, and on this one.
pub(super) fn acting_here(person: &Person, record: &ActionRecord) -> Vec<Arc<str>> {
    let blocks = person.blocks.iter();
    let blocks = blocks.filter(|block| block.acts_at == ActsAt::Origin);
    let here = blocks.filter(|block| {
        let change = person.change(block.when);
        match change.entered {
            Entered::Here => true,
            Entered::Elsewhere => false,
            Entered::Before => {
                let known = record.here.iter().any(|name| **name == *block.name);
                known && record.is_of(block.when, &change.new)
            }
        }
    });
    here.map(|block| block.name.clone()).collect()
}

impl ActionRecord {
    /// Whether the recorded actions are those of that status.
    fn is_of(&self, when: StatusKind, status: &StatusValue) -> bool {
        let recorded = self.recorded(when);
        recorded.is_some_and(|recorded| recorded.is_same(status))
    }
}
