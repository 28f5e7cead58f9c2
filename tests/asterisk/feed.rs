//! The account over HTTP: presence as JSON, and its events as a stream.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::harness::api::{api_user, get, login, office, put};
use crate::harness::barrier::{configured, set_extension};
use crate::harness::network::vanish;
use crate::harness::users::{read, set};
use crate::harness::{Answer, Event, EventStream, Instance, MODULE, wait_until};

const MAIN: &str = "/userpresence/v1/account/main";

/// Sets the presence of a user of the account `main`.
#[track_caller]
fn set_presence(ast: &Instance, name: &str, user: &str, body: &Value) -> Answer {
    put(
        ast,
        name,
        &format!("{MAIN}/extension/{user}/presence"),
        body,
    )
}

#[track_caller]
fn stream(ast: &Instance, who: &str, query: &str) -> EventStream {
    let stream = ast.stream(&format!("{MAIN}/events{query}"), &[&login(who)]);
    assert!(
        stream.head.starts_with("HTTP/1.1 200 OK"),
        "{}",
        stream.head
    );
    assert!(stream.head.contains("text/event-stream"), "{}", stream.head);
    stream
}

fn names(list: &Value) -> Vec<&str> {
    let records = list["records"].as_array().expect("records");
    records
        .iter()
        .filter_map(|record| record["user"].as_str())
        .collect()
}

#[test]
fn an_account_is_listed_by_pages_and_filters() {
    let ast = office("").start();
    set_extension(&ast, "200", "away,lunch,Back at one");
    set_extension(&ast, "201", "chat");
    let list = |query: &str| get(&ast, "panel", &format!("{MAIN}/presence{query}")).json();
    let all = list("");
    assert_eq!(names(&all), ["alice", "bob"]);
    let paging = json!({"page": 1, "perPage": 100, "totalPages": 1, "totalElements": 2});
    assert_eq!(all["paging"], paging);
    assert_eq!(all["sequence"].to_string(), read(&ast, "bob,sequence"));
    let since: u64 = read(&ast, "alice,since").parse().expect("a time");
    let sequence: u64 = read(&ast, "alice,sequence").parse().expect("a number");
    let alice = json!({
        "extensionId": "4711", "user": "alice", "name": "alice", "title": "", "email": "",
        "groups": [], "extensions": ["200"], "visibility": "everyone",
        "telephonyStatus": "NoCall", "presenceStatus": "Busy", "userStatus": "Busy",
        "meetingStatus": "Disconnected", "dndStatus": "TakeAllCalls",
        "allowSeeMyPresence": true, "ringOnMonitoredCall": false, "pickUpCallsOnHold": false,
        "sequence": sequence, "state": "away", "subtype": "lunch", "message": "Back at one",
        "status": "away", "label": "away", "since": since, "until": null,
        "chosen": {
            "state": "away", "subtype": "lunch", "message": "Back at one", "since": since,
            "until": null,
        },
        "inferred": null,
    });
    let mut found = all["records"][0].clone();
    found["label"] = "away".into();
    assert_eq!(found, alice);
    for (query, expected) in [
        ("?perPage=1", vec!["alice"]),
        ("?perPage=1&page=2", vec!["bob"]),
        ("?perPage=1&page=3", vec![]),
        ("?extension=202", vec!["bob"]),
        ("?extension=4711,201", vec!["alice", "bob"]),
        ("?status=chat", vec!["bob"]),
        ("?status=Busy,NoCall", vec!["alice", "bob"]),
        ("?status=Busy", vec!["alice"]),
        ("?text=BACK%20AT", vec!["alice"]),
        ("?text=20", vec!["alice", "bob"]),
        ("?text=nobody", vec![]),
    ] {
        assert_eq!(names(&list(query)), expected, "{query}");
    }
    let one = get(&ast, "panel", &format!("{MAIN}/extension/4711/presence"));
    assert_eq!(one.json(), all["records"][0]);
    for way in ["alice", "200"] {
        let same = get(&ast, "panel", &format!("{MAIN}/extension/{way}/presence"));
        assert_eq!(same.body, one.body);
    }
    let own = "/userpresence/v1/account/~/extension/~/presence";
    assert_eq!(get(&ast, "alice-web", own).body, one.body);
    let statuses = get(&ast, "panel", &format!("{MAIN}/statuses")).json();
    let names = statuses["statuses"].as_array().expect("statuses").iter();
    let names: Vec<&str> = names.filter_map(|status| status["name"].as_str()).collect();
    assert!(
        names.contains(&"dnd") && names.contains(&"available"),
        "{names:?}"
    );
}

