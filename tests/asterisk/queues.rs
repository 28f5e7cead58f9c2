//! Queues that do not ring users in dnd: members with the `state_interface`
//! `UserPresence:<user>@queue`. `stock_calls` shows a queue without the module.

use crate::harness::barrier::{configured, set_extension};
use crate::harness::users::{complaints, read, set, wait_state, wait_verdict};
use crate::harness::{Builder, Instance, MODULE, Phone, skipped_without_sip, wait_until};

const USERS: &str = "[alice]\ntype = user\nextension = 200,Custom:a\n\
                     [bob]\ntype = user\nextension = 201,Custom:b\n";

const ALICE: &str = "Local/alice@agents/n";
const BOB: &str = "Local/bob@agents/n";

/// A queue with both users, and one that watches alice's device alone.
fn queues(conf: &str, options: &str) -> Builder {
    let members = [
        format!("{ALICE},0,Alice,UserPresence:alice@queue"),
        format!("{BOB},0,Bob,UserPresence:bob@queue"),
    ];
    let stock = format!("{ALICE},0,Alice,Custom:a");
    configured(conf)
        .queue("sales", options, &members.each_ref().map(String::as_str))
        .queue("stock", options, &[&stock])
}

/// Starts with both members idle.
fn start(conf: &str, options: &str) -> Instance {
    let ast = queues(conf, options).start();
    for (device, member) in [("a", "Alice"), ("b", "Bob")] {
        ast.set_device(device, "NOT_INUSE");
        wait_member(&ast, member, NOT_IN_USE);
    }
    ast
}

/// The name of an interface, and how it sets a status.
type Way<'a> = (&'a str, &'a dyn Fn(&str));

// Asterisk's numbers of device states.
const UNKNOWN: &str = "0";
const NOT_IN_USE: &str = "1";
const IN_USE: &str = "2";
const BUSY: &str = "3";
const UNAVAILABLE: &str = "5";

#[track_caller]
fn wait_member(ast: &Instance, member: &str, status: &str) {
    ast.wait_queue_member("sales", member, "Status", status);
}

/// The members that ring for a call to the queue; one of them answers.
#[track_caller]
fn rung(ast: &Instance, queue: &str) -> Vec<String> {
    let caller = ast.call_queue(queue);
    caller.wait_joined();
    let mut rung = caller.wait_answer();
    let (member, device) = match rung.last().map(String::as_str) {
        Some(ALICE) => ("Alice", "a"),
        _ => ("Bob", "b"),
    };
    // A member that has answered rings again only after its device was in use.
    let turn = |state: &str, status: &str| {
        ast.set_device(device, state);
        ast.wait_queue_member(queue, member, "Status", status);
    };
    turn("INUSE", IN_USE);
    caller.hang_up();
    ast.wait_no_channels();
    turn("NOT_INUSE", NOT_IN_USE);
    rung.sort();
    rung
}

#[test]
fn a_member_in_dnd_does_not_ring_until_dnd_ends() {
    let ast = start(USERS, "");
    let ami = ast.ami();
    assert_eq!(rung(&ast, "sales"), [ALICE, BOB]);
    let ways: [Way; 4] = [
        ("the function", &|state| set(&ast, "alice", state)),
        ("the phone", &|state| set_extension(&ast, "200", state)),
        ("AMI", &|state| {
            let answer = ami.action(&[
                ("Action", "UserPresenceSet"),
                ("User", "alice"),
                ("Status", state),
            ]);
            assert!(answer.ok());
        }),
        ("the console", &|state| {
            ast.cli(&format!("userpresence set alice {state}"));
        }),
    ];
    for (way, set) in ways {
        set("dnd");
        wait_member(&ast, "Alice", BUSY);
        assert_eq!(rung(&ast, "sales"), [BOB], "by {way}");
        // The same user at the same moment, in a queue that watches the device only.
        assert_eq!(rung(&ast, "stock"), [ALICE], "by {way}");
        set("not_set");
        wait_member(&ast, "Alice", NOT_IN_USE);
        assert_eq!(rung(&ast, "sales"), [ALICE, BOB], "by {way}");
    }
    assert_eq!(complaints(&ast, "serpresence"), [""; 0]);
}

