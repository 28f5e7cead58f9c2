//! The directory of people: names, titles, mail addresses and groups on every interface.

use std::fs;

use serde_json::{Value, json};

use crate::harness::Instance;
use crate::harness::api::{api_user, get, login};
use crate::harness::ari::{Socket, with_ari};
use crate::harness::barrier::{all_events, configured};
use crate::harness::users::{json as view, read, set, user_names};

const LIST: &str = "/userpresence/v1/account/default/presence";
const EVENTS: &str = "/userpresence/v1/account/default/events";

const FILE: &str = "[general]\n\
    [zoe]\ntype = user\nid = 4711\nname = Zoë Müller-Łęcka\ntitle = Leiterin Vertrieb\n\
    email = zoe@example.com\ngroup = Sales,Berlin\nextension = 200\noutgoing = none\n\
    [bob]\ntype = user\ngroup = Support,Über Uns\noutgoing = none\n\
    [carol]\ntype = user\noutgoing = none\n";

const ROWS: &str = "CREATE TABLE userpresence (name TEXT, display_name TEXT, title TEXT, email TEXT, \
    \"group\" TEXT, visibility TEXT);\
    INSERT INTO userpresence VALUES ('dave', '李大卫; 2nd', 'Agent', 'dave@example.com', \
    'sales;Night', '');\
    INSERT INTO userpresence VALUES ('erin', NULL, NULL, NULL, NULL, 'nobody');";

fn users(list: &Value) -> Vec<&str> {
    let records = list.get("records").unwrap_or(list);
    let records = records.as_array().expect("a list").iter();
    records
        .filter_map(|record| record["user"].as_str())
        .collect()
}

/// The names in the first column of a table on the console, without head and count.
fn column(table: &str) -> Vec<&str> {
    let rows = table.lines().skip(1).filter(|line| !line.is_empty());
    let names = rows.filter_map(|line| line.split_whitespace().next());
    names
        .take_while(|name| !name.starts_with(|c: char| c.is_ascii_digit()))
        .collect()
}

