//! What people and phones do all day, at one node, and how it shows at another: keys and
//! publications of phones, parked calls, FreePBX's do not disturb, own settings; and nodes whose
//! configuration differs for a while.

use serde_json::json;

use super::{assert_shows, conf};
use crate::feature_keys::press_dnd;
use crate::harness::barrier::all_events;
use crate::harness::changes::{assert_numbered, matching};
use crate::harness::cluster::Cluster;
use crate::harness::feature_phone::FeaturePhone;
use crate::harness::publisher::pidf;
use crate::harness::users::{complaints, read, set, wait_custom, wait_state};
use crate::harness::{Instance, Phone, Publisher, wait_until};

/// Waits until a function of a user has this value at every node.
#[track_caller]
fn wait_at_all(cluster: &Cluster, arguments: &str, value: &str) {
    for node in cluster.all() {
        node.wait_value(&format!("USER_PRESENCE({arguments})"), value);
    }
}

/// What FreePBX reads of a status is the same at every node, whichever node it is set at, and
/// goes at every node.
#[test]
fn do_not_disturb_of_freepbx_is_the_same_on_every_node() {
    let users = conf().replace(
        "[carol]\ntype = user\n",
        "[erin]\ntype = user\nextension = 210\naction = dnd\n[carol]\ntype = user\n",
    );
    let cluster = Cluster::of(&format!(
        "{users}[dnd]\ntype = action\nstatus = dnd\ndnd = on\n"
    ))
    .each(|_, builder| builder.hint("2100", "Custom:phone&Custom:DND210"))
    .start();
    let [a, b, _] = cluster.three();
    for node in cluster.all() {
        node.set_device("phone", "NOT_INUSE");
    }
    let is = |database: Option<&str>, hint: &str| {
        for node in cluster.all() {
            node.wait_astdb("DND/210", database);
            node.wait_hint_state("2100", hint);
        }
    };
    set(a, "erin", "dnd");
    is(Some("YES"), "Busy");
    for node in cluster.all() {
        wait_custom(node, "210", "value", "dnd");
    }
    cluster.same_in_stock();
    // Cleared by a phone at another node.
    b.set_custom("210", "available");
    is(None, "Idle");
    cluster.same();
    cluster.same_in_stock();
}

/// The DND key, a publication and a parked call belong to phones at one node.
#[test]
fn keys_publications_and_parked_calls_of_one_node_show_at_another() {
    let users = conf().replace(
        "[carol]\ntype = user\n",
        "[erin]\ntype = user\nextension = 210\nextension = 211\n[carol]\ntype = user\n",
    );
    let cluster =
        Cluster::of(&users)
            .nodes(2)
            .each(|_, builder| {
                builder.sip(&["210", "211", "204"]).phones().parking().dialplan(
                "exten = 700,1,Set(BLINDTRANSFER=PJSIP/210-00000001)\nsame = n,Park(default)",
            )
            })
            .start();
    let [a, b] = cluster.two();

    // Two phones of one user, each at another node: the key of one lights that of the other.
    let (desk, soft) = (
        FeaturePhone::subscribed(a, "210"),
        FeaturePhone::subscribed(b, "211"),
    );
    press_dnd(a, &desk, "erin", true);
    wait_at_all(&cluster, "erin,value", "dnd");
    soft.wait_dnd(true);
    press_dnd(b, &soft, "erin", false);
    desk.wait_dnd(false);
    wait_at_all(&cluster, "erin,value", "available");
    cluster.same();
    drop((desk, soft));

    a.wait_log("Phones may publish their presence now");
    let mut phone = Publisher::new(a, "210");
    let publication = pidf("open", "away", "Back at one");
    assert_eq!(phone.publish(&publication).status, 200);
    wait_at_all(&cluster, "erin,message", "Back at one");
    let picture = cluster.same();
    assert_shows(&picture, &[("erin", ["away", "", "Back at one"])]);
    assert_eq!(read(b, "erin,source"), "publish:PJSIP/210");

    // A device of another node, in words.
    let waiting = Phone::ringing(a, "204");
    b.wait_value("USER_PRESENCE(dave)", "available");
    let told = b.cli("userpresence explain dave");
    assert!(
        told.contains("PJSIP/204 is not_in_use at node 'a'"),
        "{told}"
    );
    assert!(!a.cli("userpresence explain dave").contains("at node"));
    let shown = b.cli("userpresence show user dave");
    assert!(shown.contains("not_in_use at a"), "{shown}");

    waiting.call("700");
    for user in ["dave", "erin"] {
        wait_at_all(&cluster, &format!("{user},telephonyStatus"), "ParkedCall");
    }
    cluster.same();
    waiting.hang_up();
    for user in ["dave", "erin"] {
        wait_at_all(&cluster, &format!("{user},telephonyStatus"), "NoCall");
    }
    cluster.same();

    // The node of the phone dies: what the phone publishes there counts no more.
    a.kill9();
    wait_state(b, "erin", "available");
}

