//! Which extensions have hints that name users.
//!
//! A SIP phone watches an extension, and Asterisk does not say in which context. So the
//! hints of the dialplan are kept, by extension, and what is found is compared with the dialplan
//! itself before it is believed.
//!
//! The dialplan may change at any time without notice. An extension that is known is looked up
//! again each time; one that is not known is looked for in every context that has hints, and all
//! hints are read again from time to time. So a changed, a removed or a new hint is known at
//! once, and only a second hint of a known extension, in another context, after some seconds.
//!
//! The hints are first read while the module loads, before a phone can watch any. Asterisk
//! may have no dialplan yet then, so they are read again once it has booted.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustc_hash::FxBuildHasher;

use super::Runtime;
use super::host::{HintEntry, Host};
use crate::sync::{Condvar, Mutex};
use presence::Presence;
use presence::directory::watching::WatchableExtension;
use presence::model::address::{USER_LABEL, below};
use presence::model::hint::{HintParts, told_of};

/// All hints are read again after so long, and so late that reading takes at most one part in
/// [`SHARE`] of the time.
const AGE: Duration = Duration::from_secs(10);
const SHARE: u32 = 500;
/// An extension that no context has and a list let them be read again, but not more often than
/// so.
pub(super) const MISSED: Duration = Duration::from_secs(1);
/// Of an extension with more hints than this, the hints are taken as they were read.
const CHECKED: usize = 4;
/// For how many extensions that were not read the place is remembered: a pattern has any number.
const REMEMBERED: usize = 10_000;
/// For so long a thread waits for another one that reads the hints, where nothing is known yet.
const PATIENCE: Duration = Duration::from_secs(2);

/// What is known of the dialplan's hints.
#[derive(Default)]
pub struct HintIndex {
    state: Mutex<IndexState>,
    /// A thread has read the hints, or has given up.
    done: Condvar,
}

#[derive(Default)]
struct IndexState {
    known: Option<Arc<KnownHints>>,
    /// Whether a thread reads the hints.
    reading: bool,
}

type HintsByExtension = HashMap<String, Vec<KnownHint>, FxBuildHasher>;

/// The hints as they were at one moment.
pub(super) struct KnownHints {
    at: Instant,
    took: Duration,
    /// Whether Asterisk had booted, so that it had its whole dialplan.
    booted: bool,
    hints: HintsByExtension,
    /// The extensions that were not among them and were found since, as those of patterns.
    found: Mutex<HintsByExtension>,
    /// The contexts that have hints, sorted.
    contexts: Vec<Arc<str>>,
    /// The patterns with a hint: context and pattern.
    patterns: Vec<(Arc<str>, Box<str>)>,
}

#[derive(Clone)]
struct KnownHint {
    context: Arc<str>,
    /// What it names; empty where no user is among that.
    names: Box<str>,
}

impl KnownHints {
    /// Reads all hints, and shows each to `visit` too.
    fn read(host: &dyn Host, visit: &mut dyn FnMut(HintEntry<'_>)) -> Self {
        let at = Instant::now();
        let booted = host.fully_booted();
        let mut contexts = BTreeSet::<Arc<str>>::new();
        let mut hints = HintsByExtension::default();
        let mut patterns = Vec::new();
        host.each_hint(&mut |hint| {
            visit(hint);
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
                patterns.push((context, extension.into()));
                return;
            }
            let names = std::str::from_utf8(hint.names).unwrap_or_default();
            let mut addresses = names.split(['&', ',']).map(str::trim);
            let of_user = addresses.any(|address| below(address, USER_LABEL).is_some());
            let names = if of_user { names } else { "" }.into();
            let known = hints.entry(extension.to_owned()).or_default();
            known.push(KnownHint { context, names });
        });
        KnownHints {
            at,
            took: at.elapsed(),
            booted,
            hints,
            found: Mutex::default(),
            contexts: contexts.into_iter().collect(),
            patterns,
        }
    }

