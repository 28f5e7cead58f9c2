//! Where calls go: the function, the console and the flags, with users of the file and of
//! realtime.

use serde_json::Value;

use crate::harness::barrier::{all_events, configured, set_extension};
use crate::harness::changes::matching;
use crate::harness::users::{complaints, json, read, set};
use crate::harness::{Instance, wait_until};

const CONF: &str = "[lunch]\ntype = status\nstate = away\nsubtype = lunch\n\
    [office](!)\ntype = handling\nset = office\nring_timeout = 15\n\
    [office-all](office)\nring_first = desk\nring_second = soft,mobile\n\
    forward_internal_noanswer = voicemail\nforward_external_noanswer = 210@default\n\
    note = usual\n\
    [office-away](office)\nstatus = away,xa\nforward_external_always = +4930123\n\
    [office-lunch](office)\nstatus = lunch\nforward_internal_busy = ${EXTENSION}@at-${STATUS}\n\
    push = no\n\
    [alice]\ntype = user\nextension = 200\nhandling = office\noutgoing = none\n\
    endpoint = desk,PJSIP/desk-200\nendpoint = soft,PJSIP/soft-200\nmobile = 0170\n\
    mobile_prefix = 9\nmailbox = 200@default\n\
    [bob]\ntype = user\nextension = 210\nmonitor = alice\noutgoing = none\n";

#[track_caller]
fn route(ast: &Instance, arguments: &str) -> String {
    ast.getvar(&format!("USER_PRESENCE_ROUTE({arguments})"))
}

#[track_caller]
fn routes(ast: &Instance, origin: &str, expected: &[(&str, &str)]) {
    for (field, value) in expected {
        let shown = route(ast, &format!("alice,{origin},{field}"));
        assert_eq!(shown, *value, "{origin} {field}");
    }
}

#[test]
fn the_function_follows_the_status() {
    let ast = configured(CONF).start();
    set(&ast, "alice", "available");
    let mobile = "PJSIP/soft-200&Local/90170@default/n";
    routes(
        &ast,
        "internal",
        &[
            ("always", ""),
            ("first", "PJSIP/desk-200"),
            ("first_timeout", "15"),
            ("second", mobile),
            ("second_timeout", "15"),
            ("noanswer", "voicemail:200@default"),
            ("busy", ""),
            ("together", "PJSIP/desk-200&PJSIP/soft-200"),
            ("monitors", ""),
            ("push", "yes"),
            ("note", "usual"),
            ("refused", ""),
            ("block", "office-all"),
            ("state", "available"),
            ("status", "available"),
        ],
    );
    routes(&ast, "external", &[("noanswer", "210@default")]);
    assert_eq!(
        route(&ast, " ALICE , External "),
        format!("PJSIP/desk-200 15s, then {mobile} 15s, then 210@default")
    );
    set(&ast, "alice", "lunch");
    routes(
        &ast,
        "internal",
        &[
            ("busy", "200@at-lunch"),
            ("push", "no"),
            ("block", "office-lunch"),
        ],
    );
    set(&ast, "alice", "xa");
    routes(&ast, "external", &[("always", "+4930123@default")]);
    routes(&ast, "internal", &[("always", "")]);
    set(&ast, "alice", "dnd");
    routes(&ast, "internal", &[("second", "PJSIP/soft-200")]);
    ast.setvar("USER_PRESENCE(alice,dndStatus)", "DoNotAcceptAnyCalls");
    routes(
        &ast,
        "internal",
        &[
            ("", "refused DoNotAcceptAnyCalls"),
            ("first", "PJSIP/desk-200"),
        ],
    );
    let text = ast.run_dialplan(&[], "${USER_PRESENCE_ROUTE(alice,internal,json)}");
    let plan: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(plan["steps"][0]["devices"][0], "PJSIP/desk-200");
    assert_eq!(plan["steps"][1]["timeout"], 15);
    assert_eq!(plan["refused"], "DoNotAcceptAnyCalls");
    assert_eq!(plan["always"], Value::Null);
    assert_eq!(ast.complaints(), Vec::<String>::new());
}

