//! Chosen and inferred statuses, with real calls: every interface tells the two apart, and
//! an inferred status never becomes a choice.

use serde_json::{Value, json};

use crate::harness::api::{api_user, get, login, put};
use crate::harness::barrier::{all_events, configured, set_extension};
use crate::harness::statuses::set_by_ami;
use crate::harness::users::{ALICE, read, set, wait_custom, wait_verdict};
use crate::harness::{Builder, Instance, Phone, wait_until};

/// Bob, whose phone is a source, and actions on `dnd`.
const BOB: &str = "[lunch]\ntype = status\nlabel = At lunch\nstate = away\nsubtype = lunch\n\
    [quiet]\ntype = action\nstatus = dnd\ndnd = on\n\
    [busy]\ntype = action\nstatus = dnd\nwhen = combined\n\
    set = DB(test/busy)=${STATUS} after ${OLD_STATUS}\n\
    [bob]\ntype = user\naccount = main\nextension = 201\nuse_devices = yes\n\
    action = quiet,busy\n";

fn bob() -> Builder {
    let boss = api_user("boss", "account = main\nrole = admin");
    configured(&format!("{BOB}{boss}")).phones().http()
}

const TARGET: &str = "/userpresence/v1/account/main/extension/bob/presence";

#[track_caller]
fn record(ast: &Instance) -> Value {
    get(ast, "boss", TARGET).json()
}

