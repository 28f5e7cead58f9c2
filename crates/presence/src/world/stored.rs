//! The rows kept in AstDB, family `UserPresence`.
//!
//! | key | value |
//! |---|---|
//! | `source/<address>` | the base presence of the source with its time, and the timed statuses above it |
//! | `user/<name>` | own status and the untimed one below it, the status type, the DND status, the flags, the number of the last transition |
//! | `settings/<name>` | the user's own settings: see [`OwnSettings`] |
//! | `action/<name>` | the effects of a user's actions: see [`crate::actions::ActionRecord`] |
//! | `dnd/<name>` | what FreePBX's do not disturb was: see [`crate::calls::follow_dnd::Agreement`] |
//!
//! Values are JSON with short names. A field that is absent has its empty value. What another
//! version has put into a row, and this one does not know, is kept: see
//! `kept_fields.rs`.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::directory::Directory;
use crate::model::dnd::DndStatus;
use crate::model::flags::Flag;
use crate::model::own_settings::OwnSettings;
use crate::model::status::{StatusType, Statuses};
use crate::model::stored_presence::{StoredPresence, is_zero};
use crate::model::time::Time;
use crate::world::gone_users::Gone;
use crate::world::kept_fields::{self, JsonRow, KeptFields};
use crate::world::{Before, ChosenBy, Layer, Layers, Own, Value, Version, is_none};

/// The AstDB family.
pub const FAMILY: &str = "UserPresence";
/// The key of a former row with the secret of HTTP sessions. The row is deleted if it exists.
pub const OLD_SECRET: &str = "http/secret";

/// The row of a source: its base presence, and the timed statuses above it.
#[derive(Serialize, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct SourceRow {
    #[serde(flatten)]
    base: StoredPresence,
    #[serde(default, skip_serializing_if = "is_none")]
    version: Version,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    timed: Vec<LayerRow>,
    /// The shared timed statuses that have ended, by user.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    ended: BTreeMap<String, Version>,
}

impl JsonRow for SourceRow {
    const REQUIRED: &'static [&'static str] = &["state", "since"];
}

/// A timed status of a source, as stored.
#[derive(Serialize, Deserialize, Clone, PartialEq, Eq, Debug)]
struct LayerRow {
    user: String,
    #[serde(flatten)]
    kept: StoredPresence,
    #[serde(default, skip_serializing_if = "is_none")]
    version: Version,
}

impl SourceRow {
    /// The stored form of a stack, and of the version of its base.
    pub(crate) fn new(layers: &Layers, version: Version) -> Self {
        let kept = |value: &Value, until| StoredPresence::new(&value.presence, value.since, until);
        let timed = layers.timed.iter().map(|layer| LayerRow {
            user: layer.owner.to_string(),
            kept: kept(&layer.value, layer.until),
            version: layer.version,
        });
        let ended = layers.ended.iter();
        let ended = ended.map(|(owner, version)| (owner.to_string(), *version));
        SourceRow {
            base: kept(&layers.base, Time::NEVER),
            version,
            timed: timed.collect(),
            ended: ended.collect(),
        }
    }

    /// The stack, and the version of its base.
    pub(crate) fn restore(&self) -> (Layers, Version) {
        let value = |kept: &StoredPresence| {
            let (presence, since, until) = kept.restore();
            (Value { presence, since }, until)
        };
        let timed = self.timed.iter().map(|row| {
            let (value, until) = value(&row.kept);
            Layer {
                owner: row.user.as_str().into(),
                value,
                until,
                version: row.version,
            }
        });
        let ended = self.ended.iter();
        let ended = ended.map(|(owner, version)| (owner.as_str().into(), *version));
        let layers = Layers {
            base: value(&self.base).0,
            timed: timed.collect(),
            ended: ended.collect(),
        };
        (layers, self.version)
    }
}

/// The row of a user.
#[derive(Serialize, Deserialize, Clone, PartialEq, Eq, Debug, Default)]
pub struct UserRow {
    /// The user's own status.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub own: Option<OwnRow>,
    /// The name of the user's status type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// The DND status, unless the user takes all calls.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dnd_status: Option<String>,
    /// The flags that differ from their defaults, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub flags: BTreeMap<String, bool>,
    /// Whether a panel is logged in.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub panel: bool,
    /// The sequence number of the user's last transition.
    #[serde(default)]
    pub sequence: u64,
    /// The versions of what was set while it was shared.
    #[serde(default, skip_serializing_if = "RowVersions::is_empty")]
    pub(crate) versions: RowVersions,
}

impl JsonRow for UserRow {
    const REQUIRED: &'static [&'static str] = &[];
    const SET: Option<&'static str> = Some("flags");

    fn leave_out_unknown(&mut self) {
        let is_known = |flag: &str| Flag::parse(flag).is_ok();
        self.flags.retain(|flag, _| is_known(flag));
        let is_known = |word: &String| DndStatus::parse(word).is_ok();
        self.dnd_status = self.dnd_status.take().filter(is_known);
    }
}

