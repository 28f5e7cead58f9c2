//! Joining, restarts, and a store that is empty or belongs to others.

use super::*;

#[test]
fn what_was_set_before_there_was_a_cluster_is_offered_and_the_later_stays() {
    let now = Cluster::START;
    let mut first = World::restore(directory(USERS), &Stored::default(), Time::NEVER);
    let mut second = World::restore(directory(USERS), &Stored::default(), Time::NEVER);
    let set = |world: &mut World, value: &str, at: u64| {
        let at = Time::from_millis(now + at);
        let statuses = world.directory().settings.statuses().clone();
        let choice = &assignment::parse(value, &statuses, &Clock::utc(at)).unwrap();
        for user in ["alice", "carol"] {
            let user = id(world, user);
            world.apply(&Change::Chosen { user, choice }, at);
        }
    };
    set(&mut first, "dnd", 20);
    set(&mut second, "away", 10);
    let carol = id(&second, "carol");
    let refuse = DndStatus::DoNotAcceptAnyCalls;
    second.apply(&Change::DndStatus(carol, refuse), Time::from_millis(now));
    let at = Time::from_millis(now + 1000);
    let identity = |name: &str| NodeIdentity {
        name: name.into(),
        boot: name.into(),
    };
    first.begin_sharing(identity("first"), at);
    second.begin_sharing(identity("second"), at);
    assert_eq!(first.take_whole(&[], &[], at), Ok(Vec::new()));
    let written = first.take_shared_writes(100);
    let mut paths: Vec<&str> = written.iter().map(|write| &*write.path).collect();
    paths.sort_unstable();
    let expected = [
        "extension/CustomPresence:1",
        "extension/CustomPresence:2",
        "person/alice",
        "person/carol",
    ];
    assert_eq!(paths, expected);
    assert!(
        written
            .iter()
            .all(|write| write.seen == 0 && write.is_register)
    );
    let entries = written.iter().map(|write| SharedEntry {
        path: &write.path,
        value: write.value.as_deref(),
        revision: 7,
    });
    let entries: Vec<SharedEntry> = entries.collect();
    second
        .take_whole(&entries, &[identity("first")], at)
        .unwrap();
    for user in ["alice", "carol"] {
        assert_eq!(state(&second, user), State::Dnd, "{user}");
    }
    assert_eq!(second.dnd_status(carol), refuse);
    // Its DND status is all that the others miss.
    let written = second.take_shared_writes(100);
    assert_eq!(written.len(), 1);
    assert_eq!((&*written[0].path, written[0].seen), ("person/carol", 7));
}

#[test]
fn the_later_choice_stays_whichever_node_joins_first() {
    let now = Cluster::START;
    for (first, second) in [(20, 10), (10, 20)] {
        let start = |name: &str, value: &str, at: u64| {
            let mut world = World::restore(directory(USERS), &Stored::default(), Time::NEVER);
            let (at, late) = (now + at, Time::from_millis(now + 1000));
            let at = Time::from_millis(at);
            let statuses = world.directory().settings.statuses().clone();
            let choice = &assignment::parse(value, &statuses, &Clock::utc(at)).unwrap();
            let user = id(&world, "alice");
            world.apply(&Change::Chosen { user, choice }, at);
            let node = NodeIdentity {
                name: name.into(),
                boot: name.into(),
            };
            world.begin_sharing(node, late);
            (world, late)
        };
        let (mut one, late) = start("one", "dnd", first);
        let (mut two, _) = start("two", "away", second);
        one.take_whole(&[], &[], late).unwrap();
        let written = one.take_shared_writes(100);
        let entries = written.iter().map(|write| SharedEntry {
            path: &write.path,
            value: write.value.as_deref(),
            revision: 7,
        });
        let entries: Vec<SharedEntry> = entries.collect();
        two.take_whole(&entries, &[], late).unwrap();
        let (expected, waiting) = match first > second {
            true => (State::Dnd, 0),
            false => (State::Away, entries.len()),
        };
        assert_eq!(state(&two, "alice"), expected);
        assert_eq!(two.take_shared_writes(100).len(), waiting);
    }
}

#[test]
fn a_store_of_other_users_is_refused() {
    let mut member = cluster::Member::new("a", USERS, Cluster::START);
    let entry = |path| SharedEntry {
        path,
        value: Some("{}"),
        revision: 1,
    };
    let at = Time::from_millis(Cluster::START);
    let others = [
        entry("person/zoe"),
        entry("person/yan"),
        entry("settings/zoe"),
    ];
    let refused = member.world.take_whole(&others, &[], at);
    assert_eq!(refused, Err(OtherUsers { users: 2 }));
    let some = [entry("person/zoe"), entry("person/alice")];
    assert!(member.world.take_whole(&some, &[], at).is_ok());
    let paths = ["person/zoe", "person/Alice", "settings/yan", "keeper"];
    let unknown = member.world.unknown_shared(paths.into_iter());
    assert_eq!(unknown, ["person/zoe", "settings/yan"]);
    let paths = ["extension/CustomPresence:9", "extension/CustomPresence:1"];
    let unknown = member.world.unknown_shared(paths.into_iter());
    assert_eq!(unknown, ["extension/CustomPresence:9"]);
}

