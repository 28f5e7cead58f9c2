//! What sections define for users to name: status types and tables.

use std::collections::HashMap;
use std::sync::Arc;

use super::{Origin, Problem, Section, Variable, action, handling, place, value};
use crate::actions::ActionBlock;
use crate::calls::Handling;
use crate::model::assignment::Parts;
use crate::model::device::{DeviceState, DeviceTable, PresenceTable};
use crate::model::ending::Clock;
use crate::model::state::{Presence, State};
use crate::model::status::{StatusType, Statuses};
use crate::model::suggest::{self, expected};
use crate::model::text;
use crate::model::text::quoted;
use crate::model::time::Time;

/// What users and `[general]` may name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Definitions {
    /// Sections of `type = status`, and the states.
    pub statuses: Arc<Statuses>,
    /// Sections of `type = device_table`, and the built-in ones.
    device_tables: Vec<Arc<DeviceTable>>,
    /// Sections of `type = presence_table`.
    presence_tables: Vec<Arc<PresenceTable>>,
    /// Sections of `type = action`, by the name in small letters.
    pub actions: HashMap<String, Arc<ActionBlock>>,
    /// The sets of sections of `type = handling`, by the name in small letters.
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
            actions: HashMap::new(),
            handlings: HashMap::new(),
        }
    }
}

/// The types of sections that define something.
pub const TYPES: [&str; 5] = [
    "status",
    "device_table",
    "presence_table",
    "action",
    "handling",
];

impl Definitions {
    /// Parses the sections that define something; those with an error are left out.
    pub fn parse(sections: &[(&str, &Section)], errors: &mut Vec<Problem>) -> Self {
        let mut found = Definitions::default();
        let mut names: Vec<(&str, String, String)> = Vec::new();
        // Status types first: tables and actions name them.
        for kind in TYPES {
            let of_kind = sections.iter().filter(|(known, _)| *known == kind);
            for (_, section) in of_kind {
                let at = place(Origin::File, section, None);
                let mut mine = Vec::new();
                let name = section.name.to_ascii_lowercase();
                let twice = names.iter().find(|(k, n, _)| *k == kind && *n == name);
                if let Some((_, _, first)) = twice {
                    mine.push(Problem {
                        place: at,
                        message: format!(
                            "the {kind} '{}' stands twice (first at {first}), expected a name \
                             once, without regard to case",
                            section.name
                        ),
                    });
                } else {
                    names.push((kind, name, at));
                    match kind {
                        "status" => found.status(section, &mut mine),
                        "device_table" => found.device_table(section, &mut mine),
                        "action" => found.action(section, &mut mine),
                        "handling" => {
                            let statuses = found.statuses.clone();
                            handling::parse(section, &statuses, &mut found.handlings, &mut mine);
                        }
                        _ => found.presence_table(section, &mut mine),
                    }
                }
                errors.append(&mut mine);
            }
        }
        found
    }

    fn status(&mut self, section: &Section, errors: &mut Vec<Problem>) {
        let built_in = State::parse(&section.name).ok().map(StatusType::built_in);
        let known = built_in.is_some();
        let mut status = built_in.unwrap_or(StatusType {
            name: section.name.as_str().into(),
            label: section.name.as_str().into(),
            maps_to: None,
        });
        let mut state = status.maps_to.as_ref().map(Presence::state);
        let (mut subtype, mut message) = (None, None);
        let (mut given, mut readable) = (known, true);
        each(section, errors, |name, given_value| {
            match name {
                "label" => {
                    text::check(given_value).map_err(|why| format!("the label {why}"))?;
                    status.label = given_value.into();
                }
                "state" => {
                    (given, readable) = (true, false);
                    state = match given_value {
                        "" => None,
                        name => Some(value::state(name)?),
                    };
                    readable = true;
                }
                "subtype" | "message" => {
                    text::check(given_value).map_err(|why| format!("the {name} {why}"))?;
                    let place = if name == "subtype" {
                        &mut subtype
                    } else {
                        &mut message
                    };
                    *place = Some(given_value.to_owned());
                }
                _ => {
                    const OPTIONS: &str = "type, label, state, subtype, message";
                    return Err(format!("unknown option{}", expected(name, OPTIONS)));
                }
            }
            Ok(())
        });
        let mut fail = |message: String| {
            let place = place(Origin::File, section, None);
            errors.push(Problem { place, message });
        };
        if let Err(message) = value::name(&section.name, "a status type's name") {
            fail(message);
        }
        if !given {
            fail(
                "the option 'state' is missing, expected a state, or nothing after 'state =' \
                 for a status that is recorded only"
                    .into(),
            );
        }
        let texts = subtype.is_some() || message.is_some();
        let (subtype, message) = (subtype.unwrap_or_default(), message.unwrap_or_default());
        match state {
            None if texts && given && readable => {
                fail("a status without a state has no subtype and no message".into());
            }
            _ => status.maps_to = state.map(|state| Presence::new(state, &subtype, &message)),
        }
        if errors.is_empty() {
            Arc::make_mut(&mut self.statuses).put(status);
        }
    }

