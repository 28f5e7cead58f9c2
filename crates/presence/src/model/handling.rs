//! The settings of calls: sections of `type = handling`, and the devices and numbers by
//! which a user is reached.

use crate::model::state::State;
use crate::model::words::{self, words};

words! {
    /// Where a call comes from.
    pub enum CallOrigin: "origin" {
        /// From a user of this system.
        Internal = "internal",
        /// From outside.
        External = "external",
    }
}

words! {
    /// When a forward applies.
    pub enum ForwardWhen: "kind of forward" {
        /// At once.
        Always = "always",
        /// When nobody answers.
        NoAnswer = "noAnswer",
        /// When the user is busy.
        Busy = "busy",
    }
}

/// A forward's target as configured.
#[derive(Clone, PartialEq, Eq, Debug, Hash)]
pub enum Forward {
    /// No forward, even if the default block has one.
    None,
    /// The user's own mailbox.
    OwnVoicemail,
    /// A mailbox, such as `200@default`.
    Voicemail(Box<str>),
    /// A number, dialled in [`Calls::forward_context`].
    Number(Box<str>),
    /// An extension and its context; both may contain variables.
    Extension(Box<str>, Box<str>),
}

words! {
    /// A variable in the target of a forward, such as `${STATUS}`.
    pub enum ForwardVariable: "variable", compared by words::exactly {
        /// The name of the status type.
        Status = "STATUS",
        /// The state.
        State = "STATE",
        /// The user's name.
        User = "USER",
        /// The user's default extension.
        Extension = "EXTENSION",
    }
}

impl ForwardVariable {
    /// Replaces every variable in the text by its value. Nothing else is evaluated.
    pub fn replace<'a>(text: &str, value: impl Fn(ForwardVariable) -> &'a str) -> String {
        if !text.contains("${") {
            return text.to_owned();
        }
        Self::ALL
            .into_iter()
            .fold(text.to_owned(), |text, variable| {
                text.replace(&format!("${{{variable}}}"), value(variable))
            })
    }
}

/// One section of `type = handling`.
#[derive(Clone, PartialEq, Eq, Debug, Hash, Default)]
pub struct HandlingBlock {
    /// The section's name.
    pub name: Box<str>,
    /// The states that the block applies to. A block with neither states nor types is the
    /// default block.
    pub states: Vec<State>,
    /// The status types that the block applies to, by name.
    pub types: Vec<Box<str>>,
    /// The forwards: internal before external, in the order of [`ForwardWhen`].
    pub forwards: [Option<Forward>; 6],
    /// The endpoints of the first stage, by name; an empty list rings none of them.
    pub ring_first: Option<Vec<Box<str>>>,
    /// The endpoints of the second stage, by name.
    pub ring_second: Option<Vec<Box<str>>>,
    /// How long a stage rings, from 5 to 300 seconds.
    pub ring_timeout: Option<u32>,
    /// Whether the user's mobile rings beside the endpoints of each stage.
    pub ring_mobile: Option<bool>,
    /// Whether push messages are sent to the user.
    pub push: Option<bool>,
    /// A note for readers of the plan.
    pub note: Option<Box<str>>,
}

impl HandlingBlock {
    /// The index of a forward in [`HandlingBlock::forwards`], from 0 to 5.
    pub const fn slot(origin: CallOrigin, when: ForwardWhen) -> usize {
        origin as usize * 3 + when as usize
    }

    /// Whether this is the default block, which names no status.
    pub fn is_default(&self) -> bool {
        self.states.is_empty() && self.types.is_empty()
    }
}

/// A set of blocks that users share.
#[derive(Clone, PartialEq, Eq, Debug, Hash, Default)]
pub struct Handling {
    /// The set's name.
    pub name: Box<str>,
    /// The settings for every status; the block of a status overrides them.
    pub default: Option<HandlingBlock>,
    /// The blocks of statuses.
    pub blocks: Vec<HandlingBlock>,
}

impl Handling {
    /// The block of a status: a block that names the type takes precedence over a block that
    /// names the state.
    pub fn block(&self, state: State, status: &str) -> Option<&HandlingBlock> {
        let by_type =
            |block: &&HandlingBlock| block.types.iter().any(|t| t.eq_ignore_ascii_case(status));
        let found = self.blocks.iter().find(by_type);
        found.or_else(|| {
            let mut blocks = self.blocks.iter();
            blocks.find(|block| block.states.contains(&state))
        })
    }

    /// All blocks, the default block first.
    pub fn all(&self) -> impl Iterator<Item = &HandlingBlock> {
        self.default.iter().chain(&self.blocks)
    }
}

/// The settings for calls to a user, apart from the blocks: part of a rule.
#[derive(Clone, PartialEq, Eq, Debug, Hash)]
pub struct Calls {
    /// The set of blocks that applies; `None` without handling.
    pub handling: Option<std::sync::Arc<Handling>>,
    /// The prefix that is dialled before a mobile number.
    pub mobile_prefix: Box<str>,
    /// The context in which numbers and mobiles are dialled.
    pub forward_context: Box<str>,
    /// The contexts whose calls are internal.
    pub internal_contexts: Vec<Box<str>>,
    /// Whether a call is internal if its caller ID is a user's extension.
    pub trust_caller_id: bool,
    /// The numbers of callers that get through even while the user refuses all other calls.
    pub always_accept: Vec<Box<str>>,
    /// The channel variable that holds `internal` or `external`.
    pub origin_variable: Box<str>,
}

impl Default for Calls {
    fn default() -> Self {
        Calls {
            handling: None,
            mobile_prefix: "".into(),
            forward_context: "default".into(),
            internal_contexts: Vec::new(),
            trust_caller_id: false,
            always_accept: Vec::new(),
            origin_variable: "USERPRESENCE_ORIGIN".into(),
        }
    }
}

/// The devices and numbers that reach a user, from the user's own section.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Reach {
    /// The endpoints in the configured order, each with its name and device.
    pub endpoints: Vec<(Box<str>, Box<str>)>,
    /// The number of the user's mobile; empty for none.
    pub mobile: Box<str>,
    /// The user's mailbox, such as `200@default`; empty for none.
    pub mailbox: Box<str>,
    /// The names of the users that this user monitors.
    pub monitors: Vec<Box<str>>,
}

/// The name that means the mobile in a list of endpoints, unless an endpoint has that name.
pub const MOBILE: &str = "mobile";

/// Whether a device can be called: a device of a channel technology, such as `PJSIP/200`.
pub fn is_phone(device: &str) -> bool {
    let label = device.find([':', '/']);
    label.is_some_and(|at| device[at..].starts_with('/'))
}
