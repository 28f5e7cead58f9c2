//! What was done for a user and what was there before: kept in AstDB, so that a
//! later run can undo it.
//!
//! It is kept before anything is done, with what is about to be done: whatever comes
//! between, the next load finds in it what may be ours. An undo is noted after it was
//! done; done twice it does no harm, because it looks first whose the value is.

use serde::{Deserialize, Serialize};

use super::backend::{Backend, TargetValue};
use super::queue::{Applied, Member};
use super::queues::{QueueRecord, do_steps, look_at_queues};
use super::targets::{Assigned, look_at_targets, write_targets};
use super::{Person, StatusChange, StatusKind, StatusValue, names, wanted};
use crate::model::status::Statuses;
use crate::model::stored_presence::StoredPresence;
use crate::model::time::Time;

/// The status that the actions were last carried out for.
#[derive(Serialize, Deserialize, Clone, PartialEq, Eq, Debug)]
struct RecordedStatus {
    #[serde(flatten)]
    kept: StoredPresence,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    kind: String,
}

impl RecordedStatus {
    fn new(status: &StatusValue) -> Self {
        RecordedStatus {
            kept: StoredPresence::new(&status.presence, Time::NEVER, Time::NEVER),
            kind: status.kind.to_string(),
        }
    }

    fn status(&self) -> StatusValue {
        StatusValue {
            presence: self.kept.restore().0,
            kind: self.kind.as_str().into(),
        }
    }
}

/// A status and the one before, as told.
#[derive(Serialize, Deserialize, Clone, PartialEq, Eq, Debug)]
struct RecordedChange {
    new: RecordedStatus,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    old: Option<RecordedStatus>,
}

impl RecordedChange {
    fn new(change: &StatusChange) -> Self {
        RecordedChange {
            new: RecordedStatus::new(&change.new),
            old: change.old.as_ref().map(RecordedStatus::new),
        }
    }
}

/// The row of a user.
#[derive(Serialize, Deserialize, Clone, PartialEq, Eq, Debug, Default)]
pub struct ActionRecord {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    new: Option<RecordedStatus>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    old: Option<RecordedStatus>,
    /// The same for the combined status, where a block looks at it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    combined: Option<RecordedChange>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) set: Vec<Assigned>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) queues: Vec<QueueRecord>,
}

/// One thing that is in force.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct InForce {
    /// `DB(DND/200)`, `queue 600`.
    pub target: String,
    /// The queue and the interface in it, where it is one.
    pub queue: Option<(String, String)>,
    /// What was written or done.
    pub wrote: String,
    /// What was there before.
    pub found: String,
}

impl ActionRecord {
    /// Whether nothing is ours.
    pub fn is_empty(&self) -> bool {
        self.set.is_empty() && self.queues.is_empty()
    }

    /// Whether two rows say the same, whatever has been seen of it.
    pub fn says_the_same(&self, other: &Self) -> bool {
        let plain = |record: &ActionRecord| {
            let mut plain = record.clone();
            plain.set.iter_mut().for_each(|done| done.seen = false);
            plain
        };
        plain(self) == plain(other)
    }

    /// Of a row of an earlier run: forgets what the person's configuration does not name,
    /// and returns its targets. Whoever can write AstDB can write such a row, and it must
    /// not have functions called that the administrator has not named.
    pub fn keep_named(&mut self, person: Option<&Person>, statuses: &Statuses) -> Vec<String> {
        let mut left = Vec::new();
        self.set.retain(|done| {
            let named = person.is_some_and(|person| names(person, &done.target, statuses));
            if !named {
                left.push(done.target.clone());
            }
            named
        });
        self.queues.retain_mut(|done| {
            let is_own = |person: &&Person| person.member.as_deref() == Some(&*done.member);
            let person = person.filter(is_own);
            let may = |did: &Applied| {
                let blocks = person.into_iter().flat_map(|person| &person.blocks);
                let mut wishes = blocks.flat_map(|block| &block.queues);
                wishes.any(|(queue, action)| {
                    let queue = queue.as_deref();
                    *action == did.action()
                        && queue.is_none_or(|queue| queue.eq_ignore_ascii_case(&done.queue))
                })
            };
            let (queue, member) = (&done.queue, &done.member);
            let named = done.did.iter().all(may) && !done.did.is_empty();
            if !named {
                left.push(format!("queue {queue}, {member}"));
            }
            named
        });
        let combined = self.combined.iter_mut();
        let combined =
            combined.flat_map(|change| std::iter::once(&mut change.new).chain(&mut change.old));
        for told in self.new.iter_mut().chain(&mut self.old).chain(combined) {
            // It may become a part of a target.
            if statuses.find(&told.kind).is_none() {
                told.kind.clear();
            }
        }
        if self.is_empty() {
            *self = ActionRecord::default();
        }
        left
    }

