//! Users that are removed and return, and their rows meanwhile.

use std::collections::BTreeMap;

use super::*;
use crate::model::flags::Flag;
use crate::world::gone_users::{Gone, KEEP};

/// The rows as AstDB keeps them, deletions applied.
#[derive(Default)]
struct StoredRows(BTreeMap<String, String>);

impl StoredRows {
    fn take(&mut self, world: &mut World) {
        for row in world.take_rows(usize::MAX) {
            match row.value {
                Some(value) => self.0.insert(row.key, value),
                None => self.0.remove(&row.key),
            };
        }
    }

    fn stored(&self) -> Stored {
        Stored::read(self.0.clone().into_iter())
    }

    fn gone(&self) -> Vec<(String, Option<Gone>)> {
        let rows = self.0.iter();
        let gone = rows.filter_map(|(key, value)| {
            Some((key.strip_prefix("gone/")?.to_owned(), Gone::parse(value)))
        });
        gone.collect()
    }

    fn keys(&self) -> Vec<&str> {
        let keys = self.0.keys().map(String::as_str);
        keys.collect()
    }
}

const BOTH: &str =
    "[alice]\ntype=user\nextension=1\n[bob]\ntype=user\nextension=3\noutgoing=none\n";
const ALONE: &str = "[alice]\ntype=user\nextension=1\n";

fn reload(world: &mut World, kept: &StoredRows, text: &str, at: u64) -> Removed {
    let plan = Plan::new(world.directory(), directory(text));
    let now = Time::from_millis(at);
    world
        .reconfigure(&plan, &kept.stored(), ProviderValues::default(), now)
        .1
}

/// A world in which bob, who has several settings, is removed at 1000.
fn gone() -> (World, StoredRows) {
    let mut world = world(BOTH);
    let mut kept = StoredRows::default();
    report(&mut world, "3", "xa", 10);
    set(&mut world, "bob", "dnd,,Quiet", 20);
    kept.take(&mut world);
    let bob = world.directory().user("bob").unwrap();
    // This change is not written yet when bob is removed.
    world.apply(
        &Change::Flag(bob, Flag::PickUpCallsOnHold, true),
        Time::from_millis(30),
    );
    set(&mut world, "bob", "away,,Soon,t(60)", 40);
    let removed = reload(&mut world, &kept, ALONE, 1000);
    assert!(removed.before.directory().user("bob").is_some());
    (world, kept)
}

#[test]
fn a_user_that_returns_has_their_settings_again() {
    let (mut world, mut kept) = gone();
    let last = kept.stored().users["bob"].sequence;
    kept.take(&mut world);
    assert_eq!(
        kept.keys(),
        [
            "gone/source/CustomPresence:3",
            "gone/user/bob",
            "source/CustomPresence:3",
            "user/bob"
        ]
    );
    for restart in [false, true] {
        if restart {
            let stored = kept.stored();
            world = World::restore(directory(ALONE), &stored, Time::from_millis(2000));
            kept.take(&mut world);
        }
        reload(&mut world, &kept, BOTH, 3000);
        let bob = world.directory().user("bob").unwrap();
        let own = world.own(bob).expect("own status");
        // The timed status ended when bob was removed.
        assert!(own.presence.is(State::Dnd, "", "Quiet"), "{own:?}");
        assert_eq!(own.since.millis(), 20);
        assert!(world.flags(bob).get(Flag::PickUpCallsOnHold));
        assert!(world.sequence(bob) > last);
        let source = world.directory().source("CustomPresence:3").unwrap();
        assert_eq!(world.source(source).since.millis(), 10);
        kept.take(&mut world);
        assert_eq!(kept.keys(), ["source/CustomPresence:3", "user/bob"]);
        reload(&mut world, &kept, ALONE, 4000);
        kept.take(&mut world);
    }
}

/// Even if the name returns in another case before AstDB has stored the row.
#[test]
fn a_mistake_that_is_corrected_at_once_loses_nothing() {
    let (mut world, mut kept) = gone();
    // As in a reload: waiting rows take precedence over stored ones.
    for (key, value) in world.orphaned_rows() {
        match value {
            Some(value) => kept.0.insert(key.clone(), value.clone()),
            None => kept.0.remove(key),
        };
    }
    reload(&mut world, &kept, &BOTH.replace("[bob]", "[Bob]"), 1001);
    let bob = world.directory().user("bob").unwrap();
    assert!(world.own(bob).unwrap().presence.is(State::Dnd, "", "Quiet"));
    kept.take(&mut world);
    assert_eq!(kept.keys(), ["source/CustomPresence:3", "user/Bob"]);
}

#[test]
fn a_row_that_astdb_refused_is_written_again() {
    let (mut world, mut kept) = gone();
    let rows = world.take_rows(usize::MAX);
    world.put_back(rows.iter());
    kept.take(&mut world);
    assert_eq!(kept.keys().len(), 4, "{:?}", kept.keys());
    assert!(kept.0["user/bob"].contains("pickUpCallsOnHold"));
}

