//! Who may what: the tables of the documentation, cell by cell.

use std::collections::{BTreeMap, BTreeSet};

use crate::documentation::pages::{Names, Table, assert_same, code, names, tables};
use crate::harness::api::{HASH, JSON, SESSION, api_user, basic, cookie, login};
use crate::harness::ari::with_ari;
use crate::harness::{Answer, Builder, Instance, Phone, repository_file};

/// In `main` Alice, Bob and Heidi, who is hidden, and two who show themselves to their groups:
/// Gina, who shares one with Alice, and Oscar; in `other` Carol.
fn office() -> Builder {
    let users = [
        api_user("reader", "account = main\nrole = read"),
        api_user("readers-user", "account = main\nrole = read\nuser = alice"),
        api_user("all-seeing", "account = main\nrole = read\nsees_all = yes"),
        api_user("herself", "account = main\nrole = self\nuser = alice"),
        api_user("boss", "account = main\nrole = admin"),
        api_user(
            "configurer",
            "account = main\nrole = admin\nconfigure = yes",
        ),
    ];
    let text = format!(
        "[general]\nhttp_ami_sessions = yes\nhttp_rate = 1000\nhttp_readers_each = 80\n\
         show_calls = all\nhttp_calls = self,admin\nforward_context = default\n\
         [main](!)\ntype = user\naccount = main\noutgoing = none\n\
         [alice](main)\nextension = 200,Local/200@default\npassword = {HASH}\nmonitor = bob\n\
         group = sales\n\
         [bob](main)\nextension = 201\n\
         [heidi](main)\nextension = 202\n\
         [grouped](!,main)\nvisibility = groups\n\
         [gina](grouped)\nextension = 204\ngroup = Sales\n\
         [oscar](grouped)\nextension = 205\ngroup = Support\n\
         [lunch]\ntype = status\nstate = away\n\
         [carol]\ntype = user\naccount = other\nextension = 203\noutgoing = none\n{}",
        users.concat()
    );
    let agent = |user: &str| format!("Local/{user}@agents/n,0,{user},UserPresence:{user}");
    Instance::builder()
        .userpresence(&text)
        .dialplan("exten = 200,1,Answer()\n same = n,Wait(600)")
        .dialplan("exten = 300,1,Answer()\n same = n,Wait(600)")
        .queue("sales", "", &[&agent("alice"), &agent("heidi")])
        .http()
}

/// The table about that; its rows by the texts of their first cells, each with the cells of
/// the callers.
#[track_caller]
fn table(about: &str) -> Table {
    let mut found = tables(about);
    assert_eq!(found.len(), 1, "tables about '{about}'");
    found.remove(0)
}

/// The callers of a table: the heads of its columns after so many.
fn callers(table: &Table, after: usize) -> Vec<(usize, &str)> {
    let heads = table.head.iter().map(String::as_str).enumerate();
    heads.skip(after).collect()
}

/// Compares all cells at once, so that a change of rights shows as a whole.
#[track_caller]
fn assert_cells(wrong: &[String], count: usize, least: usize) {
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(count >= least, "only {count} cells");
}

/// The header with which a caller authenticates.
#[track_caller]
fn credentials(ast: &Instance, caller: &str) -> String {
    let of_manager = |name: &str| {
        let login = format!("/rawman?action=Login&username={name}&secret=secret");
        cookie(&ast.http("GET", &login, &[], ""))
    };
    match caller {
        "nobody" => "X-Nobody: yes".to_owned(),
        "`read`" => login("reader"),
        "`read`, user" => login("readers-user"),
        "`read`, `sees_all`" => login("all-seeing"),
        "`self`" => login("herself"),
        "person" => login("alice"),
        "`admin`" => login("boss"),
        "`admin`, `configure`" => login("configurer"),
        "AMI `reporting`" => of_manager("reporting"),
        "AMI `call`" => of_manager("calling"),
        "AMI `call`, `config`" => of_manager("configuring"),
        other => panic!("no caller '{other}'"),
    }
}