    /// What is in force, for people.
    pub fn in_force(&self) -> Vec<InForce> {
        let set = self.set.iter().map(|done| InForce {
            target: done.target.clone(),
            queue: None,
            wrote: done.wrote.clone(),
            found: match (&done.found, done.unreadable) {
                (_, true) => TargetValue::Unreadable,
                (None, _) => TargetValue::Absent,
                (Some(text), _) => TargetValue::Text(text.clone()),
            }
            .shown(),
        });
        let queues = self.queues.iter().filter_map(|done| {
            let did = done.did.last()?;
            Some(InForce {
                target: format!("queue {}, {}", done.queue, done.member),
                queue: Some((done.queue.clone(), done.member.clone())),
                wrote: did.action().name().to_owned(),
                found: match did {
                    Applied::Login(_) => shown_member(None),
                    Applied::Logout(member) => shown_member(Some(member)),
                    Applied::Pause => "not paused".to_owned(),
                },
            })
        });
        set.chain(queues).collect()
    }
}

/// A member of a queue, for people.
pub fn shown_member(member: Option<&Member>) -> String {
    match member {
        None => "(no member)".to_owned(),
        Some(member) if member.paused => format!("member, paused ({})", member.reason),
        Some(_) => "member".to_owned(),
    }
}

#[cfg(test)]
impl ActionRecord {
    /// What was before, of a person who did not change.
    pub(super) fn old_of(&self, person: &Person) -> StatusValue {
        with_old(self, person).chosen.old.unwrap_or_default()
    }

    /// What was there before, where what is there now cannot be told from ours.
    pub(super) fn found(&self, target: &str, now: &TargetValue) -> Option<Option<String>> {
        let done = self.set.iter().find(|done| done.target == target)?;
        done.is_ours(now).then(|| done.found.clone())
    }

    /// The same for a queue.
    pub(super) fn found_in_queue(
        &self,
        queue: &str,
        now: Option<&super::Member>,
    ) -> Option<Option<super::Member>> {
        let done = self.queues.iter().find(|done| done.queue == queue)?;
        done.did.iter().find_map(|did| did.before(now))
    }
}

/// Leads from what was done for a user to what is wanted now: nothing for one who is
/// `None`, because he is no user any more. `fresh` after a load or reload: what a stop
/// of Asterisk has undone is then done again.
///
/// Returns whether all was done; what could not be undone stays in the record.
pub fn carry_out(
    record: &mut ActionRecord,
    person: Option<&Person>,
    fresh: bool,
    backend: &mut dyn Backend,
) -> bool {
    let person = person.map(|person| with_old(record, person));
    let wanted = person.as_ref().map(wanted).unwrap_or_default();
    let before = record.clone();
    let mut failures = 0;
    let mut backend = CountingBackend(backend, &mut failures);

    if record.is_empty() && wanted.set.is_empty() && wanted.queues.is_empty() {
        return true;
    }
    // First the record as it is: while AstDB refuses what it is given, it also hides
    // what it has, and everything would look absent.
    if let Err(why) = backend.0.keep(record) {
        backend.failed("all of them", &why);
        return false;
    }
    let writes = look_at_targets(record, &wanted, fresh, &mut backend);
    let steps = look_at_queues(record, person.as_ref(), &wanted, fresh, &mut backend);
    let told = person.as_ref().filter(|_| !record.is_empty());
    record.new = told.map(|person| RecordedStatus::new(&person.chosen.new));
    let old = told.and_then(|person| person.chosen.old.as_ref());
    record.old = old.map(RecordedStatus::new);
    let combined = told.filter(|person| {
        let mut blocks = person.blocks.iter();
        blocks.any(|block| block.when == StatusKind::Combined)
    });
    record.combined = combined.map(|person| RecordedChange::new(&person.combined));
    if writes.is_empty() && steps.is_empty() {
        if *record != before && backend.0.keep(record).is_err() {
            *record = before;
        }
        return failures == 0;
    }
    if let Err(why) = backend.0.keep(record) {
        *record = before;
        backend.failed("all of them", &why);
        return false;
    }
    write_targets(record, &writes, &mut backend);
    do_steps(record, steps, &mut backend);
    if record.is_empty() {
        *record = ActionRecord::default();
    }
    // Without it the next load finds more noted than is so, and looks.
    let _ = backend.0.keep(record);
    failures == 0
}

/// Counts failures on their way.
pub(super) struct CountingBackend<'a>(pub &'a mut dyn Backend, &'a mut usize);

impl CountingBackend<'_> {
    pub fn failed(&mut self, action: &str, why: &str) {
        *self.1 += 1;
        self.0.failed(action, why);
    }
}

/// The person with what was before: where nothing changed, what was recorded.
fn with_old(record: &ActionRecord, person: &Person) -> Person {
    let mut person = person.clone();
    fill(&mut person.chosen, record.new.as_ref(), record.old.as_ref());
    let combined = record.combined.as_ref();
    let new = combined.map(|change| &change.new);
    let old = combined.and_then(|change| change.old.as_ref());
    fill(&mut person.combined, new, old);
    person
}

fn fill(change: &mut StatusChange, new: Option<&RecordedStatus>, old: Option<&RecordedStatus>) {
    if change.old.is_none() {
        change.old = match new.map(RecordedStatus::status) {
            Some(new) if new == change.new => old.map(RecordedStatus::status),
            other => other,
        };
    }
}
