//! Users from realtime, changed in their database.

use serde_json::json;

use super::{CONFIGURATION, ask, file, option, refused, section, send, text};
use crate::harness::Instance;
use crate::harness::api::get;
use crate::harness::database::{Database, Engine};

/// `billing` belongs to another program.
const TABLE: &str = "CREATE TABLE userpresence (name VARCHAR(60) PRIMARY KEY, \
    account VARCHAR(60), extension VARCHAR(200) CHECK (extension <> '305'), \
    method VARCHAR(20), dnd_on VARCHAR(200), title VARCHAR(60), billing VARCHAR(60));";

const ROWS: &str = "INSERT INTO userpresence VALUES \
    ('zoe', 'main', '300;301', 'latest', NULL, NULL, 'B7'), \
    ('yves', 'main', '302', NULL, 'DB(dnd/1)=1', NULL, NULL);";

#[test]
fn a_user_of_sqlite_is_changed_there() {
    a_user_is_changed_there(Engine::Sqlite);
}

#[test]
fn a_user_of_postgresql_is_changed_there() {
    a_user_is_changed_there(Engine::Postgresql);
}

#[test]
fn a_user_of_mariadb_is_changed_there() {
    a_user_is_changed_there(Engine::Mariadb);
}

fn a_user_is_changed_there(engine: Engine) {
    let database = Database::start(engine);
    database.sql(TABLE);
    let builder = Instance::builder().userpresence(&text()).http();
    let ast = database.configure(builder).start();
    let rows = || {
        let columns = ["extension", "method", "dnd_on", "title", "billing"];
        let columns = columns
            .map(|name| format!("COALESCE({name}, '')"))
            .join(", ");
        let sql = format!("SELECT name, {columns} FROM userpresence ORDER BY name;");
        database.sql(&sql).replace('\t', "|")
    };
    // A table without any row: a column's name is nothing but that.
    for name in [
        "title) VALUES ('eve', 'x'); DROP TABLE userpresence; --",
        "title, billing",
        "billing",
        "name",
    ] {
        let new = json!([{"section": "eve", "origin": "realtime", "options": [
            option("account", "main"), option("extension", "309"), option(name, "x")]}]);
        let problems = refused(&ast, &new);
        assert!(problems[0].3.contains("no such column"), "{problems:?}");
    }
    assert_eq!(rows(), "");

    database.sql(ROWS);
    for name in ["zoe", "yves"] {
        ast.cli(&format!("userpresence reload user {name}"));
    }
    ast.wait_value("USER_PRESENCE(yves,extensions)", "302");
    let shown = get(&ast, "boss", CONFIGURATION).json();
    assert_eq!(shown["realtime"], json!({"users": 2, "listed": true}));
    let zoe = section(&shown, "zoe");
    assert_eq!(
        (&zoe["origin"], &zoe["editable"]),
        (&json!("realtime"), &json!(true))
    );
    let columns = zoe["columns"].as_array().expect("columns");
    for (name, expected) in [("title", true), ("display_name", true), ("billing", false)] {
        assert_eq!(columns.contains(&json!(name)), expected, "{name}");
    }
    let names = |shown: &serde_json::Value| {
        let options = shown["options"].as_array().expect("options").iter();
        let names = options.map(|it| it["name"].as_str().unwrap_or_default().to_owned());
        names.collect::<Vec<_>>().join(" ")
    };
    assert_eq!(names(&zoe), "account extension method");
    assert_eq!(zoe["options"][1]["value"], "300;301");
    assert_eq!(section(&shown, "alice")["origin"], "file");
    assert_eq!(section(&shown, "yves")["options"][2]["editable"], false);

    // One column gets another value, one is emptied, one that was NULL is set; the rest and the
    // file stay. The servers' drivers write `;` in their own way, and read it back.
    let body = json!({"options": [option("account", "main"), option("extension", "300"),
        option("extension", "309"), option("title", "Head")]});
    let answer = send(&ast, "PUT", "/sections/zoe", &body);
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.json()["options"][1]["value"], "300;309");
    let several = match engine {
        Engine::Sqlite => "300;309",
        _ => "300^3B309",
    };
    let yves = "yves|302||DB(dnd/1)=1||\n";
    assert_eq!(rows(), format!("{yves}zoe|{several}|||Head|B7\n"));
    ast.wait_value("USER_PRESENCE(zoe,extensions)", "300,309");
    ast.wait_log("'boss' has changed the user 'zoe' of the database");
    assert_eq!(file(&ast), text());
    // What was read is sent back, and changes nothing.
    let body = json!({"options": answer.json()["options"]});
    assert_eq!(send(&ast, "PUT", "/sections/zoe", &body).status, 200);
    assert_eq!(rows(), format!("{yves}zoe|{several}|||Head|B7\n"));
    // A column that the table does not have: nothing has changed.
    let more = json!({"options": [option("account", "main"), option("extension", "300"),
        option("mobile", "0171")]});
    let answer = send(&ast, "PUT", "/sections/zoe", &more);
    assert_eq!(answer.status, 500, "{answer:?}");
    assert!(answer.body.contains("column"), "{answer:?}");
    assert_eq!(rows(), format!("{yves}zoe|{several}|||Head|B7\n"));
    ast.wait_value("USER_PRESENCE(zoe,extensions)", "300,309");

    // A new user, and one that goes.
    let new = json!([{"section": "xena", "origin": "realtime", "options": [
        option("account", "main"), option("extension", "303")]}]);
    assert_eq!(ask(&ast, &new).status, 200);
    ast.wait_value("USER_PRESENCE(xena,extensions)", "303");
    assert_eq!(
        send(&ast, "DELETE", "/sections/zoe", &json!(null)).status,
        204
    );
    assert_eq!(rows(), format!("xena|303||||\n{yves}"));
    assert_eq!(
        get(&ast, "boss", &format!("{CONFIGURATION}/sections/zoe")).status,
        404
    );

    let change = |options: serde_json::Value| json!([{"section": "yves", "options": options}]);
    let code = option("dnd_on", "DB(dnd/1)=1");
    for (changes, expected) in [
        (
            change(json!([
                option("extension", "302"),
                option("dnd_on", "SHELL(id)=1")
            ])),
            "assigns",
        ),
        (change(json!([option("extension", "302")])), "assigns"),
        (
            change(json!([code, option("billing", "x")])),
            "no such column",
        ),
        (
            change(json!([code, option("method", "odd")])),
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
    assert_eq!(rows(), format!("xena|303||||\n{yves}"));
    // A row that another program changes counts as a change.
    let tag = super::tag(&ast);
    database.sql("UPDATE userpresence SET extension = '304' WHERE name = 'yves';");
    assert_ne!(super::tag(&ast), tag);
    // The database refuses a value, and nothing has changed.
    let body = json!({"options": [option("account", "main"), code, option("extension", "305")]});
    let answer = send(&ast, "PUT", "/sections/yves", &body);
    assert_eq!(answer.status, 500, "{answer:?}");
    assert_eq!(
        rows(),
        format!("xena|303||||\n{}", yves.replace("302", "304"))
    );
    if engine == Engine::Postgresql {
        the_file_is_shown_without_the_database(&ast, &database);
    }
}

fn the_file_is_shown_without_the_database(ast: &Instance, database: &Database) {
    database.kill();
    let shown = get(ast, "boss", CONFIGURATION).json();
    let realtime = &shown["realtime"];
    let reason = realtime["reason"].as_str().unwrap_or_default();
    assert!(reason.contains("cannot be read"), "{realtime}");
    assert_eq!(section(&shown, "alice")["origin"], "file");
    let backups = get(ast, "boss", &format!("{CONFIGURATION}/backups"));
    assert_eq!(backups.status, 200, "{backups:?}");
    let lunch = json!([{"section": "lunch", "options": [
        option("label", "Lunch"), option("state", "away")]}]);
    let check = send(ast, "POST", "/check", &json!({"changes": lunch}));
    assert_eq!(check.json(), json!({"problems": []}));
    let row = json!([{"section": "xena", "origin": "realtime", "options": []}]);
    let problems = refused(ast, &row);
    assert!(problems[0].3.contains("cannot be read"), "{problems:?}");
    // A reload needs the rows: the file stays as it was.
    let answer = ask(ast, &lunch);
    assert_eq!(answer.status, 500, "{answer:?}");
    assert_eq!(file(ast), text());
    database.start_again();
    assert_eq!(ask(ast, &lunch).status, 200);
    ast.wait_value("USER_PRESENCE(xena,extensions)", "303");
}
