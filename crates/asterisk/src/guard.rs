//! No panic unwinds into Asterisk.

use std::any::Any;
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind, set_hook};

use super::log;

/// Runs the body of a callback. After a panic in it, which the hook has logged, the result
/// is that of `fallback`, which must not panic.
pub(super) fn guard<T>(fallback: impl FnOnce() -> T, body: impl FnOnce() -> T) -> T {
    // Unwind safety: state that a panic may leave half changed is behind locks or per call.
    catch_unwind(AssertUnwindSafe(body)).unwrap_or_else(|payload| {
        // Its destructor could panic again.
        std::mem::forget(payload);
        fallback()
    })
}

/// Has panics logged by Asterisk instead of written to standard error. The standard library
/// is linked into the module, so the hook is for the module's panics only, and stays.
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
