//! The board: files that are part of the module. They contain no data and need no
//! authentication.

use std::borrow::Cow;

use super::answer::{error, no_such_method, tagged};
use super::strings;
use crate::web::wire;
use asterisk::http::{HttpMethod, Reply, ReplyBody, Request};

/// The name, type and text of each file.
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
    (
        "core.js",
        "text/javascript; charset=utf-8",
        include_str!("board/core.js"),
    ),
    (
        "settings.js",
        "text/javascript; charset=utf-8",
        include_str!("board/settings.js"),
    ),
    (
        "password.js",
        "text/javascript; charset=utf-8",
        include_str!("board/password.js"),
    ),
    (
        "sortable.js",
        "text/javascript; charset=utf-8",
        include_str!("board/sortable.js"),
    ),
    (
        "form.js",
        "text/javascript; charset=utf-8",
        include_str!("board/form.js"),
    ),
    (
        "administration.js",
        "text/javascript; charset=utf-8",
        include_str!("board/administration.js"),
    ),
    (
        "configuration.js",
        "text/javascript; charset=utf-8",
        include_str!("board/configuration.js"),
    ),
    (
        "admin-form.js",
        "text/javascript; charset=utf-8",
        include_str!("board/admin-form.js"),
    ),
    (
        "admin-list.js",
        "text/javascript; charset=utf-8",
        include_str!("board/admin-list.js"),
    ),
    (
        "admin-backups.js",
        "text/javascript; charset=utf-8",
        include_str!("board/admin-backups.js"),
    ),
];

/// Allows no content from other sites, no inline scripts, and no frames on other pages.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
    connect-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'self'; \
    frame-ancestors 'none'";

/// A page, or 404.
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
    let Some((kind, text)) = file(path) else {
        return nothing();
    };
    if !matches!(request.method(), HttpMethod::Get | HttpMethod::Head) {
        return no_such_method(&[HttpMethod::Get]);
    }
    if request.is_bare() {
        // Relative: a proxy may add a prefix to the path.
        return Reply {
            status: 302,
            headers: vec![("Location", "userpresence/".into())],
            body: ReplyBody::Text("".into()),
        };
    }
    tagged(request, kind, text)
}

/// The type and text of a file.
fn file(path: &str) -> Option<(&'static str, Cow<'static, str>)> {
    let language = path.strip_prefix("strings-");
    if let Some(language) = language.and_then(|rest| rest.strip_suffix(".json")) {
        return Some(("application/json", strings::of_language(language)?.into()));
    }
    let (_, kind, text) = FILES.iter().find(|(name, _, _)| *name == path)?;
    Some((kind, Cow::Borrowed(text)))
}

fn nothing() -> Reply {
    error(404, "not_found", "There is no such page.")
}
