//! No panic crosses into Asterisk.

use std::any::Any;
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind, set_hook};

use super::log;

/// Runs a callback's body; a panic in it, which the hook has logged, is answered
/// with `fallback`.
pub(super) fn guard<T>(fallback: T, body: impl FnOnce() -> T) -> T {
    // Unwind safety: what a panic may leave half done is behind locks or per call.
    catch_unwind(AssertUnwindSafe(body)).unwrap_or(fallback)
}

/// Makes panics go to Asterisk's log instead of standard error. The standard
/// library is linked into the module, so these are the module's panics only, and
/// the hook may stay when the module goes.
pub(super) fn install_hook() {
    set_hook(Box::new(report));
}

fn report(info: &PanicHookInfo<'_>) {
    let message = text(info.payload());
    match info.location() {
        // Asterisk's short log formats leave out the line, so the message has it too.
        Some(place) => log::error_at(
            place,
            format_args!("Panic at {place}, please report it: {message}"),
        ),
        None => log::error(format_args!("Panic, please report it: {message}")),
    }
}

fn text(payload: &dyn Any) -> &str {
    if let Some(text) = payload.downcast_ref::<&str>() {
        text
    } else if let Some(text) = payload.downcast_ref::<String>() {
        text
    } else {
        "no message"
    }
}
