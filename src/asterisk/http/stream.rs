//! An answer that goes on.

use std::marker::PhantomData;
use std::ptr::NonNull;

use super::{Visit, closing, ffi};

/// How long, in milliseconds, one write may take: a reader that takes nothing for so long
/// is gone.
const WRITE_TIMEOUT: i32 = 5_000;

/// The connection that an answer is written to piece by piece.
///
/// Hold no lock while writing: a reader that does not read holds it up.
#[derive(Debug)]
pub struct Stream<'a> {
    raw: NonNull<ffi::ast_iostream>,
    failed: bool,
    session: PhantomData<&'a mut Visit>,
}

/// The reader is gone, or reads too slowly: nothing more can be written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Gone;

impl Stream<'_> {
    /// Of a live stream that nobody else uses until this is dropped.
    pub(super) fn new(raw: NonNull<ffi::ast_iostream>) -> Self {
        Stream {
            raw,
            failed: false,
            session: PhantomData,
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
        if self.failed { Err(Gone) } else { Ok(()) }
    }

    /// Whether the reader has gone, as far as is known, or the site is going. It does not
    /// wait.
    pub fn gone(&self) -> bool {
        if self.failed || closing() {
            return true;
        }
        // SAFETY: a live stream.
        let fd = unsafe { ffi::ast_iostream_get_fd(self.raw.as_ptr()) };
        let mut poll = libc::pollfd {
            fd,
            events: libc::POLLRDHUP,
            revents: 0,
        };
        // SAFETY: one structure, which is ours; no time to wait.
        let found = unsafe { libc::poll(&raw mut poll, 1, 0) };
        found > 0
    }
}
