//! The chosen outcome, the inferred one, and the status type, which follows the chosen one.

use super::devices::device;
use super::own::{end, shown, status};
use super::*;
use crate::model::device::DeviceState::{self, *};

fn inferred(world: &World, user: &str) -> Option<&'static str> {
    let user = world.directory().user(user).unwrap();
    world.inferred(user).map(|inferred| inferred.kind().name())
}

fn chosen(world: &World, user: &str) -> String {
    let id = world.directory().user(user).unwrap();
    format!("{} as {}", world.chosen(id).presence, status(world, user))
}

const LUNCH: &str = "[lunch]\ntype=status\nlabel=At lunch\nstate=away\nsubtype=lunch\n";

#[test]
fn a_call_is_no_choice() {
    let mut world = world(&format!(
        "{LUNCH}[a]\ntype=user\nextension=1\nuse_devices=yes\n"
    ));
    let a = world.directory().user("a").unwrap();
    device(&mut world, "PJSIP/1", NotInUse, 1);
    // No status is chosen yet: the conclusion names the combined presence.
    assert_eq!(shown(&world, "a"), "available as not_set");
    assert_eq!(world.inferred(a).unwrap().label(), "Available");
    set(&mut world, "a", "lunch,,Back at one", 2);
    write_all(&mut world, 2);
    assert_eq!(inferred(&world, "a"), None);
    for (state, kind) in [
        (InUse, "call"),
        (OnHold, "hold"),
        (RingInUse, "call"),
        (Ringing, "ringing"),
        (NotInUse, ""),
    ] {
        device(&mut world, "PJSIP/1", state, 3);
        assert_eq!(inferred(&world, "a").unwrap_or_default(), kind);
        assert_eq!(chosen(&world, "a"), "away (lunch) \"Back at one\" as lunch");
    }
    device(&mut world, "PJSIP/1", InUse, 4);
    let effects = set(&mut world, "a", "chat", 5);
    let [Effect::Transition(transition)] = &effects[..] else {
        panic!("{effects:?}")
    };
    // Readers receive a choice made during a call, and Asterisk receives nothing.
    assert_eq!(transition.chosen.presence.state(), State::Chat);
    assert_eq!(transition.new.state(), State::Dnd);
    assert!(!transition.publish && transition.changed.has(Detail::Status));
}

#[test]
fn a_new_message_keeps_everything_else() {
    let mut world = world(&format!(
        "{LUNCH}[a]\ntype=user\nextension=1\nuse_devices=yes\n"
    ));
    let a = world.directory().user("a").unwrap();
    set(&mut world, "a", "lunch,,,t(10)", 1_000);
    device(&mut world, "PJSIP/1", InUse, 2_000);
    let now = Time::from_millis(3_000);
    let choice = world.with_message(a, "Back at one", now).unwrap();
    assert_eq!(&*choice.status.name, "lunch");
    assert_eq!(choice.until, Some(Time::from_millis(11_000)));
    let choice = &choice;
    world.apply(&Change::Chosen { user: a, choice }, now);
    write_all(&mut world, 3_000);
    assert_eq!(chosen(&world, "a"), "away (lunch) \"Back at one\" as lunch");
    end(&mut world, 11_000);
    write_all(&mut world, 11_000);
    assert_eq!(chosen(&world, "a"), "not_set as not_set");
    assert!(world.with_message(a, "a\nb", now).is_err());
    // A presence that a phone reported is kept, too.
    report(&mut world, "1", "xa,train,Late", 12_000);
    let choice = world.with_message(a, "", now).unwrap();
    assert!(choice.presence.unwrap().is(State::Xa, "train", ""));
}

#[test]
fn a_status_is_not_left_behind_when_a_timed_one_ends() {
    let mut world = world(ALICE);
    set(&mut world, "alice", "available", 1_000);
    write_all(&mut world, 1_000);
    set(&mut world, "alice", "dnd,,,t(2)", 2_000);
    write_all(&mut world, 2_000);
    report(&mut world, "2", "away", 3_000);
    assert_eq!(shown(&world, "alice"), "dnd as dnd");
    end(&mut world, 4_000);
    write_all(&mut world, 4_000);
    assert_eq!(shown(&world, "alice"), "away as away");
    report(&mut world, "2", "not_set", 5_000);
    assert_eq!(shown(&world, "alice"), "available as available");
}

