//! Which extensions have hints that name users.
//!
//! A SIP phone is told of an extension, and Asterisk does not say of which context. So the
//! hints of the dialplan are kept, by extension, and what is found is compared with the dialplan
//! itself before it is believed.
//!
//! The dialplan may change at any time without notice. An extension that is known is looked up
//! again each time; one that is not known is looked for in every context that has hints, and all
//! hints are read again from time to time. So a changed, a removed or a new hint is known at
//! once, and only a second hint of a known extension, in another context, after some seconds.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustc_hash::FxBuildHasher;

use super::Runtime;
use super::host::Host;
use crate::sync::Mutex;
use presence::Presence;
use presence::model::hint::{HintParts, told_of};

/// All hints are read again after so long, and so late that reading takes at most one part in
/// [`SHARE`] of the time.
const AGE: Duration = Duration::from_secs(10);
const SHARE: u32 = 500;
/// An extension that no context has lets them be read again, but not more often than so.
const MISSED: Duration = Duration::from_secs(1);
/// Of an extension with more hints than this, the hints are taken as they were read.
const CHECKED: usize = 4;

/// What is known of the dialplan's hints.
#[derive(Default)]
pub struct HintIndex {
    known: Mutex<Option<Arc<KnownHints>>>,
    /// Whether a thread reads the hints.
    reading: AtomicBool,
}

struct KnownHints {
    at: Instant,
    took: Duration,
    hints: HashMap<String, Vec<KnownHint>, FxBuildHasher>,
    /// The contexts that have hints.
    contexts: Vec<Arc<str>>,
}

struct KnownHint {
    context: Arc<str>,
    /// What it names; empty for a hint that names no user.
    names: Box<str>,
}

impl KnownHints {
    fn read(host: &dyn Host) -> Self {
        let at = Instant::now();
        let mut contexts = BTreeSet::<Arc<str>>::new();
        let mut hints = HashMap::<String, Vec<KnownHint>, FxBuildHasher>::default();
        host.each_hint(&mut |hint| {
            let texts = [hint.context, hint.extension].map(std::str::from_utf8);
            let [Ok(context), Ok(extension)] = texts else {
                return;
            };
            let context = match contexts.get(context) {
                Some(known) => known.clone(),
                None => {
                    let new = Arc::<str>::from(context);
                    contexts.insert(new.clone());
                    new
                }
            };
            if extension.starts_with('_') {
                return;
            }
            let names = std::str::from_utf8(hint.names).unwrap_or_default();
            let of_user = HintParts::new(names).has_user();
            let names = if of_user { names } else { "" }.into();
            let known = hints.entry(extension.to_owned()).or_default();
            known.push(KnownHint { context, names });
        });
        KnownHints {
            at,
            took: at.elapsed(),
            hints,
            contexts: contexts.into_iter().collect(),
        }
    }

    fn is_older(&self, age: Duration) -> bool {
        self.at.elapsed() > age.max(self.took * SHARE)
    }

    /// What the hints of that extension name, in each context that has one.
    fn names(&self, host: &dyn Host, extension: &str) -> Vec<String> {
        let known = self.hints.get(extension).map_or(&[][..], Vec::as_slice);
        if known.len() > CHECKED {
            return known.iter().map(|hint| hint.names.to_string()).collect();
        }
        let known = known.iter().map(|hint| &hint.context);
        let now: Vec<String> = known
            .filter_map(|context| host.hint(context, extension))
            .collect();
        if !now.is_empty() {
            return now;
        }
        // One that was made of a pattern since, or is written differently.
        let all = self.contexts.iter();
        all.filter_map(|context| host.hint(context, extension))
            .collect()
    }
}

impl HintIndex {
    /// What is known, read anew where it is older than `age`. No lock may be held.
    fn known(&self, host: &dyn Host, age: Duration) -> Arc<KnownHints> {
        let known = self.known.lock().clone();
        if let Some(known) = known {
            let is_fresh = !known.is_older(age);
            // One thread reads; the others go on with what there is.
            if is_fresh || self.reading.swap(true, Ordering::AcqRel) {
                return known;
            }
        }
        let read = Arc::new(KnownHints::read(host));
        *self.known.lock() = Some(read.clone());
        self.reading.store(false, Ordering::Release);
        read
    }
}

