//! Changes that are refused, and callers who may make none.

use serde_json::{Value, json};

use super::{CONFIGURATION, ask, change, file, line_of, option, problem, refused, section, send};
use super::{start, tag, text};
use crate::harness::api::{HASH, JSON, get, login, sign_in};
use crate::harness::{Answer, Instance};

#[track_caller]
fn code(answer: &Answer) -> String {
    let code = &answer.json()["error"]["code"];
    code.as_str().unwrap_or_default().to_owned()
}

#[test]
fn the_own_login_cannot_be_lost() {
    let ast = start();
    let own = "this is your own login: you could not come back";
    let expect = |answer: Answer, code| {
        assert_eq!(answer.status, code, "{answer:?}");
        let problems = answer.json()["error"]["problems"].clone();
        let message = problems[0]["message"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        assert_eq!(message, if code == 422 { own } else { "" });
    };
    expect(send(&ast, "DELETE", "/sections/boss", &json!(null)), 422);
    let role = |role: &str| json!([option("role", role), option("configure", "yes")]);
    let options = |options: Value| json!({"options": options});
    expect(
        send(&ast, "PUT", "/sections/boss", &options(role("read"))),
        422,
    );
    let no = json!([option("role", "admin")]);
    expect(send(&ast, "PUT", "/sections/boss", &options(no)), 422);
    let renamed = json!([{"section": "boss", "rename": "chief"}]);
    expect(ask(&ast, &renamed), 422);
    let checked = send(&ast, "POST", "/check", &json!({"changes": renamed})).json();
    assert_eq!(checked["problems"][0]["message"], own);
    let same = options(role("admin"));
    expect(send(&ast, "PUT", "/sections/boss", &same), 200);
    let answer = send(&ast, "DELETE", "/sections/clerk", &json!(null));
    assert_eq!(answer.status, 204, "{answer:?}");
}

#[test]
fn a_problem_names_its_section_option_and_line() {
    let ast = start();
    let said = |(section, option, line, message): (String, String, u64, String)| {
        (format!("{section}.{option}"), line, message)
    };
    let new = |options: Value| json!([{"section": "new", "type": "user", "options": options}]);
    let (place, line, message) = said(problem(&ast, &new(json!([option("methode", "x")]))));
    assert_eq!((&*place, line), ("new.methode", 0));
    assert!(
        message.starts_with("unknown option 'methode', did you mean 'method'?"),
        "{message}"
    );

    let lunch = json!([{"section": "lunch", "options": [
        option("label", "x"), option("state", "hungry"), option("subtype", "lunch")]}]);
    let (place, line, message) = said(problem(&ast, &lunch));
    assert_eq!(
        (&*place, line),
        ("lunch.state", line_of(&ast, "state = away"))
    );
    assert!(message.contains("unknown state 'hungry'"), "{message}");
    // The same by a check, which changes nothing either.
    let body = json!({"changes": lunch}).to_string();
    let check = ast.http(
        "POST",
        &format!("{CONFIGURATION}/check"),
        &[&login("boss"), JSON],
        &body,
    );
    assert_eq!(
        (
            check.status,
            check.json()["problems"].as_array().map(Vec::len)
        ),
        (200, Some(1))
    );
    assert_eq!(check.json()["problems"][0]["option"], "state");
    let good = json!({"changes": [{"section": "lunch", "rename": "dinner"}]}).to_string();
    let check = ast.http(
        "POST",
        &format!("{CONFIGURATION}/check"),
        &[&login("boss"), JSON],
        &good,
    );
    assert_eq!(check.json()["problems"], json!([]));

    // A mistake in a template is one of each section that has it; all are named, and who needs one.
    let office = json!([{"section": "office", "options": [option("account", "main"),
        option("timezone", "Europe/Nowhere")]}]);
    let problems = refused(&ast, &office);
    let places: Vec<_> = problems.iter().map(|it| (&*it.0, &*it.1, it.2)).collect();
    let line = line_of(&ast, "  timezone");
    assert_eq!(
        places,
        [
            ("alice", "timezone", line),
            ("bob", "timezone", line),
            ("hers", "user", line_of(&ast, "user = alice")),
        ]
    );

    for (changes, expected) in [
        (
            json!([{"section": "nobody", "options": null}]),
            "there is no such section",
        ),
        (
            json!([{"section": "a b", "type": "user", "options": []}]),
            "is not a section's name",
        ),
        (
            json!([{"section": "x]", "type": "user", "options": []}]),
            "is not a section's name",
        ),
        (
            json!([{"section": "x", "type": "user", "templates": ["nope"], "options": []}]),
            "there is no section [nope] before it",
        ),
        (
            json!([{"section": "office", "rename": "bureau"}]),
            "there is no section [office] before",
        ),
        (
            json!([{"section": "bob", "after": "general"}]),
            "there is no section [office] before it",
        ),
        (
            json!([{"section": "bob", "after": "nobody"}]),
            "there is no section [nobody] after which",
        ),
        (
            json!([{"section": "general", "rename": "x"}]),
            "[general] has this name",
        ),
        (
            json!([{"section": "bob", "rename": "alice"}]),
            "defined twice",
        ),
        (
            json!([{"section": "bob", "options": [option("extension", "201\nset = x")]}]),
            "control character",
        ),
        (
            json!([{"section": "bob", "options": [option("extension", "201 ")]}]),
            "blank",
        ),
        (
            json!([{"section": "bob", "options": [option("x = y\n[z]", "201")]}]),
            "unknown option 'x = y",
        ),
        (
            json!([{"section": "bob", "options": [option("state", "away")]}]),
            "unknown option 'state'",
        ),
        (
            json!([{"section": "bob", "options": [option("#exec", "id")]}]),
            "unknown option",
        ),
        (
            json!([{"section": "bob", "options": [option("extension", &"9".repeat(5000))]}]),
            "at most 4000",
        ),
        (
            json!([{"section": "bob", "options": [{"name": "extension", "value": null}]}]),
            "the value is missing",
        ),
        (
            json!([{"section": "new", "type": "usr", "options": []}]),
            "unknown type 'usr'",
        ),
    ] {
        let problems = refused(&ast, &changes);
        let found = problems
            .iter()
            .any(|(.., message)| message.contains(expected));
        assert!(found, "{expected}: {problems:?}");
    }
    for body in ["", "[]", "{\"changes\": 1}", "{\"changes\": [], \"x\": 1}"] {
        let tag = format!("If-Match: {}", tag(&ast));
        let answer = ast.http("PUT", CONFIGURATION, &[&login("boss"), JSON, &tag], body);
        assert_eq!((answer.status, &*code(&answer)), (400, "body"), "{body}");
    }
    let long = format!("{{\"changes\": [\"{}\"]}}", "x".repeat(50_000));
    let answer = ast.http("PUT", CONFIGURATION, &[&login("boss"), JSON], &long);
    assert_eq!((answer.status, &*code(&answer)), (413, "too_large"));
}

#[test]
fn nothing_that_runs_code_can_be_written() {
    let text = text().replace(
        "[office](!)\n",
        "[risky](!)\nset = DB(risky/1)=1\ndnd_on = DB(dnd/1)=1\n\n[office](!)\n",
    );
    let ast = Instance::builder().userpresence(&text).http().start();
    let shown = section(&get(&ast, "boss", CONFIGURATION).json(), "quiet");
    assert_eq!(shown["options"][2]["value"], "DB(quiet/${USER})=1");
    assert_eq!(shown["options"][2]["editable"], false);
    let user =
        |more: Value| json!([{"section": "bob", "options": [option("extension", "201"), more]}]);
    let action = |set: &str| {
        json!([{"section": "loud", "type": "action", "options": [
            option("status", "dnd"), option("set", set)]}])
    };
    let mut bad = vec![
        action("SHELL(id)=1"),
        action("DB(a/b)=1"),
        action(""),
        // A template need not have a type, so that of a section below would count.
        json!([{"section": "t", "template": true, "options": [option("set", "SHELL(id)=1")]},
               {"section": "loud", "type": "action", "templates": ["t"],
                "options": [option("status", "dnd")]}]),
        json!([{"section": "h", "type": "handling", "options": [option("SET", "SHELL(id)=1")]}]),
        // What is there cannot become something else, or go, or be one more.
        json!([{"section": "quiet", "options": [option("status", "dnd"), option("set", "DB(x/y)=1")]}]),
        json!([{"section": "quiet", "options": [option("status", "dnd")]}]),
        json!([{"section": "quiet", "options": [option("status", "dnd"),
            option("set", "DB(quiet/${USER})=1"), option("set", "DB(quiet/${USER})=1")]}]),
    ];
    for name in ["dnd_on", "dnd_off", "followme_on", "FollowMe_Off"] {
        bad.push(user(option(name, "DB(a/b)=1")));
        bad.push(user(option(name, "")));
        bad.push(json!([{"section": "general", "options": [option(name, "SHELL(id)=1")]}]));
        bad.push(json!([{"section": "office", "options": [option(name, "SHELL(id)=1")]}]));
    }
    for changes in bad {
        let (.., message) = problem(&ast, &changes);
        assert!(
            message.contains("assigns dialplan functions"),
            "{changes}: {message}"
        );
    }
    // Other options of such a section, and the templates that an administrator has written.
    change(
        &ast,
        &json!([
            {"section": "quiet", "options": [option("status", "dnd,xa"), option("set", "DB(quiet/${USER})=1")]},
            {"section": "general", "options": [option("enabled", "yes"), option("method", "priority"),
                option("settle", "5"), option("action", "quiet")]},
            {"section": "calm", "type": "handling", "options": [option("set", "standard")]},
        ]),
    );
    assert!(file(&ast).contains("status = dnd,xa\nset = DB(quiet/${USER})=1\n"));
}

#[test]
fn the_servers_of_a_cluster_stay_and_their_password_is_not_shown() {
    let text = format!(
        "{}\n[etcd](!)\ntype = cluster\nservers = http://127.0.0.1:9\npassword = geheim\n",
        text()
    );
    let ast = Instance::builder().userpresence(&text).http().start();
    let servers = |to: &str| {
        let password = json!({"name": "password", "value": null});
        let options = [option("servers", to), option("node", "berlin"), password];
        json!([{"section": "etcd", "options": options}])
    };
    let all = get(&ast, "boss", CONFIGURATION).json();
    assert!(!all.to_string().contains("geheim"));
    let shown = section(&all, "etcd");
    assert_eq!(shown["options"][1]["value"], "http://127.0.0.1:9");
    assert_eq!(shown["options"][1]["editable"], false);
    let (.., message) = problem(&ast, &servers("http://127.0.0.1:8"));
    assert!(
        message.contains("the servers get the password"),
        "{message}"
    );
    change(&ast, &servers("http://127.0.0.1:9"));
    assert!(file(&ast).contains("\nnode = berlin\n") && file(&ast).contains("= geheim\n"));
}

#[test]
fn secrets_are_replaced_and_never_shown() {
    let secret = "a secret of more than sixteen letters";
    let text = format!(
        "{}\n[crm]\ntype = webhook\naccount = main\nurl = http://joe:geheim@127.0.0.1:9/x?token=t\n\
         secret = {secret}\n",
        text()
    );
    let ast = Instance::builder().userpresence(&text).http().start();
    let answer = get(&ast, "boss", CONFIGURATION);
    for hidden in [secret, "geheim", "token=t", "saltsalt"] {
        assert!(!answer.body.contains(hidden), "{hidden}");
    }
    let crm = section(&answer.json(), "crm");
    let options = crm["options"].as_array().expect("options");
    let shown: Vec<_> = options
        .iter()
        .map(|it| (&it["value"], &it["secret"]))
        .collect();
    let (null, no, yes) = (json!(null), json!(false), json!(true));
    assert_eq!(shown[2..], [(&null, &yes), (&null, &yes)]);
    assert_eq!(shown[0], (&json!("webhook"), &no));

    // What was read is sent back, with one option more: the secrets stay.
    let mut options = options.clone();
    options.push(option("timeout", "5"));
    change(&ast, &json!([{"section": "crm", "options": options}]));
    assert_eq!(file(&ast), format!("{text}timeout = 5\n"));

    // A password is given as text, or as a hash.
    let body = json!({"options": [{"name": "password", "plain": "n\u{fc}w; word"},
        option("account", "main")]});
    let answer = send(&ast, "PUT", "/sections/api", &body);
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(!answer.body.contains("$6$") && !file(&ast).contains(HASH));
    let tried = get(&ast, "panel", CONFIGURATION);
    assert_eq!(tried.status, 401, "{tried:?}");
    let basic = crate::harness::api::basic("boss", "n\u{fc}w; word");
    let read = ast.http("GET", CONFIGURATION, &[&basic], "");
    assert_eq!(read.status, 200, "{read:?}");
    let body = json!({"options": [option("password", HASH), option("account", "main")]});
    let tag = format!("If-Match: {}", read.header("ETag"));
    let target = format!("{CONFIGURATION}/sections/api");
    let back = ast.http("PUT", &target, &[&basic, JSON, &tag], &body.to_string());
    assert_eq!(back.status, 200, "{back:?}");
    assert_eq!(get(&ast, "boss", CONFIGURATION).status, 200);
    // It is as long as one that a person may choose, and few are hashed in one request.
    let set = |count: usize, plain: &str| {
        let users = (0..count).map(|at| {
            json!({"section": format!("p{at}"), "templates": ["api"],
                   "options": [{"name": "password", "plain": plain}]})
        });
        json!(users.collect::<Vec<_>>())
    };
    for (count, plain) in [
        (1, ""),
        (1, "7 chars"),
        (1, "a bell \u{7}"),
        (21, "long enough"),
    ] {
        let answer = ask(&ast, &set(count, plain));
        assert_eq!(answer.status, 400, "{answer:?}");
        assert_eq!(answer.json()["error"]["code"], "password");
    }
    // It is hashed only for a change that can be made: no turn is taken for any other.
    let odd = json!([{"section": "api", "rename": "lunch", "options": [
        {"name": "password", "plain": "long enough"}, option("account", "main")]}]);
    refused(&ast, &odd);
    let boss = login("boss");
    let body = json!({"changes": set(20, "long enough")}).to_string();
    for (headers, expected) in [
        (&[&*boss, JSON][..], 428),
        (&[&*boss, JSON, "If-Match: \"other\""][..], 412),
    ] {
        assert_eq!(
            ast.http("PUT", CONFIGURATION, headers, &body).status,
            expected
        );
    }
    // A password itself is not taken for its hash, and not shown either.
    let body = json!([{"section": "api", "options": [option("password", "geheim1"),
        option("account", "main")]}]);
    for (.., message) in refused(&ast, &body) {
        assert!(
            message.contains("not the hash") && !message.contains("geheim1"),
            "{message}"
        );
    }
}

#[test]
fn only_who_may_configure_sees_or_changes_anything() {
    let with = "[general]\nhttp_ami_sessions = yes\n";
    let ast = Instance::builder()
        .userpresence(&text().replace("[general]\n", with))
        .http()
        .ami_user("writer", "call,reporting,config", "call,reporting")
        .ami_user("config", "call,reporting", "call,reporting,config")
        .ami_user("configonly", "reporting", "reporting,config")
        .start();
    let manager = |name: &str| {
        let login = format!("/rawman?action=Login&username={name}&secret=secret");
        let answer = ast.http("GET", &login, &[], "");
        let cookie = answer
            .header("Set-Cookie")
            .split(';')
            .next()
            .unwrap_or_default()
            .to_owned();
        assert!(cookie.starts_with("mansession_id="), "{answer:?}");
        format!("Cookie: {cookie}")
    };
    let before = file(&ast);
    let body = json!({"changes": [{"section": "lunch", "options": null}]}).to_string();
    let requests = [
        ("GET", CONFIGURATION.to_owned()),
        ("PUT", CONFIGURATION.to_owned()),
        ("POST", format!("{CONFIGURATION}/check")),
        ("GET", format!("{CONFIGURATION}/sections/lunch")),
        ("PUT", format!("{CONFIGURATION}/sections/lunch")),
        ("DELETE", format!("{CONFIGURATION}/sections/lunch")),
        ("GET", format!("{CONFIGURATION}/backups")),
        ("POST", format!("{CONFIGURATION}/backups/x")),
    ];
    let callers = [
        (login("panel"), 403),
        (login("hers"), 403),
        (login("clerk"), 403),
        (sign_in(&ast, "clerk", &[]), 403),
        (manager("writer"), 403),
        (manager("configonly"), 403),
        (String::from("X-Nobody: yes"), 401),
    ];
    let wrong = crate::harness::api::basic("boss", "wrong");
    assert_eq!(ast.http("GET", CONFIGURATION, &[&wrong], "").status, 401);
    for (caller, status) in &callers {
        for (method, target) in &requests {
            let body = if *method == "GET" { "" } else { &*body };
            let answer = ast.http(method, target, &[caller, JSON, "If-Match: *"], body);
            assert_eq!(
                answer.status, *status,
                "{caller} {method} {target}: {answer:?}"
            );
            if *status == 403 {
                assert_eq!(code(&answer), "configure");
            }
        }
    }
    assert_eq!(file(&ast), before);
    for caller in [login("boss"), sign_in(&ast, "boss", &[]), manager("config")] {
        let read = ast.http("GET", CONFIGURATION, &[&caller], "");
        assert_eq!(read.status, 200, "{caller}: {read:?}");
    }
    let by_manager = [&*manager("config"), JSON, "If-Match: *"];
    let answer = ast.http("PUT", CONFIGURATION, &by_manager, &body);
    assert_eq!(answer.status, 200, "{answer:?}");
    ast.wait_log("'manager' has changed the configuration: lunch");
    // A page of another site has the cookie, and may not use it.
    let foreign = [
        &*sign_in(&ast, "boss", &[]),
        JSON,
        "If-Match: *",
        "Origin: http://elsewhere",
    ];
    assert_eq!(ast.http("PUT", CONFIGURATION, &foreign, &body).status, 403);

    let bad = text().replace(
        "[clerk](api)\nrole = admin\n",
        "[clerk](api)\nrole = read\nconfigure = yes\n",
    );
    ast.write_config("userpresence.conf", &bad);
    assert!(!ast.reload().ok());
    ast.wait_log("section [clerk], option 'configure': configure = yes, expected role = admin");
}

#[test]
fn the_second_of_two_administrators_is_told() {
    let ast = start();
    let first = tag(&ast);
    let put = |tag: &str, label: &str| {
        let body = json!({"changes": [{"section": "lunch", "options": [
            option("label", label), option("state", "away"), option("subtype", "lunch")]}]});
        let headers = [&*login("boss"), JSON, tag];
        ast.http("PUT", CONFIGURATION, &headers, &body.to_string())
    };
    let none = put("X-None: 1", "x");
    assert_eq!((none.status, &*code(&none)), (428, "if_match"));
    let done = put(&format!("If-Match: {first}"), "One");
    assert_eq!(done.status, 200, "{done:?}");
    assert_ne!(done.header("ETag"), first);
    let late = put(&format!("If-Match: {first}"), "Two");
    assert_eq!((late.status, &*code(&late)), (412, "changed"));
    assert!(file(&ast).contains("label = One\n"));
    // An editor changes the file by hand, without a reload.
    let second = done.header("ETag").to_owned();
    let by_hand = file(&ast).replace("; the end", "; the very end");
    ast.write_config("userpresence.conf", &by_hand);
    assert_eq!(put(&format!("If-Match: {second}"), "Three").status, 412);
    assert_eq!(file(&ast), by_hand);
    // What was changed by hand counts from the next change on.
    let wrong = by_hand.replace("extension=201", "extension=201\nmethod = odd");
    ast.write_config("userpresence.conf", &wrong);
    let shown = get(&ast, "boss", CONFIGURATION).json();
    assert_eq!(shown["problems"][0]["option"], "method");
    let (place, option, ..) = problem(&ast, &json!([{"section": "lunch", "rename": "meal"}]));
    assert_eq!((&*place, &*option), ("bob", "method"));
    let answer = ask(
        &ast,
        &json!([{"section": "bob", "options": [super::option("extension", "201")]}]),
    );
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(file(&ast), by_hand);
}
