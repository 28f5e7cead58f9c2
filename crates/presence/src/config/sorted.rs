//! The sections of the file, sorted by their type.

use super::Settings;
use super::action::ActionDraft;
use super::api_user::ApiUserDraft;
use super::cluster::ClusterDraft;
use super::form::{Form, SectionForm};
use super::general;
use super::handling::HandlingDraft;
use super::node::NodeDraft;
use super::reader::{Draft, SectionReader};
use super::section::{Origin, Problem, Section};
use super::status::StatusDraft;
use super::tables::{DeviceDraft, PublishDraft};
use super::users::UserDraft;
use super::webhook::WebhookDraft;
use crate::model::device::PresenceTable;
use crate::model::words::{self, words};

words! {
    /// The types of sections, as the option `type` names them.
    enum SectionType: "type", compared by words::exactly {
        User = "user",
        Status = "status",
        DeviceTable = "device_table",
        PresenceTable = "presence_table",
        PublishTable = "publish_table",
        Action = "action",
        Handling = "handling",
        ApiUser = "api_user",
        Webhook = "webhook",
        Cluster = "cluster",
        Node = "node",
    }
}

impl SectionType {
    /// The names of the options.
    fn options(self) -> Vec<&'static str> {
        match self {
            SectionType::User => UserDraft::names(),
            SectionType::Status => StatusDraft::names(),
            SectionType::DeviceTable => DeviceDraft::names(),
            SectionType::PresenceTable => PresenceTable::names(),
            SectionType::PublishTable => PublishDraft::names(),
            SectionType::Action => ActionDraft::names(),
            SectionType::Handling => HandlingDraft::names(),
            SectionType::ApiUser => ApiUserDraft::names(),
            SectionType::Webhook => WebhookDraft::names(),
            SectionType::Cluster => ClusterDraft::names(),
            SectionType::Node => NodeDraft::names(),
        }
    }
}

impl SectionType {
    fn forms(self) -> Vec<Form> {
        match self {
            SectionType::User => UserDraft::forms(),
            SectionType::Status => StatusDraft::forms(),
            SectionType::DeviceTable => DeviceDraft::forms(),
            SectionType::PresenceTable => PresenceTable::forms(),
            SectionType::PublishTable => PublishDraft::forms(),
            SectionType::Action => ActionDraft::forms(),
            SectionType::Handling => HandlingDraft::forms(),
            SectionType::ApiUser => ApiUserDraft::forms(),
            SectionType::Webhook => WebhookDraft::forms(),
            SectionType::Cluster => ClusterDraft::forms(),
            SectionType::Node => NodeDraft::forms(),
        }
    }
}

/// The options of every type of section, `[general]` first, for forms.
pub fn section_forms() -> Vec<SectionForm> {
    let defaults = Settings::default().list();
    let default = |form: &Form| {
        let (_, shown) = defaults.iter().find(|(name, _)| *name == form.name)?;
        // A number is shown with its unit, and nothing as a dash.
        Some(match (form.kind_name(), &**shown) {
            ("number", shown) => shown.split(' ').next().unwrap_or_default().to_owned(),
            (_, "-") => String::new(),
            (_, shown) => shown.to_owned(),
        })
    };
    let general = SectionForm {
        kind: "general",
        options: general::forms()
            .into_iter()
            .map(|form| (form, default(&form)))
            .collect(),
    };
    let others = SectionType::ALL.map(|kind| SectionForm {
        kind: kind.name(),
        options: kind.forms().into_iter().map(|form| (form, None)).collect(),
    });
    std::iter::once(general).chain(others).collect()
}

/// The types of sections, `[general]` first, each with the names of its options.
pub fn section_options() -> Vec<(&'static str, Vec<&'static str>)> {
    let types = SectionType::ALL.map(|kind| (kind.name(), kind.options()));
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
    pub publish_tables: Sections<'a>,
    pub actions: Sections<'a>,
    pub handlings: Sections<'a>,
    pub api_users: Sections<'a>,
    pub webhooks: Sections<'a>,
    pub clusters: Sections<'a>,
    pub nodes: Sections<'a>,
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
            SectionType::PublishTable => &mut self.publish_tables,
            SectionType::Action => &mut self.actions,
            SectionType::Handling => &mut self.handlings,
            SectionType::ApiUser => &mut self.api_users,
            SectionType::Webhook => &mut self.webhooks,
            SectionType::Cluster => &mut self.clusters,
            SectionType::Node => &mut self.nodes,
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
    match SectionType::parse(&first.value) {
        Ok(kind) => Some(kind),
        Err(unknown) => {
            reader.error_at("type", unknown.to_string());
            None
        }
    }
}
