//! Authentication and access control.

use std::time::{Duration, Instant};

use super::{builder, code, get, session, start, users};
use crate::harness::api::{HASH, basic};
use crate::harness::{Answer, Instance, wait_until};

/// Everything in an answer except the time.
fn timeless(answer: &Answer) -> (u16, Vec<&str>, &str) {
    let head = answer.head.lines();
    let head = head.filter(|line| !line.starts_with("Date: ")).collect();
    (answer.status, head, &answer.body)
}

#[test]
fn an_api_user_authenticates_by_basic_and_sees_its_own_account() {
    let ast = start("");
    for (name, role, user, id) in [
        ("panel", "read", None, None),
        ("HERS", "self", Some("alice"), Some("4711")),
        ("boss", "admin", None, None),
    ] {
        let answer = session(&ast, &basic(name, "secret"));
        assert_eq!(answer.status, 200, "{answer:?}");
        let expected = serde_json::json!({
            "name": name.to_lowercase(),
            "role": role,
            "account": "main",
            "user": user,
            "extensionId": id,
            "may": {
                "settings": user.is_some(),
                "password": false,
                "call": false,
                "configure": false,
            },
            "displayName": user,
            "seesAll": false,
        });
        assert_eq!(answer.json(), expected);
    }
    assert_eq!(ast.complaints(), Vec::<String>::new());
}

#[test]
fn without_api_users_every_password_is_refused() {
    let ast = builder("[general]\n").start();
    for (name, password) in [("panel", "secret"), ("admin", "secret"), ("", "")] {
        let answer = session(&ast, &basic(name, password));
        assert_eq!(
            (answer.status, code(&answer).as_str()),
            (401, "unauthorized")
        );
    }
}

#[test]
fn a_refusal_never_reveals_what_was_wrong() {
    let text = users("") + "[far](api)\npermit = 10.0.0.0/8,fd00::/8\n";
    let ast = builder(&text).start();
    let unknown = session(&ast, &basic("nobody", "secret"));
    assert_eq!(unknown.status, 401);
    // The browser must not open its own password dialog.
    assert!(unknown.header("WWW-Authenticate").starts_with("Session "));
    for (name, password) in [("panel", "Secret"), ("panel", ""), ("far", "secret")] {
        let answer = session(&ast, &basic(name, password));
        assert_eq!(timeless(&answer), timeless(&unknown), "{name} {password}");
    }
    let other = session(&ast, "Authorization: Bearer abc");
    assert_eq!((other.status, code(&other).as_str()), (401, "unauthorized"));
}

#[test]
fn an_api_user_can_be_bound_to_addresses() {
    let text = users("") + "[near](api)\npermit = 10.0.0.0/8\npermit = 127.0.0.0/8\n";
    let ast = builder(&text).start();
    assert_eq!(session(&ast, &basic("near", "secret")).status, 200);
    // After a reload an address that was allowed before is refused.
    let text = text.replace("permit = 127.0.0.0/8\n", "");
    ast.write_config("userpresence.conf", &text);
    assert!(ast.reload().ok());
    assert_eq!(session(&ast, &basic("near", "secret")).status, 401);
}

#[test]
fn a_caller_who_guesses_has_to_wait() {
    let ast = start("");
    for _ in 0..5 {
        assert_eq!(session(&ast, &basic("panel", "guess")).status, 401);
    }
    let answer = session(&ast, &basic("panel", "secret"));
    assert_eq!((answer.status, code(&answer).as_str()), (429, "too_many"));
    assert_eq!(answer.header("Retry-After"), "1");
    assert_eq!(session(&ast, &basic("boss", "secret")).status, 200);
    wait_until("an end of the wait", || {
        let answer = session(&ast, &basic("panel", "secret"));
        (answer.status == 200).then_some(())
    });
    // The right password resets the failures.
    for _ in 0..5 {
        assert_eq!(session(&ast, &basic("panel", "guess")).status, 401);
    }
}

/// The hash of an unknown password, which takes far longer to check than a request to
/// arrive.
const DEAR: &str = "$6$rounds=200000$test$guessed";

#[test]
fn a_caller_who_guesses_in_parallel_has_to_wait_too() {
    let text = users("") + &format!("[dear](api)\npassword = {DEAR}\n");
    let ast = builder(&text).start();
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let guess = || session(&ast, &basic("dear", "guess")).status;
        let guesses: Vec<_> = (0..30).map(|_| scope.spawn(guess)).collect();
        let ends = guesses.into_iter().map(|guess| guess.join());
        ends.map(|status| status.expect("an answer")).collect()
    });
    let count = |wanted| statuses.iter().filter(|status| **status == wanted).count();
    // A late request may find the wait over.
    assert!((5..10).contains(&count(401)), "{statuses:?}");
    assert_eq!(count(401) + count(429), 30, "{statuses:?}");
}

