//! The secret that signs sessions, and the sessions that ended before they expired: two files
//! in the folder for keys, readable by Asterisk's own user only.
//!
//! They are not in AstDB: anyone who can read it (`database show`, AMI class `system`) could
//! forge a session of any user, and anyone who can write it could restore an ended session.

use std::collections::HashSet;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::session::{EndedSessions, MOST, SessionId, SessionSecret};
use crate::runtime::Runtime;
use presence::Time;
use presence::world::stored::{FAMILY, OLD_SECRET};

/// Not `.key`: Asterisk's `res_crypto` reads files with that name.
pub(super) const SECRET: &str = "userpresence.secret";
pub(super) const ENDED: &str = "userpresence.ended";

/// The most that is read of a file, in bytes: the longest file that this module writes.
const LONGEST: u64 = 2 * MOST as u64 * 64;

/// The file of ended sessions.
pub struct EndedLog {
    path: PathBuf,
    /// The approximate number of lines.
    lines: usize,
}

/// The secret, the ended sessions, and the file that keeps those.
pub type Opened = (SessionSecret, EndedSessions, Option<EndedLog>);

impl Runtime {
    /// Reads both files, and creates the secret if there is none. `None` if the system has no
    /// random numbers; logins are refused then.
    pub(super) fn open_secret(&self) -> Option<Opened> {
        if self.host().get(FAMILY, OLD_SECRET).is_some() {
            match self.host().del(FAMILY, OLD_SECRET) {
                Ok(()) => log::info!(
                    "The secret of HTTP sessions was removed from AstDB: all sessions have ended, \
                     log in again"
                ),
                Err(why) => log::warn!("{why}"),
            }
        }
        let directory = self.key_folder();
        let path = directory.join(SECRET);
        let stored =
            read(&path).map(|text| SessionSecret::restore(text.unwrap_or_default().trim_end()));
        let secret = match stored {
            Ok(Some(secret)) => secret,
            other => {
                let mut random = [0; 32];
                getrandom::fill(&mut random)
                    .inspect_err(|why| log::warn!("the system gives no random numbers: {why}"))
                    .ok()?;
                let made = SessionSecret::new(random);
                let written = other.and_then(|_| write(&path, &format!("{}\n", made.stored())));
                if let Err(why) = written {
                    log::warn!(
                        "HTTP sessions end when the module is unloaded: '{}' cannot be used: {why}",
                        path.display()
                    );
                    return Some((made, EndedSessions::default(), None));
                }
                made
            }
        };
        let (ended, log) = self.read_ended(&directory);
        Some((secret, ended, Some(log)))
    }

    fn read_ended(&self, directory: &Path) -> (EndedSessions, EndedLog) {
        let (path, now) = (directory.join(ENDED), Time::now());
        let text = read(&path).unwrap_or_else(|why| {
            log::warn!(
                "The ended HTTP sessions cannot be read from '{}': {why}. A session that was \
                 ended by a logout may be valid again",
                path.display()
            );
            None
        });
        let (mut ended, mut lines) = (EndedSessions::default(), 0);
        let mut seen = HashSet::new();
        for line in text.unwrap_or_default().lines() {
            lines += 1;
            if let Some(id) =
                SessionId::restore(line).filter(|id| !id.is_over(now) && seen.insert(*id))
            {
                ended.end(id, now);
            }
        }
        let mut log = EndedLog { path, lines };
        // Drops expired sessions and lines that were written only in part.
        if lines > ended.iter().count() {
            let written = log.rewrite(ended.iter());
            self.warn_of_ended_log(&log.path, written);
        }
        (ended, log)
    }

    pub(super) fn warn_of_ended_log(&self, path: &Path, written: io::Result<()>) {
        if let Err(why) = written {
            self.warn_once("ended sessions", "", || {
                let path = path.display();
                format!(
                    "Ended HTTP sessions are remembered only until the module is unloaded: '{path}' cannot be written: \
                     {why}"
                )
            });
        }
    }
}

impl EndedLog {
    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Appends an ended session. `all` returns every ended session, should the file have to
    /// be written anew. It waits for the disk.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn append(
        &mut self,
        id: &SessionId,
        all: impl FnOnce() -> Vec<SessionId>,
    ) -> io::Result<()> {
        if self.lines >= 2 * MOST {
            return self.rewrite(all().iter());
        }
        self.lines += 1;
        let mut file = options().append(true).create(true).open(&self.path)?;
        file.write_all(format!("{}\n", id.stored()).as_bytes())?;
        file.sync_data()
    }

    fn rewrite<'a>(&mut self, all: impl Iterator<Item = &'a SessionId>) -> io::Result<()> {
        let lines: Vec<String> = all.map(|id| format!("{}\n", id.stored())).collect();
        self.lines = lines.len();
        write(&self.path, &lines.concat())
    }
}

/// Options for a file that no other user can read. A pipe in its place does not block.
fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options
        .mode(0o600)
        .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK);
    options
}

/// The text of a file; `None` if it does not exist or is not UTF-8. If other users can read
/// the file, its mode is set to 600.
fn read(path: &Path) -> io::Result<Option<String>> {
    let text = read_up_to(path, LONGEST)?;
    Ok(text.and_then(|text| String::from_utf8(text).ok()))
}

/// The first bytes of a file, at most so many; otherwise as [`read`].
pub(super) fn read_up_to(path: &Path, longest: u64) -> io::Result<Option<Vec<u8>>> {
    let file = match options().read(true).open(path) {
        Err(why) if why.kind() == ErrorKind::NotFound => return Ok(None),
        file => file?,
    };
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    let mode = metadata.permissions().mode();
    if mode & 0o077 != 0 {
        log::warn!(
            "'{}' had mode {:03o}, so that other users could read it; the mode is now 600",
            path.display(),
            mode & 0o777
        );
        file.set_permissions(fs::Permissions::from_mode(0o600))?;
    }
    let mut text = Vec::new();
    file.take(longest).read_to_end(&mut text)?;
    Ok(Some(text))
}

/// Creates a file that must not exist, nor a link in its place; only Asterisk's user can read it.
///
/// # Errors
/// Those of the system.
pub fn create(path: &Path) -> io::Result<File> {
    create_directory(path)?;
    options().write(true).create_new(true).open(path)
}

/// Creates the directory of a file.
fn create_directory(path: &Path) -> io::Result<()> {
    let directory = path.parent().unwrap_or(Path::new("."));
    DirBuilder::new()
        .recursive(true)
        .mode(0o750)
        .create(directory)
}

/// Replaces a file: after a crash, either the old or the complete new file exists.
pub(super) fn write(path: &Path, text: &str) -> io::Result<()> {
    create_directory(path)?;
    let mut new = path.as_os_str().to_owned();
    new.push(".new");
    let new = PathBuf::from(new);
    // A crash may have left one behind.
    let _ = fs::remove_file(&new);
    let written = || {
        let mut file = options().write(true).create_new(true).open(&new)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&new, path)
    };
    written().inspect_err(|_| {
        let _ = fs::remove_file(&new);
    })?;
    // Syncs the name too; not every file system supports this.
    let directory = path.parent().unwrap_or(Path::new("."));
    let _ = File::open(directory).and_then(|directory| directory.sync_all());
    Ok(())
}
