//! An answer that goes on.

use std::ffi::c_int;
use std::io;
use std::marker::PhantomData;
use std::ptr::NonNull;

use super::{Visit, closing, ffi};
use crate::log;

/// How long, in milliseconds, one write may take: a reader that takes nothing for so long
/// is gone.
const WRITE_TIMEOUT: i32 = 5_000;

/// How long, in milliseconds, what was sent may stay without the other side's kernel saying
/// that it came: the network has vanished, or the reader takes nothing.
const UNACKNOWLEDGED: c_int = 30_000;

/// The connection that an answer is written to piece by piece.
///
/// Hold no lock while writing: a reader that does not read holds it up.
#[derive(Debug)]
pub struct Stream<'a> {
    raw: NonNull<ffi::ast_iostream>,
    failed: bool,
    dropped: bool,
    session: PhantomData<&'a mut Visit>,
}

/// The reader is gone, or reads too slowly: nothing more can be written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Gone;

impl Stream<'_> {
    /// Of a live stream that nobody else uses until this is dropped.
    pub(super) fn new(raw: NonNull<ffi::ast_iostream>) -> Self {
        let stream = Stream {
            raw,
            failed: false,
            dropped: false,
            session: PhantomData,
        };
        if let Err(why) = stream.limit_unacknowledged() {
            log::warning(format_args!(
                "A connection whose network vanishes is noticed late only: {why}"
            ));
        }
        stream
    }

    fn fd(&self) -> c_int {
        // SAFETY: a live stream.
        unsafe { ffi::ast_iostream_get_fd(self.raw.as_ptr()) }
    }

    /// By default Linux waits for about a quarter of an hour.
    fn limit_unacknowledged(&self) -> io::Result<()> {
        let time = UNACKNOWLEDGED;
        // SAFETY: it reads an integer of the length given; another descriptor than one of TCP
        // is an error.
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

    /// Writes all of it; waits at most a few seconds for a reader that is slow.
    ///
    /// # Errors
    /// Where the reader is gone or does not read, now or before.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), Gone> {
        if self.failed {
            return Err(Gone);
        }
        let raw = self.raw.as_ptr();
        // SAFETY: a live stream that is ours alone; it reads so many bytes. The time runs
        // anew with each call.
        let written = unsafe {
            ffi::ast_iostream_set_timeout_inactivity(raw, WRITE_TIMEOUT);
            ffi::ast_iostream_write(raw, bytes.as_ptr().cast(), bytes.len())
        };
        // A part of it is as bad as nothing: the rest cannot be told from what follows.
        self.failed = usize::try_from(written) != Ok(bytes.len());
        if !self.failed {
            return Ok(());
        }
        let why = io::Error::last_os_error();
        // It is there and takes nothing, or it was so long ago that it took something.
        self.dropped |= is_vanished(why.raw_os_error()) || !self.hung_up();
        Err(Gone)
    }

    /// Whether the reader was given up, and did not go: it took nothing for too long, or its
    /// network has vanished.
    pub fn was_dropped(&self) -> bool {
        self.dropped
    }

    /// How many bytes were written, and not taken yet by the other side's kernel. Over TLS
    /// these are some more than those that were given to [`Stream::write`].
    pub fn unacknowledged(&self) -> u64 {
        let mut bytes: c_int = 0;
        // SAFETY: it writes an integer, which is ours.
        let result = unsafe { libc::ioctl(self.fd(), libc::TIOCOUTQ, &raw mut bytes) };
        match result {
            0 => u64::try_from(bytes).unwrap_or(0),
            _ => 0,
        }
    }

    /// Whether the reader has gone, as far as is known, or the site is going. It does not
    /// wait.
    pub fn gone(&mut self) -> bool {
        if self.failed || closing() {
            return true;
        }
        let gone = self.hung_up();
        if gone {
            self.dropped |= is_vanished(self.take_error());
        }
        gone
    }

    /// The error that has ended the connection, given once.
    fn take_error(&self) -> Option<c_int> {
        let mut error: c_int = 0;
        let mut length = size_of_val(&error) as libc::socklen_t;
        // SAFETY: it writes an integer of the length given, both ours.
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
        // SAFETY: one structure, which is ours; no time to wait.
        let found = unsafe { libc::poll(&raw mut poll, 1, 0) };
        found > 0
    }
}

/// Whether it is the error of a connection whose other side says nothing any more.
fn is_vanished(error: Option<c_int>) -> bool {
    let vanished = [libc::ETIMEDOUT, libc::EHOSTUNREACH, libc::ENETUNREACH];
    error.is_some_and(|error| vanished.contains(&error))
}
