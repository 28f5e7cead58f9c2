//! Load, reload and unload, as Asterisk's loader calls them through
//! `include/shim.c`.

use std::ffi::c_int;

use super::guard::{guard, install_hook};
use super::{ffi, log};
use crate::module;

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

#[unsafe(no_mangle)]
extern "C" fn res_userpresence_load() -> c_int {
    install_hook();
    guard(-1, || answer(module::load(), "Not loaded"))
}

#[unsafe(no_mangle)]
extern "C" fn res_userpresence_reload() -> c_int {
    guard(-1, || answer(module::reload(), "Not reloaded"))
}

#[unsafe(no_mangle)]
extern "C" fn res_userpresence_unload() -> c_int {
    // A panic leaves the module loaded in the loader's eyes: safer than half gone.
    guard(-1, || answer(module::unload(), "Not unloaded"))
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
