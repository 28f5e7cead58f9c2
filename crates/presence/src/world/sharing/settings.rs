//! A user's own settings, item by item: two items that are changed on two sides of a partition
//! both stay.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::keys::SharedKey;
use super::registers::{Item, SettingsRegister, json};
use super::{Gathered, ItemVersions, SharedEntry, Version};
use crate::directory::UserId;
use crate::model::own_settings::{MAX_BYTES, OwnSettings};
use crate::model::time::Time;
use crate::world::World;

/// The items of an object by their paths. What is no object is an item.
type Items = BTreeMap<String, Value>;

impl World {
    /// The user's own settings were changed here.
    pub(in crate::world) fn note_settings(
        &mut self,
        user: UserId,
        before: Option<&OwnSettings>,
        now: Time,
    ) {
        if self.replica.is_none() {
            return;
        }
        let (before, after) = (items(before), items(self.own_settings(user)));
        let at = self.stamp(now);
        let version = self.version(at);
        let paths = before.keys().chain(after.keys());
        let changed = paths.filter(|path| before.get(*path) != after.get(*path));
        let changed: Vec<&String> = changed.collect();
        if let Some(replica) = &mut self.replica {
            let versions = replica.items.entry(user).or_default();
            for path in changed {
                versions.insert(path.as_str().into(), version);
            }
            replica.wait(SharedKey::Settings(user));
        }
    }

    pub(super) fn take_settings(
        &mut self,
        user: UserId,
        entry: &SharedEntry,
        taken: &mut Gathered,
        now: Time,
    ) {
        let Some(replica) = &mut self.replica else {
            return;
        };
        let known = &mut replica.users[user.index()].settings_revision;
        if entry.value.is_some() && entry.revision <= *known {
            return;
        }
        *known = entry.value.map_or(0, |_| entry.revision);
        let text = entry.value.unwrap_or("{}");
        let Ok(mut register) = serde_json::from_str::<SettingsRegister>(text) else {
            // A later release may have written it.
            return;
        };
        let is_right = self.latest(now).check_settings(&mut register);
        self.join_settings(user, &register, taken, now);
        if is_right {
            self.compare_settings(user, &register);
        } else if let Some(replica) = &mut self.replica {
            replica.doubt(entry.path);
        }
    }

    /// Has the register written if this node has later items.
    pub(super) fn compare_settings(&mut self, user: UserId, register: &SettingsRegister) {
        let Some(replica) = &mut self.replica else {
            return;
        };
        let versions = replica.items.get(&user);
        let ahead = versions.into_iter().flatten().any(|(path, version)| {
            let there = register.get(&**path).map(|item| item.version);
            *version > there.unwrap_or_default()
        });
        let key = SharedKey::Settings(user);
        replica.wait_if(ahead, key);
    }

    fn join_settings(
        &mut self,
        user: UserId,
        register: &SettingsRegister,
        taken: &mut Gathered,
        now: Time,
    ) {
        let Some(replica) = &mut self.replica else {
            return;
        };
        let versions = replica.items.get(&user);
        let known = |path: &str| versions.and_then(|it| it.get(path)).copied();
        let later = |(path, item): &(&String, &Item)| {
            item.version > known(path.as_str()).unwrap_or_default()
        };
        let later: Vec<(&String, &Item)> = register.iter().filter(later).collect();
        if later.is_empty() {
            return;
        }
        let mut all = items(self.own_settings(user));
        let mut seen = Version::NONE;
        for (path, item) in &later {
            seen = seen.max(item.version);
            match &item.value {
                Some(value) => all.insert((*path).clone(), value.clone()),
                None => all.remove(*path),
            };
        }
        self.saw(seen);
        let Some(replica) = &mut self.replica else {
            return;
        };
        let versions = replica.items.entry(user).or_default();
        for (path, item) in later {
            versions.insert(path.as_str().into(), item.version);
        }
        let settings = settings_of(&all, versions);
        self.mark_settings(user);
        let effects = self.put_settings(user, settings.as_ref(), now);
        taken.effects.extend(effects);
    }

    /// Gives versions to settings that were made before anything was shared: older than all
    /// that the cluster has. Returns whether there were any.
    pub(super) fn give_versions_to_settings(&mut self, user: UserId) -> bool {
        let Some(settings) = self.own_settings(user) else {
            return false;
        };
        let (all, first) = (items(Some(settings)), self.version(Time::NEVER));
        let Some(replica) = &mut self.replica else {
            return false;
        };
        let versions = replica.items.entry(user).or_default();
        let before = versions.len();
        for path in all.into_keys() {
            versions.entry(path.into()).or_insert(first);
        }
        versions.len() > before
    }

