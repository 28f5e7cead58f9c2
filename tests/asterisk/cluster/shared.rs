//! What is set or heard at one node is shown at all of them, by the module and by Asterisk
//! itself.

use serde_json::json;

use super::{assert_shows, conf, number, wait_phones};
use crate::harness::Phone;
use crate::harness::barrier::all_events;
use crate::harness::changes::{assert_numbered, matching};
use crate::harness::cluster::Cluster;
use crate::harness::users::{complaints, custom, set, wait_extension};

/// Everything that a person chooses: a presence on an extension, an own status, an end, a
/// status type, the dnd mode, flags and settings. Each change is one change at every node.
#[test]
fn a_choice_at_one_node_is_shown_at_all() {
    let cluster = Cluster::of(&conf()).start();
    let [a, b, c] = cluster.three();
    let feeds = cluster.all().iter().map(|node| (node, node.ami()));
    let feeds: Vec<_> = feeds.collect();

    a.set_custom("200", "dnd,meeting,Board");
    cluster.meet();
    b.cli("presencestate change CustomPresence:202 away,lunch,Soup");
    set(c, "carol", "xa,,Far away,t(100000)");
    cluster.meet();
    let picture = cluster.same();
    assert_shows(
        &picture,
        &[
            ("alice", ["dnd", "meeting", "Board"]),
            ("bob", ["away", "lunch", "Soup"]),
            ("carol", ["xa", "", "Far away"]),
            ("team", ["dnd", "meeting", "Board"]),
        ],
    );
    assert!(number(&picture, "carol", "until") > number(&picture, "carol", "since"));
    // What all nodes show the same is the source, the reason and the time too.
    for (user, source) in [
        ("alice", "CustomPresence:200"),
        ("bob", "CustomPresence:202"),
        ("carol", "own"),
    ] {
        let of = &picture[user];
        assert_eq!(of["source"], source, "{of:#}");
        assert!(of["reason"].is_string(), "{of:#}");
        assert!(number(&picture, user, "since") > 0);
    }

    // A status type, which goes to the extensions at every node.
    set(b, "alice", "lunch");
    for node in cluster.all() {
        wait_extension(node, "200", ["away", "lunch", "Back soon"]);
        wait_extension(node, "201", ["away", "lunch", "Back soon"]);
    }
    c.setvar("USER_PRESENCE(bob,dndStatus)", "DoNotAcceptAnyCalls");
    a.setvar("USER_PRESENCE(bob,pickUpCallsOnHold)", "true");
    b.setvar("USER_PRESENCE(dave,allowSeeMyPresence)", "false");
    // Two items of one user at two nodes.
    a.setvar("USER_PRESENCE(carol,settings,statuses.away.push)", "no");
    cluster.meet();
    b.setvar("USER_PRESENCE(carol,settings,statuses.away.note)", "Hi");
    let picture = cluster.same();
    assert_shows(&picture, &[("alice", ["away", "lunch", "Back soon"])]);
    assert_eq!(picture["alice"]["status"], "lunch");
    assert_eq!(picture["bob"]["dndStatus"], "DoNotAcceptAnyCalls");
    assert_eq!(picture["bob"]["pickUpCallsOnHold"], true);
    assert_eq!(picture["dave"]["allowSeeMyPresence"], false);
    assert_eq!(
        picture["carol"]["settings"],
        json!({"statuses": {"away": {"push": false, "note": "Hi"}}})
    );

    // What is cleared is cleared everywhere.
    set(c, "alice", "not_set");
    set(a, "carol", "not_set");
    cluster.meet();
    for node in cluster.all() {
        wait_extension(node, "201", ["not_set", "", ""]);
    }
    let picture = cluster.same();
    assert_shows(
        &picture,
        &[
            ("alice", ["not_set", "", ""]),
            ("carol", ["not_set", "", ""]),
        ],
    );
    cluster.same_in_stock();

    for (node, feed) in &feeds {
        // The barrier of the node before is written to this one's Asterisk first, and not over the
        // barrier of this one.
        cluster.meet();
        let events = all_events(node, feed);
        assert_numbered(&events);
        let alice = matching(&events, "UserPresenceChange", "User", "alice");
        let states: Vec<_> = alice
            .iter()
            .filter_map(|event| event.get("State"))
            .collect();
        assert_eq!(states, ["dnd", "away", "not_set"], "{alice:#?}");
        assert_eq!(complaints(node, "userpresence"), Vec::<String>::new());
    }
}

