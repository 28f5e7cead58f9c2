//! Text on its way from Rust to C and back.

use std::ffi::{CStr, CString, c_char, c_void};
use std::ptr::{self, NonNull};

use super::{Error, ffi};

/// A copy of a `&str` with the NUL that C wants; short ones need no allocation.
pub(super) struct Terminated {
    short: [u8; Self::SHORT + 1],
    long: Option<CString>,
}

impl Terminated {
    const SHORT: usize = 255;

    /// Fails where the text holds a NUL itself.
    pub fn new(text: &str) -> Result<Self, Error> {
        let refused = || Error::new(format!("{text:?} holds a NUL"));
        let mut short = [0; Self::SHORT + 1];
        let long = match short.get_mut(..text.len()) {
            Some(room) if text.len() <= Self::SHORT => {
                if text.as_bytes().contains(&0) {
                    return Err(refused());
                }
                room.copy_from_slice(text.as_bytes());
                None
            }
            _ => Some(CString::new(text).map_err(|_| refused())?),
        };
        Ok(Terminated { short, long })
    }

    /// As [`Terminated::new`], of two parts with a colon between them.
    pub fn address(label: &str, rest: &str) -> Result<Self, Error> {
        let whole = label.len() + 1 + rest.len();
        if whole > Self::SHORT || label.contains('\0') || rest.contains('\0') {
            return Terminated::new(&format!("{label}:{rest}"));
        }
        let mut short = [0; Self::SHORT + 1];
        short[..label.len()].copy_from_slice(label.as_bytes());
        short[label.len()] = b':';
        short[label.len() + 1..whole].copy_from_slice(rest.as_bytes());
        Ok(Terminated { short, long: None })
    }

    /// Valid while `self` is neither moved nor dropped.
    pub fn as_ptr(&self) -> *const c_char {
        match &self.long {
            Some(long) => long.as_ptr(),
            None => self.short.as_ptr().cast(),
        }
    }
}

/// A copy of `text` without its NULs, for text that only people read.
pub(super) fn printable(text: &str) -> CString {
    let mut bytes = text.as_bytes().to_vec();
    bytes.retain(|byte| *byte != 0);
    CString::new(bytes).unwrap_or_default()
}

/// A text that only people and programs outside read, as C wants it: without its NULs, and
/// not copied where it has none.
pub(super) struct Line(Vec<u8>);

impl Line {
    pub fn new(text: String) -> Self {
        let mut bytes = text.into_bytes();
        if bytes.contains(&0) {
            bytes.retain(|byte| *byte != 0);
        }
        bytes.push(0);
        Line(bytes)
    }

    /// A C string, valid while `self` lives.
    pub fn as_ptr(&self) -> *const c_char {
        self.0.as_ptr().cast()
    }
}

/// The bytes of a C string; none where the pointer is NULL.
///
/// # Safety
/// `text` is NULL or a C string that stays unchanged for `'a`.
pub(super) unsafe fn bytes<'a>(text: *const c_char) -> &'a [u8] {
    if text.is_null() {
        return &[];
    }
    // SAFETY: not NULL, and the caller vouches for the rest.
    unsafe { CStr::from_ptr(text) }.to_bytes()
}

/// The `&str` of a C string; empty where the pointer is NULL, `None` where it is
/// not UTF-8.
///
/// # Safety
/// As [`bytes`].
pub(super) unsafe fn utf8<'a>(text: *const c_char) -> Option<&'a str> {
    // SAFETY: the caller vouches for it.
    std::str::from_utf8(unsafe { bytes(text) }).ok()
}

/// Text in Asterisk's memory that the core will free; NULL where `text` is empty
/// or there is no memory.
pub(super) fn duplicate(text: &str) -> *mut c_char {
    if text.is_empty() {
        return ptr::null_mut();
    }
    // SAFETY: it reads at most `text.len()` bytes of `text` and returns a new copy
    // with a NUL; file and function are static.
    unsafe {
        ffi::__ast_strndup(
            text.as_ptr().cast(),
            text.len(),
            c"userpresence/asterisk/text.rs".as_ptr(),
            line!() as i32,
            c"duplicate".as_ptr(),
        )
    }
}

/// Text that Asterisk allocated for us; freed with Asterisk's own free.
pub(super) struct Owned(NonNull<c_char>);

impl Owned {
    /// # Safety
    /// `text` is NULL or a C string from Asterisk's allocator that nobody else frees.
    pub unsafe fn new(text: *mut c_char) -> Option<Self> {
        NonNull::new(text).map(Owned)
    }

    pub fn bytes(&self) -> &[u8] {
        // SAFETY: a C string that is ours alone until the drop.
        unsafe { bytes(self.0.as_ptr()) }
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        // SAFETY: from Asterisk's allocator and ours alone, see `new`.
        unsafe {
            ffi::__ast_free(
                self.0.as_ptr().cast::<c_void>(),
                c"userpresence/asterisk/text.rs".as_ptr(),
                line!() as i32,
                c"drop".as_ptr(),
            );
        }
    }
}
