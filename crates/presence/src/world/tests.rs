use super::*;
use crate::config::testing::directory;
use crate::model::assignment;
use crate::model::ending::Clock;
use crate::world::stored::Stored;
use proptest::prelude::*;

mod announce;
mod chosen;
mod clock;
mod devices;
mod gone;
mod own;
mod published;
mod seeing;
mod timed;

const ALICE: &str = "[alice]\ntype=user\nextension=1\nextension=2\n";

fn world(text: &str) -> World {
    let mut world = World::restore(directory(text), &Stored::default(), Time::NEVER);
    let sources: Vec<_> = world
        .directory()
        .sources()
        .map(|(id, s)| (id, s.is_provided()))
        .collect();
    for (source, _) in sources.into_iter().filter(|(_, provided)| *provided) {
        world.apply(&reported(source, "not_set"), Time::NEVER);
    }
    world
}

fn reported(source: SourceId, value: &str) -> Change<'_> {
    let mut parts = value.splitn(3, ',');
    let state = State::parse(parts.next().unwrap()).unwrap();
    let mut text = || parts.next().unwrap_or_default();
    Change::Reported {
        source,
        state,
        subtype: text(),
        message: text(),
    }
}

fn report(world: &mut World, extension: &str, value: &str, at: u64) -> Vec<Effect> {
    let source = world
        .directory()
        .source(&format!("CustomPresence:{extension}"))
        .unwrap();
    world.apply(&reported(source, value), Time::from_millis(at))
}

fn choose(world: &mut World, user: &str, state: State, at: u64) -> Vec<Effect> {
    set(world, user, state.name(), at)
}

/// Sets a status as `USER_PRESENCE(user)=value` does.
fn set(world: &mut World, user: &str, value: &str, at: u64) -> Vec<Effect> {
    let user = world.directory().user(user).unwrap();
    let at = Time::from_millis(at);
    let statuses = world.directory().settings.statuses().clone();
    let choice = assignment::parse(value, &statuses, &Clock::utc(at)).unwrap();
    let choice = &choice;
    world.apply(&Change::Chosen { user, choice }, at)
}

fn state(world: &World, user: &str) -> State {
    world
        .outcome(world.directory().user(user).unwrap())
        .presence
        .state()
}

fn reason(world: &World, user: &str) -> (String, Reason) {
    let user = world.directory().user(user).unwrap();
    (world.winner(user).to_owned(), world.outcome(user).reason)
}

fn transitions(effects: &[Effect]) -> Vec<(String, State, State, u64)> {
    let only = |effect: &Effect| match effect {
        Effect::Transition(t) => {
            Some((t.user.to_string(), t.old.state(), t.new.state(), t.sequence))
        }
        _ => None,
    };
    effects.iter().filter_map(only).collect()
}

/// Carries out all writes as the worker does. The provider publishes each written presence.
fn write_all(world: &mut World, at: u64) -> Vec<Effect> {
    let mut effects = Vec::new();
    while let Some(write) = world.take_write() {
        let source = world.directory().source(&write.address).unwrap();
        let presence = write.presence;
        let (state, subtype, message) = (presence.state(), presence.subtype(), presence.message());
        let echo = Change::Reported {
            source,
            state,
            subtype,
            message,
        };
        effects.extend(world.apply(&echo, Time::from_millis(at)));
        effects.extend(world.confirm_write(&write.address, Time::from_millis(at)));
    }
    effects
}

#[test]
fn priority_keeps_dnd_when_another_extension_is_set_later() {
    let mut world = world(ALICE);
    let first = report(&mut world, "1", "dnd,lunch,Back at one", 10);
    assert_eq!(
        transitions(&first),
        [("alice".into(), State::NotSet, State::Dnd, 1)]
    );
    assert_eq!(report(&mut world, "2", "available", 20), []);
    assert_eq!(state(&world, "alice"), State::Dnd);
    assert_eq!(
        reason(&world, "alice"),
        ("CustomPresence:1".into(), Reason::Highest)
    );
    report(&mut world, "1", "not_set", 30);
    assert_eq!(state(&world, "alice"), State::Available);
    assert_eq!(
        reason(&world, "alice"),
        ("CustomPresence:2".into(), Reason::Only)
    );
}

