//! Ends and logins across cuts and deaths: each comes once, everywhere, in its time.

use super::{assert_shows, conf, number};
use crate::harness::barrier::all_events;
use crate::harness::changes::{assert_numbered, matching};
use crate::harness::cluster::Cluster;
use crate::harness::users::{complaints, json, set, wait_state};
use crate::harness::{Ami, wait_until};

/// A timed status ends everywhere: at the node that set it, at one that has lost it, and at one
/// that was away.
#[test]
fn a_timed_status_ends_everywhere_even_if_its_node_is_gone() {
    let cluster = Cluster::of(&conf()).quick().start();
    let [a, b, c] = cluster.three();
    set(a, "carol", "available,,Base");
    a.set_custom("200", "away,,Base");
    cluster.same();
    let feed = b.ami();
    set(a, "carol", "dnd,,Short,t(4)");
    set(a, "alice", "xa,,Short,t(4)");
    let picture = cluster.same();
    assert!(number(&picture, "carol", "until") > 0);
    cluster.cut(2);
    a.kill9();
    for node in [b, c] {
        wait_state(node, "carol", "available");
        wait_state(node, "alice", "away");
    }
    cluster.heal(2);
    a.start_again();
    let picture = cluster.same();
    assert_shows(
        &picture,
        &[
            ("carol", ["available", "", "Base"]),
            ("alice", ["away", "", "Base"]),
        ],
    );
    cluster.same_in_stock();
    let events = all_events(b, &feed);
    assert_numbered(&events);
    for user in ["carol", "alice"] {
        let changes = matching(&events, "UserPresenceChange", "User", user);
        assert_eq!(changes.len(), 2, "{user}: {changes:#?}");
    }
}

/// An end that is taken back before it comes, at another node, while a third one is cut off.
#[test]
fn a_new_choice_takes_the_end_of_the_old_one_with_it() {
    let cluster = Cluster::of(&conf()).quick().start();
    let [a, b, c] = cluster.three();
    set(a, "carol", "dnd,,Short,t(3)");
    cluster.same();
    cluster.cut(2);
    set(b, "carol", "away,,Stays");
    // The node that does not know ends the status in its time.
    wait_state(c, "carol", "not_set");
    assert_eq!(a.getvar("USER_PRESENCE(carol)"), "away");
    cluster.heal(2);
    let picture = cluster.same();
    assert_shows(&picture, &[("carol", ["away", "", "Stays"])]);
}

/// The first panel logs in and the last one logs out, at whatever node they are.
#[test]
fn logins_at_several_nodes_count_together() {
    let users = conf().replace(
        "[carol]\ntype = user\n",
        "[carol]\ntype = user\nlogin_status = home-office\nlogout_status = lunch\n",
    );
    let cluster = Cluster::of(&users).start();
    let [a, b, _] = cluster.three();
    let log_in = |panel: &Ami| {
        let answer = panel.action(&[("Action", "UserPresenceLogin"), ("User", "carol")]);
        assert!(answer.ok(), "{answer:?}");
    };
    let panels = |count: u32| {
        for node in cluster.all() {
            wait_until(&format!("{count} panels"), || {
                (json(node, "carol")["panels"] == count).then_some(())
            });
        }
    };
    let (at_a, at_b) = (a.ami(), b.ami());
    log_in(&at_a);
    panels(1);
    assert_eq!(cluster.same()["carol"]["status"], "home-office");
    // By hand; a second login changes nothing.
    set(b, "carol", "meeting");
    cluster.meet();
    log_in(&at_b);
    panels(2);
    assert_eq!(cluster.same()["carol"]["status"], "meeting");
    set(b, "carol", "home-office");
    cluster.meet();
    drop(at_a);
    panels(1);
    assert_eq!(cluster.same()["carol"]["status"], "home-office");
    drop(at_b);
    panels(0);
    cluster.same();
    for node in cluster.all() {
        assert_eq!(complaints(node, "userpresence"), Vec::<String>::new());
    }
}
