//! What happens to etcd: its leader dies, most of its members die, history is compacted while a
//! node is away, its data is lost.

use std::time::Instant;

use super::{assert_shows, conf, wait_phones};
use crate::harness::cluster::Cluster;
use crate::harness::users::{complaints, set, wait_state};
use crate::harness::{Phone, wait_until};

#[test]
fn a_leader_that_dies_delays_changes_and_loses_none() {
    let cluster = Cluster::of(&conf()).quick().members(3).start();
    let [a, b, c] = cluster.three();
    let leader = cluster.etcd.leader();
    cluster.etcd.kill(leader);
    let begin = Instant::now();
    for round in 0..20 {
        set(a, "carol", &format!("away,,A {round}"));
        b.set_custom("202", &format!("dnd,,B {round}"));
        set(c, "alice", &format!("xa,,C {round}"));
    }
    let picture = cluster.same();
    println!(
        "the same everywhere {:?} after the death of etcd's leader",
        begin.elapsed()
    );
    assert_shows(
        &picture,
        &[
            ("carol", ["away", "", "A 19"]),
            ("bob", ["dnd", "", "B 19"]),
            ("alice", ["xa", "", "C 19"]),
        ],
    );
    cluster.etcd.start_again(leader);
    cluster.same();
}

#[test]
fn without_most_members_each_node_goes_on_alone_and_says_so() {
    let cluster = Cluster::of(&conf()).quick().members(3).start();
    let [a, b, c] = cluster.three();
    set(a, "carol", "dnd,,Before");
    cluster.same();
    for member in [0, 1] {
        cluster.etcd.kill(member);
    }
    set(a, "carol", "away,,Alone");
    b.set_custom("200", "xa,,B alone");
    wait_state(b, "alice", "xa");
    wait_state(a, "carol", "away");
    for node in cluster.all() {
        wait_until("the node to say so", || {
            let shown = node.cli("userpresence show cluster");
            shown.contains("Standing: alone, ").then_some(())
        });
        let said = complaints(node, "goes on alone");
        assert_eq!(said.len(), 1, "{said:#?}");
    }
    // A node that cannot see the others concludes nothing of them.
    wait_state(c, "carol", "dnd");
    for member in [0, 1] {
        cluster.etcd.start_again(member);
    }
    let picture = cluster.same();
    assert_shows(
        &picture,
        &[
            ("carol", ["away", "", "Alone"]),
            ("alice", ["xa", "", "B alone"]),
        ],
    );
    for node in cluster.all() {
        wait_until("the node to say that it is back", || {
            let shown = node.cli("userpresence show cluster");
            shown.contains("Standing: joined").then_some(())
        });
        assert_eq!(complaints(node, "goes on alone").len(), 1);
    }
}

#[test]
fn a_compaction_while_a_node_is_away_hides_nothing_from_it() {
    let cluster = Cluster::of(&conf())
        .quick()
        .each(|_, builder| builder.sip(&["204"]))
        .start();
    let [a, _, c] = cluster.three();
    let phone = Phone::ringing(a, "204");
    set(a, "alice", "dnd,,Before");
    wait_phones(c, "not_in_use");
    cluster.cut(2);
    for round in 0..100 {
        set(a, "alice", &format!("away,,{round}"));
    }
    // Something that goes: its key is deleted, and the deletion is compacted.
    phone.unregister();
    wait_phones(a, "unavailable");
    cluster.meet_of(&[0, 1]);
    cluster.etcd.compact(cluster.etcd.revision());
    wait_phones(c, "not_in_use");
    cluster.heal(2);
    let picture = cluster.same();
    assert_shows(&picture, &[("alice", ["away", "", "99"])]);
    assert_eq!(picture["dave"]["device_state"], "unavailable");
}

#[test]
fn data_that_is_wiped_is_written_again_by_the_nodes() {
    let cluster = Cluster::of(&conf()).quick().start();
    let [a, b, _] = cluster.three();
    set(a, "carol", "xa,,Chosen,t(100000)");
    b.set_custom("200", "dnd,meeting,Board");
    a.setvar("USER_PRESENCE(bob,dndStatus)", "DoNotAcceptAnyCalls");
    let before = cluster.same();
    cluster.etcd.wipe();
    assert_eq!(cluster.same(), before);
    // A node that comes later learns it from there.
    assert!(b.unload_module(crate::harness::MODULE).ok());
    set(a, "carol", "away,,Chosen later");
    assert!(b.load_module(crate::harness::MODULE).ok());
    assert_shows(&cluster.same(), &[("carol", ["away", "", "Chosen later"])]);
}

/// etcd goes back to an old copy of its data: what was chosen since stays, and nothing that was
/// cleared comes back.
#[test]
fn data_that_is_restored_from_a_copy_changes_nothing() {
    let cluster = Cluster::of(&conf()).quick().start();
    let [a, b, c] = cluster.three();
    set(a, "carol", "xa,,Saved");
    b.set_custom("200", "dnd,meeting,Saved");
    a.setvar("USER_PRESENCE(bob,dndStatus)", "DoNotAcceptAnyCalls");
    cluster.same();
    cluster.etcd.save();
    cluster.same();
    set(b, "carol", "not_set");
    a.set_custom("200", "away,,After the copy");
    c.setvar("USER_PRESENCE(bob,dndStatus)", "TakeAllCalls");
    let after = cluster.same();
    cluster.etcd.restore();
    assert_eq!(cluster.same(), after);
    set(c, "carol", "chat,,Later");
    assert_shows(
        &cluster.same(),
        &[
            ("carol", ["chat", "", "Later"]),
            ("alice", ["away", "", "After the copy"]),
        ],
    );
    cluster.same_in_stock();
}
