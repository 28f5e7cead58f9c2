//! What a version has stored, read by another one.
//!
//! `fixtures/0.1` and `fixtures/0.1-cluster` are what version 0.1 has stored of everything that it
//! stores: each kind of row in AstDB, and its files. A release that stores more adds a folder by
//! the test [`record`], and changes none.

mod newer;
mod office;
mod older;
mod up_and_down;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::harness::Instance;

/// The rows of AstDB by their key.
type Rows = BTreeMap<String, String>;

/// The files that are stored beside AstDB, below `lib`.
const FILES: [&str; 3] = [
    "userpresence-sequence.json",
    "keys/userpresence.secret",
    "keys/userpresence.passwords",
];

fn fixture(name: &str) -> PathBuf {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/asterisk/fixtures");
    fixtures.join(name)
}

#[track_caller]
fn sqlite(ast: &Instance, sql: &str) -> String {
    let output = Command::new("sqlite3")
        .args(["-batch", "-separator", "\t"])
        .arg(ast.path("lib/astdb.sqlite3"))
        .arg(sql)
        .output()
        .expect("the program sqlite3");
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "sqlite3: {error}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// The rows that matter of a stopped Asterisk.
#[track_caller]
fn rows(ast: &Instance) -> Rows {
    let text = sqlite(
        ast,
        "SELECT key, value FROM astdb WHERE key LIKE '/UserPresence/%' \
         OR key LIKE '/CustomPresence/%' OR key LIKE '/test/%' ORDER BY key;",
    );
    parse(&text)
}

fn parse(text: &str) -> Rows {
    let rows = text.lines().filter_map(|line| line.split_once('\t'));
    let rows = rows.map(|(key, value)| (key.to_owned(), value.to_owned()));
    rows.collect()
}

/// Replaces the rows of a stopped Asterisk.
#[track_caller]
fn put_rows(ast: &Instance, rows: &Rows) {
    let quoted = |text: &str| text.replace('\'', "''");
    let rows = rows.iter().map(|(key, value)| {
        let (key, value) = (quoted(key), quoted(value));
        format!("INSERT OR REPLACE INTO astdb VALUES ('{key}', '{value}');")
    });
    let rows: String = rows.collect();
    sqlite(
        ast,
        &format!("DELETE FROM astdb WHERE key LIKE '/UserPresence/%'; BEGIN; {rows} COMMIT;"),
    );
}

/// The rows of a fixture.
#[track_caller]
fn fixture_rows(name: &str) -> Rows {
    parse(&fs::read_to_string(fixture(name).join("astdb")).expect("the fixture"))
}

/// Starts an Asterisk that has stored what the fixture says, with changes to its rows.
#[track_caller]
fn start_with(name: &str, change: impl FnOnce(&mut Rows)) -> Instance {
    let is_cluster = name.ends_with("cluster");
    let ast = office::builder(is_cluster).not_loaded().start();
    assert!(ast.stop().success());
    let mut rows = fixture_rows(name);
    change(&mut rows);
    put_rows(&ast, &rows);
    fs::create_dir_all(ast.path("lib/keys")).expect("a directory below our own");
    for file in FILES {
        let from = fixture(name).join(file.rsplit('/').next().unwrap_or(file));
        fs::copy(from, ast.path("lib").join(file)).expect("a file of the fixture");
    }
    let modules = ast.read_config("modules.conf");
    ast.write_config(
        "modules.conf",
        &format!("{modules}load = res_userpresence.so\n"),
    );
    ast.start_again();
    ast
}

/// A row as JSON.
#[track_caller]
fn json_of<'a>(rows: &'a Rows, key: &str) -> Value {
    let row: &'a str = rows
        .get(key)
        .unwrap_or_else(|| panic!("no {key} in {rows:#?}"));
    serde_json::from_str(row).unwrap_or_else(|why| panic!("{key}: {why}: {row}"))
}

/// Writes a fixture anew, with the version that is built: for a release that stores more.
///
/// `RECORD=0.2 cargo test ... -- --ignored stored_rows::record`
#[test]
#[ignore = "it writes tests/asterisk/fixtures"]
fn record() {
    let version = std::env::var("RECORD").expect("RECORD names the version");
    for (name, is_cluster) in [
        (version.clone(), false),
        (format!("{version}-cluster"), true),
    ] {
        let ast = office::builder(is_cluster).start();
        office::use_everything(&ast);
        let folder = fixture(&name);
        fs::create_dir_all(&folder).expect("the fixtures");
        // What ends does so in 2100, so that the fixture stays what it is.
        let text: String = rows(&ast)
            .iter()
            .map(|(key, value)| format!("{key}\t{}\n", without_end(value)))
            .collect();
        fs::write(folder.join("astdb"), text).expect("the fixtures");
        for file in FILES {
            let to = folder.join(file.rsplit('/').next().unwrap_or(file));
            fs::copy(ast.path("lib").join(file), to).expect("a stored file");
        }
        let ast = start_with(&name, |_| {});
        let views = office::views(&ast);
        let text = serde_json::to_string_pretty(&views).expect("JSON");
        fs::write(folder.join("views.json"), text + "\n").expect("the fixtures");
    }
}

/// The row with each `until` in the year 2100.
fn without_end(row: &str) -> String {
    let mut parts = row.split("\"until\":");
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let rest = part.trim_start_matches(|c: char| c.is_ascii_digit());
        text.push_str(&format!("\"until\":4102444800000000{rest}"));
    }
    text
}
