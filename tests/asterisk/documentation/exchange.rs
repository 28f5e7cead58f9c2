//! What other programs exchange with the module: AMI, HTTP, metrics.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::pages::{Names, assert_same, code, listed, names, tables};
use super::prose::existing_names;
use super::texts::{elements, help, literals, sources};
use crate::harness::api::{login, office};
use crate::harness::ari::with_ari;
use crate::harness::users::set;
use crate::harness::{Ami, Answer, Instance, Message, Receiver, repository_file, wait_until};

/// Headers that Asterisk itself puts into a message.
const CORE: [&str; 5] = ["Event", "Privilege", "ActionID", "SystemName", "Response"];

/// The headers that the module has put into a message.
pub fn headers(message: &Message) -> Names {
    let headers = message.headers().iter().map(|(name, _)| name.as_str());
    names(headers.filter(|name| !CORE.contains(name)))
}

/// The headers of an event are those of its table and those of its help.
#[track_caller]
pub fn assert_headers(event: &str, sent: &Names) {
    let on_page = listed(&format!("header of `{event}`"));
    assert_same(&format!("headers of {event}"), &on_page, sent);
    let in_help = elements(&help("managerEvent", event), "parameter");
    assert_same(&format!("headers in the help of {event}"), &in_help, sent);
}

#[track_caller]
pub fn next(ami: &Ami, name: &str) -> Message {
    ami.wait_event(name, |event| event.is_event(name))
}

#[test]
fn every_header_of_an_event_is_on_a_page_and_in_the_help() {
    let receiver = Receiver::start();
    receiver.answer_status("410 Gone");
    let url = receiver.url("/in");
    let ast = Instance::builder()
        .userpresence(&format!(
            "[general]\n[alice]\ntype = user\nextension = 200\nmailbox = 200\n\
             [crm]\ntype = webhook\nurl = {url}\nsecret = correct horse battery\n"
        ))
        .sip(&["200"])
        .start();
    let ami = ast.ami();
    set(&ast, "alice", "away,lunch,Back at one");
    for event in ["UserPresenceChange", "UserPresenceAccountEvent"] {
        assert_headers(event, &headers(&next(&ami, event)));
    }
    let event = "UserPresenceWebhookFailed";
    assert_headers(event, &headers(&next(&ami, event)));

    let (entries, end) = ami.list_to_its_end(&[("Action", "UserPresenceList")]);
    let entry = headers(&entries[0]);
    assert_headers("UserPresenceEntry", &entry);
    assert_headers("UserPresenceListComplete", &headers(&end));
    let got = ami.action(&[("Action", "UserPresenceGet"), ("User", "alice")]);
    let mut with_json = entry;
    with_json.insert("Json".to_owned());
    assert_same(
        "headers of the answer to UserPresenceGet",
        &with_json,
        &headers(&got),
    );

    // A call that nobody takes, and a message: together they have all headers of a push.
    let event = "UserPresencePush";
    ast.run("UserPresenceDial", "alice");
    let mut sent = headers(&next(&ami, event));
    ast.tell_messages("200", 0, 0);
    ast.tell_messages("200", 1, 0);
    sent.extend(headers(&next(&ami, event)));
    assert_headers(event, &sent);
}

/// The actions' table: name, class, and the headers that it takes, which stand before what it
/// answers with.
fn documented_actions() -> Vec<(String, String, Names)> {
    let tables = tables("action");
    let rows = tables.iter().flat_map(|table| &table.rows);
    let rows = rows.map(|row| {
        let word = |cell: &str| code(cell).into_iter().next().expect("a word in code");
        let taken = row[2].split(';').next().unwrap_or_default();
        (word(&row[0]), word(&row[1]), names(code(taken)))
    });
    rows.collect()
}

#[test]
fn every_action_and_event_is_on_a_page() {
    let ast = Instance::builder().userpresence("[general]\n").start();
    // Each is told as `Name: synopsis (Priv: class,all)`.
    let all = ast.ami().action(&[("Action", "ListCommands")]);
    let all = all.headers().iter();
    let of_ours = all.filter(|(name, _)| name.starts_with("UserPresence"));
    let existing = of_ours.map(|(name, about)| {
        let (_, class) = about.split_once("(Priv: ").expect("a class");
        format!("{name} {}", class.trim_end_matches(')'))
    });
    let documented = documented_actions();
    let actions = documented
        .iter()
        .map(|(name, class, _)| format!("{name} {class},all"));
    assert_same(
        "actions with their class",
        &names(actions),
        &names(existing),
    );

    for (name, _, headers) in &documented {
        let mut in_help = elements(&help("manager", name), "parameter");
        in_help.remove("ActionID");
        if !headers.is_empty() || !in_help.is_empty() {
            assert_same(&format!("headers in the help of {name}"), headers, &in_help);
        }
    }

    // What else has a name is an event or an application.
    let pages = super::pages::pages();
    let headings = pages.iter().flat_map(|page| page.headings().flat_map(code));
    let headings = headings.map(|name| name.trim_end_matches("()").to_owned());
    let mut on_pages = names(headings.filter(|name| name.starts_with("UserPresence")));
    for end in ["UserPresenceListComplete", "UserPresenceClusterComplete"] {
        on_pages.insert(end.to_owned());
    }
    on_pages.extend(documented.into_iter().map(|(name, _, _)| name));
    assert_same("names", &on_pages, &existing_names());
}

