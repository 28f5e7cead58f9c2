//! ARI: users as a resource, and their changes as events, over HTTP and over websockets.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::harness::ari::{Socket, ari, with_ari};
use crate::harness::users::{read, set};
use crate::harness::{Answer, Builder, Instance, MODULE, now, root, skip, wait_until};

const RES_ARI: &str = "res_ari.so";

/// Three users of two accounts.
const USERS: &str = "\
[general]
[lunch]
type = status
label = At lunch
state = away
subtype = lunch
[alice]
type = user
id = 4711
account = main
extension = 200
[bob]
type = user
account = main
extension = 200
[carol]
type = user
account = other
";

/// A user of ARI that may only read.
const READERS: &str = "\
[general]
enabled = yes
[admin]
type = user
read_only = no
password = secret
[reader]
type = user
read_only = yes
password = secret
";

fn builder() -> Builder {
    with_ari(Instance::builder()).userpresence(USERS)
}

#[track_caller]
fn get(ast: &Instance, user: &str) -> Value {
    let answer = ast.ari("GET", &format!("/userPresence/{user}"), "");
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

/// Subscribes an application; the answer shows the application.
#[track_caller]
fn subscribe(ast: &Instance, method: &str, application: &str, source: &str) -> Answer {
    let path = format!("applications/{application}/subscription");
    ari(ast, method, &path, &[("eventSource", source)])
}

#[track_caller]
fn subscribed(ast: &Instance, application: &str, source: &str) -> Value {
    let answer = subscribe(ast, "POST", application, source);
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()["userpresence_names"].clone()
}

/// Waits until the resource is there.
#[track_caller]
fn wait_attached(ast: &Instance) {
    wait_until("the resource", || {
        let answer = ast.ari("GET", "/userPresence/carol", "");
        (answer.status == 200).then_some(())
    });
}

/// An application with that subscription has left and is back. Newer releases of Asterisk have
/// ended the subscription. Elsewhere it is still there, and is ended here; the answer says
/// whether that was so.
#[track_caller]
fn forget(ast: &Instance, application: &str, source: &str) -> bool {
    let kept = !root().module_contains("res_stasis", "unsubscribing from event source");
    if kept {
        let ended = subscribe(ast, "DELETE", application, source);
        assert_eq!(ended.status, 200, "{ended:?}");
    }
    kept
}

#[test]
fn a_user_is_read_by_name_id_or_extension() {
    let ast = builder().start();
    set(&ast, "carol", "lunch,,Back at one");
    let carol = get(&ast, "carol");
    for (member, value) in [
        ("user", json!("carol")),
        ("extensionId", json!("carol")),
        ("account", json!("other")),
        ("state", json!("away")),
        ("subtype", json!("lunch")),
        ("message", json!("Back at one")),
        ("status", json!("lunch")),
        ("label", json!("At lunch")),
        ("source", json!("own")),
        ("dndStatus", json!("TakeAllCalls")),
        ("presenceStatus", json!("Busy")),
        ("until", json!(null)),
    ] {
        assert_eq!(carol[member], value, "{member} of {carol}");
    }
    assert!(carol["since"].is_u64() && carol["sequence"].is_u64());
    assert_eq!(get(&ast, "CAROL"), carol);
    assert_eq!(get(&ast, "4711")["user"], "alice");

    let refused = |target: &str, status: u16, message: &str| {
        let answer = ast.ari("GET", target, "");
        assert_eq!(answer.status, status, "{answer:?}");
        assert_eq!(answer.json()["message"], message, "{target}");
    };
    refused(
        "/userPresence/dave",
        404,
        "There is no user 'dave', expected one of userpresence.conf or realtime.",
    );
    let several = "'200' is the id or an extension of several users (alice, bob), expected the \
                   name of one.";
    refused("/userPresence/200", 400, several);
    ast.setvar("USER_PRESENCE(bob,allowSeeMyPresence)", "false");
    refused(
        "/userPresence/200",
        400,
        &several.replace(" (alice, bob)", ""),
    );
    refused(
        "/userPresence/alice?colour=red",
        400,
        "Unknown parameter 'colour', expected none.",
    );
    refused("/userPresence/%FF", 400, "The path is not valid UTF-8.");
    refused("/userPresence/alice/more", 404, "Resource not found");
    let answer = ast.ari("DELETE", "/userPresence/alice", "");
    assert_eq!(answer.status, 405, "{answer:?}");
    assert_eq!(answer.header("Allow"), "OPTIONS,GET,PUT");
}

#[test]
fn a_user_is_set_by_query_or_body() {
    let ast = builder().start();
    let put = |target: &str, body: &str| ast.ari("PUT", &format!("/userPresence/{target}"), body);
    #[track_caller]
    fn done(answer: &Answer) {
        assert_eq!((answer.status, &*answer.body), (204, ""), "{answer:?}");
    }
    done(&put("carol?status=lunch&message=Back%20at%20%22one%22", ""));
    let carol = get(&ast, "carol");
    assert_eq!(carol["status"], "lunch");
    assert_eq!(carol["message"], "Back at \"one\"");
    done(&put(
        "carol",
        r#"{"message": "Ütfő 😀", "dndStatus": "DoNotAcceptAnyCalls"}"#,
    ));
    let carol = get(&ast, "carol");
    assert_eq!(carol["message"], "Ütfő 😀");
    assert_eq!(carol["status"], "lunch");
    assert_eq!(carol["dndStatus"], "DoNotAcceptAnyCalls");
    // The body precedes; ARI's own parameters may be in both.
    done(&put(
        "carol?status=dnd&until=30m&app=crm",
        r#"{"status": "chat", "app": "crm"}"#,
    ));
    let carol = get(&ast, "carol");
    assert_eq!(carol["state"], "chat");
    assert!(carol["until"].is_u64());
    let until = now() + 3_600_000;
    done(&put(&format!("carol?status=available&until={until}"), ""));
    assert_eq!(get(&ast, "carol")["until"], until);
    done(&put("carol?allowSeeMyPresence=false", ""));
    // A user who hides is hidden from ARI too, and can be set.
    let hidden = ast.ari("GET", "/userPresence/carol", "");
    assert_eq!(hidden.status, 404, "{hidden:?}");
    assert_eq!(read(&ast, "carol,allowSeeMyPresence"), "false");
    done(&put("carol?allowSeeMyPresence=true", ""));
    assert_eq!(get(&ast, "carol")["allowSeeMyPresence"], true);
    // The extensions are written, as for every other set.
    done(&put("alice?status=xa&subtype=trip", ""));
    assert_eq!(ast.getvar("PRESENCE_STATE(CustomPresence:200,value)"), "xa");

    let before = get(&ast, "carol");
    let long = "x".repeat(256);
    for (target, body, why) in [
        ("carol", "", "Nothing to set"),
        ("carol", "[1]", "The body is not a JSON object."),
        ("carol?status=zzz", "", "zzz"),
        ("carol?until=30m", "", "need a status"),
        (
            "carol?status=away&until=never",
            "",
            "Until is 'never', expected",
        ),
        ("carol?status=away&status=dnd", "", "given twice"),
        ("carol?colour=red", "", "nknown field `colour`"),
        ("carol", r#"{"status": 7}"#, "nvalid type"),
        ("carol?dndStatus=zzz", "", "zzz"),
        ("carol?allowSeeMyPresence=zzz", "", "expected true or false"),
        (
            "carol?status=away&message=%FF",
            "",
            "The query is not UTF-8.",
        ),
        ("carol?status=away&message=a%0Ab", "", "control"),
        (&format!("carol?status=away&message={long}"), "", "255"),
    ] {
        let answer = put(target, body);
        assert_eq!(answer.status, 400, "{target} {body}: {answer:?}");
        let message = answer.json()["message"]
            .as_str()
            .expect("a message")
            .to_owned();
        assert!(message.contains(why), "{target} {body}: {message}");
    }
    assert_eq!(put("dave?status=away", "").status, 404);
    assert_eq!(get(&ast, "carol"), before, "nothing was set");
}

#[test]
fn a_read_only_user_reads_and_sets_nothing() {
    let ast = builder().file("ari.conf", READERS).start();
    let reader = "api_key=reader:secret";
    let target = format!("/ari/userPresence/carol?{reader}");
    assert_eq!(ast.http("GET", &target, &[], "").status, 200);
    let before = get(&ast, "carol");
    let answer = ast.http("PUT", &format!("{target}&status=away"), &[], "");
    assert_eq!(answer.status, 403, "{answer:?}");
    assert_eq!(get(&ast, "carol"), before);
    let target = "/ari/userPresence/carol";
    assert_eq!(ast.http("GET", target, &[], "").status, 401);
    assert_eq!(ast.http("PUT", target, &[], "").status, 401);
}

#[test]
fn the_list_is_filtered_and_paged() {
    let many: String = (0..250)
        .map(|at| format!("[user{at:03}]\ntype = user\naccount = many\n"))
        .collect();
    let ast = with_ari(Instance::builder())
        .userpresence(&format!("{USERS}{many}"))
        .start();
    let names = |query: &str| -> Vec<String> {
        let answer = ast.ari("GET", &format!("/userPresence?{query}"), "");
        assert_eq!(answer.status, 200, "{answer:?}");
        let list = answer.json();
        let users = list.as_array().expect("a list").iter();
        users
            .map(|user| user["user"].as_str().expect("a name").to_owned())
            .collect()
    };
    assert_eq!(names("").len(), 100);
    assert_eq!(names("page=3").len(), 53);
    assert!(names("page=4").is_empty());
    assert_eq!(names("perPage=1000").len(), 253);
    assert_eq!(names("account=main"), ["alice", "bob"]);
    assert_eq!(
        names("account=many&perPage=2&page=2"),
        ["user002", "user003"]
    );
    assert_eq!(names("extension=carol,4711"), ["carol", "alice"]);
    assert_eq!(
        names("text=USER24&perPage=3&page=2"),
        ["user243", "user244", "user245"]
    );
    set(&ast, "carol", "lunch");
    set(&ast, "user007", "away");
    assert_eq!(names("status=away"), ["carol", "user007"]);
    assert_eq!(names("status=lunch"), ["carol"]);
    assert_eq!(get(&ast, "carol"), {
        let answer = ast.ari("GET", "/userPresence?text=carol", "");
        answer.json()[0].clone()
    });
    for (query, status) in [
        ("account=none", 404),
        ("extension=none", 400),
        ("perPage=1001", 400),
        ("page=0", 400),
        ("colour=red", 400),
    ] {
        let answer = ast.ari("GET", &format!("/userPresence?{query}"), "");
        assert_eq!(answer.status, status, "{query}: {answer:?}");
    }
    let answer = ast.ari("GET", "/userPresence?colour=red", "");
    let expected = "Unknown parameter 'colour', expected account, page, perPage, extension, \
                    status, group or text.";
    assert_eq!(answer.json()["message"], expected);
}

#[test]
fn an_application_gets_the_changes_of_its_users() {
    let ast = builder().start();
    let mut crm = Socket::open(&ast, "crm", "");
    assert_eq!(
        subscribed(&ast, "crm", "userPresence:CAROL"),
        json!(["carol"])
    );
    // Once more changes nothing.
    assert_eq!(
        subscribed(&ast, "crm", "userPresence:carol"),
        json!(["carol"])
    );
    set(&ast, "alice", "dnd");
    set(&ast, "carol", "lunch,,Back at \"one\"");
    let event = crm.expect("UserPresenceChanged");
    assert_eq!(event["application"], "crm");
    assert!(event["asterisk_id"].is_string());
    let timestamp = event["timestamp"].as_str().expect("a time");
    assert_eq!(
        (timestamp.len(), &timestamp[10..11]),
        (28, "T"),
        "{timestamp}"
    );
    assert_eq!(event["userPresence"], get(&ast, "carol"));
    assert_eq!(event["userPresence"]["message"], "Back at \"one\"");

    // Another user, then all of them.
    let names = subscribed(&ast, "crm", "userPresence:4711");
    assert_eq!(names, json!(["alice", "carol"]));
    set(&ast, "alice", "chat");
    let user = |event: Value| event["userPresence"]["user"].clone();
    assert_eq!(user(crm.expect("UserPresenceChanged")), "alice");
    let mut wall = Socket::open(&ast, "wall", "");
    assert_eq!(subscribed(&ast, "wall", "userPresence:"), json!(["*"]));
    set(&ast, "carol", "available");
    assert_eq!(user(wall.expect("UserPresenceChanged")), "carol");
    assert_eq!(user(crm.expect("UserPresenceChanged")), "carol");

    // A subscription ends: alone, and with its application.
    let ended = subscribe(&ast, "DELETE", "crm", "userPresence:carol");
    assert_eq!(
        ended.json()["userpresence_names"],
        json!(["alice"]),
        "{ended:?}"
    );
    let again = subscribe(&ast, "DELETE", "crm", "userPresence:carol");
    assert_eq!(again.status, 422, "{again:?}");
    set(&ast, "carol", "xa");
    set(&ast, "alice", "xa");
    assert_eq!(user(crm.expect("UserPresenceChanged")), "alice");
    assert_eq!(user(wall.expect("UserPresenceChanged")), "carol");
    drop(crm);
    wait_until("the application's end", || {
        let answer = ari(&ast, "GET", "applications/crm", &[]);
        (answer.status == 404).then_some(())
    });
    let mut crm = Socket::open(&ast, "crm", "");
    forget(&ast, "crm", "userPresence:alice");
    let shown = ari(&ast, "GET", "applications/crm", &[]).json();
    assert_eq!(shown["userpresence_names"], json!([]));
    assert_eq!(
        subscribed(&ast, "crm", "userPresence:carol"),
        json!(["carol"])
    );
    set(&ast, "alice", "away");
    set(&ast, "carol", "away");
    assert_eq!(user(crm.expect("UserPresenceChanged")), "carol");

    for (application, source, status) in [
        ("crm", "userPresence:dave", 422),
        ("crm", "userpresence:carol", 400),
        ("none", "userPresence:carol", 404),
    ] {
        let answer = subscribe(&ast, "POST", application, source);
        assert_eq!(answer.status, status, "{source}: {answer:?}");
    }
}

#[test]
fn an_application_for_all_events_gets_all_users() {
    let ast = builder().start();
    let mut all = Socket::open(&ast, "all", "&subscribeAll=true");
    set(&ast, "carol", "away");
    let event = all.expect("UserPresenceChanged");
    assert_eq!(event["userPresence"]["user"], "carol");
    let body = r#"{"disallowed": [{"type": "UserPresenceChanged"}]}"#;
    let filtered = ast.ari("PUT", "/applications/all/eventFilter", body);
    assert_eq!(filtered.status, 200, "{filtered:?}");
    set(&ast, "carol", "xa");
    ast.write_config("userpresence.conf", &USERS.replace("[carol]", "[dave]"));
    assert!(ast.reload().ok());
    assert_eq!(all.next()["type"], "UserPresenceRemoved");
}

#[test]
fn requests_come_by_websocket_too() {
    let described = std::fs::read_to_string(root().data().join("rest-api/events.json"));
    if !described.expect("a description").contains("RESTRequest") {
        return skip("its ARI takes no requests by websocket");
    }
    let ast = builder().start();
    let mut crm = Socket::open(&ast, "crm", "");
    subscribed(&ast, "crm", "userPresence:carol");
    let (status, body) = crm.request("PUT", "userPresence/carol?status=lunch", "");
    assert_eq!((status, &*body), (204, ""));
    let body = r#"{"status": "away", "message": "At the \"dentist\""}"#;
    let (status, _) = crm.request("PUT", "userPresence/carol", body);
    assert_eq!(status, 204);
    let (status, body) = crm.request("GET", "userPresence/carol", "");
    assert_eq!(status, 200, "{body}");
    let carol: Value = serde_json::from_str(&body).expect("JSON");
    assert_eq!(carol, get(&ast, "carol"));
    assert_eq!(carol["message"], "At the \"dentist\"");
    let (status, body) = crm.request("GET", "userPresence?account=main", "");
    let list: Value = serde_json::from_str(&body).expect("JSON");
    assert_eq!((status, list.as_array().map(Vec::len)), (200, Some(2)));
    assert_eq!(crm.request("GET", "userPresence/dave", "").0, 404);
    assert_eq!(
        crm.request("PUT", "userPresence/carol?status=zzz", "").0,
        400
    );
    let statuses = [(); 2].map(|()| {
        let event = crm.expect("UserPresenceChanged");
        event["userPresence"]["status"].clone()
    });
    assert_eq!(statuses, ["lunch", "away"]);
}

#[test]
fn subscriptions_outlive_an_unload_of_the_module() {
    let ast = builder().start();
    let mut crm = Socket::open(&ast, "crm", "");
    let mut wall = Socket::open(&ast, "wall", "");
    let gone = Socket::open(&ast, "gone", "");
    subscribed(&ast, "crm", "userPresence:carol");
    subscribed(&ast, "wall", "userPresence:");
    subscribed(&ast, "gone", "userPresence:");
    assert!(ast.unload_module(MODULE).ok());
    assert_eq!(ast.ari("GET", "/userPresence/carol", "").status, 404);
    assert_eq!(
        subscribe(&ast, "POST", "crm", "userPresence:alice").status,
        422
    );
    let shown = ari(&ast, "GET", "applications/wall", &[]).json();
    assert_eq!(shown["userpresence_names"], json!(["*"]));
    // An application that leaves meanwhile, and one that comes back without a subscription.
    drop(gone);
    wait_until("the application's end", || {
        let answer = ari(&ast, "GET", "applications/gone", &[]);
        (answer.status == 404).then_some(())
    });
    let mut back = Socket::open(&ast, "gone", "");
    assert!(ast.load_module(MODULE).ok());
    wait_attached(&ast);
    set(&ast, "carol", "away");
    for socket in [&mut crm, &mut wall] {
        let event = socket.expect("UserPresenceChanged");
        assert_eq!(event["userPresence"]["user"], "carol");
    }
    if forget(&ast, "gone", "userPresence:") {
        let event = back.expect("UserPresenceChanged");
        assert_eq!(event["userPresence"]["state"], "away");
    }
    let shown = ari(&ast, "GET", "applications/gone", &[]).json();
    assert_eq!(shown["userpresence_names"], json!([]));
    assert_eq!(
        subscribed(&ast, "gone", "userPresence:carol"),
        json!(["carol"])
    );
    set(&ast, "carol", "xa");
    assert_eq!(
        back.expect("UserPresenceChanged")["userPresence"]["state"],
        "xa"
    );
}

#[test]
fn res_ari_may_come_later_and_be_loaded_again() {
    let ast = builder().start();
    let modules = ["res_ari_events", "res_ari_applications", "res_ari_channels"];
    let others = ["res_ari_asterisk", "app_stasis"];
    let all = || modules.iter().chain(&others);
    let unload = || {
        for name in all() {
            let answer = ast.unload_module(&format!("{name}.so"));
            assert!(answer.ok(), "{name}: {answer:?}");
        }
        assert!(ast.unload_module(RES_ARI).ok());
    };
    let load = || {
        assert!(ast.load_module(RES_ARI).ok());
        for name in all() {
            assert!(ast.load_module(&format!("{name}.so")).ok(), "{name}");
        }
    };
    for _ in 0..3 {
        // So fast that the module sees it loaded each time it looks.
        unload();
        load();
        wait_attached(&ast);
    }
    unload();
    // The module runs on without it, and finds it later.
    set(&ast, "carol", "away");
    assert!(ast.unload_module(MODULE).ok());
    assert!(ast.load_module(MODULE).ok());
    load();
    wait_attached(&ast);
    let mut crm = Socket::open(&ast, "crm", "");
    assert_eq!(
        subscribed(&ast, "crm", "userPresence:carol"),
        json!(["carol"])
    );
    set(&ast, "carol", "dnd");
    assert_eq!(
        crm.expect("UserPresenceChanged")["userPresence"]["state"],
        "dnd"
    );
    let complaints = ast.log();
    assert!(!complaints.contains("No presence in ARI"), "{complaints}");
}

#[test]
fn without_ari_nothing_is_said() {
    let ast = Instance::builder().userpresence(USERS).start();
    set(&ast, "carol", "away");
    assert!(ast.reload().ok());
    assert!(!ast.log().contains("ARI"));
}

#[test]
fn a_user_that_is_removed_is_an_event() {
    let ast = builder().start();
    let mut crm = Socket::open(&ast, "crm", "");
    subscribed(&ast, "crm", "userPresence:carol");
    ast.write_config("userpresence.conf", &USERS.replace("[carol]", "[dave]"));
    assert!(ast.reload().ok());
    let event = crm.expect("UserPresenceRemoved");
    assert_eq!(
        (&event["user"], &event["application"]),
        (&json!("carol"), &json!("crm"))
    );
    // The subscription stays, for a user that comes back.
    let shown = ari(&ast, "GET", "applications/crm", &[]).json();
    assert_eq!(shown["userpresence_names"], json!(["carol"]));
    ast.write_config("userpresence.conf", USERS);
    assert!(ast.reload().ok());
    set(&ast, "carol", "chat");
    let event = crm.expect("UserPresenceChanged");
    assert_eq!(event["userPresence"]["state"], "chat");
}

/// The client of one application reads nothing, and Asterisk waits for it. Nobody else notices,
/// and the module is unloaded meanwhile.
#[test]
fn an_application_that_does_not_read_holds_up_nothing() {
    const CHANGES: usize = 500;
    const ENDED: &str = "Problem occurred during websocket write";
    let slowly = "enabled = yes\nwebsocket_write_timeout = 15000";
    let ast = builder()
        .file("ari.conf", &READERS.replace("enabled = yes", slowly))
        .start();
    let slow = Socket::open(&ast, "slow", "");
    slow.narrow();
    let mut quick = Socket::open(&ast, "quick", "");
    subscribed(&ast, "slow", "userPresence:");
    subscribed(&ast, "quick", "userPresence:carol");
    let message = "x".repeat(255);
    let change = |user: &str, at: usize| set(&ast, user, &format!("away,s{at},{message}"));
    for at in 0..CHANGES {
        change("carol", at);
    }
    for at in 0..CHANGES {
        let event = quick.expect("UserPresenceChanged");
        assert_eq!(event["userPresence"]["subtype"], format!("s{at}"));
    }
    // Until the connection's buffers are full, and longer.
    let at = 5000;
    for at in 0..at {
        change("carol", at);
    }
    assert!(!ast.log().contains(ENDED), "{at} changes");
    let last = format!("s{}", at - 1);
    while quick.expect("UserPresenceChanged")["userPresence"]["subtype"] != last {}
    let begin = Instant::now();
    assert!(ast.unload_module(MODULE).ok());
    assert!(begin.elapsed() < Duration::from_secs(4), "{at} changes");
    // So it was waiting for the client all the time.
    ast.wait_log(ENDED);
    assert!(ast.load_module(MODULE).ok());
    wait_attached(&ast);
    change("carol", at);
    let event = quick.expect("UserPresenceChanged");
    assert_eq!(event["userPresence"]["subtype"], format!("s{at}"));
}

/// The description has the resources, parameters and members that there are.
#[test]
fn the_description_is_served_and_true() {
    let ast = builder().start();
    let answer = ast.ari("GET", "/api-docs/userPresence.json", "");
    assert_eq!(answer.status, 200, "{answer:?}");
    let described = answer.json();
    let stock = ast.ari("GET", "/api-docs/deviceStates.json", "").json();
    for member in [
        "apiVersion",
        "swaggerVersion",
        "resourcePath",
        "apis",
        "models",
    ] {
        assert!(
            stock[member].is_null() == described[member].is_null(),
            "{member}"
        );
    }
    assert_eq!(described["swaggerVersion"], stock["swaggerVersion"]);
    let mut operations = Vec::new();
    for api in described["apis"].as_array().expect("resources") {
        for operation in api["operations"].as_array().expect("operations") {
            let method = operation["httpMethod"].as_str().expect("a method");
            operations.push(format!(
                "{method} {}",
                api["path"].as_str().expect("a path")
            ));
        }
    }
    let expected = [
        "GET /userPresence",
        "GET /userPresence/{user}",
        "PUT /userPresence/{user}",
    ];
    assert_eq!(operations, expected);
    let keys = |value: &Value| -> Vec<String> {
        let mut keys: Vec<String> = value
            .as_object()
            .expect("an object")
            .keys()
            .cloned()
            .collect();
        keys.sort();
        keys
    };
    let members = |model: &str| keys(&described["models"][model]["properties"]);
    assert_eq!(members("UserPresence"), keys(&get(&ast, "carol")));
    assert_eq!(
        members("ChosenPresence"),
        keys(&get(&ast, "carol")["chosen"])
    );
    let mut crm = Socket::open(&ast, "crm", "");
    subscribed(&ast, "crm", "userPresence:");
    set(&ast, "carol", "away");
    assert_eq!(
        members("UserPresenceChanged"),
        keys(&crm.expect("UserPresenceChanged"))
    );
    ast.write_config("userpresence.conf", &USERS.replace("[carol]", "[dave]"));
    assert!(ast.reload().ok());
    assert_eq!(
        members("UserPresenceRemoved"),
        keys(&crm.expect("UserPresenceRemoved"))
    );
}

#[test]
fn unloads_and_loads_while_users_change_lose_no_subscription() {
    const ROUNDS: usize = 20;
    let ast = builder().perturbed().start();
    let mut crm = Socket::open(&ast, "crm", "");
    subscribed(&ast, "crm", "userPresence:carol");
    for round in 0..ROUNDS {
        set(&ast, "carol", &format!("away,r{round}"));
        assert!(ast.unload_module(MODULE).ok());
        assert!(ast.load_module(MODULE).ok());
        wait_attached(&ast);
    }
    let text = "dnd,last";
    set(&ast, "carol", text);
    loop {
        let event = crm.expect("UserPresenceChanged");
        if event["userPresence"]["subtype"] == "last" {
            break;
        }
    }
    assert!(ast.running());
}
