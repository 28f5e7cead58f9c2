//! Own settings over HTTP.

use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};

use crate::harness::api::{JSON, api_user, get, login, put};
use crate::harness::{Answer, Builder, Instance};

const CONF: &str = "[general]\nhandling = standard\n\
    [lunch]\ntype = status\nstate = away\nsubtype = lunch\n\
    [standard]\ntype = handling\nring_timeout = 20\nforward_external_noanswer = voicemail\n\
    [standard-away]\ntype = handling\nset = standard\nstatus = away\nring_first = desk\npush = no\n\
    [off]\ntype = action\nstatus = dnd\ndnd = on\nqueue = 600,pause\n\
    [alice]\ntype = user\nid = 4711\naccount = main\nextension = 200\nextension = 201\n\
    outgoing = none\nmailbox = 200@default\nmobile = +491701\naction = off\n\
    endpoint = desk,PJSIP/desk\nendpoint = soft,PJSIP/soft\nlogin_status = available\n\
    own_forward = internal,voicemail,mobile,_+49170X\n\
    [bob]\ntype = user\naccount = main\nextension = 210\noutgoing = none\n\
    [dora]\ntype = user\naccount = main\nextension = 230\noutgoing = none\nown_settings = note\n";

const ALICE: &str = "/userpresence/v1/account/main/extension/4711/settings";
const OWN: &str = "/userpresence/v1/account/~/extension/~/settings";

fn office() -> Builder {
    let users = [
        api_user("panel", "account = main\nrole = read"),
        api_user("boss", "account = main\nrole = admin"),
        api_user("alice-web", "account = main\nrole = self\nuser = alice"),
        api_user("bob-web", "account = main\nrole = self\nuser = bob"),
        api_user("dora-web", "account = main\nrole = self\nuser = dora"),
    ];
    Instance::builder()
        .userpresence(&format!("{CONF}{}", users.concat()))
        .http()
}

#[track_caller]
fn error(answer: &Answer) -> (u16, String, String) {
    let error = &answer.json()["error"];
    let text = |name: &str| error[name].as_str().unwrap_or_default().to_owned();
    (answer.status, text("code"), text("message"))
}

#[test]
fn a_person_reads_and_changes_their_own_settings() {
    let ast = office().start();
    let answer = get(&ast, "alice-web", OWN);
    assert_eq!(answer.status, 200, "{answer:?}");
    let page = answer.json();
    assert_eq!(
        page["allowed"],
        json!({
            "items": ["handling", "mobile", "actions", "login", "note", "visibility"],
            "forward": ["internal", "voicemail", "mobile", "_+49170X"],
            "unavailable": {}, "mobileNumber": true,
            "endpoints": ["desk", "soft", "mobile"], "extensions": ["200", "201"],
            "queues": true
        })
    );
    assert_eq!(page.get("statuses"), None, "nothing of their own");
    let effective = &page["effective"];
    assert_eq!(
        effective["statuses"],
        json!({
            "default": {"ringTimeout": 20, "forwardExternal": {"noAnswer": "voicemail"}},
            "away": {"ringTimeout": 20, "forwardExternal": {"noAnswer": "voicemail"},
                     "ringFirst": ["desk"], "push": false},
            "dnd": {"ringTimeout": 20, "forwardExternal": {"noAnswer": "voicemail"},
                    "dnd": "on", "queue": "pause"}
        })
    );
    let whole = ["mobile", "default", "loginStatus"].map(|name| effective[name].clone());
    assert_eq!(whole, ["+491701", "200", "available"]);
    let by = &page["setBy"];
    assert_eq!(by["statuses"]["away"]["push"], "section standard-away");
    assert_eq!(by["statuses"]["dnd"]["dnd"], "section off");
    assert_eq!(by["mobile"], "section alice");
    assert_eq!(by["loginStatus"], "section alice");
    assert_eq!(by["visibility"], "built-in");
    let bobs = get(&ast, "bob-web", OWN).json();
    let allowed = ["unavailable", "mobileNumber"].map(|name| bobs["allowed"][name].clone());
    let unavailable = json!({
        "voicemail": "you have no mailbox", "mobile": "you have no mobile number"
    });
    assert_eq!(allowed, [unavailable, json!(false)]);

    // A merge patch: everything of their own, then some given back.
    let patch = json!({
        "statuses": {
            "AWAY": {"ringSecond": ["soft", "mobile"], "ringTimeout": 7, "ringMobile": true,
                     "note": "Back soon", "queue": "logout", "dnd": "none", "followMe": "on",
                     "greeting": "busy", "forwardInternal": {"busy": "210"}},
            "default": {"push": true}
        },
        "loginStatus": "lunch", "logoutStatus": "none", "registerStatus": "away",
        "unregisterStatus": null, "mobile": "+491702", "default": "201"
    });
    let answer = put(&ast, "alice-web", OWN, &patch);
    assert_eq!(answer.status, 200, "{answer:?}");
    let page = answer.json();
    let away = &page["statuses"]["away"];
    assert_eq!(away["ringSecond"], json!(["soft", "mobile"]));
    let effective = &page["effective"]["statuses"]["away"];
    for (item, value) in [
        ("ringFirst", json!(["desk"])),
        ("ringSecond", json!(["soft", "mobile"])),
        ("ringTimeout", json!(7)),
        // The user's own setting for every status comes before the section.
        ("push", json!(true)),
        ("note", json!("Back soon")),
        ("queue", json!("logout")),
        ("dnd", json!("none")),
        ("followMe", json!("on")),
        ("greeting", json!("busy")),
        ("forwardInternal", json!({"busy": "210"})),
    ] {
        assert_eq!(effective[item], value, "{item}: {page:#}");
    }
    let by = &page["setBy"]["statuses"]["away"];
    assert_eq!(by["ringTimeout"], "own away");
    assert_eq!(by["push"], "own default");
    assert_eq!(page["setBy"]["mobile"], "own");
    let whole = ["mobile", "default", "loginStatus", "logoutStatus"];
    let whole = whole.map(|name| page["effective"][name].clone());
    assert_eq!(whole, ["+491702", "201", "lunch", "none"]);
    // An administrator sees and sets the same.
    let answer = put(
        &ast,
        "boss",
        ALICE,
        &json!({"statuses": null, "mobile": null}),
    );
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.json()["effective"]["mobile"], "+491701");
    let read = get(&ast, "boss", ALICE).json();
    assert_eq!(read, answer.json());
    let own: Value = serde_json::from_str(&ast.getvar("USER_PRESENCE(alice,settings)")).unwrap();
    assert_eq!(
        own,
        json!({"loginStatus": "lunch", "logoutStatus": "none", "registerStatus": "away",
               "default": "201"})
    );
}

