//! Asterisk's log.
//!
//! Each function takes anything that can be displayed, `format_args!(..)` too, and
//! shows where it was called, as `userpresence/<file>.rs`. Control characters are
//! replaced, so that text from outside cannot forge a line.

use std::ffi::c_int;
use std::fmt::{Display, Write};
use std::panic::Location;

use super::ffi;
use super::text::printable;

/// Something cannot go on.
#[track_caller]
pub fn error(message: impl Display) {
    error_at(Location::caller(), message);
}

/// As [`error`], shown at another place.
pub(super) fn error_at(place: &Location<'_>, message: impl Display) {
    write(ffi::__LOG_ERROR, place, &message);
}

/// Bad input, or something that an administrator should look at.
#[track_caller]
pub fn warning(message: impl Display) {
    write(ffi::__LOG_WARNING, Location::caller(), &message);
}

/// Something that an administrator may want to know of.
#[track_caller]
pub fn notice(message: impl Display) {
    write(ffi::__LOG_NOTICE, Location::caller(), &message);
}

/// For the console where `core set verbose` is at least `level`. Below that the
/// message is not even formatted.
#[track_caller]
pub fn verbose(level: c_int, message: impl Display) {
    // SAFETY: an int of the core that it reads unlocked itself.
    if level > unsafe { ffi::ast_verb_sys_level } {
        return;
    }
    let place = Location::caller();
    let line = line_of(&message);
    // SAFETY: all strings are C strings that live through the call, and the format
    // takes the one string that follows it.
    unsafe {
        ffi::__ast_verbose(
            printable(&file_of(place)).as_ptr(),
            number_of(place),
            c"userpresence".as_ptr(),
            level,
            c"%s".as_ptr(),
            printable(&line).as_ptr(),
        );
    }
}

/// The levels of messages that [`at`] writes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Level {
    /// As [`error`].
    Error,
    /// As [`warning`].
    Warning,
    /// As [`notice`].
    Notice,
}

/// Logs a message with the source file and line of another place.
pub fn at(level: Level, file: &str, line: u32, message: impl Display) {
    let level = match level {
        Level::Error => ffi::__LOG_ERROR,
        Level::Warning => ffi::__LOG_WARNING,
        Level::Notice => ffi::__LOG_NOTICE,
    };
    let number = c_int::try_from(line).unwrap_or(0);
    write_line(level, &shown_file(file), number, &message);
}

fn write(level: u32, place: &Location<'_>, message: &dyn Display) {
    write_line(level, &file_of(place), number_of(place), message);
}

fn write_line(level: u32, file: &str, number: c_int, message: &dyn Display) {
    let line = line_of(message);
    // SAFETY: all strings are C strings that live through the call, and the format
    // takes the one string that follows it.
    unsafe {
        ffi::ast_log(
            level as c_int,
            printable(file).as_ptr(),
            number,
            c"userpresence".as_ptr(),
            c"%s".as_ptr(),
            printable(&line).as_ptr(),
        );
    }
}

fn file_of(place: &Location<'_>) -> String {
    shown_file(place.file())
}

fn shown_file(file: &str) -> String {
    format!("userpresence/{}", file.strip_prefix("src/").unwrap_or(file))
}

fn number_of(place: &Location<'_>) -> c_int {
    c_int::try_from(place.line()).unwrap_or(0)
}

/// The message as one line.
fn line_of(message: &dyn Display) -> String {
    let mut line = String::new();
    if write!(line, "{message}").is_err() {
        line.push_str("(a message that cannot be displayed)");
    }
    let mut line = line.trim_end().replace(|c: char| c.is_control(), " ");
    line.push('\n');
    line
}
