//! Users from realtime, changed in their database.

use serde_json::json;

use super::{CONFIGURATION, ask, file, option, refused, section, send, text};
use crate::harness::Instance;
use crate::harness::api::get;

const TABLE: &str = "CREATE TABLE userpresence (name TEXT, account TEXT, extension TEXT, \
    method TEXT, dnd_on TEXT); \
    INSERT INTO userpresence VALUES ('zoe', 'main', '300;301', 'latest', NULL); \
    INSERT INTO userpresence VALUES ('yves', 'main', '302', NULL, 'DB(dnd/1)=1');";

#[test]
fn a_user_of_the_database_is_changed_there() {
    let ast = Instance::builder()
        .userpresence(&text())
        .realtime(&["userpresence"], TABLE)
        .http()
        .start();
    let rows = || {
        ast.realtime_sql("SELECT name, extension, method, dnd_on FROM userpresence ORDER BY name;")
    };
    let shown = get(&ast, "boss", CONFIGURATION).json();
    assert_eq!(shown["realtime"], json!({"users": 2, "listed": true}));
    let zoe = section(&shown, "zoe");
    assert_eq!(
        (&zoe["origin"], &zoe["editable"]),
        (&json!("realtime"), &json!(true))
    );
    assert_eq!(
        zoe["columns"],
        json!(["account", "extension", "method", "dnd_on"])
    );
    assert_eq!(zoe["options"][1]["value"], "300;301");
    assert_eq!(section(&shown, "alice")["origin"], "file");
    assert_eq!(section(&shown, "yves")["options"][2]["editable"], false);

    // One column gets another value, one is emptied; the rest and the file stay.
    let body = json!({"options": [
        option("account", "main"), option("extension", "300"), option("extension", "309")]});
    let answer = send(&ast, "PUT", "/sections/zoe", &body);
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.json()["options"][1]["value"], "300;309");
    assert_eq!(rows(), "yves|302||DB(dnd/1)=1\nzoe|300;309||\n");
    ast.wait_value("USER_PRESENCE(zoe,extensions)", "300,309");
    ast.wait_log("'boss' has changed the user 'zoe' of the database");
    assert_eq!(file(&ast), text());

    // A new user, and one that goes.
    let new = json!([{"section": "xena", "origin": "realtime", "options": [
        option("account", "main"), option("extension", "303")]}]);
    assert_eq!(ask(&ast, &new).status, 200);
    ast.wait_value("USER_PRESENCE(xena,extensions)", "303");
    assert_eq!(
        send(&ast, "DELETE", "/sections/zoe", &json!(null)).status,
        204
    );
    assert_eq!(rows(), "xena|303||\nyves|302||DB(dnd/1)=1\n");
    assert_eq!(
        get(&ast, "boss", &format!("{CONFIGURATION}/sections/zoe")).status,
        404
    );

    let yves = |options: serde_json::Value| json!([{"section": "yves", "options": options}]);
    let code = option("dnd_on", "DB(dnd/1)=1");
    for (changes, expected) in [
        (
            yves(json!([
                option("extension", "302"),
                option("dnd_on", "SHELL(id)=1")
            ])),
            "assigns",
        ),
        (yves(json!([option("extension", "302")])), "assigns"),
        (yves(json!([code, option("title", "x")])), "no such column"),
        (
            yves(json!([code, option("method", "odd")])),
            "unknown method 'odd'",
        ),
        (
            json!([{"section": "yves", "rename": "ivo"}]),
            "neither another name",
        ),
        (
            json!([{"section": "yves", "options": null}, {"section": "lunch", "options": null}]),
            "changed alone",
        ),
        (
            json!([{"section": "alice", "origin": "realtime", "options": []}]),
            "defined twice",
        ),
    ] {
        let problems = refused(&ast, &changes);
        let found = problems
            .iter()
            .any(|(.., message)| message.contains(expected));
        assert!(found, "{expected}: {problems:?}");
    }
    assert_eq!(rows(), "xena|303||\nyves|302||DB(dnd/1)=1\n");
    // A row that another program changes counts as a change.
    let tag = super::tag(&ast);
    ast.realtime_sql("UPDATE userpresence SET extension = '304' WHERE name = 'yves';");
    assert_ne!(super::tag(&ast), tag);
    // A table that cannot be written: the driver refuses, and nothing has changed.
    ast.realtime_sql(
        "CREATE TRIGGER refuse BEFORE UPDATE ON userpresence \
         BEGIN SELECT RAISE(ABORT, 'read only'); END;",
    );
    let body = json!({"options": [code, option("extension", "305")]});
    let answer = send(&ast, "PUT", "/sections/yves", &body);
    assert_eq!(answer.status, 500, "{answer:?}");
    assert_eq!(rows(), "xena|303||\nyves|304||DB(dnd/1)=1\n");
}
