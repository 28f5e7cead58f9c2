//! What nodes hear: devices, parked calls, panels, publications.

use super::*;
use crate::model::activity::TelephonyStatus;
use DeviceState::*;

/// A user with a phone that takes part.
const PHONE: &str = "[alice]\ntype=user\nextension=1\nuse_devices=yes\nmethod=latest\n\
     [bob]\ntype=user\nextension=2\n";

fn device(member: &cluster::Member, name: &str) -> Option<DeviceState> {
    let device = member.world.directory().device(name).unwrap();
    member.world.device(device)
}

fn all(cluster: &Cluster, name: &str) -> [Option<DeviceState>; 3] {
    [0, 1, 2].map(|at| device(&cluster.members[at], name))
}

#[test]
fn a_device_has_the_best_state_of_all_nodes_everywhere() {
    let mut cluster = Cluster::new(PHONE);
    assert_eq!(all(&cluster, "PJSIP/1"), [Some(Unavailable); 3]);
    let now = cluster.now;
    cluster.at(0).set_device("PJSIP/1", NotInUse, now + 10);
    cluster.settle();
    assert_eq!(all(&cluster, "PJSIP/1"), [Some(NotInUse); 3]);
    cluster.at(1).set_device("PJSIP/1", Ringing, now + 20);
    cluster.at(0).set_device("PJSIP/1", InUse, now + 30);
    cluster.settle();
    assert_eq!(all(&cluster, "PJSIP/1"), [Some(RingInUse); 3]);
    cluster.compare().unwrap();
    let since = |cluster: &Cluster| {
        let world = &cluster.members[2].world;
        let user = world.directory().get(id(world, "alice"));
        let source = user.inputs[1].source;
        world.source(source).since
    };
    assert_eq!(since(&cluster), Time::from_millis(now + 30));
    cluster.at(1).set_device("PJSIP/1", Unavailable, now + 40);
    cluster.settle();
    assert_eq!(all(&cluster, "PJSIP/1"), [Some(InUse); 3]);
    assert_eq!(since(&cluster), Time::from_millis(now + 30));
    cluster.at(0).set_device("PJSIP/1", Unavailable, now + 50);
    cluster.settle();
    assert_eq!(all(&cluster, "PJSIP/1"), [Some(Unavailable); 3]);
    assert_eq!(since(&cluster), Time::from_millis(now + 50));
    cluster.compare().unwrap();
}

#[test]
fn the_devices_of_a_node_that_is_gone_are_unavailable_and_statuses_stay() {
    let mut cluster = Cluster::new(PHONE);
    let now = cluster.now;
    cluster.at(0).set_device("PJSIP/1", InUse, now + 10);
    cluster.at(0).choose("alice", "away", now + 20);
    cluster.settle();
    cluster.at(0).connected = false;
    cluster.expire(0);
    for at in [1, 2] {
        cluster.watch(at, 100);
        let member = &cluster.members[at];
        assert_eq!(device(member, "PJSIP/1"), Some(Unavailable));
        assert_eq!(state(&member.world, "alice"), State::Away);
    }
    // It concludes nothing of its own, and is back with the same life.
    assert_eq!(device(&cluster.members[0], "PJSIP/1"), Some(InUse));
    cluster.settle();
    assert_eq!(all(&cluster, "PJSIP/1"), [Some(InUse); 3]);
    // After a restart nothing of the earlier life counts.
    cluster.at(0).devices.clear();
    cluster.at(0).persist(usize::MAX);
    cluster.at(0).start(now + 1000, false);
    cluster.settle();
    assert_eq!(all(&cluster, "PJSIP/1"), [Some(Unavailable); 3]);
    cluster.compare().unwrap();
}

