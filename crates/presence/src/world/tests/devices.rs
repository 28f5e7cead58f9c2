//! Devices and meetings, as sources and as what is shown of a user.

use super::*;
use crate::model::device::DeviceState::{self, *};

pub fn device(world: &mut World, name: &str, state: DeviceState, at: u64) -> Vec<Effect> {
    let device = world.directory().device(name).unwrap();
    world.apply(&Change::Device(device, state), Time::from_millis(at))
}

fn lamp(world: &World, user: &str) -> (DeviceState, DeviceState) {
    let user = world.directory().user(user).unwrap();
    (
        world.ask(user, Watcher::Lamp),
        world.ask(user, Watcher::Queue),
    )
}

#[test]
fn a_device_takes_part_where_it_is_asked_to() {
    let mut world = world("[a]\ntype=user\nextension=1\nuse_devices=yes\n");
    device(&mut world, "PJSIP/1", NotInUse, 1);
    assert_eq!(state(&world, "a"), State::Available);
    device(&mut world, "PJSIP/1", InUse, 2);
    assert_eq!(reason(&world, "a"), ("PJSIP/1".into(), Reason::Only));
    assert_eq!(state(&world, "a"), State::Dnd);
    // A call is shown as one.
    assert_eq!(lamp(&world, "a"), (InUse, InUse));
    hear(&mut world, "1", "dnd", 3);
    assert_eq!(lamp(&world, "a"), (Busy, Busy));
}

#[test]
fn a_call_that_ends_gives_way_where_the_latest_wins() {
    let mut world = world("[a]\ntype=user\nextension=1\nuse_devices=yes\nmethod=latest\n");
    hear(&mut world, "1", "away", 1);
    device(&mut world, "PJSIP/1", NotInUse, 2);
    assert_eq!(state(&world, "a"), State::Away);
    device(&mut world, "PJSIP/1", InUse, 3);
    assert_eq!(state(&world, "a"), State::Dnd);
    device(&mut world, "PJSIP/1", NotInUse, 4);
    assert_eq!(state(&world, "a"), State::Away);
    hear(&mut world, "1", "not_set", 5);
    assert_eq!(state(&world, "a"), State::NotSet);
}

#[test]
fn meetings_and_tables_of_ones_own() {
    let mut world = world(
        "[room]\ntype=device_table\nin_use=away,meeting,In the room\n\
         [a]\ntype=user\ndevice=confbridge:100\n\
         [b]\ntype=user\ndevice=confbridge:100,room\n",
    );
    device(&mut world, "confbridge:100", InUse, 1);
    assert_eq!(state(&world, "a"), State::Dnd);
    assert_eq!(state(&world, "b"), State::Away);
    assert_eq!(lamp(&world, "a").0, Busy);
    device(&mut world, "confbridge:100", NotInUse, 2);
    assert_eq!(state(&world, "a"), State::NotSet);
    assert_eq!(state(&world, "b"), State::Available);
}

#[test]
fn extensions_that_cannot_be_reached_may_be_left_out() {
    let mut world = world(
        "[a]\ntype=user\nextension=1\nextension=2\n\
         [b]\ntype=user\nextension=1\nextension=2\nignore_unreachable=no\n",
    );
    device(&mut world, "PJSIP/1", Unavailable, 1);
    device(&mut world, "PJSIP/2", NotInUse, 1);
    hear(&mut world, "1", "dnd", 2);
    hear(&mut world, "2", "available", 3);
    assert_eq!(state(&world, "a"), State::Available);
    assert_eq!(state(&world, "b"), State::Dnd);
    device(&mut world, "PJSIP/2", Unavailable, 4);
    assert_eq!(state(&world, "a"), State::Dnd);
    let effects = device(&mut world, "PJSIP/1", NotInUse, 5);
    assert_eq!(transitions(&effects), []);
}

fn devices(effects: &[Effect]) -> usize {
    let is_device = |effect: &&Effect| matches!(effect, Effect::Device(..));
    effects.iter().filter(is_device).count()
}

