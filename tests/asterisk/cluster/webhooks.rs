//! Webhooks whose node goes while something waits, and nodes that cannot see each other.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::harness::cluster::{Cluster, ClusterBuilder};
use crate::harness::users::set;
use crate::harness::{Instance, Receiver, wait_until};

/// The number of users: two changes of each are more than the journal holds.
const USERS: usize = 60;

/// More than the clocks of two nodes may differ.
const CLOCKS: Duration = Duration::from_secs(4);

/// A cluster whose webhook has the records of all users.
fn cluster(receiver: &Receiver) -> ClusterBuilder {
    let users =
        (0..USERS).map(|n| format!("[u{n}]\ntype = user\nmethod = none\noutgoing = none\n"));
    let users: String = users.collect();
    Cluster::of(&format!(
        "[general]\njournal = 100\n{users}\
         [crm]\ntype = webhook\nurl = {}\nsecret = correct horse battery\nexpand = record\n",
        receiver.url("/presence")
    ))
    .quick()
}

/// The messages of each user that the receiver has taken, in their order.
fn taken(receiver: &Receiver) -> BTreeMap<String, Vec<String>> {
    let mut all: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for post in receiver.posts().iter().filter(|post| post.taken) {
        let json = post.json();
        let text = |name: &str| {
            let text = json["record"][name].as_str();
            text.unwrap_or_default().to_owned()
        };
        all.entry(text("user")).or_default().push(text("message"));
    }
    all
}

/// The last message that was taken of each user.
fn last(receiver: &Receiver) -> BTreeMap<String, String> {
    let all = taken(receiver).into_iter();
    all.filter_map(|(user, messages)| Some((user, messages.last()?.clone())))
        .collect()
}

/// The message of every user, set one after the other at the nodes in turn.
fn set_all(nodes: &[&Instance], text: &str) -> BTreeMap<String, String> {
    let all = (0..USERS).map(|n| {
        let (user, message) = (format!("u{n}"), format!("{text} {n}"));
        set(nodes[n % nodes.len()], &user, &format!("away,,{message}"));
        (user, message)
    });
    all.collect()
}

#[track_caller]
fn wait_for(receiver: &Receiver, expected: &BTreeMap<String, String>) {
    wait_until("the last change of every user", || {
        (last(receiver) == *expected).then_some(())
    });
}

/// The last line of the list of webhooks.
fn posting(node: &Instance) -> String {
    let shown = node.cli("userpresence show webhooks");
    shown.lines().last().unwrap_or_default().to_owned()
}

#[test]
fn the_next_keeper_posts_who_has_changed_also_beyond_the_journal() {
    let receiver = Receiver::start();
    let cluster = cluster(&receiver).start();
    let nodes: Vec<&Instance> = cluster.all().iter().collect();
    let first = set_all(&nodes, "first");
    cluster.same();
    wait_for(&receiver, &first);
    let keeper = cluster.keeper();
    let name = ["a", "b", "c"][keeper];
    for (number, node) in nodes.iter().enumerate() {
        let expected = match number == keeper {
            true => "This node posts".to_owned(),
            false => format!("Node '{name}' posts, not this one"),
        };
        assert_eq!(posting(node), expected);
    }

    // The receiver is down, and the node that posts dies with everything that waits.
    receiver.answer_status("503 Service Unavailable");
    set_all(&nodes, "second");
    let mut expected = set_all(&nodes, "third");
    cluster.same();
    nodes[keeper].kill9();
    let living: Vec<&Instance> = (0..3).filter(|n| *n != keeper).map(|n| nodes[n]).collect();
    set(living[0], "u3", "dnd,,Meanwhile");
    expected.insert("u3".into(), "Meanwhile".into());
    wait_until("another keeper", || {
        let shown = living.iter().map(|node| posting(node));
        shown.into_iter().find(|line| line == "This node posts")
    });
    receiver.answer_status("200 OK");
    wait_for(&receiver, &expected);
    for node in &living {
        assert!(!node.log().contains("dropped"), "{}", node.log());
    }
    // Of each user in their order: nothing older comes after something newer.
    let order = |message: &str| {
        let order = ["first", "second", "third", "Meanwhile"];
        order.iter().position(|begin| message.starts_with(begin))
    };
    for (user, messages) in taken(&receiver) {
        let order: Vec<_> = messages.iter().map(|message| order(message)).collect();
        assert!(order.is_sorted(), "{user}: {messages:?}");
    }
}

