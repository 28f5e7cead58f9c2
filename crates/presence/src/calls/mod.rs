//! Where a call to a user goes now: a plan, made of what is known and of nothing else.
//!
//! The plan does not dial. Whoever shows it and whoever carries it out read the same
//! one, so that what is shown is what happens.

mod explain;
pub mod pickup;
mod show;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use crate::directory::{Directory, User, UserId};
use crate::model::flags::Flag;
use crate::model::state::State;
use crate::world::World;

pub use crate::model::handling::{
    CallOrigin, Calls, Forward, ForwardVariable, ForwardWhen, Handling, HandlingBlock, MOBILE,
    Reach, is_phone,
};
pub use explain::{Caller, explain};
pub use show::{HEADS, RouteQuery, Row, table};

/// How long a stage rings where nothing is said, in seconds.
const DEFAULT_TIMEOUT: u32 = 20;

/// The most users whom a call may pass by forwards.
pub const DEPTH: usize = 8;

/// Where a call goes that is not rung.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Destination {
    /// A place of the dialplan.
    Extension {
        /// The extension.
        extension: String,
        /// Its context.
        context: String,
        /// The user whose extension it is.
        user: Option<Arc<str>>,
    },
    /// A mailbox.
    Voicemail {
        /// Such as `200@default`; empty where the user has none.
        mailbox: String,
    },
}

/// One stage of ringing: all of its devices at once.
#[derive(serde::Serialize, Clone, PartialEq, Eq, Debug)]
pub struct RingStep {
    /// As `Dial` takes them, such as `PJSIP/200`.
    pub devices: Vec<String>,
    /// For how long, in seconds.
    pub timeout: u32,
}

/// What becomes of a call to a user.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CallPlan {
    /// Who is called.
    pub user: Arc<str>,
    /// Where the call comes from.
    pub origin: CallOrigin,
    /// The section of the configuration that applies; empty for none.
    pub block: String,
    /// The user's state.
    pub state: State,
    /// The user's status type; the state's name without one.
    pub status: String,
    /// Why nobody is rung at all, such as `DoNotAcceptAnyCalls`.
    pub refused: Option<&'static str>,
    /// Where the call goes at once.
    pub always: Option<Destination>,
    /// Who is rung, one stage after the other.
    pub steps: Vec<RingStep>,
    /// Where the call goes when nobody answers.
    pub no_answer: Option<Destination>,
    /// Where it goes when the user is busy.
    pub busy: Option<Destination>,
    /// All of the user's devices, to be rung at once for a queue.
    pub together: Vec<String>,
    /// The devices of those who monitor the user and ring too.
    pub monitors: Vec<String>,
    /// Whether the present status takes push messages.
    pub push: bool,
    /// The note for whoever sees the plan.
    pub note: String,
}

impl CallPlan {
    /// Where a call to the user goes now.
    pub fn of(world: &World, user: UserId, origin: CallOrigin) -> CallPlan {
        let state = world.outcome(user).presence.state();
        let status = world
            .combined_status(user)
            .map_or(state.name(), |status| &status.name);
        CallPlan::in_status(world, user, origin, state, status)
    }

    /// Where it would go in that state, and in the status type of that name.
    pub fn in_status(
        world: &World,
        user: UserId,
        origin: CallOrigin,
        state: State,
        status: &str,
    ) -> CallPlan {
        let who = Callee::new(world, user, state, status);
        let handling = who.rule.handling.as_deref();
        let default = handling.and_then(|handling| handling.default.as_ref());
        let special = handling.and_then(|handling| handling.block(state, status));
        let blocks = Blocks { special, default };
        let forward =
            |when| blocks.get(|block| block.forwards[HandlingBlock::slot(origin, when)].as_ref());
        let target = |when| forward(when).and_then(|goal| who.target(goal));
        let mobile = blocks.get(|block| block.ring_mobile).unwrap_or(false);
        // In dnd the mobile is left in peace, whatever the block says.
        let mobile = who.mobile().filter(|_| mobile && state != State::Dnd);
        let refused = match world.dnd_status(user).takes_calls() {
            true => None,
            false => Some(world.dnd_status(user).name()),
        };
        let mut together = who.all();
        add(&mut together, mobile.clone());
        let monitors = monitors(world, user, &together);
        CallPlan {
            user: who.user.name.clone(),
            origin,
            block: special
                .or(default)
                .map_or_else(String::new, |block| block.name.to_string()),
            state,
            status: status.to_owned(),
            refused,
            always: target(ForwardWhen::Always),
            steps: steps(&who, &blocks, mobile),
            no_answer: target(ForwardWhen::NoAnswer),
            busy: target(ForwardWhen::Busy),
            together,
            monitors,
            push: blocks.get(|block| block.push).unwrap_or(true),
            note: blocks
                .get(|block| block.note.as_deref())
                .unwrap_or_default()
                .to_owned(),
        }
    }
}

