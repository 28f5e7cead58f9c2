//! Who may see whom: each kind of reader, each visibility, each interface.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::harness::api::{api_user, get, login, put};
use crate::harness::ari::{Socket, with_ari};
use crate::harness::barrier::configured;
use crate::harness::users::{read, set, user_names};
use crate::harness::{EventStream, Instance, Receiver};

const LIST: &str = "/userpresence/v1/account/main/presence";
const EVENTS: &str = "/userpresence/v1/account/main/events";

/// Three users who are looked at, all of them in Sales, and users who look.
const USERS: &str = "[general]\nvisibility = nobody\noutgoing = none\n\
    [open]\ntype = user\naccount = main\ngroup = Sales\nvisibility = everyone\n\
    [team]\ntype = user\naccount = main\ngroup = Sales,Berlin\nvisibility = groups\n\
    [shy]\ntype = user\naccount = main\ngroup = Sales\n\
    [bob]\ntype = user\naccount = main\ngroup = SALES\n\
    [carol]\ntype = user\naccount = main\ngroup = Support\n\
    [dave]\ntype = user\naccount = main\n\
    [other]\ntype = user\naccount = east\ngroup = Sales\nvisibility = everyone\n";

/// Each caller, and whom of open, team and shy they see.
const CALLERS: [(&str, &str, &[&str]); 8] = [
    ("program", "role = read", &["open"]),
    ("admin", "role = admin", &["open"]),
    ("team-web", "role = self\nuser = team", &["open", "team"]),
    (
        "shy-web",
        "role = self\nuser = shy",
        &["open", "team", "shy"],
    ),
    ("bob-web", "role = admin\nuser = bob", &["open", "team"]),
    ("carol-web", "role = self\nuser = carol", &["open"]),
    ("dave-web", "role = read\nuser = dave", &["open"]),
    (
        "chief",
        "role = read\nsees_all = yes",
        &["open", "team", "shy"],
    ),
];

const TARGETS: [&str; 3] = ["open", "team", "shy"];

fn conf(more: &str) -> String {
    let callers =
        CALLERS.map(|(name, options, _)| api_user(name, &format!("account = main\n{options}")));
    format!("{USERS}{}{more}", callers.concat())
}

/// Those of the three whom records show.
fn shown(records: &Value) -> Vec<&str> {
    let records = records.as_array().expect("a list").iter();
    let users = records.filter_map(|record| record["user"].as_str());
    users.filter(|user| TARGETS.contains(user)).collect()
}

#[track_caller]
fn stream(ast: &Instance, who: &str, query: &str) -> EventStream {
    let stream = ast.stream(&format!("{EVENTS}?{query}"), &[&login(who)]);
    assert!(stream.head.starts_with("HTTP/1.1 200"), "{}", stream.head);
    stream
}

fn settings(ast: &Instance, user: &str, visibility: &str) {
    let patch = json!({"visibility": visibility}).to_string();
    ast.setvar(&format!("USER_PRESENCE({user},settings)"), &patch);
}

