//! Who talks to whom over HTTP and in the feed, and calls from one's own phone, with real SIP
//! phones.

use serde_json::{Value, json};

use crate::harness::api::{api_user, get, login, post, put};
use crate::harness::barrier::configured;
use crate::harness::users::read;
use crate::harness::{Answer, Builder, EventStream, Instance, MODULE, Phone, now, wait_until};

const MAIN: &str = "/userpresence/v1/account/main";

/// Alice, Bob and Dave of the account `main`, Carol of another; `trunk` is nobody's.
const PEOPLE: &str = "\
[alice]\ntype = user\nid = 4711\naccount = main\nextension = 200\nendpoint = soft,PJSIP/205\n
[bob]\ntype = user\naccount = main\nextension = 201\n
[dave]\ntype = user\naccount = main\nextension = 203\nmonitor = bob\n
[carol]\ntype = user\naccount = other\nextension = 202\n";

const DIALPLAN: &str = "\
exten = _20X,1,Dial(PJSIP/${EXTEN},60)
exten = 300,1,Answer()
 same = n,Wait(600)
exten = 301,1,Set(CALLERID(pres)=prohib)
 same = n,Dial(PJSIP/200,60)
exten = 302,1,Set(CALLERID(pres)=prohib)
 same = n,Dial(PJSIP/200,60,F(default^300^1))
exten = 303,1,Set(CALLERID(all)=Zoe <0170>)
 same = n,Dial(PJSIP/200,60)
";

fn office(general: &str) -> Builder {
    let users = [
        api_user("panel", "account = main\nrole = read"),
        api_user("boss", "account = main\nrole = admin"),
        api_user("alice-web", "account = main\nrole = self\nuser = alice"),
        api_user("dave-web", "account = main\nrole = self\nuser = dave"),
        api_user("bob-web", "account = main\nrole = self\nuser = bob"),
        api_user("reader", "account = main\nrole = read\nuser = bob"),
        api_user("stranger", "account = other\nrole = admin\nuser = carol"),
    ];
    configured(&format!(
        "[general]\nhttp_rate = 10000\n{general}\n{PEOPLE}{}",
        users.concat()
    ))
    .http()
    .sip(&["200", "201", "202", "203", "205", "trunk"])
    .modules(&[
        "app_directed_pickup",
        "func_callerid",
        "func_pjsip_endpoint",
        "res_pjsip_caller_id",
    ])
    .dialplan(DIALPLAN)
}

/// Each call that this API user sees, as `user direction state name number`.
#[track_caller]
fn seen(ast: &Instance, who: &str, account: &str) -> Vec<String> {
    let target = format!("/userpresence/v1/account/{account}/calls");
    let answer = get(ast, who, &target);
    assert_eq!(answer.status, 200, "{answer:?}");
    lines(&answer.json()["calls"])
}

fn lines(calls: &Value) -> Vec<String> {
    let calls = calls.as_array().expect("calls").iter();
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let names = ["extensionId", "direction", "state", "name", "number"];
    let line = |call: &Value| names.map(|name| text(&call[name])).join(" ");
    calls.map(line).collect()
}

#[track_caller]
fn wait_seen(ast: &Instance, who: &str, expected: &[&str]) {
    wait_until(&format!("{expected:?} seen by {who}"), || {
        (seen(ast, who, "main") == expected).then_some(())
    });
}

/// Reads `calls` messages until one says this of a user.
#[track_caller]
fn wait_event(stream: &mut EventStream, user: &str, expected: &[&str]) {
    loop {
        let event = stream.next().expect("a message before the end");
        if event.kind == "calls" && event.data["extensionId"] == user {
            assert_eq!(event.id, None);
            if lines(&event.data["calls"]) == expected {
                return;
            }
        }
    }
}

fn stream(ast: &Instance, who: &str) -> EventStream {
    ast.stream(&format!("{MAIN}/events"), &[&login(who)])
}

/// How many subscriptions Asterisk's topic of all channels has, the core's own included.
#[track_caller]
fn channel_subscribers(ast: &Instance) -> usize {
    let shown = ast.cli("stasis show topic channel:all");
    let count = shown
        .lines()
        .find_map(|line| line.strip_prefix("Subscribers count: "));
    let count = count.and_then(|count| count.trim().parse().ok());
    count.unwrap_or_else(|| panic!("no count in {shown}"))
}

