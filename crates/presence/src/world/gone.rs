//! Rows of users and sources that are no longer configured. They are kept for a while and
//! restored when the user or source returns.

use std::collections::{BTreeMap, BTreeSet};

use super::rows::RowKey;
use super::{Plan, RowChange, World};
use crate::directory::{Directory, SourceKind};
use crate::model::time::Time;
use crate::world::gone_users::{Gone, PREFIX};
use crate::world::stored::{Stored, kept_key};

/// Whether a row with this key belongs to a configured user or source.
fn is_configured(directory: &Directory, key: &str) -> bool {
    match key.split_once('/') {
        Some(("user" | "settings", name)) => directory.user(name).is_some(),
        Some(("source", address)) => directory.source(address).is_some(),
        Some((kind, _)) => format!("{kind}/") != PREFIX,
        None => true,
    }
}

impl World {
    /// Rows to be written for users and sources that are no longer configured, by key; `None`
    /// deletes the row.
    pub fn orphaned_rows(&self) -> &BTreeMap<String, Option<String>> {
        &self.orphaned
    }

    /// Removes up to `most` orphaned rows and returns them for writing.
    pub(super) fn take_orphaned(&mut self, most: usize) -> Vec<RowChange> {
        let mut rows = Vec::new();
        while rows.len() < most {
            let Some((key, value)) = self.orphaned.pop_first() else {
                break;
            };
            rows.push(RowChange { key, value });
        }
        rows
    }

    /// Puts a row back that could not be written. Returns whether it is an orphaned row.
    pub(super) fn put_back_orphaned(&mut self, row: &RowChange) -> bool {
        let loose = !is_configured(&self.directory, &row.key);
        if loose {
            let value = row.value.clone();
            self.orphaned.entry(row.key.clone()).or_insert(value);
        }
        loose
    }

    /// Records now as the time of removal for stored rows without a configured owner, and
    /// restores those whose owner has returned.
    pub(super) fn note_absent(&mut self, stored: &Stored, now: Time) {
        let directory = self.directory.clone();
        let users = stored.users.keys().map(|name| format!("user/{name}"));
        let sources = stored.sources.keys();
        let sources = sources.map(|address| format!("source/{address}"));
        let settings = stored.settings.keys();
        let settings = settings.map(|name| format!("settings/{name}"));
        for key in users.chain(settings).chain(sources) {
            if !is_configured(&directory, &key) && !stored.gone.contains_key(&key) {
                let gone = Gone::new(now, Vec::new());
                self.orphaned.insert(Gone::key(&key), Some(gone.json()));
            }
        }
        self.clear_returned(stored);
    }

    /// Drops the removal time of users and sources that are configured again, and writes their
    /// rows.
    pub(super) fn clear_returned(&mut self, stored: &Stored) {
        let directory = self.directory.clone();
        for key in stored.gone.keys() {
            if !is_configured(&directory, key) {
                continue;
            }
            self.orphaned.remove(key);
            self.orphaned.insert(Gone::key(key), None);
            // The row is written again, whatever was pending for it.
            match key.split_once('/') {
                Some(("user", name)) => {
                    if let Some(user) = directory.user(name) {
                        self.mark_user(user);
                    }
                }
                Some(("settings", name)) => {
                    if let Some(user) = directory.user(name) {
                        self.mark_settings(user);
                    }
                }
                Some((_, address)) => {
                    if let Some(source) = directory.source(address) {
                        self.mark_source(source);
                    }
                }
                None => {}
            }
        }
    }

    /// Before the plan's directory takes over: queues the rows of removed users and sources,
    /// and their time of removal.
    pub(super) fn orphan_rows(&mut self, plan: &Plan, now: Time) {
        let directory = self.directory.clone();
        for id in plan.gone_sources() {
            let source = directory.get_source(*id);
            if self.sources[id.index()].since == Time::NEVER {
                continue;
            }
            if self.sources[id.index()].dirty {
                self.orphan(RowKey::Source(source.address.clone()));
            }
            let key = format!("source/{}", source.address);
            let gone = Gone::new(now, Vec::new());
            self.orphaned.insert(Gone::key(&key), Some(gone.json()));
        }
        for id in plan.gone_users() {
            let user = directory.get(*id);
            if self.users[id.index()].dirty {
                self.orphan(RowKey::User(user.name.clone()));
            }
            let state = &self.users[id.index()];
            let (has_settings, dirty) = (state.settings.is_some(), state.settings_dirty);
            if dirty {
                self.orphan(RowKey::Settings(user.name.clone()));
            }
            if has_settings {
                let key = format!("settings/{}", user.name);
                let gone = Gone::new(now, Vec::new());
                self.orphaned.insert(Gone::key(&key), Some(gone.json()));
            }
            let sources = user
                .inputs
                .iter()
                .map(|input| directory.get_source(input.source));
            let sources = sources.filter(|source| {
                !matches!(source.kind, SourceKind::User(_))
                    && plan.directory().source(&source.address).is_none()
            });
            let sources = sources.map(|source| source.address.to_string()).collect();
            let key = format!("user/{}", user.name);
            let gone = Gone::new(now, sources);
            self.orphaned.insert(Gone::key(&key), Some(gone.json()));
        }
    }

    fn orphan(&mut self, key: RowKey) {
        if let Some(row) = self.row(key) {
            self.orphaned.insert(row.key, row.value);
        }
    }

    /// Deletes rows whose time has passed. `gone` maps the key of each orphaned row to its
    /// removal time; `None` if that cannot be read.
    pub fn drop_old(&mut self, gone: &[(String, Option<Gone>)], now: Time) {
        for (key, gone) in gone {
            match gone {
                _ if is_configured(&self.directory, key) => {
                    self.orphaned.insert(Gone::key(key), None);
                }
                // An unreadable time starts again instead of deleting the row.
                None => {
                    let gone = Gone::new(now, Vec::new());
                    self.orphaned.insert(Gone::key(key), Some(gone.json()));
                }
                Some(gone) if gone.is_over(now) => self.drop_row(key),
                Some(_) => {}
            }
        }
    }

    /// Deletes the rows of the named user that is no longer configured, or of all such users
    /// and sources if `name` is `None`. Returns the number of users.
    pub fn forget(&mut self, name: Option<&str>, gone: &[(String, Option<Gone>)]) -> usize {
        let mut users = BTreeSet::new();
        for (key, gone) in gone {
            if is_configured(&self.directory, key) {
                continue;
            }
            let user = key.strip_prefix("user/");
            let user = user.or_else(|| key.strip_prefix("settings/"));
            if let Some(name) = name {
                if !user.is_some_and(|user| user.eq_ignore_ascii_case(name)) {
                    continue;
                }
                for address in gone.iter().flat_map(|gone| &gone.sources) {
                    let key = format!("source/{address}");
                    if !is_configured(&self.directory, &key) {
                        self.drop_row(&key);
                    }
                }
            }
            users.extend(user.map(str::to_ascii_lowercase));
            self.drop_row(key);
        }
        users.len()
    }

    fn drop_row(&mut self, key: &str) {
        self.kept.remove(&kept_key(key));
        self.orphaned.insert(key.to_owned(), None);
        self.orphaned.insert(Gone::key(key), None);
    }
}
