//! The answer to a request: `asterisk/http.h`.

use std::borrow::Cow;
use std::ffi::c_int;
use std::fmt::Write;

use super::request::HttpMethod;
use super::stream::Stream;
use super::{HttpVisit, NonNull, Request, SiteState, ffi, stream_of, text};

/// An answer.
#[derive(Debug)]
pub struct Reply {
    /// The status code: 200, 404, ...
    pub status: u16,
    /// The headers. The server adds `Server`, `Date`, `Content-Length` and, if it closes the
    /// connection, `Connection`.
    pub headers: Vec<(&'static str, Cow<'static, str>)>,
    /// The body.
    pub body: ReplyBody,
}

/// The body of a [`Reply`].
pub enum ReplyBody {
    /// Text without a NUL. It is not sent for a HEAD request, nor with status 304. With 204
    /// there is no body, and the connection ends.
    Text(Cow<'static, str>),
    /// Bytes of any kind, sent as a text is.
    Bytes(&'static [u8]),
    /// A function that writes the body piece by piece, in the thread of the connection and for
    /// as long as it takes. Then the connection ends. It is not called for a HEAD request.
    Stream(Box<dyn FnOnce(&mut Stream<'_>)>),
}

impl std::fmt::Debug for ReplyBody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            ReplyBody::Text(text) => f.debug_tuple("Text").field(text).finish(),
            ReplyBody::Bytes(bytes) => f.debug_tuple("Bytes").field(&bytes.len()).finish(),
            ReplyBody::Stream(_) => f.write_str("Stream"),
        }
    }
}

/// The longest unread body, in bytes, that is read and discarded to keep the connection; a
/// longer one ends it.
const WORTH_READING: u64 = 64 * 1024;

impl Reply {
    /// Sends the answer; returns 0 if the connection goes on, else -1.
    ///
    /// # Safety
    /// `session` is the session of that request, which this thread answers and has not
    /// answered yet.
    pub(super) unsafe fn send(
        self,
        session: *mut ffi::ast_tcptls_session_instance,
        request: &Request<'_>,
        state: &'static SiteState,
    ) -> c_int {
        if request.content_length() > WORTH_READING {
            // SAFETY: CALLER, HTTP-SESSION: the session of the request.
            unsafe { ffi::ast_http_request_close_on_completion(session) };
        }
        let head = self.head();
        match self.body {
            // The server always adds `Content-Length`, which does not belong there.
            ReplyBody::Text(_) | ReplyBody::Bytes(_) if self.status == 204 => {
                let (head, title) = (text::printable(&head), text::printable(title(204)));
                // SAFETY: CALLER, HTTP-SESSION, HOST-COPIES: the session of the request, and C
                // strings that live through the call.
                unsafe {
                    ffi::shim_http_send_head(session, 204, title.as_ptr(), head.as_ptr());
                }
                -1
            }
            ReplyBody::Text(body) => {
                // The server sends the body of an error even for HEAD.
                let unwanted = request.method() == HttpMethod::Head && self.status >= 400;
                let body = if unwanted { "" } else { &*body };
                let (head, body) = (text::printable(&head), text::printable(body));
                let title = text::printable(title(self.status));
                // SAFETY: CALLER, HTTP-SESSION, HOST-COPIES: as above.
                unsafe {
                    ffi::shim_http_send(
                        session,
                        method(self.status, request).raw(),
                        c_int::from(self.status),
                        title.as_ptr(),
                        head.as_ptr(),
                        body.as_ptr(),
                    );
                }
                0
            }
            ReplyBody::Bytes(body) => {
                let (head, title) = (text::printable(&head), text::printable(title(self.status)));
                // SAFETY: CALLER, HTTP-SESSION, HOST-COPIES: as above, and as many bytes as the
                // length says.
                unsafe {
                    ffi::shim_http_send_bytes(
                        session,
                        method(self.status, request).raw(),
                        c_int::from(self.status),
                        title.as_ptr(),
                        head.as_ptr(),
                        body.as_ptr().cast(),
                        body.len(),
                    )
                }
            }
            ReplyBody::Stream(run) => {
                // SAFETY: CALLER: the session of the request.
                let raw = NonNull::new(unsafe { stream_of(session) });
                if let Some((visit, raw)) = HttpVisit::of_stream(state).zip(raw) {
                    // SAFETY: HTTP-SESSION: an open stream, which is this thread's alone.
                    let mut stream = unsafe { Stream::new(raw, &visit) };
                    let begin = format!(
                        "HTTP/1.1 {} {}\r\n{head}Connection: close\r\n\r\n",
                        self.status,
                        title(self.status)
                    );
                    let begun = stream.write(begin.as_bytes()).is_ok();
                    if begun && request.method() != HttpMethod::Head {
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

/// 304 has the length of the unchanged body, which is not sent: as for HEAD.
fn method(status: u16, request: &Request<'_>) -> HttpMethod {
    match status {
        304 => HttpMethod::Head,
        _ => request.method(),
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
