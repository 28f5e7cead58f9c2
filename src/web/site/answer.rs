//! The kinds of answers.

use std::borrow::Cow;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::web::wire;
use asterisk::http::{HttpMethod, NoBody, Reply, ReplyBody, Request};

const JSON: &str = "application/json";

/// An error, in one word for programs and one sentence for people.
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

/// The same, with when to come again: in whole seconds, at least one.
pub fn later(mut reply: Reply, wait: Duration) -> Reply {
    let seconds = wait.as_secs_f64().ceil().max(1.0);
    reply
        .headers
        .push(("Retry-After", seconds.to_string().into()));
    reply
}

/// The most that is read of a request.
const LONGEST_BODY: usize = 8 * 1024;

/// What a request carries.
///
/// # Errors
/// Answers 400, 413 or 415, saying what was expected.
pub fn read_body<T: DeserializeOwned>(request: &Request<'_>) -> Result<T, Reply> {
    let refused = |why| match why {
        NoBody::Empty => error(400, "body", "The body is empty, expected JSON."),
        NoBody::TooLarge => error(413, "too_large", "The body is longer than 8 kB."),
        NoBody::Broken => error(400, "body", "The body is not JSON, or not all of it came."),
    };
    request.check_body(LONGEST_BODY).map_err(refused)?;
    if !wire::is_json(request.header("Content-Type").unwrap_or_default()) {
        let why = "Expected the Content-Type application/json.";
        return Err(error(415, "type", why));
    }
    let body = request.json(LONGEST_BODY).map_err(refused)?;
    // A list would do for an object: its values would be taken by their order.
    let value: serde_json::Value = match serde_json::from_str(&body) {
        Ok(value @ serde_json::Value::Object(_)) => value,
        _ => return Err(error(400, "body", "The body is no JSON object.")),
    };
    serde_json::from_value(value).map_err(|why| {
        // Asterisk has read it already, and places are those of what it has made of it.
        let why = why.to_string();
        let why = why.split(" at line ").next().unwrap_or_default();
        error(400, "body", &format!("The body is not as expected: {why}."))
    })
}

/// What cannot be done to a resource that there is.
pub fn no_such_method(methods: &[HttpMethod]) -> Reply {
    let mut names: Vec<&str> = methods.iter().map(|method| method.name()).collect();
    if let Some(get) = names.iter().position(|name| *name == "GET") {
        names.insert(get + 1, "HEAD");
    }
    let names = names.join(", ");
    let message = format!("This resource takes {names} only.");
    let mut reply = error(405, "method", &message);
    reply.headers.push(("Allow", names.into()));
    reply
}

/// An answer to something that was done.
pub fn json(value: &impl Serialize) -> Reply {
    text(JSON, "no-cache", written(value))
}

/// An answer to a read: not sent again to who has it already.
pub fn read_json(request: &Request<'_>, value: &impl Serialize) -> Reply {
    tagged(request, JSON, written(value).into())
}

/// Done, and nothing to say.
pub fn no_content() -> Reply {
    Reply {
        status: 204,
        headers: vec![("Cache-Control", "no-store".into())],
        body: ReplyBody::Text("".into()),
    }
}

/// Text with its entity tag, or that it has not changed.
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
    // What we answer are texts and numbers: that cannot fail.
    serde_json::to_string(value).unwrap_or_default()
}
