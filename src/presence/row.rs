//! The rows kept in AstDB, family `UserPresence`.
//!
//! | key | value |
//! |---|---|
//! | `source/<address>` | what the source said last, and since when |
//! | `user/<name>` | own status and what it returns to, the status type, which calls the user takes, the flags, the number of the last transition |
//! | `account/<name>` | the account's last number |
//! | `action/<name>` | what actions have done for a user: see [`super::action::Record`] |
//! | `http/secret` | what sessions over HTTP are signed with |
//! | `clean` | 1 after a clean stop, 0 while the module runs |
//!
//! Values are JSON with short names. A field that is absent has its empty value.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::gone::Gone;
use super::state::{Presence, State};
use super::status::{StatusType, Statuses};
use super::time::Time;
use super::world::{Before, By, Own, Said};

/// The AstDB family.
pub const FAMILY: &str = "UserPresence";
/// The key that says whether the last stop was a clean one.
pub const CLEAN: &str = "clean";
/// The key of what sessions over HTTP are signed with.
pub const SECRET: &str = "http/secret";

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

fn is_zero(number: &u64) -> bool {
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
    State::parse(&name).ok_or_else(|| D::Error::custom("unknown state"))
}

/// The row of a user.
#[derive(Serialize, Deserialize, Clone, PartialEq, Eq, Debug, Default)]
pub struct UserRow {
    /// What the user chose.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub own: Option<OwnRow>,
    /// The name of the user's status type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// Which calls the user takes, where not all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dnd_status: Option<String>,
    /// The flags that are not what they are by default, by their names.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub flags: BTreeMap<String, bool>,
    /// Whether a panel was logged in.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub panel: bool,
    /// The account's number of the user's last transition.
    #[serde(default)]
    pub sequence: u64,
}

/// Own status, as stored.
#[derive(Serialize, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct OwnRow {
    #[serde(flatten)]
    kept: Kept,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    status: Option<String>,
    /// Whether a login chose it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    login: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    before: Option<Box<BeforeRow>>,
}

/// What a timed status took the place of, as stored.
#[derive(Serialize, Deserialize, Clone, PartialEq, Eq, Debug)]
struct BeforeRow {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    own: Option<OwnRow>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    status: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    sources: Vec<(String, Kept)>,
}

fn name_of(status: Option<&Arc<StatusType>>) -> Option<String> {
    status.map(|status| status.name.to_string())
}

fn named(name: Option<&String>, statuses: &Statuses) -> Option<Arc<StatusType>> {
    name.and_then(|name| statuses.find(name)).cloned()
}

impl OwnRow {
    /// As stored.
    pub fn new(own: &Own) -> Self {
        let before = own.before.as_deref().map(|before| {
            let source = |(address, said): &(Arc<str>, Said)| {
                let kept = Kept::new(&said.presence, said.since, said.until);
                (address.to_string(), kept)
            };
            Box::new(BeforeRow {
                own: before.own.as_deref().map(OwnRow::new),
                status: name_of(before.status.as_ref()),
                sources: before.sources.iter().map(source).collect(),
            })
        });
        OwnRow {
            kept: Kept::new(&own.presence, own.since, own.until),
            status: name_of(own.status.as_ref()),
            login: own.by == By::Login,
            before,
        }
    }

    /// As known, with the status types that there are now.
    pub fn restore(&self, statuses: &Statuses) -> Own {
        let before = self.before.as_deref().map(|before| {
            let source = |(address, kept): &(String, Kept)| {
                let (presence, since, until) = kept.restore();
                let said = Said {
                    presence,
                    since,
                    until,
                };
                (Arc::from(address.as_str()), said)
            };
            Box::new(Before {
                own: before
                    .own
                    .as_ref()
                    .map(|own| Box::new(own.restore(statuses))),
                status: named(before.status.as_ref(), statuses),
                sources: before.sources.iter().map(source).collect(),
            })
        });
        let (presence, since, until) = self.kept.restore();
        Own {
            status: named(self.status.as_ref(), statuses),
            presence,
            since,
            until,
            by: if self.login { By::Login } else { By::Hand },
            before,
        }
    }
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
    /// Since when rows are nobody's, by the key of the row.
    pub gone: HashMap<String, Gone>,
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
                // One that cannot be read is counted anew.
                Some(("gone", of)) => {
                    take(&mut stored.gone, of, &value);
                    true
                }
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
        let (since, until) = (Time::from_micros(123_456), Time::from_micros(654_321));
        let kept = Kept::new(&presence, since, Time::NEVER);
        let mut statuses = Statuses::default();
        statuses.put(StatusType {
            name: "lunch".into(),
            label: "At lunch".into(),
            maps_to: Some(presence.clone()),
        });
        let own = |until, by, before| Own {
            status: statuses.find("lunch").cloned(),
            presence: presence.clone(),
            since,
            until,
            by,
            before,
        };
        let before = Before {
            own: Some(Box::new(own(Time::NEVER, By::Login, None))),
            status: statuses.find("dnd").cloned(),
            sources: vec![(
                "CustomPresence:a".into(),
                Said {
                    presence: State::Dnd.into(),
                    since,
                    until,
                },
            )],
        };
        let timed = own(until, By::Hand, Some(Box::new(before)));
        let row = UserRow {
            own: Some(OwnRow::new(&timed)),
            status: Some("lunch".into()),
            dnd_status: None,
            flags: [("pickUpCallsOnHold".to_owned(), true)].into(),
            panel: true,
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
        assert_eq!(restored, (presence.clone(), since, Time::NEVER));
        assert_eq!(stored.users["alice"], row);
        let restored = stored.users["alice"].own.as_ref().unwrap();
        assert_eq!(restored.restore(&statuses), timed);
        assert_eq!(stored.accounts["main"], 42);
        assert!(stored.clean);
        assert_eq!(stored.unreadable, ["user/bob", "source/CustomPresence:b"]);
    }
}