    /// The register of the user's own settings; `None` if none was ever made.
    pub(super) fn settings_register(&self, user: UserId) -> Option<String> {
        let versions = self.item_versions(user)?;
        let mut all = items(self.own_settings(user));
        let items = versions.iter().map(|(path, version)| {
            let (path, version) = (path.to_string(), *version);
            let value = all.remove(&path);
            (path, Item { value, version })
        });
        let register: SettingsRegister = items.collect();
        Some(json(&register))
    }

    /// The versions of the user's own settings, for the row; `None` if none was ever made.
    pub(in crate::world) fn item_versions(&self, user: UserId) -> Option<&ItemVersions> {
        let versions = self.replica.as_deref()?.items.get(&user)?;
        (!versions.is_empty()).then_some(versions)
    }
}

/// The settings with these items. Items at and below one path do not both fit: the later one
/// stays. If all together are too large, the latest ones stay.
fn settings_of(all: &Items, versions: &ItemVersions) -> Option<OwnSettings> {
    let version = |path: &str| versions.get(path).copied().unwrap_or_default();
    let mut ordered: Vec<(&String, &Value)> = all.iter().collect();
    ordered.sort_by_key(|(path, _)| version(path));
    // Those that certainly do not fit go at once: each takes more than its value.
    let mut bytes = 0;
    let fit = ordered.iter().rev().take_while(|(_, value)| {
        bytes += 4 + value.as_str().map_or(1, str::len);
        bytes <= MAX_BYTES
    });
    ordered.drain(..ordered.len() - fit.count());
    loop {
        let mut object = Map::new();
        for (path, value) in &ordered {
            insert(&mut object, path, (*value).clone());
        }
        match OwnSettings::of(object) {
            Ok(settings) => return settings,
            Err(_) if ordered.is_empty() => return None,
            Err(_) => ordered.remove(0),
        };
    }
}

fn items(settings: Option<&OwnSettings>) -> Items {
    let mut all = Items::new();
    if let Some(settings) = settings {
        gather("", settings.object(), &mut all);
    }
    all
}

fn gather(path: &str, object: Map<String, Value>, all: &mut Items) {
    for (name, value) in object {
        let path = format!("{path}/{}", name.replace('~', "~0").replace('/', "~1"));
        match value {
            Value::Object(inner) => gather(&path, inner, all),
            value => drop(all.insert(path, value)),
        }
    }
}

fn insert(object: &mut Map<String, Value>, path: &str, value: Value) {
    let mut names = path.split('/').skip(1).map(|name| {
        // A JSON pointer, RFC 6901.
        name.replace("~1", "/").replace("~0", "~")
    });
    let Some(mut name) = names.next() else {
        return;
    };
    let mut object = object;
    for next in names {
        let inner = object.entry(name).or_insert(Value::Null);
        if !inner.is_object() {
            *inner = Value::Object(Map::new());
        }
        let Some(inner) = inner.as_object_mut() else {
            return;
        };
        (object, name) = (inner, next);
    }
    object.insert(name, value);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_round_trip_and_the_later_of_two_that_collide_stays() {
        let text = r#"{"mobile":"1","statuses":{"a/b~":{"ringTimeout":7,"x":[1]}}}"#;
        let settings = OwnSettings::restore(text).unwrap();
        let all = items(Some(&settings));
        let paths: Vec<&str> = all.keys().map(String::as_str).collect();
        assert_eq!(
            paths,
            [
                "/mobile",
                "/statuses/a~1b~0/ringTimeout",
                "/statuses/a~1b~0/x"
            ]
        );
        let again = settings_of(&all, &ItemVersions::new()).unwrap();
        assert_eq!(again, settings);
        assert_eq!(settings_of(&Items::new(), &ItemVersions::new()), None);

        let collide: Items = [("/a".to_owned(), 1.into()), ("/a/b".to_owned(), 2.into())].into();
        let bits = super::super::version::NodeBits::of("n", "");
        let at = |micros| Version::new(Time::from_micros(micros), bits);
        let json = |first, second| {
            let versions = [("/a".into(), at(first)), ("/a/b".into(), at(second))];
            let settings = settings_of(&collide, &versions.into()).unwrap();
            settings.json().to_owned()
        };
        assert_eq!(json(1, 2), r#"{"a":{"b":2}}"#);
        assert_eq!(json(2, 1), r#"{"a":1}"#);
    }

    #[test]
    fn what_is_too_large_together_keeps_the_latest() {
        let bits = super::super::version::NodeBits::of("n", "");
        let many = (0..40).map(|at| (format!("/m{at:02}"), Value::from("x".repeat(600))));
        let all: Items = many.collect();
        let versions = all.keys().enumerate();
        let versions: ItemVersions = versions
            .map(|(at, path)| {
                let version = Version::new(Time::from_micros(at as u64), bits);
                (path.as_str().into(), version)
            })
            .collect();
        let settings = settings_of(&all, &versions).unwrap();
        assert!(settings.json().contains("m39"));
        assert!(!settings.json().contains("m00"));
    }
}