#[test]
fn an_entry_of_another_life_does_not_count() {
    let mut cluster = Cluster::new(PHONE);
    let value = r#"{"boot":"old","state":"in_use","at":1}"#;
    let entry = SharedEntry {
        path: "heard/a/device/PJSIP/1",
        value: Some(value),
        revision: 1,
    };
    let time = Time::from_millis(cluster.now);
    let member = cluster.at(1);
    member.world.take_shared(&[entry], time);
    assert_eq!(device(member, "PJSIP/1"), Some(Unavailable));
    // A node of which nothing is known yet counts as gone until it is known to live.
    let entry = SharedEntry {
        path: "heard/d/device/PJSIP/1",
        value: Some(r#"{"boot":"d","state":"in_use","at":5}"#),
        revision: 2,
    };
    member.world.take_shared(&[entry], time);
    assert_eq!(device(member, "PJSIP/1"), Some(Unavailable));
    let (name, boot) = ("d".into(), "d".into());
    member.world.node_here(NodeIdentity { name, boot }, time);
    while member.world.settle_heard(1, time).is_some() {}
    assert_eq!(device(member, "PJSIP/1"), Some(InUse));
}

#[test]
fn a_node_writes_what_its_devices_say_and_no_more() {
    let mut cluster = Cluster::new(PHONE);
    let now = cluster.now;
    let told = |cluster: &Cluster| -> Vec<String> {
        let keys = cluster.etcd.keys.keys();
        let keys = keys.filter(|path| path.starts_with("heard/") && path.ends_with("PJSIP/1"));
        keys.cloned().collect()
    };
    // One node tells of a phone that none can reach, so that all agree on it.
    assert_eq!(told(&cluster), ["heard/a/device/PJSIP/1"]);
    cluster.at(1).set_device("PJSIP/1", NotInUse, now + 1);
    cluster.settle();
    cluster.at(0).set_device("PJSIP/1", Invalid, now + 2);
    cluster.settle();
    assert_eq!(told(&cluster), ["heard/b/device/PJSIP/1"]);
    // The same again is no change.
    cluster.at(1).set_device("PJSIP/1", NotInUse, now + 5);
    assert_eq!(cluster.members[1].world.shared_waiting(), 0);
    let value = &cluster.etcd.keys["heard/b/device/PJSIP/1"].0;
    let expected = format!(
        r#"{{"boot":"b-1","state":"not_in_use","at":{}}}"#,
        (now + 1) * 1000
    );
    assert_eq!(*value, expected);
}

/// A user with a status for registration, its end, login and logout.
const LOGINS: &str = "[alice]\ntype=user\nextension=1\noutgoing=none\n\
     login_status=available\nlogout_status=away\nregister_status=chat\nunregister_status=xa\n";

#[test]
fn the_first_and_the_last_panel_of_all_nodes_set_a_status() {
    let mut cluster = Cluster::new(LOGINS);
    let alice = id(&cluster.members[0].world, "alice");
    let now = cluster.now;
    cluster.at(0).apply(&Change::LoggedIn(alice), now);
    cluster.settle();
    let own = |cluster: &Cluster, at: usize| {
        let world = &cluster.members[at].world;
        world.own(id(world, "alice")).unwrap().presence.state()
    };
    assert_eq!(own(&cluster, 1), State::Available);
    cluster.at(2).choose("alice", "dnd", now + 10);
    cluster.settle();
    cluster.at(1).apply(&Change::LoggedIn(alice), now + 20);
    cluster.settle();
    assert_eq!(
        own(&cluster, 0),
        State::Dnd,
        "the second panel sets nothing"
    );
    assert_eq!(cluster.members[2].world.panels(alice), 2);
    cluster.at(2).choose("alice", "available", now + 30);
    cluster.settle();
    cluster.at(0).apply(&Change::LoggedOut("alice"), now + 40);
    cluster.settle();
    assert_eq!(own(&cluster, 2), State::Available, "one is still there");
    cluster.at(1).apply(&Change::LoggedOut("alice"), now + 50);
    cluster.settle();
    assert_eq!(own(&cluster, 2), State::Away);
    cluster.compare().unwrap();
}

#[test]
fn a_panel_that_was_left_behind_is_logged_out_when_the_others_are_known() {
    let mut cluster = Cluster::new(LOGINS);
    let alice = id(&cluster.members[0].world, "alice");
    let now = cluster.now;
    cluster.at(0).apply(&Change::LoggedIn(alice), now);
    cluster.at(0).persist(usize::MAX);
    cluster.settle();
    // The user has a panel on another node in the meantime.
    cluster.at(0).connected = false;
    cluster.expire(0);
    cluster.at(1).apply(&Change::LoggedIn(alice), now + 10);
    cluster.write(1, 10, false);
    cluster.at(0).start(now + 20, false);
    let own = |cluster: &Cluster| {
        let world = &cluster.members[0].world;
        world.own(alice).unwrap().presence.state()
    };
    assert_eq!(own(&cluster), State::Available);
    cluster.settle();
    assert_eq!(own(&cluster), State::Available);
    // The next time there is none.
    cluster.at(1).apply(&Change::LoggedOut("alice"), now + 30);
    cluster.at(1).choose("alice", "available", now + 40);
    cluster.at(0).apply(&Change::LoggedIn(alice), now + 50);
    cluster.settle();
    cluster.at(0).persist(usize::MAX);
    cluster.at(0).start(now + 60, false);
    assert_eq!(own(&cluster), State::Available);
    cluster.settle();
    assert_eq!(own(&cluster), State::Away);
    cluster.compare().unwrap();
}

#[test]
fn a_registration_sets_a_status_on_the_node_of_the_phone_alone() {
    let mut cluster = Cluster::new(LOGINS);
    let now = cluster.now;
    cluster.at(0).set_device("PJSIP/1", NotInUse, now);
    cluster.settle();
    let alice = id(&cluster.members[0].world, "alice");
    let own = |cluster: &Cluster| cluster.members[2].world.own(alice).unwrap().clone();
    assert_eq!(own(&cluster).presence.state(), State::Chat);
    let set = own(&cluster).chosen;
    assert_eq!(cluster.settle(), 0);
    // The phone moves to another node: reachable all the time.
    cluster.at(1).set_device("PJSIP/1", NotInUse, now + 10);
    cluster.settle();
    cluster.at(0).set_device("PJSIP/1", Unavailable, now + 20);
    cluster.settle();
    assert_eq!(own(&cluster).chosen, set);
    cluster.at(1).set_device("PJSIP/1", Unavailable, now + 30);
    cluster.settle();
    assert_eq!(own(&cluster).presence.state(), State::Xa);
    cluster.compare().unwrap();
}

#[test]
fn a_call_that_is_parked_on_one_node_shows_on_all() {
    let mut cluster = Cluster::new(PHONE);
    let now = cluster.now;
    let parked = Change::Parked {
        space: "701@default",
        channel: "PJSIP/1-0001",
        parker: "PJSIP/2",
    };
    cluster.at(0).apply(&parked, now);
    cluster.settle();
    let world = |cluster: &Cluster, user: &str| {
        let world = &cluster.members[2].world;
        world.activity(id(world, user)).telephony
    };
    assert_eq!(world(&cluster, "alice"), TelephonyStatus::ParkedCall);
    cluster.compare().unwrap();
    cluster.at(0).apply(&Change::Unparked("701@default"), now);
    cluster.settle();
    assert_eq!(world(&cluster, "alice"), TelephonyStatus::NoCall);
    cluster.at(0).apply(&parked, now);
    cluster.settle();
    cluster.at(0).connected = false;
    cluster.expire(0);
    cluster.watch(2, 100);
    assert_eq!(world(&cluster, "alice"), TelephonyStatus::NoCall);
}
