//! Changes of sections: what the configuration would be with them, or why they cannot be made.

use std::collections::HashSet;

use super::document::{ConfigDocument, ConfigEntry, ConfigOption};
use super::expected::entries;
use super::merge::Merged;
use super::parts::unchanged;
use crate::config::value;

/// A change of one section.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct SectionChange {
    /// The section's name.
    pub section: String,
    /// The section's type: that of a new section, or which of several of that name is meant.
    pub kind: Option<String>,
    /// Whether a new section is a template.
    pub template: bool,
    /// The templates; `None` leaves them as they are.
    pub templates: Option<Vec<String>>,
    /// The section's own options.
    pub options: OptionsChange,
    /// The new name.
    pub rename: Option<String>,
    /// The section that this one follows; empty for the first place.
    pub after: Option<String>,
    /// Whether a new user is to be a row of the realtime family.
    pub realtime: bool,
}

/// What becomes of a section's options.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub enum OptionsChange {
    /// They stay.
    #[default]
    Keep,
    /// They are these.
    Set(Vec<WantedOption>),
    /// The section goes.
    Delete,
}

/// An option as it is to be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WantedOption {
    /// The option's name.
    pub name: String,
    /// The value; `None` keeps a secret as it is.
    pub value: Option<String>,
}

/// Something wrong in a configuration or in a change of it, at its place.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct FileProblem {
    /// The section's name; empty for the whole.
    pub section: String,
    /// The option's name.
    pub option: Option<String>,
    /// The file, as Asterisk names it; empty if there is none.
    pub file: String,
    /// The line, from 1; 0 if there is none.
    pub line: u32,
    /// What is wrong and what was expected.
    pub message: String,
}

/// A section as it is to be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PlannedSection {
    /// The index of the section in the document; `None` for a new one.
    pub source: Option<usize>,
    /// The name.
    pub name: String,
    /// Whether it is a template.
    pub template: bool,
    /// The templates.
    pub templates: Vec<String>,
    /// The section's own options, in the parts in which they stand: one, if it is not known where
    /// it stands. Their indexes are those of all own options.
    pub own: Vec<Vec<Merged>>,
    /// Whether it moves to another place, or is new.
    pub moved: bool,
    /// The index of its file after the change.
    pub file: usize,
}

/// What the configuration would be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ChangePlan {
    /// The index of the file that changes; `None` if none does.
    pub file: Option<usize>,
    /// The sections in their order.
    pub drafts: Vec<PlannedSection>,
    /// The sections as Asterisk's parser is to read them.
    pub entries: Vec<ConfigEntry>,
}

/// Works out what the configuration would be.
///
/// # Errors
/// Why the changes cannot be made.
pub fn plan(
    document: &ConfigDocument,
    changes: &[SectionChange],
) -> Result<ChangePlan, Vec<FileProblem>> {
    let mut planner = Planner {
        document,
        drafts: drafts(document),
        files: HashSet::new(),
        problems: Vec::new(),
    };
    for change in changes {
        planner.apply(change);
    }
    planner.check_templates();
    planner.check_parts();
    let entries = entries(document, &planner.drafts);
    planner.check_heirs(&entries);
    let mut files: Vec<usize> = planner.files.into_iter().collect();
    files.sort_unstable();
    if let [first, second, ..] = files[..] {
        planner.problems.push(FileProblem {
            message: format!(
                "the changes are in the files {} and {}, expected one file at a time, because two \
                 cannot be replaced at once",
                document.files[first].name, document.files[second].name
            ),
            ..FileProblem::default()
        });
    }
    if !planner.problems.is_empty() {
        return Err(planner.problems);
    }
    Ok(ChangePlan {
        file: files.first().copied(),
        entries,
        drafts: planner.drafts,
    })
}

fn drafts(document: &ConfigDocument) -> Vec<PlannedSection> {
    let sections = document.sections.iter().enumerate();
    let drafts = sections.map(|(index, section)| PlannedSection {
        source: Some(index),
        name: section.entry.name.clone(),
        template: section.entry.template,
        templates: section.entry.templates.clone(),
        own: unchanged(section),
        moved: false,
        file: section.lines.as_ref().map_or(0, |lines| lines.file),
    });
    drafts.collect()
}

/// Applies changes, one after another.
pub struct Planner<'a> {
    pub(super) document: &'a ConfigDocument,
    pub(super) drafts: Vec<PlannedSection>,
    /// The files that change.
    files: HashSet<usize>,
    problems: Vec<FileProblem>,
}

