//! What people choose and what addresses have, on several nodes.

use proptest::prelude::*;

use super::*;

fn cluster() -> Cluster {
    Cluster::new(USERS)
}

/// The next second of the cluster.
fn wait(cluster: &mut Cluster, seconds: u64) -> u64 {
    cluster.now += seconds * 1000;
    cluster.now
}

#[test]
fn a_choice_is_told_once_on_every_node() {
    let mut cluster = cluster();
    let now = wait(&mut cluster, 1);
    cluster.at(0).choose("alice", "away,lunch,Back at one", now);
    cluster.settle();
    cluster.compare().unwrap();
    for member in &cluster.members {
        let of_alice: Vec<_> = transitions(&member.effects)
            .into_iter()
            .filter(|transition| *transition.user == *"alice")
            .collect();
        assert_eq!(of_alice.len(), 1, "{}", member.name);
        assert_eq!(of_alice[0].origin, member.name == "a");
        assert_eq!(of_alice[0].new.message(), "Back at one");
        assert_eq!(of_alice[0].status.as_ref().unwrap().name.as_ref(), "away");
        assert_eq!(member.stock["CustomPresence:1"].message(), "Back at one");
    }
    // A node that takes something over has nothing to write.
    assert!(
        cluster
            .members
            .iter()
            .all(|it| it.world.shared_waiting() == 0)
    );
    assert_eq!(cluster.settle(), 0);
}

#[test]
fn a_status_and_a_dnd_status_on_two_sides_both_stay() {
    let mut cluster = cluster();
    let now = wait(&mut cluster, 1);
    cluster.at(1).connected = false;
    cluster.at(0).choose("carol", "away", now);
    cluster
        .at(0)
        .set_flag("carol", Flag::PickUpCallsOnHold, true, now);
    let refuse = DndStatus::DoNotAcceptAnyCalls;
    cluster.at(1).set_dnd("carol", refuse, now);
    cluster
        .at(1)
        .set_flag("carol", Flag::AllowSeeMyPresence, false, now);
    cluster.settle();
    cluster.compare().unwrap();
    let world = &cluster.members[2].world;
    let carol = id(world, "carol");
    assert_eq!(state(world, "carol"), State::Away);
    assert_eq!(world.dnd_status(carol), refuse);
    assert!(world.flags(carol).get(Flag::PickUpCallsOnHold));
    assert!(!world.flags(carol).get(Flag::AllowSeeMyPresence));
}

#[test]
fn the_later_of_two_choices_stays_whichever_arrives_first() {
    for first in [0, 1] {
        let mut cluster = cluster();
        let now = wait(&mut cluster, 1);
        cluster.at(0).choose("alice", "away", now);
        cluster.at(1).choose("alice", "dnd", now + 1);
        cluster.write(first, 10, false);
        cluster.settle();
        cluster.compare().unwrap();
        assert_eq!(state(&cluster.members[2].world, "alice"), State::Dnd);
    }
}

#[test]
fn an_untimed_status_of_one_side_returns_after_the_timed_one_of_the_other() {
    let mut cluster = cluster();
    let now = wait(&mut cluster, 1);
    cluster.at(0).choose("carol", "away", now);
    cluster.at(0).choose("alice", "away", now);
    cluster.at(1).choose("carol", "dnd,,,t(10)", now + 5);
    cluster.at(1).choose("alice", "dnd,,,t(10)", now + 5);
    cluster.settle();
    for user in ["carol", "alice"] {
        assert_eq!(state(&cluster.members[0].world, user), State::Dnd, "{user}");
    }
    wait(&mut cluster, 11);
    assert_eq!(cluster.settle(), 0, "an end writes nothing");
    cluster.compare().unwrap();
    for user in ["carol", "alice"] {
        assert_eq!(
            state(&cluster.members[1].world, user),
            State::Away,
            "{user}"
        );
    }
}

