//! What a newer version has stored is kept, and does not disturb this one.
//!
//! The newer version is made up: it stores more fields, other words, and another kind of row.

use std::fs;

use serde_json::{Value, json};

use super::{FILES, Rows, fixture_rows, json_of, office, rows, start_with};
use crate::harness::Instance;
use crate::harness::barrier::catch_up;
use crate::harness::users::{read, set, wait_state};

const FIXTURE: &str = "0.1";

/// Changes a row of the fixture.
#[track_caller]
fn change(rows: &mut Rows, key: &str, change: impl FnOnce(&mut Value)) {
    let key = format!("/UserPresence/{key}");
    let mut row = json_of(rows, &key);
    change(&mut row);
    rows.insert(key, row.to_string());
}

/// The rows of a version that stores more.
fn newer(rows: &mut Rows) {
    change(rows, "user/alice", |row| {
        row["format"] = 7.into();
        row["own"]["mood"] = "hungry".into();
        row["flags"] = json!({"dances": true});
    });
    change(rows, "user/bob", |row| {
        row["own"]["state"] = "asleep".into()
    });
    change(rows, "user/erin", |row| {
        row["dnd_status"] = "AcceptHalf".into()
    });
    change(rows, "source/CustomPresence:230", |row| {
        row["timed"][0]["weight"] = 3.into();
        row["format"] = 7.into();
    });
    change(rows, "settings/erin", |row| row["ringtone"] = "harp".into());
    change(rows, "action/alice", |row| {
        row["later"] = json!([{"call": "555"}]);
        let hum = json!({"queue": "600", "member": "x", "did": ["hum"]});
        row["queues"].as_array_mut().expect("a list").push(hum);
    });
    rows.insert("/UserPresence/badge/alice".into(), "gold".into());
}

/// Starts with the rows of the newer version, which are returned.
fn start() -> (Instance, Rows) {
    let ast = start_with(FIXTURE, newer);
    let mut before = fixture_rows(FIXTURE);
    newer(&mut before);
    (ast, before)
}

#[test]
fn known_values_count_and_unknown_ones_stay_in_their_rows() {
    let (ast, before) = start();
    let log = ast.log();
    let lines = |text: &str| log.lines().filter(|line| line.contains(text)).count();
    let unknown = "that this version does not know, which stay as they are: \
                   badge, dnd_status, flags.dances, format, own, timed";
    assert_eq!(lines(unknown), 1, "{log}");
    assert_eq!(
        lines("'own' of AstDB entry 'UserPresence/user/bob' cannot be read"),
        1
    );
    assert_eq!(
        lines("1 actions in AstDB entry 'UserPresence/action/alice'"),
        1
    );

    // What is known of the same rows counts.
    assert_eq!(read(&ast, "alice,message"), "Soup first");
    assert_eq!(read(&ast, "bob,sequence"), sequence(&before, "bob"));
    assert_eq!(read(&ast, "erin,pickUpCallsOnHold"), "true");
    assert_eq!(read(&ast, "dave,status"), "lunch");

    for user in office::PEOPLE {
        ast.setvar(
            &format!("USER_PRESENCE({user},ringOnMonitoredCall)"),
            "true",
        );
    }
    ast.setvar("USER_PRESENCE(erin,settings,visibility)", "nobody");
    catch_up(&ast);
    assert!(ast.stop().success());
    let after = rows(&ast);
    let row = |rows: &Rows, key: &str| json_of(rows, &format!("/UserPresence/{key}"));
    for (key, parts) in [
        ("user/alice", &["format", "own", "status"][..]),
        ("user/bob", &["own", "status"]),
        ("user/erin", &["dnd_status", "own"]),
        (
            "source/CustomPresence:230",
            &["format", "timed", "state", "since"],
        ),
        ("settings/erin", &["ringtone", "statuses"]),
        ("action/alice", &["later", "queues", "set"]),
    ] {
        for part in parts {
            assert_eq!(
                row(&after, key)[part],
                row(&before, key)[part],
                "{key}: {part}"
            );
        }
    }
    let flags = json!({"dances": true, "ringOnMonitoredCall": true});
    assert_eq!(row(&after, "user/alice")["flags"], flags);
    assert_eq!(after["/UserPresence/badge/alice"], "gold");
}

#[test]
fn a_new_value_replaces_what_is_known_and_nothing_else() {
    let (ast, before) = start();
    set(&ast, "alice", "available");
    set(&ast, "bob", "dnd");
    ast.setvar("USER_PRESENCE(erin,dndStatus)", "TakeAllCalls");
    ast.setvar("USER_PRESENCE(erin,dndStatus)", "DoNotAcceptAnyCalls");
    ast.wait_astdb("test/busy", Some("before"));
    wait_state(&ast, "alice", "available");
    // A reload, without and then with Bob, changes nothing of that.
    let conf = ast.read_config("userpresence.conf");
    ast.write_config("userpresence.conf", &conf.replace("[alice]", "[alicia]"));
    assert!(ast.reload().ok());
    ast.write_config("userpresence.conf", &conf);
    assert!(ast.reload().ok());
    catch_up(&ast);
    assert!(ast.stop().success());

    let after = rows(&ast);
    let row = |key: &str| json_of(&after, &format!("/UserPresence/{key}"));
    let alice = row("user/alice");
    assert_eq!(
        (&alice["format"], &alice["status"]),
        (&json!(7), &json!("available"))
    );
    assert_eq!(alice["own"]["mood"], Value::Null);
    assert_eq!(row("user/bob")["own"]["state"], "dnd");
    assert_eq!(row("user/erin")["dnd_status"], "DoNotAcceptAnyCalls");
    // The actions that it knows are undone; the others wait for the newer version.
    let action = row("action/alice");
    assert_eq!(action["set"], Value::Null);
    let old = json_of(&before, "/UserPresence/action/alice");
    assert_eq!(action["later"], old["later"]);
    assert_eq!(action["queues"], json!([old["queues"][1]]));
}

#[test]
fn what_a_newer_version_has_put_into_the_files_stays() {
    let ast = start_with(FIXTURE, |_| {});
    assert!(ast.stop().success());
    let [numbers, _, passwords] = FILES.map(|file| ast.path("lib").join(file));
    let text = fs::read_to_string(&numbers).expect("the numbers");
    fs::write(&numbers, text.replacen('{', "{\"format\":7,", 1)).expect("our own file");
    let mut text = fs::read_to_string(&passwords).expect("the passwords");
    text.push_str("dora $9$newer digest until=2100\n");
    fs::write(&passwords, &text).expect("our own file");
    ast.start_again();
    let told = ast.complaints();
    let told = told.iter().filter(|line| line.contains("'dora'"));
    assert_eq!(told.count(), 1);
    set(&ast, "alice", "available");
    assert!(ast.stop().success());
    let kept = fs::read_to_string(&numbers).expect("the numbers");
    assert!(kept.contains("\"format\":7"), "{kept}");
    assert_eq!(fs::read_to_string(&passwords).expect("the passwords"), text);
}

fn sequence(rows: &Rows, user: &str) -> String {
    json_of(rows, &format!("/UserPresence/user/{user}"))["sequence"].to_string()
}
