//! Streams: endless answers, tested with a public one of the test build.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::transport::with_tls;
use super::users;
use crate::harness::network::{relay, vanish};
use crate::harness::{Instance, MODULE, PATIENCE, wait_until};

fn start() -> Instance {
    Instance::selftest().userpresence(&users("")).http().start()
}

/// Requests the stream and returns the connection.
#[track_caller]
fn open(ast: &Instance, method: &str, query: &str) -> TcpStream {
    let address = ("127.0.0.1", ast.http_port());
    let mut stream = TcpStream::connect(address).expect("Asterisk listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    let request =
        format!("{method} /userpresence/v1/selftest?{query} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("a request");
    stream
}

#[track_caller]
fn wait_streams(ast: &Instance, count: &str) {
    wait_until(&format!("{count} streams"), || {
        let counted = ast.cli("userpresence selftest streams");
        (counted.trim() == count).then_some(())
    });
}

#[test]
fn a_stream_lasts_until_its_reader_leaves() {
    let ast = start();
    let mut readers = [open(&ast, "GET", "line"), open(&ast, "GET", "line")];
    wait_streams(&ast, "2");
    for reader in &mut readers {
        let mut lines = BufReader::new(reader)
            .lines()
            .map(|line| line.expect("a line"));
        let head: Vec<String> = lines.by_ref().take_while(|line| !line.is_empty()).collect();
        assert_eq!(head[0], "HTTP/1.1 200 OK");
        for header in [
            "Content-Type: text/event-stream",
            "Connection: close",
            "X-Content-Type-Options: nosniff",
        ] {
            assert!(
                head.iter().any(|line| line == header),
                "{header} in {head:?}"
            );
        }
        assert!(lines.by_ref().take(3).all(|line| line == "line"));
    }
    let [first, second] = readers;
    drop(first);
    wait_streams(&ast, "1");
    drop(second);
    wait_streams(&ast, "0");
    // HEAD gets the head alone.
    let mut head = String::new();
    let mut stream = open(&ast, "HEAD", "line");
    stream.read_to_string(&mut head).expect("an answer");
    assert!(head.starts_with("HTTP/1.1 200 ") && head.ends_with("\r\n\r\n"));
}

#[test]
fn a_reader_that_does_not_read_is_dropped() {
    let ast = start();
    let mut idle = open(&ast, "GET", "flood");
    wait_streams(&ast, "1");
    wait_streams(&ast, "0");
    // The data on its way still arrives, and then the end.
    let mut rest = Vec::new();
    let _ = idle.read_to_end(&mut rest);
    assert!(rest.starts_with(b"HTTP/1.1 200 "));
}

#[test]
fn an_unload_ends_streams() {
    let ast = start();
    let mut readers = [open(&ast, "GET", "line"), open(&ast, "GET", "flood")];
    wait_streams(&ast, "2");
    std::thread::scope(|scope| {
        for reader in &mut readers {
            scope.spawn(|| {
                let mut all = Vec::new();
                reader.read_to_end(&mut all).expect("the end of the stream");
            });
        }
        assert!(ast.unload_module(MODULE).ok());
    });
    assert!(ast.running());
    assert!(ast.load_module(MODULE).ok());
    wait_streams(&ast, "0");
    assert_eq!(ast.complaints(), Vec::<String>::new());
}

#[test]
fn a_stream_works_over_tls_too() {
    let ast = start();
    let port = with_tls(&ast);
    let reader = wait_until("TLS", || {
        let mut reader = Command::new("curl")
            .args(["--silent", "--insecure", "--no-buffer"])
            .arg(format!(
                "https://127.0.0.1:{port}/userpresence/v1/selftest?line"
            ))
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program curl");
        let output = reader.stdout.take();
        let first = output.and_then(|output| BufReader::new(output).lines().next());
        let _ = reader.kill();
        let _ = reader.wait();
        first
    });
    assert_eq!(reader.expect("a line"), "line");
    wait_streams(&ast, "0");
}

#[test]
fn a_reader_whose_network_vanishes_loses_its_stream() {
    let ast = start();
    let plain = open(&ast, "GET", "line");
    let (port, connection) = relay(with_tls(&ast));
    let url = format!("https://127.0.0.1:{port}/userpresence/v1/selftest?line");
    let mut curl = Command::new("curl")
        .args(["--silent", "--insecure", "--no-buffer", &url])
        .stdout(Stdio::null())
        .spawn()
        .expect("the program curl");
    wait_streams(&ast, "2");
    let tls = connection.recv_timeout(PATIENCE).expect("a connection");
    vanish(&plain);
    vanish(&tls);
    let begin = Instant::now();
    // The kernel gives up after 30 seconds; by default that takes 15 minutes.
    wait_streams(&ast, "0");
    assert!(
        begin.elapsed() > Duration::from_secs(20),
        "something else has ended the streams"
    );
    let _ = curl.kill();
    let _ = curl.wait();
}
