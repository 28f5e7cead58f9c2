//! What another program has written, and a node that is busy while the store is away.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::{TestNode, wait_for};
use crate::cluster::Standing;
use crate::cluster::testing::FakeEtcd;

#[test]
fn registrations_of_another_form_change_no_clock_and_break_no_line() {
    let etcd = Arc::new(FakeEtcd::default());
    let a = TestNode::new("a", &etcd);
    a.until_joined();
    let damaged = [
        ("b", "nonsense".to_owned()),
        ("c", "{}".to_owned()),
        ("d", format!(r#"{{"clock":{}}}"#, u64::MAX)),
        ("e\r\nx", "{}".to_owned()),
        ("E", "{}".to_owned()),
        ("e/f", "{}".to_owned()),
        ("", "{}".to_owned()),
        (
            "g",
            format!(r#"{{"host":"a\r\nb{}"}}"#, "x".repeat(100_000)),
        ),
    ];
    for (name, value) in damaged {
        etcd.with(|store| store.put(&format!("/test/node/{name}"), &value, 0));
    }
    wait_for("the last", || a.view().nodes.len() == 5);
    let view = a.view();
    let names = view.nodes.iter().map(|node| &*node.name);
    assert_eq!(names.collect::<Vec<_>>(), ["a", "b", "c", "d", "g"]);
    let host = &view.nodes[4].record.host;
    assert!(host.starts_with("a  bxx") && host.len() == 255, "{host}");
    assert_eq!(a.users.offset.load(Ordering::Relaxed), 0);
    a.until_joined();
}

#[test]
fn changes_do_not_hurry_a_node_whose_store_is_away() {
    let etcd = Arc::new(FakeEtcd::default());
    let a = TestNode::new("a", &etcd);
    a.until_joined();
    a.way.cut(true);
    wait_for("the end of patience", || {
        matches!(a.view().standing, Standing::Alone(_))
    });
    let before = a.view().counts.failures;
    for version in 1..=200 {
        a.set("person/alice", version, "away");
        std::thread::sleep(Duration::from_millis(2));
    }
    let tries = a.view().counts.failures - before;
    assert!(tries < 40, "{tries}");
    a.way.cut(false);
    a.until_joined();
    wait_for("the last change", || {
        etcd.value("/test/person/alice").as_deref() == Some("200 away")
    });
}
