//! What sections define for users and `[general]` to name: status types, tables, actions and
//! handling sets.

use std::collections::HashMap;
use std::sync::Arc;

use super::reader::{SectionReader, TakenNames};
use super::section::{Origin, Problem, Section};
use super::sorted::Sorted;
use super::{action, handling, status, tables};
use crate::actions::ActionBlock;
use crate::model::device::{DeviceTable, PresenceTable};
use crate::model::handling::Handling;
use crate::model::publish_table::PublishTable;
use crate::model::status::Statuses;
use crate::model::suggest;
use crate::model::text::quoted;

/// What users and `[general]` may name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Definitions {
    /// The states, and the sections of `type = status`.
    pub statuses: Arc<Statuses>,
    /// The built-in device tables, and the sections of `type = device_table`.
    pub(super) device_tables: Vec<Arc<DeviceTable>>,
    /// The sections of `type = presence_table`.
    pub(super) presence_tables: Vec<Arc<PresenceTable>>,
    /// The built-in publish table, and the sections of `type = publish_table`.
    pub(super) publish_tables: Vec<Arc<PublishTable>>,
    /// The sections of `type = action`, by their names in small letters.
    pub actions: HashMap<String, Arc<ActionBlock>>,
    /// The sets of the sections of `type = handling`, by their names in small letters.
    pub handlings: HashMap<String, Arc<Handling>>,
}

impl Default for Definitions {
    fn default() -> Self {
        Definitions {
            statuses: Arc::default(),
            device_tables: vec![
                Arc::new(DeviceTable::device()),
                Arc::new(DeviceTable::meeting()),
            ],
            presence_tables: Vec::new(),
            publish_tables: vec![Arc::default()],
            actions: HashMap::new(),
            handlings: HashMap::new(),
        }
    }
}

/// Reads one section into the definitions.
type Read = fn(&mut Definitions, &mut SectionReader<'_>);

impl Definitions {
    /// Reads the sections that define something; those with an error are left out.
    pub(super) fn parse(
        sorted: &Sorted<'_>,
        errors: &mut Vec<Problem>,
        warnings: &mut Vec<Problem>,
    ) -> Self {
        let mut found = Definitions::default();
        let mut read = |kind: &str, sections: &[(u32, &Section)], read: Read| {
            let mut names = TakenNames::default();
            for (_, section) in sections {
                let mut reader = SectionReader::new(Origin::File, section);
                if names.take(kind, &mut reader) {
                    read(&mut found, &mut reader);
                }
                reader.finish(errors, warnings);
            }
        };
        // Status types first: tables, actions and handling sections name them.
        read("status", &sorted.statuses, status::read);
        read("device_table", &sorted.device_tables, tables::read_device);
        read(
            "presence_table",
            &sorted.presence_tables,
            tables::read_presence,
        );
        read(
            "publish_table",
            &sorted.publish_tables,
            tables::read_publish,
        );
        read("action", &sorted.actions, action::read);
        read("handling", &sorted.handlings, handling::read);
        found
    }

    /// The device table of that name.
    ///
    /// # Errors
    /// When there is none.
    pub fn find_device_table(&self, name: &str) -> Result<Arc<DeviceTable>, String> {
        let mut all = self.device_tables.iter();
        let found = all.find(|table| table.name.eq_ignore_ascii_case(name));
        found.cloned().ok_or_else(|| {
            let names = self.device_tables.iter().map(|table| &*table.name);
            unknown("device_table", name, names.collect())
        })
    }

    /// The presence table of that name.
    ///
    /// # Errors
    /// When there is none.
    pub fn find_presence_table(&self, name: &str) -> Result<Arc<PresenceTable>, String> {
        let mut all = self.presence_tables.iter();
        let found = all.find(|table| table.name.eq_ignore_ascii_case(name));
        found.cloned().ok_or_else(|| {
            let names = self.presence_tables.iter().map(|table| &*table.name);
            unknown("presence_table", name, names.collect())
        })
    }

    /// The publish table of that name.
    ///
    /// # Errors
    /// When there is none.
    pub fn find_publish_table(&self, name: &str) -> Result<Arc<PublishTable>, String> {
        let mut all = self.publish_tables.iter();
        let found = all.find(|table| table.name.eq_ignore_ascii_case(name));
        found.cloned().ok_or_else(|| {
            let names = self.publish_tables.iter().map(|table| &*table.name);
            unknown("publish_table", name, names.collect())
        })
    }

    /// The handling set of that name.
    ///
    /// # Errors
    /// When there is none.
    pub fn find_handling(&self, name: &str) -> Result<Arc<Handling>, String> {
        let found = self.handlings.get(&name.to_ascii_lowercase());
        found.cloned().ok_or_else(|| {
            let mut names: Vec<&str> = self.handlings.values().map(|set| &*set.name).collect();
            names.sort_unstable();
            unknown("handling", name, names)
        })
    }
}

fn unknown(kind: &str, name: &str, known: Vec<&str>) -> String {
    let expected = match known.is_empty() {
        true => format!("a section of type = {kind}"),
        false => known.join(", "),
    };
    let expected = suggest::expected(name, &expected);
    format!("unknown {kind} '{}'{expected}", quoted(name))
}
