//! Three machines, each with an Asterisk and a member of etcd, and the cables between them.

use super::{assert_shows, conf};
use crate::harness::cluster::{Cluster, NODES};
use crate::harness::users::{set, wait_state};
use crate::harness::{Instance, wait_until};

/// Waits until a node says how it stands to the others.
#[track_caller]
fn wait_standing(node: &Instance, standing: &str) {
    wait_until(&format!("a node that is {standing}"), || {
        let shown = node.cli("userpresence show cluster");
        let line = shown
            .lines()
            .find_map(|line| line.strip_prefix("Standing:"))?;
        line.trim_start().starts_with(standing).then_some(())
    });
}

/// Waits until another node counts as gone at a node.
#[track_caller]
fn wait_gone(node: &Instance, number: usize) {
    wait_until(&format!("a node {} that is gone", NODES[number]), || {
        let shown = node.cli("userpresence show cluster");
        let mut rows = shown.lines().map(str::split_whitespace);
        rows.any(|words| words.take(2).eq([NODES[number], "gone"]))
            .then_some(())
    });
}

#[test]
fn a_network_that_is_cut_and_healed() {
    let cluster = Cluster::of(&conf()).quick().members(3).apart().start();
    let [a, b, c] = cluster.three();
    set(c, "alice", "dnd,,Before");
    b.set_custom("203", "chat,,Before");
    let before = cluster.same();
    assert_shows(
        &before,
        &[
            ("alice", ["dnd", "", "Before"]),
            ("bob", ["chat", "", "Before"]),
        ],
    );

    cluster.pull(0);
    // On both sides, the later one at B; then another, the later one at A.
    a.set_custom("202", "away,,A first");
    cluster.meet_of(&[0]);
    b.set_custom("202", "xa,,B later");
    set(c, "carol", "away,,C first");
    cluster.meet_of(&[1, 2]);
    set(a, "carol", "xa,,A later");
    // Of one user, another choice on each side.
    a.setvar("USER_PRESENCE(dave,dndStatus)", "DoNotAcceptAnyCalls");
    c.setvar("USER_PRESENCE(dave,pickUpCallsOnHold)", "true");
    // Cleared on the side of A alone.
    set(a, "alice", "not_set");
    wait_standing(a, "alone");
    for node in [b, c] {
        wait_gone(node, 0);
        wait_standing(node, "joined");
    }
    let far = cluster.same_of(&[1, 2]);
    assert_shows(
        &far,
        &[
            ("alice", ["dnd", "", "Before"]),
            ("bob", ["xa", "", "B later"]),
            ("carol", ["away", "", "C first"]),
        ],
    );
    wait_state(a, "alice", "not_set");
    wait_state(a, "bob", "away");
    wait_state(a, "carol", "xa");

    cluster.plug(0);
    let healed = cluster.same();
    assert_shows(
        &healed,
        &[
            ("alice", ["not_set", "", ""]),
            ("bob", ["xa", "", "B later"]),
            ("carol", ["xa", "", "A later"]),
        ],
    );
    assert_eq!(healed["dave"]["dndStatus"], "DoNotAcceptAnyCalls");
    assert_eq!(healed["dave"]["pickUpCallsOnHold"], true);
    cluster.same_in_stock();

    // Two of three are a majority, whichever machine is cut off.
    let leader = cluster.etcd.leader();
    let others: Vec<usize> = (0..NODES.len()).filter(|at| *at != leader).collect();
    let [cut_off, one, other] = [leader, others[0], others[1]].map(|at| &cluster.all()[at]);
    cluster.pull(leader);
    set(one, "alice", "xa,,Without the leader");
    set(other, "carol", "dnd,,Without the leader");
    set(cut_off, "bob", "away,,Cut off");
    wait_standing(cut_off, "alone");
    assert_shows(
        &cluster.same_of(&others),
        &[
            ("alice", ["xa", "", "Without the leader"]),
            ("bob", ["xa", "", "B later"]),
            ("carol", ["dnd", "", "Without the leader"]),
        ],
    );
    cluster.plug(leader);
    assert_shows(
        &cluster.same(),
        &[
            ("alice", ["xa", "", "Without the leader"]),
            ("bob", ["away", "", "Cut off"]),
            ("carol", ["dnd", "", "Without the leader"]),
        ],
    );
    for node in cluster.all() {
        wait_standing(node, "joined");
    }
}
