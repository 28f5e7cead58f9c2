//! POSIX extended regular expressions, as in the `like` arguments of Asterisk's own commands:
//! the C library's `regex.h`.

use std::ffi::CString;
use std::mem::MaybeUninit;
use std::ptr;

use super::text::CText;

/// A compiled expression.
///
/// # Invariants
/// `regcomp` has compiled it; it is not moved, and freed once.
pub struct Regex(Box<libc::regex_t>);

// SAFETY: SYSTEM-CALLS: `regexec` may be called by several threads on one expression.
unsafe impl Send for Regex {}
// SAFETY: SYSTEM-CALLS: as above.
unsafe impl Sync for Regex {}

impl Regex {
    /// Compiles `pattern`.
    ///
    /// # Errors
    /// The C library's words about a mistake in the pattern; or it contains a NUL.
    pub fn new(pattern: &str) -> Result<Self, String> {
        let pattern = CString::new(pattern).map_err(|_| "it contains a NUL".to_owned())?;
        let mut compiled = Box::new(MaybeUninit::<libc::regex_t>::zeroed());
        let flags = libc::REG_EXTENDED | libc::REG_NOSUB;
        // SAFETY: SYSTEM-CALLS: room for an expression, and a C string.
        let code = unsafe { libc::regcomp(compiled.as_mut_ptr(), pattern.as_ptr(), flags) };
        if code != 0 {
            return Err(explain(code, &compiled));
        }
        // SAFETY: SYSTEM-CALLS: regcomp has filled it.
        Ok(Regex(unsafe { compiled.assume_init() }))
    }

    /// Whether the expression matches anywhere in `text`; not if `text` contains a NUL.
    pub fn is_match(&self, text: &str) -> bool {
        let Ok(text) = CText::new(text) else {
            return false;
        };
        // SAFETY: INVARIANT, SYSTEM-CALLS: a compiled expression and a C string.
        unsafe { libc::regexec(&*self.0, text.as_ptr(), 0, ptr::null_mut(), 0) == 0 }
    }
}

impl Drop for Regex {
    fn drop(&mut self) {
        // SAFETY: INVARIANT: compiled, and freed once.
        unsafe { libc::regfree(&mut *self.0) };
    }
}

/// The words for an error of `regcomp`.
fn explain(code: i32, compiled: &MaybeUninit<libc::regex_t>) -> String {
    let mut buffer = [0u8; 128];
    // SAFETY: SYSTEM-CALLS: the expression that failed; it writes at most the buffer's length.
    unsafe {
        libc::regerror(
            code,
            compiled.as_ptr(),
            buffer.as_mut_ptr().cast(),
            buffer.len(),
        );
    }
    let end = buffer.iter().position(|byte| *byte == 0).unwrap_or(0);
    String::from_utf8_lossy(&buffer[..end]).into_owned()
}