#[test]
fn a_timed_status_that_has_ended_does_not_return() {
    let mut cluster = cluster();
    let now = wait(&mut cluster, 1);
    for user in ["carol", "alice"] {
        cluster.at(0).choose(user, "dnd,,,t(10)", now);
    }
    cluster.settle();
    let store = cluster.etcd.keys.clone();
    let now = wait(&mut cluster, 11);
    cluster.at(0).end(now);
    cluster
        .at(0)
        .set_dnd("carol", DndStatus::DoNotAcceptAnyCalls, now);
    cluster.at(0).effects.clear();
    // What the store has is read again, as after a compaction.
    let entries = store.iter().map(|(path, (value, revision))| SharedEntry {
        path,
        value: Some(value),
        revision: revision + 100,
    });
    let entries: Vec<SharedEntry> = entries.collect();
    let member = cluster.at(0);
    let time = member.time(now);
    assert_eq!(member.world.take_shared(&entries, time), []);
    for user in ["carol", "alice"] {
        assert_eq!(state(&member.world, user), State::NotSet, "{user}");
    }
}

#[test]
fn a_status_that_ended_meanwhile_is_not_seen_by_a_node_that_joins() {
    let mut cluster = cluster();
    let now = wait(&mut cluster, 1);
    cluster.at(2).connected = false;
    cluster.at(0).choose("carol", "away", now);
    cluster.at(0).choose("carol", "dnd,,,t(10)", now + 1);
    cluster.at(0).choose("alice", "dnd,,,t(10)", now + 1);
    cluster.write(0, 10, false);
    let now = wait(&mut cluster, 20);
    cluster.etcd.compact();
    cluster.at(2).connected = true;
    cluster.watch(2, 100);
    let seen = transitions(&cluster.members[2].effects);
    assert!(seen.iter().all(|it| it.new.state() != State::Dnd));
    assert_eq!(state(&cluster.members[2].world, "carol"), State::Away);
    cluster.at(0).end(now);
    cluster.settle();
    cluster.compare().unwrap();
}

#[test]
fn two_items_of_own_settings_changed_on_two_sides_both_stay() {
    let mut cluster = cluster();
    let now = wait(&mut cluster, 1);
    let settings = r#"{"statuses":{"away":{"ringTimeout":20,"note":"x"}}}"#;
    cluster.at(0).set_settings("alice", settings, now);
    cluster.settle();
    let now = wait(&mut cluster, 1);
    let first = r#"{"statuses":{"away":{"ringTimeout":30}}}"#;
    cluster.at(0).set_settings("alice", first, now);
    let second = r#"{"statuses":{"away":{"note":null}},"loginStatus":"away"}"#;
    cluster.at(1).set_settings("alice", second, now);
    cluster.settle();
    cluster.compare().unwrap();
    let world = &cluster.members[2].world;
    let settings = world.own_settings(id(world, "alice")).unwrap();
    let expected = r#"{"loginStatus":"away","statuses":{"away":{"ringTimeout":30}}}"#;
    assert_eq!(settings.json(), expected);
    // The row keeps the versions.
    for member in &mut cluster.members {
        member.persist(usize::MAX);
        member.start(now, true);
    }
    let written = cluster.etcd.keys["settings/alice"].clone();
    cluster.settle();
    assert_eq!(cluster.etcd.keys["settings/alice"], written);
    cluster.compare().unwrap();
}

#[test]
fn a_choice_that_waits_to_be_written_to_asterisk_is_not_lost() {
    let mut cluster = cluster();
    let now = wait(&mut cluster, 1);
    cluster.at(0).report("1", "away", now);
    cluster.at(0).choose("alice", "dnd", now + 5);
    // An older one of another node arrives between the choice and its write.
    cluster.at(1).report("1", "chat", now + 1);
    cluster.write(1, 10, false);
    cluster.watch(0, 10);
    assert_eq!(state(&cluster.members[0].world, "alice"), State::Dnd);
    cluster.settle();
    cluster.compare().unwrap();
    assert_eq!(
        cluster.members[1].stock["CustomPresence:1"].state(),
        State::Dnd
    );
}

