//! The OpenAPI description of the interface.

use super::{Reply, Request, answer};

/// `GET v1/openapi.json`, without authentication: it contains no data.
pub fn show(request: &Request<'_>) -> Reply {
    let text = include_str!("openapi.json");
    answer::tagged(request, "application/json", text.into())
}
