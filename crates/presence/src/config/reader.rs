//! How the options of a section are read: one mechanism for every type of section.
//!
//! A type of section has a draft, which collects the values, and a table of [`OptionSpec`]s.
//! An entry holds the option's name and the function that sets its value, so an option that
//! is listed in messages is also read, and the other way round. The entries of `[general]`
//! are [`Setting`]s: they hold as well how `userpresence show settings` shows the value.

use std::cell::{Cell, RefCell};
use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};

use rustc_hash::FxBuildHasher;

use super::form::{Form, FormKind};
use super::section::{Origin, Problem, Section, Variable, location};
use super::{Settings, value};
use crate::model::suggest::{did_you_mean, expected};

/// The column of a realtime row for the option `name`: the column `name` is the row's key.
pub(super) const DISPLAY_NAME: &str = "display_name";

/// The columns of which the first value counts.
pub(super) const OF_PERSON: [&str; 3] = [DISPLAY_NAME, "title", "email"];

/// A column that every entry of an LDAP directory has.
const LDAP_ENTRY: &str = "objectClass";

/// The function that sets an option's value in a draft.
type Set<D> = fn(&mut D, &Given<'_>) -> Result<(), String>;

/// One option of a type of section.
pub(super) struct OptionSpec<D> {
    name: &'static str,
    set: Set<D>,
}

impl<D> OptionSpec<D> {
    /// `type`, which has been read when the draft is chosen.
    pub const TYPE: Self = OptionSpec::new("type", |_, _| Ok(()));

    /// `name` in small letters. The error of `set` says what was expected.
    pub const fn new(name: &'static str, set: Set<D>) -> Self {
        OptionSpec { name, set }
    }
}

/// One option of `[general]`.
pub(super) struct Setting<D> {
    /// How it is read.
    pub option: OptionSpec<D>,
    /// Its value as text, never empty.
    pub show: fn(&Settings) -> String,
}

impl<D> Setting<D> {
    /// `name` in small letters. The error of `set` says what was expected; `show` gives the
    /// value as text.
    pub const fn new(name: &'static str, set: Set<D>, show: fn(&Settings) -> String) -> Self {
        Setting {
            option: OptionSpec::new(name, set),
            show,
        }
    }

    /// The option's name.
    pub fn name(&self) -> &'static str {
        self.option.name
    }
}

/// A draft with a table of its options.
pub(super) trait OptionTable: Sized + Default + 'static {
    /// Every option, in the order in which messages list them.
    fn options() -> impl Iterator<Item = &'static OptionSpec<Self>>;
}

/// What the options of a section are read into.
pub(super) trait Draft {
    /// Sets one option; `None` where there is no option of that name.
    fn set(&mut self, name: &str, given: &Given<'_>) -> Option<Result<(), String>>;

    /// The names of all options.
    fn names() -> Vec<&'static str>;

    /// What the value of each option is.
    fn forms() -> Vec<Form>;

    /// The options, for messages.
    fn expected() -> String {
        Self::names().join(", ")
    }
}

impl<D: OptionTable> Draft for D {
    fn set(&mut self, name: &str, given: &Given<'_>) -> Option<Result<(), String>> {
        let option = D::options().find(|option| option.name.eq_ignore_ascii_case(name))?;
        Some((option.set)(self, given))
    }

    fn names() -> Vec<&'static str> {
        D::options().map(|option| option.name).collect()
    }

    /// What an option asks of its value shows when it is set: to nothing, in a draft that is
    /// dropped.
    fn forms() -> Vec<Form> {
        let (warnings, asked) = (RefCell::default(), Cell::default());
        let section = Section {
            name: String::new(),
            variables: Vec::new(),
        };
        let forms = D::options().map(|option| {
            asked.set(Form::text(option.name));
            let given = Given {
                value: "",
                index: 0,
                origin: Origin::File,
                section: &section,
                warnings: &warnings,
                asked: &asked,
            };
            // It is an error for most options.
            let _ = (option.set)(&mut D::default(), &given);
            asked.get()
        });
        forms.collect()
    }
}

/// One option as the section gives it.
pub(super) struct Given<'a> {
    /// The value.
    pub value: &'a str,
    /// The index of the option among the section's variables.
    pub index: u32,
    origin: Origin,
    section: &'a Section,
    warnings: &'a RefCell<Vec<String>>,
    asked: &'a Cell<Form>,
}

