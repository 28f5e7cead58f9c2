//! A check of the configuration: what a reload would do, without doing it.

use std::sync::Arc;

use super::reload::loses_all;
use super::{Runtime, configuration};
use presence::directory::Directory;
use presence::world::{Counts, Plan};

/// What a reload would do, and what it would say.
pub struct Check {
    /// What is said of the configuration, each with how grave it is.
    pub said: Vec<(Grave, String)>,
    /// How many users would come and go; `None` where the reload would be refused.
    pub counts: Option<Counts>,
}

/// How grave something is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Grave {
    /// A reload is refused.
    Error,
    /// It is odd but usable.
    Warning,
    /// It may be wanted.
    Notice,
}

impl Grave {
    /// The word that Asterisk's log has for it.
    pub fn word(self) -> &'static str {
        match self {
            Grave::Error => "ERROR",
            Grave::Warning => "WARNING",
            Grave::Notice => "NOTICE",
        }
    }
}

impl Runtime {
    /// Reads everything and changes nothing.
    pub fn check_configuration(&self) -> Check {
        let mut said = Vec::new();
        let parsed = match self.read_configuration() {
            Ok(parsed) => parsed,
            Err(why) => {
                return Check {
                    said: vec![(Grave::Error, why)],
                    counts: None,
                };
            }
        };
        said.extend(parsed.all_errors().map(|it| (Grave::Error, it.to_string())));
        said.extend(self.check_realtime().err().map(|why| (Grave::Error, why)));
        let warnings = parsed.warnings.iter();
        said.extend(warnings.map(|it| (Grave::Warning, it.to_string())));
        let is_wrong = !said.is_empty() && said[0].0 == Grave::Error;
        let directory = Arc::new(Directory::new(parsed.settings, parsed.users));
        let unknown = self.unknown_functions(&directory).into_iter();
        said.extend(unknown.map(|it| (Grave::Warning, it)));
        let shared = configuration::shared_extensions(&directory, None);
        said.extend(shared.into_iter().map(|it| (Grave::Notice, it)));
        let running = self.read(|world| world.directory().clone());
        let counts = running.map(|running| Plan::new(&running, directory).counts());
        if let Some(counts) = counts.filter(|counts| !is_wrong && counts.loses_all()) {
            said.insert(0, (Grave::Error, loses_all(counts)));
        }
        let is_wrong = said.iter().any(|(grave, _)| *grave == Grave::Error);
        Check {
            said,
            counts: counts.filter(|_| !is_wrong),
        }
    }
}

/// See [`Runtime::check_configuration`]; `None` while the module is not running.
pub fn check() -> Option<Check> {
    Some(super::current()?.check_configuration())
}
