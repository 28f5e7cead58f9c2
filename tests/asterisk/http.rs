//! HTTP: pages, and who may see what.

mod pages;

use crate::harness::{Answer, Instance};

const USERS: &str = "[general]\n\
    [alice]\ntype = user\nid = 4711\naccount = main\nextension = 200\n";

/// A header of an answer; empty where there is none.
fn header<'a>(answer: &'a Answer, name: &str) -> &'a str {
    let lines = answer.head.lines().skip(1);
    let mut headers = lines.filter_map(|line| line.split_once(": "));
    let found = headers.find(|(found, _)| found.eq_ignore_ascii_case(name));
    found.map_or("", |(_, value)| value)
}

#[track_caller]
fn get(ast: &Instance, target: &str, headers: &[&str]) -> Answer {
    ast.http("GET", target, headers, "")
}

/// The word for programs of an error.
#[track_caller]
fn code(answer: &Answer) -> String {
    let error: serde_json::Value = serde_json::from_str(&answer.body).expect("JSON");
    error["error"]["code"]
        .as_str()
        .unwrap_or_default()
        .to_owned()
}
