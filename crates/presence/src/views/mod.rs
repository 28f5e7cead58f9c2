//! Answers about a user: single fields, the whole view, the explanation, and what SIP phones get.

pub mod explain;
pub mod fields;
pub mod pidf;
