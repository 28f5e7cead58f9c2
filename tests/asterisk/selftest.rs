//! Tests of the harness itself, on an Asterisk without the module.

use crate::harness::{Instance, root, sets, wait_until};

/// Every module of every set runs without a complaint.
#[test]
fn starts_without_complaint() {
    let (stock, sip) = match root().has_sip() {
        true => (Instance::stock().sip(&["2000"]), sets::SIP),
        false => (Instance::stock(), &[] as &[&str]),
    };
    let ast = stock
        .ari()
        .realtime(&["queues"], "CREATE TABLE queues (name TEXT);")
        .modules(sets::QUEUE)
        .modules(sets::CONFBRIDGE)
        .file("queues.conf", "[general]\n")
        .file("confbridge.conf", "[general]\n")
        .file(
            "musiconhold.conf",
            "[default]\nmode = files\ndirectory = moh\n",
        )
        .start();
    assert_eq!(ast.complaints(), Vec::<String>::new());

    let shown = ast.cli("module show");
    for name in [sets::BASE, sip, sets::ARI, sets::QUEUE, sets::CONFBRIDGE].concat() {
        if !root().has_module(name) {
            continue; // It is in no instance then: a set may do without it.
        }
        let line = shown
            .lines()
            .find(|line| line.starts_with(&format!("{name}.so")));
        let line = line.unwrap_or_else(|| panic!("{name} is not loaded"));
        assert!(line.contains(" Running "), "{line}");
    }
}

#[test]
fn reads_and_sets_functions_and_variables() {
    let ast = Instance::stock()
        .modules(&["func_shell"])
        .hint("2000", "Custom:desk,CustomPresence:alice")
        .start();
    ast.set_custom("alice", "away,lunch,Back at one");
    ast.set_device("desk", "INUSE");
    assert_eq!(
        ast.getvar("PRESENCE_STATE(CustomPresence:alice,message)"),
        "Back at one"
    );
    ast.wait_hint_presence("2000", "away");
    ast.wait_hint_state("2000", "InUse");
    assert_eq!(ast.getvar("NO_SUCH_FUNCTION(alice)"), "");
    assert_eq!(ast.complaints().len(), 1);
    // AMI refuses escalating functions.
    assert_eq!(ast.getvar("SHELL(echo yes)"), "");
    ast.wait_log("Dangerous function SHELL read blocked");
    let refused = ast.try_setvar("PRESENCE_STATE(CustomPresence:alice)", "asleep");
    assert!(refused.is_err());
}

#[test]
fn runs_dialplan_on_a_real_channel() {
    let ast = Instance::stock().start();
    ast.set_custom("alice", "away,lunch,Back at one");
    let value = ast.run_dialplan(
        &["Set(X=a;b,\"c\" ü ${CHANNEL(channeltype)})"],
        "${X}|${PRESENCE_STATE(CustomPresence:alice,subtype)}",
    );
    assert_eq!(value, "a;b,\"c\" ü Local|lunch");
    assert_eq!(ast.evaluate(""), "");
    let long = ast.run_dialplan(
        &[
            &format!("Set(X={})", "0123456789".repeat(30)),
            "Set(X=${X}${X}${X}${X}${X}${X}${X}${X}${X}${X})",
        ],
        "${X}",
    );
    assert_eq!(long, "0123456789".repeat(300));
}

#[test]
fn sees_events_in_order() {
    let ast = Instance::stock().start();
    let ami = ast.ami();
    ast.set_custom("alice", "dnd");
    ast.set_custom("alice", "away,lunch,Back at one");
    let event = ami.wait_event("away", |event| {
        event.is_event("PresenceStateChange") && event.get("Status") == Some("away")
    });
    assert_eq!(event.get("Presentity"), Some("CustomPresence:alice"));
    assert_eq!(event.get("Subtype"), Some("lunch"));
    // The earlier events are used up.
    assert!(ami.events().iter().all(|e| e.get("Status") != Some("dnd")));

    let items = ami.list(&[("Action", "PresenceStateList")]);
    assert_eq!(items.len(), 1, "{items:?}");
}

