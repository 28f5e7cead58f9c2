//! FreePBX's do not disturb and the status of a user with `follow_dnd = yes`, which follow each
//! other.
//!
//! FreePBX keeps do not disturb for each extension: `DB(DND/200)` decides whether the extension
//! rings, and the device `Custom:DND200` lights lamps. What both sides were when they last agreed
//! is kept as an [`Agreement`]. The side that differs from it has changed, and the other one
//! follows. So a change that was made by this module is never taken for one of FreePBX, in
//! whatever order the events of the two sides come in, and a change is found also if it was made
//! while the module was not loaded.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::feature_keys::refuses_calls;
use super::key_press::switch_dnd;
use crate::directory::UserId;
use crate::model::time::Time;
use crate::world::{DndRow, Effect, World};

/// What an extension's do not disturb is now.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ExtensionDnd {
    /// The extension.
    pub extension: String,
    /// Whether `DB(DND/<extension>)` has a value.
    pub entry: bool,
    /// Whether the device `Custom:DND<extension>` is busy.
    pub device: bool,
}

impl ExtensionDnd {
    /// Whether entry and device both are so.
    pub fn is(&self, on: bool) -> bool {
        self.entry == on && self.device == on
    }
}

/// What both sides were when they last agreed, or were left as they are.
#[derive(Serialize, Deserialize, Clone, PartialEq, Eq, Debug, Default)]
pub struct Agreement {
    /// The do not disturb of each extension that is known.
    #[serde(default)]
    extensions: BTreeMap<String, bool>,
    /// Whether the user refuses calls.
    #[serde(default)]
    status: bool,
    /// How the user came into the state `dnd`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entry: Option<DndRow>,
}

/// What has to follow.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Followed {
    /// Neither side has changed; every extension is to be so.
    Neither(bool),
    /// The status has changed to this; FreePBX follows.
    Status(bool),
    /// Do not disturb of that extension has changed to this; the status follows, and then the
    /// other extensions.
    Extension(bool, String),
}

impl Followed {
    /// What every extension is to be.
    pub fn target(&self) -> bool {
        match self {
            Followed::Neither(on) | Followed::Status(on) | Followed::Extension(on, _) => *on,
        }
    }
}

impl Agreement {
    /// An agreement on these extensions and that status.
    pub fn new(
        extensions: impl IntoIterator<Item = (String, bool)>,
        status: bool,
        entry: Option<DndRow>,
    ) -> Self {
        let agreement = Agreement {
            extensions: extensions.into_iter().collect(),
            status,
            entry,
        };
        match agreement.is_empty() {
            true => Agreement::default(),
            false => agreement,
        }
    }

    /// Whether it says nothing that holds for an unknown user anyway.
    pub fn is_empty(&self) -> bool {
        !self.status && !self.extensions.values().any(|on| *on)
    }

    /// Whether the user refused calls.
    pub fn status(&self) -> bool {
        self.status
    }

    /// Whether do not disturb of the extension was on.
    pub fn extension(&self, extension: &str) -> bool {
        self.extensions.get(extension).copied().unwrap_or_default()
    }

    /// Finds the side that has changed. If both sides have, the status is followed; two sides
    /// that have only two values each cannot disagree then, unless they disagreed before. Of two
    /// extensions that have changed in opposite directions, the one that was switched on is
    /// followed.
    pub fn followed(&self, now: &[ExtensionDnd], status: bool) -> Followed {
        if status != self.status {
            return Followed::Status(status);
        }
        let mut changed = now.iter().filter_map(|it| {
            let before = self.extension(&it.extension);
            (!it.is(before)).then_some((!before, &it.extension))
        });
        let first = changed.next();
        let switched_on = first.into_iter().chain(changed).find(|(on, _)| *on);
        match switched_on.or(first) {
            Some((on, extension)) => Followed::Extension(on, extension.clone()),
            None => Followed::Neither(self.extensions.values().any(|on| *on)),
        }
    }
}

