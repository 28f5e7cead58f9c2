//! Custom device states, which Asterisk's `func_devstate` keeps in AstDB.

use super::text::Terminated;
use super::{Error, astdb, ffi};

/// Their family in AstDB.
const FAMILY: &str = "CustomDevstate";

/// Makes `Custom:<name>` unknown again, as before it was ever set: the function that
/// sets it takes no such state.
pub fn forget(name: &str) -> Result<(), Error> {
    astdb::del(FAMILY, name)?;
    let device = Terminated::new(&format!("Custom:{name}"))?;
    // SAFETY: a C string that lives through the call. The state unknown makes the core
    // ask the device's provider, which finds nothing any more.
    unsafe {
        ffi::ast_devstate_changed_literal(
            ffi::AST_DEVICE_UNKNOWN,
            ffi::AST_DEVSTATE_CACHABLE,
            device.as_ptr(),
        );
    }
    Ok(())
}
