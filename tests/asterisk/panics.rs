//! A panic in any callback is logged and answered with a fallback, and stops nothing else.
//! A command of the test build says where to panic.

use crate::harness::{Instance, MODULE, Phone};

const ALICE: &str = "[general]\n[alice]\ntype = user\nextension = 200\n";

fn start() -> Instance {
    Instance::selftest()
        .userpresence(ALICE)
        .hint("2000", ",UserPresence:alice")
        .start()
}

fn arm(ast: &Instance, place: &str) {
    ast.cli(&format!("userpresence selftest panic {place}"));
}

fn panicked(ast: &Instance, place: &str) {
    ast.wait_log(&format!("please report it: forced by a test in {place}"));
    assert!(ast.running());
}

#[test]
fn a_panic_in_the_provider_answers_not_set() {
    let ast = start();
    ast.set_custom("200", "dnd");
    ast.wait_hint_presence("2000", "dnd");
    arm(&ast, "provider");
    // A spelling that is not in the core's cache makes the core ask the provider.
    assert_eq!(
        ast.getvar("PRESENCE_STATE(UserPresence:ALICE,value)"),
        "not_set"
    );
    panicked(&ast, "provider");
    assert_eq!(
        ast.getvar("PRESENCE_STATE(UserPresence:ALICE,value)"),
        "dnd"
    );
}

#[test]
fn a_panic_in_a_function_command_or_action_fails_that_call_alone() {
    let ast = start();
    ast.set_custom("200", "away");
    ast.wait_hint_presence("2000", "away");
    arm(&ast, "function");
    assert_eq!(ast.getvar("USER_PRESENCE(alice)"), "");
    panicked(&ast, "function");
    assert_eq!(ast.getvar("USER_PRESENCE(alice)"), "away");

    arm(&ast, "route");
    assert_eq!(ast.getvar("USER_PRESENCE_ROUTE(alice,internal)"), "");
    panicked(&ast, "route");
    assert_eq!(
        ast.getvar("USER_PRESENCE_ROUTE(alice,internal,first)"),
        "PJSIP/200"
    );

    for (place, application) in [
        ("application", "UserPresenceDial"),
        ("pickup", "UserPresencePickup"),
    ] {
        arm(&ast, place);
        ast.run(application, "alice");
        panicked(&ast, place);
        ast.wait_no_channels();
    }
    let status = "${USERPRESENCESTATUS} ${USERPRESENCEPICKUP}";
    let again = ["UserPresenceDial(nobody)", "UserPresencePickup(alice)"];
    assert_eq!(ast.run_dialplan(&again, status), "NOUSER NOTALLOWED");

    arm(&ast, "command");
    ast.cli("userpresence show settings");
    panicked(&ast, "command");
    assert!(
        ast.cli("userpresence show settings")
            .contains("method: priority")
    );

    let get = [("Action", "UserPresenceGet"), ("User", "alice")];
    arm(&ast, "action");
    let failed = ast.ami().action(&get);
    assert_eq!((failed.ok(), failed.text()), (false, "Internal error"));
    panicked(&ast, "action");
    assert_eq!(ast.ami().action(&get).get("State"), Some("away"));
}

#[test]
fn a_panic_while_handling_or_sending_an_event_stops_no_later_one() {
    let ast = start();
    for place in ["event", "tell"] {
        arm(&ast, place);
        ast.set_custom("200", "xa");
        panicked(&ast, place);
        ast.set_custom("200", "chat");
        ast.wait_hint_presence("2000", "chat");
    }
}

#[test]
fn a_panic_of_the_persister_does_not_end_it() {
    let ast = start();
    arm(&ast, "keeper");
    ast.set_custom("200", "xa");
    panicked(&ast, "keeper");
    ast.setvar("USER_PRESENCE(alice)", "dnd");
    assert_eq!(
        ast.getvar("PRESENCE_STATE(CustomPresence:200,value)"),
        "dnd"
    );
}

#[test]
fn a_panic_in_a_request_is_an_internal_error() {
    let ast = Instance::selftest().userpresence(ALICE).http().start();
    arm(&ast, "http");
    let answer = ast.http("GET", "/userpresence/", &[], "");
    assert_eq!(answer.status, 500);
    panicked(&ast, "http");
    assert_eq!(ast.http("GET", "/userpresence/", &[], "").status, 200);
}

/// The caller is not left in silence: the dialplan continues and knows the outcome, and if
/// it ends there the caller hears busy.
#[test]
fn a_panic_in_the_application_ends_neither_the_call_nor_the_dialplan() {
    let ast = Instance::selftest()
        .userpresence(ALICE)
        .sip(&["200", "201"])
        .dialplan("exten = 1,1,UserPresenceDial(alice)")
        .start();
    let phone = Phone::ringing(&ast, "200");
    // The call's path is forgotten: another call to alice is no circle.
    let dial = || {
        let first = "Set(FIRST=${USERPRESENCESTATUS} ${DIALSTATUS})";
        let path = "${FIRST} ${USERPRESENCE_PATH}";
        ast.run_dialplan(&["UserPresenceDial(alice)", first], path)
    };
    // Before the module has read the call, and while it carries it out.
    for place in ["application", "call"] {
        arm(&ast, place);
        assert_eq!(dial(), "FAILED BUSY ");
        panicked(&ast, place);
        arm(&ast, place);
        let caller = Phone::ringing(&ast, "201");
        caller.call("1");
        assert_eq!(caller.wait_refused(), "SIP/2.0 486 Busy Here");
        ast.wait_no_channels();
        assert!(phone.invites().is_empty());
    }
    let caller = Phone::ringing(&ast, "201");
    caller.call("1");
    ast.wait_device("PJSIP/200", "RINGING");
    phone.answer();
    ast.wait_device("PJSIP/200", "INUSE");
    caller.hang_up();
    ast.wait_no_channels();
    assert!(ast.unload_module(MODULE).ok());
}

#[test]
fn a_panic_while_handling_a_mailbox_stops_no_later_one() {
    let ast = Instance::selftest()
        .userpresence(&format!("{ALICE}mailbox = 200\n"))
        .sip(&["200"])
        .start();
    let ami = ast.ami();
    ast.tell_messages("200", 0, 0);
    arm(&ast, "mailbox");
    ast.tell_messages("200", 1, 0);
    panicked(&ast, "mailbox");
    ast.tell_messages("200", 2, 0);
    let push = ami.wait_event("a push", |event| event.is_event("UserPresencePush"));
    assert_eq!(push.get("NewMessages"), Some("2"));
}
