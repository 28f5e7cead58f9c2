//! Values that become a part of the dialplan: numbers, extensions, contexts, mailboxes.

use super::reader::Given;
use super::value::unexpected;
use crate::model::dialable::{MAX_NAME, MAX_NUMBER, is_name, is_number};
use crate::model::handling::{Forward, ForwardVariable};
use crate::model::text::quoted;

/// An extension or a context; `expected` describes it.
///
/// # Errors
/// When the value is no name.
pub(super) fn name(given: &str, expected: &str) -> Result<Box<str>, String> {
    match is_name(given) {
        true => Ok(given.into()),
        false => Err(unexpected(given, expected)),
    }
}

/// A list of them.
///
/// # Errors
/// When one of the words is no name.
pub(super) fn names(given: &Given<'_>, expected: &str) -> Result<Vec<Box<str>>, String> {
    given.words().map(|word| name(word, expected)).collect()
}

/// The prefix of mobile numbers; may be empty.
///
/// # Errors
/// When the value cannot begin an extension, or has more than 40 characters.
pub(super) fn mobile_prefix(given: &str) -> Result<Box<str>, String> {
    match (given.is_empty() || is_name(given)) && given.len() <= MAX_NUMBER {
        true => Ok(given.into()),
        false => Err(unexpected(
            given,
            "the prefix of a mobile number, such as 0",
        )),
    }
}

/// The name of a channel variable.
///
/// # Errors
/// When the value is no such name.
pub(super) fn channel_variable(given: &str) -> Result<Box<str>, String> {
    let good = |c: char| c.is_ascii_alphanumeric() || c == '_';
    match !given.is_empty() && given.len() <= MAX_NAME && given.chars().all(good) {
        true => Ok(given.into()),
        false => Err(unexpected(
            given,
            "a channel variable's name such as USERPRESENCE_ORIGIN",
        )),
    }
}

/// A mailbox such as `200@default`.
///
/// # Errors
/// When the value is no mailbox.
pub(super) fn mailbox(given: &str) -> Result<Box<str>, String> {
    let mut parts = given.splitn(2, '@');
    match parts.all(is_name) && given.len() <= MAX_NAME {
        true => Ok(given.into()),
        false => Err(format!(
            "'{}' is not a mailbox, expected one such as 200@default",
            quoted(given)
        )),
    }
}

/// The destination of a forward.
///
/// # Errors
/// When the value is no destination.
pub(super) fn forward(given: &str) -> Result<Forward, String> {
    const EXPECTED: &str = "expected an extension and its context such as 200@default, a number \
                            such as +491701234567, voicemail, voicemail:<mailbox> or none";
    let bad = || format!("'{}' is not a destination, {EXPECTED}", quoted(given));
    if given.eq_ignore_ascii_case("none") {
        return Ok(Forward::None);
    }
    if given.eq_ignore_ascii_case("voicemail") {
        return Ok(Forward::OwnVoicemail);
    }
    if let Some((kind, mailbox)) = given.split_once(':') {
        if !kind.eq_ignore_ascii_case("voicemail") {
            return Err(bad());
        }
        return self::mailbox(mailbox).map(Forward::Voicemail);
    }
    if is_number(given) {
        return Ok(Forward::Number(given.into()));
    }
    let (extension, context) = given.split_once('@').ok_or_else(bad)?;
    for part in [extension, context] {
        check_variables(part)?;
        // The rest must be text that the dialplan takes literally.
        let replaced = ForwardVariable::replace(part, |_| "x");
        if !is_name(&replaced) || part.len() > MAX_NAME {
            return Err(bad());
        }
    }
    Ok(Forward::Extension(extension.into(), context.into()))
}

/// Refuses a variable that is not replaced.
fn check_variables(given: &str) -> Result<(), String> {
    for part in given.split("${").skip(1) {
        let Some((name, _)) = part.split_once('}') else {
            return Err(format!(
                "'{}': the variable has no closing brace",
                quoted(given)
            ));
        };
        ForwardVariable::parse(name)?;
    }
    Ok(())
}