#[test]
fn an_unchanged_answer_is_not_sent_again() {
    let ast = office("").start();
    set_extension(&ast, "200", "away");
    let target = format!("{MAIN}/presence");
    let first = get(&ast, "panel", &target);
    let tag = first
        .head
        .lines()
        .find(|line| line.starts_with("ETag: "))
        .expect("a tag");
    let known = tag.replace("ETag", "If-None-Match");
    let again = ast.http("GET", &target, &[&login("panel"), &known], "");
    assert_eq!((again.status, &*again.body), (304, ""));
    let head = ast.http("HEAD", &target, &[&login("panel")], "");
    assert_eq!((head.status, &*head.body), (200, ""));
    set_extension(&ast, "200", "away,,A word");
    let new = ast.http("GET", &target, &[&login("panel"), &known], "");
    assert_eq!(new.status, 200);
}

#[test]
fn each_mistake_gets_one_clear_answer() {
    let ast = office("").start();
    let account = "/userpresence/v1/account";
    for (who, target, status, word) in [
        (
            "panel",
            format!("{MAIN}/presence?page=0"),
            400,
            "'0' is not a valid page",
        ),
        (
            "panel",
            format!("{MAIN}/presence?perPage=1001"),
            400,
            "1 to 1000",
        ),
        (
            "panel",
            format!("{MAIN}/presence?colour=red"),
            400,
            "'colour'",
        ),
        (
            "panel",
            format!("{MAIN}/presence?page=1&page=2"),
            400,
            "twice",
        ),
        (
            "panel",
            format!("{MAIN}/presence?extension=999"),
            400,
            "'999'",
        ),
        (
            "panel",
            format!("{MAIN}/events?detail=calls"),
            400,
            "'calls'",
        ),
        ("panel", format!("{MAIN}/events?lastEventId=x"), 400, "'x'"),
        (
            "panel",
            format!("{MAIN}/extension/999/presence"),
            404,
            "no such extension",
        ),
        // Another account is treated as one that does not exist.
        (
            "panel",
            format!("{MAIN}/extension/203/presence"),
            404,
            "no such extension",
        ),
        (
            "panel",
            format!("{account}/other/presence"),
            404,
            "no such account",
        ),
        (
            "panel",
            format!("{account}/none/presence"),
            404,
            "no such account",
        ),
        ("stranger", format!("{MAIN}/events"), 404, "no such account"),
        (
            "panel",
            format!("{MAIN}/extension/~/presence"),
            404,
            "no such extension",
        ),
    ] {
        let answer = get(&ast, who, &target);
        let message = answer.json()["error"]["message"].clone();
        let message = message.as_str().unwrap_or_default();
        assert_eq!(answer.status, status, "{target}: {answer:?}");
        assert!(message.contains(word), "{target}: {message}");
    }
    // Without a login the answer reveals nothing.
    for target in [
        format!("{MAIN}/presence"),
        format!("{account}/none/presence"),
    ] {
        assert_eq!(ast.http("GET", &target, &[], "").status, 401);
    }
}

