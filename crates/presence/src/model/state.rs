//! The seven presence states of Asterisk, and [`Presence`]: state, subtype and message.

use std::fmt;
use std::sync::Arc;

use crate::model::words::words;

words! {
    /// A presence state: Asterisk's `enum ast_presence_state` without INVALID, with the same
    /// numbers. Names are compared as `ast_presence_state_val` does, without regard
    /// to case.
    #[derive(Default, PartialOrd, Ord)]
    #[repr(u8)]
    pub enum State: "state" {
        /// No state is known or chosen.
        #[default]
        NotSet = "not_set",
        /// Not reachable.
        Unavailable = "unavailable",
        /// Reachable.
        Available = "available",
        /// Away for a short while.
        Away = "away",
        /// Extended away.
        Xa = "xa",
        /// Available and willing to talk.
        Chat = "chat",
        /// Do not disturb.
        Dnd = "dnd",
    }
}

/// Subtype and message in one allocation, because most presences have neither.
#[derive(PartialEq, Eq, Debug, Hash)]
struct Text {
    /// The subtype and the message after it.
    both: Box<str>,
    /// The index at which the message begins, in bytes.
    at: usize,
}

/// A state with its subtype and message. Cheap to clone; 16 bytes without text.
#[derive(Clone, PartialEq, Eq, Debug, Default, Hash)]
pub struct Presence {
    state: State,
    text: Option<Arc<Text>>,
}

impl Presence {
    /// The presence `not_set`, without texts.
    pub const NOT_SET: Presence = Presence {
        state: State::NotSet,
        text: None,
    };

    /// A presence of these parts. The texts are not checked here; see
    /// [`crate::model::text`] for the checks.
    pub fn new(state: State, subtype: &str, message: &str) -> Self {
        let text = (!subtype.is_empty() || !message.is_empty()).then(|| {
            let mut both = String::with_capacity(subtype.len() + message.len());
            both.push_str(subtype);
            both.push_str(message);
            Arc::new(Text {
                both: both.into(),
                at: subtype.len(),
            })
        });
        Presence { state, text }
    }

    /// The state.
    pub fn state(&self) -> State {
        self.state
    }

    /// The subtype; empty if there is none.
    pub fn subtype(&self) -> &str {
        self.text
            .as_deref()
            .map_or("", |text| &text.both[..text.at])
    }

    /// The message; empty if there is none.
    pub fn message(&self) -> &str {
        self.text
            .as_deref()
            .map_or("", |text| &text.both[text.at..])
    }

    /// State, subtype and message.
    pub fn parts(&self) -> (State, &str, &str) {
        (self.state(), self.subtype(), self.message())
    }

    /// Whether the presence has this state, subtype and message.
    pub fn is(&self, state: State, subtype: &str, message: &str) -> bool {
        self.state == state && self.subtype() == subtype && self.message() == message
    }

    /// Whether the state is any but `not_set`.
    pub fn is_set(&self) -> bool {
        self.state != State::NotSet
    }
}

impl From<State> for Presence {
    fn from(state: State) -> Self {
        Presence { state, text: None }
    }
}

/// The presence in readable form, such as `away (lunch) "Back at one"`.
impl fmt::Display for Presence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.state.name())?;
        if !self.subtype().is_empty() {
            write!(f, " ({})", self.subtype())?;
        }
        if !self.message().is_empty() {
            write!(f, " \"{}\"", self.message())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip_without_regard_to_case() {
        for state in State::ALL {
            assert_eq!(State::parse(state.name()), Ok(state));
            assert_eq!(State::parse(&state.name().to_uppercase()), Ok(state));
        }
        assert!(State::parse("busy").is_err());
        assert!(State::parse("").is_err());
    }

    #[test]
    fn a_presence_has_16_bytes() {
        assert_eq!(size_of::<Presence>(), 16);
    }
}
