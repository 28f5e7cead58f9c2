//! Where a call to a user goes now: a plan, made of what is known and of nothing else.
//!
//! The plan does not dial. Whoever shows it and whoever carries it out read the same
//! one, so that what is shown is what happens.

use std::sync::Arc;

use super::directory::UserId;
use super::state::State;
use super::world::World;

/// Where a call comes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum CallOrigin {
    /// From one of our own.
    Internal,
    /// From outside.
    External,
}

impl CallOrigin {
    /// Both.
    pub const ALL: [CallOrigin; 2] = [CallOrigin::Internal, CallOrigin::External];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            CallOrigin::Internal => "internal",
            CallOrigin::External => "external",
        }
    }

    /// The origin of that name, without regard to case.
    ///
    /// # Errors
    /// Says what was expected.
    pub fn parse(name: &str) -> Result<Self, String> {
        let mut all = Self::ALL.into_iter();
        let found = all.find(|known| known.name().eq_ignore_ascii_case(name));
        found.ok_or_else(|| {
            format!(
                "unknown origin '{}', expected internal or external",
                super::assignment::shown(name)
            )
        })
    }
}

/// Where a call goes that is not rung.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Target {
    /// A place of the dialplan.
    Location {
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
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Step {
    /// As `Dial` takes them, such as `PJSIP/200`.
    pub devices: Vec<String>,
    /// For how long, in seconds.
    pub timeout: u32,
}

/// What becomes of a call to a user.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Plan {
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
    pub always: Option<Target>,
    /// Who is rung, one stage after the other.
    pub steps: Vec<Step>,
    /// Where the call goes when nobody answers.
    pub no_answer: Option<Target>,
    /// Where it goes when the user is busy.
    pub busy: Option<Target>,
    /// All of the user's devices, to be rung at once for a queue.
    pub together: Vec<String>,
    /// The devices of those who monitor the user and ring too.
    pub monitors: Vec<String>,
    /// Whether the present status takes push messages.
    pub push: bool,
    /// The note for whoever sees the plan.
    pub note: String,
}

impl Plan {
    /// Where a call to the user goes now.
    pub fn of(_world: &World, _user: UserId, _origin: CallOrigin) -> Plan {
        unimplemented!("being written")
    }
}
