//! Asterisk itself.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use super::guard::guard;
use super::{Error, ffi, text};

/// Whether Asterisk is stopping: what is unloaded now need not be announced.
pub fn shutting_down() -> bool {
    // SAFETY: reads a flag of the core.
    unsafe { ffi::ast_shutting_down() != 0 }
}

/// Whether Asterisk has loaded everything that it loads at its start.
pub fn fully_booted() -> bool {
    // SAFETY: reads a flag of the core.
    unsafe { ffi::res_userpresence_fully_booted() != 0 }
}

/// The directory for keys: `keys` below `astkeydir` in `asterisk.conf`.
pub fn key_directory() -> PathBuf {
    // SAFETY: a C string that is set before any module is loaded and never changed again.
    let path = unsafe { text::bytes(ffi::ast_config_AST_KEY_DIR) };
    PathBuf::from(OsStr::from_bytes(path))
}

/// The path of AstDB's file, without the ending that SQLite's has.
pub fn database_file() -> PathBuf {
    // SAFETY: a C string that is set before any module is loaded and never changed again.
    let path = unsafe { text::bytes(ffi::ast_config_AST_DB) };
    PathBuf::from(OsStr::from_bytes(path))
}

/// Gives back to the system what was freed: what a configuration of many users takes while
/// it is read lies between what is kept of it.
pub fn give_back_memory() {
    #[cfg(target_env = "gnu")]
    // SAFETY: it may be called at any time, and takes the allocator's own locks.
    unsafe {
        libc::malloc_trim(0);
    }
}

/// Something to be done when Asterisk ends; dropping it takes it back.
///
/// `core stop now`, which is also what a service manager's stop does, ends Asterisk
/// without unloading a module.
#[derive(Debug)]
#[must_use = "dropping it takes it back"]
pub struct AtExit(());

impl AtExit {
    /// Has `at_exit` called.
    ///
    /// # Errors
    /// Where Asterisk does not register it.
    pub fn new(at_exit: fn()) -> Result<Self, Error> {
        *AT_EXIT.lock() = Some(at_exit);
        // SAFETY: a function that stays mapped as long as the process lives.
        match unsafe { ffi::ast_register_atexit(Some(exit)) } {
            0 => Ok(AtExit(())),
            _ => Err(Error::new("Asterisk's end cannot be waited for")),
        }
    }
}

impl Drop for AtExit {
    fn drop(&mut self) {
        // SAFETY: as above; that it is registered no more is allowed.
        unsafe { ffi::ast_unregister_atexit(Some(exit)) };
    }
}

static AT_EXIT: parking_lot::Mutex<Option<fn()>> = parking_lot::Mutex::new(None);

unsafe extern "C" fn exit() {
    let at_exit = *AT_EXIT.lock();
    guard((), || at_exit.into_iter().for_each(|at_exit| at_exit()));
}