#[test]
fn users_set_their_own_status_and_an_admin_everybodys() {
    let conf = "[lunch]\ntype = status\nstate = away\nsubtype = lunch\nlabel = At lunch\n\
                [nothing]\ntype = status\nstate =\n";
    let ast = office(conf).start();
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("a clock");
    let until = (now + Duration::from_secs(3600)).as_millis() as u64;
    let wish = json!({
        "status": "lunch", "message": "Back, at \"one\" <b>", "until": until,
        "dndStatus": "DoNotAcceptDepartmentCalls", "ringOnMonitoredCall": true,
    });
    let answer = set_presence(&ast, "alice-web", "~", &wish);
    assert_eq!(answer.status, 200, "{answer:?}");
    let record = answer.json();
    for (field, value) in [
        ("state", json!("away")),
        ("subtype", json!("lunch")),
        ("message", json!("Back, at \"one\" <b>")),
        ("status", json!("lunch")),
        ("label", json!("At lunch")),
        ("until", json!(until)),
        ("dndStatus", json!("DoNotAcceptDepartmentCalls")),
        ("ringOnMonitoredCall", json!(true)),
        ("userStatus", json!("Busy")),
    ] {
        assert_eq!(record[field], value, "{field}");
    }
    assert_eq!(read(&ast, "alice,status"), "lunch");
    assert_eq!(
        set_presence(&ast, "boss", "bob", &json!({"status": "dnd"})).status,
        200
    );
    assert_eq!(read(&ast, "bob"), "dnd");
    assert_eq!(set_presence(&ast, "boss", "bob", &json!({})).status, 200);

    for (who, extension, body, status, word) in [
        ("panel", "alice", json!({"status": "dnd"}), 403, "your own"),
        (
            "alice-web",
            "bob",
            json!({"status": "away"}),
            403,
            "your own",
        ),
        ("boss", "203", json!({"status": "away"}), 404, "no such"),
        (
            "boss",
            "bob",
            json!({"status": "asleep"}),
            400,
            "Unknown status 'asleep'",
        ),
        (
            "boss",
            "bob",
            json!({"subtype": "Hello"}),
            400,
            "need a status",
        ),
        (
            "boss",
            "bob",
            json!({"status": "away", "until": 1}),
            400,
            "past",
        ),
        (
            "boss",
            "bob",
            json!({"status": "away", "until": i64::MAX}),
            400,
            "ten years",
        ),
        (
            "boss",
            "bob",
            json!({"dndStatus": "x"}),
            400,
            "unknown dndStatus",
        ),
        (
            "boss",
            "bob",
            json!({"status": "away", "message": "a\nb"}),
            400,
            "message",
        ),
        (
            "boss",
            "bob",
            json!({"status": "away", "message": "x".repeat(256)}),
            400,
            "255",
        ),
        (
            "boss",
            "bob",
            json!({"status": "nothing", "message": "x"}),
            400,
            "no state",
        ),
        ("boss", "bob", json!({"colour": "red"}), 400, "colour"),
        ("boss", "bob", json!({"status": 1}), 400, "string"),
        ("boss", "bob", json!(["away"]), 400, "object"),
        (
            "boss",
            "bob",
            json!({"message": "x".repeat(9000)}),
            413,
            "8 kB",
        ),
    ] {
        let answer = set_presence(&ast, who, extension, &body);
        let message = answer.json()["error"]["message"].clone();
        let message = message.as_str().unwrap_or_default().to_lowercase();
        assert_eq!(answer.status, status, "{body}: {answer:?}");
        assert!(message.contains(&word.to_lowercase()), "{body}: {message}");
    }
    // A request with one mistake changes nothing at all.
    let half = json!({"status": "away", "dndStatus": "x", "pickUpCallsOnHold": true});
    assert_eq!(set_presence(&ast, "boss", "bob", &half).status, 400);
    assert_eq!(read(&ast, "bob"), "dnd");
    assert_eq!(read(&ast, "bob,pickUpCallsOnHold"), "false");
}