impl<'a> Given<'a> {
    /// The values where there may be several: in a realtime row `;` separates them.
    pub fn values(&self) -> impl Iterator<Item = &'a str> {
        self.repeats();
        values(self.origin, self.value)
    }

    /// The words of a list that commas separate; none for an empty value. In a realtime row
    /// `;` separates them too.
    pub fn words(&self) -> impl Iterator<Item = &'a str> {
        self.ask(|form| form.kind = FormKind::List);
        let several = self.origin == Origin::Realtime;
        let value = Some(self.value).filter(|value| !value.is_empty());
        let words = value.map(|value| value.split(move |c| c == ',' || (several && c == ';')));
        words.into_iter().flatten().map(str::trim)
    }

    /// Whether the section has not given this option before. The first value of a list
    /// replaces the inherited list, further values are added.
    pub fn is_first(&self) -> bool {
        let (before, rest) = self.section.variables.split_at(self.index as usize);
        let same = |other: &Variable| {
            rest.first()
                .is_some_and(|this| this.name.eq_ignore_ascii_case(&other.name))
        };
        !before.iter().any(same)
    }

    /// Whether the value means yes.
    ///
    /// # Errors
    /// When it is none of Asterisk's words for yes and no.
    pub fn boolean(&self) -> Result<bool, String> {
        self.ask(|form| form.kind = FormKind::Boolean);
        value::boolean(self.value)
    }

    /// A whole number of `unit` from `low` to `high`.
    ///
    /// # Errors
    /// When it is no such number.
    pub fn number(&self, low: u32, high: u32, unit: &'static str) -> Result<u32, String> {
        self.ask(|form| form.kind = FormKind::Number { low, high, unit });
        value::number(self.value, low, high, unit)
    }

    fn ask(&self, what: impl FnOnce(&mut Form)) {
        let mut form = self.asked.get();
        what(&mut form);
        self.asked.set(form);
    }

    /// Says that the value is one of these words; a form offers them.
    pub fn one_of(&self, words: &'static [&'static str]) {
        self.ask(|form| {
            form.kind = FormKind::Word;
            form.words = words;
        });
    }

    /// Says that the value is a list of these words.
    pub fn some_of(&self, words: &'static [&'static str]) {
        self.ask(|form| {
            form.kind = FormKind::List;
            form.words = words;
        });
    }

    /// Says that the option may be given several times, each time with a further value.
    pub fn repeats(&self) {
        self.ask(|form| form.repeated = true);
    }

    /// Says that the value is the name of a status.
    pub fn status(&self) {
        self.ask(|form| form.kind = FormKind::Status);
    }

    /// Warns about the option, which is used nevertheless.
    pub fn warn(&self, message: String) {
        self.warnings.borrow_mut().push(message);
    }
}

fn values(origin: Origin, value: &str) -> impl Iterator<Item = &str> {
    let several = origin == Origin::Realtime;
    let values = value.split(move |c| several && c == ';');
    values.map(str::trim)
}

/// Reads one section and collects its problems.
pub(super) struct SectionReader<'a> {
    origin: Origin,
    section: &'a Section,
    errors: Vec<Problem>,
    warnings: Vec<Problem>,
}

impl<'a> SectionReader<'a> {
    /// A reader without problems yet.
    pub fn new(origin: Origin, section: &'a Section) -> Self {
        SectionReader {
            origin,
            section,
            errors: Vec::new(),
            warnings: Vec::new(),
        }
    }