/// The versions of what a user has chosen, as stored.
#[derive(Serialize, Deserialize, Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct RowVersions {
    #[serde(default, skip_serializing_if = "is_none")]
    pub(crate) own: Version,
    #[serde(default, skip_serializing_if = "is_none")]
    pub(crate) timed: Version,
    #[serde(default, skip_serializing_if = "is_none")]
    pub(crate) dnd: Version,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) flags: BTreeMap<String, Version>,
}

impl RowVersions {
    fn is_empty(&self) -> bool {
        *self == RowVersions::default()
    }
}

/// The row of a user's own settings that are shared. Otherwise the row is the settings alone.
#[derive(Serialize, Deserialize, Debug)]
pub(crate) struct SharedSettingsRow {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) settings: Option<serde_json::Map<String, serde_json::Value>>,
    /// The version of each item, by its path.
    pub(crate) versions: BTreeMap<String, Version>,
}

impl JsonRow for SharedSettingsRow {
    const REQUIRED: &'static [&'static str] = &["versions"];
}

/// Own status, as stored.
#[derive(Serialize, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct OwnRow {
    #[serde(flatten)]
    kept: StoredPresence,
    /// When the type was chosen: Unix time in microseconds; 0 if it equals `since`.
    #[serde(default, skip_serializing_if = "is_zero")]
    chosen: u64,
    /// For a type that is mapped to no state, the chosen presence beside it; without times.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    beside: Option<Box<StoredPresence>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    status: Option<String>,
    /// Whether a login set the status.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    login: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    before: Option<Box<BeforeRow>>,
}

/// The status below a timed one, as stored.
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
    /// The stored form of an own status.
    pub fn new(own: &Own) -> Self {
        let before = own.before.as_deref().map(|before| {
            Box::new(BeforeRow {
                own: before.own.as_deref().map(OwnRow::new),
                status: name_of(before.status.as_ref()),
            })
        });
        OwnRow {
            kept: StoredPresence::new(&own.presence, own.since, own.until),
            chosen: match own.chosen == own.since {
                true => 0,
                false => own.chosen.micros(),
            },
            beside: own
                .beside
                .as_ref()
                .map(|presence| Box::new(StoredPresence::new(presence, Time::NEVER, Time::NEVER))),
            status: name_of(own.status.as_ref()),
            login: own.by == ChosenBy::Login,
            before,
        }
    }

    /// The status without the one below it.
    pub(crate) fn without_before(mut self) -> Self {
        self.before = None;
        self
    }

    /// The latest of the times at which it was set.
    pub(crate) fn latest(&self) -> Time {
        let (_, since, _) = self.kept.restore();
        since.max(Time::from_micros(self.chosen))
    }

    /// The own status, with the status types that are configured now.
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
            by: if self.login {
                ChosenBy::Login
            } else {
                ChosenBy::Hand
            },
            before,
        }
    }
}

/// All stored rows.
#[derive(Default, Debug)]
pub struct Stored {
    /// The rows of sources, by address.
    pub sources: HashMap<String, SourceRow>,
    /// The rows of users, by name.
    pub users: HashMap<String, UserRow>,
    /// The own settings of users, by name.
    pub settings: HashMap<String, OwnSettings>,
    /// The versions of own settings that are shared, by name.
    pub(crate) settings_versions: HashMap<String, BTreeMap<String, Version>>,
    /// The last sequence number of each account. It comes from
    /// [`crate::account::Reservation`], not from a row.
    pub accounts: HashMap<String, u64>,
    /// The removal times of orphaned rows, by the key of the row.
    pub gone: HashMap<String, Gone>,
    /// The keys of values that cannot be read. Their rows are left out.
    pub unreadable: Vec<String>,
    /// The fields that cannot be read and are left out of rows, each with the key of its row.
    pub unreadable_fields: Vec<(String, String)>,
    /// What the rows have besides, by [`kept_key`].
    pub(crate) kept: HashMap<String, KeptFields>,
    /// The keys of rows of a kind that this version does not know.
    pub unknown: Vec<String>,
}

/// The kinds of rows that are read elsewhere, or no longer.
const OTHER_KINDS: [&str; 3] = ["action", "cluster", "http"];

/// By which the fields of a row are kept: users are found without regard to case.
pub(crate) fn kept_key(key: &str) -> String {
    match key.starts_with("source/") {
        true => key.to_owned(),
        false => key.to_ascii_lowercase(),
    }
}

