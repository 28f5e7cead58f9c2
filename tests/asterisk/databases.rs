//! Users from real databases: SQLite, PostgreSQL and MariaDB, with the tables of `doc/` and the
//! configuration that `doc/databases.md` shows.

mod ldap;
mod refresh;

use crate::harness::database::{Database, Engine};
use crate::harness::users::{json, read, user_names};
use crate::harness::{Instance, repository_file, wait_until};

const FILE: &str = "[general]\n";

/// An empty database with the table of `doc/`.
fn database(engine: Engine) -> Database {
    let file = match engine {
        Engine::Sqlite => "doc/userpresence-sqlite.sql",
        Engine::Postgresql => "doc/userpresence-postgresql.sql",
        Engine::Mariadb => "doc/userpresence-mariadb.sql",
        Engine::Ldap => unreachable!("a directory has no tables"),
    };
    let database = Database::start(engine);
    database.sql(&repository_file(file));
    database
}

/// A statement that inserts a row; NULL is a value without quotes.
fn insert(engine: Engine, row: &[(&str, &str)]) -> String {
    let quote = if engine == Engine::Mariadb { '`' } else { '"' };
    let columns = row.iter().map(|(name, _)| format!("{quote}{name}{quote}"));
    let values = row.iter().map(|(_, value)| match *value {
        "NULL" => "NULL".to_owned(),
        value => format!("'{}'", value.replace('\'', "''")),
    });
    let columns: Vec<String> = columns.collect();
    let values: Vec<String> = values.collect();
    format!(
        "INSERT INTO userpresence ({}) VALUES ({});\n",
        columns.join(", "),
        values.join(", ")
    )
}

/// The names of all users, sorted: each database has its own order.
fn names(ast: &Instance) -> Vec<String> {
    let mut names = user_names(ast);
    names.sort_unstable_by_key(|name| name.to_ascii_lowercase());
    names
}

fn start(database: &Database, file: &str) -> Instance {
    let builder = Instance::builder().userpresence(file);
    database.configure(builder).start()
}

const FURTHER: &str = "[room]\ntype = device_table\nin_use = xa,room\n\
    [mine]\ntype = presence_table\naway = busy\n\
    [quiet]\ntype = action\nstatus = dnd\ndnd = on\nset = GLOBAL(quiet)=1\n\
    [loud]\ntype = action\nstatus = chat\nset = GLOBAL(loud)=1\n\
    [office-calls]\ntype = handling\nset = office\nring_timeout = 20\n\
    [phone]\ntype = publish_table\n";

/// Every column but the name, with several values where there may be several.
const COLUMNS: &[(&str, &str)] = &[
    ("id", "4711"),
    ("extension", "200;201,Custom:phone-201;Räume-Ω"),
    ("default", "201"),
    ("source", "CustomPresence:team;CustomPresence:Küche 你好"),
    ("device", "Custom:room,room;confbridge:100"),
    ("publish", "yes;PJSIP/soft-201"),
    ("method", "latest"),
    ("priority", "chat,dnd,xa,away,available,unavailable,not_set"),
    ("outgoing", "default"),
    ("enabled", "yes"),
    ("presence_prefix", "CustomPresence:x-"),
    ("device_prefix", "Custom:"),
    ("use_devices", "yes"),
    ("ignore_unreachable", "no"),
    ("lamp_table", "mine"),
    ("queue_table", "mine"),
    ("schedule", "00:00-11:59,*,*,*;12:00-23:59,*,*,*"),
    ("schedule_status", "unavailable"),
    ("timezone", "Europe/Berlin"),
    ("login_status", "available"),
    ("logout_status", "xa"),
    ("register_status", "chat"),
    ("unregister_status", "unavailable"),
    ("login_overrides", "no"),
    ("action", "quiet,loud"),
    ("member", "Local/200@from-queue/n"),
    ("group", "Sales;Berlin"),
    (
        "password",
        "$6$saltsalt$TVLlQcbpFVof5W3Yz4DTP6gRstiNuHwwTt6GLc1E5n0U0aDehy0S5knV8wiOQSpT0Y77vwPZN.Pq.H91p5hVO1",
    ),
    ("display_name", "Zoë «你好» O'Neill"),
    ("title", "Leiterin, Vertrieb"),
    ("email", "zoe@example.com"),
    ("visibility", "groups"),
    (
        "dnd_on",
        "GLOBAL(dnd)=Bitte nicht stören, O'Neill;GLOBAL(b)=1",
    ),
    ("dnd_off", "GLOBAL(dnd)=;GLOBAL(b)=0"),
    ("followme_on", "GLOBAL(follow)=1"),
    ("followme_off", "GLOBAL(follow)=0"),
    ("handling", "office"),
    ("endpoint", "desk,PJSIP/desk-201;soft,PJSIP/soft-201"),
    ("mobile", "+491701234567"),
    ("mailbox", "200@default"),
    ("monitor", "empty;nulls"),
    ("mobile_prefix", "0"),
    ("forward_context", "default"),
    ("internal_context", "default;phones"),
    ("trust_caller_id", "yes"),
    ("always_accept", "200;+491701234567"),
    ("origin_variable", "ORIGIN"),
    ("own_settings", "handling;note"),
    ("own_forward", "internal;_+49X."),
    ("dnd_key", "dnd_status"),
    ("follow_dnd", "yes"),
];

