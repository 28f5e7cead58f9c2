//! A clock that runs ahead and is set back.

use super::*;

const LATEST: &str = "[general]\nmethod=latest\n[alice]\ntype=user\nextension=1\nextension=2\n\
                      [bob]\ntype=user\nextension=3\noutgoing=none\n";
const HOUR: u64 = 3_600_000;

fn since(world: &World, user: &str) -> u64 {
    let user = world.directory().user(user).unwrap();
    world.outcome(user).since.millis()
}

#[test]
fn one_jump_ahead_leaves_no_later_since_in_the_future() {
    let mut world = world(LATEST);
    let now = 10 * HOUR;
    report(&mut world, "1", "chat", now);
    report(&mut world, "2", "dnd", now + HOUR);
    set(&mut world, "bob", "away", now + HOUR);
    report(&mut world, "3", "chat", now + 5_000);
    assert_eq!(since(&world, "bob"), now + 5_000);
    assert_eq!(state(&world, "bob"), State::Chat);
    // Changes made while the clock was ahead move to the present and keep their order.
    assert!(since(&world, "alice") <= now + 5_000);
    assert_eq!(state(&world, "alice"), State::Dnd);
    let alice = world.directory().user("alice").unwrap();
    assert_eq!(world.outcome(alice), &world.combine(alice));
}

#[test]
fn a_restart_with_the_clock_set_back_continues_from_the_present() {
    let mut before = world(LATEST);
    report(&mut before, "1", "chat", 20 * HOUR);
    report(&mut before, "2", "dnd", 20 * HOUR + 1);
    set(&mut before, "bob", "away,,,t(7200)", 20 * HOUR + 2);
    let rows = stored(&mut before, false);
    let now = 10 * HOUR;
    let mut world = World::restore(directory(LATEST), &rows, Time::from_millis(now));
    report(&mut world, "3", "xa", now + 10);
    assert_eq!(since(&world, "bob"), now + 10);
    assert!(since(&world, "alice") <= now + 10);
    assert_eq!(state(&world, "alice"), State::Dnd);
    report(&mut world, "1", "available", now + 20);
    assert_eq!(state(&world, "alice"), State::Available);
}

proptest! {
    /// Whatever the clock does, the source set last wins, and no time is ahead of the clock by
    /// more than the tolerance.
    #[test]
    fn the_source_set_last_wins(
        steps in proptest::collection::vec((0usize..2, 0u64..20 * HOUR), 1..40)
    ) {
        let mut world = world(LATEST);
        for (at, (extension, clock)) in steps.into_iter().enumerate() {
            let clock = clock + HOUR;
            let name = ["1", "2"][extension];
            report(&mut world, name, &format!("away,,{at}"), clock);
            let user = world.directory().user("alice").unwrap();
            let outcome = world.outcome(user);
            prop_assert_eq!(outcome.presence.message(), at.to_string());
            prop_assert!(outcome.since.millis() <= clock + 1_000);
            prop_assert_eq!(outcome, &world.combine(user));
        }
    }
}
