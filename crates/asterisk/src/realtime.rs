//! Rows of a realtime family (`extconfig.conf`).

use std::ffi::c_char;

use super::config::{Config, Files, variables};
use super::text::Terminated;
use super::{Error, ffi};
use presence::config::{Section, Variable};

/// Whether a driver is loaded and mapped to the family.
pub fn available(family: &str) -> bool {
    let Ok(family) = Terminated::new(family) else {
        return false;
    };
    // SAFETY: a C string that lives through the call.
    unsafe { ffi::ast_check_realtime(family.as_ptr()) != 0 }
}

/// Every row that has a `name`, as sections of that name. Fails where the family is
/// not mapped, or its table cannot be read.
///
/// Asterisk gives the same answer for an empty table and for a database that is
/// down, so no row at all is taken for the truth only where the driver then finds
/// the table's column `name`. A driver that cannot look for columns (LDAP) fails
/// where it has no row; a driver told to create what it lacks, and the one of SQLite
/// always, creates a table that is missing, as for any module that asks so.
pub fn load_all(family: &str) -> Result<Vec<Section>, Error> {
    let family = Family::new(family)?;
    // SAFETY: a C string; what is returned is ours.
    let rows = unsafe { Config::new(ffi::res_userpresence_realtime_all(family.as_ptr())) };
    let rows = rows.map_or_else(Vec::new, |rows| rows.sections(b""));
    if rows.is_empty() {
        family.check()?;
    }
    Ok(rows
        .into_iter()
        .filter_map(|row| named(row.variables))
        .collect())
}

/// The row of that name; `None` where there is none. Fails as [`load_all`].
pub fn load_one(family: &str, name: &str) -> Result<Option<Section>, Error> {
    let family = Family::new(family)?;
    let name = Terminated::new(name)?;
    // SAFETY: C strings; the list returned is ours. Its variables are copied before
    // it is destroyed, once.
    let row = unsafe {
        let list = ffi::res_userpresence_realtime_one(family.as_ptr(), name.as_ptr());
        let row = variables(list, &mut Files::new(b""));
        ffi::ast_variables_destroy(list);
        row
    };
    if row.is_empty() {
        family.check()?;
    }
    Ok(named(row))
}

/// A family with a driver.
struct Family<'a> {
    name: &'a str,
    terminated: Terminated,
}

impl<'a> Family<'a> {
    fn new(name: &'a str) -> Result<Self, Error> {
        if !available(name) {
            return Err(Error::new(format!(
                "Realtime family '{name}' is not mapped in extconfig.conf, \
                 or its driver is not loaded"
            )));
        }
        let terminated = Terminated::new(name)?;
        Ok(Family { name, terminated })
    }

    fn as_ptr(&self) -> *const c_char {
        self.terminated.as_ptr()
    }

    fn check(&self) -> Result<(), Error> {
        // SAFETY: a C string that lives through the call.
        if unsafe { ffi::res_userpresence_realtime_usable(self.as_ptr()) } != 0 {
            return Ok(());
        }
        Err(Error::new(format!(
            "Realtime family '{}' gave no row, and its table cannot be read \
             or has no column 'name'",
            self.name
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