/// A waiting caller is connected to the member who becomes free.
#[test]
fn a_waiting_caller_is_connected_once_dnd_ends() {
    let ast = start(USERS, "");
    for user in ["alice", "bob"] {
        set(&ast, user, "dnd");
    }
    wait_member(&ast, "Alice", BUSY);
    wait_member(&ast, "Bob", BUSY);
    let caller = ast.call_queue("sales");
    caller.wait_joined();
    set(&ast, "bob", "available");
    assert_eq!(caller.wait_answer(), [BOB]);
}

#[test]
fn the_queue_table_defines_which_members_ring() {
    let ast = start(USERS, "");
    let table = "[general]\nqueue_table = mine\n\
                 [mine]\ntype = presence_table\naway = not_in_use\nchat = busy\nxa = in_use\n";
    ast.write_config("userpresence.conf", &format!("{table}{USERS}"));
    assert!(ast.reload().ok());
    for (state, status, expected) in [
        ("away", NOT_IN_USE, &[ALICE, BOB][..]),
        ("chat", BUSY, &[BOB]),
        ("available", NOT_IN_USE, &[ALICE, BOB]),
        ("xa", IN_USE, &[BOB]),
        ("dnd", BUSY, &[BOB]),
        ("unavailable", UNAVAILABLE, &[BOB]),
    ] {
        set(&ast, "alice", state);
        wait_member(&ast, "Alice", status);
        assert_eq!(rung(&ast, "sales"), expected, "{state}");
    }
    // Lamps have their own table.
    set(&ast, "alice", "away");
    ast.wait_device("UserPresence:alice@queue", "NOT_INUSE");
    assert_eq!(ast.device("UserPresence:alice"), "UNAVAILABLE");
}

/// Real calls through a real queue to real phones, in every status and with every
/// dndStatus: available members ring, and the phones of the others get no call.
#[test]
fn a_queue_rings_available_members_in_every_status() {
    if skipped_without_sip() {
        return;
    }
    let conf = "[lunch]\ntype = status\nstate = away\nsubtype = lunch\n\
                [desk]\ntype = status\nstate = available\n\
                [focus]\ntype = status\nstate =\n\
                [alice]\ntype = user\nextension = 200\n\
                [bob]\ntype = user\nextension = 201\n";
    let ast = configured(conf)
        .sip(&["200", "201"])
        .queue(
            "sales",
            "",
            &[
                "PJSIP/200,0,Alice,UserPresence:alice@queue",
                "PJSIP/201,0,Bob,UserPresence:bob@queue",
            ],
        )
        .start();
    let alice = Phone::ringing(&ast, "200");
    let _bob = Phone::answering(&ast, "201");
    let (rung, left) = (true, false);
    let mut calls = 0;
    for (status, takes, member, is_rung) in [
        ("not_set", "TakeAllCalls", NOT_IN_USE, rung),
        ("available", "TakeAllCalls", NOT_IN_USE, rung),
        ("chat", "TakeAllCalls", NOT_IN_USE, rung),
        ("away", "TakeAllCalls", UNAVAILABLE, left),
        ("xa", "TakeAllCalls", UNAVAILABLE, left),
        ("unavailable", "TakeAllCalls", UNAVAILABLE, left),
        ("dnd", "TakeAllCalls", BUSY, left),
        ("lunch", "TakeAllCalls", UNAVAILABLE, left),
        // A status that is recorded only does not change the state.
        ("focus", "TakeAllCalls", UNAVAILABLE, left),
        ("desk", "TakeAllCalls", NOT_IN_USE, rung),
        ("focus", "TakeAllCalls", NOT_IN_USE, rung),
        ("available", "DoNotAcceptDepartmentCalls", BUSY, left),
        ("away", "DoNotAcceptDepartmentCalls", BUSY, left),
        ("available", "DoNotAcceptAnyCalls", BUSY, left),
        ("available", "TakeAllCalls", NOT_IN_USE, rung),
    ] {
        set(&ast, "alice", status);
        ast.setvar("USER_PRESENCE(alice,dndStatus)", takes);
        wait_member(&ast, "Alice", member);
        wait_member(&ast, "Bob", NOT_IN_USE);
        let caller = ast.call_queue("sales");
        let mut called = caller.wait_answer();
        // Both ring at the same moment, and only one of them answers.
        assert_eq!(called.pop().as_deref(), Some("PJSIP/201"), "{status}");
        let expected: &[&str] = if is_rung { &["PJSIP/200"] } else { &[] };
        assert_eq!(called, expected, "{status} {takes}");
        // app_queue may never notice the end of a call that ends while it begins.
        ast.wait_device("PJSIP/201", "INUSE");
        ast.wait_queue_member("sales", "Bob", "InCall", "1");
        caller.hang_up();
        ast.wait_no_channels();
        ast.wait_queue_member("sales", "Bob", "InCall", "0");
        calls += usize::from(is_rung);
        assert_eq!(alice.invites().len(), calls, "{status} {takes}");
    }
}

