//! Changes of a user from realtime: one row, whose columns are options.

use super::change::{FileProblem, OptionsChange, SectionChange};
use super::guard;
use crate::config::{Section, Variable, value};

/// The columns of a row that are to have other values.
type Columns = Vec<(String, String)>;

/// What a change makes of the rows.
#[derive(Clone, Debug)]
pub struct PlannedRow {
    /// The row's name.
    pub name: String,
    /// What changes: `None` for a row that goes.
    pub columns: Option<Columns>,
    /// What the changed columns were; `None` for a new row.
    pub before: Option<Columns>,
    /// All rows as they are to be.
    pub rows: Vec<Section>,
}

/// Works out a change of a row.
///
/// # Errors
/// Why it cannot be made.
pub fn plan_row(rows: &[Section], change: &SectionChange) -> Result<PlannedRow, Vec<FileProblem>> {
    let name = &*change.section;
    let problem = |option: Option<&str>, message: &str| {
        vec![FileProblem {
            section: name.to_owned(),
            option: option.map(Into::into),
            message: message.to_owned(),
            ..FileProblem::default()
        }]
    };
    let moves = change.rename.is_some() || change.after.is_some() || change.template;
    if moves
        || change
            .templates
            .as_ref()
            .is_some_and(|templates| !templates.is_empty())
    {
        let why = "a user of the database has neither another name, nor a place, nor templates";
        return Err(problem(None, why));
    }
    value::name(name, "a user's name").map_err(|why| problem(None, &why))?;
    let at = rows.iter().position(|row| row.name == name);
    let mut planned = PlannedRow {
        name: name.to_owned(),
        columns: None,
        before: None,
        rows: rows.to_vec(),
    };
    let column = |row: &Section, name: &str| {
        let mut columns = row.variables.iter();
        let found = columns.find(|it| it.name.eq_ignore_ascii_case(name));
        found.map(|it| it.value.clone())
    };
    let wanted = match (&change.options, at) {
        (OptionsChange::Keep, _) => return Err(problem(None, "nothing is to be changed")),
        (OptionsChange::Delete, None) => return Err(problem(None, "there is no such user")),
        (OptionsChange::Delete, Some(at)) => {
            let row = planned.rows.remove(at);
            let columns = row.variables.into_iter().map(|it| (it.name, it.value));
            planned.before = Some(columns.filter(|(_, value)| !value.is_empty()).collect());
            return Ok(planned);
        }
        (OptionsChange::Set(wanted), _) => wanted,
    };
    // The columns of an empty table are not known: the driver says what there is.
    let row = at.map(|at| rows[at].clone());
    let known = row.as_ref().or(rows.first());
    let mut columns: Columns = Vec::new();
    for option in wanted {
        let asked = &*option.name;
        if asked.eq_ignore_ascii_case("type") {
            continue;
        }
        if known.is_some_and(|known| column(known, asked).is_none()) || asked == "name" {
            return Err(problem(Some(asked), "the table has no such column"));
        }
        let before = row
            .as_ref()
            .and_then(|row| column(row, asked))
            .unwrap_or_default();
        let kept = Some(before).filter(|before| guard::is_secret(asked, before));
        let Some(value) = option.value.clone().or(kept) else {
            let why = "the value is missing, and there is no secret that could stay";
            return Err(problem(Some(asked), why));
        };
        guard::check_value(&value).map_err(|why| problem(Some(asked), &why))?;
        let mut known = columns.iter_mut();
        match known.find(|(name, _)| name.eq_ignore_ascii_case(asked)) {
            // Several values share a column.
            Some((_, several)) => *several = format!("{several};{value}"),
            None => columns.push((asked.to_ascii_lowercase(), value)),
        }
    }
    let before: Columns = row
        .iter()
        .flat_map(|row| &row.variables)
        .map(|it| (it.name.clone(), it.value.clone()))
        .collect();
    // What is not wanted any more is emptied, which counts as not given.
    for (name, value) in &before {
        let is_wanted = columns
            .iter()
            .any(|(wanted, _)| wanted.eq_ignore_ascii_case(name));
        if !is_wanted && !value.is_empty() {
            columns.push((name.clone(), String::new()));
        }
    }
    let old = |name: &str| {
        let found = before
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map_or("", |(_, value)| value)
    };
    columns.retain(|(name, value)| old(name) != value);
    let code = columns
        .iter()
        .find(|(name, value)| guard::is_code(name, value) && (row.is_some() || !value.is_empty()));
    if let Some((name, _)) = code {
        return Err(problem(Some(name), guard::CODE));
    }
    planned.before = row.is_some().then(|| {
        let changed = columns.iter();
        changed
            .map(|(name, _)| (name.clone(), old(name).to_owned()))
            .collect()
    });
    let mut new = row.unwrap_or_else(|| Section {
        name: name.to_owned(),
        variables: Vec::new(),
    });
    for (name, value) in &columns {
        let mut variables = new.variables.iter_mut();
        match variables.find(|it| it.name.eq_ignore_ascii_case(name)) {
            Some(known) => known.value.clone_from(value),
            None => new.variables.push(Variable {
                name: name.clone(),
                value: value.clone(),
                utf8: true,
                file: "".into(),
                line: 0,
            }),
        }
    }
    match at {
        Some(at) => planned.rows[at] = new,
        None => planned.rows.push(new),
    }
    planned.columns = Some(columns);
    Ok(planned)
}

