//! The option `publish` of a user: the phones whose own presence is a source.

use std::sync::Arc;

use super::reader::SectionReader;
use super::value::{self, unexpected};
use super::{Definitions, Publish};
use crate::model::flags::truth;
use crate::model::publish_table::PublishTable;

/// What begins the device of a phone that can publish.
const PJSIP: &str = "PJSIP/";

/// The phones of all lines, without those that have an error; `None` for the usual ones.
pub(super) fn read(
    lines: &[u32],
    definitions: &Definitions,
    reader: &mut SectionReader<'_>,
) -> Option<Box<Publish>> {
    let mut found = Publish::default();
    let (mut given, mut none) = (0, false);
    for line in lines {
        for value in reader.values(*line) {
            given += 1;
            match one(value, definitions) {
                Ok(GivenPhones::None) => none = true,
                Ok(GivenPhones::OfExtensions(table)) => found.extensions = Some(table),
                Ok(GivenPhones::One(device, table)) => {
                    if found.devices.iter().any(|(known, _)| **known == *device) {
                        let message = format!("the user has '{device}' twice, expected it once");
                        reader.error_on(*line, message);
                    }
                    found.devices.push((device, table));
                }
                Err(message) => reader.error_on(*line, message),
            }
        }
    }
    if none && given > 1 {
        reader.error_at("publish", "'no' beside others, expected it alone");
    }
    (given > 0).then(|| Box::new(found))
}

enum GivenPhones {
    None,
    OfExtensions(Arc<PublishTable>),
    One(Box<str>, Arc<PublishTable>),
}

/// `PJSIP/201`, `PJSIP/201,table`, `yes`, `yes,table` or `no`
fn one(given: &str, definitions: &Definitions) -> Result<GivenPhones, String> {
    let (phone, table) = match given.split_once(',') {
        Some((phone, table)) => (phone.trim(), Some(table.trim())),
        None => (given, None),
    };
    let of_extensions = truth(phone);
    if of_extensions == Some(false) && table.is_none() {
        return Ok(GivenPhones::None);
    }
    let table = definitions.find_publish_table(table.unwrap_or(PublishTable::PUBLISH))?;
    if of_extensions == Some(true) {
        return Ok(GivenPhones::OfExtensions(table));
    }
    let device = value::device(phone).ok();
    let device = device.filter(|device| device.starts_with(PJSIP));
    match device {
        Some(device) => Ok(GivenPhones::One(device, table)),
        None => Err(unexpected(
            phone,
            "yes, no, or a phone such as PJSIP/201, perhaps with a table behind a comma",
        )),
    }
}

#[cfg(test)]
mod tests {
    use crate::config::testing::parsed;

    fn errors(lines: &str) -> Vec<String> {
        let text = format!("[alice]\ntype=user\nextension=200\n{lines}");
        let parsed = parsed(&text);
        parsed.all_errors().map(ToString::to_string).collect()
    }

    #[track_caller]
    fn assert_refused(lines: &str, expected: &str) {
        let errors = errors(lines);
        let found = errors.iter().any(|error| error.contains(expected));
        assert!(errors.len() == 1 && found, "{errors:?}");
    }

    #[test]
    fn phones_and_tables_are_named() {
        for good in [
            "no",
            "yes",
            "yes,publish",
            "PJSIP/201",
            "PJSIP/201, Publish",
        ] {
            assert!(errors(&format!("publish={good}\n")).is_empty(), "{good}");
        }
        let expected = "expected yes, no, or a phone such as PJSIP/201";
        for bad in ["", "201", "SIP/201", "PJSIP/", "pjsip/201", "PJSIP/a&b"] {
            assert_refused(&format!("publish={bad}\n"), expected);
        }
        assert_refused("publish=PJSIP/201,none\n", "unknown publish_table 'none'");
        assert_refused("publish=PJSIP/1\npublish=PJSIP/1\n", "'PJSIP/1' twice");
        assert_refused("publish=no\npublish=PJSIP/1\n", "'no' beside others");
    }

    #[test]
    fn a_table_maps_the_words_of_phones() {
        let of = |line: &str| errors(&format!("[t]\ntype=publish_table\n{line}\n"));
        assert!(of("on-the-phone=dnd,call").is_empty());
        assert!(of("Busy=").is_empty());
        assert!(of("knitting=away")[0].contains("unknown option"));
        assert!(of("busy=asleep")[0].contains("unknown status"));
    }
}