#[test]
fn a_node_that_leaves_in_order_posts_nothing_twice() {
    let receiver = Receiver::start();
    let cluster = cluster(&receiver).nodes(2).start();
    let nodes: Vec<&Instance> = cluster.all().iter().collect();
    let mut expected = BTreeMap::new();
    let mut texts = Vec::new();
    for round in 0..2 {
        let keeper = cluster.keeper();
        let text = format!("round {round}");
        expected = set_all(&nodes, &text);
        texts.push(text);
        cluster.same();
        wait_for(&receiver, &expected);
        // What happened within the last seconds would come again: clocks may differ.
        std::thread::sleep(CLOCKS);
        assert!(nodes[keeper].stop_gracefully().success());
        wait_until("the other one posts", || {
            (posting(nodes[1 - keeper]) == "This node posts").then_some(())
        });
        nodes[keeper].start_again();
        cluster.same();
    }
    wait_for(&receiver, &expected);
    for (user, messages) in taken(&receiver) {
        assert_eq!(messages.len(), texts.len(), "{user}: {messages:?}");
    }
}

#[test]
fn a_node_by_itself_goes_on_after_its_own_restart() {
    let receiver = Receiver::start();
    let cluster = cluster(&receiver).nodes(1).start();
    let node = &cluster.all()[0];
    let first = set_all(&[node], "first");
    wait_for(&receiver, &first);
    receiver.answer_status("503 Service Unavailable");
    let before = receiver.posts().len();
    let mut expected = first.clone();
    for user in ["u1", "u2"] {
        set(node, user, "dnd,,Before the restart");
        expected.insert(user.into(), "Before the restart".into());
    }
    wait_until("a failure", || {
        (receiver.posts().len() > before).then_some(())
    });
    node.restart(true);
    receiver.answer_status("200 OK");
    wait_for(&receiver, &expected);
    let changed = taken(&receiver);
    let more = changed.values().filter(|messages| messages.len() > 1);
    assert_eq!(more.count(), 2, "{changed:?}");
}

#[test]
fn a_node_that_is_cut_off_posts_nothing_and_loses_nothing() {
    let receiver = Receiver::start();
    let cluster = cluster(&receiver).start();
    let nodes: Vec<&Instance> = cluster.all().iter().collect();
    let first = set_all(&nodes, "first");
    cluster.same();
    wait_for(&receiver, &first);
    let keeper = cluster.keeper();
    let others: Vec<&Instance> = (0..3).filter(|n| *n != keeper).map(|n| nodes[n]).collect();
    cluster.cut(keeper);
    wait_until("the cut", || {
        (posting(nodes[keeper]) == "No node posts: see 'userpresence show cluster'").then_some(())
    });
    wait_until("the next keeper", || {
        let mut shown = others.iter().map(|node| posting(node));
        shown.any(|line| line == "This node posts").then_some(())
    });
    // On both sides, of different users.
    let mut expected = first;
    for n in 0..USERS {
        let (node, text) = match n % 2 {
            0 => (nodes[keeper], "at the cut off one"),
            _ => (others[0], "at the others"),
        };
        set(node, &format!("u{n}"), &format!("dnd,,{text}"));
        expected.insert(format!("u{n}"), text.into());
    }
    let others_alone: BTreeMap<String, String> = expected
        .iter()
        .map(|(user, text)| {
            let seen = match text.starts_with("at the cut") {
                true => format!("first {}", &user[1..]),
                false => text.clone(),
            };
            (user.clone(), seen)
        })
        .collect();
    wait_for(&receiver, &others_alone);
    cluster.heal(keeper);
    wait_for(&receiver, &expected);
    cluster.same();
    assert_eq!(last(&receiver), expected);
}
