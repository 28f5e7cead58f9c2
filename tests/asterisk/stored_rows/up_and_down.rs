//! An upgrade, a downgrade and an upgrade again, with a real build of an older version.

use std::path::PathBuf;

use serde_json::{Map, Value};

use super::office;
use super::older::assert_contains;
use crate::harness::barrier::catch_up;
use crate::harness::users::{set, wait_state};
use crate::harness::{Instance, built_module};

/// `OLDER=/path/to/res_userpresence.so cargo test ... -- --ignored stored_rows::up_and_down`
#[test]
#[ignore = "it needs a build of an older version"]
fn nothing_is_lost_between_versions() {
    let older = PathBuf::from(std::env::var("OLDER").expect("OLDER names a module"));
    for is_cluster in [false, true] {
        let ast = office::builder(is_cluster).start();
        office::use_everything(&ast);
        // The presence of who was logged in changes with the first start.
        ast.start_again();
        let expected = office::views(&ast);
        for (round, module) in [&older, &built_module()].into_iter().enumerate() {
            ast.stop();
            ast.install_module(module);
            ast.start_again();
            assert_same(
                &ast,
                &expected,
                &format!("round {round}, cluster: {is_cluster}"),
            );
            // Each row is written by this version.
            for user in office::PEOPLE {
                let flag = format!("USER_PRESENCE({user},ringOnMonitoredCall)");
                ast.setvar(&flag, if round == 0 { "true" } else { "false" });
            }
            catch_up(&ast);
        }
        ast.restart(false);
        assert_same(&ast, &expected, &format!("at last, cluster: {is_cluster}"));
        set(&ast, "alice", "available");
        wait_state(&ast, "alice", "available");
        ast.wait_astdb("test/busy", Some("before"));
    }
}

/// Everybody's presence is as expected, but for the numbers and the flag that is set meanwhile.
#[track_caller]
fn assert_same(ast: &Instance, expected: &Map<String, Value>, what: &str) {
    let found = office::views(ast);
    for user in office::PEOPLE {
        let mut expected = expected[user].clone();
        let fields = expected.as_object_mut().expect("an object");
        fields.retain(|field, _| field != "sequence" && field != "ringOnMonitoredCall");
        assert_contains(&found[user], &expected, &format!("{what}: {user}"));
    }
    let complaints = ast.complaints();
    let about_rows = complaints.iter().find(|line| line.contains("AstDB"));
    assert_eq!(about_rows, None, "{what}");
}