/// Two nodes set one extension one after the other, as fast as it goes: the second choice is made
/// while the first one is on its way, or is being written to the second node's Asterisk.
#[test]
fn the_later_of_two_choices_in_quick_succession_stays() {
    let cluster = Cluster::of(&conf()).start();
    let nodes = cluster.three();
    for round in 0..60 {
        let (first, second) = (nodes[round % 3], nodes[(round + 1) % 3]);
        let message = |which: &str| format!("{which} of {round}");
        first.set_custom("200", &format!("away,,{}", message("first")));
        first.wait_value("USER_PRESENCE(alice,message)", &message("first"));
        second.set_custom("200", &format!("dnd,,{}", message("second")));
        cluster.meet();
        let picture = cluster.same();
        assert_shows(&picture, &[("alice", ["dnd", "", &message("second")])]);
        for node in nodes {
            wait_extension(node, "200", ["dnd", "", &message("second")]);
        }
    }
    cluster.same_in_stock();
}

/// Devices, calls and panels of one node count at all of them, and go with it.
#[test]
fn a_phone_and_a_panel_at_one_node_count_at_all() {
    let cluster = Cluster::of(&conf())
        .each(|_, builder| {
            builder
                .sip(&["204", "205"])
                .dialplan("exten = _20X,1,Dial(PJSIP/${EXTEN})")
        })
        .start();
    let [a, b, _] = cluster.three();
    let is = |state: &str, presence: &str| {
        for node in cluster.all() {
            wait_phones(node, state);
            node.wait_value("USER_PRESENCE(dave)", presence);
        }
    };
    is("unavailable", "unavailable");
    let phone = Phone::ringing(a, "204");
    let caller = Phone::ringing(a, "205");
    is("not_in_use", "available");
    caller.call("204");
    is("ringing", "available");
    phone.answer();
    is("in_use", "dnd");
    cluster.same();
    caller.hang_up();
    is("not_in_use", "available");
    // The same phone at a second node: it is what the better of the two says.
    let other = Phone::ringing(b, "204");
    cluster.same();
    phone.unregister();
    cluster.same();
    is("not_in_use", "available");
    other.unregister();
    is("unavailable", "unavailable");

    let panel = b.ami();
    let log_in = [("Action", "UserPresenceLogin"), ("User", "carol")];
    assert!(panel.action(&log_in).ok());
    assert_eq!(number(&cluster.same(), "carol", "panels"), 1);
    drop(panel);
    for node in cluster.all() {
        crate::harness::wait_until("the end of the panel", || {
            let seen = crate::harness::users::json(node, "carol");
            (seen["panels"] == 0).then_some(())
        });
    }
    cluster.same();
}

/// Hints, lamps and members of queues at every node.
#[test]
fn hints_lamps_and_queues_agree_on_every_node() {
    let users = conf().replace("extension = 200\n", "extension = 200,Custom:a\n");
    let cluster = Cluster::of(&users)
        .each(|_, builder| {
            let member = "Local/alice@agents/n,0,Alice,UserPresence:alice@queue";
            builder
                .queue("sales", "", &[member])
                .hint("2000", "UserPresence:alice,UserPresence:alice")
                .hint("2900", ",CustomPresence:200")
        })
        .start();
    let [a, b, c] = cluster.three();
    let is = |presence: &str, lamp: &str, member: &str| {
        for node in cluster.all() {
            node.wait_hint_presence("2000", presence);
            node.wait_hint_state("2000", lamp);
            node.wait_queue_member("sales", "Alice", "Status", member);
        }
    };
    // The numbers are Asterisk's: 1 not in use, 2 in use, 3 busy, 5 unavailable.
    b.set_device("a", "NOT_INUSE");
    is("not_set", "Idle", "1");
    a.set_custom("200", "dnd,,Deep work");
    is("dnd", "Busy", "3");
    for node in cluster.all() {
        node.wait_hint_presence("2900", "dnd");
    }
    set(c, "alice", "available");
    is("available", "Idle", "1");
    b.set_device("a", "INUSE");
    is("available", "InUse", "2");
    b.set_device("a", "UNAVAILABLE");
    is("available", "Unavailable", "5");
    cluster.same();
    cluster.same_in_stock();
    for node in cluster.all() {
        assert_eq!(custom(node, "200", "value"), "available");
    }
}
