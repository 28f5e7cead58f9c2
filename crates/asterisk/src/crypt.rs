//! Passwords and randomness: `asterisk/crypto.h`, `asterisk/utils.h`.

use std::ffi::c_char;

use subtle::ConstantTimeEq;

use super::text::{AstString, CText};
use super::{Error, ffi};

/// The longest password, in bytes: the time for a hash grows with the length.
const LONGEST: usize = 512;

/// The hash of a password, with a salt of its own. It takes some time: the caller must hold no
/// lock.
///
/// # Errors
/// The password is longer than 512 bytes or contains a NUL, or the system cannot hash it.
pub fn hash(password: &str) -> Result<String, Error> {
    if password.len() > LONGEST {
        return Err(Error::new(format!("it is longer than {LONGEST} bytes")));
    }
    let password = CText::new(password)?;
    // SAFETY: HOST-COPIES: a C string that lives through the call.
    let hash = unsafe { ffi::ast_crypt_encrypt(password.as_ptr()) };
    // SAFETY: HOST-ALLOCATOR: NULL, or a string for the caller to free.
    let hash = unsafe { owned(hash) };
    // Where the system has no SHA-512, Asterisk falls back to hashes that are quickly broken.
    hash.filter(|hash| hash.starts_with("$6$") || hash.starts_with("$5$"))
        .ok_or_else(|| Error::new("this system's crypt makes no SHA-512 hashes"))
}

/// Whether a hash is that of a password. It takes some time: the caller must hold no lock.
///
/// `ast_crypt_validate` is not used: for a kind of hash that the system does not know, it
/// compares with NULL.
pub fn verify(password: &str, hash: &str) -> bool {
    if password.len() > LONGEST {
        return false;
    }
    let salt = hash.rfind('$').map_or("", |end| &hash[..=end]);
    let (Ok(password), Ok(salt)) = (CText::new(password), CText::new(salt)) else {
        return false;
    };
    // SAFETY: HOST-COPIES: C strings that live through the call.
    let made = unsafe { ffi::ast_crypt(password.as_ptr(), salt.as_ptr()) };
    // SAFETY: HOST-ALLOCATOR: NULL, or a string for the caller to free.
    let made = unsafe { owned(made) }.unwrap_or_default();
    // The comparison takes the same time wherever the two differ.
    !made.is_empty() && bool::from(made.as_bytes().ct_eq(hash.as_bytes()))
}

/// # Safety
/// `text` is NULL or a C string from Asterisk's allocator that nobody else frees.
unsafe fn owned(text: *mut c_char) -> Option<String> {
    // SAFETY: CALLER: as above.
    unsafe { AstString::from_raw(text) }?.to_utf8().ok()
}

/// `N` random bytes from the system, at most 256.
///
/// # Errors
/// The system has no random numbers.
pub fn random<const N: usize>() -> Result<[u8; N], Error> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|_| Error::new("the system has no random numbers"))?;
    Ok(bytes)
}
