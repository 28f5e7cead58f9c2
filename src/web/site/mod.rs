//! HTTP below Asterisk's own prefix, `/userpresence`: the board, and presence as JSON.
//!
//! One function decides what a request may do, `answer`: resources below `v1/` are for an
//! authenticated [`HttpCaller`] only, and other requests do not learn which resources exist.

mod access;
mod answer;
mod calls;
mod configuration;
mod events;
mod openapi;
mod pages;
mod password;
mod queues;
mod reader_slots;
mod routes;
#[cfg(feature = "selftest")]
mod selftest;
mod session;
mod settings;
mod users;
mod version;

use std::ffi::CStr;

use crate::runtime;
use crate::web::access::HttpCaller;
use crate::web::wire;
use asterisk::http::{HttpMethod, Reply, Request, Site, SiteState};

#[cfg(feature = "selftest")]
pub use access::hold_looks;

pub use answer::{error, json, read_body, read_json};
use routes::RouteMatch;
pub use session::account;

/// The site `/userpresence`.
pub struct UserPresenceSite;

impl Site for UserPresenceSite {
    const NAME: &'static CStr = c"userpresence";
    const DESCRIPTION: &'static CStr = c"Presence of users";

    fn answer(request: &Request<'_>) -> Reply {
        crate::trip("http");
        let mut reply = unsniffed(answer(request));
        reply
            .headers
            .push(("Referrer-Policy", "no-referrer".into()));
        reply
    }

    fn state() -> &'static SiteState {
        static STATE: SiteState = SiteState::new();
        &STATE
    }

    fn closing() -> Reply {
        let why = "The module is being unloaded, try again later.";
        unsniffed(error(503, "closing", why))
    }

    fn internal_error() -> Reply {
        let why = "Internal error, see Asterisk's log for what happened.";
        unsniffed(error(500, "internal", why))
    }

    fn wake_streams() {
        runtime::with(|runtime| runtime.feed.end_streams());
    }
}

/// The reply, whose type a browser must not guess from its body.
fn unsniffed(mut reply: Reply) -> Reply {
    reply
        .headers
        .push(("X-Content-Type-Options", "nosniff".into()));
    reply
}

/// A part of the request's path; empty without one.
fn segment(request: &Request<'_>, index: usize) -> String {
    let segments = wire::segments(request.path()).unwrap_or_default();
    segments.into_iter().nth(index).unwrap_or_default()
}

/// A cookie of the request.
fn cookie<'a>(request: &Request<'a>, name: &str) -> Option<&'a str> {
    wire::cookie(request.header("Cookie")?, name)
}

fn answer(request: &Request<'_>) -> Reply {
    let Some(http) = access::settings() else {
        return not_running();
    };
    if !http.enabled {
        return error(404, "off", "The HTTP interface is off.");
    }
    let Some(segments) = wire::segments(request.path()) else {
        return error(
            400,
            "path",
            "The path is not valid UTF-8, or its percent-encoding is invalid.",
        );
    };
    if segments.first().map(String::as_str) != Some("v1") {
        return pages::answer(request);
    }
    if !matches!(request.method(), HttpMethod::Get | HttpMethod::Head) && is_foreign(request) {
        return error(
            403,
            "origin",
            "Cross-site requests may not change anything.",
        );
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
