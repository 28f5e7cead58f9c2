//! `UserPresencePickup()`: taking over a call on hold, with real calls.

use crate::harness::barrier::configured;
use crate::harness::{Ami, Builder, Instance, MODULE, Phone, wait_until};

/// Alice holds a call, Carol and Dave monitor her, Bob does not. The endpoints `trunk` and
/// `line` belong to no user.
const USERS: &str = "[alice]\ntype = user\nextension = 200\n\
    [carol]\ntype = user\nextension = 201\nmonitor = alice\n\
    [dave]\ntype = user\nextension = 203\nmonitor = alice\n\
    [bob]\ntype = user\nextension = 202\n";

const DIALPLAN: &str = "\
exten = 200,1,UserPresenceDial(alice)
exten = 300,1,Dial(PJSIP/300)
exten = 8,1,UserPresencePickup(alice)
 same = n,UserEvent(Ended,Caller:${CALLERID(num)},Status:${USERPRESENCEPICKUP},\
Reason:${USERPRESENCEPICKUP_REASON})
exten = h,1,UserEvent(Over,Caller:${CALLERID(num)},Status:${USERPRESENCEPICKUP})
";

fn calls() -> Builder {
    calls_of(USERS)
}

fn calls_of(users: &str) -> Builder {
    configured(users)
        .sip(&[
            "200", "201", "202", "203", "204", "205", "300", "trunk", "line",
        ])
        .modules(&["func_callerid", "res_pjsip_caller_id"])
        .dialplan(DIALPLAN)
}

fn picks_up(ast: &Instance, user: &str, on: &str) {
    ast.setvar(&format!("USER_PRESENCE({user},pickUpCallsOnHold)"), on);
}

/// Makes a call to Alice, who answers it and puts it on hold.
#[track_caller]
fn hold(ast: &Instance, caller: &Phone<'_>, alice: &Phone<'_>) {
    caller.call("200");
    ast.wait_device(&alice.device(), "RINGING");
    answer_and_hold(ast, caller, alice);
}

#[track_caller]
fn answer_and_hold(ast: &Instance, caller: &Phone<'_>, alice: &Phone<'_>) {
    alice.answer();
    wait_talk(ast, &caller.device(), &alice.device());
    alice.hold();
    ast.wait_device(&caller.device(), "ONHOLD");
}

/// The channels of a device.
fn channels(ast: &Instance, device: &str) -> Vec<crate::harness::Channel> {
    let mut all = ast.channels();
    all.retain(|it| it.name.starts_with(&format!("{device}-")));
    all
}

/// Waits until a channel of each device is in the same bridge.
#[track_caller]
fn wait_talk(ast: &Instance, one: &str, other: &str) {
    wait_until(&format!("{one} and {other} in one bridge"), || {
        let [one, other] = [one, other].map(|device| channels(ast, device));
        let bridged = one.iter().filter(|it| !it.bridge.is_empty());
        let mut bridges = bridged.map(|it| &it.bridge);
        bridges
            .any(|bridge| other.iter().any(|it| it.bridge == *bridge))
            .then_some(())
    });
}

/// Waits until this caller's dialplan continues after the application.
#[track_caller]
fn wait_refused(ami: &Ami, caller: &str) -> [String; 2] {
    let event = ami.wait_event("the end", |event| {
        event.get("UserEvent") == Some("Ended") && event.get("Caller") == Some(caller)
    });
    ["Status", "Reason"].map(|name| event.get(name).unwrap_or_default().to_owned())
}

/// A variable of the only channel of this device.
#[track_caller]
fn variable(ast: &Instance, device: &str, name: &str) -> String {
    let channel = channels(ast, device).pop().expect("a call of that device");
    let asked = [
        ("Action", "Getvar"),
        ("Channel", &channel.name),
        ("Variable", name),
    ];
    let answer = ast.ami().action(&asked);
    answer.get("Value").unwrap_or_default().to_owned()
}

