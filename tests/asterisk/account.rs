//! What a person does, as the account sees it, and the account presence event.

use serde_json::{Value, json};

use crate::harness::barrier::{all_events, configured, set_extension};
use crate::harness::users::{read, set};
use crate::harness::{Ami, Instance, MODULE, Phone, wait_until};

/// Waits until these fields of a user have these values.
#[track_caller]
fn wait_fields(ast: &Instance, user: &str, fields: &[(&str, &str)]) {
    wait_until(&format!("{user} to be {fields:?}"), || {
        let is = |(field, value): &(&str, &str)| read(ast, &format!("{user},{field}")) == *value;
        fields.iter().all(is).then_some(())
    });
}

/// The account's events that this client has received so far.
#[track_caller]
fn events(ast: &Instance, ami: &Ami, account: &str) -> Vec<Value> {
    let all = all_events(ast, ami);
    let of_it = all.iter().filter(|event| {
        event.is_event("UserPresenceAccountEvent") && event.get("Account") == Some(account)
    });
    let parsed = of_it.map(|event| {
        let json = event.get("Json").expect("the header Json");
        let parsed: Value = serde_json::from_str(json).expect("JSON");
        let number = event.get("Sequence").expect("the number");
        assert_eq!(parsed["body"]["sequence"].to_string(), number);
        parsed
    });
    parsed.collect()
}

const FOUR: [&str; 4] = [
    "telephonyStatus",
    "meetingStatus",
    "presenceStatus",
    "userStatus",
];

fn four(ast: &Instance, user: &str) -> [String; 4] {
    FOUR.map(|field| read(ast, &format!("{user},{field}")))
}

#[test]
fn a_call_shows_from_ringing_to_hangup() {
    let ast = configured("[alice]\ntype = user\nid = 4711\nextension = 200\n")
        .phones()
        .start();
    assert_eq!(
        four(&ast, "alice"),
        ["NoCall", "Disconnected", "Offline", "Offline"]
    );
    let ami = ast.ami();
    let phone = Phone::ringing(&ast, "200");
    wait_fields(&ast, "alice", &[("presenceStatus", "Available")]);
    let caller = Phone::ringing(&ast, "202");
    caller.call("200");
    wait_fields(&ast, "alice", &[("telephonyStatus", "Ringing")]);
    // A user whose phone rings is still available.
    assert_eq!(read(&ast, "alice,presenceStatus"), "Available");
    phone.answer();
    let connected = [
        ("telephonyStatus", "CallConnected"),
        ("presenceStatus", "Busy"),
        ("userStatus", "Available"),
    ];
    wait_fields(&ast, "alice", &connected);
    caller.hold();
    wait_fields(
        &ast,
        "alice",
        &[("telephonyStatus", "OnHold"), ("presenceStatus", "Busy")],
    );
    caller.resume();
    wait_fields(&ast, "alice", &connected);
    caller.hang_up();
    wait_fields(
        &ast,
        "alice",
        &[
            ("telephonyStatus", "NoCall"),
            ("presenceStatus", "Available"),
        ],
    );

    let told = events(&ast, &ami, "default");
    let numbers: Vec<u64> = told
        .iter()
        .filter_map(|event| event["body"]["sequence"].as_u64())
        .collect();
    let first = numbers[0];
    let whole: Vec<u64> = (first..first + numbers.len() as u64).collect();
    assert_eq!(numbers, whole);
    let calls = told
        .iter()
        .filter_map(|event| event["body"]["telephonyStatus"].as_str());
    let calls: Vec<&str> = calls.collect();
    let expected = [
        "Ringing",
        "CallConnected",
        "OnHold",
        "CallConnected",
        "NoCall",
    ];
    assert_eq!(calls, expected);
    for event in &told {
        assert_eq!(event["body"]["extensionId"], "4711");
        assert_eq!(event["ownerId"], "4711");
    }
    // The console says the same as the fields.
    let shown = ast.cli("userpresence show user alice");
    for line in [
        "Telephony: NoCall",
        "Meeting: Disconnected",
        "Presence: Available",
    ] {
        assert!(shown.contains(line), "no {line:?} in\n{shown}");
    }
    let answer = ami.action(&[("Action", "UserPresenceGet"), ("User", "alice")]);
    assert_eq!(answer.get("PresenceStatus"), Some("Available"));
    assert_eq!(answer.get("TelephonyStatus"), Some("NoCall"));
}

