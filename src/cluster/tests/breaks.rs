//! Nodes that go and come back, and a store that is away, or not what it was.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::{TIMEOUT, TestNode, gone, pair, wait_for};
use crate::cluster::etcd::Entry;
use crate::cluster::testing::FakeEtcd;
use crate::cluster::{ClusterEvent, Standing};

#[test]
fn a_node_that_leaves_is_gone_at_once_and_another_becomes_keeper() {
    let (_etcd, a, b) = pair();
    wait_for("the keeper", || a.cluster.is_keeper());
    let begin = Instant::now();
    a.cluster.stop();
    let left = ClusterEvent::NodeGone {
        node: "a".into(),
        has_left: true,
    };
    wait_for("the end of a", || b.has_event(&left));
    assert!(begin.elapsed() < TIMEOUT / 2);
    wait_for("the next keeper", || b.cluster.is_keeper());
    assert!(b.has_event(&ClusterEvent::KeeperChanged { keeper: "b".into() }));
}

#[test]
fn a_killed_node_is_gone_after_its_time_and_comes_back_under_its_name() {
    let (etcd, a, b) = pair();
    etcd.with(|store| store.put("/test/heard/a/device/SIP%2F1", "inuse", 0));
    wait_for("the device", || {
        b.users.heard("heard/a/device/SIP%2F1").is_some()
    });
    let users = a.kill();
    wait_for("the end of a", || b.has_event(&gone("a")));
    assert_eq!(b.users.heard("heard/a/device/SIP%2F1"), None);
    let a = TestNode::again("a", &etcd, users);
    a.until_joined();
    // What its former life heard is deleted.
    assert_eq!(etcd.value("/test/heard/a/device/SIP%2F1"), None);
    b.set("person/alice", 3, "away");
    a.until("person/alice", "away");
}

#[test]
fn a_killed_node_comes_back_before_its_lease_ends() {
    let (etcd, a, b) = pair();
    let users = a.kill();
    let a = TestNode::again("a", &etcd, users);
    a.until_joined();
    a.set("person/alice", 3, "away");
    b.until("person/alice", "away");
}

#[test]
fn a_cut_off_node_goes_on_alone_and_settles_when_it_is_back() {
    let (etcd, a, b) = pair();
    etcd.with(|store| store.put("/test/heard/b/device/SIP%2F2", "idle", 0));
    etcd.with(|store| store.put("/test/heard/a/device/SIP%2F1", "inuse", 0));
    wait_for("the device", || {
        b.users.heard("heard/a/device/SIP%2F1").is_some()
    });
    a.way.cut(true);
    wait_for("a to be alone", || {
        matches!(a.view().standing, Standing::Alone(_))
    });
    assert!(!a.cluster.is_keeper());
    a.set("person/alice", 3, "away");
    a.set("person/carol", 3, "chat");
    b.set("person/alice", 5, "dnd");
    b.set("person/bob", 3, "away");
    wait_for("the end of a", || b.has_event(&gone("a")));
    wait_for("the next keeper", || b.cluster.is_keeper());
    // It concludes nothing of the others.
    assert!(!a.has_event(&gone("b")));
    assert!(a.users.heard("heard/b/device/SIP%2F2").is_some());
    a.way.cut(false);
    a.until_joined();
    a.until("person/alice", "dnd");
    a.until("person/bob", "away");
    b.until("person/carol", "chat");
    assert_eq!(b.users.value("person/alice").as_deref(), Some("dnd"));
    // What it hears counts again.
    wait_for("the device", || {
        b.users.heard("heard/a/device/SIP%2F1").is_some()
    });
    assert!(!a.has_event(&gone("b")));
}

#[test]
fn a_short_cut_changes_nothing() {
    let (_etcd, a, b) = pair();
    let wholes = a.users.wholes.load(Ordering::Relaxed);
    a.way.cut(true);
    a.set("person/alice", 3, "away");
    std::thread::sleep(TIMEOUT / 6);
    a.way.cut(false);
    b.until("person/alice", "away");
    b.set("person/alice", 4, "chat");
    a.until("person/alice", "chat");
    assert!(a.is_joined());
    assert_eq!(a.users.wholes.load(Ordering::Relaxed), wholes);
    assert!(!b.has_event(&gone("a")));
}

