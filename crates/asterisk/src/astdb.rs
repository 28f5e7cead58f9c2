//! AstDB, Asterisk's own database of families, keys and values: `asterisk/astdb.h`.
//!
//! A value that was put is in the file about a second later, once Asterisk's own thread has
//! committed it.

use std::ffi::c_int;
use std::ptr;

use super::text::{self, AstString, CText};
use super::{Error, ffi};

/// Sets a value.
///
/// # Errors
/// AstDB refuses it; or family, key or value contains a NUL.
pub fn put(family: &str, key: &str, value: &str) -> Result<(), Error> {
    let (family_c, key_c) = (CText::new(family)?, CText::new(key)?);
    let value = CText::new(value)?;
    // SAFETY: HOST-COPIES: C strings that live through the call.
    let result = unsafe { ffi::ast_db_put(family_c.as_ptr(), key_c.as_ptr(), value.as_ptr()) };
    done(result, "written", family, key)
}

/// The value of a key; `None` without one, or if it is not UTF-8.
pub fn get(family: &str, key: &str) -> Option<String> {
    look_up(family, key).ok().flatten()
}

/// The value of a key; `None` without one.
///
/// # Errors
/// The value is not UTF-8; or family or key contains a NUL.
pub fn look_up(family: &str, key: &str) -> Result<Option<String>, Error> {
    let (family_c, key_c) = (CText::new(family)?, CText::new(key)?);
    let mut value = ptr::null_mut();
    // SAFETY: HOST-COPIES: C strings that live through the call, and a place for a string.
    let result =
        unsafe { ffi::ast_db_get_allocated(family_c.as_ptr(), key_c.as_ptr(), &mut value) };
    // SAFETY: HOST-ALLOCATOR: NULL, or a string for the caller to free.
    let value = unsafe { AstString::from_raw(value) }.filter(|_| result == 0);
    let text = value.map(|value| value.to_utf8());
    text.transpose()
        .map_err(|_| Error::new(format!("AstDB entry '{family}/{key}' is not UTF-8")))
}

/// Deletes a value; it need not exist.
///
/// # Errors
/// AstDB refuses it; or family or key contains a NUL.
pub fn del(family: &str, key: &str) -> Result<(), Error> {
    let (family_c, key_c) = (CText::new(family)?, CText::new(key)?);
    // SAFETY: HOST-COPIES: C strings that live through the call.
    let result = unsafe { ffi::ast_db_del(family_c.as_ptr(), key_c.as_ptr()) };
    done(result, "deleted", family, key)
}

/// Every key and value of a family whose key begins with `prefix` (which may be empty), in the
/// order of the keys. Rows that are not UTF-8 are left out.
///
/// Asterisk's search by prefix is used, which is quick and exact; its search of a tree takes
/// `_` and `%` for wildcards, ignores case and reads every row.
pub fn tree(family: &str, prefix: &str) -> Vec<(String, String)> {
    let (Ok(family_c), Ok(prefix_c)) = (CText::new(family), CText::new(prefix)) else {
        return Vec::new();
    };
    // SAFETY: HOST-COPIES: C strings that live through the call.
    let rows = unsafe { ffi::ast_db_gettree_by_prefix(family_c.as_ptr(), prefix_c.as_ptr()) };
    let mut found = Vec::new();
    let mut next = rows;
    // SAFETY: HOST-ALLOCATOR: NULL, or an entry of a list that is freed below.
    while let Some(row) = unsafe { next.as_ref() } {
        // SAFETY: HOST-STRINGS: the key lives as long as the entry.
        let path = unsafe { text::utf8(row.key) };
        // The value follows the entry's head: a pointer made of `row` could not reach it.
        // SAFETY: HOST-ALLOCATOR: an entry of the list.
        let value = unsafe { &raw const (*next).data };
        // SAFETY: HOST-STRINGS: the value lives as long as the entry.
        let value = unsafe { text::utf8(value.cast()) };
        next = row.next;
        let key = path
            .and_then(|path| path.strip_prefix('/'))
            .and_then(|path| path.strip_prefix(family))
            .and_then(|path| path.strip_prefix('/'))
            .filter(|key| key.starts_with(prefix));
        if let (Some(key), Some(value)) = (key, value) {
            found.push((key.to_owned(), value.to_owned()));
        }
    }
    // SAFETY: HOST-ALLOCATOR: NULL or the list's head, freed once.
    unsafe { ffi::ast_db_freetree(rows) };
    found
}

fn done(result: c_int, what: &str, family: &str, key: &str) -> Result<(), Error> {
    if result == 0 {
        Ok(())
    } else {
        Err(Error::new(format!(
            "AstDB entry '{family}/{key}' could not be {what}"
        )))
    }
}
