//! Reads and changes `userpresence.conf` for administrators.
//!
//! A change is worked out first: what Asterisk's parser would read, and what the module's own
//! parser says of it. Then Asterisk's writer writes the lines that change into a copy, which is
//! read again, takes the place of the file in one step, and is reloaded. Whatever fails, the
//! file is what it was, and so is what runs.

mod files;
mod rows;

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use files::{NewText, ReadFiles};
use presence::config::file::{
    ChangePlan, ConfigDocument, ConfigEntry, ConfigOption, FileProblem, SectionChange,
    join_columns, plan, render,
};
use presence::config::{Parsed, Section, parse};

use super::Runtime;
use super::configuration::{FAMILY, FILE};
use super::reload::{Busy, ReloadRefused};
use crate::sync::Mutex;

/// How long a change waits for a reload that is under way.
const PATIENCE: Duration = Duration::from_secs(10);

/// One change at a time.
///
/// Only threads of HTTP requests take the gate, and they hold no other lock then. They hold it
/// while they call Asterisk: no callback of Asterisk's takes it, so nothing can wait in a circle,
/// and no thread of Asterisk's own waits for it.
#[derive(Default)]
pub struct ChangeGate(Mutex<()>);

/// The configuration as its files have it.
pub struct ReadDocument {
    /// The files and sections.
    pub document: ConfigDocument,
    /// The entity tag of the files, and of the rows.
    pub tag: String,
    /// The users from realtime; `None` where the family is not mapped or cannot be read.
    pub rows: Option<Vec<Section>>,
    /// Why the rows of a family that is mapped cannot be read.
    pub rows_problem: Option<String>,
    read: ReadFiles,
}

/// Why a change was not made.
#[derive(Debug)]
pub enum ChangeRefused {
    /// Somebody has changed the files since they were read.
    Changed,
    /// What is wrong with the change, or with the configuration that it would make.
    Problems(Vec<FileProblem>),
    /// It could not be made, with the reason.
    Failed(String),
}

impl From<String> for ChangeRefused {
    fn from(why: String) -> Self {
        ChangeRefused::Failed(why)
    }
}

/// The entity tag of files, whose own tag is given, and of rows.
fn rows_tag(files: &str, rows: &[Section]) -> String {
    let rows = rows.iter().flat_map(|row| {
        let columns = row.variables.iter();
        let columns = columns.flat_map(|it| [it.name.as_bytes(), it.value.as_bytes()]);
        std::iter::once(row.name.as_bytes()).chain(columns)
    });
    files::tag(std::iter::once(files.as_bytes()).chain(rows))
}

impl ReadDocument {
    fn rows(&self) -> &[Section] {
        self.rows.as_deref().unwrap_or_default()
    }

    /// The path of a file, without links.
    fn target(&self, file: usize) -> Result<PathBuf, String> {
        let path = &self.read.paths[file];
        fs::canonicalize(path).map_err(|why| format!("{}: {why}", path.display()))
    }
}

/// What a file of the configuration was before a change.
pub struct BackupFile {
    /// The backup's name.
    pub name: String,
    /// The file, below the configuration directory.
    pub file: String,
    /// When it was made, in UTC, such as `20260131T120000.000Z`.
    pub time: String,
    index: usize,
    path: PathBuf,
}

