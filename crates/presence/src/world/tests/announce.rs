//! The users that are published to Asterisk at a load and withdrawn at an unload.

use super::*;
use crate::world::Found;

/// A world right after a load, before any user is announced. The extensions in `set` are away.
fn loaded(names: &[&str], set: &[&str]) -> World {
    let sections = names
        .iter()
        .map(|name| format!("[{name}]\ntype=user\nextension={name}\n"));
    let mut world = World::restore(
        directory(&sections.collect::<String>()),
        &Stored::default(),
        Time::from_millis(1),
    );
    world.hold_publishing(true);
    for name in set {
        report(&mut world, name, "away", 10);
    }
    world.hold_publishing(false);
    world
}

fn publish(name: &str, state: State) -> Effect {
    Effect::Publish(name.into(), state.into())
}

fn found(held: &[(&str, State)], hints: &[&str]) -> Found {
    let mut found = Found::default();
    for (name, state) in held {
        let address = format!("UserPresence:{name}");
        found.presences.push((address, (*state).into()));
    }
    for hint in hints {
        found.watched.add_hint(hint);
    }
    found
}

#[test]
fn a_load_publishes_only_differences_from_the_cache() {
    let names = ["stale", "same", "set", "unset", "was", "hint"];
    let mut world = loaded(&names, &["same", "set"]);
    let held = [
        ("stale", State::Dnd),
        ("same", State::Away),
        ("was", State::NotSet),
        // An unknown user, and a wrong spelling.
        ("nobody", State::Away),
        ("Set", State::Away),
    ];
    let announced = world.announce(&found(&held, &[",UserPresence:hint"]), None);
    let expected = [
        publish("stale", State::NotSet),
        publish("set", State::Away),
        publish("hint", State::NotSet),
    ];
    assert_eq!(announced, expected);
    // After a second load nothing differs.
    let mut world = loaded(&names, &["same", "set"]);
    let held = [("same", State::Away), ("set", State::Away)];
    assert_eq!(world.announce(&found(&held, &[]), None), []);
}

#[test]
fn a_watched_user_is_published_beyond_the_limit_of_unwatched_ones() {
    let names: Vec<String> = (0..6000).map(|at| format!("u{at}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut world = loaded(&names, &names);
    let announced = world.announce(&found(&[], &[",UserPresence:U5999"]), None);
    assert_eq!(announced.len(), 5001);
    assert!(announced.contains(&publish("u5999", State::Away)));
    // Users that were never published are not withdrawn.
    assert_eq!(world.withdraw().len(), 5001);
}

#[test]
fn answers_during_a_load_are_corrected_and_withdrawn() {
    let mut world = loaded(&["a", "b", "c", "d"], &["a", "b"]);
    let user = |world: &World, name| world.directory().user(name).unwrap();
    // Asterisk asks while the module is loading.
    assert_eq!(world.ask_presence(user(&world, "c")), Presence::default());
    let announced = world.announce(&found(&[], &[]), None);
    let expected = [
        publish("a", State::Away),
        publish("b", State::Away),
        publish("c", State::NotSet),
    ];
    assert_eq!(announced, expected);
    report(&mut world, "b", "not_set", 20);
    report(&mut world, "d", "xa", 20);
    let expected = [publish("a", State::NotSet), publish("d", State::NotSet)];
    assert_eq!(world.withdraw(), expected);
    assert_eq!(world.ask_presence(user(&world, "a")), Presence::default());
    // Later changes are not published.
    let effects = report(&mut world, "a", "dnd", 30);
    assert!(!effects.iter().any(|effect| match effect {
        Effect::Transition(transition) => transition.publish,
        _ => true,
    }));
}
