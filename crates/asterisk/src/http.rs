//! Asterisk's HTTP server and a site below its prefix: `asterisk/http.h`,
//! `asterisk/tcptls.h`.
//!
//! Each connection has a thread of the server's, which answers its requests one after the
//! other; a stream occupies the thread. The server's own limits apply: `sessionlimit`
//! connections at a time, lines up to 4 kB, 100 headers, and half a minute of waiting for the
//! rest of a request.

mod reply;
mod request;
mod stream;

use std::ffi::{CStr, c_char, c_int};
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::ptr::{self, NonNull};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex, MutexGuard};

use super::guard::guard;
use super::{Error, ffi, log, slack, text};

pub use reply::{Reply, ReplyBody};
pub use request::{HttpMethod, ManagerSession, NoBody, Request};
pub use stream::{ReaderGone, Stream};

/// A site.
pub trait Site: 'static {
    /// The first part of the site's path, below the server's prefix; not empty.
    const NAME: &'static CStr;
    /// What the site is, in a few words.
    const DESCRIPTION: &'static CStr;

    /// The site's own static.
    fn state() -> &'static SiteState;

    /// Answers a request, in the thread of its connection. It may take its time; but the drop
    /// of a [`SiteRegistration`] waits ten seconds for it, and does not wait for the client's
    /// part of it.
    fn answer(request: &Request<'_>) -> Reply;

    /// The answer to a request that comes while the site is closing.
    fn closing() -> Reply;

    /// The answer after a panic in [`Site::answer`].
    fn internal_error() -> Reply;

    /// Wakes the streams that wait for something: [`SiteState::is_closing`] holds from now on.
    fn wake_streams();
}

/// How long a drop waits for the requests in progress.
const PATIENCE: Duration = Duration::from_secs(10);

/// The part of that time for clients to receive their answers.
const RECEIVING: Duration = Duration::from_secs(1);

/// The state of a [`Site`] for as long as the process lives: whether it is open, and its
/// requests and streams. The server counts no requests, and unlinking waits for none.
#[derive(Debug)]
pub struct SiteState {
    /// Made by the first registration.
    link: OnceLock<SiteLink>,
    inside: Mutex<Inside>,
    left: Condvar,
}

/// What the server links into its list. The server reads it until it is unlinked, and for a
/// request that has just begun a little longer: so it is made once, and never freed or
/// initialised again.
///
/// # Invariants
/// The pointer is to a structure that is never freed (LINKED-FOREVER). Only the server changes
/// it, under a lock of its own.
#[derive(Clone, Copy, Debug)]
struct SiteLink(*mut ffi::ast_http_uri);

// SAFETY: INVARIANT: the server guards it.
unsafe impl Send for SiteLink {}
// SAFETY: INVARIANT: as above.
unsafe impl Sync for SiteLink {}

#[derive(Debug)]
struct Inside {
    open: bool,
    /// The requests in progress, by number, with a duplicate of their sockets: the server
    /// closes its own while it answers. Without free descriptors there is none.
    requests: Vec<(u64, Option<OwnedFd>)>,
    begun: u64,
    streams: usize,
}

impl Inside {
    /// Shuts the sockets down, so that no request waits for its client. Data that has already
    /// arrived can still be read.
    fn shut(&self, how: c_int) {
        let sockets = self.requests.iter();
        for socket in sockets.filter_map(|(_, socket)| socket.as_ref()) {
            // SAFETY: SYSTEM-CALLS: an open socket; it touches no memory.
            unsafe { libc::shutdown(socket.as_raw_fd(), how) };
        }
    }
}

impl SiteState {
    /// The state of a closed site.
    #[expect(clippy::new_without_default, reason = "for statics")]
    pub const fn new() -> Self {
        SiteState {
            link: OnceLock::new(),
            inside: Mutex::new(Inside {
                open: false,
                requests: Vec::new(),
                begun: 0,
                streams: 0,
            }),
            left: Condvar::new(),
        }
    }

    /// Whether the site is closing, or closed: streams have to end.
    pub fn is_closing(&self) -> bool {
        !self.inside.lock().open
    }

    /// The number of streams.
    pub fn streams(&self) -> usize {
        self.inside.lock().streams
    }

    /// Waits until all requests have ended; says whether they have.
    fn wait(&self, inside: &mut MutexGuard<'_, Inside>, end: Instant) -> bool {
        while !inside.requests.is_empty() {
            if self.left.wait_until(inside, end).timed_out() {
                return inside.requests.is_empty();
            }
        }
        true
    }
}

/// A registered [`Site`]; dropping it ends the streams and waits for the requests.
///
/// # Invariants
/// The link is in the server's list from `new` until the drop.
#[derive(Debug)]
#[must_use = "dropping it unregisters"]
pub struct SiteRegistration {
    link: SiteLink,
    state: &'static SiteState,
    wake_streams: fn(),
}

impl SiteRegistration {
    /// Serves `S`. While Asterisk's HTTP server is switched off, no requests come.
    ///
    /// # Errors
    /// The server refuses the site.
    pub fn new<S: Site>() -> Result<Self, Error> {
        let state = S::state();
        let link = *state.link.get_or_init(|| {
            // SAFETY: ZERO-VALUE: NULLs and zeros.
            SiteLink(unsafe {
                slack::leak(|uri: &mut ffi::ast_http_uri| {
                    uri.description = S::DESCRIPTION.as_ptr();
                    uri.uri = S::NAME.as_ptr();
                    uri.callback = Some(answer::<S>);
                    uri.key = S::NAME.as_ptr();
                    uri.set_has_subtree(1);
                    // The path is decoded after it is split: an encoded slash does not split it.
                    uri.set_no_decode_uri(1);
                })
            })
        });
        state.inside.lock().open = true;
        // SAFETY: LINKED-FOREVER, MODULE-MAPPED: never freed, with statics and a thunk; the
        // drop of the registration before has unlinked it.
        if unsafe { ffi::ast_http_uri_link(link.0) } != 0 {
            state.inside.lock().open = false;
            return Err(Error::new(format!(
                "Asterisk's HTTP server refuses the site '{}'",
                S::NAME.to_string_lossy()
            )));
        }
        Ok(SiteRegistration {
            link,
            state,
            wake_streams: S::wake_streams,
        })
    }
}

