//! The files of the configuration on the disk: read as a whole, and replaced as a whole.

use std::collections::HashSet;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use presence::Time;
use presence::account::timestamp;
use presence::config::file::{ConfigFile, Directive, FileLine, scan};
use sha2::{Digest, Sha256};

use crate::runtime::host::Host;

/// The most files that are followed.
const MOST_FILES: usize = 500;

/// The number of backups that are kept of each file.
const BACKUPS: usize = 10;

/// What is between a file's name and the time in the name of its backup.
const BACKUP: &str = ".backup-";

/// The files of a configuration.
#[derive(Default)]
pub struct ReadFiles {
    /// The files with their text; the first is the configuration itself.
    pub files: Vec<ConfigFile>,
    /// Their paths, in the same order.
    pub paths: Vec<PathBuf>,
    /// The indexes of files that are included more than once.
    pub repeated: HashSet<usize>,
    /// Their paths without links, in the same order.
    real: Vec<Option<PathBuf>>,
}

impl ReadFiles {
    /// Reads a file of Asterisk's configuration directory, and the files that it includes.
    ///
    /// # Errors
    /// A file cannot be read, or there are too many.
    pub fn read(host: &dyn Host, name: &str) -> Result<Self, String> {
        let mut read = ReadFiles::default();
        let main = host.configuration_directory().join(name);
        read.follow(host, main, name.into(), 0)?;
        Ok(read)
    }

    fn follow(
        &mut self,
        host: &dyn Host,
        path: PathBuf,
        name: Arc<str>,
        depth: usize,
    ) -> Result<usize, String> {
        if self.files.len() >= MOST_FILES {
            return Err(format!(
                "the configuration has more than {MOST_FILES} files"
            ));
        }
        let text = fs::read(&path).map_err(|why| sentence(&path, &why))?;
        let real = fs::canonicalize(&path).ok();
        let index = self.files.len();
        if let Some(before) = self.real.iter().position(|it| *it == real) {
            self.repeated.extend([before, index]);
        }
        self.real.push(real);
        let scanned = scan(&text);
        self.files.push(ConfigFile {
            name,
            text,
            includes: Vec::new(),
        });
        self.paths.push(path);
        for (number, line) in scanned.iter().enumerate() {
            let FileLine::Directive(Directive::Include { pattern, .. }) = &line.kind else {
                continue;
            };
            let mut included = Vec::new();
            for path in host.included_files(pattern) {
                // Asterisk leaves out what is not there or not a file.
                if depth < 10 && path.is_file() {
                    let name = path.to_string_lossy().into();
                    included.push(self.follow(host, path, name, depth + 1)?);
                }
            }
            self.files[index].includes.push((number, included));
        }
        Ok(index)
    }

    /// An entity tag of the files: it changes if a byte of one does, or if there are others.
    pub fn tag(&self) -> String {
        let files = self.files.iter();
        tag(files.flat_map(|file| [file.name.as_bytes(), &file.text]))
    }
}

/// An entity tag of texts.
pub fn tag<'a>(parts: impl Iterator<Item = &'a [u8]>) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    let digits = hash.finalize().into_iter().take(16);
    let digits: String = digits.map(|byte| format!("{byte:02x}")).collect();
    format!("\"{digits}\"")
}

/// The time for the name of a backup, in UTC.
pub fn time() -> String {
    let mut time = timestamp(Time::now());
    time.retain(|c| !matches!(c, '-' | ':'));
    time
}

fn sentence(path: &Path, why: &io::Error) -> String {
    format!("{}: {why}", path.display())
}

/// A file beside the one that is to be replaced, hidden so that no `#include` of a pattern
/// takes it.
fn beside(target: &Path, ending: &str) -> PathBuf {
    let name = target.file_name().unwrap_or_default().to_string_lossy();
    target.with_file_name(format!(".{name}.{ending}"))
}

/// The path for Asterisk's writer, beside the file.
pub fn scratch(target: &Path) -> PathBuf {
    beside(target, "section")
}

/// A text that is to replace a file; dropping it removes it.
pub struct NewText {
    path: PathBuf,
    target: PathBuf,
}

impl NewText {
    /// Writes a text beside the file `target`, a path without links, with its mode and owner, down
    /// to the disk.
    ///
    /// # Errors
    /// It cannot be written, for example because the disk is full.
    pub fn write(target: &Path, text: &[u8]) -> Result<Self, String> {
        let path = beside(target, "new");
        // One of a process that was killed.
        let _ = fs::remove_file(&path);
        let new = NewText {
            path,
            target: target.to_owned(),
        };
        let write = || -> io::Result<()> {
            let old = fs::metadata(target)?;
            let file = OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(&new.path);
            let mut file = file?;
            let made = file.metadata()?;
            if (made.uid(), made.gid()) != (old.uid(), old.gid()) {
                fchown(&file, Some(old.uid()), Some(old.gid())).map_err(|why| {
                    let what = "the owner and group of the file cannot be kept";
                    io::Error::new(why.kind(), format!("{what}: {why}"))
                })?;
            }
            file.set_permissions(Permissions::from_mode(old.mode() & 0o7777))?;
            file.write_all(text)?;
            file.sync_all()
        };
        write().map_err(|why| sentence(&new.path, &why))?;
        Ok(new)
    }

    /// The path, as Asterisk's parser takes it.
    pub fn name(&self) -> String {
        self.path.to_string_lossy().into_owned()
    }