#[test]
fn two_phones_in_a_call_are_seen_with_name_number_and_time() {
    let ast = office("show_calls = main").start();
    let phones = ["200", "201"].map(|name| Phone::ringing(&ast, name));
    let [alice, bob] = &phones;
    let mut feed = stream(&ast, "panel");
    assert!(seen(&ast, "panel", "main").is_empty());
    let before = now();
    alice.call("201");
    let [out, back] = ["4711 out Ringing bob 201", "bob in Ringing alice 200"];
    wait_seen(&ast, "panel", &[out, back]);
    wait_event(&mut feed, "bob", &[back]);
    bob.answer();
    let [out, back] = ["4711 out Up bob 201", "bob in Up alice 200"];
    wait_seen(&ast, "panel", &[out, back]);
    wait_event(&mut feed, "bob", &[back]);
    let calls = get(&ast, "panel", &format!("{MAIN}/calls"));
    for call in calls.json()["calls"].as_array().expect("calls") {
        let since = call["since"].as_u64().expect("a time");
        assert!((before..=now()).contains(&since), "{call}");
    }
    // A second reader, and one that asks again with what it has.
    wait_event(&mut stream(&ast, "panel"), "bob", &[back]);
    let tag = format!("If-None-Match: {}", calls.header("ETag"));
    let again = ast.http(
        "GET",
        &format!("{MAIN}/calls"),
        &[&login("panel"), &tag],
        "",
    );
    assert_eq!(again.status, 304);
    // The one who holds is seen to hold.
    bob.hold();
    wait_seen(&ast, "panel", &[out, "bob in OnHold alice 200"]);
    wait_event(&mut feed, "bob", &["bob in OnHold alice 200"]);
    // A reload finds the calls that are in progress, with their time and hold.
    let held = get(&ast, "panel", &format!("{MAIN}/calls")).body;
    assert!(ast.reload().ok());
    assert_eq!(get(&ast, "panel", &format!("{MAIN}/calls")).body, held);
    bob.resume();
    wait_seen(&ast, "panel", &[out, back]);
    let mut feed = stream(&ast, "panel");
    bob.hang_up();
    wait_event(&mut feed, "bob", &[]);
    wait_seen(&ast, "panel", &[]);
    assert_eq!(ast.complaints(), Vec::<String>::new());
    assert!(ast.unload_module(MODULE).ok());
}

#[test]
fn calls_are_hidden_with_their_user_and_across_accounts() {
    let ast = office("show_calls = main,other").start();
    let alice = Phone::ringing(&ast, "200");
    let bob = Phone::answering(&ast, "201");
    let carol = Phone::answering(&ast, "202");
    let caller = Phone::ringing(&ast, "trunk");
    alice.call("201");
    let [out, back] = ["4711 out Up bob 201", "bob in Up alice 200"];
    wait_seen(&ast, "panel", &[out, back]);
    // Bob hides: others see neither Bob's calls nor Bob in theirs; Bob's own login sees both.
    let mut feed = stream(&ast, "panel");
    wait_event(&mut feed, "4711", &[out]);
    ast.setvar("USER_PRESENCE(bob,allowSeeMyPresence)", "no");
    wait_seen(&ast, "panel", &["4711 out Up - -"]);
    wait_event(&mut feed, "4711", &["4711 out Up - -"]);
    wait_seen(&ast, "bob-web", &[out, back]);
    ast.setvar("USER_PRESENCE(bob,allowSeeMyPresence)", "yes");
    wait_event(&mut feed, "bob", &[back]);
    // Another account sees its own calls only, and nobody sees those of another account.
    assert!(seen(&ast, "stranger", "other").is_empty());
    assert_eq!(get(&ast, "stranger", &format!("{MAIN}/calls")).status, 404);
    alice.hang_up();
    ast.wait_no_channels();
    // A caller who withholds the number is not shown.
    caller.call("301");
    wait_seen(&ast, "panel", &["4711 in Ringing - -"]);
    caller.hang_up();
    ast.wait_no_channels();
    caller.call("202");
    wait_until("carol's call", || {
        (seen(&ast, "stranger", "other") == ["carol in Up - trunk"]).then_some(())
    });
    assert!(seen(&ast, "panel", "main").is_empty());
    drop((bob, carol));
    assert_eq!(ast.complaints(), Vec::<String>::new());
}

