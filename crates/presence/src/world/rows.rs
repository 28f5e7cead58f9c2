//! The rows to be written to AstDB: which rows changed, and their present values.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::{SourceId, UserId, World};
use crate::model::dnd::DndStatus;
use crate::model::own_settings::OwnSettings;
use crate::model::time::Time;
use crate::world::stored::{OwnRow, SharedSettingsRow, SourceRow, UserRow, kept_key};

#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum RowKey {
    Source(Arc<str>),
    User(Arc<str>),
    Settings(Arc<str>),
}

/// A row to be written, or deleted if it has no value.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RowChange {
    /// The key within the AstDB family.
    pub key: String,
    /// The new value; `None` deletes the row.
    pub value: Option<String>,
}

impl World {
    pub(super) fn mark_source(&mut self, source: SourceId) {
        let state = &mut self.sources[source.index()];
        if !std::mem::replace(&mut state.dirty, true) {
            let address = self.directory.get_source(source).address.clone();
            self.dirty.push_back(RowKey::Source(address));
        }
    }

    pub(super) fn mark_user(&mut self, user: UserId) {
        let state = &mut self.users[user.index()];
        if !std::mem::replace(&mut state.dirty, true) {
            let name = self.directory.get(user).name.clone();
            self.dirty.push_back(RowKey::User(name));
        }
    }

    pub(super) fn mark_settings(&mut self, user: UserId) {
        let state = &mut self.users[user.index()];
        if !std::mem::replace(&mut state.settings_dirty, true) {
            let name = self.directory.get(user).name.clone();
            self.dirty.push_back(RowKey::Settings(name));
        }
    }

    /// Whether rows wait to be written.
    pub fn is_dirty(&self) -> bool {
        !self.dirty.is_empty() || !self.orphaned.is_empty()
    }

    /// Removes up to `most` changed rows and returns them with their present values, oldest
    /// first.
    pub fn take_rows(&mut self, most: usize) -> Vec<RowChange> {
        let mut rows = self.take_orphaned(most);
        let many = self.dirty.len().min(most - rows.len());
        let keys: Vec<RowKey> = self.dirty.drain(..many).collect();
        rows.extend(keys.into_iter().filter_map(|key| self.row(key)));
        rows
    }

    /// Puts back rows that could not be written. They are written later with the values that
    /// they have then.
    pub fn put_back<'a>(&mut self, rows: impl Iterator<Item = &'a RowChange>) {
        for row in rows {
            let directory = self.directory.clone();
            let Some((kind, name)) = row.key.split_once('/') else {
                continue;
            };
            if self.put_back_orphaned(row) {
                continue;
            }
            let key = match kind {
                "source" => match directory.source(name) {
                    Some(source) => {
                        self.mark_source(source);
                        continue;
                    }
                    None => RowKey::Source(name.into()),
                },
                "user" => match directory.user(name) {
                    Some(user) if *directory.get(user).name == *name => {
                        self.mark_user(user);
                        continue;
                    }
                    _ => RowKey::User(name.into()),
                },
                "settings" => match directory.user(name) {
                    Some(user) if *directory.get(user).name == *name => {
                        self.mark_settings(user);
                        continue;
                    }
                    _ => RowKey::Settings(name.into()),
                },
                _ => continue,
            };
            if !self.dirty.contains(&key) {
                self.dirty.push_back(key);
            }
        }
    }

    /// The row of a key; `None` if its owner is removed, see [`World::orphan_rows`].
    pub(super) fn row(&mut self, key: RowKey) -> Option<RowChange> {
        Some(match key {
            RowKey::Source(address) => {
                let source = Some(self.directory.source(&address)?);
                let value = source.and_then(|source| {
                    let version = self.base_version(source);
                    let state = &mut self.sources[source.index()];
                    state.dirty = false;
                    let row = SourceRow::new(&state.layers(), version);
                    (state.since != Time::NEVER).then_some(row)
                });
                let kept = value.is_some();
                self.row_change(format!("source/{address}"), value, kept)
            }
            RowKey::User(name) => {
                // A row of an earlier spelling has no value and is deleted.
                let user = Some(self.directory.user(&name)?);
                let user = user.filter(|user| self.directory.get(*user).name == name);
                let value = user.map(|user| {
                    let versions = self.row_versions(user);
                    let state = &mut self.users[user.index()];
                    state.dirty = false;
                    let status = state.status.as_ref();
                    let dnd =
                        (state.dnd_status != DndStatus::default()).then(|| state.dnd_status.name());
                    UserRow {
                        own: state.own.as_deref().map(OwnRow::new),
                        status: status.map(|status| status.name.to_string()),
                        dnd_status: dnd.map(str::to_owned),
                        flags: state.flags.stored(),
                        panel: state.panel,
                        sequence: state.sequence,
                        versions,
                    }
                });
                let value = value.filter(|row| *row != UserRow::default());
                self.row_change(format!("user/{name}"), value, user.is_some())
            }
            RowKey::Settings(name) => {
                let user = Some(self.directory.user(&name)?);
                let user = user.filter(|user| self.directory.get(*user).name == name);
                let value = user.and_then(|user| {
                    self.users[user.index()].settings_dirty = false;
                    self.settings_row(user)
                });
                RowChange {
                    key: format!("settings/{name}"),
                    value,
                }
            }
        })
    }
}

impl World {
    /// The row of a user's own settings, with their versions if they are shared.
    fn settings_row(&mut self, user: UserId) -> Option<String> {
        let settings = self.own_settings(user);
        let Some(versions) = self.item_versions(user) else {
            return settings.map(|own| own.json().to_owned());
        };
        let versions = versions.iter();
        let row = SharedSettingsRow {
            settings: settings.map(OwnSettings::object),
            versions: versions.map(|(path, it)| (path.to_string(), *it)).collect(),
        };
        let key = format!("settings/{}", self.directory.get(user).name);
        self.row_change(key, Some(row), true).value
    }

    /// The row with this value, and, if `with_kept`, with what other versions have put into it.
    fn row_change(
        &mut self,
        key: String,
        value: Option<impl serde::Serialize>,
        with_kept: bool,
    ) -> RowChange {
        let kept = match self.kept.is_empty() || !with_kept {
            true => None,
            false => self.kept.get_mut(&kept_key(&key)),
        };
        // Plain structs of strings and numbers always serialise.
        let value = match kept {
            None => value.and_then(|value| serde_json::to_string(&value).ok()),
            Some(kept) => {
                let row = value.map(serde_json::to_value).and_then(Result::ok);
                let mut row = match row {
                    Some(Value::Object(row)) => row,
                    _ => Map::new(),
                };
                kept.put_into(&mut row);
                (!row.is_empty()).then(|| Value::Object(row).to_string())
            }
        };
        RowChange { key, value }
    }
}
