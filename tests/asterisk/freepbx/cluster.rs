//! `follow_dnd` on several servers, each with a FreePBX of its own.

use super::follow_dnd::{DIALPLAN, press, wait_dnd};
use crate::harness::barrier::all_events;
use crate::harness::changes::matching;
use crate::harness::cluster::Cluster;
use crate::harness::users::{read, set, wait_state};
use crate::harness::{Instance, wait_until};

const USERS: &str = "[general]\nfollow_dnd = yes\n\
    [lunch]\ntype = status\nstate = away\nsubtype = lunch\n\
    [alice]\ntype = user\nextension = 200\nextension = 201\n\
    [bob]\ntype = user\nextension = 210\n";

/// A code at one node gives do not disturb at all of them, once, and one at another ends it.
#[test]
fn do_not_disturb_of_one_node_is_that_of_all() {
    let cluster = Cluster::of(USERS)
        .each(|_, builder| {
            builder
                .modules(&["func_callerid", "func_cut"])
                .dialplan(&format!("\n{DIALPLAN}"))
        })
        .start();
    for node in cluster.all() {
        for user in ["200", "201", "210"] {
            node.cli(&format!("database put DEVICE {user}/user {user}"));
            node.cli(&format!("database put AMPUSER {user}/device {user}"));
        }
    }
    let [a, b, c] = cluster.three();
    let is = |on: bool, state: &str| {
        for node in cluster.all() {
            wait_state(node, "alice", state);
            for extension in ["200", "201"] {
                wait_dnd(node, extension, &[extension], on);
            }
        }
    };
    set(a, "alice", "lunch,,Back at one");
    for node in cluster.all() {
        node.wait_value("USER_PRESENCE(alice,status)", "lunch");
    }
    let amis = [a, b, c].map(Instance::ami);
    settle(a, b, c);
    let begin: Vec<_> = [a, b, c]
        .iter()
        .zip(&amis)
        .map(|(node, ami)| all_events(node, ami))
        .collect();
    drop(begin);
    // Each change is one change at each node.
    let once = || {
        settle(a, b, c);
        for (node, ami) in [a, b, c].iter().zip(&amis) {
            let events = all_events(node, ami);
            let changes = matching(&events, "UserPresenceChange", "User", "alice");
            assert_eq!(changes.len(), 1, "{changes:#?}");
        }
    };
    press(a, "200", "*78");
    is(true, "dnd");
    once();
    press(b, "201", "*79");
    is(false, "away");
    once();
    for node in cluster.all() {
        assert_eq!(read(node, "alice,message"), "Back at one");
    }
    set(c, "alice", "dnd");
    is(true, "dnd");
    once();
    set(b, "alice", "available");
    is(false, "available");
    once();
    cluster.same();
}

/// Waits until every node has compared everything that happened before: each has a press of bob
/// go through its queue.
fn settle(a: &Instance, b: &Instance, c: &Instance) {
    for node in [a, b, c] {
        let on = node.astdb("DND/210").is_none();
        press(node, "210", if on { "*78" } else { "*79" });
        for node in [a, b, c] {
            wait_until("bob to follow", || {
                ((read(node, "bob") == "dnd") == on).then_some(())
            });
            wait_dnd(node, "210", &["210"], on);
        }
    }
}