impl Stored {
    /// Reads rows: keys within the family, and their values.
    pub fn read(rows: impl Iterator<Item = (String, String)>) -> Self {
        let mut stored = Stored::default();
        for (key, value) in rows {
            let read = match key.split_once('/') {
                Some(("source", address)) => {
                    let row = stored.read_row(&key, &value);
                    row.map(|row| stored.sources.insert(address.to_owned(), row))
                        .is_some()
                }
                Some(("user", name)) => {
                    let row = stored.read_row(&key, &value);
                    row.map(|row| stored.users.insert(name.to_owned(), row))
                        .is_some()
                }
                Some(("settings", name)) => stored.read_settings(&key, name, &value),
                // An unreadable time starts again.
                Some(("gone", of)) => {
                    if let Some(gone) = Gone::parse(&value) {
                        stored.gone.insert(of.to_owned(), gone);
                    }
                    true
                }
                Some((kind, _)) if OTHER_KINDS.contains(&kind) => true,
                _ => {
                    stored.unknown.push(key.clone());
                    true
                }
            };
            if !read {
                stored.unreadable.push(key);
            }
        }
        stored
    }

    /// Reads a row, and notes what it has besides.
    fn read_row<T: JsonRow>(&mut self, key: &str, value: &str) -> Option<T> {
        let read = kept_fields::read::<T>(value)?;
        if let Some(kept) = read.kept {
            self.kept.insert(kept_key(key), kept);
        }
        let fields = read.unreadable.into_iter();
        self.unreadable_fields
            .extend(fields.map(|field| (key.to_owned(), field)));
        Some(read.row)
    }

    /// The names of what other versions have put into rows, each once: kinds of rows and fields.
    pub fn unknown_names(&self) -> Vec<String> {
        let kinds = self.unknown.iter();
        let kinds = kinds.map(|key| key.split_once('/').map_or(&**key, |(kind, _)| kind));
        let unreadable = self.unreadable_fields.iter();
        let unreadable: HashSet<_> = unreadable
            .map(|(key, field)| (kept_key(key), field))
            .collect();
        let fields = self.kept.iter().flat_map(|(key, kept)| {
            let names = kept.names();
            names.filter(|name| !unreadable.contains(&(key.clone(), name)))
        });
        let names: BTreeSet<String> = kinds.map(str::to_owned).chain(fields).collect();
        names.into_iter().collect()
    }

    /// Reads the own settings of a user. Returns whether they could be read.
    fn read_settings(&mut self, key: &str, name: &str, value: &str) -> bool {
        if let Some(row) = self.read_row::<SharedSettingsRow>(key, value) {
            let settings = row.settings.map(OwnSettings::of);
            let settings = settings.and_then(Result::ok).flatten();
            let named = settings.map(|settings| (name.to_owned(), settings));
            self.settings.extend(named);
            self.settings_versions.insert(name.to_owned(), row.versions);
            return true;
        }
        let settings = OwnSettings::restore(value);
        let read = settings.is_some();
        let named = settings.map(|settings| (name.to_owned(), settings));
        self.settings.extend(named);
        read
    }

    /// The highest stored sequence number of each account's users.
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

    /// The account's last sequence number; for an unknown account, the present Unix time in
    /// microseconds.
    pub fn last_number(&self, account: &str, now: Time) -> u64 {
        let known = self.accounts.get(account).copied();
        known.unwrap_or_else(|| now.micros())
    }
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
                version: Version::NONE,
            }],
            ended: Vec::new(),
        };
        let mut statuses = Statuses::default();
        statuses.put(StatusType {
            name: "lunch".into(),
            label: "At lunch".into(),
            maps_to: Some(presence.clone()),
            activities: Box::default(),
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
            own: Some(Box::new(own(Time::NEVER, ChosenBy::Login, None))),
            status: statuses.find("dnd").cloned(),
        };
        let timed = own(until, ChosenBy::Hand, Some(Box::new(before)));
        let row = UserRow {
            own: Some(OwnRow::new(&timed)),
            status: Some("lunch".into()),
            dnd_status: None,
            flags: [("pickUpCallsOnHold".to_owned(), true)].into(),
            panel: true,
            sequence: 7,
            versions: RowVersions::default(),
        };
        let json = |value: &UserRow| serde_json::to_string(value).unwrap();
        let rows = [
            (
                "source/CustomPresence:a/b".to_owned(),
                serde_json::to_string(&SourceRow::new(&layers, Version::NONE)).unwrap(),
            ),
            ("user/alice".to_owned(), json(&row)),
            ("user/bob".to_owned(), "nonsense".to_owned()),
            (
                "source/CustomPresence:b".to_owned(),
                r#"{"state":"asleep","since":1}"#.to_owned(),
            ),
        ];
        let stored = Stored::read(rows.into_iter());
        let (restored, _) = stored.sources["CustomPresence:a/b"].restore();
        assert_eq!(restored, layers);
        assert_eq!(stored.users["alice"], row);
        let restored = stored.users["alice"].own.as_ref().unwrap();
        assert_eq!(restored.restore(&statuses), timed);
        assert_eq!(stored.unreadable, ["user/bob", "source/CustomPresence:b"]);
    }
}