fn number(event: &Event) -> u64 {
    event.data["body"]["sequence"].as_u64().expect("a number")
}

#[test]
fn a_reader_that_resumes_misses_nothing() {
    let ast = office("").start();
    let mut reader = stream(&ast, "panel", "");
    set_extension(&ast, "200", "away,lunch,Back at one");
    let first = reader.expect("presence");
    assert_eq!(first.id, Some(number(&first)));
    assert_eq!(
        first.data["event"],
        "/userpresence/v1/account/main/presence"
    );
    assert_eq!(first.data["ownerId"], "4711");
    assert_eq!(first.data["body"]["presenceStatus"], "Busy");
    assert!(first.data["body"].get("telephonyStatus").is_none());
    assert!(first.data.get("record").is_none());
    drop(reader);

    for state in ["chat", "dnd", "away", "available"] {
        set_extension(&ast, "201", state);
    }
    // By the parameter, and by the header that a browser sends.
    let id = first.id.expect("a number");
    let mut by_parameter = stream(&ast, "panel", &format!("?lastEventId={id}&expand=record"));
    let header = format!("Last-Event-ID: {id}");
    let mut by_header = ast.stream(&format!("{MAIN}/events"), &[&login("panel"), &header]);
    let mut ids = Vec::new();
    for state in ["chat", "dnd", "away", "available"] {
        let event = by_parameter.expect("presence");
        assert_eq!(event.data["record"]["state"], state);
        assert_eq!(event.data["record"]["user"], "bob");
        ids.push(event.id.expect("a number"));
        let same = by_header.expect("presence");
        assert_eq!(
            (same.id, &same.data["uuid"]),
            (event.id, &event.data["uuid"])
        );
        assert_ne!(same.data["subscriptionId"], event.data["subscriptionId"]);
    }
    assert_eq!(ids, (id + 1..=id + 4).collect::<Vec<_>>());
    // The stream goes on.
    set_extension(&ast, "200", "dnd");
    assert_eq!(by_parameter.expect("presence").id, Some(id + 5));
}

#[test]
fn a_reader_that_resumes_too_late_starts_over() {
    let ast = office("[general]\njournal = 100\n").start();
    let mut reader = stream(&ast, "panel", "?snapshot=true");
    let snapshot = reader.expect("snapshot");
    assert_eq!(names(&snapshot.data), ["alice", "bob"]);
    assert_eq!(snapshot.data["more"], false);
    set_extension(&ast, "200", "away");
    let id = reader.expect("presence").id.expect("a number");
    drop(reader);
    // One event more than the journal holds.
    for change in 0..100 {
        ast.set_custom("201", if change % 2 == 0 { "chat" } else { "dnd" });
    }
    set_extension(&ast, "201", "available");
    let mut reader = stream(&ast, "panel", &format!("?lastEventId={id}"));
    let reset = reader.expect("reset");
    assert!(
        reset.data["reason"]
            .as_str()
            .is_some_and(|why| why.contains("journal"))
    );
    let snapshot = reader.expect("snapshot");
    assert_eq!(snapshot.id, Some(id + 101));
    assert_eq!(snapshot.data["records"][1]["state"], "available");
    set_extension(&ast, "201", "xa");
    assert_eq!(reader.expect("presence").id, Some(id + 102));
    // A number that never existed, and one of the future.
    for id in [0, id + 1000] {
        let mut reader = stream(&ast, "panel", &format!("?lastEventId={id}"));
        reader.expect("reset");
    }
    // The oldest number that the journal still covers.
    let mut reader = stream(&ast, "panel", &format!("?lastEventId={}", id + 100));
    assert_eq!(reader.expect("presence").id, Some(id + 101));

    // After a restart the reader's picture may be outdated.
    ast.restart(true);
    let mut reader = stream(&ast, "panel", &format!("?lastEventId={}", id + 102));
    reader.expect("reset");
    let snapshot = reader.expect("snapshot");
    assert_eq!(snapshot.id, Some(id + 102));
    set_extension(&ast, "201", "dnd");
    assert_eq!(reader.expect("presence").id, Some(id + 103));
}

