//! Webhooks, with a receiver of the test's own.

use std::time::{Duration, Instant};

use hmac::{Hmac, Mac};
use serde_json::json;
use sha2::Sha256;

use crate::harness::users::sequence;
use crate::harness::{Answering, Instance, MODULE, Post, Receiver, TlsReceiver, wait_until};

const SECRET: &str = "correct horse battery";

/// Users without a source: each status set is one event.
const USERS: &str = "[general]\n\
    [alice]\ntype = user\nid = 4711\naccount = main\n\
    [bob]\ntype = user\naccount = main\n\
    [carol]\ntype = user\naccount = other\n";

fn webhook(name: &str, url: &str, more: &str) -> String {
    format!("[{name}]\ntype = webhook\nurl = {url}\naccount = main\nsecret = {SECRET}\n{more}\n")
}

fn start(url: &str, more: &str) -> Instance {
    let conf = format!("{USERS}{}", webhook("crm", url, more));
    Instance::builder().userpresence(&conf).start()
}

/// Sets alice's status, which is one event, and returns its number.
#[track_caller]
fn set_message(ast: &Instance, message: &str) -> u64 {
    ast.setvar("USER_PRESENCE(alice)", &format!("away,,{message}"));
    sequence(ast, "alice")
}

fn sequences(posts: &[Post]) -> Vec<u64> {
    posts.iter().map(Post::sequence).collect()
}

/// The line of a webhook in `userpresence show webhooks`.
#[track_caller]
fn line_of(ast: &Instance, name: &str) -> String {
    let all = ast.cli("userpresence show webhooks");
    let line = all.lines().find(|line| line.starts_with(name));
    line.unwrap_or_else(|| panic!("{all}")).to_owned()
}

#[track_caller]
fn wait_line(ast: &Instance, name: &str, part: &str) {
    wait_until(&format!("webhook {name} to show {part:?}"), || {
        line_of(ast, name).contains(part).then_some(())
    });
}

#[test]
fn events_are_posted_in_order_and_signed() {
    let receiver = Receiver::start();
    let ast = start(&receiver.url("/presence?token=t"), "");
    let numbers: Vec<u64> = (0..20).map(|n| set_message(&ast, &n.to_string())).collect();
    ast.setvar("USER_PRESENCE(carol)", "dnd");
    let posts = receiver.wait_taken(20);
    assert_eq!(sequences(&posts), numbers);

    let mut ids: Vec<String> = Vec::new();
    for post in &posts {
        assert!(post.head.starts_with("POST /presence?token=t HTTP/1.1\r\n"));
        assert_eq!(post.header("Content-Type"), "application/json");
        assert!(post.header("User-Agent").starts_with("res_userpresence/"));
        assert_eq!(post.header("Expect"), "");
        let json = post.json();
        assert_eq!(json["event"], "/userpresence/v1/account/main/presence");
        assert_eq!(json["ownerId"], "4711");
        assert_eq!(json["body"]["extensionId"], "4711");
        assert_eq!(json["body"]["presenceStatus"], "Busy");
        assert_eq!(json["body"]["sequence"], post.sequence());
        ids.push(json["subscriptionId"].as_str().expect("an id").into());
        assert_eq!(ids[0], ids[ids.len() - 1]);

        let time = post.header("X-UserPresence-Timestamp");
        assert!(
            time.parse::<u64>().is_ok_and(|time| time > 1_700_000_000),
            "{time}"
        );
        let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).expect("a key");
        mac.update(format!("{time}.{}", post.body).as_bytes());
        let code = mac.finalize().into_bytes();
        let code: String = code.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(
            post.header("X-UserPresence-Signature"),
            format!("sha256={code}")
        );
    }

    wait_line(&ast, "crm", " 20 ");
    let line = line_of(&ast, "crm");
    let words: Vec<&str> = line.split_whitespace().collect();
    let last = numbers[19].to_string();
    assert_eq!(words[..5], ["crm", "main", "20", &last, "no"]);
    assert!(line.ends_with(&receiver.url("/presence")), "{line}");
    assert_eq!(ast.complaints(), Vec::<String>::new());

    // The id identifies the webhook, even after a restart.
    assert!(ast.unload_module(MODULE).ok());
    assert!(ast.load_module(MODULE).ok());
    set_message(&ast, "again");
    let posts = receiver.wait_taken(21);
    assert_eq!(posts[20].json()["subscriptionId"], ids[0].as_str());
    assert_eq!(posts.len(), 21);
}

