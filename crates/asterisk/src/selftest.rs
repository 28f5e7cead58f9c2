//! Calls that only test builds make: to time Asterisk's own work beside ours, and to
//! count our memory.

use std::alloc::{GlobalAlloc, Layout, System};
use std::ffi::{CStr, c_char};
use std::ptr;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::ffi;
use super::text::Owned;

/// Evaluates a text as the dialplan does, without a channel, and gives its length.
pub fn substitute(expression: &CStr) -> usize {
    let mut buffer = [0 as c_char; 4096];
    // SAFETY: no channel is allowed; a C string, and room of the size given, of which
    // one byte is kept for the end.
    unsafe {
        ffi::pbx_substitute_variables_helper(
            ptr::null_mut(),
            expression.as_ptr(),
            buffer.as_mut_ptr(),
            buffer.len() as i32 - 1,
        );
        CStr::from_ptr(buffer.as_ptr()).count_bytes()
    }
}

/// Asks an address's provider, and only frees what it answers.
pub fn ask(address: &CStr) -> i32 {
    let (mut subtype, mut message) = (ptr::null_mut(), ptr::null_mut());
    // SAFETY: a C string, and two places for strings that become ours.
    unsafe {
        let state = ffi::ast_presence_state_nocache(address.as_ptr(), &mut subtype, &mut message);
        drop((Owned::new(subtype), Owned::new(message)));
        state as i32
    }
}

/// Counts what the module holds from the heap.
pub struct Counting;

static HELD: AtomicUsize = AtomicUsize::new(0);

/// Bytes that the module holds now.
pub fn held() -> usize {
    HELD.load(Ordering::Relaxed)
}

/// Bytes that are in use now in the whole process, Asterisk's own included.
pub fn held_by_all() -> usize {
    // SAFETY: it only counts, under the locks of the C library.
    unsafe { libc::mallinfo2() }.uordblks
}

// SAFETY: everything is handed to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        HELD.fetch_add(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's promise is handed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's promise is handed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}