#[test]
fn a_type_that_a_reload_removes_leaves_no_empty_status() {
    let mut world = world(&format!("{LUNCH}{ALICE}"));
    set(&mut world, "alice", "lunch", 1_000);
    write_all(&mut world, 1_000);
    set(&mut world, "alice", "dnd,,,t(2)", 2_000);
    write_all(&mut world, 2_000);
    let plan = Plan::new(world.directory(), directory(ALICE));
    let at = Time::from_millis(3_000);
    world.reconfigure(&plan, &Stored::default(), ProviderValues::default(), at);
    assert_eq!(status(&world, "alice"), "dnd");
    end(&mut world, 4_000);
    write_all(&mut world, 4_000);
    assert_eq!(shown(&world, "alice"), "away (lunch) as away");
}

/// A type without a state counts if it was chosen after the last report of a phone.
#[test]
fn a_recorded_type_is_the_last_choice() {
    let mut world = world(&format!("[focus]\ntype=status\nstate=\n{ALICE}"));
    set(&mut world, "alice", "away", 1_000);
    write_all(&mut world, 1_000);
    report(&mut world, "1", "xa", 2_000);
    assert_eq!(status(&world, "alice"), "xa");
    set(&mut world, "alice", "focus", 3_000);
    assert_eq!(shown(&world, "alice"), "xa as focus");
    let stored = stored(&mut world, true);
    let text = format!("[focus]\ntype=status\nstate=\n{ALICE}");
    let mut after = World::restore(directory(&text), &stored, Time::from_millis(4_000));
    assert_eq!(shown(&after, "alice"), "xa as focus");
    report(&mut after, "1", "chat", 5_000);
    assert_eq!(
        status(&after, "alice"),
        "away",
        "the type of extension 2, which wins"
    );
}

#[test]
fn the_conclusion_names_phones_that_are_off() {
    let mut world = world(
        "[a]\ntype=user\nextension=1\nextension=2\nuse_devices=yes\n\
         [b]\ntype=user\nextension=1\nextension=2\n\
         [c]\ntype=user\ndevice=PJSIP/1\ndevice=PJSIP/2\n",
    );
    for user in ["a", "b"] {
        set(&mut world, user, "available", 1);
        write_all(&mut world, 1);
    }
    device(&mut world, "PJSIP/1", Unavailable, 2);
    device(&mut world, "PJSIP/2", NotInUse, 2);
    // The unreachable phone takes no part.
    for user in ["a", "b", "c"] {
        assert_eq!(state(&world, user), State::Available, "{user}");
    }
    assert_eq!([inferred(&world, "a"), inferred(&world, "b")], [None, None]);
    let effects = device(&mut world, "PJSIP/2", Unavailable, 3);
    assert_eq!(shown(&world, "a"), "unavailable as available");
    assert_eq!(shown(&world, "b"), "available as available");
    for user in ["a", "b"] {
        assert_eq!(inferred(&world, user), Some("offline"));
    }
    // Readers also receive a change of the conclusion alone.
    let sent = transitions(&effects);
    assert!(sent.iter().any(|sent| sent.0 == "b"), "{sent:?}");
    // A device that does not exist is not a phone that is off.
    device(&mut world, "PJSIP/1", Invalid, 4);
    device(&mut world, "PJSIP/2", Invalid, 4);
    assert_eq!(inferred(&world, "b"), None);
}

