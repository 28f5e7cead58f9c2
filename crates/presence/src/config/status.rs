//! Sections of `type = status`: the status types of the administrator.

use std::sync::Arc;

use super::Definitions;
use super::reader::{OptionSpec, OptionTable, SectionReader};
use super::value;
use crate::model::rpid::{self, PersonActivity};
use crate::model::state::{Presence, State};
use crate::model::status::StatusType;

/// The option `state` while a section is read.
#[derive(Default)]
enum MapsTo {
    #[default]
    Missing,
    /// Its value is refused already.
    Wrong,
    /// A state; `None` for a status that is recorded only.
    State(Option<State>),
}

/// A section while it is read.
#[derive(Default)]
pub(super) struct StatusDraft {
    label: Box<str>,
    state: MapsTo,
    subtype: Option<String>,
    message: Option<String>,
    activities: Box<[PersonActivity]>,
}

impl OptionTable for StatusDraft {
    fn options() -> impl Iterator<Item = &'static OptionSpec<Self>> {
        const OPTIONS: &[OptionSpec<StatusDraft>] = &[
            OptionSpec::TYPE,
            OptionSpec::new("label", |it, given| {
                value::text(given.value, "label").map(|label| it.label = label.into())
            }),
            OptionSpec::new("state", |it, given| {
                given.one_of(&State::NAMES);
                it.state = MapsTo::Wrong;
                it.state = MapsTo::State(match given.value {
                    "" => None,
                    name => Some(value::state(name)?),
                });
                Ok(())
            }),
            OptionSpec::new("subtype", |it, given| {
                value::text(given.value, "subtype").map(|text| it.subtype = Some(text.into()))
            }),
            OptionSpec::new("message", |it, given| {
                value::text(given.value, "message").map(|text| it.message = Some(text.into()))
            }),
            OptionSpec::new("activity", |it, given| {
                rpid::parse_list(given.value).map(|list| it.activities = list)
            }),
        ];
        OPTIONS.iter()
    }
}

/// Reads one section. One with the name of a state changes that state's own status type.
pub(super) fn read(definitions: &mut Definitions, reader: &mut SectionReader<'_>) {
    let name = reader.section().name.as_str();
    let built_in = State::parse(name).ok().map(StatusType::built_in);
    let state = built_in.as_ref().map(|built_in| {
        let presence = built_in.maps_to.as_ref();
        MapsTo::State(presence.map(Presence::state))
    });
    let mut draft = StatusDraft {
        label: built_in
            .as_ref()
            .map_or_else(|| name.into(), |built_in| built_in.label.clone()),
        state: state.unwrap_or(MapsTo::Missing),
        subtype: None,
        message: None,
        activities: Box::default(),
    };
    reader.read(&mut draft);
    reader.check_name("a status type's name");
    let has_texts = draft.subtype.is_some() || draft.message.is_some();
    let state = match draft.state {
        MapsTo::State(state) => state,
        MapsTo::Wrong => return,
        MapsTo::Missing => {
            return reader.error(
                "the option 'state' is missing, expected a state, or nothing after 'state =' \
                 for a status that is recorded only",
            );
        }
    };
    if state.is_none() && has_texts {
        reader.error("a status without a state has no subtype and no message");
    }
    if state.is_none() && !draft.activities.is_empty() {
        reader.error("'activity' needs a state: phones do not show a status without one");
    }
    if reader.is_clean() {
        let subtype = draft.subtype.unwrap_or_default();
        let message = draft.message.unwrap_or_default();
        Arc::make_mut(&mut definitions.statuses).put(StatusType {
            name: built_in.map_or_else(|| name.into(), |built_in| built_in.name),
            label: draft.label,
            maps_to: state.map(|state| Presence::new(state, &subtype, &message)),
            activities: draft.activities,
        });
    }
}
