//! What a change does to the file, line by line.

use serde_json::json;

use super::{change, file, option, section, send, start, text};
use crate::documentation::pages::{code, tables};
use crate::harness::api::get;
use crate::harness::{Instance, MODULE};

#[test]
fn sections_are_shown_with_their_options_and_places() {
    let ast = start();
    let answer = get(&ast, "boss", super::CONFIGURATION);
    let shown = answer.json();
    assert_eq!(
        (&shown["file"], &shown["editable"]),
        (&json!("userpresence.conf"), &json!(true))
    );
    assert_eq!(shown["problems"], json!([]));
    let alice = section(&shown, "alice");
    assert_eq!(alice["type"], "user");
    assert_eq!(alice["templates"], json!(["office"]));
    assert_eq!(
        (&alice["editable"], &alice["reason"]),
        (&json!(true), &json!(null))
    );
    assert_eq!(alice["line"], super::line_of(&ast, "[alice]"));
    let options = alice["options"].as_array().expect("options");
    let words = options.iter().map(|it| {
        let name = it["name"].as_str().unwrap_or_default();
        (
            name,
            it["value"].as_str().unwrap_or("-"),
            it["inherited"] == true,
        )
    });
    let expected = [
        ("type", "user", true),
        ("account", "main", true),
        ("timezone", "Europe/Berlin", true),
        ("id", "4711", false),
        ("extension", "200", false),
        ("mobile", "+49170", false),
    ];
    assert_eq!(words.collect::<Vec<_>>(), expected);
    assert_eq!(options[4]["line"], super::line_of(&ast, "extension = 200"));
    let office = section(&shown, "office");
    assert_eq!(
        (&office["template"], &office["type"]),
        (&json!(true), &json!("user"))
    );
    assert_eq!(section(&shown, "lunch")["options"][1]["value"], "At; lunch");
    // An entity tag that is known is not sent with its content again.
    let tag = format!("If-None-Match: {}", answer.header("ETag"));
    let again = ast.http(
        "GET",
        super::CONFIGURATION,
        &[&crate::harness::api::login("boss"), &tag],
        "",
    );
    assert_eq!((again.status, &*again.body), (304, ""));
    let one = get(
        &ast,
        "boss",
        &format!("{}/sections/alice", super::CONFIGURATION),
    );
    assert_eq!(
        (one.json(), one.header("ETag")),
        (alice, answer.header("ETag"))
    );
    let missing = get(
        &ast,
        "boss",
        &format!("{}/sections/nobody", super::CONFIGURATION),
    );
    assert_eq!(missing.status, 404);
}