    /// Puts it in the place of the file, of which a backup stays in the folder `backups`.
    ///
    /// # Errors
    /// There can be no backup, or the file cannot be replaced; it is then as before.
    pub fn replace(self, backups: &Path, name: &str, time: &str) -> Result<Backup, String> {
        let backup = backups.join(format!("{name}{BACKUP}{time}"));
        keep(&self.target, &backup).map_err(|why| sentence(&backup, &why))?;
        if let Err(why) = fs::rename(&self.path, &self.target) {
            let _ = fs::remove_file(&backup);
            return Err(sentence(&self.target, &why));
        }
        sync_folder(&self.target);
        sync_folder(&backup);
        Ok(Backup {
            path: backup,
            target: self.target.clone(),
        })
    }
}

impl Drop for NewText {
    fn drop(&mut self) {
        // It is gone already where it has replaced the file.
        let _ = fs::remove_file(&self.path);
    }
}

/// A second name of the file: what the file was, with mode, owner and everything else. On
/// another file system it is a copy.
fn keep(file: &Path, backup: &Path) -> io::Result<()> {
    if fs::hard_link(file, backup).is_ok() {
        return Ok(());
    }
    let copy = || -> io::Result<()> {
        let old = fs::metadata(file)?;
        let text = fs::read(file)?;
        let copy = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(backup);
        let mut copy = copy?;
        // The backup has the owner and permissions of the file.
        let made = copy.metadata()?;
        if (made.uid(), made.gid()) != (old.uid(), old.gid()) {
            fchown(&copy, Some(old.uid()), Some(old.gid()))?;
        }
        copy.set_permissions(Permissions::from_mode(old.mode() & 0o7777))?;
        copy.write_all(&text)?;
        copy.sync_all()
    };
    copy().inspect_err(|_| {
        let _ = fs::remove_file(backup);
    })
}

/// A rename lasts once its folder is on the disk. It has happened, so an error changes nothing.
fn sync_folder(file: &Path) {
    let folder = file.parent().and_then(|folder| File::open(folder).ok());
    if let Some(Err(why)) = folder.map(|folder| folder.sync_all()) {
        log::warn!("{}", sentence(file, &why));
    }
}

/// What a file was before it was replaced.
#[derive(Debug)]
pub struct Backup {
    path: PathBuf,
    target: PathBuf,
}

impl Backup {
    /// The backup's name.
    pub fn name(&self) -> String {
        file_name(&self.path)
    }

    /// Puts the file back as it was.
    ///
    /// # Errors
    /// It cannot be replaced: the backup stays.
    pub fn restore(self) -> Result<(), String> {
        let restore = || -> io::Result<()> {
            if fs::rename(&self.path, &self.target).is_ok() {
                return Ok(());
            }
            // Another file system.
            let again = beside(&self.target, "old");
            let _ = fs::remove_file(&again);
            keep(&self.path, &again)?;
            fs::rename(&again, &self.target)?;
            fs::remove_file(&self.path)
        };
        restore().map_err(|why| sentence(&self.target, &why))?;
        sync_folder(&self.target);
        Ok(())
    }
}

/// The last part of a path.
pub fn file_name(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default();
    name.to_string_lossy().into_owned()
}

/// The name of a file in the names of its backups: its path in the configuration directory.
pub fn backup_name(directory: &Path, file: &Path) -> String {
    let below = file.strip_prefix(directory).unwrap_or(file);
    below
        .to_string_lossy()
        .replace('%', "%25")
        .replace('/', "%2F")
}

/// The time in the name of a backup of the file of that name; `None` for any other file, such as
/// a copy that somebody has made.
pub fn time_of(backup: &Path, name: &str) -> Option<String> {
    /// The form of [`time`], a zero for each digit.
    const FORM: &str = "00000000T000000.000Z";
    let found = file_name(backup);
    let time = found.strip_prefix(name)?.strip_prefix(BACKUP)?;
    let digit = |c: char| if c.is_ascii_digit() { '0' } else { c };
    let form: String = time.chars().map(digit).collect();
    (form == FORM).then(|| time.to_owned())
}

/// The backups of a file, the latest first. Files with other names are not looked at.
///
/// # Errors
/// The folder cannot be read.
pub fn backups(folder: &Path, name: &str) -> Result<Vec<PathBuf>, String> {
    let entries = fs::read_dir(folder).map_err(|why| sentence(folder, &why))?;
    let mut found: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| time_of(path, name).is_some())
        .collect();
    // The time is written so that its order is that of the text.
    found.sort_unstable_by(|a, b| b.cmp(a));
    Ok(found)
}

/// Removes all but the latest backups of a file.
pub fn prune(folder: &Path, name: &str) {
    for old in backups(folder, name)
        .unwrap_or_default()
        .iter()
        .skip(BACKUPS)
    {
        if let Err(why) = fs::remove_file(old) {
            log::warn!("{}", sentence(old, &why));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_backup_has_its_own_time_alone() {
        let time = |found: &str| time_of(Path::new(found), "a.conf");
        let now = super::time();
        assert_eq!(
            time(&format!("/etc/a.conf.backup-{now}")),
            Some(now.clone())
        );
        for other in [
            "a.conf.backup-keep".to_owned(),
            "a.conf.backup-".to_owned(),
            format!("a.conf.backup-{now}.old"),
            format!("a.conf.backup-{now}.backup-{now}"),
            format!("a.conf.backup-x{now}"),
            format!("b.conf.backup-{now}"),
            format!("a.conf{now}"),
            "a.conf.backup-20260101T120000.000z".to_owned(),
            "a.conf.backup-2026".to_owned(),
        ] {
            assert_eq!(time(&other), None, "{other}");
        }
    }
}
