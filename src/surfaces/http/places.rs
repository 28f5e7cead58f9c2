//! Places for those who read events.

use super::{Caller, Reply, error};
use crate::door;
use crate::presence::access::places::{Full, Place, Places};

static PLACES: Places = Places::empty();

/// A place for one more reader, until it is dropped.
///
/// # Errors
/// Answers 503 where there is none.
pub fn take(caller: &Caller) -> Result<Place, Reply> {
    let most = door::read(|world| world.directory().settings.http.readers);
    let place = PLACES.take(&caller.name, most.unwrap_or_default());
    place.map_err(|full| {
        let why = match full {
            Full::All => "There are too many readers, try again later.",
            Full::Share => "You are too many readers, others need places too; try again later.",
        };
        let mut reply = error(503, "readers", why);
        reply.headers.push(("Retry-After", "5".into()));
        reply
    })
}