#[cfg(test)]
mod tests {
    use super::super::WantedOption;
    use super::*;

    fn row(columns: &[(&str, &str)]) -> Section {
        let columns = columns.iter().map(|(name, value)| Variable {
            name: (*name).into(),
            value: (*value).into(),
            utf8: true,
            file: "".into(),
            line: 0,
        });
        Section {
            name: "bob".into(),
            variables: columns.collect(),
        }
    }

    fn set(section: &str, options: &[(&str, &str)]) -> SectionChange {
        let options = options.iter().map(|(name, value)| WantedOption {
            name: (*name).into(),
            value: Some((*value).into()),
        });
        SectionChange {
            section: section.into(),
            options: OptionsChange::Set(options.collect()),
            ..SectionChange::default()
        }
    }

    #[test]
    fn only_what_differs_is_written() {
        let rows = [row(&[
            ("extension", "200;201"),
            ("method", "latest"),
            ("dnd_on", "X()=1"),
        ])];
        let change = set(
            "bob",
            &[
                ("type", "user"),
                ("extension", "200"),
                ("extension", "202"),
                ("dnd_on", "X()=1"),
            ],
        );
        let planned = plan_row(&rows, &change).unwrap();
        let text = |columns: &[(&str, &str)]| {
            let columns = columns.iter();
            Some(
                columns
                    .map(|(a, b)| ((*a).into(), (*b).into()))
                    .collect::<Columns>(),
            )
        };
        assert_eq!(
            planned.columns,
            text(&[("extension", "200;202"), ("method", "")])
        );
        assert_eq!(
            planned.before,
            text(&[("extension", "200;201"), ("method", "latest")])
        );
        assert_eq!(planned.rows[0].variables[0].value, "200;202");
    }

    #[test]
    fn code_and_unknown_columns_are_refused() {
        let rows = [row(&[("extension", "200"), ("dnd_on", "X()=1")])];
        for (options, expected) in [
            (&[("extension", "200")][..], "assigns dialplan functions"),
            (&[("dnd_on", "SHELL(id)=1")], "assigns dialplan functions"),
            (
                &[("shoe_size", "43"), ("dnd_on", "X()=1")],
                "no such column",
            ),
            (
                &[("extension", "2\n"), ("dnd_on", "X()=1")],
                "control character",
            ),
        ] {
            let problems = plan_row(&rows, &set("bob", options)).unwrap_err();
            assert!(problems[0].message.contains(expected), "{problems:?}");
        }
        let new = plan_row(&rows, &set("eve", &[("dnd_on", "SHELL(id)=1")])).unwrap_err();
        assert_eq!(new[0].option.as_deref(), Some("dnd_on"));
        assert!(plan_row(&rows, &set("eve", &[("extension", "9")])).is_ok());
    }
}