/// Each header of an action is looked at: a wrong value of it is refused. What is no header
/// is not looked at.
#[test]
fn every_header_of_an_action_is_on_a_page() {
    let ast = Instance::builder()
        .userpresence("[general]\n[alice]\ntype = user\naccount = main\n")
        .start();
    let ami = ast.ami();
    let long = "x".repeat(256);
    let mut taken = Names::new();
    for (action, _, headers) in documented_actions() {
        for header in &headers {
            taken.insert(header.clone());
            let value = match header.as_str() {
                "Subtype" | "Message" => long.as_str(),
                _ => "zzzzzzzzzz",
            };
            let needed = [("User", "alice"), ("Status", "away")];
            let needed = needed.into_iter().filter(|(name, _)| name != header);
            let given: Vec<_> = [("Action", action.as_str())]
                .into_iter()
                .chain(needed)
                .chain([(header.as_str(), value)])
                .collect();
            match action.as_str() {
                "UserPresenceList" => {
                    assert_eq!(ami.list(&[("Action", "UserPresenceList")]).len(), 1);
                    let other = [("Action", "UserPresenceList"), (header, value)];
                    assert_eq!(ami.list(&other).len(), 0, "{header}");
                }
                _ => {
                    let answer = ami.action(&given);
                    assert!(
                        !answer.ok(),
                        "{action} does not look at {header}: {answer:?}"
                    );
                }
            }
        }
    }
    let other = [
        ("Action", "UserPresenceSet"),
        ("User", "alice"),
        ("Status", "away"),
        ("Zzz", &long),
    ];
    assert!(ami.action(&other).ok());

    // The module cannot say which headers it takes: its source names them, `header("User")`.
    // Those of the flags are named as HTTP names the flags.
    let sources = sources();
    let surface = sources
        .iter()
        .find(|text| text.contains("c\"UserPresenceSet\""));
    let surface = surface.expect("the source of the actions");
    let arguments = literals(surface).filter(|(before, _, after)| {
        after.starts_with(')') && before.ends_with(['(', ' ']) && !before.ends_with("c ")
    });
    let is_header = |text: &&str| {
        text.starts_with(|c: char| c.is_ascii_uppercase())
            && text.chars().all(|c| c.is_ascii_alphanumeric())
            && !text.starts_with("UserPresence")
    };
    let mut read = names(arguments.map(|(_, text, _)| text).filter(is_header));
    read.extend(flags().into_iter().map(|name| {
        let (first, rest) = name.split_at(1);
        first.to_uppercase() + rest
    }));
    assert_same("headers of actions", &taken, &read);
}

/// The description of HTTP that the module serves.
fn described() -> Value {
    let ast = office("").start();
    ast.http("GET", "/userpresence/v1/openapi.json", &[], "")
        .json()
}

fn keys(object: &Value) -> Names {
    names(object.as_object().expect("an object").keys())
}

/// What a `PUT` may set to true or false.
fn flags() -> Names {
    let described = described();
    let wish = &described["components"]["schemas"]["Wish"]["properties"];
    let members = wish.as_object().expect("members").iter();
    let flags = members.filter(|(_, about)| about["type"] == "boolean");
    names(flags.map(|(name, _)| name))
}

