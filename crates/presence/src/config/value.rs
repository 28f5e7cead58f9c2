//! Parsers of option values. Each error is a message with the value and the expected form.

use std::fs::File;
use std::sync::Arc;

use crate::actions::StatusKind;
use crate::combine::{Method, Order};
use crate::model::device::DeviceState;
use crate::model::flags::truth;
use crate::model::principal::Role;
use crate::model::state::{Presence, State};
use crate::model::status::{StatusType, Statuses};
use crate::model::suggest::expected;
use crate::model::text::{self, quoted};

use super::Outgoing;

/// The message for a value that is none of the expected ones.
pub fn unexpected(value: &str, expected: &str) -> String {
    format!("'{}', expected {expected}", quoted(value))
}

/// The message for a status type without a presence, where a presence is needed.
pub fn unmapped(status: &StatusType) -> String {
    format!("the status '{}' is mapped to no state", status.name)
}

/// One of Asterisk's words for yes and no.
///
/// # Errors
/// If the value is none of these words.
pub fn boolean(value: &str) -> Result<bool, String> {
    truth(value).ok_or_else(|| unexpected(value, "yes or no"))
}

/// A method of combining.
///
/// # Errors
/// If there is no method of this name.
pub fn method(value: &str) -> Result<Method, String> {
    Ok(Method::parse(value)?)
}

/// The destination of a status, see [`Outgoing`].
///
/// # Errors
/// If there is no destination of this name.
pub fn outgoing(value: &str) -> Result<Outgoing, String> {
    Ok(Outgoing::parse(value)?)
}

/// An order of states, and the states that the value omits.
///
/// # Errors
/// If a word is not a state or a state appears twice.
pub fn order(value: &str) -> Result<(Order, Vec<State>), String> {
    let mut states = Vec::new();
    for word in value.split(',').map(str::trim) {
        let state = state(word)?;
        if states.contains(&state) {
            return Err(format!(
                "the state '{state}' appears twice, expected it once"
            ));
        }
        states.push(state);
    }
    let missing = State::ALL
        .into_iter()
        .filter(|state| !states.contains(state));
    Ok((Order::new(&states), missing.collect()))
}

/// A whole number of `unit` from `low` to `high`.
///
/// # Errors
/// If the value is not a whole number in this range.
pub fn number(value: &str, low: u32, high: u32, unit: &str) -> Result<u32, String> {
    let number = value.parse().ok();
    number.filter(|n| (low..=high).contains(n)).ok_or_else(|| {
        format!(
            "'{}', expected a whole number of {unit} from {low} to {high}",
            quoted(value)
        )
    })
}

/// Checks a name; `what` is the kind of name in the message, such as `a user's name`.
///
/// # Errors
/// If the name is empty, longer than 60 bytes or contains another character than letters,
/// digits, `-`, `_` and `.`.
pub fn name(name: &str, what: &str) -> Result<(), String> {
    let expected = "expected 1 to 60 letters, digits, '-', '_' or '.'";
    let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if name.is_empty() || name.len() > 60 || !name.chars().all(good) {
        return Err(format!("'{}' is not {what}, {expected}", quoted(name)));
    }
    Ok(())
}

/// Checks the name of a group, which directories give to people.
///
/// # Errors
/// If the name is empty, longer than 60 characters, or contains a control character, a comma or
/// a semicolon.
pub fn group(name: &str) -> Result<(), String> {
    let good = |c: char| !c.is_control() && !matches!(c, ',' | ';');
    match (1..=60).contains(&name.chars().count()) && name.chars().all(good) {
        true => Ok(()),
        false => Err(format!(
            "'{}' is not a group's name, expected 1 to 60 characters without control characters, \
             commas and semicolons",
            quoted(name)
        )),
    }
}

/// A state.
///
/// # Errors
/// If the name is not a state.
pub fn state(name: &str) -> Result<State, String> {
    Ok(State::parse(name)?)
}

/// A status type.
///
/// # Errors
/// If there is no status type of this name.
pub fn status(name: &str, statuses: &Statuses) -> Result<Arc<StatusType>, String> {
    statuses.find(name).cloned().ok_or_else(|| {
        format!(
            "unknown status '{}'{}",
            quoted(name),
            expected(name, &statuses.expected())
        )
    })
}

/// The result of parsing an optional status type.
pub type OptionalStatus = Result<Option<Arc<StatusType>>, String>;

/// A status type; `None` for an empty value.
///
/// # Errors
/// If the value is neither empty nor the name of a status type.
pub fn status_or_none(name: &str, statuses: &Statuses) -> OptionalStatus {
    match name {
        "" => Ok(None),
        name => status(name, statuses).map(Some),
    }
}