#[test]
fn a_later_change_of_another_node_replaces_a_write_that_waits() {
    let mut cluster = cluster();
    let now = wait(&mut cluster, 1);
    cluster.at(0).choose("alice", "dnd", now);
    let write = cluster.at(0).world.take_write().unwrap();
    cluster.at(1).report("1", "away", now + 5);
    cluster.write(1, 10, false);
    cluster.watch(0, 10);
    // Asterisk tells of the first write when a second one waits already.
    let member = cluster.at(0);
    let time = member.time(now + 6);
    let parts = write.presence.parts();
    member.world.report_presence(&write.address, parts, time);
    assert_eq!(member.world.confirm_write(&write.address, time), []);
    cluster.settle();
    cluster.compare().unwrap();
    assert_eq!(
        cluster.members[0].stock["CustomPresence:1"].state(),
        State::Away
    );
}

#[test]
fn an_extension_that_two_nodes_hear_counts_once_with_the_latest() {
    let mut cluster = cluster();
    let now = wait(&mut cluster, 1);
    cluster.at(0).report("3", "dnd", now);
    cluster.at(1).report("3", "away", now + 7);
    cluster.settle();
    cluster.compare().unwrap();
    let world = &cluster.members[2].world;
    let outcome = world.outcome(id(world, "dave"));
    assert_eq!(outcome.presence.state(), State::Away);
    assert_eq!(outcome.since, Time::from_millis(now + 7));
}

#[test]
fn a_settle_time_loses_nothing() {
    let mut cluster = Cluster::new("[general]\nsettle=1000\n[alice]\ntype=user\nextension=1\n");
    let now = wait(&mut cluster, 5);
    cluster.at(0).report("1", "away", now);
    cluster.at(1).report("1", "dnd", now + 100);
    cluster.settle();
    let member = cluster.at(0);
    let (effects, _) = member.world.publish_settled(Time::from_millis(now + 3000));
    let published = Effect::Publish("alice".into(), State::Dnd.into());
    assert_eq!(effects, [published]);
}

#[test]
fn only_the_keeper_is_the_origin_of_an_end() {
    let mut cluster = cluster();
    cluster.at(0).world.set_keeper(false);
    cluster.at(2).world.set_keeper(false);
    let now = wait(&mut cluster, 1);
    cluster.at(0).choose("carol", "dnd,,,t(10)", now);
    cluster.settle();
    wait(&mut cluster, 11);
    cluster.members.iter_mut().for_each(|it| it.effects.clear());
    cluster.settle();
    let origin = |member: &cluster::Member| transitions(&member.effects)[0].origin;
    let origins: Vec<bool> = cluster.members.iter().map(origin).collect();
    assert_eq!(origins, [false, true, false]);
}

#[test]
fn a_schedule_has_one_time_on_all_nodes() {
    let text = "[alice]\ntype=user\nextension=1\nmethod=latest\nschedule=9:00-17:00,*,*,*\n";
    let mut cluster = Cluster::new(text);
    let now = wait(&mut cluster, 1);
    let (source, _) = cluster.members[0].world.directory().schedules()[0].clone();
    let report = |member: &mut cluster::Member, state, now| {
        let (subtype, message) = ("", "");
        let reported = Change::Reported {
            source,
            state,
            subtype,
            message,
        };
        member.apply(&reported, now);
    };
    for (at, member) in cluster.members.iter_mut().enumerate() {
        member.world.set_keeper(at == 1);
        member.effects.clear();
        report(member, State::Available, now + at as u64);
        let origin = transitions(&member.effects)[0].origin;
        assert_eq!(origin, at == 1);
    }
    cluster.settle();
    cluster.compare().unwrap();
    let since = Time::from_millis(now + 2);
    assert_eq!(cluster.members[0].world.source(source).since, since);
    // A node whose minute begins earlier does not decide for the others.
    report(cluster.at(0), State::Unavailable, now + 10);
    cluster.settle();
    assert_eq!(state(&cluster.members[1].world, "alice"), State::Available);
    for at in [1, 2] {
        report(cluster.at(at), State::Unavailable, now + 20);
    }
    cluster.settle();
    cluster.compare().unwrap();
}

