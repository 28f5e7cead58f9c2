//! Queues over HTTP: who waits, who takes calls, and one's own pause.

use serde_json::{Value, json};

use crate::harness::api::{api_user, get, login, put};
use crate::harness::barrier::configured;
use crate::harness::users::set;
use crate::harness::{Answer, Builder, Instance, Phone, now, wait_until};

const MAIN: &str = "/userpresence/v1/account/main";

/// Alice and Bob in `main`, Carol in another account.
const PEOPLE: &str = "\
[busy]\ntype = action\nstatus = dnd\nqueue = sales,pause\n
[alice]\ntype = user\nname = Alice Ahn\naccount = main\nextension = 200,Custom:a\n\
member = Local/alice@agents/n\naction = busy\n
[bob]\ntype = user\nid = 4712\naccount = main\nextension = 201,Custom:b\n
[carol]\ntype = user\naccount = other\nextension = 202,Custom:c\n";

fn office(general: &str) -> Builder {
    let users = [
        api_user("panel", "account = main\nrole = read"),
        api_user("alice-web", "account = main\nrole = self\nuser = alice"),
        api_user("reader", "account = main\nrole = read\nuser = alice"),
        api_user("stranger", "account = other\nrole = read\nuser = carol"),
    ];
    let members = [
        "Local/alice@agents/n,0,Alice Ahn,Custom:a",
        "Local/bob@agents/n,0,Bob,UserPresence:bob@queue",
        "Local/carol@agents/n,0,Carol,Custom:c",
        "Local/robot@agents/n,0,Robot",
    ];
    configured(&format!(
        "[general]\nhttp_rate = 10000\n{general}\n{PEOPLE}{}",
        users.concat()
    ))
    .http()
    .queue("sales", "", &members)
    .queue("theirs", "", &members[2..3])
    .queue("nobody", "", &members[3..])
}

#[track_caller]
fn queues(ast: &Instance, who: &str, account: &str) -> Vec<Value> {
    let target = format!("/userpresence/v1/account/{account}/queues");
    let answer = get(ast, who, &target);
    assert_eq!(answer.status, 200, "{answer:?}");
    let queues = answer.json()["queues"].take();
    queues.as_array().expect("queues").clone()
}

/// Waits until the queue `sales` is as the probe wants it.
#[track_caller]
fn wait_sales<T>(ast: &Instance, who: &str, what: &str, probe: impl Fn(&Value) -> Option<T>) -> T {
    wait_until(what, || {
        let queues = queues(ast, who, "main");
        assert_eq!(queues.len(), 1, "{queues:?}");
        probe(&queues[0])
    })
}

fn pause(ast: &Instance, who: &str, queue: &str, body: &Value) -> Answer {
    put(ast, who, &format!("{MAIN}/queues/{queue}/own"), body)
}