/// The body of a request that is allowed.
fn body(request: &str) -> &'static str {
    match request {
        "POST v1/session" => r#"{"name": "alice", "password": "secret"}"#,
        "PUT v1/session/password" => r#"{"old": "secret", "new": "another one"}"#,
        "PUT v1/account/{account}/extension/{extension}/presence" => r#"{"status": "away"}"#,
        "POST v1/account/{account}/extension/{extension}/calls" => r#"{"to": "300"}"#,
        "PUT v1/account/{account}/extension/{extension}/settings" => r#"{"mobile": null}"#,
        "PUT v1/account/{account}/queues/{queue}/own" => r#"{"paused": true}"#,
        "PUT v1/configuration" => {
            r#"{"changes": [{"section": "bob", "options": [
                {"name": "type", "value": "user"}, {"name": "account", "value": "main"}]}]}"#
        }
        "POST v1/configuration/check" => r#"{"changes": []}"#,
        "PUT v1/configuration/sections/{name}" => {
            r#"{"options": [{"name": "type", "value": "status"}, {"name": "state", "value": "xa"}]}"#
        }
        _ => "",
    }
}

/// What the path of a request names besides accounts and users.
fn name(ast: &Instance, request: &str) -> String {
    let path = match request {
        "POST v1/configuration/backups/{name}" => "/userpresence/v1/configuration/backups",
        _ => return "lunch".to_owned(),
    };
    let backups = ast.http("GET", path, &[&login("configurer")], "").json();
    let name = backups["backups"][0]["name"].as_str();
    name.unwrap_or("none").to_owned()
}

/// What a change of the configuration has to name.
fn condition(ast: &Instance) -> String {
    let path = "/userpresence/v1/configuration";
    let read = ast.http("GET", path, &[&login("configurer")], "");
    format!("If-Match: {}", read.header("ETag"))
}

/// The account, the extension, and the user who has to be hidden, of a row.
fn target(of: &str) -> (&'static str, &'static str, &'static str) {
    match of {
        "" | "the own account" => ("main", "", ""),
        "another account" => ("other", "", ""),
        "a hidden user in it" => ("main", "heidi", "heidi"),
        "oneself in it, hidden" => ("main", "alice", "alice"),
        "oneself" => ("main", "~", ""),
        "oneself, hidden" => ("main", "~", "alice"),
        "another user" => ("main", "bob", ""),
        "a hidden user" => ("main", "heidi", "heidi"),
        "a user of a shared group" | "a user of a shared group in it" => ("main", "gina", ""),
        "a user of another group" | "a user of another group in it" => ("main", "oscar", ""),
        "a user of another account" => ("other", "carol", ""),
        other => panic!("nothing is known of '{other}'"),
    }
}

/// What the rows of a request have to be about.
fn all_of(request: &str) -> &'static [&'static str] {
    match request {
        "GET v1/account/*/extension/*/presence" => {
            return &[
                "oneself",
                "oneself, hidden",
                "another user",
                "a hidden user",
                "a user of a shared group",
                "a user of another group",
                "a user of another account",
            ];
        }
        "GET v1/account/*/presence" | "GET v1/account/*/events" => {
            return &[
                "the own account",
                "another account",
                "a hidden user in it",
                "oneself in it, hidden",
                "a user of a shared group in it",
                "a user of another group in it",
            ];
        }
        _ => {}
    }
    match (
        request.contains("account/*"),
        request.contains("extension/*"),
    ) {
        (_, true) => &[
            "oneself",
            "oneself, hidden",
            "another user",
            "a hidden user",
            "a user of another account",
        ],
        (true, _) => &["the own account", "another account"],
        _ => &[""],
    }
}