#[test]
fn an_event_carries_its_record_if_configured() {
    let receiver = Receiver::start();
    let types = "[lunch]\ntype = status\nlabel = At lunch\nstate = away\nsubtype = lunch\n";
    let hooks = webhook("crm", &receiver.url("/"), "expand = record");
    let conf = format!("{USERS}{types}{hooks}");
    let ast = Instance::builder().userpresence(&conf).start();
    ast.setvar("USER_PRESENCE(alice)", "lunch,,Back at one");
    let json = receiver.wait_taken(1)[0].json();
    let record = &json["record"];
    assert_eq!(json["body"]["extensionId"], "4711", "{json}");
    for (field, value) in [
        ("user", "alice"),
        ("state", "away"),
        ("subtype", "lunch"),
        ("status", "lunch"),
        ("label", "At lunch"),
        ("message", "Back at one"),
    ] {
        assert_eq!(record[field], value, "{json}");
    }
    assert_eq!(record["sequence"], json["body"]["sequence"], "{json}");
    assert!(record["since"].is_u64(), "{json}");

    // Each record has the state right after its event, however late the post.
    receiver.answer_status("503 Busy");
    let numbers = ["one", "two", "three"].map(|message| set_message(&ast, message));
    receiver.wait_posts(2);
    receiver.answer_status("200 OK");
    let posts = receiver.wait_taken(4);
    assert_eq!(sequences(&posts[1..]), numbers);
    for (post, message) in posts[1..].iter().zip(["one", "two", "three"]) {
        assert_eq!(post.json()["record"]["message"], message, "{}", post.body);
    }

    // The post has no record of a hidden user.
    let hidden = set_flag(&ast, "AllowSeeMyPresence", "false");
    let json = receiver.wait_taken(5)[4].json();
    assert_eq!(json["body"]["sequence"], hidden);
    assert_eq!(json.get("record"), None, "{json}");
    set_message(&ast, "nobody knows");
    set_flag(&ast, "AllowSeeMyPresence", "true");
    let json = receiver.wait_taken(6)[5].json();
    assert_eq!(json["record"]["message"], "nobody knows", "{json}");

    // A reload applies the new setting.
    let conf = format!("{USERS}{types}{}", webhook("crm", &receiver.url("/"), ""));
    ast.write_config("userpresence.conf", &conf);
    assert!(ast.reload().ok());
    set_message(&ast, "plain");
    let json = receiver.wait_taken(7)[6].json();
    assert_eq!(json.get("record"), None, "{json}");
}

/// Sets one of alice's flags, which is one event, and returns its number.
#[track_caller]
fn set_flag(ast: &Instance, flag: &str, value: &str) -> u64 {
    let headers = [
        ("Action", "UserPresenceSet"),
        ("User", "alice"),
        (flag, value),
    ];
    let done = ast.ami().action(&headers);
    assert!(done.ok(), "{done:?}");
    sequence(ast, "alice")
}

#[test]
fn hiding_a_user_is_posted_once_and_then_nothing_else() {
    let receiver = Receiver::start();
    let ast = start(&receiver.url("/"), "");
    let seen = set_message(&ast, "seen");
    let hidden = set_flag(&ast, "AllowSeeMyPresence", "false");
    set_message(&ast, "nobody knows");
    set_flag(&ast, "RingOnMonitoredCall", "true");
    let seen_again = set_flag(&ast, "AllowSeeMyPresence", "true");
    let posts = receiver.wait_taken(3);
    assert_eq!(sequences(&posts), [seen, hidden, seen_again]);
    assert_eq!((hidden, seen_again), (seen + 1, seen + 4));
    let json = posts[1].json();
    assert_eq!(
        json["body"],
        json!({"extensionId": "4711", "sequence": hidden, "allowSeeMyPresence": false})
    );
    assert_eq!(json.as_object().map(|json| json.len()), Some(6), "{json}");
    assert_eq!(posts[2].json()["body"]["allowSeeMyPresence"], true);

    // A user who was hidden before causes no event.
    let hidden = set_flag(&ast, "AllowSeeMyPresence", "false");
    assert_eq!(receiver.wait_taken(4)[3].sequence(), hidden);
    assert!(ast.unload_module(MODULE).ok());
    assert!(ast.load_module(MODULE).ok());
    set_message(&ast, "nobody knows");
    ast.setvar("USER_PRESENCE(bob)", "away");
    let number = ast.getvar("USER_PRESENCE(bob,sequence)");
    assert_eq!(
        receiver.wait_taken(5)[4].sequence().to_string(),
        number,
        "{:?}",
        sequences(&receiver.posts())
    );
}

