//! Where a call goes now, and why, in sentences.

use super::{CallOrigin, CallPlan, DEPTH, Destination};
use crate::directory::{Directory, UserId};
use crate::model::text::quoted;
use crate::world::World;

/// Who calls.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Caller {
    origin: CallOrigin,
    /// The numbers that the call may show.
    numbers: Vec<String>,
    /// Why the call is of that origin.
    why: Vec<String>,
    /// The user who calls.
    user: Option<UserId>,
}

impl From<CallOrigin> for Caller {
    /// Somebody of whom nothing else is known.
    fn from(origin: CallOrigin) -> Self {
        Caller {
            origin,
            numbers: Vec::new(),
            why: Vec::new(),
            user: None,
        }
    }
}

impl Caller {
    /// Who calls `called`: a user by name, from the user's own phone; the phone of an
    /// extension; or else a number outside.
    pub fn find(world: &World, called: UserId, name: &str) -> Self {
        let directory = world.directory();
        let internal = |user: UserId, numbers: Vec<String>, why: String| Caller {
            origin: CallOrigin::Internal,
            numbers,
            why: vec![why],
            user: Some(user),
        };
        if let Some(user) = directory.user(name) {
            let name = &directory.get(user).name;
            let why = format!("{name} is a user: a call from {name}'s phone is internal.");
            return internal(user, extensions(directory, user), why);
        }
        let number = name.to_owned();
        if let Some(user) = directory.owner_of_extension(name, called) {
            let owner = &directory.get(user).name;
            let why = format!("{name} is an extension of {owner}: a call from there is internal.");
            return internal(user, vec![number], why);
        }
        if let Ok(user) = directory.find(name) {
            let (id, name) = (quoted(name), &directory.get(user).name);
            let why = format!("{id} is the id of {name}: a call from {name}'s phone is internal.");
            return internal(user, extensions(directory, user), why);
        }
        let name = quoted(name);
        let mut why = vec![format!(
            "{name} is neither a user nor an extension of one: the call is external."
        )];
        let inside = &directory.get(called).rule.calls.internal_contexts;
        if !inside.is_empty() {
            let contexts = inside.join(" or ");
            why.push(format!(
                "From context {contexts} it would be internal all the same."
            ));
        }
        Caller {
            why,
            numbers: vec![number],
            ..CallOrigin::External.into()
        }
    }

    /// The number by which the caller gets through to one who takes no calls.
    fn accepted_by(&self, directory: &Directory, user: UserId) -> Option<&str> {
        let always_accept = &directory.get(user).rule.calls.always_accept;
        let is_accepted = |number: &&String| always_accept.iter().any(|known| **known == ***number);
        self.numbers.iter().find(is_accepted).map(String::as_str)
    }
}

fn extensions(directory: &Directory, user: UserId) -> Vec<String> {
    let inputs = directory.get(user).inputs.iter();
    let numbers = inputs.filter_map(|input| directory.extension(input));
    numbers.map(str::to_owned).collect()
}