#[test]
fn a_stream_is_filtered_by_extension_and_kind_of_change() {
    let ast = office("").start();
    set_extension(&ast, "200", "available");
    set_extension(&ast, "201", "available");
    let mut bobs = stream(&ast, "panel", "?extension=202");
    let mut dnd = stream(&ast, "panel", "?detail=dnd,flags");
    set_extension(&ast, "200", "away");
    ast.setvar("USER_PRESENCE(alice,dndStatus)", "DoNotAcceptAnyCalls");
    set_extension(&ast, "201", "away");
    ast.setvar("USER_PRESENCE(bob,ringOnMonitoredCall)", "true");
    let owners = |stream: &mut EventStream, count: usize| -> Vec<String> {
        let events = (0..count).map(|_| stream.expect("presence").data["ownerId"].clone());
        events
            .map(|owner| owner.as_str().unwrap_or_default().to_owned())
            .collect()
    };
    assert_eq!(owners(&mut bobs, 2), ["bob", "bob"]);
    assert_eq!(owners(&mut dnd, 2), ["4711", "bob"]);
    assert!(bobs.is_silent(Duration::from_millis(200)));
}

#[test]
fn a_hidden_user_is_visible_to_nobody_else() {
    let ast = office("").start();
    set_extension(&ast, "200", "away,,A word");
    let before: u64 = read(&ast, "alice,sequence").parse().expect("a number");
    set_extension(&ast, "200", "away,,Another word");
    let mut panel = stream(&ast, "boss", "");
    let mut own = stream(&ast, "alice-web", "");
    ast.setvar("USER_PRESENCE(alice,allowSeeMyPresence)", "false");
    let hidden = panel.expect("hidden");
    assert_eq!(hidden.data["extensionId"], "4711");
    assert_eq!(
        own.expect("presence").data["body"]["allowSeeMyPresence"],
        false
    );
    set_extension(&ast, "200", "dnd,,A secret");
    set_extension(&ast, "201", "away");
    assert_eq!(panel.expect("presence").data["ownerId"], "bob");
    assert_eq!(own.expect("presence").data["ownerId"], "4711");
    let list = get(&ast, "boss", &format!("{MAIN}/presence"));
    assert_eq!(names(&list.json()), ["bob"]);
    assert!(!list.body.contains("secret"));
    let one = get(&ast, "boss", &format!("{MAIN}/extension/alice/presence"));
    assert_eq!(one.status, 404);
    // An API user without that right learns nothing by trying; for one with it, see below.
    for who in ["panel", "bob-web"] {
        let (hidden, nobody) = ["alice", "nobody"]
            .map(|name| set_presence(&ast, who, name, &json!({"status": "away"})))
            .into();
        assert_eq!((hidden.status, hidden.body), (404, nobody.body), "{who}");
    }
    let seen = get(&ast, "alice-web", &format!("{MAIN}/presence"));
    assert_eq!(names(&seen.json()), ["alice", "bob"]);
    // A reader that resumes gets `hidden` in place of the earlier events.
    let mut late = stream(
        &ast,
        "panel",
        &format!("?lastEventId={}&expand=record", before),
    );
    assert_eq!(late.expect("hidden").data["extensionId"], "4711");
    assert_eq!(late.expect("hidden").data["extensionId"], "4711");
    assert_eq!(late.expect("presence").data["ownerId"], "bob");
    // No reader learns that the user exists, or what the user chooses meanwhile.
    let named = get(&ast, "boss", &format!("{MAIN}/presence?extension=4711"));
    let nobody = get(&ast, "boss", &format!("{MAIN}/presence?extension=4712"));
    assert_eq!(named.status, 400);
    assert_eq!(named.body.replace("4711", "4712"), nobody.body);
    ast.setvar("USER_PRESENCE(alice,ringOnMonitoredCall)", "true");
    set_extension(&ast, "201", "dnd");
    assert_eq!(panel.expect("presence").data["ownerId"], "bob");
    // A user who becomes visible again is an event, whatever the filter.
    let mut calls = stream(&ast, "panel", "?detail=telephony");
    ast.setvar("USER_PRESENCE(alice,allowSeeMyPresence)", "true");
    assert_eq!(panel.expect("presence").data["ownerId"], "4711");
    assert_eq!(calls.expect("presence").data["ownerId"], "4711");
    // A request that also hides the user shows nothing of itself.
    let wish = json!({"status": "away", "message": "A secret", "allowSeeMyPresence": false});
    assert_eq!(set_presence(&ast, "alice-web", "~", &wish).status, 200);
    set_extension(&ast, "201", "chat");
    panel.expect("hidden");
    assert_eq!(panel.expect("presence").data["ownerId"], "bob");
}