#[test]
fn a_queue_is_seen_with_its_members_and_who_waits() {
    let ast = office("show_calls = main").start();
    for device in ["a", "b", "c"] {
        ast.set_device(device, "INUSE");
    }
    for user in ["alice", "bob"] {
        set(&ast, user, "dnd");
    }
    ast.wait_queue_member("sales", "Bob", "Status", "3");
    let member = |extension: Value, name: &str, state: &str| {
        json!({"extensionId": extension, "name": name, "paused": false, "reason": "",
               "state": state, "calls": 0})
    };
    let [alice, bob, robot] = [
        json!({"extensionId": "alice", "name": "Alice Ahn", "paused": true,
               "reason": "UserPresence", "state": "busy", "calls": 0}),
        member("4712".into(), "bob", "busy"),
        member(Value::Null, "Robot", "idle"),
    ];
    let own = json!({"paused": true, "reason": "UserPresence", "dynamic": false});
    // The pause by the action is there, a queue of another account is not.
    wait_sales(&ast, "alice-web", "alice's pause", |sales| {
        let members = [&alice, &bob, &robot];
        let same = sales["members"] == json!(members) && sales["own"] == own;
        (same && sales["hidden"] == 1 && sales["name"] == "sales").then_some(())
    });
    assert_eq!(queues(&ast, "panel", "main")[0]["own"], Value::Null);
    let theirs: Vec<Value> = queues(&ast, "stranger", "other");
    let names: Vec<_> = theirs.iter().map(|queue| &queue["name"]).collect();
    assert_eq!(names, ["sales", "theirs"]);
    assert_eq!(theirs[0]["hidden"], 2, "{theirs:?}");
    // A hidden member is only counted.
    ast.setvar("USER_PRESENCE(bob,allowSeeMyPresence)", "no");
    wait_sales(&ast, "panel", "bob hidden", |sales| {
        (sales["hidden"] == 2 && sales["members"] == json!([alice, robot])).then_some(())
    });
    // A caller waits, from one moment on.
    let paused = ast.ami().action(&[
        ("Action", "QueuePause"),
        ("Queue", "sales"),
        ("Interface", &interface("Robot")),
        ("Paused", "yes"),
    ]);
    assert!(paused.ok(), "{paused:?}");
    let before = now();
    let id = ast.originate("Local/wait@harness/n", "Queue", "sales");
    let waiting = |sales: &Value| sales["waiting"].as_array().expect("waiting").clone();
    let first = wait_sales(&ast, "panel", "a caller", |sales| waiting(sales).pop());
    let since = first["since"].as_u64().expect("a time");
    assert!((before - 1000..=now()).contains(&since), "{first}");
    wait_until("a later look with the same moment", || {
        let seen = queues(&ast, "panel", "main");
        assert_eq!(waiting(&seen[0]), std::slice::from_ref(&first));
        (now() > before + 2500).then_some(())
    });
    let answer = get(&ast, "panel", &format!("{MAIN}/queues"));
    let tag = format!("If-None-Match: {}", answer.header("ETag"));
    let again = ast.http(
        "GET",
        &format!("{MAIN}/queues"),
        &[&login("panel"), &tag],
        "",
    );
    assert_eq!(again.status, 304);
    ast.hang_up(&id);
    wait_sales(&ast, "panel", "no caller", |sales| {
        waiting(sales).is_empty().then_some(())
    });
    assert_eq!(
        get(&ast, "panel", "/userpresence/v1/account/other/queues").status,
        404
    );
    assert_eq!(ast.complaints(), Vec::<String>::new());
}

#[test]
fn the_numbers_of_those_who_wait_are_shown_where_calls_are() {
    let dave = "[dave]\ntype = user\naccount = main\nextension = 203\n";
    let ast = office(dave)
        .modules(&["func_callerid"])
        .sip(&["203"])
        .dialplan(
            "exten = 500,1,Set(CALLERID(all)=Zoe <0170>)\n same = n,Queue(sales)\n\
         exten = 501,1,Set(CALLERID(all)=Bob <201>)\n same = n,Queue(sales)\n\
         exten = 502,1,Set(CALLERID(all)=Mia <0171>)\n same = n,Set(CALLERID(pres)=prohib)\n\
         \x20same = n,Queue(sales)\n\
         exten = 503,1,Set(CALLERID(all)=Dora <0800>)\n same = n,Queue(sales)\n",
        );
    let ast = ast.start();
    for device in ["a", "b", "c"] {
        ast.set_device(device, "INUSE");
    }
    ast.setvar("USER_PRESENCE(bob,allowSeeMyPresence)", "no");
    for member in ["Alice Ahn", "Bob", "Robot", "Carol"] {
        let done = ast.ami().action(&[
            ("Action", "QueuePause"),
            ("Queue", "sales"),
            ("Interface", &interface(member)),
            ("Paused", "yes"),
        ]);
        assert!(done.ok(), "{done:?}");
    }
    let waiting = |expected: usize| {
        let list = |sales: &Value| {
            let list = sales["waiting"].as_array().expect("waiting");
            let who = |it: &Value| (it["name"].clone(), it["number"].clone());
            let found: Vec<_> = list.iter().map(who).collect();
            (found.len() == expected).then_some(found)
        };
        wait_sales(&ast, "panel", "those who wait", list)
    };
    let nothing = (Value::Null, Value::Null);
    for (index, extension) in ["500", "501", "502"].into_iter().enumerate() {
        ast.originate(&format!("Local/{extension}@default/n"), "Wait", "600");
        assert_eq!(waiting(index + 1).last(), Some(&nothing));
    }
    let conf = ast.read_config("userpresence.conf");
    let conf = conf.replacen("[general]\n", "[general]\nshow_calls = main\n", 1);
    ast.write_config("userpresence.conf", &conf);
    assert!(ast.reload().ok());
    // Neither a hidden colleague nor a number that its caller withholds.
    let zoe = (json!("Zoe"), json!("0170"));
    assert_eq!(waiting(3), [zoe, nothing.clone(), nothing.clone()]);
    // A colleague is known by the phone, whatever number it has.
    let phone = Phone::ringing(&ast, "203");
    phone.call("503");
    let dora = (json!("Dora"), json!("0800"));
    assert_eq!(waiting(4).last(), Some(&dora));
    ast.setvar("USER_PRESENCE(dave,allowSeeMyPresence)", "no");
    assert_eq!(waiting(4).last(), Some(&nothing));
    ast.hang_up_all();
}