#[test]
fn every_request_is_on_a_page() {
    let described = described();
    let mut requests = Names::new();
    let mut parts = Names::new();
    for (path, operations) in described["paths"].as_object().expect("paths") {
        for method in keys(operations) {
            requests.insert(format!("{} v1{path}", method.to_uppercase()));
        }
        // Its parts as the table of routes has them, where `*` is any part.
        let parameters = ["{account}", "{extension}", "{queue}", "{name}"];
        let path = parameters
            .iter()
            .fold(path.clone(), |path, name| path.replace(name, "*"));
        parts.insert(format!("v1{path}"));
    }
    assert_same("requests", &listed("request"), &requests);

    let sources = sources();
    let routes = sources
        .iter()
        .flat_map(|text| text.split("path: &[").skip(1));
    let routes = routes.filter_map(|rest| rest.split(']').next());
    let routes = routes.map(|route| route.replace(['"', ' ', '\n'], "").replace(',', "/"));
    let routes = routes.map(|route| route.trim_end_matches('/').to_owned());
    let routes = routes.filter(|route| route.starts_with("v1/") && route != "v1/selftest");
    assert_same("paths", &parts, &names(routes));

    let parameters = |path: &str| {
        let parameters = described["paths"][path]["get"]["parameters"].as_array();
        let own = parameters.expect("parameters").iter();
        names(own.filter_map(|parameter| parameter["name"].as_str()))
    };
    let list = parameters("/account/{account}/presence");
    assert_same(
        "parameters of a list",
        &listed("parameter of the list"),
        &list,
    );
    let feed = parameters("/account/{account}/events");
    assert_same(
        "parameters of the feed",
        &listed("parameter of the feed"),
        &feed,
    );
    let schemas = &described["components"]["schemas"];
    let wish = keys(&schemas["Wish"]["properties"]);
    assert_same("members of a PUT", &listed("member of a `PUT`"), &wish);
    let record = keys(&schemas["Record"]["properties"]);
    assert_same(
        "members of a record",
        &listed("member of a record"),
        &record,
    );
}