#[test]
fn a_refusal_names_the_member_or_what_is_allowed_and_changes_nothing() {
    let ast = office().start();
    let of_away = |item: &str, value: Value| json!({"statuses": {"away": {item: value}}});
    for (patch, status, code, message) in [
        (
            of_away("ringTimeout", json!(4)),
            400,
            "body",
            "statuses.away.ringTimeout: 4, expected 5 to 300.",
        ),
        (
            of_away("ringTimeout", json!("20")),
            400,
            "body",
            "statuses.away.ringTimeout: a text, expected 5 to 300 or null.",
        ),
        (
            of_away("ringFirst", json!(["desk", "attic"])),
            400,
            "body",
            "statuses.away.ringFirst: 'attic' is no endpoint of 'alice', expected desk, soft or \
             mobile.",
        ),
        (
            of_away("queue", json!("jump")),
            400,
            "body",
            "statuses.away.queue: unknown action 'jump', expected login, logout, pause or none.",
        ),
        (
            of_away("greeting", json!("../../tmp/x")),
            400,
            "body",
            "statuses.away.greeting: '../../tmp/x', expected unavailable, busy, or the name of a \
             recording",
        ),
        (
            of_away("note", json!("a\nb")),
            400,
            "body",
            "statuses.away.note: the text",
        ),
        (
            json!({"loginStatus": "lunhc"}),
            400,
            "body",
            "loginStatus: unknown status 'lunhc', did you mean 'lunch'?",
        ),
        (
            json!({"default": "210"}),
            400,
            "body",
            "default: '210' is no extension of 'alice', expected 200, 201.",
        ),
        (
            json!({"mobile": "call me"}),
            400,
            "body",
            "mobile: 'call me' is no number",
        ),
        (
            json!({"mobile": "+33170"}),
            403,
            "not_allowed",
            "mobile: own_forward has no pattern that allows this number.",
        ),
        (
            of_away("forwardExternal", json!({"always": "+33170"})),
            403,
            "not_allowed",
            "statuses.away.forwardExternal.always: this number is not allowed; own_forward of 'alice' allows internal (an \
             extension of a colleague), voicemail, mobile and _+49170X.",
        ),
        (json!({"shoe": 43}), 400, "body", "shoe: unknown member"),
    ] {
        let answer = put(&ast, "alice-web", OWN, &patch);
        let (found, found_code, why) = error(&answer);
        assert_eq!(
            (found, found_code.as_str()),
            (status, code),
            "{patch}: {why}"
        );
        assert!(why.starts_with(message), "{patch}: {why}");
    }
    assert_eq!(ast.getvar("USER_PRESENCE(alice,settings)"), "{}");
    // The administrator has given dora the note alone.
    let answer = put(&ast, "dora-web", OWN, &of_away("push", json!(false)));
    let (status, code, why) = error(&answer);
    assert_eq!((status, code.as_str()), (403, "not_allowed"), "{why}");
    let expected = "statuses.away.push: own_settings of 'dora' does not include handling.";
    assert_eq!(why, expected);
    let answer = put(&ast, "dora-web", OWN, &of_away("note", json!("Hi")));
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.json()["allowed"]["extensions"], json!([]));
    // Nobody else's, and not without the role.
    for (caller, expected) in [("bob-web", 403), ("panel", 403)] {
        let answer = get(&ast, caller, ALICE);
        assert_eq!(
            (answer.status, error(&answer).1.as_str()),
            (expected, "role")
        );
        let answer = put(&ast, caller, ALICE, &json!({"mobile": null}));
        assert_eq!(
            (answer.status, error(&answer).1.as_str()),
            (expected, "role")
        );
    }
    assert_eq!(get(&ast, "panel", OWN).status, 404);
    assert_eq!(ast.http("GET", ALICE, &[], "").status, 401);
    let answer = ast.http("POST", ALICE, &[&login("boss"), JSON], "{}");
    assert_eq!(answer.status, 405);
    assert_eq!(answer.header("Allow"), "GET, HEAD, PUT");
    // Settings may have 16 kB, and so may a change of them.
    let long = |bytes: usize| format!(r#"{{"mobile":null{}}}"#, " ".repeat(bytes - 15));
    for (bytes, expected) in [(16_384, 200), (16_385, 413)] {
        let answer = ast.http("PUT", ALICE, &[&login("boss"), JSON], &long(bytes));
        assert_eq!(answer.status, expected, "{bytes}: {answer:?}");
    }
}

