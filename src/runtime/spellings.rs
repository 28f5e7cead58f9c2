//! Devices of users as hints spell them: `UserPresence:bob` for the user `[Bob]`.
//!
//! From 20.21, 22.11 and 23.5 on, a hint follows a device only under the very spelling that the
//! hint has: see [`Providers::hints_match_case`](super::host::Providers::hints_match_case). So
//! a device is published under each spelling that a hint has, too, and under no other one. Older
//! releases need none of this. Presences are matched without regard to case on every release.
//!
//! Nothing reports a change of the dialplan, but a new hint asks the device state provider. Then
//! the persister reads the hints again: the provider is given no label, and runs under locks of
//! the core. Names that only a function such as `DEVICE_STATE()` has asked for are never kept.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustc_hash::FxBuildHasher;

use super::Runtime;
use crate::sync::Mutex;
use presence::Time;
use presence::directory::Directory;
use presence::model::address::{USER_LABEL, below};
use presence::model::device::Watcher;
use presence::model::text::quoted;
use presence::model::watched::Watched;

/// A user, in lower case, and a watcher.
type Device = (String, Watcher);

/// So many spellings of one device are published. A pattern such as `_X.` makes a hint of every
/// spelling that a phone subscribes to.
const MOST: usize = 32;

/// The hints are read again at most once in this time, and so seldom that reading takes at most
/// one part in [`SHARE`] of the time.
const PAUSE: Duration = Duration::from_secs(1);
const SHARE: u32 = 100;

/// The spellings other than the configured one.
pub struct Spellings {
    /// Whether a hint follows a device under its own spelling only.
    matter: bool,
    others: Mutex<HashMap<Device, Vec<Arc<str>>, FxBuildHasher>>,
    /// Whether there is any, so that most servers take no lock for a publish.
    any: AtomicBool,
    /// A hint may have asked since the hints were read.
    asked: AtomicBool,
    read: Mutex<LastReading>,
}

#[derive(Default)]
struct LastReading {
    ended: Option<Instant>,
    took: Duration,
}

impl Spellings {
    /// None yet. `matter`: whether a hint follows a device under its own spelling only.
    pub(super) fn new(matter: bool) -> Self {
        Spellings {
            matter,
            others: Mutex::default(),
            any: AtomicBool::new(false),
            asked: AtomicBool::new(false),
            read: Mutex::default(),
        }
    }

    /// Whether a hint follows a device under its own spelling only.
    pub(super) fn matter(&self) -> bool {
        self.matter
    }

    /// The device of a user in every spelling in which it is published, the configured one
    /// first.
    pub(super) fn all(&self, user: &str, watcher: Watcher) -> Vec<Arc<str>> {
        let mut all = vec![Arc::<str>::from(device_of(user, watcher))];
        if self.any.load(Ordering::Acquire) {
            let device = (user.to_ascii_lowercase(), watcher);
            let others = self.others.lock();
            let others = others.get(&device).into_iter().flatten();
            // An earlier spelling may be the configured one now.
            let others: Vec<_> = others.filter(|other| **other != all[0]).cloned().collect();
            all.extend(others);
        }
        all
    }

    /// Adds a spelling. `Err` if the device has too many.
    fn add(&self, device: &Device, spelling: &str) -> Result<bool, ()> {
        let mut others = self.others.lock();
        let known = others.entry(device.clone()).or_default();
        if known.iter().any(|known| **known == *spelling) {
            return Ok(false);
        }
        if known.len() >= MOST {
            return Err(());
        }
        known.push(spelling.into());
        self.any.store(true, Ordering::Release);
        Ok(true)
    }

    /// Drops those of a removed user.
    pub(super) fn forget(&self, user: &str) {
        if !self.any.load(Ordering::Acquire) {
            return;
        }
        let user = user.to_ascii_lowercase();
        let mut others = self.others.lock();
        for watcher in Watcher::ALL {
            others.remove(&(user.clone(), watcher));
        }
        self.any.store(!others.is_empty(), Ordering::Release);
    }
}

