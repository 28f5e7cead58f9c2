//! The hashes of names, addresses and devices.

use std::hash::Hasher;

use rustc_hash::FxHasher;

use super::UserId;

/// A hash that ignores ASCII case. Names are folded in a buffer on the stack, because most of
/// them are short.
pub fn hash_folded(name: &str) -> u64 {
    let mut folded = [0; 64];
    let mut hasher = FxHasher::default();
    for chunk in name.as_bytes().chunks(folded.len()) {
        let folded = &mut folded[..chunk.len()];
        folded.copy_from_slice(chunk);
        folded.make_ascii_lowercase();
        hasher.write(folded);
    }
    hasher.finish()
}

/// A hash that distinguishes case.
pub fn hash_exact(name: &str) -> u64 {
    let mut hasher = FxHasher::default();
    hasher.write(name.as_bytes());
    hasher.finish()
}

/// A hash of a user's number.
pub fn hash_number(user: UserId) -> u64 {
    let mut hasher = FxHasher::default();
    hasher.write_u32(user.0);
    hasher.finish()
}

/// A hash of an address that ignores case in the label and distinguishes it in the rest.
pub fn hash_address(address: &str) -> u64 {
    let (label, rest) = address.split_at(address.find(':').unwrap_or(0));
    let mut hasher = FxHasher::default();
    hasher.write_u64(hash_folded(label));
    hasher.write(rest.as_bytes());
    hasher.finish()
}