#[test]
fn only_those_who_asked_are_told() {
    let mut world = world("[a]\ntype=user\nextension=1\nextension=2\n");
    let effects = device(&mut world, "PJSIP/1", Unavailable, 1);
    assert_eq!(devices(&effects), 0);
    hear(&mut world, "1", "dnd", 2);
    assert_eq!(lamp(&world, "a"), (Busy, Busy));
    let told = |effects: &[Effect], watcher| {
        let of_it = effects.iter().filter_map(|effect| match effect {
            Effect::Device(user, w, state) if *w == watcher => Some((user.to_string(), *state)),
            _ => None,
        });
        of_it.collect::<Vec<_>>()
    };
    let effects = hear(&mut world, "1", "available", 3);
    // Nobody can be reached: never idle.
    let expected = [("a".to_owned(), Unavailable)];
    assert_eq!(told(&effects, Watcher::Lamp), expected);
    assert_eq!(told(&effects, Watcher::Queue), expected);
    let effects = device(&mut world, "PJSIP/2", Ringing, 4);
    assert_eq!(told(&effects, Watcher::Lamp), [("a".to_owned(), Ringing)]);
    let user = world.directory().user("a").unwrap();
    let takes = Change::DndStatus(user, DndStatus::DoNotAcceptDepartmentCalls);
    let effects = world.apply(&takes, Time::from_millis(5));
    assert_eq!(told(&effects, Watcher::Lamp), []);
    assert_eq!(told(&effects, Watcher::Queue), [("a".to_owned(), Busy)]);
}

#[test]
fn a_reload_reads_tables_anew_and_keeps_what_devices_are() {
    let conf = |table: &str| {
        format!("[t]\ntype=device_table\nin_use={table}\n[a]\ntype=user\ndevice=PJSIP/9,t\n")
    };
    let mut world = world(&conf("dnd"));
    device(&mut world, "PJSIP/9", InUse, 1);
    lamp(&world, "a");
    let plan = Plan::new(world.directory(), directory(&conf("xa")));
    assert_eq!(plan.new_devices().count(), 0);
    let (effects, _) = world.reconfigure(
        &plan,
        &Stored::default(),
        Read::default(),
        Time::from_millis(2),
    );
    assert_eq!(transitions(&effects).len(), 1);
    assert_eq!(state(&world, "a"), State::Xa);
    assert_eq!(lamp(&world, "a").0, InUse);
}

#[test]
fn a_device_that_registers_logs_its_user_in() {
    let mut world = world(
        "[a]\ntype=user\nextension=1\nextension=2\nregister_status=available\n\
         unregister_status=unavailable\n",
    );
    // What was found out at a load is no registration.
    device(&mut world, "PJSIP/1", Unavailable, 1);
    device(&mut world, "PJSIP/2", Unavailable, 1);
    assert_eq!(state(&world, "a"), State::NotSet);
    device(&mut world, "PJSIP/1", NotInUse, 2);
    assert_eq!(state(&world, "a"), State::Available);
    device(&mut world, "PJSIP/2", NotInUse, 3);
    device(&mut world, "PJSIP/1", Unavailable, 4);
    assert_eq!(state(&world, "a"), State::Available);
    device(&mut world, "PJSIP/2", Unavailable, 5);
    assert_eq!(state(&world, "a"), State::Unavailable);
}

#[test]
fn watchers_are_told_who_comes_and_goes() {
    let conf = |names: &[&str]| -> String {
        let sections = names.iter().map(|name| format!("[{name}]\ntype=user\n"));
        sections.collect()
    };
    let mut world = world(&conf(&["a", "b"]));
    lamp(&world, "a");
    let plan = Plan::new(world.directory(), directory(&conf(&["B", "c"])));
    let at = Time::from_millis(1);
    let (effects, removed) = world.reconfigure(&plan, &Stored::default(), Read::default(), at);
    let told = |name: &str, watcher, states: &[DeviceState]| -> Vec<Effect> {
        let told = states.iter();
        told.map(|state| Effect::Device(name.into(), watcher, *state))
            .collect()
    };
    // What was asked for and never published comes first: the core keeps quiet about a
    // device that it has not heard of, where it is unknown.
    let gone: Vec<Effect> = Watcher::ALL
        .into_iter()
        .flat_map(|watcher| told("a", watcher, &[Unavailable, Unknown]))
        .collect();
    assert_eq!(removed.withdrawn, gone);
    assert_eq!(effects, []);
    // Who was not there may have been asked for in vain.
    let mut found = Found::default();
    found.watched.add_hint("UserPresence:C&UserPresence:B");
    let shown = world.announce(&found, Some(&["c".into()]));
    assert_eq!(shown, told("c", Watcher::Lamp, &[Unavailable]));
    let gone = told("c", Watcher::Lamp, &[Unavailable, Unknown]);
    assert_eq!(world.withdraw(), gone);
    assert_eq!(lamp(&world, "c"), (Unknown, Unknown));
}