impl Runtime {
    /// The device state provider was asked for a user, perhaps by a new hint.
    pub fn device_asked(&self) {
        // The swap is last: it writes to memory that all processors share.
        let asked = &self.spellings.asked;
        if self.spellings.matter
            && !asked.load(Ordering::Relaxed)
            && !asked.swap(true, Ordering::AcqRel)
        {
            self.wake_persister(false);
        }
    }

    /// Takes over how hints spell the devices of users; returns the devices with new spellings,
    /// which are to be published. Nothing on a release that does not tell them apart.
    pub(super) fn note_spellings(&self, directory: &Directory, watched: &Watched) -> Vec<Device> {
        if !self.spellings.matter {
            return Vec::new();
        }
        let mut new = Vec::new();
        for spelling in &watched.spellings {
            let Some(name) = below(spelling, USER_LABEL) else {
                continue;
            };
            let (name, watcher) = Watcher::split(name);
            let Some(user) = directory.user(name) else {
                continue;
            };
            let configured = &directory.get(user).name;
            if **spelling == device_of(configured, watcher) {
                continue;
            }
            let device = (name.to_ascii_lowercase(), watcher);
            match self.spellings.add(&device, spelling) {
                Ok(true) => new.push(device),
                Ok(false) => {}
                Err(()) => self.warn_once("spellings", &device.0, || {
                    format!(
                        "Hints spell the device of user '{configured}' in more than {MOST} ways: \
                         {} is not published, expected UserPresence:{configured}",
                        quoted(spelling)
                    )
                }),
            }
        }
        new
    }

    /// Publishes devices under spellings that hints have since the last look, if any may. Returns
    /// when to look again. For the persister.
    pub(super) fn follow_spellings(&self) -> Option<Time> {
        if !self.spellings.asked.load(Ordering::Acquire) {
            return None;
        }
        let pause = {
            let last = self.spellings.read.lock();
            let pause = PAUSE.max(last.took * SHARE);
            last.ended
                .and_then(|ended| pause.checked_sub(ended.elapsed()))
        };
        if let Some(pause) = pause.filter(|pause| !pause.is_zero()) {
            return Some(self.now().after(pause));
        }
        let begun = Instant::now();
        // Before the hints are read: a hint that asks meanwhile has them read again.
        self.spellings.asked.store(false, Ordering::Release);
        let new = self.read_spellings();
        self.update(|world, _| ((), world.show_devices(&new)));
        *self.spellings.read.lock() = LastReading {
            ended: Some(Instant::now()),
            took: begun.elapsed(),
        };
        None
    }

    fn read_spellings(&self) -> Vec<Device> {
        let Some(directory) = self.read(|world| world.directory().clone()) else {
            return Vec::new();
        };
        self.note_spellings_for(&directory)
    }

    /// Reads the hints and takes over how they spell the devices of that directory's users.
    pub(super) fn note_spellings_for(&self, directory: &Directory) -> Vec<Device> {
        self.note_spellings(directory, &self.read_hints())
    }

    /// Reads what the hints watch. No lock may be held.
    pub(super) fn read_hints(&self) -> Watched {
        let mut watched = Watched::default();
        self.hints.read(self.host(), &mut |hint| {
            watched.add_hint(&String::from_utf8_lossy(hint.names));
        });
        watched
    }
}

/// The device of a user, as it is published.
fn device_of(user: &str, watcher: Watcher) -> String {
    format!("{USER_LABEL}:{user}{}", watcher.suffix())
}

#[cfg(all(test, not(feature = "loom")))]
mod tests {
    use super::super::testing::{Fake, runtime_where};
    use super::*;
    use presence::model::device::DeviceState;

    const BOB: &str = "[Bob]\ntype = user\n[carol]\ntype = user\n";

