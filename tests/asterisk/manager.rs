//! The AMI actions and the event `UserPresenceChange`.

use serde_json::Value;

use crate::harness::barrier::{all_events, catch_up, configured, set_extension};
use crate::harness::changes::matching;
use crate::harness::users::{ALICE, complaints, custom, read, set, wait_custom};
use crate::harness::{Ami, Message, wait_until};

#[track_caller]
fn headers(message: &Message, expected: &[(&str, &str)]) {
    for (name, value) in expected {
        assert_eq!(message.header(name), *value, "{name} in {message:#?}");
    }
}

fn set_action(ami: &Ami, headers: &[(&str, &str)]) -> Message {
    ami.action(&[&[("Action", "UserPresenceSet")], headers].concat())
}

const STAFF: &str = "[alice]\ntype = user\nid = 4711\naccount = main\nextension = 200\n\
                     extension = 201\n\
                     [bob]\ntype = user\nmethod = none\naccount = main\n\
                     [carol]\ntype = user\n\
                     [lunch]\ntype = status\nlabel = At lunch\nstate = away\n\
                     subtype = lunch\n";

#[test]
fn the_list_has_every_user_and_ends_with_their_number() {
    let ast = configured(STAFF).start();
    set_extension(&ast, "201", "away,lunch,Back at one");
    let ami = ast.ami();
    let (items, end) = ami.list_to_its_end(&[("Action", "UserPresenceList")]);
    let names: Vec<_> = items.iter().map(|item| item.header("User")).collect();
    assert_eq!(names, ["alice", "bob", "carol", "barrier"]);
    assert!(items.iter().all(|item| item.is_event("UserPresenceEntry")));
    let (since, sequence) = (read(&ast, "alice,since"), read(&ast, "alice,sequence"));
    headers(
        &items[0],
        &[
            ("Id", "4711"),
            ("Account", "main"),
            ("State", "away"),
            ("Subtype", "lunch"),
            ("Message", "Back at one"),
            ("Status", "lunch"),
            ("StatusType", "lunch"),
            ("ChosenState", "away"),
            ("ChosenStatus", "lunch"),
            ("Label", "At lunch"),
            ("DndStatus", "TakeAllCalls"),
            ("DeviceState", "unavailable"),
            ("QueueState", "unavailable"),
            ("Panels", "0"),
            ("Since", &since),
            ("Until", ""),
            ("Source", "CustomPresence:201"),
            ("Reason", "only"),
            ("Method", "priority"),
            ("Sequence", &sequence),
            ("Extensions", "200,201"),
        ],
    );
    headers(
        &items[1],
        &[
            ("Id", "bob"),
            ("State", "not_set"),
            ("Status", "not_set"),
            ("Label", "Not set"),
            ("Since", ""),
            ("Until", ""),
            ("Source", ""),
            ("Reason", "own_status"),
            ("Method", "none"),
            ("Sequence", "0"),
            ("Extensions", ""),
        ],
    );
    headers(
        &end,
        &[
            ("Event", "UserPresenceListComplete"),
            ("EventList", "Complete"),
            ("ListItems", "4"),
        ],
    );
}

#[test]
fn the_list_can_be_narrowed_to_an_account() {
    let ast = configured(STAFF).start();
    let ami = ast.ami();
    for (account, users) in [
        ("main", &["alice", "bob"][..]),
        ("default", &["carol"]),
        ("other", &[]),
        ("", &["alice", "bob", "carol", "barrier"]),
    ] {
        let asked = [("Action", "UserPresenceList"), ("Account", account)];
        let (items, end) = ami.list_to_its_end(&asked);
        let names: Vec<_> = items.iter().map(|item| item.header("User")).collect();
        assert_eq!(names, users, "{account}");
        assert_eq!(end.header("ListItems"), users.len().to_string());
    }
}

#[test]
fn a_list_of_five_thousand_is_complete() {
    let users: String = (0..5000)
        .map(|n| format!("[user{n}]\ntype = user\nextension = {n}\n"))
        .collect();
    let ast = configured(&users).start();
    let (items, end) = ast.ami().list_to_its_end(&[("Action", "UserPresenceList")]);
    let counted = items.iter().enumerate().take(5000);
    assert!(
        counted
            .into_iter()
            .all(|(n, item)| item.header("User") == format!("user{n}"))
    );
    assert_eq!(end.header("ListItems"), "5001");
    assert_eq!(items.len(), 5001);
}

