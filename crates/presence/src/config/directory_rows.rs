//! The realtime family `userpresence_directory`: what a directory says of people, for users that
//! are defined elsewhere.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::Settings;
use super::reader::{DISPLAY_NAME, Draft};
use super::section::{Origin, Problem, Section, Variable, location_in};
use super::users::{UserDraft, Users};
use super::value;

/// The columns that are read; all others are ignored.
const COLUMNS: [&str; 4] = [DISPLAY_NAME, "title", "email", GROUP];

/// The column that may have several values.
const GROUP: &str = "group";

/// The entries, by the users' names in small letters.
#[derive(Debug)]
pub struct DirectoryRows {
    family: &'static str,
    entries: HashMap<String, Section>,
}

impl DirectoryRows {
    /// The entries of that family's rows; only the columns that are read are kept.
    pub fn new(family: &'static str, rows: Vec<Section>) -> Self {
        let is_read = |it: &Variable| {
            COLUMNS
                .iter()
                .any(|name| it.name.eq_ignore_ascii_case(name))
        };
        let entries = rows.into_iter().map(|mut row| {
            row.variables.retain(is_read);
            row.variables.shrink_to_fit();
            (row.name.to_ascii_lowercase(), row)
        });
        DirectoryRows {
            family,
            entries: entries.collect(),
        }
    }

    /// Gives each user of these sections or rows the fields that their own section or row does
    /// not give. A value with an error is left out, with a warning. Entries of unknown users
    /// mean nothing.
    pub fn fill(&self, origin: Origin, users: &mut [Section], warnings: &mut Vec<Problem>) {
        let options = UserDraft::names();
        for user in users {
            if origin == Origin::File && !user.is_user() {
                continue;
            }
            let Some(entry) = self.entries.get(&user.name.to_ascii_lowercase()) else {
                continue;
            };
            for column in COLUMNS {
                let option = if column == DISPLAY_NAME {
                    "name"
                } else {
                    column
                };
                let named = match origin {
                    Origin::File => option,
                    Origin::Realtime => column,
                };
                let own = user.option(named);
                let is_given =
                    own.is_some_and(|own| origin == Origin::File || !own.value.is_empty());
                if options.contains(&option) && !is_given {
                    let values = self.values(entry, column, warnings);
                    user.variables
                        .extend(values.into_iter().map(|value| Variable {
                            name: named.to_owned(),
                            value: value.to_owned(),
                            utf8: true,
                            file: Arc::from(""),
                            line: 0,
                        }));
                }
            }
        }
    }

    /// The values of a column that have no error, each once.
    fn values<'a>(
        &self,
        entry: &'a Section,
        column: &str,
        warnings: &mut Vec<Problem>,
    ) -> Vec<&'a str> {
        // A directory's attribute may have several values: all groups count, else the first.
        let most = if column == GROUP { usize::MAX } else { 1 };
        let (mut seen, mut values) = (HashSet::new(), Vec::new());
        let given = entry.variables.iter();
        for variable in given.filter(|it| it.name.eq_ignore_ascii_case(column)) {
            let several = column == GROUP;
            let words = variable.value.split(|c| several && c == ';');
            let words = words.map(str::trim);
            for word in words.filter(|word| !word.is_empty()) {
                let word = if column == GROUP { group(word) } else { word };
                if values.len() == most || !seen.insert(word.to_ascii_lowercase()) {
                    continue;
                }
                let checked = match (column, word.contains('\\')) {
                    // An escaped comma of a distinguished name.
                    (GROUP, true) if word.contains(',') => value::group(word),
                    _ => check(entry, variable, word),
                };
                match checked {
                    Ok(()) => values.push(word),
                    Err(message) => warnings.push(Problem {
                        location: location_in(self.family, entry, Some(variable)),
                        message: format!("{message}; the value is left out"),
                    }),
                }
            }
        }
        values
    }
}

/// The group that a value names: of a distinguished name, as `memberOf` has it, the first part.
fn group(value: &str) -> &str {
    let mut commas = value.match_indices(',').map(|(at, _)| at);
    let end = commas.find(|at| !value[..*at].ends_with('\\'));
    let (first, rest) = end.map_or((value, ""), |end| (&value[..end], &value[end + 1..]));
    match first.split_once('=') {
        Some((kind, name)) if kind.trim().eq_ignore_ascii_case("cn") && !rest.is_empty() => {
            name.trim()
        }
        _ => value,
    }
}

/// The error of a value, as a user's own option would have it.
fn check(entry: &Section, variable: &Variable, value: &str) -> Result<(), String> {
    let settings = Settings::default();
    let alone = Section {
        name: entry.name.clone(),
        variables: vec![Variable {
            value: value.to_owned(),
            ..variable.clone()
        }],
    };
    let mut users = Users::new(&settings, &|_| true);
    users.add(Origin::Realtime, 0, &alone);
    let (_, errors, _) = users.finish();
    match errors.into_iter().next() {
        Some(error) => Err(error.message),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{row, sections};
    use super::*;

    fn groups(section: &Section) -> Vec<&str> {
        let given = section.variables.iter().filter(|it| it.name == "group");
        given.map(|it| &*it.value).collect()
    }

    #[test]
    fn fields_are_given_where_the_user_has_none() {
        let rows = vec![
            row(
                "Alice",
                &[
                    ("group", "Sales"),
                    ("group", "Not\ta name"),
                    ("group", "berlin;SALES; Customer Care"),
                ],
            ),
            row("bob", &[("group", "Sales")]),
            row("dave", &[("group", "CN=Sales,OU=Groups,DC=example,DC=com")]),
            row("carol", &[("group", "Sales"), ("shoe_size", "43")]),
            row("nobody", &[("group", "Sales")]),
            row("erin", &[("group", "cn=Sales\\, East,dc=example")]),
        ];
        let directory = DirectoryRows::new("userpresence_directory", rows);
        let mut file = sections(
            "[alice]\ntype=user\n[bob]\ntype=user\ngroup=Own\n[carol]\ntype=status\n[dave]\ntype=user\n\
             [erin]\ntype=user\n",
        );
        let mut warnings = Vec::new();
        directory.fill(Origin::File, &mut file, &mut warnings);
        assert_eq!(groups(&file[0]), ["Sales", "berlin", "Customer Care"]);
        assert_eq!(groups(&file[1]), ["Own"]);
        assert!(groups(&file[2]).is_empty());
        assert_eq!(groups(&file[3]), ["Sales"]);
        assert!(groups(&file[4]).is_empty());
        assert_eq!(warnings.len(), 2);
        let location = "realtime family 'userpresence_directory', user 'Alice', column 'group'";
        assert_eq!(warnings[0].location.text, location);
        assert!(warnings[0].message.ends_with("; the value is left out"));

        let mut rows = vec![row("CAROL", &[("group", "")])];
        directory.fill(Origin::Realtime, &mut rows, &mut Vec::new());
        assert_eq!(groups(&rows[0]), ["", "Sales"]);
    }
}
