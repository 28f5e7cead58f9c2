//! A configuration with its text: what Asterisk's parser read, and on which lines of which
//! file it stands.

use std::collections::HashMap;
use std::sync::Arc;

use super::scan::{Directive, FileLine, Header, ScannedLine, scan};
use crate::config::{Section, Variable, value};
use crate::model::principal::Role;

/// An option as Asterisk's parser has read it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ConfigOption {
    /// The option's name, as written.
    pub name: String,
    /// The value; bytes that are not UTF-8 are replaced, and `utf8` is false.
    pub value: String,
    /// Whether the value is valid UTF-8.
    pub utf8: bool,
    /// Whether it comes from a template.
    pub inherited: bool,
    /// The file, as Asterisk names it; empty for an option that is not written yet.
    pub file: Arc<str>,
    /// The line, from 1; 0 for an option that is not written yet.
    pub line: u32,
}

/// A section as Asterisk's parser has read it, templates included.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ConfigEntry {
    /// The section's name.
    pub name: String,
    /// Whether it is a template.
    pub template: bool,
    /// The templates, in order.
    pub templates: Vec<String>,
    /// The options, those of templates first.
    pub options: Vec<ConfigOption>,
}

impl ConfigEntry {
    /// The section's own options, without those of templates.
    pub fn own(&self) -> impl Iterator<Item = &ConfigOption> {
        self.options.iter().filter(|option| !option.inherited)
    }

    /// The value of `type`, its own or a template's; empty without one.
    pub fn kind(&self) -> &str {
        if self.name == "general" {
            return "general";
        }
        let mut options = self.options.iter().rev();
        let found = options.find(|option| option.name.eq_ignore_ascii_case("type"));
        found.map_or("", |option| &option.value)
    }

    /// Whether it is an API user that may change the configuration.
    pub fn is_administrator(&self) -> bool {
        let last = |name: &str| {
            let mut options = self.options.iter().rev();
            let option = options.find(|option| option.name.eq_ignore_ascii_case(name));
            option.map_or("", |option| &option.value)
        };
        !self.template
            && self.kind().eq_ignore_ascii_case("api_user")
            && Role::parse(last("role")) == Ok(Role::Admin)
            && value::boolean(last("configure")) == Ok(true)
    }

    /// The section as the settings are read from.
    pub fn section(&self) -> Section {
        let options = self.options.iter().map(|option| Variable {
            name: option.name.clone(),
            value: option.value.clone(),
            utf8: option.utf8,
            file: option.file.clone(),
            line: option.line,
        });
        Section {
            name: self.name.clone(),
            variables: options.collect(),
        }
    }
}

/// A file with its text.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ConfigFile {
    /// The file as Asterisk names it: its path, or `userpresence.conf` for that itself.
    pub name: Arc<str>,
    /// The bytes of the file.
    pub text: Vec<u8>,
    /// The files that each directive includes, by the index of its line: indexes of files.
    pub includes: Vec<(usize, Vec<usize>)>,
}

/// The lines of a section in its file, or of one of its parts.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SectionLines {
    /// The index of the file.
    pub file: usize,
    /// The index of the line with the section's name.
    pub header: usize,
    /// The index after its last option.
    pub end: usize,
    /// The indexes of the lines with options.
    pub options: Vec<usize>,
}

/// A section with its place.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PlacedSection {
    /// What Asterisk's parser read.
    pub entry: ConfigEntry,
    /// Where it stands; `None` if that is not known.
    pub lines: Option<SectionLines>,
    /// Where it goes on (`+`), in the order of the parser.
    pub more: Vec<SectionLines>,
    /// Why it cannot be changed here.
    pub fixed: Option<String>,
}

impl PlacedSection {
    /// The section's parts: where it begins, and where it goes on.
    pub fn parts(&self) -> impl Iterator<Item = &SectionLines> {
        self.lines.iter().chain(&self.more)
    }

