//! Reads the configuration through Asterisk: `userpresence.conf`, and the realtime
//! family where one is mapped.

use std::sync::Arc;

use super::Runtime;
use super::host::Unreadable;
use presence::config::{DirectoryRows, Origin, Parsed, Problem, Section, parse};
use presence::directory::Directory;

/// The file's name in Asterisk's configuration directory.
pub(super) const FILE: &str = "userpresence.conf";
/// The realtime family, mapped in `extconfig.conf`.
pub const FAMILY: &str = "userpresence";

/// The realtime family with names, titles, e-mail addresses and groups of users that are defined
/// elsewhere.
pub const DIRECTORY_FAMILY: &str = "userpresence_directory";

/// A configuration that was read.
pub struct Loaded {
    /// The settings and users.
    pub parsed: Parsed,
    /// The sections of the file to which a directory may give fields, where it is looked at
    /// periodically.
    pub file: Vec<Section>,
}

impl Runtime {
    /// Reads and parses everything; warnings are logged.
    ///
    /// # Errors
    /// The file cannot be read at all.
    pub fn load_configuration(&self) -> Result<Loaded, String> {
        let loaded = self.read_configuration()?;
        for warning in &loaded.parsed.warnings {
            log::warn!("{warning}");
        }
        Ok(loaded)
    }

    /// Reads and parses everything.
    ///
    /// # Errors
    /// The file cannot be read at all.
    pub(super) fn read_configuration(&self) -> Result<Loaded, String> {
        let host = self.host();
        let mut file = host.file(FILE).map_err(unreadable)?;
        let mut rows = match host.realtime_is_mapped(FAMILY) {
            true => host.realtime_rows(FAMILY)?,
            false => Vec::new(),
        };
        let (directory, why) = self.read_directory();
        let mut warnings: Vec<Problem> = Vec::new();
        let mut unfilled = Vec::new();
        if directory.is_some() || why.is_some() {
            unfilled = file.clone();
            unfilled.retain(Section::is_user);
        }
        if let Some(directory) = directory {
            directory.fill(Origin::File, &mut file, &mut warnings);
            directory.fill(Origin::Realtime, &mut rows, &mut warnings);
        }
        if let Some(why) = why {
            log::warn!("{why}");
        }
        warn_of_fields(warnings.iter().map(ToString::to_string).collect());
        let parsed = parse(&file, &rows, &host.host_name(), &|name| {
            host.is_timezone(name)
        });
        if parsed.settings.realtime_refresh == 0 {
            unfilled.clear();
        }
        Ok(Loaded {
            parsed,
            file: unfilled,
        })
    }

    /// Reads the directory's family, where it is mapped; with why that does not work now: then
    /// its last entries count.
    pub(super) fn read_directory(&self) -> (Option<Arc<DirectoryRows>>, Option<String>) {
        let host = self.host();
        if !host.realtime_is_mapped(DIRECTORY_FAMILY) {
            *self.directory_rows.lock() = None;
            return (None, None);
        }
        match host.realtime_rows(DIRECTORY_FAMILY) {
            Ok(rows) => {
                let rows = Arc::new(DirectoryRows::new(DIRECTORY_FAMILY, rows));
                *self.directory_rows.lock() = Some(rows.clone());
                (Some(rows), None)
            }
            Err(why) => {
                let last = self.directory_rows.lock().clone();
                let known = match last {
                    Some(_) => "what it gave before is used",
                    None => "users have only what is their own",
                };
                (last, Some(format!("{why}; {known}")))
            }
        }
    }

    /// Gives a user's row the fields of the directory's family.
    pub(super) fn fill_row(&self, row: &mut Section) {
        let host = self.host();
        if !host.realtime_is_mapped(DIRECTORY_FAMILY) {
            return;
        }
        let directory = match host.realtime_row(DIRECTORY_FAMILY, &row.name) {
            Ok(entry) => {
                let entry = entry.into_iter().collect();
                Some(Arc::new(DirectoryRows::new(DIRECTORY_FAMILY, entry)))
            }
            Err(why) => {
                log::warn!("{why}; what it gave before is used");
                self.directory_rows.lock().clone()
            }
        };
        let mut warnings = Vec::new();
        if let Some(directory) = directory {
            directory.fill(Origin::Realtime, std::slice::from_mut(row), &mut warnings);
        }
        warn_of_fields(warnings.iter().map(ToString::to_string).collect());
    }
}

/// Logs which values of a directory are left out: a directory of thousands may have the same
/// mistake in each entry.
pub(super) fn warn_of_fields(warnings: Vec<String>) {
    /// More than these are only counted.
    const MOST: usize = 20;
    for warning in warnings.iter().take(MOST) {
        log::warn!("{warning}");
    }
    if let Some(more @ 1..) = warnings.len().checked_sub(MOST) {
        log::warn!("{more} more values of the directory are left out");
    }
}

/// Why the file cannot be read, in a sentence.
pub(super) fn unreadable(why: Unreadable) -> &'static str {
    match why {
        Unreadable::Missing => {
            "userpresence.conf cannot be read, expected it in Asterisk's configuration \
             directory (a sample is in configs/samples)"
        }
        Unreadable::Invalid => {
            "userpresence.conf is refused by Asterisk's parser, which logged the line above"
        }
    }
}

/// The extensions that several users have, as sentences; where there is a directory from
/// `before`, only what was not so there.
pub fn shared_extensions(directory: &Directory, before: Option<&Directory>) -> Vec<String> {
    /// More than these are only counted.
    const MOST: usize = 20;
    let shared = directory.shared_extensions().filter(|shared| {
        before.is_none_or(|before| {
            let mut known = before.owners_of_extension(&shared.address);
            known.nth(1).is_none()
        })
    });
    let (mut notices, mut more) = (Vec::new(), 0);
    for shared in shared {
        if notices.len() == MOST {
            more += 1;
            continue;
        }
        let [first, second] = shared.users;
        let others = match shared.others {
            0 => String::new(),
            others => format!(" and {others} more"),
        };
        notices.push(format!(
            "Extension '{}' is {first}'s and {second}'s{others}: they share its presence",
            shared.extension
        ));
    }
    if more > 0 {
        notices.push(format!("{more} more extensions have several users"));
    }
    notices
}

/// Why errors stop a load or a reload, in one message: it contains a single error,
/// several are logged first.
pub fn refusal(errors: &[&Problem]) -> String {
    match errors {
        [only] => only.to_string(),
        several => {
            for error in several {
                log::error!("{error}");
            }
            format!("{} errors, each named above", several.len())
        }
    }
}
