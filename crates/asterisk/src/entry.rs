//! Load, reload and unload, as Asterisk's loader calls them through
//! `include/shim.c`.

use std::ffi::c_int;

use super::guard::{guard, install_hook};
use super::{ffi, log};

/// Why the module does not load, keeps its old configuration on a reload, or stays.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Decline(pub String);

impl<T: std::error::Error> From<T> for Decline {
    fn from(error: T) -> Self {
        Decline(error.to_string())
    }
}

/// The module's handle.
pub(super) fn this() -> *mut ffi::ast_module {
    // SAFETY: reads the handle that the loader gave before it called load.
    unsafe { ffi::res_userpresence_self() }
}

/// What Asterisk's loader asks of a module. [`crate::module!`] names the type.
pub trait Module {
    /// Loads and registers everything.
    ///
    /// # Errors
    /// Why the module does not load. Nothing may stay registered then.
    fn load() -> Result<(), Decline>;

    /// Reads the configuration anew.
    ///
    /// # Errors
    /// Why the running configuration is kept.
    fn reload() -> Result<(), Decline>;

    /// Takes everything back.
    ///
    /// # Errors
    /// Why the module cannot go now.
    fn unload() -> Result<(), Decline>;
}

/// The functions of a [`Module`] as C calls them; `include/shim.c` declares the same.
#[derive(Debug)]
#[repr(C)]
pub struct Entry {
    load: extern "C" fn() -> c_int,
    reload: extern "C" fn() -> c_int,
    unload: extern "C" fn() -> c_int,
}

impl Entry {
    /// The functions of that module.
    pub const fn of<M: Module>() -> Self {
        Entry {
            load: load::<M>,
            reload: reload::<M>,
            unload: unload::<M>,
        }
    }
}

/// Declares the type that implements [`Module`] for the whole cdylib.
#[macro_export]
macro_rules! module {
    ($module:ty) => {
        /// The symbol by which `include/shim.c` finds the module.
        #[unsafe(no_mangle)]
        pub static asterisk_module: $crate::entry::Entry = $crate::entry::Entry::of::<$module>();
    };
}

extern "C" fn load<M: Module>() -> c_int {
    install_hook();
    guard(-1, || answer(M::load(), "Not loaded"))
}

extern "C" fn reload<M: Module>() -> c_int {
    guard(-1, || answer(M::reload(), "Not reloaded"))
}

extern "C" fn unload<M: Module>() -> c_int {
    // A panic leaves the module loaded in the loader's eyes: safer than half gone.
    guard(-1, || answer(M::unload(), "Not unloaded"))
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
