//! The queues of a user: which queues need a step, and the record of the actions.

use serde::{Deserialize, Serialize};

use super::queue::{self, Applied, QueueStep};
use super::record::{ActionRecord, CountingBackend};
use super::{Person, QueueAction, Wanted};

/// The recorded actions in one queue.
#[derive(Serialize, Deserialize, Clone, PartialEq, Eq, Debug)]
pub(super) struct QueueRecord {
    pub queue: String,
    pub member: String,
    /// One action; two actions while a step from one to the other is in progress.
    pub did: Vec<Applied>,
}

/// A step in a queue that is recorded but not yet carried out.
pub(super) struct PendingStep {
    queue: String,
    member: String,
    step: QueueStep,
    did: Option<Applied>,
    /// The name of the step in the message about a failure.
    name: String,
}

/// Plans the steps in all queues of the user, and records them.
pub(super) fn plan_steps(
    record: &mut ActionRecord,
    person: Option<&Person>,
    wanted: &Wanted,
    fresh: bool,
    backend: &mut CountingBackend<'_>,
) -> Vec<PendingStep> {
    let own = person.and_then(|person| person.member.as_deref());
    if wanted.in_queues() && own.is_none() {
        let why = "the user has no interface for queues, expected an option 'member' or an \
                   extension";
        backend.failed("queue", why);
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
        let queues = match backend.0.queues(&member) {
            Ok(queues) => queues,
            Err(why) => {
                backend.failed(&format!("queues of {member}"), &why);
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
                backend.failed(&format!("queue {name}: {action}"), "there is no such queue");
            }
        }
        // A queue that no longer exists has no action in force.
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
            // An action that the previous and the present status want is not repeated.
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
                backend.failed(&name, &format!("'{member}' is {why}"));
            }
            record_plan(record, &queue.name, &member, &plan);
            steps.extend(plan.step.map(|step| PendingStep {
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

/// Records the planned action beside the actions in force.
fn record_plan(record: &mut ActionRecord, queue: &str, member: &str, plan: &queue::QueuePlan) {
    let same = |done: &QueueRecord| done.member == member && done.queue.eq_ignore_ascii_case(queue);
    if plan.step.is_none() {
        record.queues.retain(|done| !same(done));
    }
    let Some(did) = &plan.did else {
        return;
    };
    match record.queues.iter_mut().find(|done| same(done)) {
        Some(done) if !done.did.contains(did) => done.did.push(did.clone()),
        Some(_) => {}
        None => record.queues.push(QueueRecord {
            queue: queue.to_owned(),
            member: member.to_owned(),
            did: vec![did.clone()],
        }),
    }
}

/// Carries out planned steps and updates the record.
pub(super) fn do_steps(
    record: &mut ActionRecord,
    steps: Vec<PendingStep>,
    backend: &mut CountingBackend<'_>,
) {
    for step in steps {
        let result = backend.0.queue(&step.queue, &step.member, &step.step);
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
                    // The previous action stays in force.
                    done.did.retain(|known| known != did);
                }
                backend.failed(&step.name, &why);
            }
        }
    }
    record.queues.retain(|done| !done.did.is_empty());
}