/// ARI sets functions directly, but reads them only through a channel.
#[test]
fn speaks_http_and_ari() {
    let ast = Instance::stock()
        .ari()
        .dialplan("exten = hold,1,Wait(600)")
        .start();
    let function = "variable?variable=PRESENCE_STATE(CustomPresence:alice";
    let set = ast.ari(
        "POST",
        &format!("/asterisk/{function})"),
        r#"{"value": "away,lunch,Back at one"}"#,
    );
    assert_eq!(set.status, 204, "{set:?}");

    let made = ast.ari(
        "POST",
        "/channels?endpoint=Local/hold@default/n&extension=hold&context=default&channelId=reader",
        "",
    );
    assert_eq!(made.status, 200, "{made:?}");
    let answer = ast.ari("GET", &format!("/channels/reader/{function},message)"), "");
    assert_eq!(answer.status, 200, "{answer:?}");
    let body: serde_json::Value = serde_json::from_str(&answer.body).expect("JSON");
    assert_eq!(body["value"], "Back at one");
    assert_eq!(ast.http("GET", "/nothing", &[], "").status, 404);
}

#[test]
fn limits_the_rights_of_a_limited_user() {
    let ast = Instance::stock()
        .ami_user("viewer", "reporting", "reporting")
        .start();
    let viewer = ast.ami_as("viewer").expect("a login");
    let answer = viewer.action(&[("Action", "Command"), ("Command", "core show version")]);
    assert_eq!(answer.text(), "Permission denied");
    assert!(ast.ami_as("stranger").is_err());
}

#[test]
fn stops_and_starts_again_with_its_stored_state() {
    let ast = Instance::stock().start();
    let kept = || ast.getvar("PRESENCE_STATE(CustomPresence:alice,value)");
    ast.set_custom("alice", "dnd");
    assert!(ast.stop().success());
    assert!(!ast.running());
    ast.start_again();
    assert_eq!(kept(), "dnd");

    ast.set_custom("alice", "xa");
    ast.restart(true);
    assert_eq!(kept(), "xa");

    ast.set_custom("alice", "away");
    wait_until("the commit", || {
        let row = ast.astdb_on_disk("/CustomPresence/alice")?;
        row.starts_with("away").then_some(())
    });
    ast.kill9();
    assert!(!ast.running());
    ast.start_again();
    assert_eq!(kept(), "away");
}

#[test]
fn completes_commands() {
    let ast = Instance::stock().start();
    assert_eq!(ast.complete("presencestate l"), ["list"]);
    assert_eq!(ast.complete("presencestate "), ["change", "list"]);
    assert_eq!(ast.complete("presencestate nothing "), Vec::<String>::new());
    assert!(
        ast.remote("core show version")
            .contains(&format!("Asterisk {}", root().version()))
    );
}

#[test]
fn loads_and_unloads_modules() {
    let ast = Instance::stock().start();
    let answer = ast.load_module("func_math.so");
    assert!(answer.ok(), "{answer:?}");
    assert_eq!(ast.getvar("MATH(1+2,i)"), "3");
    assert!(ast.unload_module("func_math.so").ok());
    assert_eq!(ast.getvar("MATH(1+2,i)"), "");
    ast.wait_log("Function MATH not registered");
}

#[test]
fn reads_realtime_from_a_database() {
    let ast = Instance::stock()
        .modules(&["func_realtime"])
        .realtime(
            &["people"],
            "CREATE TABLE people (name TEXT, phone TEXT);\
             INSERT INTO people VALUES ('alice', '200');",
        )
        .start();
    let asked = "REALTIME_FIELD(people,name,alice,phone)";
    assert_eq!(ast.evaluate(&format!("${{{asked}}}")), "200");
    ast.realtime_sql("UPDATE people SET phone = '201';");
    assert_eq!(ast.evaluate(&format!("${{{asked}}}")), "201");
}

/// Two instances at the same time share nothing.
#[test]
fn instances_run_side_by_side() {
    let (one, two) = (Instance::stock().start(), Instance::stock().start());
    one.set_custom("alice", "dnd");
    two.set_custom("alice", "away");
    assert_eq!(
        one.getvar("PRESENCE_STATE(CustomPresence:alice,value)"),
        "dnd"
    );
    assert_eq!(
        two.getvar("PRESENCE_STATE(CustomPresence:alice,value)"),
        "away"
    );

    let ami = one.ami();
    let path = one.path("");
    drop(one);
    assert!(ami.wait_closed());
    assert!(!path.exists());
    assert!(two.running());
}