    /// Those of a dialplan without any.
    #[cfg(all(test, feature = "loom"))]
    pub(super) fn none() -> Self {
        KnownHints {
            at: Instant::now(),
            took: Duration::ZERO,
            booted: true,
            hints: HintsByExtension::default(),
            found: Mutex::default(),
            contexts: Vec::new(),
            patterns: Vec::new(),
        }
    }

    fn is_older(&self, age: Duration) -> bool {
        // The dialplan of an Asterisk that boots grows.
        let age = if self.booted { age } else { Duration::ZERO };
        self.at.elapsed() > age.max(self.took * SHARE)
    }

    /// All hints, those of one context after those of another; without what they name where it
    /// is no user.
    pub(super) fn all(&self) -> Vec<WatchableExtension<'_>> {
        let hints = self.hints.iter().flat_map(|(extension, hints)| {
            hints.iter().map(|hint| WatchableExtension {
                context: &hint.context,
                extension,
                names: &hint.names,
            })
        });
        let patterns = self.patterns.iter();
        let patterns = patterns.map(|(context, pattern)| WatchableExtension {
            context,
            extension: pattern,
            names: "",
        });
        let mut all: Vec<_> = hints.chain(patterns).collect();
        all.sort_by_key(|hint| hint.context);
        all
    }

    /// What the hints of that extension name, in each context that has one.
    fn names(&self, host: &dyn Host, extension: &str) -> Vec<String> {
        let found = || self.found.lock().get(extension).cloned();
        let found = match self.hints.contains_key(extension) {
            true => None,
            false => found(),
        };
        let known = found.as_ref().or_else(|| self.hints.get(extension));
        let known = known.map_or(&[][..], Vec::as_slice);
        if known.len() > CHECKED {
            return known.iter().map(|hint| hint.names.to_string()).collect();
        }
        let known = known.iter().map(|hint| &hint.context);
        let now: Vec<String> = known
            .filter_map(|context| host.hint(context, extension))
            .collect();
        if now.is_empty() {
            return self.look_for(host, extension);
        }
        now
    }

    /// Looks for an extension in every context: one that was made of a pattern since, or is
    /// written differently. Where it is found is remembered.
    fn look_for(&self, host: &dyn Host, extension: &str) -> Vec<String> {
        let hint = |context: &Arc<str>| {
            let names = host.hint(context, extension)?.into();
            let context = context.clone();
            Some(KnownHint { context, names })
        };
        let hints: Vec<KnownHint> = self.contexts.iter().filter_map(hint).collect();
        let names = hints.iter().map(|hint| hint.names.to_string()).collect();
        // A hint that comes back is found at once.
        if !hints.is_empty() {
            let mut found = self.found.lock();
            if found.len() < REMEMBERED || found.contains_key(extension) {
                found.insert(extension.to_owned(), hints);
            }
        }
        names
    }
}

impl HintIndex {
    /// What is known, read anew where it is older than `age`. No lock may be held.
    pub(super) fn known(&self, host: &dyn Host, age: Duration) -> Arc<KnownHints> {
        self.known_or(host.fully_booted(), age, || {
            KnownHints::read(host, &mut |_| ())
        })
    }

    /// Reads all hints, and shows each to `visit` too. No lock may be held.
    pub(super) fn read(&self, host: &dyn Host, visit: &mut dyn FnMut(HintEntry<'_>)) {
        self.state.lock().reading = true;
        self.put(|| KnownHints::read(host, visit));
    }

    /// As [`HintIndex::known`], by any function that reads.
    pub(super) fn known_or(
        &self,
        booted: bool,
        age: Duration,
        read: impl FnOnce() -> KnownHints,
    ) -> Arc<KnownHints> {
        let patience = Instant::now() + PATIENCE;
        let mut state = self.state.lock();
        loop {
            // What was read while Asterisk booted may lack anything.
            let known = state.known.as_ref().filter(|known| known.booted || !booted);
            if let Some(known) = known {
                // One thread reads; the others go on with what there is.
                if state.reading || !known.is_older(age) {
                    return known.clone();
                }
            }
            if !state.reading || self.done.wait_until(&mut state, patience).timed_out() {
                break;
            }
        }
        state.reading = true;
        drop(state);
        self.put(read)
    }

    fn put(&self, read: impl FnOnce() -> KnownHints) -> Arc<KnownHints> {
        // Also where a panic ends it.
        let _done = ReadingDone(self);
        let read = Arc::new(read());
        self.state.lock().known = Some(read.clone());
        read
    }
}

/// Dropping it lets another thread read the hints.
struct ReadingDone<'a>(&'a HintIndex);

