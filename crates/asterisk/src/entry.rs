//! Load, reload and unload, as Asterisk's loader calls them: `asterisk/module.h`.
//!
//! A C file of the module declares it with `AST_MODULE_INFO`. The functions that it names
//! there call those of the static `asterisk_module`, which [`crate::module!`] exports.

use std::ffi::{CStr, c_int};
use std::ptr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicPtr, Ordering};

use super::guard::{guard, install_hook};
use super::{ffi, log};

/// Why the module does not load, keeps its configuration on a reload, or does not unload.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Decline(pub String);

impl<T: std::error::Error> From<T> for Decline {
    fn from(error: T) -> Self {
        Decline(error.to_string())
    }
}

/// The functions of a module that Asterisk's loader calls. [`crate::module!`] names the type
/// that implements them.
pub trait AsteriskModule {
    /// The name of the module's file without its ending, as `AST_MODULE` in C. Asterisk
    /// shows it as the module that reads a configuration or reports a security event.
    const NAME: &'static CStr;

    /// The name in the log, where Asterisk's modules have the name of a C function; and the
    /// first part of the names of log files' source places and of threads.
    const LOG_NAME: &'static CStr;

    /// Loads the module and registers its interfaces.
    ///
    /// # Errors
    /// Why the module does not load. Nothing may stay registered then, except for
    /// applications and functions.
    fn load() -> Result<(), Decline>;

    /// Reads the configuration again.
    ///
    /// # Errors
    /// Why the module keeps the configuration that it has.
    fn reload() -> Result<(), Decline>;

    /// Unregisters the interfaces and ends the module's threads.
    ///
    /// # Errors
    /// Why the module cannot be unloaded now.
    fn unload() -> Result<(), Decline>;
}

/// The functions of an [`AsteriskModule`] as C calls them. The module's C file declares the
/// same structure.
#[derive(Debug)]
#[repr(C)]
pub struct ModuleEntry {
    load: unsafe extern "C" fn(*mut ffi::ast_module) -> c_int,
    reload: unsafe extern "C" fn() -> c_int,
    unload: unsafe extern "C" fn() -> c_int,
}

impl ModuleEntry {
    /// The functions of that module.
    pub const fn of<M: AsteriskModule>() -> Self {
        ModuleEntry {
            load: load::<M>,
            reload: reload::<M>,
            unload: unload::<M>,
        }
    }
}

/// Declares the type that implements [`AsteriskModule`], once in a cdylib.
#[macro_export]
macro_rules! module {
    ($module:ty) => {
        /// The symbol by which the module's C file finds its functions.
        #[unsafe(no_mangle)]
        pub static asterisk_module: $crate::entry::ModuleEntry =
            $crate::entry::ModuleEntry::of::<$module>();
    };
}

/// The names of the module that was loaded: there is one in a cdylib.
static NAMES: OnceLock<(&'static CStr, &'static CStr)> = OnceLock::new();

/// The module's handle, which stays the same for as long as the process lives.
static HANDLE: AtomicPtr<ffi::ast_module> = AtomicPtr::new(ptr::null_mut());

/// The module's name; empty before its first load.
pub(super) fn name() -> &'static CStr {
    NAMES.get().map_or(c"", |(name, _)| name)
}

/// The module's name in the log; empty before its first load.
pub(super) fn log_name() -> &'static CStr {
    NAMES.get().map_or(c"", |(_, name)| name)
}

/// The name of one of the module's threads.
pub(super) fn thread_name(suffix: &str) -> String {
    format!("{}-{suffix}", log_name().to_string_lossy())
}

/// The module's handle; NULL before its first load.
pub(super) fn this() -> *mut ffi::ast_module {
    HANDLE.load(Ordering::Acquire)
}

/// # Safety
/// `handle` is the handle that the loader gave the module (MODULE-HANDLE).
unsafe extern "C" fn load<M: AsteriskModule>(handle: *mut ffi::ast_module) -> c_int {
    guard(
        || -1,
        || {
            NAMES.get_or_init(|| (M::NAME, M::LOG_NAME));
            HANDLE.store(handle, Ordering::Release);
            install_hook();
            answer(M::load(), "Not loaded")
        },
    )
}

/// # Safety
/// Called by the loader, after a load.
unsafe extern "C" fn reload<M: AsteriskModule>() -> c_int {
    guard(|| -1, || answer(M::reload(), "Not reloaded"))
}

/// # Safety
/// Called by the loader, after a load.
unsafe extern "C" fn unload<M: AsteriskModule>() -> c_int {
    // After a panic the module stays loaded in the loader's eyes: that is safer than a module
    // that is half unloaded.
    guard(|| -1, || answer(M::unload(), "Not unloaded"))
}

fn answer(result: Result<(), Decline>, what: &str) -> c_int {
    match result {
        Ok(()) => 0,
        Err(Decline(why)) => {
            log::error(format_args!("{what}: {why}"));
            -1
        }
    }
}