#[test]
fn a_monitor_takes_over_the_call_that_the_user_holds() {
    let ast = calls().start();
    let alice = Phone::ringing(&ast, "200");
    let carol = Phone::ringing(&ast, "201");
    let caller = Phone::ringing(&ast, "trunk");
    picks_up(&ast, "carol", "true");
    hold(&ast, &caller, &alice);
    let ami = ast.ami();
    carol.call("8");
    wait_talk(&ast, "PJSIP/trunk", "PJSIP/201");
    // The caller's music stops, and Alice's phone gets a BYE.
    ast.wait_device("PJSIP/trunk", "INUSE");
    alice.wait_ended(1);
    ast.wait_device("PJSIP/200", "NOT_INUSE");
    assert_eq!(ast.channels().len(), 2);
    // Each phone shows the other party.
    for (device, other) in [("PJSIP/trunk", "201"), ("PJSIP/201", "trunk")] {
        wait_until(&format!("{device} connected to {other}"), || {
            (variable(&ast, device, "CONNECTEDLINE(num)") == other).then_some(())
        });
    }
    assert_eq!(variable(&ast, "PJSIP/201", "USERPRESENCEPICKUP"), "SUCCESS");
    carol.hang_up();
    ast.wait_no_channels();
    let over = ami.wait_event("the end", |event| {
        event.get("UserEvent") == Some("Over") && event.get("Caller") == Some("201")
    });
    assert_eq!(over.get("Status"), Some("SUCCESS"));
    assert_eq!(ast.complaints(), Vec::<String>::new());
    assert!(ast.unload_module(MODULE).ok());
}

/// The same for a call that the user made, with phones that are endpoints.
#[test]
fn a_call_made_by_the_user_is_taken_over_too() {
    let soft = "extension = 200\nendpoint = soft,PJSIP/204\n";
    let web = "extension = 201\nendpoint = web,PJSIP/205\n";
    let users = USERS.replace("extension = 200\n", soft);
    let ast = calls_of(&users.replace("extension = 201\n", web)).start();
    let alice = Phone::ringing(&ast, "204");
    let carol = Phone::ringing(&ast, "205");
    let called = Phone::answering(&ast, "300");
    picks_up(&ast, "carol", "true");
    alice.call("300");
    wait_talk(&ast, "PJSIP/204", "PJSIP/300");
    alice.hold();
    ast.wait_device("PJSIP/300", "ONHOLD");
    carol.call("8");
    wait_talk(&ast, "PJSIP/300", "PJSIP/205");
    ast.wait_device("PJSIP/300", "INUSE");
    ast.wait_device("PJSIP/204", "NOT_INUSE");
    assert_eq!(ast.channels().len(), 2);
    // Carol's own calls on hold stay hers.
    carol.hold();
    ast.wait_device("PJSIP/300", "ONHOLD");
    carol.resume();
    ast.wait_device("PJSIP/300", "INUSE");
    called.hang_up();
    ast.wait_no_channels();
    assert_eq!(ast.complaints(), Vec::<String>::new());
}

#[test]
fn other_users_are_refused_with_the_reason() {
    let ast = calls().start();
    let alice = Phone::ringing(&ast, "200");
    let caller = Phone::ringing(&ast, "trunk");
    let pickers = ["201", "202", "line", "200"].map(|phone| Phone::ringing(&ast, phone));
    picks_up(&ast, "bob", "true");
    hold(&ast, &caller, &alice);
    let ami = ast.ami();
    for (picker, reason, line) in [
        (
            &pickers[0],
            "FLAGOFF",
            "pickUpCallsOnHold of 'carol' is off",
        ),
        (&pickers[1], "NOTMONITORING", "'bob' does not monitor"),
        (&pickers[2], "UNKNOWN", "the caller is not a user"),
        (&pickers[3], "NOTMONITORING", "'alice' does not monitor"),
    ] {
        picker.call("8");
        let device = picker.device();
        let number = device.trim_start_matches("PJSIP/");
        assert_eq!(wait_refused(&ami, number), ["NOTALLOWED", reason]);
        ast.wait_log(&format!(
            "a call held by 'alice' may not be picked up: {line}"
        ));
    }
    let status = "${USERPRESENCEPICKUP} ${USERPRESENCEPICKUP_REASON}";
    let told = |lines: &[&str]| ast.run_dialplan(lines, status);
    // A Local channel counts as the user of its caller id, or the one that the dialplan names.
    let number = "Set(CALLERID(num)=201)";
    let pickup = "UserPresencePickup(alice)";
    assert_eq!(told(&[pickup]), "NOTALLOWED UNKNOWN");
    assert_eq!(told(&[number, pickup]), "NOTALLOWED FLAGOFF");
    let bob = "UserPresencePickup(alice,u(bob))";
    assert_eq!(told(&[number, bob]), "NOTALLOWED NOTMONITORING");
    let nobody = "UserPresencePickup(alice,u(nobody))";
    assert_eq!(told(&[number, nobody]), "NOTALLOWED UNKNOWN");
    assert_eq!(ast.device("PJSIP/trunk"), "ONHOLD");
    assert_eq!(ast.complaints(), Vec::<String>::new());

    assert_eq!(told(&["UserPresencePickup(nobody)"]), "NOUSER ");
    ast.wait_log("UserPresencePickup(nobody): there is no user 'nobody'");
    assert_eq!(told(&["UserPresencePickup()"]), "NOUSER ");
    assert_eq!(told(&["UserPresencePickup(alice,x)"]), "NOTALLOWED UNKNOWN");
    ast.wait_log("unknown options 'x' are ignored, expected u(user)");
    // The phone never took part.
    wait_talk(&ast, "PJSIP/trunk", "PJSIP/200");
    ast.hang_up_all();
}