#[test]
fn an_administrator_who_hides_a_user_sees_nothing_of_them() {
    let ast = office("").start();
    set_extension(&ast, "200", "away,,A word");
    let flag = |visible: bool| json!({"allowSeeMyPresence": visible});
    // An administrator who hides a user sees nothing of them, not even in this answer.
    let hidden = set_presence(&ast, "boss", "4711", &flag(false));
    assert_eq!((hidden.status, hidden.body.as_str()), (204, ""));
    let mut panel = stream(&ast, "panel", "");
    for wish in [
        json!({"status": "dnd", "message": "A secret"}),
        json!({"dndStatus": "DoNotAcceptAnyCalls"}),
        json!({"ringOnMonitoredCall": true}),
    ] {
        let answer = set_presence(&ast, "boss", "alice", &wish);
        assert_eq!((answer.status, answer.body.as_str()), (204, ""), "{wish}");
    }
    assert_eq!(read(&ast, "alice,message"), "A secret");
    let wrong = set_presence(&ast, "boss", "alice", &json!({"status": "nonsense"}));
    assert_eq!(wrong.status, 400);
    assert!(!wrong.body.contains("secret"), "{wrong:?}");
    let own = set_presence(
        &ast,
        "alice-web",
        "~",
        &json!({"message": "Mine", "status": "dnd"}),
    );
    assert_eq!(own.json()["message"], "Mine");
    // No other reader received an event.
    set_extension(&ast, "201", "away");
    assert_eq!(panel.expect("presence").data["ownerId"], "bob");
    let shown = set_presence(&ast, "boss", "alice", &flag(true));
    assert_eq!(shown.status, 200);
    assert_eq!(shown.json()["message"], "Mine");
    assert_eq!(panel.expect("presence").data["ownerId"], "4711");
}

#[test]
fn an_api_users_own_user_is_found_by_name_whatever_ids_exist() {
    let users = "[200]\ntype = user\nid = 201\nextension = 300\n\
                 [201]\ntype = user\nid = 200\nextension = 301\n";
    let web = api_user("web", "role = self\nuser = 200");
    let ast = configured(&format!("{users}{web}")).http().start();
    let own = "/userpresence/v1/account/~/extension/~/presence";
    assert_eq!(get(&ast, "web", own).json()["user"], "200");
    let other = "/userpresence/v1/account/~/extension/200/presence";
    assert_eq!(get(&ast, "web", other).json()["user"], "201");
}

#[test]
fn one_account_sees_nothing_of_another() {
    let ast = office("").start();
    let target = "/userpresence/v1/account/~/events?snapshot=true";
    let mut other = ast.stream(target, &[&login("stranger")]);
    assert_eq!(names(&other.expect("snapshot").data), ["carol"]);
    set_extension(&ast, "200", "away");
    set_extension(&ast, "203", "dnd");
    assert_eq!(other.expect("presence").data["ownerId"], "carol");
}

