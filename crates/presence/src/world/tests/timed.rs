//! Timed statuses of any number of users at extensions that they share.

use super::*;

const TYPES: &str = "[focus]\ntype=status\nstate=\n";
const SHARED: &str = "[focus]\ntype=status\nstate=\n\
                      [a]\ntype=user\nextension=1\nextension=2\n\
                      [b]\ntype=user\nextension=2\nextension=3\n\
                      [c]\ntype=user\nextension=1\nextension=2\nextension=3\n\
                      [d]\ntype=user\nextension=3\noutgoing=none\n";
const USERS: [&str; 4] = ["a", "b", "c", "d"];
const EXTENSIONS: [&str; 3] = ["1", "2", "3"];

fn extension(world: &World, extension: &str) -> Presence {
    let address = format!("CustomPresence:{extension}");
    let source = world.directory().source(&address).unwrap();
    world.source(source).presence.clone()
}

fn status(world: &World, user: &str) -> String {
    let user = world.directory().user(user).unwrap();
    let status = world.status(user).map(|status| status.name.to_string());
    status.unwrap_or_default()
}

fn end(world: &mut World, at: u64) {
    world.end_due_statuses(Time::from_millis(at));
    write_all(world, at);
}

/// A world in which two users share the extension 201, which is available.
fn two(text: &str) -> World {
    let mut world = world(&format!(
        "{TYPES}[alice]\ntype=user\nextension=201\n[bob]\ntype=user\nextension=201\n{text}"
    ));
    report(&mut world, "201", "available", 1_000);
    world
}

#[test]
fn a_third_timed_status_at_a_shared_extension_ends_too() {
    let mut world = two("");
    for (at, user, value) in [
        (2_000, "alice", "away,,,t(2)"),
        (2_100, "bob", "dnd,,,t(3)"),
        (2_200, "alice", "xa,,,t(4)"),
    ] {
        set(&mut world, user, value, at);
        write_all(&mut world, at);
    }
    for at in [4_000, 5_100, 6_200, 7_000] {
        end(&mut world, at);
    }
    assert_eq!(extension(&world, "201").state(), State::Available);
    for user in ["alice", "bob"] {
        assert_eq!(state(&world, user), State::Available, "{user}");
        let id = world.directory().user(user).unwrap();
        assert_eq!(world.outcome(id).until, Time::NEVER);
    }
}

#[test]
fn a_type_mapped_to_no_state_ends_a_status_below_another_users() {
    let mut world = two("");
    for (at, user, value) in [
        (2_000, "alice", "xa,,,t(4)"),
        (2_100, "bob", "away,,,t(2)"),
        (2_200, "alice", "focus,,,t(1)"),
    ] {
        set(&mut world, user, value, at);
        write_all(&mut world, at);
    }
    for at in [3_200, 4_100, 6_000] {
        end(&mut world, at);
    }
    assert_eq!(extension(&world, "201").state(), State::Available);
    assert_eq!(state(&world, "alice"), State::Available);
    assert_eq!(state(&world, "bob"), State::Available);
}

#[test]
fn a_cancelled_end_disappears_for_other_users_too() {
    let mut world = two("");
    set(&mut world, "alice", "away,,,t(100)", 2_000);
    write_all(&mut world, 2_000);
    let bob = world.directory().user("bob").unwrap();
    assert_eq!(world.outcome(bob).until.millis(), 102_000);
    set(&mut world, "alice", "focus", 3_000);
    assert_eq!(world.outcome(bob).until, Time::NEVER);
    end(&mut world, 102_000);
    assert_eq!(state(&world, "bob"), State::Away);
}

#[test]
fn a_type_removed_below_a_timed_status_leaves_no_empty_status() {
    let lunch = "[lunch]\ntype=status\nstate=away\nsubtype=lunch\n";
    let mut world = two(lunch);
    set(&mut world, "alice", "lunch", 2_000);
    write_all(&mut world, 2_000);
    set(&mut world, "alice", "dnd,,,t(10)", 3_000);
    write_all(&mut world, 3_000);
    let without = two("");
    let plan = Plan::new(world.directory(), without.directory().clone());
    let at = Time::from_millis(4_000);
    world.reconfigure(&plan, &Stored::default(), ProviderValues::default(), at);
    end(&mut world, 13_000);
    assert_eq!(extension(&world, "201").state(), State::Away);
    assert_eq!(status(&world, "alice"), "away");
}

