//! HTTP: pages, and who may see what.

mod access;
mod body;
mod crowd;
mod pages;
mod proxy;
mod session;
mod streams;
mod transport;

use std::io::Write;
use std::net::TcpStream;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;

use crate::harness::{Answer, Builder, Instance};

/// The hash of the password `secret`, and one of `changed`.
const SECRET: &str = "$6$test$rnT8UnIvMBn2IANap7HYxzu05AnQ/tmpfwbcyXA5eBDlKtxl9.\
                      Xw8kHphC9msuU1o8K.L1PdgsHMSD/KLddaP1";
const CHANGED: &str = "$6$test2$Bb4AZqPBLF.3j.mb52E9ong6NXQMB6cVcqjGA3Hf1JfkRSEksusff1XS2i1/\
                       EAmkkF3E6Eh/OsR/4bTfTivbo1";

/// `[general]` with these options, users, and API users: a reader, one who may set her
/// own, and an administrator.
fn users(general: &str) -> String {
    format!(
        "[general]\n{general}\n\
         [alice]\ntype = user\nid = 4711\naccount = main\nextension = 200\n\
         [bob]\ntype = user\naccount = main\nextension = 201\n\
         [carol]\ntype = user\naccount = other\nextension = 300\n\
         [api](!)\ntype = api_user\npassword = {SECRET}\naccount = main\n\
         [panel](api)\n\
         [hers](api)\nrole = self\nuser = alice\n\
         [boss](api)\nrole = admin\n"
    )
}

fn builder(text: &str) -> Builder {
    Instance::builder().userpresence(text).http()
}

fn start(general: &str) -> Instance {
    builder(&users(general)).start()
}

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

/// The header of HTTP Basic.
fn basic(name: &str, password: &str) -> String {
    let both = BASE64.encode(format!("{name}:{password}"));
    format!("Authorization: Basic {both}")
}

/// What `v1/session` says to who sends this header.
#[track_caller]
fn session(ast: &Instance, credentials: &str) -> Answer {
    get(ast, "/userpresence/v1/session", &[credentials])
}

#[track_caller]
fn json(answer: &Answer) -> serde_json::Value {
    match serde_json::from_str(&answer.body) {
        Ok(value) => value,
        Err(why) => panic!("{why}: {answer:?}"),
    }
}

/// The word for programs of an error.
#[track_caller]
fn code(answer: &Answer) -> String {
    let code = &json(answer)["error"]["code"];
    code.as_str().unwrap_or_default().to_owned()
}

/// The beginning of a login of `length` bytes, and its connection.
#[track_caller]
pub fn begin_login(ast: &Instance, length: usize, begin: &str) -> TcpStream {
    let address = ("127.0.0.1", ast.http_port());
    let mut stream = TcpStream::connect(address).expect("Asterisk listens");
    let wait = Some(crate::harness::PATIENCE);
    stream.set_read_timeout(wait).expect("a timeout");
    let request = format!(
        "POST /userpresence/v1/session HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
         Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{begin}"
    );
    stream.write_all(request.as_bytes()).expect("a request");
    stream
}

/// Adds lines to `http.conf` and has Asterisk read it.
#[track_caller]
fn reconfigure_server(ast: &Instance, lines: &str) {
    let path = ast.config_path("http.conf");
    let text = std::fs::read_to_string(path).expect("http.conf");
    ast.write_config("http.conf", &format!("{text}{lines}\n"));
    ast.cli("module reload http");
}