/// What each interface shows of a user, without what names the user.
fn everything(ast: &Instance, user: &str) -> String {
    let mut text = serde_json::to_string_pretty(&json(ast, user)).expect("JSON");
    for command in ["show user", "show routes", "explain"] {
        text.push_str(&ast.cli(&format!("userpresence {command} {user}")));
    }
    text.replace(user, "USER")
}

/// Each column means what the option of that name means in the file; NULL and an empty text
/// mean that it is not given.
fn every_column_is_an_option(engine: Engine) {
    let database = database(engine);
    let row = |name, columns: &[(&'static str, &'static str)]| {
        let mut row = vec![("name", name)];
        row.extend_from_slice(columns);
        insert(engine, &row)
    };
    let all = |value| {
        COLUMNS
            .iter()
            .map(|(name, _)| (*name, value))
            .collect::<Vec<_>>()
    };
    let mut columns = COLUMNS.to_vec();
    columns.push(("account", "row"));
    database.sql(&row("rower", &columns));
    database.sql(&row("empty", &all("")));
    database.sql(&row("nulls", &all("NULL")));
    // The table has these columns and no others.
    let sql = repository_file("doc/userpresence-sqlite.sql");
    let (_, table) = sql.split_once("(\n").expect("the table");
    let (table, _) = table.split_once("\n)").expect("its end");
    let named = table
        .lines()
        .filter_map(|line| line.split_whitespace().next());
    let mut named: Vec<&str> = named.map(|name| name.trim_matches('"')).collect();
    let mut used: Vec<&str> = columns.iter().map(|(name, _)| *name).collect();
    used.push("name");
    named.sort_unstable();
    used.sort_unstable();
    assert_eq!(named, used);

    // In the file, each of several values is an option of its own.
    let mut file = format!("{FILE}{FURTHER}[filer]\ntype = user\naccount = row2\n");
    for (name, value) in COLUMNS {
        let name = if *name == "display_name" {
            "name"
        } else {
            name
        };
        for value in value.split(';') {
            file.push_str(&format!("{name} = {value}\n"));
        }
    }
    file.push_str("[plain]\ntype = user\naccount = default\n");
    let ast = start(&database, &file);
    assert_eq!(ast.complaints(), Vec::<String>::new());
    assert_eq!(names(&ast), ["empty", "filer", "nulls", "plain", "rower"]);
    let (filer, rower) = (everything(&ast, "filer"), everything(&ast, "rower"));
    assert_eq!(rower, filer.replace("row2", "row"));
    let plain = everything(&ast, "plain");
    for user in ["empty", "nulls"] {
        assert_eq!(everything(&ast, user), plain);
    }
    assert!(
        filer.contains("Küche 你好") && filer.contains("Räume-Ω"),
        "{filer}"
    );
    // FreePBX's do not disturb follows both, and takes no assignments.
    for user in ["filer", "rower"] {
        ast.setvar(&format!("USER_PRESENCE({user})"), "dnd");
        ast.wait_astdb("DND/200", Some("YES"));
        ast.setvar(&format!("USER_PRESENCE({user})"), "available");
        ast.wait_astdb("DND/200", None);
    }
    database.sql("UPDATE userpresence SET follow_dnd = 'no' WHERE name = 'rower';");
    let file = ast.read_config("userpresence.conf");
    let file = file.replace("follow_dnd = yes", "follow_dnd = no");
    ast.write_config("userpresence.conf", &file);
    assert!(ast.reload().ok());
    // Both set the same variable: what the row's assignment writes is what the file's does.
    for user in ["filer", "rower"] {
        ast.setvar("GLOBAL(dnd)", "none");
        ast.setvar(&format!("USER_PRESENCE({user})"), "dnd");
        ast.wait_value("GLOBAL(dnd)", "Bitte nicht stören, O'Neill");
        ast.setvar(&format!("USER_PRESENCE({user})"), "available");
    }
}