#[test]
fn the_time_of_an_answer_reveals_no_names() {
    let text = users("") + &format!("[dear](api)\npassword = {DEAR}\n");
    let ast = builder(&text).start();
    // The shortest of several, taken in turn: a busy machine only makes them longer, and all
    // of them alike.
    let names = ["dear", "panel", "nobody"];
    let mut shortest = [Duration::MAX; 3];
    for _ in 0..4 {
        for (name, shortest) in names.iter().zip(&mut shortest) {
            let begin = Instant::now();
            assert_eq!(session(&ast, &basic(name, "guess")).status, 401);
            *shortest = begin.elapsed().min(*shortest);
        }
    }
    let [dear, others @ ..] = shortest;
    for (name, taken) in names[1..].iter().zip(others) {
        assert!(taken > dear / 3, "{name}: {taken:?}, {dear:?}");
    }
}

#[test]
fn security_events_report_successes_and_failures() {
    let text = users("") + "[far](api)\npermit = 10.0.0.0/8\n";
    let ast = builder(&text)
        .file("logger.conf", SECURITY)
        .modules(&["res_security_log"])
        .start();
    for (name, password, event) in [
        ("panel", "secret", "SuccessfulAuth"),
        ("panel", "guess", "InvalidPassword"),
        ("no\"body,", "secret", "InvalidAccountID"),
        ("far", "secret", "FailedACL"),
    ] {
        let from = ast.log().len();
        session(&ast, &basic(name, password));
        let line = ast.wait_log_from(from, &format!("SecurityEvent=\"{event}\""));
        let name = name.replace(['"', ','], "?");
        for part in [
            "Service=\"UserPresence\"",
            &format!("AccountID=\"{name}\""),
            "RemoteAddress=\"IPV4/TCP/127.0.0.1/",
            &format!("LocalAddress=\"IPV4/TCP/127.0.0.1/{}\"", ast.http_port()),
        ] {
            assert!(line.contains(part), "{part} in {line}");
        }
    }
    // Further requests with the same password are not reported again.
    let from = ast.log().len();
    assert_eq!(session(&ast, &basic("panel", "secret")).status, 200);
    session(&ast, &basic("nobody", "secret"));
    ast.wait_log_from(from, "InvalidAccountID");
    assert!(!ast.log()[from..].contains("SuccessfulAuth"));
}

#[test]
fn too_many_requests_get_a_time_to_retry() {
    let ast = start("http_rate = 1");
    let ask = |name| session(&ast, &basic(name, "secret"));
    let refused = wait_until("a refusal", || {
        let answer = ask("panel");
        (answer.status == 429).then_some(answer)
    });
    assert_eq!(refused.header("Retry-After"), "1");
    assert_eq!(ask("boss").status, 200);
    wait_until("another second", || {
        (ask("panel").status == 200).then_some(())
    });
}

#[test]
fn http_can_be_turned_off_and_on() {
    let ast = start("http = no");
    for path in ["", "board.js", "v1/session"] {
        let answer = get(&ast, &format!("/userpresence/{path}"), &[]);
        assert_eq!((answer.status, code(&answer).as_str()), (404, "off"));
    }
    ast.write_config("userpresence.conf", &users(""));
    assert!(ast.reload().ok());
    assert_eq!(get(&ast, "/userpresence/", &[]).status, 200);
}

/// The cookie of AMI over HTTP.
fn manager(ast: &Instance, name: &str) -> String {
    let login = format!("/rawman?action=Login&username={name}&secret=secret");
    let answer = get(ast, &login, &[]);
    let cookie = answer.header("Set-Cookie");
    let cookie = cookie.split(';').next().unwrap_or_default();
    assert!(cookie.starts_with("mansession_id="), "{answer:?}");
    format!("Cookie: {cookie}")
}

#[test]
fn a_manager_session_has_the_rights_of_its_classes() {
    let ast = builder(&users("http_ami_sessions = yes"))
        .ami_user("reader", "reporting", "reporting")
        .ami_user("system", "system", "system")
        .start();
    for (name, role) in [("admin", "admin"), ("reader", "read")] {
        let answer = session(&ast, &manager(&ast, name));
        assert_eq!(answer.status, 200, "{answer:?}");
        let said = answer.json();
        assert_eq!(
            (&said["name"], &said["role"]),
            (&"manager".into(), &role.into())
        );
        assert_eq!(said["account"], "default");
    }
    assert_eq!(session(&ast, &manager(&ast, "system")).status, 401);
    assert_eq!(session(&ast, FORGED).status, 401);
}

const FORGED: &str = "Cookie: mansession_id=\"12345678\"";

/// A `logger.conf` with security events.
pub const SECURITY: &str = "[general]\ndateformat = %F %T.%3q\n[logfiles]\n\
                        full.log => notice,warning,error,verbose,security\n";

