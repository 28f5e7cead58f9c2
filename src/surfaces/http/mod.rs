//! HTTP below Asterisk's own prefix, `/userpresence`: the board, and presence as JSON.
//!
//! What a request may do is decided in one place, [`answer()`]: whatever is below `v1/` is
//! answered to a [`Caller`] alone, so that nobody else learns what there is and what not.

mod answer;
mod body;
mod caller;
mod events;
mod openapi;
mod pages;
mod presence;
mod routes;

use std::ffi::CStr;

use crate::asterisk::http::{Method, Reply, Request, Site};
use crate::feed;
use crate::presence::access::Caller;

pub use answer::{error, json, no_content, read_json};
pub use body::read_body;
pub use caller::account;
use routes::Found;

/// The site.
pub struct UserPresence;

impl Site for UserPresence {
    const NAME: &'static CStr = c"userpresence";
    const DESCRIPTION: &'static CStr = c"Presence of users";

    fn answer(request: &Request<'_>) -> Reply {
        crate::trip("http");
        let mut reply = answer(request);
        reply
            .headers
            .push(("X-Content-Type-Options", "nosniff".into()));
        reply
            .headers
            .push(("Referrer-Policy", "no-referrer".into()));
        reply
    }

    fn wake_streams() {
        feed::end_streams();
    }
}

fn answer(request: &Request<'_>) -> Reply {
    let Some(segments) = request.segments() else {
        return error(
            400,
            "path",
            "The path is not UTF-8, or not encoded as it should be.",
        );
    };
    if segments.first().map(String::as_str) != Some("v1") {
        return pages::answer(request);
    }
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    let open = routes::find(routes::OPEN, request.method(), &segments);
    if let Found::Route(route) = open {
        return route(request);
    }
    let caller = match caller::find(request) {
        Ok(caller) => caller,
        Err(refusal) => return refusal,
    };
    match routes::find(routes::CALLERS, request.method(), &segments) {
        Found::Route(route) => route(request, &caller),
        Found::Nothing if matches!(open, Found::Nothing) => {
            error(404, "not_found", "There is no such resource.")
        }
        others => {
            let methods = [open.methods(), others.methods()].concat();
            answer::no_such_method(&methods)
        }
    }
}
