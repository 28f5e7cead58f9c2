//! Sections of `type = device_table`, `type = presence_table` and `type = publish_table`. Their
//! options are named after what they map: states, or the words of phones.

use std::sync::Arc;

use super::Definitions;
use super::form::Form;
use super::reader::{Draft, Given, SectionReader};
use super::value;
use crate::model::assignment::Parts;
use crate::model::device::{DeviceState, DeviceTable, PresenceTable};
use crate::model::ending::Clock;
use crate::model::publish_table::{PhoneWord, PublishTable};
use crate::model::state::{Presence, State};
use crate::model::status::{StatusType, Statuses};
use crate::model::text;
use crate::model::time::Time;
use crate::model::words;

/// A device table while it is read.
pub(super) struct DeviceDraft {
    table: DeviceTable,
    statuses: Arc<Statuses>,
}

impl Draft for DeviceDraft {
    fn set(&mut self, name: &str, given: &Given<'_>) -> Option<Result<(), String>> {
        if name.eq_ignore_ascii_case("type") {
            return Some(Ok(()));
        }
        let state = DeviceState::parse(name).ok()?;
        let presence = presence(given.value, &self.statuses);
        Some(presence.map(|(presence, status)| self.table.set(state, presence, status)))
    }

    fn names() -> Vec<&'static str> {
        let states = DeviceState::ALL.map(DeviceState::name);
        [&["type"], &states[..]].concat()
    }

    fn forms() -> Vec<Form> {
        let names = Self::names().into_iter();
        names.map(Form::text).collect()
    }

    fn expected() -> String {
        format!("type or a device state ({})", DeviceState::expected())
    }
}

/// Reads one section. A table with the name of a built-in one replaces it.
pub(super) fn read_device(definitions: &mut Definitions, reader: &mut SectionReader<'_>) {
    let name = reader.section().name.as_str();
    let mut table = match name.eq_ignore_ascii_case(DeviceTable::MEETING) {
        true => DeviceTable::meeting(),
        false => DeviceTable::device(),
    };
    table.name = name.into();
    let statuses = definitions.statuses.clone();
    let mut draft = DeviceDraft { table, statuses };
    reader.read(&mut draft);
    if reader.is_clean() {
        let tables = &mut definitions.device_tables;
        tables.retain(|known| !known.name.eq_ignore_ascii_case(name));
        tables.push(Arc::new(draft.table));
    }
}

impl Draft for PresenceTable {
    fn set(&mut self, name: &str, given: &Given<'_>) -> Option<Result<(), String>> {
        if name.eq_ignore_ascii_case("type") {
            return Some(Ok(()));
        }
        let state = State::parse(name).ok()?;
        let device_state = value::device_state(given.value);
        Some(device_state.map(|device_state| self.set(state, device_state)))
    }

    fn names() -> Vec<&'static str> {
        let states = State::ALL.map(State::name);
        [&["type"], &states[..]].concat()
    }

    fn forms() -> Vec<Form> {
        let form = |name| match name {
            "type" => Form::text(name),
            state => Form::word(state, &DeviceState::NAMES),
        };
        Self::names().into_iter().map(form).collect()
    }

    fn expected() -> String {
        format!("type or a state ({})", State::expected())
    }
}

/// Reads one section.
pub(super) fn read_presence(definitions: &mut Definitions, reader: &mut SectionReader<'_>) {
    let mut table = PresenceTable::default();
    table.name = reader.section().name.as_str().into();
    reader.read(&mut table);
    if reader.is_clean() {
        definitions.presence_tables.push(Arc::new(table));
    }
}

/// A publish table while it is read.
pub(super) struct PublishDraft {
    table: PublishTable,
    statuses: Arc<Statuses>,
}

impl Draft for PublishDraft {
    fn set(&mut self, name: &str, given: &Given<'_>) -> Option<Result<(), String>> {
        if name.eq_ignore_ascii_case("type") {
            return Some(Ok(()));
        }
        let word = PhoneWord::parse(name).ok()?;
        // An empty value: the word is ignored.
        let presence = match given.value {
            "" => Ok(Presence::NOT_SET),
            value => presence(value, &self.statuses).map(|(presence, _)| presence),
        };
        Some(presence.map(|presence| self.table.set(word, presence)))
    }

    fn names() -> Vec<&'static str> {
        let words = PhoneWord::ALL.map(PhoneWord::name);
        [&["type"], &words[..]].concat()
    }

    fn forms() -> Vec<Form> {
        let names = Self::names().into_iter();
        names.map(Form::text).collect()
    }

    fn expected() -> String {
        format!(
            "type or what a phone publishes ({})",
            words::list(&PhoneWord::ALL.map(PhoneWord::name))
        )
    }
}

/// Reads one section. A table with the name of the built-in one replaces it.
pub(super) fn read_publish(definitions: &mut Definitions, reader: &mut SectionReader<'_>) {
    let name = reader.section().name.as_str();
    let mut table = PublishTable::default();
    table.name = name.into();
    let statuses = definitions.statuses.clone();
    let mut draft = PublishDraft { table, statuses };
    reader.read(&mut draft);
    if reader.is_clean() {
        let tables = &mut definitions.publish_tables;
        tables.retain(|known| !known.name.eq_ignore_ascii_case(name));
        tables.push(Arc::new(draft.table));
    }
}

/// `state[,subtype[,message]]`, or a status type that is mapped to a state, returned beside
/// its presence.
fn presence(
    given: &str,
    statuses: &Statuses,
) -> Result<(Presence, Option<Arc<StatusType>>), String> {
    let fields = text::split_escaped(given, 3);
    let field = |at: usize| fields.get(at).map_or("", |field| field.trim());
    let parts = Parts {
        status: field(0),
        subtype: field(1),
        message: field(2),
        options: "",
    };
    let choice = parts.choice(statuses, &Clock::utc(Time::NEVER))?;
    let named = statuses.find(field(0)).filter(|known| !known.is_built_in());
    let presence = choice
        .presence
        .ok_or_else(|| value::unmapped(&choice.status))?;
    Ok((presence, named.cloned()))
}
