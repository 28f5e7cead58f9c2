//! What Asterisk is told of users who come and go: see
//! [`World::announce`](presence::world::World::announce).

use std::sync::Arc;

use crate::runtime::store;
use asterisk::{ami, devicestate, hints, presencestate, system};
use presence::Presence;
use presence::model::address::{USER_LABEL, below};
use presence::model::watched::Watched;
use presence::world::Found;

/// That the users were announced; dropping it withdraws them, so that no hint stays stale
/// and no queue member busy.
pub struct Announced(());

impl Announced {
    /// Announces everyone.
    pub fn everyone() -> Self {
        let found = find();
        store::update(|world, _| {
            world.hold_publishing(false);
            ((), world.announce(&found, None))
        });
        Announced(())
    }
}

/// Announces users whom a reload has brought.
pub fn announce(new: &[Arc<str>]) {
    if new.is_empty() {
        return;
    }
    let found = find();
    store::update(|world, _| ((), world.announce(&found, Some(new))));
}

impl Drop for Announced {
    fn drop(&mut self) {
        if !system::shutting_down() {
            store::update_always(|world, _| ((), world.withdraw()));
        }
    }
}

/// Looks into Asterisk. Hold no lock.
fn find() -> Found {
    let mut presences = Vec::new();
    presencestate::cached(|address, state, subtype, message| {
        let Ok(address) = std::str::from_utf8(address) else {
            return;
        };
        if below(address, USER_LABEL).is_some() {
            let [subtype, message] = [subtype, message].map(String::from_utf8_lossy);
            let published = Presence::new(state, &subtype, &message);
            presences.push((address.to_owned(), published));
        }
    });
    let mut watched = Watched::default();
    hints::each(|hint| watched.add_hint(&String::from_utf8_lossy(hint)));
    // Where there is app_queue. The members of a queue that is loaded later ask.
    for message in ami::action("QueueStatus", &[]).unwrap_or_default() {
        watched.add_device(message.get("StateInterface"));
    }
    // What was shown once may be looked at still.
    devicestate::cached(|name| watched.add_device(&String::from_utf8_lossy(name)));
    Found { presences, watched }
}
