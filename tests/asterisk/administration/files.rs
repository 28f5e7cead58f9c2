//! Files that include others, and forms that cannot be written here.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

use serde_json::json;

use super::{CONFIGURATION, ask, change, file, option, problem, section, text};
use crate::harness::api::get;
use crate::harness::{Builder, Instance};

const TEAM: &str =
    "; the team\n[dora](office)\nextension = 210\n\n[erin](office) ; new\nextension = 211\n";
const LATE: &str = "[fred](office)\nextension = 212\n";

fn builder(more: &str) -> Builder {
    let text = text().replace("[quiet]", "#include \"team.conf\" ; them\n\n[quiet]");
    let text = format!("{text}#tryinclude \"late*.conf\"\n#tryinclude \"none*.conf\"\n{more}");
    Instance::builder()
        .userpresence(&text)
        .file("team.conf", TEAM)
        .file("late-a.conf", LATE)
        .file("late-b.conf", "; empty\n")
        .http()
}

fn read(ast: &Instance, name: &str) -> String {
    fs::read_to_string(ast.config_path(name)).expect("a file")
}

#[test]
fn a_change_is_made_in_the_file_where_the_section_stands() {
    let ast = builder("").start();
    let main = file(&ast);
    let shown = get(&ast, "boss", CONFIGURATION).json();
    let erin = section(&shown, "erin");
    assert_eq!(
        erin["file"],
        ast.config_path("team.conf").display().to_string()
    );
    assert_eq!(
        (&erin["line"], &erin["editable"]),
        (&json!(5), &json!(true))
    );
    change(
        &ast,
        &json!([{"section": "erin", "options": [option("extension", "219")]}]),
    );
    assert_eq!(read(&ast, "team.conf"), TEAM.replace("211", "219"));
    ast.wait_value("USER_PRESENCE(erin,extensions)", "219");
    change(
        &ast,
        &json!([
            {"section": "gina", "templates": ["office"], "after": "dora",
             "options": [option("extension", "213")]},
            {"section": "dora", "rename": "dorothy"},
        ]),
    );
    let team = "; the team\n[dorothy](office)\nextension = 210\n\n[gina](office)\n\
                extension = 213\n\n[erin](office) ; new\nextension = 219\n";
    assert_eq!(read(&ast, "team.conf"), team);
    change(
        &ast,
        &json!([{"section": "fred", "options": [option("extension", "214")]}]),
    );
    assert_eq!(read(&ast, "late-a.conf"), LATE.replace("212", "214"));
    assert_eq!(
        (file(&ast), read(&ast, "late-b.conf")),
        (main.clone(), "; empty\n".into())
    );
    // Two files cannot be replaced at once.
    let (.., message) = problem(
        &ast,
        &json!([
            {"section": "fred", "options": [option("extension", "215")]},
            {"section": "bob", "options": [option("extension", "216")]},
        ]),
    );
    assert!(message.contains("one file at a time"), "{message}");
    // A section of the main file, with everything that is included as it was.
    change(
        &ast,
        &json!([{"section": "bob", "options": [option("extension", "209")]}]),
    );
    assert_eq!(file(&ast), main.replace("extension=201", "extension = 209"));
    assert_eq!(read(&ast, "team.conf"), team);
    let backups = get(&ast, "boss", &format!("{CONFIGURATION}/backups")).json();
    let names = backups["backups"].as_array().expect("backups").iter();
    let names: Vec<&str> = names
        .map(|it| it["file"].as_str().unwrap_or_default())
        .collect();
    assert_eq!(names.len(), 4, "{backups}");
    assert_eq!(names.iter().filter(|name| **name == "team.conf").count(), 2);
    // The included files change the entity tag too.
    let tag = super::tag(&ast);
    ast.write_config("late-b.conf", "; not empty\n");
    assert_ne!(super::tag(&ast), tag);
}

