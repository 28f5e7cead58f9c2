//! Users from realtime: a real SQLite database through `res_config_sqlite3`.

use std::fs;

use crate::harness::changes::published_states;
use crate::harness::users::{json, read, user_names, wait_verdict};
use crate::harness::{Builder, Instance};

const TABLE: &str = "CREATE TABLE userpresence (name TEXT, method TEXT, extension TEXT, \
    source TEXT, outgoing TEXT, account TEXT, shoe_size TEXT);";

fn builder(file: &str, rows: &str) -> Builder {
    Instance::builder()
        .userpresence(file)
        .realtime(&["userpresence"], &format!("{TABLE}{rows}"))
}

fn insert(name: &str, method: &str, extension: &str, source: &str) -> String {
    let quoted = |text: &str| match text {
        "NULL" => "NULL".to_owned(),
        text => format!("'{text}'"),
    };
    let values = [name, method, extension, source].map(quoted).join(",");
    format!("INSERT INTO userpresence (name, method, extension, source) VALUES ({values});")
}

const ALICE: &str = "[general]\n[alice]\ntype = user\nextension = 200\n";

#[test]
fn users_of_the_database_join_those_of_the_file() {
    let rows = [
        insert(
            "bob",
            "latest",
            "201;202",
            "UserPresence:alice;CustomPresence:team",
        ),
        insert("carol", "NULL", "203", "NULL"),
        insert("dave", "", "NULL", ""),
    ];
    let ast = builder(ALICE, &rows.concat())
        .hint("2001", ",UserPresence:bob")
        .start();
    assert_eq!(user_names(&ast), ["alice", "bob", "carol", "dave"]);
    assert_eq!(read(&ast, "bob,method"), "latest");
    assert_eq!(read(&ast, "bob,extensions"), "201,202");
    assert_eq!(read(&ast, "carol,method"), "priority");
    assert_eq!(read(&ast, "dave,extensions"), "");
    let json = json(&ast, "bob");
    let sources = json["sources"].as_array().expect("a list");
    let addresses: Vec<_> = sources.iter().map(|s| s["address"].as_str()).collect();
    let expected = [
        "CustomPresence:201",
        "CustomPresence:202",
        "UserPresence:alice",
        "CustomPresence:team",
    ];
    assert_eq!(addresses, expected.map(Some));

    for (extension, state) in [
        ("201", "dnd"),
        ("202", "chat"),
        ("200", "xa"),
        ("team", "away"),
    ] {
        ast.set_custom(extension, state);
        ast.wait_hint_presence("2001", state);
    }
    ast.setvar("USER_PRESENCE(bob)", "available,,Here");
    for extension in ["201", "202"] {
        let custom = format!("PRESENCE_STATE(CustomPresence:{extension},message)");
        assert_eq!(ast.getvar(&custom), "Here");
    }

    // An unknown column causes one warning, however many rows have it.
    ast.realtime_sql("UPDATE userpresence SET shoe_size = '43';");
    let before = ast.new_complaints(0).len();
    assert_eq!(before, 0);
    assert!(ast.reload().ok());
    let said = ast.new_complaints(0);
    assert_eq!(said.len(), 1, "{said:#?}");
    let expected = "column 'shoe_size': unknown column, ignored; the columns are ";
    assert!(
        said[0].contains("WARNING[") && said[0].contains(expected),
        "{}",
        said[0]
    );
}

/// An error in a row names the family, the user and the column; the other rows work.
#[test]
fn a_load_leaves_out_a_row_with_an_error() {
    let rows = [
        insert("bob", "best", "201", "NULL"),
        insert("Alice", "NULL", "202", "NULL"),
        insert("carol", "NULL", "203;;204", "NULL"),
        insert("dave", "NULL", "205;205", "NULL"),
        insert("erin", "NULL", "206", "NULL"),
        insert("NULL", "NULL", "207", "NULL"),
    ];
    let ast = builder(ALICE, &rows.concat()).start();
    assert_eq!(user_names(&ast), ["alice", "erin"]);
    let said = ast.new_complaints(0);
    let family = "realtime family 'userpresence', user";
    let expected = [
        format!(
            "{family} 'bob', column 'method': unknown method 'best', expected priority, latest, default or none"
        ),
        format!(
            "{family} 'Alice': user 'Alice' is defined twice (first at userpresence.conf:3, section [alice])"
        ),
        format!("{family} 'carol', column 'extension': empty, expected an extension such as 200"),
        format!("{family} 'dave', column 'extension': the user has '205' twice"),
    ];
    for expected in &expected {
        let lines: Vec<_> = said.iter().filter(|line| line.contains(expected)).collect();
        assert_eq!(lines.len(), 1, "{expected}: {said:#?}");
        assert!(lines[0].contains("ERROR["), "{}", lines[0]);
    }
    assert_eq!(read(&ast, "alice,extensions"), "200");
}

