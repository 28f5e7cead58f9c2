//! The body of a request.

use std::io::{Read, Write};
use std::net::Shutdown;

use super::{code, reconfigure_server, session, start};
use crate::harness::api::{JSON, SESSION, begin_login};
use crate::harness::{Answer, Instance};

const LOGIN: &str = r#"{"name": "panel", "password": "secret"}"#;

fn post(ast: &Instance, kind: &str, body: &str) -> Answer {
    ast.http("POST", SESSION, &[kind], body)
}

#[test]
fn a_body_has_to_be_valid_json_of_limited_length() {
    let ast = start("");
    for body in [
        "",
        "{",
        "[]",
        r#"{"name": "panel"}"#,
        r#"{"name": "panel", "password": 7}"#,
        r#"{"name": "panel", "password": "secret", "more": true}"#,
        r#"{"name": "panel", "password": "a\u0000b"}"#,
    ] {
        let answer = post(&ast, JSON, body);
        assert_eq!(
            (answer.status, code(&answer).as_str()),
            (400, "body"),
            "{body}"
        );
        assert!(!answer.body.contains("secret"), "{answer:?}");
    }
    for kind in [
        "X-None: 1",
        "Content-Type: text/plain",
        "Content-Type: application/jsonp",
    ] {
        let answer = post(&ast, kind, LOGIN);
        assert_eq!(
            (answer.status, code(&answer).as_str()),
            (415, "type"),
            "{kind}"
        );
    }
    assert_eq!(
        post(&ast, "Content-Type: Application/JSON; charset=utf-8", LOGIN).status,
        200
    );
    for length in [8_193, 60_000] {
        let answer = post(&ast, JSON, &" ".repeat(length));
        assert_eq!(
            (answer.status, code(&answer).as_str()),
            (413, "too_large"),
            "{length}"
        );
    }
    let almost = LOGIN.to_owned() + &" ".repeat(8_192 - LOGIN.len());
    assert_eq!(post(&ast, JSON, &almost).status, 200);
}

#[test]
fn a_body_may_come_in_chunks() {
    let ast = start("");
    let chunked = |body: &str| {
        let chunks = format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len());
        let request = format!(
            "POST {SESSION} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{JSON}\r\n\
             Transfer-Encoding: chunked\r\n\r\n{chunks}"
        );
        let mut stream = std::net::TcpStream::connect(("127.0.0.1", ast.http_port())).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer.split(' ').nth(1).unwrap_or_default().to_owned()
    };
    assert_eq!(chunked(LOGIN), "200");
    assert_eq!(chunked("{}"), "400");
    let long = LOGIN.replace("panel", &"p".repeat(10_000));
    assert_eq!(chunked(&long), "413");
}

#[test]
fn an_incomplete_body_delays_no_other_request() {
    let ast = start("");
    // The server does not wait longer than that for the rest.
    reconfigure_server(&ast, "session_inactivity = 500");
    let mut slow = begin_login(&ast, LOGIN.len(), &LOGIN[..10]);
    let mut cut = begin_login(&ast, LOGIN.len(), &LOGIN[..10]);
    cut.shutdown(Shutdown::Write).expect("half a connection");
    for stream in [&mut slow, &mut cut] {
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    }
    assert_eq!(session(&ast, &super::basic("panel", "secret")).status, 200);
}