/// A status' block, laid over the default block.
struct Blocks<'a> {
    special: Option<&'a HandlingBlock>,
    default: Option<&'a HandlingBlock>,
}

impl<'a> Blocks<'a> {
    fn get<T>(&self, get: impl Fn(&'a HandlingBlock) -> Option<T>) -> Option<T> {
        let of = |block: Option<&'a HandlingBlock>| block.and_then(&get);
        of(self.special).or_else(|| of(self.default))
    }
}

/// The user in a status, and how the user is reached.
struct Callee<'a> {
    directory: &'a Directory,
    id: UserId,
    user: &'a User,
    rule: &'a Calls,
    state: State,
    status: &'a str,
}

impl<'a> Callee<'a> {
    fn new(world: &'a World, id: UserId, state: State, status: &'a str) -> Self {
        let directory = world.directory();
        let user = directory.get(id);
        Callee {
            directory,
            id,
            user,
            rule: &user.rule.calls,
            state,
            status,
        }
    }

    fn endpoints(&self) -> &'a [(Box<str>, Box<str>)] {
        let reach = self.user.reach.as_deref();
        reach.map_or(&[], |reach| &reach.endpoints)
    }

    /// The mobile as `Dial` takes it.
    fn mobile(&self) -> Option<String> {
        let reach = self.user.reach.as_deref()?;
        let (prefix, context) = (&self.rule.mobile_prefix, &self.rule.forward_context);
        let number = Some(&reach.mobile).filter(|number| !number.is_empty())?;
        Some(format!("Local/{prefix}{number}@{context}/n"))
    }

    /// All endpoints; without any, the extensions' devices.
    fn all(&self) -> Vec<String> {
        devices(self.directory, self.user)
    }

    /// The devices of these endpoints, those that the user does not have left out.
    fn named(&self, names: &[Box<str>]) -> Vec<String> {
        let mut found = Vec::with_capacity(names.len());
        for name in names {
            let mut endpoints = self.endpoints().iter();
            let device = endpoints.find(|(known, _)| known.eq_ignore_ascii_case(name));
            let device = device.map(|(_, device)| device.to_string());
            let is_mobile = name.eq_ignore_ascii_case(MOBILE) && self.state != State::Dnd;
            let mobile = || is_mobile.then(|| self.mobile()).flatten();
            add(&mut found, device.or_else(mobile));
        }
        found
    }

    fn target(&self, goal: &Forward) -> Option<Destination> {
        match goal {
            Forward::None => None,
            Forward::OwnVoicemail => {
                let reach = self.user.reach.as_deref();
                let mailbox = reach.map_or_else(String::new, |reach| reach.mailbox.to_string());
                Some(Destination::Voicemail { mailbox })
            }
            Forward::Voicemail(mailbox) => Some(Destination::Voicemail {
                mailbox: mailbox.to_string(),
            }),
            Forward::Number(number) => {
                Some(self.location(number.to_string(), self.rule.forward_context.to_string()))
            }
            Forward::Extension(extension, context) => {
                Some(self.location(self.filled(extension), self.filled(context)))
            }
        }
    }

    fn location(&self, extension: String, context: String) -> Destination {
        let user = self.directory.owner_of_extension(&extension, self.id);
        let user = user.map(|user| self.directory.get(user).name.clone());
        Destination::Extension {
            extension,
            context,
            user,
        }
    }

    /// The text with the values of its variables.
    fn filled(&self, text: &str) -> String {
        ForwardVariable::replace(text, |variable| match variable {
            ForwardVariable::Status => self.status,
            ForwardVariable::State => self.state.name(),
            ForwardVariable::User => &self.user.name,
            ForwardVariable::Extension => self.default_extension(),
        })
    }

    /// The name of the default extension; empty without one.
    fn default_extension(&self) -> &str {
        let default = self.user.default;
        let default = default.map(|at| &self.user.inputs[usize::from(at)]);
        let extension = default.and_then(|input| self.directory.extension(input));
        extension.unwrap_or_default()
    }
}

