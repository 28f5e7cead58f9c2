//! What is handed out with the module works as it is: the sample configuration and
//! the table for realtime.

use std::fs;
use std::path::Path;

use crate::harness::{Instance, wait_until};
use crate::people::wait_custom;

fn handed_out(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn sample() -> String {
    handed_out("configs/samples/userpresence.conf.sample")
}

/// A source's change is heard a moment after it was made.
#[track_caller]
fn wait_value(ast: &Instance, name: &str, value: &str) {
    wait_until(&format!("{name} to be {value}"), || {
        (ast.getvar(name) == value).then_some(())
    });
}

#[test]
fn the_sample_loads_in_silence_and_its_user_works() {
    let ast = Instance::builder().userpresence(&sample()).start();
    assert_eq!(ast.getvar("USER_PRESENCE(alice,extensions)"), "200,201");
    ast.set_custom("201", "away,lunch,Back at one");
    wait_value(&ast, "USER_PRESENCE(alice,message)", "Back at one");
    assert!(ast.cli("userpresence show users").ends_with("1 user"));
    assert!(ast.reload().ok());
    assert_eq!(ast.complaints(), Vec::<String>::new());
}

/// Where the sample states a default, writing it out changes nothing; and the users
/// that it shows in comments are right.
#[test]
fn what_the_sample_leaves_in_comments_is_true() {
    let sample = sample();
    let ast = Instance::builder().userpresence(&sample).start();
    let settings = ast.cli("userpresence show settings");
    let users = settings
        .find("Users")
        .expect("the settings end with counts");

    // An option or section in a comment has no blank after the semicolon.
    let uncommented: String = sample
        .lines()
        .map(|line| match line.strip_prefix(';') {
            Some(text) if text.starts_with(|c: char| c.is_lowercase() || c == '[') => text,
            _ => line,
        })
        .map(|line| format!("{line}\n"))
        .collect();
    for option in [
        "method",
        "priority",
        "outgoing",
        "enabled",
        "presence_prefix",
        "settle",
    ] {
        assert!(uncommented.contains(&format!("\n{option} = ")), "{option}");
    }
    ast.write_config("userpresence.conf", &uncommented);
    assert!(ast.reload().ok());
    let again = ast.cli("userpresence show settings");
    assert_eq!(again[..users], settings[..users]);
    assert!(ast.cli("userpresence show users").ends_with("3 users"));
    ast.setvar("USER_PRESENCE(team)", "chat");
    assert_eq!(ast.getvar("USER_PRESENCE(bob,source)"), "UserPresence:team");
    assert_eq!(ast.complaints(), Vec::<String>::new());
}

#[test]
fn the_table_for_realtime_is_read() {
    let sql = handed_out("doc/userpresence.sql");
    let examples: String = sql
        .lines()
        .filter_map(|line| line.strip_prefix("-- INSERT"))
        .map(|line| format!("INSERT{line}\n"))
        .collect();
    let further = "INSERT INTO userpresence (name, id, account, extension, \"default\", \
                   source, method, priority, outgoing, enabled, presence_prefix) VALUES ('dora', '4712', 'east', '230', '230', \
                   'UserPresence:carol', 'priority', \
                   'dnd,xa,away,chat,unavailable,available,not_set', 'none', 'yes', \
                   'CustomPresence:');\n";
    let ast = Instance::builder()
        .userpresence(&sample())
        .realtime(&["userpresence"], &format!("\n{sql}{examples}{further}"))
        .start();
    assert_eq!(ast.getvar("USER_PRESENCE(carol,extensions)"), "220,221");
    assert_eq!(ast.getvar("USER_PRESENCE(carol,method)"), "latest");
    ast.set_custom("221", "dnd");
    wait_value(&ast, "USER_PRESENCE(dora,source)", "UserPresence:carol");
    assert_eq!(ast.complaints(), Vec::<String>::new());
}

/// The README's configuration and its dialplan, as they stand there.
#[test]
fn the_readme_works() {
    let readme = handed_out("README.md");
    let mut blocks = readme.split("```ini\n").skip(1);
    let mut block = || {
        let block = blocks.next().and_then(|text| text.split("```").next());
        block.expect("a block of configuration")
    };
    let (users, dialplan) = (block(), block());
    let ast = Instance::builder()
        .userpresence(users)
        .dialplan(dialplan)
        .start();
    ast.ami().action(&[
        ("Action", "Originate"),
        ("Channel", "Local/*78@default/n"),
        ("Application", "NoOp"),
        ("Async", "yes"),
    ]);
    ast.wait_hint_presence("2000", "dnd");
    // The writing to the extensions comes a moment later.
    wait_custom(&ast, "201", "message", "Back at one, or two");
    ast.set_custom("200", "available");
    wait_value(&ast, "USER_PRESENCE(alice,source)", "CustomPresence:201");
    assert_eq!(ast.hint("2000").presence, "dnd");
    ast.set_custom("201", "available");
    ast.wait_hint_presence("2000", "available");
    assert_eq!(ast.complaints(), Vec::<String>::new());

    let reference = handed_out("doc/reference.md");
    for field in ["since", "until", "reason", "extensions", "json"] {
        let row = reference
            .lines()
            .any(|line| line.starts_with(&format!("| `{field}`")));
        assert!(row, "no row of the field {field}");
    }
}