#[test]
fn all_nodes_that_were_cut_off_wait_for_each_other() {
    let (etcd, a, b) = pair();
    for way in [&a.way, &b.way] {
        way.cut(true);
    }
    std::thread::sleep(TIMEOUT * 2);
    etcd.with(|_| ());
    a.way.cut(false);
    a.until_joined();
    std::thread::sleep(TIMEOUT / 3);
    b.way.cut(false);
    b.until_joined();
    std::thread::sleep(TIMEOUT * 2);
    for (node, other) in [(&a, "b"), (&b, "a")] {
        assert!(!node.has_event(&gone(other)), "{:?}", node.users.events);
    }
    a.way.cut(true);
    b.way.cut(true);
    std::thread::sleep(TIMEOUT * 2);
    a.way.cut(false);
    wait_for("the end of b", || a.has_event(&gone("b")));
}

#[test]
fn after_a_compaction_everything_is_read_again() {
    let (etcd, a, b) = pair();
    a.way.cut(true);
    b.set("person/alice", 3, "away");
    wait_for("the store", || etcd.value("/test/person/alice").is_some());
    etcd.with(|store| store.compacted = store.revision + 1);
    a.way.cut(false);
    a.until("person/alice", "away");
    a.until_joined();
}

#[test]
fn a_store_that_lost_everything_gets_what_the_nodes_know() {
    let (etcd, a, b) = pair();
    a.set("person/alice", 3, "away");
    b.until("person/alice", "away");
    etcd.with(|store| {
        store.keys.clear();
        store.history.clear();
        store.leases.clear();
        store.revision = 1;
    });
    b.set("person/bob", 4, "chat");
    wait_for("the store", || {
        etcd.value("/test/person/alice").is_some() && etcd.value("/test/person/bob").is_some()
    });
    a.until("person/bob", "chat");
    a.until_joined();
    b.until_joined();
}

#[test]
fn a_store_that_is_restored_from_a_copy_is_compared_anew() {
    let (etcd, a, b) = pair();
    a.set("person/alice", 3, "away");
    b.until("person/alice", "away");
    let copy = etcd.with(|store| (store.revision, store.keys.clone()));
    a.set("person/alice", 4, "chat");
    b.until("person/alice", "chat");
    // Each node has written its registration again since.
    std::thread::sleep(TIMEOUT / 2);
    for way in [&a.way, &b.way] {
        way.cut(true);
    }
    etcd.with(|store| {
        (store.revision, store.keys) = copy;
        let revision = store.revision;
        store.history.retain(|it: &Entry| it.revision <= revision);
    });
    for way in [&a.way, &b.way] {
        way.cut(false);
    }
    wait_for("the store", || {
        etcd.value("/test/person/alice").as_deref() == Some("4 chat")
    });
    b.set("person/bob", 3, "away");
    a.until("person/bob", "away");
}

#[test]
fn a_silent_stream_is_opened_again() {
    let (_etcd, a, b) = pair();
    a.way.is_silent.store(true, Ordering::Release);
    b.set("person/alice", 3, "away");
    std::thread::sleep(TIMEOUT / 2);
    a.way.is_silent.store(false, Ordering::Release);
    a.until("person/alice", "away");
    a.until_joined();
}

#[test]
fn a_stop_does_not_wait_for_a_store_that_does_not_answer() {
    let etcd = Arc::new(FakeEtcd::default());
    let a = TestNode::new("a", &etcd);
    a.until_joined();
    a.way.cut(true);
    let begin = Instant::now();
    a.cluster.stop();
    assert!(begin.elapsed() < Duration::from_millis(1200));
    // A second one finds nothing.
    a.cluster.stop();
}

#[test]
fn a_write_that_is_carried_out_late_is_written_over() {
    let (etcd, a, b) = pair();
    let path = "heard/a/device/x";
    a.way.is_late.store(true, Ordering::Release);
    a.set(path, 1, "inuse");
    wait_for("the write", || etcd.with(|store| !store.late.is_empty()));
    a.way.is_late.store(false, Ordering::Release);
    a.set(path, 2, "idle");
    wait_for("the newer one", || {
        b.users.heard(path).as_deref() == Some("2 idle")
    });
    etcd.with(|store| store.carry_out_late());
    wait_for("the late one", || {
        b.users.heard(path).as_deref() == Some("1 inuse")
    });
    wait_for("the newer one again", || {
        b.users.heard(path).as_deref() == Some("2 idle")
    });
}
