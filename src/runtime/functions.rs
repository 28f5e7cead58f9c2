//! Dialplan functions that actions name and Asterisk does not have: said once it has
//! loaded everything that it loads at its start, because their modules may come late.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::runtime::store;
use asterisk::{function, log, system};
use presence::Time;
use presence::actions::unknown_functions;
use presence::directory::Directory;

/// Whether they are to be looked at.
static PENDING: AtomicBool = AtomicBool::new(false);

/// Has them looked at when Asterisk has loaded everything.
pub fn look_again() {
    PENDING.store(true, Ordering::Relaxed);
}

/// Looks at them where that is due and can be done; says when to look again.
pub fn check() -> Option<Time> {
    /// How often it is looked whether Asterisk has loaded everything.
    const OFTEN: Duration = Duration::from_secs(1);
    if !PENDING.load(Ordering::Relaxed) {
        return None;
    }
    if !system::fully_booted() {
        return Some(Time::now().after(OFTEN));
    }
    PENDING.store(false, Ordering::Relaxed);
    let directory = store::read(|world| world.directory().clone())?;
    for warning in unknown(&directory) {
        log::warning(warning);
    }
    None
}

/// What is said of those that Asterisk does not have.
pub fn unknown(directory: &Directory) -> Vec<String> {
    unknown_functions(directory, &function::exists)
}