#[test]
fn each_caller_sees_the_same_users_everywhere_over_http() {
    let ast = configured(&conf("")).http().start();
    for (name, _, sees) in CALLERS {
        let list = get(&ast, name, LIST).json();
        assert_eq!(shown(&list["records"]), sees, "{name}");
        let pages = |query: &str| get(&ast, name, &format!("{LIST}?{query}")).json();
        assert_eq!(
            pages("group=Berlin")["records"]
                .as_array()
                .map(Vec::len)
                .unwrap_or(9),
            usize::from(sees.contains(&"team")),
            "{name}"
        );
        let total = pages("perPage=1")["paging"]["totalElements"].clone();
        assert_eq!(
            total,
            list["records"].as_array().map_or(0, Vec::len),
            "{name}"
        );
        let mut feed = stream(&ast, name, "snapshot=true&extension=");
        let snapshot = feed.expect("snapshot").data;
        assert_eq!(shown(&snapshot["records"]), sees, "{name}");
        for target in TARGETS {
            let seen = sees.contains(&target);
            let path = format!("/userpresence/v1/account/main/extension/{target}/presence");
            let record = get(&ast, name, &path);
            assert_eq!(
                record.status,
                if seen { 200 } else { 404 },
                "{name} {target}"
            );
            let named = get(&ast, name, &format!("{LIST}?extension={target}")).status;
            assert_eq!(named, if seen { 200 } else { 400 }, "{name} {target}");
        }
        for target in TARGETS {
            set(&ast, target, &format!("away,,for {name}"));
        }
        for target in sees {
            let event = feed.expect("presence").data;
            assert_eq!(event["body"]["extensionId"], *target, "{name}");
        }
        let session = get(&ast, name, "/userpresence/v1/session").json();
        assert_eq!(session["seesAll"], name == "chief");
    }
    // The last caller to be asked has had all of them; another account is none of it.
    let east = get(&ast, "chief", "/userpresence/v1/account/east/presence");
    assert_eq!(east.status, 404);
    // AMI and console are the administrator's.
    let all = BTreeSet::from_iter(user_names(&ast));
    assert!(
        TARGETS.iter().all(|target| all.contains(*target)),
        "{all:?}"
    );
    let users = ast.cli("userpresence show users");
    assert!(users.contains("shy") && users.contains("team"), "{users}");
    // Who may set a user and not see them gets no record.
    let path = "/userpresence/v1/account/main/extension/shy/presence";
    let done = put(&ast, "admin", path, &json!({"status": "dnd"}));
    assert_eq!((done.status, done.body.as_str()), (204, ""));
    let done = put(
        &ast,
        "bob-web",
        &path.replace("shy", "team"),
        &json!({"status": "dnd"}),
    );
    assert_eq!(
        (done.status, done.json()["state"].as_str()),
        (200, Some("dnd"))
    );
    assert_eq!(read(&ast, "shy"), "dnd");
    assert_eq!(ast.complaints(), Vec::<String>::new());
}

#[test]
fn a_reader_is_told_of_who_becomes_hidden_and_of_nothing_else() {
    let ast = configured(&conf("")).http().start();
    let own = "/userpresence/v1/account/main/extension/open/presence";
    set(&ast, "open", "away,,one");
    let before: u64 = read(&ast, "open,sequence").parse().expect("a number");
    let readers = ["program", "bob-web", "chief"];
    let mut feeds = readers.map(|name| stream(&ast, name, "expand=record&detail=status"));
    set(&ast, "open", "away,,two");
    settings(&ast, "open", "groups");
    set(&ast, "open", "away,,three");
    settings(&ast, "open", "nobody");
    set(&ast, "open", "away,,four");
    settings(&ast, "open", "groups");
    settings(&ast, "open", "everyone");
    // What each reader is told: `hidden`, or the visibility and message of the record.
    let told = |feed: &mut EventStream, count: usize| -> Vec<String> {
        let one = |_| {
            let event = feed.next().expect("an event");
            match event.kind.as_str() {
                "presence" => {
                    let record = &event.data["record"];
                    let text = |name: &str| record[name].as_str().unwrap_or("?").to_owned();
                    format!("{} {}", text("visibility"), text("message"))
                }
                kind => format!(
                    "{kind} {}",
                    event.data["extensionId"].as_str().unwrap_or("?")
                ),
            }
        };
        (0..count).map(one).collect()
    };
    let [program, bob, chief] = &mut feeds;
    let found = told(chief, 7);
    let expected = [
        "everyone two",
        "groups two",
        "groups three",
        "nobody three",
        "nobody four",
        "groups four",
        "everyone four",
    ];
    assert_eq!(found, expected);
    // The others saw what each event left visible, as long as they read it in time; at the
    // latest the last event shows the user again.
    for (feed, hidden) in [(program, 1), (bob, 1)] {
        let mut found = Vec::new();
        while found.last().is_none_or(|last| last != "everyone four") {
            found.extend(told(feed, 1));
        }
        let hides = found.iter().filter(|it| *it == "hidden open").count();
        assert!(hides >= hidden, "{found:?}");
        assert!(
            !found.iter().any(|it| it.starts_with("nobody")),
            "{found:?}"
        );
    }
    // Without a rush: one `hidden` when the reader loses sight, and nothing more.
    settings(&ast, "open", "groups");
    let [program, bob, _] = &mut feeds;
    assert_eq!(told(program, 1), ["hidden open"]);
    assert_eq!(told(bob, 1), ["groups four"]);
    settings(&ast, "open", "nobody");
    assert_eq!(told(bob, 1), ["hidden open"]);
    set(&ast, "open", "away,,five");
    settings(&ast, "open", "groups");
    assert_eq!(told(bob, 1), ["groups five"]);
    ast.setvar("USER_PRESENCE(open,allowSeeMyPresence)", "false");
    assert_eq!(told(bob, 1), ["hidden open"]);
    settings(&ast, "open", "everyone");
    ast.setvar("USER_PRESENCE(open,allowSeeMyPresence)", "true");
    assert_eq!(told(program, 1), ["everyone five"]);
    assert_eq!(told(bob, 1), ["everyone five"]);
    settings(&ast, "open", "groups");
    assert_eq!(told(program, 1), ["hidden open"]);
    // Events from before are hidden from a reader that comes back, and those of the time in
    // which the colleague could not see the user are left out.
    let resume = format!("expand=record&lastEventId={before}");
    let mut late = stream(&ast, "program", &resume);
    set(&ast, "bob", "chat");
    set(&ast, "shy", "chat");
    let mut seen = Vec::new();
    ast.setvar("USER_PRESENCE(open,allowSeeMyPresence)", "false");
    settings(&ast, "open", "everyone");
    ast.setvar("USER_PRESENCE(open,allowSeeMyPresence)", "true");
    while seen
        .last()
        .is_none_or(|last: &String| last != "everyone five")
    {
        seen.extend(told(&mut late, 1));
    }
    seen.pop();
    assert!(seen.iter().all(|it| it == "hidden open"), "{seen:?}");
    assert_eq!(get(&ast, "program", own).json()["visibility"], "everyone");
    assert_eq!(ast.complaints(), Vec::<String>::new());
}

