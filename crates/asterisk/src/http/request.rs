//! What is asked for.

use std::ffi::c_char;
use std::net::{IpAddr, Ipv6Addr};

use super::wire;
use super::{ffi, ptr, text};
use crate::manager::Class;

/// What is to be done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Method {
    /// `GET`.
    Get,
    /// `HEAD`.
    Head,
    /// `POST`.
    Post,
    /// `PUT`.
    Put,
    /// `DELETE`.
    Delete,
    /// `OPTIONS`.
    Options,
    /// Any other method.
    Other,
}

impl Method {
    fn from_raw(raw: ffi::ast_http_method) -> Self {
        match raw {
            ffi::AST_HTTP_GET => Method::Get,
            ffi::AST_HTTP_HEAD => Method::Head,
            ffi::AST_HTTP_POST => Method::Post,
            ffi::AST_HTTP_PUT => Method::Put,
            ffi::AST_HTTP_DELETE => Method::Delete,
            ffi::AST_HTTP_OPTIONS => Method::Options,
            _ => Method::Other,
        }
    }

    pub(super) fn raw(self) -> ffi::ast_http_method {
        match self {
            Method::Get => ffi::AST_HTTP_GET,
            Method::Head => ffi::AST_HTTP_HEAD,
            Method::Post => ffi::AST_HTTP_POST,
            Method::Put => ffi::AST_HTTP_PUT,
            Method::Delete => ffi::AST_HTTP_DELETE,
            Method::Options => ffi::AST_HTTP_OPTIONS,
            Method::Other => ffi::AST_HTTP_UNKNOWN,
        }
    }

    /// The name, as it stands in a request.
    pub fn name(self) -> &'static str {
        match self {
            Method::Get => "GET",
            Method::Head => "HEAD",
            Method::Post => "POST",
            Method::Put => "PUT",
            Method::Delete => "DELETE",
            Method::Options => "OPTIONS",
            Method::Other => "other",
        }
    }
}

/// Why there is no body.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NoBody {
    /// There is none, or an empty one.
    Empty,
    /// It is not said to be JSON.
    OtherType,
    /// It is longer than the limit.
    TooLarge,
    /// It ends too early, is no JSON, or no text.
    Broken,
}

/// A request. It is only good on the thread that it came on.
#[derive(Debug)]
pub struct Request<'a> {
    session: *mut ffi::ast_tcptls_session_instance,
    raw_headers: *mut ffi::ast_variable,
    method: Method,
    /// Below the site; `None` where it cannot be read.
    segments: Option<Vec<String>>,
    bare: bool,
    query: Vec<(&'a [u8], &'a [u8])>,
    headers: Vec<(&'a [u8], &'a [u8])>,
}

impl<'a> Request<'a> {
    /// # Safety
    /// A session of the HTTP server's that is ours for `'a`, and of its current request:
    /// the path below the site as it came, and lists of variables.
    pub(super) unsafe fn new(
        session: *mut ffi::ast_tcptls_session_instance,
        path: *const c_char,
        method: ffi::ast_http_method,
        query: *mut ffi::ast_variable,
        headers: *mut ffi::ast_variable,
    ) -> Self {
        // SAFETY: a C string, the caller says.
        let below = unsafe { text::bytes(path) };
        // `/site` and `/site/` have the same path below, which makes a difference to links
        // in a page. It is a part of the request's line, and what stands before it is the
        // slash or the end of the site's name.
        // SAFETY: the site's name, never empty, stands before it.
        let bare = below.is_empty() && unsafe { path.sub(1).cast::<u8>().read() } != b'/';
        // SAFETY: lists that live for `'a`, the caller says.
        let (query, listed) = unsafe { (list(query), list(headers)) };
        Request {
            session,
            raw_headers: headers,
            method: Method::from_raw(method),
            segments: wire::segments(below),
            bare,
            query,
            headers: listed,
        }
    }

    pub(crate) fn session(&self) -> *mut ffi::ast_tcptls_session_instance {
        self.session
    }

    /// What is to be done.
    pub fn method(&self) -> Method {
        self.method
    }

    /// The parts of the path below the site, decoded; the last one is empty where it ends
    /// in a slash, and the path of the site itself is one empty part. `None` where it is not
    /// UTF-8, or has control characters.
    pub fn segments(&self) -> Option<&[String]> {
        self.segments.as_deref()
    }

    /// A part of the path; empty where there is none.
    pub fn segment(&self, index: usize) -> &str {
        let segments = self.segments.as_deref().unwrap_or_default();
        segments.get(index).map_or("", String::as_str)
    }

    /// Whether it asks for the site without the slash at its end.
    pub fn is_bare(&self) -> bool {
        self.bare
    }

    /// The names and values of the query, in order, decoded; `None` for what is not UTF-8.
    pub fn query(&self) -> impl Iterator<Item = Option<(&'a str, &'a str)>> {
        self.query
            .iter()
            .map(|(name, value)| Some((text_of(name)?, text_of(value)?)))
    }

