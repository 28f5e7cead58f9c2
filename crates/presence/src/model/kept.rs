//! A presence with its time, as it is stored.

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::state::{Presence, State};
use super::time::Time;

/// A presence with its time, as stored.
#[derive(Serialize, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct Kept {
    #[serde(serialize_with = "write_state", deserialize_with = "read_state")]
    state: State,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    subtype: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    message: String,
    /// Unix time in microseconds, as is `until`; 0 there for no end.
    since: u64,
    #[serde(default, skip_serializing_if = "is_zero")]
    until: u64,
}

pub(crate) fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl Kept {
    /// As stored.
    pub fn new(presence: &Presence, since: Time, until: Time) -> Self {
        Kept {
            until: until.micros(),
            state: presence.state(),
            subtype: presence.subtype().to_owned(),
            message: presence.message().to_owned(),
            since: since.micros(),
        }
    }

    /// As known: presence, since and until.
    pub fn restore(&self) -> (Presence, Time, Time) {
        let presence = Presence::new(self.state, &self.subtype, &self.message);
        let time = Time::from_micros;
        (presence, time(self.since), time(self.until))
    }
}

fn write_state<S: Serializer>(state: &State, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(state.name())
}

fn read_state<'a, D: Deserializer<'a>>(deserializer: D) -> Result<State, D::Error> {
    let name = String::deserialize(deserializer)?;
    State::parse(&name).map_err(D::Error::custom)
}
