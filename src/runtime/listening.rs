//! What Asterisk reports: presences, device states, parked calls.

use std::borrow::Cow;

use super::Runtime;
use presence::State;
use presence::model::address::{USER_LABEL, below};
use presence::model::device::DeviceState;
use presence::world::{Change, World};

/// A call in a parking space.
#[derive(Clone, Copy, Debug)]
pub struct ParkedCall<'a> {
    /// The channel that waits.
    pub channel: &'a [u8],
    /// The channel that parked it.
    pub parker: &'a [u8],
}

impl Runtime {
    /// A source's presence changed.
    pub fn on_presence_state(&self, address: &[u8], state: State, subtype: &[u8], message: &[u8]) {
        crate::trip("event");
        let Ok(address) = std::str::from_utf8(address) else {
            return;
        };
        // The module's own publishes come back, and most other addresses are no source.
        if !self.is_listening() || below(address, USER_LABEL).is_some() {
            return;
        }
        let find = |world: &World| Some((world.directory().source(address)?, world.round()));
        let Some((source, round)) = self.read(find).flatten() else {
            return;
        };
        let subtype = self.accepted(address, "subtype", subtype);
        let message = self.accepted(address, "message", message);
        self.update(|world, now| {
            if world.round() != round {
                // A reload has come in between, and the numbers are others.
                let reported = (state, &*subtype, &*message);
                return ((), world.report_presence(address, reported, now));
            }
            let change = Change::Reported {
                source,
                state,
                subtype: &subtype,
                message: &message,
            };
            ((), world.apply(&change, now))
        });
    }

    /// A device's state changed.
    pub fn on_device_state(&self, name: &[u8], state: DeviceState) {
        crate::trip("device");
        let Ok(name) = std::str::from_utf8(name) else {
            return;
        };
        if self.is_listening() {
            self.follow_dnd_of_device(name, state);
        }
        // Most devices belong to no user, and one change is often reported several times.
        let is_news = |world: &World| {
            let device = world.directory().device(name)?;
            (world.device_here(device) != Some(state)).then_some(())
        };
        if self.is_listening() && self.read(is_news).flatten().is_some() {
            self.set_device(name, state);
        }
    }

    /// Takes over the state of a device.
    pub fn set_device(&self, name: &str, state: DeviceState) {
        self.update(|world, now| match world.directory().device(name) {
            Some(device) => ((), world.apply(&Change::Device(device, state), now)),
            None => ((), Vec::new()),
        });
    }

    /// A parking space has got that call, or is free.
    pub fn on_parked_call(&self, lot: &[u8], number: u32, call: Option<ParkedCall<'_>>) {
        crate::trip("parking");
        let space = format!("{number}@{}", String::from_utf8_lossy(lot));
        let call = call.map(|call| [call.channel, call.parker].map(String::from_utf8_lossy));
        let change = match &call {
            Some([channel, parker]) => Change::Parked {
                space: &space,
                channel: Cow::as_ref(channel),
                parker: Cow::as_ref(parker),
            },
            None => Change::Unparked(&space),
        };
        self.update(|world, now| ((), world.apply(&change, now)));
    }
}
