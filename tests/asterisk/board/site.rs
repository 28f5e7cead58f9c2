//! How the board is served.

use std::fs;

use serde_json::Value;

use super::{Board, PEOPLE, panel};
use crate::harness::Browser;
use crate::harness::barrier::configured;

#[test]
fn the_board_works_below_a_prefix() {
    let ast = configured(&format!("{PEOPLE}{}", panel())).http().start();
    let http = fs::read_to_string(ast.config_path("http.conf")).expect("http.conf");
    ast.write_config("http.conf", &format!("{http}prefix = pbx\n"));
    ast.cli("module reload http");
    let browser = Browser::start(&ast);
    // The redirect leads to an address where relative links work.
    browser.open("/pbx/userpresence");
    browser.wait("location.pathname === '/pbx/userpresence/'");
    let board = Board { browser, ast };
    board.log_in("panel");
    board.browser.click("#mine");
    board.browser.click("#choices input[value=away]");
    board.browser.click("#save");
    board.wait_row("alice", "label", "Away");
    board.no_errors();
}

#[test]
fn the_board_is_small_and_loads_nothing_from_elsewhere() {
    let board = Board::of_alice();
    let names = [
        "",
        "admin-backups.js",
        "admin-form.js",
        "admin-list.js",
        "administration.js",
        "board.css",
        "board.js",
        "calls.js",
        "configuration.js",
        "core.js",
        "form.js",
        "icon.svg",
        "list.js",
        "manifest.webmanifest",
        "notices.js",
        "password.js",
        "people.js",
        "queues.js",
        "settings.js",
        "sortable.js",
        "status.js",
        "strings-en.json",
        "strings-de.json",
        "strings-fr.json",
        "strings-es.json",
        "strings-pt.json",
        "strings-it.json",
    ];
    let parts = names.map(|name| {
        let answer = board
            .ast
            .http("GET", &format!("/userpresence/{name}"), &[], "");
        assert_eq!(answer.status, 200, "{name}");
        answer.body
    });
    // As a browser gets them: compressed, with the texts of every language.
    let sizes = names.map(|name| {
        let path = format!("/userpresence/{name}");
        let answer = board
            .ast
            .http("HEAD", &path, &["Accept-Encoding: gzip"], "");
        assert_eq!(answer.header("Content-Encoding"), "gzip", "{name}");
        let length = answer.header("Content-Length").parse();
        length.unwrap_or_else(|_| panic!("{answer:?}"))
    });
    let size: usize = sizes.iter().sum();
    let plain: usize = parts.iter().map(String::len).sum();
    println!("{size} bytes, {plain} without compression");
    assert!(size < 120_000, "{size} bytes");
    for part in &parts {
        // The only absolute address is the name of an XML namespace.
        let addresses = part.matches("://").count();
        assert_eq!(
            addresses,
            part.matches("http://www.w3.org/2000/svg").count()
        );
    }
    let asked = board.browser.run(
        "return performance.getEntriesByType('resource').map((it) => it.name)",
        &[],
    );
    let site = format!("http://127.0.0.1:{}/userpresence/", board.ast.http_port());
    let asked = asked.as_array().expect("a list");
    let own = |address: &Value| {
        let address = address.as_str().unwrap_or_default();
        address.starts_with(&site) || address.starts_with("data:")
    };
    assert!(!asked.is_empty() && asked.iter().all(own), "{asked:#?}");
    board.no_errors();
}
