//! Schemathesis checks the server against its OpenAPI description.

use crate::harness::api::{login, office};

use std::path::Path;
use std::process::Command;

/// Installed by `make schemathesis`.
const TOOL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/target/schemathesis/bin/st");

#[test]
fn the_server_keeps_to_its_description() {
    assert!(Path::new(TOOL).exists(), "no {TOOL}: make schemathesis");
    let ast = office("[general]\nhttp_rate = 1000\n").start();
    let base = format!("http://127.0.0.1:{}/userpresence/v1", ast.http_port());
    let report = ast.path("log/schemathesis");
    let run = Command::new(TOOL)
        .args(["run", &format!("{base}/openapi.json"), "--url", &base])
        .args(["--auth", "tester:secret"])
        // A stream does not end; failed logins slow down the next ones.
        .args(["--exclude-path", "/account/{account}/events"])
        .args(["--exclude-operation-id", "logIn"])
        // The description cannot know which statuses and extensions exist. Too many wrong
        // credentials get an answer to wait, which the tests in `http` cover.
        .args([
            "--checks",
            "all",
            "--exclude-checks",
            "positive_data_acceptance,ignored_auth",
        ])
        .args([
            "--phases",
            "examples,coverage,fuzzing",
            "--max-examples",
            "30",
        ])
        .args(["--seed", "1", "--continue-on-failure", "--no-color"])
        .args(["--generation-database", "none"])
        .current_dir(ast.path("log"))
        .env("SCHEMATHESIS_HOOKS", "")
        .output()
        .expect("schemathesis");
    let text = String::from_utf8_lossy(&run.stdout);
    assert!(
        run.status.success(),
        "{text}\n{}\n{}",
        String::from_utf8_lossy(&run.stderr),
        report.display()
    );
    assert!(ast.running());
}

#[test]
fn the_description_is_public_and_names_every_method() {
    let ast = office("").start();
    let answer = ast.http("GET", "/userpresence/v1/openapi.json", &[], "");
    assert_eq!(answer.status, 200);
    let described = answer.json();
    assert_eq!(described["openapi"], "3.1.0");
    assert_eq!(described["info"]["version"], env!("CARGO_PKG_VERSION"));
    let paths = described["paths"].as_object().expect("paths");
    for (path, operations) in paths {
        let target = path
            .replace("{account}", "main")
            .replace("{extension}", "200")
            .replace("{queue}", "sales");
        let target = format!("/userpresence/v1{target}");
        let operations = operations.as_object().expect("operations").keys();
        let mut described: Vec<String> = operations.map(|name| name.to_uppercase()).collect();
        // An unsupported method gets the list of supported ones.
        let other = ["POST", "DELETE", "PUT"]
            .into_iter()
            .find(|method| !described.iter().any(|known| known == method));
        let other = other.expect("a method that is not described");
        let answer = ast.http(other, &target, &[&login("tester")], "");
        assert_eq!(answer.status, 405, "{other} {path}: {answer:?}");
        if described.iter().any(|method| method == "GET") {
            described.push("HEAD".to_owned());
        }
        let allow = answer
            .head
            .lines()
            .find_map(|line| line.strip_prefix("Allow: "));
        let mut allowed: Vec<&str> = allow.unwrap_or_default().split(", ").collect();
        described.sort_unstable();
        allowed.sort_unstable();
        assert_eq!(allowed, described, "{path}");
    }
}
