//! Do not disturb of FreePBX and the status, which follow each other: see
//! [`presence::calls::follow_dnd`]. The comparing runs on the actions worker.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::backend::AsteriskBackend;
use crate::runtime::Runtime;
use crate::sync::Mutex;
use presence::actions::{Backend, TargetValue};
use presence::calls::feature_keys::refuses_calls;
use presence::calls::follow_dnd::{Agreement, ExtensionDnd, Followed, follow};
use presence::model::device::DeviceState;
use presence::model::freepbx::{DEVICE, extension_of, is_on};
use presence::model::text::quoted;
use presence::world::stored::FAMILY;
use presence::world::{DndRow, World};

/// The agreement of each user is below this key of [`FAMILY`].
const KEYS: &str = "dnd/";

/// How often one comparing begins anew because something has changed meanwhile: what changes more
/// often is compared again by the change itself.
const MOST: usize = 10;

/// The agreements that are not empty, by lower-case name of the user; with the name as it is in
/// AstDB's key.
#[derive(Default)]
pub struct Agreements(Mutex<BTreeMap<String, (Arc<str>, Agreement)>>);

impl Agreements {
    fn get(&self, user: &str) -> Agreement {
        let agreements = self.0.lock();
        let known = agreements.get(&user.to_ascii_lowercase());
        known.map_or_else(Agreement::default, |(_, agreement)| agreement.clone())
    }
}

/// A user as a comparing begins.
struct Follower {
    extensions: Vec<String>,
    /// Whether the user refuses calls.
    status: bool,
    entry: Option<DndRow>,
}

impl Follower {
    /// `None` for a user that is gone, or whose do not disturb follows nothing.
    fn of(world: &World, name: &str) -> Option<Self> {
        let directory = world.directory();
        let id = directory.user(name)?;
        let user = directory.get(id);
        if !user.rule.follow_dnd {
            return None;
        }
        let inputs = user.inputs.iter();
        let extensions = inputs.filter_map(|input| directory.extension(input));
        Some(Follower {
            extensions: extensions.map(str::to_owned).collect(),
            status: refuses_calls(world, id),
            entry: world.dnd_entry(id).map(DndRow::from),
        })
    }
}

impl Runtime {
    /// Reads the agreements of an earlier run, and what it knew of how users came into the state
    /// `dnd`.
    pub(super) fn read_agreements(&self) {
        let mut agreements = BTreeMap::new();
        for (key, value) in self.host().tree(FAMILY, KEYS) {
            let name = key.strip_prefix(KEYS).unwrap_or(&key);
            let Ok(agreement) = serde_json::from_str::<Agreement>(&value) else {
                log::warn!(
                    "AstDB entry '{FAMILY}/{key}' cannot be read: do not disturb of '{name}' is \
                     compared as if it had been off"
                );
                continue;
            };
            if let Some(entry) = &agreement.entry {
                self.update(|world, _| {
                    if let Some(user) = world.directory().user(name) {
                        world.restore_dnd(user, entry);
                    }
                    ((), Vec::new())
                });
            }
            agreements.insert(name.to_ascii_lowercase(), (name.into(), agreement));
        }
        *self.actions.agreements.0.lock() = agreements;
    }

    /// A user has changed: FreePBX's do not disturb follows. No lock may be held.
    pub fn follow_dnd_of_user(&self, user: &Arc<str>) {
        let status = self.read(|world| Follower::of(world, user).map(|user| user.status));
        if let Some(status) = status.flatten()
            && status != self.actions.agreements.get(user).status()
        {
            self.actions.orders.put_dnd([user.clone()]);
        }
    }

    /// A device has changed. If it is an extension's do not disturb, the status of the users
    /// with that extension follows.
    pub fn follow_dnd_of_device(&self, device: &str, state: DeviceState) {
        let Some(extension) = extension_of(device) else {
            return;
        };
        let users = self.read(|world| {
            let directory = world.directory();
            let users = directory.users_of_extension(extension).into_iter();
            let users = users.map(|user| directory.get(user));
            let users = users.filter(|user| user.rule.follow_dnd);
            users.map(|user| user.name.clone()).collect::<Vec<_>>()
        });
        let changed = users.unwrap_or_default().into_iter().filter(|user| {
            let agreement = self.actions.agreements.get(user);
            agreement.extension(extension) != is_on(state)
        });
        self.actions.orders.put_dnd(changed);
    }

