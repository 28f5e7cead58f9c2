//! The held calls that are being picked up.

use std::sync::Arc;

use crate::sync::Mutex;

/// The calls, by the unique id of the holder's channel: a second pickup of the same call must
/// not join it as a third party.
#[derive(Default)]
pub struct Pickups(Mutex<Vec<String>>);

/// A call that is being picked up; dropping it lets others pick it up. It is kept until the
/// pickup ends, when the holder's channel cannot be found any more.
#[must_use = "dropping it releases the call"]
pub struct PickupClaim {
    pickups: Arc<Pickups>,
    id: String,
}

impl Pickups {
    /// Claims a call; `None` while another pickup has it.
    pub fn claim(self: &Arc<Self>, id: String) -> Option<PickupClaim> {
        let mut claimed = self.0.lock();
        if claimed.contains(&id) {
            return None;
        }
        claimed.push(id.clone());
        Some(PickupClaim {
            pickups: self.clone(),
            id,
        })
    }
}

impl Drop for PickupClaim {
    fn drop(&mut self) {
        self.pickups.0.lock().retain(|id| *id != self.id);
    }
}
