//! What sections of `type = handling` say, and what users say of how they are reached.

use crate::model::state::State;
use crate::model::words::{self, words};

words! {
    /// Where a call comes from.
    pub enum CallOrigin: "origin" {
        /// From one of our own.
        Internal = "internal",
        /// From outside.
        External = "external",
    }
}

/// When a forward takes place.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum ForwardWhen {
    /// At once.
    Always,
    /// When nobody answers.
    NoAnswer,
    /// When the user is busy.
    Busy,
}

/// A forward's target as configured.
#[derive(Clone, PartialEq, Eq, Debug, Hash)]
pub enum Forward {
    /// None, where the default block has one.
    None,
    /// The user's own mailbox.
    OwnVoicemail,
    /// A mailbox.
    Voicemail(Box<str>),
    /// A number, dialled in the context for numbers.
    Number(Box<str>),
    /// An extension and its context, which may hold variables.
    Extension(Box<str>, Box<str>),
}

words! {
    /// A variable in the destination of a forward, written such as `${STATUS}`.
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
    /// The text with every variable replaced by its value. Nothing else is evaluated.
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

/// One section.
#[derive(Clone, PartialEq, Eq, Debug, Hash, Default)]
pub struct HandlingBlock {
    /// The section's name.
    pub name: Box<str>,
    /// The states it is for; it is the default block where there are neither states
    /// nor types.
    pub states: Vec<State>,
    /// The status types it is for, by name.
    pub types: Vec<Box<str>>,
    /// The forwards: internal before external, in the order of [`ForwardWhen`].
    pub forwards: [Option<Forward>; 6],
    /// The endpoints of the first stage, by name; empty for nobody.
    pub ring_first: Option<Vec<Box<str>>>,
    /// Those of the second.
    pub ring_second: Option<Vec<Box<str>>>,
    /// How long a stage rings, in seconds.
    pub ring_timeout: Option<u32>,
    /// Whether the mobile rings beside them.
    pub ring_mobile: Option<bool>,
    /// Whether push messages are taken.
    pub push: Option<bool>,
    /// A note for whoever sees the plan.
    pub note: Option<Box<str>>,
}

impl HandlingBlock {
    /// Where a forward stands in [`HandlingBlock::forwards`].
    pub const fn slot(origin: CallOrigin, when: ForwardWhen) -> usize {
        origin as usize * 3 + when as usize
    }

    /// Whether it is for no status of its own.
    pub fn is_default(&self) -> bool {
        self.states.is_empty() && self.types.is_empty()
    }
}

/// The blocks of one set.
#[derive(Clone, PartialEq, Eq, Debug, Hash, Default)]
pub struct Handling {
    /// The set's name.
    pub name: Box<str>,
    /// What holds in every status, as far as the status' own block does not say otherwise.
    pub default: Option<HandlingBlock>,
    /// The blocks of statuses.
    pub blocks: Vec<HandlingBlock>,
}

impl Handling {
    /// The block of a status: one that names the type stands before one that names the
    /// state.
    pub fn block(&self, state: State, status: &str) -> Option<&HandlingBlock> {
        let by_type =
            |block: &&HandlingBlock| block.types.iter().any(|t| t.eq_ignore_ascii_case(status));
        let found = self.blocks.iter().find(by_type);
        found.or_else(|| {
            let mut blocks = self.blocks.iter();
            blocks.find(|block| block.states.contains(&state))
        })
    }

    /// All blocks.
    pub fn all(&self) -> impl Iterator<Item = &HandlingBlock> {
        self.default.iter().chain(&self.blocks)
    }
}

/// How calls to a user are decided, beside the blocks: part of a rule.
#[derive(Clone, PartialEq, Eq, Debug, Hash)]
pub struct Calls {
    /// The set that applies.
    pub handling: Option<std::sync::Arc<Handling>>,
    /// What is put before a mobile number.
    pub mobile_prefix: Box<str>,
    /// Where numbers and mobiles are dialled.
    pub forward_context: Box<str>,
    /// A call from one of these contexts is internal.
    pub internal_contexts: Vec<Box<str>>,
    /// Whether a caller id that is a user's extension makes a call internal.
    pub trust_caller_id: bool,
    /// Callers who get through to one who takes no calls.
    pub always_accept: Vec<Box<str>>,
    /// The channel variable that says `internal` or `external`.
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

/// By what a user is reached, as the user's own section says.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Reach {
    /// Named endpoints, in their order: name and device.
    pub endpoints: Vec<(Box<str>, Box<str>)>,
    /// The mobile's number; empty for none.
    pub mobile: Box<str>,
    /// The mailbox; empty for none.
    pub mailbox: Box<str>,
    /// The users whom this one monitors, by name.
    pub monitors: Vec<Box<str>>,
}

/// The name in a list of endpoints that means the mobile where no endpoint has that name.
pub const MOBILE: &str = "mobile";

/// Whether a device can be called: it belongs to a channel technology, such as `PJSIP/200`.
pub fn is_phone(device: &str) -> bool {
    let label = device.find([':', '/']);
    label.is_some_and(|at| device[at..].starts_with('/'))
}
