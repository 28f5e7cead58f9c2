//! Values of settings as text, the way they are written in the configuration.

use std::fmt::Display;
use std::sync::Arc;

use crate::model::device::PresenceTable;
use crate::model::status::StatusType;

/// The text shown for an empty value.
const NONE: &str = "-";

/// `yes` or `no`.
pub fn yes_no(on: bool) -> String {
    if on { "yes" } else { "no" }.to_owned()
}

/// The text itself.
pub fn text(text: &str) -> String {
    if text.is_empty() { NONE } else { text }.to_owned()
}

/// The parts with the separator between them.
pub fn list(parts: impl IntoIterator<Item = impl Display>, separator: &str) -> String {
    let parts = parts.into_iter().map(|part| part.to_string());
    text(&parts.collect::<Vec<_>>().join(separator))
}

/// A table's name.
pub fn table(table: &PresenceTable) -> String {
    match &*table.name {
        "" => "built-in".to_owned(),
        name => name.to_owned(),
    }
}

/// A status type's name.
pub fn status(status: &Option<Arc<StatusType>>) -> String {
    text(status.as_ref().map_or("", |status| &status.name))
}
