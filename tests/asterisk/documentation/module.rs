//! What an administrator writes and types: options, fields, commands, functions.

use std::collections::BTreeMap;

use super::pages::{Names, assert_same, code, listed, names, pages, repository, tables};
use super::texts::{elements, help};
use crate::harness::Instance;

/// A name that is nothing, and close to nothing.
const NOTHING: &str = "zzzzzzzzzz";

/// What each type of section needs besides, so that the unknown option is its only error.
const SECTIONS: [(&str, &str); 11] = [
    ("user", ""),
    ("status", "state = away"),
    ("device_table", ""),
    ("presence_table", ""),
    ("publish_table", ""),
    ("action", "status = dnd"),
    ("handling", ""),
    ("api_user", "password = $6$salt$hash"),
    (
        "webhook",
        "url = http://127.0.0.1:9/\nsecret = correct horse battery",
    ),
    ("cluster", "servers = http://127.0.0.1:9"),
    ("node", ""),
];

/// The words of a list such as `type or a state (not_set, away or dnd)`.
fn words(list: &str) -> Names {
    let list = list
        .replace(" or a device state ", ", ")
        .replace(" or what a phone publishes ", ", ")
        .replace(" or a state ", ", ");
    let words = list.split([',', ' ', '(', ')', ';', '.']);
    names(words.filter(|word| !word.is_empty() && *word != "or"))
}

/// What is expected instead, in the line of `text` that holds `about`.
#[track_caller]
fn expected(text: &str, about: &str) -> Names {
    let line = text.lines().find(|line| line.contains(about));
    let line = line.unwrap_or_else(|| panic!("no {about:?} in\n{text}"));
    let (_, list) = line.split_once("expected ").expect("a list");
    words(list.split_once("; ").map_or(list, |(list, _)| list))
}

/// The options of each type of section, and of `[general]`, as the module says them of an
/// option that it does not know; and the types.
fn existing() -> (BTreeMap<String, Names>, Names) {
    let mut conf = format!("[general]\n{NOTHING} = 1\n[no-type]\ntype = {NOTHING}\n");
    for (kind, needed) in SECTIONS {
        conf.push_str(&format!(
            "[a-{kind}]\ntype = {kind}\n{needed}\n{NOTHING} = 1\n"
        ));
    }
    let ast = Instance::builder().userpresence("[general]\n").start();
    ast.write_config("userpresence.conf", &conf);
    let said = ast.cli("userpresence check");
    let of = |section: &str| {
        let about = format!("section [{section}], option '{NOTHING}'");
        expected(&said, &about)
    };
    let mut options = BTreeMap::from([("[general]".to_owned(), of("general"))]);
    for (kind, _) in SECTIONS {
        options.insert(format!("type = {kind}"), of(&format!("a-{kind}")));
    }
    (options, expected(&said, "unknown type"))
}

/// The options of a type as the tables of the pages have them. A table belongs to what its
/// heading has in code.
fn documented() -> BTreeMap<String, Names> {
    let mut options = BTreeMap::<String, Names>::new();
    for table in tables("option") {
        let kinds = code(&table.heading);
        assert!(
            !kinds.is_empty(),
            "whose options are these: {}",
            table.heading
        );
        for kind in kinds {
            let known = options.entry(kind).or_default();
            for option in table.rows.iter().flat_map(|row| code(&row[0])) {
                assert!(
                    known.insert(option.clone()),
                    "{option} twice: {}",
                    table.heading
                );
            }
        }
    }
    options
}