#[test]
fn a_setting_of_ones_own_survives_a_reload_and_a_kill_and_goes_with_the_right() {
    let ast = configured(&conf("")).http().start();
    settings(&ast, "team", "everyone");
    ast.wait_astdb_on_disk(
        "/UserPresence/settings/team",
        r#"{"visibility":"everyone"}"#,
    );
    let path = "/userpresence/v1/account/main/extension/team/presence";
    let status = || get(&ast, "program", path).status;
    assert_eq!(status(), 200);
    let shown = ast.cli("userpresence show user team");
    assert!(
        shown.contains("Seen by: everyone, by the user's own setting"),
        "{shown}"
    );
    assert!(ast.reload().ok());
    assert_eq!(status(), 200);
    ast.kill9();
    ast.start_again();
    assert_eq!(status(), 200);
    // What is allowed no more has no effect, and setting it is refused.
    let forbidden = conf("").replace("[general]\n", "[general]\nown_settings = handling\n");
    ast.write_config("userpresence.conf", &forbidden);
    assert!(ast.reload().ok());
    assert_eq!(status(), 404);
    assert_eq!(read(&ast, "team,visibility"), "groups");
    let set = [
        ("Action", "UserPresenceSetSettings"),
        ("User", "bob"),
        ("Settings", r#"{"visibility":"everyone"}"#),
    ];
    let refused = ast.ami().action(&set);
    assert!(!refused.ok());
    let why = "visibility: own_settings of 'bob' does not include visibility";
    assert_eq!(refused.header("Message"), why);
    // Giving it back is always possible.
    let back = [
        ("Action", "UserPresenceSetSettings"),
        ("User", "team"),
        ("Settings", r#"{"visibility":null}"#),
    ];
    assert!(ast.ami().action(&back).ok());
    assert_eq!(read(&ast, "team,settings"), "{}");
    // A caller that sees more from now on begins anew.
    let last = read(&ast, "team,sequence");
    let more = forbidden.replacen("role = admin\n", "role = admin\nsees_all = yes\n", 1);
    assert_ne!(more, forbidden);
    ast.write_config("userpresence.conf", &more);
    assert!(ast.reload().ok());
    let mut feed = stream(&ast, "admin", &format!("lastEventId={last}"));
    feed.expect("reset");
    let snapshot = feed.expect("snapshot").data;
    assert_eq!(self::shown(&snapshot["records"]), TARGETS);
    // So does everybody when groups change: bob shares none with team now.
    let mut colleague = stream(&ast, "bob-web", "snapshot=true");
    let snapshot = colleague.expect("snapshot");
    assert_eq!(self::shown(&snapshot.data["records"]), ["open", "team"]);
    let moved = more.replace("group = SALES\n", "group = Support\n");
    ast.write_config("userpresence.conf", &moved);
    assert!(ast.reload().ok());
    assert!(colleague.next().is_none(), "the stream ends");
    let last = snapshot.id.expect("a number");
    let mut colleague = stream(&ast, "bob-web", &format!("lastEventId={last}"));
    colleague.expect("reset");
    let snapshot = colleague.expect("snapshot").data;
    assert_eq!(self::shown(&snapshot["records"]), ["open"]);
    // A reload that hides a user is an event of the user.
    let hides = moved.replace("visibility = everyone\n", "visibility = nobody\n");
    let before: u64 = read(&ast, "open,sequence").parse().expect("a number");
    ast.write_config("userpresence.conf", &hides);
    assert!(ast.reload().ok());
    let now: u64 = read(&ast, "open,sequence").parse().expect("a number");
    assert!(now > before);
    assert_eq!(
        get(&ast, "bob-web", &path.replace("team", "open")).status,
        404
    );
}

#[test]
fn webhooks_and_ari_show_whom_everyone_may_see() {
    let receiver = Receiver::start();
    let hook = format!(
        "[crm]\ntype = webhook\nurl = {}\naccount = main\nsecret = 0123456789abcdef\n\
         expand = record\n",
        receiver.url("/")
    );
    let ast = with_ari(configured(&conf(&hook)).http()).start();
    let mut crm = Socket::open(&ast, "crm", "");
    let source = "/applications/crm/subscription?eventSource=userPresence:";
    assert_eq!(ast.ari("POST", source, "").status, 200);
    let list = ast.ari("GET", "/userPresence?account=main", "").json();
    assert_eq!(shown(&list), ["open"]);
    for target in TARGETS {
        let seen = target == "open";
        let one = ast.ari("GET", &format!("/userPresence/{target}"), "");
        assert_eq!(one.status, if seen { 200 } else { 404 }, "{target}");
        let named = ast.ari("GET", &format!("/userPresence?extension={target}"), "");
        assert_eq!(named.status, if seen { 200 } else { 400 }, "{target}");
        // Setting is another right.
        let set = ast.ari("PUT", &format!("/userPresence/{target}?status=away"), "");
        assert_eq!(set.status, 204, "{target}");
        assert_eq!(read(&ast, target), "away");
    }
    let nobody = ast.ari("GET", "/userPresence/nobody", "").json()["message"].clone();
    let hidden = ast.ari("GET", "/userPresence/shy", "").json()["message"].clone();
    assert_eq!(
        nobody.as_str().unwrap_or("?").replace("nobody", "shy"),
        hidden
    );

    settings(&ast, "open", "groups");
    set(&ast, "open", "dnd,,A secret");
    settings(&ast, "open", "nobody");
    set(&ast, "team", "dnd");
    settings(&ast, "open", "everyone");
    settings(&ast, "team", "everyone");
    let events: Vec<Value> = (0..4).map(|_| crm.next()).collect();
    let kinds: Vec<String> = events
        .iter()
        .map(|event| {
            let user = event["user"]
                .as_str()
                .or(event["userPresence"]["user"].as_str());
            format!(
                "{} {}",
                event["type"].as_str().unwrap_or("?"),
                user.unwrap_or("?")
            )
        })
        .collect();
    let expected = [
        "UserPresenceChanged open",
        "UserPresenceRemoved open",
        "UserPresenceChanged open",
        "UserPresenceChanged team",
    ];
    assert_eq!(kinds, expected);
    assert_eq!(events[2]["userPresence"]["message"], "A secret");
    let posts = receiver.wait_taken(4);
    let posts: Vec<Value> = posts
        .iter()
        .map(|post| post.json()["body"].clone())
        .collect();
    let told: Vec<_> = posts
        .iter()
        .map(|body| {
            (
                body["extensionId"].as_str(),
                body["allowSeeMyPresence"].as_bool(),
            )
        })
        .collect();
    let open = |visible| (Some("open"), Some(visible));
    let team = (Some("team"), Some(true));
    assert_eq!(told, [open(true), open(false), open(true), team]);
    assert_eq!(posts[1].as_object().map(|body| body.len()), Some(3));
    assert_eq!(ast.complaints(), Vec::<String>::new());
}