    /// Compares do not disturb of every user with FreePBX's, at a load and after a reload.
    pub(super) fn follow_dnd_of_all(&self) {
        let users = self.read(|world| {
            let users = world.directory().users();
            let users = users.filter(|(_, user)| user.rule.follow_dnd);
            users.map(|(_, user)| user.name.clone()).collect::<Vec<_>>()
        });
        // The agreements of users that are gone, or follow no longer, go.
        let known: Vec<_> = {
            let agreements = self.actions.agreements.0.lock();
            agreements.values().map(|(name, _)| name.clone()).collect()
        };
        let users = known.into_iter().chain(users.unwrap_or_default());
        self.actions.orders.put_dnd(users);
    }

    /// Compares a user's do not disturb with FreePBX's, and has the side follow that has not
    /// changed. It compares again until nothing differs: something may have changed meanwhile
    /// whose event came before the agreement was known.
    pub(super) fn follow_dnd(&self, name: &Arc<str>) {
        crate::trip("follow dnd");
        for _ in 0..MOST {
            match self.follow_dnd_once(name) {
                Ok(true) => {}
                Ok(false) => return,
                Err(why) => {
                    log::warn!("Do not disturb of '{name}' does not follow: {why}");
                    return;
                }
            }
        }
        self.actions.orders.put_dnd([name.clone()]);
    }

    /// Returns whether anything was done.
    fn follow_dnd_once(&self, name: &Arc<str>) -> Result<bool, String> {
        let before = self.actions.agreements.get(name);
        let Some(user) = self.read(|world| Follower::of(world, name)).flatten() else {
            self.agree(name, Agreement::default())?;
            return Ok(false);
        };
        let key = name.to_ascii_lowercase();
        let mut backend = AsteriskBackend {
            runtime: self,
            user: name,
            status: "",
            row: name,
            key: &key,
        };
        let extensions = user.extensions.iter();
        let now = extensions.map(|extension| read(&mut backend, extension));
        let now: Vec<ExtensionDnd> = now.collect::<Result<_, _>>()?;
        let followed = before.followed(&now, user.status);
        let mut status = user.status;
        if let Followed::Extension(on, extension) = &followed {
            match self.set_status_by_dnd(name, status, (*on, extension)) {
                Some(new) => status = new,
                None => return Ok(true),
            }
        }
        let target = followed.target();
        let mut failed = None;
        for it in &now {
            if let Err(why) = write(&mut backend, it, target) {
                failed = Some(why);
            }
        }
        // Nothing is agreed then. An extension that has not followed would be taken for one that
        // was switched; so the next comparing finds the same change again.
        if let Some(why) = failed {
            return Err(why);
        }
        // What the status has become since is not agreed.
        let entry = self.read(|world| Follower::of(world, name)).flatten();
        let entry = entry.and_then(|user| user.entry);
        let agreed = now.into_iter().map(|it| (it.extension, target));
        let agreement = Agreement::new(agreed, status, entry);
        let differs = agreement != before;
        self.agree(name, agreement)?;
        Ok(differs)
    }

    /// Has the status follow an extension. Returns whether the user refuses calls then; `None`
    /// if that is no longer `status` before: then nothing is done.
    fn set_status_by_dnd(
        &self,
        name: &str,
        status: bool,
        (on, extension): (bool, &str),
    ) -> Option<bool> {
        let done = self.update(|world, now| match world.directory().user(name) {
            Some(user) if refuses_calls(world, user) == status => {
                let (done, effects) = follow(world, user, (on, extension), now);
                (Some((done, refuses_calls(world, user))), effects)
            }
            _ => (None, Vec::new()),
        });
        let (done, status) = done.flatten()?;
        if let Err(why) = done {
            log::info!(
                "Do not disturb of extension '{}' was switched {} in FreePBX, which the status of \
                 '{name}' does not follow: {why}",
                quoted(extension),
                if on { "on" } else { "off" }
            );
        }
        Some(status)
    }

    /// Stores an agreement.
    fn agree(&self, name: &Arc<str>, agreement: Agreement) -> Result<(), String> {
        let key = name.to_ascii_lowercase();
        let row = {
            let mut agreements = self.actions.agreements.0.lock();
            let known = agreements.get(&key);
            let before = known.map_or_else(Agreement::default, |(_, it)| it.clone());
            if before == agreement {
                return Ok(());
            }
            let row = known.map_or_else(|| name.clone(), |(row, _)| row.clone());
            match agreement.is_empty() {
                true => drop(agreements.remove(&key)),
                false => drop(agreements.insert(key, (row.clone(), agreement.clone()))),
            }
            row
        };
        let place = format!("{KEYS}{row}");
        let json = serde_json::to_string(&agreement).map_err(|why| why.to_string())?;
        match agreement.is_empty() {
            true => self.host().del(FAMILY, &place),
            false => self.host().put(FAMILY, &place, &json),
        }
    }
}

