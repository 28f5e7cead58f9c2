//! The explanation of a plan in sentences: the target of a call and the reason.

use super::{CallOrigin, CallPlan, DEPTH, Destination, PlanItem, SetBy};
use crate::directory::{Directory, UserId};
use crate::model::text::quoted;
use crate::world::World;

/// The caller of a call that is explained.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Caller {
    origin: CallOrigin,
    /// The numbers that the call may show as its caller ID.
    numbers: Vec<String>,
    /// Sentences that give the reason for the origin.
    why: Vec<String>,
    /// The calling user; `None` for an external caller.
    user: Option<UserId>,
}

impl From<CallOrigin> for Caller {
    /// A caller with a known origin and nothing else.
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
    /// Finds the caller of the user `called` by a name: a user's name or id means the user's
    /// own phone, an extension means its phone, and any other name is an external number.
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
            let why = format!(
                "{name} is an extension of {owner}: a call from that extension is internal."
            );
            return internal(user, vec![number], why);
        }
        if let Ok(user) = directory.find(name) {
            let (id, name) = (quoted(name), &directory.get(user).name);
            let why = format!("{id} is the id of {name}: a call from {name}'s phone is internal.");
            return internal(user, extensions(directory, user), why);
        }
        let name = quoted(name);
        let mut why = vec![format!(
            "{name} is neither a user nor a user's extension: the call is external."
        )];
        let inside = &directory.get(called).rule.calls.internal_contexts;
        if !inside.is_empty() {
            let contexts = inside.join(" or ");
            why.push(format!(
                "A call from context {contexts} would still be internal."
            ));
        }
        Caller {
            why,
            numbers: vec![number],
            ..CallOrigin::External.into()
        }
    }

    /// The caller's number that the user always accepts, even while refusing all other calls.
    fn accepted_by(&self, directory: &Directory, user: UserId) -> Option<&str> {
        let always_accept = &directory.get(user).rule.calls.always_accept;
        let is_accepted = |number: &&String| always_accept.iter().any(|known| **known == ***number);
        self.numbers.iter().find(is_accepted).map(String::as_str)
    }
}

/// The names of a user's extensions.
fn extensions(directory: &Directory, user: UserId) -> Vec<String> {
    let inputs = directory.get(user).inputs.iter();
    let numbers = inputs.filter_map(|input| directory.extension(input));
    numbers.map(str::to_owned).collect()
}

/// Explains in sentences where a call to a user goes now, and why.
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
        "" => format!("{call} to {user}, whose status is {status}: no handling applies."),
        block => format!("{call} to {user}, whose status is {status}: section [{block}] applies."),
    });
    if let Some(why) = plan.refused {
        lines.push(match caller.accepted_by(world.directory(), called) {
            Some(number) => {
                format!("{user} refuses calls ({why}), but {number} is in always_accept.")
            }
            None => {
                format!("The call is refused: {why}. The rest is for callers in always_accept.")
            }
        });
    }
    let ignored = plan.ignored.iter();
    lines.extend(ignored.map(|ignored| format!("For {user}, {ignored}.")));
    let onward = |target: &Destination| onward(world, caller, called, target);
    let own = |item: PlanItem| own_setting(plan, item);
    if let Some(target) = &plan.always {
        let own = own(PlanItem::Always);
        lines.push(format!(
            "The call goes at once to {}{own}.",
            described(target)
        ));
        lines.extend(onward(target));
    } else {
        if plan.own(PlanItem::Always).is_some() {
            let own = own(PlanItem::Always);
            lines.push(format!("The call is not forwarded at once{own}."));
        }
        lines.extend(ringing(plan));
        let elsewhere = plan.elsewhere.iter();
        lines.extend(elsewhere.map(|phone| format!("{phone}.")));
        if caller.user == Some(called) {
            lines.push("The calling phone does not ring.".to_owned());
        }
        match &plan.no_answer {
            Some(target) => {
                lines.push(format!(
                    "If nobody answers, the call goes to {}{}.",
                    described(target),
                    own(PlanItem::NoAnswer)
                ));
                lines.extend(onward(target));
            }
            None => lines.push(format!(
                "If nobody answers, the call ends{}.",
                own(PlanItem::NoAnswer)
            )),
        }
        match &plan.busy {
            Some(target) => {
                lines.push(format!(
                    "If {user} is busy, the call goes to {}{}.",
                    described(target),
                    own(PlanItem::Busy)
                ));
                lines.extend(onward(target));
            }
            None => lines.push(format!(
                "If {user} is busy, the caller hears busy{}.",
                own(PlanItem::Busy)
            )),
        }
    }
    if !plan.together.is_empty() {
        let devices = plan.together.join(" and ");
        lines.push(format!(
            "A call from a queue rings all devices at once: {devices}."
        ));
    }
    lines.push(match plan.push {
        true => format!("{user} gets push messages."),
        false => format!("{user} gets no push messages."),
    });
    if !plan.note.is_empty() {
        lines.push(format!("Note: {}", plan.note));
    }
    if let Some(greeting) = &plan.greeting {
        lines.push(format!("The mailbox greets with: {greeting}."));
    }
    lines.extend(set_by(plan));
    lines.push(String::new());
    lines.join("\n")
}