/// What a user sets for themselves at one node, visibility and forwards among it, holds at all.
#[test]
fn own_settings_of_one_node_hold_at_every_node() {
    let users = conf().replace(
        "[general]\n",
        "[general]\nown_settings = handling,visibility\nown_forward = internal\n",
    );
    let cluster = Cluster::of(&users).nodes(2).start();
    let [a, b] = cluster.two();
    for (item, value) in [
        ("visibility", "nobody"),
        ("statuses.away.forwardExternal.always", "202"),
    ] {
        a.setvar(&format!("USER_PRESENCE(alice,settings,{item})"), value);
    }
    let picture = cluster.same();
    let settings = &picture["alice"]["settings"];
    assert_eq!(settings["visibility"], json!("nobody"), "{settings:#}");
    set(a, "alice", "away");
    cluster.meet();
    let route = |node: &Instance| node.cli("userpresence show routes alice");
    assert_eq!(route(a), route(b));
    assert!(route(b).contains("202"), "{}", route(b));
    // Taken back at the other node, it does not return.
    b.setvar("USER_PRESENCE(alice,settings,visibility)", "");
    let picture = cluster.same();
    assert_eq!(picture["alice"]["settings"]["visibility"], json!(null));
}

/// Nodes are changed one after the other: a status type, a method, and users who come, go and
/// get another name. What a node does not know does no harm, and is not lost.
#[test]
fn nodes_whose_configuration_differs_lose_nothing() {
    let cluster = Cluster::of(&conf()).nodes(2).start();
    let [a, b] = cluster.two();
    let feed = b.ami();
    let write = |node: &Instance, number: usize, change: &dyn Fn(&str) -> String| {
        node.write_config("userpresence.conf", &change(&cluster.conf(number)));
        let answer = node.cli("userpresence reload");
        assert!(answer.contains("users"), "{answer}");
    };
    let more = |text: &str| {
        format!(
            "{}[siesta]\ntype = status\nstate = away\nsubtype = siesta\n\
             [zoe]\ntype = user\nextension = 220\n",
            text.replace(
                "[bob]\ntype = user\nmethod = latest\n",
                "[bob]\ntype = user\n"
            )
        )
    };

    // A status type that only A has: B shows what it is mapped to.
    write(a, 0, &more);
    set(a, "alice", "siesta");
    set(a, "carol", "siesta");
    set(a, "zoe", "dnd,,Of A alone");
    cluster.meet();
    for node in [a, b] {
        for user in ["alice", "carol"] {
            wait_state(node, user, "away");
            assert_eq!(read(node, &format!("{user},subtype")), "siesta");
        }
    }
    // B changes something else of the same person, and does not take the type away.
    b.setvar("USER_PRESENCE(carol,dndStatus)", "DoNotAcceptAnyCalls");
    b.setvar("USER_PRESENCE(alice,pickUpCallsOnHold)", "true");
    cluster.meet();
    assert_eq!(read(a, "carol,status"), "siesta");
    assert_eq!(read(a, "alice,status"), "siesta");

    // Another method at A: each node combines by its own, and says that they differ.
    a.set_custom("202", "dnd,,First");
    cluster.meet();
    b.set_custom("203", "away,,Second");
    cluster.meet();
    assert_eq!(
        [read(a, "bob,value"), read(b, "bob,value")],
        ["dnd", "away"]
    );
    wait_until("a difference", || {
        let shown = [a, b].map(|node| node.cli("userpresence show cluster"));
        (shown[0].contains("differs from a") && shown[1].contains("differs from b")).then_some(())
    });

    // The same at B: it has what A knows, once.
    write(b, 1, &more);
    wait_state(b, "zoe", "dnd");
    let picture = cluster.same();
    assert_shows(
        &picture,
        &[
            ("zoe", ["dnd", "", "Of A alone"]),
            ("alice", ["away", "siesta", ""]),
            ("bob", ["dnd", "", "First"]),
        ],
    );
    for user in ["alice", "carol"] {
        assert_eq!(read(b, &format!("{user},status")), "siesta");
    }
    assert_eq!(picture["carol"]["dndStatus"], "DoNotAcceptAnyCalls");

    // A user goes at A first; at B they stay, and come back at A with what B has kept.
    let without = |text: &str| more(text).replace("[zoe]\ntype = user\nextension = 220\n", "");
    write(a, 0, &without);
    set(b, "zoe", "xa,,Without A");
    cluster.meet();
    assert_eq!(read(b, "zoe,value"), "xa");
    write(a, 0, &more);
    wait_state(a, "zoe", "xa");
    // Another name is another user with the same extension.
    let renamed = |text: &str| more(text).replace("[zoe]", "[zora]");
    write(a, 0, &renamed);
    write(b, 1, &renamed);
    let picture = cluster.same();
    assert_shows(&picture, &[("zora", ["xa", "", "Without A"])]);
    cluster.same_in_stock();

    let events = all_events(b, &feed);
    assert_numbered(&events);
    let zoe = matching(&events, "UserPresenceChange", "User", "zoe");
    let states: Vec<_> = zoe.iter().filter_map(|event| event.get("State")).collect();
    assert!(
        !states.windows(2).any(|pair| pair[0] == pair[1]),
        "{zoe:#?}"
    );
    for node in [a, b] {
        assert_eq!(complaints(node, "panicked"), Vec::<String>::new());
    }
}

