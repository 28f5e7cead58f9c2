//! API users, and their requests to the module over HTTP.

use std::io::Write;
use std::net::TcpStream;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::Value;

use super::barrier::configured;
use super::builder::Builder;
use super::http::Answer;
use super::instance::Instance;
use super::wait::PATIENCE;

/// The hash of the password `secret`: `openssl passwd -6 -salt saltsalt secret`.
pub const HASH: &str = "$6$saltsalt$TVLlQcbpFVof5W3Yz4DTP6gRstiNuHwwTt6GLc1E5n0U0aDehy0S5knV8wiOQSpT0Y77vwPZN.Pq.H91p5hVO1";

/// The path of the session of the caller.
pub const SESSION: &str = "/userpresence/v1/session";

/// The header of a body in JSON.
pub const JSON: &str = "Content-Type: application/json";

/// The section of an API user whose password is `secret`.
pub fn api_user(name: &str, options: &str) -> String {
    format!("[{name}]\ntype = api_user\npassword = {HASH}\n{options}\n")
}

/// The header by which an API user with the password `secret` authenticates.
pub fn login(name: &str) -> String {
    basic(name, "secret")
}

/// The header of HTTP Basic authentication.
pub fn basic(name: &str, password: &str) -> String {
    let both = BASE64.encode(format!("{name}:{password}"));
    format!("Authorization: Basic {both}")
}

const PEOPLE: &str = "[alice]\ntype = user\nid = 4711\naccount = main\nextension = 200\n\
    outgoing = none\n\
    [bob]\ntype = user\naccount = main\nextension = 201\nextension = 202\noutgoing = none\n\
    [carol]\ntype = user\naccount = other\nextension = 203\n";

/// Alice and Bob in the account `main`, Carol in `other`, and API users: `panel`, `boss` and
/// `tester` see all of `main`, `alice-web` and `bob-web` are one user each, `stranger` sees
/// `other`.
pub fn office(more: &str) -> Builder {
    let users = [
        api_user("panel", "account = main\nrole = read"),
        api_user("boss", "account = main\nrole = admin"),
        api_user("alice-web", "account = main\nrole = self\nuser = alice"),
        api_user("bob-web", "account = main\nrole = self\nuser = bob"),
        api_user(
            "tester",
            "account = main\nrole = admin\nuser = alice\nconfigure = yes",
        ),
        api_user("stranger", "account = other\nrole = admin"),
    ];
    configured(&format!("{more}\n{PEOPLE}{}", users.concat())).http()
}

/// A GET request of an API user with the password `secret`.
#[track_caller]
pub fn get(ast: &Instance, name: &str, target: &str) -> Answer {
    ast.http("GET", target, &[&login(name)], "")
}

/// A PUT request with a JSON body, of an API user with the password `secret`.
#[track_caller]
pub fn put(ast: &Instance, name: &str, target: &str, body: &Value) -> Answer {
    ast.http("PUT", target, &[&login(name), JSON], &body.to_string())
}

/// A POST request with a JSON body, of an API user with the password `secret`.
#[track_caller]
pub fn post(ast: &Instance, name: &str, target: &str, body: &Value) -> Answer {
    ast.http("POST", target, &[&login(name), JSON], &body.to_string())
}

/// Logs in over HTTP and returns the `Cookie` header of the session.
#[track_caller]
pub fn sign_in(ast: &Instance, name: &str, headers: &[&str]) -> String {
    let body = format!(r#"{{"name": "{name}", "password": "secret"}}"#);
    let answer = ast.http("POST", SESSION, &[&[JSON], headers].concat(), &body);
    assert_eq!(answer.status, 200, "{answer:?}");
    cookie(&answer)
}

/// The `Cookie` header that returns the cookie of an answer.
#[track_caller]
pub fn cookie(answer: &Answer) -> String {
    let set = answer.header("Set-Cookie");
    assert!(!set.is_empty(), "no cookie: {answer:?}");
    let cookie = set.split(';').next();
    format!("Cookie: {}", cookie.unwrap_or_default())
}

/// Sends the beginning of a login whose body has `length` bytes, and returns the
/// connection.
#[track_caller]
pub fn begin_login(ast: &Instance, length: usize, begin: &str) -> TcpStream {
    let address = ("127.0.0.1", ast.http_port());
    let mut stream = TcpStream::connect(address).expect("Asterisk listens");
    let wait = Some(PATIENCE);
    stream.set_read_timeout(wait).expect("a timeout");
    let request = format!(
        "POST {SESSION} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
         Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{begin}"
    );
    stream.write_all(request.as_bytes()).expect("a request");
    stream
}