/// Checks the prefix of an extension: `check` must accept the prefix followed by an extension.
///
/// # Errors
/// If `check` refuses; the message gives `example` as the expected form.
pub fn prefix(
    value: &str,
    example: &str,
    check: impl Fn(&str) -> Result<(), String>,
) -> Result<(), String> {
    let made = check(&format!("{value}200"));
    made.map_err(|_| {
        unexpected(
            value,
            &format!("the prefix of an extension, such as {example}"),
        )
    })
}

/// A subtype, message, label or note; `what` is its name in the message.
///
/// # Errors
/// If the text breaks a rule of [`text::check`].
pub fn text<'a>(value: &'a str, what: &str) -> Result<&'a str, String> {
    match text::check(value) {
        Ok(()) => Ok(value),
        Err(why) => Err(format!("the {what} {why}")),
    }
}

/// A device state.
///
/// # Errors
/// If the name is not a device state.
pub fn device_state(name: &str) -> Result<DeviceState, String> {
    Ok(DeviceState::parse(name)?)
}

/// The status that triggers a block of actions.
///
/// # Errors
/// If the name is not a [`StatusKind`].
pub fn status_kind(name: &str) -> Result<StatusKind, String> {
    Ok(StatusKind::parse(name)?)
}

/// A role of an API user.
///
/// # Errors
/// If the name is not a role.
pub fn role(name: &str) -> Result<Role, String> {
    Ok(Role::parse(name)?)
}

/// A list of states and status types. The name of a state means the state; it also means the
/// status type of that name if the type is mapped to another state or to none.
///
/// # Errors
/// If a word is neither a state nor a status type.
pub fn statuses(value: &str, known: &Statuses) -> Result<(Vec<State>, Vec<Box<str>>), String> {
    let (mut states, mut types) = (Vec::new(), Vec::new());
    for word in value.split(',').map(str::trim) {
        let status = known.find(word);
        match (State::parse(word).ok(), status) {
            (Some(state), status) => {
                states.push(state);
                let mapped = status.map(|status| status.maps_to.as_ref().map(Presence::state));
                if mapped.is_some_and(|mapped| mapped != Some(state)) {
                    types.push(word.into());
                }
            }
            (None, Some(_)) => types.push(word.into()),
            (None, None) => {
                let known = format!("a status type or one of {}", State::expected());
                let expected = expected(word, &known);
                return Err(format!("unknown status '{}'{expected}", quoted(word)));
            }
        }
    }
    Ok((states, types))
}

/// A device such as `PJSIP/desk-201`.
///
/// # Errors
/// If the value does not have the form of a device.
pub fn device(value: &str) -> Result<Box<str>, String> {
    let parts = value.split_once(['/', ':']);
    let good = |c: char| !c.is_control() && !matches!(c, '&' | ',');
    match parts {
        Some((kind, name)) if !kind.is_empty() && !name.is_empty() && value.chars().all(good) => {
            Ok(value.into())
        }
        _ => Err(format!(
            "'{}' is not a device, expected one such as PJSIP/desk-201",
            quoted(value)
        )),
    }
}

/// A short identifier for other programs.
///
/// # Errors
/// If the value is empty, longer than 60 bytes or contains a blank or a control character.
pub fn identifier(value: &str) -> Result<String, String> {
    let good = |c: char| !c.is_control() && !c.is_whitespace();
    if value.is_empty() || value.len() > 60 || !value.chars().all(good) {
        return Err(unexpected(value, "1 to 60 characters without blanks"));
    }
    Ok(value.to_owned())
}

/// A text in the form of a time zone's name, such as `Europe/Berlin`. Whether the system has
/// the time zone is not checked here.
///
/// # Errors
/// If the value does not have this form.
pub fn timezone(value: &str) -> Result<Box<str>, String> {
    let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '_' | '+' | '-');
    let parts = value.split('/').all(|part| !part.is_empty());
    match value.chars().all(good) && value.len() <= 60 && parts {
        true => Ok(value.into()),
        false => Err(unknown_timezone(value)),
    }
}

/// The message for a time zone that the system does not know.
pub fn unknown_timezone(value: &str) -> String {
    unexpected(value, "a time zone of this system, such as Europe/Berlin")
}

/// A readable file of `what`, in PEM; empty for none.
///
/// # Errors
/// If there is no readable file of this path.
pub fn pem_file(given: &str, what: &str) -> Result<Option<Box<str>>, String> {
    if given.is_empty() {
        return Ok(None);
    }
    let expected = format!("expected the path of a readable file of {what} (PEM)");
    let found = File::open(given).and_then(|file| file.metadata());
    match found {
        Ok(found) if found.is_file() => Ok(Some(given.into())),
        Ok(_) => Err(format!("'{}' is not a file, {expected}", quoted(given))),
        Err(why) => Err(format!("'{}': {why}, {expected}", quoted(given))),
    }
}
