//! Asterisk itself.

use super::{ffi, text};

/// Whether Asterisk is stopping: what is unloaded now need not be announced.
pub fn shutting_down() -> bool {
    // SAFETY: reads a flag of the core.
    unsafe { ffi::ast_shutting_down() != 0 }
}

/// Whether Asterisk has finished its start.
pub fn fully_booted() -> bool {
    // SAFETY: reads a flag of the core.
    unsafe { ffi::res_userpresence_fully_booted() != 0 }
}

/// Asterisk's version, such as `22.10.1`.
pub fn version() -> String {
    // SAFETY: a string constant of the core.
    let version = unsafe { text::bytes(ffi::ast_get_version()) };
    String::from_utf8_lossy(version).into_owned()
}