/// Rows come, change and go, at a reload and one by one.
fn rows_change(engine: Engine) {
    let database = database(engine);
    for (name, extension) in [
        ("anna", "200"),
        ("björn", "201"),
        ("Carl", "202"),
        ("dora", "203"),
    ] {
        if name.is_ascii() {
            database.sql(&insert(engine, &[("name", name), ("extension", extension)]));
        }
    }
    let ast = start(&database, FILE);
    assert_eq!(names(&ast), ["anna", "Carl", "dora"]);
    let reload = |name: &str| ast.cli(&format!("userpresence reload user {name}"));

    database.sql(
        "UPDATE userpresence SET method = 'latest', extension = '204;200' WHERE name = 'anna';",
    );
    database.sql("UPDATE userpresence SET method = 'none' WHERE name = 'Carl';");
    assert!(reload("ANNA").contains("is read anew"));
    assert_eq!(read(&ast, "anna,extensions"), "204,200");
    assert_eq!(read(&ast, "carl,method"), "priority");
    database.sql("DELETE FROM userpresence WHERE name = 'anna';");
    assert!(reload("anna").contains("User 'anna' is gone."));
    assert!(reload("anna").contains("ealtime has no user 'anna'"));
    database.sql(&insert(engine, &[("name", "emil"), ("extension", "205")]));
    assert!(reload("emil").contains("User 'emil' is new."));
    assert_eq!(names(&ast), ["Carl", "dora", "emil"]);

    // One row with an error is named, and nothing changes.
    database.sql("UPDATE userpresence SET method = 'best' WHERE name = 'emil';");
    database.sql("DELETE FROM userpresence WHERE name = 'dora';");
    let family = "ealtime family 'userpresence', user 'emil', column 'method': unknown method \
                  'best', expected priority, latest, default or none";
    assert!(reload("emil").contains(family));
    assert!(!ast.reload().ok());
    ast.wait_log(family);
    assert_eq!(names(&ast), ["Carl", "dora", "emil"]);
    database.sql("UPDATE userpresence SET method = NULL WHERE name = 'emil';");
    assert!(ast.reload().ok());
    assert_eq!(names(&ast), ["Carl", "emil"]);
    assert_eq!(read(&ast, "carl,method"), "none");
}