#[test]
fn actions_follow_choices_and_hours_or_all_sources() {
    let mut world = world(
        "[quiet]\ntype=action\nstatus=dnd\ndnd=on\n\
         [a]\ntype=user\nextension=1\nuse_devices=yes\naction=quiet\n\
         schedule=00:00-00:00,mon,1,jan\nschedule_status=xa\n\
         [b]\ntype=user\nextension=1\nuse_devices=yes\n",
    );
    let a = world.directory().user("a").unwrap();
    let decided = |world: &World| {
        let decisions = world.decisions(a).unwrap();
        let of = |decision: &Decision| {
            let status = decision.status.as_ref().map(|status| &*status.name);
            format!(
                "{} {}",
                decision.presence.state(),
                status.unwrap_or_default()
            )
        };
        [of(&decisions.chosen), of(&decisions.combined)]
    };
    set(&mut world, "a", "available", 1);
    write_all(&mut world, 1);
    device(&mut world, "PJSIP/1", InUse, 2);
    assert_eq!(decided(&world), ["available available", "dnd dnd"]);
    // The schedule has begun: it counts for both decisions, below the call.
    let schedule = world.directory().schedules()[0].0;
    let effects = world.apply(&reported(schedule, "xa"), Time::from_millis(3));
    assert_eq!(decided(&world), ["xa xa", "dnd dnd"]);
    assert_eq!(chosen(&world, "a"), "available as available");
    assert_eq!(inferred(&world, "a"), Some("call"));
    assert_eq!(effects, [], "nothing visible has changed");
    device(&mut world, "PJSIP/1", NotInUse, 4);
    assert_eq!(decided(&world), ["xa xa", "xa xa"]);
    assert_eq!(inferred(&world, "a"), Some("hours"));
    let b = world.directory().user("b").unwrap();
    assert_eq!(world.decisions(b), None);
}

#[derive(Clone, Debug)]
enum MixedStep {
    Report(usize, usize),
    Set(usize),
    Device(usize, usize),
    End,
}

fn steps() -> impl Strategy<Value = Vec<MixedStep>> {
    let one = prop_oneof![
        3 => (1usize..3, 0usize..7).prop_map(|(e, s)| MixedStep::Report(e, s)),
        3 => (0usize..8).prop_map(MixedStep::Set),
        4 => (0usize..3, 0usize..9).prop_map(|(d, s)| MixedStep::Device(d, s)),
        1 => Just(MixedStep::End),
    ];
    proptest::collection::vec(one, 1..40)
}

proptest! {
    /// The chosen outcome and the status type are the same as without any devices.
    #[test]
    fn inferred_sources_change_no_choice(steps in steps(), latest: bool, none: bool) {
        let method = if latest { "latest" } else { "priority" };
        let outgoing = if none { "none" } else { "all" };
        let text = format!(
            "{LUNCH}[focus]\ntype=status\nstate=\n[a]\ntype=user\nextension=1\nextension=2\n\
             method={method}\noutgoing={outgoing}\nignore_unreachable=no\n"
        );
        let devices = "use_devices=yes\ndevice=confbridge:1\n";
        let mut worlds = [world(&text), world(&format!("{text}{devices}"))];
        let values = [
            "available", "dnd", "lunch", "focus", "away,,x", "dnd,,,t(1)", "lunch,,,t(2)",
            "focus,,,t(3)",
        ];
        for (at, step) in steps.iter().enumerate() {
            let at = 1_000 + 500 * at as u64;
            for (which, world) in worlds.iter_mut().enumerate() {
                match *step {
                    MixedStep::Report(extension, state) => {
                        report(world, &extension.to_string(), State::ALL[state].name(), at);
                    }
                    MixedStep::Set(value) => {
                        set(world, "a", values[value], at);
                        write_all(world, at);
                    }
                    MixedStep::Device(name, state) if which == 1 => {
                        let name = ["PJSIP/1", "PJSIP/2", "confbridge:1"][name];
                        device(world, name, DeviceState::ALL[state], at);
                    }
                    MixedStep::Device(..) => {}
                    MixedStep::End => {
                        end(world, at);
                        write_all(world, at);
                    }
                }
            }
            let [plain, mixed] = &worlds;
            prop_assert_eq!(chosen(plain, "a"), chosen(mixed, "a"));
            let a = plain.directory().user("a").unwrap();
            prop_assert_eq!(&plain.outcome(a).presence, &plain.chosen(a).presence);
            prop_assert_eq!(plain.chosen(a).until, mixed.chosen(a).until);
        }
    }
}
