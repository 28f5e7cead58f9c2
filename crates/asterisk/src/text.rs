//! Text on its way from Rust to C and back; memory of Asterisk's allocator (`asterisk/utils.h`).

use std::ffi::{CStr, CString, c_char, c_int};
use std::ptr::{self, NonNull};
use std::string::FromUtf8Error;

use super::{Error, ffi};

/// The name of this source file as a C string, for functions that note their caller's.
macro_rules! source_file {
    () => {
        concat!(file!(), "\0").as_ptr().cast::<std::ffi::c_char>()
    };
}
pub(super) use source_file;

/// A copy of a `&str` with the final NUL that C needs. Short texts need no allocation.
pub(super) struct CText {
    short: [u8; Self::SHORT + 1],
    long: Option<CString>,
}

impl CText {
    const SHORT: usize = 255;

    /// Copies `text`.
    ///
    /// # Errors
    /// The text contains a NUL.
    pub fn new(text: &str) -> Result<Self, Error> {
        let refused = || Error::new(format!("{text:?} contains a NUL"));
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
        Ok(CText { short, long })
    }

    /// Copies two parts, with a colon between them.
    ///
    /// # Errors
    /// A part contains a NUL.
    pub fn address(label: &str, rest: &str) -> Result<Self, Error> {
        let whole = label.len() + 1 + rest.len();
        if whole > Self::SHORT || label.contains('\0') || rest.contains('\0') {
            return CText::new(&format!("{label}:{rest}"));
        }
        let mut short = [0; Self::SHORT + 1];
        short[..label.len()].copy_from_slice(label.as_bytes());
        short[label.len()] = b':';
        short[label.len() + 1..whole].copy_from_slice(rest.as_bytes());
        Ok(CText { short, long: None })
    }

    /// A C string, valid until `self` is moved or dropped.
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

/// A C string made of a `String` without its NULs, for text that is only displayed or sent
/// out. The text is not copied.
pub(super) struct OutgoingText(Vec<u8>);

impl OutgoingText {
    pub fn new(text: String) -> Self {
        let mut bytes = text.into_bytes();
        if bytes.contains(&0) {
            bytes.retain(|byte| *byte != 0);
        }
        bytes.push(0);
        OutgoingText(bytes)
    }

    /// A C string, valid while `self` lives.
    pub fn as_ptr(&self) -> *const c_char {
        self.0.as_ptr().cast()
    }
}

/// The bytes of a C string; empty for NULL.
///
/// # Safety
/// `text` is NULL or a C string that stays unchanged for `'a`.
pub(super) unsafe fn bytes<'a>(text: *const c_char) -> &'a [u8] {
    if text.is_null() {
        return &[];
    }
    // SAFETY: CALLER: a C string that stays unchanged for `'a`; not NULL.
    unsafe { CStr::from_ptr(text) }.to_bytes()
}

/// The `&str` of a C string: empty for NULL, `None` for text that is not UTF-8.
///
/// # Safety
/// As for [`bytes`].
pub(super) unsafe fn utf8<'a>(text: *const c_char) -> Option<&'a str> {
    // SAFETY: CALLER: as for `bytes`.
    std::str::from_utf8(unsafe { bytes(text) }).ok()
}

/// The names and values of a list of variables, in their order (`asterisk/config.h`).
///
/// # Safety
/// `next` is NULL or the head of a list that lives and stays unchanged for `'a`.
pub(super) unsafe fn variables<'a>(next: *const ffi::ast_variable) -> Vec<(&'a [u8], &'a [u8])> {
    let mut listed = Vec::new();
    let mut next = next;
    // SAFETY: CALLER: NULL or an element of the list.
    while let Some(variable) = unsafe { next.as_ref() } {
        // SAFETY: HOST-STRINGS: the name lives as long as the element.
        let name = unsafe { bytes(variable.name) };
        // SAFETY: HOST-STRINGS: so does the value.
        let value = unsafe { bytes(variable.value) };
        listed.push((name, value));
        next = variable.next;
    }
    listed
}

/// A C string in Asterisk's memory; dropping it frees it.
///
/// # Invariants
/// The pointer is to a C string from Asterisk's allocator, which this value alone owns.
pub(super) struct AstString(NonNull<c_char>);

impl AstString {
    /// Copies `text` up to its first NUL; `None` if it is empty or there is no memory.
    pub fn new(text: &str) -> Option<Self> {
        if text.is_empty() {
            return None;
        }
        // SAFETY: HOST-COPIES, HOST-ALLOCATOR: it reads at most `text.len()` bytes and
        // returns a new C string; file and function are static.
        let copy = unsafe {
            ffi::__ast_strndup(
                text.as_ptr().cast(),
                text.len(),
                source_file!(),
                line!() as c_int,
                c"new".as_ptr(),
            )
        };
        NonNull::new(copy).map(AstString)
    }

    /// Takes over a string; `None` for NULL.
    ///
    /// # Safety
    /// `text` is NULL or a C string from Asterisk's allocator that nobody else frees.
    pub unsafe fn from_raw(text: *mut c_char) -> Option<Self> {
        NonNull::new(text).map(AstString)
    }

    /// Gives the string away, to be freed by Asterisk; NULL for `None`.
    pub fn into_raw(text: Option<Self>) -> *mut c_char {
        text.map_or(ptr::null_mut(), |text| {
            let raw = text.0.as_ptr();
            std::mem::forget(text);
            raw
        })
    }

    pub fn bytes(&self) -> &[u8] {
        // SAFETY: INVARIANT: a C string that nobody else changes while `self` lives.
        unsafe { bytes(self.0.as_ptr()) }
    }

    /// The text, with replacement characters for bytes that are not UTF-8.
    pub fn to_string_lossy(&self) -> String {
        String::from_utf8_lossy(self.bytes()).into_owned()
    }

    /// The text, if it is UTF-8.
    pub fn to_utf8(&self) -> Result<String, FromUtf8Error> {
        String::from_utf8(self.bytes().to_vec())
    }
}

impl Drop for AstString {
    fn drop(&mut self) {
        // SAFETY: INVARIANT, HOST-ALLOCATOR: from Asterisk's allocator, and freed once.
        unsafe {
            ffi::__ast_free(
                self.0.as_ptr().cast(),
                source_file!(),
                line!() as c_int,
                c"drop".as_ptr(),
            );
        }
    }
}