/// A user's endpoints; without any, the extensions' devices that can be called.
fn devices(directory: &Directory, user: &User) -> Vec<String> {
    let reach = user.reach.as_deref();
    let endpoints = reach.map_or(&[][..], |reach| &reach.endpoints);
    let mut found = Vec::with_capacity(endpoints.len().max(user.inputs.len()));
    for (_, device) in endpoints {
        add(&mut found, Some(device.to_string()));
    }
    if !endpoints.is_empty() {
        return found;
    }
    let extensions = user.inputs.iter().filter(|input| input.is_extension());
    for device in extensions.filter_map(|input| input.device()) {
        let name = directory.device_name(device);
        add(&mut found, is_phone(name).then(|| name.to_owned()));
    }
    found
}

/// Puts it at the end where it is new.
fn add(list: &mut Vec<String>, item: Option<String>) {
    if let Some(item) = item.filter(|item| !list.contains(item)) {
        list.push(item);
    }
}

/// The stages. A block that rings nobody leaves none; one that names only endpoints
/// which the user does not have rings all, so that a slip makes nobody unreachable.
fn steps(who: &Callee<'_>, blocks: &Blocks<'_>, mobile: Option<String>) -> Vec<RingStep> {
    let first = blocks.get(|block| block.ring_first.as_deref());
    let second = blocks.get(|block| block.ring_second.as_deref());
    let timeout = blocks.get(|block| block.ring_timeout);
    let timeout = timeout.unwrap_or(DEFAULT_TIMEOUT);
    let named = |names: Option<&[Box<str>]>| match names {
        // Without endpoints there is nothing that a name could mean.
        Some([_, ..]) if who.endpoints().is_empty() => None,
        Some(names) => Some(who.named(names)),
        None => None,
    };
    let is_named = |names: Option<&[Box<str>]>| names.is_some_and(|names| !names.is_empty());
    let mut stages = match (named(first), named(second)) {
        (None, Some(second)) => vec![who.all(), second],
        (Some(first), second) => vec![first, second.unwrap_or_default()],
        (None, None) => vec![who.all()],
    };
    stages.retain(|stage| !stage.is_empty());
    if stages.is_empty() && (is_named(first) || is_named(second)) {
        stages.push(who.all());
    }
    if stages.is_empty() && mobile.is_some() {
        stages.push(Vec::new());
    }
    let step = |mut devices: Vec<String>| {
        add(&mut devices, mobile.clone());
        RingStep { devices, timeout }
    };
    let steps = stages.into_iter().map(step);
    steps.filter(|step| !step.devices.is_empty()).collect()
}

/// The devices of those who monitor the user and want to ring too. One who takes no calls,
/// or is in dnd, is left in peace.
fn monitors(world: &World, user: UserId, own: &[String]) -> Vec<String> {
    let directory = world.directory();
    let mut found = Vec::new();
    for &other in directory.monitors(user) {
        let rings = world.flags(other).get(Flag::RingOnMonitoredCall)
            && world.dnd_status(other).takes_calls()
            && world.outcome(other).presence.state() != State::Dnd;
        if rings {
            for device in devices(directory, directory.get(other)) {
                add(
                    &mut found,
                    Some(device).filter(|device| !own.contains(device)),
                );
            }
        }
    }
    found
}
