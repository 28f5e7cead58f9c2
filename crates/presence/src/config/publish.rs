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
