//! The board: three files that are part of the module, for everyone, without any data.

use super::answer::{error, no_such_method, tagged};
use crate::web::wire;
use asterisk::http::{HttpMethod, Reply, ReplyBody, Request};

/// The files, and what they are.
const FILES: &[(&str, &str, &str)] = &[
    (
        "",
        "text/html; charset=utf-8",
        include_str!("board/index.html"),
    ),
    (
        "board.css",
        "text/css; charset=utf-8",
        include_str!("board/board.css"),
    ),
    (
        "board.js",
        "text/javascript; charset=utf-8",
        include_str!("board/board.js"),
    ),
];

/// Nothing is loaded from elsewhere, run inline, or shown in another page's frame.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
    connect-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'self'; \
    frame-ancestors 'none'";

/// A page, or that there is none.
pub fn answer(request: &Request<'_>) -> Reply {
    let mut reply = find(request);
    reply
        .headers
        .push(("Content-Security-Policy", POLICY.into()));
    reply
}

fn find(request: &Request<'_>) -> Reply {
    let segments = wire::segments(request.path());
    let path = match segments.as_deref() {
        Some([path]) => path.as_str(),
        _ => return nothing(),
    };
    let Some((_, kind, text)) = FILES.iter().find(|(name, _, _)| *name == path) else {
        return nothing();
    };
    if !matches!(request.method(), HttpMethod::Get | HttpMethod::Head) {
        return no_such_method(&[HttpMethod::Get]);
    }
    if request.is_bare() {
        // Relative: whatever stands before it may be a proxy's.
        return Reply {
            status: 302,
            headers: vec![("Location", "userpresence/".into())],
            body: ReplyBody::Text("".into()),
        };
    }
    tagged(request, kind, (*text).into())
}

fn nothing() -> Reply {
    error(404, "not_found", "There is no such page.")
}