#[test]
fn a_user_as_a_device_is_known_by_the_spelling_it_is_published_in() {
    let world = world(
        "[Sue]\ntype=user\n[a]\ntype=user\ndevice=userpresence:SUE\n\
         [b]\ntype=user\ndevice=UserPresence:sue@QUEUE\n",
    );
    for name in ["UserPresence:Sue", "UserPresence:Sue@queue"] {
        assert!(world.directory().device(name).is_some(), "{name}");
    }
}

#[test]
fn what_a_user_does_is_a_transition_of_its_own() {
    use crate::model::activity::MeetingStatus;
    use crate::model::activity::PresenceStatus;
    use crate::model::activity::TelephonyStatus;
    use crate::model::details::Detail;
    let mut world = world(
        "[a]\ntype=user\nextension=1\ndevice=confbridge:100,meeting\nmethod=default\n\
         [b]\ntype=user\nextension=2\n",
    );
    let [a, b] = ["a", "b"].map(|name| world.directory().user(name).unwrap());
    let changed = |effects: &[Effect]| -> Vec<(Arc<str>, Vec<Detail>)> {
        let transitions = effects.iter().filter_map(|effect| match effect {
            Effect::Transition(transition) => Some(transition),
            _ => None,
        });
        let named = |t: &Transition| {
            Detail::ALL
                .into_iter()
                .filter(|it| t.changed.has(*it))
                .collect()
        };
        transitions.map(|t| (t.user.clone(), named(t))).collect()
    };
    use Detail::{Meeting, Presence, Telephony, User};
    let effects = device(&mut world, "PJSIP/1", NotInUse, 1);
    assert_eq!(changed(&effects), [("a".into(), vec![Presence, User])]);
    let effects = device(&mut world, "PJSIP/1", InUse, 2);
    assert_eq!(changed(&effects), [("a".into(), vec![Telephony, Presence])]);
    let effects = device(&mut world, "confbridge:100", InUse, 3);
    assert_eq!(changed(&effects), [("a".into(), vec![Meeting])]);
    let effects = device(&mut world, "PJSIP/1", NotInUse, 4);
    assert_eq!(changed(&effects), [("a".into(), vec![Telephony])]);
    let does = world.activity(a);
    assert_eq!(does.meeting, MeetingStatus::Connected);
    assert_eq!(
        (does.presence, does.user),
        (PresenceStatus::Busy, PresenceStatus::Available)
    );
    assert_eq!(device(&mut world, "PJSIP/1", NotInUse, 5), []);

    // One waits in a parking lot, the other has parked.
    device(&mut world, "PJSIP/2", InUse, 6);
    let parked = |world: &mut World, parker| {
        let change = Change::Parked {
            place: "701@default",
            channel: "PJSIP/2-00000001",
            parker,
        };
        world.apply(&change, Time::from_millis(7))
    };
    let effects = parked(&mut world, "PJSIP/1");
    let told = changed(&effects);
    assert_eq!(
        told,
        [("a".into(), vec![Telephony]), ("b".into(), vec![Telephony])]
    );
    assert_eq!(world.activity(b).telephony, TelephonyStatus::ParkedCall);
    assert_eq!(world.activity(b).presence, PresenceStatus::Busy);
    assert_eq!(parked(&mut world, "PJSIP/1"), []);
    let effects = world.apply(&Change::Unparked("701@default"), Time::from_millis(8));
    let told = changed(&effects);
    assert_eq!(
        told,
        [("a".into(), vec![Telephony]), ("b".into(), vec![Telephony])]
    );
    assert_eq!(world.activity(b).telephony, TelephonyStatus::CallConnected);
}
