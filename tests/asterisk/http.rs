//! HTTP: the pages, and access to them.

mod access;
mod body;
mod crowd;
mod keys;
mod pages;
mod persons;
mod proxy;
mod restart;
mod session;
mod streams;
pub mod transport;

use crate::harness::api::{HASH, basic};
use crate::harness::{Answer, Builder, Instance};

const CHANGED: &str = "$6$test2$Bb4AZqPBLF.3j.mb52E9ong6NXQMB6cVcqjGA3Hf1JfkRSEksusff1XS2i1/\
                       EAmkkF3E6Eh/OsR/4bTfTivbo1";

/// `[general]` with these options, users, and three API users: `panel` reads, `hers` sets
/// alice's status, `boss` is an administrator.
fn users(general: &str) -> String {
    format!(
        "[general]\n{general}\n\
         [alice]\ntype = user\nid = 4711\naccount = main\nextension = 200\n\
         [bob]\ntype = user\naccount = main\nextension = 201\n\
         [carol]\ntype = user\naccount = other\nextension = 300\n\
         [api](!)\ntype = api_user\npassword = {HASH}\naccount = main\n\
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

#[track_caller]
fn get(ast: &Instance, target: &str, headers: &[&str]) -> Answer {
    ast.http("GET", target, headers, "")
}

/// The answer of `v1/session` to a request with this header.
#[track_caller]
fn session(ast: &Instance, credentials: &str) -> Answer {
    get(ast, "/userpresence/v1/session", &[credentials])
}

/// The code of an error.
#[track_caller]
fn code(answer: &Answer) -> String {
    let code = &answer.json()["error"]["code"];
    code.as_str().unwrap_or_default().to_owned()
}

/// Adds lines to `http.conf` and reloads Asterisk's HTTP server.
#[track_caller]
fn reconfigure_server(ast: &Instance, lines: &str) {
    let path = ast.config_path("http.conf");
    let text = std::fs::read_to_string(path).expect("http.conf");
    ast.write_config("http.conf", &format!("{text}{lines}\n"));
    ast.cli("module reload http");
}
