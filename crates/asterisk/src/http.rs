//! Asterisk's HTTP server: one site below its prefix.
//!
//! Each connection has a thread of the server's, on which requests are answered one after
//! the other; a stream keeps it. The server's own limits hold: `sessionlimit` connections
//! at a time, lines up to 4 kB, 100 headers, half a minute of waiting for what does not
//! come.

mod reply;
mod request;
mod stream;
pub mod wire;

use std::ffi::{CStr, c_char, c_int};
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::ptr;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex, MutexGuard};

use super::guard::guard;
use super::{Error, ffi, log, text};

pub use reply::{Body, Reply};
pub use request::{ManagerSession, Method, NoBody, Request};
pub use stream::{Gone, Stream};

/// What is served.
pub trait Site: 'static {
    /// The first part of its path, below the server's prefix.
    const NAME: &'static CStr;
    /// What it is, in a few words.
    const DESCRIPTION: &'static CStr;

    /// Answers a request, on a thread of its connection's. It may take its time, but an
    /// unload waits for it for ten seconds only, and for the other end's part of it not at
    /// all.
    fn answer(request: &Request<'_>) -> Reply;

    /// [`closing`] holds from now on: wakes the streams that wait for something.
    fn wake_streams();
}

/// A [`Site`] that is served; dropping it ends the streams and waits for the requests.
#[derive(Debug)]
#[must_use = "dropping it takes it back"]
pub struct Registration {
    link: Link,
    wake_streams: fn(),
}

/// How long a drop waits for the requests in flight.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long the other ends have to take their answers, of that.
const TAKING: Duration = Duration::from_secs(1);

/// The server looks at it until it is unlinked, and a request that it has just begun a
/// little longer: so it is made once and stays.
#[derive(Clone, Copy, Debug)]
struct Link(*mut ffi::ast_http_uri);

// SAFETY: only the server changes it, under a lock of its own.
unsafe impl Send for Link {}
// SAFETY: as above.
unsafe impl Sync for Link {}

static LINK: OnceLock<Link> = OnceLock::new();

/// Who is in here. The server counts nobody, and unlinking waits for nobody.
struct Inside {
    open: bool,
    /// By number, with a handle of our own of the socket: the server closes its own while
    /// it answers. There is none where the system has no more.
    requests: Vec<(u64, Option<OwnedFd>)>,
    begun: u64,
    streams: usize,
}

impl Inside {
    /// Has nobody wait for what does not come, or is not taken. What has come already can
    /// still be read.
    fn shut(&self, how: c_int) {
        for socket in self
            .requests
            .iter()
            .filter_map(|(_, socket)| socket.as_ref())
        {
            // SAFETY: an open socket; no memory is touched.
            unsafe { libc::shutdown(socket.as_raw_fd(), how) };
        }
    }
}

static INSIDE: Mutex<Inside> = Mutex::new(Inside {
    open: false,
    requests: Vec::new(),
    begun: 0,
    streams: 0,
});
static LEFT: Condvar = Condvar::new();

impl Registration {
    /// Serves `S`. Where Asterisk's HTTP server is off, that waits until it is on.
    ///
    /// # Errors
    /// Where the server refuses.
    pub fn new<S: Site>() -> Result<Self, Error> {
        let link = *LINK.get_or_init(|| {
            // SAFETY: all zero is a valid value of this structure of C.
            let mut uri: ffi::ast_http_uri = unsafe { std::mem::zeroed() };
            uri.description = S::DESCRIPTION.as_ptr();
            uri.uri = S::NAME.as_ptr();
            uri.callback = Some(answer::<S>);
            uri.key = S::NAME.as_ptr();
            uri.set_has_subtree(1);
            // Decoded before it is split, a slash in a name would be another one.
            uri.set_no_decode_uri(1);
            Link(Box::into_raw(Box::new(uri)))
        });
        INSIDE.lock().open = true;
        // SAFETY: it stays for as long as the process, as all that it points to, and is
        // linked once: the drop of the registration before has unlinked it.
        if unsafe { ffi::ast_http_uri_link(link.0) } != 0 {
            INSIDE.lock().open = false;
            return Err(Error::new("Asterisk's HTTP server refuses us"));
        }
        Ok(Registration {
            link,
            wake_streams: S::wake_streams,
        })
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        // SAFETY: linked in `new`, unlinked once.
        unsafe { ffi::ast_http_uri_unlink(self.link.0) };
        INSIDE.lock().open = false;
        (self.wake_streams)();
        let begin = Instant::now();
        let mut inside = INSIDE.lock();
        // Half a request, which anybody can send, holds up nobody: its other half has no
        // part in what comes of it.
        inside.shut(libc::SHUT_RD);
        if wait(&mut inside, begin + TAKING) {
            return;
        }
        inside.shut(libc::SHUT_RDWR);
        if wait(&mut inside, begin + PATIENCE) {
            return;
        }
        let left = inside.requests.len();
        drop(inside);
        log::warning(format_args!(
            "{left} HTTP requests do not end and are left behind"
        ));
    }
}

