//! The device state provider `UserPresence:<user>`, and `UserPresence:<user>@queue` for a
//! queue's `state_interface`.

use crate::runtime::warnings;
use std::ffi::CStr;

use crate::convert;
use crate::runtime::store;
use asterisk::devicestate::{DevState, DeviceProvider};
use presence::model::device::{DeviceState, Watcher};
use presence::model::text::quoted;

/// Answers for lamps and queues.
pub struct UserPresence;

impl DeviceProvider for UserPresence {
    const LABEL: &'static CStr = c"UserPresence";

    fn state(name: &str) -> DevState {
        crate::trip("device provider");
        let (name, watcher) = Watcher::split(name);
        let found = store::read(|world| {
            let user = world.directory().user(name)?;
            Some(world.ask(user, watcher))
        });
        let state = found.flatten().unwrap_or_else(|| {
            warnings::warn_once("no user", &name.to_ascii_lowercase(), || {
                let name = quoted(name);
                format!("UserPresence:{name} is asked for, but there is no user '{name}': invalid")
            });
            DeviceState::Invalid
        });
        convert::dev_state(state)
    }
}