#[test]
fn bad_input_names_what_was_expected() {
    let ast = configured(CONF).start();
    for (arguments, why) in [
        ("", "the user is missing, expected user,internal"),
        ("alice", "the origin is missing, expected user,internal"),
        (
            "alice,inside",
            "unknown origin 'inside', expected internal or external",
        ),
        (
            "alice,internal,colour",
            "unknown field 'colour', expected state, status",
        ),
        ("nobody,internal", "there is no user 'nobody'"),
    ] {
        let log = ast.log().len();
        assert_eq!(route(&ast, arguments), "", "{arguments}");
        ast.wait_log_from(log, why);
    }
    let log = ast.log().len();
    // Asterisk reports success whatever the function returns.
    let _ = ast.try_setvar("USER_PRESENCE_ROUTE(alice,internal)", "200");
    ast.wait_log_from(log, "USER_PRESENCE_ROUTE() is read-only");
    let log = ast.log().len();
    let _ = ast.try_setvar("USER_PRESENCE(alice,ringOnMonitoredCall)", "maybe");
    ast.wait_log_from(
        log,
        "'maybe' is no value of ringOnMonitoredCall, expected true or false",
    );
}

#[test]
fn the_console_shows_the_plan_for_each_status() {
    let ast = configured(CONF).start();
    set(&ast, "alice", "lunch");
    let shown = ast.cli("userpresence show routes ALICE");
    let words = |line: &str| {
        line.split_whitespace()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let rows: Vec<_> = shown.lines().map(words).collect();
    assert_eq!(rows[0][..3], ["Status", "Call", "Always"]);
    let row = |status: &str, origin: &str| {
        let found = rows
            .iter()
            .find(|row| row.join(" ").contains(&format!("{status} {origin}")));
        found
            .unwrap_or_else(|| panic!("{status} {origin}\n{shown}"))
            .join(" ")
    };
    assert_eq!(
        row("xa", "external"),
        "xa external +4930123@default PJSIP/desk-200 15s PJSIP/soft-200&Local/90170@default/n \
         15s 210@default - yes office-away"
    );
    assert!(row("lunch", "internal").starts_with("* lunch internal - PJSIP/desk-200 15s"));
    assert!(row("lunch", "internal").ends_with("200@at-lunch no office-lunch"));
    assert!(row("dnd", "internal").contains("PJSIP/soft-200 15s voicemail"));
    assert!(row("any other", "internal").ends_with("voicemail:200@default - yes office-all"));
    assert!(!shown.contains("chat"), "{shown}");
    ast.setvar("USER_PRESENCE(alice,dndStatus)", "DoNotAcceptAnyCalls");
    let shown = ast.cli("userpresence show routes alice");
    assert!(
        shown.contains("alice refuses all calls (DoNotAcceptAnyCalls) except"),
        "{shown}"
    );
    let shown = ast.cli("userpresence show routes nobody");
    assert!(shown.starts_with("There is no user 'nobody'"), "{shown}");

    ast.setvar("USER_PRESENCE(alice,dndStatus)", "TakeAllCalls");
    set(&ast, "alice", "away");
    let shown = ast.cli("userpresence explain alice external");
    for line in [
        "An external call to alice, whose status is away: section [office-away] applies.",
        "The call goes at once to +4930123@default.",
        "Note: usual",
    ] {
        assert!(shown.lines().any(|shown| shown == line), "{line}\n{shown}");
    }
    let shown = ast.cli("userpresence explain alice internal");
    for line in [
        "The call rings PJSIP/desk-200 for 15 seconds.",
        "Then the call rings PJSIP/soft-200 and Local/90170@default/n for 15 seconds.",
        "If nobody answers, the call goes to voicemail:200@default.",
        "If alice is busy, the caller hears busy.",
    ] {
        assert!(shown.lines().any(|shown| shown == line), "{line}\n{shown}");
    }
    let shown = ast.cli("userpresence explain alice sideways");
    assert!(
        shown.starts_with("Unknown origin 'sideways', expected"),
        "{shown}"
    );
}

#[test]
fn explain_shows_where_a_call_from_a_caller_goes() {
    let conf = CONF.replace("mailbox = 200", "always_accept = 211\nmailbox = 200");
    let conf = conf.replace("extension = 210\n", "extension = 210\nextension = 211\n");
    let ast = configured(&conf).start();
    set(&ast, "alice", "away");
    let outside = "The call goes at once to +4930123@default.";
    let inside = "The call rings PJSIP/desk-200 for 15 seconds.";
    for (caller, lines) in [
        (
            "bob",
            [
                "bob is a user: a call from bob's phone is internal.",
                inside,
            ],
        ),
        (
            "211",
            [
                "211 is an extension of bob: a call from that extension is internal.",
                inside,
            ],
        ),
        (
            "+4912",
            [
                "+4912 is neither a user nor a user's extension: the call is external.",
                outside,
            ],
        ),
    ] {
        let shown = ast.cli(&format!("userpresence explain alice from {caller}"));
        for line in lines {
            assert!(shown.lines().any(|shown| shown == line), "{line}\n{shown}");
        }
    }
    ast.setvar("USER_PRESENCE(alice,dndStatus)", "DoNotAcceptAnyCalls");
    for (caller, line) in [
        (
            "211",
            "alice refuses calls (DoNotAcceptAnyCalls), but 211 is in always_accept.",
        ),
        (
            "210",
            "The call is refused: DoNotAcceptAnyCalls. The rest is for callers in always_accept.",
        ),
    ] {
        let shown = ast.cli(&format!("userpresence explain alice from {caller}"));
        assert!(shown.lines().any(|shown| shown == line), "{line}\n{shown}");
    }
    let shown = ast.cli("userpresence explain nobody from bob");
    assert!(shown.starts_with("There is no user 'nobody'"), "{shown}");
}

#[test]
fn a_reload_applies_a_new_handling_and_refuses_a_bad_one() {
    let ast = configured(CONF).start();
    let log = ast.log().len();
    ast.write_config("userpresence.conf", &CONF.replace("15", "4"));
    assert!(!ast.reload().ok());
    ast.wait_log_from(log, "expected a whole number of seconds from 5 to 300");
    routes(&ast, "internal", &[("first_timeout", "15")]);
    ast.write_config("userpresence.conf", &CONF.replace("15", "30"));
    assert!(ast.reload().ok());
    routes(&ast, "internal", &[("first_timeout", "30")]);
    let odd = CONF.replace("endpoint = soft", "endpoint = web");
    let odd = odd.replace("monitor = alice", "monitor = alice,zoe");
    ast.write_config("userpresence.conf", &odd);
    assert!(ast.reload().ok());
    ast.wait_log_from(
        log,
        "the handling 'office' rings the endpoint soft, which the user 'alice' does not have",
    );
    ast.wait_log_from(log, "there is no user 'zoe'");
}

#[test]
fn users_of_realtime_have_endpoints_too() {
    let table = "CREATE TABLE userpresence (name TEXT, extension TEXT, handling TEXT, \
                 endpoint TEXT, mobile TEXT, mailbox TEXT, monitor TEXT, always_accept TEXT);";
    let rows = "INSERT INTO userpresence VALUES ('carol', '220', 'office', \
                'desk,PJSIP/d;soft,PJSIP/s', '0171', '220', 'alice;bob', '200;+49');\
                INSERT INTO userpresence VALUES ('dora', '230', 'attic', NULL, '', '', '', '');";
    let ast = configured(CONF)
        .realtime(&["userpresence"], &format!("{table}{rows}"))
        .start();
    let carol = |field: &str| route(&ast, &format!("carol,internal,{field}"));
    assert_eq!(carol("first"), "PJSIP/d");
    assert_eq!(carol("second"), "PJSIP/s&Local/0171@default/n");
    assert_eq!(carol("noanswer"), "voicemail:220");
    ast.setvar("USER_PRESENCE(carol,ringOnMonitoredCall)", "true");
    routes(&ast, "internal", &[("monitors", "PJSIP/d&PJSIP/s")]);
    ast.wait_log("user 'dora', column 'handling': unknown handling 'attic', expected office");
    ast.realtime_sql("UPDATE userpresence SET endpoint = 'desk,PJSIP/e' WHERE name = 'carol';");
    ast.cli("userpresence reload user carol");
    assert_eq!(carol("first"), "PJSIP/e");
    ast.wait_log(
        "the handling 'office' rings the endpoint soft, which the user 'carol' does not have",
    );
    // The monitors are still known afterwards.
    routes(&ast, "internal", &[("monitors", "PJSIP/e")]);
}

#[test]
fn flags_are_set_shown_published_and_stored() {
    let ast = configured(CONF).start();
    let ami = ast.ami();
    for (flag, value) in [
        ("allowSeeMyPresence", "true"),
        ("ringOnMonitoredCall", "false"),
        ("pickUpCallsOnHold", "false"),
    ] {
        assert_eq!(read(&ast, &format!("bob,{flag}")), value);
    }
    let before: u64 = read(&ast, "bob,sequence").parse().expect("a number");
    ast.setvar("USER_PRESENCE(bob,RINGonMonitoredCall)", "yes");
    assert_eq!(read(&ast, "bob,ringOnMonitoredCall"), "true");
    routes(&ast, "internal", &[("monitors", "PJSIP/210")]);
    let answer = ami.action(&[
        ("Action", "UserPresenceSet"),
        ("User", "bob"),
        ("AllowSeeMyPresence", "false"),
        ("PickUpCallsOnHold", "true"),
    ]);
    assert!(answer.ok(), "{answer:?}");
    let events = all_events(&ast, &ami);
    let changes = matching(&events, "UserPresenceChange", "User", "bob");
    let last = changes.last().expect("a change");
    assert_eq!(changes.len(), 3);
    for (header, value) in [
        ("AllowSeeMyPresence", "false"),
        ("RingOnMonitoredCall", "true"),
        ("PickUpCallsOnHold", "true"),
        ("State", "not_set"),
        ("OldState", "not_set"),
    ] {
        assert_eq!(last.get(header), Some(value), "{header}");
    }
    let after: u64 = read(&ast, "bob,sequence").parse().expect("a number");
    assert!(after >= before + 3);
    let bad = ami.action(&[
        ("Action", "UserPresenceSet"),
        ("User", "bob"),
        ("Status", "dnd"),
        ("PickUpCallsOnHold", "perhaps"),
    ]);
    assert!(
        !bad.ok()
            && bad
                .text()
                .contains("'perhaps' is no value of pickUpCallsOnHold")
    );
    assert_eq!(read(&ast, "bob"), "not_set");
    let shown = ast.cli("userpresence show user bob");
    for line in ["Visible: no", "Ring along: yes", "Hold pickup: yes"] {
        assert!(shown.contains(line), "{line}\n{shown}");
    }
    let check = || {
        let bob = json(&ast, "bob");
        assert_eq!(bob["allowSeeMyPresence"], false);
        assert_eq!(bob["ringOnMonitoredCall"], true);
        assert_eq!(bob["pickUpCallsOnHold"], true);
    };
    check();
    assert!(ast.reload().ok());
    check();
    wait_until("the row on disk", || {
        let row = ast.astdb_on_disk("/UserPresence/user/bob")?;
        row.contains("pickUpCallsOnHold").then_some(())
    });
    ast.kill9();
    ast.start_again();
    check();
    routes(&ast, "internal", &[("monitors", "PJSIP/210")]);
    // A monitor in dnd does not ring.
    set_extension(&ast, "210", "dnd");
    routes(&ast, "internal", &[("monitors", "")]);
    assert_eq!(complaints(&ast, ""), Vec::<String>::new());
}
