//! The presence provider `UserPresence:<user>`.

use crate::runtime::warnings;
use std::ffi::CStr;

use crate::runtime;
use asterisk::presencestate::Provider;
use presence::Presence;
use presence::model::text::quoted;

/// Answers hints, `PRESENCE_STATE()` and AMI.
pub struct UserPresenceProvider;

impl Provider for UserPresenceProvider {
    const LABEL: &'static CStr = c"UserPresence";

    fn presence(name: &str) -> Presence {
        crate::trip("provider");
        let found = runtime::with(|runtime| {
            runtime.stats().answer(|| {
                runtime.read(|world| {
                    let user = world.directory().user(name)?;
                    Some(world.ask_presence(user))
                })
            })
        });
        found.flatten().flatten().unwrap_or_else(|| {
            // Never INVALID: a subscriber would get no first NOTIFY, and invalid XML later.
            warnings::warn_once("no user", &name.to_ascii_lowercase(), || {
                let name = quoted(name);
                format!("There is no user '{name}': UserPresence:{name} is not_set")
            });
            Presence::default()
        })
    }
}