#[test]
fn the_account_event_has_its_documented_shape() {
    let ast = configured("[alice]\ntype = user\naccount = main\nextension = 200\n").start();
    let ami = ast.ami();
    set_extension(&ast, "200", "dnd,busy,\"Quotes\" and <tags>");
    let told = events(&ast, &ami, "main");
    let [event] = &told[..] else {
        panic!("{told:#?}");
    };
    let names: Vec<&String> = event.as_object().expect("an object").keys().collect();
    let expected = [
        "body",
        "event",
        "ownerId",
        "subscriptionId",
        "timestamp",
        "uuid",
    ];
    assert_eq!(names, expected);
    assert_eq!(event["event"], "/userpresence/v1/account/main/presence");
    let time = event["timestamp"].as_str().expect("a time");
    assert!(
        time.starts_with("20") && time.ends_with('Z') && time.len() == 24,
        "{time}"
    );
    assert_eq!(event["uuid"].as_str().map(str::len), Some(36));
    let sequence: u64 = read(&ast, "alice,sequence").parse().expect("a number");
    let body = json!({
        "extensionId": "alice", "sequence": sequence, "presenceStatus": "Busy",
        "userStatus": "Busy", "meetingStatus": "Disconnected", "dndStatus": "TakeAllCalls",
        "allowSeeMyPresence": true, "ringOnMonitoredCall": false, "pickUpCallsOnHold": false,
    });
    assert_eq!(event["body"], body);
}

#[test]
fn each_change_and_each_choice_is_one_event() {
    let ast = configured("[alice]\ntype = user\nextension = 200\n").start();
    set_extension(&ast, "200", "available");
    let ami = ast.ami();
    let bodies = || -> Vec<Value> {
        let told = events(&ast, &ami, "default");
        told.iter().map(|event| event["body"].clone()).collect()
    };
    let before: u64 = read(&ast, "alice,sequence").parse().expect("a number");
    let writes = [
        ("alice,dndStatus", "DoNotAcceptAnyCalls"),
        ("alice,dndStatus", "DoNotAcceptAnyCalls"),
        ("alice,dndStatus", "TakeAllCalls"),
        ("alice,ringOnMonitoredCall", "true"),
        ("alice,allowSeeMyPresence", "false"),
    ];
    for (field, value) in writes {
        ast.setvar(&format!("USER_PRESENCE({field})"), value);
    }
    let found = bodies();
    let picked: Vec<_> = found
        .iter()
        .map(|body| {
            assert!(body.get("telephonyStatus").is_none(), "{body}");
            let status = [&body["presenceStatus"], &body["userStatus"]];
            let status = status.map(|status| status.as_str().unwrap_or_default().to_owned());
            (
                status,
                body["dndStatus"].clone(),
                body["allowSeeMyPresence"].clone(),
            )
        })
        .collect();
    let row = |status: &str, dnd: &str, seen: bool| {
        (
            [status.to_owned(), status.to_owned()],
            json!(dnd),
            json!(seen),
        )
    };
    let expected = [
        row("Busy", "DoNotAcceptAnyCalls", true),
        row("Available", "TakeAllCalls", true),
        row("Available", "TakeAllCalls", true),
        row("Available", "TakeAllCalls", false),
    ];
    assert_eq!(picked, expected);
    let numbers: Vec<u64> = found
        .iter()
        .filter_map(|body| body["sequence"].as_u64())
        .collect();
    assert_eq!(numbers, (before + 1..=before + 4).collect::<Vec<_>>());

    // A change of the message alone is an event too, although the body is equal.
    set_extension(&ast, "200", "available,,A word");
    let found = bodies();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0]["presenceStatus"], "Available");
}

#[test]
fn the_user_status_follows_the_chosen_status_alone() {
    let conf = "[alice]\ntype = user\nextension = 200\noutgoing = none\nmethod = priority\n\
                [nora]\ntype = user\nextension = 201\nmethod = none\n";
    let ast = configured(conf).start();
    set_extension(&ast, "200", "dnd");
    // Without a chosen status the combined state counts.
    wait_fields(
        &ast,
        "alice",
        &[("presenceStatus", "Busy"), ("userStatus", "Busy")],
    );
    set(&ast, "alice", "available");
    wait_fields(
        &ast,
        "alice",
        &[("presenceStatus", "Busy"), ("userStatus", "Available")],
    );
    set(&ast, "alice", "xa");
    wait_fields(
        &ast,
        "alice",
        &[("presenceStatus", "Busy"), ("userStatus", "Offline")],
    );
    for (state, status) in [
        ("unavailable", "Offline"),
        ("available", "Available"),
        ("away", "Busy"),
        ("xa", "Offline"),
        ("chat", "Available"),
        ("dnd", "Busy"),
        ("not_set", "Offline"),
    ] {
        set(&ast, "nora", state);
        wait_fields(
            &ast,
            "nora",
            &[("presenceStatus", status), ("userStatus", status)],
        );
    }
}

