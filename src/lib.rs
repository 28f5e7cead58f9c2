//! res_userpresence
pub mod presence;

#[cfg(feature = "asterisk")]
mod asterisk;
#[cfg(feature = "asterisk")]
mod module;
