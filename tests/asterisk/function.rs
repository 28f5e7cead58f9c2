//! The dialplan function `USER_PRESENCE()`: its values and its errors.

use serde_json::Value;

use crate::harness::ari;
use crate::harness::barrier::{configured, set_extension};
use crate::harness::now;
use crate::harness::users::{ALICE, complaints, read, set};

fn parse(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|why| panic!("{why}: {text}"))
}

#[test]
fn every_field_can_be_read() {
    let conf = "[lunch]\ntype = status\nlabel = At lunch\nstate = away\nsubtype = lunch\n\
                [alice]\ntype = user\nextension = 200\nextension = 201\n\
                source = CustomPresence:door\n";
    let ast = configured(conf).start();
    let before = now();
    set_extension(&ast, "200", "away,lunch,Back at one");
    let since: u64 = read(&ast, "alice,since").parse().expect("milliseconds");
    assert!((before..=now()).contains(&since), "{since}");
    let sequence: u64 = read(&ast, "alice,sequence").parse().expect("a number");
    for (field, value) in [
        ("value", "away"),
        ("subtype", "lunch"),
        ("message", "Back at one"),
        ("until", ""),
        ("source", "CustomPresence:200"),
        ("reason", "only"),
        ("method", "priority"),
        ("extensions", "200,201"),
        ("status", "lunch"),
        ("label", "At lunch"),
        ("dndStatus", "TakeAllCalls"),
    ] {
        assert_eq!(read(&ast, &format!("alice,{field}")), value, "{field}");
        assert_eq!(
            read(&ast, &format!(" ALICE , {} ", field.to_uppercase())),
            value,
            "{field}"
        );
    }
    // Without a field the value is the state.
    for arguments in ["alice", "alice,", "alice,,", "alice,value,e"] {
        assert_eq!(read(&ast, arguments), "away", "{arguments}");
    }
    set_extension(&ast, "201", "dnd");
    assert_eq!(read(&ast, "alice,sequence"), (sequence + 1).to_string());
    assert_eq!(complaints(&ast, ""), Vec::<String>::new());
}

#[test]
fn since_and_sequence_are_empty_before_the_first_change() {
    let ast = configured(ALICE).start();
    for field in ["since", "until", "subtype", "message"] {
        assert_eq!(read(&ast, &format!("alice,{field}")), "", "{field}");
    }
    assert_eq!(read(&ast, "alice,sequence"), "0");
    assert_eq!(read(&ast, "alice,reason"), "nothing_set");
    assert_eq!(read(&ast, "alice,status"), "not_set");
    assert_eq!(read(&ast, "alice,label"), "Not set");
    assert_eq!(read(&ast, "alice"), "not_set");
}

#[test]
fn json_holds_the_result_and_every_source() {
    let conf = "[alice]\ntype = user\nid = 4711\naccount = main\nextension = 200\n\
                extension = 201\ndefault = 201\nsource = CustomPresence:door\n\
                source = Calendar:alice\n";
    let ast = configured(conf).start();
    let text = "Back at \\ one, \"or\" 'two'; ü 🍜 </json> ${X} $[1+1]";
    set(
        &ast,
        "alice",
        &format!("away,lunch,{}", text.replace(',', "\\,")),
    );
    set_extension(&ast, "door", "chat");
    let json = parse(&ast.run_dialplan(&[], "${USER_PRESENCE(alice,json)}"));
    let expected = [
        ("user", "alice"),
        ("id", "4711"),
        ("account", "main"),
        ("state", "away"),
        ("subtype", "lunch"),
        ("message", text),
        ("source", "CustomPresence:200"),
        ("reason", "first_of_equals"),
        ("method", "priority"),
        ("outgoing", "all"),
        ("default", "201"),
    ];
    for (field, value) in expected {
        assert_eq!(json[field], value, "{field}");
    }
    for (field, value) in [
        ("since", read(&ast, "alice,since")),
        ("sequence", read(&ast, "alice,sequence")),
    ] {
        assert_eq!(json[field].to_string(), value, "{field}");
    }
    assert_eq!(json["until"], Value::Null);
    assert_eq!(json["enabled"], true);
    assert_eq!(json["own"]["message"], text);
    assert_eq!(json["own_takes_part"], false);
    let sources = json["sources"].as_array().expect("a list");
    let short = |source: &Value| {
        let text = |field: &str| source[field].as_str().unwrap_or("-").to_owned();
        let flag = |field: &str| source[field].as_bool().expect("a flag");
        let (known, part, won) = (flag("known"), flag("takes_part"), flag("winner"));
        format!(
            "{} {} {} {known} {part} {won}",
            text("address"),
            text("extension"),
            text("state")
        )
    };
    let sources: Vec<_> = sources.iter().map(short).collect();
    assert_eq!(
        sources,
        [
            "CustomPresence:200 200 away true true true",
            "CustomPresence:201 201 away true true false",
            "CustomPresence:door - chat true true false",
            "Calendar:alice - not_set false false false",
        ]
    );
}

