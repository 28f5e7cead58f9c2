//! The sections of the file, sorted by their type.

use super::action::ActionDraft;
use super::api_user::ApiUserDraft;
use super::general;
use super::handling::HandlingDraft;
use super::reader::{Draft, SectionReader};
use super::section::{Origin, Problem, Section};
use super::status::StatusDraft;
use super::tables::DeviceDraft;
use super::users::UserDraft;
use super::webhook::WebhookDraft;
use crate::model::device::PresenceTable;
use crate::model::suggest;
use crate::model::text::quoted;

/// The types of sections, as the option `type` names them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum SectionType {
    User,
    Status,
    DeviceTable,
    PresenceTable,
    Action,
    Handling,
    ApiUser,
    Webhook,
}

impl SectionType {
    const ALL: [(&'static str, SectionType); 8] = [
        ("user", SectionType::User),
        ("status", SectionType::Status),
        ("device_table", SectionType::DeviceTable),
        ("presence_table", SectionType::PresenceTable),
        ("action", SectionType::Action),
        ("handling", SectionType::Handling),
        ("api_user", SectionType::ApiUser),
        ("webhook", SectionType::Webhook),
    ];

    fn parse(name: &str) -> Option<Self> {
        let mut all = Self::ALL.into_iter();
        let found = all.find(|(known, _)| *known == name);
        found.map(|(_, kind)| kind)
    }

    /// The names of the options.
    fn options(self) -> Vec<&'static str> {
        match self {
            SectionType::User => UserDraft::names(),
            SectionType::Status => StatusDraft::names(),
            SectionType::DeviceTable => DeviceDraft::names(),
            SectionType::PresenceTable => PresenceTable::names(),
            SectionType::Action => ActionDraft::names(),
            SectionType::Handling => HandlingDraft::names(),
            SectionType::ApiUser => ApiUserDraft::names(),
            SectionType::Webhook => WebhookDraft::names(),
        }
    }

    fn expected() -> String {
        Self::ALL.map(|(name, _)| name).join(", ")
    }
}

/// The types of sections, `[general]` first, each with the names of its options.
pub fn section_options() -> Vec<(&'static str, Vec<&'static str>)> {
    let types = SectionType::ALL.map(|(name, kind)| (name, kind.options()));
    let general = ("general", general::names());
    std::iter::once(general).chain(types).collect()
}

/// Sections with their index in the file.
pub(super) type Sections<'a> = Vec<(u32, &'a Section)>;

/// The sections of the file by type, each type in the order of the file.
#[derive(Default)]
pub(super) struct Sorted<'a> {
    pub general: Vec<&'a Section>,
    pub users: Sections<'a>,
    pub statuses: Sections<'a>,
    pub device_tables: Sections<'a>,
    pub presence_tables: Sections<'a>,
    pub actions: Sections<'a>,
    pub handlings: Sections<'a>,
    pub api_users: Sections<'a>,
    pub webhooks: Sections<'a>,
}

impl<'a> Sorted<'a> {
    /// Sorts the sections. One without a known type is left out, with an error.
    pub fn new(file: &'a [Section], errors: &mut Vec<Problem>) -> Self {
        let mut sorted = Sorted::default();
        for (index, section) in file.iter().enumerate() {
            if section.name == "general" {
                sorted.general.push(section);
                continue;
            }
            let mut reader = SectionReader::new(Origin::File, section);
            if let Some(kind) = section_type(&mut reader) {
                sorted.of(kind).push((index as u32, section));
            }
            reader.finish(errors, &mut Vec::new());
        }
        sorted
    }

    fn of(&mut self, kind: SectionType) -> &mut Sections<'a> {
        match kind {
            SectionType::User => &mut self.users,
            SectionType::Status => &mut self.statuses,
            SectionType::DeviceTable => &mut self.device_tables,
            SectionType::PresenceTable => &mut self.presence_tables,
            SectionType::Action => &mut self.actions,
            SectionType::Handling => &mut self.handlings,
            SectionType::ApiUser => &mut self.api_users,
            SectionType::Webhook => &mut self.webhooks,
        }
    }
}

/// The type of a section. Templates may repeat the option, but only with the same value.
fn section_type(reader: &mut SectionReader<'_>) -> Option<SectionType> {
    let variables = reader.section().variables.iter().enumerate();
    let mut types = variables.filter(|(_, it)| it.name.eq_ignore_ascii_case("type"));
    let Some((_, first)) = types.next() else {
        reader.require("type", &SectionType::expected());
        return None;
    };
    if let Some((index, _)) = types.find(|(_, again)| again.value != first.value) {
        reader.error_on(
            index as u32,
            "the option 'type' has two values, expected one",
        );
        return None;
    }
    let kind = SectionType::parse(&first.value);
    if kind.is_none() {
        let expected = suggest::expected(&first.value, &SectionType::expected());
        let unknown = quoted(&first.value);
        reader.error_at("type", format!("unknown type '{unknown}'{expected}"));
    }
    kind
}