/// A server that is gone removes no user, and is used again when it is back.
fn a_server_that_is_gone_removes_nobody(engine: Engine) {
    let database = database(engine);
    for name in ["anna", "bert"] {
        database.sql(&insert(engine, &[("name", name), ("extension", "200")]));
    }
    let ast = start(&database, FILE);
    ast.set_custom("200", "dnd");
    let kept = || assert_eq!(names(&ast), ["anna", "bert"]);
    kept();
    database.kill();
    let from = ast.log().len();
    assert!(!ast.reload().ok());
    kept();
    let refused = "Realtime family 'userpresence' gave no row, and its table cannot be read or has \
                   no column 'name'; the running configuration stays";
    let log = ast.log();
    let ours = log[from..].lines().filter(|line| line.contains(".rs: "));
    let ours: Vec<&str> = ours.collect();
    assert!(ours.len() == 1 && ours[0].contains(refused), "{ours:#?}");
    for user in ["anna", "nobody"] {
        let said = ast.cli(&format!("userpresence reload user {user}"));
        assert!(said.contains("its table cannot be read"), "{said}");
    }
    kept();
    assert_eq!(read(&ast, "bert"), "dnd");

    database.start_again();
    database.sql("UPDATE userpresence SET method = 'latest' WHERE name = 'anna';");
    wait_until("a reload that succeeds", || ast.reload().ok().then_some(()));
    kept();
    assert_eq!(read(&ast, "anna,method"), "latest");

    // The connection breaks while the rows are read.
    let (lock, waiting) = match engine {
        Engine::Mariadb => (
            "LOCK TABLES userpresence WRITE; SELECT SLEEP(600);",
            "SELECT COUNT(*) FROM information_schema.processlist WHERE state LIKE 'Waiting for table%';",
        ),
        _ => (
            "BEGIN; LOCK TABLE userpresence; SELECT pg_sleep(600);",
            "SELECT COUNT(*) FROM pg_locks WHERE NOT granted;",
        ),
    };
    std::thread::scope(|scope| {
        let holder = scope.spawn(|| database.run(lock));
        let sleeps = match engine {
            Engine::Mariadb => {
                "SELECT COUNT(*) FROM information_schema.processlist WHERE info LIKE 'SELECT SLEEP%';"
            }
            _ => {
                "SELECT COUNT(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(600)%' AND wait_event = 'PgSleep';"
            }
        };
        wait_until("the lock", || {
            (database.sql(sleeps).trim() == "1").then_some(())
        });
        let reload = scope.spawn(|| ast.reload());
        wait_until("the waiting driver", || {
            (database.sql(waiting).trim() == "1").then_some(())
        });
        database.kill();
        assert!(!reload.join().expect("an answer").ok());
        assert!(holder.join().expect("an end").is_err());
    });
    kept();
    database.start_again();

    // The connection breaks and is there again: nothing is lost in between.
    database.kill();
    database.start_again();
    wait_until("a reload that succeeds", || {
        let done = ast.reload().ok();
        kept();
        done.then_some(())
    });

    // The table is gone, or cannot be read.
    database.sql("ALTER TABLE userpresence RENAME TO away;");
    assert!(!ast.reload().ok());
    kept();
    let said = ast.cli("userpresence reload user anna");
    assert!(
        said.contains("the running configuration stays") || said.contains("cannot be read"),
        "{said}"
    );
    kept();
    database.sql("ALTER TABLE away RENAME TO userpresence;");
    assert!(ast.reload().ok());
    kept();
}

/// Twenty thousand rows are loaded, and reloaded.
fn many_rows(engine: Engine) {
    const MANY: usize = 20_000;
    let database = database(engine);
    let rows = (0..MANY).map(|n| format!("('user{n}', '{n}', 'latest')"));
    let rows: Vec<String> = rows.collect();
    for rows in rows.chunks(5_000) {
        let rows = rows.join(",");
        database.sql(&format!(
            "INSERT INTO userpresence (name, extension, method) VALUES {rows};"
        ));
    }
    let begin = std::time::Instant::now();
    let ast = start(&database, FILE);
    let started = begin.elapsed();
    let begin = std::time::Instant::now();
    database.sql("UPDATE userpresence SET method = 'best' WHERE name = 'user777';");
    assert!(!ast.reload().ok());
    ast.wait_log(
        "realtime family 'userpresence', user 'user777', column 'method': unknown method 'best'",
    );
    database.sql("UPDATE userpresence SET method = NULL WHERE name = 'user777';");
    assert!(ast.reload().ok());
    assert_eq!(read(&ast, "user777,method"), "priority");
    assert_eq!(read(&ast, "user19999,extensions"), "19999");
    eprintln!(
        "{engine:?}: started in {started:?}, two reloads in {:?}",
        begin.elapsed()
    );
    // A defect that costs the square of the number would take minutes.
    assert!(started.as_secs() < 60, "{started:?}");
}

macro_rules! for_each {
    ($($module:ident = $engine:expr;)*) => {$(
        mod $module {
            use super::*;

            #[test]
            fn every_column_is_an_option() {
                super::every_column_is_an_option($engine);
            }

            #[test]
            fn rows_change() {
                super::rows_change($engine);
            }

            #[test]
            fn many_rows() {
                super::many_rows($engine);
            }
        }
    )*};
}

for_each! {
    sqlite = Engine::Sqlite;
    postgresql = Engine::Postgresql;
    mariadb = Engine::Mariadb;
}

#[test]
fn a_postgresql_server_that_is_gone_removes_nobody() {
    a_server_that_is_gone_removes_nobody(Engine::Postgresql);
}

#[test]
fn a_mariadb_server_that_is_gone_removes_nobody() {
    a_server_that_is_gone_removes_nobody(Engine::Mariadb);
}