    /// The section.
    pub fn section(&self) -> &'a Section {
        self.section
    }

    /// Whether there is no error so far.
    pub fn is_clean(&self) -> bool {
        self.errors.is_empty()
    }

    /// Whether the section gives an option of that name, whatever its value.
    pub fn has(&self, name: &str) -> bool {
        self.section.option(name).is_some()
    }

    /// The values of the variable of that index, see [`Given::values`].
    pub fn values(&self, index: u32) -> impl Iterator<Item = &'a str> + use<'a> {
        let variable = self.section.variables.get(index as usize);
        let origin = self.origin;
        let values = variable.map(|variable| values(origin, &variable.value));
        values.into_iter().flatten()
    }

    /// Adds an error at the whole section.
    pub fn error(&mut self, message: impl Into<String>) {
        self.error_in(None, message.into());
    }

    /// Adds an error at the option of that name, or at the section where it does not give
    /// the option.
    pub fn error_at(&mut self, option: &str, message: impl Into<String>) {
        self.error_in(self.section.option(option), message.into());
    }

    /// Adds an error at the variable of that index.
    pub fn error_on(&mut self, index: u32, message: impl Into<String>) {
        self.error_in(self.section.variables.get(index as usize), message.into());
    }

    /// Adds a warning at the whole section.
    pub fn warn(&mut self, message: impl Into<String>) {
        self.warn_in(None, message.into());
    }

    /// Adds a warning at the option of that name.
    pub fn warn_at(&mut self, option: &str, message: impl Into<String>) {
        self.warn_in(self.section.option(option), message.into());
    }

    /// Adds a warning at the variable of that index.
    pub fn warn_on(&mut self, index: u32, message: String) {
        self.warn_in(self.section.variables.get(index as usize), message);
    }

    fn error_in(&mut self, variable: Option<&Variable>, message: String) {
        let location = location(self.origin, self.section, variable);
        self.errors.push(Problem { location, message });
    }

    fn warn_in(&mut self, variable: Option<&Variable>, message: String) {
        let location = location(self.origin, self.section, variable);
        self.warnings.push(Problem { location, message });
    }

    /// Checks the section's name; `what` says whose name it is, such as `a user's name`.
    pub fn check_name(&mut self, what: &str) {
        if let Err(message) = value::name(&self.section.name, what) {
            self.error(message);
        }
    }

    /// Adds an error where the option is missing; `expected` describes its value.
    pub fn require(&mut self, option: &str, expected: &str) {
        if !self.has(option) {
            self.error(format!(
                "the option '{option}' is missing, expected {expected}"
            ));
        }
    }

    /// Reads every option into the draft.
    pub fn read<D: Draft>(&mut self, draft: &mut D) {
        self.read_columns(draft, &mut HashSet::new());
    }

    /// Reads every option into the draft. An unknown column of a realtime row is ignored,
    /// with a warning unless its name is in `warned`.
    pub fn read_columns<D: Draft>(&mut self, draft: &mut D, warned: &mut HashSet<String>) {
        let section = self.section;
        let warnings = RefCell::new(Vec::new());
        let asked = Cell::default();
        for (index, variable) in section.variables.iter().enumerate() {
            if self.origin == Origin::Realtime {
                // A NULL column arrives as an empty one and means: not given.
                if variable.value.is_empty() || variable.name.eq_ignore_ascii_case("name") {
                    continue;
                }
            }
            if !variable.utf8 {
                self.error_in(Some(variable), "the value is not UTF-8".into());
                continue;
            }
            let given = Given {
                value: &variable.value,
                index: index as u32,
                origin: self.origin,
                section,
                warnings: &warnings,
                asked: &asked,
            };
            if self.is_another(&given, &variable.name) {
                continue;
            }
            match draft.set(self.option_of(&variable.name), &given) {
                Some(Ok(())) => {}
                Some(Err(message)) => self.error_in(Some(variable), message),
                None => self.unknown::<D>(variable, warned),
            }
            for message in warnings.borrow_mut().drain(..) {
                self.warn_in(Some(variable), message);
            }
        }
    }

    /// The option that a column or an option of that name means.
    fn option_of<'n>(&self, name: &'n str) -> &'n str {
        match self.origin {
            // A row's column `name` is the user's name, in Asterisk's terms the section's.
            Origin::Realtime if name.eq_ignore_ascii_case(DISPLAY_NAME) => "name",
            _ => name,
        }
    }

    /// Whether this is another value of a column of which the first counts: an attribute of an
    /// LDAP directory may have several values, and some drivers split values at `;`.
    fn is_another(&self, given: &Given<'_>, name: &str) -> bool {
        let mut of_person = OF_PERSON.iter();
        let mut before = self.section.variables.iter().take(given.index as usize);
        self.origin == Origin::Realtime
            && of_person.any(|column| column.eq_ignore_ascii_case(name))
            && before.any(|it| it.name.eq_ignore_ascii_case(name) && !it.value.is_empty())
    }

    fn unknown<D: Draft>(&mut self, variable: &Variable, warned: &mut HashSet<String>) {
        let name = variable.name.to_ascii_lowercase();
        if self.origin == Origin::File {
            let expected = expected(&name, &D::expected());
            self.error_in(Some(variable), format!("unknown option{expected}"));
        } else if self.has(LDAP_ENTRY) {
            // All attributes of an entry arrive, and most of them are no options.
        } else if !warned.contains(&name) {
            let known = D::names().into_iter();
            let known = known.map(|name| if name == "name" { DISPLAY_NAME } else { name });
            let known = known.collect::<Vec<_>>().join(", ");
            let hint = did_you_mean(&name, &known);
            let message = format!("unknown column, ignored{hint}; the columns are {known}");
            self.warn_in(Some(variable), message);
            warned.insert(name);
        }
    }

    /// Hands over the errors and warnings; returns whether there was no error.
    pub fn finish(mut self, errors: &mut Vec<Problem>, warnings: &mut Vec<Problem>) -> bool {
        let is_clean = self.errors.is_empty();
        errors.append(&mut self.errors);
        warnings.append(&mut self.warnings);
        is_clean
    }
}

/// The names of sections of one type, without regard to case.
#[derive(Default)]
pub(super) struct TakenNames<'a>(HashMap<String, (Origin, &'a Section), FxBuildHasher>);

impl<'a> TakenNames<'a> {
    /// Takes the name of the reader's section, or adds an error where it is taken. `what`
    /// is what the section defines, such as `user`. Returns whether the name was free.
    pub fn take(&mut self, what: &str, reader: &mut SectionReader<'a>) -> bool {
        let section = reader.section;
        match self.0.entry(section.name.to_ascii_lowercase()) {
            Entry::Vacant(free) => {
                free.insert((reader.origin, section));
                true
            }
            Entry::Occupied(taken) => {
                let (origin, first) = *taken.get();
                let first = location(origin, first, None);
                reader.error(format!(
                    "{what} '{}' is defined twice (first at {first}), expected each name once; \
                     upper and lower case are the same",
                    section.name
                ));
                false
            }
        }
    }

    /// How many names are taken.
    pub fn len(&self) -> usize {
        self.0.len()
    }
}