    fn action(&mut self, section: &Section, errors: &mut Vec<Problem>) {
        let statuses = self.statuses.clone();
        let is_type = |name: &str| {
            statuses.find(name).is_some_and(|status| {
                let state = status.maps_to.as_ref().map(Presence::state);
                !status.is_built_in() || state != State::parse(name).ok()
            })
        };
        if let Some(block) = action::parse(section, &is_type, errors) {
            let name = section.name.to_ascii_lowercase();
            self.actions.insert(name, Arc::new(block));
        }
    }

    fn device_table(&mut self, section: &Section, errors: &mut Vec<Problem>) {
        let meeting = section.name.eq_ignore_ascii_case(DeviceTable::MEETING);
        let mut table = match meeting {
            true => DeviceTable::meeting(),
            false => DeviceTable::device(),
        };
        table.name = section.name.as_str().into();
        let statuses = self.statuses.clone();
        each(section, errors, |name, given| {
            let state = DeviceState::parse(name).map_err(|_| {
                let known = format!("type or a device state ({})", DeviceState::expected());
                format!("unknown option{}", expected(name, &known))
            })?;
            let (presence, named) = presence(given, &statuses)?;
            table.set(state, presence, named);
            Ok(())
        });
        if errors.is_empty() {
            let same = |known: &Arc<DeviceTable>| !known.name.eq_ignore_ascii_case(&table.name);
            self.device_tables.retain(same);
            self.device_tables.push(Arc::new(table));
        }
    }

    fn presence_table(&mut self, section: &Section, errors: &mut Vec<Problem>) {
        let mut table = PresenceTable::default();
        table.name = section.name.as_str().into();
        each(section, errors, |name, given| {
            let state = State::parse(name).map_err(|_| {
                let known = format!("type or a state ({})", State::expected());
                format!("unknown option{}", expected(name, &known))
            })?;
            let shown_as = DeviceState::parse(given)?;
            table.set(state, shown_as);
            Ok(())
        });
        if errors.is_empty() {
            self.presence_tables.push(Arc::new(table));
        }
    }

    /// The device table of that name.
    ///
    /// # Errors
    /// Says that there is none.
    pub fn find_device_table(&self, name: &str) -> Result<Arc<DeviceTable>, String> {
        let mut all = self.device_tables.iter();
        let found = all.find(|table| table.name.eq_ignore_ascii_case(name));
        found.cloned().ok_or_else(|| {
            let names = self.device_tables.iter().map(|table| &*table.name);
            unknown("device_table", name, names)
        })
    }

    /// The presence table of that name.
    ///
    /// # Errors
    /// Says that there is none.
    pub fn find_presence_table(&self, name: &str) -> Result<Arc<PresenceTable>, String> {
        let mut all = self.presence_tables.iter();
        let found = all.find(|table| table.name.eq_ignore_ascii_case(name));
        found.cloned().ok_or_else(|| {
            let names = self.presence_tables.iter().map(|table| &*table.name);
            unknown("presence_table", name, names)
        })
    }
}

fn unknown<'a>(kind: &str, name: &str, known: impl Iterator<Item = &'a str>) -> String {
    let known: Vec<_> = known.collect();
    let expected = match known.is_empty() {
        true => format!("a section of type = {kind}"),
        false => known.join(", "),
    };
    let expected = suggest::expected(name, &expected);
    format!("unknown {kind} '{}'{expected}", quoted(name))
}

/// `state[,subtype[,message]]`, or a status type that is mapped to one; with that type.
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
        .ok_or_else(|| format!("the status '{}' is mapped to no state", choice.status.name))?;
    Ok((presence, named.cloned()))
}

/// Hands every option but `type` to `take`, by its name in small letters and its
/// value.
fn each(
    section: &Section,
    errors: &mut Vec<Problem>,
    mut take: impl FnMut(&str, &str) -> Result<(), String>,
) {
    for variable in &section.variables {
        let name = variable.name.to_ascii_lowercase();
        if name == "type" {
            continue;
        }
        if let Err(message) = utf8(variable).and_then(|value| take(&name, value)) {
            errors.push(Problem {
                place: place(Origin::File, section, Some(variable)),
                message,
            });
        }
    }
}

fn utf8(variable: &Variable) -> Result<&str, String> {
    match variable.utf8 {
        true => Ok(&variable.value),
        false => Err("the value is not UTF-8".into()),
    }
}
