//! A check of the configuration: what a reload would do, without doing it.

use std::sync::Arc;

use super::reload::loses_all;
use super::{Runtime, configuration};
use presence::directory::Directory;
use presence::world::{Counts, Plan};

/// The result of a check.
pub struct Check {
    /// The findings, each with its severity.
    pub findings: Vec<(Severity, String)>,
    /// How many users would come and go; `None` where the reload would be refused.
    pub counts: Option<Counts>,
}

/// The severity of a finding.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Severity {
    /// A reload is refused.
    Error,
    /// Odd but usable.
    Warning,
    /// Perhaps intended.
    Notice,
}

impl Severity {
    /// The word of Asterisk's log for it.
    pub fn word(self) -> &'static str {
        match self {
            Severity::Error => "ERROR",
            Severity::Warning => "WARNING",
            Severity::Notice => "NOTICE",
        }
    }
}

impl Runtime {
    /// Reads everything and changes nothing.
    pub fn check_configuration(&self) -> Check {
        let mut findings = Vec::new();
        let parsed = match self.read_configuration() {
            Ok(loaded) => loaded.parsed,
            Err(why) => {
                return Check {
                    findings: vec![(Severity::Error, why)],
                    counts: None,
                };
            }
        };
        findings.extend(
            parsed
                .all_errors()
                .map(|it| (Severity::Error, it.to_string())),
        );
        findings.extend(
            self.check_realtime(&parsed)
                .err()
                .map(|why| (Severity::Error, why)),
        );
        let warnings = parsed.warnings.iter();
        findings.extend(warnings.map(|it| (Severity::Warning, it.to_string())));
        let is_wrong = !findings.is_empty() && findings[0].0 == Severity::Error;
        let directory = Arc::new(Directory::new(parsed.settings, parsed.users));
        let unknown = self.unknown_functions(&directory).into_iter();
        findings.extend(unknown.map(|it| (Severity::Warning, it)));
        let shared = configuration::shared_extensions(&directory, None);
        findings.extend(shared.into_iter().map(|it| (Severity::Notice, it)));
        let running = self.read(|world| world.directory().clone());
        let counts = running.map(|running| Plan::new(&running, directory).counts());
        if let Some(counts) = counts.filter(|counts| !is_wrong && counts.loses_all()) {
            findings.insert(0, (Severity::Error, loses_all(counts)));
        }
        let is_wrong = findings
            .iter()
            .any(|(severity, _)| *severity == Severity::Error);
        Check {
            findings,
            counts: counts.filter(|_| !is_wrong),
        }
    }
}

/// See [`Runtime::check_configuration`]; `None` while the module is not running.
pub fn check() -> Option<Check> {
    Some(super::current()?.check_configuration())
}