/// AMI's Getvar has room for 1024 bytes and does not report failures; the dialplan has
/// room for 4096.
#[test]
fn json_that_does_not_fit_the_callers_buffer_is_an_error() {
    let extensions: String = (0..40).map(|n| format!("extension = 2{n:02}\n")).collect();
    let ast = configured(&format!(
        "[alice]\ntype = user\nextension = 300\n[team]\ntype = user\n{extensions}"
    ));
    let ast = ari::with_ari(ast).start();
    let message = "m".repeat(255);
    set_extension(&ast, "200", &format!("away,,{message}"));
    // One extension fits.
    set_extension(&ast, "300", "away,,Back at one");
    assert_eq!(parse(&read(&ast, "alice,json"))["message"], "Back at one");

    assert_eq!(read(&ast, "team,json"), "");
    assert_eq!(
        ast.run_dialplan(&["Set(X=${USER_PRESENCE(team,json)})"], "${X}"),
        ""
    );
    let whole = ari::Channel::call(&ast, "wait").get("USER_PRESENCE(team,json)");
    let errors = complaints(&ast, "USER_PRESENCE");
    let expected = |room: usize| {
        let needed = whole.len();
        format!(
            "USER_PRESENCE(team,json): the value has {needed} bytes, and the buffer has room for {room}"
        )
    };
    assert_eq!(errors, [expected(1023), expected(4095)]);
    assert!(ast.complaints().iter().any(|line| line.contains("ERROR[")));

    let whole = parse(&whole);
    assert_eq!(whole["message"], message.as_str());
    assert_eq!(whole["sources"].as_array().map(Vec::len), Some(40));
}

#[test]
fn json_passes_whole_through_the_dialplan() {
    let extensions: String = (0..7).map(|n| format!("extension = 2{n:02}\n")).collect();
    let ast = configured(&format!("[alice]\ntype = user\n{extensions}")).start();
    let message = "m".repeat(255);
    set_extension(&ast, "200", &format!("away,,{message}"));
    let text = ast.run_dialplan(&["Set(X=${USER_PRESENCE(alice,json)})"], "${X}");
    assert!(text.len() > 1024, "{}", text.len());
    let json = parse(&text);
    assert_eq!(json["message"], message.as_str());
    assert_eq!(json["sources"].as_array().map(Vec::len), Some(7));
}

#[test]
fn option_e_reads_and_sets_base64() {
    let ast = configured(ALICE).start();
    set(&ast, "alice", "away,bHVuY2g=,QmFjaywgYXQgb25lIPCfjZw=,e");
    assert_eq!(read(&ast, "alice,subtype"), "lunch");
    assert_eq!(read(&ast, "alice,message"), "Back, at one 🍜");
    assert_eq!(read(&ast, "alice,subtype,e"), "bHVuY2g=");
    assert_eq!(read(&ast, "alice,message,e"), "QmFjaywgYXQgb25lIPCfjZw=");
    // The same as with stock's own function.
    let custom = ast.getvar("PRESENCE_STATE(CustomPresence:200,message,e)");
    assert_eq!(custom, "QmFjaywgYXQgb25lIPCfjZw=");
    set(&ast, "alice", "chat,,,e");
    assert_eq!(read(&ast, "alice,message"), "");
}

#[test]
fn each_mistake_in_reading_is_one_clear_message() {
    let ast = configured(ALICE).start();
    for (arguments, why) in [
        (
            "nobody",
            "there is no user 'nobody', expected one of userpresence.conf or realtime",
        ),
        ("", "the user is missing, expected user[,field[,options]]"),
        (
            ",value",
            "the user is missing, expected user[,field[,options]]",
        ),
        (
            "alice,colour",
            "unknown field 'colour', expected state, value, subtype, message, since, until, \
             source, reason, method, sequence, extensions, name, title, email, groups, \
             visibility, status, label, inferred, chosen_state, chosen_subtype, chosen_message, \
             chosen_since, chosen_until, dndStatus, \
             telephonyStatus, meetingStatus, presenceStatus, userStatus, settings, \
             effective_settings, json, \
             allowSeeMyPresence, ringOnMonitoredCall or pickUpCallsOnHold",
        ),
        ("alice,message,x", "unknown option 'x', expected e"),
    ] {
        let asked = format!("USER_PRESENCE({arguments})");
        let known = complaints(&ast, "").len();
        assert_eq!(ast.getvar(&asked), "", "{arguments}");
        assert_eq!(complaints(&ast, "")[known..], [format!("{asked}: {why}")]);
    }
}

