//! Sections and options as Asterisk's parser delivers them, and problems with their location.

use std::fmt;
use std::sync::Arc;

/// One option of a section, or one column of a realtime row.
#[derive(Clone, Debug)]
pub struct Variable {
    /// The option's name, as written.
    pub name: String,
    /// The value; bytes that are not UTF-8 are replaced, and `utf8` is false.
    pub value: String,
    /// Whether the value is valid UTF-8.
    pub utf8: bool,
    /// The file that holds the option, as Asterisk names it; empty for realtime.
    pub file: Arc<str>,
    /// The line in the file, from 1; 0 for realtime.
    pub line: u32,
}

/// One section of the file, or one row of the realtime family.
#[derive(Clone, Debug)]
pub struct Section {
    /// The section's name, or the row's column `name`.
    pub name: String,
    /// The options in order, those of the section's templates first.
    pub variables: Vec<Variable>,
}

impl Section {
    /// Whether this is a section of `type = user`.
    pub fn is_user(&self) -> bool {
        self.option("type").is_some_and(|kind| kind.value == "user")
    }

    /// The option of that name whose value counts: the last one.
    pub(super) fn option(&self, name: &str) -> Option<&Variable> {
        let mut variables = self.variables.iter().rev();
        variables.find(|variable| variable.name.eq_ignore_ascii_case(name))
    }
}

/// Something wrong in the configuration.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Problem {
    /// File, line, section and option, or the realtime user and column.
    pub location: Location,
    /// What is wrong and what was expected.
    pub message: String,
}

/// Where a problem is.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Location {
    /// The location for people; empty if it is not known.
    pub text: String,
    /// The section's name, or the realtime user's.
    pub section: String,
    /// The option's name.
    pub option: Option<String>,
    /// The file, as Asterisk names it; empty for realtime.
    pub file: Arc<str>,
    /// The line, from 1; 0 if there is none.
    pub line: u32,
}

impl From<String> for Location {
    fn from(text: String) -> Self {
        Location {
            text,
            ..Location::default()
        }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.location, self.message)
    }
}

/// Where a section comes from. In a realtime row one value may hold several, separated by
/// `;`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Origin {
    /// `userpresence.conf`.
    File,
    /// The realtime family `userpresence`.
    Realtime,
}

/// The location of an option, or of the whole section.
pub(super) fn location(origin: Origin, section: &Section, variable: Option<&Variable>) -> Location {
    located(location_text(origin, section, variable), section, variable)
}

fn located(text: String, section: &Section, variable: Option<&Variable>) -> Location {
    let at = variable.or(section.variables.first());
    Location {
        text,
        section: section.name.clone(),
        option: variable.map(|variable| variable.name.clone()),
        file: at.map_or_else(Arc::default, |at| at.file.clone()),
        line: at.map_or(0, |at| at.line),
    }
}

fn location_text(origin: Origin, section: &Section, variable: Option<&Variable>) -> String {
    let at = variable.or(section.variables.first());
    match (origin, at) {
        (Origin::File, Some(at)) => {
            let file = at.file.rsplit('/').next().unwrap_or_default();
            let option = variable.map_or(String::new(), |v| format!(", option '{}'", v.name));
            format!("{file}:{}, section [{}]{option}", at.line, section.name)
        }
        (Origin::File, None) => format!("userpresence.conf, section [{}]", section.name),
        (Origin::Realtime, _) => text_in("userpresence", section, variable),
    }
}

/// The location of a column, or of the whole row, of a realtime family.
pub(super) fn location_in(family: &str, row: &Section, variable: Option<&Variable>) -> Location {
    located(text_in(family, row, variable), row, variable)
}

fn text_in(family: &str, row: &Section, variable: Option<&Variable>) -> String {
    let column = variable.map_or(String::new(), |v| format!(", column '{}'", v.name));
    format!("realtime family '{family}', user '{}'{column}", row.name)
}
