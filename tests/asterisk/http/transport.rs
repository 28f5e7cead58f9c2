//! Connections: TLS, and unloads.

use std::io::Read;
use std::net::TcpListener;
use std::process::Command;

use super::{builder, get, reconfigure_server, start, users};
use crate::harness::api::begin_login;
use crate::harness::{Instance, MODULE, certificate, wait_until};

/// Turns on TLS in Asterisk's HTTP server, with a new certificate, and returns the port.
pub fn with_tls(ast: &Instance) -> u16 {
    let (certificate, key) = certificate(&ast.path(""), "server", "localhost");
    let free = TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr());
    let port = free.expect("a free port").port();
    reconfigure_server(
        ast,
        &format!(
            "tlsenable = yes\ntlsbindaddr = 127.0.0.1:{port}\ntlscertfile = {}\n\
             tlsprivatekey = {}",
            certificate.display(),
            key.display()
        ),
    );
    port
}

/// Head and body of an answer over TLS.
fn by_tls(port: u16, path: &str, more: &[&str]) -> Option<String> {
    let asked = Command::new("curl")
        .args(["--silent", "--insecure", "--include", "--max-time", "30"])
        .arg(format!("https://127.0.0.1:{port}/userpresence/{path}"))
        .args(more)
        .output()
        .expect("the program curl");
    let text = String::from_utf8_lossy(&asked.stdout).into_owned();
    (asked.status.success() && !text.is_empty()).then_some(text)
}

#[test]
fn over_tls_the_cookie_is_never_sent_in_the_clear() {
    let ast = start("");
    let port = with_tls(&ast);
    let page = wait_until("TLS", || by_tls(port, "", &[]));
    assert!(page.starts_with("HTTP/1.1 200 "), "{page}");
    let login = [
        "--header",
        "Content-Type: application/json",
        "--data",
        r#"{"name": "panel", "password": "secret"}"#,
    ];
    let answer = by_tls(port, "v1/session", &login).expect("an answer");
    let cookie = answer
        .lines()
        .find_map(|line| line.strip_prefix("Set-Cookie: "))
        .unwrap_or_else(|| panic!("{answer}"));
    assert!(cookie.contains("; Secure"), "{cookie}");
    let cookie = cookie.split(';').next().unwrap_or_default();
    let answer = by_tls(port, "v1/session", &["--cookie", cookie]).expect("an answer");
    assert!(answer.contains(r#""name":"panel""#), "{answer}");
}

/// A client may send half a request: an unload does not wait for the other half.
#[test]
fn half_a_request_delays_no_unload_and_the_site_returns() {
    let logger = "[general]\ndateformat = %F %T.%3q\n[logfiles]\n\
                  full.log => notice,warning,error,verbose,debug\n";
    let ast = builder(&users("")).file("logger.conf", logger).start();
    ast.cli("core set debug 2 http.c");
    ast.cli("core set debug 2");
    let login = r#"{"name": "panel", "password": "secret"}"#;
    let mut half = begin_login(&ast, login.len(), &login[..10]);
    ast.wait_log("HTTP consuming request body");
    let begin = std::time::Instant::now();
    assert!(ast.unload_module(MODULE).ok());
    // The unload once took ten seconds, and the request got its answer only afterwards.
    let took = begin.elapsed();
    assert!(took < std::time::Duration::from_secs(8), "{took:?}");
    let mut answer = String::new();
    half.read_to_string(&mut answer).expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 4"), "{answer}");
    assert_eq!(get(&ast, "/userpresence/", &[]).status, 404);
    assert!(ast.running());
    assert!(ast.load_module(MODULE).ok());
    assert_eq!(get(&ast, "/userpresence/", &[]).status, 200);
}
