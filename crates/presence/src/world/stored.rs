//! The rows kept in AstDB, family `UserPresence`.
//!
//! | key | value |
//! |---|---|
//! | `source/<address>` | what the source is without timed statuses and since when, and the timed statuses over it |
//! | `user/<name>` | own status and the untimed one that it returns to, the status type, which calls the user takes, the flags, the number of the last transition |
//! | `action/<name>` | what actions have done for a user: see [`crate::actions::Record`] |
//!
//! Values are JSON with short names. A field that is absent has its empty value.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::directory::Directory;
use crate::model::kept::{Kept, is_zero};
use crate::model::status::{StatusType, Statuses};
use crate::model::time::Time;
use crate::world::gone_users::Gone;
use crate::world::{Before, By, Layer, Layers, Own, Value};

/// The AstDB family.
pub const FAMILY: &str = "UserPresence";
/// The key under which the secret of sessions over HTTP stood once; it is deleted where it is
/// found.
pub const OLD_SECRET: &str = "http/secret";

/// The row of a source: what it is without timed statuses, and those that lie over it.
#[derive(Serialize, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct SourceRow {
    #[serde(flatten)]
    base: Kept,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    timed: Vec<LayerRow>,
}

/// A timed status over a source, as stored.
#[derive(Serialize, Deserialize, Clone, PartialEq, Eq, Debug)]
struct LayerRow {
    user: String,
    #[serde(flatten)]
    kept: Kept,
}

impl SourceRow {
    /// As stored.
    pub fn new(layers: &Layers) -> Self {
        let kept = |value: &Value, until| Kept::new(&value.presence, value.since, until);
        let timed = layers.timed.iter().map(|layer| LayerRow {
            user: layer.owner.to_string(),
            kept: kept(&layer.value, layer.until),
        });
        SourceRow {
            base: kept(&layers.base, Time::NEVER),
            timed: timed.collect(),
        }
    }

    /// As known.
    pub fn restore(&self) -> Layers {
        let value = |kept: &Kept| {
            let (presence, since, until) = kept.restore();
            (Value { presence, since }, until)
        };
        let timed = self.timed.iter().map(|row| {
            let (value, until) = value(&row.kept);
            Layer {
                owner: row.user.as_str().into(),
                value,
                until,
            }
        });
        Layers {
            base: value(&self.base).0,
            timed: timed.collect(),
        }
    }
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
    /// When the type was chosen, in microseconds; 0 where that is `since`.
    #[serde(default, skip_serializing_if = "is_zero")]
    chosen: u64,
    /// What was chosen otherwise, for a type that is mapped to nothing; without times.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    beside: Option<Box<Kept>>,
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
            Box::new(BeforeRow {
                own: before.own.as_deref().map(OwnRow::new),
                status: name_of(before.status.as_ref()),
            })
        });
        OwnRow {
            kept: Kept::new(&own.presence, own.since, own.until),
            chosen: match own.chosen == own.since {
                true => 0,
                false => own.chosen.micros(),
            },
            beside: own
                .beside
                .as_ref()
                .map(|presence| Box::new(Kept::new(presence, Time::NEVER, Time::NEVER))),
            status: name_of(own.status.as_ref()),
            login: own.by == By::Login,
            before,
        }
    }

    /// As known, with the status types that there are now.
    pub fn restore(&self, statuses: &Statuses) -> Own {
        let before = self.before.as_deref().map(|before| {
            Box::new(Before {
                own: before
                    .own
                    .as_ref()
                    .map(|own| Box::new(own.restore(statuses))),
                status: named(before.status.as_ref(), statuses),
            })
        });
        let (presence, since, until) = self.kept.restore();
        Own {
            status: named(self.status.as_ref(), statuses),
            presence,
            since,
            chosen: since.max(Time::from_micros(self.chosen)),
            beside: self.beside.as_deref().map(|kept| kept.restore().0),
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
    pub sources: HashMap<String, SourceRow>,
    /// By name.
    pub users: HashMap<String, UserRow>,
    /// The last number of each account, see [`crate::account::Reservation`]: it is no
    /// row.
    pub accounts: HashMap<String, u64>,
    /// Since when rows are nobody's, by the key of the row.
    pub gone: HashMap<String, Gone>,
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
                // One that cannot be read is counted anew.
                Some(("gone", of)) => {
                    take(&mut stored.gone, of, &value);
                    true
                }
                _ => true,
            };
            if !read {
                stored.unreadable.push(key);
            }
        }
        stored
    }

    /// The highest number that the users of each account are known to have had.
    pub fn given(&self, directory: &Directory) -> HashMap<String, u64> {
        let mut given = HashMap::new();
        for (name, row) in &self.users {
            if let Some(user) = directory.user(name) {
                let account = directory.account(directory.get(user).account);
                let highest: &mut u64 = given.entry(account.to_string()).or_default();
                *highest = row.sequence.max(*highest);
            }
        }
        given
    }

    /// The account's last number; the time where there is none.
    pub fn last_number(&self, account: &str, now: Time) -> u64 {
        let known = self.accounts.get(account).copied();
        known.unwrap_or_else(|| now.micros())
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
    use crate::model::state::{Presence, State};

    #[test]
    fn rows_round_trip_and_bad_ones_are_left_out() {
        let presence = Presence::new(State::Away, "lunch", "a, \"b\" ü");
        let (since, until) = (Time::from_micros(123_456), Time::from_micros(654_321));
        let value = Value {
            presence: presence.clone(),
            since,
        };
        let layers = Layers {
            base: value.clone(),
            timed: vec![Layer {
                owner: "alice".into(),
                value,
                until,
            }],
        };
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
            chosen: Time::from_micros(since.micros() + 7),
            beside: Some(State::Chat.into()),
            until,
            by,
            before,
        };
        let before = Before {
            own: Some(Box::new(own(Time::NEVER, By::Login, None))),
            status: statuses.find("dnd").cloned(),
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
                serde_json::to_string(&SourceRow::new(&layers)).unwrap(),
            ),
            ("user/alice".to_owned(), json(&row)),
            ("user/bob".to_owned(), "nonsense".to_owned()),
            (
                "source/CustomPresence:b".to_owned(),
                r#"{"state":"asleep","since":1}"#.to_owned(),
            ),
        ];
        let stored = Stored::read(rows.into_iter());
        let restored = stored.sources["CustomPresence:a/b"].restore();
        assert_eq!(restored, layers);
        assert_eq!(stored.users["alice"], row);
        let restored = stored.users["alice"].own.as_ref().unwrap();
        assert_eq!(restored.restore(&statuses), timed);
        assert_eq!(stored.unreadable, ["user/bob", "source/CustomPresence:b"]);
    }
}