#[test]
fn latest_follows_time_and_an_equal_event_renews_nothing() {
    let mut world = world(&format!("[general]\nmethod=latest\n{ALICE}"));
    report(&mut world, "1", "dnd", 10);
    report(&mut world, "2", "available", 20);
    assert_eq!(report(&mut world, "1", "dnd", 30), []);
    assert_eq!(state(&world, "alice"), State::Available);
    report(&mut world, "1", "away", 40);
    assert_eq!(state(&world, "alice"), State::Away);
    // A source that is cleared gives way to the one set before.
    report(&mut world, "1", "not_set", 50);
    assert_eq!(state(&world, "alice"), State::Available);
}

#[test]
fn changes_within_one_clock_tick_keep_their_order() {
    let mut world = world(&format!("[general]\nmethod=latest\n{ALICE}"));
    report(&mut world, "2", "available", 10);
    report(&mut world, "1", "dnd", 10);
    assert_eq!(state(&world, "alice"), State::Dnd);
    // This also holds when the clock is set back.
    report(&mut world, "2", "chat", 5);
    assert_eq!(state(&world, "alice"), State::Chat);
}

#[test]
fn default_and_none_read_no_other_source() {
    let mut by_default = world(&format!("{ALICE}method=default\ndefault=2\n"));
    report(&mut by_default, "1", "dnd", 10);
    assert_eq!(state(&by_default, "alice"), State::NotSet);
    report(&mut by_default, "2", "chat", 20);
    assert_eq!(
        reason(&by_default, "alice"),
        ("CustomPresence:2".into(), Reason::DefaultExtension)
    );
    let mut by_none = world(&format!("{ALICE}method=none\n"));
    report(&mut by_none, "1", "dnd", 10);
    assert_eq!(state(&by_none, "alice"), State::NotSet);
    choose(&mut by_none, "alice", State::Xa, 20);
    assert_eq!(reason(&by_none, "alice"), (OWN.into(), Reason::OwnStatus));
}

#[test]
fn setting_is_one_transition_and_its_echo_is_none() {
    let mut world = world(&format!("{ALICE}[bob]\ntype=user\nextension=2\n"));
    let effects = choose(&mut world, "alice", State::Away, 10);
    assert_eq!(
        transitions(&effects).len(),
        2,
        "alice, and bob, who shares extension 2"
    );
    assert_eq!(write_all(&mut world, 11), []);
    assert!(!world.writing_for(world.directory().user("alice").unwrap()));
    assert_eq!(state(&world, "bob"), State::Away);
    // A phone can clear the status: own status is no source if it is written to extensions.
    report(&mut world, "1", "not_set", 20);
    report(&mut world, "2", "available", 30);
    assert_eq!(state(&world, "alice"), State::Available);
}

#[test]
fn setting_the_same_again_renews_since_without_noise() {
    let mut world = world(&format!("[general]\nmethod=latest\n{ALICE}"));
    choose(&mut world, "alice", State::Away, 10);
    write_all(&mut world, 10);
    assert_eq!(choose(&mut world, "alice", State::Away, 500), []);
    let alice = world.directory().user("alice").unwrap();
    assert_eq!(world.outcome(alice).since, Time::from_millis(500));
}

#[test]
fn outgoing_default_writes_one_and_none_keeps_it_own() {
    let mut one = world(&format!("{ALICE}outgoing=default\ndefault=2\n"));
    choose(&mut one, "alice", State::Away, 10);
    assert_eq!(&*one.take_write().unwrap().address, "CustomPresence:2");
    assert_eq!(one.take_write(), None);
    let mut own = world(&format!("{ALICE}outgoing=none\n"));
    choose(&mut own, "alice", State::Xa, 10);
    assert_eq!(own.take_write(), None);
    report(&mut own, "1", "available", 20);
    assert_eq!(reason(&own, "alice"), (OWN.into(), Reason::Highest));
    let mut disabled = world(&format!("[general]\nenabled=no\n{ALICE}"));
    report(&mut disabled, "1", "dnd", 10);
    choose(&mut disabled, "alice", State::Chat, 20);
    assert_eq!(disabled.take_write(), None);
    assert_eq!(reason(&disabled, "alice"), (OWN.into(), Reason::Only));
}

