//! Warnings that are logged once.

use std::borrow::Cow;
use std::collections::HashSet;

use super::Runtime;
use super::sync::Mutex;
use presence::model::text::{self, quoted};

/// Unknown users are named from outside: no more of them than this are warned of.
const MOST_NAMES: usize = 1000;

/// The kind of warning that names an unknown user.
const NO_USER: &str = "no user";

/// What was warned of. All but the names of unknown users is bounded by the configuration.
#[derive(Default)]
pub struct Warnings(Mutex<HashSet<String>>);

impl Warnings {
    /// Whether this is the first warning of its kind about that name.
    fn is_first(&self, kind: &str, name: &str) -> bool {
        let mut warned = self.0.lock();
        (kind != NO_USER || warned.len() < MOST_NAMES) && warned.insert(format!("{kind} {name}"))
    }
}

impl Runtime {
    /// Logs a warning, once for each kind and name in a run of the module.
    pub fn warn_once(&self, kind: &str, name: &str, message: impl FnOnce() -> String) {
        if self.warnings.is_first(kind, name) {
            log::warn!("{}", message());
        }
    }

    /// A source's text, mended where it cannot be taken as it is; with one warning for
    /// each source and kind of trouble.
    pub fn accepted<'a>(&self, address: &str, field: &str, bytes: &'a [u8]) -> Cow<'a, str> {
        let (text, wrong) = text::mended(bytes);
        for why in wrong {
            self.warn_once(why.kind(), address, || {
                let (address, done) = (quoted(address), why.mended());
                format!("The {field} of '{address}' {why}; {done}")
            });
        }
        text
    }
}

/// Logs a warning once, see [`Runtime::warn_once`]; nothing while the module is not running.
pub fn warn_once(kind: &str, name: &str, message: impl FnOnce() -> String) {
    super::with(|runtime| runtime.warn_once(kind, name, message));
}