#[test]
fn waiting_events_of_hidden_or_removed_users_are_not_posted() {
    let receiver = Receiver::start();
    let ast = start(&receiver.url("/"), "");
    receiver.answer_status("500 Oh no");
    set_message(&ast, "tried");
    set_message(&ast, "waits");
    receiver.wait_posts(1);
    let hidden = set_flag(&ast, "AllowSeeMyPresence", "false");
    let of_bob = || {
        ast.setvar("USER_PRESENCE(bob)", "away");
        ast.setvar("USER_PRESENCE(bob)", "available");
        let number = ast.getvar("USER_PRESENCE(bob,sequence)");
        number.parse::<u64>().expect("a number")
    };
    let bob = of_bob();
    receiver.answer_status("200 OK");
    let posts = receiver.wait_taken(3);
    assert_eq!(sequences(&posts), [hidden, bob - 1, bob]);

    receiver.answer_status("500 Oh no");
    let tried = set_flag(&ast, "AllowSeeMyPresence", "true");
    set_message(&ast, "waits");
    wait_line(&ast, "crm", "HTTP status 500");
    assert_eq!(receiver.posts().last().map(Post::sequence), Some(tried));
    let configure = |users: &str| {
        let conf = format!("{users}{}", webhook("crm", &receiver.url("/"), ""));
        ast.write_config("userpresence.conf", &conf);
        assert!(ast.reload().ok());
    };
    let moved = USERS.replacen("account = main", "account = other", 1);
    configure(&moved);
    let bob = of_bob();
    receiver.answer_status("200 OK");
    let taken = sequences(&receiver.wait_taken(5));
    assert_eq!(taken[3..], [bob - 1, bob]);

    receiver.answer_status("500 Oh no");
    let waits = of_bob();
    wait_line(&ast, "crm", "HTTP status 500");
    configure(&moved.replace("[bob]", "[dave]"));
    receiver.answer_status("200 OK");
    ast.setvar("USER_PRESENCE(dave)", "away");
    assert_eq!(receiver.wait_taken(6)[5].sequence(), waits + 1);
}

#[test]
fn a_failed_post_is_retried_without_loss_or_repetition() {
    let receiver = Receiver::start();
    let ast = start(&receiver.url("/"), "");
    receiver.answer_status("500 Oh no");
    let numbers: Vec<u64> = (0..3).map(|n| set_message(&ast, &n.to_string())).collect();
    let tries = receiver.wait_posts(3);
    // The same event again, with growing pauses between the attempts.
    assert_eq!(sequences(&tries), [numbers[0]; 3]);
    assert_eq!(tries[0].json()["uuid"], tries[2].json()["uuid"]);
    let pauses = [tries[1].at - tries[0].at, tries[2].at - tries[1].at];
    assert!(pauses[0] >= Duration::from_millis(700), "{pauses:?}");
    assert!(pauses[1] >= Duration::from_millis(1400), "{pauses:?}");
    ast.wait_log(&format!(
        "could not deliver event {}: the answer was HTTP status 500",
        numbers[0]
    ));
    assert!(line_of(&ast, "crm").contains("the answer was HTTP status 500"));
    assert!(line_of(&ast, "crm").contains(" ago "));

    // A redirect is not followed.
    let other = Receiver::start();
    receiver.answer_status(&format!("302 Found\r\nLocation: {}", other.url("/")));
    wait_line(&ast, "crm", "the answer was HTTP status 302");

    receiver.answer_status("200 OK");
    assert_eq!(sequences(&receiver.wait_taken(3)), numbers);
    wait_line(&ast, "crm", &format!(" {} ", numbers[2]));
    assert!(!line_of(&ast, "crm").contains("HTTP status"));
    assert_eq!(receiver.wait_taken(3).len(), 3);
    assert_eq!(other.posts().len(), 0);
    assert_eq!(ast.complaints().len(), 1);
}

#[test]
fn retry_after_is_respected_and_a_long_answer_is_cut_off() {
    let receiver = Receiver::start();
    let ast = start(&receiver.url("/"), "");
    receiver.answer_status("503 Busy\r\nRetry-After: 3");
    let first = set_message(&ast, "1");
    let tries = receiver.wait_posts(2);
    assert!(tries[1].at - tries[0].at >= Duration::from_millis(2900));
    receiver.answer(Answering::TooMuch);
    let taken = receiver.wait_taken(1);
    assert_eq!(sequences(&taken), [first]);
    wait_line(&ast, "crm", " 1 ");
    let second = set_message(&ast, "2");
    assert_eq!(sequences(&receiver.wait_taken(2)), [first, second]);
}

