//! Reads the configuration through Asterisk: `userpresence.conf`, and the realtime
//! family where one is mapped.

use crate::asterisk::{config, log, realtime, timing};
use crate::presence::config::{Parsed, Problem, Section, parse};

/// The file's name in Asterisk's configuration directory.
const FILE: &std::ffi::CStr = c"userpresence.conf";
/// The realtime family, mapped in `extconfig.conf`.
pub const FAMILY: &str = "userpresence";

/// Reads and parses everything; warnings are logged.
///
/// # Errors
/// Where the file cannot be read at all.
pub fn load() -> Result<Parsed, String> {
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
    let parsed = parse(&file, &rows, timing::is_timezone);
    for warning in &parsed.warnings {
        log::warning(warning);
    }
    Ok(parsed)
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
