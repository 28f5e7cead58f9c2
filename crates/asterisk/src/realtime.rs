//! Rows of a realtime family (`extconfig.conf`): `asterisk/config.h`.

use std::ffi::{c_char, c_int};
use std::ptr;

use super::config::{Category, Config, ConfigVariable, FileNames, variables};
use super::text::{CText, source_file};
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

/// Sets columns of the row of that name.
///
/// # Errors
/// The family is not mapped, a column's name is not of letters, digits and `_`, a text contains
/// a NUL, or the driver refuses.
pub fn update(family: &str, name: &str, columns: &[(String, String)]) -> Result<(), Error> {
    let family = Family::new(family)?;
    let name = CText::new(name)?;
    let columns = Columns::new(columns)?;
    // SAFETY: HOST-COPIES: C strings and a list that live through the call.
    let rows = unsafe {
        ffi::ast_update_realtime_fields(family.as_ptr(), c"name".as_ptr(), name.as_ptr(), columns.0)
    };
    family.written(rows)
}

/// Adds a row.
///
/// # Errors
/// As for [`update`].
pub fn store(family: &str, name: &str, columns: &[(String, String)]) -> Result<(), Error> {
    let family = Family::new(family)?;
    let name = ("name".to_owned(), name.to_owned());
    let columns = Columns::new(&[&[name], columns].concat())?;
    // SAFETY: HOST-COPIES: a C string and a list that live through the call.
    let rows = unsafe { ffi::ast_store_realtime_fields(family.as_ptr(), columns.0) };
    family.written(rows)
}

/// Deletes the row of that name.
///
/// # Errors
/// As for [`update`].
pub fn destroy(family: &str, name: &str) -> Result<(), Error> {
    let family = Family::new(family)?;
    // The driver of SQLite looks at the list only, others at both.
    let columns = Columns::new(&[("name".to_owned(), name.to_owned())])?;
    let name = CText::new(name)?;
    // SAFETY: HOST-COPIES: C strings and a list that live through the call.
    let rows = unsafe {
        ffi::ast_destroy_realtime_fields(
            family.as_ptr(),
            c"name".as_ptr(),
            name.as_ptr(),
            columns.0,
        )
    };
    family.written(rows)
}

/// A list of columns; dropping it destroys it.
///
/// # Invariants
/// The pointer is NULL, or to a list that this value alone owns.
struct Columns(*mut ffi::ast_variable);

/// Refuses a column's name that could be more than that: drivers put it into their statements
/// as it is, without quotes.
fn check_column(name: &str) -> Result<(), Error> {
    let is_letter = |byte: u8| byte.is_ascii_alphabetic() || byte == b'_';
    let is_name = |byte: u8| is_letter(byte) || byte.is_ascii_digit();
    match name.bytes().next().is_some_and(is_letter) && name.bytes().all(is_name) {
        true => Ok(()),
        false => Err(Error::new(format!(
            "The column '{}' is not written: its name is not of letters, digits and '_'",
            name.escape_default()
        ))),
    }
}

impl Columns {
    /// # Errors
    /// A name is not of letters, digits and `_`, a text contains a NUL, or there is no memory.
    fn new(columns: &[(String, String)]) -> Result<Self, Error> {
        for (name, _) in columns {
            check_column(name)?;
        }
        let mut list = Columns(ptr::null_mut());
        for (name, value) in columns.iter().rev() {
            let (name, value) = (CText::new(name)?, CText::new(value)?);
            // SAFETY: HOST-COPIES: C strings that live through the call.
            let new = unsafe {
                ffi::_ast_variable_new(
                    name.as_ptr(),
                    value.as_ptr(),
                    c"".as_ptr(),
                    source_file!(),
                    c"columns".as_ptr(),
                    line!() as c_int,
                )
            };
            // SAFETY: HOST-ALLOCATOR: NULL, or a new variable that is in no list.
            let Some(first) = (unsafe { new.as_mut() }) else {
                return Err(Error::new("Asterisk has no memory"));
            };
            first.next = list.0;
            list.0 = new;
        }
        Ok(list)
    }
}

impl Drop for Columns {
    fn drop(&mut self) {
        // SAFETY: INVARIANT, HOST-ALLOCATOR: NULL or a list, destroyed once.
        unsafe { ffi::ast_variables_destroy(self.0) };
    }
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

    /// The result of a write, by the number of rows.
    fn written(&self, rows: c_int) -> Result<(), Error> {
        match rows {
            0.. => Ok(()),
            _ => Err(Error::new(format!(
                "The driver of realtime family '{}' does not write, or refuses: the table \
                 may lack a column, or may not be written",
                self.name
            ))),
        }
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

#[cfg(test)]
mod tests {
    use super::check_column;

    #[test]
    fn a_column_is_no_part_of_a_statement() {
        for good in ["name", "display_name", "Extension", "code2", "_x"] {
            assert!(check_column(good).is_ok(), "{good}");
        }
        for bad in [
            "", "2", "a b", "a,b", "a)", "a'", "a\"", "a=1", "a;b", "a-", "\u{e4}", "a\0",
        ] {
            assert!(check_column(bad).is_err(), "{bad}");
        }
    }
}
