//! A new object of sorcery, and names that match a pattern.

use std::ffi::{CStr, CString, c_int, c_void};
use std::mem::MaybeUninit;
use std::ptr::{self, NonNull};

use super::ObjectField;
use crate::ffi;
use crate::text::{CText, source_file};

/// An object of sorcery.
///
/// # Invariants
/// The pointer is to an object to which this value owns a reference.
pub(super) struct ObjectRef(NonNull<c_void>);

impl ObjectRef {
    /// Makes an object with these fields; `None` without memory, or if its type refuses a
    /// field, which Asterisk has logged.
    ///
    /// # Safety
    /// `sorcery` is a live instance.
    pub unsafe fn new(
        sorcery: *const ffi::ast_sorcery,
        kind: &CStr,
        id: &str,
        fields: &[ObjectField],
    ) -> Option<Self> {
        let id = CText::new(id).ok()?;
        let variables = Variables::new(fields)?;
        // SAFETY: CALLER, HOST-COPIES: a live instance, and C strings that it copies.
        let raw = unsafe { ffi::ast_sorcery_alloc(sorcery, kind.as_ptr(), id.as_ptr()) };
        let object = ObjectRef(NonNull::new(raw)?);
        // SAFETY: CALLER, INVARIANT, HOST-COPIES: a live instance, a new object of its, and a
        // list that lives through the call.
        let applied = unsafe { ffi::ast_sorcery_objectset_apply(sorcery, raw, variables.0) };
        (applied == 0).then_some(object)
    }

    /// Puts it into a container, which takes a reference of its own.
    ///
    /// # Safety
    /// `container` is a live container for objects of sorcery.
    pub unsafe fn link(self, container: *mut ffi::ao2_container) {
        // SAFETY: CALLER, INVARIANT, HOST-OBJECTS: live container and object.
        unsafe {
            ffi::__ao2_link(
                container,
                self.0.as_ptr(),
                0,
                ptr::null(),
                source_file!(),
                line!() as c_int,
                c"link".as_ptr(),
            )
        };
    }

    /// Gives the reference away.
    pub fn into_raw(self) -> *mut c_void {
        let raw = self.0.as_ptr();
        std::mem::forget(self);
        raw
    }
}

impl Drop for ObjectRef {
    fn drop(&mut self) {
        // SAFETY: INVARIANT, HOST-OBJECTS: the value's reference, given back once.
        unsafe { ffi::__ao2_cleanup(self.0.as_ptr()) };
    }
}

/// A list of variables in Asterisk's memory; dropping it destroys it.
///
/// # Invariants
/// The pointer is NULL or a list that this value alone owns.
struct Variables(*mut ffi::ast_variable);

impl Variables {
    /// `None` without memory, or for a value with a NUL.
    fn new(fields: &[ObjectField]) -> Option<Self> {
        let mut list = Variables(ptr::null_mut());
        for field in fields.iter().rev() {
            let value = CText::new(&field.value).ok()?;
            // SAFETY: HOST-COPIES, HOST-ALLOCATOR: C strings that live through the call; it
            // returns NULL or a variable for the caller to destroy.
            let variable = unsafe {
                ffi::_ast_variable_new(
                    field.name.as_ptr(),
                    value.as_ptr(),
                    c"".as_ptr(),
                    source_file!(),
                    c"new".as_ptr(),
                    line!() as c_int,
                )
            };
            if variable.is_null() {
                return None;
            }
            // SAFETY: HOST-ALLOCATOR: a new variable that is this list's alone; the older ones follow it.
            unsafe { (*variable).next = list.0 };
            list.0 = variable;
        }
        Some(list)
    }
}

impl Drop for Variables {
    fn drop(&mut self) {
        // SAFETY: INVARIANT, HOST-ALLOCATOR: NULL or a list, destroyed once.
        unsafe { ffi::ast_variables_destroy(self.0) };
    }
}

/// An extended POSIX pattern, which is what Asterisk's commands take.
///
/// # Invariants
/// The pattern was compiled, and has not moved since.
pub(super) struct Pattern(Box<libc::regex_t>);

impl Pattern {
    /// `None` for a pattern that is none. The empty pattern matches every name.
    pub fn new(text: &[u8]) -> Option<Self> {
        let text = CString::new(text).ok()?;
        let mut pattern = Box::new(MaybeUninit::<libc::regex_t>::uninit());
        let flags = libc::REG_EXTENDED | libc::REG_NOSUB;
        // SAFETY: SYSTEM-CALLS: room for a pattern, and a C string.
        let compiled = unsafe { libc::regcomp(pattern.as_mut_ptr(), text.as_ptr(), flags) };
        // SAFETY: SYSTEM-CALLS: it is initialised if the call succeeded.
        (compiled == 0).then(|| Pattern(unsafe { pattern.assume_init() }))
    }

    /// Whether a part of the name matches.
    pub fn matches(&self, name: &str) -> bool {
        let Ok(name) = CText::new(name) else {
            return false;
        };
        // SAFETY: INVARIANT, SYSTEM-CALLS: a compiled pattern, a C string, and no matches.
        unsafe { libc::regexec(&*self.0, name.as_ptr(), 0, ptr::null_mut(), 0) == 0 }
    }
}

impl Drop for Pattern {
    fn drop(&mut self) {
        // SAFETY: INVARIANT, SYSTEM-CALLS: a compiled pattern, freed once.
        unsafe { libc::regfree(&mut *self.0) };
    }
}
