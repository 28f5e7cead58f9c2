//! The rows kept in AstDB, family `UserPresence`.
//!
//! | key | value |
//! |---|---|
//! | `source/<address>` | what the source said last, and since when |
//! | `user/<name>` | own status, and the number of the last transition |
//! | `account/<name>` | the account's last number |
//! | `clean` | 1 after a clean stop, 0 while the module runs |
//!
//! Values are JSON with short names. A field that is absent has its empty value.

use std::collections::HashMap;

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::state::{Presence, State};
use super::time::Time;

/// The AstDB family.
pub const FAMILY: &str = "UserPresence";
/// The key that says whether the last stop was a clean one.
pub const CLEAN: &str = "clean";

/// A presence with its time, as stored.
#[derive(Serialize, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct Kept {
    #[serde(serialize_with = "write_state", deserialize_with = "read_state")]
    state: State,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    subtype: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    message: String,
    /// Unix time in microseconds.
    since: u64,
}

impl Kept {
    /// As stored.
    pub fn new(presence: &Presence, since: Time) -> Self {
        Kept {
            state: presence.state(),
            subtype: presence.subtype().to_owned(),
            message: presence.message().to_owned(),
            since: since.micros(),
        }
    }

    /// As known.
    pub fn restore(&self) -> (Presence, Time) {
        let presence = Presence::new(self.state, &self.subtype, &self.message);
        (presence, Time::from_micros(self.since))
    }
}

fn write_state<S: Serializer>(state: &State, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(state.name())
}

fn read_state<'a, D: Deserializer<'a>>(deserializer: D) -> Result<State, D::Error> {
    let name = String::deserialize(deserializer)?;
    State::parse(&name).ok_or_else(|| D::Error::custom("unknown state"))
}

/// The row of a user.
#[derive(Serialize, Deserialize, Clone, PartialEq, Eq, Debug, Default)]
pub struct UserRow {
    /// What the user chose.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub own: Option<Kept>,
    /// The account's number of the user's last transition.
    #[serde(default)]
    pub sequence: u64,
}

/// Everything that was stored.
#[derive(Default, Debug)]
pub struct Stored {
    /// By address.
    pub sources: HashMap<String, Kept>,
    /// By name.
    pub users: HashMap<String, UserRow>,
    /// By account.
    pub accounts: HashMap<String, u64>,
    /// Whether the last stop was a clean one.
    pub clean: bool,
    /// Keys whose value could not be read; they are left out.
    pub unreadable: Vec<String>,
}

impl Stored {
    /// Reads rows: keys below the family, and their values.
    pub fn read(rows: impl Iterator<Item = (String, String)>) -> Self {
        let mut stored = Stored::default();
        for (key, value) in rows {
            let read = match key.split_once('/') {
                Some(("source", address)) => take(&mut stored.sources, address, &value),
                Some(("user", name)) => take(&mut stored.users, name, &value),
                Some(("account", name)) => take(&mut stored.accounts, name, &value),
                _ => {
                    stored.clean |= key == CLEAN && value == "1";
                    true
                }
            };
            if !read {
                stored.unreadable.push(key);
            }
        }
        stored
    }
}

/// Whether the value could be read.
fn take<T: for<'a> Deserialize<'a>>(into: &mut HashMap<String, T>, key: &str, value: &str) -> bool {
    let read = serde_json::from_str(value).map(|value| into.insert(key.to_owned(), value));
    read.is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_round_trip_and_bad_ones_are_left_out() {
        let presence = Presence::new(State::Away, "lunch", "a, \"b\" ü");
        let kept = Kept::new(&presence, Time::from_micros(123_456));
        let row = UserRow {
            own: Some(kept.clone()),
            sequence: 7,
        };
        let json = |value: &UserRow| serde_json::to_string(value).unwrap();
        let rows = [
            (
                "source/CustomPresence:a/b".to_owned(),
                serde_json::to_string(&kept).unwrap(),
            ),
            ("user/alice".to_owned(), json(&row)),
            ("user/bob".to_owned(), "nonsense".to_owned()),
            (
                "source/CustomPresence:b".to_owned(),
                r#"{"state":"asleep","since":1}"#.to_owned(),
            ),
            ("account/main".to_owned(), "42".to_owned()),
            ("clean".to_owned(), "1".to_owned()),
        ];
        let stored = Stored::read(rows.into_iter());
        let restored = stored.sources["CustomPresence:a/b"].restore();
        assert_eq!(restored, (presence, Time::from_micros(123_456)));
        assert_eq!(stored.users["alice"], row);
        assert_eq!(stored.accounts["main"], 42);
        assert!(stored.clean);
        assert_eq!(stored.unreadable, ["user/bob", "source/CustomPresence:b"]);
    }
}
