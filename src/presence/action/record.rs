//! What was done for a user and what was there before: kept in AstDB, so that a
//! later run can undo it.
//!
//! It is kept before anything is done, with what is about to be done: whatever comes
//! between, the next load finds in it what may be ours. An undo is noted after it was
//! done; done twice it does no harm, because it looks first whose the value is.

use serde::{Deserialize, Serialize};

use super::outside::{Found, Hands};
use super::place::Place;
use super::queue::{self, Did, Step};
use super::{Person, QueueAction, Status, Wanted, wanted};
use crate::presence::row::Kept;
use crate::presence::time::Time;

/// One assignment that is ours.
#[derive(Serialize, Deserialize, Clone, PartialEq, Eq, Debug)]
struct Assigned {
    target: String,
    /// What was there before; absent for nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    found: Option<String>,
    /// What was there before cannot be known.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    unreadable: bool,
    wrote: String,
    /// How it reads, where that is not what was written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reads: Option<String>,
    /// What is about to be written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

impl Assigned {
    fn new(target: &str, value: &str, found: &Found) -> Self {
        let mut new = Assigned {
            target: target.to_owned(),
            found: None,
            unreadable: false,
            wrote: value.to_owned(),
            reads: None,
            next: Some(value.to_owned()),
        };
        new.set_found(found);
        new
    }

    fn set_found(&mut self, found: &Found) {
        self.found = match found {
            Found::Text(text) => Some(text.clone()),
            Found::Absent | Found::Unreadable => None,
        };
        self.unreadable = *found == Found::Unreadable;
    }

    /// Whether what is there is what we wrote.
    fn is_ours(&self, now: &Found) -> bool {
        let ours = [Some(&self.wrote), self.reads.as_ref(), self.next.as_ref()];
        let now = now.text();
        ours.into_iter().flatten().any(|ours| now == Some(ours))
    }

    fn found_text(&self) -> &str {
        self.found.as_deref().unwrap_or_default()
    }
}

/// What is ours in one queue.
#[derive(Serialize, Deserialize, Clone, PartialEq, Eq, Debug)]
struct InQueue {
    queue: String,
    member: String,
    /// One thing; two while a step from one to the other is on its way.
    did: Vec<Did>,
}

/// The status that the actions were last carried out for.
#[derive(Serialize, Deserialize, Clone, PartialEq, Eq, Debug)]
struct Told {
    #[serde(flatten)]
    kept: Kept,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    kind: String,
}

impl Told {
    fn new(status: &Status) -> Self {
        Told {
            kept: Kept::new(&status.presence, Time::NEVER, Time::NEVER),
            kind: status.kind.to_string(),
        }
    }

    fn status(&self) -> Status {
        Status {
            presence: self.kept.restore().0,
            kind: self.kind.as_str().into(),
        }
    }
}

/// The row of a user.
#[derive(Serialize, Deserialize, Clone, PartialEq, Eq, Debug, Default)]
pub struct Record {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    new: Option<Told>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    old: Option<Told>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    set: Vec<Assigned>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    queues: Vec<InQueue>,
}

/// One thing that is in force.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct InForce {
    /// `DB(DND/200)`, `queue 600`.
    pub target: String,
    /// What was written or done.
    pub wrote: String,
    /// What was there before.
    pub found: String,
}

impl Record {
    /// Whether nothing is ours.
    pub fn is_empty(&self) -> bool {
        self.set.is_empty() && self.queues.is_empty()
    }

    /// What is in force, for people.
    pub fn in_force(&self) -> Vec<InForce> {
        let set = self.set.iter().map(|done| InForce {
            target: done.target.clone(),
            wrote: done.wrote.clone(),
            found: match (&done.found, done.unreadable) {
                (_, true) => "(cannot be read)".to_owned(),
                (None, _) => "(nothing)".to_owned(),
                (Some(text), _) => text.clone(),
            },
        });
        let queues = self.queues.iter().filter_map(|done| {
            let did = done.did.last()?;
            Some(InForce {
                target: format!("queue {}, {}", done.queue, done.member),
                wrote: did.action().name().to_owned(),
                found: match did {
                    Did::Login(_) => "(no member)".to_owned(),
                    Did::Logout(member) if member.paused => {
                        format!("member, paused ({})", member.reason)
                    }
                    Did::Logout(_) => "member".to_owned(),
                    Did::Pause => "not paused".to_owned(),
                },
            })
        });
        set.chain(queues).collect()
    }
}

