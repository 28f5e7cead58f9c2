//! A reload: users, sources and devices get other numbers.

use super::*;
use crate::world::{Plan, ProviderValues};

const BEFORE: &str = "[alice]\ntype=user\nextension=1\nuse_devices=yes\n\
     [bob]\ntype=user\nextension=2\n[old]\ntype=user\nextension=9\nuse_devices=yes\n";
const AFTER: &str = "[new]\ntype=user\nextension=7\n\
     [bob]\ntype=user\nextension=2\nextension=8\n[alice]\ntype=user\nextension=1\nuse_devices=yes\n";

fn reload(member: &mut cluster::Member, text: &str, now: u64) {
    let plan = Plan::new(member.world.directory(), directory(text));
    let mut read = ProviderValues::default();
    for (source, address) in plan.new_sources() {
        let presence = member.stock.get(address).cloned().unwrap_or_default();
        read.sources.push((source, presence));
    }
    let off = DeviceState::Unavailable;
    read.devices = plan
        .new_devices()
        .map(|(device, _)| (device, off))
        .collect();
    let now = member.time(now);
    let (effects, _) = member
        .world
        .reconfigure(&plan, &Stored::default(), read, now);
    member.effects.extend(effects);
    member.set_text(text);
}

#[test]
fn what_is_shared_moves_to_the_new_numbers() {
    let mut cluster = Cluster::new(BEFORE);
    let now = cluster.now;
    cluster.at(0).set_device("PJSIP/1", DeviceState::InUse, now);
    cluster.at(0).set_device("PJSIP/9", DeviceState::InUse, now);
    cluster.settle();
    cluster.at(0).choose("alice", "away", now + 10);
    cluster.at(1).report("2", "dnd", now + 10);
    assert!(!cluster.members[0].world.wants_whole());
    for at in 0..3 {
        reload(cluster.at(at), AFTER, now + 20);
        assert!(cluster.members[at].world.wants_whole());
    }
    cluster.settle();
    cluster.compare().unwrap();
    assert!(!cluster.members[0].world.wants_whole());
    let world = &cluster.members[2].world;
    assert_eq!(state(world, "alice"), State::Dnd);
    assert_eq!(state(world, "bob"), State::Dnd);
    let own = world.own(id(world, "alice")).unwrap();
    assert_eq!(own.presence.state(), State::Away);
    let device = world.directory().device("PJSIP/1").unwrap();
    assert_eq!(world.device(device), Some(DeviceState::InUse));
    // Nothing is told any more of a device that is not configured.
    assert!(!cluster.etcd.keys.contains_key("heard/a/device/PJSIP/9"));
}

#[test]
fn a_user_that_is_configured_anew_gets_what_the_store_has() {
    let mut cluster = Cluster::new(BEFORE);
    let now = cluster.now;
    reload(cluster.at(0), AFTER, now);
    cluster.at(0).choose("new", "away", now + 10);
    cluster.settle();
    // The other nodes reload later; their Asterisk has an old presence of the extension.
    let now = now + 1000;
    for at in [1, 2] {
        let stock = &mut cluster.at(at).stock;
        stock.insert("CustomPresence:7".into(), State::Dnd.into());
        reload(cluster.at(at), AFTER, now);
    }
    cluster.settle();
    cluster.compare().unwrap();
    let world = &cluster.members[1].world;
    assert_eq!(state(world, "new"), State::Away);
    assert_eq!(
        cluster.members[1].stock["CustomPresence:7"].state(),
        State::Away
    );
}

#[test]
fn a_timed_status_of_a_removed_user_does_not_return() {
    let both = "[alice]\ntype=user\nextension=1\n[bob]\ntype=user\nextension=1\n";
    let mut cluster = Cluster::new(both);
    let now = cluster.now;
    cluster.at(0).report("1", "away", now + 1);
    cluster.at(0).choose("alice", "dnd,,,t(600)", now + 2);
    cluster.settle();
    let bob = "[bob]\ntype=user\nextension=1\n";
    for at in 0..3 {
        reload(cluster.at(at), bob, now + 10);
    }
    cluster.etcd.compact();
    cluster.settle();
    cluster.compare().unwrap();
    assert_eq!(state(&cluster.members[0].world, "bob"), State::Away);
    // Nor on a node that knows nothing yet.
    let mut fresh = cluster::Member::new("d", bob, now + 20);
    let (value, revision) = &cluster.etcd.keys["extension/CustomPresence:1"];
    let entry = SharedEntry {
        path: "extension/CustomPresence:1",
        value: Some(value),
        revision: *revision,
    };
    let at = fresh.time(now + 20);
    fresh.world.take_whole(&[entry], &[], at).unwrap();
    assert_eq!(state(&fresh.world, "bob"), State::Away);
}