/// Asterisk was killed after the end was written to the extension and before the row was.
#[test]
fn an_end_found_at_a_start_keeps_its_since() {
    let mut before = two("");
    let at = |world: &World| {
        let source = world.directory().source("CustomPresence:201").unwrap();
        world.source(source).since.millis()
    };
    set(&mut before, "alice", "dnd,,,t(10)", 2_000);
    write_all(&mut before, 2_000);
    let rows = stored(&mut before, false);
    let again = |value: &str| {
        let now = Time::from_millis(20_000);
        let mut world = World::restore(before.directory().clone(), &rows, now);
        report(&mut world, "201", value, 20_000);
        end(&mut world, 20_001);
        (extension(&world, "201").state(), at(&world))
    };
    assert_eq!(again("available"), (State::Available, 1_000));
    assert_eq!(again("dnd"), (State::Available, 1_000));
    assert_eq!(again("away"), (State::Away, 20_000));
}

/// The only user of an extension is removed during a timed status, as by a mistake in a file.
#[test]
fn a_timed_status_of_a_removed_user_ends_at_their_extension() {
    let text = "[alice]\ntype=user\nextension=200\n";
    let mut world = world(text);
    report(&mut world, "200", "available", 1_000);
    set(&mut world, "alice", "away,,,t(1800)", 2_000);
    write_all(&mut world, 2_000);
    let plan = Plan::new(world.directory(), directory("[bob]\ntype=user\n"));
    let at = Time::from_millis(3_000);
    world.reconfigure(&plan, &Stored::default(), ProviderValues::default(), at);
    let write = world.take_write().unwrap();
    assert_eq!(&*write.address, "CustomPresence:200");
    assert_eq!(write.presence.state(), State::Available);
    assert_eq!(world.confirm_write(&write.address, at), []);
    assert_eq!(world.take_write(), None);
}

#[derive(Clone, Debug)]
enum TimedStep {
    /// A report from a phone or another program.
    Report(usize, usize),
    Untimed(usize, usize),
    Timed(usize, usize, u64),
    /// A type that is mapped to no state, with an end in seconds unless the number is 0.
    Unmapped(usize, u64),
    Write,
    Wait(u64),
    Restart,
    Reload,
}

fn steps(unmapped: bool) -> impl Strategy<Value = Vec<TimedStep>> {
    let (user, extension, state) = (0..USERS.len(), 0..EXTENSIONS.len(), 0usize..7);
    let one = prop_oneof![
        2 => (extension, state.clone()).prop_map(|(e, s)| TimedStep::Report(e, s)),
        2 => (user.clone(), state.clone()).prop_map(|(u, s)| TimedStep::Untimed(u, s)),
        6 => (user.clone(), state, 1u64..60).prop_map(|(u, s, t)| TimedStep::Timed(u, s, t)),
        if unmapped { 3 } else { 0 } => (user, 0u64..60).prop_map(|(u, t)| TimedStep::Unmapped(u, t)),
        2 => Just(TimedStep::Write),
        4 => (1u64..30).prop_map(TimedStep::Wait),
        1 => Just(TimedStep::Restart),
        1 => Just(TimedStep::Reload),
    ];
    proptest::collection::vec(one, 1..40)
}

/// A world that goes through the steps, with the expected extensions and own statuses after
/// all ends.
struct TimedRun {
    world: World,
    rows: std::collections::BTreeMap<String, String>,
    at: u64,
    extensions: [Presence; 3],
    own: [Option<Presence>; 4],
}

impl TimedRun {
    fn new() -> Self {
        TimedRun {
            world: world(SHARED),
            rows: Default::default(),
            at: 1_000_000,
            extensions: Default::default(),
            own: Default::default(),
        }
    }

