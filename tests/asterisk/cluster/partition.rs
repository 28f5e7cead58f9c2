//! A node that is cut off: it goes on alone, and settles with the others when it is back.

use std::time::{Duration, Instant};

use super::{assert_shows, conf};
use crate::harness::Instance;
use crate::harness::barrier::all_events;
use crate::harness::changes::{assert_numbered, matching};
use crate::harness::cluster::{Cluster, NODES, TIMEOUT};
use crate::harness::users::{custom, set};
use crate::harness::watchers::Watchers;

/// Users whose extensions have a hint each.
const USERS: usize = 12;

fn users() -> String {
    let user = |number| {
        format!(
            "[u{number}]\ntype = user\nextension = 3{number:02}\nmethod = {}\n",
            ["priority", "latest"][number % 2]
        )
    };
    conf() + &(0..USERS).map(user).collect::<String>()
}

/// How long a cut lasts: longer than a node may be silent. `USERPRESENCE_CUT` names another
/// number of seconds.
fn cut_time() -> Duration {
    let given = std::env::var("USERPRESENCE_CUT").ok();
    let given = given.map(|given| given.parse().expect("seconds"));
    Duration::from_secs(given.unwrap_or(TIMEOUT + 2))
}

/// Subscribes to the hints of all users at a node.
fn watch(node: &Instance) -> Watchers {
    let hints: Vec<String> = (0..USERS).map(|number| format!("4{number:02}")).collect();
    Watchers::subscribe(node, &hints, 1, "digium D65", false)
}

#[test]
fn a_node_that_is_cut_off_goes_on_alone_and_settles_when_it_is_back() {
    let cluster = Cluster::of(&users())
        .quick()
        .each(|_, builder| {
            let hint = |builder: crate::harness::Builder, number: usize| {
                builder.hint(
                    &format!("4{number:02}"),
                    &format!(",UserPresence:u{number}"),
                )
            };
            (0..USERS).fold(builder.sip(&["204"]), hint)
        })
        .start();
    let [a, b, c] = cluster.three();
    // Set before, and cleared during the cut: at A, and at B.
    a.set_custom("300", "dnd,,Old");
    set(b, "u1", "dnd,,Old");
    set(c, "carol", "xa,,Old");
    cluster.same();
    let watchers = cluster.all().iter().map(watch).collect::<Vec<_>>();
    let feeds: Vec<_> = cluster.all().iter().map(Instance::ami).collect();

    cluster.cut(0);
    let begin = Instant::now();
    // On both sides, the later one at B; then another, the later one at A.
    a.set_custom("302", "away,,A first");
    cluster.meet_of(&[0]);
    b.set_custom("302", "xa,,B later");
    set(b, "u3", "away,,B first");
    cluster.meet_of(&[1]);
    set(a, "u3", "xa,,A later");
    // Each on one side alone, of one user too.
    set(a, "u4", "chat,,Only A");
    set(b, "u5", "chat,,Only B");
    a.setvar("USER_PRESENCE(u6,dndStatus)", "DoNotAcceptAnyCalls");
    b.setvar("USER_PRESENCE(u6,pickUpCallsOnHold)", "true");
    a.setvar("USER_PRESENCE(u6,settings,statuses.away.note)", "A");
    c.setvar("USER_PRESENCE(u6,settings,statuses.dnd.note)", "C");
    // Cleared.
    a.set_custom("300", "not_set");
    set(b, "u1", "not_set");
    set(a, "carol", "not_set");
    // Many changes of one user at each side: the last one of B is the last of all.
    for round in 0..50 {
        set(a, "u7", &format!("away,,A {round}"));
        set(b, "u7", &format!("dnd,,B {round}"));
    }
    // Local work goes on at once.
    assert_eq!(custom(a, "302", "message"), "A first");
    a.wait_hint_presence("404", "chat");
    b.wait_hint_presence("405", "chat");
    a.wait_hint_presence("400", "not_set");
    std::thread::sleep(cut_time().saturating_sub(begin.elapsed()));
    let alone = cluster.same_of(&[1, 2]);
    assert_shows(
        &alone,
        &[("u2", ["xa", "", "B later"]), ("u4", ["not_set", "", ""])],
    );
    let healed: Vec<usize> = watchers.iter().map(count_so_far).collect();
    assert!(healed.iter().all(|count| *count > 0), "{healed:?}");

    cluster.heal(0);
    let healing = Instant::now();
    let picture = cluster.same();
    println!("settled {:?} after the cut", healing.elapsed());
    assert_shows(
        &picture,
        &[
            ("u0", ["not_set", "", ""]),
            ("u1", ["not_set", "", ""]),
            ("u2", ["xa", "", "B later"]),
            ("u3", ["xa", "", "A later"]),
            ("u4", ["chat", "", "Only A"]),
            ("u5", ["chat", "", "Only B"]),
            ("u7", ["dnd", "", "B 49"]),
            ("carol", ["not_set", "", ""]),
        ],
    );
    assert_eq!(picture["u6"]["dndStatus"], "DoNotAcceptAnyCalls");
    assert_eq!(picture["u6"]["pickUpCallsOnHold"], true);
    let notes = &picture["u6"]["settings"]["statuses"];
    assert_eq!(
        (&notes["away"]["note"], &notes["dnd"]["note"]),
        (&"A".into(), &"C".into())
    );
    cluster.same_in_stock();

    // What differs is reported once, and everything in its order.
    for (number, node) in cluster.all().iter().enumerate() {
        let events = all_events(node, &feeds[number]);
        assert_numbered(&events);
        let storms = (0..USERS).map(|user| {
            let changes = matching(&events, "UserPresenceChange", "User", &format!("u{user}"));
            changes.len()
        });
        println!(
            "{}: changes of each user: {:?}",
            NODES[number],
            storms.collect::<Vec<_>>()
        );
        let after = count_so_far(&watchers[number]);
        println!("{}: {after} NOTIFYs after the cut", NODES[number]);
        // A NOTIFY for each user who differed: of u0 to u7 at most, and two for an own status
        // that also reaches the extension.
        assert!(after <= 2 * 8, "{after} NOTIFYs at {}", NODES[number]);
    }
}

/// The NOTIFYs since the last call.
fn count_so_far(watchers: &Watchers) -> usize {
    watchers.wait_heard(0, |_| true).len()
}