/// The calls that a user takes are set apart from the presence.
#[test]
fn a_member_who_takes_no_department_calls_does_not_ring() {
    let ast = start(USERS, "");
    let ami = ast.ami();
    let ways: [Way; 3] = [
        ("the function", &|value| {
            ast.setvar("USER_PRESENCE(alice,dndStatus)", value);
        }),
        ("AMI", &|value| {
            let answer = ami.action(&[
                ("Action", "UserPresenceSet"),
                ("User", "alice"),
                ("DndStatus", value),
            ]);
            assert!(answer.ok(), "{answer:?}");
        }),
        ("the console", &|value| {
            let said = ast.cli(&format!("userpresence dndstatus alice {value}"));
            assert!(said.contains(value), "{said}");
        }),
    ];
    for (way, takes) in ways {
        for (value, lamp) in [
            ("DoNotAcceptDepartmentCalls", "NOT_INUSE"),
            ("DoNotAcceptAnyCalls", "BUSY"),
        ] {
            takes(value);
            wait_member(&ast, "Alice", BUSY);
            ast.wait_device("UserPresence:alice", lamp);
            assert_eq!(read(&ast, "alice,dndStatus"), value);
            assert_eq!(rung(&ast, "sales"), [BOB], "{value} by {way}");
            // dndStatus is no status.
            assert_eq!(read(&ast, "alice"), "not_set");
        }
        takes("TakeAllCalls");
        wait_member(&ast, "Alice", NOT_IN_USE);
        assert_eq!(rung(&ast, "sales"), [ALICE, BOB], "by {way}");
    }
    // A status does not change it.
    ast.setvar(
        "USER_PRESENCE(alice,dndStatus)",
        "donotacceptdepartmentcalls",
    );
    set(&ast, "alice", "available");
    assert_eq!(read(&ast, "alice,dndStatus"), "DoNotAcceptDepartmentCalls");
    wait_member(&ast, "Alice", BUSY);

    // It survives reloads, unloads and restarts.
    assert!(ast.reload().ok());
    wait_member(&ast, "Alice", BUSY);
    assert!(ast.unload_module(MODULE).ok());
    wait_member(&ast, "Alice", UNKNOWN);
    assert!(ast.load_module(MODULE).ok());
    wait_member(&ast, "Alice", BUSY);
    for graceful in [false, true] {
        ast.restart(graceful);
        wait_member(&ast, "Alice", BUSY);
        wait_member(&ast, "Bob", NOT_IN_USE);
        assert_eq!(rung(&ast, "sales"), [BOB]);
    }
}

#[test]
fn bad_values_of_dnd_status_are_refused() {
    let ast = start(USERS, "");
    let expected = "expected TakeAllCalls, DoNotAcceptAnyCalls or DoNotAcceptDepartmentCalls";
    for value in ["", "none", "TakeAllCalls,more", "dnd"] {
        let log = ast.log().len();
        let _ = ast.try_setvar("USER_PRESENCE(alice,dndStatus)", value);
        let line = ast.wait_log_from(log, expected);
        assert!(
            line.contains("WARNING[") || line.contains("ERROR["),
            "{line}"
        );
    }
    let said = ast.cli("userpresence dndstatus alice none");
    assert!(said.contains(expected), "{said}");
    let said = ast.cli("userpresence dndstatus nobody TakeAllCalls");
    assert!(said.contains("here is no user 'nobody'"), "{said}");
    let answer = ast.ami().action(&[
        ("Action", "UserPresenceSet"),
        ("User", "alice"),
        ("DndStatus", "none"),
    ]);
    assert!(
        !answer.ok() && answer.text().contains(expected),
        "{answer:?}"
    );
    assert_eq!(read(&ast, "alice,dndStatus"), "TakeAllCalls");
}

