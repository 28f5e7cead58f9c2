//! An answer that is written piece by piece: `asterisk/iostream.h`, and the socket below it.

use std::ffi::c_int;
use std::io;
use std::ptr::NonNull;

use super::{HttpVisit, ffi};
use crate::log;

/// The longest time, in milliseconds, for one write: a reader that receives nothing for so
/// long is gone.
const WRITE_TIMEOUT: i32 = 5_000;

/// The longest time, in milliseconds, without an acknowledgement by the other side's kernel:
/// the network has failed, or the reader receives nothing.
const UNACKNOWLEDGED: c_int = 30_000;

/// The connection that an answer is written to piece by piece.
///
/// The caller must hold no lock while it writes: a reader that does not read delays it.
///
/// # Invariants
/// The stream is open and this thread's alone for `'a`.
#[derive(Debug)]
pub struct Stream<'a> {
    raw: NonNull<ffi::ast_iostream>,
    failed: bool,
    dropped: bool,
    visit: &'a HttpVisit,
}

/// The reader is gone, or reads too slowly: nothing more can be written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ReaderGone;

impl<'a> Stream<'a> {
    /// # Safety
    /// `raw` is an open stream that nobody else uses for `'a`.
    pub(super) unsafe fn new(raw: NonNull<ffi::ast_iostream>, visit: &'a HttpVisit) -> Self {
        let stream = Stream {
            raw,
            failed: false,
            dropped: false,
            visit,
        };
        if let Err(why) = stream.limit_unacknowledged() {
            log::warning(format_args!(
                "A connection whose network fails will be noticed late only: {why}"
            ));
        }
        stream
    }

    fn fd(&self) -> c_int {
        // SAFETY: INVARIANT: an open stream.
        unsafe { ffi::ast_iostream_get_fd(self.raw.as_ptr()) }
    }

    /// Sets the limit of [`UNACKNOWLEDGED`]. Linux by default waits about a quarter of an hour.
    fn limit_unacknowledged(&self) -> io::Result<()> {
        let time = UNACKNOWLEDGED;
        // SAFETY: SYSTEM-CALLS: it reads an integer of the length given; for a descriptor that
        // is not of TCP it is an error.
        let result = unsafe {
            libc::setsockopt(
                self.fd(),
                libc::IPPROTO_TCP,
                libc::TCP_USER_TIMEOUT,
                (&raw const time).cast(),
                size_of_val(&time) as libc::socklen_t,
            )
        };
        match result {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    }

    /// Writes all of `bytes`; waits at most five seconds for a slow reader.
    ///
    /// # Errors
    /// The reader is gone or does not read, now or in an earlier call.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), ReaderGone> {
        if self.failed {
            return Err(ReaderGone);
        }
        let raw = self.raw.as_ptr();
        // The time begins with each call.
        // SAFETY: INVARIANT: an open stream of this thread's.
        unsafe { ffi::ast_iostream_set_timeout_inactivity(raw, WRITE_TIMEOUT) };
        // SAFETY: INVARIANT: as above; it reads so many bytes.
        let written = unsafe { ffi::ast_iostream_write(raw, bytes.as_ptr().cast(), bytes.len()) };
        // After a part of the bytes, no later ones could be told from the missing rest.
        self.failed = usize::try_from(written) != Ok(bytes.len());
        if !self.failed {
            return Ok(());
        }
        let why = io::Error::last_os_error();
        // A reader that has not hung up receives nothing, or has not for too long.
        self.dropped |= is_vanished(why.raw_os_error()) || !self.hung_up();
        Err(ReaderGone)
    }

    /// Whether the reader did not leave but was given up: it received nothing for too long, or
    /// its network has failed.
    pub fn was_dropped(&self) -> bool {
        self.dropped
    }

    /// The number of bytes written that the other side's kernel has not acknowledged yet. Over
    /// TLS there are some more than were given to [`Stream::write`].
    pub fn unacknowledged(&self) -> u64 {
        let mut bytes: c_int = 0;
        // SAFETY: SYSTEM-CALLS: it writes an integer.
        let result = unsafe { libc::ioctl(self.fd(), libc::TIOCOUTQ, &raw mut bytes) };
        match result {
            0 => u64::try_from(bytes).unwrap_or(0),
            _ => 0,
        }
    }

    /// Whether the reader is gone, as far as is known, or the site is closing. It does not
    /// wait.
    pub fn gone(&mut self) -> bool {
        if self.failed || self.visit.state.is_closing() {
            return true;
        }
        let gone = self.hung_up();
        if gone {
            self.dropped |= is_vanished(self.take_error());
        }
        gone
    }

    /// The error that has ended the connection; the system reports it once.
    fn take_error(&self) -> Option<c_int> {
        let mut error: c_int = 0;
        let mut length = size_of_val(&error) as libc::socklen_t;
        // SAFETY: SYSTEM-CALLS: it writes an integer of the length given.
        let result = unsafe {
            libc::getsockopt(
                self.fd(),
                libc::SOL_SOCKET,
                libc::SO_ERROR,
                (&raw mut error).cast(),
                &raw mut length,
            )
        };
        (result == 0).then_some(error)
    }

    fn hung_up(&self) -> bool {
        let mut poll = libc::pollfd {
            fd: self.fd(),
            events: libc::POLLRDHUP,
            revents: 0,
        };
        // SAFETY: SYSTEM-CALLS: one structure; it does not wait.
        let found = unsafe { libc::poll(&raw mut poll, 1, 0) };
        found > 0
    }
}

/// Whether it is the error of a connection whose other side does not respond any more.
fn is_vanished(error: Option<c_int>) -> bool {
    let vanished = [libc::ETIMEDOUT, libc::EHOSTUNREACH, libc::ENETUNREACH];
    error.is_some_and(|error| vanished.contains(&error))
}
