//! Zeroed room behind the structures that are registered with Asterisk.
//!
//! Releases of Asterisk append members to a structure without a new build option sum, so a
//! module that was compiled for an older release is loaded. The core of the newer one reads the
//! members that it knows behind the end of the module's structure, and writes some of them:
//! `ast_custom_function` has grown twice, by 8 bytes each time, and its last member is the link
//! of the core's list. With this room it finds NULLs and zeros there, and what it writes
//! damages nothing.

use std::alloc::{Layout, alloc_zeroed, handle_alloc_error};
use std::ptr::NonNull;

/// The room in words: 256 bytes on 64-bit systems. No structure that the module registers has
/// grown by more than 48 bytes since Asterisk 16.
const WORDS: usize = 32;

/// A structure of Asterisk's with zeros behind it. Pointers for Asterisk come from the methods,
/// because those are valid for the zeros too.
#[derive(Debug)]
#[repr(C)]
pub(super) struct WithSlack<T> {
    value: T,
    slack: [usize; WORDS],
}

impl<T> WithSlack<T> {
    /// The structure, for a constant or a local variable. Bytes between its members need not be
    /// zero: see [`leak`] for what has such bytes.
    pub const fn new(value: T) -> Self {
        WithSlack {
            value,
            slack: [0; WORDS],
        }
    }

    /// A pointer for a function that only reads.
    pub const fn as_ptr(&self) -> *const T {
        (&raw const *self).cast()
    }

    /// A pointer for a function that writes.
    pub const fn as_mut_ptr(&mut self) -> *mut T {
        (&raw mut *self).cast()
    }

    /// The structure as the last function has left it.
    pub const fn get(&self) -> &T {
        &self.value
    }
}

/// Allocates a structure of zeros with zeros behind it, has it filled in place, and leaks it:
/// what Asterisk links is never freed. Bytes between its members stay zero, too.
///
/// # Safety
/// Zero is a valid value of the structure.
pub(super) unsafe fn leak<T>(fill: impl FnOnce(&mut T)) -> *mut T {
    let layout = Layout::new::<WithSlack<T>>();
    // SAFETY: ALLOCATION: the room behind the structure makes the size more than zero.
    let raw = unsafe { alloc_zeroed(layout) };
    let Some(raw) = NonNull::new(raw) else {
        handle_alloc_error(layout);
    };
    let value = raw.cast::<T>();
    // SAFETY: CALLER, ALLOCATION: zeros, which nobody else has.
    fill(unsafe { &mut *value.as_ptr() });
    value.as_ptr()
}

/// What a core that knows longer structures did to a registered one.
#[cfg(feature = "selftest")]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Overrun {
    /// How many bytes of the zeros behind the structure are not zero any more.
    pub slack: usize,
    /// How many bytes behind the zeros have changed.
    pub beyond: usize,
}

/// Allocates a structure as an older release has it, which lacks the last `lacking` words, hands
/// it to `register` and looks what was written behind its end before `unregister`.
///
/// # Safety
/// Zero is a valid value of the structure, and after `unregister` nothing uses it any more.
#[cfg(feature = "selftest")]
pub(super) unsafe fn overrun<T>(
    lacking: usize,
    register: impl FnOnce(*mut T),
    unregister: impl FnOnce(*mut T),
) -> Overrun {
    const MARK: u8 = 0xa5;
    let word = size_of::<usize>();
    let end = size_of::<T>() - lacking * word;
    let room = size_of::<WithSlack<T>>() - size_of::<T>();
    let mut memory = vec![0_usize; (end + room) / word + WORDS];
    let length = memory.len() * word;
    let bytes = memory.as_mut_ptr().cast::<u8>();
    // SAFETY: ALLOCATION: the last words of the vector.
    let behind = unsafe { bytes.add(end + room) };
    // SAFETY: ALLOCATION: as many bytes as there are from there to the end.
    unsafe { behind.write_bytes(MARK, length - end - room) };
    register(bytes.cast());
    // SAFETY: ALLOCATION: a copy of the vector's own bytes.
    let registered = unsafe { std::slice::from_raw_parts(bytes, length) }.to_vec();
    unregister(bytes.cast());
    // SAFETY: CALLER, ALLOCATION: the vector's own bytes, which nothing else uses any more.
    let bytes = unsafe { std::slice::from_raw_parts(bytes, length) };
    let slack = registered[end..end + room].iter();
    let beyond = bytes[end + room..].iter();
    Overrun {
        slack: slack.filter(|byte| **byte != 0).count(),
        beyond: beyond.filter(|byte| **byte != MARK).count(),
    }
}

/// Frees a structure that Asterisk has refused.
///
/// # Safety
/// `value` comes from [`leak`], is in no list, and is not used any more.
pub(super) unsafe fn free<T>(value: *mut T) {
    // SAFETY: CALLER, ALLOCATION: a box has the same layout as what was allocated.
    drop(unsafe { Box::from_raw(value.cast::<WithSlack<T>>()) });
}
