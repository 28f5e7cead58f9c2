//! A request: `asterisk/http.h`, `asterisk/tcptls.h`.

use std::ffi::c_char;
use std::marker::PhantomData;
use std::net::{IpAddr, Ipv6Addr};

use super::{ffi, ptr, stream_of, text};
use crate::manager::Class;

/// The method of a request: some of `enum ast_http_method`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum HttpMethod {
    /// `GET`
    Get,
    /// `HEAD`
    Head,
    /// `POST`
    Post,
    /// `PUT`
    Put,
    /// `DELETE`
    Delete,
    /// `OPTIONS`
    Options,
    /// Any other method.
    Other,
}

impl HttpMethod {
    fn from_raw(raw: ffi::ast_http_method) -> Self {
        match raw {
            ffi::AST_HTTP_GET => HttpMethod::Get,
            ffi::AST_HTTP_HEAD => HttpMethod::Head,
            ffi::AST_HTTP_POST => HttpMethod::Post,
            ffi::AST_HTTP_PUT => HttpMethod::Put,
            ffi::AST_HTTP_DELETE => HttpMethod::Delete,
            ffi::AST_HTTP_OPTIONS => HttpMethod::Options,
            _ => HttpMethod::Other,
        }
    }

    pub(super) fn raw(self) -> ffi::ast_http_method {
        match self {
            HttpMethod::Get => ffi::AST_HTTP_GET,
            HttpMethod::Head => ffi::AST_HTTP_HEAD,
            HttpMethod::Post => ffi::AST_HTTP_POST,
            HttpMethod::Put => ffi::AST_HTTP_PUT,
            HttpMethod::Delete => ffi::AST_HTTP_DELETE,
            HttpMethod::Options => ffi::AST_HTTP_OPTIONS,
            HttpMethod::Other => ffi::AST_HTTP_UNKNOWN,
        }
    }

    /// The name, as in a request.
    pub fn name(self) -> &'static str {
        match self {
            HttpMethod::Get => "GET",
            HttpMethod::Head => "HEAD",
            HttpMethod::Post => "POST",
            HttpMethod::Put => "PUT",
            HttpMethod::Delete => "DELETE",
            HttpMethod::Options => "OPTIONS",
            HttpMethod::Other => "other",
        }
    }
}

/// Why a request has no usable body.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NoBody {
    /// There is no body, or an empty one.
    Empty,
    /// It is longer than the limit.
    TooLarge,
    /// It ends too early, or is not JSON or not UTF-8.
    Broken,
}

/// A request.
///
/// # Invariants
/// The session is that of a request which this thread answers for `'a` (HTTP-SESSION). Query
/// and headers live and stay unchanged for `'a`.
#[derive(Debug)]
pub struct Request<'a> {
    session: *mut ffi::ast_tcptls_session_instance,
    raw_headers: *mut ffi::ast_variable,
    method: HttpMethod,
    path: &'a [u8],
    bare: bool,
    query: Vec<(&'a [u8], &'a [u8])>,
    headers: Vec<(&'a [u8], &'a [u8])>,
    answering: PhantomData<&'a ffi::ast_tcptls_session_instance>,
}

impl<'a> Request<'a> {
    /// # Safety
    /// The arguments are those of a site's callback, and this thread's for `'a`: the session,
    /// the path below the site, and lists of variables. The site's name stands before the path.
    pub(super) unsafe fn new(
        session: *mut ffi::ast_tcptls_session_instance,
        path: *const c_char,
        method: ffi::ast_http_method,
        query: *mut ffi::ast_variable,
        headers: *mut ffi::ast_variable,
    ) -> Self {
        // SAFETY: CALLER: a C string for `'a`.
        let below = unsafe { text::bytes(path) };
        // SAFETY: CALLER: as above.
        let bare = below.is_empty() && unsafe { before(path) } != b'/';
        Request {
            session,
            raw_headers: headers,
            method: HttpMethod::from_raw(method),
            path: below,
            bare,
            // SAFETY: CALLER: a list for `'a`.
            query: unsafe { text::variables(query) },
            // SAFETY: CALLER: a list for `'a`.
            headers: unsafe { text::variables(headers) },
            answering: PhantomData,
        }
    }

    pub(crate) fn session(&self) -> *mut ffi::ast_tcptls_session_instance {
        self.session
    }

    /// The method.
    pub fn method(&self) -> HttpMethod {
        self.method
    }

