//! JSON values: `asterisk/json.h`. The layer's users read and write them as text.

use std::ffi::CStr;
use std::ptr::NonNull;
use std::time::{SystemTime, UNIX_EPOCH};

use super::text::CText;
use super::{Error, ffi, text};

/// A reference to a JSON value.
///
/// # Invariants
/// The pointer is to a value, of which `self` owns one reference.
#[derive(Debug)]
pub(super) struct Json(NonNull<ffi::ast_json>);

impl Json {
    /// The value of a JSON text, which is an object or an array.
    ///
    /// # Errors
    /// The text is not JSON, or there is no memory.
    pub fn parse(json: &str) -> Result<Self, Error> {
        let input = CText::new(json)?;
        // SAFETY: HOST-COPIES: a C string, and no place for an error.
        let value = unsafe { ffi::ast_json_load_string(input.as_ptr(), std::ptr::null_mut()) };
        // SAFETY: HOST-JSON: a new reference, or NULL.
        unsafe { Json::from_raw(value) }.ok_or_else(|| Error::new("a text is not JSON"))
    }

    /// A string.
    ///
    /// # Errors
    /// The text contains a NUL, or there is no memory.
    pub fn string(text: &str) -> Result<Self, Error> {
        let input = CText::new(text)?;
        // SAFETY: HOST-COPIES: a C string.
        let value = unsafe { ffi::ast_json_string_create(input.as_ptr()) };
        // SAFETY: HOST-JSON: a new reference, or NULL.
        unsafe { Json::from_raw(value) }.ok_or_else(|| Error::new("there is no memory for JSON"))
    }

    /// A moment as Asterisk's events have it: ISO 8601 in the server's time zone, with
    /// milliseconds.
    ///
    /// # Errors
    /// There is no memory.
    pub fn timestamp(at: SystemTime) -> Result<Self, Error> {
        let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
        let moment = ffi::timeval {
            tv_sec: since.as_secs() as _,
            tv_usec: since.subsec_micros().into(),
        };
        // SAFETY: HOST-COPIES: a time by value, and no time zone.
        let value = unsafe { ffi::ast_json_timeval(moment, std::ptr::null()) };
        // SAFETY: HOST-JSON: a new reference, or NULL.
        unsafe { Json::from_raw(value) }.ok_or_else(|| Error::new("there is no memory for JSON"))
    }

    /// JSON's `null`.
    pub fn null() -> Self {
        // SAFETY: HOST-JSON: a constant of the core's, whose references are not counted.
        let null = unsafe { ffi::ast_json_null() };
        // SAFETY: HOST-JSON: a constant is not NULL.
        Json(unsafe { NonNull::new_unchecked(null) })
    }

    /// Takes over a reference; `None` for NULL.
    ///
    /// # Safety
    /// `raw` is NULL or a reference that nobody else gives back.
    pub unsafe fn from_raw(raw: *mut ffi::ast_json) -> Option<Self> {
        NonNull::new(raw).map(Json)
    }

    /// Takes a further reference; `None` for NULL.
    ///
    /// # Safety
    /// `raw` is NULL or a live value.
    pub unsafe fn share(raw: *mut ffi::ast_json) -> Option<Self> {
        // SAFETY: CALLER, HOST-JSON: a live value, or NULL, which it returns.
        let shared = unsafe { ffi::ast_json_ref(raw) };
        // SAFETY: HOST-JSON: the reference that was taken.
        unsafe { Json::from_raw(shared) }
    }

    /// Gives the reference away.
    pub fn into_raw(self) -> *mut ffi::ast_json {
        let raw = self.0.as_ptr();
        std::mem::forget(self);
        raw
    }

    /// The value, which lives as long as `self`.
    pub fn as_ptr(&self) -> *mut ffi::ast_json {
        self.0.as_ptr()
    }
}

impl Drop for Json {
    fn drop(&mut self) {
        // SAFETY: INVARIANT, HOST-JSON: given back once.
        unsafe { ffi::ast_json_unref(self.0.as_ptr()) };
    }
}

/// Sets a member of an object.
///
/// # Safety
/// `object` is a live object that no other thread uses.
///
/// # Errors
/// There is no memory.
pub(super) unsafe fn set(
    object: *mut ffi::ast_json,
    name: &CStr,
    value: Json,
) -> Result<(), Error> {
    // SAFETY: CALLER, HOST-JSON: a live object; the reference to the value is given away.
    let refused = unsafe { ffi::ast_json_object_set(object, name.as_ptr(), value.into_raw()) };
    match refused {
        0 => Ok(()),
        _ => Err(Error::new("there is no memory for JSON")),
    }
}

/// The text of a value; `None` for NULL and for the JSON value `null`.
///
/// # Errors
/// The value cannot be written as UTF-8, or there is no memory.
///
/// # Safety
/// `value` is NULL or a live value, which does not change meanwhile.
pub(super) unsafe fn to_text(value: *mut ffi::ast_json) -> Result<Option<String>, Error> {
    // SAFETY: CALLER: NULL, for which it is false, or a live value.
    if value.is_null() || unsafe { ffi::ast_json_is_null(value) } != 0 {
        return Ok(None);
    }
    // SAFETY: CALLER: a live value.
    let dump = unsafe { ffi::ast_json_dump_string_format(value, ffi::AST_JSON_COMPACT) };
    // SAFETY: HOST-ALLOCATOR: NULL, or a C string until it is freed below.
    let copy = unsafe { text::utf8(dump) }.map(str::to_owned);
    let is_there = !dump.is_null();
    // SAFETY: HOST-ALLOCATOR: by the function for it; NULL is accepted.
    unsafe { ffi::ast_json_free(dump.cast()) };
    match copy {
        Some(copy) if is_there => Ok(Some(copy)),
        _ => Err(Error::new("JSON cannot be written")),
    }
}