#[test]
fn get_returns_one_user_with_everything_as_json() {
    let ast = configured(STAFF).start();
    set_extension(&ast, "200", "away,lunch,a \"b\" \\ ü");
    let ami = ast.ami();
    let answer = ami.action(&[("Action", "UserPresenceGet"), ("User", "ALICE")]);
    headers(
        &answer,
        &[
            ("Response", "Success"),
            ("User", "alice"),
            ("State", "away"),
            ("Message", "a \"b\" \\ ü"),
            ("Status", "lunch"),
            ("Source", "CustomPresence:200"),
            ("Extensions", "200,201"),
        ],
    );
    assert_eq!(answer.all("Message").count(), 1);
    let json: Value = serde_json::from_str(answer.header("Json")).expect("JSON");
    assert_eq!(json["message"], "a \"b\" \\ ü");
    assert_eq!(json["sources"].as_array().map(Vec::len), Some(2));

    for (user, why) in [
        (
            Some("nobody"),
            "there is no user 'nobody', expected one of userpresence.conf or realtime",
        ),
        (Some(""), "the header User is missing"),
        (None, "the header User is missing"),
    ] {
        let user = user.map(|user| ("User", user));
        let asked: Vec<_> = [("Action", "UserPresenceGet")]
            .into_iter()
            .chain(user)
            .collect();
        let answer = ami.action(&asked);
        headers(&answer, &[("Response", "Error"), ("Message", why)]);
    }
}

#[test]
fn set_sets_a_status_and_confirms_it() {
    let ast = configured(STAFF).start();
    let ami = ast.ami();
    // Each text has a header of its own, so commas and backslashes need no escape.
    let text = "Back at one, or \\, \"two\"; ${SHELL(id)} $[1+1] ü";
    let asked = [
        ("User", "Alice"),
        ("Status", "AWAY"),
        ("Subtype", "lunch"),
        ("Message", text),
    ];
    let answer = set_action(&ami, &asked);
    headers(
        &answer,
        &[("Response", "Success"), ("Message", "Presence set")],
    );
    assert_eq!(read(&ast, "alice"), "away");
    assert_eq!(read(&ast, "alice,subtype"), "lunch");
    assert_eq!(read(&ast, "alice,message"), text);
    wait_custom(&ast, "201", "message", text);

    let encoded = [
        ("User", "bob"),
        ("Status", "xa"),
        ("Subtype", "dHJpcA=="),
        ("Message", "8J+NnCwgbGF0ZXI="),
        ("Options", "e"),
    ];
    assert!(set_action(&ami, &encoded).ok());
    assert_eq!(read(&ast, "bob,subtype"), "trip");
    assert_eq!(read(&ast, "bob,message"), "🍜, later");
    // Omitted headers count as empty.
    assert!(set_action(&ami, &[("User", "bob"), ("Status", "chat")]).ok());
    assert_eq!(read(&ast, "bob") + &read(&ast, "bob,message"), "chat");
}

#[test]
fn each_mistake_in_setting_gets_an_error_and_changes_nothing() {
    let ast = configured(ALICE).start();
    let ami = ast.ami();
    assert!(set_action(&ami, &[("User", "alice"), ("Status", "chat")]).ok());
    let long = "x".repeat(256);
    let states = "not_set, unavailable, available, away, xa, chat or dnd";
    for (given, why) in [
        (&[("Status", "away")][..], "the header User is missing"),
        (
            &[("User", "nobody"), ("Status", "away")],
            "there is no user 'nobody', expected one of userpresence.conf or realtime",
        ),
        (
            &[("User", "alice")],
            &format!("the status is missing, expected {states}"),
        ),
        (
            &[("User", "alice"), ("Status", "busy")],
            &format!("unknown status 'busy', expected {states}"),
        ),
        (
            &[("User", "alice"), ("Status", "away"), ("Message", &long)],
            "the message is 256 bytes long, expected at most 255",
        ),
        (
            &[("User", "alice"), ("Status", "away"), ("Subtype", "a\tb")],
            "the subtype holds a control character, expected printable text on one line",
        ),
        (
            &[
                ("User", "alice"),
                ("Status", "away"),
                ("Subtype", "a b"),
                ("Options", "e"),
            ],
            "the subtype 'a b' is not base64, which option e requires",
        ),
        (
            &[("User", "alice"), ("Status", "away"), ("Options", "x")],
            "unknown option 'x', expected e (subtype and message in base64), t(seconds) or \
             t(30m), u(Unix time) or u(14:30); a comma within a text is written \\,",
        ),
        (
            &[("User", "alice"), ("DndStatus", "dnd")],
            "unknown dndStatus 'dnd', expected TakeAllCalls, DoNotAcceptAnyCalls or \
             DoNotAcceptDepartmentCalls",
        ),
    ] {
        let answer = set_action(&ami, given);
        headers(&answer, &[("Response", "Error"), ("Message", why)]);
    }
    assert_eq!(read(&ast, "alice"), "chat");
    assert_eq!(custom(&ast, "200", "value"), "chat");
    // The answers name the mistakes, and the log has none of them.
    assert_eq!(complaints(&ast, ""), Vec::<String>::new());
}