#[test]
fn what_cannot_be_written_is_shown_with_the_reason() {
    let more = "[bare](!)\n[bob](+,bare)\nmobile = 1\n\n[plus](office)\nextension = 220\ngroup = Sales\ngroup += ,Berlin\n\n\
                [block](office)\nextension = 221 ;-- x\ny = 1 --;\n\n\
                [between](office)\n#include \"inside.conf\"\nextension = 222\n\n\
                [twice]\ntype = user\naccount = main\n[twice]\ntype = status\nstate = xa\n\
                #include \"again.conf\"\n#include \"./again.conf\"\n";
    let text = format!("{}{more}", text());
    let ast = Instance::builder()
        .userpresence(&text)
        .file("inside.conf", "device = Custom:x\n")
        .file("again.conf", "; nothing\n")
        .http()
        .start();
    let shown = get(&ast, "boss", CONFIGURATION).json();
    assert_eq!(shown["problems"], json!([]), "{shown}");
    for (name, expected) in [
        ("bob", "the section goes on at userpresence.conf:"),
        ("plus", "adds to a value (+=)"),
        ("block", "a block comment"),
        ("between", "a directive stands between its options"),
    ] {
        let section = section(&shown, name);
        let reason = section["reason"].as_str().unwrap_or_default();
        assert!(reason.contains(expected), "{name}: {section}");
        assert_eq!(section["editable"], false);
        let (.., message) = problem(&ast, &json!([{"section": name, "options": null}]));
        assert!(message.contains(expected), "{message}");
    }
    // Two sections of one name: the type says which of them is meant.
    let (.., message) = problem(&ast, &json!([{"section": "twice", "options": null}]));
    assert!(message.contains("2 sections have this name"), "{message}");
    change(
        &ast,
        &json!([{"section": "twice", "type": "status", "options": [option("state", "chat")]}]),
    );
    // All others can be changed, and these stay as they are.
    change(
        &ast,
        &json!([{"section": "lunch", "options": [option("state", "xa")]}]),
    );
    let expected = text
        .replace(
            "label = At\\; lunch\nstate = away\nsubtype = lunch\n",
            "state = xa\n",
        )
        .replace(
            "type = status\nstate = xa\n#inc",
            "type = status\nstate = chat\n#inc",
        );
    assert_eq!(file(&ast), expected);
}

#[test]
fn passwords_of_a_sheet_are_changed_where_they_stand() {
    let ast = super::start();
    let said = ast.cli("userpresence password for account main");
    let path = said.split('\'').rfind(|part| part.starts_with('/'));
    let path = path.unwrap_or_else(|| panic!("{said}"));
    // The answer may come before the end.
    ast.wait_log(&format!("are in '{path}'"));
    let sheet = fs::read_to_string(path).expect("a sheet");
    let pasted = format!("{}\n{sheet}", text());
    ast.write_config("userpresence.conf", &pasted);
    assert!(ast.reload().ok());
    let shown = get(&ast, "boss", CONFIGURATION).json();
    for name in ["alice", "bob"] {
        let section = section(&shown, name);
        assert_eq!(section["editable"], true, "{section}");
        let mut options = section["options"].as_array().expect("options").iter();
        let password = options.find(|it| it["name"] == "password");
        let line = super::line_of(&ast, &format!("[{name}](+)")) + 1;
        assert_eq!(password.expect("a password")["line"], line, "{section}");
    }
    // A new option comes to the first part, and the password stays.
    let mut options = vec![
        option("id", "4711"),
        option("extension", "200"),
        option("mobile", "+49170"),
        option("name", "Alice Adams"),
        json!({"name": "password", "value": null}),
    ];
    change(&ast, &json!([{"section": "alice", "options": options}]));
    let named = pasted.replace("mobile = +49170\n", "mobile = +49170\nname = Alice Adams\n");
    assert_eq!(file(&ast), named);
    options.pop();
    change(&ast, &json!([{"section": "alice", "options": options}]));
    let (before, after) = named.split_once("[alice](+)\n").expect("a part");
    let (_, after) = after.split_once('\n').expect("a password");
    let without = format!("{before}[alice](+)\n{after}");
    assert_eq!(file(&ast), without);
    change(&ast, &json!([{"section": "bob", "rename": "bert"}]));
    assert_eq!(file(&ast), without.replace("[bob]", "[bert]"));
    ast.wait_value("USER_PRESENCE(bert,extensions)", "201");
    change(&ast, &json!([{"section": "bert", "options": null}]));
    let left = file(&ast);
    assert!(
        !left.contains("[bert]") && left.contains("[alice](+)"),
        "{left}"
    );
    assert!(ast.reload().ok());
}