impl Runtime {
    /// Reads the configuration with its text.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn read_document(&self) -> Result<ReadDocument, String> {
        /// How often files that change meanwhile are read.
        const MOST: usize = 5;
        let host = self.host();
        let rows = match host.realtime_is_mapped(FAMILY) {
            true => host.realtime_rows(FAMILY).map(Some),
            false => Ok(None),
        };
        // The file can be administered without the database.
        let (rows, rows_problem) = match rows {
            Ok(rows) => {
                let joined = |rows: Vec<Section>| rows.into_iter().map(join_columns).collect();
                (rows.map(joined), None)
            }
            Err(why) => (None, Some(why)),
        };
        if host.realtime_is_mapped(FILE) {
            let entries = self.read_entries(FILE)?;
            let why = "userpresence.conf comes from a database (extconfig.conf maps it)";
            return Ok(ReadDocument {
                tag: files::tag(entries.iter().flat_map(|entry| {
                    let options = entry.options.iter();
                    let options = options.flat_map(|it| [it.name.as_bytes(), it.value.as_bytes()]);
                    std::iter::once(entry.name.as_bytes()).chain(options)
                })),
                document: ConfigDocument::without_files(entries, why),
                rows,
                rows_problem,
                read: ReadFiles::default(),
            });
        }
        for _ in 0..MOST {
            let read = ReadFiles::read(host, FILE)?;
            let entries = self.read_entries(FILE)?;
            let tag = read.tag();
            if ReadFiles::read(host, FILE)?.tag() != tag {
                continue;
            }
            let mut document = ConfigDocument::new(read.files.clone(), entries);
            for section in &mut document.sections {
                let file = section.lines.as_ref().map(|lines| lines.file);
                if file.is_some_and(|file| read.repeated.contains(&file)) {
                    section.fixed = Some("its file is included more than once".into());
                }
            }
            let tag = match &rows {
                Some(rows) => rows_tag(&tag, rows),
                None => tag,
            };
            return Ok(ReadDocument {
                document,
                tag,
                rows,
                rows_problem,
                read,
            });
        }
        Err("the files change all the time".into())
    }

    fn read_entries(&self, name: &str) -> Result<Vec<ConfigEntry>, String> {
        let entries = self.host().file_with_templates(name);
        entries.map_err(|why| super::configuration::unreadable(why).to_owned())
    }

    /// What is wrong with the configuration now.
    pub fn document_problems(&self, read: &ReadDocument) -> Vec<FileProblem> {
        let entries = read.document.sections.iter().map(|section| &section.entry);
        self.problems(entries, read.rows())
    }

    fn problems<'a>(
        &self,
        entries: impl Iterator<Item = &'a ConfigEntry>,
        rows: &[Section],
    ) -> Vec<FileProblem> {
        let sections: Vec<Section> = entries
            .filter(|entry| !entry.template)
            .map(ConfigEntry::section)
            .collect();
        let host = self.host();
        let parsed: Parsed = parse(&sections, rows, &host.host_name(), &|name| {
            host.is_timezone(name)
        });
        let problems = parsed.all_errors().map(|problem| FileProblem {
            section: problem.location.section.clone(),
            option: problem.location.option.clone(),
            file: problem.location.file.to_string(),
            line: problem.location.line,
            message: problem.message.clone(),
        });
        problems.collect()
    }

    /// Works out the changes without making them.
    ///
    /// # Errors
    /// Why they cannot be made.
    pub fn check_changes(
        &self,
        read: &ReadDocument,
        changes: &[SectionChange],
    ) -> Result<(), ChangeRefused> {
        match self.planned_row(read, changes)? {
            Some(_) => Ok(()),
            None => self.plan_changes(read, changes).map(drop),
        }
    }

    fn plan_changes(
        &self,
        read: &ReadDocument,
        changes: &[SectionChange],
    ) -> Result<ChangePlan, ChangeRefused> {
        let plan = plan(&read.document, changes).map_err(ChangeRefused::Problems)?;
        let problems = self.problems(plan.entries.iter(), read.rows());
        match problems.is_empty() {
            true => Ok(plan),
            false => Err(ChangeRefused::Problems(problems)),
        }
    }

    /// Makes the changes, all or none, if the files have that entity tag. `by` is who makes them.
    ///
    /// # Errors
    /// Why nothing has changed.
    pub fn change_configuration(
        self: &Arc<Self>,
        is_current: &dyn Fn(&str) -> bool,
        changes: &[SectionChange],
        by: &str,
    ) -> Result<(), ChangeRefused> {
        let _gate = self.changes.0.lock();
        let read = self.read_document()?;
        if !is_current(&read.tag) {
            return Err(ChangeRefused::Changed);
        }
        if let Some(planned) = self.planned_row(&read, changes)? {
            return self.change_row(&planned, &format!("'{by}'"));
        }
        let plan = self.plan_changes(&read, changes)?;
        let Some(file) = plan.file else {
            return Ok(());
        };
        let target = read.target(file)?;
        let scratch = files::scratch(&target);
        let mut write = |section: &_| self.host().write_section(&scratch, section);
        let text = render(&read.document, &plan, file, &mut write)?;
        if text == read.document.files[file].text {
            return Ok(());
        }
        let new = NewText::write(&target, &text)?;
        if file == 0 {
            self.expect(&new.name(), &plan.entries)?;
        }
        let sections: Vec<&str> = changes.iter().map(|change| &*change.section).collect();
        let what = sections.join(", ");
        self.replace(
            &read,
            file,
            new,
            Some(&plan.entries),
            &format!("'{by}'"),
            &what,
        )
    }

    /// The backups of the configuration's files, the latest first.
    ///
    /// # Errors
    /// They cannot be read.
    pub fn backups(&self) -> Result<Vec<BackupFile>, String> {
        let read = self.read_document()?;
        self.backups_of(&read)
    }

    fn backups_of(&self, read: &ReadDocument) -> Result<Vec<BackupFile>, String> {
        let directory = self.host().configuration_directory();
        let mut found = Vec::new();
        for (index, path) in read.read.paths.iter().enumerate() {
            let name = files::backup_name(&directory, path);
            for path in files::backups(&directory, &name)? {
                found.push(BackupFile {
                    name: files::file_name(&path),
                    time: files::time_of(&path, &name).unwrap_or_default(),
                    file: name.clone(),
                    index,
                    path,
                });
            }
        }
        found.sort_by(|a, b| b.time.cmp(&a.time));
        Ok(found)
    }

    /// Puts the backup of that name in the place of its file, if the files have that entity tag.
    /// `by` is who does so.
    ///
    /// # Errors
    /// Why nothing has changed.
    pub fn restore_backup(
        self: &Arc<Self>,
        is_current: &dyn Fn(&str) -> bool,
        backup: &str,
        by: &str,
    ) -> Result<(), ChangeRefused> {
        let _gate = self.changes.0.lock();
        let read = self.read_document()?;
        if !is_current(&read.tag) {
            return Err(ChangeRefused::Changed);
        }
        // Which file it is of is looked up now: the files may have changed since it was listed.
        let backups = self.backups_of(&read)?;
        let found = backups.into_iter().find(|it| it.name == backup);
        let backup = found.ok_or(ChangeRefused::Changed)?;
        let text = fs::read(&backup.path).map_err(|why| format!("{}: {why}", backup.name))?;
        let new = NewText::write(&read.target(backup.index)?, &text)?;
        if backup.index == 0 {
            let entries = self.read_entries(&new.name())?;
            let problems = self.problems(entries.iter(), read.rows());
            if !problems.is_empty() {
                return Err(ChangeRefused::Problems(problems));
            }
        }
        let what = format!("it is what it was in {}", backup.name);
        self.replace(&read, backup.index, new, None, &format!("'{by}'"), &what)
    }

    /// Puts a text in the place of a file and reloads, or leaves everything as it was.
    fn replace(
        self: &Arc<Self>,
        read: &ReadDocument,
        file: usize,
        new: NewText,
        expected: Option<&[ConfigEntry]>,
        by: &str,
        what: &str,
    ) -> Result<(), ChangeRefused> {
        let _busy = self.wait_for_reload()?;
        if ReadFiles::read(self.host(), FILE)?.tag() != read.read.tag() {
            return Err(ChangeRefused::Changed);
        }
        let directory = self.host().configuration_directory();
        let name = files::backup_name(&directory, &read.read.paths[file]);
        let backup = new.replace(&directory, &name, &files::time())?;
        let before = backup.name();
        let reloaded = expected.map_or(Ok(()), |expected| self.expect(FILE, expected));
        let reloaded = reloaded.map_err(ReloadRefused::from);
        let Err(refused) = reloaded.and_then(|()| self.reload_begun(false)) else {
            log::info!("{by} has changed the configuration: {what}; what it was is in {before}");
            files::prune(&directory, &name);
            return Ok(());
        };
        let why = match refused.problems.is_empty() {
            true => refused.why,
            false => refused.problems.join("; "),
        };
        match backup.restore() {
            Ok(()) => {
                log::warn!("A change of the configuration by {by} was taken back: {why}");
                Err(ChangeRefused::Failed(why))
            }
            Err(again) => {
                log::error!(
                    "A change of the configuration by {by} was refused ({why}), and the file \
                     could not be put back ({again}): it is in {before}"
                );
                Err(ChangeRefused::Failed(format!("{why}; {again}")))
            }
        }
    }

    /// Asterisk's parser has to read these sections.
    fn expect(&self, file: &str, expected: &[ConfigEntry]) -> Result<(), String> {
        let read = self.read_entries(file)?;
        let difference = || {
            let mut pairs = expected.iter().zip(&read);
            let differs = pairs.find(|(expected, read)| !reads_as(expected, read));
            differs.map_or("its end", |(expected, _)| &*expected.name)
        };
        let same = expected.len() == read.len()
            && expected
                .iter()
                .zip(&read)
                .all(|(expected, read)| reads_as(expected, read));
        match same {
            true => Ok(()),
            false => Err(format!(
                "Asterisk's parser would not read what was to be written (at {})",
                difference()
            )),
        }
    }

    fn wait_for_reload(&self) -> Result<Busy<'_>, String> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.reload.begin() {
                Err(_) if Instant::now() < deadline => thread::sleep(Duration::from_millis(20)),
                begun => return begun,
            }
        }
    }
}

/// Whether two sections have the same name and options.
fn reads_as(expected: &ConfigEntry, read: &ConfigEntry) -> bool {
    let same = |(a, b): (&ConfigOption, &ConfigOption)| {
        (&a.name, &a.value, a.inherited) == (&b.name, &b.value, b.inherited)
    };
    expected.name == read.name
        && expected.template == read.template
        && expected.options.len() == read.options.len()
        && expected.options.iter().zip(&read.options).all(same)
}
