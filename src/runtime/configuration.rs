//! Reads the configuration through Asterisk: `userpresence.conf`, and the realtime
//! family where one is mapped.

use asterisk::{config, log, realtime, timing};
use presence::config::{Parsed, Problem, Section, parse};
use presence::directory::Directory;

/// The file's name in Asterisk's configuration directory.
const FILE: &std::ffi::CStr = c"userpresence.conf";
/// The realtime family, mapped in `extconfig.conf`.
pub const FAMILY: &str = "userpresence";

/// Reads and parses everything; warnings are logged.
///
/// # Errors
/// Where the file cannot be read at all.
pub fn load() -> Result<Parsed, String> {
    let parsed = read()?;
    for warning in &parsed.warnings {
        log::warning(warning);
    }
    Ok(parsed)
}

/// Reads and parses everything.
///
/// # Errors
/// Where the file cannot be read at all.
pub fn read() -> Result<Parsed, String> {
    let file = config::load(FILE).map_err(|why| match why {
        config::LoadError::Missing => {
            "userpresence.conf cannot be read, expected it in Asterisk's configuration directory \
             (a sample is in configs/samples)"
        }
        config::LoadError::Invalid => {
            "userpresence.conf is refused by Asterisk's parser, which logged the line above"
        }
    })?;
    let rows = realtime_rows()?;
    Ok(parse(&file, &rows, timing::is_timezone))
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
    let (mut said, mut more) = (Vec::new(), 0);
    for shared in shared {
        if said.len() == MOST {
            more += 1;
            continue;
        }
        let [first, second] = shared.users;
        let others = match shared.others {
            0 => String::new(),
            others => format!(" and {others} more"),
        };
        said.push(format!(
            "Extension '{}' is {first}'s and {second}'s{others}: they share its presence",
            shared.extension
        ));
    }
    if more > 0 {
        said.push(format!("{more} more extensions have several users"));
    }
    said
}

/// Why errors stop a load or a reload, in one message: a single error is told in it,
/// several are logged first.
pub fn refusal(errors: &[&Problem]) -> String {
    match errors {
        [only] => only.to_string(),
        several => {
            for error in several {
                log::error(error);
            }
            format!("{} errors, each named above", several.len())
        }
    }
}

fn realtime_rows() -> Result<Vec<Section>, String> {
    match realtime::available(FAMILY) {
        true => realtime::load_all(FAMILY).map_err(|why| why.to_string()),
        false => Ok(Vec::new()),
    }
}
