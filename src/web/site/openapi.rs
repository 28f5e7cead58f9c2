//! The description of the interface, for programs.

use super::{Reply, Request, answer};

/// `GET v1/openapi.json`, for everyone: it says nothing of anybody.
pub fn show(request: &Request<'_>) -> Reply {
    let text = include_str!("openapi.json");
    answer::tagged(request, "application/json", text.into())
}