/// Text that would begin another header is refused on every interface.
#[test]
fn a_line_end_never_reaches_a_header() {
    let ast = configured(ALICE).start();
    let ami = ast.ami();
    let begin = "Action: UserPresenceSet\r\nActionID: raw\r\nUser: alice\r\nStatus: away\r\n";
    for (message, why) in [
        (&b"Message: a\rEvent: Forged"[..], "control character"),
        (b"Message: \xff\xfe", "Header 'Message' is not UTF-8"),
        (
            b"Options: e\r\nMessage: YQ0KRXZlbnQ6IEZvcmdlZA==",
            "control character",
        ),
    ] {
        let all = [begin.as_bytes(), message, b"\r\n\r\n"].concat();
        ami.send_raw(all).expect("a connection");
        let answer = ami.reply("raw").expect("an answer");
        assert_eq!(answer.header("Response"), "Error", "{answer:?}");
        assert!(answer.text().contains(why), "{answer:?}");
    }
    assert_eq!(read(&ast, "alice"), "not_set");

    // The text comes from another module, whose own events cannot be repaired here.
    let forged = "Set(PRESENCE_STATE(CustomPresence:200)=away,,YQ0KRXZlbnQ6IEZvcmdlZA==,e)";
    ast.run_dialplan(&[forged], "");
    catch_up(&ast);
    let listed = ami.list(&[("Action", "UserPresenceList")]);
    headers(
        &listed[0],
        &[
            ("User", "alice"),
            ("State", "away"),
            ("Message", "a  Event: Forged"),
        ],
    );
    let events = all_events(&ast, &ami);
    let change = matching(&events, "UserPresenceChange", "User", "alice");
    assert_eq!(change.len(), 1);
    let message = ("Message", "a  Event: Forged");
    headers(change[0], &[("State", "away"), message]);
}

#[test]
fn the_event_has_old_and_new_state_the_reason_and_the_next_number() {
    let ast =
        configured("[alice]\ntype = user\naccount = main\nextension = 200\nextension = 201\n")
            .start();
    let ami = ast.ami();
    ast.set_custom("200", "away,lunch,Back at one");
    ast.set_custom("201", "available");
    ast.set_custom("201", "dnd");
    ast.set_custom("200", "not_set");
    // An event not handled yet when a status is set is older than the status.
    set_extension(&ast, "201", "not_set");
    set(&ast, "alice", "chat,desk,Here");
    let events = all_events(&ast, &ami);
    let changes = matching(&events, "UserPresenceChange", "User", "alice");
    let expected = [
        (
            ["not_set", "", ""],
            ["away", "lunch", "Back at one"],
            "CustomPresence:200",
            "only",
        ),
        (
            ["away", "lunch", "Back at one"],
            ["dnd", "", ""],
            "CustomPresence:201",
            "highest",
        ),
        (
            ["dnd", "", ""],
            ["not_set", "", ""],
            "CustomPresence:201",
            "nothing_set",
        ),
        (
            ["not_set", "", ""],
            ["chat", "desk", "Here"],
            "CustomPresence:200",
            "first_of_equals",
        ),
    ];
    assert_eq!(changes.len(), expected.len(), "{changes:#?}");
    for (change, (old, new, source, reason)) in changes.iter().zip(expected) {
        headers(
            change,
            &[
                ("Account", "main"),
                ("OldState", old[0]),
                ("OldSubtype", old[1]),
                ("OldMessage", old[2]),
                ("OldStatus", old[0]),
                ("OldStatusType", old[0]),
                ("State", new[0]),
                ("Subtype", new[1]),
                ("Message", new[2]),
                ("Status", new[0]),
                ("StatusType", new[0]),
                ("Until", ""),
                ("Source", source),
                ("Reason", reason),
                ("Method", "priority"),
            ],
        );
    }
    let number = |change: &&Message| change.header("Sequence").parse::<u64>().expect("a number");
    let numbers: Vec<_> = changes.iter().map(number).collect();
    assert!(
        numbers.windows(2).all(|pair| pair[1] == pair[0] + 1),
        "{numbers:?}"
    );
    assert_eq!(read(&ast, "alice,sequence"), numbers[3].to_string());
    assert_eq!(changes[3].header("Since"), read(&ast, "alice,since"));
}

