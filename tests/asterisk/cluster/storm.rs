//! Ten thousand mixed changes from three nodes at once: all nodes come to the same end, and it
//! is the one that the rules give.

use std::sync::Mutex;
use std::time::Instant;

use crate::harness::cluster::Cluster;
use crate::harness::statuses::{TYPES, assert_status};
use crate::harness::users::{complaints, set};
use crate::storm::{Change, SET, USERS, by_the_rule};

/// Together 10,000.
const EACH: usize = 3334;

/// One user whose every change is known with its time.
const TIMED: &str = "[timed]\ntype = user\nmethod = none\noutgoing = none\n";

struct Set {
    begin: Instant,
    end: Instant,
    message: String,
}

#[test]
fn many_mixed_changes_from_all_nodes_end_the_same_everywhere() {
    let cluster = Cluster::of(&format!("{TYPES}{USERS}{TIMED}")).start();
    let sets: Mutex<Vec<Set>> = Mutex::default();
    let begin = Instant::now();
    std::thread::scope(|scope| {
        for (client, node) in cluster.all().iter().enumerate() {
            let (ami, sets) = (node.ami(), &sets);
            scope.spawn(move || {
                for number in 0..EACH {
                    Change::new(client, number).make(&ami);
                    if number % 20 == 0 {
                        let message = format!("{client}-{number}");
                        let begin = Instant::now();
                        set(node, "timed", &format!("away,,{message}"));
                        let end = Instant::now();
                        sets.lock().expect("no panic").push(Set {
                            begin,
                            end,
                            message,
                        });
                    }
                    ami.take_events();
                }
            });
        }
    });
    let made = begin.elapsed();
    let picture = cluster.same();
    println!(
        "{} changes in {made:?}, the same everywhere after {:?}",
        3 * EACH,
        begin.elapsed()
    );
    cluster.same_in_stock();
    for node in cluster.all() {
        for (user, _) in SET.iter().chain(&[("team", &[][..])]) {
            by_the_rule(node, user);
        }
    }
    // No other change began after the one that stays had ended.
    let sets = sets.into_inner().expect("no panic");
    let stays = picture["timed"]["message"].as_str().unwrap_or_default();
    let stays = sets
        .iter()
        .find(|it| it.message == stays)
        .expect("one of them");
    let later = sets.iter().filter(|it| it.begin > stays.end);
    let later: Vec<_> = later.map(|it| &it.message).collect();
    assert!(
        later.is_empty(),
        "{} stays in spite of {later:?}",
        stays.message
    );

    // Every extension once more, at one node after the other, so that the winner is known.
    for (number, (name, value)) in [
        ("401", "dnd,meeting,End of 401"),
        ("402", "away,lunch,End of 402"),
        ("403", "available,home,End of 403"),
        ("404", "chat,,End of 404"),
        ("405", "xa,,End of 405"),
    ]
    .into_iter()
    .enumerate()
    {
        cluster.all()[number % 3].set_custom(name, value);
        cluster.meet();
    }
    let picture = cluster.same();
    for node in cluster.all() {
        assert_status(node, "p1", ["dnd", "meeting", "End of 401", "meeting"]);
        assert_status(node, "p2", ["away", "lunch", "End of 402", "lunch"]);
        assert_status(
            node,
            "l1",
            ["available", "home", "End of 403", "home-office"],
        );
        assert_status(node, "l2", ["chat", "", "End of 404", "chat"]);
        assert_status(node, "team", ["away", "lunch", "End of 402", "lunch"]);
        assert_eq!(picture["solo"]["message"], "End of 405");
        assert_eq!(complaints(node, "userpresence"), Vec::<String>::new());
    }
}