#[test]
fn a_second_writer_hears_that_the_settings_have_changed() {
    let ast = office().start();
    let tag = get(&ast, "alice-web", OWN).header("ETag").to_owned();
    let change = |tag: &str, mobile: &str| {
        let matches = format!("If-Match: {tag}");
        let body = json!({"mobile": mobile}).to_string();
        let headers = [&*login("alice-web"), JSON, &matches];
        ast.http("PUT", OWN, &headers, &body)
    };
    let first = change(&tag, "+491702");
    assert_eq!(first.status, 200, "{first:?}");
    let second = change(&tag, "+491703");
    assert_eq!((second.status, error(&second).1.as_str()), (412, "changed"));
    assert_eq!(change(first.header("ETag"), "+491703").status, 200);
    assert_eq!(change("*", "+491704").status, 200);
}

/// Changes of two people while the configuration is reloaded again and again.
#[test]
fn a_write_during_a_reload_loses_nothing() {
    let ast = office().start();
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let writers = ["alice-web", "bob-web"].map(|caller| {
            let (ast, over) = (&ast, &over);
            scope.spawn(move || {
                for at in 0..60 {
                    let status = ["away", "xa", "dnd", "chat"][at % 4];
                    let note = format!("note {at}");
                    let patch = json!({"statuses": {status: {"note": note}}});
                    let answer = put(ast, caller, OWN, &patch);
                    assert_eq!(answer.status, 200, "{answer:?}");
                    assert_eq!(answer.json()["statuses"][status]["note"], note.as_str());
                }
                over.store(true, Ordering::Relaxed);
            })
        });
        let mut reloads = 0;
        while !over.load(Ordering::Relaxed) || reloads < 3 {
            // A reload that changes users as well, so that everything is carried over.
            let more = format!(
                "[extra{}]\ntype = user\nextension = 9{reloads}\n",
                reloads % 3
            );
            let text = std::fs::read_to_string(ast.config_path("userpresence.conf")).unwrap();
            let end = text.find("[extra").unwrap_or(text.len());
            ast.write_config("userpresence.conf", &format!("{}{more}", &text[..end]));
            assert!(ast.reload().ok());
            reloads += 1;
        }
        for writer in writers {
            writer.join().expect("a writer");
        }
    });
    let expected = json!({"statuses": {
        "away": {"note": "note 56"}, "xa": {"note": "note 57"},
        "dnd": {"note": "note 58"}, "chat": {"note": "note 59"}}});
    for user in ["alice", "bob"] {
        let own = ast.getvar(&format!("USER_PRESENCE({user},settings)"));
        assert_eq!(
            serde_json::from_str::<Value>(&own).unwrap(),
            expected,
            "{user}"
        );
        ast.wait_astdb_on_disk(&format!("/UserPresence/settings/{user}"), &own);
    }
    ast.kill9();
    ast.start_again();
    for user in ["alice", "bob"] {
        let own = ast.getvar(&format!("USER_PRESENCE({user},settings)"));
        assert_eq!(
            serde_json::from_str::<Value>(&own).unwrap(),
            expected,
            "{user}"
        );
    }
}