#[test]
fn rows_are_dropped_after_thirty_days_and_not_before() {
    let (mut world, mut kept) = gone();
    kept.take(&mut world);
    let over = Time::from_millis(1000).after(KEEP);
    world.drop_old(&kept.gone(), over);
    kept.take(&mut world);
    assert_eq!(kept.keys().len(), 4);
    world.drop_old(&kept.gone(), Time::from_millis(over.millis() + 1));
    kept.take(&mut world);
    assert_eq!(kept.keys(), Vec::<&str>::new());
}

/// A user that has returned keeps the row despite a stale removal time, and an unreadable
/// removal time starts again.
#[test]
fn no_row_is_lost_by_a_stale_or_unreadable_removal_time() {
    let (mut world, mut kept) = gone();
    kept.take(&mut world);
    kept.0
        .insert("gone/source/CustomPresence:3".into(), "nonsense".into());
    let old = Gone::new(Time::from_millis(1), Vec::new()).json();
    kept.0.insert("user/alice".into(), "{}".into());
    kept.0.insert("gone/user/alice".into(), old);
    let now = Time::from_millis(5).after(KEEP);
    world.drop_old(&kept.gone(), now);
    kept.take(&mut world);
    let keys = [
        "gone/source/CustomPresence:3",
        "gone/user/bob",
        "source/CustomPresence:3",
        "user/alice",
        "user/bob",
    ];
    assert_eq!(kept.keys(), keys);
    let gone = Gone::parse(&kept.0["gone/source/CustomPresence:3"]);
    assert_eq!(gone.unwrap().at().millis(), now.millis());
}

#[test]
fn removed_users_are_forgotten_on_request() {
    let (mut world, mut kept) = gone();
    kept.take(&mut world);
    assert_eq!(world.forget(Some("alice"), &kept.gone()), 0);
    assert_eq!(world.forget(Some("carol"), &kept.gone()), 0);
    assert!(!world.is_dirty());
    assert_eq!(world.forget(Some("BOB"), &kept.gone()), 1);
    kept.take(&mut world);
    assert_eq!(kept.keys(), Vec::<&str>::new());

    let (mut world, mut kept) = super::gone::gone();
    kept.take(&mut world);
    assert_eq!(world.forget(None, &kept.gone()), 1);
    kept.take(&mut world);
    assert_eq!(kept.keys(), Vec::<&str>::new());
}

/// A row without a configured owner at a load is kept for the full time from then on.
#[test]
fn a_load_records_the_removal_of_absent_users() {
    let (mut world, mut kept) = gone();
    kept.take(&mut world);
    kept.0.retain(|key, _| !key.starts_with("gone/"));
    let stored = kept.stored();
    let mut world = World::restore(directory(ALONE), &stored, Time::from_millis(7000));
    kept.take(&mut world);
    let stored = kept.stored();
    assert_eq!(stored.gone["user/bob"].at().millis(), 7000);
    assert_eq!(stored.gone["source/CustomPresence:3"].at().millis(), 7000);
    // Users that have returned are recorded, too.
    let mut world = World::restore(directory(BOTH), &stored, Time::from_millis(8000));
    kept.take(&mut world);
    assert!(kept.stored().gone.is_empty());
}

#[test]
fn a_reload_counts_added_removed_and_changed_users() {
    let world = world(BOTH);
    let counts = |text: &str| Plan::new(world.directory(), directory(text)).counts();
    let line = |text: &str| counts(text).to_string();
    assert_eq!(line(BOTH), "2 users: 0 new, 0 removed, 0 changed");
    assert_eq!(line(ALONE), "1 user: 0 new, 1 removed, 0 changed");
    let more = "[carol]\ntype=user\n[bob]\ntype=user\nextension=3\noutgoing=none\nmailbox=3\n";
    assert_eq!(
        line(&format!("{ALONE}extension=2\n{more}")),
        "3 users: 1 new, 0 removed, 2 changed"
    );
    // A general option changes all users, and the order of the file changes none.
    let general = format!("[general]\nmethod=latest\n{BOTH}");
    assert_eq!(line(&general), "2 users: 0 new, 0 removed, 2 changed");
    let swapped = "[bob]\ntype=user\nextension=3\noutgoing=none\n[alice]\ntype=user\nextension=1\n";
    assert_eq!(line(swapped), "2 users: 0 new, 0 removed, 0 changed");

    let many = |from: usize, to: usize| -> String {
        let user = |at: usize| format!("[u{at}]\ntype=user\n");
        (from..to).map(user).collect()
    };
    let from = super::world(&many(0, 11));
    let counts = |text: &str| Plan::new(from.directory(), directory(text)).counts();
    assert!(counts("").loses_all() && counts(&many(20, 40)).loses_all());
    assert!(!counts(&many(10, 40)).loses_all() && counts(&many(10, 40)).loses_most());
    assert!(counts(&many(0, 5)).loses_most() && !counts(&many(0, 6)).loses_most());
    let few = super::world(&many(0, 10));
    let counts = Plan::new(few.directory(), directory("")).counts();
    assert!(!counts.loses_all() && !counts.loses_most());
}