#[test]
fn a_member_in_a_call_or_unreachable_does_not_ring() {
    let ast = start(USERS, "");
    for (device, presence, status) in [
        ("INUSE", "available", IN_USE),
        ("INUSE", "away", UNAVAILABLE),
        ("ONHOLD", "xa", UNAVAILABLE),
        ("UNAVAILABLE", "available", UNAVAILABLE),
        ("UNAVAILABLE", "not_set", UNAVAILABLE),
    ] {
        ast.set_device("a", device);
        set(&ast, "alice", presence);
        wait_member(&ast, "Alice", status);
        assert_eq!(rung(&ast, "sales"), [BOB], "{device} {presence}");
    }
}

/// With `ringinuse = yes` Asterisk ignores the state of a member: only a pause keeps a
/// member from ringing.
#[test]
fn a_queue_with_ringinuse_rings_every_member() {
    let ast = start(USERS, "ringinuse = yes");
    for (state, status) in [("dnd", BUSY), ("away", UNAVAILABLE)] {
        set(&ast, "bob", state);
        wait_member(&ast, "Bob", status);
        let caller = ast.call_queue("sales");
        let mut rung = vec![caller.wait_rung(), caller.wait_rung()];
        rung.sort();
        assert_eq!(rung, [ALICE, BOB]);
        caller.hang_up();
        ast.wait_no_channels();
    }
}

#[test]
fn an_unload_leaves_no_member_busy() {
    let ast = start(USERS, "");
    set(&ast, "alice", "dnd");
    wait_member(&ast, "Alice", BUSY);
    for _ in 0..3 {
        assert!(ast.unload_module(MODULE).ok());
        wait_member(&ast, "Alice", UNKNOWN);
        wait_member(&ast, "Bob", UNKNOWN);
        assert!(ast.load_module(MODULE).ok());
        wait_member(&ast, "Alice", BUSY);
        wait_member(&ast, "Bob", NOT_IN_USE);
        assert_eq!(rung(&ast, "sales"), [BOB]);
    }
    // A reload that removes the user leaves none busy either.
    let (_, bob) = USERS.split_at(USERS.find("[bob]").unwrap_or_default());
    ast.write_config("userpresence.conf", &format!("[general]\n{bob}"));
    assert!(ast.reload().ok());
    wait_until("alice not busy", || {
        let member = ast.queue_member("sales", "Alice");
        (member.get("Status") != Some(BUSY)).then_some(())
    });
    ast.write_config("userpresence.conf", &format!("[general]\n{USERS}"));
    assert!(ast.reload().ok());
    // Her extension still has that presence.
    wait_member(&ast, "Alice", BUSY);
    set(&ast, "alice", "not_set");
    wait_member(&ast, "Alice", NOT_IN_USE);
}

/// Real phones, whose calls make their users busy in the queue.
#[test]
fn a_queue_sees_calls_ringing_and_presence_of_a_real_phone() {
    if skipped_without_sip() {
        return;
    }
    let conf = "[alice]\ntype = user\nextension = 200\nuse_devices = yes\nextension = 201\n";
    let ast = configured(conf)
        .sip(&["200", "201", "202"])
        .dialplan("exten = _20X,1,Dial(PJSIP/${EXTEN})")
        .queue("sales", "", &["PJSIP/200,0,Alice,UserPresence:ALICE@Queue"])
        .start();
    wait_member(&ast, "Alice", UNAVAILABLE);
    let phone = Phone::ringing(&ast, "200");
    let other = Phone::ringing(&ast, "201");
    let caller = Phone::ringing(&ast, "202");
    wait_member(&ast, "Alice", NOT_IN_USE);
    // A call on the other phone belongs to the same user.
    caller.call("201");
    other.answer();
    wait_verdict(&ast, "alice", "dnd PJSIP/201 highest");
    wait_member(&ast, "Alice", IN_USE);
    let waiting = ast.call_queue("sales");
    waiting.wait_joined();
    caller.hang_up();
    wait_member(&ast, "Alice", "6");
    assert_eq!(waiting.wait_rung(), "PJSIP/200");
    phone.answer();
    assert_eq!(waiting.wait_answer(), ["PJSIP/200"]);
    wait_member(&ast, "Alice", IN_USE);
    waiting.hang_up();
    wait_state(&ast, "alice", "available");
    wait_member(&ast, "Alice", NOT_IN_USE);
}