#[test]
fn each_mistake_in_setting_is_one_clear_message_and_changes_nothing() {
    let ast = configured(ALICE).start();
    set(&ast, "alice", "away,lunch,Back at one");
    let kept = || {
        [
            "value",
            "subtype",
            "message",
            "since",
            "status",
            "dndStatus",
        ]
        .map(|f| read(&ast, &format!("alice,{f}")))
    };
    let before = kept();
    let states = "not_set, unavailable, available, away, xa, chat or dnd";
    let long = "x".repeat(256);
    for (user, value, why) in [
        (
            "nobody",
            "away",
            "there is no user 'nobody', expected one of userpresence.conf or realtime".to_owned(),
        ),
        (
            "alice",
            "busy",
            format!("unknown status 'busy', expected {states}"),
        ),
        (
            "alice",
            ",lunch",
            format!("the status is missing, expected {states}"),
        ),
        (
            "alice",
            "dnd,,Back, soon",
            "unknown option ' soon', expected e (subtype and message in base64), t(seconds) \
             or t(30m), u(Unix time) or u(14:30); a comma within a text is written \\,"
                .to_owned(),
        ),
        (
            "alice",
            "dnd,a b,,e",
            "the subtype 'a b' is not base64, which option e requires".to_owned(),
        ),
        (
            "alice",
            "dnd,,/w==,e",
            "the message is not UTF-8".to_owned(),
        ),
        (
            "alice",
            "dnd,,Qg0KRXZlbnQ6IHg=,e",
            "the message holds a control character, expected printable text on one line".to_owned(),
        ),
        (
            "alice",
            &format!("dnd,{long}"),
            "the subtype is 256 bytes long, expected at most 255".to_owned(),
        ),
        (
            "alice",
            &format!("dnd,,{long}"),
            "the message is 256 bytes long, expected at most 255".to_owned(),
        ),
        (
            "alice,message",
            "dnd",
            "this field is read-only; expected no field, or status, \
             chosen_message, settings, dndStatus, allowSeeMyPresence, ringOnMonitoredCall or \
             pickUpCallsOnHold"
                .to_owned(),
        ),
        (
            "alice,colour",
            "dnd",
            "unknown field 'colour', expected state, value, subtype, message, since, until, \
             source, reason, method, sequence, extensions, name, title, email, groups, \
             visibility, status, label, inferred, chosen_state, chosen_subtype, chosen_message, \
             chosen_since, chosen_until, dndStatus, \
             telephonyStatus, meetingStatus, presenceStatus, userStatus, settings, \
             effective_settings, json, \
             allowSeeMyPresence, ringOnMonitoredCall or pickUpCallsOnHold"
                .to_owned(),
        ),
        (
            "alice,dndStatus",
            "dnd",
            "unknown dndStatus 'dnd', expected TakeAllCalls, DoNotAcceptAnyCalls or \
             DoNotAcceptDepartmentCalls"
                .to_owned(),
        ),
        (
            "",
            "dnd",
            "the user is missing, expected USER_PRESENCE(user)=\
             status[,subtype[,message[,options]]]"
                .to_owned(),
        ),
    ] {
        let asked = format!("USER_PRESENCE({user})");
        let known = complaints(&ast, "").len();
        assert!(ast.try_setvar(&asked, value).is_err(), "{asked}={value}");
        assert_eq!(complaints(&ast, "")[known..], [format!("{asked}: {why}")]);
    }
    assert_eq!(kept(), before);
    assert_eq!(
        ast.getvar("PRESENCE_STATE(CustomPresence:200,message)"),
        "Back at one"
    );
}

/// Bytes from outside that reach a dialplan need not be text.
#[test]
fn bytes_that_are_not_utf8_are_refused_in_the_dialplan() {
    let ast = configured(ALICE).start();
    for (line, why) in [
        (
            "Set(USER_PRESENCE(alice)=away,,${BASE64_DECODE(/w==)})",
            "USER_PRESENCE(alice): the value is not UTF-8",
        ),
        (
            "Set(USER_PRESENCE(${BASE64_DECODE(/w==)})=away)",
            "): the arguments are not UTF-8",
        ),
        (
            "Set(X=${USER_PRESENCE(${BASE64_DECODE(/w==)})})",
            "): the arguments are not UTF-8",
        ),
        (
            "Set(USER_PRESENCE(alice)=away,,${BASE64_DECODE(Qg0KeA==)})",
            "USER_PRESENCE(alice): the message holds a control character",
        ),
    ] {
        let known = complaints(&ast, "").len();
        // The dialplan continues.
        assert_eq!(
            ast.run_dialplan(&[line], "${USER_PRESENCE(alice)}"),
            "not_set"
        );
        let new = complaints(&ast, "").split_off(known);
        assert!(new.len() == 1 && new[0].contains(why), "{new:?}");
    }
    let longest = "x".repeat(255);
    set(&ast, "alice", &format!("away,{longest},{longest}"));
    assert_eq!(read(&ast, "alice,message"), longest);
}
