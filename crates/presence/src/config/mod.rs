//! `userpresence.conf` and the realtime family of the same name, as typed settings.
//!
//! Asterisk's own parser has read the text; here its sections become [`Settings`]
//! and [`UserSpec`]s, or problems that name the place and what was expected.

mod action;
mod api_user;
mod definitions;
mod graph;
pub mod handling;
mod ids;
mod settings;
mod shown;
mod user;
mod value;
pub mod webhook;

use std::fmt;
use std::sync::Arc;

use crate::model::suggest;
pub use api_user::{ApiUser, Http};
pub use definitions::Definitions;
pub use settings::{LoginStatuses, Outgoing, Rule, Schedule, Settings};
pub use user::{InputKind, InputSpec, UserSpec};
pub use webhook::Webhook;

/// One option line.
#[derive(Clone, Debug)]
pub struct Variable {
    /// The option's name.
    pub name: String,
    /// Its value; bytes that are not UTF-8 are replaced and `utf8` is false.
    pub value: String,
    /// Whether the value was UTF-8.
    pub utf8: bool,
    /// The file it stands in, as Asterisk names it; empty for realtime.
    pub file: Arc<str>,
    /// The line in the file, from 1; 0 for realtime.
    pub line: u32,
}

/// One section of the file, or one row of the realtime family.
#[derive(Clone, Debug)]
pub struct Section {
    /// The section's name, or the row's column `name`.
    pub name: String,
    /// Its options in order, those of its templates first.
    pub variables: Vec<Variable>,
}

/// Something wrong in the configuration.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Problem {
    /// File, line, section and option, or the realtime user and column.
    pub place: String,
    /// What is wrong and what was expected.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.message)
    }
}

/// Where sections come from: it decides how a place is named and whether one value
/// may hold several, separated by `;`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Origin {
    /// `userpresence.conf`.
    File,
    /// The realtime family `userpresence`.
    Realtime,
}

/// Says whether the system knows a time zone of that name.
pub type IsTimezone<'a> = &'a dyn Fn(&str) -> bool;

/// What parsing found.
#[derive(Default, Debug)]
pub struct Parsed {
    /// `[general]`.
    pub settings: Settings,
    /// The users without an error.
    pub users: Vec<UserSpec>,
    /// Errors in `[general]`: a load declines.
    pub general_errors: Vec<Problem>,
    /// Errors in other sections: a load leaves these sections out.
    pub errors: Vec<Problem>,
    /// What is odd but usable.
    pub warnings: Vec<Problem>,
}

impl Parsed {
    /// Every error, those of `[general]` first.
    pub fn all_errors(&self) -> impl Iterator<Item = &Problem> {
        self.general_errors.iter().chain(&self.errors)
    }
}

/// Parses the file's sections and then the realtime rows.
pub fn parse(file: &[Section], realtime: &[Section], is_timezone: IsTimezone<'_>) -> Parsed {
    let mut parsed = Parsed::default();
    let mut errors = Vec::new();
    let mut problem = |section: &Section, variable: Option<&Variable>, message: String| {
        let place = place(Origin::File, section, variable);
        errors.push(Problem { place, message });
    };
    let (mut general, mut users, mut defined) = (Vec::new(), Vec::new(), Vec::new());
    let mut api_users = Vec::new();
    let mut webhooks = Vec::new();
    for (index, section) in file.iter().enumerate() {
        if section.name == "general" {
            general.push(section);
            continue;
        }
        match section_type(section) {
            Ok(Some("user")) => users.push((index, section)),
            Ok(Some("api_user")) => api_users.push(section),
            Ok(Some("webhook")) => webhooks.push(section),
            Ok(Some(kind)) if definitions::TYPES.contains(&kind) => defined.push((kind, section)),
            Ok(None) => {
                let message = format!("the option 'type' is missing, expected {}", types());
                problem(section, None, message);
            }
            Ok(Some(other)) => {
                let message = format!(
                    "unknown type '{other}'{}",
                    suggest::expected(other, &types())
                );
                problem(section, option(section, "type"), message);
            }
            Err(again) => {
                let message = "the option 'type' has two values, expected one".into();
                problem(section, Some(again), message);
            }
        }
    }
    let definitions = Arc::new(Definitions::parse(&defined, &mut errors));
    parsed.settings = Settings::parse(
        &general,
        definitions,
        is_timezone,
        &mut parsed.general_errors,
        &mut parsed.warnings,
    );
    let mut found = user::Users::new(&parsed.settings, is_timezone);
    for (index, section) in users {
        found.add(Origin::File, index, section);
    }
    for (index, row) in realtime.iter().enumerate() {
        found.add(Origin::Realtime, index, row);
    }
    let (specs, mut of_users, warnings) = found.finish();
    errors.append(&mut of_users);
    let specs = ids::check(specs, file, realtime, &mut errors);
    parsed.users = graph::check(specs, file, realtime, &mut errors, &mut parsed.warnings);
    handling::check(&parsed.users, file, realtime, &mut parsed.warnings);
    let http = Arc::make_mut(&mut parsed.settings.http);
    http.add_users(&api_users, &parsed.users, &mut errors);
    let journal = http.journal;
    parsed.settings.webhooks = webhook::parse(&webhooks, &parsed.users, journal, &mut errors);
    parsed.errors = errors;
    parsed.warnings.extend(warnings);
    parsed
}