fn interface(member: &str) -> String {
    let name = member.split(' ').next().unwrap_or_default();
    format!("Local/{}@agents/n", name.to_lowercase())
}

#[test]
fn a_person_pauses_themself_and_that_stays() {
    let ast = office("").start();
    ast.set_device("a", "NOT_INUSE");
    let paused = |reason: &str| json!({"paused": true, "reason": reason, "dynamic": false});
    let answer = pause(
        &ast,
        "alice-web",
        "sales",
        &json!({"paused": true, "reason": "Lunch"}),
    );
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.json(), paused("Lunch"));
    let member = ast.queue_member("sales", "Alice Ahn");
    assert_eq!(member.get("PausedReason"), Some("Lunch"));
    // A status that pauses changes nothing about it, and neither does its end.
    set(&ast, "alice", "dnd");
    set(&ast, "alice", "available");
    ast.wait_value("USER_PRESENCE(alice)", "available");
    let own = |ast: &Instance| queues(ast, "alice-web", "main")[0]["own"].clone();
    assert_eq!(own(&ast), paused("Lunch"));
    let answer = pause(&ast, "alice-web", "sales", &json!({"paused": false}));
    assert_eq!(
        answer.json(),
        json!({"paused": false, "reason": "", "dynamic": false})
    );
    // A pause by a status becomes one's own by a reason of one's own.
    set(&ast, "alice", "dnd");
    ast.wait_queue_member("sales", "Alice Ahn", "PausedReason", "UserPresence");
    let answer = pause(
        &ast,
        "alice-web",
        "sales",
        &json!({"paused": true, "reason": "Meeting"}),
    );
    assert_eq!(answer.json(), paused("Meeting"));
    set(&ast, "alice", "available");
    ast.wait_value("USER_PRESENCE(alice)", "available");
    assert_eq!(own(&ast), paused("Meeting"));
    for (who, queue, body, status) in [
        ("reader", "sales", json!({"paused": true}), 403),
        ("panel", "sales", json!({"paused": true}), 403),
        ("alice-web", "theirs", json!({"paused": true}), 404),
        ("alice-web", "no%20such", json!({"paused": true}), 404),
        ("stranger", "sales", json!({"paused": true}), 404),
        ("alice-web", "sales", json!({"paused": "yes"}), 400),
        (
            "alice-web",
            "sales",
            json!({"paused": true, "reason": "a\r\nb: c"}),
            400,
        ),
        (
            "alice-web",
            "sales",
            json!({"paused": true, "reason": "UserPresence"}),
            400,
        ),
        (
            "alice-web",
            "sales",
            json!({"paused": true, "reason": "x".repeat(81)}),
            400,
        ),
    ] {
        let answer = pause(&ast, who, queue, &body);
        assert_eq!(answer.status, status, "{who} {queue} {body}: {answer:?}");
    }
    assert_eq!(own(&ast), paused("Meeting"));
    assert_eq!(ast.complaints(), Vec::<String>::new());
}

#[test]
fn without_app_queue_there_is_no_queue() {
    let users = api_user("panel", "role = read");
    let ast = configured(&format!("[alice]\ntype = user\nextension = 200\n{users}"));
    let ast = ast.http().start();
    let answer = get(&ast, "panel", "/userpresence/v1/account/~/queues");
    assert_eq!((answer.status, answer.json()), (200, json!({"queues": []})));
    assert_eq!(ast.complaints(), Vec::<String>::new());
}