fn entry_of(extension: &str) -> String {
    format!("DB(DND/{extension})")
}

fn device_of(extension: &str) -> String {
    format!("DEVICE_STATE({DEVICE}{extension})")
}

/// Reads both from AstDB, where FreePBX's dialplan and Asterisk put them before they report them:
/// what the core has of a device may be older.
fn read(backend: &mut AsteriskBackend<'_>, extension: &str) -> Result<ExtensionDnd, String> {
    let entry = backend.read(&entry_of(extension))?;
    let device = backend.read(&device_of(extension))?;
    let state = device.text().unwrap_or_default();
    Ok(ExtensionDnd {
        extension: extension.to_owned(),
        entry: entry.text().is_some_and(|value| !value.is_empty()),
        device: DeviceState::parse(state).is_ok_and(is_on),
    })
}

/// Switches do not disturb of an extension as FreePBX does: the entry first, then the device of
/// the extension, then those of its phones.
fn write(backend: &mut AsteriskBackend<'_>, now: &ExtensionDnd, on: bool) -> Result<(), String> {
    if now.is(on) {
        return Ok(());
    }
    let extension = &now.extension;
    if now.entry != on {
        backend.write(&entry_of(extension), on.then_some("YES"))?;
    }
    let state = if on { "BUSY" } else { "UNAVAILABLE" };
    if now.device != on {
        backend.write(&device_of(extension), Some(state))?;
    }
    let devices = backend.read(&format!("DB(AMPUSER/{extension}/device)"))?;
    let devices = match &devices {
        TargetValue::Text(devices) => devices.as_str(),
        TargetValue::Absent | TargetValue::Unreadable => "",
    };
    for device in devices.split('&').filter(|device| !device.is_empty()) {
        backend.write(&format!("DEVICE_STATE(Custom:DEVDND{device})"), Some(state))?;
    }
    Ok(())
}

#[cfg(all(test, not(feature = "loom")))]
mod tests {
    use super::*;
    use crate::runtime::testing::runtime;
    use std::sync::atomic::Ordering;

    #[test]
    fn an_extension_that_could_not_follow_was_not_switched() {
        let configuration = "[alice]\ntype = user\nextension = 200\nfollow_dnd = yes\n";
        let (runtime, fake) = runtime(configuration);
        let alice: Arc<str> = "alice".into();
        let refuses = || {
            let status = runtime.read(|world| Follower::of(world, &alice).map(|user| user.status));
            status.flatten().unwrap()
        };
        let put = |family: &str, key: &str, value: &str| {
            let mut database = fake.database.lock().unwrap();
            database.insert((family.to_owned(), key.to_owned()), value.to_owned());
        };
        let get = |family: &str, key: &str| {
            let database = fake.database.lock().unwrap();
            database.get(&(family.to_owned(), key.to_owned())).cloned()
        };
        put("DND", "200", "YES");
        put("CustomDevstate", "DND200", "BUSY");
        // The status is another one since.
        let agreement = Agreement::new([("200".to_owned(), true)], true, None);
        let agreements = &runtime.actions.agreements.0;
        agreements
            .lock()
            .insert("alice".into(), (alice.clone(), agreement));
        fake.refuses_assignments.store(true, Ordering::Relaxed);
        runtime.follow_dnd(&alice);
        assert_eq!(get("CustomDevstate", "DND200").as_deref(), Some("BUSY"));
        fake.refuses_assignments.store(false, Ordering::Relaxed);
        runtime.follow_dnd(&alice);
        assert!(!refuses(), "the status counts");
        let device = get("CustomDevstate", "DND200");
        assert_eq!(device.as_deref(), Some("UNAVAILABLE"));
        assert_eq!(get("DND", "200"), None);
        let agreement = runtime.actions.agreements.get("alice");
        assert_eq!(agreement, Agreement::default());
        // One that was switched is followed.
        put("CustomDevstate", "DND200", "BUSY");
        runtime.follow_dnd(&alice);
        assert!(refuses());
        assert_eq!(get("DND", "200").as_deref(), Some("YES"));
    }
}
