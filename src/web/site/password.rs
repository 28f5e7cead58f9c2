//! `v1/session/password`: a person changes their own password.

use std::time::{Duration, Instant};

use serde::Deserialize;

use super::access;
use super::answer::{error, later, no_content, read_body};
use super::session::renew;
use crate::runtime;
use crate::runtime::sessions::own_passwords::PasswordKept;
use crate::web::access::HttpCaller;
use asterisk::crypt;
use asterisk::http::{Reply, Request};

/// The shortest password, in characters.
const SHORTEST: usize = 8;
/// The longest password, in bytes.
const LONGEST: usize = 255;

/// How long a change waits for its turn to compute a hash.
const PATIENCE: Duration = Duration::from_secs(5);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PasswordChange {
    old: String,
    new: String,
}

/// `PUT`: takes the old password and a new one. The caller's session gets a new cookie, and
/// other sessions of the person end.
pub fn put(request: &Request<'_>, caller: &HttpCaller) -> Reply {
    change(request, caller).unwrap_or_else(|refusal| refusal)
}

fn change(request: &Request<'_>, caller: &HttpCaller) -> Result<Reply, Reply> {
    let login = caller.login.as_deref().filter(|login| login.is_person);
    let login = login.ok_or_else(|| {
        let why = "Only a user who logs in with the password of their own section can change it \
                   here; that of an API user is set in userpresence.conf, and that of an AMI user \
                   in manager.conf.";
        error(403, "role", why)
    })?;
    let change: PasswordChange = read_body(request)?;
    check_new(&change).map_err(|why| error(400, "password", why))?;
    let verified = access::verify_again(request, &login.caller.name, &change.old)?;
    let hash = hash(&change.new)?;
    let runtime = runtime::current().ok_or_else(super::not_running)?;
    runtime
        .change_password(&verified, &hash)
        .map_err(|kept| match kept {
            PasswordKept::Changed => access::wrong_old_password(),
            PasswordKept::NotStored(why) => {
                log::warn!(
                    "A new password of '{}' cannot be stored: {why}",
                    login.caller.name
                );
                let why = format!(
                    "The new password cannot be stored, and the old one stays valid: {why}."
                );
                error(503, "storage", &why)
            }
        })?;
    log::info!("'{}' has changed their password", login.caller.name);
    let mut reply = no_content();
    let renewed = renew(request, caller, verified.with_password(&hash));
    // Only now, so that a person with one session stays on a panel.
    runtime.wake_persister(true);
    if let Some(cookie) = renewed? {
        reply.headers.push(("Set-Cookie", cookie.into()));
    }
    Ok(reply)
}

fn check_new(change: &PasswordChange) -> Result<(), &'static str> {
    check_letters(&change.new)?;
    if change.new == change.old {
        return Err("The new password is the old one.");
    }
    Ok(())
}

/// Checks the length and letters of a new password.
///
/// # Errors
/// A sentence that says what is wrong.
pub fn check_letters(new: &str) -> Result<(), &'static str> {
    if new.chars().count() < SHORTEST || new.len() > LONGEST {
        return Err("A password needs at least 8 characters, and at most 255 bytes.");
    }
    if new.chars().any(char::is_control) {
        return Err("The new password contains control characters.");
    }
    Ok(())
}

/// The hash of a new password, in its turn with the passwords that are being checked.
///
/// # Errors
/// Answers 503 where too many are being checked, or no hash can be made.
pub fn hash(password: &str) -> Result<String, Reply> {
    let runtime = runtime::current().ok_or_else(super::not_running)?;
    let turn = runtime
        .sessions
        .checks
        .begin(None, Instant::now() + PATIENCE);
    let _turn = turn.ok_or_else(|| {
        let why = "Too many passwords are being checked; try again in 1 s.";
        later(error(503, "busy", why), Duration::ZERO)
    })?;
    crypt::hash(password)
        .map_err(|why| error(503, "crypt", &format!("No hash can be made: {why}.")))
}