/// Has the status follow what FreePBX's do not disturb of the extension has become: as a press of
/// the DND key, but that the status before returns. Returns the effects, with the reason if the
/// status is another one afterwards.
pub fn follow(
    world: &mut World,
    user: UserId,
    (on, extension): (bool, &str),
    now: Time,
) -> (Result<(), String>, Vec<Effect>) {
    let mut effects = Vec::new();
    if refuses_calls(world, user) == on {
        return (Ok(()), effects);
    }
    let key = world.directory().get(user).rule.dnd_key;
    let back = world.before_dnd(user, now);
    let done = switch_dnd(world, user, (on, key), back.as_ref(), now, &mut effects);
    if on {
        world.note_dnd_from(user, extension);
    }
    (done, effects)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::testing::directory;
    use crate::model::assignment::Choice;
    use crate::model::state::State;
    use crate::world::Change;
    use crate::world::stored::Stored;

    fn dnd(extension: &str, entry: bool, device: bool) -> ExtensionDnd {
        ExtensionDnd {
            extension: extension.into(),
            entry,
            device,
        }
    }

    fn agreed(on: bool, status: bool) -> Agreement {
        let both = ["200", "201"].map(|extension| (extension.to_owned(), on));
        Agreement::new(both, status, None)
    }

    #[test]
    fn the_side_that_has_changed_is_followed() {
        let off = agreed(false, false);
        let on = agreed(true, true);
        let at = |entry, device| [dnd("200", entry, device), dnd("201", false, false)];
        let pressed = |on, extension: &str| Followed::Extension(on, extension.to_owned());
        assert_eq!(
            off.followed(&at(false, false), false),
            Followed::Neither(false)
        );
        // In the middle of a press, and after it.
        for [entry, device] in [[true, false], [false, true], [true, true]] {
            let found = off.followed(&at(entry, device), false);
            assert_eq!(found, pressed(true, "200"), "{entry} {device}");
        }
        assert_eq!(
            off.followed(&at(false, false), true),
            Followed::Status(true)
        );
        let both = [dnd("200", true, true), dnd("201", true, true)];
        assert_eq!(on.followed(&both, true), Followed::Neither(true));
        let one = [dnd("200", true, true), dnd("201", false, true)];
        assert_eq!(on.followed(&one, true), pressed(false, "201"));
        // Both sides at once.
        assert_eq!(off.followed(&both, true), Followed::Status(true));
        // What was left as it was: neither side has changed since.
        assert_eq!(
            agreed(true, false).followed(&both, false),
            Followed::Neither(true)
        );
    }

    #[test]
    fn of_two_extensions_the_one_that_was_switched_on_counts() {
        let known = [("200".to_owned(), true), ("201".to_owned(), false)];
        let agreement = Agreement::new(known, true, None);
        let now = [dnd("200", false, false), dnd("201", true, true)];
        let found = agreement.followed(&now, true);
        assert_eq!(found, Followed::Extension(true, "201".into()));
    }

    #[test]
    fn an_extension_that_is_new_has_not_changed() {
        let on = Agreement::new([("200".to_owned(), true)], true, None);
        let now = [dnd("200", true, true), dnd("201", false, false)];
        assert_eq!(on.followed(&now, true), Followed::Neither(true));
    }

    #[test]
    fn an_agreement_is_stored_as_it_is_read() {
        let agreement = agreed(true, true);
        let json = serde_json::to_string(&agreement).unwrap();
        assert_eq!(
            json,
            r#"{"extensions":{"200":true,"201":true},"status":true}"#
        );
        assert_eq!(serde_json::from_str::<Agreement>(&json).unwrap(), agreement);
        assert!(agreed(false, false).is_empty());
        assert_eq!(agreed(false, false), Agreement::default());
        assert_eq!(
            serde_json::from_str::<Agreement>("{}").unwrap(),
            Agreement::default()
        );
    }

    struct Person {
        world: World,
        user: UserId,
    }

    impl Person {
        fn alice(options: &str) -> Person {
            let directory = directory(&format!(
                "[lunch]\ntype=status\nstate=away\nsubtype=lunch\n[note]\ntype=status\nstate=\n\
                 [alice]\ntype=user\nfollow_dnd=yes\nextension=200\n{options}"
            ));
            let user = directory.user("alice").unwrap();
            let world = World::restore(directory, &Stored::default(), Time::NEVER);
            Person { world, user }
        }

        fn set(&mut self, status: &str, message: &str, until: Option<u64>, now: u64) {
            let status = self
                .world
                .directory()
                .settings
                .statuses()
                .find(status)
                .unwrap()
                .clone();
            let maps_to = status.maps_to.clone();
            let presence =
                maps_to.map(|it| crate::Presence::new(it.state(), it.subtype(), message));
            let choice = &Choice {
                status,
                presence,
                until: until.map(Time::from_millis),
                takes_note: false,
            };
            let user = self.user;
            self.world
                .apply(&Change::Chosen { user, choice }, Time::from_millis(now));
        }

        fn follow(&mut self, on: bool, now: u64) -> usize {
            let now = Time::from_millis(now);
            let (done, effects) = follow(&mut self.world, self.user, (on, "200"), now);
            assert_eq!(done, Ok(()));
            effects.len()
        }

        fn is(&self) -> (State, String, String) {
            let chosen = &self.world.chosen(self.user).presence;
            let status = self
                .world
                .status(self.user)
                .map_or("", |status| &status.name);
            (
                chosen.state(),
                status.to_owned(),
                chosen.message().to_owned(),
            )
        }
    }

    fn at(state: State, status: &str, message: &str) -> (State, String, String) {
        (state, status.to_owned(), message.to_owned())
    }

    #[test]
    fn the_status_before_returns() {
        let mut alice = Person::alice("");
        assert_eq!(alice.follow(true, 1), 1);
        assert_eq!(alice.world.dnd_from(alice.user), Some("200"));
        assert_eq!(alice.follow(true, 2), 0, "it is so already");
        assert_eq!(alice.follow(false, 3), 1);
        assert_eq!(alice.is(), at(State::NotSet, "not_set", ""));
        alice.set("lunch", "Back at one", None, 4);
        alice.follow(true, 5);
        // Another message is the same do not disturb.
        alice.set("dnd", "Busy", None, 6);
        alice.follow(false, 7);
        assert_eq!(alice.is(), at(State::Away, "lunch", "Back at one"));
        assert_eq!(alice.world.dnd_from(alice.user), None);
        // A status that is recorded only.
        alice.set("note", "", None, 8);
        alice.follow(true, 9);
        alice.follow(false, 10);
        assert_eq!(alice.is(), at(State::Away, "note", "Back at one"));
    }

    #[test]
    fn a_timed_status_returns_with_its_end_or_not_at_all() {
        let mut alice = Person::alice("");
        alice.set("chat", "", None, 1);
        alice.set("lunch", "", Some(100), 2);
        alice.follow(true, 10);
        alice.follow(false, 20);
        assert_eq!(alice.world.chosen(alice.user).until, Time::from_millis(100));
        assert_eq!(alice.is(), at(State::Away, "lunch", ""));
        alice.follow(true, 30);
        alice.follow(false, 200);
        assert_eq!(alice.is(), at(State::Available, "available", ""));
    }

    #[test]
    fn what_was_before_outlives_a_restart() {
        let mut alice = Person::alice("");
        alice.set("lunch", "Back at one", None, 1);
        alice.follow(true, 2);
        let row = DndRow::from(alice.world.dnd_entry(alice.user).unwrap());
        let json = serde_json::to_string(&row).unwrap();
        let mut again = Person::alice("");
        let row = serde_json::from_str(&json).unwrap();
        again.world.restore_dnd(again.user, &row);
        assert_eq!(
            again.world.dnd_entry(again.user),
            None,
            "the status is another one"
        );
        again.set("dnd", "", None, 3);
        again.follow(false, 4);
        assert_eq!(
            again.is().0,
            State::NotSet,
            "what it has seen itself comes first"
        );
    }

    #[test]
    fn the_key_decides_what_is_set() {
        let mut alice = Person::alice("dnd_key=dnd_status\n");
        alice.set("lunch", "", None, 1);
        assert_eq!(alice.follow(true, 2), 1);
        assert_eq!(alice.is(), at(State::Away, "lunch", ""));
        assert!(refuses_calls(&alice.world, alice.user));
        assert_eq!(alice.follow(false, 3), 1);
        assert!(!refuses_calls(&alice.world, alice.user));
        let mut alice = Person::alice("dnd_key=no\n");
        alice.follow(true, 1);
        assert_eq!(alice.is().0, State::Dnd);
    }
}
