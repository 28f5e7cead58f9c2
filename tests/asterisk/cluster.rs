//! Several Asterisks that share their users through etcd. Each test has its own etcd, with one
//! member or three, and the nodes `a`, `b` and `c`.

mod board;
mod calls;
mod clocks;
mod etcd;
mod everyday;
mod namespaces;
mod nodes;
mod partition;
mod readers;
mod refusals;
mod section;
mod shared;
mod speed;
mod storm;
mod timed;
mod webhooks;

use serde_json::Value;

use crate::harness::cluster::Picture;
use crate::harness::users::json;
use crate::harness::{Instance, PATIENCE, poll};

/// Status types.
const TYPES: &str = "[lunch]\ntype = status\nstate = away\nsubtype = lunch\n\
    message = Back soon\n\
    [meeting]\ntype = status\nstate = dnd\nsubtype = meeting\n\
    [home-office]\ntype = status\nstate = available\nsubtype = home\n";

/// Users of every kind: alice by priority, bob by what was set last, carol with nothing but her
/// own status, dave with a device, and a team of two others.
const USERS: &str = "[general]\n\
    [alice]\ntype = user\nextension = 200\nextension = 201\n\
    [bob]\ntype = user\nmethod = latest\nextension = 202\nextension = 203\n\
    [carol]\ntype = user\nmethod = none\noutgoing = none\n\
    [dave]\ntype = user\nextension = 204\nuse_devices = yes\n\
    [team]\ntype = user\nsource = UserPresence:alice\nsource = UserPresence:bob\n\
    outgoing = none\n";

/// The status types and the users.
fn conf() -> String {
    format!("{TYPES}{USERS}")
}

/// State, subtype and message of a user in a picture.
#[track_caller]
fn shows(picture: &Picture, user: &str) -> [String; 3] {
    let of = &picture[user];
    ["state", "subtype", "message"].map(|name| of[name].as_str().unwrap_or_default().to_owned())
}

/// Asserts state, subtype and message of users in a picture.
#[track_caller]
fn assert_shows(picture: &Picture, expected: &[(&str, [&str; 3])]) {
    for (user, presence) in expected {
        assert_eq!(
            shows(picture, user),
            *presence,
            "{user}: {:#}",
            picture[*user]
        );
    }
}

/// A number in the JSON of a user.
#[track_caller]
fn number(picture: &Picture, user: &str, member: &str) -> u64 {
    let value: &Value = &picture[user][member];
    value
        .as_u64()
        .unwrap_or_else(|| panic!("{user}.{member}: {value}"))
}

/// Waits until the phones of dave have this state at a node.
#[track_caller]
fn wait_phones(node: &Instance, state: &str) {
    let shown = || json(node, "dave");
    let same = poll(PATIENCE, || {
        (shown()["device_state"] == state).then_some(())
    });
    assert!(same.is_some(), "no phone of dave is {state}: {:#}", shown());
}