#[test]
fn what_one_side_withholds_or_hides_stays_so() {
    let ast = office("show_calls = main").start();
    let alice = Phone::answering(&ast, "200");
    let bob = Phone::ringing(&ast, "201");
    let carol = Phone::ringing(&ast, "202");
    let caller = Phone::ringing(&ast, "trunk");
    // Alice's phone goes on in the dialplan when the caller has gone.
    caller.call("302");
    wait_seen(&ast, "panel", &["4711 in Up - -"]);
    caller.hang_up();
    ast.wait_device("PJSIP/trunk", "NOT_INUSE");
    // Bob's call comes after all that is reported of hers.
    bob.call("300");
    wait_seen(&ast, "panel", &["4711 in Up - -", "bob out Up - 300"]);
    ast.hang_up_all();
    ast.wait_no_channels();
    // Carol's account does not show its calls; she is a colleague all the same.
    carol.call("303");
    wait_seen(&ast, "panel", &["4711 in Up Zoe 0170"]);
    ast.setvar("USER_PRESENCE(carol,allowSeeMyPresence)", "no");
    wait_seen(&ast, "panel", &["4711 in Up - -"]);
    assert_eq!(
        get(&ast, "stranger", "/userpresence/v1/account/other/calls").status,
        403
    );
    drop(alice);
    assert_eq!(ast.complaints(), Vec::<String>::new());
}

#[test]
fn a_user_who_hides_changes_no_calls_of_others() {
    let ast = office("show_calls = main").start();
    let alice = Phone::ringing(&ast, "200");
    let phones = ["201", "203"].map(|name| Phone::answering(&ast, name));
    alice.call("201");
    phones[1].call("300");
    let [out, back] = ["4711 out Up bob 201", "bob in Up alice 200"];
    wait_seen(&ast, "panel", &[out, back, "dave out Up - 300"]);
    let mut feed = stream(&ast, "panel");
    wait_event(&mut feed, "dave", &["dave out Up - 300"]);
    let mut after = |hidden: &str, user: &str, expected: &str| {
        ast.setvar("USER_PRESENCE(bob,allowSeeMyPresence)", hidden);
        let mut told = Vec::new();
        loop {
            let event = feed.next().expect("a message before the end");
            if event.kind != "calls" {
                continue;
            }
            told.push(event.data["extensionId"].as_str().map(str::to_owned));
            if event.data["extensionId"] == user && lines(&event.data["calls"]) == [expected] {
                return told.into_iter().flatten().collect::<Vec<_>>();
            }
        }
    };
    assert_eq!(after("no", "4711", "4711 out Up - -"), ["4711"]);
    assert_eq!(after("yes", "bob", back), ["4711", "bob"]);
    assert_eq!(after("no", "4711", "4711 out Up - -"), ["4711"]);
    assert_eq!(ast.complaints(), Vec::<String>::new());
}

#[test]
fn nothing_is_watched_until_an_account_shows_its_calls() {
    let ast = office("").start();
    let alice = Phone::ringing(&ast, "200");
    let bob = Phone::answering(&ast, "201");
    let before = channel_subscribers(&ast);
    let refused = get(&ast, "panel", &format!("{MAIN}/calls"));
    assert_eq!(refused.status, 403, "{refused:?}");
    assert_eq!(refused.json()["error"]["code"], "off");
    alice.call("201");
    ast.wait_device("PJSIP/201", "INUSE");
    // Switched on, the call in progress is there at once, and switched off it is gone.
    let conf = ast.read_config("userpresence.conf");
    let on = conf.replacen("[general]\n", "[general]\nshow_calls = all\n", 1);
    ast.write_config("userpresence.conf", &on);
    assert!(ast.reload().ok());
    let both = ["4711 out Up bob 201", "bob in Up alice 200"];
    assert_eq!(seen(&ast, "panel", "main"), both);
    assert_eq!(channel_subscribers(&ast), before + 1);
    ast.write_config("userpresence.conf", &conf);
    assert!(ast.reload().ok());
    assert_eq!(get(&ast, "panel", &format!("{MAIN}/calls")).status, 403);
    assert_eq!(channel_subscribers(&ast), before);
    let unknown = conf.replacen("[general]\n", "[general]\nshow_calls = east\n", 1);
    ast.write_config("userpresence.conf", &unknown);
    assert!(ast.reload().ok());
    ast.wait_log("option 'show_calls': no user belongs to the account 'east'");
    drop(bob);
}