#[test]
fn writes_of_others_are_neither_lost_nor_make_the_state_flap() {
    let mut world = world(ALICE);
    choose(&mut world, "alice", State::Away, 10);
    // This report precedes the write in the topic's order and is overwritten.
    assert_eq!(report(&mut world, "1", "chat", 11), []);
    let write = world.take_write().unwrap();
    assert_eq!(report(&mut world, "1", "away", 12), []);
    // This report follows the write, but the worker has not seen it yet: it is applied.
    assert_eq!(report(&mut world, "1", "xa", 13), []);
    assert_eq!(
        transitions(&world.confirm_write(&write.address, Time::from_millis(14))).len(),
        1
    );
    assert_eq!(state(&world, "alice"), State::Xa);
    write_all(&mut world, 15);
    assert_eq!(state(&world, "alice"), State::Xa);
    // A newer choice replaces one that still waits.
    choose(&mut world, "alice", State::Dnd, 20);
    choose(&mut world, "alice", State::Chat, 21);
    let states: Vec<_> = std::iter::from_fn(|| world.take_write())
        .map(|write| write.presence.state())
        .collect();
    assert_eq!(states, [State::Chat, State::Chat]);
}

#[test]
fn an_unknown_source_takes_no_part() {
    let mut world = World::restore(directory(ALICE), &Stored::default(), Time::NEVER);
    report(&mut world, "1", "dnd", 10);
    let source = world.directory().source("CustomPresence:1").unwrap();
    let lost = world.apply(&Change::Lost(source), Time::from_millis(20));
    assert_eq!(transitions(&lost).len(), 1);
    assert_eq!(reason(&world, "alice"), (String::new(), Reason::NothingSet));
    // The source is back with the same presence, so its since stays.
    report(&mut world, "1", "dnd", 30);
    let alice = world.directory().user("alice").unwrap();
    assert_eq!(world.outcome(alice).since, Time::from_millis(10));
}

#[test]
fn a_user_is_a_source_of_others_and_each_changes_once() {
    let mut world = world(
        "[top]\ntype=user\nsource=UserPresence:a\nsource=UserPresence:b\n\
         [a]\ntype=user\nextension=1\n[b]\ntype=user\nextension=1\n",
    );
    let effects = report(&mut world, "1", "dnd,x,y", 10);
    let names: Vec<_> = transitions(&effects).into_iter().map(|t| t.0).collect();
    assert_eq!(names, ["a", "b", "top"]);
    assert_eq!(reason(&world, "top").0, "UserPresence:b");
    let top = world.directory().user("top").unwrap();
    assert!(world.outcome(top).presence.is(State::Dnd, "x", "y"));
}

#[test]
fn accounts_have_separate_numbers_without_a_gap() {
    let mut world = world(&format!(
        "{ALICE}account=x\n[bob]\ntype=user\nextension=2\n"
    ));
    let effects = report(&mut world, "2", "away", 10);
    let numbers: Vec<_> = transitions(&effects)
        .into_iter()
        .map(|t| (t.0, t.3))
        .collect();
    assert_eq!(numbers, [("alice".into(), 1), ("bob".into(), 1)]);
    assert_eq!(transitions(&report(&mut world, "2", "chat", 20))[0].3, 2);
}

/// All rows as AstDB would hold them, and the sequence numbers only after a clean stop.
fn stored(world: &mut World, clean: bool) -> Stored {
    let rows = world.take_rows(usize::MAX).into_iter();
    let rows = rows.filter_map(|row| Some((row.key, row.value?)));
    let mut stored = Stored::read(rows);
    let numbers = world.account_sequences().filter(|_| clean);
    stored.accounts = numbers
        .map(|(name, last)| (name.to_owned(), last))
        .collect();
    stored
}