/// The end of a sentence about a forward that the user has set; empty for one of the
/// administrator.
fn own_setting(plan: &CallPlan, item: PlanItem) -> String {
    let status = plan.own(item);
    status.map_or_else(String::new, |status| {
        format!(", by {}'s own setting for {status}", plan.user)
    })
}

/// Who has set the items, one line for the user and one for each section.
fn set_by(plan: &CallPlan) -> Vec<String> {
    let of = |wanted: &dyn Fn(&SetBy) -> Option<String>| {
        let items = plan.set_by.iter();
        let items =
            items.filter_map(|(item, by)| Some(format!("{}{}", item.setting(), wanted(by)?)));
        items.collect::<Vec<_>>().join(", ")
    };
    let own = of(&|by| match by {
        SetBy::Own(status) => Some(format!(" (for {status})")),
        SetBy::Section(_) => None,
    });
    let mut lines = Vec::new();
    if !own.is_empty() {
        lines.push(format!("Set by {}: {own}.", plan.user));
    }
    let mut sections: Vec<&str> = Vec::new();
    for (_, by) in &plan.set_by {
        if let SetBy::Section(section) = by
            && !sections.contains(&&**section)
        {
            sections.push(section);
        }
    }
    lines.extend(sections.into_iter().map(|section| {
        let items = of(&|by| match by {
            SetBy::Section(name) if **name == *section => Some(String::new()),
            _ => None,
        });
        format!("Set by section [{section}]: {items}.")
    }));
    lines
}

/// The devices that the call rings, one line for each stage.
fn ringing(plan: &CallPlan) -> Vec<String> {
    let mut lines = Vec::new();
    for (at, step) in plan.steps.iter().enumerate() {
        let then = if at == 0 {
            "The call rings"
        } else {
            "Then the call rings"
        };
        let devices = step.devices.join(" and ");
        lines.push(format!("{then} {devices} for {} seconds.", step.timeout));
    }
    if plan.steps.is_empty() {
        lines.push("Nothing rings: there is no device to ring.".to_owned());
    }
    if !plan.monitors.is_empty() {
        let devices = plan.monitors.join(" and ");
        lines.push(format!(
            "Devices of users who monitor {} ring too: {devices}.",
            plan.user
        ));
    }
    lines
}

/// A target, such as `210@default, an extension of bob`.
fn described(target: &Destination) -> String {
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

/// Follows a forward to a user's extension, through further immediate forwards up to a
/// refusal. Every such extension is assumed to call `UserPresenceDial()`.
fn onward(world: &World, caller: &Caller, called: UserId, target: &Destination) -> Vec<String> {
    let directory = world.directory();
    let mut lines = Vec::new();
    let mut path = vec![called];
    let mut target = target.clone();
    while let Destination::Extension {
        user: Some(name), ..
    } = &target
    {
        let Some(user) = directory.user(name) else {
            break;
        };
        let is_loop = path.contains(&user);
        path.push(user);
        let names = || {
            let names = path.iter().map(|user| &*directory.get(*user).name);
            names.collect::<Vec<_>>().join(" -> ")
        };
        if is_loop {
            lines.push(format!(
                "The call loops: {}. The caller hears busy.",
                names()
            ));
            break;
        }
        if path.len() > DEPTH {
            lines.push(format!(
                "The call passes more than {DEPTH} users: {}. The caller hears busy.",
                names()
            ));
            break;
        }
        let plan = CallPlan::of(world, user, caller.origin);
        let accepted = caller.accepted_by(directory, user).is_some();
        if let Some(why) = plan.refused.filter(|_| !accepted) {
            lines.push(format!("{name} refuses the forwarded call: {why}."));
            break;
        }
        let Some(next) = plan.always else {
            break;
        };
        lines.push(format!(
            "From there the call goes at once to {}.",
            described(&next)
        ));
        target = next;
    }
    lines
}