#[cfg(test)]
impl Record {
    /// What was there before, where what is there now cannot be told from ours.
    pub(super) fn found(&self, target: &str, now: &Found) -> Option<Option<String>> {
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

/// One thing to do with a target.
enum Write {
    /// It is not wanted any more: what was there before comes back.
    Undo(usize),
    /// Its `next` is written.
    Do(usize),
}

/// Leads from what was done for a user to what is wanted now: nothing for one who is
/// `None`, because he is no user any more. `fresh` after a load or reload: what a stop
/// of Asterisk has undone is then done again.
///
/// Returns whether all was done; what could not be undone stays in the record.
pub fn carry_out(
    record: &mut Record,
    person: Option<&Person>,
    fresh: bool,
    hands: &mut dyn Hands,
) -> bool {
    let person = person.map(|person| with_old(record, person));
    let wanted = person.as_ref().map(wanted).unwrap_or_default();
    let before = record.clone();
    let mut failures = 0;
    let mut hands = Counting(hands, &mut failures);

    if record.is_empty() && wanted.set.is_empty() && wanted.queues.is_empty() {
        return true;
    }
    // First the record as it is: while AstDB refuses what it is given, it also hides
    // what it has, and everything would look absent.
    if let Err(why) = hands.0.keep(record) {
        hands.failed("all of them", &why);
        return false;
    }
    let writes = look_at_targets(record, &wanted, fresh, &mut hands);
    let steps = look_at_queues(record, person.as_ref(), &wanted, fresh, &mut hands);
    let told = person.as_ref().filter(|_| !record.is_empty());
    record.new = told.map(|person| Told::new(&person.new));
    record.old = told.and_then(|person| person.old.as_ref()).map(Told::new);
    if writes.is_empty() && steps.is_empty() {
        if *record != before && hands.0.keep(record).is_err() {
            *record = before;
        }
        return failures == 0;
    }
    if let Err(why) = hands.0.keep(record) {
        *record = before;
        hands.failed("all of them", &why);
        return false;
    }
    write_targets(record, &writes, &mut hands);
    do_steps(record, steps, &mut hands);
    if record.is_empty() {
        *record = Record::default();
    }
    // Without it the next load finds more noted than is so, and looks.
    let _ = hands.0.keep(record);
    failures == 0
}

/// Counts failures on their way.
struct Counting<'a>(&'a mut dyn Hands, &'a mut usize);

impl Counting<'_> {
    fn failed(&mut self, action: &str, why: &str) {
        *self.1 += 1;
        self.0.failed(action, why);
    }
}

/// The person with what was before: where nothing changed, what was recorded.
fn with_old(record: &Record, person: &Person) -> Person {
    let mut person = person.clone();
    if person.old.is_none() {
        let new = record.new.as_ref().map(Told::status);
        person.old = match new {
            Some(new) if new == person.new => record.old.as_ref().map(Told::status),
            other => other,
        };
    }
    person
}

/// Reads what is there and notes what is about to be done.
fn look_at_targets(
    record: &mut Record,
    wanted: &Wanted,
    fresh: bool,
    hands: &mut Counting<'_>,
) -> Vec<Write> {
    let is_wanted = |target: &str| wanted.set.iter().any(|(known, _)| known == target);
    let mut undone = Vec::new();
    record.set.retain(|done| {
        if is_wanted(&done.target) {
            return true;
        }
        // What cannot be read now may be so later: it is tried again.
        let ours = match hands.0.read(&done.target) {
            Ok(now) => !done.unreadable && done.is_ours(&now),
            Err(why) => {
                hands.failed(&format!("undo of {}", done.target), &why);
                return true;
            }
        };
        if ours {
            undone.push(done.target.clone());
        }
        ours
    });
    let place = |record: &Record, target: &str| {
        let mut set = record.set.iter();
        set.position(|done| done.target == target)
    };
    // In the opposite order of how they were done.
    let undone = undone.iter().rev();
    let mut writes: Vec<Write> = undone
        .filter_map(|target| place(record, target))
        .map(Write::Undo)
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
        let now = match hands.0.read(target) {
            Ok(now) => now,
            Err(why) => {
                hands.failed(&format!("{target}={value}"), &why);
                continue;
            }
        };
        let Some(at) = known else {
            // What is so already is not ours.
            if now.text() != Some(value) {
                record.set.push(Assigned::new(target, value, &now));
                writes.push(Write::Do(record.set.len() - 1));
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
            let lost = Place::of(target).entry().is_none() && now.text() == Some(done.found_text());
            if done.unreadable || !lost {
                continue;
            }
        } else {
            done.set_found(&now);
        }
        done.next = Some(value.clone());
        writes.push(Write::Do(at));
    }
    writes
}

fn write_targets(record: &mut Record, writes: &[Write], hands: &mut Counting<'_>) {
    let mut gone = Vec::new();
    for write in writes {
        match *write {
            Write::Undo(at) => {
                let done = &record.set[at];
                match hands.0.write(&done.target, done.found.as_deref()) {
                    Ok(()) => gone.push(at),
                    Err(why) => hands.failed(&format!("undo of {}", done.target), &why),
                }
            }
            Write::Do(at) => {
                let done = &mut record.set[at];
                let value = done.next.take().unwrap_or_default();
                match hands.0.write(&done.target, Some(&value)) {
                    Ok(()) => {
                        let reads = hands.0.read(&done.target).ok();
                        let reads = reads.and_then(|now| now.text().map(str::to_owned));
                        done.reads = reads.filter(|reads| *reads != value);
                        done.wrote = value;
                        // It may have become what it was before we came.
                        if !done.unreadable && done.wrote == done.found_text() {
                            gone.push(at);
                        }
                    }
                    Err(why) => {
                        hands.failed(&format!("{}={value}", done.target), &why);
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

/// A step in a queue, and where in the record it is noted.
struct InStep {
    queue: String,
    member: String,
    step: Step,
    did: Option<Did>,
    /// What it is called when it fails.
    name: String,
}

fn look_at_queues(
    record: &mut Record,
    person: Option<&Person>,
    wanted: &Wanted,
    fresh: bool,
    hands: &mut Counting<'_>,
) -> Vec<InStep> {
    let own = person.and_then(|person| person.member.as_deref());
    if wanted.in_queues() && own.is_none() {
        let why = "the user has no interface for queues, expected an option 'member' or an \
                   extension";
        hands.failed("queue", why);
    }
    let mut members: Vec<String> = own
        .filter(|_| wanted.in_queues())
        .into_iter()
        .map(str::to_owned)
        .collect();
    for done in &record.queues {
        if !members.contains(&done.member) {
            members.push(done.member.clone());
        }
    }
    let mut steps = Vec::new();
    for member in members {
        let queues = match hands.0.queues(&member) {
            Ok(queues) => queues,
            Err(why) => {
                hands.failed(&format!("queues of {member}"), &why);
                continue;
            }
        };
        let is_own = own == Some(&*member);
        for name in wanted.named_queues().filter(|_| is_own) {
            let mut all = queues.iter();
            if !all.any(|queue| queue.name.eq_ignore_ascii_case(name))
                && wanted.in_queue(name, false) != QueueAction::None
            {
                let action = wanted.in_queue(name, false).name();
                hands.failed(&format!("queue {name}: {action}"), "there is no such queue");
            }
        }
        // One that is gone has nothing of ours.
        record.queues.retain(|done| {
            let mut all = queues.iter();
            done.member != member || all.any(|queue| queue.name.eq_ignore_ascii_case(&done.queue))
        });
        let user = person.map_or("", |person| &*person.user);
        for queue in queues {
            let known = record.queues.iter().position(|done| {
                done.member == member && done.queue.eq_ignore_ascii_case(&queue.name)
            });
            let did = known.map_or(&[][..], |at| &record.queues[at].did);
            let action = match is_own {
                true => wanted.in_queue(&queue.name, queue.member.is_some() || known.is_some()),
                false => QueueAction::None,
            };
            // What both want is left alone.
            if !fresh && matches!(did, [one] if one.action() == action) {
                continue;
            }
            if known.is_none() && action == QueueAction::None {
                continue;
            }
            let plan = queue::plan(user, did, queue.member.as_ref(), action);
            let name = match action {
                QueueAction::None => format!("queue {}: undo", queue.name),
                action => format!("queue {}: {}", queue.name, action.name()),
            };
            if let Some(why) = plan.refused {
                hands.failed(&name, &format!("'{member}' is {why}"));
            }
            note(record, &queue.name, &member, &plan);
            steps.extend(plan.step.map(|step| InStep {
                queue: queue.name,
                member: member.clone(),
                step,
                did: plan.did,
                name,
            }));
        }
    }
    steps
}

/// Notes what is about to be done beside what was done.
fn note(record: &mut Record, queue: &str, member: &str, plan: &queue::Plan) {
    let same = |done: &InQueue| done.member == member && done.queue.eq_ignore_ascii_case(queue);
    if plan.step.is_none() {
        record.queues.retain(|done| !same(done));
    }
    let Some(did) = &plan.did else {
        return;
    };
    match record.queues.iter_mut().find(|done| same(done)) {
        Some(done) if !done.did.contains(did) => done.did.push(did.clone()),
        Some(_) => {}
        None => record.queues.push(InQueue {
            queue: queue.to_owned(),
            member: member.to_owned(),
            did: vec![did.clone()],
        }),
    }
}

fn do_steps(record: &mut Record, steps: Vec<InStep>, hands: &mut Counting<'_>) {
    for step in steps {
        let result = hands.0.queue(&step.queue, &step.member, &step.step);
        let done = record.queues.iter_mut().find(|done| {
            done.queue.eq_ignore_ascii_case(&step.queue) && done.member == step.member
        });
        match result {
            Ok(()) => {
                if let Some(done) = done {
                    done.did = step.did.into_iter().collect();
                }
            }
            Err(why) => {
                if let (Some(done), Some(did)) = (done, &step.did) {
                    // What was ours before stays so.
                    done.did.retain(|known| known != did);
                }
                hands.failed(&step.name, &why);
            }
        }
    }
    record.queues.retain(|done| !done.did.is_empty());
}