/// Waits until all requests have left; says whether they have.
fn wait(inside: &mut MutexGuard<'_, Inside>, end: Instant) -> bool {
    while !inside.requests.is_empty() {
        if LEFT.wait_until(inside, end).timed_out() {
            return inside.requests.is_empty();
        }
    }
    true
}

/// Whether the site is going: streams are to end.
pub fn closing() -> bool {
    !INSIDE.lock().open
}

/// How many streams there are.
pub fn streams() -> usize {
    INSIDE.lock().streams
}

/// The server's prefix for all paths, such as `/asterisk`; empty for none.
pub fn prefix() -> String {
    // The server itself has room for 80.
    let mut buffer = [0u8; 128];
    // SAFETY: it writes a C string of at most that length.
    unsafe { ffi::ast_http_prefix(buffer.as_mut_ptr().cast(), buffer.len() as c_int) };
    let text = CStr::from_bytes_until_nul(&buffer).unwrap_or_default();
    text.to_string_lossy().into_owned()
}

/// A request or a stream that is counted while it is in here.
struct Visit {
    /// The number of a request.
    request: Option<u64>,
}

impl Visit {
    /// `None` where the site is going.
    fn of_request(socket: Option<OwnedFd>) -> Option<Self> {
        let mut inside = INSIDE.lock();
        if !inside.open {
            return None;
        }
        inside.begun += 1;
        let number = inside.begun;
        inside.requests.push((number, socket));
        Some(Visit {
            request: Some(number),
        })
    }

    /// `None` where the site is going.
    fn of_stream() -> Option<Self> {
        let mut inside = INSIDE.lock();
        if !inside.open {
            return None;
        }
        inside.streams += 1;
        Some(Visit { request: None })
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        let mut inside = INSIDE.lock();
        match self.request {
            None => inside.streams -= 1,
            Some(number) => inside.requests.retain(|(known, _)| *known != number),
        }
        LEFT.notify_all();
    }
}

/// A handle of our own of the connection's socket.
///
/// # Safety
/// A live session, whose stream is open.
unsafe fn socket(session: *mut ffi::ast_tcptls_session_instance) -> Option<OwnedFd> {
    // SAFETY: a live session, as the caller says, whose socket is open until after the copy.
    let socket = unsafe {
        let raw = ffi::ast_iostream_get_fd((*session).stream);
        (raw >= 0).then(|| BorrowedFd::borrow_raw(raw))
    };
    socket?.try_clone_to_owned().ok()
}

unsafe extern "C" fn answer<S: Site>(
    session: *mut ffi::ast_tcptls_session_instance,
    _: *const ffi::ast_http_uri,
    path: *const c_char,
    method: ffi::ast_http_method,
    query: *mut ffi::ast_variable,
    headers: *mut ffi::ast_variable,
) -> c_int {
    // What a panic leaves behind is a connection in an unknown state: it is closed.
    guard(-1, || {
        // SAFETY: the server passes what lives through the call and is this thread's
        // alone; the path is a part of the request's first line, below our name.
        let request = unsafe { Request::new(session, path, method, query, headers) };
        // SAFETY: the session of the request that is being answered.
        let socket = unsafe { socket(session) };
        let Some(_visit) = Visit::of_request(socket) else {
            // SAFETY: the session of the request that is being answered.
            return unsafe { reply::closing().send(session, &request) };
        };
        // A panic while answering still gives an answer.
        let reply = guard(reply::internal_error(), || S::answer(&request));
        // SAFETY: as above.
        unsafe { reply.send(session, &request) }
    })
}