/// Sets bob's presence over HTTP and returns the record of the answer.
#[track_caller]
fn set_over_http(ast: &Instance, body: &Value) -> Value {
    let answer = put(ast, "boss", TARGET, body);
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

/// Fields of a user, joined by `|`.
#[track_caller]
fn joined(ast: &Instance, user: &str, names: &[&str]) -> String {
    let found = names
        .iter()
        .map(|name| read(ast, &format!("{user},{name}")));
    found.collect::<Vec<_>>().join("|")
}

#[track_caller]
fn wait_joined(ast: &Instance, user: &str, names: &[&str], expected: &str) {
    wait_until(&format!("{user} to be {expected}"), || {
        (joined(ast, user, names) == expected).then_some(())
    });
}

const SHOWN: [&str; 4] = ["value", "status", "label", "inferred"];

/// Makes a call from 202 to bob, who answers.
#[track_caller]
fn talk(ast: &Instance, caller: &Phone<'_>, bob: &Phone<'_>) {
    caller.call("201");
    ast.wait_device("PJSIP/201", "RINGING");
    bob.answer();
    wait_verdict(ast, "bob", "dnd PJSIP/201 highest");
}

#[track_caller]
fn hang_up(ast: &Instance, caller: &Phone<'_>) {
    caller.hang_up();
    ast.wait_device("PJSIP/201", "NOT_INUSE");
    ast.wait_no_channels();
}

#[test]
fn a_message_set_during_a_call_changes_the_message_alone() {
    let ast = bob().start();
    let phone = Phone::ringing(&ast, "201");
    let caller = Phone::ringing(&ast, "202");
    set(&ast, "bob", "available");
    talk(&ast, &caller, &phone);
    let said = set_over_http(&ast, &json!({"message": "Back in five"}));
    assert_eq!(said["state"], "dnd");
    assert_eq!(said["status"], "available");
    assert_eq!(said["chosen"]["state"], "available");
    assert_eq!(said["chosen"]["message"], "Back in five");
    hang_up(&ast, &caller);
    wait_joined(&ast, "bob", &SHOWN, "available|available|Available|");
    wait_custom(&ast, "201", "value", "available");
    wait_custom(&ast, "201", "message", "Back in five");
    assert_eq!(ast.astdb("DND/201"), None);

    // At lunch for a limited time, and in a call: each interface shows both.
    set(&ast, "bob", "lunch,,,t(3000)");
    let until = read(&ast, "bob,chosen_until");
    assert!(!until.is_empty());
    talk(&ast, &caller, &phone);
    let kept = ["chosen_state", "chosen_subtype", "status", "chosen_until"];
    let is = |message: &str| {
        let found = joined(&ast, "bob", &kept);
        assert_eq!(found, format!("away|lunch|lunch|{until}"), "{message}");
        assert_eq!(read(&ast, "bob,chosen_message"), message);
        assert_eq!(read(&ast, "bob"), "dnd");
    };
    set_over_http(&ast, &json!({"message": "By HTTP, Ü"}));
    is("By HTTP, Ü");
    ast.setvar("USER_PRESENCE(bob,chosen_message)", "By dialplan, too");
    is("By dialplan, too");
    let ami = ast.ami();
    set_by_ami(&ami, &[("User", "bob"), ("Message", "By AMI")]).unwrap();
    is("By AMI");
    let said = ast.cli("userpresence message bob \"By console\"");
    assert_eq!(said, "Message of 'bob' set.");
    is("By console");
    ast.cli("userpresence message bob");
    is("");
    set_over_http(&ast, &json!({"message": "At last"}));
    hang_up(&ast, &caller);
    wait_joined(&ast, "bob", &SHOWN, "away|lunch|At lunch|");
    assert_eq!(read(&ast, "bob,subtype"), "lunch");
    wait_custom(&ast, "201", "message", "At last");
    // The end restores the status from before lunch.
    assert_eq!(ast.astdb("DND/201"), None);
    assert_eq!(read(&ast, "bob,until"), until);
}

#[test]
fn a_message_without_a_status_to_belong_to_is_refused() {
    let conf = "[home]\ntype = status\nstate =\n[bob]\ntype = user\naccount = main\n\
                extension = 201\n";
    let boss = api_user("boss", "account = main\nrole = admin");
    let ast = configured(&format!("{conf}{boss}")).http().start();
    set(&ast, "bob", "home");
    let login = login("boss");
    let headers = [&*login, "Content-Type: application/json"];
    let refused = |body: Value| {
        let answer = ast.http("PUT", TARGET, &headers, &body.to_string());
        assert_eq!(answer.status, 400, "{answer:?}");
        let why = answer.json()["error"]["message"].clone();
        why.as_str().unwrap_or_default().to_owned()
    };
    let why = refused(json!({"message": "x", "allowSeeMyPresence": false}));
    assert_eq!(
        why,
        "The status 'home' is mapped to no state, expected no message."
    );
    // None of these requests changed anything.
    assert_eq!(read(&ast, "bob,allowSeeMyPresence"), "true");
    set(&ast, "bob", "away");
    let why = refused(json!({"message": "a\nb"}));
    assert!(why.starts_with("The message "), "{why}");
    let why = refused(json!({"message": "x", "until": 99_999_999_999_999_u64}));
    assert!(why.contains("belong to a status"), "{why}");
    let said = ast.cli("userpresence message nobody x");
    assert!(said.starts_with("There is no user 'nobody'"), "{said}");
    assert_eq!(read(&ast, "bob,chosen_message"), "");
}

#[test]
fn a_call_triggers_only_actions_that_look_at_all_sources() {
    let ast = bob().start();
    let phone = Phone::ringing(&ast, "201");
    let caller = Phone::ringing(&ast, "202");
    set(&ast, "bob", "available");
    talk(&ast, &caller, &phone);
    ast.wait_astdb("test/busy", Some("dnd after available"));
    // One thread carries out actions in order: the other action would have run by now.
    assert_eq!(ast.astdb("DND/201"), None);
    assert_eq!(ast.getvar("DEVICE_STATE(Custom:DND201)"), "UNKNOWN");
    hang_up(&ast, &caller);
    ast.wait_astdb("test/busy", None);
    assert_eq!(ast.astdb("DND/201"), None);

    // The action of a chosen status runs, and a call on top of the status does not undo it.
    set(&ast, "bob", "dnd");
    ast.wait_astdb("DND/201", Some("YES"));
    ast.wait_astdb("test/busy", Some("dnd after available"));
    caller.call("201");
    ast.wait_device("PJSIP/201", "RINGING");
    phone.answer();
    ast.wait_device("PJSIP/201", "INUSE");
    caller.hang_up();
    ast.wait_no_channels();
    assert_eq!(ast.astdb("DND/201").as_deref(), Some("YES"));
    // A choice during a call counts at once.
    talk_by_device(&ast, &caller, &phone);
    set(&ast, "bob", "available");
    ast.wait_astdb("DND/201", None);
    assert_eq!(
        ast.astdb("test/busy").as_deref(),
        Some("dnd after available")
    );
    hang_up(&ast, &caller);
    ast.wait_astdb("test/busy", None);
}

#[track_caller]
fn talk_by_device(ast: &Instance, caller: &Phone<'_>, bob: &Phone<'_>) {
    caller.call("201");
    ast.wait_device("PJSIP/201", "RINGING");
    bob.answer();
    ast.wait_device("PJSIP/201", "INUSE");
}

/// Two users with two phones each: for one of them the phones are sources.
#[test]
fn everything_shown_about_a_user_agrees() {
    let conf = "[alice]\ntype = user\nextension = 200\nextension = 201\nuse_devices = yes\n\
                [bob]\ntype = user\nextension = 200\nextension = 201\n";
    let ast = configured(conf).phones().start();
    let desk = Phone::ringing(&ast, "201");
    let caller = Phone::ringing(&ast, "202");
    set(&ast, "alice", "available");
    set(&ast, "bob", "available");
    let names = [
        "value",
        "status",
        "label",
        "inferred",
        "presenceStatus",
        "telephonyStatus",
    ];
    let both = |expected: [&str; 2], lamp: &str| {
        for (user, expected) in ["alice", "bob"].into_iter().zip(expected) {
            wait_joined(&ast, user, &names, expected);
            ast.wait_device(&format!("UserPresence:{user}"), lamp);
        }
    };
    // The soft phone 200 is off and takes no part.
    let idle = "available|available|Available||Available|NoCall";
    both([idle, idle], "NOT_INUSE");

    caller.call("201");
    let rings = "available|available|Available|Ringing|Available|Ringing";
    both([rings, rings], "RINGING");
    desk.answer();
    let talks = [
        "dnd|available|Available|On a call|Busy|CallConnected",
        "available|available|Available|On a call|Busy|CallConnected",
    ];
    both(talks, "INUSE");
    caller.hold();
    let held = [
        "dnd|available|Available|On hold|Busy|OnHold",
        "available|available|Available|On hold|Busy|OnHold",
    ];
    both(held, "ONHOLD");
    caller.resume();
    both(talks, "INUSE");
    caller.hang_up();
    ast.wait_no_channels();
    both([idle, idle], "NOT_INUSE");

    desk.unregister();
    let offline = [
        "unavailable|available|Available|Phone offline|Offline|NoCall",
        "available|available|Available|Phone offline|Available|NoCall",
    ];
    both(offline, "UNAVAILABLE");
    // A user who is away is not shown as offline too.
    set(&ast, "bob", "away");
    let away = "away|away|Away||Busy|NoCall";
    wait_joined(&ast, "bob", &names, away);
    desk.register();
    set(&ast, "bob", "available");
    both([idle, idle], "NOT_INUSE");
}

/// Every interface that shows a label shows the words for a call, and so does the event.
#[test]
fn every_interface_separates_the_chosen_status_from_the_inferred_one() {
    let ast = bob().start();
    let phone = Phone::ringing(&ast, "201");
    let caller = Phone::ringing(&ast, "202");
    set(&ast, "bob", "lunch,,Back at one");
    let ami = ast.ami();
    all_events(&ast, &ami);
    talk(&ast, &caller, &phone);

    let said = record(&ast);
    let chosen = &said["chosen"];
    assert_eq!(chosen["state"], "away");
    assert_eq!(chosen["subtype"], "lunch");
    assert_eq!(chosen["message"], "Back at one");
    assert_eq!(
        chosen["since"].to_string(),
        read(&ast, "bob,chosen_since"),
        "{said}"
    );
    assert_eq!(chosen["until"], Value::Null);
    assert_eq!(
        said["inferred"],
        json!({"kind": "call", "label": "On a call"})
    );
    assert_eq!(
        (&said["status"], &said["label"]),
        (&json!("lunch"), &json!("At lunch"))
    );
    assert_eq!(
        (&said["state"], &said["message"]),
        (&json!("dnd"), &json!(""))
    );

    // The answer is too long for AMI's `Getvar`.
    let whole = ast
        .ami()
        .action(&[("Action", "UserPresenceGet"), ("User", "bob")]);
    let whole: Value = serde_json::from_str(whole.get("Json").unwrap_or_default()).expect("JSON");
    assert_eq!(whole["chosen"]["message"], "Back at one");
    assert_eq!(whole["inferred"], said["inferred"]);

    let events = all_events(&ast, &ami);
    let change = events.iter().rev().find(|event| {
        event.is_event("UserPresenceChange")
            && event.get("User") == Some("bob")
            && event.get("State") == Some("dnd")
    });
    let change = change.unwrap_or_else(|| panic!("no change in {events:#?}"));
    let headers = [
        ("Status", "lunch"),
        ("OldStatus", "lunch"),
        ("Label", "At lunch"),
        ("Inferred", "On a call"),
        ("ChosenState", "away"),
        ("ChosenStatus", "lunch"),
        ("ChosenSubtype", "lunch"),
        ("ChosenMessage", "Back at one"),
    ];
    for (name, value) in headers {
        assert_eq!(change.get(name), Some(value), "{name}");
    }
    assert_eq!(
        change.get("ChosenSince"),
        Some(&*read(&ast, "bob,chosen_since"))
    );
    let entry = ami.action(&[("Action", "UserPresenceGet"), ("User", "bob")]);
    for (name, value) in headers {
        if !name.starts_with("Old") {
            assert_eq!(entry.get(name), Some(value), "{name}");
        }
    }

    let table = ast.cli("userpresence show users like ^bob$");
    let row = table.lines().nth(1).unwrap_or_default();
    assert!(
        row.contains(" lunch ") && row.contains(" On a call "),
        "{table}"
    );
    let shown = ast.cli("userpresence show user bob");
    assert!(shown.contains("    Inferred: On a call\n"), "{shown}");
    assert!(
        shown.contains("      Chosen: away (lunch) \"Back at one\", set "),
        "{shown}"
    );
    let shown = ast.cli("userpresence explain bob");
    assert!(
        shown.contains("(status lunch, shown as 'At lunch').\nInferred: On a call.\n"),
        "{shown}"
    );
    let (_, sources) = shown.split_once("Chosen sources:\n").expect("chosen");
    let (chosen, inferred) = sources.split_once("Inferred sources:\n").expect("inferred");
    assert!(
        chosen.contains("- CustomPresence:201 ") && chosen.contains("- Own status "),
        "{shown}"
    );
    assert!(
        inferred.contains("- Device PJSIP/201 ") && !inferred.contains("Own"),
        "{shown}"
    );
    assert!(
        ast.cli("userpresence show stats")
            .contains("users_inferred{kind=\"call\"}")
    );

    hang_up(&ast, &caller);
    wait_joined(&ast, "bob", &SHOWN, "away|lunch|At lunch|");
    assert_eq!(record(&ast)["inferred"], Value::Null);
    let shown = ast.cli("userpresence explain bob");
    assert!(shown.contains("\nInferred: nothing.\n"), "{shown}");
}

#[test]
fn meetings_hours_and_table_entries_have_their_own_words() {
    let ast = configured(
        "[surgery]\ntype = status\nlabel = In surgery\nstate = dnd\nsubtype = surgery\n\
         [theatre]\ntype = device_table\nin_use = surgery\nnot_in_use = not_set\n\
         [closed]\ntype = action\nstatus = unavailable\nset = DB(test/closed)=${STATUS}\n\
         [met]\ntype = action\nstatus = dnd\nset = DB(test/met)=1\n\
         [alice]\ntype = user\nextension = 200\ndevice = confbridge:100\naction = met\n\
         [bob]\ntype = user\nextension = 201\ndevice = Custom:room,theatre\n\
         [carol]\ntype = user\nextension = 202\nmethod = latest\naction = closed\n\
         schedule = 00:00-00:00,mon,1,jan\n",
    )
    .conferences()
    .start();
    for extension in ["200", "201"] {
        set_extension(&ast, extension, "chat,,Hello");
    }
    let somebody = ast.run("ConfBridge", "100");
    let in_meeting = "dnd|chat|Free to chat|In a meeting";
    wait_joined(&ast, "alice", &SHOWN, in_meeting);
    assert_eq!(read(&ast, "alice,chosen_message"), "Hello");
    ast.set_device("room", "INUSE");
    wait_joined(&ast, "bob", &SHOWN, "dnd|chat|Free to chat|In surgery");
    ast.set_device("room", "NOT_INUSE");
    wait_joined(&ast, "bob", &SHOWN, "chat|chat|Free to chat|");
    // Hours are inferred too, but actions look at them.
    wait_joined(
        &ast,
        "carol",
        &SHOWN,
        "unavailable|not_set|Not set|Outside hours",
    );
    ast.wait_astdb("test/closed", Some("unavailable"));
    assert_eq!(ast.astdb("test/met"), None);
    ast.hang_up(&somebody);
    wait_joined(&ast, "alice", &SHOWN, "chat|chat|Free to chat|");
}

/// When a timed status ends, a status set on a phone meanwhile counts.
#[test]
fn the_end_of_a_timed_status_leaves_none_behind() {
    let ast = configured(ALICE).start();
    set(&ast, "alice", "available");
    set(&ast, "alice", "dnd,,,t(2)");
    wait_custom(&ast, "201", "value", "dnd");
    set_extension(&ast, "201", "away");
    assert_eq!(joined(&ast, "alice", &SHOWN), "dnd|dnd|Do not disturb|");
    wait_joined(&ast, "alice", &SHOWN, "away|away|Away|");
    // The same after a restart, and once the phone clears its status.
    ast.kill9();
    ast.start_again();
    wait_joined(&ast, "alice", &SHOWN, "away|away|Away|");
    set_extension(&ast, "201", "not_set");
    assert_eq!(
        joined(&ast, "alice", &SHOWN),
        "available|available|Available|"
    );
}

/// A status type is removed from the configuration while a timed status covers it.
#[test]
fn a_removed_status_type_leaves_no_empty_status() {
    let conf = |types: &str| format!("{types}{ALICE}");
    let lunch = "[lunch]\ntype = status\nstate = away\nsubtype = lunch\n";
    let ast = configured(&conf(lunch)).start();
    set(&ast, "alice", "lunch");
    set(&ast, "alice", "dnd,,,t(4)");
    let barrier = "[barrier]\ntype = user\naccount = barrier\nextension = barrier\n";
    ast.write_config("userpresence.conf", &format!("{}\n{barrier}", conf("")));
    assert!(ast.reload().ok());
    assert_eq!(read(&ast, "alice,status"), "dnd");
    wait_joined(&ast, "alice", &SHOWN, "away|away|Away|");
}
