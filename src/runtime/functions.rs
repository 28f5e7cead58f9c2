//! Dialplan functions that actions name and Asterisk does not have. They are reported once
//! Asterisk has loaded all modules of its start, because their modules may come late.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::Runtime;
use presence::Time;
use presence::directory::Directory;
use presence::directory::unknown_functions;

/// How often the persister looks whether Asterisk has loaded everything.
const OFTEN: Duration = Duration::from_secs(1);

/// Whether the functions are to be checked.
#[derive(Default)]
pub struct FunctionCheck(AtomicBool);

impl Runtime {
    /// Has the functions checked when Asterisk has loaded everything.
    pub fn check_functions_later(&self) {
        self.functions.0.store(true, Ordering::Relaxed);
    }

    /// Checks them where that is due and possible; returns when to look again.
    pub(super) fn check_functions(&self) -> Option<Time> {
        if !self.functions.0.load(Ordering::Relaxed) {
            return None;
        }
        if !self.host().fully_booted() {
            return Some(self.now().after(OFTEN));
        }
        self.functions.0.store(false, Ordering::Relaxed);
        let directory = self.read(|world| world.directory().clone())?;
        for warning in self.unknown_functions(&directory) {
            log::warn!("{warning}");
        }
        None
    }

    /// A warning for each function that Asterisk does not have.
    pub(super) fn unknown_functions(&self, directory: &Directory) -> Vec<String> {
        unknown_functions(directory, &|name| self.host().function_exists(name))
    }
}
