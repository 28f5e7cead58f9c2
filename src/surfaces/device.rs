//! The device state provider `UserPresence:<user>`, and `UserPresence:<user>@queue` for a
//! queue's `state_interface`.

use crate::runtime::warnings;
use std::ffi::CStr;

use crate::runtime::store;
use asterisk::devicestate::Provider;
use presence::model::device::{DeviceState, Watcher};
use presence::model::text::quoted;

/// Answers lamps and queues.
pub struct UserDeviceProvider;

impl Provider for UserDeviceProvider {
    const LABEL: &'static CStr = c"UserPresence";

    fn state(name: &str) -> DeviceState {
        crate::trip("device provider");
        let (name, watcher) = Watcher::split(name);
        let found = store::read(|world| {
            let user = world.directory().user(name)?;
            Some(world.ask(user, watcher))
        });
        found.flatten().unwrap_or_else(|| {
            warnings::warn_once("no user", &name.to_ascii_lowercase(), || {
                let name = quoted(name);
                format!(
                    "There is no user '{name}': the device state of UserPresence:{name} is invalid"
                )
            });
            DeviceState::Invalid
        })
    }
}
