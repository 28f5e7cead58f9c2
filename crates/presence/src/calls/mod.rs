//! The plan of a call to a user, made from the world alone.
//!
//! A plan does not dial. The application that carries out a plan reads the same plan as the
//! interfaces that show it, so a call goes exactly where the interfaces show.

pub mod effective_settings;
pub mod elsewhere;
mod explain;
pub mod feature_keys;
pub mod follow_dnd;
pub mod key_press;
pub mod live;
mod own;
pub mod own_phone;
pub mod pickup;
mod ringing;
mod show;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use crate::directory::{Directory, User, UserId};
use crate::model::own_settings::{
    DEFAULT_STATUS, Greeting, OwnSettings, OwnStatusSettings, StatusSetting,
};
use crate::model::state::State;
use crate::model::words::words;
use crate::world::World;

pub use crate::model::handling::{
    CallOrigin, Calls, Forward, ForwardVariable, ForwardWhen, Handling, HandlingBlock, MOBILE,
    Reach, is_phone,
};
pub use effective_settings::{Allowed, allowed};
pub use elsewhere::Elsewhere;
pub use explain::{Caller, explain};
use own::CallSettings;
pub use own::{EffectiveForward, IgnoredSetting, SetBy, effective, ignored, state_of};
use ringing::{RingSettings, add, devices, monitors, steps};
pub use show::{HEADS, RouteQuery, Row, table};

/// How long a stage rings without `ring_timeout`, in seconds.
const DEFAULT_TIMEOUT: u32 = 20;

/// How many users a call may pass by forwards, the first one included.
pub const DEPTH: usize = 8;

/// A target to which a call is forwarded.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Destination {
    /// An extension in the dialplan.
    Extension {
        /// The extension.
        extension: String,
        /// The context of the extension.
        context: String,
        /// The user to whom the extension belongs; `None` for an extension of no user.
        user: Option<Arc<str>>,
    },
    /// A mailbox.
    Voicemail {
        /// The mailbox, such as `200@default`; empty if the user has none.
        mailbox: String,
    },
}

/// One stage of ringing: all devices of the stage ring at once.
#[derive(serde::Serialize, Clone, PartialEq, Eq, Debug)]
pub struct RingStep {
    /// The devices in the form that `Dial` expects, such as `PJSIP/200`.
    pub devices: Vec<String>,
    /// How long the devices ring, from 5 to 300 seconds.
    pub timeout: u32,
}

/// The plan of a call to a user.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CallPlan {
    /// The name of the called user.
    pub user: Arc<str>,
    /// Whether the call comes from inside or outside.
    pub origin: CallOrigin,
    /// The section of `type = handling` that applies; empty for none.
    pub block: String,
    /// The user's state.
    pub state: State,
    /// The user's status type; without one, the state's name.
    pub status: String,
    /// Why the call is refused, such as `DoNotAcceptAnyCalls`; `None` if it is not refused.
    pub refused: Option<&'static str>,
    /// The target to which the call goes at once, without ringing.
    pub always: Option<Destination>,
    /// The stages of ringing, one after the other.
    pub steps: Vec<RingStep>,
    /// The target if nobody answers.
    pub no_answer: Option<Destination>,
    /// The target if the user is busy.
    pub busy: Option<Destination>,
    /// Who has set each item that somebody has set, in the order of [`PlanItem::ALL`].
    pub set_by: Vec<(PlanItem, SetBy)>,
    /// The user's own settings that are not carried out.
    pub ignored: Vec<IgnoredSetting>,
    /// All devices of the user, which a call from a queue rings at once.
    pub together: Vec<String>,
    /// The devices of monitoring users whose flag has them ring too.
    pub monitors: Vec<String>,
    /// The phones that are registered at another node, and not here.
    pub elsewhere: Vec<Elsewhere>,
    /// Whether the user gets push messages in the present status.
    pub push: bool,
    /// The note for readers of the plan; empty for none.
    pub note: String,
    /// The greeting of the mailbox; `None` for the one that fits the reason of the forward.
    pub greeting: Option<Greeting>,
    /// The user's own mailbox; empty for none. Recordings belong to it.
    pub mailbox: String,
}