/// The users of an account share its numbers: none is missing, none is used twice.
#[test]
fn numbers_rise_by_one_within_an_account() {
    let conf = "[alice]\ntype = user\nextension = 200\n[bob]\ntype = user\nextension = 200\n\
                extension = 201\n[eve]\ntype = user\naccount = other\nextension = 200\n";
    let ast = configured(conf).start();
    let ami = ast.ami();
    for state in ["away", "dnd", "chat", "away", "available"] {
        ast.set_custom("200", state);
        ast.set_custom("201", state);
    }
    let events = all_events(&ast, &ami);
    for (account, count) in [("default", 10), ("other", 5)] {
        let changes = matching(&events, "UserPresenceChange", "Account", account);
        let number = |change: &&Message| change.header("Sequence").parse().expect("a number");
        let numbers: Vec<u64> = changes.iter().map(number).collect();
        assert_eq!(numbers.len(), count, "{numbers:?}");
        assert!(
            numbers.windows(2).all(|pair| pair[1] == pair[0] + 1),
            "{numbers:?}"
        );
    }
}

/// Reading needs the class `reporting`; setting, and events of changes, need `call`.
#[test]
fn each_privilege_class_allows_its_part_and_no_more() {
    let ast = configured(ALICE)
        .ami_user("reader", "reporting,user", "reporting,user")
        .ami_user("caller", "call,user", "call,user")
        .start();
    let (reader, caller) = (
        ast.ami_as("reader").expect("a login"),
        ast.ami_as("caller").expect("a login"),
    );
    let denied = |answer: Message| {
        headers(
            &answer,
            &[("Response", "Error"), ("Message", "Permission denied")],
        );
    };
    let list = [("Action", "UserPresenceList")];
    let get = [("Action", "UserPresenceGet"), ("User", "alice")];
    let away = [("User", "alice"), ("Status", "away")];

    assert_eq!(reader.list(&list).len(), 2);
    assert_eq!(reader.action(&get).header("State"), "not_set");
    denied(set_action(&reader, &away));
    assert_eq!(read(&ast, "alice"), "not_set");

    denied(caller.action(&list));
    denied(caller.action(&get));
    assert!(set_action(&caller, &away).ok());
    assert_eq!(read(&ast, "alice"), "away");

    // The mark is an event that both may see; it follows those that only one may see.
    ast.run_dialplan(&[], "");
    for (ami, count) in [(&caller, 1), (&reader, 0)] {
        let mut seen = Vec::new();
        wait_until("the mark", || {
            seen.extend(ami.take_events());
            seen.iter()
                .any(|event| event.is_event("UserEvent"))
                .then_some(())
        });
        assert_eq!(
            matching(&seen, "UserPresenceChange", "User", "alice").len(),
            count
        );
    }
}

#[test]
fn every_answer_carries_the_action_id() {
    let ast = configured(STAFF).start();
    let ami = ast.ami();
    // The client only matches answers by the ActionID; here the test checks it.
    let (items, end) = ami.list_to_its_end(&[("Action", "UserPresenceList")]);
    let id = end.header("ActionID").to_owned();
    assert!(items.iter().all(|item| item.get("ActionID") == Some(&id)));
    for (asked, ok) in [
        ("Action: UserPresenceGet\r\nUser: alice", true),
        ("Action: UserPresenceGet\r\nUser: nobody", false),
        (
            "Action: userpresenceset\r\nUser: alice\r\nStatus: away",
            true,
        ),
        ("Action: UserPresenceSet\r\nUser: alice", false),
    ] {
        let id = format!("my own: {}", asked.len());
        let text = format!("{asked}\r\nActionID: {id}\r\n\r\n");
        ami.send_raw(text).expect("a connection");
        let answer = ami.reply(&id).expect("an answer with this id");
        assert_eq!(answer.ok(), ok, "{answer:?}");
        assert_eq!(answer.all("ActionID").count(), 1, "{answer:?}");
    }
}