    /// The path below the site and its slash, as it came: percent-encoded, without the query.
    pub fn path(&self) -> &'a [u8] {
        self.path
    }

    /// Whether the path is that of the site without the slash at its end. Relative links of a
    /// page depend on that slash.
    pub fn is_bare(&self) -> bool {
        self.bare
    }

    /// The names and values of the query, in order and decoded; `None` for a pair that is not
    /// UTF-8.
    pub fn query(&self) -> impl Iterator<Item = Option<(&'a str, &'a str)>> {
        self.query
            .iter()
            .map(|(name, value)| Some((text_of(name)?, text_of(value)?)))
    }

    /// The value of the first header of that name; `None` if it is not UTF-8.
    pub fn header(&self, name: &str) -> Option<&'a str> {
        self.header_values(name).next()?
    }

    /// The values of all headers of that name, in their order; `None` for one that is not
    /// UTF-8.
    pub fn header_values(&self, name: &str) -> impl DoubleEndedIterator<Item = Option<&'a str>> {
        let same = |found: &&(&[u8], &[u8])| found.0.eq_ignore_ascii_case(name.as_bytes());
        let found = self.headers.iter().filter(same);
        found.map(|(_, value)| text_of(value))
    }

    /// The address of the connection's other end, without its port; an IPv4 address that came
    /// by an IPv6 socket is an IPv4 address.
    pub fn remote(&self) -> IpAddr {
        // SAFETY: INVARIANT, HTTP-SESSION: the session of this request.
        let text = unsafe { ffi::shim_http_remote(self.session) };
        // SAFETY: HOST-STRINGS: a C string of this thread's buffer, which is read at once.
        let text = text_of(unsafe { text::bytes(text) }).unwrap_or_default();
        // A link-local address of IPv6 may have the interface after it.
        let text = text.split('%').next().unwrap_or_default();
        let address = text.parse().unwrap_or(IpAddr::V6(Ipv6Addr::UNSPECIFIED));
        address.to_canonical()
    }

    /// Whether the request came by TLS.
    pub fn is_secure(&self) -> bool {
        // SAFETY: INVARIANT: the session of this request.
        let stream = unsafe { stream_of(self.session) };
        // SAFETY: HTTP-SESSION: the stream of a request is open.
        unsafe { !ffi::ast_iostream_get_ssl(stream).is_null() }
    }

    /// The length of the body in bytes, by its header; 0 without the header.
    pub fn content_length(&self) -> u64 {
        let length = self.header("Content-Length");
        length.map_or(0, |length| length.trim().parse().unwrap_or(u64::MAX))
    }

    /// Checks by the headers that there is a body of at most `limit` bytes. A body in chunks
    /// may be longer than that, and may be empty.
    ///
    /// # Errors
    /// There is no body, or it is too long.
    pub fn check_body(&self, limit: usize) -> Result<(), NoBody> {
        let chunked = self.header("Transfer-Encoding");
        if self.content_length() > limit as u64 {
            return Err(NoBody::TooLarge);
        }
        if self.content_length() == 0 && chunked.is_none() {
            return Err(NoBody::Empty);
        }
        Ok(())
    }

    /// The body, which has to be JSON of at most `limit` bytes; it can be read once. A body
    /// that [`Request::check_body`] refuses is not read; the server itself reads a body in
    /// chunks up to a limit of its own.
    ///
    /// # Errors
    /// There is no body, or it is too long or not JSON.
    pub fn json(&self, limit: usize) -> Result<String, NoBody> {
        self.check_body(limit)?;
        let mut body = ptr::null_mut();
        // SAFETY: INVARIANT, HTTP-SESSION: session and headers of this request, and a place
        // for a string.
        let error = unsafe { ffi::shim_http_json(self.session, self.raw_headers, &raw mut body) };
        // SAFETY: HOST-ALLOCATOR: NULL, or a copy for the caller to free.
        let body = unsafe { text::AstString::from_raw(body) };
        match (error, body) {
            (0, None) => Err(NoBody::Empty),
            (0, Some(body)) if body.bytes().len() > limit => Err(NoBody::TooLarge),
            (0, Some(body)) => body.to_utf8().map_err(|_| NoBody::Broken),
            (libc::EFBIG, _) => Err(NoBody::TooLarge),
            _ => Err(NoBody::Broken),
        }
    }

    /// The manager session over HTTP that the cookie `mansession_id` names; there need not be
    /// such a session. 0 without the cookie.
    pub fn manager_session(&self) -> ManagerSession {
        // SAFETY: INVARIANT: the headers of this request.
        ManagerSession(unsafe { ffi::ast_http_manid_from_vars(self.raw_headers) })
    }
}

/// The number of a manager session over HTTP. Each method looks through all sessions.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ManagerSession(pub u32);

impl ManagerSession {
    /// Whether there is such a session and a user has logged in to it.
    pub fn is_authenticated(self) -> bool {
        // SAFETY: HOST-GLOBALS: it takes any number, and the core's own locks.
        unsafe { ffi::astman_is_authed(self.0) != 0 }
    }

    /// Whether the user may receive events of the class.
    pub fn may_read(self, class: Class) -> bool {
        // SAFETY: HOST-GLOBALS: as above.
        unsafe { ffi::astman_verify_session_readpermissions(self.0, class.flag()) != 0 }
    }

    /// Whether the user may run actions of the class.
    pub fn may_write(self, class: Class) -> bool {
        // SAFETY: HOST-GLOBALS: as above.
        unsafe { ffi::astman_verify_session_writepermissions(self.0, class.flag()) != 0 }
    }
}

fn text_of(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok()
}

/// The byte before the path: the slash, or the end of the site's name.
///
/// # Safety
/// `path` is the path of a request below a site, whose name is not empty.
unsafe fn before(path: *const c_char) -> u8 {
    // SAFETY: CALLER, HTTP-PATH: the path is a part of the request's line.
    let before = unsafe { path.sub(1) };
    // SAFETY: CALLER, HTTP-PATH: as above.
    unsafe { before.cast::<u8>().read() }
}