/// Sends a request, and says what came of it.
#[track_caller]
fn attempt(ast: &Instance, request: &str, of: &str, credentials: &str) -> String {
    let (account, extension, hidden) = target(of);
    let (method, path) = request.split_once(' ').expect("a method and a path");
    let path = path.replace("{account}", account);
    let path = path
        .replace("{extension}", extension)
        .replace("{queue}", "sales")
        .replace("{name}", &name(ast, request));
    let path = format!("/userpresence/{path}");
    let hide = |hide: bool| {
        if !hidden.is_empty() {
            let flag = format!("USER_PRESENCE({hidden},allowSeeMyPresence)");
            ast.setvar(&flag, if hide { "false" } else { "true" });
        }
    };
    hide(true);
    let found = match (path.ends_with("/events"), of.contains(" in it")) {
        (true, true) => is_in_snapshot(ast, &path, credentials, extension),
        (true, false) => {
            let stream = ast.stream(&path, &[credentials]);
            let status = stream.head.split(' ').nth(1);
            status.unwrap_or_default().to_owned()
        }
        (false, is_in) => {
            let mut headers = vec![credentials.to_owned()];
            if !body(request).is_empty() {
                headers.push(JSON.to_owned());
            }
            if path.contains("/configuration") {
                headers.push(condition(ast));
            }
            let headers: Vec<&str> = headers.iter().map(String::as_str).collect();
            let answer = ast.http(method, &path, &headers, body(request));
            match is_in {
                true => yes_no(answer.body.contains(&format!(r#":"{extension}""#))),
                false => answer.status.to_string(),
            }
        }
    };
    hide(false);
    found
}

fn yes_no(yes: bool) -> String {
    if yes { "yes" } else { "no" }.to_owned()
}

/// Whether a stream begins with that user.
#[track_caller]
fn is_in_snapshot(ast: &Instance, path: &str, credentials: &str, user: &str) -> String {
    let mut stream = ast.stream(&format!("{path}?snapshot=true"), &[credentials]);
    if !stream.head.starts_with("HTTP/1.1 200") {
        return yes_no(false);
    }
    let snapshot = stream.expect("snapshot").data;
    let records = snapshot["records"].as_array().expect("records");
    yes_no(records.iter().any(|record| record["user"] == user))
}

/// Whether what a request changes concerns other cells.
fn is_change_of_all(request: &str) -> bool {
    let is_change = !request.starts_with("GET") && request.contains("v1/configuration");
    is_change || request == "PUT v1/session/password"
}

/// Makes the configuration and Alice's password as they were: the administrator's is valid
/// again after it has been another one.
#[track_caller]
fn give_back(ast: &Instance, text: &str) {
    for hash in ["$6$test$other", HASH] {
        ast.write_config("userpresence.conf", &text.replacen(HASH, hash, 1));
        assert!(ast.reload().ok());
    }
}

#[test]
fn over_http_each_caller_gets_what_the_table_says() {
    let ast = office()
        .sip(&["202"])
        .ami_user("reporting", "reporting", "")
        .ami_user("calling", "reporting", "call")
        .ami_user("configuring", "reporting", "call,config")
        .ami_user("system", "system", "system")
        .start();
    ast.setvar("USER_PRESENCE(alice,pickUpCallsOnHold)", "true");
    // Heidi talks all the time.
    let phone = Phone::answering(&ast, "202");
    phone.call("300");
    ast.wait_value("USER_PRESENCE(heidi,telephonyStatus)", "CallConnected");
    let text = std::fs::read_to_string(ast.config_path("userpresence.conf"));
    let text = text.expect("the configuration");
    let table = table("HTTP request");
    let (mut wrong, mut count) = (Vec::new(), 0);
    for (column, caller) in callers(&table, 2) {
        let credentials = credentials(&ast, caller);
        for row in &table.rows {
            let (request, of) = (&code(&row[0])[0], &row[1]);
            let found = attempt(&ast, request, of, &credentials);
            count += 1;
            if found != row[column] {
                let says = &row[column];
                wrong.push(format!("{request}, {of}, by {caller}: {found}, not {says}"));
            }
            if is_change_of_all(request) && found.starts_with('2') {
                give_back(&ast, &text);
            }
        }
    }
    assert_cells(&wrong, count, 600);
    // Another class is as no login.
    let system = ast.http(
        "GET",
        "/rawman?action=Login&username=system&secret=secret",
        &[],
        "",
    );
    assert_eq!(
        ast.http("GET", SESSION, &[&cookie(&system)], "").status,
        401
    );
}

/// The requests that the module answers, such as `GET v1/account/*/presence`: its own table.
fn routes() -> Vec<String> {
    let source = repository_file("src/web/site/routes.rs");
    let routes = source.split("path: &[").skip(1);
    let requests = routes.flat_map(|route| {
        let (path, rest) = route.split_once(']').expect("the end of a path");
        let parts: Vec<&str> = path.split('"').skip(1).step_by(2).collect();
        let path = parts.join("/");
        let rest = rest.split("Route {").next().unwrap_or_default();
        let methods = rest.split("(HttpMethod::").skip(1);
        let methods = methods.filter_map(|method| method.split(',').next());
        methods
            .map(|method| format!("{} {path}", method.to_uppercase()))
            .collect::<Vec<_>>()
    });
    let requests = requests.filter(|request| !request.ends_with("v1/selftest"));
    requests.collect()
}

/// A request of the documentation, written as [`routes`] has it.
fn with_stars(request: &str) -> String {
    let parts = request.split('/').map(|part| match part.starts_with('{') {
        true => "*",
        false => part,
    });
    parts.collect::<Vec<_>>().join("/")
}

#[test]
fn each_request_stands_in_the_table_for_each_target() {
    let expected: BTreeMap<String, Names> = routes()
        .into_iter()
        .map(|request| {
            let of = names(all_of(&request).iter().copied());
            (request, of)
        })
        .collect();
    assert!(expected.len() > 20, "only {expected:?}");
    let table = table("HTTP request");
    let mut found = BTreeMap::<String, Names>::new();
    let mut seen = BTreeSet::new();
    for row in &table.rows {
        let request = code(&row[0]).remove(0);
        assert!(
            seen.insert((request.clone(), row[1].clone())),
            "{row:?} is twice"
        );
        assert_eq!(row.len(), table.head.len(), "{row:?}");
        let of = found.entry(with_stars(&request)).or_default();
        of.insert(row[1].clone());
    }
    assert_same(
        "requests",
        &names(found.keys().cloned()),
        &names(expected.keys().cloned()),
    );
    for (request, of) in &expected {
        let missing: Vec<_> = of.difference(&found[request]).collect();
        assert!(missing.is_empty(), "{request} has no row for {missing:?}");
    }
}

#[test]
fn over_ami_each_class_allows_what_the_table_says() {
    let table = table("AMI action");
    let callers = callers(&table, 1);
    let mut builder = office();
    let name = |class: &str| format!("with-{}", class.replace(['`', ' '], ""));
    for (_, class) in &callers {
        let classes = code(class).join(",");
        builder = builder.ami_user(&name(class), "", &classes);
    }
    let ast = builder.start();
    let mut wrong = Vec::new();
    for (column, class) in &callers {
        let ami = ast.ami_as(&name(class)).expect("a login");
        for row in &table.rows {
            let action = &code(&row[0])[0];
            let answer = ami.action(&[
                ("Action", action),
                ("User", "heidi"),
                ("Status", "away"),
                ("Settings", "{}"),
            ]);
            let found = yes_no(answer.text() != "Permission denied");
            if found != row[*column] {
                let says = &row[*column];
                wrong.push(format!(
                    "{action} with {class}: {found}, not {says}: {answer:?}"
                ));
            }
        }
    }
    assert_cells(&wrong, callers.len() * table.rows.len(), 35);
    let all = ast.ami().action(&[("Action", "ListCommands")]);
    let all = all.headers().iter().map(|(name, _)| name.clone());
    let existing = names(all.filter(|name| name.starts_with("UserPresence")));
    let documented = names(table.rows.iter().flat_map(|row| code(&row[0])));
    assert_same("actions", &documented, &existing);
}

#[test]
fn over_ari_each_user_gets_what_the_table_says() {
    let users = "[general]\nenabled = yes\n\
        [yes]\ntype = user\nread_only = yes\npassword = secret\n\
        [no]\ntype = user\nread_only = no\npassword = secret\n";
    let ast = with_ari(office()).file("ari.conf", users).start();
    ast.setvar("USER_PRESENCE(heidi,allowSeeMyPresence)", "false");
    let table = table("request of ARI");
    let (mut wrong, mut count) = (Vec::new(), 0);
    for (column, caller) in callers(&table, 2) {
        let by = match caller {
            "nobody" => basic("nobody", "secret"),
            "`read_only = yes`" => login("yes"),
            "`read_only = no`" => login("no"),
            other => panic!("no caller '{other}'"),
        };
        for row in &table.rows {
            let request = &code(&row[0])[0];
            let user = match row[1].as_str() {
                "a hidden user" => "heidi",
                _ => "bob",
            };
            let (method, path) = request.split_once(' ').expect("a method and a path");
            let path = path.replace("{user}", user);
            let body = if method == "PUT" {
                r#"{"status": "away"}"#
            } else {
                ""
            };
            let answer: Answer = ast.http(method, &path, &[&by, JSON], body);
            count += 1;
            if answer.status.to_string() != row[column] {
                let says = &row[column];
                wrong.push(format!(
                    "{request}, {user}, by {caller}: {answer:?}, not {says}"
                ));
            }
        }
    }
    assert_cells(&wrong, count, 15);
    let documented = names(table.rows.iter().flat_map(|row| code(&row[0])));
    let others = tables("ARI request");
    let others = others.iter().flat_map(|table| &table.rows);
    assert_same(
        "requests of ARI",
        &documented,
        &names(others.flat_map(|row| code(&row[0]))),
    );
}
