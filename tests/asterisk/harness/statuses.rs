//! Status types, and users who have one.

use super::ami::Ami;
use super::instance::Instance;
use super::users::read;

/// Three types with a state, one without, and a state whose own type has none.
pub const TYPES: &str = "[lunch]\ntype = status\nlabel = At lunch\nstate = away\n\
    subtype = lunch\nmessage = Back soon\n\
    [meeting]\ntype = status\nlabel = In a meeting\nstate = dnd\nsubtype = meeting\n\
    [home-office]\ntype = status\nlabel = Working at home\nstate = available\nsubtype = home\n\
    [thinking]\ntype = status\nlabel = Thinking, do not ask\nstate =\n\
    [xa]\ntype = status\nlabel = Gone\nstate =\n";

/// Asserts a user's state, subtype, message and status.
#[track_caller]
pub fn assert_status(ast: &Instance, user: &str, expected: [&str; 4]) {
    let fields = ["value", "subtype", "message", "status"];
    let found = fields.map(|field| read(ast, &format!("{user},{field}")));
    assert_eq!(found, expected, "of {user}");
}

/// Sets a status over AMI. The error is the response's message.
#[track_caller]
pub fn set_by_ami(ami: &Ami, headers: &[(&str, &str)]) -> Result<(), String> {
    let answer = ami.action(&[&[("Action", "UserPresenceSet")], headers].concat());
    match answer.ok() {
        true => Ok(()),
        false => Err(answer.text().to_owned()),
    }
}
