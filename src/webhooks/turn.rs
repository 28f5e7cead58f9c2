//! Which node of a cluster posts, and where it goes on.
//!
//! One node posts at a time: the keeper. While it does, it writes again and again how far each
//! receiver is. When another node becomes the keeper, it goes on from there: with the events of
//! its own journal where that reaches back, else with each user who has changed since, as they
//! are now. Numbers are each node's own, so between two nodes the time counts; an event of the
//! last seconds may be posted by both.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use presence::Time;
use presence::config::Webhook;

/// The node that posts now.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Posting {
    /// This one, in its turn of that number. A server of its own has turn 0 for ever.
    Here(u64),
    /// Another one, of that name; `None` while there is none.
    Elsewhere(Option<Arc<str>>),
}

/// How far the receiver of a webhook is, as the nodes tell each other.
#[derive(Serialize, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct Acknowledged {
    /// The receiver needs nothing more of what had happened then: Unix time in microseconds.
    until: u64,
    /// The account of the webhook: one of another account is another webhook.
    account: Box<str>,
    /// The node that has posted.
    node: Box<str>,
    /// That node's number of the last event that the receiver needs no more.
    sequence: u64,
}

impl Acknowledged {
    /// The receiver of the webhook needs nothing more of what had happened on this node at the
    /// time `until`, and no event up to that number.
    pub fn new(spec: &Webhook, node: &str, until: Time, sequence: u64) -> Self {
        Acknowledged {
            until: until.micros(),
            account: (*spec.account).into(),
            node: node.into(),
            sequence,
        }
    }

    /// The form in which nodes share it.
    pub fn json(&self) -> String {
        // Plain strings and numbers always serialise.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Reads the shared form; `None` if it is not one, or is that of another account.
    pub fn of(spec: &Webhook, json: &str) -> Option<Self> {
        let read: Acknowledged = serde_json::from_str(json).ok()?;
        (*read.account == *spec.account).then_some(read)
    }

    /// The number, if that node has given it.
    pub fn sequence_of(&self, node: &str) -> Option<u64> {
        (*self.node == *node).then_some(self.sequence)
    }

    /// The time.
    pub fn until(&self) -> Time {
        Time::from_micros(self.until)
    }
}

/// Where a webhook goes on at the beginning of a turn.
#[derive(Default, Debug)]
pub struct Resumed {
    /// The number of the last event that the receiver needs no more. Everything after it is in
    /// the journal.
    pub sequence: u64,
    /// The users that the receiver knows to be hidden.
    pub hidden: HashSet<Arc<str>>,
    /// The users to post before that, as they are now, with the number of their last change.
    pub changed: VecDeque<(u64, Arc<str>)>,
    /// See [`Acknowledged::until`].
    pub until: Time,
}
