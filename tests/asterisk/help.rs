//! Help: what Asterisk shows from the installed XML documentation.

use std::process::Command;

use crate::harness::{Instance, root};

/// Part of Asterisk's log message about missing documentation.
const MISSING: &str = "in XML documentation";

/// The document, alone and with its parts included, is valid by the private Asterisk's DTD.
#[test]
fn the_documentation_is_valid() {
    let repository = env!("CARGO_MANIFEST_DIR");
    let form = root().data().join("documentation/appdocsxml.dtd");
    let form = form.to_str().expect("a path in UTF-8");
    for included in [&["--xinclude", "--noxincludenode"][..], &[]] {
        let checked = Command::new("xmllint")
            .args(["--noout", "--nonet", "--dtdvalid", form])
            .args(included)
            .arg(format!("{repository}/doc/res_userpresence-en_US.xml"))
            .output()
            .expect("the program xmllint");
        let said = String::from_utf8_lossy(&checked.stderr);
        assert!(checked.status.success(), "{said}");
    }
}

#[test]
fn the_console_shows_help_for_every_command_and_event() {
    let ast = Instance::builder()
        .userpresence("[general]\n[alice]\ntype = user\nextension = 200\n")
        .start();

    let shown = |command: &str, expected: &[&str]| {
        let help = ast.cli(command);
        for part in expected {
            assert!(help.contains(part), "{command}: no {part:?} in\n{help}");
        }
    };
    shown(
        "core show function USER_PRESENCE",
        &[
            "set the user's status",
            "USER_PRESENCE(user[,field[,options]])",
            "until",
            "dndStatus",
            "status type",
            "t(seconds)",
            "u(time)",
            "since",
            "reason",
            "extensions",
            "json",
            "base64",
            "Set(USER_PRESENCE(alice)=away,lunch,Back at one\\, or two)",
            "UserPresenceSet",
        ],
    );
    shown(
        "core show function USER_PRESENCE_ROUTE",
        &[
            "USER_PRESENCE_ROUTE(user,origin[,field])",
            "internal",
            "external",
            "without dialling",
            "Dial(${TO}",
        ],
    );
    shown(
        "core show application UserPresenceDial",
        &[
            "UserPresenceDial(user[,options[,dial_options]])",
            "USERPRESENCESTATUS",
            "WRONGTARGET",
            "trust_caller_id",
        ],
    );
    shown(
        "core show application UserPresencePickup",
        &[
            "UserPresencePickup(user[,options])",
            "u(user)",
            "USERPRESENCEPICKUP",
            "USERPRESENCEPICKUP_REASON",
            "NOTMONITORING",
            "FLAGOFF",
            "pickUpCallsOnHold",
        ],
    );
    shown(
        "manager show command UserPresenceList",
        &[
            "Account",
            "UserPresenceEntry",
            "UserPresenceListComplete",
            "ListItems",
        ],
    );
    shown("manager show command UserPresenceGet", &["User", "Json"]);
    shown(
        "manager show command UserPresenceSet",
        &[
            "Set a user's status",
            "Status",
            "Subtype",
            "Message",
            "Options",
            "base64",
            "t(seconds)",
            "u(time)",
            "dnd",
            "DoNotAcceptDepartmentCalls",
            "AllowSeeMyPresence",
            "RingOnMonitoredCall",
            "PickUpCallsOnHold",
        ],
    );
    shown(
        "manager show command UserPresenceLogin",
        &["User", "login_status", "session"],
    );
    shown(
        "manager show command UserPresenceLogout",
        &["User", "logout_status"],
    );
    shown(
        "manager show event UserPresenceChange",
        &[
            "OldStatus",
            "OldStatusType",
            "Until",
            "Subtype",
            "Message",
            "Source",
            "Reason",
            "Sequence",
            "settle",
        ],
    );
    shown(
        "manager show event UserPresenceEntry",
        &["Extensions", "Sequence"],
    );
    shown(
        "manager show event UserPresenceListComplete",
        &["EventList", "ListItems"],
    );

    assert!(!ast.log().contains(MISSING), "{:?}", ast.complaints());
    assert_eq!(ast.complaints(), Vec::<String>::new());
}

/// The help names every word that the function and the actions accept, and every header
/// that they send.
#[test]
fn help_names_every_field_and_header() {
    let ast = Instance::builder()
        .userpresence("[general]\n[alice]\ntype = user\nextension = 200\n")
        .start();
    let function = ast.cli("core show function USER_PRESENCE");
    ast.getvar("USER_PRESENCE(alice,no_such_field)");
    let known = ast.wait_log("unknown field 'no_such_field', expected ");
    let (_, known) = known.split_once("expected ").expect("the list of fields");
    for field in known.split(", ").flat_map(|fields| fields.split(" or ")) {
        assert!(function.contains(field), "no field {field} in\n{function}");
    }
    let function = ast.cli("core show function USER_PRESENCE_ROUTE");
    ast.getvar("USER_PRESENCE_ROUTE(alice,internal,no_such_route)");
    let known = ast.wait_log("unknown field 'no_such_route', expected ");
    let (_, known) = known.split_once("expected ").expect("the list of fields");
    for field in known.split(", ").flat_map(|fields| fields.split(" or ")) {
        assert!(function.contains(field), "no field {field} in\n{function}");
    }

    let ami = ast.ami();
    let documented = |help: &str, message: &crate::harness::Message| {
        for (name, _) in message.headers() {
            let own = ["Event", "Privilege", "ActionID", "SystemName"].contains(&name.as_str());
            assert!(own || help.contains(name), "no header {name} in\n{help}");
        }
    };
    ast.set_custom("200", "away,lunch,Back at one");
    let change = ami.wait_event("a change", |event| event.is_event("UserPresenceChange"));
    documented(&ast.cli("manager show event UserPresenceChange"), &change);
    let name = "UserPresenceAccountEvent";
    let told = ami.wait_event("the account's event", |event| event.is_event(name));
    documented(&ast.cli(&format!("manager show event {name}")), &told);
    let entries = ami.list(&[("Action", "UserPresenceList")]);
    assert!(!entries.is_empty());
    for entry in entries {
        documented(&ast.cli("manager show event UserPresenceEntry"), &entry);
    }
}