#[test]
fn a_webhook_gives_up_with_a_warning_and_continues_with_new_events() {
    let receiver = Receiver::start();
    let url = format!("http://joe:geheim@{}/in?token=geheim", receiver.host());
    let ast = start(&url, "retry_for = 2");
    receiver.answer_status("404 Not Found");
    let ami = ast.ami();
    let numbers: Vec<u64> = (0..3).map(|n| set_message(&ast, &n.to_string())).collect();
    let error = ast.wait_log("dropped");
    let place = format!("Webhook 'crm' ({})", receiver.url("/in"));
    for part in [
        "ERROR",
        &place,
        &format!("events {} to {} are dropped", numbers[0], numbers[2]),
        "the answer was HTTP status 404",
    ] {
        assert!(error.contains(part), "{part:?}: {error}");
    }
    let event = ami.wait_event("a failure", |event| {
        event.is_event("UserPresenceWebhookFailed")
    });
    for (name, value) in [
        ("Webhook", "crm"),
        ("Account", "main"),
        ("Url", &receiver.url("/in")),
        ("Reason", "GivenUp"),
        ("Error", "the answer was HTTP status 404"),
        ("DroppedFrom", &numbers[0].to_string()),
        ("DroppedTo", &numbers[2].to_string()),
    ] {
        assert_eq!(event.get(name), Some(value), "{name}");
    }
    let help = ast.cli("manager show event UserPresenceWebhookFailed");
    for (name, _) in event.headers() {
        let own = ["Event", "Privilege"].contains(&name.as_str());
        assert!(
            own || help.contains(name.as_str()),
            "no header {name} in\n{help}"
        );
    }
    receiver.answer_status("200 OK");
    let new = set_message(&ast, "new");
    let taken = receiver.wait_taken(1);
    assert_eq!(sequences(&taken), [new]);
    assert_eq!(taken[0].header("Authorization"), "Basic am9lOmdlaGVpbQ==");
    wait_line(&ast, "crm", " no ");
    for text in [
        ast.log(),
        ast.cli("userpresence show webhooks"),
        format!("{event:?}"),
    ] {
        assert!(!text.contains("geheim") && !text.contains(SECRET), "{text}");
    }
}

#[test]
fn a_hanging_receiver_delays_nothing_else() {
    let (hanging, other) = (Receiver::start(), Receiver::start());
    let conf = format!(
        "{USERS}{}{}",
        webhook("hanging", &hanging.url("/"), "timeout = 60"),
        webhook("other", &other.url("/"), "")
    );
    let ast = Instance::builder().userpresence(&conf).start();
    hanging.answer(Answering::Never);
    let numbers: Vec<u64> = (0..5).map(|n| set_message(&ast, &n.to_string())).collect();
    assert_eq!(sequences(&other.wait_taken(5)), numbers);
    hanging.wait_posts(1);
    assert_eq!(ast.getvar("USER_PRESENCE(alice,message)"), "4");

    let begin = Instant::now();
    assert!(ast.reload().ok());
    assert!(ast.unload_module(MODULE).ok());
    assert!(
        begin.elapsed() < Duration::from_secs(5),
        "{:?}",
        begin.elapsed()
    );
    assert!(ast.load_module(MODULE).ok());
    let last = set_message(&ast, "last");
    assert_eq!(sequences(&other.wait_taken(6))[5], last);
    assert_eq!(hanging.wait_posts(2)[1].sequence(), last);
    // A stop without an unload does not wait either.
    assert!(ast.stop().success());
}

#[test]
fn a_timeout_ends_a_post() {
    let receiver = Receiver::start();
    let ast = start(&receiver.url("/"), "timeout = 1");
    receiver.answer(Answering::Never);
    let number = set_message(&ast, "1");
    wait_line(&ast, "crm", "timed out");
    receiver.answer_status("200 OK");
    assert_eq!(sequences(&receiver.wait_taken(1)), [number]);
}