impl Drop for ReadingDone<'_> {
    fn drop(&mut self) {
        self.0.state.lock().reading = false;
        self.0.done.notify_all();
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
        let known = self.hints.known(host, AGE);
        let mut names = known.names(host, extension);
        if names.is_empty() {
            let newer = self.hints.known(host, MISSED);
            if !Arc::ptr_eq(&known, &newer) {
                names = newer.names(host, extension);
            }
        }
        let hints = names.iter().map(|names| HintParts::new(names));
        let hint = told_of(hints, |hint| {
            hint.users().any(|user| self.shows(user, told))
        })?;
        Some(WatchedHint {
            has_device: hint.has_device(),
        })
    }

    /// Reads the hints once Asterisk has booted, so that no phone has to wait for that. No lock
    /// may be held.
    pub(super) fn read_hints_at_boot(&self) {
        self.hints.known(self.host(), AGE);
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
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::sync::atomic::Ordering;

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
    fn an_extension_of_a_pattern_is_looked_for_once() {
        let (runtime, fake) = runtime(USERS);
        let names: Vec<String> = (0..50).map(|number| format!("c{number}")).collect();
        let others = names.iter().map(|name| (&**name, "9", "X/9"));
        let mut hints: Vec<_> = others.collect();
        put(&fake, &hints);
        let own = |runtime: &Runtime| runtime.watched_hint("1", &Presence::NOT_SET).is_some();
        assert!(!own(&runtime));
        hints.push(("c49", "1", ",UserPresence:alice"));
        put(&fake, &hints);
        let looked = || fake.looked_for.swap(0, Ordering::Relaxed);
        looked();
        assert!(own(&runtime));
        assert_eq!(looked(), 50);
        assert!(own(&runtime));
        assert_eq!(looked(), 1);
        // Where it goes, and where it comes back in another context.
        hints.pop();
        put(&fake, &hints);
        assert!(!own(&runtime));
        hints.push(("c3", "1", ",UserPresence:alice"));
        put(&fake, &hints);
        assert!(own(&runtime));
        looked();
        assert!(own(&runtime));
        assert_eq!(looked(), 1);
    }

    #[test]
    fn a_dialplan_that_was_not_complete_is_read_again() {
        let (runtime, fake) = runtime(USERS);
        fake.boots.store(true, Ordering::Relaxed);
        runtime.hints.read(runtime.host(), &mut |_| ());
        put(&fake, &[("a", "1", ",UserPresence:alice")]);
        let own = || runtime.watched_hint("1", &Presence::NOT_SET).is_some();
        fake.boots.store(false, Ordering::Relaxed);
        runtime.read_hints_at_boot();
        assert_eq!(fake.hints_read.load(Ordering::Relaxed), 2);
        assert!(own() && own());
        assert_eq!(fake.hints_read.load(Ordering::Relaxed), 2);
    }

    #[test]
    fn a_panic_while_the_hints_are_read_lets_others_read_them() {
        let (runtime, fake) = runtime(USERS);
        put(&fake, &[("a", "1", ",UserPresence:alice")]);
        let mut fail = |_: HintEntry<'_>| panic!("forced by a test");
        let read = AssertUnwindSafe(|| runtime.hints.read(runtime.host(), &mut fail));
        assert!(catch_unwind(read).is_err());
        assert!(!runtime.hints.state.lock().reading);
        assert!(runtime.watched_hint("1", &Presence::NOT_SET).is_some());
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
