//! Assignments: those in force, and those to carry out.

use serde::{Deserialize, Serialize};

use super::Wanted;
use super::backend::TargetValue;
use super::record::{ActionRecord, CountingBackend};
use super::target::TargetKind;

/// One assignment in force.
#[derive(Serialize, Deserialize, Clone, PartialEq, Eq, Debug)]
pub(super) struct Assigned {
    pub target: String,
    /// The value before the assignment; `None` if the target was absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub found: Option<String>,
    /// Whether the value before the assignment could not be read.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unreadable: bool,
    /// The written value.
    pub wrote: String,
    /// The value that reading returns after the write, if it differs from the written one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reads: Option<String>,
    /// The value that is about to be written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// Whether this run has read the previous value itself. The value in a record from AstDB
    /// may be forged by another program.
    #[serde(skip)]
    pub seen: bool,
}

impl Assigned {
    fn new(target: &str, value: &str, found: &TargetValue) -> Self {
        let mut new = Assigned {
            target: target.to_owned(),
            found: None,
            unreadable: false,
            wrote: value.to_owned(),
            reads: None,
            next: Some(value.to_owned()),
            seen: true,
        };
        new.set_found(found);
        new
    }

    fn set_found(&mut self, found: &TargetValue) {
        self.found = match found {
            TargetValue::Text(text) => Some(text.clone()),
            TargetValue::Absent | TargetValue::Unreadable => None,
        };
        self.unreadable = *found == TargetValue::Unreadable;
        self.seen = true;
    }

    /// Whether this assignment wrote the present value of the target.
    pub fn has_written(&self, now: &TargetValue) -> bool {
        let values = [Some(&self.wrote), self.reads.as_ref(), self.next.as_ref()];
        let now = now.text();
        values.into_iter().flatten().any(|value| now == Some(value))
    }

    fn found_text(&self) -> &str {
        self.found.as_deref().unwrap_or_default()
    }
}

/// One write to a target, with the index of its assignment in the record.
pub(super) enum TargetWrite {
    /// The assignment is no longer wanted: the previous value is restored.
    Undo(usize),
    /// The `next` value is written.
    Do(usize),
}

/// Reads the targets, plans the writes and records them.
pub(super) fn plan_writes(
    record: &mut ActionRecord,
    wanted: &Wanted,
    fresh: bool,
    backend: &mut CountingBackend<'_>,
) -> Vec<TargetWrite> {
    let is_wanted = |target: &str| wanted.set.iter().any(|(known, _)| known == target);
    let mut undone = Vec::new();
    record.set.retain(|done| {
        if is_wanted(&done.target) {
            return true;
        }
        // A target that cannot be read now may be readable later: its undo is tried again.
        let can_undo = match backend.0.read(&done.target) {
            Ok(now) => !done.unreadable && done.has_written(&now),
            Err(why) => {
                backend.failed(&format!("undo of {}", done.target), &why);
                return true;
            }
        };
        if can_undo {
            undone.push(done.target.clone());
        }
        can_undo
    });
    let position = |record: &ActionRecord, target: &str| {
        let mut set = record.set.iter();
        set.position(|done| done.target == target)
    };
    // Assignments are undone in reverse order.
    let undone = undone.iter().rev();
    let mut writes: Vec<TargetWrite> = undone
        .filter_map(|target| position(record, target))
        .map(TargetWrite::Undo)
        .collect();
    for (target, value) in &wanted.set {
        let known = position(record, target);
        let settled = |at: usize| {
            let done: &Assigned = &record.set[at];
            done.next.is_none() && done.wrote == *value
        };
        // A value that the previous and the present status want is not written again.
        if known.is_some_and(|at| settled(at) && !fresh) {
            continue;
        }
        let now = match backend.0.read(target) {
            Ok(now) => now,
            Err(why) => {
                backend.failed(&format!("{target}={value}"), &why);
                continue;
            }
        };
        let Some(at) = known else {
            // A target that already has the value needs no assignment and no undo.
            if now.text() != Some(value) {
                record.set.push(Assigned::new(target, value, &now));
                writes.push(TargetWrite::Do(record.set.len() - 1));
            }
            continue;
        };
        let settled = settled(at);
        let done = &mut record.set[at];
        if done.has_written(&now) {
            if now.text() == Some(value) || (settled && !done.unreadable) {
                (done.wrote, done.next) = (value.clone(), None);
                continue;
            }
        } else if settled {
            // A stop of Asterisk may restore the previous value of a target outside AstDB. Any
            // other value was written by something else and stays.
            let lost =
                TargetKind::of(target).entry().is_none() && now.text() == Some(done.found_text());
            if done.unreadable || !lost {
                continue;
            }
        } else {
            done.set_found(&now);
        }
        done.next = Some(value.clone());
        writes.push(TargetWrite::Do(at));
    }
    writes
}

/// Carries out planned writes and updates the record.
pub(super) fn write_targets(
    record: &mut ActionRecord,
    writes: &[TargetWrite],
    backend: &mut CountingBackend<'_>,
) {
    let mut gone = Vec::new();
    for write in writes {
        match *write {
            TargetWrite::Undo(at) => {
                let done = &record.set[at];
                let undone = match done.seen {
                    true => backend.0.write(&done.target, done.found.as_deref()),
                    false => backend.0.restore(&done.target, done.found.as_deref()),
                };
                match undone {
                    Ok(()) => gone.push(at),
                    Err(why) => backend.failed(&format!("undo of {}", done.target), &why),
                }
            }
            TargetWrite::Do(at) => {
                let done = &mut record.set[at];
                let value = done.next.take().unwrap_or_default();
                match backend.0.write(&done.target, Some(&value)) {
                    Ok(()) => {
                        let reads = backend.0.read(&done.target).ok();
                        let reads = reads.and_then(|now| now.text().map(str::to_owned));
                        done.reads = reads.filter(|reads| *reads != value);
                        done.wrote = value;
                        // The target may have its original value again.
                        if !done.unreadable && done.wrote == done.found_text() {
                            gone.push(at);
                        }
                    }
                    Err(why) => {
                        backend.failed(&format!("{}={value}", done.target), &why);
                        // The target does not have the value, so there is nothing to undo.
                        if done.wrote == value {
                            gone.push(at);
                        }
                    }
                }
            }
        }
    }
    let mut at = 0..;
    record
        .set
        .retain(|_| !at.next().is_some_and(|at| gone.contains(&at)));
}
