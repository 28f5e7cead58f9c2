//! A presence with its time, as it is stored.

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::state::{Presence, State};
use super::text;
use super::time::Time;

/// A presence with its time, as stored.
#[derive(Serialize, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct StoredPresence {
    #[serde(serialize_with = "write_state", deserialize_with = "read_state")]
    state: State,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    subtype: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    message: String,
    /// Unix time in microseconds.
    since: u64,
    /// Unix time in microseconds; 0 without an end.
    #[serde(default, skip_serializing_if = "is_zero")]
    until: u64,
}

pub(crate) fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl StoredPresence {
    /// The stored form of a presence and its times.
    pub fn new(presence: &Presence, since: Time, until: Time) -> Self {
        StoredPresence {
            until: until.micros(),
            state: presence.state(),
            subtype: presence.subtype().to_owned(),
            message: presence.message().to_owned(),
            since: since.micros(),
        }
    }

    /// The presence, `since` and `until`. Its texts are corrected: another program may have
    /// written them.
    pub fn restore(&self) -> (Presence, Time, Time) {
        let (subtype, _) = text::mended(self.subtype.as_bytes());
        let (message, _) = text::mended(self.message.as_bytes());
        let presence = Presence::new(self.state, &subtype, &message);
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
