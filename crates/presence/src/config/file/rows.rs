//! Changes of a user from realtime: one row, whose columns are options.

use super::change::{FileProblem, OptionsChange, SectionChange};
use super::guard;
use crate::config::reader::{DISPLAY_NAME, OF_PERSON};
use crate::config::{Section, Variable, section_options, value};
use crate::model::suggest::expected;

/// The columns of a row that are to have other values.
type Columns = Vec<(String, String)>;

/// The columns that a user of the database may have: the options of a user, of which `name` is
/// `display_name`. Any other column of the table belongs to somebody else.
pub fn row_columns() -> Vec<&'static str> {
    let types = section_options().into_iter();
    let options = types.filter(|(kind, _)| *kind == "user");
    options
        .flat_map(|(_, options)| options)
        .filter(|option| !matches!(*option, "type" | "name" | DISPLAY_NAME))
        .chain([DISPLAY_NAME])
        .collect()
}

/// Puts the values of each column together, with `;` between them: some drivers split a value
/// there, and give each part as a variable of its own.
pub fn join_columns(row: Section) -> Section {
    let mut variables: Vec<Variable> = Vec::with_capacity(row.variables.len());
    for variable in row.variables {
        let mut known = variables.iter_mut();
        match known.find(|it| it.name.eq_ignore_ascii_case(&variable.name)) {
            Some(first) => first.value = format!("{};{}", first.value, variable.value),
            None => variables.push(variable),
        }
    }
    Section {
        name: row.name,
        variables,
    }
}

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

impl PlannedRow {
    /// The column that the database does not have as it was to be written; `row` is as the
    /// driver gives it. The name is that of no column if there is a row that was to go, or none
    /// that was to stay.
    pub fn difference(&self, row: Option<&Section>) -> Option<&str> {
        let (columns, row) = match (&self.columns, row) {
            (None, None) => return None,
            (Some(columns), Some(row)) => (columns, row),
            _ => return Some(""),
        };
        let joined = join_columns(row.clone());
        let differs = |(name, value): &&(String, String)| {
            let same = |it: &&Variable| it.name.eq_ignore_ascii_case(name);
            let found = joined.variables.iter().find(same);
            // Of some columns the first value counts: a driver that splits them loses the rest.
            let is_split =
                OF_PERSON.contains(&&**name) && row.variables.iter().filter(same).count() > 1;
            found.map_or("", |it| &it.value) != value || is_split
        };
        columns.iter().find(differs).map(|(name, _)| &**name)
    }
}

/// Works out a change of a row, of which [`join_columns`] has been made.
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
    // What columns the table has is not known, as some drivers leave out those without a value:
    // the driver says so when it writes. It puts the names into its statement as they are.
    let row = at.map(|at| rows[at].clone());
    let known = row_columns();
    let is_option = |name: &str| known.iter().any(|known| known.eq_ignore_ascii_case(name));
    let mut columns: Columns = Vec::new();
    for option in wanted {
        let asked = &*option.name;
        if asked.eq_ignore_ascii_case("type") {
            continue;
        }
        if !is_option(asked) {
            let expected = expected(asked, &known.join(", "));
            let why = format!("a user of the database has no such column{expected}");
            return Err(problem(Some(asked), &why));
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
        let mut given = columns.iter_mut();
        match given.find(|(name, _)| name.eq_ignore_ascii_case(asked)) {
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
    // What is not wanted any more is emptied, which counts as not given; what is no option stays.
    let own = before.iter().filter(|(name, _)| is_option(name));
    for (name, value) in own {
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
    let mut changed = columns
        .iter()
        .filter(|(_, value)| row.is_some() || !value.is_empty());
    let fixed = changed.find_map(|(name, value)| Some((name, guard::fixed(name, value)?)));
    if let Some((name, why)) = fixed {
        return Err(problem(Some(name), why));
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
                "no such column, expected",
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

    #[test]
    fn only_the_options_of_a_user_are_columns() {
        let bad = [
            "extension) VALUES ('x', 'y'); DROP TABLE userpresence; --",
            "extension, password",
            "extension = '', password",
            "name",
            "NAME",
            "shoe_size",
            "url",
            "",
        ];
        for rows in [&[][..], &[row(&[("shoe_size", "43")])]] {
            for name in bad {
                for user in ["bob", "eve"] {
                    let problems = plan_row(rows, &set(user, &[(name, "9")])).unwrap_err();
                    assert!(
                        problems[0].message.contains("no such column"),
                        "{problems:?}"
                    );
                }
            }
            for name in ["display_name", "Extension", "group", "default"] {
                assert!(
                    plan_row(rows, &set("bob", &[(name, "9")])).is_ok(),
                    "{name}"
                );
            }
        }
        let odd = |name: &str| !name.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'_'));
        assert!(!row_columns().into_iter().any(odd));
    }

    #[test]
    fn a_column_without_a_value_need_not_be_known() {
        let planned = plan_row(&[row(&[])], &set("bob", &[("extension", "200")])).unwrap();
        assert_eq!(
            planned.columns,
            Some(vec![("extension".into(), "200".into())])
        );
        assert_eq!(
            planned.before,
            Some(vec![("extension".into(), String::new())])
        );
    }

    #[test]
    fn other_columns_stay_as_they_are() {
        let rows = [row(&[
            ("extension", "200"),
            ("billing_code", "7"),
            ("name2", "x"),
        ])];
        let planned = plan_row(&rows, &set("bob", &[("extension", "201")])).unwrap();
        assert_eq!(
            planned.columns,
            Some(vec![("extension".into(), "201".into())])
        );
        assert_eq!(planned.rows[0].variables[1].value, "7");
    }

    #[test]
    fn values_that_a_driver_splits_are_one_column() {
        let split = row(&[("extension", "200"), ("id", "7"), ("extension", "201")]);
        let joined = join_columns(split.clone());
        let values: Vec<&str> = joined.variables.iter().map(|it| &*it.value).collect();
        assert_eq!(values, ["200;201", "7"]);
        let wanted = set("bob", &[("extension", "200;201"), ("id", "8")]);
        let planned = plan_row(&[joined], &wanted).unwrap();
        assert_eq!(planned.columns, Some(vec![("id".into(), "8".into())]));
        assert_eq!(planned.difference(Some(&split)), Some("id"));

        let wanted = set("bob", &[("extension", "202;203"), ("id", "7")]);
        let planned = plan_row(&[join_columns(split)], &wanted).unwrap();
        let read = row(&[("extension", "202"), ("extension", "203")]);
        assert_eq!(planned.difference(Some(&read)), None);
        assert_eq!(
            planned.difference(Some(&row(&[("extension", "202")]))),
            Some("extension")
        );
        assert_eq!(planned.difference(None), Some(""));

        let planned = plan_row(&[], &set("bob", &[("title", "a;b")])).unwrap();
        assert_eq!(planned.difference(Some(&row(&[("title", "a;b")]))), None);
        let split = row(&[("title", "a"), ("title", "b")]);
        assert_eq!(planned.difference(Some(&split)), Some("title"));
    }
}
