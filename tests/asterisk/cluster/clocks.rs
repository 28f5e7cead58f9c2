//! Clocks that differ by seconds and by an hour: the later choice stays, and each end comes in
//! its time.

use std::time::{Duration, Instant};

use super::{assert_shows, conf, number};
use crate::harness::cluster::{Cluster, NODES};
use crate::harness::now;
use crate::harness::users::{complaints, set, wait_state};

/// Clocks of `a`, `b` and `c` that differ from the machine's.
#[track_caller]
fn clocks(offsets: [&'static str; 3]) -> Cluster {
    let cluster = Cluster::of(&conf()).each(move |name, builder| {
        let at = NODES.iter().position(|node| *node == name);
        match offsets[at.expect("a node")] {
            "" => builder,
            offset => builder.clock(offset),
        }
    });
    // The first node has nobody to compare its clock with.
    cluster.in_turn().start()
}

#[track_caller]
fn goes_well(cluster: &Cluster) {
    let nodes = cluster.three();
    // Whatever a node's clock says, the choice that is later stays, at an extension too.
    for first in 0..3 {
        for later in 0..3 {
            if first == later {
                continue;
            }
            let (one, two) = (NODES[first], NODES[later]);
            set(nodes[first], "carol", &format!("dnd,,{one} first"));
            nodes[first].set_custom("202", &format!("dnd,,{one} first"));
            cluster.meet();
            set(nodes[later], "carol", &format!("away,,{two} later"));
            nodes[later].set_custom("202", &format!("away,,{two} later"));
            let later = format!("{two} later");
            assert_shows(
                &cluster.same(),
                &[
                    ("carol", ["away", "", &later]),
                    ("bob", ["away", "", &later]),
                ],
            );
        }
    }
    // By method `latest` too, of two extensions.
    nodes[1].set_custom("203", "xa,,Newest");
    let picture = cluster.same();
    assert_shows(&picture, &[("bob", ["xa", "", "Newest"])]);
    let since = number(&picture, "bob", "since");
    assert!(
        since.abs_diff(now()) < 60_000,
        "{since} at {}: {:#}",
        now(),
        picture["bob"]
    );
    // An end comes in its time everywhere.
    for node in nodes {
        let begin = Instant::now();
        set(node, "carol", "dnd,,Short,t(1)");
        cluster.meet();
        for node in nodes {
            wait_state(node, "carol", "away");
        }
        let took = begin.elapsed();
        assert!(took > Duration::from_millis(900), "{took:?}");
        assert!(took < Duration::from_secs(30), "{took:?}");
    }
    cluster.same();
}

#[test]
fn clocks_that_differ_by_seconds_change_nothing() {
    goes_well(&clocks(["", "+5s", "-5s"]));
}

#[test]
fn a_clock_that_is_an_hour_ahead_is_corrected_with_one_warning() {
    let cluster = clocks(["", "+3600s", ""]);
    goes_well(&cluster);
    let [a, b, c] = cluster.three();
    let of = |node| complaints(node, "clock");
    assert_eq!(
        (of(a).len(), of(c).len()),
        (0, 0),
        "{:?} {:?}",
        of(a),
        of(c)
    );
    assert_eq!(of(b).len(), 1, "{:?}", of(b));
    assert!(of(b)[0].contains(" s ahead of those"), "{:?}", of(b));
}