#[track_caller]
fn dial(ast: &Instance, who: &str, body: &Value) -> Answer {
    post(ast, who, &format!("{MAIN}/extension/~/calls"), body)
}

#[track_caller]
fn refusal(answer: &Answer) -> (u16, String) {
    let code = answer.json()["error"]["code"].as_str().map(str::to_owned);
    (answer.status, code.unwrap_or_default())
}

#[test]
fn a_person_dials_and_picks_up_with_their_own_phone() {
    let ast = office("show_calls = main\nhttp_calls = self,admin").start();
    let phones = ["200", "201", "203"].map(|name| Phone::ringing(&ast, name));
    let [alice, bob, dave] = &phones;
    let session = get(&ast, "alice-web", "/userpresence/v1/session").json();
    assert_eq!(session["may"]["call"], true);
    // Alice's phone rings, and once she answers it calls Bob as her.
    let answer = dial(&ast, "alice-web", &json!({"to": "201"}));
    assert_eq!(answer.status, 202, "{answer:?}");
    ast.wait_device("PJSIP/200", "RINGING");
    alice.answer();
    ast.wait_device("PJSIP/201", "RINGING");
    let [out, back] = ["4711 out Up bob 201", "bob in Ringing alice 200"];
    wait_seen(&ast, "panel", &[out, back]);
    let invites = bob.invites();
    assert!(invites[0].contains("\"alice\" <sip:200@"), "{}", invites[0]);
    // Dave may pick up Bob's call once the rule lets him.
    let pick_up = |who: &str, whose: &str| {
        post(
            &ast,
            who,
            &format!("{MAIN}/extension/{whose}/pickup"),
            &json!({}),
        )
    };
    let refused = pick_up("dave-web", "bob");
    assert_eq!(refusal(&refused), (403, "rule".into()));
    assert!(refused.body.contains("pickUpCallsOnHold of 'dave' is off"));
    ast.setvar("USER_PRESENCE(dave,pickUpCallsOnHold)", "yes");
    let answer = pick_up("dave-web", "bob");
    assert_eq!(answer.status, 202, "{answer:?}");
    ast.wait_device("PJSIP/203", "RINGING");
    dave.answer();
    // Bob's phone stops, and Dave talks to Alice.
    ast.wait_device("PJSIP/201", "NOT_INUSE");
    wait_until("alice and dave in one bridge", || {
        let channels = ast.channels();
        let [one, other] = &channels[..] else {
            return None;
        };
        (one.bridge == other.bridge && !one.bridge.is_empty()).then_some(())
    });
    assert_eq!(
        refusal(&pick_up("dave-web", "bob")),
        (409, "nothing".into())
    );
    dave.hang_up();
    ast.wait_no_channels();
    // A call that Bob has on hold is picked up too.
    alice.call("201");
    ast.wait_device("PJSIP/201", "RINGING");
    bob.answer();
    ast.wait_device("PJSIP/201", "INUSE");
    bob.hold();
    ast.wait_device("PJSIP/200", "ONHOLD");
    assert_eq!(pick_up("dave-web", "bob").status, 202);
    ast.wait_device("PJSIP/203", "RINGING");
    dave.answer();
    ast.wait_device("PJSIP/201", "NOT_INUSE");
    ast.wait_device("PJSIP/200", "INUSE");
    alice.hang_up();
    ast.wait_no_channels();
    assert_eq!(ast.complaints(), Vec::<String>::new());
}

