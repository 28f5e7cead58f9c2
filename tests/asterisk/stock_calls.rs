//! Stock Asterisk: the states of devices, lamps and queues during calls that the module
//! builds on, and one defect that it removes.

use crate::harness::{Builder, Instance, Phone, Subscriber};

/// Phones that call each other by their numbers.
fn phones() -> Builder {
    Instance::stock()
        .sip(&["200", "201"])
        .hint("200", "PJSIP/200")
        .dialplan("exten = _20X,1,Dial(PJSIP/${EXTEN})")
}

#[test]
fn a_phone_is_available_while_it_is_registered() {
    let ast = phones().start();
    assert_eq!(ast.device("PJSIP/200"), "UNAVAILABLE");
    let phone = Phone::ringing(&ast, "200");
    assert_eq!(ast.device("PJSIP/200"), "NOT_INUSE");
    phone.unregister();
    ast.wait_device("PJSIP/200", "UNAVAILABLE");
    phone.register();
    assert_eq!(ast.device("PJSIP/200"), "NOT_INUSE");
}

/// The states of both devices and of one lamp during a whole call.
#[test]
fn devices_and_a_lamp_follow_a_call() {
    let ast = phones().start();
    let lamp = Subscriber::lamp(&ast, "200");
    lamp.wait_lamp("terminated");
    let called = Phone::ringing(&ast, "200");
    let caller = Phone::ringing(&ast, "201");

    caller.call("200");
    ast.wait_device("PJSIP/200", "RINGING");
    lamp.wait_lamp("early");
    called.answer();
    ast.wait_device("PJSIP/200", "INUSE");
    lamp.wait_lamp("confirmed");
    ast.wait_device("PJSIP/201", "INUSE");

    // The phone that hears the music is on hold, not the one that pressed the key.
    for (holds, held) in [(&called, &caller), (&caller, &called)] {
        holds.hold();
        ast.wait_device(&held.device(), "ONHOLD");
        assert_eq!(ast.device(&holds.device()), "INUSE");
        holds.resume();
        ast.wait_device(&held.device(), "INUSE");
    }
    caller.hang_up();
    ast.wait_device("PJSIP/200", "NOT_INUSE");
    ast.wait_device("PJSIP/201", "NOT_INUSE");
    lamp.wait_lamp("terminated");
    ast.wait_no_channels();
    assert_eq!(ast.complaints(), Vec::<String>::new());
}

#[test]
fn a_call_ends_from_either_side_before_and_after_its_answer() {
    let ast = phones().start();
    let called = Phone::ringing(&ast, "200");
    let caller = Phone::ringing(&ast, "201");

    for phone in [&called, &caller] {
        caller.call("200");
        ast.wait_device("PJSIP/200", "RINGING");
        phone.hang_up();
        ast.wait_no_channels();

        caller.call("200");
        called.answer();
        ast.wait_device("PJSIP/200", "INUSE");
        ast.wait_device("PJSIP/201", "INUSE");
        phone.hang_up();
        ast.wait_no_channels();
    }
    ast.wait_device("PJSIP/200", "NOT_INUSE");
}

#[test]
fn a_phone_answers_or_refuses_by_itself() {
    let ast = phones().start();
    let answers = Phone::answering(&ast, "200");
    let call = ast.originate("PJSIP/200", "Wait", "600");
    ast.wait_device(&answers.device(), "INUSE");
    ast.hang_up(&call);
    ast.wait_no_channels();

    let _busy = Phone::busy(&ast, "201");
    let ended = ast.run_dialplan(&["Dial(PJSIP/201)"], "${DIALSTATUS}");
    assert_eq!(ended, "BUSY");
}

#[test]
fn a_conference_room_is_in_use_while_somebody_is_in_it() {
    let ast = Instance::stock().conferences().start();
    assert_eq!(ast.device("confbridge:100"), "INVALID");
    let somebody = ast.run("ConfBridge", "100");
    ast.wait_device("confbridge:100", "INUSE");
    ast.hang_up(&somebody);
    ast.wait_device("confbridge:100", "NOT_INUSE");
}

#[test]
fn a_parking_space_is_in_use_while_a_call_is_parked() {
    let ast = Instance::stock().parking().start();
    assert_eq!(ast.device("park:701@parkedcalls"), "NOT_INUSE");
    ast.run("Park", "");
    ast.wait_device("park:701@parkedcalls", "INUSE");
    ast.run("ParkedCall", "default,701");
    ast.wait_device("park:701@parkedcalls", "NOT_INUSE");
    ast.hang_up_all();
}

#[test]
fn a_calendar_is_busy_during_an_event() {
    let ast = Instance::stock().calendar("alice").start();
    assert_eq!(ast.device("Calendar:alice"), "NOT_INUSE");
    ast.set_calendar("alice", -3600, 3600);
    ast.wait_device("Calendar:alice", "BUSY");
}

#[test]
fn a_calendar_follows_the_clock() {
    let ast = Instance::stock().calendar("alice").start();
    let ami = ast.ami();
    ast.set_calendar("alice", 1, 2);
    for state in ["BUSY", "NOT_INUSE"] {
        ami.wait_event(state, |event| {
            event.get("Device") == Some("Calendar:alice") && event.get("State") == Some(state)
        });
    }
}

/// A queue watches devices only: it rings a member in dnd, whether the member is the phone,
/// has the phone as its state interface, or a hint with the presence.
#[test]
fn a_queue_rings_a_member_whose_presence_is_dnd() {
    let ast = phones()
        .hint("2000", "PJSIP/200,CustomPresence:200")
        .queue("phone", "", &["PJSIP/200"])
        .queue("device", "", &["Local/one@agents/n,0,One,PJSIP/200"])
        .queue("hint", "", &["Local/two@agents/n,0,Two,hint:2000@default"])
        .start();
    let _phone = Phone::answering(&ast, "200");
    ast.set_custom("200", "dnd");
    ast.wait_hint_presence("2000", "dnd");
    for (queue, member) in [
        ("phone", "PJSIP/200"),
        ("device", "Local/one@agents/n"),
        ("hint", "Local/two@agents/n"),
    ] {
        // Asterisk's number of NOT_INUSE.
        ast.wait_queue_member(queue, member, "Status", "1");
        let caller = ast.call_queue(queue);
        caller.wait_joined();
        assert_eq!(caller.wait_answer(), [member]);
        caller.hang_up();
        ast.wait_no_channels();
    }
}

/// The opposite: a member whose device is in use does not ring.
#[test]
fn a_queue_leaves_out_a_member_whose_device_is_in_use() {
    let members = [
        "Local/one@agents/n,0,One,Custom:one",
        "Local/two@agents/n,0,Two,Custom:two",
    ];
    let ast = Instance::stock().queue("sales", "", &members).start();
    ast.set_device("one", "INUSE");
    ast.set_device("two", "NOT_INUSE");
    ast.wait_queue_member("sales", "One", "Status", "2");
    ast.wait_queue_member("sales", "Two", "Status", "1");
    let caller = ast.call_queue("sales");
    assert_eq!(caller.wait_answer(), ["Local/two@agents/n"]);
}
