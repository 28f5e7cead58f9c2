//! The slots of readers of events.

use std::time::Duration;

use super::answer::later;
use super::{HttpCaller, Reply, error};
use crate::runtime;
use crate::runtime::sessions::reader_slots::{ReaderSlot, SlotLimits, SlotsFull};
use crate::runtime::store;

/// When to come again.
const RETRY: Duration = Duration::from_secs(5);

/// A slot for one more reader of that account, until it is dropped. Where there are several
/// accounts, one may have half of the slots; a caller has a limit of its own.
///
/// # Errors
/// Answers 503 where there is none, 429 where the caller has all it may have.
pub fn take(account: &str, caller: &HttpCaller) -> Result<ReaderSlot, Reply> {
    let limits = store::read(|world| {
        let directory = world.directory();
        let http = &directory.settings.http;
        SlotLimits {
            all: http.readers,
            account: match directory.accounts().len() {
                0 | 1 => http.readers,
                _ => http.readers.div_ceil(2),
            },
            caller: http.readers_each,
        }
    });
    let limits = limits.unwrap_or_default();
    let runtime = runtime::current().ok_or_else(super::not_running)?;
    let slots = &runtime.sessions.slots;
    slots
        .take(account, &caller.name, limits)
        .map_err(|full| match full {
            SlotsFull::All => refused(503, "There are too many readers, try again later."),
            SlotsFull::Account => refused(
                503,
                "This account has reached its share of readers; try again later.",
            ),
            SlotsFull::Caller => refused(
                429,
                "This name has too many readers at a time; close one of them, or try again later.",
            ),
        })
}

fn refused(status: u16, why: &str) -> Reply {
    later(error(status, "readers", why), RETRY)
}