words! {
    /// An item of a plan that somebody may have set.
    pub enum PlanItem: "item" {
        /// The forward at once.
        Always = "always",
        /// The endpoints of the first stage.
        First = "first",
        /// The endpoints of the second stage.
        Second = "second",
        /// The seconds of each stage.
        Timeout = "timeout",
        /// Whether the mobile rings too.
        Mobile = "mobile",
        /// The forward if nobody answers.
        NoAnswer = "noanswer",
        /// The forward if the user is busy.
        Busy = "busy",
        /// Whether the user gets push messages.
        Push = "push",
        /// The note.
        Note = "note",
        /// The greeting of the mailbox.
        Greeting = "greeting",
    }
}

impl PlanItem {
    /// The name that the item has in a user's own settings.
    pub fn setting(self) -> &'static str {
        match self {
            PlanItem::First => StatusSetting::RingFirst.name(),
            PlanItem::Second => StatusSetting::RingSecond.name(),
            PlanItem::Timeout => StatusSetting::RingTimeout.name(),
            PlanItem::Mobile => StatusSetting::RingMobile.name(),
            PlanItem::NoAnswer => ForwardWhen::NoAnswer.name(),
            other => other.name(),
        }
    }
}

impl CallPlan {
    /// The plan of a call to the user now.
    pub fn of(world: &World, user: UserId, origin: CallOrigin) -> CallPlan {
        let state = world.outcome(user).presence.state();
        let status = world
            .combined_status(user)
            .map_or(state.name(), |status| &status.name);
        CallPlan::in_status(world, user, origin, state, status)
    }

    /// The plan of a call to the user in the given state and status type.
    pub fn in_status(
        world: &World,
        user: UserId,
        origin: CallOrigin,
        state: State,
        status: &str,
    ) -> CallPlan {
        let callee = Callee::new(world, user, state, status);
        let mut settings = CallSettings::of(world, &callee);
        let [always, no_answer, busy] = ForwardWhen::ALL.map(|when| settings.forward(origin, when));
        let ring = RingSettings::of(&mut settings);
        let push = settings.item(StatusSetting::Push, |own| own.push, |block| block.push);
        let note = settings.item(
            StatusSetting::Note,
            |own| own.note.as_deref(),
            |block| block.note.as_deref(),
        );
        let greeting = settings.item(
            StatusSetting::Greeting,
            |own| own.greeting.as_ref(),
            |_| None,
        );
        // The mobile never rings in dnd, whatever is set.
        let rings = ring.mobile.as_ref().is_some_and(|(on, _)| *on) && state != State::Dnd;
        let mobile = callee.mobile().filter(|_| rings);
        let refused = match world.dnd_status(user).accepts_calls() {
            true => None,
            false => Some(world.dnd_status(user).name()),
        };
        let mut together = callee.all();
        add(&mut together, mobile.clone());
        let monitors = monitors(world, user, &together);
        let steps = steps(&callee, &ring, mobile);
        let (blocks, ignored) = (settings.blocks, settings.ignored);
        let by = |of: &Option<SetBy>| of.clone();
        let set_by = [
            (PlanItem::Always, by(&always.set_by)),
            (PlanItem::First, ring.first.map(|(_, by)| by)),
            (PlanItem::Second, ring.second.map(|(_, by)| by)),
            (PlanItem::Timeout, ring.timeout.map(|(_, by)| by)),
            (PlanItem::Mobile, ring.mobile.map(|(_, by)| by)),
            (PlanItem::NoAnswer, by(&no_answer.set_by)),
            (PlanItem::Busy, by(&busy.set_by)),
            (PlanItem::Push, push.as_ref().map(|(_, by)| by.clone())),
            (PlanItem::Note, note.as_ref().map(|(_, by)| by.clone())),
            (
                PlanItem::Greeting,
                greeting.as_ref().map(|(_, by)| by.clone()),
            ),
        ];
        let set_by = set_by.into_iter();
        let mut plan = CallPlan {
            user: callee.user.name.clone(),
            origin,
            block: blocks
                .special
                .or(blocks.default)
                .map_or_else(String::new, |block| block.name.to_string()),
            state,
            status: status.to_owned(),
            refused,
            always: always.destination,
            steps,
            no_answer: no_answer.destination,
            busy: busy.destination,
            set_by: set_by.filter_map(|(item, by)| Some((item, by?))).collect(),
            ignored,
            together,
            monitors,
            push: push.is_none_or(|(push, _)| push),
            note: note.map_or_else(String::new, |(note, _)| note.to_owned()),
            greeting: greeting.map(|(greeting, _)| greeting.clone()),
            mailbox: callee.mailbox(),
            elsewhere: Vec::new(),
        };
        plan.place(world, user);
        plan
    }

