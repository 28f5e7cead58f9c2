//! The settings that users make for themselves: forwards of their own.

mod actions;
mod calls;
mod http;

use crate::harness::users::set;
use crate::harness::{Builder, Instance};

const CONF: &str = "[general]\nhandling = standard\n\
    [standard]\ntype = handling\nring_timeout = 5\nforward_external_always = 301@default\n\
    [alice]\ntype = user\nextension = 200\noutgoing = none\nown_forward = internal,_30X\n\
    [bob]\ntype = user\nextension = 210\noutgoing = none\n";

const DIALPLAN: &str = "\
exten = 210,1,Set(GLOBAL(WENT)=210)
 same = n,Busy(1)
exten = _30X,1,Set(GLOBAL(WENT)=${EXTEN})
 same = n,Busy(1)
";

fn builder(conf: &str) -> Builder {
    Instance::builder()
        .userpresence(conf)
        .modules(&["app_dial", "pbx_config"])
        .dialplan(DIALPLAN)
}

/// Where an external call to alice went, and the status of the call.
#[track_caller]
fn went(ast: &Instance, origin: &str) -> String {
    let dial = format!("UserPresenceDial(alice,{origin})");
    let lines = ["Set(GLOBAL(WENT)=nowhere)", &dial];
    ast.run_dialplan(&lines, "${GLOBAL(WENT)} ${USERPRESENCESTATUS}")
}

