//! The configuration, read and changed over HTTP.

mod changes;
mod failures;
mod files;
mod realtime;
mod refusals;

use std::fs;

use serde_json::{Value, json};

use crate::harness::api::{HASH, JSON, get, login};
use crate::harness::{Answer, Instance};

const CONFIGURATION: &str = "/userpresence/v1/configuration";

/// A configuration with everything that a change has to leave as it is.
fn text() -> String {
    format!(
        ";\n; Presence at the office\n;\n[general]\nenabled=yes\t\t; a note\n\
         ;priority = commented out\n\n;-- a block\n[not_a_section]\nx = 1\n--;\n\
         method   =   priority\nsettle => 5\n\n\
         [office](!)\ntype = user\naccount = main   ; the only one\n  timezone = Europe/Berlin\n\n\
         ; Alice, at the front desk\n[alice](office) ; since 2019\nid = 4711\n\
         extension = 200 ; desk\n; her mobile\nmobile = +49170\n\n\
         [bob](office)\nextension=201\n\n\
         [quiet]\ntype = action\nstatus = dnd\nset = DB(quiet/${{USER}})=1\n\n\
         [lunch]\ntype = status\nlabel = At\\; lunch\nstate = away\nsubtype = lunch\n\n\
         [api](!)\ntype = api_user\npassword = {HASH}\naccount = main\n\
         [boss](api)\nrole = admin\nconfigure = yes\n\
         [clerk](api)\nrole = admin\n[panel](api)\n[hers](api)\nrole = self\nuser = alice\n\
         ; the end\n"
    )
}

fn start() -> Instance {
    Instance::builder().userpresence(&text()).http().start()
}

fn file(ast: &Instance) -> String {
    fs::read_to_string(ast.config_path("userpresence.conf")).expect("the file")
}

#[track_caller]
fn tag(ast: &Instance) -> String {
    let answer = get(ast, "boss", CONFIGURATION);
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.header("ETag").to_owned()
}

/// A request of `boss` with the entity tag of now.
#[track_caller]
fn send(ast: &Instance, method: &str, below: &str, body: &Value) -> Answer {
    let tag = format!("If-Match: {}", tag(ast));
    let body = if body.is_null() {
        String::new()
    } else {
        body.to_string()
    };
    let headers = [&*login("boss"), JSON, &tag];
    ast.http(method, &format!("{CONFIGURATION}{below}"), &headers, &body)
}

/// Sends changes.
#[track_caller]
fn ask(ast: &Instance, changes: &Value) -> Answer {
    send(ast, "PUT", "", &json!({ "changes": changes }))
}

/// A change that is made.
#[track_caller]
fn change(ast: &Instance, changes: &Value) -> Value {
    let answer = ask(ast, changes);
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

fn option(name: &str, value: &str) -> Value {
    json!({"name": name, "value": value})
}

/// A section of the answer.
#[track_caller]
fn section(configuration: &Value, name: &str) -> Value {
    let sections = configuration["sections"].as_array().expect("sections");
    let found = sections.iter().find(|section| section["name"] == name);
    found
        .unwrap_or_else(|| panic!("{name} in {configuration}"))
        .clone()
}

/// The problems of a refused change, each as section, option, line and message; the file is as
/// before.
#[track_caller]
fn refused(ast: &Instance, changes: &Value) -> Vec<(String, String, u64, String)> {
    let before = file(ast);
    let answer = ask(ast, changes);
    assert_eq!(answer.status, 422, "{answer:?}");
    assert_eq!(file(ast), before);
    let error = &answer.json()["error"];
    assert_eq!(error["code"], "problems");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let problems = error["problems"].as_array().expect("problems").iter();
    problems
        .map(|it| {
            let line = it["line"].as_u64().unwrap_or(0);
            (
                text(&it["section"]),
                text(&it["option"]),
                line,
                text(&it["message"]),
            )
        })
        .collect()
}

/// The only problem of a refused change.
#[track_caller]
fn problem(ast: &Instance, changes: &Value) -> (String, String, u64, String) {
    let problems = refused(ast, changes);
    assert_eq!(problems.len(), 1, "{problems:?}");
    problems.into_iter().next().expect("one")
}

/// The line of a text in the file, from 1.
#[track_caller]
fn line_of(ast: &Instance, text: &str) -> u64 {
    let file = file(ast);
    let at = file.lines().position(|line| line.starts_with(text));
    at.unwrap_or_else(|| panic!("{text:?} in {file}")) as u64 + 1
}
