//! The configuration as JSON.

use presence::config::Section;
use presence::config::file::{
    ConfigDocument, ConfigOption, FileProblem, PlacedSection, fixed, is_secret, row_columns,
};
use serde_json::{Value, json};

use super::catalogue;
use crate::runtime::administration::ReadDocument;

/// The whole configuration.
pub fn whole(read: &ReadDocument, problems: &[FileProblem]) -> Value {
    /// More users from realtime are only counted.
    const MOST_ROWS: usize = 1000;
    let document = &read.document;
    let sections = document.sections.iter();
    let mut sections: Vec<Value> = sections.map(|one| section(document, one)).collect();
    let rows = read.rows.as_ref();
    let listed = rows.filter(|rows| rows.len() <= MOST_ROWS);
    sections.extend(listed.into_iter().flatten().map(row));
    let realtime = match (rows, &read.rows_problem) {
        (Some(rows), _) => json!({"users": rows.len(), "listed": listed.is_some()}),
        (None, Some(why)) => json!({"users": 0, "listed": false, "reason": why}),
        (None, None) => Value::Null,
    };
    json!({
        "realtime": realtime,
        "file": document.files.first().map_or("userpresence.conf", |file| &*file.name),
        "editable": document.fixed.is_none(),
        "reason": document.fixed,
        "sections": sections,
        "options": catalogue::all(),
        "problems": self::problems(problems),
    })
}

/// One section.
pub fn section(document: &ConfigDocument, section: &PlacedSection) -> Value {
    let entry = &section.entry;
    let place = section.lines.as_ref();
    let fixed = section.fixed.as_ref().or(document.fixed.as_ref());
    json!({
        "name": entry.name,
        "type": entry.kind(),
        "origin": "file",
        "template": entry.template,
        "templates": entry.templates,
        "file": place.map(|place| &*document.files[place.file].name),
        "line": place.map(|place| place.header + 1),
        "editable": fixed.is_none(),
        "reason": fixed,
        "options": entry.options.iter().map(option).collect::<Vec<Value>>(),
    })
}

/// A user from realtime. An empty column counts as not given, and one that is no option belongs
/// to somebody else.
pub fn row(row: &Section) -> Value {
    let columns = row_columns();
    let is_option = |name: &str| columns.iter().any(|it| it.eq_ignore_ascii_case(name));
    let given = row.variables.iter();
    let given = given.filter(|it| !it.value.is_empty() && is_option(&it.name));
    let options = given.map(|it| {
        option(&ConfigOption {
            name: it.name.clone(),
            value: it.value.clone(),
            utf8: it.utf8,
            inherited: false,
            file: it.file.clone(),
            line: it.line,
        })
    });
    json!({
        "name": row.name,
        "type": "user",
        "origin": "realtime",
        "template": false,
        "templates": [],
        "file": null,
        "line": null,
        "editable": true,
        "reason": null,
        "columns": columns,
        "options": options.collect::<Vec<Value>>(),
    })
}

fn option(option: &ConfigOption) -> Value {
    let secret = is_secret(&option.name, &option.value);
    let mut shown = json!({
        "name": option.name,
        "value": (!secret).then_some(&option.value),
        "inherited": option.inherited,
        "secret": secret,
        "file": &*option.file,
        "line": option.line,
    });
    if let Some(reason) = fixed(&option.name, &option.value) {
        shown["editable"] = false.into();
        shown["reason"] = reason.into();
    }
    shown
}

/// Problems.
pub fn problems(problems: &[FileProblem]) -> Value {
    let problems = problems.iter().map(|problem| {
        json!({
            "section": problem.section,
            "option": problem.option,
            "file": Some(&problem.file).filter(|file| !file.is_empty()),
            "line": Some(problem.line).filter(|line| *line > 0),
            "message": problem.message,
        })
    });
    problems.collect()
}
