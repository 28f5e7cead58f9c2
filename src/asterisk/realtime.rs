//! Rows of a realtime family (`extconfig.conf`).

use super::config::{Config, Files, variables};
use super::text::Terminated;
use super::{Error, ffi};
use crate::presence::config::{Section, Variable};

/// Whether a driver is loaded and mapped to the family.
pub fn available(family: &str) -> bool {
    let Ok(family) = Terminated::new(family) else {
        return false;
    };
    // SAFETY: a C string that lives through the call.
    unsafe { ffi::ast_check_realtime(family.as_ptr()) != 0 }
}

/// Every row that has a `name`, as sections of that name.
///
/// Asterisk says nothing of why there is no row: an empty table and a failed
/// database both are an empty list, for the second of which the driver has logged
/// an error.
pub fn load_all(family: &str) -> Result<Vec<Section>, Error> {
    check(family)?;
    let family = Terminated::new(family)?;
    // SAFETY: a C string; what is returned is ours.
    let rows = unsafe { Config::new(ffi::res_userpresence_realtime_all(family.as_ptr())) };
    let rows = rows.map_or_else(Vec::new, |rows| rows.sections(b""));
    Ok(rows
        .into_iter()
        .filter_map(|row| named(row.variables))
        .collect())
}

/// The row of that name; `None` where there is none, see [`load_all`].
pub fn load_one(family: &str, name: &str) -> Result<Option<Section>, Error> {
    check(family)?;
    let (family, name) = (Terminated::new(family)?, Terminated::new(name)?);
    // SAFETY: C strings; the list returned is ours. Its variables are copied before
    // it is destroyed, once.
    let row = unsafe {
        let list = ffi::res_userpresence_realtime_one(family.as_ptr(), name.as_ptr());
        let row = variables(list, &mut Files::new(b""));
        ffi::ast_variables_destroy(list);
        row
    };
    Ok(named(row))
}

fn check(family: &str) -> Result<(), Error> {
    if available(family) {
        Ok(())
    } else {
        Err(Error::new(format!(
            "Realtime family '{family}' is not mapped in extconfig.conf, or its driver is not loaded"
        )))
    }
}

fn named(mut row: Vec<Variable>) -> Option<Section> {
    let place = row
        .iter()
        .position(|column| column.name.eq_ignore_ascii_case("name"))?;
    let name = row.remove(place).value;
    Some(Section {
        name,
        variables: row,
    })
}