#[test]
fn a_manager_session_is_accepted_only_if_configured() {
    let ast = start("");
    let cookie = manager(&ast, "admin");
    let refused = session(&ast, &cookie);
    assert_eq!(
        (refused.status, code(&refused).as_str()),
        (401, "unauthorized")
    );
    // The session number is not even checked: right and wrong ones get the same answer.
    for _ in 0..20 {
        assert_eq!(timeless(&session(&ast, FORGED)), timeless(&refused));
    }
    ast.write_config("userpresence.conf", &users("http_ami_sessions = yes"));
    assert!(ast.reload().ok());
    assert_eq!(session(&ast, &manager(&ast, "admin")).status, 200);
}

#[test]
fn guessing_the_number_of_a_manager_session_is_slowed_down_and_reported() {
    let ast = builder(&users("http_ami_sessions = yes"))
        .file("logger.conf", SECURITY)
        .modules(&["res_security_log"])
        .start();
    let right = manager(&ast, "admin");
    let from = ast.log().len();
    for number in 1..=5 {
        let guess = format!("Cookie: mansession_id=\"{number:08x}\"");
        assert_eq!(session(&ast, &guess).status, 401, "{guess}");
        // A right number does not reset the failures.
        if number < 5 {
            assert_eq!(session(&ast, &right).status, 200);
        }
    }
    let line = ast.wait_log_from(from, "SecurityEvent=\"InvalidPassword\"");
    for part in [
        "Service=\"UserPresence\"",
        "AccountID=\"manager\"",
        "/127.0.0.1/",
    ] {
        assert!(line.contains(part), "{part} in {line}");
    }
    let reported = || {
        ast.log()[from..]
            .matches("SecurityEvent=\"InvalidPassword\"")
            .count()
    };
    wait_until("five reports", || (reported() == 5).then_some(()));
    // During the wait no number is checked, not even the right one.
    let waits = wait_until("a longer wait", || {
        let answer = session(&ast, FORGED);
        let wait: u32 = answer.header("Retry-After").parse().unwrap_or(0);
        assert!(matches!(answer.status, 401 | 429), "{answer:?}");
        (wait >= 8).then_some(answer)
    });
    assert_eq!((waits.status, code(&waits).as_str()), (429, "too_many"));
    assert_eq!(session(&ast, &right).status, 429);
    // A caller with a password is not affected.
    assert_eq!(session(&ast, &basic("panel", "secret")).status, 200);
}

#[test]
fn made_up_names_lock_no_user_out() {
    let ast = start("");
    for name in 0..60 {
        let answer = session(&ast, &basic(&format!("made-up-{name}"), "guess"));
        assert_eq!(answer.status, 401, "{answer:?}");
    }
    // With Basic and with a login, from the same address.
    assert_eq!(session(&ast, &basic("panel", "secret")).status, 200);
    let login = r#"{"name": "hers", "password": "secret"}"#;
    let json = "Content-Type: application/json";
    let answer = ast.http("POST", "/userpresence/v1/session", &[json], login);
    assert_eq!(answer.status, 200, "{answer:?}");
    // A name with failures of its own has to wait too, whether it exists or not.
    for name in ["boss", "nobody"] {
        assert_eq!(session(&ast, &basic(name, "guess")).status, 401, "{name}");
        let answer = session(&ast, &basic(name, "guess"));
        assert_eq!(
            (answer.status, code(&answer).as_str()),
            (429, "too_many"),
            "{name}"
        );
    }
}

#[test]
fn the_console_creates_api_users() {
    let ast = start("");
    let made = ast.cli("userpresence password desk");
    let password = made
        .lines()
        .find_map(|line| line.split_once("shown only once: "))
        .unwrap_or_else(|| panic!("{made}"))
        .1;
    assert_eq!(password.len(), 19, "{made}");
    let typed = ast.cli("userpresence password lobby right-here");
    assert!(!typed.contains("right-here"), "{typed}");
    // A user gets a password instead of an API user.
    let person = ast.cli("userpresence password BOB of-my-own");
    assert!(person.starts_with("[bob](+)\npassword = $6$"), "{person}");
    let sections =
        format!("{made}\n{typed}\n{person}").replace("account = default", "account = main");
    ast.write_config("userpresence.conf", &(users("") + &sections));
    assert!(ast.reload().ok());
    assert_eq!(session(&ast, &basic("desk", password)).status, 200);
    assert_eq!(session(&ast, &basic("lobby", "right-here")).status, 200);
    assert_eq!(
        session(&ast, &basic("bob", "of-my-own")).json()["role"],
        "self"
    );
    let bad = ast.cli("userpresence password a,b");
    assert!(bad.contains("Expected a name"), "{bad}");
}

#[test]
fn an_api_user_with_an_error_is_left_out_by_a_load_and_fails_a_reload() {
    let bad = format!("[bad]\ntype = api_user\npassword = {HASH}\naccount = nowhere\n");
    let ast = builder(&(users("") + &bad)).start();
    ast.wait_log("section [bad], option 'account': unknown account 'nowhere'");
    assert_eq!(session(&ast, &basic("bad", "secret")).status, 401);
    assert_eq!(session(&ast, &basic("panel", "secret")).status, 200);
    assert!(!ast.reload().ok());
}