impl Planner<'_> {
    /// Adds a problem at its place in the files.
    pub(super) fn problem(
        &mut self,
        section: &str,
        option: Option<&str>,
        message: impl Into<String>,
    ) {
        let known = self.document.sections.iter();
        let mut known = known.filter(|known| known.entry.name == section);
        let (known, line_of) = (known.next(), |line: &ConfigOption| line.line);
        let at = known.and_then(|known| {
            let options = known.entry.options.iter();
            let mut options = options.filter(|it| option.is_some_and(|name| it.name == name));
            options
                .next_back()
                .map(|it| (it.file.to_string(), line_of(it)))
        });
        let header = known.and_then(|known| {
            let lines = known.lines.as_ref()?;
            let file = self.document.files.get(lines.file)?;
            Some((file.name.to_string(), lines.header as u32 + 1))
        });
        let (file, line) = at.or(header).unwrap_or_default();
        self.problems.push(FileProblem {
            section: section.to_owned(),
            option: option.map(Into::into),
            file,
            line,
            message: message.into(),
        });
    }

    fn kind_of(&self, draft: &PlannedSection) -> &str {
        let source = draft.source.map(|source| &self.document.sections[source]);
        source.map_or("", |section| section.entry.kind())
    }

    /// The index of the draft that a change means; `None` for a new section.
    fn find(&self, name: &str, kind: Option<&str>) -> Result<Option<usize>, String> {
        let same = |(_, draft): &(usize, &PlannedSection)| draft.name == name;
        let found: Vec<(usize, &PlannedSection)> =
            self.drafts.iter().enumerate().filter(same).collect();
        let of_kind = |(_, draft): &&(usize, &PlannedSection)| {
            kind.is_none_or(|kind| self.kind_of(draft).eq_ignore_ascii_case(kind))
        };
        match found[..] {
            [] => Ok(None),
            [(only, _)] => Ok(Some(only)),
            _ => match found.iter().filter(of_kind).collect::<Vec<_>>()[..] {
                [(only, _)] => Ok(Some(*only)),
                [] => Ok(None),
                _ => Err(format!(
                    "{} sections have this name, expected 'type' to say which of them is meant, \
                     or one section of each name",
                    found.len()
                )),
            },
        }
    }

    fn apply(&mut self, change: &SectionChange) {
        let name = &*change.section;
        let found = match self.find(name, change.kind.as_deref()) {
            Ok(found) => found,
            Err(why) => return self.problem(name, None, why),
        };
        if let Some(why) = &self.document.fixed {
            return self.problem(name, None, why.clone());
        }
        let fixed = found.and_then(|at| self.drafts[at].source);
        if let Some(why) = fixed.and_then(|at| self.document.sections[at].fixed.clone()) {
            return self.problem(name, None, format!("it cannot be changed here: {why}"));
        }
        match (found, &change.options) {
            (None, OptionsChange::Set(_)) => self.create(change),
            (None, _) => self.problem(name, None, "there is no such section"),
            (Some(at), OptionsChange::Delete) => {
                self.files.insert(self.drafts[at].file);
                self.drafts.remove(at);
            }
            (Some(at), _) => self.change(at, change),
        }
    }

    fn create(&mut self, change: &SectionChange) {
        let name = &*change.section;
        let mut draft = PlannedSection {
            source: None,
            name: name.to_owned(),
            template: change.template,
            templates: change.templates.clone().unwrap_or_default(),
            own: vec![Vec::new()],
            moved: true,
            file: 0,
        };
        if let Err(why) = value::name(name, "a section's name") {
            self.problem(name, None, why);
        }
        self.set_options(&mut draft, change, &[]);
        let at = match &change.after {
            Some(after) => self.place_after(name, after),
            None => self.drafts.len(),
        };
        if change.after.as_ref().is_some_and(|after| !after.is_empty()) && at > 0 {
            draft.file = self.drafts[at - 1].file;
        }
        self.files.insert(draft.file);
        self.drafts.insert(at, draft);
    }

    fn change(&mut self, at: usize, change: &SectionChange) {
        let before = self.drafts[at].clone();
        let mut draft = before.clone();
        let name = &*change.section;
        let document = self.document;
        let source = draft.source.map(|source| &document.sections[source].entry);
        let own: Vec<&ConfigOption> = source.into_iter().flat_map(ConfigEntry::own).collect();
        if let Some(templates) = &change.templates {
            draft.templates.clone_from(templates);
        }
        if draft.source.is_none() {
            return self.problem(
                name,
                None,
                "two changes are about this section, expected one",
            );
        }
        self.set_options(&mut draft, change, &own);
        if let Some(new) = change.rename.as_ref().filter(|new| **new != draft.name) {
            if let Err(why) = value::name(new, "a section's name") {
                self.problem(name, None, why);
            }
            if name == "general" || new == "general" {
                self.problem(name, None, "[general] has this name and no other");
            }
            draft.name.clone_from(new);
        }
        if draft != before {
            self.files.insert(draft.file);
        }
        self.drafts[at] = draft;
        if let Some(after) = &change.after {
            self.move_after(at, name, after);
        }
    }

    fn move_after(&mut self, at: usize, name: &str, after: &str) {
        let mut draft = self.drafts.remove(at);
        let to = self.place_after(name, after);
        if to != at {
            draft.moved = true;
            self.files.insert(draft.file);
            if to > 0 && !after.is_empty() && self.drafts[to - 1].file != draft.file {
                self.problem(name, None, "it cannot be moved to another file here");
            }
        }
        self.drafts.insert(to, draft);
    }

    /// The index after the section of that name.
    fn place_after(&mut self, name: &str, after: &str) -> usize {
        if after.is_empty() {
            return 0;
        }
        match self.drafts.iter().position(|draft| draft.name == after) {
            Some(at) => at + 1,
            None => {
                let why = format!("there is no section [{after}] after which it could stand");
                self.problem(name, None, why);
                self.drafts.len()
            }
        }
    }

    /// Every template has to come before the section that names it.
    fn check_templates(&mut self) {
        let mut names = HashSet::new();
        let mut missing = Vec::new();
        for draft in &self.drafts {
            for template in &draft.templates {
                if !names.contains(&template.to_ascii_lowercase()) {
                    let why = format!(
                        "there is no section [{template}] before it whose options it could inherit"
                    );
                    missing.push((draft.name.clone(), why));
                }
            }
            names.insert(draft.name.to_ascii_lowercase());
        }
        for (name, why) in missing {
            self.problem(&name, None, why);
        }
    }
}
