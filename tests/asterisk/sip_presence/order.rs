//! The supplement and the modules around it, loaded in any order.

use super::{MEETING, SNOM, assert_valid, texts};
use crate::harness::barrier::configured;
use crate::harness::users::{ALICE, set};
use crate::harness::{Builder, Instance, Subscriber, wait_until};

/// What needs pubsub, and pubsub itself, in an order in which they can be loaded.
const LATER: &[&str] = &[
    "res_pjsip_pubsub",
    "res_pjsip_outbound_publish",
    "res_pjsip_exten_state",
    "chan_pjsip",
    "res_pjsip_pidf_body_generator",
    "res_pjsip_xpidf_body_generator",
    "res_pjsip_dialog_info_body_generator",
    "res_pjsip_pidf_digium_body_supplement",
    "res_pjsip_pidf_eyebeam_body_supplement",
];

fn without_pubsub() -> Builder {
    configured(&format!("{MEETING}{ALICE}"))
        .sip(&["2000"])
        .hint("2000", "Custom:desk,UserPresence:alice")
        .leave_out(LATER)
}

fn load(ast: &Instance, module: &str) {
    let loaded = ast.load_module(&format!("{module}.so"));
    assert!(loaded.ok(), "{module}: {loaded:?}");
}

/// Sets messages until one is in a completed body: other modules are looked for once a second.
#[track_caller]
fn wait_completed(ast: &Instance, phone: &Subscriber) {
    let mut number = 0;
    let body = wait_until("a completed body", || {
        number += 1;
        let message = format!("Number {number}");
        set(ast, "alice", &format!("away,,{message}"));
        let all = phone.bodies();
        all.into_iter()
            .find(|body| !texts(body, "dm:note").is_empty())
    });
    assert_valid(ast, &body);
}

#[test]
fn pubsub_is_loaded_after_the_module() {
    let ast = without_pubsub().start();
    set(&ast, "alice", "away,,Before");
    for module in LATER {
        load(&ast, module);
    }
    let phone = Subscriber::start_as(&ast, "2000", SNOM);
    wait_completed(&ast, &phone);
    // Every body is one person or none, whatever came in between.
    for body in phone.bodies() {
        assert!(body.matches("<dm:person").count() <= 1, "{body}");
    }
    assert_eq!(ast.complaints(), Vec::<String>::new());
}

/// A supplement that is loaded later comes after ours, until ours goes to the end again.
#[test]
fn another_supplement_is_loaded_later() {
    let ast = without_pubsub().start();
    for module in LATER {
        if !module.ends_with("supplement") {
            load(&ast, module);
        }
    }
    let phone = Subscriber::start_as(&ast, "2000", SNOM);
    wait_completed(&ast, &phone);
    load(&ast, "res_pjsip_pidf_eyebeam_body_supplement");
    let before = phone.bodies().len();
    let mut number = 0;
    wait_until("both in one body", || {
        number += 1;
        ast.set_device(
            "desk",
            if number % 2 == 0 {
                "INUSE"
            } else {
                "NOT_INUSE"
            },
        );
        let all = phone.bodies();
        let of_both = |body: &&String| {
            body.contains("rpid:on-the-phone") && !texts(body, "dm:note").is_empty()
        };
        all[before..]
            .iter()
            .find(of_both)
            .map(|body| assert_valid(&ast, body))
    });
    for body in phone.bodies() {
        assert!(body.matches("<dm:person").count() <= 1, "{body}");
        assert!(body.matches("xmlns:dm=").count() <= 1, "{body}");
    }
}

#[test]
fn without_pubsub_nothing_is_missing() {
    let ast = without_pubsub().start();
    set(&ast, "alice", "away");
    assert!(ast.reload().ok());
    assert!(ast.unload_module("res_userpresence.so").ok());
    assert!(ast.load_module("res_userpresence.so").ok());
    let log = ast.log();
    assert!(!log.contains("presence for every SIP phone"), "{log}");
    assert_eq!(ast.complaints(), Vec::<String>::new());
}