#[test]
fn a_restart_restores_the_outcome_and_applies_changes() {
    let text = format!("[general]\nmethod=latest\n{ALICE}outgoing=none\n");
    let mut before = world(&text);
    report(&mut before, "1", "dnd", 10);
    choose(&mut before, "alice", State::Away, 15);
    report(&mut before, "2", "available,s,m", 20);
    let stored = stored(&mut before, true);
    let mut after = World::restore(directory(&text), &stored, Time::from_millis(900));
    let alice = after.directory().user("alice").unwrap();
    assert_eq!(after.outcome(alice), before.outcome(alice));
    assert_eq!(after.sequence(alice), before.sequence(alice));
    // Reports at the start change nothing if they are equal; a different one is a transition.
    assert_eq!(report(&mut after, "1", "dnd", 1000), []);
    assert_eq!(report(&mut after, "2", "available,s,m", 1000), []);
    let noticed = transitions(&report(&mut after, "1", "chat", 1001));
    assert_eq!(
        noticed,
        [(
            "alice".into(),
            State::Available,
            State::Chat,
            before.sequence(alice) + 1
        )]
    );
}

#[test]
fn lost_numbers_continue_at_the_present_time() {
    let mut before = world(ALICE);
    report(&mut before, "1", "dnd", 10);
    let stored = stored(&mut before, false);
    let mut after = World::restore(directory(ALICE), &stored, Time::from_millis(5000));
    assert_eq!(
        transitions(&report(&mut after, "1", "chat", 5001))[0].3,
        5_000_001
    );
}

#[test]
fn a_reload_applies_differences_only() {
    let mut world = world(&format!(
        "{ALICE}[bob]\ntype=user\nextension=3\n[carol]\ntype=user\nextension=3\n"
    ));
    report(&mut world, "1", "dnd", 10);
    report(&mut world, "2", "available", 20);
    report(&mut world, "3", "away", 20);
    choose(&mut world, "carol", State::Chat, 25);
    world.take_rows(usize::MAX);
    let text = format!(
        "[dave]\ntype=user\nextension=4\n{ALICE}method=latest\n[bob]\ntype=user\nextension=3\n"
    );
    let plan = Plan::new(world.directory(), directory(&text));
    let new: Vec<_> = plan
        .new_sources()
        .map(|(_, address)| address.to_owned())
        .collect();
    assert_eq!(new, ["CustomPresence:4"]);
    let (source, _) = plan.new_sources().next().unwrap();
    let read = ProviderValues {
        sources: vec![(source, State::Xa.into())],
        ..ProviderValues::default()
    };
    let (effects, removed) =
        world.reconfigure(&plan, &Stored::default(), read, Time::from_millis(30));
    let moved: Vec<_> = transitions(&effects)
        .into_iter()
        .map(|t| (t.0, t.1, t.2))
        .collect();
    assert_eq!(
        moved,
        [
            ("dave".into(), State::NotSet, State::Xa),
            ("alice".into(), State::Dnd, State::Available),
        ]
    );
    assert_eq!(effects.len(), 2);
    // The user was published and is removed.
    let gone = [
        Effect::Publish("carol".into(), Presence::default()),
        Effect::Forget("carol".into()),
    ];
    assert_eq!(removed.withdrawn, gone);
    // No stored row is deleted: see the tests in `gone`.
    let rows = world.take_rows(usize::MAX);
    assert!(rows.iter().all(|row| row.value.is_some()), "{rows:?}");
    assert!(rows.iter().any(|row| row.key == "gone/user/carol"));
    // The write of carol's choice to extension 3 is still pending.
    assert_eq!(&*world.take_write().unwrap().address, "CustomPresence:3");
}

#[test]
fn settle_merges_publishes_but_no_transitions() {
    let mut world = world(&format!("[general]\nsettle=100\n{ALICE}"));
    let alice = world.directory().user("alice").unwrap();
    assert!(world.may_show(alice, &Presence::NOT_SET));
    assert!(!world.asked.has_presence(alice), "it is no question");
    let published = |effects: &[Effect]| match &effects[0] {
        Effect::Transition(transition) => transition.publish,
        _ => true,
    };
    assert!(published(&report(&mut world, "1", "dnd", 1000)));
    assert!(!published(&report(&mut world, "1", "away", 1010)));
    assert!(!published(&report(&mut world, "1", "chat", 1020)));
    // Meanwhile Asterisk shows what was published.
    let shown = [State::Dnd, State::Away, State::Chat];
    let shown = shown.map(|state| world.may_show(alice, &state.into()));
    assert_eq!(shown, [true, false, true]);
    assert_eq!(
        world.publish_settled(Time::from_millis(1050)),
        (vec![], Some(Time::from_millis(1100)))
    );
    let (due, next) = world.publish_settled(Time::from_millis(1100));
    assert_eq!(due, [Effect::Publish("alice".into(), State::Chat.into())]);
    assert_eq!(next, Some(Time::from_millis(1200)));
    assert!(!world.may_show(alice, &State::Dnd.into()));
    // Without further changes the time ends silently, and the next change is published at once.
    assert_eq!(
        world.publish_settled(Time::from_millis(1200)),
        (vec![], None)
    );
    assert!(published(&report(&mut world, "1", "dnd", 1300)));
}

