//! What a request carries.

use serde::de::DeserializeOwned;

use super::{Reply, Request, error};
use crate::asterisk::http::NoBody;

/// The longest body, in bytes.
pub const LONGEST: usize = 8 * 1024;

/// The request's JSON object.
///
/// # Errors
/// Says what is wrong with it: 413 too long, 415 no JSON by its type, 400 by its content.
pub fn read_body<T: DeserializeOwned>(request: &Request<'_>) -> Result<T, Reply> {
    let body = request.body(LONGEST).map_err(|why| match why {
        NoBody::Empty => error(400, "body", "The body is missing, expected a JSON object."),
        NoBody::OtherType => error(
            415,
            "type",
            "The body is of another type than expected, which is application/json.",
        ),
        NoBody::TooLarge => {
            let why = format!("The body is longer than {LONGEST} bytes.");
            error(413, "body", &why)
        }
        NoBody::Broken => error(400, "body", "The body ends too early, or is no JSON."),
    })?;
    serde_json::from_str(&body).map_err(|why| {
        let why = format!("The body is not what is expected: {why}.");
        error(400, "body", &why)
    })
}
