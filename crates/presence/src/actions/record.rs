//! The record of a user's actions and of the values before them, stored in AstDB so that a
//! later run can undo the actions.
//!
//! The record is saved before the actions it contains are carried out: after a crash, the next
//! load finds every action that may have happened. An undo is recorded after it is done. A
//! repeated undo is harmless, because it first checks that the target still has the action's
//! value.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::backend::{Backend, TargetValue};
use super::place::acting_here;
use super::queue::{Applied, Member};
use super::queues::{QueueRecord, do_steps, plan_steps};
use super::targets::{Assigned, plan_writes, write_targets};
use super::{Person, StatusChange, StatusKind, StatusValue, names, wanted};
use crate::model::status::Statuses;
use crate::model::stored_presence::StoredPresence;
use crate::model::time::Time;

/// The status of the user when actions were last carried out.
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

/// A status and the previous status in their stored form.
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

/// The record of one user, stored as a row.
#[derive(Serialize, Deserialize, Clone, PartialEq, Eq, Debug, Default)]
pub struct ActionRecord {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    new: Option<RecordedStatus>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    old: Option<RecordedStatus>,
    /// The combined status and its previous one, if a block depends on them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    combined: Option<RecordedChange>,
    /// The blocks that act on this server alone; see [`super::place`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) here: Vec<Box<str>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) set: Vec<Assigned>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) queues: Vec<QueueRecord>,
    #[serde(skip)]
    kept: KeptActions,
}

/// What another version has put into a record: this one does nothing with it, and keeps it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
struct KeptActions {
    fields: Map<String, Value>,
    /// Elements of `set` and of `queues` that cannot be read.
    set: Vec<Value>,
    queues: Vec<Value>,
}

/// One action in force, for the console.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct InForce {
    /// The target, such as `DB(DND/200)` or `queue 600, PJSIP/200`.
    pub target: String,
    /// The queue and the member's interface; `None` for an assignment.
    pub queue: Option<(String, String)>,
    /// The value that was written, or the name of the queue action.
    pub wrote: String,
    /// The value or the member before the action.
    pub found: String,
}

impl ActionRecord {
    /// Parses a row; `None` if it cannot be read at all.
    pub fn parse(text: &str) -> Option<Self> {
        let mut fields: Map<String, Value> = serde_json::from_str(text).ok()?;
        let mut kept = KeptActions {
            set: take_unreadable::<Assigned>(&mut fields, "set"),
            queues: take_unreadable::<QueueRecord>(&mut fields, "queues"),
            ..KeptActions::default()
        };
        let read = |fields: &Map<String, Value>| {
            let fields = Value::Object(fields.clone());
            serde_json::from_value::<ActionRecord>(fields).ok()
        };
        let record = read(&fields).or_else(|| {
            // Without the statuses the actions can be undone all the same.
            fields.retain(|name, _| !["new", "old", "combined"].contains(&&**name));
            read(&fields)
        });
        const KNOWN: [&str; 6] = ["new", "old", "combined", "here", "set", "queues"];
        fields.retain(|name, _| !KNOWN.contains(&&**name));
        kept.fields = fields;
        record.map(|record| ActionRecord { kept, ..record })
    }

    /// The row to be stored; `None` if there is nothing to store.
    pub fn text(&self) -> Option<String> {
        let has_kept = self.kept != KeptActions::default();
        if !has_kept {
            // Plain structs of strings always serialise.
            return (!self.is_empty()).then(|| serde_json::to_string(self).unwrap_or_default());
        }
        let mut row = match serde_json::to_value(self) {
            Ok(Value::Object(row)) => row,
            _ => Map::new(),
        };
        for (name, kept) in [("set", &self.kept.set), ("queues", &self.kept.queues)] {
            if !kept.is_empty() {
                let list = row
                    .entry(name)
                    .or_insert_with(|| Vec::<Value>::new().into());
                list.as_array_mut()
                    .into_iter()
                    .for_each(|list| list.extend(kept.iter().cloned()));
            }
        }
        row.extend(self.kept.fields.clone());
        Some(Value::Object(row).to_string())
    }

    /// How many actions of another version are kept that cannot be undone.
    pub fn unreadable(&self) -> usize {
        self.kept.set.len() + self.kept.queues.len()
    }

    /// Forgets everything but what another version has put there.
    fn clear(&mut self) {
        *self = ActionRecord {
            kept: std::mem::take(&mut self.kept),
            ..ActionRecord::default()
        };
    }

    /// Whether no action is in force.
    pub fn is_empty(&self) -> bool {
        self.set.is_empty() && self.queues.is_empty()
    }

    /// The status in which actions were last carried out.
    pub(super) fn recorded(&self, when: StatusKind) -> Option<StatusValue> {
        let recorded = match when {
            StatusKind::Chosen => self.new.as_ref(),
            StatusKind::Combined => self.combined.as_ref().map(|change| &change.new),
        };
        recorded.map(RecordedStatus::status)
    }

    /// Whether two records have the same stored form: `seen` is not stored.
    pub fn same_row(&self, other: &Self) -> bool {
        let plain = |record: &ActionRecord| {
            let mut plain = record.clone();
            plain.set.iter_mut().for_each(|done| done.seen = false);
            plain
        };
        plain(self) == plain(other)
    }

