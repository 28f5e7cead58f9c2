//! Asterisk's own database of families, keys and values.
//!
//! A put is in the file about a second later, when Asterisk's own thread has
//! committed it.

use std::ffi::c_int;
use std::ptr;

use super::text::{self, Owned, Terminated};
use super::{Error, ffi};

/// Sets a value.
pub fn put(family: &str, key: &str, value: &str) -> Result<(), Error> {
    let (family_c, key_c) = (Terminated::new(family)?, Terminated::new(key)?);
    let value = Terminated::new(value)?;
    // SAFETY: C strings that live through the call.
    let result = unsafe { ffi::ast_db_put(family_c.as_ptr(), key_c.as_ptr(), value.as_ptr()) };
    done(result, "written", family, key)
}

/// A value; `None` where there is none or it is not UTF-8.
pub fn get(family: &str, key: &str) -> Option<String> {
    look_up(family, key).ok().flatten()
}

/// A value; `None` where there is none.
///
/// # Errors
/// When there is one that is not UTF-8.
pub fn look_up(family: &str, key: &str) -> Result<Option<String>, Error> {
    let (family_c, key_c) = (Terminated::new(family)?, Terminated::new(key)?);
    let mut value = ptr::null_mut();
    // SAFETY: C strings, and a place for a string that becomes ours.
    let result =
        unsafe { ffi::ast_db_get_allocated(family_c.as_ptr(), key_c.as_ptr(), &mut value) };
    // SAFETY: NULL or allocated for us, see above.
    let value = unsafe { Owned::new(value) }.filter(|_| result == 0);
    let text = value.map(|value| String::from_utf8(value.bytes().to_vec()));
    text.transpose()
        .map_err(|_| Error::new(format!("AstDB entry '{family}/{key}' is not UTF-8")))
}

/// Deletes a value; that there is none is not an error.
pub fn del(family: &str, key: &str) -> Result<(), Error> {
    let (family_c, key_c) = (Terminated::new(family)?, Terminated::new(key)?);
    // SAFETY: C strings that live through the call.
    let result = unsafe { ffi::ast_db_del(family_c.as_ptr(), key_c.as_ptr()) };
    done(result, "deleted", family, key)
}

/// Every key and value of a family whose key begins with `prefix` (which may be
/// empty), in the order of the keys. Rows that are not UTF-8 are passed over.
///
/// It searches by Asterisk's prefix range, which is quick and exact; Asterisk's tree
/// search takes `_` and `%` for wildcards, ignores case and reads every row.
pub fn tree(family: &str, prefix: &str) -> Vec<(String, String)> {
    let (Ok(family_c), Ok(prefix_c)) = (Terminated::new(family), Terminated::new(prefix)) else {
        return Vec::new();
    };
    // SAFETY: C strings; the list returned is ours to free.
    let rows = unsafe { ffi::ast_db_gettree_by_prefix(family_c.as_ptr(), prefix_c.as_ptr()) };
    let mut found = Vec::new();
    let mut next = rows;
    // SAFETY: NULL or an entry of the list, which is not freed yet.
    while let Some(row) = unsafe { next.as_ref() } {
        next = row.next;
        // SAFETY: key and value are C strings of the entry; the value follows its
        // head, in an array without a length.
        let (path, value) = unsafe { (text::utf8(row.key), text::utf8(row.data.as_ptr())) };
        let key = path
            .and_then(|path| path.strip_prefix('/'))
            .and_then(|path| path.strip_prefix(family))
            .and_then(|path| path.strip_prefix('/'))
            .filter(|key| key.starts_with(prefix));
        if let (Some(key), Some(value)) = (key, value) {
            found.push((key.to_owned(), value.to_owned()));
        }
    }
    // SAFETY: NULL or the list's head, freed once.
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