/// The options of each type in the sample, in comments or not.
fn sampled() -> BTreeMap<String, Names> {
    let path = repository().join("configs/samples/userpresence.conf.sample");
    let sample = std::fs::read_to_string(path).expect("the sample");
    let lines = sample
        .lines()
        .map(|line| line.trim_start_matches([';', ' ']));
    let mut sections = Vec::<(String, Vec<String>)>::new();
    for line in lines {
        let name = line.strip_prefix('[').and_then(|rest| rest.split_once(']'));
        if let Some((name, rest)) = name {
            // One that its text names is followed by its end.
            if rest.is_empty() || rest.starts_with('(') {
                let kind = if rest == "(office)" {
                    "type = user"
                } else {
                    ""
                };
                let kind = if name == "general" { "[general]" } else { kind };
                sections.push((kind.to_owned(), Vec::new()));
            }
            continue;
        }
        let option = line.split_once(" =").filter(|(name, rest)| {
            let is_name = |c: char| c.is_ascii_lowercase() || c == '_';
            name.chars().all(is_name) && !rest.starts_with('>')
        });
        if let (Some((name, value)), Some((kind, options))) = (option, sections.last_mut()) {
            if name == "type" {
                let word = value.trim().split(' ').next().unwrap_or_default();
                *kind = format!("type = {word}");
            }
            options.push(name.to_owned());
        }
    }
    let mut found = BTreeMap::<String, Names>::new();
    for (kind, options) in sections {
        found.entry(kind).or_default().extend(options);
    }
    found
}

/// The options that are columns of a table for realtime.
fn columns(table: &str) -> Names {
    let path = repository().join(format!("doc/userpresence-{table}.sql"));
    let sql = std::fs::read_to_string(path).expect("the table");
    let (_, table) = sql
        .split_once("CREATE TABLE userpresence (\n")
        .expect("the table");
    let (table, _) = table.split_once("\n)").expect("its end");
    let columns = table
        .lines()
        .filter_map(|line| line.split_whitespace().next());
    let columns = columns.map(|column| column.trim_matches(['"', '`']));
    let options = columns.filter(|column| *column != "name");
    names(options.map(|column| match column {
        "display_name" => "name",
        column => column,
    }))
}

#[test]
fn every_option_is_on_a_page_in_the_sample_and_in_the_table_for_realtime() {
    let (existing, types) = existing();
    assert_same("types of sections", &listed("`type`"), &types);
    assert_same(
        "types with options",
        &names(SECTIONS.map(|(kind, _)| kind)),
        &types,
    );

    let documented = documented();
    let kinds = |options: &BTreeMap<String, Names>| names(options.keys());
    assert_same(
        "sections with options",
        &kinds(&documented),
        &kinds(&existing),
    );
    for (kind, options) in &existing {
        assert_same(&format!("options of {kind}"), &documented[kind], options);
    }

    let sampled = sampled();
    let user = &existing["type = user"];
    for (kind, options) in &existing {
        let given = &sampled[kind];
        let what = format!("options of {kind} in the sample");
        match kind.as_str() {
            // Those that may also be given in [general] are explained there.
            "type = user" => {
                let given = names(given.union(&sampled["[general]"]));
                let of_users = names(given.intersection(user));
                assert_same(&what, &of_users, options);
            }
            // The meeting table shows the two lines that are not its default.
            _ => assert_same(&what, given, options),
        }
        assert!(given.is_subset(options), "{what}: {given:?}");
    }

    let mut user = user.clone();
    user.remove("type");
    for table in ["sqlite", "postgresql", "mariadb"] {
        assert_same(&format!("columns for {table}"), &columns(table), &user);
    }
}

#[test]
fn every_method_and_every_variable_of_an_action_is_on_a_page() {
    let ast = Instance::builder().userpresence("[general]\n").start();
    let unknown = format!("set = DB(a/${{{NOTHING}}})=1");
    let conf =
        format!("[general]\nmethod = {NOTHING}\n[quiet]\ntype = action\nstatus = dnd\n{unknown}\n");
    ast.write_config("userpresence.conf", &conf);
    let said = ast.cli("userpresence check");
    let methods = expected(&said, "option 'method'");
    assert_same("methods", &listed("`method`"), &methods);
    let mut variables = expected(&said, "unknown variable");
    // The list begins with 'one of' and ends with what is not evaluated.
    variables.retain(|word| !word.contains(|c: char| c.is_ascii_lowercase()));
    assert_same("variables of actions", &listed("variable"), &variables);
}