    /// Removes the actions that the person's configuration does not name from a record of an
    /// earlier run, and returns their targets. Other programs can write rows in AstDB, and a
    /// forged row must not call functions that the administrator has not named.
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
                }) || person.is_some_and(|person| person.may_have_done(did.action(), &done.queue))
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
        for recorded in self.new.iter_mut().chain(&mut self.old).chain(combined) {
            // A target may contain the name of the status type.
            if statuses.find(&recorded.kind).is_none() {
                recorded.kind.clear();
            }
        }
        if self.is_empty() {
            self.clear();
        }
        left
    }

    /// The actions in force, in readable form.
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
            .describe(),
        });
        let queues = self.queues.iter().filter_map(|done| {
            let did = done.did.last()?;
            Some(InForce {
                target: format!("queue {}, {}", done.queue, done.member),
                queue: Some((done.queue.clone(), done.member.clone())),
                wrote: did.action().name().to_owned(),
                found: match did {
                    Applied::Login(_) => describe_member(None),
                    Applied::Logout(member) => describe_member(Some(member)),
                    Applied::Pause => "not paused".to_owned(),
                },
            })
        });
        set.chain(queues).collect()
    }
}

/// Takes the elements of a list that are no `T` out of it, and returns them.
fn take_unreadable<T: DeserializeOwned>(fields: &mut Map<String, Value>, list: &str) -> Vec<Value> {
    let Some(Value::Array(items)) = fields.get_mut(list) else {
        return Vec::new();
    };
    let is_readable = |item: &Value| serde_json::from_value::<T>(item.clone()).is_ok();
    let (good, bad) = std::mem::take(items).into_iter().partition(is_readable);
    *items = good;
    bad
}

/// The state of a queue's member in words, such as `member, paused (Lunch)`.
pub fn describe_member(member: Option<&Member>) -> String {
    match member {
        None => "(no member)".to_owned(),
        Some(member) if member.paused => format!("member, paused ({})", member.reason),
        Some(_) => "member".to_owned(),
    }
}

#[cfg(test)]
impl ActionRecord {
    /// The previous status of a person without a change.
    pub(super) fn old_of(&self, person: &Person) -> StatusValue {
        with_old(self, person).chosen.old.unwrap_or_default()
    }

    /// The value before the action on a target; `None` if `now` is not the action's value.
    pub(super) fn found(&self, target: &str, now: &TargetValue) -> Option<Option<String>> {
        let done = self.set.iter().find(|done| done.target == target)?;
        done.has_written(now).then(|| done.found.clone())
    }

    /// The member before the action in a queue; `None` if `now` is not the action's result.
    pub(super) fn found_in_queue(
        &self,
        queue: &str,
        now: Option<&super::Member>,
    ) -> Option<Option<super::Member>> {
        let done = self.queues.iter().find(|done| done.queue == queue)?;
        done.did.iter().find_map(|did| did.before(now))
    }
}

/// Undoes the recorded actions of a user that are no longer wanted, and carries out those that
/// are wanted now. `person` is `None` if the user was removed or has no actions: then every
/// action is undone. `fresh` is true after a load or reload: actions that a stop of Asterisk
/// has undone are then repeated.
///
/// Returns whether every action succeeded. A failed undo stays in the record.
pub fn carry_out(
    record: &mut ActionRecord,
    person: Option<&Person>,
    fresh: bool,
    backend: &mut dyn Backend,
) -> bool {
    let person = person.map(|person| with_old(record, person));
    let here = person.as_ref().map(|person| acting_here(person, record));
    let here = here.unwrap_or_default();
    let wanted = person.as_ref().map(|person| wanted(person, &here));
    let wanted = wanted.unwrap_or_default();
    let before = record.clone();
    let mut failures = 0;
    let mut backend = CountingBackend(backend, &mut failures);

    if record.is_empty() && wanted.is_empty() {
        return true;
    }
    // Saving the unchanged record tests AstDB: while AstDB cannot write, it cannot read
    // either, and every entry would look absent.
    if let Err(why) = backend.0.save(record) {
        backend.failed("all actions", &why);
        return false;
    }
    let writes = plan_writes(record, &wanted, fresh, &mut backend);
    let steps = plan_steps(record, person.as_ref(), &wanted, fresh, &mut backend);
    let recorded = person.as_ref().filter(|_| !record.is_empty());
    record.new = recorded.map(|person| RecordedStatus::new(&person.chosen.new));
    let old = recorded.and_then(|person| person.chosen.old.as_ref());
    record.old = old.map(RecordedStatus::new);
    let combined = recorded.filter(|person| {
        let mut blocks = person.blocks.iter();
        blocks.any(|block| block.when == StatusKind::Combined)
    });
    record.combined = combined.map(|person| RecordedChange::new(&person.combined));
    let here = here.iter().filter(|_| recorded.is_some());
    record.here = here.map(|name| (**name).into()).collect();
    if writes.is_empty() && steps.is_empty() {
        if *record != before && backend.0.save(record).is_err() {
            *record = before;
        }
        return failures == 0;
    }
    if let Err(why) = backend.0.save(record) {
        *record = before;
        backend.failed("all actions", &why);
        return false;
    }
    write_targets(record, &writes, &mut backend);
    do_steps(record, steps, &mut backend);
    if record.is_empty() {
        record.clear();
    }
    // If this fails, the next load finds too many actions recorded and checks their targets.
    let _ = backend.0.save(record);
    failures == 0
}

/// A backend that also counts failures.
pub(super) struct CountingBackend<'a>(pub &'a mut dyn Backend, &'a mut usize);

impl CountingBackend<'_> {
    pub fn failed(&mut self, action: &str, why: &str) {
        *self.1 += 1;
        self.0.failed(action, why);
    }
}

/// The person with the previous status: without a change, the one in the record.
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
