//! The board in a frame of another site, and as an installed program.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;

use serde_json::json;

use super::{Board, PEOPLE, panel};
use crate::harness::Browser;
use crate::harness::barrier::configured;
use crate::http::transport::with_tls;

/// Serves one page at every address, on a port of its own, for as long as the tests run.
fn site(page: impl FnOnce(u16) -> String) -> u16 {
    let server = TcpListener::bind("127.0.0.1:0").expect("a socket");
    let port = server.local_addr().expect("an address").port();
    let page = page(port);
    thread::spawn(move || {
        // Browsers open connections ahead on which they ask for nothing: each has its thread.
        for stream in server.incoming().flatten() {
            let page = page.clone();
            thread::spawn(move || serve(&stream, &page));
        }
    });
    port
}

/// Answers one request with the page.
fn serve(stream: &TcpStream, page: &str) {
    let mut lines = BufReader::new(stream).lines();
    while lines
        .next()
        .is_some_and(|line| line.is_ok_and(|line| !line.is_empty()))
    {}
    let mut stream = stream;
    let _ = write!(
        stream,
        "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n{page}",
        page.len()
    );
}

#[test]
fn a_listed_origin_shows_the_board_in_a_frame_and_nobody_else_does() {
    let ast = configured(&format!("{PEOPLE}{}", panel())).http().start();
    let tls = with_tls(&ast);
    let frame = format!(
        "<iframe src='https://127.0.0.1:{tls}/userpresence/' width=900 height=600></iframe>"
    );
    let port = site(|_| frame);
    let conf = format!(
        "[general]\nhttp_frame = https://crm.example.com,http://localhost:{port}\n{PEOPLE}{}",
        panel()
    );
    ast.write_config("userpresence.conf", &conf);
    assert!(ast.reload().ok());
    let browser = Browser::start_with(&ast, &["--ignore-certificate-errors"]);
    let is_board = "return document.querySelector('#login') !== null";

    // 127.0.0.1 is another site than localhost, and is not listed.
    browser.go(&format!("http://127.0.0.1:{port}/"));
    browser.frame(Some(0));
    assert_eq!(browser.run(is_board, &[]), json!(false));
    browser.frame(None);
    let told = browser.console().join("\n");
    assert!(told.contains("frame-ancestors"), "{told}");

    browser.go(&format!("http://localhost:{port}/"));
    browser.frame(Some(0));
    browser.wait("document.querySelector('#login:not([hidden])')");
    let board = Board { browser, ast };
    board.log_in("panel");
    board.wait_names(&["alice", "bob", "carol"]);
    // The frame's own requests may change something: they come from its own site.
    board.browser.click("#own");
    board.browser.click("#menu [role=menuitemradio]");
    board.wait_row("alice", "label", "Available");
    // The session is there again with the next load of the other site's page.
    board.browser.frame(None);
    board.browser.go(&format!("http://localhost:{port}/"));
    board.browser.frame(Some(0));
    board.wait_live();
    // It is of use to that site's frames alone.
    board.browser.frame(None);
    board
        .browser
        .go(&format!("https://127.0.0.1:{tls}/userpresence/"));
    board
        .browser
        .wait("document.querySelector('#login:not([hidden])')");
}

#[test]
fn the_board_can_be_installed() {
    let board = Board::of_alice();
    let page = &board.browser;
    let manifest = page.chromium("Page.getAppManifest", json!({}));
    assert_eq!(manifest["errors"], json!([]), "{manifest}");
    let text: serde_json::Value =
        serde_json::from_str(manifest["data"].as_str().expect("a manifest")).expect("JSON");
    assert_eq!(text["display"], "standalone");
    let problems = page.chromium("Page.getInstallabilityErrors", json!({}));
    assert_eq!(problems["installabilityErrors"], json!([]));
    let colour = page.attribute("meta[name=theme-color]", "content");
    assert!(colour.starts_with('#'), "{colour}");
    board.no_errors();
}
