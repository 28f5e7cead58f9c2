//! The board: files that are part of the module. They contain no data and need no
//! authentication.

use std::borrow::Cow;

use super::access;
use super::answer::{error, no_such_method, tagged};
use super::strings;
use crate::web::wire;
use asterisk::http::{HttpMethod, Reply, ReplyBody, Request};

/// A file of the board: its name, type and text.
type File = (&'static str, &'static str, &'static str);

/// The files that are scripts.
macro_rules! scripts {
    ($($name:literal),* $(,)?) => {
        &[$(($name, "text/javascript; charset=utf-8", include_str!(concat!("board/", $name)))),*]
    };
}

/// The scripts: `board.js` starts the page and loads the others.
const SCRIPTS: &[File] = scripts![
    "admin-backups.js",
    "admin-form.js",
    "admin-list.js",
    "administration.js",
    "board.js",
    "calls.js",
    "configuration.js",
    "core.js",
    "form.js",
    "list.js",
    "notices.js",
    "password.js",
    "people.js",
    "queues.js",
    "settings.js",
    "sortable.js",
    "status.js",
];

/// The other files.
const FILES: &[File] = &[
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
    ("icon.svg", "image/svg+xml", include_str!("board/icon.svg")),
    (
        "manifest.webmanifest",
        "application/manifest+json",
        include_str!("board/manifest.webmanifest"),
    ),
];

/// Allows no content from other sites and no inline scripts. The origins that may show the page
/// in a frame follow.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
    connect-src 'self'; img-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'self'; \
    frame-ancestors";

/// A page, or 404.
pub fn answer(request: &Request<'_>) -> Reply {
    let mut reply = find(request);
    let origins = access::settings().map(|http| http.frame.join(" "));
    let origins = origins.filter(|all| !all.is_empty());
    let policy = format!("{POLICY} {}", origins.as_deref().unwrap_or("'none'"));
    reply
        .headers
        .push(("Content-Security-Policy", policy.into()));
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
    let mut files = FILES.iter().chain(SCRIPTS);
    let (_, kind, text) = files.find(|(name, _, _)| *name == path)?;
    Some((kind, lean(text).into()))
}

/// A file as browsers get it: without the lines of comments and without indentation, which are a
/// sixth of it. Each line keeps its number. (Neither scripts nor styles have a text of several
/// lines; a house rule holds them to it.)
fn lean(text: &str) -> String {
    let mut lean = String::with_capacity(text.len());
    let mut in_comment = false;
    for line in text.lines().map(str::trim) {
        if in_comment || line.starts_with("/*") {
            in_comment = !line.ends_with("*/");
        } else if !line.starts_with("//") {
            lean.push_str(line);
        }
        lean.push('\n');
    }
    lean
}

fn nothing() -> Reply {
    error(404, "not_found", "There is no such page.")
}