#[test]
fn a_user_in_both_places_makes_a_reload_fail() {
    let ast = builder(ALICE, &insert("bob", "NULL", "201", "NULL")).start();
    ast.realtime_sql(&insert("ALICE", "NULL", "202", "NULL"));
    ast.realtime_sql("DELETE FROM userpresence WHERE name = 'bob';");
    assert!(!ast.reload().ok());
    ast.wait_log("user 'ALICE': user 'ALICE' is defined twice (first at userpresence.conf:3, section [alice])");
    assert_eq!(user_names(&ast), ["alice", "bob"]);
}

/// A cycle of users may lead through the file and the database.
#[test]
fn a_cycle_through_the_database_is_refused() {
    let file = "[general]\n[alice]\ntype = user\nsource = UserPresence:bob\n";
    let ast = builder(file, &insert("bob", "NULL", "201", "NULL")).start();
    assert_eq!(user_names(&ast), ["alice", "bob"]);
    ast.realtime_sql("UPDATE userpresence SET source = 'CustomPresence:x;UserPresence:alice';");
    let cycle =
        "a cycle of users (alice -> bob -> alice), expected a source that does not lead back";
    assert!(!ast.reload().ok());
    ast.wait_log(&format!(
        "userpresence.conf:4, section [alice], option 'source': {cycle}"
    ));
    ast.wait_log(&format!(
        "realtime family 'userpresence', user 'bob', column 'source': {cycle}"
    ));

    let log = ast.log().len();
    let shown = ast.cli("userpresence reload user bob");
    assert!(
        shown.contains("a cycle of users (") && shown.contains("the running configuration stays"),
        "{shown}"
    );
    assert!(ast.log()[log..].lines().all(|line| !line.contains("Panic")));
    assert_eq!(read(&ast, "bob,extensions"), "201");
    ast.set_custom("201", "dnd");
    crate::harness::wait_until("alice dnd", || (read(&ast, "alice") == "dnd").then_some(()));
}

/// An unreachable database removes no user.
#[test]
fn an_unreachable_database_keeps_the_running_users() {
    let ast = builder(ALICE, &insert("bob", "NULL", "201", "NULL")).start();
    ast.set_custom("201", "dnd");
    let kept = || {
        assert_eq!(user_names(&ast), ["alice", "bob"]);
        assert_eq!(read(&ast, "bob"), "dnd");
    };
    crate::harness::wait_until("bob dnd", || (read(&ast, "bob") == "dnd").then_some(()));
    let ami = ast.ami();
    published_states(&ast, &ami);

    // The table lacks the one required column.
    ast.realtime_sql(
        "ALTER TABLE userpresence RENAME TO away; CREATE TABLE userpresence (who TEXT);",
    );
    ast.write_config("userpresence.conf", "[general]\n[zoe]\ntype = user\n");
    assert!(!ast.reload().ok());
    ast.wait_log("Realtime family 'userpresence' gave no row, and its table cannot be read or has no column 'name'");
    kept();
    let shown = ast.cli("userpresence reload user bob");
    assert!(shown.contains("its table cannot be read"), "{shown}");
    kept();

    // The driver is unloaded.
    assert!(ast.unload_module("res_config_sqlite3.so").ok());
    let shown = ast.cli("userpresence reload user bob");
    assert!(
        shown.contains("is not mapped in extconfig.conf, or its driver is not loaded"),
        "{shown}"
    );
    kept();
    assert_eq!(published_states(&ast, &ami), []);

    // The database returns with the same content.
    ast.realtime_sql("DROP TABLE userpresence; ALTER TABLE away RENAME TO userpresence;");
    assert!(ast.load_module("res_config_sqlite3.so").ok());
    ast.write_config("userpresence.conf", ALICE);
    assert!(ast.reload().ok());
    kept();
    assert_eq!(published_states(&ast, &ami), []);
}

