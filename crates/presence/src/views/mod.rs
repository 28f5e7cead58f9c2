//! Answers about a user: single fields, the whole view, and the explanation.

pub mod explain;
pub mod fields;