#[test]
fn a_reload_and_an_unload_end_streams_cleanly() {
    let ast = office("").start();
    set_extension(&ast, "200", "away");
    let mut reader = stream(&ast, "panel", "");
    set_extension(&ast, "200", "dnd");
    let last = reader.expect("presence").id.expect("a number");
    assert!(ast.reload().ok());
    assert!(reader.next().is_none());
    // The account has the same users, so the reader has missed nothing.
    set_extension(&ast, "201", "away");
    let mut reader = stream(&ast, "panel", &format!("?lastEventId={last}"));
    assert_eq!(reader.expect("presence").id, Some(last + 1));
    // With other users in the account the reader begins anew.
    let conf = std::fs::read_to_string(ast.path("etc/userpresence.conf")).expect("the file");
    let more = "[dave]\ntype = user\naccount = main\nextension = 204\n";
    ast.write_config("userpresence.conf", &format!("{conf}\n{more}"));
    assert!(ast.reload().ok());
    assert!(reader.next().is_none());
    let mut reader = stream(&ast, "panel", &format!("?lastEventId={}", last + 1));
    reader.expect("reset");
    assert_eq!(
        names(&reader.expect("snapshot").data),
        ["alice", "bob", "dave"]
    );

    let mut more: Vec<EventStream> = (0..15).map(|_| stream(&ast, "panel", "")).collect();
    assert!(ast.unload_module(MODULE).ok());
    for reader in more.iter_mut().chain([&mut reader]) {
        assert!(reader.next().is_none());
    }
    assert_eq!(
        ast.http("GET", &format!("{MAIN}/events"), &[], "").status,
        404
    );
    assert!(ast.running());
}

#[test]
fn the_number_of_readers_is_limited() {
    let ast = office("[general]\nhttp_readers = 2\n").start();
    let target = format!("{MAIN}/events");
    let refused = |who, why: &str| {
        let answer = get(&ast, who, &target);
        assert_eq!(answer.status, 503, "{answer:?}");
        assert!(answer.head.contains("Retry-After: "), "{answer:?}");
        assert!(answer.body.contains(why), "{answer:?}");
    };
    let first = stream(&ast, "panel", "");
    // One account gets half of the places, the rest stays free for others.
    refused("boss", "This account has too many readers");
    let other = "/userpresence/v1/account/other/events";
    let second = ast.stream(other, &[&login("stranger")]);
    assert!(second.head.starts_with("HTTP/1.1 200"), "{}", second.head);
    refused("tester", "There are too many readers");
    drop(first);
    wait_until("a reader's place", || {
        let stream = ast.stream(&target, &[&login("tester")]);
        stream.head.starts_with("HTTP/1.1 200").then_some(())
    });
}

#[test]
fn one_name_leaves_places_for_other_readers() {
    let ast = office("[general]\nhttp_readers_each = 3\n").start();
    let streams: Vec<EventStream> = (0..3).map(|_| stream(&ast, "panel", "")).collect();
    let refused = get(&ast, "panel", &format!("{MAIN}/events"));
    assert_eq!(refused.status, 429, "{refused:?}");
    assert!(refused.head.contains("Retry-After: 5"), "{refused:?}");
    assert_eq!(refused.json()["error"]["code"], "readers");
    let mut other = stream(&ast, "boss", "");
    set_extension(&ast, "200", "away");
    other.expect("presence");
    drop(streams);
    wait_until("a reader's place", || {
        let stream = ast.stream(&format!("{MAIN}/events"), &[&login("panel")]);
        stream.head.starts_with("HTTP/1.1 200").then_some(())
    });
}