/// The database file itself is damaged.
#[test]
fn a_damaged_database_keeps_the_running_users() {
    let ast = builder(ALICE, &insert("bob", "NULL", "201", "NULL")).start();
    let file = ast.path("lib/realtime.sqlite3");
    let good = fs::read(&file).expect("the database");
    fs::write(&file, vec![b'x'; good.len()]).expect("the database");
    assert!(!ast.reload().ok());
    assert_eq!(user_names(&ast), ["alice", "bob"]);
    fs::write(&file, good).expect("the database");
    assert!(ast.reload().ok());
    assert_eq!(user_names(&ast), ["alice", "bob"]);
}

/// A driver cannot always tell an empty table from one that cannot be read: nobody goes by it.
#[test]
fn an_empty_table_removes_nobody_unless_asked_to() {
    let ast = builder(ALICE, &insert("bob", "NULL", "201", "NULL")).start();
    ast.realtime_sql("DELETE FROM userpresence;");
    assert!(!ast.reload().ok());
    let kept = "Realtime family 'userpresence' gave no row at all: the user from it stays; \
                'userpresence reload --really' removes users without a row";
    ast.wait_log(kept);
    assert!(ast.cli("userpresence check").contains(kept));
    assert!(ast.cli("userpresence reload user bob").contains(kept));
    assert_eq!(user_names(&ast), ["alice", "bob"]);
    let shown = ast.cli("userpresence reload --really");
    assert!(shown.contains("1 removed"), "{shown}");
    assert_eq!(user_names(&ast), ["alice"]);
    assert!(ast.reload().ok());
}

/// One user alone is reloaded: changed, new, removed, unknown, and one of the file.
#[test]
fn reload_user_reloads_one_user() {
    let ast = builder(
        ALICE,
        &[
            insert("bob", "priority", "201;202", "NULL"),
            insert("carol", "NULL", "203", "NULL"),
        ]
        .concat(),
    )
    .hint("2001", ",UserPresence:bob")
    .start();
    ast.set_custom("201", "dnd");
    ast.set_custom("202", "chat");
    ast.wait_hint_presence("2001", "dnd");
    let ami = ast.ami();
    let told = |expected: &[(&str, &str)]| {
        let expected = expected
            .iter()
            .map(|(user, state)| ((*user).to_owned(), (*state).to_owned()));
        assert_eq!(published_states(&ast, &ami), expected.collect::<Vec<_>>());
    };
    let reload = |name: &str| ast.cli(&format!("userpresence reload user {name}"));
    published_states(&ast, &ami);

    ast.realtime_sql(
        "UPDATE userpresence SET method = 'latest', extension = '202;201' WHERE name = 'bob';",
    );
    ast.realtime_sql("UPDATE userpresence SET method = 'latest' WHERE name = 'carol';");
    assert!(reload("BOB").contains("is read anew"));
    told(&[("bob", "chat")]);
    assert_eq!(read(&ast, "bob,extensions"), "202,201");
    assert_eq!(read(&ast, "carol,method"), "priority");
    ast.wait_hint_presence("2001", "chat");

    assert!(reload("bob").contains("is read anew"));
    told(&[]);
    // By the extension, as in other commands.
    assert!(reload("203").contains("User 'carol' is read anew"));
    assert_eq!(read(&ast, "carol,method"), "latest");

    ast.set_custom("204", "xa");
    ast.realtime_sql(&insert("dave", "NULL", "204", "NULL"));
    assert!(reload("dave").contains("User 'dave' is new."));
    told(&[("dave", "xa")]);

    ast.realtime_sql("DELETE FROM userpresence WHERE name = 'bob';");
    assert!(reload("bob").contains("User 'bob' is gone."));
    told(&[("bob", "not_set")]);
    ast.wait_hint_presence("2001", "not_set");
    assert_eq!(user_names(&ast), ["alice", "carol", "dave"]);

    assert!(reload("bob").contains("ealtime has no user 'bob'"));
    assert!(reload("nobody").contains("ealtime has no user 'nobody'"));
    assert!(
        reload("ALICE").contains("is defined in userpresence.conf, expected a user from realtime")
    );
    ast.realtime_sql("UPDATE userpresence SET method = 'best' WHERE name = 'dave';");
    let shown = reload("dave");
    assert!(
        shown.contains("user 'dave', column 'method': unknown method 'best', expected priority")
            && shown.contains("the running configuration stays"),
        "{shown}"
    );
    assert_eq!(read(&ast, "dave,method"), "priority");
    told(&[]);
    assert!(reload("").contains("Usage: userpresence reload user <name>"));
}