#[test]
fn mode_owner_and_link_stay_and_ten_backups() {
    let ast = super::start();
    let (path, real) = (ast.config_path("userpresence.conf"), ast.path("real.conf"));
    fs::rename(&path, &real).expect("a move");
    symlink(&real, &path).expect("a link");
    fs::set_permissions(&real, fs::Permissions::from_mode(0o640)).expect("a mode");
    let owner = fs::metadata(&real)
        .map(|data| (data.uid(), data.gid()))
        .expect("a file");
    // Copies that somebody has made are theirs.
    let copies = ["keep", "0", "20250101T000000.000Z.old"];
    let copies = copies.map(|end| ast.config_path(&format!("userpresence.conf.backup-{end}")));
    for copy in &copies {
        fs::write(copy, "kept").expect("a copy");
    }
    for number in 0..12 {
        let label = format!("Lunch {number}");
        change(
            &ast,
            &json!([{"section": "lunch", "options": [
            option("label", &label), option("state", "away")]}]),
        );
    }
    assert!(fs::symlink_metadata(&path).expect("a link").is_symlink());
    let data = fs::metadata(&real).expect("a file");
    assert_eq!(
        (data.mode() & 0o7777, (data.uid(), data.gid())),
        (0o640, owner)
    );
    let target = format!("{CONFIGURATION}/backups");
    let listed = get(&ast, "boss", &target).json();
    let listed = listed["backups"].as_array().expect("backups").clone();
    assert_eq!(listed.len(), 10);
    for copy in &copies {
        assert_eq!(fs::read_to_string(copy).expect("the copy"), "kept");
    }
    // The latest first: it is what was before the last change.
    let latest = listed[0]["name"].as_str().expect("a name");
    let backup = fs::read_to_string(ast.config_path(latest)).expect("a backup");
    assert!(backup.contains("Lunch 10") && file(&ast).contains("Lunch 11"));
    assert_eq!(
        fs::metadata(ast.config_path(latest))
            .expect("a file")
            .mode()
            & 0o7777,
        0o640
    );
    // A change that changes nothing writes nothing.
    let before = super::tag(&ast);
    change(
        &ast,
        &json!([{"section": "lunch", "options": [
        option("label", "Lunch 11"), option("state", "away")]}]),
    );
    assert_eq!(super::tag(&ast), before);
    assert_eq!(get(&ast, "boss", &target).json()["backups"], json!(listed));
    // One of them is put back.
    let restore = format!("/backups/{latest}");
    let answer = super::send(&ast, "POST", &restore, &json!(null));
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(file(&ast), backup);
    for bad in [
        "userpresence.conf",
        "..%2Fuserpresence.conf",
        "asterisk.conf",
        "userpresence.conf.backup-keep",
        "x",
    ] {
        let answer = super::send(&ast, "POST", &format!("/backups/{bad}"), &json!(null));
        assert_eq!(answer.status, 404, "{bad}: {answer:?}");
    }
}

#[test]
fn a_database_with_the_file_in_it_is_left_alone() {
    let sql = "CREATE TABLE ast_config (id INTEGER PRIMARY KEY, cat_metric INTEGER, var_metric \
               INTEGER, commented INTEGER DEFAULT 0, filename TEXT, category TEXT, var_name TEXT, \
               var_val TEXT);";
    let rows = [
        ("boss", "type", "api_user"),
        ("boss", "password", crate::harness::api::HASH),
        ("boss", "role", "admin"),
        ("boss", "configure", "yes"),
    ];
    let rows = rows.iter().enumerate().map(|(at, (category, name, value))| {
        format!(
            "INSERT INTO ast_config (cat_metric, var_metric, filename, category, var_name, var_val) \
             VALUES (1, {at}, 'userpresence.conf', '{category}', '{name}', '{value}');"
        )
    });
    let sql = format!("{sql}{}", rows.collect::<String>());
    let ast = Instance::builder()
        .realtime(&["sippeers"], &sql)
        .not_loaded()
        .http()
        .start();
    let map = read(&ast, "extconfig.conf");
    ast.write_config(
        "extconfig.conf",
        &format!("{map}userpresence.conf => sqlite3,harness,ast_config\n"),
    );
    ast.stop();
    ast.start_again();
    assert!(ast.load_module(crate::harness::MODULE).ok());
    let shown = get(&ast, "boss", CONFIGURATION).json();
    assert_eq!(shown["editable"], false);
    assert!(
        shown["reason"]
            .as_str()
            .unwrap_or_default()
            .contains("from a database"),
        "{shown}"
    );
    assert_eq!(section(&shown, "boss")["options"][3]["value"], "yes");
    let answer = ask(
        &ast,
        &json!([{"section": "x", "type": "user", "options": []}]),
    );
    assert_eq!(answer.status, 422, "{answer:?}");
}
