//! The HTTP interface.

pub mod access;
#[cfg(all(feature = "asterisk", not(test)))]
pub mod site;
#[cfg(any(feature = "asterisk", test))]
pub mod wire;