/// A user's other options: devices, schedule, tables, logins.
#[test]
fn devices_schedules_tables_and_logins_are_columns_too() {
    let file = "[general]\n\
                [mine]\ntype = presence_table\naway = busy\n\
                [room]\ntype = device_table\nin_use = xa,room\nnot_in_use = not_set\n";
    let columns = [
        ("name", "alice"),
        ("extension", "200,Custom:a;201,Custom:b"),
        ("use_devices", "yes"),
        ("device", "Custom:room,room; Custom:hall,meeting"),
        ("schedule", "*,*,30,feb;*,*,31,feb"),
        ("schedule_status", "unavailable"),
        ("lamp_table", "mine"),
        ("queue_table", ""),
        ("login_status", "chat"),
        ("login_overrides", "no"),
        ("ignore_unreachable", "no"),
    ];
    let names = columns.map(|(name, _)| name).join(", ");
    let values = columns.map(|(_, value)| format!("'{value}'")).join(", ");
    let table = names.replace(',', " TEXT,");
    let sql = format!(
        "CREATE TABLE userpresence ({table} TEXT); \
         INSERT INTO userpresence ({names}) VALUES ({values});"
    );
    let ast = Instance::builder()
        .userpresence(file)
        .realtime(&["userpresence"], &sql)
        .start();
    let wait = |verdict: &str| wait_verdict(&ast, "alice", verdict);
    wait("unavailable schedule only");
    for (device, verdict) in [
        ("b", "dnd Custom:b highest"),
        ("a", "dnd Custom:a last_of_equals"),
    ] {
        ast.set_device(device, "INUSE");
        wait(verdict);
    }
    for device in ["a", "b"] {
        ast.set_device(device, "NOT_INUSE");
    }
    wait("unavailable schedule highest");
    ast.set_device("room", "INUSE");
    wait("xa Custom:room highest");
    ast.set_device("hall", "BUSY");
    wait("dnd Custom:hall highest");
    assert_eq!(read(&ast, "alice,subtype"), "meeting");
    for device in ["room", "hall"] {
        ast.set_device(device, "NOT_INUSE");
    }
    ast.set_custom("201", "away");
    wait("away CustomPresence:201 highest");
    assert_eq!(ast.device("UserPresence:alice"), "BUSY");
    assert_eq!(ast.device("UserPresence:alice@queue"), "UNAVAILABLE");
    ast.set_custom("201", "not_set");
    wait("unavailable schedule highest");
    let login = ast
        .ami()
        .action(&[("Action", "UserPresenceLogin"), ("User", "alice")]);
    assert!(login.ok(), "{login:?}");
    wait("chat CustomPresence:200 first_of_equals");

    ast.realtime_sql("UPDATE userpresence SET lamp_table = NULL, schedule = NULL, device = NULL;");
    assert!(
        ast.cli("userpresence reload user alice")
            .contains("is read anew")
    );
    ast.set_custom("200", "away");
    wait("away CustomPresence:200 highest");
    ast.wait_device("UserPresence:alice", "UNAVAILABLE");
    for (column, value, expected) in [
        (
            "device",
            "Custom:a;desk",
            "'desk' is not a device, expected one such as PJSIP/desk-201",
        ),
        (
            "lamp_table",
            "none",
            "unknown presence_table 'none', expected mine",
        ),
        ("use_devices", "2", "'2', expected yes or no"),
    ] {
        ast.realtime_sql(&format!("UPDATE userpresence SET {column} = '{value}';"));
        let said = ast.cli("userpresence reload user alice");
        let expected = format!("user 'alice', column '{column}': {expected}");
        assert!(said.contains(&expected), "{said} lacks {expected}");
        ast.realtime_sql(&format!("UPDATE userpresence SET {column} = NULL;"));
    }
    wait("away CustomPresence:200 highest");
}
