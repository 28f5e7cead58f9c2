//! The configuration, read and changed over HTTP.

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
         extension = 200 ; desk\n; her mobile\nmobile = +49170;1\n\n\
         [bob](office)\nextension=201\n\n\
         [quiet]\ntype = action\nstatus = dnd\nset = DB(quiet/${{USER}})=1\n\n\
         [lunch]\ntype = status\nlabel = At\\; lunch\nstate = away\nsubtype = lunch\n\n\
         [api](!)\ntype = api_user\npassword = {HASH}\naccount = main\n\
         [boss](api)\nrole = admin\nconfigure = yes\n\
         [clerk](api)\nrole = admin\n[panel](api)\n[hers](api)\nrole = self\nuser = alice\n\
         ; the end\n"
    )
    .replace(";1\n", "\n")
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

/// A change that is made.
#[track_caller]
fn change(ast: &Instance, changes: Value) -> Value {
    let answer = send(ast, "PUT", "", &json!({ "changes": changes }));
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

fn option(name: &str, value: &str) -> Value {
    json!({"name": name, "value": value})
}

#[test]
fn one_changed_option_is_one_changed_line() {
    let ast = start();
    let before = file(&ast);
    let answer = send(
        &ast,
        "PUT",
        "/sections/alice",
        &json!({"options": [
            option("id", "4711"), option("extension", "210"), option("mobile", "+49170"),
            option("member", "Local/200@a;x"),
        ]}),
    );
    assert_eq!(answer.status, 200, "{answer:?}");
    let expected = before
        .replace("extension = 200 ; desk\n", "extension = 210   ; desk\n")
        .replace(
            "mobile = +49170\n",
            "mobile = +49170\nmember = Local/200@a\\;x\n",
        );
    assert_eq!(file(&ast), expected);
}
