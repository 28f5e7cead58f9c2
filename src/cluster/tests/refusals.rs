//! Nodes that may not take part.

use std::sync::Arc;

use super::{FakeUsers, TIMEOUT, TestNode, wait_for};
use crate::cluster::Standing;
use crate::cluster::testing::FakeEtcd;

#[test]
fn two_servers_of_one_name_are_told_apart() {
    let etcd = Arc::new(FakeEtcd::default());
    let a = TestNode::new("a", &etcd);
    a.until_joined();
    let other = TestNode::new("a", &etcd);
    let is_refused = |node: &TestNode| match node.view().standing {
        Standing::Refused(why) => Some(why),
        _ => None,
    };
    wait_for("the refusal", || is_refused(&other).is_some());
    let why = is_refused(&other).unwrap();
    assert!(
        why.contains("'a' is taken by the server on host 'host.example.com'"),
        "{why}"
    );
    std::thread::sleep(TIMEOUT * 2);
    assert!(a.is_joined());
    let refusals = other.users.events.lock().len();
    assert_eq!(refusals, 1);
    a.cluster.stop();
    other.until_joined();
}

#[test]
fn a_registration_that_another_replaces_ends_the_sharing() {
    let etcd = Arc::new(FakeEtcd::default());
    let a = TestNode::new("a", &etcd);
    a.until_joined();
    // A copy of the server, with its AstDB.
    let copy = Arc::new(FakeUsers::default());
    *copy.remembered.lock() = a.users.remembered.lock().clone();
    let copy = TestNode::again("a", &etcd, copy);
    copy.until_joined();
    wait_for("a to stop", || {
        matches!(a.view().standing, Standing::Refused(_))
    });
    std::thread::sleep(TIMEOUT);
    assert!(copy.is_joined());
}

#[test]
fn a_prefix_with_other_users_is_left_alone() {
    let etcd = Arc::new(FakeEtcd::default());
    etcd.with(|store| {
        store.put("/test/cluster", r#"{"format":1,"id":"x"}"#, 0);
        store.put("/test/person/other", "3 away", 0);
    });
    let a = TestNode::new("a", &etcd);
    let refused = || match a.view().standing {
        Standing::Refused(why) => Some(why),
        _ => None,
    };
    wait_for("the refusal", || refused().is_some());
    let why = refused().unwrap();
    assert!(
        why.contains("belong to another user, who is not configured here"),
        "{why}"
    );
    assert_eq!(etcd.value("/test/node/a"), None);
}

#[test]
fn keys_of_another_program_or_a_newer_module_are_left_alone() {
    for (key, value, expected) in [
        ("/test/x", "y", "'/test/x' is there without '/test/cluster'"),
        ("/test/cluster", "y", "belongs to another program"),
        (
            "/test/cluster",
            r#"{"format":2,"id":"x"}"#,
            "a newer version of this module",
        ),
    ] {
        let etcd = Arc::new(FakeEtcd::default());
        etcd.with(|store| store.put(key, value, 0));
        let a = TestNode::new("a", &etcd);
        wait_for(expected, || match a.view().standing {
            Standing::Refused(why) => why.contains(expected),
            _ => false,
        });
    }
}