/// Sets alice's forward of external calls in a status.
fn forward(status: &str, target: &str) -> String {
    format!(r#"{{"statuses":{{"{status}":{{"forwardExternal":{{"always":{target}}}}}}}}}"#)
}

#[test]
fn a_forward_of_ones_own_is_carried_out_for_its_status_and_given_back() {
    let ast = builder(CONF).start();
    set(&ast, "alice", "away");
    assert_eq!(went(&ast, "e"), "301 FORWARDED");
    ast.setvar("USER_PRESENCE(alice,settings)", &forward("AWAY", "\"210\""));
    assert_eq!(
        ast.getvar("USER_PRESENCE(alice,settings)"),
        forward("away", "\"210\"")
    );
    assert_eq!(went(&ast, "e"), "210 FORWARDED");
    // Another kind of call, and another status.
    assert_eq!(went(&ast, "i"), "nowhere UNAVAILABLE");
    set(&ast, "alice", "chat");
    assert_eq!(went(&ast, "e"), "301 FORWARDED");
    // None of their own cancels the administrator's, in every status without a setting.
    ast.setvar(
        "USER_PRESENCE(200,settings)",
        &forward("default", "\"none\""),
    );
    assert_eq!(went(&ast, "e"), "nowhere UNAVAILABLE");
    set(&ast, "alice", "away");
    assert_eq!(went(&ast, "e"), "210 FORWARDED");
    let own = ["own", "always"]
        .map(|field| ast.getvar(&format!("USER_PRESENCE_ROUTE(alice,external,{field})")));
    assert_eq!(own, ["always", "210@default"]);
    let routes = ast.cli("userpresence show routes alice");
    assert!(routes.contains("210@default (own)"), "{routes}");
    assert!(routes.contains("none (own)"), "{routes}");
    let why = ast.cli("userpresence explain alice external");
    let expected = "The call goes at once to 210@default, an extension of bob, by alice's own \
                    setting for away.";
    assert!(why.contains(expected), "{why}");
    ast.setvar("USER_PRESENCE(alice,settings)", &forward("away", "null"));
    assert_eq!(went(&ast, "e"), "nowhere UNAVAILABLE");
    ast.setvar("USER_PRESENCE(alice,settings)", r#"{"statuses":null}"#);
    assert_eq!(went(&ast, "e"), "301 FORWARDED");
    assert_eq!(ast.getvar("USER_PRESENCE(alice,settings)"), "{}");
    assert_eq!(ast.getvar("USER_PRESENCE_ROUTE(alice,external,own)"), "");
}

#[test]
fn own_settings_survive_a_kill_a_reload_and_an_unload_and_go_with_the_user() {
    let ast = builder(CONF).start();
    let own = forward("away", "\"210\"");
    set(&ast, "alice", "away");
    ast.setvar("USER_PRESENCE(alice,settings)", &own);
    ast.wait_astdb_on_disk("/UserPresence/settings/alice", &own);
    ast.wait_astdb_on_disk("/UserPresence/user/alice", "away");
    ast.kill9();
    ast.start_again();
    assert_eq!(went(&ast, "e"), "210 FORWARDED");
    assert!(ast.reload().ok());
    assert_eq!(went(&ast, "e"), "210 FORWARDED");
    assert!(ast.unload_module("res_userpresence.so").ok());
    assert!(ast.load_module("res_userpresence.so").ok());
    assert_eq!(went(&ast, "e"), "210 FORWARDED");
    // A removed user's settings come back with the user, or go for good.
    let without = CONF
        .replace("[alice]", "[other]")
        .replace("extension = 200", "extension = 299");
    ast.write_config("userpresence.conf", &without);
    assert!(ast.reload().ok());
    ast.write_config("userpresence.conf", CONF);
    assert!(ast.reload().ok());
    assert_eq!(ast.getvar("USER_PRESENCE(alice,settings)"), own);
    ast.write_config("userpresence.conf", &without);
    assert!(ast.reload().ok());
    let forgotten = ast.cli("userpresence forget alice");
    assert!(
        forgotten.contains("The data of 1 user was deleted"),
        "{forgotten}"
    );
    ast.wait_astdb("UserPresence/settings/alice", None);
    ast.write_config("userpresence.conf", CONF);
    assert!(ast.reload().ok());
    assert_eq!(ast.getvar("USER_PRESENCE(alice,settings)"), "{}");
}

#[test]
fn what_is_not_allowed_is_refused_and_what_is_allowed_no_more_is_not_carried_out() {
    let ast = builder(CONF).start();
    set(&ast, "alice", "away");
    for (target, expected) in [
        (
            "\"+49170\"",
            "this number is not allowed; own_forward of 'alice' allows internal (an extension of a \
             colleague) and _30X",
        ),
        (
            "\"voicemail\"",
            "voicemail is not allowed; own_forward of 'alice' allows internal",
        ),
        (
            "\"210@outside\"",
            "neither the forward_context nor an internal_context",
        ),
        ("\"200\"", "'200' is an extension of 'alice'"),
        (
            "\"2 0\"",
            "statuses.away.forwardExternal.always: '2 0' cannot be dialled",
        ),
        (
            "7",
            "statuses.away.forwardExternal.always: a number, expected a text or null",
        ),
    ] {
        let answer = ast.ami().action(&[
            ("Action", "UserPresenceSetSettings"),
            ("User", "alice"),
            ("Settings", &forward("away", target)),
        ]);
        assert!(!answer.ok(), "{target}");
        let why = answer.get("Message").unwrap_or_default();
        assert!(why.contains(expected), "{target}: {why}");
    }
    let answer = ast.ami().action(&[
        ("Action", "UserPresenceSetSettings"),
        ("User", "200"),
        ("Settings", &forward("away", "\"305\"")),
    ]);
    assert!(answer.ok(), "{answer:?}");
    let answer = ast
        .ami()
        .action(&[("Action", "UserPresenceSettings"), ("User", "200")]);
    let told = ["User", "Settings"].map(|name| answer.get(name).unwrap_or_default());
    assert_eq!(told, ["alice", &forward("away", "\"305\"")]);
    assert_eq!(went(&ast, "e"), "305 FORWARDED");
    // The administrator takes the right back.
    ast.write_config(
        "userpresence.conf",
        &CONF.replace("internal,_30X", "internal"),
    );
    assert!(ast.reload().ok());
    assert_eq!(went(&ast, "e"), "301 FORWARDED");
    let ignored = "the own forward away external always to 305 is not carried out: this \
                   number is not allowed; own_forward of 'alice' allows internal (an extension \
                   of a colleague)";
    for command in [
        "explain alice external",
        "show routes alice",
        "show settings alice",
    ] {
        let said = ast.cli(&format!("userpresence {command}"));
        assert!(said.contains(ignored), "{command}: {said}");
    }
    assert_eq!(
        ast.getvar("USER_PRESENCE_ROUTE(alice,external,ignored)"),
        ignored
    );
    ast.write_config("userpresence.conf", CONF);
    assert!(ast.reload().ok());
    assert_eq!(went(&ast, "e"), "305 FORWARDED");
}

#[test]
fn the_console_sets_and_shows_own_settings() {
    let ast = builder(&format!("{CONF}[settings]\ntype = user\n")).start();
    set(&ast, "alice", "away");
    let json = forward("away", "\"210\"").replace('"', "\\\"");
    let said = ast.cli(&format!("userpresence set settings alice \"{json}\""));
    assert!(said.contains("Settings of 'alice' changed"), "{said}");
    let shown = ast.cli("userpresence show settings alice");
    for expected in [
        r#"Own settings: {"statuses":{"away""#,
        "May forward to: internal,_30X",
        "Forwards in status away:",
        "own away",
    ] {
        assert!(shown.contains(expected), "{expected}: {shown}");
    }
    let said = ast.cli("userpresence set settings alice \"{\"");
    assert!(said.contains("The settings are not JSON"), "{said}");
    assert!(
        said.contains("the console removes quotes: write \\\" inside quotes."),
        "{said}"
    );
    for (change, expected) in [
        (
            "statuses.away.ringMobile maybe",
            "statuses.away.ringMobile: 'maybe', expected yes, no or nothing.",
        ),
        (
            "statuses.~.ringTimeout abc",
            "statuses.~.ringTimeout: 'abc' is no number, expected 5 to 300.",
        ),
        (
            "statuses.away.ringTimeout 4",
            "statuses.away.ringTimeout: 4, expected 5 to 300.",
        ),
        ("mobile x", "mobile: 'x' is no number"),
        ("{statuses: {away: null}}", "The settings are not JSON"),
    ] {
        let said = ast.cli(&format!("userpresence set settings alice {change}"));
        assert!(said.starts_with(expected), "{change}: {said}");
    }
    for (headers, expected) in [
        (&[][..], "the header Settings or Item is missing"),
        (
            &[("Item", "mobile"), ("Value", "none"), ("Settings", "{}")][..],
            "the headers Settings and Item are both given, expected one of them",
        ),
        (
            &[("Item", "statuses.away.push"), ("Value", "x")][..],
            "statuses.away.push: 'x', expected yes, no or nothing",
        ),
    ] {
        let action = [("Action", "UserPresenceSetSettings"), ("User", "alice")];
        let answer = ast.ami().action(&[&action[..], headers].concat());
        assert_eq!(answer.get("Message"), Some(expected), "{answer:?}");
    }
    let said = ast.cli("userpresence show settings nobody");
    assert!(said.contains("There is no user 'nobody'"), "{said}");
    // A user with that name can still be set.
    let said = ast.cli("userpresence set settings away");
    assert!(said.contains("Status of 'settings' set"), "{said}");
    // Without such a user, the verb is the only meaning.
    ast.write_config("userpresence.conf", CONF);
    assert!(ast.reload().ok());
    for (change, expected) in [
        (
            "alice ringTimeout 20",
            "'ringTimeout' is no setting, expected",
        ),
        ("alice mobile", "Usage: userpresence set settings"),
        ("away", "Usage: userpresence set settings"),
    ] {
        let said = ast.cli(&format!("userpresence set settings {change}"));
        assert!(said.starts_with(expected), "{change}: {said}");
    }
}
