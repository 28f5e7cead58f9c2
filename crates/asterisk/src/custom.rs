//! Custom device states, which Asterisk's `func_devstate` keeps in AstDB.

use super::{Error, astdb, devicestate};

/// The family of custom device states in AstDB.
const FAMILY: &str = "CustomDevstate";

/// Makes the state of `Custom:<name>` unknown again, as before it was ever set. The function
/// `DEVICE_STATE()` cannot do so.
///
/// # Errors
/// The name contains a NUL, or AstDB refuses the deletion.
pub fn forget(name: &str) -> Result<(), Error> {
    astdb::del(FAMILY, name)?;
    // The core asks the provider, which finds no row any more.
    devicestate::publish_unknown(&format!("Custom:{name}"))
}
