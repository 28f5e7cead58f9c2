//! Places for those who read events.

use super::{Reply, error};
use crate::door;
use crate::presence::access::places::{Full, Place, Places};

static PLACES: Places = Places::new();

/// A place for one more reader of that account, until it is dropped. Where there are
/// several accounts, one may have half of the places.
///
/// # Errors
/// Answers 503 where there is none.
pub fn take(account: &str) -> Result<Place, Reply> {
    let limits = door::read(|world| {
        let directory = world.directory();
        let most = directory.settings.http.readers;
        match directory.accounts().len() {
            0 | 1 => (most, most),
            _ => (most, most.div_ceil(2)),
        }
    });
    let (most, share) = limits.unwrap_or_default();
    PLACES.take(account, most, share).map_err(|full| {
        let why = match full {
            Full::All => "There are too many readers, try again later.",
            Full::Share => {
                "This account has too many readers, others need places too; try again later."
            }
        };
        let mut reply = error(503, "readers", why);
        reply.headers.push(("Retry-After", "5".into()));
        reply
    })
}