#[test]
fn forms_know_what_each_option_is() {
    let ast = start();
    let shown = get(&ast, "boss", super::CONFIGURATION).json();
    let of = |kind: &str, name: &str| {
        let options = shown["options"][kind].as_array().expect("options");
        let found = options.iter().find(|option| option["name"] == name);
        found.unwrap_or_else(|| panic!("{kind} {name}")).clone()
    };
    assert_eq!(
        of("general", "settle"),
        json!({"name": "settle", "kind": "number", "words": [], "repeated": false,
               "default": "0", "low": 0, "high": 60000, "unit": "milliseconds"})
    );
    let method = of("general", "method");
    assert_eq!(
        (&method["kind"], &method["default"]),
        (&json!("word"), &json!("priority"))
    );
    assert_eq!(
        method["words"],
        json!(["priority", "latest", "default", "none"])
    );
    assert_eq!(of("user", "method")["words"], method["words"]);
    assert_eq!(of("user", "method")["default"], json!(null));
    for kind in ["general", "user"] {
        let visibility = of(kind, "visibility");
        assert_eq!(visibility["kind"], "word");
        assert_eq!(visibility["words"], json!(["everyone", "groups", "nobody"]));
    }
    let calls = of("general", "http_calls");
    assert_eq!(
        (&calls["kind"], &calls["words"]),
        (&json!("list"), &json!(["no", "self", "admin"]))
    );
    assert_eq!(of("general", "enabled")["kind"], "boolean");
    assert_eq!(of("general", "priority")["kind"], "list");
    assert_eq!(of("general", "priority")["words"][0], "not_set");
    assert_eq!(of("general", "login_status")["kind"], "status");
    assert_eq!(of("user", "group")["kind"], "list");
    assert_eq!(of("handling", "ring_timeout")["high"], 300);
    assert_eq!(of("status", "state")["kind"], "word");
    assert_eq!(of("presence_table", "away")["words"][0], "unknown");
    assert_eq!(of("api_user", "configure")["kind"], "boolean");
    assert_eq!(of("action", "dnd")["words"], json!(["on", "off"]));
    assert_eq!(of("webhook", "url")["kind"], "text");
    // Options that may be given several times are those of which the documentation says it.
    let mut repeated = 0;
    for table in tables("option") {
        for kind in code(&table.heading) {
            let kind = kind.trim_start_matches("type = ").trim_matches(['[', ']']);
            for row in &table.rows {
                let is_repeated = row
                    .iter()
                    .any(|it| it.contains("may be given several times"));
                for name in code(&row[0]) {
                    assert_eq!(of(kind, &name)["repeated"], is_repeated, "{kind}, {name}");
                    repeated += usize::from(is_repeated);
                }
            }
        }
    }
    assert!(repeated > 20, "only {repeated}");
}

#[test]
fn lines_that_nothing_changes_stay_as_they_are() {
    let ast = start();
    let mut expected = text();
    let replace = |expected: &mut String, from: &str, to: &str| {
        assert_eq!(expected.matches(from).count(), 1, "{from}");
        *expected = expected.replace(from, to);
    };
    // One option gets another value, one is new.
    let answer = send(
        &ast,
        "PUT",
        "/sections/alice",
        &json!({"options": [
            option("id", "4711"), option("extension", "210"), option("mobile", "+49170"),
            option("member", "Local/200@a;x\\"),
        ]}),
    );
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.json()["options"][4]["value"], "210");
    // Releases differ in the blanks before a comment.
    let written = file(&ast);
    let extension = written
        .lines()
        .find(|line| line.starts_with("extension = 210"));
    let extension = extension.expect("the new extension");
    let words: Vec<_> = extension.split_whitespace().collect();
    assert_eq!(words, ["extension", "=", "210", ";", "desk"]);
    replace(&mut expected, "extension = 200 ; desk", extension);
    replace(
        &mut expected,
        "mobile = +49170\n",
        "mobile = +49170\nmember = Local/200@a\\;x\\\n",
    );
    assert_eq!(file(&ast), expected);
    ast.wait_value("USER_PRESENCE(alice,extensions)", "210");

    // [general]: a note, a block comment and an arrow beside what changes.
    change(
        &ast,
        &json!([{"section": "general", "options": [
            option("enabled", "yes"), option("method", "latest"), option("settle", "7"),
        ]}]),
    );
    replace(
        &mut expected,
        "method   =   priority\nsettle => 5\n",
        "method = latest\nsettle => 7\n",
    );
    assert_eq!(file(&ast), expected);

    // An option goes, and the comment above it stays.
    change(
        &ast,
        &json!([{"section": "alice", "options": [
            option("id", "4711"), option("extension", "210"), option("member", "Local/200@a;x\\"),
        ]}]),
    );
    replace(
        &mut expected,
        "; her mobile\nmobile = +49170\n",
        "; her mobile\n",
    );
    assert_eq!(file(&ast), expected);

    // A template, and with it each user that has it.
    change(
        &ast,
        &json!([{"section": "office", "options": [
            option("account", "main"), option("timezone", "Europe/Madrid"), option("method", "none"),
        ]}]),
    );
    replace(
        &mut expected,
        "  timezone = Europe/Berlin\n",
        "timezone = Europe/Madrid\nmethod = none\n",
    );
    assert_eq!(file(&ast), expected);

    // New sections: at the end, and after another one. The type comes by itself.
    change(
        &ast,
        &json!([
            {"section": "away-desk", "type": "status", "after": "lunch", "options": [
                option("label", "Away; back soon"), option("state", "away"), option("subtype", "desk")]},
            {"section": "carol", "templates": ["office"], "options": [option("extension", "202")]},
        ]),
    );
    replace(
        &mut expected,
        "subtype = lunch\n\n",
        "subtype = lunch\n\n[away-desk]\ntype = status\nlabel = Away\\; back soon\n\
         state = away\nsubtype = desk\n\n",
    );
    expected.push_str("\n[carol](office)\nextension = 202\n");
    assert_eq!(file(&ast), expected);
    ast.wait_value("USER_PRESENCE(carol,extensions)", "202");
}

