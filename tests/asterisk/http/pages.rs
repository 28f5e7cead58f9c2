//! The pages, and the headers of every answer.

use std::process::Command;

use super::{code, get};
use crate::harness::Instance;

fn start() -> Instance {
    super::start("")
}

#[test]
fn the_board_is_public_and_loads_nothing_from_elsewhere() {
    let ast = start();
    for (path, kind) in [
        ("", "text/html"),
        ("board.js", "text/javascript"),
        ("board.css", "text/css"),
    ] {
        let page = get(&ast, &format!("/userpresence/{path}"), &[]);
        assert_eq!(page.status, 200, "{path}");
        assert_eq!(
            page.header("Content-Type"),
            format!("{kind}; charset=utf-8")
        );
        assert!(
            page.header("Content-Security-Policy")
                .starts_with("default-src 'none';")
        );
        assert_eq!(page.header("X-Content-Type-Options"), "nosniff");
        assert_eq!(page.header("Referrer-Policy"), "no-referrer");
        assert_eq!(page.header("Cache-Control"), "no-cache");
        assert!(!page.body.is_empty());

        let tag = format!("If-None-Match: {}", page.header("ETag"));
        let again = get(&ast, &format!("/userpresence/{path}"), &[&tag]);
        assert_eq!((again.status, again.body.as_str()), (304, ""));
        assert_eq!(again.header("ETag"), page.header("ETag"));

        let head = ast.http("HEAD", &format!("/userpresence/{path}"), &[], "");
        assert_eq!((head.status, head.body.as_str()), (200, ""));
    }
}

/// With curl, which decompresses what it gets.
#[test]
fn browsers_get_the_pages_compressed() {
    let ast = start();
    let site = format!("http://127.0.0.1:{}/userpresence/", ast.http_port());
    for name in ["", "board.js", "strings-de.json"] {
        let plain = get(&ast, &format!("/userpresence/{name}"), &[]);
        assert_eq!(plain.header("Vary"), "Accept-Encoding");
        assert_eq!(plain.header("Content-Encoding"), "");
        let url = format!("{site}{name}");
        let curl = Command::new("curl")
            .args(["--silent", "--compressed", "--include", &url])
            .output()
            .expect("curl runs");
        let answer = String::from_utf8(curl.stdout).expect("UTF-8");
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
        let head = head.to_ascii_lowercase();
        assert!(head.contains("content-encoding: gzip"), "{head}");
        assert_eq!(body, plain.body, "{name}");
        let tag = head.lines().find_map(|line| line.strip_prefix("etag: "));
        let tag = tag.expect("an entity tag");
        assert_ne!(tag, plain.header("ETag"));
        let known = format!("If-None-Match: {tag}");
        let again = get(
            &ast,
            &format!("/userpresence/{name}"),
            &[&known, "Accept-Encoding: gzip"],
        );
        assert_eq!((again.status, again.body.as_str()), (304, ""));
    }
}

#[test]
fn an_address_without_its_final_slash_is_redirected() {
    let ast = start();
    let moved = get(&ast, "/userpresence", &[]);
    assert_eq!(moved.status, 302);
    assert_eq!(moved.header("Location"), "userpresence/");
}

#[test]
fn unknown_addresses_and_unsupported_methods_are_refused() {
    let ast = start();
    let missing = get(&ast, "/userpresence/nothing", &[]);
    assert_eq!(
        (missing.status, code(&missing).as_str()),
        (404, "not_found")
    );
    let head = ast.http("HEAD", "/userpresence/nothing", &[], "");
    assert_eq!((head.status, head.body.as_str()), (404, ""));
    let page = ast.http("DELETE", "/userpresence/", &[], "");
    assert_eq!((page.status, code(&page).as_str()), (405, "method"));
    assert_eq!(page.header("Allow"), "GET, HEAD");
    let path = get(&ast, "/userpresence/%ff", &[]);
    assert_eq!((path.status, code(&path).as_str()), (400, "path"));
    // Below v1 an answer never reveals which addresses exist.
    for path in ["session", "nothing", "account/~/presence"] {
        let data = get(&ast, &format!("/userpresence/v1/{path}"), &[]);
        assert_eq!((data.status, code(&data).as_str()), (401, "unauthorized"));
        assert_eq!(data.header("Cache-Control"), "no-store");
    }
}