#[test]
fn a_reload_keeps_the_place_in_the_events() {
    let (old, new) = (Receiver::start(), Receiver::start());
    let ast = start(&old.url("/"), "");
    old.answer_status("500 Oh no");
    let numbers: Vec<u64> = (0..3).map(|n| set_message(&ast, &n.to_string())).collect();
    old.wait_posts(1);
    // The account has one more user, so readers begin anew. The first webhook continues, now
    // with another address; the second one starts with new events.
    let second = Receiver::start();
    let conf = format!(
        "{USERS}[dave]\ntype = user\naccount = main\n{}{}",
        webhook("CRM", &new.url("/"), ""),
        webhook("second", &second.url("/"), "")
    );
    ast.write_config("userpresence.conf", &conf);
    assert!(ast.reload().ok());
    assert_eq!(sequences(&new.wait_taken(3)), numbers);
    let last = set_message(&ast, "last");
    assert_eq!(sequences(&new.wait_taken(4))[3], last);
    assert_eq!(sequences(&second.wait_taken(1)), [last]);

    // A removed webhook stops.
    let conf = format!("{USERS}{}", webhook("second", &second.url("/"), ""));
    ast.write_config("userpresence.conf", &conf);
    assert!(ast.reload().ok());
    set_message(&ast, "after");
    second.wait_taken(2);
    assert_eq!(new.posts().len(), 4);
    assert!(ast.cli("userpresence show webhooks").ends_with("1 webhook"));
}

#[test]
fn a_webhook_answered_with_gone_stops_until_a_reload() {
    let receiver = Receiver::start();
    let ast = start(&receiver.url("/"), "");
    receiver.answer_status("410 Gone");
    let ami = ast.ami();
    let first = set_message(&ast, "1");
    let error = ast.wait_log("is stopped until the next reload");
    assert!(
        error.contains("ERROR") && error.contains("HTTP status 410"),
        "{error}"
    );
    let event = ami.wait_event("a failure", |event| {
        event.is_event("UserPresenceWebhookFailed")
    });
    assert_eq!(event.get("Reason"), Some("Gone"));
    let second = set_message(&ast, "2");
    receiver.answer_status("200 OK");
    assert_eq!(receiver.posts().len(), 1);
    assert!(ast.reload().ok());
    assert_eq!(sequences(&receiver.wait_taken(2)), [first, second]);
}

#[test]
fn events_dropped_from_the_journal_are_reported_and_the_others_posted() {
    let receiver = Receiver::start();
    let conf = format!(
        "{}{}",
        USERS.replace("[general]\n", "[general]\njournal = 100\n"),
        webhook("crm", &receiver.url("/"), "timeout = 60")
    );
    let ast = Instance::builder().userpresence(&conf).start();
    receiver.answer(Answering::Never);
    let first = set_message(&ast, "first");
    receiver.wait_posts(1);
    let later: Vec<u64> = (0..110)
        .map(|n| set_message(&ast, &n.to_string()))
        .collect();
    let ami = ast.ami();
    // The hanging post fails and is tried again.
    receiver.answer_status("200 OK");
    receiver.hang_up();
    let error = ast.wait_log("the journal no longer holds them");
    let range = format!("events {} to {} are dropped", later[0], later[9]);
    assert!(error.contains("ERROR") && error.contains(&range), "{error}");
    let event = ami.wait_event("a failure", |event| {
        event.is_event("UserPresenceWebhookFailed")
    });
    assert_eq!(event.get("Reason"), Some("Missed"));
    for (name, number) in [("DroppedFrom", later[0]), ("DroppedTo", later[9])] {
        assert_eq!(event.get(name), Some(number.to_string().as_str()), "{name}");
    }
    let new = set_message(&ast, "new");
    let kept = [&[first], &later[10..], &[new]].concat();
    assert_eq!(sequences(&receiver.wait_taken(kept.len())), kept);
}

