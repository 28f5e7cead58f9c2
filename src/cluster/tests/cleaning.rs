//! What the keeper deletes.

use super::{pair, wait_for};
use crate::cluster::etcd::Compare;
use crate::cluster::status::ClusterState;
use crate::cluster::{SharedState, clean};

#[test]
fn the_keeper_deletes_what_no_node_has_and_nothing_else() {
    let (etcd, a, b) = pair();
    wait_for("the keeper", || a.cluster.is_keeper());
    a.set("person/alice", 5, "away");
    b.until("person/alice", "away");
    let keys = [
        "/test/person/removed",
        "/test/settings/removed",
        "/test/extension/removed",
        "/test/heard/gone/device/PJSIP/1",
        "/test/heard/b/device/PJSIP/1",
    ];
    etcd.with(|store| keys.map(|key| store.put(key, "1 away", 0)));
    let hub = a.cluster.current.load_full().unwrap();
    let clean = |lease: i64| {
        let key = hub.node_key("a");
        clean::clean_up(&hub, &Compare::Lease { key, lease }, &hub.cancel);
        keys.map(|key| etcd.value(key).is_some())
    };
    // Without its registration it deletes nothing.
    let lease = hub.with(|state| state.lease);
    assert_eq!(clean(lease + 1), [true; 5]);
    assert_eq!(clean(lease), [false, false, false, false, true]);
    assert_eq!(etcd.value("/test/person/alice").as_deref(), Some("5 away"));
    assert!(etcd.value("/test/cluster").is_some());
    assert!(etcd.value("/test/node/b").is_some());

    // Another node deletes nothing, whatever it knows.
    etcd.with(|store| store.put(keys[0], "1 away", 0));
    let other = b.cluster.current.load_full().unwrap();
    let lease = other.with(|state| state.lease);
    let key = other.node_key("b");
    clean::clean_up(&other, &Compare::Lease { key, lease }, &other.cancel);
    assert!(etcd.value(keys[0]).is_some());
}

#[test]
fn nothing_is_deleted_while_configurations_differ() {
    let (_etcd, a, b) = pair();
    let hub = a.cluster.current.load_full().unwrap();
    let seen = |digest: &str| {
        wait_for("the digest", || {
            let node = |state: &mut ClusterState| {
                state.nodes.get("b").map(|node| node.record.digest.clone())
            };
            hub.with(node).as_deref() == Some(digest)
        });
        clean::agreed(&hub)
    };
    let own = a.users.facts().digest;
    assert_eq!(seen(&own), Some(own.clone()));
    *b.users.digest.lock() = "another".into();
    b.cluster.users_changed();
    assert_eq!(seen("another"), None);
    *a.users.digest.lock() = "another".into();
    a.cluster.users_changed();
    wait_for("agreement", || {
        seen("another").as_deref() == Some("another")
    });
}