    fn put(fake: &Fake, hints: &[&str]) {
        let hints = hints.iter().enumerate().map(|(number, names)| {
            let context = "default".to_owned();
            (context, number.to_string(), (*names).to_owned())
        });
        *fake.hints.lock().unwrap() = hints.collect();
    }

    fn published(fake: &Fake) -> Vec<String> {
        let devices = std::mem::take(&mut *fake.devices.lock().unwrap());
        devices.into_iter().map(|(device, _)| device).collect()
    }

    fn started(match_case: bool) -> (Arc<Runtime>, Arc<Fake>) {
        runtime_where(BOB, |fake| {
            fake.match_case.store(match_case, Ordering::Relaxed);
        })
    }

    #[test]
    fn the_spellings_of_hints_are_published_once_they_may_be_new() {
        let (runtime, fake) = started(true);
        let hints = [
            "UserPresence:Bob&PJSIP/1",
            "userpresence:bob,UserPresence:bob",
            "UserPresence:BOB@queue",
            "UserPresence:nobody",
        ];
        put(&fake, &hints);
        assert_eq!(runtime.follow_spellings(), None);
        assert_eq!(published(&fake), Vec::<String>::new());
        runtime.device_asked();
        assert_eq!(runtime.follow_spellings(), None);
        let mut told = published(&fake);
        told.sort();
        let expected = [
            "UserPresence:BOB@queue",
            "UserPresence:Bob",
            "UserPresence:Bob@queue",
            "userpresence:bob",
        ];
        assert_eq!(told, expected);
        // Again after a pause, and only what is new.
        put(&fake, &[&hints[..], &["UserPresence:CAROL"]].concat());
        runtime.device_asked();
        let read = fake.hints_read.load(Ordering::Relaxed);
        assert!(runtime.follow_spellings() > Some(runtime.now()));
        assert_eq!(fake.hints_read.load(Ordering::Relaxed), read);
        *runtime.spellings.read.lock() = LastReading::default();
        assert_eq!(runtime.follow_spellings(), None);
        assert_eq!(
            published(&fake),
            ["UserPresence:carol", "UserPresence:CAROL"]
        );
        runtime.publish_device("Bob", Watcher::Lamp, DeviceState::Busy);
        assert_eq!(published(&fake), ["UserPresence:Bob", "userpresence:bob"]);
        runtime.spellings.forget("Bob");
        runtime.publish_device("Bob", Watcher::Lamp, DeviceState::Busy);
        assert_eq!(published(&fake), ["UserPresence:Bob"]);
    }

    #[test]
    fn a_device_has_a_bounded_number_of_spellings() {
        let (runtime, fake) = started(true);
        // Each bit of the number is a letter's case.
        let letters =
            |number: usize| {
                let label = "userpresence".chars().enumerate().map(|(bit, letter)| {
                    match number >> bit & 1 {
                        0 => letter,
                        _ => letter.to_ascii_uppercase(),
                    }
                });
                label.chain(":carol".chars()).collect::<String>()
            };
        let hints: Vec<String> = (0..100).map(letters).collect();
        put(&fake, &hints.iter().map(String::as_str).collect::<Vec<_>>());
        runtime.device_asked();
        runtime.follow_spellings();
        published(&fake);
        runtime.publish_device("carol", Watcher::Lamp, DeviceState::Busy);
        assert_eq!(published(&fake).len(), MOST + 1);
    }

    #[test]
    fn an_older_core_needs_one_spelling() {
        let (runtime, fake) = started(false);
        put(&fake, &["UserPresence:bob"]);
        runtime.device_asked();
        assert_eq!(runtime.follow_spellings(), None);
        assert_eq!(fake.hints_read.load(Ordering::Relaxed), 0);
        runtime.publish_device("Bob", Watcher::Lamp, DeviceState::Busy);
        assert_eq!(published(&fake), ["UserPresence:Bob"]);
    }
}
