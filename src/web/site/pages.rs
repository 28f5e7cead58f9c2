//! The board: files that are part of the module. They contain no data and need no
//! authentication.

use super::access;
use super::answer::{error, no_such_method, tagged, tagged_gzip};
use crate::web::wire;
use asterisk::http::{HttpMethod, Reply, ReplyBody, Request};

/// A file of the board.
struct BoardFile {
    /// The last part of its path.
    name: &'static str,
    /// Its `Content-Type`.
    kind: &'static str,
    text: &'static str,
    /// The text, compressed.
    gzip: &'static [u8],
}

/// The files, which `build.rs` finds and compresses.
static FILES: &[BoardFile] = include!(concat!(env!("OUT_DIR"), "/board.rs"));

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
    let Some(file) = FILES.iter().find(|file| file.name == path) else {
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
    let accepted = request.header("Accept-Encoding").unwrap_or_default();
    let mut reply = match wire::accepts_gzip(accepted) {
        true => tagged_gzip(request, file.kind, file.text, file.gzip),
        false => tagged(request, file.kind, file.text.into()),
    };
    reply.headers.push(("Vary", "Accept-Encoding".into()));
    reply
}

fn nothing() -> Reply {
    error(404, "not_found", "There is no such page.")
}
