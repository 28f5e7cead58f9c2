//! Functions for test builds: they time Asterisk's own work beside the module's, and count
//! memory.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::ffi::{CStr, c_char};
use std::ptr;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::text::AstString;
use super::{Error, ffi, slack};

/// Evaluates a text as the dialplan does, without a channel, and returns the result's length.
pub fn substitute(expression: &CStr) -> usize {
    let mut buffer = [0 as c_char; 4096];
    // SAFETY: HOST-COPIES: a C string, and room of that size, a byte of which is for the NUL.
    unsafe {
        ffi::pbx_substitute_variables_helper(
            ptr::null_mut(),
            expression.as_ptr(),
            buffer.as_mut_ptr(),
            buffer.len() as i32 - 1,
        );
    }
    // SAFETY: HOST-STRINGS: the C string that was written, or the zeros before it.
    unsafe { CStr::from_ptr(buffer.as_ptr()) }.count_bytes()
}

/// Registers a dialplan function whose entry is as long as that of a release in which the
/// structure has two words less, with the room behind it that every registered structure has.
/// Says how many bytes of that room the core has written, and how many behind it.
///
/// # Errors
/// The core refuses the entry.
pub fn register_short_function() -> Result<(usize, usize), Error> {
    let refused = Cell::new(false);
    let register = |entry: *mut ffi::ast_custom_function| {
        // By this name others follow it in the core's list, whose link is the last member.
        // SAFETY: ZERO-VALUE, ALLOCATION: the first member of zeros that nobody else has.
        unsafe { (*entry).name = c"AA_USER_PRESENCE_SHORT".as_ptr() };
        // SAFETY: HOST-COPIES: an entry in no list, which is taken out again below.
        let result = unsafe { ffi::__ast_custom_function_register(entry, ptr::null_mut()) };
        refused.set(result != 0);
    };
    let unregister = |entry: *mut ffi::ast_custom_function| {
        if !refused.get() {
            // SAFETY: HOST-COPIES: the entry from above; nobody has looked for it.
            unsafe { ffi::ast_custom_function_unregister(entry) };
        }
    };
    // SAFETY: ZERO-VALUE: NULLs; it was unregistered, or never registered.
    let overrun = unsafe { slack::overrun(2, register, unregister) };
    match refused.get() {
        true => Err(Error::new("the core refuses the entry")),
        false => Ok((overrun.slack, overrun.beyond)),
    }
}

/// Asks the provider of an address, and frees its texts.
pub fn ask(address: &CStr) -> i32 {
    let (mut subtype, mut message) = (ptr::null_mut(), ptr::null_mut());
    // SAFETY: HOST-COPIES: a C string, and two places for strings.
    let state =
        unsafe { ffi::ast_presence_state_nocache(address.as_ptr(), &mut subtype, &mut message) };
    // SAFETY: HOST-ALLOCATOR: NULL, or a string for the caller to free.
    drop(unsafe { AstString::from_raw(subtype) });
    // SAFETY: HOST-ALLOCATOR: as above.
    drop(unsafe { AstString::from_raw(message) });
    state as i32
}

/// An allocator that counts the module's memory.
pub struct CountingAllocator;

static HELD: AtomicUsize = AtomicUsize::new(0);

/// The bytes that the module has allocated now.
pub fn held() -> usize {
    HELD.load(Ordering::Relaxed)
}

/// The bytes that the whole process has allocated now, Asterisk included.
pub fn held_by_all() -> usize {
    // SAFETY: SYSTEM-CALLS: it only counts, under the C library's locks.
    unsafe { ffi::shim_allocated() }
}

// SAFETY: CALLER: every call is handed on to the system's allocator unchanged.
unsafe impl GlobalAlloc for CountingAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        HELD.fetch_add(layout.size(), Ordering::Relaxed);
        // SAFETY: CALLER: handed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: CALLER: handed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}
