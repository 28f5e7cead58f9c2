//! The sources of a user: the options `extension`, `source` and `device`.

use std::collections::HashSet;
use std::sync::Arc;

use super::reader::{Given, SectionReader};
use super::settings::Rule;
use super::user::{InputKind, InputSpec};
use super::{Definitions, value};
use crate::model::address;
use crate::model::device::DeviceTable;
use crate::model::handling::is_phone;
use crate::model::text::quoted;

/// The option that gives a source.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum LineKind {
    Extension,
    Source,
    Device,
}

/// One option that gives sources.
pub(super) struct Line {
    kind: LineKind,
    /// The index of the option among the section's variables.
    index: u32,
}

impl Line {
    /// The line of that option.
    pub fn new(kind: LineKind, given: &Given<'_>) -> Self {
        Line {
            kind,
            index: given.index,
        }
    }
}

/// The sources of all lines, without those that have an error.
pub(super) fn read_lines(
    lines: &[Line],
    rule: &Rule,
    definitions: &Definitions,
    reader: &mut SectionReader<'_>,
) -> Vec<InputSpec> {
    let mut inputs: Vec<InputSpec> = Vec::with_capacity(lines.len());
    for line in lines {
        for given in reader.values(line.index) {
            let input = match line.kind {
                LineKind::Extension => extension(given, rule, line.index),
                LineKind::Source => source(given, line.index),
                LineKind::Device => device(given, definitions, line.index),
            };
            match input.and_then(|input| once(input, given, &inputs)) {
                Ok(input) => {
                    if let Some(message) = looks_like_a_device(&input) {
                        reader.warn_on(line.index, message);
                    }
                    inputs.push(input);
                }
                Err(message) => reader.error_on(line.index, message),
            }
        }
    }
    inputs
}

/// `200` or `200,PJSIP/desk-200`
fn extension(given: &str, rule: &Rule, variable: u32) -> Result<InputSpec, String> {
    let (name, device) = pair(given);
    if name.is_empty() {
        return Err("empty, expected an extension such as 200 or 200,PJSIP/desk-200".into());
    }
    let device = match device {
        Some(device) => value::device(device)?,
        None => format!("{}{name}", rule.device_prefix).into(),
    };
    let at = u8::try_from(rule.presence_prefix.len());
    let at = at.map_err(|_| "the presence_prefix is too long, expected at most 255 bytes")?;
    let address = format!("{}{name}", rule.presence_prefix);
    address::check(&address)?;
    Ok(InputSpec {
        kind: InputKind::Extension { at },
        address: address.into(),
        device: Some(device),
        table: None,
        variable,
    })
}

/// `UserPresence:team`
fn source(given: &str, variable: u32) -> Result<InputSpec, String> {
    address::check(given)?;
    Ok(InputSpec {
        kind: InputKind::Source,
        address: given.into(),
        device: None,
        table: None,
        variable,
    })
}

/// `PJSIP/desk-200`, `Calendar:alice` or `Custom:door,table`
fn device(given: &str, definitions: &Definitions, variable: u32) -> Result<InputSpec, String> {
    const MEETINGS: [&str; 4] = [DeviceTable::MEETING, "confbridge", "meetme", "calendar"];
    let (device, table) = pair(given);
    let device = value::device(device)?;
    let label = device.split([':', '/']).next().unwrap_or_default();
    let by_label = MEETINGS
        .iter()
        .any(|known| known.eq_ignore_ascii_case(label));
    let table = match (table, by_label) {
        (Some(name), _) => name,
        (None, true) => DeviceTable::MEETING,
        (None, false) => DeviceTable::DEVICE,
    };
    let table = definitions.find_device_table(table)?;
    let is_meeting = by_label || table.name.eq_ignore_ascii_case(DeviceTable::MEETING);
    let kind = match (is_meeting, is_phone(&device)) {
        (true, _) => InputKind::Meeting,
        (false, true) => InputKind::Device,
        (false, false) => InputKind::Custom,
    };
    let input = InputSpec::device(kind, device, table, variable);
    address::check_length(&input.address)?;
    Ok(input)
}

/// The parts of a value with or without a comma.
fn pair(given: &str) -> (&str, Option<&str>) {
    match given.split_once(',') {
        Some((first, second)) => (first.trim(), Some(second.trim())),
        None => (given, None),
    }
}

/// The warning for an extension that has the form of a device: one is often mistaken for the
/// other.
fn looks_like_a_device(input: &InputSpec) -> Option<String> {
    let extension = input.extension()?;
    let (technology, name) = extension.split_once('/')?;
    let (technology, name) = (quoted(technology), quoted(name));
    Some(format!(
        "'{technology}/{name}' is a device, expected an extension: extension = {name}, or \
         extension = {name},{technology}/{name} to name its device"
    ))
}

/// The input, unless the user has it already.
fn once(input: InputSpec, given: &str, others: &[InputSpec]) -> Result<InputSpec, String> {
    let mut others = others.iter();
    match others.any(|other| address::same(&other.address, &input.address)) {
        true => Err(format!("the user has '{given}' twice, expected it once")),
        false => Ok(input),
    }
}

/// The inputs with each extension's device behind it, unless that is a source already.
pub(super) fn with_devices(inputs: Vec<InputSpec>, definitions: &Definitions) -> Vec<InputSpec> {
    let Ok(table) = definitions.find_device_table(DeviceTable::DEVICE) else {
        return inputs;
    };
    let own = |input: &InputSpec| input.kind == InputKind::Device;
    let mut known: HashSet<Box<str>> = inputs
        .iter()
        .filter(|input| own(input))
        .filter_map(|input| input.device.clone())
        .collect();
    let mut all = Vec::with_capacity(inputs.len() * 2);
    for input in inputs {
        let device = match input.kind {
            InputKind::Extension { .. } => input.device.clone(),
            _ => None,
        };
        let variable = input.variable;
        all.push(input);
        if let Some(device) = device.filter(|device| known.insert(device.clone())) {
            let table: Arc<DeviceTable> = table.clone();
            all.push(InputSpec::device(
                InputKind::Device,
                device,
                table,
                variable,
            ));
        }
    }
    all
}
