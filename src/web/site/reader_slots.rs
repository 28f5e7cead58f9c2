//! Slots for readers of events.

use std::time::Duration;

use super::answer::later;
use super::{HttpCaller, Reply, error};
use crate::runtime;
use crate::runtime::sessions::reader_slots::{ReaderSlot, SlotLimits, SlotsFull};
use crate::runtime::store;

/// When to try again.
const RETRY: Duration = Duration::from_secs(5);

/// A slot for one more reader of the account, until it is dropped. With several accounts, each
/// may use half of the slots; each caller has its own limit.
///
/// # Errors
/// Answers 503 if no slot is free, 429 if the caller has reached its limit.
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
            SlotsFull::All => refused(503, "There are too many readers; try again later."),
            SlotsFull::Account => {
                refused(503, "This account has too many readers; try again later.")
            }
            SlotsFull::Caller => refused(
                429,
                "This login has too many readers; close one of them, or try again later.",
            ),
        })
}

fn refused(status: u16, why: &str) -> Reply {
    later(error(status, "readers", why), RETRY)
}
