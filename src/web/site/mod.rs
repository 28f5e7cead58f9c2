//! HTTP below Asterisk's own prefix, `/userpresence`: the board, and presence as JSON.
//!
//! What a request may do is decided in one place, `answer`: whatever is below `v1/` is
//! answered to a [`HttpCaller`] alone, so that nobody else learns what there is and what not.

mod access;
mod answer;
mod events;
mod openapi;
mod pages;
mod reader_slots;
mod routes;
#[cfg(feature = "selftest")]
mod selftest;
mod session;
mod users;

use std::ffi::CStr;

use crate::runtime;
use crate::web::access::HttpCaller;
use asterisk::http::wire;
use asterisk::http::{Method, Reply, Request, Site};

#[cfg(feature = "selftest")]
pub use access::hold_looks;

pub use answer::{error, json, read_body, read_json};
use routes::RouteMatch;
pub use session::account;

/// The site.
pub struct UserPresenceSite;

impl Site for UserPresenceSite {
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
        runtime::with(|runtime| runtime.feed.end_streams());
    }
}

fn answer(request: &Request<'_>) -> Reply {
    let Some(http) = access::settings() else {
        return not_running();
    };
    if !http.enabled {
        return error(404, "off", "Nothing is served here.");
    }
    let Some(segments) = request.segments() else {
        return error(400, "path", "The path is not UTF-8, or not encoded well.");
    };
    if segments.first().map(String::as_str) != Some("v1") {
        return pages::answer(request);
    }
    if !matches!(request.method(), Method::Get | Method::Head) && is_foreign(request) {
        return error(403, "origin", "Pages of other sites change nothing here.");
    }
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    let open = routes::find(routes::OPEN, request.method(), &segments);
    if let RouteMatch::Route(route) = open {
        return route(request);
    }
    let caller = match access::caller(request, &http) {
        Ok(caller) => caller,
        Err(refusal) => return refusal,
    };
    match routes::find(routes::CALLERS, request.method(), &segments) {
        RouteMatch::Route(route) => route(request, &caller),
        RouteMatch::Nothing if matches!(open, RouteMatch::Nothing) => {
            error(404, "not_found", "There is no such resource.")
        }
        others => answer::no_such_method(&[open.methods(), others.methods()].concat()),
    }
}

fn is_foreign(request: &Request<'_>) -> bool {
    let header = |name| request.header(name);
    wire::is_foreign(header("Sec-Fetch-Site"), header("Origin"), header("Host"))
}

fn not_running() -> Reply {
    error(503, "closing", "The module is not running.")
}