/// The types of sections, for messages that say what was expected.
fn types() -> String {
    format!("user, {}, api_user, webhook", definitions::TYPES.join(", "))
}

/// Parses one realtime row beside users that are known; one of the same name gives
/// way to it.
pub fn parse_row(
    settings: &Settings,
    row: &Section,
    known: Vec<UserSpec>,
    is_timezone: IsTimezone<'_>,
) -> Parsed {
    let mut users = user::Users::new(settings, is_timezone);
    users.add(Origin::Realtime, 0, row);
    let (new, errors, warnings) = users.finish();
    let mut parsed = Parsed {
        settings: settings.clone(),
        errors,
        warnings,
        ..Parsed::default()
    };
    let mut specs: Vec<UserSpec> = known;
    for spec in new {
        match specs
            .iter_mut()
            .find(|known| known.name.eq_ignore_ascii_case(&spec.name))
        {
            Some(known) => *known = spec,
            None => specs.push(spec),
        }
    }
    let rows = std::slice::from_ref(row);
    let specs = ids::check(specs, &[], rows, &mut parsed.errors);
    parsed.users = graph::check(specs, &[], rows, &mut parsed.errors, &mut parsed.warnings);
    handling::check(&parsed.users, &[], rows, &mut parsed.warnings);
    parsed
}

fn option<'a>(section: &'a Section, name: &str) -> Option<&'a Variable> {
    let mut variables = section.variables.iter().rev();
    variables.find(|variable| variable.name.eq_ignore_ascii_case(name))
}

/// The section's type; templates may repeat it, but not with another word.
fn section_type(section: &Section) -> Result<Option<&str>, &Variable> {
    let types = section.variables.iter();
    let mut types = types.filter(|variable| variable.name.eq_ignore_ascii_case("type"));
    let Some(first) = types.next() else {
        return Ok(None);
    };
    match types.find(|variable| variable.value != first.value) {
        Some(again) => Err(again),
        None => Ok(Some(&first.value)),
    }
}

/// Names a place: of one option, or of the whole section.
fn place(origin: Origin, section: &Section, variable: Option<&Variable>) -> String {
    let at = variable.or(section.variables.first());
    match (origin, at) {
        (Origin::File, Some(at)) => {
            let file = at.file.rsplit('/').next().unwrap_or_default();
            let option = variable.map_or(String::new(), |v| format!(", option '{}'", v.name));
            format!("{file}:{}, section [{}]{option}", at.line, section.name)
        }
        (Origin::File, None) => format!("userpresence.conf, section [{}]", section.name),
        (Origin::Realtime, _) => {
            let column = variable.map_or(String::new(), |v| format!(", column '{}'", v.name));
            format!(
                "realtime family 'userpresence', user '{}'{column}",
                section.name
            )
        }
    }
}

#[cfg(any(test, feature = "testing"))]
pub mod testing;
#[cfg(test)]
mod tests;
