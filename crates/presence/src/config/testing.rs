//! A small reader of the file's form, for tests without Asterisk. It knows sections
//! and options, nothing of templates or includes: those are Asterisk's.

use std::sync::Arc;

use super::{Parsed, Section, Variable, parse};
use crate::directory::Directory;

/// Sections of a text.
pub fn sections(text: &str) -> Vec<Section> {
    let mut sections: Vec<Section> = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if let Some(name) = line.strip_prefix('[').and_then(|l| l.strip_suffix(']')) {
            sections.push(Section {
                name: name.to_owned(),
                variables: Vec::new(),
            });
        } else if let Some((name, value)) = line.split_once('=') {
            let section = sections.last_mut().expect("an option needs a section");
            section.variables.push(Variable {
                name: name.trim().to_owned(),
                value: value.trim().to_owned(),
                utf8: true,
                file: "userpresence.conf".into(),
                line: number as u32 + 1,
            });
        }
    }
    sections
}

/// A row of realtime.
pub fn row(name: &str, columns: &[(&str, &str)]) -> Section {
    let variables = columns.iter().map(|(name, value)| Variable {
        name: (*name).to_owned(),
        value: (*value).to_owned(),
        utf8: true,
        file: "".into(),
        line: 0,
    });
    Section {
        name: name.to_owned(),
        variables: variables.collect(),
    }
}

/// What the parser says of a text.
pub fn parsed(text: &str) -> Parsed {
    parse(&sections(text), &[], "host", &|name| {
        name == "Europe/Berlin"
    })
}

/// The directory of a text without errors.
pub fn directory(text: &str) -> Arc<Directory> {
    let parsed = parsed(text);
    let errors: Vec<_> = parsed.all_errors().map(ToString::to_string).collect();
    assert!(errors.is_empty(), "{errors:?}");
    Arc::new(Directory::new(parsed.settings, parsed.users))
}
