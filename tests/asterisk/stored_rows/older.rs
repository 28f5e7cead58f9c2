//! What an older version has stored is read, used and kept.

use std::fs;

use serde_json::Value;

use super::{FILES, fixture, fixture_rows, json_of, office, rows, start_with};
use crate::harness::Instance;
use crate::harness::api::{SESSION, basic};
use crate::harness::barrier::catch_up;
use crate::harness::users::{read, set, wait_state};

/// The names of all fixtures.
fn fixtures() -> Vec<String> {
    let folder = fs::read_dir(fixture("")).expect("the fixtures");
    let names = folder.map(|entry| entry.expect("an entry").file_name());
    let names: Vec<String> = names.filter_map(|name| name.into_string().ok()).collect();
    assert!(names.len() > 1, "{names:?}");
    names
}

#[test]
fn every_value_is_there_and_the_next_save_keeps_it() {
    for name in fixtures() {
        let ast = start_with(&name, |_| {});
        let views = fs::read_to_string(fixture(&name).join("views.json")).expect("the fixture");
        let expected: Value = serde_json::from_str(&views).expect("JSON");
        let found = Value::Object(office::views(&ast));
        for user in office::PEOPLE {
            assert_contains(&found[user], &expected[user], &format!("{name}: {user}"));
        }
        let about_rows = |line: &String| line.contains("AstDB") || line.contains("cannot be read");
        let complaints = ast.complaints().into_iter().filter(about_rows);
        assert_eq!(
            complaints.collect::<Vec<_>>(),
            Vec::<String>::new(),
            "{name}"
        );
        // Frank was logged in when Asterisk stopped. In a cluster they may be at another node.
        if !name.ends_with("cluster") {
            assert_eq!(read(&ast, "frank,status"), "lunch", "{name}");
        }
        assert_passwords(&ast, &name);

        // Each row is written again, with one more flag.
        for user in office::PEOPLE {
            ast.setvar(
                &format!("USER_PRESENCE({user},ringOnMonitoredCall)"),
                "true",
            );
        }
        catch_up(&ast);
        assert!(ast.stop().success());
        assert_kept(&ast, &name);

        // The numbers go on, and what an action has replaced is put back.
        ast.start_again();
        let before: u64 = read(&ast, "alice,sequence").parse().expect("a number");
        set(&ast, "alice", "available");
        wait_state(&ast, "alice", "available");
        let after: u64 = read(&ast, "alice,sequence").parse().expect("a number");
        assert!(after > before, "{name}: {after} after {before}");
        ast.wait_astdb("test/busy", Some("before"));
    }
}

/// Bob's own password is valid, the administrator's is not.
#[track_caller]
fn assert_passwords(ast: &Instance, name: &str) {
    let status = |password: &str| {
        let by = basic("bob", password);
        ast.http("GET", SESSION, &[&by], "").status
    };
    assert_eq!(
        (status("grüner Tee 7"), status("secret")),
        (200, 401),
        "{name}"
    );
}

/// The rows and files hold what they have held.
#[track_caller]
fn assert_kept(ast: &Instance, name: &str) {
    let (before, after) = (fixture_rows(name), rows(ast));
    for user in office::PEOPLE {
        let key = format!("/UserPresence/user/{user}");
        let (mut old, new) = (json_of(&before, &key), json_of(&after, &key));
        // They change with each load and each transition.
        let parts = old.as_object_mut().expect("an object");
        parts.retain(|part, _| part != "panel" && part != "sequence");
        assert_contains(&new, &old, &format!("{name}: {key}"));
        assert_eq!(new["flags"]["ringOnMonitoredCall"], true, "{name}: {key}");
    }
    let same = |key: &str| {
        let kinds = ["/source/", "/settings/", "/action/", "/cluster/"];
        kinds.iter().any(|kind| key.contains(kind)) && !key.ends_with("barrier")
    };
    for key in before.keys().filter(|key| same(key)) {
        assert_eq!(after.get(key), before.get(key), "{name}: {key}");
    }
    for file in FILES.iter().filter(|file| file.starts_with("keys/")) {
        let kept = fixture(name).join(file.trim_start_matches("keys/"));
        let found = fs::read_to_string(ast.path("lib").join(file)).expect("a stored file");
        assert_eq!(
            found,
            fs::read_to_string(kept).expect("the fixture"),
            "{name}: {file}"
        );
    }
}

/// Every member of `expected` is in `found`, with the same value.
#[track_caller]
pub fn assert_contains(found: &Value, expected: &Value, what: &str) {
    match expected {
        Value::Object(members) => {
            for (name, value) in members {
                assert_contains(&found[name], value, &format!("{what}.{name}"));
            }
        }
        Value::Array(items) => {
            for (index, value) in items.iter().enumerate() {
                assert_contains(&found[index], value, &format!("{what}[{index}]"));
            }
        }
        _ => assert_eq!(found, expected, "{what}"),
    }
}