#[test]
fn every_field_is_on_a_page_and_in_the_help() {
    let ast = Instance::builder()
        .userpresence("[general]\n[alice]\ntype = user\nextension = 200\n")
        .start();
    for (function, arguments) in [
        ("USER_PRESENCE", "alice"),
        ("USER_PRESENCE_ROUTE", "alice,internal"),
    ] {
        let begin = ast.log().len();
        ast.getvar(&format!("{function}({arguments},{NOTHING})"));
        let line = ast.wait_log_from(begin, &format!("unknown field '{NOTHING}'"));
        let fields = expected(&line, NOTHING);
        let on_page = listed(&format!("field of `{function}()`"));
        assert_same(&format!("fields of {function}"), &on_page, &fields);

        let help = help("function", function);
        let (_, of_field) = help
            .split_once("<parameter name=\"field\"")
            .expect("the field");
        let (of_field, _) = of_field.split_once("</parameter>").expect("its end");
        let in_help = elements(of_field, "enum");
        assert_same(
            &format!("fields in the help of {function}"),
            &in_help,
            &fields,
        );
        // What there is is read without a complaint.
        for field in &fields {
            ast.getvar(&format!("{function}({arguments},{field})"));
        }
        let all = ast.complaints();
        let others = all.iter().filter(|line| !line.contains(NOTHING));
        assert_eq!(others.count(), 0, "{all:?}");
    }
}

#[test]
fn every_command_function_and_application_is_on_a_page() {
    let ast = Instance::builder()
        .userpresence("[general]\n[alice]\ntype = user\n")
        .start();
    let help = ast.cli("core show help userpresence");
    let lines = help.lines().filter_map(|line| line.split_once(" -- "));
    let commands = lines.map(|(words, _)| words.trim());
    let commands: Vec<&str> = commands
        .filter(|words| !words.contains("selftest"))
        .collect();
    let usage = commands.iter().map(|words| {
        let help = ast.cli(&format!("core show help {words}"));
        let usage = help
            .lines()
            .find_map(|line| line.trim().strip_prefix("Usage: "));
        usage
            .unwrap_or_else(|| panic!("{words}: {help}"))
            .to_owned()
    });
    assert_same("commands", &listed("command"), &names(usage));
    super::prose::assert_no_other_command(&commands);

    let named = |command: &str| {
        let shown = ast.cli(command);
        let words = shown
            .lines()
            .filter_map(|line| line.split_whitespace().next());
        let words = words.map(|word| word.trim_end_matches([':', '(']));
        let words = words.filter(|word| word.to_lowercase().starts_with("user"));
        // A function is listed with its arguments.
        names(words.filter_map(|word| word.split('(').next()))
    };
    let mut existing = named("core show functions like USER_PRESENCE");
    existing.extend(named("core show applications like UserPresence"));
    let pages = pages();
    let headings = pages.iter().flat_map(|page| page.headings().flat_map(code));
    let headings: Vec<String> = headings.collect();
    let headings = headings.iter().filter_map(|name| name.strip_suffix("()"));
    assert_same("functions and applications", &names(headings), &existing);

    // The options of the application, which it says of one that it does not know.
    ast.run("UserPresenceDial", "alice,z");
    let line = ast.wait_log("unknown option 'z' is ignored");
    assert_same(
        "options of UserPresenceDial",
        &listed("dial option"),
        &expected(&line, "'z'"),
    );
}

/// The results of the applications are on a page as they are in the help, and the module
/// sets each of them.
#[test]
fn every_result_of_an_application_is_on_a_page() {
    for (application, variable) in [
        ("UserPresenceDial", "USERPRESENCESTATUS"),
        ("UserPresencePickup", "USERPRESENCEPICKUP"),
        ("UserPresencePickup", "USERPRESENCEPICKUP_REASON"),
    ] {
        let help = help("application", application);
        let begin = format!("<variable name=\"{variable}\">");
        let (_, of_it) = help.split_once(begin.as_str()).expect("the variable");
        let (of_it, _) = of_it.split_once("</variable>").expect("its end");
        let in_help = elements(of_it, "value");
        let on_page = listed(&format!("`{variable}`"));
        assert_same(&format!("values of {variable}"), &on_page, &in_help);
        let sources = super::texts::sources();
        for value in &in_help {
            let literal = format!("\"{value}\"");
            let sets = sources.iter().any(|source| source.contains(&literal));
            assert!(sets, "{variable} is never {value}");
        }
    }
}