#[test]
fn what_may_not_be_dialled_is_refused_with_the_reason() {
    let ast = office("http_calls = self").start();
    let alice = Phone::ringing(&ast, "200");
    for (who, body, expected) in [
        ("boss", json!({"to": "201"}), (404, "not_found")),
        ("reader", json!({"to": "201"}), (403, "role")),
        ("bob-web", json!({"to": "200"}), (409, "phone")),
        ("alice-web", json!({"to": "999"}), (404, "extension")),
        ("alice-web", json!({"to": "200"}), (400, "body")),
        ("alice-web", json!({"to": "2-00"}), (400, "body")),
        ("alice-web", json!({"to": "${EXTEN}"}), (400, "body")),
        ("alice-web", json!({"to": "201@default"}), (400, "body")),
        (
            "alice-web",
            json!({"to": "201\r\nExten: 300"}),
            (400, "body"),
        ),
        ("alice-web", json!({"to": "h"}), (400, "body")),
        (
            "alice-web",
            json!({"to": "201", "context": "x"}),
            (400, "body"),
        ),
        (
            "alice-web",
            json!({"to": "201", "endpoint": "no"}),
            (409, "phone"),
        ),
        (
            "alice-web",
            json!({"to": "201", "endpoint": "soft"}),
            (409, "phone"),
        ),
    ] {
        let answer = dial(&ast, who, &body);
        assert_eq!(
            refusal(&answer),
            (expected.0, expected.1.into()),
            "{who} {body}"
        );
    }
    // Only for oneself, and only in one's own account.
    let other = post(
        &ast,
        "alice-web",
        &format!("{MAIN}/extension/bob/calls"),
        &json!({"to": "200"}),
    );
    assert_eq!(refusal(&other), (403, "role".into()));
    let foreign = dial(&ast, "stranger", &json!({"to": "200"}));
    assert_eq!(foreign.status, 404);
    let foreign = post(
        &ast,
        "alice-web",
        &format!("{MAIN}/extension/carol/pickup"),
        &json!({}),
    );
    assert_eq!(foreign.status, 404);
    ast.setvar("USER_PRESENCE(bob,allowSeeMyPresence)", "no");
    let hidden = post(
        &ast,
        "alice-web",
        &format!("{MAIN}/extension/bob/pickup"),
        &json!({}),
    );
    assert_eq!(hidden.status, 404);
    assert!(ast.channels().is_empty());
    // Ten calls a minute; those that were refused for the phone's sake do not count, and one is
    // made with another endpoint.
    let soft = Phone::ringing(&ast, "205");
    let mut answer = dial(&ast, "alice-web", &json!({"to": "300", "endpoint": "soft"}));
    assert_eq!(answer.status, 202, "{answer:?}");
    ast.wait_device("PJSIP/205", "RINGING");
    let mut made = 1;
    while answer.status == 202 && made < 20 {
        answer = dial(&ast, "alice-web", &json!({"to": "300"}));
        made += 1;
    }
    assert_eq!(refusal(&answer), (429, "too_many".into()), "after {made}");
    assert!(
        answer
            .header("Retry-After")
            .parse::<u32>()
            .is_ok_and(|it| it <= 6)
    );
    ast.hang_up_all();
    drop((alice, soft));
    // Off for everybody by default.
    let conf = ast
        .read_config("userpresence.conf")
        .replace("http_calls = self", "");
    ast.write_config("userpresence.conf", &conf);
    assert!(ast.reload().ok());
    assert_eq!(
        refusal(&dial(&ast, "alice-web", &json!({"to": "300"}))),
        (403, "off".into())
    );
    assert_eq!(read(&ast, "alice"), "not_set");
    let put = put(
        &ast,
        "alice-web",
        &format!("{MAIN}/extension/~/calls"),
        &json!({}),
    );
    assert_eq!(put.status, 405);
}

#[test]
fn a_panic_at_a_channel_loses_that_report_alone() {
    let panel = api_user("panel", "account = main\nrole = read");
    let alice = "[alice]\ntype = user\naccount = main\nendpoint = line,Local/wait@harness\n";
    let general = "[general]\nshow_calls = all\nhttp_rate = 10000\n";
    let ast = Instance::selftest()
        .userpresence(&format!("{general}{alice}{panel}"))
        .http()
        .start();
    ast.cli("userpresence selftest panic call");
    let first = ast.run("Wait", "600");
    ast.wait_log("please report it: forced by a test in call");
    ast.run("Wait", "600");
    wait_until("the later call", || {
        (!seen(&ast, "panel", "main").is_empty()).then_some(())
    });
    ast.hang_up(&first);
    ast.hang_up_all();
    wait_until("the end of all calls", || {
        seen(&ast, "panel", "main").is_empty().then_some(())
    });
}
