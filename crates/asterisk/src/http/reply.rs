//! What is answered.

use std::borrow::Cow;
use std::ffi::c_int;
use std::fmt::Write;

use super::request::Method;
use super::stream::Stream;
use super::{Request, Visit, ffi, ptr, text};

/// An answer.
#[derive(Debug)]
pub struct Reply {
    /// 200, 404, ...
    pub status: u16,
    /// Headers; the server itself adds `Server`, `Date`, `Content-Length` and, where it
    /// closes the connection, `Connection`.
    pub headers: Vec<(&'static str, Cow<'static, str>)>,
    /// What follows them.
    pub body: Body,
}

/// What a [`Reply`] carries.
pub enum Body {
    /// Text without a NUL; a request for the head alone does not get it, nor does one that
    /// is answered by 304. With 204 there is none, and the connection ends.
    Text(Cow<'static, str>),
    /// What is written piece by piece, on the thread of the connection and for as long as
    /// this takes. The connection ends with it. Where the head alone was asked for, it is
    /// not called.
    Stream(Box<dyn FnOnce(&mut Stream<'_>)>),
}

impl std::fmt::Debug for Body {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Body::Text(text) => f.debug_tuple("Text").field(text).finish(),
            Body::Stream(_) => f.write_str("Stream"),
        }
    }
}

/// An unread body up to this length is read and thrown away, so that the connection can be
/// kept; a longer one ends it.
const WORTH_READING: u64 = 64 * 1024;

impl Reply {
    /// Sends it; says whether the connection goes on (0) or not (-1).
    ///
    /// # Safety
    /// The session of that request, which nothing was answered to yet.
    pub(super) unsafe fn send(
        self,
        session: *mut ffi::ast_tcptls_session_instance,
        request: &Request<'_>,
    ) -> c_int {
        if request.content_length() > WORTH_READING {
            // SAFETY: a live session of the HTTP server's.
            unsafe { ffi::ast_http_request_close_on_completion(session) };
        }
        let head = self.head();
        match self.body {
            // The server cannot leave out `Content-Length`, which does not belong there.
            Body::Text(_) if self.status == 204 => {
                let (head, title) = (text::printable(&head), text::printable(title(204)));
                // SAFETY: a live session; C strings that live through the call.
                unsafe {
                    ffi::res_userpresence_http_send_head(
                        session,
                        204,
                        title.as_ptr(),
                        head.as_ptr(),
                    );
                }
                -1
            }
            Body::Text(body) => {
                // The server sends the body of an error even where nobody wants it.
                let unwanted = request.method() == Method::Head && self.status >= 400;
                let body = if unwanted { "" } else { &*body };
                let (head, body) = (text::printable(&head), text::printable(body));
                let title = text::printable(title(self.status));
                // What has not changed is as long as it was, and is not sent.
                let method = match self.status {
                    304 => Method::Head,
                    _ => request.method(),
                };
                // SAFETY: a live session; C strings that live through the call.
                unsafe {
                    ffi::res_userpresence_http_send(
                        session,
                        method.raw(),
                        c_int::from(self.status),
                        title.as_ptr(),
                        head.as_ptr(),
                        body.as_ptr(),
                    );
                }
                0
            }
            Body::Stream(run) => {
                // SAFETY: a live session, whose stream is open and this thread's alone.
                let raw = unsafe { (*session).stream };
                if let Some((_visit, raw)) = Visit::of_stream().zip(ptr::NonNull::new(raw)) {
                    let mut stream = Stream::new(raw);
                    let begin = format!(
                        "HTTP/1.1 {} {}\r\n{head}Connection: close\r\n\r\n",
                        self.status,
                        title(self.status)
                    );
                    let begun = stream.write(begin.as_bytes()).is_ok();
                    if begun && request.method() != Method::Head {
                        run(&mut stream);
                    }
                }
                -1
            }
        }
    }

    fn head(&self) -> String {
        let mut head = String::with_capacity(512);
        for (name, value) in &self.headers {
            let value = value.replace(|c: char| c.is_control(), " ");
            // Writing to a String cannot fail.
            let _ = write!(head, "{name}: {value}\r\n");
        }
        head
    }
}

/// While the module is being unloaded.
pub(super) fn closing() -> Reply {
    error(
        503,
        "closing",
        "The module is being unloaded, try again later.",
    )
}

/// After a panic.
pub(super) fn internal_error() -> Reply {
    error(
        500,
        "internal",
        "Internal error, see Asterisk's log for what happened.",
    )
}

fn error(status: u16, code: &str, message: &str) -> Reply {
    Reply {
        status,
        headers: vec![
            ("Content-Type", "application/json".into()),
            ("Cache-Control", "no-store".into()),
            ("X-Content-Type-Options", "nosniff".into()),
        ],
        body: Body::Text(
            format!(r#"{{"error":{{"code":"{code}","message":"{message}"}}}}"#).into(),
        ),
    }
}

fn title(status: u16) -> &'static str {
    match status {
        200 => "OK",
        201 => "Created",
        204 => "No Content",
        302 => "Found",
        304 => "Not Modified",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        409 => "Conflict",
        413 => "Content Too Large",
        415 => "Unsupported Media Type",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        503 => "Service Unavailable",
        _ => "Answer",
    }
}
