//! POSIX extended regular expressions, as Asterisk's own `like` arguments are.

use std::ffi::{CString, c_char};
use std::mem::MaybeUninit;
use std::ptr;

/// A compiled expression.
pub struct Regex(Box<libc::regex_t>);

// SAFETY: regexec may be called from several threads on one compiled expression.
unsafe impl Send for Regex {}
// SAFETY: as above.
unsafe impl Sync for Regex {}

impl Regex {
    /// Compiles `pattern`; the error is the C library's own words.
    pub fn new(pattern: &str) -> Result<Self, String> {
        let pattern = CString::new(pattern).map_err(|_| "it holds a NUL".to_owned())?;
        let mut compiled = Box::new(MaybeUninit::<libc::regex_t>::zeroed());
        let flags = libc::REG_EXTENDED | libc::REG_NOSUB;
        // SAFETY: room for an expression, and a C string.
        let code = unsafe { libc::regcomp(compiled.as_mut_ptr(), pattern.as_ptr(), flags) };
        if code != 0 {
            return Err(explain(code, compiled.as_ptr()));
        }
        // SAFETY: regcomp has filled it.
        Ok(Regex(unsafe { compiled.assume_init() }))
    }

    /// Whether it matches anywhere in `text`; never where `text` holds a NUL.
    pub fn is_match(&self, text: &str) -> bool {
        let Ok(text) = super::text::Terminated::new(text) else {
            return false;
        };
        // SAFETY: a compiled expression and a C string; no matches are asked for.
        unsafe { libc::regexec(&*self.0, text.as_ptr(), 0, ptr::null_mut(), 0) == 0 }
    }
}

impl Drop for Regex {
    fn drop(&mut self) {
        // SAFETY: compiled, and freed once.
        unsafe { libc::regfree(&mut *self.0) };
    }
}

fn explain(code: i32, compiled: *const libc::regex_t) -> String {
    let mut buffer = [0u8; 128];
    // SAFETY: it writes at most the buffer's length, NUL included.
    unsafe {
        libc::regerror(
            code,
            compiled,
            buffer.as_mut_ptr().cast::<c_char>(),
            buffer.len(),
        );
    }
    let end = buffer.iter().position(|byte| *byte == 0).unwrap_or(0);
    String::from_utf8_lossy(&buffer[..end]).into_owned()
}