/// Says in sentences where a call to a user goes now, and why.
pub fn explain(world: &World, called: UserId, caller: &Caller) -> String {
    let plan = &CallPlan::of(world, called, caller.origin);
    let user = &plan.user;
    let call = match plan.origin {
        CallOrigin::Internal => "An internal call",
        CallOrigin::External => "An external call",
    };
    let status = match plan.status == plan.state.name() {
        true => plan.status.clone(),
        false => format!("{} ({})", plan.status, plan.state),
    };
    let mut lines = caller.why.clone();
    lines.push(match plan.block.as_str() {
        "" => format!("{call} to {user}, who is {status}: no handling applies."),
        block => format!("{call} to {user}, who is {status}: section [{block}] applies."),
    });
    if let Some(why) = plan.refused {
        lines.push(match caller.accepted_by(world.directory(), called) {
            Some(number) => {
                format!("{user} refuses calls ({why}), but {number} is in always_accept.")
            }
            None => {
                format!("It is refused: {why}. What follows is for callers of always_accept.")
            }
        });
    }
    let onward = |target: &Destination| onward(world, caller, called, target);
    if let Some(target) = &plan.always {
        lines.push(format!("It goes at once to {}.", whose(target)));
        lines.extend(onward(target));
    } else {
        lines.extend(ringing(plan));
        if caller.user == Some(called) {
            lines.push("The phone that calls does not ring.".to_owned());
        }
        match &plan.no_answer {
            Some(target) => {
                lines.push(format!(
                    "When nobody answers, it goes to {}.",
                    whose(target)
                ));
                lines.extend(onward(target));
            }
            None => lines.push("When nobody answers, it ends.".to_owned()),
        }
        match &plan.busy {
            Some(target) => {
                lines.push(format!(
                    "When {user} is busy, it goes to {}.",
                    whose(target)
                ));
                lines.extend(onward(target));
            }
            None => lines.push(format!("When {user} is busy, the caller hears that.")),
        }
    }
    if !plan.together.is_empty() {
        let devices = plan.together.join(" and ");
        lines.push(format!("From a queue, all ring together: {devices}."));
    }
    lines.push(match plan.push {
        true => format!("{user} takes push messages."),
        false => format!("{user} takes no push messages."),
    });
    if !plan.note.is_empty() {
        lines.push(format!("Note: {}", plan.note));
    }
    lines.push(String::new());
    lines.join("\n")
}

/// Who is rung, one line for each stage.
fn ringing(plan: &CallPlan) -> Vec<String> {
    let mut lines = Vec::new();
    for (at, step) in plan.steps.iter().enumerate() {
        let then = if at == 0 { "It rings" } else { "Then it rings" };
        let devices = step.devices.join(" and ");
        lines.push(format!("{then} {devices} for {} seconds.", step.timeout));
    }
    if plan.steps.is_empty() {
        lines.push("Nobody rings: there is no device to ring.".to_owned());
    }
    if !plan.monitors.is_empty() {
        let devices = plan.monitors.join(" and ");
        lines.push(format!(
            "Those who monitor {} ring too: {devices}.",
            plan.user
        ));
    }
    lines
}

/// `210@default, an extension of bob`
fn whose(target: &Destination) -> String {
    match target {
        Destination::Extension {
            user: Some(user), ..
        } => format!("{target}, an extension of {user}"),
        Destination::Voicemail { mailbox } if mailbox.is_empty() => {
            "voicemail, without a mailbox".to_owned()
        }
        _ => target.to_string(),
    }
}

/// What becomes of a forward to a user's extension, as far as that is forwarded at once
/// or refused. The extension is taken to be one that calls `UserPresenceDial()`.
fn onward(world: &World, caller: &Caller, called: UserId, target: &Destination) -> Vec<String> {
    let directory = world.directory();
    let mut lines = Vec::new();
    let mut way = vec![called];
    let mut target = target.clone();
    while let Destination::Extension {
        user: Some(name), ..
    } = &target
    {
        let Some(user) = directory.user(name) else {
            break;
        };
        let is_circle = way.contains(&user);
        way.push(user);
        let names = || {
            let names = way.iter().map(|user| &*directory.get(*user).name);
            names.collect::<Vec<_>>().join(" -> ")
        };
        if is_circle {
            lines.push(format!(
                "That is a circle, {}: the caller is told busy.",
                names()
            ));
            break;
        }
        if way.len() > DEPTH {
            lines.push(format!(
                "That is more than {DEPTH} users, {}: the caller is told busy.",
                names()
            ));
            break;
        }
        let plan = CallPlan::of(world, user, caller.origin);
        let accepted = caller.accepted_by(directory, user).is_some();
        if let Some(why) = plan.refused.filter(|_| !accepted) {
            lines.push(format!("There {name} refuses it: {why}."));
            break;
        }
        let Some(next) = plan.always else {
            break;
        };
        lines.push(format!("There it goes on at once to {}.", whose(&next)));
        target = next;
    }
    lines
}