#[test]
fn a_conference_counts_as_a_meeting_whatever_the_method() {
    let conf = "[alice]\ntype = user\nextension = 200\nmethod = default\n\
                device = confbridge:100,meeting\n";
    let ast = configured(conf).conferences().start();
    set_extension(&ast, "200", "available");
    let somebody = ast.run("ConfBridge", "100");
    wait_fields(
        &ast,
        "alice",
        &[
            ("meetingStatus", "Connected"),
            ("presenceStatus", "Busy"),
            ("userStatus", "Available"),
            ("value", "available"),
        ],
    );
    ast.hang_up(&somebody);
    wait_fields(
        &ast,
        "alice",
        &[
            ("meetingStatus", "Disconnected"),
            ("presenceStatus", "Available"),
        ],
    );
    ast.hang_up_all();
}

#[test]
fn a_parked_call_shows_for_the_parker_and_the_waiting_phone() {
    let conf = "[alice]\ntype = user\nextension = 200\n[bob]\ntype = user\nextension = 202\n";
    let ast = configured(conf)
        .phones()
        .parking()
        .dialplan("exten = 700,1,Set(BLINDTRANSFER=PJSIP/200-00000001)\nsame = n,Park(default)")
        .start();
    let _alice = Phone::ringing(&ast, "200");
    let bob = Phone::ringing(&ast, "202");
    // A transfer to the parking lot tells Asterisk which phone parked the call.
    bob.call("700");
    wait_fields(
        &ast,
        "bob",
        &[
            ("telephonyStatus", "ParkedCall"),
            ("presenceStatus", "Busy"),
        ],
    );
    wait_fields(
        &ast,
        "alice",
        &[
            ("telephonyStatus", "ParkedCall"),
            ("presenceStatus", "Available"),
        ],
    );
    // A reload keeps the parked call.
    assert!(
        ast.cli("module reload res_userpresence.so")
            .contains("reloaded")
    );
    assert_eq!(read(&ast, "alice,telephonyStatus"), "ParkedCall");
    bob.hang_up();
    wait_fields(
        &ast,
        "bob",
        &[
            ("telephonyStatus", "NoCall"),
            ("presenceStatus", "Available"),
        ],
    );
    wait_fields(&ast, "alice", &[("telephonyStatus", "NoCall")]);
    ast.wait_no_channels();
    assert!(ast.unload_module(MODULE).ok());
}

#[test]
fn each_account_keeps_its_own_numbers_over_a_restart() {
    let conf = "[alice]\ntype = user\naccount = main\nextension = 200\n\
                [bob]\ntype = user\naccount = other\nextension = 201\n";
    let ast = configured(conf).start();
    let ami = ast.ami();
    for (main, other) in [("away", "dnd"), ("chat", "dnd"), ("dnd", "xa")] {
        set_extension(&ast, "200", main);
        set_extension(&ast, "201", other);
    }
    let numbers = |events: &[Value]| -> Vec<u64> {
        events
            .iter()
            .filter_map(|event| event["body"]["sequence"].as_u64())
            .collect()
    };
    let told = all_events(&ast, &ami);
    let of = |account: &str| -> Vec<u64> {
        let of_it = told.iter().filter(|event| {
            event.is_event("UserPresenceAccountEvent") && event.get("Account") == Some(account)
        });
        of_it
            .filter_map(|event| event.get("Sequence")?.parse().ok())
            .collect()
    };
    let (main, other) = (of("main"), of("other"));
    assert_eq!((main.len(), other.len()), (3, 2));
    let last = main[2];
    assert_eq!(main, [last - 2, last - 1, last]);
    assert_eq!(other[1], other[0] + 1);
    ast.restart(true);
    let ami = ast.ami();
    set_extension(&ast, "200", "xa");
    assert_eq!(numbers(&events(&ast, &ami, "main")), [last + 1]);
}