#[test]
fn a_register_of_a_later_release_is_left_alone() {
    let mut cluster = cluster();
    let now = wait(&mut cluster, 1);
    cluster.at(0).choose("carol", "away", now);
    cluster.settle();
    let entry = |value| SharedEntry {
        path: "person/carol",
        value: Some(value),
        revision: 1_000_000,
    };
    let world = &mut cluster.at(0).world;
    let time = Time::from_millis(now);
    assert_eq!(world.take_shared(&[entry("[1, 2]")], time), []);
    assert_eq!(world.shared_waiting(), 0);
    assert_eq!(state(world, "carol"), State::Away);
}

/// The registers of a store that one node alone has written.
fn written(seed: usize, values: &[(usize, usize)]) -> Vec<(String, String)> {
    let now = Cluster::START + 1000;
    let name = ["x", "y", "z"][seed];
    let mut member = cluster::Member::new(name, USERS, now);
    let users = ["alice", "bob", "carol"];
    let statuses = ["away", "dnd,x,m", "away,,,t(9)", "dnd,,,t(20)", "focus"];
    for (at, (user, value)) in values.iter().enumerate() {
        let now = now + at as u64 * 3;
        let user = users[*user];
        match statuses.get(*value) {
            Some(status) => member.choose(user, status, now),
            None if *value == 5 => {
                member.set_dnd(user, DndStatus::ALL[at % 3], now);
            }
            None => member.report(["1", "2", "3"][at % 3], "chat", now),
        }
    }
    let writes = member.world.take_shared_writes(usize::MAX).into_iter();
    let registers = writes.filter(|write| write.is_register);
    registers
        .filter_map(|write| Some((write.path, write.value?)))
        .collect()
}

/// All registers of a world after it has taken these over, in this order.
fn joined(registers: &[&(String, String)], now: u64) -> BTreeMap<String, String> {
    let mut member = cluster::Member::new("j", USERS, now);
    for (at, (path, value)) in registers.iter().enumerate() {
        let entry = SharedEntry {
            path,
            value: Some(value),
            revision: at as i64 + 1,
        };
        let time = member.time(now);
        member.world.take_shared(&[entry], time);
    }
    let directory = member.world.directory().clone();
    let mut all = BTreeMap::new();
    for (user, spec) in directory.users() {
        let register = member.world.person_register(user);
        all.extend(register.map(|it| (format!("person/{}", spec.name), it)));
    }
    for (source, spec) in directory.sources() {
        if member.world.is_shared_source(source) {
            let register = member.world.extension_register(source);
            all.extend(register.map(|it| (spec.address.to_string(), it)));
        }
    }
    all
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]
    #[test]
    fn registers_are_joined_in_any_order_and_any_number_of_times(
        values in prop::collection::vec(
            prop::collection::vec((0..3_usize, 0..7_usize), 0..8), 3..=3),
        order in prop::collection::vec(any::<prop::sample::Index>(), 40),
        later in 0..30_u64,
    ) {
        let all: Vec<(String, String)> = values
            .iter()
            .enumerate()
            .flat_map(|(seed, values)| written(seed, values))
            .collect();
        let now = Cluster::START + 2000 + later * 1000;
        let straight: Vec<_> = all.iter().collect();
        let mut shuffled: Vec<_> = match all.is_empty() {
            true => Vec::new(),
            false => order.iter().map(|at| at.get(&all)).collect(),
        };
        shuffled.extend(all.iter().rev());
        prop_assert_eq!(joined(&straight, now), joined(&shuffled, now));
    }
}