#[test]
fn every_interface_shows_the_directory_and_filters_by_group() {
    let conf = format!("{FILE}{}", api_user("panel", "role = read"));
    let ast = with_ari(configured(&conf).http())
        .realtime(&["userpresence"], ROWS)
        .start();
    let zoe = json!({
        "name": "Zoë Müller-Łęcka", "title": "Leiterin Vertrieb", "email": "zoe@example.com",
        "groups": ["Sales", "Berlin"], "visibility": "everyone",
    });
    let dave = json!({
        "name": "李大卫; 2nd", "title": "Agent", "email": "dave@example.com",
        "groups": ["sales", "Night"], "visibility": "everyone",
    });
    let bob = json!({
        "name": "bob", "title": "", "email": "", "groups": ["Support", "Über Uns"], "visibility": "everyone",
    });
    let of = |found: &Value| {
        let members = ["name", "title", "email", "groups", "visibility"];
        let members = members.map(|member| (member.to_owned(), found[member].clone()));
        Value::Object(members.into_iter().collect())
    };
    for (user, expected) in [("zoe", &zoe), ("dave", &dave), ("bob", &bob)] {
        let path = format!("/userpresence/v1/account/~/extension/{user}/presence");
        let record = get(&ast, "panel", &path).json();
        assert_eq!(of(&record), *expected);
        let answer = ast.ari("GET", &format!("/userPresence/{user}"), "");
        assert_eq!(of(&answer.json()), *expected);
        let fields =
            ["name", "title", "email", "groups"].map(|it| read(&ast, &format!("{user},{it}")));
        let groups = expected["groups"].as_array().expect("groups").iter();
        let groups: Vec<_> = groups.filter_map(Value::as_str).collect();
        let texts = ["name", "title", "email"].map(|it| expected[it].as_str().unwrap_or_default());
        assert_eq!(fields[..3], texts);
        assert_eq!(fields[3], groups.join(","));
        let entry = ast
            .ami()
            .action(&[("Action", "UserPresenceGet"), ("User", user)]);
        let headers = ["Name", "Title", "Email", "Groups"].map(|it| entry.header(it));
        assert_eq!(headers, fields.each_ref().map(String::as_str));
        assert_eq!(entry.header("Visibility"), "everyone");
    }
    assert_eq!(read(&ast, "erin,visibility"), "nobody");
    // JSON for AMI's Getvar has what is configured, and nothing else.
    assert_eq!(view(&ast, "zoe")["groups"], zoe["groups"]);
    let plain = view(&ast, "carol");
    for member in ["name", "title", "email", "groups", "visibility"] {
        assert!(plain.get(member).is_none(), "{member}: {plain}");
    }
    let short: Value = serde_json::from_str(&read(&ast, "zoe,json")).expect("it fits");
    assert_eq!(short["name"], zoe["name"]);

    for (query, expected) in [
        ("group=SALES", vec!["zoe", "dave"]),
        ("group=night,%20support", vec!["bob", "dave"]),
        ("group=%C3%9Cber%20uns", vec!["bob"]),
        ("group=nothing", vec![]),
        ("group=sales&text=agent", vec!["dave"]),
        ("text=M%C3%9CLLER", vec!["zoe"]),
        ("text=leiterin", vec!["zoe"]),
        ("text=E@EXAMPLE", vec!["zoe", "dave"]),
        ("text=%E6%9D%8E", vec!["dave"]),
        ("text=night", vec!["dave"]),
    ] {
        let list = get(&ast, "panel", &format!("{LIST}?{query}")).json();
        assert_eq!(users(&list), expected, "{query}");
        assert_eq!(list["paging"]["totalElements"], expected.len(), "{query}");
        let list = ast.ari("GET", &format!("/userPresence?{query}"), "").json();
        assert_eq!(users(&list), expected, "{query}");
    }
    for (group, expected) in [
        ("sales", vec!["zoe", "dave"]),
        ("Support, NIGHT", vec!["bob", "dave"]),
        ("über uns", vec!["bob"]),
        ("nothing", vec![]),
    ] {
        let action = [("Action", "UserPresenceList"), ("Group", group)];
        let entries = ast.ami().list(&action);
        let names: Vec<_> = entries.iter().map(|entry| entry.header("User")).collect();
        assert_eq!(names, expected, "{group}");
        let shown = ast.cli(&format!("userpresence show users group \"{group}\""));
        if expected.is_empty() {
            let expected = format!("There is no group '{group}'.");
            assert!(shown.starts_with(&expected), "{shown}");
            continue;
        }
        assert_eq!(column(&shown), expected, "{shown}");
    }
    let shown = ast.cli("userpresence show users like ^(zoe|dave)$ group Sales,Berlin");
    assert_eq!(column(&shown), ["zoe", "dave"], "{shown}");
    assert!(shown.contains("  Zoë Müller-Łęcka  not_set"), "{shown}");
    assert!(shown.starts_with("User  Name  "), "{shown}");
    let shown = ast.cli("userpresence show users group support");
    assert!(
        shown.starts_with("User  State  "),
        "nobody has a name: {shown}"
    );
    let shown = ast.cli("userpresence show user zoe");
    for line in [
        "Name: Zoë Müller-Łęcka\n",
        "Title: Leiterin Vertrieb\n",
        "Email: zoe@example.com\n",
        "Groups: Sales, Berlin\n",
        "Seen by: everyone\n",
    ] {
        assert!(shown.contains(line), "{line} in {shown}");
    }
    let groups = ast.cli("userpresence show groups");
    assert_eq!(
        column(&groups),
        ["Berlin", "Night", "Sales", "Support", "Über"],
        "{groups}"
    );
    assert!(groups.contains("5 groups"), "{groups}");

    // Events have the name, and those of a group can be followed.
    let ami = ast.ami();
    let panel = login("panel");
    let mut sales = ast.stream(&format!("{EVENTS}?group=Sales&expand=record"), &[&panel]);
    let mut crm = Socket::open(&ast, "crm", "");
    let source = "/applications/crm/subscription?eventSource=userPresence:";
    assert_eq!(ast.ari("POST", source, "").status, 200);
    set(&ast, "bob", "dnd");
    set(&ast, "dave", "away");
    let event = sales.expect("presence").data;
    assert_eq!(event["body"]["name"], dave["name"]);
    assert_eq!(of(&event["record"]), dave);
    assert_eq!(
        crm.expect("UserPresenceChanged")["userPresence"]["name"],
        "bob"
    );
    assert_eq!(of(&crm.expect("UserPresenceChanged")["userPresence"]), dave);
    let events = all_events(&ast, &ami);
    let names = |event: &str, header: &str| -> Vec<String> {
        let events = events.iter().filter(|it| it.is_event(event));
        let events = events.filter(|it| it.header("Account") == "default");
        events.map(|it| it.header(header).to_owned()).collect()
    };
    assert_eq!(names("UserPresenceChange", "Name"), ["bob", "李大卫; 2nd"]);
    let bodies = names("UserPresenceAccountEvent", "Json");
    let bodies = bodies
        .iter()
        .map(|json| serde_json::from_str(json).expect("JSON"));
    let bodies: Vec<Value> = bodies.map(|it: Value| it["body"]["name"].clone()).collect();
    assert_eq!(bodies, [Value::Null, dave["name"].clone()]);
    assert_eq!(ast.complaints(), Vec::<String>::new());
}