#[test]
fn a_store_that_was_wiped_is_filled_again() {
    let mut cluster = Cluster::new(USERS);
    let now = cluster.now;
    cluster.at(0).choose("alice", "away", now);
    cluster
        .at(1)
        .set_dnd("carol", DndStatus::DoNotAcceptAnyCalls, now);
    cluster.at(1).set_device("PJSIP/3", DeviceState::InUse, now);
    cluster.settle();
    let values = |cluster: &Cluster| -> BTreeMap<String, String> {
        let keys = cluster.etcd.keys.iter();
        keys.map(|(path, (value, _))| (path.clone(), value.clone()))
            .collect()
    };
    let before = values(&cluster);
    cluster.wipe();
    cluster.settle();
    assert_eq!(values(&cluster), before);
    cluster.compare().unwrap();
}

#[test]
fn what_asterisk_lost_in_a_crash_comes_back_from_the_others() {
    let mut cluster = Cluster::new(USERS);
    let now = cluster.now;
    cluster.at(0).report("1", "away", now);
    cluster.settle();
    cluster.at(0).persist(usize::MAX);
    // Asterisk is killed; its own presence states are older than the rows.
    cluster.at(0).stock.clear();
    cluster.at(0).start(now + 10, false);
    cluster.settle();
    cluster.compare().unwrap();
    assert_eq!(state(&cluster.members[0].world, "alice"), State::Away);
    assert_eq!(
        cluster.members[0].stock["CustomPresence:1"].state(),
        State::Away
    );
}

#[test]
fn what_changed_while_the_module_was_not_loaded_is_a_change_of_now() {
    let mut cluster = Cluster::new(USERS);
    let now = cluster.now;
    cluster.at(0).report("1", "away", now);
    cluster.settle();
    cluster.at(0).persist(usize::MAX);
    let stock = &mut cluster.at(0).stock;
    stock.insert("CustomPresence:1".into(), State::Dnd.into());
    cluster.at(0).start(now + 10, true);
    cluster.settle();
    cluster.compare().unwrap();
    assert_eq!(state(&cluster.members[2].world, "alice"), State::Dnd);
}

#[test]
fn no_time_is_moved_while_nodes_share_their_times() {
    let mut cluster = Cluster::new(USERS);
    let now = cluster.now;
    cluster.at(1).ahead = 3_600_000;
    cluster.at(1).choose("carol", "away", now);
    cluster.settle();
    let since = |cluster: &Cluster, at: usize| {
        let world = &cluster.members[at].world;
        world.outcome(id(world, "carol")).since
    };
    let ahead = Time::from_millis(now + 3_600_000);
    assert_eq!(since(&cluster, 0), ahead);
    // A choice by a clock that is behind is later all the same.
    cluster.at(0).choose("carol", "dnd", now + 5);
    assert_eq!(since(&cluster, 0), ahead.next());
    cluster.at(1).ahead = 0;
    cluster.settle();
    cluster.compare().unwrap();
    assert_eq!(state(&cluster.members[1].world, "carol"), State::Dnd);
}

#[test]
fn the_end_of_sharing_forgets_what_others_hear_and_keeps_what_people_chose() {
    let mut cluster = Cluster::new(USERS);
    let now = cluster.now;
    cluster.at(0).choose("carol", "away", now);
    cluster.at(0).set_device("PJSIP/3", DeviceState::InUse, now);
    cluster.settle();
    let world = &mut cluster.at(1).world;
    let effects = world.end_sharing(Time::from_millis(now + 10));
    assert!(!world.is_sharing());
    assert_eq!(transitions(&effects).len(), 1);
    assert_eq!(state(world, "carol"), State::Away);
    let device = world.directory().device("PJSIP/3").unwrap();
    assert_eq!(world.device(device), Some(DeviceState::Unavailable));
    assert_eq!(world.end_sharing(Time::from_millis(now + 10)), []);
    let rows = world.take_rows(usize::MAX);
    assert!(rows.iter().any(|row| row.key == "user/carol"));
}

/// A cut off node whose section is changed by a reload, to reach etcd again.
#[test]
fn what_was_chosen_and_cleared_alone_is_later_after_a_change_of_the_section() {
    let mut cluster = Cluster::new(USERS);
    let now = cluster.now;
    let refuse = DndStatus::DoNotAcceptAnyCalls;
    for user in ["alice", "carol"] {
        cluster.at(1).choose(user, "dnd,,Old", now);
        cluster.at(1).set_dnd(user, refuse, now);
        cluster
            .at(1)
            .set_settings(user, r#"{"statuses": {"away": {"note": "Old"}}}"#, now);
    }
    cluster.settle();
    let member = cluster.at(0);
    member.connected = false;
    member.choose("alice", "away,,New", now + 10);
    member.choose("carol", "not_set", now + 10);
    for user in ["alice", "carol"] {
        member.set_dnd(user, DndStatus::TakeAllCalls, now + 10);
        member.set_settings(user, r#"{"statuses": {"away": {"note": "New"}}}"#, now + 10);
    }
    member.world.end_sharing(member.time(now + 20));
    // Without a cluster for a moment.
    member.set_flag(
        "carol",
        Flag::ALL[0],
        !Flags::default().get(Flag::ALL[0]),
        now + 30,
    );
    member.rejoin(now + 40);
    cluster.now = now + 50;
    cluster.settle();
    cluster.compare().unwrap();
    for member in &cluster.members {
        let world = &member.world;
        assert_eq!(state(world, "alice"), State::Away, "{}", member.name);
        assert_eq!(state(world, "carol"), State::NotSet, "{}", member.name);
        for user in ["alice", "carol"] {
            let user = id(world, user);
            assert_eq!(world.dnd_status(user), DndStatus::TakeAllCalls);
        }
        let carol = id(world, "carol");
        assert_ne!(world.flags(carol), Flags::default());
    }
}
