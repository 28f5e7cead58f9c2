//! Asterisk itself.

use std::sync::{Mutex, PoisonError};

use super::guard::guard;
use super::{Error, ffi, text};

/// Whether Asterisk is stopping: what is unloaded now need not be announced.
pub fn shutting_down() -> bool {
    // SAFETY: reads a flag of the core.
    unsafe { ffi::ast_shutting_down() != 0 }
}

/// A function that is called when Asterisk stops without unloading its modules;
/// dropping it takes it back.
#[derive(Debug)]
#[must_use = "dropping it takes it back"]
pub struct AtExit(());

/// What is to be called: Asterisk hands its callbacks nothing.
static LAST: Mutex<Option<fn()>> = Mutex::new(None);

impl AtExit {
    /// There is one such function at a time.
    pub fn new(last: fn()) -> Result<Self, Error> {
        *LAST.lock().unwrap_or_else(PoisonError::into_inner) = Some(last);
        // SAFETY: a function that lives as long as the process.
        if unsafe { ffi::ast_register_atexit(Some(at_exit)) } != 0 {
            return Err(Error::new(
                "No function for Asterisk's stop could be registered",
            ));
        }
        Ok(AtExit(()))
    }
}

impl Drop for AtExit {
    fn drop(&mut self) {
        // SAFETY: registered in `new`.
        unsafe { ffi::ast_unregister_atexit(Some(at_exit)) };
        *LAST.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

unsafe extern "C" fn at_exit() {
    guard((), || {
        let last = *LAST.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(last) = last {
            last();
        }
    });
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
