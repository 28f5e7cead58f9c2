//! Values of options, each parser saying what it expected.

use std::sync::Arc;

use crate::combine::{Method, Order};
use crate::model::flags::truth;
use crate::model::state::State;
use crate::model::status::{StatusType, Statuses};
use crate::model::suggest::expected;
use crate::model::text::quoted;

use super::Outgoing;

/// Asterisk's words for truth.
pub fn boolean(value: &str) -> Result<bool, String> {
    truth(value).ok_or_else(|| format!("'{}', expected yes or no", quoted(value)))
}

/// A method of combining.
pub fn method(value: &str) -> Result<Method, String> {
    Ok(Method::parse(value)?)
}

/// Where a status goes.
pub fn outgoing(value: &str) -> Result<Outgoing, String> {
    Ok(Outgoing::parse(value)?)
}

/// An order of states, and those that the value leaves out.
pub fn order(value: &str) -> Result<(Order, Vec<State>), String> {
    let mut states = Vec::new();
    for word in value.split(',').map(str::trim) {
        let state = state(word)?;
        if states.contains(&state) {
            return Err(format!(
                "the state '{state}' stands twice, expected it once"
            ));
        }
        states.push(state);
    }
    let missing = State::ALL
        .into_iter()
        .filter(|state| !states.contains(state));
    Ok((Order::new(&states), missing.collect()))
}

/// A whole number within bounds.
pub fn number(value: &str, low: u32, high: u32, unit: &str) -> Result<u32, String> {
    let number = value.parse().ok();
    number.filter(|n| (low..=high).contains(n)).ok_or_else(|| {
        format!(
            "'{}', expected a whole number of {unit} from {low} to {high}",
            quoted(value)
        )
    })
}

/// The name of a user or a status type; `what` says of which.
pub fn name(name: &str, what: &str) -> Result<(), String> {
    let expected = "expected 1 to 60 letters, digits, '-', '_' or '.'";
    let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if name.is_empty() || name.len() > 60 || !name.chars().all(good) {
        return Err(format!("'{}' is not {what}, {expected}", quoted(name)));
    }
    Ok(())
}

/// A state.
pub fn state(name: &str) -> Result<State, String> {
    Ok(State::parse(name)?)
}

/// A status type.
pub fn status(name: &str, statuses: &Statuses) -> Result<Arc<StatusType>, String> {
    statuses.find(name).cloned().ok_or_else(|| {
        format!(
            "unknown status '{}'{}",
            quoted(name),
            expected(name, &statuses.expected())
        )
    })
}

/// A status type, or nothing.
pub fn status_or_none(name: &str, statuses: &Statuses) -> Result<Option<Arc<StatusType>>, String> {
    match name {
        "" => Ok(None),
        name => status(name, statuses).map(Some),
    }
}

/// What stands before an extension, to make something that `check` takes.
pub fn prefix(
    value: &str,
    example: &str,
    check: impl Fn(&str) -> Result<(), String>,
) -> Result<(), String> {
    check(&format!("{value}200")).map_err(|_| {
        format!(
            "'{}', expected what stands before an extension, such as {example}",
            quoted(value)
        )
    })
}

/// A device such as `PJSIP/desk-201`.
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

/// A short identifier that is shown to other programs.
pub fn identifier(value: &str) -> Result<String, String> {
    let good = |c: char| !c.is_control() && !c.is_whitespace();
    if value.is_empty() || value.len() > 60 || !value.chars().all(good) {
        return Err(format!(
            "'{}', expected 1 to 60 characters without blanks",
            quoted(value)
        ));
    }
    Ok(value.to_owned())
}

/// A time zone that the system knows, such as `Europe/Berlin`.
pub fn timezone(value: &str, is_known: super::IsTimezone<'_>) -> Result<Box<str>, String> {
    let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '_' | '+' | '-');
    let parts = value.split('/').all(|part| !part.is_empty());
    match value.chars().all(good) && value.len() <= 60 && parts && is_known(value) {
        true => Ok(value.into()),
        false => Err(format!(
            "'{}', expected a time zone of this system, such as Europe/Berlin",
            quoted(value)
        )),
    }
}