#[test]
fn a_section_gets_another_name_and_place() {
    let ast = start();
    let mut expected = text();
    change(
        &ast,
        &json!([
            {"section": "bob", "rename": "robert", "after": "office"},
            {"section": "lunch", "options": null},
            {"section": "hers", "options": null},
            {"section": "alice", "options": null},
        ]),
    );
    expected = expected.replace("[bob](office)\nextension=201\n\n", "");
    let (begin, end) = (
        expected.find("; Alice").unwrap(),
        expected.find("[quiet]").unwrap(),
    );
    expected.replace_range(begin..end, "[robert](office)\nextension=201\n\n");
    expected = expected.replace("[hers](api)\nrole = self\nuser = alice\n", "");
    expected = expected.replace(
        "[lunch]\ntype = status\nlabel = At\\; lunch\nstate = away\nsubtype = lunch\n\n",
        "",
    );
    assert_eq!(file(&ast), expected);
    ast.wait_value("USER_PRESENCE(robert,extensions)", "201");
    // A backup holds what was before.
    let folder = ast.config_path("userpresence.conf");
    let folder = folder.parent().expect("a folder");
    let entries = std::fs::read_dir(folder).expect("a folder");
    let mut backups = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            name.starts_with("userpresence.conf.backup-")
        });
    let backup = backups.next().expect("a backup");
    assert_eq!(std::fs::read_to_string(backup).expect("a text"), text());
    assert_eq!(backups.next(), None);
    let names: Vec<String> = std::fs::read_dir(folder)
        .expect("a folder")
        .filter_map(|entry| Some(entry.ok()?.file_name().to_string_lossy().into_owned()))
        .filter(|name| name.starts_with('.'))
        .collect();
    assert!(names.is_empty(), "{names:?}");
    ast.wait_log(
        "'boss' has changed the configuration: bob, lunch, hers, alice; what it was is in",
    );
    // It lasts.
    assert!(ast.unload_module(MODULE).ok() && ast.load_module(MODULE).ok());
    ast.wait_value("USER_PRESENCE(robert,extensions)", "201");
    assert_eq!(
        ast.complaints()
            .iter()
            .filter(|line| !line.contains("changed the"))
            .count(),
        0
    );
}

#[test]
fn ends_of_lines_and_a_missing_last_one_are_kept() {
    let text = format!("\u{feff}{}", text()).replace('\n', "\r\n");
    let text = text.trim_end().to_owned();
    let ast = Instance::builder().userpresence(&text).http().start();
    change(
        &ast,
        &json!([{"section": "bob", "options": [option("extension", "209")]}]),
    );
    let expected = text.replace("extension=201\r\n", "extension = 209\r\n");
    assert_eq!(file(&ast), expected);
    change(
        &ast,
        &json!([{"section": "dora", "templates": ["office"], "options": [
        option("extension", "203")]}]),
    );
    let expected = format!("{expected}\r\n\r\n[dora](office)\r\nextension = 203\r\n");
    assert_eq!(file(&ast), expected);
}