#[test]
fn one_name_gets_a_quarter_of_the_places_by_default() {
    let ast = office("").start();
    let open = |who| ast.stream(&format!("{MAIN}/events"), &[&login(who)]);
    let streams: Vec<EventStream> = (0..25).map(|_| open("panel")).collect();
    let begun = streams
        .iter()
        .filter(|stream| stream.head.starts_with("HTTP/1.1 200"));
    assert_eq!(begun.count(), 20);
    stream(&ast, "boss", "");
}

/// The number of lost events on the console.
fn lost(ast: &Instance) -> u64 {
    let stats = ast.cli("userpresence show stats");
    let line = stats
        .lines()
        .find(|line| line.contains("events_lost_total"));
    let number = line.and_then(|line| line.split_whitespace().last()?.parse().ok());
    number.unwrap_or_else(|| panic!("{stats}"))
}

#[test]
fn the_events_that_a_dropped_reader_missed_are_counted() {
    let ast = office("").start();
    let mut alive = stream(&ast, "panel", "");
    let mut gone = stream(&ast, "panel", "");
    let vanished = stream(&ast, "panel", "");
    for (number, stream) in [(1, "away"), (2, "dnd")] {
        set_extension(&ast, "201", stream);
        for reader in [&mut alive, &mut gone] {
            reader.expect("presence");
        }
        assert_eq!(lost(&ast), 0, "{number}");
    }
    let (connection, _) = vanished.into_parts();
    // The reader has received the earlier events.
    wait_until("what was sent", || {
        let mut buffer = [0; 4096];
        let peeked = connection.peek(&mut buffer).unwrap_or(0);
        let text = String::from_utf8_lossy(&buffer[..peeked]).into_owned();
        (text.matches("event: presence").count() == 2).then_some(())
    });
    vanish(&connection);
    // A reader that leaves loses nothing.
    drop(gone);
    for status in ["away", "chat", "dnd"] {
        set_extension(&ast, "201", status);
        alive.expect("presence");
    }
    wait_until("the end of the reader", || (lost(&ast) > 0).then_some(()));
    assert_eq!(lost(&ast), 3);
    set_extension(&ast, "201", "away");
    alive.expect("presence");
    assert_eq!(lost(&ast), 3);
}

#[test]
fn a_users_own_change_shows_at_once_and_push_messages_are_private() {
    let ast = office("").start();
    let mut alice = stream(&ast, "alice-web", "");
    let mut panel = stream(&ast, "panel", "");
    ast.run("UserPresenceDial", "alice");
    let push = alice.expect("push");
    assert_eq!(push.data["type"], "MissedCall");
    assert_eq!(push.data["user"], "alice");
    assert_eq!(push.id, None);
    set(&ast, "bob", "dnd");
    assert_eq!(panel.expect("presence").data["ownerId"], "bob");
}

/// The end of a status may be given in everyday words.
#[test]
fn a_status_set_over_http_ends_at_a_time_of_day_or_after_a_while() {
    let ast = office("").start();
    let now = || {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        now.expect("a clock").as_millis() as u64
    };
    for (until, least, most) in [
        ("30m", 1_740_000, 1_800_000),
        ("for 1h30m", 5_340_000, 5_400_000),
        ("14:30", 0, 86_400_000),
        ("until 14:30", 0, 86_400_000),
    ] {
        let before = now();
        let set = set_presence(
            &ast,
            "tester",
            "alice",
            &json!({"status": "away", "until": until}),
        );
        assert_eq!(set.status, 200, "{until}: {set:?}");
        let end = set.json()["until"].as_u64().expect("an end");
        let ahead = end.saturating_sub(before);
        assert!((least..=most + 60_000).contains(&ahead), "{until}: {ahead}");
    }
    for until in ["soon", "-5m", "24:00", "", "for ever", "1800"] {
        let set = set_presence(
            &ast,
            "tester",
            "alice",
            &json!({"status": "dnd", "until": until}),
        );
        assert_eq!(set.status, 400, "{until}: {set:?}");
        assert_eq!(read(&ast, "alice"), "away", "{until}");
    }
}