/// The description of ARI, which a test in `ari` compares with what the module answers.
#[test]
fn every_part_of_ari_is_on_a_page() {
    let described = repository_file("doc/rest-api/userPresence.json");
    let described: Value = serde_json::from_str(&described).expect("JSON");
    let (mut requests, mut parameters) = (Names::new(), BTreeMap::new());
    for api in described["apis"].as_array().expect("resources") {
        let path = api["path"].as_str().expect("a path");
        for operation in api["operations"].as_array().expect("operations") {
            let method = operation["httpMethod"].as_str().expect("a method");
            requests.insert(format!("{method} /ari{path}"));
            let given = operation["parameters"].as_array().expect("parameters");
            let given = given.iter().filter(|given| given["paramType"] == "query");
            let given = names(given.filter_map(|given| given["name"].as_str()));
            parameters.insert(operation["nickname"].as_str().expect("a name"), given);
        }
    }
    assert_same("requests of ARI", &listed("ARI request"), &requests);
    let list = listed("parameter of the ARI list");
    assert_same("parameters of ARI's list", &list, &parameters["list"]);
    let put = listed("parameter of an ARI `PUT`");
    assert_same("parameters of ARI's PUT", &put, &parameters["update"]);
    assert!(parameters["get"].is_empty());
    for (about, model) in [
        ("member of an ARI user", "UserPresence"),
        ("member of `UserPresenceChanged`", "UserPresenceChanged"),
        ("member of `UserPresenceRemoved`", "UserPresenceRemoved"),
    ] {
        let members = keys(&described["models"][model]["properties"]);
        assert_same(about, &listed(about), &members);
    }

    // Each parameter is looked at: a wrong value of it is refused, and others are unknown.
    let ast = with_ari(Instance::builder())
        .userpresence("[general]\n[alice]\ntype = user\n")
        .start();
    let asked = |name: &str| {
        let target = format!("/userPresence?{name}=%FF");
        ast.ari("GET", &target, "").status
    };
    assert!(parameters["list"].iter().all(|name| asked(name) == 400));
    let unknown = ast.ari("GET", "/userPresence?zzz=1", "").json();
    let unknown = unknown["message"].as_str().expect("a message").to_owned();
    let (_, expected) = unknown.split_once("expected ").expect("what is expected");
    let expected = expected.trim_end_matches('.').replace(" or ", ", ");
    assert_same(
        "parameters of ARI's list",
        &list,
        &names(expected.split(", ")),
    );
    let long = "x".repeat(256);
    for name in &parameters["update"] {
        let needed = match name.as_str() {
            "subtype" | "until" => "&status=away",
            _ => "",
        };
        let target = format!("/userPresence/alice?{name}={long}{needed}");
        let answer = ast.ari("PUT", &target, "");
        assert_eq!(answer.status, 400, "{name}: {answer:?}");
        let why = answer.json()["message"].to_string();
        assert!(!why.contains("unknown field"), "{name}: {why}");
    }
    let answer = ast.ari("PUT", "/userPresence/alice", r#"{"zzz": 1}"#);
    let why = answer.json()["message"].to_string();
    let (_, expected) = why
        .split_once("expected one of ")
        .expect("what is expected");
    let expected = names(expected.split('`').skip(1).step_by(2));
    assert_same("parameters of ARI's PUT", &put, &expected);
}

/// What really comes has the members and events that the page names.
#[test]
fn every_event_of_the_feed_is_on_a_page() {
    let dora = "[dora]\ntype = user\naccount = main\nendpoint = line,Local/wait@harness\n";
    let ast = office(&format!("[general]\nshow_calls = main\n{dora}"))
        .dialplan("exten = alice,1,UserPresenceDial(alice)")
        .start();
    let answer = ast.http(
        "GET",
        "/userpresence/v1/account/main/extension/200/presence",
        &[&login("panel")],
        "",
    );
    let mut members = keys(&answer.json());
    // This one is in a cluster alone.
    members.insert("node".to_owned());
    assert_same(
        "members of a record",
        &listed("member of a record"),
        &members,
    );

    let events = "/userpresence/v1/account/main/events";
    let mut seen = Names::new();
    let mut stream = ast.stream(&format!("{events}?snapshot=true"), &[&login("alice-web")]);
    let mut take = |kind: &str| {
        seen.insert(stream.expect(kind).kind);
    };
    take("snapshot");
    set(&ast, "bob", "away");
    take("presence");
    hide(&ast, "bob-web");
    take("hidden");
    ast.originate("Local/alice@default/n", "Wait", "1");
    take("push");
    let mut stream = ast.stream(&format!("{events}?lastEventId=1"), &[&login("panel")]);
    seen.insert(stream.expect("reset").kind);
    ast.run("Wait", "600");
    let mut stream = ast.stream(events, &[&login("panel")]);
    seen.insert(stream.expect("calls").kind);
    assert_same("events of the feed", &listed("`event:` of the feed"), &seen);
}

#[track_caller]
fn hide(ast: &Instance, who: &str) {
    let headers = [&*login(who), "Content-Type: application/json"];
    let target = "/userpresence/v1/account/~/extension/~/presence";
    let body = json!({"allowSeeMyPresence": false}).to_string();
    let Answer { status, body, .. } = ast.http("PUT", target, &headers, &body);
    assert_eq!(status, 200, "{body}");
}

/// The headers of a webhook's post, but for those of every request.
#[test]
fn every_header_of_a_post_is_on_a_page() {
    let receiver = Receiver::start();
    let url = receiver.url("/in");
    let ast = Instance::builder()
        .userpresence(&format!(
            "[general]\n[alice]\ntype = user\n\
             [crm]\ntype = webhook\nurl = {url}\nsecret = correct horse battery\n"
        ))
        .start();
    set(&ast, "alice", "away");
    let post = receiver.wait_taken(1).remove(0);
    let lines = post.head.lines().skip(1);
    let sent = lines.filter_map(|line| line.split_once(':').map(|(name, _)| name));
    let usual = ["Host", "Accept", "Content-Length"];
    let sent = names(sent.filter(|name| !usual.contains(name)));
    assert_same("headers of a post", &listed("header of a post"), &sent);
}

#[test]
fn every_metric_is_on_a_page() {
    const PREFIX: &str = "asterisk_userpresence_";
    // Some are there in a cluster alone, also before it is reached.
    let cluster = "[etcd]\ntype = cluster\nservers = http://127.0.0.1:9\n";
    let Some(builder) = crate::metrics::with_prometheus(Instance::builder()) else {
        return;
    };
    let ast = builder
        .userpresence(&format!("[general]\n[alice]\ntype = user\n{cluster}"))
        .start();
    let scraped = wait_until("the metrics", || {
        let text = ast.http("GET", "/metrics", &[], "").body;
        text.contains(PREFIX).then_some(text)
    });
    let bare = |name: &str| name.split(['{', ' ']).next().unwrap_or_default().to_owned();
    let lines = scraped.lines().filter_map(|line| line.strip_prefix(PREFIX));
    let existing = names(lines.map(bare));
    let documented = listed("metric `asterisk_userpresence_...`");
    let documented = names(documented.iter().map(|name| bare(name)));
    assert_same("metrics", &documented, &existing);

    // The kinds of what is inferred are told by the metric that counts them.
    let begin = format!("{PREFIX}users_inferred{{kind=\"");
    let kinds = scraped.lines().filter_map(|line| line.strip_prefix(&begin));
    let kinds = names(kinds.filter_map(|rest| rest.split('"').next()));
    assert_same("kinds of what is inferred", &listed("`kind`"), &kinds);
}
