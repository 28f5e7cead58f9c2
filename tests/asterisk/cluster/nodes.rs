//! Nodes that come and go: killed, unloaded, back under the same name, and two under one name.

use super::{assert_shows, conf, wait_phones};
use crate::harness::cluster::Cluster;
use crate::harness::users::{complaints, set, wait_state};
use crate::harness::{Instance, MODULE, Phone, wait_until};

/// A node that dies takes its phones with it, and nothing that a person chose. It is back under
/// its name at once, with what was chosen meanwhile.
#[test]
fn a_node_that_is_killed_takes_its_phones_with_it_and_no_choice() {
    let cluster = Cluster::of(&conf())
        .quick()
        .each(|_, builder| builder.sip(&["204"]))
        .start();
    let [a, b, c] = cluster.three();
    let phone = Phone::ringing(a, "204");
    set(a, "carol", "xa,,Chosen at A");
    a.set_custom("200", "dnd,,Set at A");
    for node in [b, c] {
        wait_phones(node, "not_in_use");
    }
    cluster.same();
    a.kill9();
    for node in [b, c] {
        wait_phones(node, "unavailable");
    }
    let picture = cluster.same_of(&[1, 2]);
    assert_shows(
        &picture,
        &[
            ("carol", ["xa", "", "Chosen at A"]),
            ("alice", ["dnd", "", "Set at A"]),
        ],
    );
    set(b, "carol", "away,,Chosen at B");
    c.set_custom("200", "not_set");
    let picture = cluster.same_of(&[1, 2]);
    assert_shows(&picture, &[("alice", ["not_set", "", ""])]);
    drop(phone);

    a.start_again();
    let picture = cluster.same();
    assert_shows(
        &picture,
        &[
            ("carol", ["away", "", "Chosen at B"]),
            ("alice", ["not_set", "", ""]),
        ],
    );
    cluster.same_in_stock();
    // It takes part again.
    set(a, "carol", "dnd,,At A again");
    assert_shows(&cluster.same(), &[("carol", ["dnd", "", "At A again"])]);
}

/// A node that leaves in order is gone at once; what it hears meanwhile counts when it is back.
#[test]
fn a_node_that_unloads_leaves_at_once_and_comes_back() {
    let cluster = Cluster::of(&conf())
        .quick()
        .each(|_, builder| builder.sip(&["204"]).hint("2000", ",UserPresence:alice"))
        .start();
    let [a, b, _] = cluster.three();
    let _phone = Phone::ringing(a, "204");
    a.set_custom("200", "dnd,,Set at A");
    wait_phones(b, "not_in_use");
    cluster.same();
    assert!(a.unload_module(MODULE).ok());
    wait_phones(b, "unavailable");
    b.wait_hint_presence("2000", "dnd");
    set(b, "carol", "xa,,Meanwhile");
    assert!(a.load_module(MODULE).ok());
    let picture = cluster.same();
    assert_eq!(picture["dave"]["device_state"], "not_in_use");
    assert_shows(
        &picture,
        &[
            ("alice", ["dnd", "", "Set at A"]),
            ("carol", ["xa", "", "Meanwhile"]),
        ],
    );
    // What Asterisk heard while the module was away counts as set now.
    assert!(a.unload_module(MODULE).ok());
    a.cli("presencestate change CustomPresence:200 away,,While_away");
    assert!(a.load_module(MODULE).ok());
    assert_shows(&cluster.same(), &[("alice", ["away", "", "While_away"])]);
    cluster.same_in_stock();
    for node in cluster.all() {
        assert_eq!(complaints(node, "userpresence"), Vec::<String>::new());
    }
}

/// A second Asterisk with the name of one that lives is refused with one message, and takes the
/// name when the first one has gone.
#[test]
fn a_second_node_under_one_name_is_refused_until_the_first_is_gone() {
    let cluster = Cluster::of(&conf()).quick().nodes(2).start();
    let [a, b] = cluster.two();
    set(a, "carol", "xa,,Before");
    cluster.same();
    let double = Instance::builder().userpresence(&cluster.conf(0)).start();
    let refusal = || complaints(&double, "'a'");
    wait_until("the refusal", || (!refusal().is_empty()).then_some(()));
    // It works alone.
    set(&double, "carol", "dnd,,Double");
    assert_eq!(double.getvar("USER_PRESENCE(carol)"), "dnd");
    set(b, "alice", "away,,From B");
    assert_shows(&cluster.same(), &[("carol", ["xa", "", "Before"])]);
    assert_eq!(double.getvar("USER_PRESENCE(alice)"), "not_set");
    assert_eq!(refusal().len(), 1, "{:?}", refusal());
    let all = double.complaints();
    let errors = all.iter().filter(|line| line.contains("ERROR["));
    assert_eq!(errors.count(), 1, "{all:#?}");
    assert_eq!(complaints(a, "userpresence"), Vec::<String>::new());
    // Its choice was the later one.
    a.kill9();
    wait_state(b, "carol", "dnd");
    double.wait_value("USER_PRESENCE(alice,message)", "From B");
    assert_eq!(refusal().len(), 1, "{:?}", refusal());
}
