//! Reads the configuration through Asterisk: `userpresence.conf`, and the realtime
//! family where one is mapped.

use super::Runtime;
use super::host::Unreadable;
use presence::config::{Parsed, Problem, parse};
use presence::directory::Directory;

/// The file's name in Asterisk's configuration directory.
pub(super) const FILE: &str = "userpresence.conf";
/// The realtime family, mapped in `extconfig.conf`.
pub const FAMILY: &str = "userpresence";

impl Runtime {
    /// Reads and parses everything; warnings are logged.
    ///
    /// # Errors
    /// The file cannot be read at all.
    pub fn load_configuration(&self) -> Result<Parsed, String> {
        let parsed = self.read_configuration()?;
        for warning in &parsed.warnings {
            log::warn!("{warning}");
        }
        Ok(parsed)
    }

    /// Reads and parses everything.
    ///
    /// # Errors
    /// The file cannot be read at all.
    pub(super) fn read_configuration(&self) -> Result<Parsed, String> {
        let host = self.host();
        let file = host.file(FILE).map_err(unreadable)?;
        let rows = match host.realtime_is_mapped(FAMILY) {
            true => host.realtime_rows(FAMILY)?,
            false => Vec::new(),
        };
        Ok(parse(&file, &rows, &|name| host.is_timezone(name)))
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