    /// The status of the user's own setting that decides an item; `None` where the
    /// administrator or nobody decides.
    pub fn own(&self, item: PlanItem) -> Option<&str> {
        let mut set_by = self.set_by.iter();
        match set_by.find(|(known, _)| *known == item)? {
            (_, SetBy::Own(status)) => Some(status),
            (_, SetBy::Section(_)) => None,
        }
    }
}

/// The block of a status, which overrides the default block.
struct Blocks<'a> {
    special: Option<&'a HandlingBlock>,
    default: Option<&'a HandlingBlock>,
}

impl<'a> Blocks<'a> {
    /// The blocks of the user's handling in the status.
    fn of(callee: &Callee<'a>) -> Self {
        let handling = callee.rule.handling.as_deref();
        Blocks {
            special: handling.and_then(|handling| handling.block(callee.state, callee.status?)),
            default: handling.and_then(|handling| handling.default.as_ref()),
        }
    }

    /// An item, with the block that has it.
    fn find<T>(
        &self,
        get: impl Fn(&'a HandlingBlock) -> Option<T>,
    ) -> Option<(&'a HandlingBlock, T)> {
        let mut blocks = [self.special, self.default].into_iter().flatten();
        blocks.find_map(|block| Some((block, get(block)?)))
    }
}

/// The called user in a status, and the settings by which calls reach the user.
struct Callee<'a> {
    world: &'a World,
    directory: &'a Directory,
    id: UserId,
    user: &'a User,
    rule: &'a Calls,
    state: State,
    /// The status type; `None` for the settings that apply in every status.
    status: Option<&'a str>,
}

impl<'a> Callee<'a> {
    fn new(world: &'a World, id: UserId, state: State, status: &'a str) -> Self {
        let directory = world.directory();
        let user = directory.get(id);
        Callee {
            world,
            directory,
            id,
            user,
            rule: &user.rule.calls,
            state,
            status: Some(status),
        }
    }

    /// The user's own settings that count, the first ones first.
    fn layers(&self, own: &'a OwnSettings) -> impl Iterator<Item = &'a OwnStatusSettings> {
        let of_status = self.status.map(|status| own.layers(self.state, status));
        let of_all = match self.status {
            Some(_) => None,
            None => own.status(DEFAULT_STATUS),
        };
        of_status.into_iter().flatten().chain(of_all)
    }

    fn endpoints(&self) -> &'a [(Box<str>, Box<str>)] {
        let reach = self.user.reach.as_deref();
        reach.map_or(&[], |reach| &reach.endpoints)
    }

    /// The mobile in the form that `Dial` expects.
    fn mobile(&self) -> Option<String> {
        let (prefix, context) = (&self.rule.mobile_prefix, &self.rule.forward_context);
        let number = self.world.mobile(self.id)?;
        Some(format!("Local/{prefix}{number}@{context}/n"))
    }

    /// The user's own mailbox; empty for none.
    fn mailbox(&self) -> String {
        let reach = self.user.reach.as_deref();
        reach.map_or_else(String::new, |reach| reach.mailbox.to_string())
    }

    /// The devices of all endpoints; without endpoints, those of the extensions.
    fn all(&self) -> Vec<String> {
        devices(self.directory, self.user)
    }

    /// The devices of the endpoints with these names; a name that the user lacks is skipped.
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
            Forward::OwnVoicemail => Some(Destination::Voicemail {
                mailbox: self.mailbox(),
            }),
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

    /// The text with its variables replaced by their values.
    fn filled(&self, text: &str) -> String {
        ForwardVariable::replace(text, |variable| match variable {
            ForwardVariable::Status => self.status.unwrap_or(DEFAULT_STATUS),
            ForwardVariable::State => self.state.name(),
            ForwardVariable::User => &self.user.name,
            ForwardVariable::Extension => self.world.default_extension(self.id).unwrap_or_default(),
        })
    }
}
