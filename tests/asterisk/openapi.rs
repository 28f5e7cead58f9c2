//! The server is held to its own description, by schemathesis.

use std::path::Path;
use std::process::Command;

use crate::feed::{office, parsed};

/// Installed by `make schemathesis`.
const TOOL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/target/schemathesis/bin/st");

#[test]
fn the_server_does_what_its_description_says() {
    assert!(Path::new(TOOL).exists(), "no {TOOL}: make schemathesis");
    let ast = office("[general]\nhttp_rate = 1000\n").start();
    let base = format!("http://127.0.0.1:{}/userpresence/v1", ast.http_port());
    let report = ast.path("log/schemathesis");
    let run = Command::new(TOOL)
        .args(["run", &format!("{base}/openapi.json"), "--url", &base])
        .args(["--auth", "tester:secret"])
        // A stream does not end; who may log in is slowed down after some failures.
        .args(["--exclude-path", "/account/{account}/events"])
        .args(["--exclude-operation-id", "logIn"])
        // Which statuses and extensions there are, no description can say. Who asks with
        // wrong credentials too often is told to wait: `http` has tests of that.
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
fn the_description_is_for_everyone_and_names_every_path() {
    let ast = office("").start();
    let answer = ast.http("GET", "/userpresence/v1/openapi.json", &[], "");
    assert_eq!(answer.status, 200);
    let described = parsed(&answer);
    assert_eq!(described["openapi"], "3.1.0");
    let paths = described["paths"].as_object().expect("paths");
    // What is there answers nobody with 401, what is not there too.
    for path in paths.keys().filter(|path| *path != "/openapi.json") {
        let path = path
            .replace("{account}", "main")
            .replace("{extension}", "200");
        let answer = ast.http("GET", &format!("/userpresence/v1{path}"), &[], "");
        assert_eq!(answer.status, 401, "{path}");
    }
}
