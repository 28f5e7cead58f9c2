//! Assignments: what is ours, and what is to be written.

use serde::{Deserialize, Serialize};

use super::Wanted;
use super::backend::TargetValue;
use super::record::{ActionRecord, CountingBackend};
use super::target::TargetKind;

/// One assignment that is ours.
#[derive(Serialize, Deserialize, Clone, PartialEq, Eq, Debug)]
pub(super) struct Assigned {
    pub target: String,
    /// What was there before; absent for nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub found: Option<String>,
    /// What was there before cannot be known.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unreadable: bool,
    pub wrote: String,
    /// How it reads, where that is not what was written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reads: Option<String>,
    /// What is about to be written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// Whether this run has seen itself what was there before: what a row says of it may
    /// have been written by anybody who can write AstDB.
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

    /// Whether what is there is what we wrote.
    pub fn is_ours(&self, now: &TargetValue) -> bool {
        let ours = [Some(&self.wrote), self.reads.as_ref(), self.next.as_ref()];
        let now = now.text();
        ours.into_iter().flatten().any(|ours| now == Some(ours))
    }

    fn found_text(&self) -> &str {
        self.found.as_deref().unwrap_or_default()
    }
}

/// One thing to do with a target.
pub(super) enum TargetWrite {
    /// It is not wanted any more: what was there before comes back.
    Undo(usize),
    /// Its `next` is written.
    Do(usize),
}

/// Reads what is there and notes what is about to be done.
pub(super) fn look_at_targets(
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
        // What cannot be read now may be so later: it is tried again.
        let ours = match backend.0.read(&done.target) {
            Ok(now) => !done.unreadable && done.is_ours(&now),
            Err(why) => {
                backend.failed(&format!("undo of {}", done.target), &why);
                return true;
            }
        };
        if ours {
            undone.push(done.target.clone());
        }
        ours
    });
    let place = |record: &ActionRecord, target: &str| {
        let mut set = record.set.iter();
        set.position(|done| done.target == target)
    };
    // In the opposite order of how they were done.
    let undone = undone.iter().rev();
    let mut writes: Vec<TargetWrite> = undone
        .filter_map(|target| place(record, target))
        .map(TargetWrite::Undo)
        .collect();
    for (target, value) in &wanted.set {
        let known = place(record, target);
        let settled = |at: usize| {
            let done: &Assigned = &record.set[at];
            done.next.is_none() && done.wrote == *value
        };
        // A value that both want is left alone.
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
            // What is so already is not ours.
            if now.text() != Some(value) {
                record.set.push(Assigned::new(target, value, &now));
                writes.push(TargetWrite::Do(record.set.len() - 1));
            }
            continue;
        };
        let settled = settled(at);
        let done = &mut record.set[at];
        if done.is_ours(&now) {
            if now.text() == Some(value) || (settled && !done.unreadable) {
                (done.wrote, done.next) = (value.clone(), None);
                continue;
            }
        } else if settled {
            // A stop of Asterisk may bring back what was there before, where AstDB does
            // not keep it; anything else is a hand's.
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
                    false => backend.0.put_back(&done.target, done.found.as_deref()),
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
                        // It may have become what it was before we came.
                        if !done.unreadable && done.wrote == done.found_text() {
                            gone.push(at);
                        }
                    }
                    Err(why) => {
                        backend.failed(&format!("{}={value}", done.target), &why);
                        // New or not: what is there tells whether anything is ours.
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
