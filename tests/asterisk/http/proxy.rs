//! Callers behind a proxy.

use super::access::SECURITY;
use super::{builder, code, get, users};
use crate::harness::api::{HASH, basic};
use crate::harness::{Answer, Instance, wait_until};

/// A proxy's request for a caller at this address, which is the value of X-Forwarded-For.
#[track_caller]
pub fn forwarded(ast: &Instance, from: &str, name: &str, password: &str) -> Answer {
    let (who, from) = (basic(name, password), format!("X-Forwarded-For: {from}"));
    get(ast, "/userpresence/v1/session", &[&who, &from])
}

/// Guesses from these addresses until the right password has to wait.
#[track_caller]
fn guess(ast: &Instance, from: &[&str], name: &str) {
    wait_until("a wait", || {
        for from in from.iter().cycle().take(5) {
            let status = forwarded(ast, from, name, "guess").status;
            assert!(matches!(status, 401 | 429), "{from}: {status}");
        }
        let answer = forwarded(ast, from[0], name, "secret");
        (answer.status == 429).then(|| assert_eq!(code(&answer), "too_many"))
    });
}

#[test]
fn guessing_behind_a_proxy_affects_no_other_caller_there() {
    let ast = builder(&users("trusted_proxy = 127.0.0.1,10.0.0.0/8"))
        .file("logger.conf", SECURITY)
        .modules(&["res_security_log"])
        .start();
    let from = ast.log().len();
    // The caller's own entries precede the one that the proxy adds.
    let chains = [1, 2, 3, 4].map(|n| format!("198.51.100.{n}, 192.0.2.1, 10.1.1.1"));
    guess(&ast, &chains.each_ref().map(String::as_str), "panel");
    let line = ast.wait_log_from(from, "SecurityEvent=\"InvalidPassword\"");
    assert!(
        line.contains("RemoteAddress=\"IPV4/TCP/192.0.2.1/"),
        "{line}"
    );
    for other in ["192.0.2.2", "2001:db8::7", "[2001:db8:1::7]:4711"] {
        assert_eq!(
            forwarded(&ast, other, "panel", "secret").status,
            200,
            "{other}"
        );
    }
    // An invalid address counts as the proxy itself.
    guess(
        &ast,
        &["unknown", "", "1.2.3", "192.0.2.9 x", "\u{fc}"],
        "boss",
    );
    assert_eq!(forwarded(&ast, "192.0.2.9", "boss", "secret").status, 200);
}

#[test]
fn an_api_user_is_bound_to_the_address_that_the_proxy_names() {
    let far = format!(
        "[far]\ntype = api_user\npassword = {HASH}\naccount = main\npermit = 192.0.2.0/24\n"
    );
    let ast = builder(&(users("trusted_proxy = 127.0.0.1") + &far)).start();
    assert_eq!(forwarded(&ast, "192.0.2.1", "far", "secret").status, 200);
    assert_eq!(forwarded(&ast, "203.0.113.1", "far", "secret").status, 401);
    // Several headers form one list, whose last address the proxy has added.
    let who = basic("far", "secret");
    let two = |first: &str, second: &str| {
        let headers = [first, second].map(|from| format!("X-Forwarded-For: {from}"));
        let target = "/userpresence/v1/session";
        get(&ast, target, &[&who, &headers[0], &headers[1]]).status
    };
    assert_eq!(two("203.0.113.1", "192.0.2.7"), 200);
    assert_eq!(two("192.0.2.7", "203.0.113.1"), 401);
}

#[test]
fn an_untrusted_proxy_is_ignored() {
    let ast = builder(&users("trusted_proxy = 10.0.0.0/8")).start();
    guess(
        &ast,
        &["192.0.2.1", "192.0.2.2", "127.0.0.1", "10.0.0.1"],
        "panel",
    );
}

/// Over TLS up to the proxy, the cookie is as over TLS up to Asterisk; with `http_frame` frames of
/// other sites send it too.
#[test]
fn a_trusted_proxy_says_that_the_connection_is_secure() {
    for (general, forwarded, expected) in [
        (
            "trusted_proxy = 127.0.0.1",
            "https",
            "SameSite=Strict; Secure",
        ),
        ("trusted_proxy = 127.0.0.1", "http", "SameSite=Strict"),
        ("trusted_proxy = 10.0.0.0/8", "https", "SameSite=Strict"),
        (
            "trusted_proxy = 127.0.0.1\nhttp_frame = https://crm.example.com",
            "HTTPS",
            "SameSite=None; Secure; Partitioned",
        ),
        (
            "http_frame = https://crm.example.com",
            "https",
            "SameSite=Strict",
        ),
    ] {
        let ast = builder(&users(general)).start();
        let header = format!("X-Forwarded-Proto: {forwarded}");
        let login = r#"{"name": "panel", "password": "secret"}"#;
        let headers = ["Content-Type: application/json", &header];
        let answer = ast.http("POST", "/userpresence/v1/session", &headers, login);
        assert_eq!(answer.status, 200, "{answer:?}");
        let cookie = answer.header("Set-Cookie").to_owned();
        let sent = cookie.split_once("HttpOnly; ").map(|(_, sent)| sent);
        assert_eq!(sent, Some(expected), "{general}: {cookie}");
        let page = get(&ast, "/userpresence/", &[]);
        let policy = page.header("Content-Security-Policy");
        let framed = match general.contains("http_frame") {
            true => "frame-ancestors https://crm.example.com",
            false => "frame-ancestors 'none'",
        };
        assert!(policy.ends_with(framed), "{policy}");
    }
}
