//! Asterisk's log: `asterisk/logger.h`.
//!
//! Each function takes any value that can be displayed, `format_args!(..)` too. The log shows
//! the caller's place as `<log name>/<file>.rs`, with the log name of
//! [`AsteriskModule`](super::AsteriskModule). Control characters are replaced, so that text
//! from outside cannot forge a line.

use std::ffi::c_int;
use std::fmt::{Display, Write};
use std::panic::Location;

use super::entry::log_name;
use super::ffi;
use super::text::printable;

/// Logs an error: something cannot go on.
#[track_caller]
pub fn error(message: impl Display) {
    error_at(Location::caller(), message);
}

/// Logs an error as of another place.
pub(super) fn error_at(place: &Location<'_>, message: impl Display) {
    write(ffi::__LOG_ERROR, place, &message);
}

/// Logs a warning: bad input, or a condition that an administrator should look at.
#[track_caller]
pub fn warning(message: impl Display) {
    write(ffi::__LOG_WARNING, Location::caller(), &message);
}

/// Logs a notice: an event that an administrator may want to know of.
#[track_caller]
pub fn notice(message: impl Display) {
    write(ffi::__LOG_NOTICE, Location::caller(), &message);
}

/// Shows a message on consoles with `core set verbose` at `level` or above. If there is no
/// such console, the message is not even formatted.
#[track_caller]
pub fn verbose(level: c_int, message: impl Display) {
    let place = Location::caller();
    verbose_at(level, place.file(), place.line(), message);
}

/// As [`verbose`], as of a source file and line.
pub fn verbose_at(level: c_int, file: &str, line: u32, message: impl Display) {
    // SAFETY: HOST-GLOBALS: an int that the core itself reads without a lock.
    let shown = unsafe { ffi::ast_verb_sys_level };
    if level > shown {
        return;
    }
    let number = c_int::try_from(line).unwrap_or(0);
    let (file, line) = (printable(&shown_file(file)), printable(&line_of(&message)));
    // SAFETY: HOST-COPIES, FIXED-FORMAT: C strings that live through the call.
    unsafe {
        ffi::__ast_verbose(
            file.as_ptr(),
            number,
            log_name().as_ptr(),
            level,
            c"%s".as_ptr(),
            line.as_ptr(),
        );
    }
}

/// The level of a message that [`at`] logs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Level {
    /// As [`error`].
    Error,
    /// As [`warning`].
    Warning,
    /// As [`notice`].
    Notice,
}

/// Logs a message as of a source file and line.
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
    let (file, line) = (printable(file), printable(&line_of(message)));
    // SAFETY: HOST-COPIES, FIXED-FORMAT: C strings that live through the call.
    unsafe {
        ffi::ast_log(
            level as c_int,
            file.as_ptr(),
            number,
            log_name().as_ptr(),
            c"%s".as_ptr(),
            line.as_ptr(),
        );
    }
}

fn file_of(place: &Location<'_>) -> String {
    shown_file(place.file())
}

fn shown_file(file: &str) -> String {
    // Of a member crate, its folder and the file in it.
    let file = file.strip_prefix("crates/").unwrap_or(file);
    let file = file.replacen("src/", "", 1);
    format!("{}/{file}", log_name().to_string_lossy())
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