#[test]
fn a_change_of_the_directory_makes_no_noise_and_reaches_readers() {
    let conf = format!("{FILE}{}", api_user("panel", "role = read"));
    let ast = configured(&conf)
        .http()
        .realtime(&["userpresence"], ROWS)
        .hint("2000", ",UserPresence:zoe")
        .start();
    set(&ast, "zoe", "away");
    let panel = login("panel");
    let last = read(&ast, "zoe,sequence");
    let ami = ast.ami();
    let list = get(&ast, "panel", LIST);
    let tag = list.header("ETag").to_owned();
    let again = |tag: &str| {
        let known = format!("If-None-Match: {tag}");
        ast.http("GET", LIST, &[&panel, &known], "").status
    };
    assert_eq!(again(&tag), 304);
    let mut stream = ast.stream(EVENTS, &[&panel]);
    let file = ast.path("etc/userpresence.conf");
    let other = fs::read_to_string(file)
        .expect("the configuration")
        .replace("Müller-Łęcka", "Łęcka")
        .replace("title = Leiterin Vertrieb\n", "")
        .replace("group = Support", "group = Night");
    ast.write_config("userpresence.conf", &other);
    assert!(ast.reload().ok());
    assert!(stream.next().is_none(), "the stream ends");
    ast.wait_log("0 new, 0 removed, 2 changed");
    assert_eq!(again(&tag), 200);
    assert_eq!(read(&ast, "zoe,name"), "Zoë Łęcka");
    assert_eq!(read(&ast, "zoe,sequence"), last);
    // A reader that comes back begins anew.
    let mut stream = ast.stream(&format!("{EVENTS}?lastEventId={last}"), &[&panel]);
    stream.expect("reset");
    let records = stream.expect("snapshot").data["records"].clone();
    assert_eq!(users(&records), ["zoe", "bob", "carol", "dave"]);
    assert_eq!(records[0]["name"], "Zoë Łęcka");
    assert_eq!(records[0]["title"], "");
    assert_eq!(records[1]["groups"], json!(["Night", "Über Uns"]));

    ast.realtime_sql(
        "UPDATE userpresence SET display_name = 'Dave', \"group\" = NULL WHERE name = 'dave';",
    );
    let done = ast.cli("userpresence reload user dave");
    assert!(done.contains("is read anew"), "{done}");
    assert!(stream.next().is_none(), "the stream ends");
    assert_eq!(read(&ast, "dave,name"), "Dave");
    assert_eq!(read(&ast, "dave,groups"), "");
    let events = all_events(&ast, &ami);
    let noise = [
        "UserPresenceChange",
        "UserPresenceAccountEvent",
        "PresenceStateChange",
    ];
    let noise = events.iter().filter(|it| {
        let is_noise = noise.iter().any(|name| it.is_event(name));
        // The user by which the test knows that it has all events.
        is_noise && !format!("{it:?}").contains("barrier")
    });
    assert_eq!(noise.count(), 0, "{events:?}");
    assert_eq!(ast.complaints(), Vec::<String>::new());
}

#[test]
fn mistakes_in_the_directory_name_the_option() {
    let long = "x".repeat(256);
    let row = "CREATE TABLE userpresence (name TEXT, email TEXT, visibility TEXT);\
        INSERT INTO userpresence VALUES ('dave', 'dave at home', 'friends');";
    let conf = format!(
        "[alice]\ntype = user\nemail = alice@\n[bob]\ntype = user\nname = {long}\n\
         [carol]\ntype = user\nvisibility = some\n[erin]\ntype = user\nemail =\nname = E\n"
    );
    let ast = Instance::builder()
        .userpresence(&conf)
        .realtime(&["userpresence"], row)
        .start();
    assert_eq!(user_names(&ast), ["erin"]);
    let said = ast.new_complaints(0).join("\n");
    for expected in [
        "userpresence.conf:3, section [alice], option 'email': 'alice@' is not a mail address, \
         expected one such as alice@example.com",
        "section [bob], option 'name': the name is 256 bytes long, expected at most 255",
        "section [carol], option 'visibility': unknown visibility 'some', expected everyone, \
         groups or nobody",
        "user 'dave', column 'email': 'dave at home' is not a mail address",
        "user 'dave', column 'visibility': unknown visibility 'friends'",
    ] {
        assert!(said.contains(expected), "{expected} in {said}");
    }
}
