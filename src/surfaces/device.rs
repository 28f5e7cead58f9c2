//! The device state provider `UserPresence:<user>`, and `UserPresence:<user>@queue` for a
//! queue's `state_interface`.

use std::ffi::CStr;

use crate::convert;
use crate::runtime::{self, warnings};
use asterisk::devicestate::{DevState, DeviceProvider};
use presence::model::device::{DeviceState, Watcher};
use presence::model::text::quoted;

/// Answers lamps and queues.
pub struct UserDeviceProvider;

impl DeviceProvider for UserDeviceProvider {
    const LABEL: &'static CStr = c"UserPresence";

    fn state(name: &str) -> DevState {
        crate::trip("device provider");
        let (name, watcher) = Watcher::split(name);
        let found = runtime::with(|runtime| {
            let found = runtime.read(|world| {
                let user = world.directory().user(name)?;
                Some(world.ask(user, watcher))
            });
            let found = found.flatten()?;
            runtime.device_asked();
            Some(found)
        });
        let state = found.flatten().unwrap_or_else(|| {
            warnings::warn_once("no user", &name.to_ascii_lowercase(), || {
                let name = quoted(name);
                format!(
                    "There is no user '{name}': the device state of UserPresence:{name} is invalid"
                )
            });
            DeviceState::Invalid
        });
        convert::dev_state(state)
    }
}