#[test]
fn a_call_that_the_user_does_not_hold_is_not_taken_over() {
    let ast = calls().start();
    let alice = Phone::ringing(&ast, "200");
    let caller = Phone::ringing(&ast, "trunk");
    picks_up(&ast, "carol", "true");
    let expect_nothing = |when: &str| {
        let pickup = ["UserPresencePickup(alice,u(carol))"];
        let told = ast.run_dialplan(&pickup, "${USERPRESENCEPICKUP}");
        assert_eq!(told, "NOTHING", "{when}");
    };
    expect_nothing("no call");
    caller.call("200");
    ast.wait_device("PJSIP/200", "RINGING");
    expect_nothing("it rings");
    alice.answer();
    wait_talk(&ast, "PJSIP/trunk", "PJSIP/200");
    expect_nothing("they talk");
    alice.hold();
    ast.wait_device("PJSIP/trunk", "ONHOLD");
    alice.resume();
    ast.wait_device("PJSIP/trunk", "INUSE");
    expect_nothing("resumed");
    // Here Alice hears the music.
    caller.hold();
    ast.wait_device("PJSIP/200", "ONHOLD");
    expect_nothing("held by the other side");
    wait_talk(&ast, "PJSIP/trunk", "PJSIP/200");
    caller.hang_up();
    ast.wait_no_channels();
    expect_nothing("it is over");
    assert_eq!(ast.complaints(), Vec::<String>::new());
}

#[test]
fn the_newest_of_several_calls_is_taken_over_first() {
    let ast = calls().start();
    let alice = Phone::ringing(&ast, "200");
    let pickers = ["201", "203"].map(|phone| Phone::ringing(&ast, phone));
    let callers = ["trunk", "line"].map(|phone| Phone::ringing(&ast, phone));
    picks_up(&ast, "carol", "true");
    picks_up(&ast, "dave", "true");
    hold(&ast, &callers[0], &alice);
    callers[1].call("200");
    wait_until("a second call that rings", || {
        let all = channels(&ast, "PJSIP/200");
        all.iter().any(|it| it.state == "Ringing").then_some(())
    });
    answer_and_hold(&ast, &callers[1], &alice);
    pickers[0].call("8");
    wait_talk(&ast, "PJSIP/line", "PJSIP/201");
    ast.wait_device("PJSIP/line", "INUSE");
    // The other call stays on hold.
    assert_eq!(ast.device("PJSIP/trunk"), "ONHOLD");
    wait_talk(&ast, "PJSIP/trunk", "PJSIP/200");
    pickers[1].call("8");
    wait_talk(&ast, "PJSIP/trunk", "PJSIP/203");
    alice.wait_ended(2);
    callers[0].hang_up();
    pickers[0].hang_up();
    ast.wait_no_channels();
    assert_eq!(ast.complaints(), Vec::<String>::new());
}

/// The number of channels that still have a reference.
fn topics(ast: &Instance) -> usize {
    let topics = ast.cli("stasis show topics");
    let topics = topics.lines().filter(|it| it.starts_with("channel:"));
    topics.filter(|it| !it.starts_with("channel:all")).count()
}