#[test]
fn events_that_wait_at_the_end_are_reported() {
    let receiver = Receiver::start();
    let ast = start(&receiver.url("/"), "timeout = 60");
    let ami = ast.ami();
    // Nothing waits, so nothing is reported.
    set_message(&ast, "taken");
    wait_line(&ast, "crm", " 1 ");
    assert!(ast.unload_module(MODULE).ok());
    assert!(ast.load_module(MODULE).ok());
    assert_eq!(ast.complaints(), Vec::<String>::new());

    let told = |begin: usize, range: &str| {
        let line = ast.wait_log_from(begin, "not posted");
        let place = format!("Webhook 'crm' ({}): {range} not posted", receiver.url("/"));
        assert!(line.contains("WARNING") && line.contains(&place), "{line}");
    };
    let failed = |from: u64, to: u64| {
        let event = ami.wait_event("a failure", |event| {
            event.is_event("UserPresenceWebhookFailed")
                && event.get("DroppedFrom") == Some(&from.to_string())
        });
        assert_eq!(event.get("Reason"), Some("Stopped"));
        assert_eq!(event.get("DroppedTo"), Some(to.to_string().as_str()));
    };

    // The webhook is removed while the first event is being retried.
    receiver.answer_status("500 Oh no");
    let numbers: Vec<u64> = (0..3).map(|n| set_message(&ast, &n.to_string())).collect();
    wait_line(&ast, "crm", "HTTP status 500");
    ast.write_config("userpresence.conf", USERS);
    let begin = ast.log().len();
    assert!(ast.reload().ok());
    told(
        begin,
        &format!("events {} to {} are", numbers[0], numbers[2]),
    );
    failed(numbers[0], numbers[2]);

    // The module is unloaded while the receiver does not answer.
    receiver.answer(Answering::Never);
    let posts = receiver.posts().len();
    let conf = format!("{USERS}{}", webhook("crm", &receiver.url("/"), ""));
    ast.write_config("userpresence.conf", &conf);
    assert!(ast.reload().ok());
    let numbers = [set_message(&ast, "3"), set_message(&ast, "4")];
    receiver.wait_posts(posts + 1);
    let begin = ast.log().len();
    assert!(ast.unload_module(MODULE).ok());
    told(
        begin,
        &format!("events {} to {} are", numbers[0], numbers[1]),
    );
    failed(numbers[0], numbers[1]);

    // Asterisk stops without an unload.
    assert!(ast.load_module(MODULE).ok());
    let number = set_message(&ast, "5");
    receiver.wait_posts(posts + 2);
    let begin = ast.log().len();
    assert!(ast.stop().success());
    told(begin, &format!("event {number} is"));
}

#[test]
fn each_mistake_of_a_webhook_is_reported() {
    let conf = format!(
        "{USERS}[crm]\ntype = webhook\nurl = crm.example.com\naccount = mian\nsecret = short\n"
    );
    let ast = Instance::builder().userpresence(&conf).start();
    let line = USERS.lines().count();
    for (at, part) in [
        (
            3,
            "option 'url': it begins with neither http:// nor https://",
        ),
        (
            4,
            "option 'account': no user belongs to the account 'mian', expected one of main, other",
        ),
        (
            5,
            "option 'secret': the secret has 5 characters, expected at least 16",
        ),
    ] {
        let place = format!("userpresence.conf:{}, section [crm], {part}", line + at);
        assert!(
            ast.wait_log(&place).contains("the section is left out"),
            "{place}"
        );
    }
    assert_eq!(ast.cli("userpresence show webhooks"), "0 webhooks");
    assert_eq!(ast.getvar("USER_PRESENCE(alice)"), "not_set");
    let before = ast.log().len();
    assert!(!ast.reload().ok());
    ast.wait_log_from(before, "the running configuration stays");
}

#[test]
fn a_certificate_is_trusted_if_its_authority_is_configured() {
    // The receiver's certificate is in Asterisk's configuration directory.
    let ast = Instance::builder().userpresence(USERS).start();
    let etc = ast.path("etc");
    let receiver = TlsReceiver::start(&etc, "receiver");
    let conf = format!("{USERS}{}", webhook("crm", &receiver.url(), ""));
    ast.write_config("userpresence.conf", &conf);
    assert!(ast.reload().ok());
    set_message(&ast, "secret");
    wait_line(&ast, "crm", "certificate");
    assert!(
        line_of(&ast, "crm").contains(" 0 "),
        "{}",
        line_of(&ast, "crm")
    );

    let file = format!("ca_file = {}", etc.join("receiver.pem").display());
    let conf = format!("{USERS}{}", webhook("crm", &receiver.url(), &file));
    ast.write_config("userpresence.conf", &conf);
    assert!(ast.reload().ok());
    wait_line(&ast, "crm", " 1 ");
}

#[test]
fn a_panic_loses_no_event() {
    let receiver = Receiver::start();
    let conf = format!("{USERS}{}", webhook("crm", &receiver.url("/"), ""));
    let ast = Instance::selftest().userpresence(&conf).start();
    ast.cli("userpresence selftest panic webhook");
    let number = set_message(&ast, "1");
    ast.wait_log("please report it: forced by a test in webhook");
    assert_eq!(sequences(&receiver.wait_taken(1)), [number]);
}
