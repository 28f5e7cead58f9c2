//! Many readers of the account's events, and many changes.

use crate::harness::api::{api_user, login};
use crate::harness::readers::{Readers, SETTER};
use crate::harness::{Instance, wait_until};

/// The number of users; none has a source.
const USERS: usize = 50;

fn crowd(readers: usize) -> Instance {
    let users = (0..USERS).map(|user| format!("[u{user}]\ntype = user\nmethod = none\n"));
    let users: String = users.collect();
    let panel = api_user("panel", "role = read");
    let general = format!(
        "[general]\nhttp_readers = {readers}\nhttp_readers_each = {readers}\nhttp_rate = 1000\n"
    );
    Instance::builder()
        .userpresence(&format!("{general}{users}{panel}"))
        .http()
        .http_sessions(readers + 20)
        .ami_user(SETTER, "", "call")
        .start()
}

/// The benchmark measures the delays; this test checks that events are complete and in order.
#[test]
fn two_hundred_readers_get_every_event_in_order() {
    let ast = crowd(200);
    let mut readers = Readers::open(&ast, 200, &login("panel"));
    let (changes, rate) = (1000, 200);
    let seen = readers.follow(&ast, USERS, changes, rate);
    assert_eq!(seen.complete, 200, "{seen:?}");
    assert_eq!(seen.disordered, 0, "{seen:?}");
}

#[test]
fn a_reader_that_stops_reading_is_dropped_and_delays_no_other() {
    let ast = crowd(20);
    let mut readers = Readers::open(&ast, 10, &login("panel"));
    let descriptors = || {
        let open = std::fs::read_dir(format!("/proc/{}/fd", ast.pid()));
        open.expect("the descriptors").count()
    };
    let before = descriptors();
    let stuck = Readers::open(&ast, 1, &login("panel"));
    wait_until("the stuck reader", || {
        (descriptors() > before).then_some(())
    });
    // Far more than all buffers on the way hold.
    let seen = readers.follow(&ast, USERS, 20_000, 0);
    assert_eq!((seen.complete, seen.disordered), (10, 0), "{seen:?}");
    // Its connection is closed although the reader has not read to the end.
    wait_until("the stuck reader's end", || {
        (descriptors() <= before).then_some(())
    });
    drop(stuck);
    assert!(ast.running());
}