    /// The number of options in the parts before one.
    pub fn options_before(&self, part: usize) -> usize {
        self.parts().take(part).map(|part| part.options.len()).sum()
    }
}

/// A configuration with its text.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ConfigDocument {
    /// The files; the first is `userpresence.conf` itself.
    pub files: Vec<ConfigFile>,
    /// The sections, in the order of Asterisk's parser.
    pub sections: Vec<PlacedSection>,
    /// Why nothing can be changed here.
    pub fixed: Option<String>,
}

/// The lines of a section, and what its header says.
struct FoundSection {
    header: Header,
    lines: SectionLines,
    fixed: Option<String>,
}

impl ConfigDocument {
    /// Finds the sections of Asterisk's parser in the files that it read. The templates of the
    /// entries are taken from there.
    pub fn new(files: Vec<ConfigFile>, entries: Vec<ConfigEntry>) -> Self {
        let scanned: Vec<Vec<ScannedLine>> = files.iter().map(|file| scan(&file.text)).collect();
        let mut found = Vec::new();
        collect(&files, &scanned, 0, &mut found, 0);
        let mut document = ConfigDocument {
            fixed: None,
            sections: Vec::with_capacity(entries.len()),
            files,
        };
        let heirs = heirs(&found);
        let sections = together(&found);
        let mut next = sections.iter().peekable();
        for entry in entries {
            let parts = next.next_if(|parts| is_same(&parts[0].header, &entry));
            document.place(entry, parts.map_or(&[], |parts| &parts[..]), &heirs);
        }
        if let Some(left) = next.next().map(|parts| parts[0]) {
            let place = document.place_of(left.lines.file, left.lines.header);
            document.fixed = Some(format!(
                "the section [{}] at {place} is not what Asterisk's parser reads there",
                left.header.name
            ));
        }
        document
    }

    /// Sections that no file contains, with the reason.
    pub fn without_files(entries: Vec<ConfigEntry>, why: &str) -> Self {
        let sections = entries.into_iter().map(|entry| PlacedSection {
            entry,
            lines: None,
            more: Vec::new(),
            fixed: Some(why.to_owned()),
        });
        ConfigDocument {
            files: Vec::new(),
            sections: sections.collect(),
            fixed: Some(why.to_owned()),
        }
    }

    fn place(
        &mut self,
        mut entry: ConfigEntry,
        parts: &[&FoundSection],
        heirs: &HashMap<String, &str>,
    ) {
        let Some((first, more)) = parts.split_first() else {
            self.sections.push(PlacedSection {
                entry,
                lines: None,
                more: Vec::new(),
                fixed: Some(
                    "the section is not in a file that can be written: #exec makes it, or its \
                     file is included twice"
                        .into(),
                ),
            });
            return;
        };
        entry.templates.clone_from(&first.header.templates);
        let file = &self.files[first.lines.file].name;
        let lines = parts.iter().flat_map(|part| {
            let file = &self.files[part.lines.file].name;
            let options = part.lines.options.iter();
            options.map(move |line| (file, *line as u32 + 1))
        });
        let own = entry.own();
        let stands_here = own.map(|option| (&option.file, option.line)).eq(lines);
        let going_on = more.iter().find_map(|part| {
            let heir = heirs.get(&entry.name.to_ascii_lowercase());
            let why = match &part.header {
                _ if part.lines.file != first.lines.file => ", in another file".into(),
                header if header.template => ", as a template".into(),
                header if !header.templates.is_empty() => ", with templates of its own".into(),
                header if header.conditional => ", with a condition".into(),
                _ => format!(", and [{}] inherits from it", heir?),
            };
            let place = self.place_of(part.lines.file, part.lines.header);
            Some(format!("the section goes on at {place}{why}"))
        });
        let within = || parts.iter().find_map(|part| part.fixed.clone());
        let fixed = going_on.or_else(within).or_else(|| {
            let own = entry.own();
            let elsewhere = own.map(|option| &option.file).find(|other| *other != file);
            (!stands_here).then(|| match elsewhere {
                Some(elsewhere) => format!("some of its options are in {elsewhere}"),
                None => "its lines are not what Asterisk's parser reads there".into(),
            })
        });
        self.sections.push(PlacedSection {
            entry,
            lines: Some(first.lines.clone()),
            more: more.iter().map(|part| part.lines.clone()).collect(),
            fixed,
        });
    }

