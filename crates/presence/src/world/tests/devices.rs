//! Devices and meetings as sources, and the device states of users.

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
fn a_device_takes_part_if_it_is_configured_to() {
    let mut world = world("[a]\ntype=user\nextension=1\nuse_devices=yes\n");
    device(&mut world, "PJSIP/1", NotInUse, 1);
    assert_eq!(state(&world, "a"), State::Available);
    device(&mut world, "PJSIP/1", InUse, 2);
    assert_eq!(reason(&world, "a"), ("PJSIP/1".into(), Reason::Only));
    assert_eq!(state(&world, "a"), State::Dnd);
    // A call is shown as a call.
    assert_eq!(lamp(&world, "a"), (InUse, InUse));
    report(&mut world, "1", "dnd", 3);
    assert_eq!(lamp(&world, "a"), (Busy, Busy));
}

#[test]
fn a_call_that_ends_gives_way_if_the_latest_wins() {
    let mut world = world("[a]\ntype=user\nextension=1\nuse_devices=yes\nmethod=latest\n");
    report(&mut world, "1", "away", 1);
    device(&mut world, "PJSIP/1", NotInUse, 2);
    assert_eq!(state(&world, "a"), State::Away);
    device(&mut world, "PJSIP/1", InUse, 3);
    assert_eq!(state(&world, "a"), State::Dnd);
    device(&mut world, "PJSIP/1", NotInUse, 4);
    assert_eq!(state(&world, "a"), State::Away);
    report(&mut world, "1", "not_set", 5);
    assert_eq!(state(&world, "a"), State::NotSet);
}

#[test]
fn meetings_and_device_tables() {
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
fn unreachable_extensions_are_ignored_by_default() {
    let mut world = world(
        "[a]\ntype=user\nextension=1\nextension=2\n\
         [b]\ntype=user\nextension=1\nextension=2\nignore_unreachable=no\n",
    );
    device(&mut world, "PJSIP/1", Unavailable, 1);
    device(&mut world, "PJSIP/2", NotInUse, 1);
    report(&mut world, "1", "dnd", 2);
    report(&mut world, "2", "available", 3);
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
fn only_watchers_that_asked_receive_changes() {
    let mut world = world("[a]\ntype=user\nextension=1\nextension=2\n");
    let effects = device(&mut world, "PJSIP/1", Unavailable, 1);
    assert_eq!(devices(&effects), 0);
    report(&mut world, "1", "dnd", 2);
    assert_eq!(lamp(&world, "a"), (Busy, Busy));
    let sent = |effects: &[Effect], watcher| {
        let of_it = effects.iter().filter_map(|effect| match effect {
            Effect::Device(user, w, state) if *w == watcher => Some((user.to_string(), *state)),
            _ => None,
        });
        of_it.collect::<Vec<_>>()
    };
    let effects = report(&mut world, "1", "available", 3);
    // No phone is reachable: the user is never idle.
    let expected = [("a".to_owned(), Unavailable)];
    assert_eq!(sent(&effects, Watcher::Lamp), expected);
    assert_eq!(sent(&effects, Watcher::Queue), expected);
    let effects = device(&mut world, "PJSIP/2", Ringing, 4);
    assert_eq!(sent(&effects, Watcher::Lamp), [("a".to_owned(), Ringing)]);
    let user = world.directory().user("a").unwrap();
    let takes = Change::DndStatus(user, DndStatus::DoNotAcceptDepartmentCalls);
    let effects = world.apply(&takes, Time::from_millis(5));
    assert_eq!(sent(&effects, Watcher::Lamp), []);
    assert_eq!(sent(&effects, Watcher::Queue), [("a".to_owned(), Busy)]);
}

#[test]
fn a_reload_applies_new_tables_and_keeps_device_states() {
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
        ProviderValues::default(),
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
    // The states found at a load are no registrations.
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
fn watchers_learn_of_added_and_removed_users() {
    let conf = |names: &[&str]| -> String {
        let sections = names.iter().map(|name| format!("[{name}]\ntype=user\n"));
        sections.collect()
    };
    let mut world = world(&conf(&["a", "b"]));
    lamp(&world, "a");
    let plan = Plan::new(world.directory(), directory(&conf(&["B", "c"])));
    let at = Time::from_millis(1);
    let (effects, removed) =
        world.reconfigure(&plan, &Stored::default(), ProviderValues::default(), at);
    let sent = |name: &str, watcher, states: &[DeviceState]| -> Vec<Effect> {
        let sent = states.iter();
        sent.map(|state| Effect::Device(name.into(), watcher, *state))
            .collect()
    };
    // A lamp gets what the provider answers for an unknown user. For a queue the present state
    // comes first, because the core ignores Unknown for a device that was never published.
    let mut gone = sent("a", Watcher::Lamp, &[Invalid]);
    gone.extend(sent("a", Watcher::Queue, &[Unavailable, Unknown]));
    gone.extend(["a", "b"].map(|name| Effect::Forget(name.into())));
    assert_eq!(removed.withdrawn, gone);
    assert_eq!(effects, []);
    // A hint may have asked for a user before the user existed.
    let mut found = Found::default();
    found.watched.add_hint("UserPresence:C&UserPresence:B");
    let shown = world.announce(&found, Some(&["c".into()]));
    assert_eq!(shown, sent("c", Watcher::Lamp, &[Unavailable]));
    let gone = sent("c", Watcher::Lamp, &[Unavailable, Unknown]);
    assert_eq!(world.withdraw(), gone);
    assert_eq!(lamp(&world, "c"), (Unknown, Unknown));
}

#[test]
fn a_user_as_a_device_gets_its_published_spelling() {
    let world = world(
        "[Sue]\ntype=user\n[a]\ntype=user\ndevice=userpresence:SUE\n\
         [b]\ntype=user\ndevice=UserPresence:sue@QUEUE\n",
    );
    for name in ["UserPresence:Sue", "UserPresence:Sue@queue"] {
        assert!(world.directory().device(name).is_some(), "{name}");
    }
}

#[test]
fn a_change_of_activity_is_a_transition() {
    use crate::model::activity::{MeetingStatus, PresenceStatus, TelephonyStatus};
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

    // One user is parked, the other user parked the call.
    device(&mut world, "PJSIP/2", InUse, 6);
    let parked = |world: &mut World, parker| {
        let change = Change::Parked {
            space: "701@default",
            channel: "PJSIP/2-00000001",
            parker,
        };
        world.apply(&change, Time::from_millis(7))
    };
    let effects = parked(&mut world, "PJSIP/1");
    let sent = changed(&effects);
    assert_eq!(
        sent,
        [("a".into(), vec![Telephony]), ("b".into(), vec![Telephony])]
    );
    assert_eq!(world.activity(b).telephony, TelephonyStatus::ParkedCall);
    assert_eq!(world.activity(b).presence, PresenceStatus::Busy);
    assert_eq!(parked(&mut world, "PJSIP/1"), []);
    let effects = world.apply(&Change::Unparked("701@default"), Time::from_millis(8));
    let sent = changed(&effects);
    assert_eq!(
        sent,
        [("a".into(), vec![Telephony]), ("b".into(), vec![Telephony])]
    );
    assert_eq!(world.activity(b).telephony, TelephonyStatus::CallConnected);
}