/// Users from a database, and one more at one node after the other.
#[test]
fn users_from_realtime_are_shared_as_those_of_the_file() {
    const TABLE: &str = "CREATE TABLE userpresence (name TEXT, extension TEXT);\
        INSERT INTO userpresence VALUES ('rita', '230');";
    let cluster = Cluster::of(&conf())
        .nodes(2)
        .each(|_, builder| builder.realtime(&["userpresence"], TABLE))
        .start();
    let [a, b] = cluster.two();
    set(a, "rita", "away,,From the database");
    let picture = cluster.same();
    assert_shows(&picture, &[("rita", ["away", "", "From the database"])]);
    for node in [a, b] {
        node.realtime_sql("INSERT INTO userpresence VALUES ('ron', '231');");
        let answer = node.cli("userpresence reload user ron");
        assert!(answer.contains("ron"), "{answer}");
        let known = ["", "x"][usize::from(std::ptr::eq(node, b))];
        node.wait_value("USER_PRESENCE(ron,message)", known);
        set(
            node,
            "ron",
            &format!("dnd,,{}", read(node, "ron,message") + "x"),
        );
        cluster.meet();
    }
    let picture = cluster.same();
    assert_shows(&picture, &[("ron", ["dnd", "", "xx"])]);
}

/// The section is changed while the node is cut off, as one does to name another server: what was
/// chosen and cleared meanwhile is later than what the others know.
#[test]
fn a_section_that_changes_while_the_node_is_alone_loses_nothing() {
    let cluster = Cluster::of(&conf()).quick().nodes(2).start();
    let [a, b] = cluster.two();
    set(b, "carol", "dnd,,Old");
    b.set_custom("200", "dnd,,Old");
    b.setvar("USER_PRESENCE(bob,dndStatus)", "DoNotAcceptAnyCalls");
    b.setvar("USER_PRESENCE(bob,pickUpCallsOnHold)", "true");
    cluster.same();
    cluster.cut(0);
    set(a, "carol", "not_set");
    a.set_custom("200", "not_set");
    a.setvar("USER_PRESENCE(bob,dndStatus)", "TakeAllCalls");
    a.setvar("USER_PRESENCE(bob,pickUpCallsOnHold)", "false");
    let other = cluster
        .conf(0)
        .replace("node_timeout = 3\n", "node_timeout = 4\n");
    a.write_config("userpresence.conf", &other);
    assert!(a.cli("userpresence reload").contains("users"));
    cluster.heal(0);
    let picture = cluster.same();
    assert_shows(
        &picture,
        &[
            ("carol", ["not_set", "", ""]),
            ("alice", ["not_set", "", ""]),
        ],
    );
    assert_eq!(picture["bob"]["dndStatus"], "TakeAllCalls");
    assert_eq!(picture["bob"]["pickUpCallsOnHold"], false);
    cluster.same_in_stock();
}
