//! Builds answers and reads bodies.

use std::borrow::Cow;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::web::wire;
use asterisk::http::{HttpMethod, NoBody, Reply, ReplyBody, Request};

const JSON: &str = "application/json";

/// An error: `code` is one word for programs, `message` one sentence for people.
pub fn error(status: u16, code: &str, message: &str) -> Reply {
    let body = serde_json::json!({"error": {"code": code, "message": message}});
    Reply {
        status,
        headers: vec![
            ("Content-Type", JSON.into()),
            ("Cache-Control", "no-store".into()),
        ],
        body: ReplyBody::Text(body.to_string().into()),
    }
}

/// Adds a `Retry-After` of `wait`, rounded up to whole seconds, at least one.
pub fn later(mut reply: Reply, wait: Duration) -> Reply {
    let seconds = wait.as_secs_f64().ceil().max(1.0);
    reply
        .headers
        .push(("Retry-After", seconds.to_string().into()));
    reply
}

/// The longest body of most requests, in bytes.
const LONGEST_BODY: usize = 8 * 1024;

/// The longest body that Asterisk's HTTP server takes, in bytes.
pub const LONGEST_OF_SERVER: usize = 40 * 1024;

/// Reads the JSON object of a request's body.
///
/// # Errors
/// Answers 400, 413 or 415 and says what was expected.
pub fn read_body<T: DeserializeOwned>(request: &Request<'_>) -> Result<T, Reply> {
    read_long_body(request, LONGEST_BODY)
}

/// The same for a body of up to `limit` bytes.
///
/// # Errors
/// As [`read_body`].
pub fn read_long_body<T: DeserializeOwned>(
    request: &Request<'_>,
    limit: usize,
) -> Result<T, Reply> {
    let refused = |why| match why {
        NoBody::Empty => error(400, "body", "The body is empty; expected JSON."),
        NoBody::TooLarge => {
            let why = format!("The body is longer than {} kB.", limit / 1024);
            error(413, "too_large", &why)
        }
        NoBody::Broken => error(400, "body", "The body is not JSON, or it is incomplete."),
    };
    request.check_body(limit).map_err(refused)?;
    if !wire::is_json(request.header("Content-Type").unwrap_or_default()) {
        let why = "Expected the Content-Type application/json.";
        return Err(error(415, "type", why));
    }
    let body = request.json(limit).map_err(refused)?;
    // serde would accept a list for a struct too, with the values in the order of the fields.
    let value: serde_json::Value = match serde_json::from_str(&body) {
        Ok(value @ serde_json::Value::Object(_)) => value,
        _ => return Err(error(400, "body", "The body is not a JSON object.")),
    };
    serde_json::from_value(value).map_err(|why| {
        // Asterisk parses the JSON first and writes it again, so that line and column are not
        // those of the request.
        let why = why.to_string();
        let why = why.split(" at line ").next().unwrap_or_default();
        error(400, "body", &format!("The body is not as expected: {why}."))
    })
}

/// 405: the resource exists, but not for this method.
pub fn no_such_method(methods: &[HttpMethod]) -> Reply {
    let mut names: Vec<&str> = methods.iter().map(|method| method.name()).collect();
    if let Some(get) = names.iter().position(|name| *name == "GET") {
        names.insert(get + 1, "HEAD");
    }
    let names = names.join(", ");
    let message = format!("This resource supports {names} only.");
    let mut reply = error(405, "method", &message);
    reply.headers.push(("Allow", names.into()));
    reply
}

/// The answer to a change.
pub fn json(value: &impl Serialize) -> Reply {
    text(JSON, "no-cache", written(value))
}

/// The answer to a read, with an entity tag: 304 if the client has it already.
pub fn read_json(request: &Request<'_>, value: &impl Serialize) -> Reply {
    tagged(request, JSON, written(value).into())
}

/// 204: done, without content.
pub fn no_content() -> Reply {
    empty(204)
}

/// 202: it is under way, without content.
pub fn accepted() -> Reply {
    empty(202)
}

fn empty(status: u16) -> Reply {
    Reply {
        status,
        headers: vec![("Cache-Control", "no-store".into())],
        body: ReplyBody::Text("".into()),
    }
}

/// A text that is sent compressed, as [`tagged`]. Each encoding has a tag of its own.
pub fn tagged_gzip(
    request: &Request<'_>,
    kind: &'static str,
    body: &'static str,
    gzip: &'static [u8],
) -> Reply {
    let tag = wire::entity_tag(body).replacen('"', "\"gzip-", 1);
    let known = request.header("If-None-Match");
    let mut reply = text(kind, "no-cache", "");
    if known.is_some_and(|known| wire::names_tag(known, &tag)) {
        reply.status = 304;
    }
    reply.body = ReplyBody::Bytes(gzip);
    reply.headers.push(("Content-Encoding", "gzip".into()));
    reply.headers.push(("ETag", tag.into()));
    reply
}

/// A text with its entity tag, or 304 if it has not changed.
pub fn tagged(request: &Request<'_>, kind: &'static str, body: Cow<'static, str>) -> Reply {
    let tag = wire::entity_tag(&body);
    let known = request.header("If-None-Match");
    let mut reply = text(kind, "no-cache", body);
    if known.is_some_and(|known| wire::names_tag(known, &tag)) {
        reply.status = 304;
    }
    reply.headers.push(("ETag", tag.into()));
    reply
}

fn text(kind: &'static str, cache: &'static str, body: impl Into<Cow<'static, str>>) -> Reply {
    Reply {
        status: 200,
        headers: vec![
            ("Content-Type", kind.into()),
            ("Cache-Control", cache.into()),
        ],
        body: ReplyBody::Text(body.into()),
    }
}

fn written(value: &impl Serialize) -> String {
    // Answers consist of strings and numbers, which always serialise.
    serde_json::to_string(value).unwrap_or_default()
}
