//! Passwords and randomness.

use std::ffi::c_char;

use subtle::ConstantTimeEq;

use super::text::{Owned, Terminated};
use super::{Error, ffi};

/// The longest password. A longer one costs more to look at than anybody's is worth.
const LONGEST: usize = 512;

/// The hash of a password, with a salt of its own. It takes its time: hold no lock.
///
/// # Errors
/// Where the system cannot, or the password is too long or holds a NUL.
pub fn hash(password: &str) -> Result<String, Error> {
    if password.len() > LONGEST {
        return Err(Error::new(format!("it is longer than {LONGEST} bytes")));
    }
    let password = Terminated::new(password)?;
    // SAFETY: a C string that lives through the call.
    let hash = owned(unsafe { ffi::ast_crypt_encrypt(password.as_ptr()) });
    // Asterisk falls back to what is no secret to anybody.
    hash.filter(|hash| hash.starts_with("$6$") || hash.starts_with("$5$"))
        .ok_or_else(|| Error::new("this system's crypt makes no SHA-512 hashes"))
}

/// Whether the hash is that of the password. It takes its time: hold no lock.
///
/// Not by `ast_crypt_validate`: where the system does not know the kind of the hash, that
/// compares through NULL.
pub fn verify(password: &str, hash: &str) -> bool {
    if password.len() > LONGEST {
        return false;
    }
    let salt = hash.rfind('$').map_or("", |end| &hash[..=end]);
    let (Ok(password), Ok(salt)) = (Terminated::new(password), Terminated::new(salt)) else {
        return false;
    };
    // SAFETY: C strings that live through the call.
    let made = owned(unsafe { ffi::ast_crypt(password.as_ptr(), salt.as_ptr()) });
    let made = made.unwrap_or_default();
    // In the same time wherever they differ.
    !made.is_empty() && bool::from(made.as_bytes().ct_eq(hash.as_bytes()))
}

fn owned(text: *mut c_char) -> Option<String> {
    // SAFETY: NULL or a C string from Asterisk's allocator that is ours alone.
    let text = unsafe { Owned::new(text) }?;
    String::from_utf8(text.bytes().to_vec()).ok()
}

/// Bytes that nobody can guess, from the system.
///
/// # Errors
/// Where the system has none.
pub fn random<const N: usize>() -> Result<[u8; N], Error> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|_| Error::new("the system has no random numbers"))?;
    Ok(bytes)
}