/// A hint that names users, as far as a phone is concerned.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct WatchedHint {
    /// Whether it has a device.
    pub has_device: bool,
}

impl Runtime {
    /// The hint of that extension, of which a phone is told that its presence is `told`; `None`
    /// if the hint names no user. No lock may be held.
    pub fn watched_hint(&self, extension: &str, told: &Presence) -> Option<WatchedHint> {
        let host = self.host();
        let mut names = self.hints.known(host, AGE).names(host, extension);
        if names.is_empty() {
            names = self.hints.known(host, MISSED).names(host, extension);
        }
        let hints = names.iter().map(|names| HintParts::new(names));
        let hint = told_of(hints, |hint| {
            hint.users().any(|user| self.shows(user, told))
        })?;
        Some(WatchedHint {
            has_device: hint.has_device(),
        })
    }

    /// Whether Asterisk may show that presence for that user.
    fn shows(&self, user: &str, presence: &Presence) -> bool {
        let shows = self.read(|world| {
            let user = world.directory().user(user)?;
            Some(world.may_show(user, presence))
        });
        shows.flatten().unwrap_or_default()
    }
}

#[cfg(all(test, not(feature = "loom")))]
mod tests {
    use super::super::testing::{Fake, runtime};
    use super::*;
    use presence::State;

    fn put(fake: &Fake, hints: &[(&str, &str, &str)]) {
        let owned = hints.iter().map(|(context, extension, names)| {
            let texts = [context, extension, names];
            let [context, extension, names] = texts.map(|text| (*text).to_owned());
            (context, extension, names)
        });
        *fake.hints.lock().unwrap() = owned.collect();
    }

    const USERS: &str = "[alice]\ntype = user\n[bob]\ntype = user\n";

    #[test]
    fn hints_are_known_as_they_are_now() {
        let (runtime, fake) = runtime(USERS);
        let not_set = Presence::NOT_SET;
        let device = |runtime: &Runtime, extension: &str| {
            let hint = runtime.watched_hint(extension, &not_set);
            hint.map(|hint| hint.has_device)
        };
        put(
            &fake,
            &[("a", "1", "X/1,UserPresence:alice"), ("a", "2", "X/2")],
        );
        assert_eq!(device(&runtime, "1"), Some(true));
        assert_eq!(device(&runtime, "2"), None);
        // What is known is compared, and what is not known is looked for where hints are.
        put(&fake, &[("a", "1", "X/1"), ("a", "2", ",UserPresence:bob")]);
        assert_eq!(device(&runtime, "1"), None);
        assert_eq!(device(&runtime, "2"), Some(false));
        put(&fake, &[("a", "3", ",UserPresence:bob")]);
        assert_eq!(device(&runtime, "2"), None);
        assert_eq!(device(&runtime, "3"), Some(false));
    }

    #[test]
    fn the_presence_decides_between_contexts() {
        let (runtime, fake) = runtime(USERS);
        let away = Presence::from(State::Away);
        let is_own = |told: &Presence| runtime.watched_hint("1", told).is_some();
        put(
            &fake,
            &[("a", "1", ",UserPresence:alice"), ("b", "1", "X/1")],
        );
        assert!(is_own(&Presence::NOT_SET) && !is_own(&away));
        let names: Vec<String> = (0..9).map(|number| format!("c{number}")).collect();
        let mut hints = vec![("a", "1", ",UserPresence:alice")];
        hints.extend(names.iter().map(|name| (&**name, "1", "X/1")));
        put(&fake, &hints);
        let (runtime, again) = super::super::testing::runtime(USERS);
        put(&again, &hints);
        let is_own = |told: &Presence| runtime.watched_hint("1", told).is_some();
        assert!(is_own(&Presence::NOT_SET) && !is_own(&away));
    }
}
