//! Asterisk itself: `asterisk.h`, `asterisk/options.h`, `asterisk/paths.h`.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use super::guard::guard;
use super::{Error, ffi, text};

/// Whether Asterisk is stopping: an unload then needs no announcement.
pub fn shutting_down() -> bool {
    // SAFETY: HOST-GLOBALS: it reads a flag of the core.
    unsafe { ffi::ast_shutting_down() != 0 }
}

/// Whether Asterisk has loaded every module that it loads at its start.
pub fn fully_booted() -> bool {
    // SAFETY: HOST-GLOBALS: it reads a flag of the core.
    unsafe { ffi::shim_fully_booted() != 0 }
}

/// The directory for keys: `keys` below `astkeydir` in `asterisk.conf`.
pub fn key_directory() -> PathBuf {
    // SAFETY: HOST-GLOBALS: a pointer that never changes once modules are loaded.
    let path = unsafe { ffi::ast_config_AST_KEY_DIR };
    // SAFETY: HOST-GLOBALS: a C string that never changes once modules are loaded.
    PathBuf::from(OsStr::from_bytes(unsafe { text::bytes(path) }))
}

/// The directory in which `app_voicemail` keeps the recordings of mailboxes, in one folder for
/// each context, with one for each mailbox inside.
pub fn voicemail_directory() -> PathBuf {
    // SAFETY: HOST-GLOBALS: a pointer that never changes once modules are loaded.
    let path = unsafe { ffi::ast_config_AST_SPOOL_DIR };
    // SAFETY: HOST-GLOBALS: a C string that never changes once modules are loaded.
    PathBuf::from(OsStr::from_bytes(unsafe { text::bytes(path) })).join("voicemail")
}

/// The directory of configuration files: `astetcdir` in `asterisk.conf`.
pub fn configuration_directory() -> PathBuf {
    // SAFETY: HOST-GLOBALS: a pointer that never changes once modules are loaded.
    let path = unsafe { ffi::ast_config_AST_CONFIG_DIR };
    // SAFETY: HOST-GLOBALS: a C string that never changes once modules are loaded.
    PathBuf::from(OsStr::from_bytes(unsafe { text::bytes(path) }))
}

/// The path of AstDB's file, without the ending that SQLite's file has.
pub fn database_file() -> PathBuf {
    // SAFETY: HOST-GLOBALS: a pointer that never changes once modules are loaded.
    let path = unsafe { ffi::ast_config_AST_DB };
    // SAFETY: HOST-GLOBALS: a C string that never changes once modules are loaded.
    PathBuf::from(OsStr::from_bytes(unsafe { text::bytes(path) }))
}

/// The name of this server; empty where it has none, or one that is no UTF-8.
pub fn host_name() -> String {
    let mut name = vec![0_u8; 256];
    // SAFETY: SYSTEM-CALLS: it writes at most as many bytes as it is given.
    let failed = unsafe { libc::gethostname(name.as_mut_ptr().cast(), name.len()) } != 0;
    let end = name.iter().position(|byte| *byte == 0);
    name.truncate(end.filter(|_| !failed).unwrap_or(0));
    String::from_utf8(name).unwrap_or_default()
}

/// Returns freed memory to the system. The temporary data of a large configuration lies
/// between the data that is kept, so the allocator alone would return little of it.
pub fn give_back_memory() {
    #[cfg(target_env = "gnu")]
    // SAFETY: SYSTEM-CALLS: it may be called at any time, and takes the allocator's locks.
    unsafe {
        libc::malloc_trim(0);
    }
}

/// A function for the end of Asterisk.
///
/// `core stop now`, which is also how a service manager stops Asterisk, ends the process
/// without an unload of its modules.
pub trait ExitHandler: 'static {
    /// Runs once, when Asterisk ends. Asterisk holds its list of exit handlers locked
    /// meanwhile.
    fn at_exit();
}

/// A registered [`ExitHandler`]; dropping it unregisters, and waits for a call in progress.
///
/// # Invariants
/// The function is registered from `new` on; Asterisk itself unregisters it before it calls it.
#[derive(Debug)]
#[must_use = "dropping it unregisters"]
pub struct ExitRegistration(unsafe extern "C" fn());

impl ExitRegistration {
    /// Registers `E`.
    ///
    /// # Errors
    /// Asterisk has no memory.
    pub fn new<E: ExitHandler>() -> Result<Self, Error> {
        let registration = ExitRegistration(exit::<E>);
        // SAFETY: MODULE-MAPPED: the function stays mapped for as long as the process lives.
        match unsafe { ffi::ast_register_atexit(Some(registration.0)) } {
            0 => Ok(registration),
            _ => {
                std::mem::forget(registration);
                Err(Error::new("Could not register an exit handler"))
            }
        }
    }
}

impl Drop for ExitRegistration {
    fn drop(&mut self) {
        // SAFETY: INVARIANT: registered in `new`, or already unregistered by Asterisk, which
        // the function allows.
        unsafe { ffi::ast_unregister_atexit(Some(self.0)) };
    }
}

/// # Safety
/// Called by Asterisk; it has no other requirements.
unsafe extern "C" fn exit<E: ExitHandler>() {
    guard(|| (), E::at_exit);
}