    fn written(user: usize) -> &'static [usize] {
        [&[0usize, 1][..], &[1, 2], &[0, 1, 2], &[]][user]
    }

    /// Each step has its own text, so that no two values are equal by chance.
    fn value(&self, state: usize) -> String {
        format!("{},,{}", State::ALL[state].name(), self.at)
    }

    fn keep(&mut self) {
        for row in self.world.take_rows(usize::MAX) {
            match row.value {
                Some(value) => self.rows.insert(row.key, value),
                None => self.rows.remove(&row.key),
            };
        }
    }

    fn step(&mut self, step: &TimedStep) {
        self.at += 1_000;
        self.world.end_due_statuses(Time::from_millis(self.at));
        match *step {
            TimedStep::Report(extension, state) => {
                write_all(&mut self.world, self.at);
                let value = self.value(state);
                report(&mut self.world, EXTENSIONS[extension], &value, self.at);
                self.extensions[extension] =
                    Presence::new(State::ALL[state], "", value.rsplit(',').next().unwrap());
            }
            TimedStep::Untimed(user, state) => {
                let value = self.value(state);
                set(&mut self.world, USERS[user], &value, self.at);
                let message = value.rsplit(',').next().unwrap();
                let chosen = Presence::new(State::ALL[state], "", message);
                for &extension in Self::written(user) {
                    self.extensions[extension] = chosen.clone();
                }
                self.own[user] = Some(chosen);
            }
            TimedStep::Timed(user, state, seconds) => {
                let value = format!("{},t({seconds})", self.value(state));
                set(&mut self.world, USERS[user], &value, self.at);
            }
            TimedStep::Unmapped(user, 0) => {
                set(&mut self.world, USERS[user], "focus", self.at);
            }
            TimedStep::Unmapped(user, seconds) => {
                let value = format!("focus,,,t({seconds})");
                set(&mut self.world, USERS[user], &value, self.at);
            }
            TimedStep::Write => {
                write_all(&mut self.world, self.at);
            }
            TimedStep::Wait(seconds) => {
                self.at += seconds * 1_000;
                self.world.end_due_statuses(Time::from_millis(self.at));
            }
            TimedStep::Restart => {
                write_all(&mut self.world, self.at);
                self.keep();
                let rows = self.rows.clone().into_iter();
                let stored = Stored::read(rows);
                let now = Time::from_millis(self.at);
                self.world = World::restore(directory(SHARED), &stored, now);
            }
            TimedStep::Reload => {
                let plan = Plan::new(self.world.directory(), directory(SHARED));
                let now = Time::from_millis(self.at);
                self.world
                    .reconfigure(&plan, &Stored::default(), ProviderValues::default(), now);
            }
        }
    }

    /// Lets all ends pass and checks that nothing is left of them.
    fn finish(&mut self) -> Result<(), TestCaseError> {
        self.at += 3_600_000;
        end(&mut self.world, self.at);
        let (effects, next) = self.world.end_due_statuses(Time::from_millis(self.at));
        prop_assert_eq!((effects, next), (vec![], None));
        for user in USERS {
            let id = self.world.directory().user(user).unwrap();
            prop_assert_eq!(self.world.outcome(id).until, Time::NEVER, "{}", user);
            prop_assert_eq!(self.world.outcome(id), &self.world.combine(id));
            let own = self.world.own(id);
            prop_assert!(own.is_none_or(|own| own.until == Time::NEVER && own.before.is_none()));
            prop_assert!(self.world.status(id).is_some());
        }
        for name in EXTENSIONS {
            let address = format!("CustomPresence:{name}");
            let source = self.world.directory().source(&address).unwrap();
            prop_assert_eq!(self.world.source(source).until(), Time::NEVER);
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    /// After all ends, everything is as the last untimed choice or outside change left it.
    #[test]
    fn everything_returns_to_the_last_untimed(steps in steps(false)) {
        let mut run = TimedRun::new();
        for step in &steps {
            run.step(step);
        }
        run.finish()?;
        for (name, expected) in EXTENSIONS.iter().zip(&run.extensions) {
            prop_assert_eq!(&extension(&run.world, name), expected, "{}", name);
        }
        for (user, expected) in USERS.iter().zip(&run.own) {
            let id = run.world.directory().user(user).unwrap();
            let own = run.world.own(id).map(|own| &own.presence);
            prop_assert_eq!(own, expected.as_ref(), "{}", user);
        }
    }

    /// Types that are mapped to no state take over the ends of others; no status stays timed.
    #[test]
    fn no_end_is_ever_left_in_the_past(steps in steps(true)) {
        let mut run = TimedRun::new();
        for step in &steps {
            run.step(step);
            let now = Time::from_millis(run.at);
            for user in USERS {
                let id = run.world.directory().user(user).unwrap();
                let until = run.world.outcome(id).until;
                prop_assert!(until == Time::NEVER || until > now, "{} {:?}", user, step);
            }
        }
        run.finish()?;
    }
}