    /// The first header of that name; `None` where it is not UTF-8.
    pub fn header(&self, name: &str) -> Option<&'a str> {
        self.header_values(name).next()?
    }

    /// All headers of that name, in the order in which they came; `None` for one that is not
    /// UTF-8.
    pub fn header_values(&self, name: &str) -> impl DoubleEndedIterator<Item = Option<&'a str>> {
        let same = |found: &&(&[u8], &[u8])| found.0.eq_ignore_ascii_case(name.as_bytes());
        let found = self.headers.iter().filter(same);
        found.map(|(_, value)| text_of(value))
    }

    /// A cookie.
    pub fn cookie(&self, name: &str) -> Option<&'a str> {
        wire::cookie(self.header("Cookie")?, name)
    }

    /// Name and password of HTTP's Basic authentication.
    pub fn basic(&self) -> Option<(String, String)> {
        wire::basic(self.header("Authorization")?)
    }

    /// Where the connection comes from; an IPv4 address that came by an IPv6 socket is an IPv4 address.
    pub fn remote(&self) -> IpAddr {
        // SAFETY: the session of this request; what it returns is a C string of this
        // thread's that is copied at once.
        let text = unsafe { text::bytes(ffi::res_userpresence_http_remote(self.session)) };
        let text = text_of(text).unwrap_or_default();
        // A local address of IPv6 may have the interface after it.
        let text = text.split('%').next().unwrap_or_default();
        let address = text.parse().unwrap_or(IpAddr::V6(Ipv6Addr::UNSPECIFIED));
        address.to_canonical()
    }

    /// Whether it came by TLS.
    pub fn is_secure(&self) -> bool {
        // SAFETY: the session of this request, whose stream is open.
        unsafe { !ffi::ast_iostream_get_ssl((*self.session).stream).is_null() }
    }

    /// How long the body is said to be.
    pub(super) fn content_length(&self) -> u64 {
        let length = self.header("Content-Length");
        length.map_or(0, |length| length.trim().parse().unwrap_or(u64::MAX))
    }

    /// The body, which has to be JSON of at most `limit` bytes; it is read once. What is
    /// too long is not read at all, unless it comes in chunks, which the server reads up
    /// to a limit of its own.
    ///
    /// # Errors
    /// Says why there is none.
    pub fn body(&self, limit: usize) -> Result<String, NoBody> {
        let kind = self.header("Content-Type").unwrap_or_default();
        let chunked = self.header("Transfer-Encoding");
        if self.content_length() > limit as u64 {
            return Err(NoBody::TooLarge);
        }
        if self.content_length() == 0 && chunked.is_none() {
            return Err(NoBody::Empty);
        }
        if !wire::is_json(kind) {
            return Err(NoBody::OtherType);
        }
        let mut body = ptr::null_mut();
        // SAFETY: session and headers are those of this request; the text becomes ours.
        let (error, body) = unsafe {
            let error =
                ffi::res_userpresence_http_json(self.session, self.raw_headers, &raw mut body);
            (error, text::Owned::new(body))
        };
        match (error, body) {
            (0, None) => Err(NoBody::Empty),
            (0, Some(body)) if body.bytes().len() > limit => Err(NoBody::TooLarge),
            (0, Some(body)) => {
                let body = String::from_utf8(body.bytes().to_vec());
                body.map_err(|_| NoBody::Broken)
            }
            (libc::EFBIG, _) => Err(NoBody::TooLarge),
            _ => Err(NoBody::Broken),
        }
    }

    /// The manager session over HTTP that its cookie names, which there may be or not; `None`
    /// without that cookie.
    pub fn manager_session(&self) -> Option<ManagerSession> {
        self.cookie("mansession_id")?;
        // SAFETY: the headers of this request.
        let number = unsafe { ffi::ast_http_manid_from_vars(self.raw_headers) };
        Some(ManagerSession(number))
    }
}

/// The number of a manager session over HTTP. Each question looks through all sessions.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ManagerSession(pub u32);

impl ManagerSession {
    /// Whether there is such a session, and somebody has logged in.
    pub fn is_authenticated(self) -> bool {
        // SAFETY: it takes any number.
        unsafe { ffi::astman_is_authed(self.0) != 0 }
    }

    /// Whether it may hear events of the class.
    pub fn may_read(self, class: Class) -> bool {
        // SAFETY: it takes any number.
        unsafe { ffi::astman_verify_session_readpermissions(self.0, class.flag()) != 0 }
    }

    /// Whether it may run actions of the class.
    pub fn may_write(self, class: Class) -> bool {
        // SAFETY: it takes any number.
        unsafe { ffi::astman_verify_session_writepermissions(self.0, class.flag()) != 0 }
    }
}

fn text_of(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok()
}

/// # Safety
/// A list of variables that does not change for `'a`, or NULL.
unsafe fn list<'a>(mut next: *mut ffi::ast_variable) -> Vec<(&'a [u8], &'a [u8])> {
    let mut listed = Vec::new();
    while !next.is_null() {
        // SAFETY: a live variable, whose name and value are C strings.
        unsafe {
            let (name, value) = (text::bytes((*next).name), text::bytes((*next).value));
            listed.push((name, value));
            next = (*next).next;
        }
    }
    listed
}
