//! Readers of events: a webhook is posted by one node, a reader of the feed may go to another
//! node, and an action happens on every node or at the origin.

use std::collections::BTreeMap;
use std::fs;

use super::conf;
use crate::harness::api::{api_user, login, sign_in};
use crate::harness::cluster::{Cluster, TIMEOUT};
use crate::harness::users::set;
use crate::harness::{Instance, Post, Receiver, wait_until};

/// The number of posts by their message.
fn posted(posts: &[Post]) -> BTreeMap<String, usize> {
    let mut all = BTreeMap::new();
    for post in posts {
        let message = post.json()["record"]["message"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        *all.entry(message).or_default() += 1;
    }
    all
}

/// Each change at any node is posted once. When the node that posts dies, another one goes on:
/// nothing is missing, and only the last seconds may be there twice.
#[test]
fn one_node_posts_a_webhook_and_the_next_one_goes_on() {
    let receiver = Receiver::start();
    let hook = format!(
        "[crm]\ntype = webhook\nurl = {}\nsecret = correct horse battery\nexpand = record\n",
        receiver.url("/presence")
    );
    let cluster = Cluster::of(&format!("{}{hook}", conf())).quick().start();
    let wait_for = |message: &str| {
        wait_until(&format!("a post of {message:?}"), || {
            posted(&receiver.posts())
                .contains_key(message)
                .then_some(())
        });
    };
    for round in 0..4 {
        for (number, node) in cluster.all().iter().enumerate() {
            let message = format!("{round} of {number}");
            set(node, "carol", &format!("away,,{message}"));
            wait_for(&message);
        }
    }
    cluster.same();
    let counts = posted(&receiver.posts());
    let mut twice = counts
        .iter()
        .filter(|(message, count)| message.contains(" of ") && **count > 1);
    assert_eq!(twice.next(), None, "{counts:#?}");

    // Old enough to count as posted, whatever the clocks say.
    std::thread::sleep(std::time::Duration::from_secs(TIMEOUT + 1));
    let keeper = cluster.keeper();
    let living: Vec<usize> = (0..3).filter(|number| *number != keeper).collect();
    cluster.all()[keeper].kill9();
    set(&cluster.all()[living[0]], "carol", "xa,,Meanwhile");
    set(&cluster.all()[living[1]], "alice", "dnd,,Meanwhile too");
    wait_for("Meanwhile");
    wait_for("Meanwhile too");
    assert!(living.contains(&cluster.keeper()));
    set(&cluster.all()[living[1]], "carol", "away,,Afterwards");
    wait_for("Afterwards");
    let counts = posted(&receiver.posts());
    let mut twice = counts
        .iter()
        .filter(|(message, count)| message.contains(" of ") && **count > 1);
    assert_eq!(twice.next(), None, "{counts:#?}");
    assert_eq!(counts["Afterwards"], 1);

    // The old one is back, and does not post what others have posted.
    cluster.all()[keeper].start_again();
    cluster.same();
    set(
        &cluster.all()[keeper],
        "carol",
        "away,,From the one that is back",
    );
    wait_for("From the one that is back");
    cluster.same();
    assert_eq!(posted(&receiver.posts())["From the one that is back"], 1);
}

/// A login holds at every node that has the same secret; at another one it ends with 401, and a
/// new login helps.
#[test]
fn a_login_holds_at_every_node_with_the_same_secret() {
    let users = format!("{}{}", conf(), api_user("panel", "role = admin"));
    let cluster = Cluster::of(&users)
        .nodes(2)
        .each(|_, builder| builder.http())
        .start();
    let [a, b] = cluster.two();
    let list = "/userpresence/v1/account/default/presence";
    let cookie = sign_in(a, "panel", &[]);
    let status = |node: &Instance| node.http("GET", list, &[&cookie], "").status;
    assert_eq!([status(a), status(b)], [200, 401]);
    let at_b = sign_in(b, "panel", &[]);
    assert_eq!(b.http("GET", list, &[&at_b], "").status, 200);

    let file = "lib/keys/userpresence.secret";
    fs::copy(a.path(file), b.path(file)).expect("a copy");
    b.restart(true);
    cluster.same();
    assert_eq!([status(a), status(b)], [200, 200]);
    // Who changes something at one node sees it at the other one.
    let changed = b.http(
        "PUT",
        "/userpresence/v1/account/default/extension/carol/presence",
        &[&cookie, "Content-Type: application/json"],
        r#"{"status": "away", "message": "At B"}"#,
    );
    assert_eq!(changed.json()["node"], "b");
    cluster.same();
    let carol = "/userpresence/v1/account/default/extension/carol/presence";
    let at_a = a.http("GET", carol, &[&cookie], "").json();
    assert_eq!(
        (&at_a["message"], &at_a["node"]),
        (&"At B".into(), &"a".into())
    );
}

/// A reader that comes to another node with a number of the first one starts over there.
#[test]
fn a_reader_of_the_feed_starts_over_at_another_node() {
    let users = format!("{}{}", conf(), api_user("panel", "role = read"));
    let cluster = Cluster::of(&users)
        .nodes(2)
        .each(|_, builder| builder.http())
        .start();
    let [a, b] = cluster.two();
    let events = "/userpresence/v1/account/default/events";
    let login = login("panel");
    let mut reader = a.stream(&format!("{events}?snapshot=true"), &[&login]);
    reader.expect("snapshot");
    set(b, "carol", "away,,One");
    let one = reader.expect("presence");
    drop(reader);
    set(a, "carol", "away,,Two");
    cluster.same();
    // Back at the same node it has missed nothing.
    let resume = format!("Last-Event-ID: a:{}", one.id.expect("a number"));
    let mut reader = a.stream(events, &[&login, &resume]);
    assert_eq!(reader.expect("presence").id, one.id.map(|id| id + 1));
    // A list says where the feed goes on after it.
    let list = a.http(
        "GET",
        "/userpresence/v1/account/default/presence",
        &[&login],
        "",
    );
    let list = list.json();
    assert_eq!(list["lastEventId"], format!("a:{}", list["sequence"]));
    // A number alone may be of before the cluster.
    let alone = format!("Last-Event-ID: {}", one.id.expect("a number"));
    a.stream(events, &[&login, &alone]).expect("reset");
    // At the other one its number means nothing, however it compares with those there.
    let mut reader = b.stream(events, &[&login, &resume]);
    reader.expect("reset");
    let snapshot = reader.expect("snapshot");
    let records = snapshot.data["records"].as_array().expect("records");
    let carol = records.iter().find(|record| record["user"] == "carol");
    assert_eq!(carol.expect("one of them")["message"], "Two");
    set(a, "carol", "away,,Three");
    assert_eq!(reader.expect("presence").id, snapshot.id.map(|id| id + 1));
}

/// An action happens on every node, or where the status was set.
#[test]
fn an_action_happens_everywhere_or_at_the_origin() {
    let actions = "[all]\ntype = action\nstatus = dnd\nset = DB(all/${USER})=on\n\
                   [one]\ntype = action\nstatus = dnd\nset = DB(one/${USER})=on\nwhere = origin\n";
    let users = conf().replace(
        "[carol]\ntype = user\n",
        "[carol]\ntype = user\naction = all,one\n",
    );
    let cluster = Cluster::of(&format!("{users}{actions}")).start();
    let [a, b, c] = cluster.three();
    set(b, "carol", "dnd,,At B");
    for node in cluster.all() {
        node.wait_astdb("all/carol", Some("on"));
    }
    b.wait_astdb("one/carol", Some("on"));
    set(a, "carol", "away,,At A");
    for node in cluster.all() {
        node.wait_astdb("all/carol", None);
        node.wait_astdb("one/carol", None);
    }
    cluster.same();
    // Each node is asked after it has done its actions for this status.
    set(c, "carol", "dnd,,At C");
    for node in cluster.all() {
        node.wait_astdb("all/carol", Some("on"));
    }
    c.wait_astdb("one/carol", Some("on"));
    for node in [a, b] {
        assert_eq!(node.astdb("one/carol"), None);
    }
}

/// What no person sets has one origin, too: the keeper.
#[test]
fn an_action_at_the_end_of_a_status_happens_at_the_keeper() {
    let actions = "[one]\ntype = action\nstatus = available\nset = DB(one/${USER})=on\n\
                   where = origin\n\
                   [all]\ntype = action\nstatus = available\nset = DB(all/${USER})=on\n";
    let users = conf().replace(
        "[carol]\ntype = user\n",
        "[carol]\ntype = user\naction = all,one\n",
    );
    let cluster = Cluster::of(&format!("{users}{actions}")).start();
    let keeper = cluster.keeper();
    let other = &cluster.all()[(keeper + 1) % 3];
    let holders = || {
        let held = cluster.all().iter().map(|node| node.astdb("one/carol"));
        let held = held.enumerate().filter(|(_, value)| value.is_some());
        held.map(|(number, _)| number).collect::<Vec<usize>>()
    };
    let wait_all = |value: Option<&str>| {
        for node in cluster.all() {
            node.wait_astdb("all/carol", value);
        }
    };
    set(other, "carol", "available,,Base");
    wait_all(Some("on"));
    other.wait_astdb("one/carol", Some("on"));
    assert_eq!(holders(), [(keeper + 1) % 3]);
    set(other, "carol", "dnd,,Short,t(2)");
    wait_all(None);
    other.wait_astdb("one/carol", None);
    // The end comes at every node.
    wait_all(Some("on"));
    cluster.all()[keeper].wait_astdb("one/carol", Some("on"));
    assert_eq!(holders(), [keeper]);
}