#[derive(Clone, Debug)]
enum Step {
    Report(usize, usize),
    Choose(usize, usize),
    Write,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let one = prop_oneof![
        4 => (0usize..3, 0usize..7).prop_map(|(e, s)| Step::Report(e, s)),
        2 => (0usize..3, 0usize..7).prop_map(|(u, s)| Step::Choose(u, s)),
        2 => Just(Step::Write),
    ];
    proptest::collection::vec(one, 1..40)
}

const THREE: &str = "[a]\ntype=user\nextension=1\nextension=2\n\
                     [b]\ntype=user\nextension=2\nextension=3\noutgoing=none\nmethod=latest\n\
                     [c]\ntype=user\nextension=3\nsource=UserPresence:a\nsource=UserPresence:b\n";

proptest! {
    /// After any changes each outcome equals a fresh combination; a repeated change has no
    /// effect; numbers rise by one; each `old` equals the `new` before it.
    #[test]
    fn any_history_keeps_the_rules(steps in steps()) {
        let mut world = world(THREE);
        let mut last = std::collections::HashMap::new();
        let mut number = 0;
        for (at, step) in steps.iter().enumerate() {
            let at = Time::from_millis(10 + at as u64);
            let mut effects = Vec::new();
            match *step {
                Step::Report(extension, state) => {
                    let address = format!("CustomPresence:{}", extension + 1);
                    let source = world.directory().source(&address).unwrap();
                    let change = reported(source, State::ALL[state].name());
                    effects = world.apply(&change, at);
                    prop_assert_eq!(world.apply(&change, at), vec![]);
                }
                Step::Choose(user, state) => {
                    let user = world.directory().user(["a", "b", "c"][user]).unwrap();
                    let statuses = world.directory().settings.statuses();
                    let choice = Choice::of(statuses.find(State::ALL[state].name()).unwrap());
                    let change = Change::Chosen { user, choice: &choice };
                    effects = world.apply(&change, at);
                    prop_assert_eq!(world.apply(&change, at), vec![]);
                }
                Step::Write => effects.extend(write_all(&mut world, at.millis())),
            }
            for effect in effects {
                let Effect::Transition(t) = effect else { unreachable!() };
                number += 1;
                prop_assert_eq!(t.sequence, number);
                let before = last.insert(t.user.clone(), t.new.clone()).unwrap_or_default();
                prop_assert_eq!(&before, &t.old);
                prop_assert!(t.changed != Details::NONE);
                let status_differs = t.old != t.new || t.old_status != t.status;
                prop_assert!(t.changed.has(Detail::Status) || !status_differs);
                prop_assert!(t.old != t.new || !t.publish);
            }
        }
        for user in ["a", "b", "c"] {
            let id = world.directory().user(user).unwrap();
            prop_assert_eq!(world.outcome(id), &world.combine(id));
            // The status type is always up to date.
            prop_assert_eq!(world.derived_status(id), None);
            let seen = last.get(user).cloned().unwrap_or_default();
            prop_assert_eq!(&world.outcome(id).presence, &seen);
        }
    }

    /// Events of one moment may arrive in any order if the state decides.
    #[test]
    fn order_of_arrival_does_not_matter_to_priority(states in proptest::collection::vec(0usize..7, 3)) {
        let text = "[a]\ntype=user\nextension=1\nextension=2\nextension=3\n";
        let run = |order: [usize; 3]| {
            let mut world = world(text);
            for i in order {
                report(&mut world, &(i + 1).to_string(), State::ALL[states[i]].name(), 10);
            }
            state(&world, "a")
        };
        let expected = run([0, 1, 2]);
        for order in [[0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
            prop_assert_eq!(run(order), expected);
        }
    }
}
