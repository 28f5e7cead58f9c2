//! The section of a cluster appears, changes and goes with reloads; what is shown of a cluster;
//! and an unload that does not wait for etcd.

use std::time::{Duration, Instant};

use super::conf;
use crate::harness::Link;
use crate::harness::cluster::Cluster;
use crate::harness::etcd::EtcdCluster;
use crate::harness::users::{set, wait_state};
use crate::harness::{Instance, MODULE, wait_until};

/// The section of a node.
fn section(etcd: &EtcdCluster, node: &str) -> String {
    let servers = etcd.servers();
    format!("[etcd]\ntype = cluster\nservers = {servers}\nnode = {node}\nnode_timeout = 3\n")
}

#[track_caller]
fn configure(node: &Instance, text: &str) {
    node.write_config("userpresence.conf", text);
    let answer = node.cli("userpresence reload");
    assert!(answer.contains("users"), "{answer}");
}

#[track_caller]
fn wait_shown(node: &Instance, text: &str) -> String {
    wait_until(&format!("{text} in show cluster"), || {
        let shown = node.cli("userpresence show cluster");
        shown.contains(text).then_some(shown)
    })
}

#[test]
fn a_section_that_appears_changes_or_goes_takes_effect_with_a_reload() {
    let etcd = EtcdCluster::start(1);
    let start = |text: &str| Instance::builder().userpresence(text).start();
    let (a, b) = (
        start(&format!("{}{}", conf(), section(&etcd, "a"))),
        start(&conf()),
    );
    assert!(b.cli("userpresence show cluster").contains("no section"));
    set(&a, "carol", "xa,,At A");
    set(&b, "alice", "dnd,,At B");

    // Two nodes show one presence.
    configure(&b, &format!("{}{}", conf(), section(&etcd, "b")));
    wait_state(&b, "carol", "xa");
    wait_state(&a, "alice", "dnd");
    let shown = wait_shown(&a, "2 nodes");
    for text in [
        "joined through http://127.0.0.1:",
        "the same",
        "here (this one)",
    ] {
        assert!(shown.contains(text), "{text}: {shown}");
    }

    // Another configuration of users is told.
    configure(
        &b,
        &format!(
            "{}[erin]\ntype = user\nmethod = none\noutgoing = none\n{}",
            conf(),
            section(&etcd, "b")
        ),
    );
    wait_shown(&a, "differs from a");

    // Another name is another node.
    configure(&b, &format!("{}{}", conf(), section(&etcd, "bee")));
    wait_shown(&a, "bee");
    wait_until("the end of the former name", || {
        etcd.get("/userpresence/node/b").is_none().then_some(())
    });
    set(&b, "carol", "away,,At bee");
    wait_state(&a, "carol", "away");

    // Without the section the server is on its own, with what was chosen.
    configure(&b, &conf());
    wait_shown(&a, "bee   gone");
    assert!(b.cli("userpresence show cluster").contains("no section"));
    assert_eq!(b.getvar("USER_PRESENCE(carol)"), "away");
    set(&b, "carol", "dnd,,Alone");
    set(&a, "alice", "chat,,Alone");
    assert_eq!(a.getvar("USER_PRESENCE(carol)"), "away");
    assert_eq!(b.getvar("USER_PRESENCE(alice)"), "dnd");
    let complaints = |node: &Instance| node.complaints();
    assert_eq!(complaints(&b), Vec::<String>::new());
}

#[test]
fn a_user_who_is_new_on_a_node_has_what_the_others_know() {
    let cluster = Cluster::of(&conf()).nodes(2).start();
    let [a, b] = cluster.two();
    let more = "[erin]\ntype = user\nmethod = none\noutgoing = none\n";
    a.write_config("userpresence.conf", &format!("{}{more}", cluster.conf(0)));
    a.cli("userpresence reload");
    set(a, "erin", "away,,Before B knows");
    cluster.meet();
    b.write_config("userpresence.conf", &format!("{}{more}", cluster.conf(1)));
    b.cli("userpresence reload");
    wait_state(b, "erin", "away");
}

#[test]
fn what_happens_in_a_cluster_is_shown_everywhere() {
    let cluster = Cluster::of(&conf()).nodes(2).start();
    let [a, b] = cluster.two();
    let ami = a.ami();
    let stats = a.cli("userpresence show stats");
    for line in ["cluster_joined", "cluster_nodes", "cluster_waiting"] {
        assert!(stats.contains(line), "{line}: {stats}");
    }
    let nodes = ami.list(&[("Action", "UserPresenceCluster")]);
    let of = |name: &str| {
        let mut nodes = nodes.iter();
        nodes
            .find(|node| node.get("Node") == Some(name))
            .expect("a node")
    };
    assert_eq!(of("a").get("Self"), Some("yes"));
    assert_eq!(of("a").get("Standing"), Some("joined"));
    assert_eq!(of("b").get("Here"), Some("yes"));
    assert_eq!(of("b").get("Standing"), None);

    let change = |kind: &str| {
        ami.wait_event(&format!("the change {kind}"), |event| {
            event.is_event("UserPresenceClusterChange") && event.get("Change") == Some(kind)
        })
    };
    assert!(b.unload_module(MODULE).ok());
    let gone = change("NodeGone");
    assert_eq!(gone.get("OtherNode"), Some("b"));
    assert_eq!(gone.get("Why"), Some("Left"));
    assert!(b.load_module(MODULE).ok());
    assert_eq!(change("NodeHere").get("OtherNode"), Some("b"));

    cluster.cut(0);
    let alone = change("Alone");
    assert_eq!(alone.get("Node"), Some("a"));
    wait_shown(a, "alone, ");
    // Local work goes on, and nothing waits for etcd.
    let begin = Instant::now();
    set(a, "carol", "dnd,,Alone");
    assert_eq!(a.getvar("USER_PRESENCE(carol)"), "dnd");
    assert!(begin.elapsed() < Duration::from_secs(1));
    let begin = Instant::now();
    assert!(a.unload_module(MODULE).ok());
    let took = begin.elapsed();
    assert!(took < Duration::from_secs(4), "{took:?}");
    cluster.link(0, Link::Open);
    assert!(a.load_module(MODULE).ok());
    wait_state(b, "carol", "dnd");
}
