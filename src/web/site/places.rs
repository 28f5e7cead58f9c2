//! Places for those who read events.

use std::time::Duration;

use super::answer::later;
use super::{Caller, Reply, error};
use crate::runtime::store;
use crate::web::access::places::{Full, Limits, Place, Places};

/// When to come again.
const RETRY: Duration = Duration::from_secs(5);

static PLACES: Places = Places::new();

/// A place for one more reader of that account, until it is dropped. Where there are
/// several accounts, one may have half of the places; a caller has a limit of its own.
///
/// # Errors
/// Answers 503 where there is none, 429 where the caller has all it may have.
pub fn take(account: &str, caller: &Caller) -> Result<Place, Reply> {
    let limits = store::read(|world| {
        let directory = world.directory();
        let http = &directory.settings.http;
        Limits {
            all: http.readers,
            account: match directory.accounts().len() {
                0 | 1 => http.readers,
                _ => http.readers.div_ceil(2),
            },
            caller: http.readers_each,
        }
    });
    let limits = limits.unwrap_or_default();
    PLACES
        .take(account, &caller.name, limits)
        .map_err(|full| match full {
            Full::All => refused(503, "There are too many readers, try again later."),
            Full::Account => refused(
                503,
                "This account has reached its share of readers; try again later.",
            ),
            Full::Caller => refused(
                429,
                "This name has too many readers at a time; close one of them, or try again later.",
            ),
        })
}

fn refused(status: u16, why: &str) -> Reply {
    later(error(status, "readers", why), RETRY)
}