/// If two users pick up the same call, one gets it and the other does not join it.
#[test]
fn a_call_is_taken_over_once_and_leaves_nothing_behind() {
    let ast = calls().start();
    let alice = Phone::ringing(&ast, "200");
    let caller = Phone::ringing(&ast, "trunk");
    let pickers = ["201", "203"].map(|phone| Phone::ringing(&ast, phone));
    for user in ["carol", "dave"] {
        picks_up(&ast, user, "true");
    }
    for round in 1..=8 {
        hold(&ast, &caller, &alice);
        let ami = ast.ami();
        for picker in &pickers {
            picker.call("8");
        }
        let late = ami.wait_event("one who comes too late", |event| {
            event.get("UserEvent") == Some("Ended")
        });
        assert_eq!(late.get("Status"), Some("NOTHING"));
        let other = match late.get("Caller") {
            Some("201") => "PJSIP/203",
            _ => "PJSIP/201",
        };
        wait_talk(&ast, "PJSIP/trunk", other);
        alice.wait_ended(round);
        wait_until("two channels", || (ast.channels().len() == 2).then_some(()));
        assert!(topics(&ast) >= 2);
        caller.hang_up();
        ast.wait_no_channels();
    }
    assert_eq!(ast.complaints(), Vec::<String>::new());
    // A channel's topic ends with the last reference to the channel.
    wait_until("no topic of a channel", || {
        (topics(&ast) == 0).then_some(())
    });
    // The unload succeeds only if no channel is in the module.
    assert!(ast.unload_module(MODULE).ok());
    let count = ast.cli("core show channels count");
    assert!(count.contains("0 active channels"), "{count}");
}

/// A queue's caller, connected to the user's phone or to a Local channel that calls the
/// user.
#[test]
fn a_caller_of_a_queue_is_taken_over() {
    let dialplan = "\
exten = _60X,1,Answer()
 same = n,Queue(q${EXTEN})
";
    let ast = calls()
        .queue("q600", "", &["PJSIP/200"])
        .queue("q601", "", &["Local/200@default/n"])
        .dialplan(dialplan)
        .start();
    let alice = Phone::ringing(&ast, "200");
    let carol = Phone::ringing(&ast, "201");
    let caller = Phone::ringing(&ast, "trunk");
    picks_up(&ast, "carol", "true");
    for (queue, between) in [("600", 0), ("601", 2)] {
        caller.call(queue);
        ast.wait_device("PJSIP/200", "RINGING");
        alice.answer();
        ast.wait_device("PJSIP/200", "INUSE");
        wait_until("all in bridges", || {
            let all = ast.channels();
            let bridged = all.iter().filter(|it| !it.bridge.is_empty());
            (bridged.count() == 2 + between).then_some(())
        });
        // A Local channel plays the music, and the caller's own channel is not on hold.
        let from = ast.log().len();
        alice.hold();
        ast.wait_log_from(from, "Music class default requested");
        carol.call("8");
        ast.wait_device("PJSIP/trunk", "INUSE");
        ast.wait_device("PJSIP/200", "NOT_INUSE");
        wait_until("all in bridges", || {
            let all = ast.channels();
            let bridged = all.iter().filter(|it| !it.bridge.is_empty());
            (all.len() == 2 + between && bridged.count() == all.len()).then_some(())
        });
        carol.hang_up();
        ast.wait_no_channels();
    }
    assert_eq!(ast.complaints(), Vec::<String>::new());
}

/// A picked-up call is an ordinary call: the other party may transfer it.
#[test]
fn a_picked_up_call_can_be_transferred() {
    let ast = calls().start();
    let alice = Phone::ringing(&ast, "200");
    let carol = Phone::ringing(&ast, "201");
    let caller = Phone::ringing(&ast, "trunk");
    let _other = Phone::answering(&ast, "300");
    picks_up(&ast, "carol", "true");
    hold(&ast, &caller, &alice);
    carol.call("8");
    wait_talk(&ast, "PJSIP/trunk", "PJSIP/201");
    let channel = channels(&ast, "PJSIP/trunk").pop().expect("the caller");
    let answer = ast.ami().action(&[
        ("Action", "BlindTransfer"),
        ("Channel", &channel.name),
        ("Context", "default"),
        ("Exten", "300"),
    ]);
    assert!(answer.ok(), "{answer:?}");
    wait_talk(&ast, "PJSIP/201", "PJSIP/300");
    ast.wait_device("PJSIP/trunk", "NOT_INUSE");
    carol.hang_up();
    ast.wait_no_channels();
    assert_eq!(ast.complaints(), Vec::<String>::new());
}
