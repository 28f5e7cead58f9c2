//! Rows of a realtime family (`extconfig.conf`): `asterisk/config.h`.

use std::ffi::c_char;

use super::config::{Category, Config, ConfigVariable, FileNames, variables};
use super::text::CText;
use super::{Error, ffi};

/// Whether the family is mapped and its driver is loaded.
pub fn available(family: &str) -> bool {
    let Ok(family) = CText::new(family) else {
        return false;
    };
    // SAFETY: HOST-COPIES: a C string that lives through the call.
    unsafe { ffi::ast_check_realtime(family.as_ptr()) != 0 }
}

/// Every row with a `name`, as categories of that name.
///
/// Asterisk answers the same for an empty table and for a database that is down. Without any
/// row, the answer therefore counts only if the driver then finds the table's column `name`.
/// A driver that cannot look for columns (LDAP) fails without rows; a driver that is
/// configured to create what is missing, and the driver of SQLite always, creates a missing
/// table, as for any module that asks so. The driver for ODBC finds the column in a table that
/// does not exist, and PostgreSQL's in one that may not be read: an answer without any row
/// proves nothing where there were rows before.
///
/// # Errors
/// The family is not mapped, or its table cannot be read.
pub fn load_all(family: &str) -> Result<Vec<Category>, Error> {
    let family = Family::new(family)?;
    let rows = family.rows();
    if rows.is_empty() {
        family.check()?;
    }
    Ok(rows
        .into_iter()
        .filter_map(|row| named(row.variables))
        .collect())
}

/// The row of that name; `None` without such a row.
///
/// # Errors
/// As for [`load_all`]; or the name contains a NUL.
pub fn load_one(family: &str, name: &str) -> Result<Option<Category>, Error> {
    let family = Family::new(family)?;
    let name = CText::new(name)?;
    // SAFETY: HOST-COPIES: C strings that live through the call.
    let list = unsafe { ffi::shim_realtime_one(family.as_ptr(), name.as_ptr()) };
    // SAFETY: HOST-ALLOCATOR: NULL, or a list that lives until it is destroyed below.
    let row = unsafe { variables(list, &mut FileNames::new(b"")) };
    // SAFETY: HOST-ALLOCATOR: a list for the caller to destroy, once.
    unsafe { ffi::ast_variables_destroy(list) };
    if row.is_empty()
        && let Err(why) = family.check()
        // A driver that cannot look for columns (LDAP) shows with other rows that it works.
        && family.rows().is_empty()
    {
        return Err(why);
    }
    Ok(named(row))
}

/// A family with a driver.
struct Family<'a> {
    name: &'a str,
    name_c: CText,
}

impl<'a> Family<'a> {
    fn new(name: &'a str) -> Result<Self, Error> {
        if !available(name) {
            return Err(Error::new(format!(
                "Realtime family '{name}' is not mapped in extconfig.conf, \
                 or its driver is not loaded"
            )));
        }
        let name_c = CText::new(name)?;
        Ok(Family { name, name_c })
    }

    fn as_ptr(&self) -> *const c_char {
        self.name_c.as_ptr()
    }

    /// Every row; none also where the table cannot be read.
    fn rows(&self) -> Vec<Category> {
        // SAFETY: HOST-COPIES: a C string that lives through the call.
        let rows = unsafe { ffi::shim_realtime_all(self.as_ptr()) };
        // SAFETY: HOST-ALLOCATOR: NULL, or a configuration for the caller to destroy.
        let rows = unsafe { Config::new(rows) };
        rows.map_or_else(Vec::new, |rows| rows.categories(b"", None))
    }

    fn check(&self) -> Result<(), Error> {
        // SAFETY: HOST-COPIES: a C string that lives through the call.
        if unsafe { ffi::shim_realtime_usable(self.as_ptr()) } != 0 {
            return Ok(());
        }
        Err(Error::new(format!(
            "Realtime family '{}' gave no row, and its table cannot be read \
             or has no column 'name'",
            self.name
        )))
    }
}

fn named(mut row: Vec<ConfigVariable>) -> Option<Category> {
    let at = row
        .iter()
        .position(|column| column.name.eq_ignore_ascii_case("name"))?;
    let name = row.remove(at).value;
    Some(Category {
        name,
        template: false,
        variables: row,
    })
}
