//! Rows of users and sources that the configuration has no more: they are kept for a
//! while, and come back with them.

use std::collections::BTreeMap;

use super::rows::RowKey;
use super::{Plan, RowChange, World};
use crate::directory::{Directory, SourceKind};
use crate::model::time::Time;
use crate::world::gone_users::{Gone, PREFIX};
use crate::world::stored::Stored;

/// Whether a row with that key belongs to somebody or something of the configuration.
fn is_configured(directory: &Directory, key: &str) -> bool {
    match key.split_once('/') {
        Some(("user", name)) => directory.user(name).is_some(),
        Some(("source", address)) => directory.source(address).is_some(),
        Some((kind, _)) => format!("{kind}/") != PREFIX,
        None => true,
    }
}

impl World {
    /// Rows to be written whose values follow from nothing that is known any more; `None`
    /// deletes.
    pub fn orphaned_rows(&self) -> &BTreeMap<String, Option<String>> {
        &self.orphaned
    }

    /// Up to `most` of them, to be written.
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

    /// Takes back one that could not be written; says whether it was one of these.
    pub(super) fn put_back_orphaned(&mut self, row: &RowChange) -> bool {
        let loose = !is_configured(&self.directory, &row.key);
        if loose {
            let value = row.value.clone();
            self.orphaned.entry(row.key.clone()).or_insert(value);
        }
        loose
    }

    /// Notes since when what was stored is nobody's, and what is somebody's again.
    pub(super) fn note_absent(&mut self, stored: &Stored, now: Time) {
        let directory = self.directory.clone();
        let users = stored.users.keys().map(|name| format!("user/{name}"));
        let sources = stored.sources.keys();
        let sources = sources.map(|address| format!("source/{address}"));
        for key in users.chain(sources) {
            if !is_configured(&directory, &key) && !stored.gone.contains_key(&key) {
                let gone = Gone::new(now, Vec::new());
                self.orphaned.insert(Gone::key(&key), Some(gone.json()));
            }
        }
        self.clear_returned(stored);
    }

    /// Whoever was gone and is back is gone no more, and has the row again.
    pub(super) fn clear_returned(&mut self, stored: &Stored) {
        let directory = self.directory.clone();
        for key in stored.gone.keys() {
            if !is_configured(&directory, key) {
                continue;
            }
            self.orphaned.remove(key);
            self.orphaned.insert(Gone::key(key), None);
            // Written anew, whatever was about to happen to the row.
            match key.split_once('/') {
                Some(("user", name)) => {
                    if let Some(user) = directory.user(name) {
                        self.mark_user(user);
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

    /// Before another directory takes over: what is known of those who go is to be stored,
    /// and since when they are gone.
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

    /// Drops what has been kept for long enough. `gone` are the rows that say since when,
    /// by the key of what they say it of; `None` where one cannot be read.
    pub fn drop_old(&mut self, gone: &[(String, Option<Gone>)], now: Time) {
        for (key, gone) in gone {
            match gone {
                _ if is_configured(&self.directory, key) => {
                    self.orphaned.insert(Gone::key(key), None);
                }
                // Counted anew, rather than thrown away for that.
                None => {
                    let gone = Gone::new(now, Vec::new());
                    self.orphaned.insert(Gone::key(key), Some(gone.json()));
                }
                Some(gone) if gone.is_over(now) => self.drop_row(key),
                Some(_) => {}
            }
        }
    }

    /// Drops what is stored of the user of that name who is gone, or of everybody and
    /// everything that is. Says how many users that were.
    pub fn forget(&mut self, name: Option<&str>, gone: &[(String, Option<Gone>)]) -> usize {
        let mut users = 0;
        for (key, gone) in gone {
            if is_configured(&self.directory, key) {
                continue;
            }
            let user = key.strip_prefix("user/");
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
            users += usize::from(user.is_some());
            self.drop_row(key);
        }
        users
    }

    fn drop_row(&mut self, key: &str) {
        self.orphaned.insert(key.to_owned(), None);
        self.orphaned.insert(Gone::key(key), None);
    }
}