impl Drop for SiteRegistration {
    fn drop(&mut self) {
        // SAFETY: INVARIANT: linked in `new`, unlinked once.
        unsafe { ffi::ast_http_uri_unlink(self.link.0) };
        self.state.inside.lock().open = false;
        (self.wake_streams)();
        let begin = Instant::now();
        let mut inside = self.state.inside.lock();
        // A request whose rest never comes delays the unload no longer.
        inside.shut(libc::SHUT_RD);
        if self.state.wait(&mut inside, begin + RECEIVING) {
            return;
        }
        inside.shut(libc::SHUT_RDWR);
        if self.state.wait(&mut inside, begin + PATIENCE) {
            return;
        }
        let left = inside.requests.len();
        drop(inside);
        log::warning(format_args!(
            "{left} HTTP requests do not end and are left behind"
        ));
    }
}

/// The server's prefix for all paths, such as `/asterisk`; empty for none.
pub fn prefix() -> String {
    // The server itself has room for 80 bytes.
    let mut buffer = [0u8; 128];
    // SAFETY: HOST-COPIES: it writes a C string of at most that length.
    unsafe { ffi::ast_http_prefix(buffer.as_mut_ptr().cast(), buffer.len() as c_int) };
    let text = CStr::from_bytes_until_nul(&buffer).unwrap_or_default();
    text.to_string_lossy().into_owned()
}

/// A request or a stream in progress: it is counted until the drop.
#[derive(Debug)]
struct HttpVisit {
    state: &'static SiteState,
    /// The number of a request; `None` for a stream.
    request: Option<u64>,
}

impl HttpVisit {
    /// `None` while the site is closing.
    fn of_request(state: &'static SiteState, socket: Option<OwnedFd>) -> Option<Self> {
        let mut inside = state.inside.lock();
        if !inside.open {
            return None;
        }
        inside.begun += 1;
        let number = inside.begun;
        inside.requests.push((number, socket));
        Some(HttpVisit {
            state,
            request: Some(number),
        })
    }

    /// `None` while the site is closing.
    fn of_stream(state: &'static SiteState) -> Option<Self> {
        let mut inside = state.inside.lock();
        if !inside.open {
            return None;
        }
        inside.streams += 1;
        Some(HttpVisit {
            state,
            request: None,
        })
    }
}

impl Drop for HttpVisit {
    fn drop(&mut self) {
        let mut inside = self.state.inside.lock();
        match self.request {
            None => inside.streams -= 1,
            Some(number) => inside.requests.retain(|(known, _)| *known != number),
        }
        self.state.left.notify_all();
    }
}

/// The stream of a session.
///
/// # Safety
/// `session` is the session of a request that this thread answers.
unsafe fn stream_of(session: *mut ffi::ast_tcptls_session_instance) -> *mut ffi::ast_iostream {
    // SAFETY: CALLER, HTTP-SESSION: a live session.
    unsafe { (*session).stream }
}

/// A duplicate of a session's socket; `None` without free descriptors.
///
/// # Safety
/// `session` is the session of a request that this thread answers.
unsafe fn socket(session: *mut ffi::ast_tcptls_session_instance) -> Option<OwnedFd> {
    // SAFETY: CALLER: as above.
    let stream = unsafe { stream_of(session) };
    // SAFETY: HTTP-SESSION: the stream of a request is open.
    let raw = unsafe { ffi::ast_iostream_get_fd(stream) };
    if raw < 0 {
        return None;
    }
    // SAFETY: HTTP-SESSION: an open socket, until after it is duplicated.
    let socket = unsafe { BorrowedFd::borrow_raw(raw) };
    socket.try_clone_to_owned().ok()
}

/// # Safety
/// The arguments are those of a site's callback: they live until the thunk returns, and are
/// this thread's alone. The path is a part of the request's line, below the site's name.
unsafe extern "C" fn answer<S: Site>(
    session: *mut ffi::ast_tcptls_session_instance,
    _: *const ffi::ast_http_uri,
    path: *const c_char,
    method: ffi::ast_http_method,
    query: *mut ffi::ast_variable,
    headers: *mut ffi::ast_variable,
) -> c_int {
    let close = || -1;
    // A panic beyond `Site::answer` leaves the connection in an unknown state: it is closed.
    guard(close, || {
        let state = S::state();
        // SAFETY: CALLER, HTTP-SESSION: the arguments of this callback.
        let request = unsafe { Request::new(session, path, method, query, headers) };
        // SAFETY: CALLER, HTTP-SESSION: the session of this request.
        let socket = unsafe { socket(session) };
        let visit = HttpVisit::of_request(state, socket);
        let reply = match visit {
            None => S::closing(),
            Some(_) => guard(S::internal_error, || S::answer(&request)),
        };
        // SAFETY: CALLER, HTTP-SESSION: the session of this request, which is not answered yet.
        unsafe { reply.send(session, &request, state) }
    })
}