    /// A line for people.
    pub fn place_of(&self, file: usize, line: usize) -> String {
        format!("{}:{}", self.files[file].name, line + 1)
    }
}

fn is_same(header: &Header, entry: &ConfigEntry) -> bool {
    header.name == entry.name && header.template == entry.template
}

/// The parts of each section: an addition (`+`) belongs to the first section of its name that is
/// no template.
fn together(found: &[FoundSection]) -> Vec<Vec<&FoundSection>> {
    let mut sections: Vec<Vec<&FoundSection>> = Vec::new();
    let mut first: HashMap<String, usize> = HashMap::new();
    for part in found {
        let name = part.header.name.to_ascii_lowercase();
        if part.header.addition {
            // Without such a section Asterisk's parser refuses the file.
            if let Some(section) = first.get(&name) {
                sections[*section].push(part);
            }
            continue;
        }
        if !part.header.template {
            first.entry(name).or_insert(sections.len());
        }
        sections.push(vec![part]);
    }
    sections
}

/// A section that inherits from each section that is one's template.
fn heirs(found: &[FoundSection]) -> HashMap<String, &str> {
    let pairs = found.iter().flat_map(|heir| {
        let templates = heir.header.templates.iter();
        templates.map(|name| (name.to_ascii_lowercase(), &*heir.header.name))
    });
    pairs.collect()
}

/// Collects the sections of a file and of those that it includes, in the order of the parser.
fn collect(
    files: &[ConfigFile],
    scanned: &[Vec<ScannedLine>],
    file: usize,
    found: &mut Vec<FoundSection>,
    depth: usize,
) {
    /// Asterisk's parser follows no more.
    const DEEPEST: usize = 10;
    if depth > DEEPEST {
        return;
    }
    let mut current: Option<usize> = None;
    let mut directive = None;
    for (number, line) in scanned[file].iter().enumerate() {
        match &line.kind {
            FileLine::Comment | FileLine::Blank => {}
            FileLine::Directive(kind) => {
                directive = Some(number);
                if matches!(kind, Directive::Include { .. }) {
                    let mut includes = files[file].includes.iter();
                    let included = includes.find(|(at, _)| *at == number);
                    for included in included.map_or(&[][..], |(_, files)| files) {
                        collect(files, scanned, *included, found, depth + 1);
                    }
                }
            }
            FileLine::Header(header) => {
                directive = None;
                current = Some(found.len());
                let fixed = "a block comment (;-- --;) begins or ends on its first line";
                found.push(FoundSection {
                    header: header.clone(),
                    lines: SectionLines {
                        file,
                        header: number,
                        end: number + 1,
                        options: Vec::new(),
                    },
                    fixed: line.block_comment.then(|| fixed.into()),
                });
            }
            FileLine::Option(option) => {
                let Some(current) = current.and_then(|at| found.get_mut(at)) else {
                    continue;
                };
                current.lines.end = number + 1;
                let at = number + 1;
                let why = match directive {
                    Some(line) => Some(format!(
                        "a directive stands between its options, in line {}",
                        line + 1
                    )),
                    None if option.appends => Some(format!("line {at} adds to a value (+=)")),
                    None if line.block_comment => Some(format!(
                        "a block comment (;-- --;) begins or ends beside an option, in line {at}"
                    )),
                    None if !option.is_option => Some(format!("line {at} has no equal sign")),
                    None => None,
                };
                current.lines.options.push(number);
                current.fixed = current.fixed.take().or(why);
            }
        }
    }
}
