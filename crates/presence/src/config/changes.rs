//! Sections and rows of single users that are read anew.

use std::collections::{HashMap, HashSet};

use super::section::{Origin, Problem, Section, location};
use super::users::Users;
use super::{IsTimezone, Parsed, Settings, UserSpec, graph, group_lists, ids, logins, reach};

/// How often users with an error are left out, until the rest has none.
const PASSES: usize = 8;

/// Parses one realtime row. The row replaces the known user of the same name.
pub fn parse_row(
    settings: &Settings,
    row: &Section,
    known: Vec<UserSpec>,
    is_timezone: IsTimezone<'_>,
) -> Parsed {
    parse_users(settings, &[], std::slice::from_ref(row), known, is_timezone)
}

/// Parses sections of the file and realtime rows. Each replaces the known user of the same name;
/// where it has an error, the known user stays.
pub fn parse_changes(
    settings: &Settings,
    mut file: Vec<Section>,
    mut rows: Vec<Section>,
    known: Vec<UserSpec>,
    is_timezone: IsTimezone<'_>,
) -> Parsed {
    let mut errors: Vec<Problem> = Vec::new();
    for _ in 0..PASSES {
        let mut parsed = parse_users(settings, &file, &rows, known.clone(), is_timezone);
        if parsed.errors.is_empty() {
            parsed.errors = errors;
            return parsed;
        }
        errors.append(&mut parsed.errors);
        let new = parsed.users.iter();
        let new = new.filter(|spec| spec.section != UserSpec::NO_SECTION);
        let good: HashSet<String> = new.map(|spec| spec.name.to_ascii_lowercase()).collect();
        let before = file.len() + rows.len();
        let is_good = |section: &Section| good.contains(&section.name.to_ascii_lowercase());
        file.retain(is_good);
        rows.retain(is_good);
        if file.len() + rows.len() == before {
            // The error is a known user's: nothing changes.
            break;
        }
    }
    Parsed {
        settings: settings.clone(),
        users: known,
        errors,
        ..Parsed::default()
    }
}

fn parse_users(
    settings: &Settings,
    file: &[Section],
    rows: &[Section],
    known: Vec<UserSpec>,
    is_timezone: IsTimezone<'_>,
) -> Parsed {
    let mut users = Users::new(settings, is_timezone);
    for (origin, sections) in [(Origin::File, file), (Origin::Realtime, rows)] {
        for (index, section) in sections.iter().enumerate() {
            users.add(origin, index as u32, section);
        }
    }
    let (new, errors, warnings) = users.finish();
    let mut parsed = Parsed {
        settings: settings.clone(),
        errors,
        warnings,
        ..Parsed::default()
    };
    let mut specs: Vec<UserSpec> = known;
    let names = specs.iter().enumerate();
    let places: HashMap<String, usize> = names
        .map(|(at, spec)| (spec.name.to_ascii_lowercase(), at))
        .collect();
    for spec in new {
        match places.get(&spec.name.to_ascii_lowercase()) {
            Some(&at) if specs[at].origin == spec.origin => specs[at] = spec,
            Some(_) => {
                let sections = if spec.origin == Origin::File {
                    file
                } else {
                    rows
                };
                let section = sections.get(spec.section as usize);
                let location = section.map(|section| location(spec.origin, section, None));
                parsed.errors.push(Problem {
                    location: location.unwrap_or_default(),
                    message: format!(
                        "user '{}' is in userpresence.conf and in realtime, expected in one of them",
                        spec.name
                    ),
                });
            }
            None => specs.push(spec),
        }
    }
    let specs = ids::check(specs, file, rows, &mut parsed.errors);
    parsed.users = graph::check(specs, file, rows, &mut parsed.errors, &mut parsed.warnings);
    reach::check(&parsed.users, file, rows, &mut parsed.warnings);
    let lists = &settings.lists;
    group_lists::check(&parsed.users, lists, file, rows, &mut parsed.warnings);
    let http = &settings.http;
    logins::check(&parsed.users, http, file, rows, &mut parsed.warnings);
    parsed
}

#[cfg(test)]
mod tests {
    use super::super::testing::{parsed, row};
    use super::*;

    fn names(parsed: &Parsed) -> Vec<&str> {
        parsed.users.iter().map(|user| &*user.name).collect()
    }

    #[test]
    fn rows_with_an_error_leave_the_others_alone() {
        let before = parsed("[alice]\ntype=user\n[bob]\ntype=user\nsource=UserPresence:carol\n");
        let known: Vec<UserSpec> = crate::directory::Directory::new(before.settings, before.users)
            .specs()
            .into_iter()
            .collect();
        let rows = vec![
            row("carol", &[("source", "UserPresence:bob")]),
            row("dave", &[("method", "best")]),
            row("erin", &[("method", "latest")]),
            row("ALICE", &[]),
        ];
        let changed = parse_changes(&Settings::default(), Vec::new(), rows, known, &|_| true);
        assert_eq!(names(&changed), ["alice", "bob", "erin"]);
        let errors: Vec<String> = changed.errors.iter().map(ToString::to_string).collect();
        let has = |text: &str| errors.iter().any(|error| error.contains(text));
        assert!(
            has("user 'carol', column 'source': a cycle of users"),
            "{errors:?}"
        );
        assert!(
            has("user 'dave', column 'method': unknown method 'best'"),
            "{errors:?}"
        );
        assert!(
            has("user 'ALICE': user 'ALICE' is in userpresence.conf and in realtime"),
            "{errors:?}"
        );
    }

    #[test]
    fn a_user_with_an_error_stays_as_known() {
        let rows = vec![row("carol", &[("method", "latest")])];
        let settings = Settings::default();
        let first = parse_changes(&settings, Vec::new(), rows, Vec::new(), &|_| true);
        assert_eq!(names(&first), ["carol"]);
        let known = crate::directory::Directory::new(first.settings, first.users).specs();
        let rows = vec![row("Carol", &[("method", "best")])];
        let second = parse_changes(&settings, Vec::new(), rows, known.clone(), &|_| true);
        assert_eq!(second.users, known);
        assert_eq!(second.errors.len(), 1);
    }
}
